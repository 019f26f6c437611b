/* SPDX-License-Identifier: MIT */
/*
 * Standard error, written to without ever waiting for who reads it: a pipe, a
 * terminal that is stopped, a stream of the journal or a file system may stand
 * still, and slabd must not. For log.c under its lock, and for what is said before
 * there is a log.
 *
 * Standard error may be shared with other processes, so it is left as it is: what
 * is opened anew by /proc is slabd's own and does not wait. Files are written by a
 * thread (log_file.h).
 */
#ifndef DAEMON_BASE_LOG_OUT_H
#define DAEMON_BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/log_file.h"

/* One line, with its end, that stands for so many. False: they are lost, and
 * counted. */
bool log_out(const char *line, size_t len, unsigned stands_for);

/* Counts one that was not tried. */
void log_out_lose(void);

/* What was lost since the last call. */
struct log_lost log_out_lost(void);

/* Whether standard error is the file of that device and inode, as the kernel
 * has it in mind: who serves it is not asked. */
bool log_out_is(uint64_t dev, uint64_t ino);

/* At the end of the program: gives what waits a while. */
void log_out_end(void);

#endif
