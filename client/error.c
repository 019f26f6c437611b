/* SPDX-License-Identifier: MIT */
#include "client/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static __thread char line[256];

int error_set(int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
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
	return line;
}

const char *slabd_version(void)
{
	return PACKAGE_VERSION;
}
