/* SPDX-License-Identifier: MIT */
#include "daemon/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log_out.h"

/* Guards everything below, and every log_site. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_form chosen = LOG_FORM_AUTO;
static struct log_site *owing;
static unsigned n_lost; /* lines that nobody had room for */

const char *const log_level_names[] = {"error", "warn", "info", "debug"};
static const int syslog_levels[] = {3, 4, 6, 7};

char *log_escape(char *out, size_t size, const char *text)
{
	size_t at = 0;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c < 0x7f;
		if (at + (plain ? 1 : 4) >= size)
			break;
		at += (size_t)sprintf(out + at, plain ? "%c" : "\\x%02x", c);
	}
	out[at] = '\0';
	return out;
}

/* True if standard error is the very stream that the journal opened for this
 * service: a child whose output was redirected inherits the variable too. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

static enum log_form form_of_stderr(void)
{
	if (is_journal())
		return LOG_FORM_JOURNAL;
	return isatty(STDERR_FILENO) ? LOG_FORM_TERMINAL : LOG_FORM_PLAIN;
}

void log_setup(enum log_level level, enum log_form form)
{
	pthread_mutex_lock(&lock);
	max_level = level;
	chosen = form == LOG_FORM_AUTO ? form_of_stderr() : form;
	pthread_mutex_unlock(&lock);
}

/* Writes what goes before the text; returns its length. */
static size_t put_prefix(char *out, size_t size, enum log_level level)
{
	char clock[32] = "";
	if (chosen == LOG_FORM_JOURNAL)
		return (size_t)snprintf(out, size, "<%d>",
		                        syslog_levels[level]);
	if (chosen == LOG_FORM_TERMINAL) {
		int64_t ns = clock_wall_ns();
		time_t seconds = (time_t)(ns / CLOCK_S);
		struct tm tm;
		localtime_r(&seconds, &tm);
		size_t len = strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		snprintf(clock + len, sizeof(clock) - len, ".%03d ",
		         (int)(ns % CLOCK_S / CLOCK_MS));
	}
	return (size_t)snprintf(out, size, "%sslabd: %s: ", clock,
	                        log_level_names[level]);
}

/* One write per line, so that lines of several processes never mix. False: who
 * reads the log stands still, and slabd must not. */
static bool put_line(enum log_level level, const char *text)
{
	char line[LOG_LINE_BYTES + 64];
	size_t len = put_prefix(line, sizeof(line), level);
	log_escape(line + len, sizeof(line) - len - 1, text);
	len = strlen(line);
	line[len++] = '\n';
	return log_out(line, len);
}

static void emit(enum log_level level, const char *text)
{
	char lines[64];
	if (chosen == LOG_FORM_AUTO)
		chosen = form_of_stderr();
	if (n_lost > 0) {
		snprintf(lines, sizeof(lines),
		         "%u lines are lost: nobody read the log", n_lost);
		if (!put_line(LOG_LEVEL_WARN, lines)) {
			n_lost++;
			return;
		}
		n_lost = 0;
	}
	n_lost += !put_line(level, text);
}

static void emit_sum(struct log_site *site)
{
	char text[sizeof(site->last) + 64];
	snprintf(text, sizeof(text), "%u more like this, the last: %s",
	         site->n_held, site->last);
	emit(site->level, text);
	site->n_held = 0;
}

/* Says the sums whose second is over and takes their sites off the list.
 * Returns how long until the next is due, -1 for none. */
static int64_t flush_due(int64_t now)
{
	struct log_site **link = &owing;
	int64_t wait = -1;
	while (*link != NULL) {
		struct log_site *site = *link;
		int64_t left = site->since_ns + CLOCK_S - now;
		if (left <= 0) {
			emit_sum(site);
			*link = site->next;
			continue;
		}
		if (wait < 0 || left < wait)
			wait = left;
		link = &site->next;
	}
	return wait;
}

/* Counts a line against its site's rate; true if it may be said. */
static bool admit(struct log_site *site, int64_t now)
{
	if (site->n_said == 0 || now - site->since_ns >= CLOCK_S) {
		site->since_ns = now;
		site->n_said = 0;
	}
	if (site->n_said < LOG_BURST) {
		site->n_said++;
		return true;
	}
	if (site->n_held++ == 0) {
		site->next = owing;
		owing = site;
	}
	return false;
}

void log_write(struct log_site *site, enum log_level level, const char *format,
               ...)
{
	int saved = errno;
	char text[LOG_LINE_BYTES];
	va_list args;
	pthread_mutex_lock(&lock);
	if (level <= max_level) {
		int64_t now = clock_ns();
		errno = saved; /* for a %m in the format */
		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		flush_due(now);
		if (admit(site, now)) {
			emit(level, text);
		} else {
			site->level = level;
			snprintf(site->last, sizeof(site->last), "%.*s",
			         (int)sizeof(site->last) - 1, text);
		}
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

int64_t log_flush(void)
{
	int64_t wait_ns;
	pthread_mutex_lock(&lock);
	wait_ns = flush_due(clock_ns());
	pthread_mutex_unlock(&lock);
	return wait_ns;
}

void log_close(void)
{
	pthread_mutex_lock(&lock);
	flush_due(INT64_MAX);
	pthread_mutex_unlock(&lock);
}
