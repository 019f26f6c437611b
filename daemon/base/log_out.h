/* SPDX-License-Identifier: MIT */
/*
 * Standard error, written to without ever waiting for who reads it: a pipe, a
 * terminal that is stopped or a stream of the journal may stand still, and slabd
 * must not. For log.c alone, under its lock.
 *
 * Standard error may be shared with other processes, so it is left as it is: what
 * is opened anew by /proc is slabd's own and does not wait.
 */
#ifndef DAEMON_BASE_LOG_OUT_H
#define DAEMON_BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

/* One line, with its end. False when there was no room for all of it. A log that
 * can't be written for another reason has nowhere to say so. */
bool log_out(const char *line, size_t len);

#endif
