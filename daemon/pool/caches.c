/* SPDX-License-Identifier: MIT */
#include "daemon/pool/caches.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/pool/marks.h"

uint32_t caches_find(const struct pool *pool, const char *name)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		if (strcmp(pool->view.caches[cache - 1].name, name) == 0)
			return cache;
	return 0;
}

static int check_name(const char *name, struct remedy *why)
{
	size_t len = strnlen(name, NAME_BYTES);
	if (len == 0 || len == NAME_BYTES)
		return remedy_set(why, -EINVAL, "",
		                  "a cache's name has 1 to %u bytes",
		                  NAME_BYTES - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return remedy_set(why, -EINVAL, "",
			                  "a cache's name has no control "
			                  "characters");
	return 0;
}

static int fit(const struct pool *pool, uint64_t size, uint64_t align,
               uint32_t flags, struct layout_cache *row, struct remedy *why)
{
	uint32_t shift = pool->view.geo.page_shift;
	char todo[120];
	if ((flags & ~CACHE_STRICT) != 0)
		return remedy_set(why, -EINVAL, "", "unknown cache flags 0x%x",
		                  flags);
	if (layout_fit_cache(shift, size, align, row) == 0)
		return 0;
	snprintf(todo, sizeof(todo),
	         "the size is 1 to %llu bytes, the alignment 0 or a power of "
	         "two up to %u",
	         1ull << shift, ALIGN_MAX);
	return remedy_set(why, -EINVAL, todo, "size %llu, alignment %llu",
	                  (unsigned long long)size, (unsigned long long)align);
}

static int reopen(const struct pool *pool, uint32_t cache,
                  const struct layout_cache *want, struct remedy *why)
{
	const struct layout_cache *have = &pool->view.caches[cache - 1];
	if (have->size == want->size && have->align == want->align &&
	    have->flags == want->flags)
		return (int)cache;
	return remedy_set(why, -EEXIST, "open it so, or choose another name",
	                  "cache %s exists with size %u, alignment %u, flags "
	                  "%u",
	                  have->name, have->size, have->align, have->flags);
}

static int add(struct pool *pool, const struct layout_cache *want,
               struct remedy *why)
{
	struct layout_cache *row = (struct layout_cache *)(uintptr_t)&pool->view
	                                   .caches[pool->n_caches];
	if (pool->n_caches == pool->view.geo.n_caches)
		return remedy_set(why, -ENOSPC,
		                  "raise max_caches in slabd.conf",
		                  "pool %s has all of its %u caches",
		                  pool->name, pool->n_caches);
	*row = *want;
	pool->n_caches++;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		marks_set_low(pool, pool->n_caches, node);
	/* pairs: view_cache */
	atom_store_release(&row->state, 1u);
	log_info("pool %s: cache %s: size %u, stride %u, %u objects in a slab "
	         "of %u KiB",
	         pool->name, row->name, row->size, row->stride, row->n_objs,
	         64u << row->order);
	return (int)pool->n_caches;
}

int caches_create(struct pool *pool, const char name[NAME_BYTES], uint64_t size,
                  uint64_t align, uint32_t flags, struct remedy *why)
{
	struct layout_cache want = {.flags = flags};
	uint32_t cache;
	int r = check_name(name, why);
	if (r == 0)
		r = fit(pool, size, align, flags, &want, why);
	if (r < 0)
		return r;
	strcpy(want.name, name);
	cache = caches_find(pool, name);
	if (cache != 0)
		return reopen(pool, cache, &want, why);
	return add(pool, &want, why);
}
