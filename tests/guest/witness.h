/* SPDX-License-Identifier: MIT */
/*
 * Processes that use pages without a pause while somebody moves them: each has
 * words of its own in every page, writes them, reads back what it wrote last,
 * and notes the longest time between two accesses. It stays with a page for a
 * while and goes on to the next.
 */
#ifndef GUEST_WITNESS_H
#define GUEST_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WITNESS_MAX 2u
#define WITNESS_PAGE (UINT64_C(2) << 20)
#define WITNESS_WORDS 512u /* of each witness in a page, 4 KiB apart */

/* Where a page is seen, in any process that was forked from this one. */
struct witness_page {
	int fd;
	uint64_t page;
	char *at; /* set by witness_map */
};

/* Maps all pages, each on its own, in this process; its children inherit the
 * mapping. Ends the program where that fails. */
void witness_map(struct witness_page *pages, size_t n);

/* Fills what the witnesses leave alone; and 0 if it is all as it was filled. */
void witness_fill(const struct witness_page *page, uint64_t seed);
size_t witness_spoilt(const struct witness_page *page, uint64_t seed);

/* Starts one, on a CPU, over pages that stay valid. Its number. */
unsigned witness_start(int cpu, const struct witness_page *pages, size_t n);

/* The longest gap since the last call, in ns, of all witnesses, once each of
 * them has made more accesses. */
uint64_t witness_gap(void);

/* All rest, with their pages mapped still, or go on. */
void witness_pause(bool pause);

/* Ends all. Accesses made, and how many of them read a wrong word; one that
 * was killed counts as a wrong word. */
void witness_stop(uint64_t *accesses, uint64_t *wrong);

#endif
