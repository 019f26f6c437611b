/* SPDX-License-Identifier: MIT */
/*
 * One node's file together with the hugepages that it lives on: get them, fill
 * the file, give them back. Shared by backing.c and fallback.c. ix is the node
 * whose memory and hugepages are meant; the file may be another node's.
 */
#ifndef NUMA_RESERVE_H
#define NUMA_RESERVE_H

#include "numa/memfile.h"
#include "numa/types.h"

/* The kernel has not enough: why says what lacks and what would help. */
#define RESERVE_E_LACK 1

/* Where sysfs has the node's hugepages and memory; HUGE_ANY_NODE in a
 * simulated topology, whose nodes the kernel does not know. */
unsigned reserve_pool_node(const struct backing *backing, unsigned ix);

/* A node's file, for pages that lie, or will lie, on node_ix. */
struct memfile reserve_file(const struct backing *backing, unsigned file_ix,
                           unsigned node_ix);

/* Descriptors ran out: no reason to try a lesser rung. */
bool reserve_out_of_files(int error);

/*
 * See to it that the kernel has want free hugepages of why->kind beside the
 * claimed ones, reserving more if that is allowed. Returns 0, RESERVE_E_LACK or
 * -errno, of which -EAGAIN is no lack: another slabd changes counts now, which
 * takes seconds at the most.
 */
int reserve_secure(struct backing *backing, unsigned ix, uint64_t want,
                 uint64_t claimed, struct backing_step *why);

/* The same for one page that will be moved there, of the kind of its file: it
 * takes a hugepage that is free, for the kernel lends none that stays. */
int reserve_secure_move(struct backing *backing, unsigned ix,
                      struct backing_step *why);

/* The same for kinds that take plain memory. */
int reserve_check_room(const struct backing *backing, unsigned ix,
                       uint64_t bytes, struct backing_step *why);

/* How many of want pages that the node's file is to grow by are below the limits
 * of slabd's control groups, with claimed bytes that others are about to take;
 * why says what lacks if it is not all. */
uint64_t reserve_within_groups(struct backing *backing, unsigned ix,
                               uint64_t want, uint64_t claimed,
                               struct backing_step *why);

/* What to fault in, and whom to tell of it. */
struct reserve_order {
	unsigned file_ix;
	unsigned node_ix;
	uint64_t first;
	uint64_t n_pages;
	memfile_progress *progress; /* or NULL */
	void *arg;
};

/*
 * Fault pages in. Where others were faster to the hugepages that we had counted
 * on, reserves anew and goes on. *done is how many are whole. Returns 0 or the
 * last try's -errno.
 */
int reserve_fill(struct backing *backing, const struct reserve_order *order,
               uint64_t *done);

/* Put into words that reserve_fill came only so far. */
void reserve_explain(struct backing *backing, unsigned ix, int error,
                   uint64_t done, uint64_t want, struct backing_step *why);

/* Give up to n of the hugepages that we added back, as far as they are free;
 * where another slabd is in the way, in reserve_late. */
void reserve_give_back(struct backing *backing, unsigned ix, uint64_t n);

/* Give back what we added to a node beyond the pages that lie there, such as
 * what others had in use when we gave the rest back; and have surplus pages of
 * others be surplus again, which the kernel made lasting for ours. */
void reserve_trim(struct backing *backing, unsigned ix);

/* Give back what could not be as another slabd was in the way. False: it is
 * still. */
bool reserve_late(struct backing *backing, unsigned ix);

/* One of the hugepages that we added on from is one that we added on to. */
void reserve_shift(struct backing *backing, unsigned from, unsigned to);

/* Whether the kernel, which moved a page of its own accord, made a hugepage on to
 * and took one of ours on from away: it has fewer there than we added or saw
 * last, and on to more than we saw last, of which none is free. */
bool reserve_has_shifted(const struct backing *backing, unsigned from,
                         unsigned to, enum backing_kind kind);

/* How many hugepages of this kind last on a node, 0 if that can't be known. */
uint64_t reserve_lasting(const struct backing *backing, unsigned ix,
                       enum backing_kind kind);

/* How many hugepages lasted on a node when the process before this one changed
 * them last; 0: not known. Before reserve_recall. */
uint64_t reserve_last_seen(const struct backing *backing, unsigned ix);

/* How many a killed process had added, a change under way included;
 * the journal then says so. */
uint64_t reserve_recall(const struct backing *backing, unsigned ix);

/* What an administrator made surplus is no longer of those that we added. */
void reserve_mind(struct backing *backing, unsigned ix);

/*
 * Give back all that we added: as many as were freed, and what is in use as
 * soon as it is free. Where others have free pages, which the kernel would take
 * first, those in use stay, and stay in the journal.
 */
void reserve_settle(struct backing *backing, unsigned ix, uint64_t freed);

/* Close the files of n nodes and give back what we added for them. */
void reserve_drop_all(struct backing *backing, unsigned first, unsigned n);

#endif
