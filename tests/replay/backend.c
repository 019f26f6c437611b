/* SPDX-License-Identifier: MIT */
#include "tests/replay/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 20000

/* Negative errno after a failed call, and never 0. */
static int failed(void)
{
	return errno ? -errno : -EIO;
}

int backend_open(struct backend *backend, const char *pool, int node)
{
	/* Memory may come slowly where hugepages are hard to find. */
	struct slabd_options options = {.wait_ms = WAIT_MS};

	if (node >= 0) {
		options.flags = SLABD_FORCE_NODE;
		options.node = node;
	}
	backend->pool = slabd_open(pool, &options);
	return backend->pool ? 0 : failed();
}

int backend_add_class(struct backend *backend, unsigned class_ix)
{
	size_t bytes = classes_bytes(class_ix);
	char name[32];

	if (!backend->pool || backend->caches[class_ix])
		return 0;
	snprintf(name, sizeof(name), "replay-%zu", bytes);
	backend->caches[class_ix] =
		slabd_cache_create(backend->pool, name, bytes, 0, 0);
	return backend->caches[class_ix] ? 0 : failed();
}

int backend_thread_node(struct backend *backend, int node)
{
	if (!backend->pool)
		return 0;
	return slabd_thread_node(backend->pool, node) ? failed() : 0;
}

void *backend_alloc(struct backend *backend, unsigned class_ix, size_t bytes)
{
	if (backend->pool)
		return slabd_alloc(backend->caches[class_ix]);
	return malloc(bytes ? bytes : 1);
}

void backend_free(struct backend *backend, unsigned class_ix, void *obj)
{
	if (backend->pool)
		slabd_free(backend->caches[class_ix], obj);
	else
		free(obj);
}

const char *backend_why(const struct backend *backend)
{
	return backend->pool ? slabd_last_error() : "";
}

int backend_close(struct backend *backend)
{
	slabd_pool *pool = backend->pool;

	backend->pool = NULL;
	if (!pool)
		return 0;
	return slabd_close(pool) ? failed() : 0;
}
