/* SPDX-License-Identifier: MIT */
#include "daemon/base/remedy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int remedy_set(struct remedy *out, int r, const char *todo, const char *format,
               ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(out->what, sizeof(out->what), format, args);
	va_end(args);
	snprintf(out->todo, sizeof(out->todo), "%s", todo);
	return r;
}

void remedy_join(char *out, size_t bytes, const struct remedy *remedy,
                 const char *between)
{
	snprintf(out, bytes, "%s%s%s", remedy->what,
	         remedy->todo[0] ? between : "", remedy->todo);
}

const char *remedy_of(int error)
{
	switch (error) {
	case EMFILE:
		return "raise LimitNOFILE (or ulimit -n: RLIMIT_NOFILE)";
	case ENFILE:
		return "raise fs.file-max (sysctl)";
	case ENOMEM:
	case ENOBUFS:
		return "the system has no memory left: free some";
	default:
		return "";
	}
}
