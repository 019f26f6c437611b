/* SPDX-License-Identifier: MIT */
/* A barrier of spinning threads: all leave it within nanoseconds of each
 * other, so that what follows really runs at once. */
#ifndef TESTS_LIB_SPIN_BARRIER_H
#define TESTS_LIB_SPIN_BARRIER_H

#include <sched.h>
#include <stdint.h>

#include "shm/atom.h"

struct spin_barrier {
	uint32_t arrived; /* counts on for ever */
};

static inline void spin_barrier_wait(struct spin_barrier *barrier, uint32_t n)
{
	/* pairs: spin_barrier_wait; read as it is now. */
	uint32_t mine = atom_set(&barrier->arrived, 0u);
	/* pairs: spin_barrier_wait; what came before it is seen by all. */
	while (!atom_publish(&barrier->arrived, &mine, mine + 1))
		;
	mine = (mine / n + 1) * n;
	/* pairs: spin_barrier_wait; what the others did before it is seen. */
	for (uint32_t i = 1;
	     (int32_t)(atom_load_acquire(&barrier->arrived) - mine) < 0; i++)
		if (i % 4096 == 0)
			sched_yield();
}

#endif
