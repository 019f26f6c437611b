/* SPDX-License-Identifier: MIT */
/*
 * What watches the program's memory, if anything does: the address, memory and
 * thread sanitizers that it is built with, whose functions the library refers to
 * weakly, and valgrind's memcheck. They are told which objects this process
 * holds free, so that they report a use of those.
 *
 *   a page opens     nothing in it may be touched, but
 *   alloc            the object may, and is undefined
 *   take, look up    the object may, and is as another client left it
 *   free             it may not; what was done to it is over before the next alloc
 *   a page closes    the address space is anybody's
 *
 * With a tool every call goes out of line, whatever the program's parts were
 * compiled with: each thread shows the inline code a table of magazines that
 * are empty and take nothing, and cache.plain is 0, which parts the ways
 * where pool_alive would have looked. Without one nothing is asked but that.
 */
#ifndef CLIENT_TOOLS_H
#define CLIENT_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

/* (A) Whether there is any. Found before the process has its first pool, and
 * the same since; relaxed. */
extern bool tools_on;

void tools_find(void);

void tools_alloc(const void *object, size_t bytes);
void tools_look(const void *object, size_t bytes);
void tools_free(const void *object, size_t bytes);

void tools_page_open(const void *at, size_t bytes);
void tools_page_close(const void *at, size_t bytes);

/* A pool's data, of which what is open may point at the program's memory. The
 * same bounds to begin and to end it. */
void tools_pool_open(const void *at, size_t bytes);
void tools_pool_close(const void *at, size_t bytes);

/* The library wrote there for the program. */
void tools_wrote(const void *at, size_t bytes);

/* A give: what was done to an object is over before the next alloc or take. */
void tools_give(const void *object);

/*
 * Whether the thread sanitizer is there, which does not see what slabd does: it
 * may give the place of objects that went home to another cache. What was done
 * to them is over before a claim of any of it; whether tools_on or not.
 */
bool tools_miss_slabd(void);
void tools_home(const void *object, size_t bytes);
void tools_claim(const void *object, size_t bytes);

/* Whether depots would look like races: the thread sanitizer sees the library's
 * copies, which are the C library's, and not what orders them. */
bool tools_mistake_depots(void);

/* Copies n pointers that another thread may be writing, in a way that it knows
 * nothing of: each is one that was there. */
void tools_peek(void **to, void *const *from, size_t n);

/* Whether much memory takes minutes to be made readable. */
bool tools_slow_protect(void);

#endif
