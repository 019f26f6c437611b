/* SPDX-License-Identifier: MIT */
/*
 * What the control groups of this process, its own and all above it, leave it
 * of memory and of hugepages: both versions, each controller wherever it is
 * mounted. What is above the root of our namespace is not to be seen.
 *
 * Nothing is kept between two looks: so a limit that was changed, and a process
 * that was moved to another group, show in the next one. A look costs some ten
 * system calls, and less where no limit is set.
 */
#ifndef NUMA_CGROUP_H
#define NUMA_CGROUP_H

#include <stdint.h>

#define CGROUP_PATH 512u

enum cgroup_what { CGROUP_MEMORY, CGROUP_HUGE_2M, CGROUP_HUGE_1G };

/* The limit that leaves least. */
struct cgroup_room {
	uint64_t room_bytes;    /* less the reserve; UINT64_MAX: no limit */
	uint64_t limit_bytes;   /* UINT64_MAX: none */
	uint64_t used_bytes;    /* of it, less what can be reclaimed */
	uint64_t reserve_bytes; /* of it, kept for slabd itself */
	char file[CGROUP_PATH]; /* what sets it, "" if there is none */
	uint64_t least_bytes;   /* the lowest limit of all; UINT64_MAX: none */
	char least_file[CGROUP_PATH];
};

/* proc is the folder of "cgroup" and "mountinfo", NULL for /proc/self. What
 * can't be read sets no limit. */
void cgroup_look(const char *proc, enum cgroup_what what,
                 struct cgroup_room *out);

/* What of a limit stays for slabd itself: its heap, the kernel's tables, and
 * metadata that is touched later than the pages it is of. */
uint64_t cgroup_reserve(uint64_t limit_bytes);

#endif
