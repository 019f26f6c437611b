/* SPDX-License-Identifier: MIT */
/* What is inline in C, as functions: for other languages and for dlsym. */
#include "client/slabclient.h"

void *symbols_alloc(slabd_cache *cache) __asm__("slabd_alloc")
        __attribute__((visibility("default")));
void symbols_free(slabd_cache *cache, void *object) __asm__("slabd_free")
        __attribute__((visibility("default")));

void *symbols_alloc(slabd_cache *cache)
{
	return slabd_alloc(cache);
}

void symbols_free(slabd_cache *cache, void *object)
{
	slabd_free(cache, object);
}
