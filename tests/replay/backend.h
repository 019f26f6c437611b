/* SPDX-License-Identifier: MIT */
/*
 * Where the replay worker's objects come from: a slabd pool with a cache for
 * each size class, or malloc. One call each way for both, so that the two can
 * be compared.
 */
#ifndef REPLAY_BACKEND_H
#define REPLAY_BACKEND_H

#include "client/slabclient.h"
#include "tests/replay/classes.h"

#include <stddef.h>

struct backend {
	slabd_pool *pool; /* NULL: malloc */
	slabd_cache *caches[CLASSES_N];
};

/* Opens the pool as a client. node -1: threads count as where they run.
 * 0 or negative errno; slabd_last_error says more. */
int backend_open(struct backend *backend, const char *pool, int node);

/* Opens the cache of one class, named replay-BYTES; again is no error. */
int backend_add_class(struct backend *backend, unsigned class_ix);

/* Makes the calling thread count as on a node; nothing to do with malloc. */
int backend_thread_node(struct backend *backend, int node);

/* The class must be below CLASSES_N and, in a pool, open. NULL with errno. */
void *backend_alloc(struct backend *backend, unsigned class_ix, size_t bytes);
void backend_free(struct backend *backend, unsigned class_ix, void *obj);

/* What slabd says of this thread's last failed call; "" with malloc. */
const char *backend_why(const struct backend *backend);

/* Closes the pool, if there is one. 0 or negative errno. */
int backend_close(struct backend *backend);

#endif
