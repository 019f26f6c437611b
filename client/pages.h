/* SPDX-License-Identifier: MIT */
/* Private memory that is made writable part by part. */
#ifndef CLIENT_PAGES_H
#define CLIENT_PAGES_H

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Opens what lies between two offsets of a mapping, and of the kernel's pages at
 * both ends all: they may be larger than a part. 0, or -1 with errno. */
static inline int pages_open(void *at, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	from -= from % page;
	to = (to + page - 1) / page * page;
	return mprotect((char *)at + from, to - from, PROT_READ | PROT_WRITE);
}

#endif
