/* SPDX-License-Identifier: MIT */
#include "client/barrier.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "shm/atom.h"

/* <linux/membarrier.h>, which not every C library has: MEMBARRIER_CMD_... */
#define PRIVATE_EXPEDITED (1 << 3)
#define REGISTER_PRIVATE_EXPEDITED (1 << 4)

static bool has_barriers; /* (A) relaxed: false -> true */

bool barrier_start(void)
{
	if (!atom_load(&has_barriers) &&
	    syscall(SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
		atom_store(&has_barriers, true);
	return atom_load(&has_barriers);
}

bool barrier_all(void)
{
	return atom_load(&has_barriers) &&
	       syscall(SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) == 0;
}
