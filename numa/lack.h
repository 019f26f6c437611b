/* SPDX-License-Identifier: MIT */
/*
 * What of memory lacks, in words, with the command that gives a node's file all
 * that it may ever take: who adds what the next step wants would be asked again
 * at once. ix is the node whose memory is meant.
 */
#ifndef NUMA_LACK_H
#define NUMA_LACK_H

#include <stddef.h>

#include "numa/cgroup.h"
#include "numa/huge.h"
#include "numa/types.h"

/* Free hugepages: want of them beside claimed ones; denied is 0 if the kernel
 * let us ask for more. */
void lack_of_pages(const struct backing *backing, unsigned ix,
                   const struct huge_counts *count, uint64_t want,
                   uint64_t claimed, int denied, struct backing_step *why);

/* The same of a pool that would not grow beyond its start. */
void lack_of_growth(const struct backing *backing, unsigned ix,
                    const struct huge_counts *count, struct backing_step *why);

/* The pool of hugepages itself, which can't be read. */
void lack_of_pool(int error, struct backing_step *why);

/* Plain memory of the node. */
void lack_of_memory(const struct backing *backing, unsigned ix, uint64_t room,
                    uint64_t want, struct backing_step *why);

/* What a control group allows, to which so many eighths of the file's pages are
 * charged. */
void lack_of_group(const struct backing *backing, unsigned ix,
                   const struct cgroup_room *group, unsigned eighths,
                   struct backing_step *why);

/* The share of what the lowest limit allows. */
void lack_of_share(const struct backing *backing, unsigned ix,
                   const struct cgroup_room *group, struct backing_step *why);

/* The kernel gave less, and why is not known. */
void lack_unknown(const struct backing *backing, unsigned ix, int error,
                  uint64_t done, uint64_t want, struct backing_step *why);

/* A call that makes or maps a file failed: the text names this process's limit
 * where that is why. */
void lack_of_limit(int error, const char *what, char *text, size_t bytes);

#endif
