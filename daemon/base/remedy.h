/* SPDX-License-Identifier: MIT */
/*
 * What is wrong, and what to do about it: kept apart from where it is found to
 * where it is shown, so that a line of the log, a document and slabctl each put
 * it in their own way.
 */
#ifndef DAEMON_BASE_REMEDY_H
#define DAEMON_BASE_REMEDY_H

#include <stddef.h>

#define REMEDY_BYTES 320u

/* Texts without a full stop or a line's end; "" where there is nothing to
 * say. */
struct remedy {
	char what[REMEDY_BYTES];
	char todo[REMEDY_BYTES];
};

/* Sets both; longer texts are cut. Returns r, so that a failing function is one
 * line: return remedy_set(out, -EBUSY, "...", ...). todo is no format. */
int remedy_set(struct remedy *out, int r, const char *todo, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* Both in one text for those who take no two, such as the wire protocol: what,
 * and behind `between` what to do, if anything. A longer text is cut. */
void remedy_join(char *out, size_t bytes, const struct remedy *remedy,
                 const char *between);

/* What to do where the process or the system has no more of something, as errno
 * says; "" of any other. */
const char *remedy_of(int error);

#endif
