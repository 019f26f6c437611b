/* SPDX-License-Identifier: MIT */
/* Copies and texts in an arena. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/arena.h"
#include "client/error.h"

void *slabd_arena_calloc(slabd_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	void *at;
	if (__builtin_mul_overflow(n, size, &bytes))
		bytes = SIZE_MAX;
	at = slabd_arena_alloc(arena, bytes, 0);
	return at != NULL ? memset(at, 0, bytes) : NULL;
}

void *slabd_arena_memdup(slabd_arena *arena, const void *bytes, size_t size)
{
	void *at;
	if (bytes == NULL && size > 0)
		return error_set(EINVAL, "slabd_arena_memdup of NULL"), NULL;
	at = slabd_arena_alloc(arena, size, 0);
	if (at != NULL && size > 0)
		memcpy(at, bytes, size);
	return at;
}

char *slabd_arena_strdup(slabd_arena *arena, const char *text)
{
	size_t size;
	char *at;
	if (text == NULL)
		return error_set(EINVAL, "slabd_arena_strdup of NULL"), NULL;
	size = strlen(text) + 1;
	at = slabd_arena_alloc(arena, size, 1);
	return at != NULL ? memcpy(at, text, size) : NULL;
}

/* Written where it fits; else once more, into what has room. */
char *slabd_arena_vprintf(slabd_arena *arena, const char *format, va_list args)
{
	va_list again;
	char *at;
	int n;
	if (format == NULL)
		return error_set(EINVAL, "slabd_arena_printf of NULL"), NULL;
	if (arena_of(arena) == NULL)
		return NULL;
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return error_set(errno, "slabd_arena_printf: %s",
		                 strerror(errno)),
		       NULL;
	at = slabd_arena_alloc(arena, (size_t)n + 1, 1);
	if (at != NULL)
		vsnprintf(at, (size_t)n + 1, format, args);
	return at;
}

char *slabd_arena_printf(slabd_arena *arena, const char *format, ...)
{
	va_list args;
	char *at;
	va_start(args, format);
	at = slabd_arena_vprintf(arena, format, args);
	va_end(args);
	return at;
}
