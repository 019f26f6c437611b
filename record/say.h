/* SPDX-License-Identifier: MIT */
/* What slab-record says on stderr of what it recorded. */
#ifndef RECORD_SAY_H
#define RECORD_SAY_H

#include "record/stream.h"

/* Why the recording stops before the program does. */
void say_stop(const struct stream *stream);

/* What is in a file that is whole. */
void say_end(const struct stream *stream);

/* The program ended, and never had a ring. */
void say_unrecorded(const char *program);

/* Of a script, without --follow. */
void say_script(const char *program);

void say_refused(unsigned n_processes, unsigned n_rings);

/* "slab-record: WHAT: why", with the error. */
void say_error(const char *what, int r);

#endif
