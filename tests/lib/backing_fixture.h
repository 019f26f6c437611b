/* SPDX-License-Identifier: MIT */
/*
 * The fixture of the backing tests: the real kernel where it gives hugepages, a
 * tree of files that stands for sysfs where something is to lack, and calls to
 * the kernel that can be made to fail (wrapped by the linker, see local.mk).
 */
#ifndef TESTS_LIB_BACKING_FIXTURE_H
#define TESTS_LIB_BACKING_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/backing.h"

#define MIB(n) (UINT64_C(n) << 20)
#define PAGE MIB(2)

/* The n-th call from now on fails, 1 is the next one; 0 is never. */
struct fault {
	int nth;
	int error;
	bool for_good; /* and so does every call after it */
};
extern uint64_t lent_pages; /* real ones that teardown gives back */
extern struct fault memfd_fault;
extern struct fault mbind_fault;
extern struct fault populate_fault;
extern struct fault fstat_fault;
extern bool old_kernel;      /* knows neither NOEXEC_SEAL nor POPULATE */
extern uint64_t memory_left; /* populate does so much, then ENOMEM */

/*
 * A kernel of two nodes, 0 and 1, that a machine with one can't have: mbind
 * and move_pages know where the page lies, and the tree has a pool a node.
 */
struct fake {
	bool on;
	int at;        /* the node of the page */
	int half_at;   /* of its second half */
	unsigned asks; /* for a move */
	struct fault move_fault; /* of mbind */
	bool pretends;           /* says that it moved and did not */
	bool temporary;          /* makes a hugepage of its own for it */
	bool insisted;           /* move_pages moves what mbind did not */
	int insist_error;        /* or fails so, */
	int insist_status;       /* or says so of each page */
};
extern struct fake fake;

extern struct topo topo;
extern struct backing backing;
extern uint64_t file_bytes[TOPO_NODES_MAX]; /* as open_it asked for */
extern uint64_t start_bytes[TOPO_NODES_MAX];
extern char root[40]; /* of the tree */

void setup(void);
void teardown(void);

/* Write a file of the tree. */
void put(const char *name, const char *text);

/* A pool of the whole machine with some free pages that never get more. */
void put_pool(unsigned kb, unsigned free_pages);

/* The same of a node of the fake kernel, and what is said of it now. */
void put_node_pool(unsigned node, unsigned pages, unsigned free_pages);
unsigned pool_pages(unsigned node, const char *what);

/* Two nodes of the fake kernel, with files of which no page is there. */
void open_fake(enum backing_kind kind, uint64_t file);

int open_it(const char *synthetic, enum backing_kind first, bool may_reserve,
            uint64_t file, uint64_t start, const char *sysfs);

/* On this machine; skips the test if it has no hugepages. */
void open_real_2m(uint64_t file, uint64_t start);

uint64_t held_pages(int fd);
unsigned open_files(void);
bool is_in_file(const char *path, const char *text);
void *map(int fd, uint64_t bytes);
void check_file(const struct backing_node *node);

/* The kernel's word on the page size and the node of the first 8 pages. */
void check_pages(unsigned ix, const char *page_size);

#endif
