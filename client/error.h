/* SPDX-License-Identifier: MIT */
/* What the calling thread's last failed call met: errno and one line. */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* Sets errno and the thread's line; returns -1. */
int error_set(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with a line that stays as it is, for what is met often. */
int error_plain(int err, const char *text);

/* Sets errno EINVAL for an array of n that is NULL; returns whether it is. */
__attribute__((cold)) bool error_null(size_t n);
static inline bool error_no_array(const void *array, size_t n)
{
	return __builtin_expect(array == NULL, 0) && error_null(n);
}

/* Sets errno ENOTCONN and the line of a forked child; returns false. */
__attribute__((cold)) bool error_forked(void);

#endif
