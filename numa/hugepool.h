/* SPDX-License-Identifier: MIT */
/*
 * The files in which the kernel has one pool of hugepages: found, read, locked,
 * written. For huge.c and surplus.c; sysfs, os_node and page_shift as in
 * huge.h.
 */
#ifndef NUMA_HUGEPOOL_H
#define NUMA_HUGEPOOL_H

#include <stdbool.h>
#include <stdint.h>

#define HUGE_ANY_NODE (~0u)

struct huge_counts {
	uint64_t total_pages;   /* in the pool, surplus ones included */
	uint64_t free_pages;    /* used by nobody; some may be promised */
	uint64_t surplus_pages; /* vanish as soon as they are freed */
	uint64_t spare_pages;   /* free and promised to nobody */
	uint64_t loan_pages;    /* surplus that a fault may still add */
	char file[160];         /* the nr_hugepages file that rules the pool */
};

struct hugepool {
	char folder[140]; /* of this node and size */
	char whole[140];  /* of the whole machine and size */
};

static inline uint64_t hugepool_less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The pages of a pool that stay when they are freed. */
static inline uint64_t hugepool_lasting(const struct huge_counts *now)
{
	return now->total_pages -
	       hugepool_less(now->surplus_pages, now->total_pages);
}

/* Returns 0, -ENOENT (the kernel has no pages of this size) or -errno. */
int hugepool_find(const char *sysfs, unsigned os_node, unsigned page_shift,
                  struct hugepool *pool);

/* The number in a file of a folder. Returns 0 or -errno. */
int hugepool_read(const char *folder, const char *name, uint64_t *out);

/* Counts what is in pool->folder. Returns 0 or -errno. */
int hugepool_count(const struct hugepool *pool, struct huge_counts *out);

/* What a lock below is where there is none to be had. */
#define HUGEPOOL_UNLOCKED (-1)

/*
 * Keeps other slabds from changing counts until the descriptor that comes is
 * closed. The file is one that none but root can open, so that strangers can't
 * hold it. Another slabd may have it for as long as the kernel looks for pages:
 * some seconds are waited, by a thread in a hurry not at all. Returns -EAGAIN if
 * it has it still, and HUGEPOOL_UNLOCKED where there is no such file for us.
 */
int hugepool_lock(void);

/* The calling thread is one that others wait for, or no longer. */
void hugepool_hurry(bool hurry);
bool hugepool_is_hurried(void);

/* Writes a number to a file of the pool. Returns 0, -EACCES or -errno. */
int hugepool_write(int fd, uint64_t number);

#endif
