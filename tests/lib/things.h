/* SPDX-License-Identifier: MIT */
/* Objects of an object pool that know what was done to them. */
#ifndef TESTS_LIB_THINGS_H
#define TESTS_LIB_THINGS_H

#include "tests/lib/harness.h"

#define THING_SIZE 80
#define THINGS_MAX 2000u

/* With a buffer that hangs off it. */
struct thing {
	char *buffer;
	unsigned inits;
	unsigned resets;
	unsigned in_use; /* by a get, once */
	char rest[THING_SIZE - 24];
};

/* (A) How often init, reset and fini were called, and what they or a get met was
 * not as it must be, since the last pool was made. */
extern unsigned things_made, things_reset, things_ended, things_wrong;
extern bool things_fail; /* init does, with EDOM */
extern struct thing *things_got[THINGS_MAX];

slabd_pool *things_open(const struct fixture *fixture, unsigned flags);

/* An object pool of things; bails out where it fails. */
slabd_objpool *things_make(slabd_pool *pool, const char *name, size_t max,
                           unsigned idle_ms);

struct slabd_objpool_counts things_counts(slabd_objpool *objpool);

/* Gets n into things_got; puts the first n there. */
void things_get(slabd_objpool *objpool, unsigned n);
void things_put(slabd_objpool *objpool, unsigned n);

#endif
