/* SPDX-License-Identifier: MIT */
/* What the calling thread's last failed call met: errno and one line. */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

#include <stdbool.h>

/* Sets errno and the thread's line; returns -1. */
int error_set(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with a line that stays as it is, for what is met often. */
int error_plain(int err, const char *text);

/* Sets errno ENOTCONN and the line of a forked child; returns false. */
__attribute__((cold)) bool error_forked(void);

#endif
