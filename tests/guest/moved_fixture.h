/* SPDX-License-Identifier: MIT */
/*
 * A backing on the machine's four nodes, its pages, and what the kernel says of
 * them. The machine has no other user of hugepages.
 */
#ifndef TESTS_GUEST_MOVED_FIXTURE_H
#define TESTS_GUEST_MOVED_FIXTURE_H

#include "numa/backing.h"
#include "tests/guest/fixture.h"
#include "tests/guest/witness.h"

#define EACH 4u /* pages of each node's file */
#define PAGES (FIXTURE_NODES * EACH)

extern struct topo topo;
extern struct backing backing;
extern struct backing_journal *journal; /* shared: outlives who is killed */
extern struct witness_page pages[PAGES];
extern unsigned lies[PAGES]; /* the node of each, as we believe */
extern unsigned n_tries;     /* of moves */

/* Makes all, filled; ends the program where that fails. */
void open_it(void);

/* A count of the node's 2 MiB hugepages: "nr", "free" or "surplus". */
unsigned pool_of(unsigned node, const char *what);
void set_pool(unsigned node, unsigned n);

/* The kernel's node of a page. */
int node_of(const struct witness_page *page);
bool lie_as_believed(void);

/* Each node has the pages that lie there, all of them ours, and none free. */
bool pools_are_exact(void);

/* backing_move, once; and again where it was busy. */
int move(unsigned i, unsigned to, struct backing_moved *how);
int move_hot(unsigned i, unsigned to, struct backing_moved *how);

#endif
