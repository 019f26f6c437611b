/* SPDX-License-Identifier: MIT */
/*
 * Lines for standard error where that is a file: a thread writes them, as a file
 * on a disk that is frozen, over the network or served by a process may take for
 * ever. Whoever logs waits for the thread a moment, so that a line is there when
 * the call is back; once that was too short nobody waits until the thread has
 * caught up, and lines stay in memory as long as there is room.
 *
 * Lines that a thread can't be had for, and those of a forked child, are written
 * at once.
 */
#ifndef DAEMON_BASE_LOG_FILE_H
#define DAEMON_BASE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct log_lost {
	unsigned n; /* lines */
	int error;  /* why the last of them; EAGAIN: nobody reads; ETIMEDOUT:
	             * the file does not take them */
};

/* As log_out. */
bool log_file_put(const char *line, size_t len, unsigned stands_for);

/* What the thread lost since the last call. */
struct log_lost log_file_lost(void);

/* Waits until all is written, for as long as ms. */
void log_file_drain(unsigned ms);

#endif
