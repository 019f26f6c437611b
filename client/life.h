/* SPDX-License-Identifier: MIT */
/* A robust mutex that a thread holds for as long as it lives: the kernel lets go
 * of it then, and who gets it knows. */
#ifndef CLIENT_LIFE_H
#define CLIENT_LIFE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

static inline void life_begin(pthread_mutex_t *life)
{
	pthread_mutexattr_t robust;
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(life, &robust);
	pthread_mutexattr_destroy(&robust);
	pthread_mutex_lock(life);
}

static inline bool life_is_over(pthread_mutex_t *life)
{
	if (pthread_mutex_trylock(life) != EOWNERDEAD)
		return false;
	pthread_mutex_consistent(life);
	pthread_mutex_unlock(life);
	return true;
}

#endif
