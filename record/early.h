/* SPDX-License-Identifier: MIT */
/*
 * Memory for what dlsym asks for while the allocator behind us is being looked
 * up: a few hundred bytes at most. It is never given back, and not recorded.
 */
#ifndef RECORD_EARLY_H
#define RECORD_EARLY_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed; NULL with ENOMEM when it is used up. align: a power of two. */
void *early_alloc(size_t size, size_t align);
bool early_has(const void *obj);
/* What was asked for. */
size_t early_bytes(const void *obj);

#endif
