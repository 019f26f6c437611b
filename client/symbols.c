/* SPDX-License-Identifier: MIT */
/* What is inline in C, as functions: for other languages and for dlsym. */
#include "client/slabclient.h"

#define SYMBOL(name) __asm__(name) __attribute__((visibility("default")))

void *symbols_alloc(slabd_cache *cache) SYMBOL("slabd_alloc");
void symbols_free(slabd_cache *cache, void *object) SYMBOL("slabd_free");
size_t symbols_alloc_bulk(slabd_cache *cache, size_t n, void **out)
	SYMBOL("slabd_alloc_bulk");
void symbols_free_bulk(slabd_cache *cache, size_t n, void *const *objects)
	SYMBOL("slabd_free_bulk");
void *symbols_local_alloc(slabd_local *local) SYMBOL("slabd_local_alloc");
void symbols_local_free(slabd_local *local, void *object)
	SYMBOL("slabd_local_free");
void *symbols_objpool_get(slabd_objpool *objpool) SYMBOL("slabd_objpool_get");
void symbols_objpool_put(slabd_objpool *objpool, void *object)
	SYMBOL("slabd_objpool_put");

void *symbols_arena_alloc(slabd_arena *arena, size_t size, size_t align)
	SYMBOL("slabd_arena_alloc");

void *symbols_alloc(slabd_cache *cache)
{
	return slabd_alloc(cache);
}

void symbols_free(slabd_cache *cache, void *object)
{
	slabd_free(cache, object);
}

size_t symbols_alloc_bulk(slabd_cache *cache, size_t n, void **out)
{
	return slabd_alloc_bulk_slow_(cache, n, out);
}

void symbols_free_bulk(slabd_cache *cache, size_t n, void *const *objects)
{
	slabd_free_bulk_slow_(cache, n, objects);
}

void *symbols_local_alloc(slabd_local *local)
{
	return slabd_local_alloc(local);
}

void symbols_local_free(slabd_local *local, void *object)
{
	slabd_local_free(local, object);
}

void *symbols_objpool_get(slabd_objpool *objpool)
{
	return slabd_objpool_get(objpool);
}

void symbols_objpool_put(slabd_objpool *objpool, void *object)
{
	slabd_objpool_put(objpool, object);
}

void *symbols_arena_alloc(slabd_arena *arena, size_t size, size_t align)
{
	return slabd_arena_alloc(arena, size, align);
}
