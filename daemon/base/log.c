/* SPDX-License-Identifier: MIT */
#include "daemon/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log_out.h"

/* Guards everything below, and every log_site. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_form chosen = LOG_FORM_AUTO;
static struct log_site *owing;

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
	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return log_out_is(dev, ino);
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

void log_set_level(enum log_level level)
{
	pthread_mutex_lock(&lock);
	max_level = level;
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

/* One write per line, so that lines of several processes never mix. False: it
 * is lost, with all that it stands for. */
static bool put_line(enum log_level level, const char *text,
                     unsigned stands_for)
{
	char line[LOG_LINE_BYTES + 64];
	size_t len = put_prefix(line, sizeof(line), level);
	log_escape(line + len, sizeof(line) - len - 1, text);
	len = strlen(line);
	line[len++] = '\n';
	return log_out(line, len, stands_for);
}

/* Says what was lost; false: that is lost again. */
static bool put_lost(const struct log_lost *lost)
{
	char line[160];
	const char *why = "";
	if (lost->n == 0)
		return true;
	if (lost->error == EAGAIN)
		why = "nobody read the log";
	else if (lost->error == ETIMEDOUT)
		why = "the file of the log did not take them";
	else
		why = strerrordesc_np(lost->error);
	snprintf(line, sizeof(line), "%u line%s lost: %s", lost->n,
	         lost->n == 1 ? " is" : "s are",
	         why != NULL ? why : "the log can't be written");
	return put_line(LOG_LEVEL_WARN, line, lost->n);
}

static void emit(enum log_level level, const char *text)
{
	struct log_lost lost = log_out_lost();
	if (chosen == LOG_FORM_AUTO)
		chosen = form_of_stderr();
	if (put_lost(&lost))
		put_line(level, text, 1);
	else
		log_out_lose();
}

/* ---- lines left out --------------------------------------------------------- */

/* What tells the lines of a site apart that were left out, but for the last: names
 * of clients, say. */
#define OTHERS_BYTES 760u
#define OTHERS_PART 60u
#define OTHERS_SITES 8u

static struct others {
	const struct log_site *site; /* NULL: nobody's */
	size_t len;
	char text[OTHERS_BYTES];
} others[OTHERS_SITES];

static struct others *others_of(const struct log_site *site)
{
	for (unsigned i = 0; i < OTHERS_SITES; i++)
		if (others[i].site == site)
			return &others[i];
	return NULL;
}

/* Whole words of a text, from *from on, that another does not have there. */
static size_t part_of(const char *text, const char *other, size_t *from)
{
	size_t i = 0;
	size_t end = strlen(text);
	size_t other_end = strlen(other);
	while (text[i] != '\0' && text[i] == other[i])
		i++;
	while (end > i && other_end > i &&
	       text[end - 1] == other[other_end - 1])
		end--, other_end--;
	while (i > 0 && text[i - 1] != ' ')
		i--;
	while (text[end] != '\0' && text[end] != ' ')
		end++;
	while (end > i && strchr(",;:", text[end - 1]) != NULL)
		end--;
	*from = i;
	end -= i;
	return end < OTHERS_PART ? end : OTHERS_PART;
}

/* The last one is not it any longer. False: there is no more room. */
static bool note_other(const struct log_site *site, const char *text)
{
	struct others *of_it = others_of(site);
	size_t from;
	size_t n = part_of(site->last, text, &from);
	if (strcmp(site->last, text) == 0)
		return true;
	if (of_it == NULL)
		of_it = others_of(NULL);
	if (of_it == NULL || of_it->len + n + sizeof(", ") > OTHERS_BYTES)
		return false;
	of_it->site = site;
	of_it->len += (size_t)sprintf(of_it->text + of_it->len, "%s%.*s",
	                              of_it->len > 0 ? ", " : "", (int)n,
	                              site->last + from);
	return true;
}

static void emit_sum(struct log_site *site)
{
	struct others *of_it = others_of(site);
	char text[sizeof(site->last) + OTHERS_BYTES + 64];
	snprintf(text, sizeof(text), "%u more like this, the last: %s%s%s",
	         site->n_held, site->last, of_it != NULL ? "; and " : "",
	         of_it != NULL ? of_it->text : "");
	emit(site->level, text);
	if (of_it != NULL)
		*of_it = (struct others){.site = NULL};
	site->n_held = 0;
}

/* Leaves a line out. Where names have no more room they are said at once, unless
 * that was often enough in this second. */
static void hold(struct log_site *site, enum log_level level, const char *text)
{
	char cut[sizeof(site->last)];
	snprintf(cut, sizeof(cut), "%.*s", (int)sizeof(cut) - 1, text);
	if (site->n_held == 0) {
		site->next = owing;
		owing = site;
	} else if (!note_other(site, cut) && site->n_said < 2 * LOG_BURST) {
		emit_sum(site);
		site->n_said++;
	}
	site->n_held++;
	site->level = level;
	memcpy(site->last, cut, sizeof(cut));
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
		if (admit(site, now))
			emit(level, text);
		else
			hold(site, level, text);
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
	log_out_end();
	pthread_mutex_unlock(&lock);
}
