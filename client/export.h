/* SPDX-License-Identifier: MIT */
/* Included by the compiler ahead of each of the library's files: what the
 * public header declares is visible, all else is hidden. So the public header
 * needs no attribute on each line. What is inline in it has another name in here,
 * as the library has functions of these names, too (symbols.c): a compiler that
 * inlines nothing makes functions of both. */
#ifndef CLIENT_EXPORT_H
#define CLIENT_EXPORT_H

#define slabd_alloc inline_alloc
#define slabd_free inline_free
#define slabd_arena_alloc inline_arena_alloc
#define slabd_local_alloc inline_local_alloc
#define slabd_local_free inline_local_free
#define slabd_objpool_get inline_objpool_get
#define slabd_objpool_put inline_objpool_put
#pragma GCC visibility push(default)
#include "client/slabclient.h"
#pragma GCC visibility pop

#endif
