/* SPDX-License-Identifier: MIT */
#include "client/error.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define NO_LINE "no memory for the reason: see errno"

/* Its own memory, as thread-local room is scarce in a program that loads us
 * late; made when the thread's first call fails. In the low bits, how many times
 * the thread's destructors have freed it: after the last one nobody would. */
static __thread uintptr_t line;
#define ROUNDS ((uintptr_t)7)
/* The last error's text: the line, or where there is no memory for one what is
 * the same for all. */
static __thread const char *said;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool has_key;

static void free_line(void *arg)
{
	line = (line & ROUNDS) + 1;
	said = NULL;
	free(arg);
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, free_line) == 0;
}

static char *own_line(void)
{
	char *made = (char *)(line & ~ROUNDS);
	if (made != NULL ||
	    (line & ROUNDS) >= PTHREAD_DESTRUCTOR_ITERATIONS - 1 ||
	    pthread_once(&key_once, make_key) != 0 || !has_key)
		return made;
	made = malloc(LINE_BYTES);
	if (made != NULL && pthread_setspecific(key, made) != 0) {
		free(made);
		made = NULL;
	}
	line |= (uintptr_t)made;
	return made;
}

int error_plain(int err, const char *text)
{
	said = text;
	errno = err;
	return -1;
}

int error_set(int err, const char *format, ...)
{
	char *at = own_line();
	va_list args;
	va_start(args, format);
	if (at != NULL)
		vsnprintf(at, LINE_BYTES, format, args);
	va_end(args);
	said = at;
	if (at == NULL)
		said = strchr(format, '%') == NULL ? format : NO_LINE;
	errno = err;
	return -1;
}

bool error_forked(void)
{
	error_set(ENOTCONN,
	          "this process was forked from a client and is none itself: "
	          "call slabd_open");
	return false;
}

const char *slabd_last_error(void)
{
	return said != NULL ? said : "";
}

const char *slabd_version(void)
{
	return PACKAGE_VERSION;
}

bool error_null(size_t n)
{
	if (n > 0)
		error_set(EINVAL, "an array of %zu that is NULL", n);
	return n > 0;
}
