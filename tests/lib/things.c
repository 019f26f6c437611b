/* SPDX-License-Identifier: MIT */
#include "tests/lib/things.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/atom.h"

#define BUFFER 4096u

unsigned things_made, things_reset, things_ended, things_wrong;
bool things_fail;
struct thing *things_got[THINGS_MAX];

static int init(void *object, void *arg)
{
	struct thing *thing = object;
	if (things_fail) {
		errno = EDOM;
		return -1;
	}
	atom_add(&things_wrong,
	         thing->buffer != NULL || thing->inits != 0 ? 1u : 0u);
	thing->buffer = malloc(BUFFER);
	thing->inits = 1;
	atom_add((unsigned *)arg, 1u);
	return 0;
}

static void reset(void *object, void *arg)
{
	(void)arg;
	((struct thing *)object)->resets++;
	atom_add(&things_reset, 1u);
}

static void fini(void *object, void *arg)
{
	struct thing *thing = object;
	(void)arg;
	atom_add(&things_wrong,
	         thing->inits != 1 || thing->in_use != 0 ? 1u : 0u);
	free(thing->buffer);
	thing->buffer = NULL;
	thing->inits = 0;
	atom_add(&things_ended, 1u);
}

slabd_objpool *things_make(slabd_pool *pool, const char *name, size_t max,
                           unsigned idle_ms)
{
	struct slabd_objpool_ops ops = {.init = init,
	                                .reset = reset,
	                                .fini = fini,
	                                .arg = &things_made,
	                                .max = max,
	                                .idle_ms = idle_ms};
	slabd_objpool *objpool =
		slabd_objpool_create(pool, name, sizeof(struct thing), &ops);
	if (objpool == NULL)
		tap_bail("slabd_objpool_create: %s", slabd_last_error());
	things_made = things_reset = things_ended = things_wrong = 0;
	return objpool;
}

slabd_pool *things_open(const struct fixture *fixture, unsigned flags)
{
	struct slabd_options options = fixture_options(fixture, flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

struct slabd_objpool_counts things_counts(slabd_objpool *objpool)
{
	struct slabd_objpool_counts counts;
	memset(&counts, 0, sizeof(counts));
	slabd_objpool_get_counts(objpool, &counts);
	return counts;
}

void things_get(slabd_objpool *objpool, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		things_got[i] = slabd_objpool_get(objpool);
		if (things_got[i] == NULL)
			tap_bail("get %u: %s", i, slabd_last_error());
		atom_add(&things_wrong, things_got[i]->in_use++ ? 1u : 0u);
	}
}

void things_put(slabd_objpool *objpool, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		things_got[i]->in_use--;
		slabd_objpool_put(objpool, things_got[i]);
	}
}
