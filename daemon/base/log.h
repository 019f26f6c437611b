/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: one line a message, to standard error.
 *
 *   under the journal   "<3>text"        (the level as sd-daemon wants it)
 *   to a file or pipe   "slabd: error: text"
 *   to a terminal       "08:15:02.123 slabd: error: text"
 *
 * Whatever a message contains, control characters and bytes beyond ASCII are
 * written as \xNN: a client's name can't forge a line or move the cursor. A
 * call site that says more than LOG_BURST lines a second is silenced for the
 * rest of that second; how many were left out is said later, with the last
 * of them, and what tells the others from it, as far as LOG_BURST lines hold. What can't be written, as nobody reads the pipe or terminal that the
 * log goes to, or its file is on a disk that is full or hangs, is counted, which
 * is said when there is room again, and slabd goes on. Any thread may log; errno
 * is left alone.
 */
#ifndef DAEMON_BASE_LOG_H
#define DAEMON_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES 1024u /* longer messages are cut */
#define LOG_BURST 10u

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_form {
	LOG_FORM_AUTO,     /* by $JOURNAL_STREAM, then by isatty */
	LOG_FORM_JOURNAL,  /* sd-daemon prefixes */
	LOG_FORM_PLAIN,    /* for a file, pipe or test */
	LOG_FORM_TERMINAL, /* with the time of day */
};

/* One call site's rate; static and zero, private to base/log.c. */
struct log_site {
	struct log_site *next; /* sites that owe a sum */
	int64_t since_ns;      /* start of the second, CLOCK_MONOTONIC */
	uint32_t n_said;       /* lines in it */
	uint32_t n_held;       /* lines left out and not yet summed up */
	enum log_level level;  /* of the last one left out */
	char last[160];        /* its text, cut */
};

/* Sets the level and form; without it: info, by what standard error is. */
void log_setup(enum log_level level, enum log_form form);

/* The level alone, at any time. */
void log_set_level(enum log_level level);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_at(level, ...)                                                     \
	do {                                                                   \
		static struct log_site log_site_here_;                         \
		log_write(&log_site_here_, (level), __VA_ARGS__);              \
	} while (0)

void log_write(struct log_site *site, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* Says the sums that are due. Returns the ns until the next one is, -1 if no
 * site owes any: then the event loop needs no timer. */
int64_t log_flush(void);

/* Says every sum, due or not; at the end of the program. */
void log_close(void);

/* Copies text, with what is not printable ASCII as \xNN, cut to size bytes
 * with the terminating zero. Returns out. size > 0. */
char *log_escape(char *out, size_t size, const char *text);

extern const char *const log_level_names[]; /* of LOG_LEVEL_ERROR ... */

#endif
