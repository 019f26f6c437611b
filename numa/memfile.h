/* SPDX-License-Identifier: MIT */
/*
 * One memfd of a pool's data: made, bound, filled, moved, punched. For
 * backing.c alone, which decides what to try; here is how the kernel does it.
 */
#ifndef NUMA_MEMFILE_H
#define NUMA_MEMFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/backing_kind.h"

#define MEMFILE_UNBOUND (-1)

struct memfile {
	int fd;
	enum backing_kind kind;
	unsigned page_shift; /* of all page numbers below */
	int os_node;         /* or MEMFILE_UNBOUND */
	bool (*stopped)(void); /* filling ends once it says so; NULL: never */
};

/* Called after each chunk with the pages done so far. */
typedef void memfile_progress(void *arg, uint64_t done_pages);

/* A sealed sparse memfd, readable and writable by its owner alone. Returns
 * the descriptor; -ENOTSUP (no pages of this kind) or -errno. */
int memfile_create(const char *name, enum backing_kind kind, uint64_t bytes);

/* Have the kernel take the file's pages from file->os_node. For shmem this
 * stays with the file; memfile_fill does it again for hugetlb, where only a
 * mapping can be bound. Returns 0 or -errno: ENOSYS and EPERM mean that this
 * kernel or sandbox does not bind. */
int memfile_bind(const struct memfile *file, uint64_t bytes);

/*
 * Fault pages in, in order. *done_pages is how many are whole; the one after
 * is a hole again. Returns 0 if all, -ENOSPC (out of hugepages), -ENOMEM,
 * -ECANCELED (file->stopped) or another -errno. Never raises SIGBUS.
 */
int memfile_fill(const struct memfile *file, uint64_t first_page,
                  uint64_t n_pages, uint64_t *done_pages,
                  memfile_progress *progress, void *arg);

/* The kernel's id of the node on which a page that is ready lies. Returns 0,
 * -ENOENT (not there, or in part), -EXDEV (on several nodes) or -errno. */
int memfile_where(const struct memfile *file, uint64_t page, int *os_node);

/*
 * Move a page that is ready to file->os_node while others have it mapped, who
 * wait where they touch it meanwhile. *ns is the time that the kernel took.
 * Returns 0 if it lies there now; -EBUSY (the kernel can't, now), -ENOMEM,
 * -EPERM or another -errno if it is all on from_os_node again, as far as that
 * can be.
 */
int memfile_move(const struct memfile *file, uint64_t page, int from_os_node,
                  uint64_t *ns);

/* Takes all memory of a file away, and calls emptied after each part, of a second
 * at the most, unless it is NULL. 0 or -errno. */
int memfile_empty(int fd, void (*emptied)(void));

int memfile_punch(const struct memfile *file, uint64_t first_page,
                   uint64_t n_pages);

/* Fault a range of small pages in by a mapping of the caller's, at, of which
 * part may be there already: as it is then. Returns 0 or -errno, with no
 * SIGBUS. */
int memfile_hold(int fd, void *at, uint64_t off, uint64_t bytes);

/* The same for pages of the file that were ready, from memory of file->os_node.
 * On failure what is there stays, unlike with memfile_fill. */
int memfile_refill(const struct memfile *file, uint64_t first_page,
                   uint64_t n_pages);

/* What the kernel holds for the file, in bytes. Returns 0 or -errno. */
int memfile_held(int fd, uint64_t *bytes);

/* How many pages the kernel holds for the file. Returns 0, or -errno with
 * *ready_pages untouched. */
int memfile_ready(const struct memfile *file, uint64_t *ready_pages);

#endif
