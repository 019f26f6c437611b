/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const struct {
	const char *block, *ascii, *name;
	enum ctl_color color;
} parts[CTL_N_PARTS] = {
	[CTL_USED] = {"\u2588", "#", "used", CTL_BLUE},
	[CTL_FREE] = {"\u2592", "-", "free", CTL_GREEN},
	[CTL_LENT] = {"\u259a", ">", "lent", CTL_MAGENTA},
	[CTL_EMPTY] = {"\u2591", ".", "empty", CTL_DIM},
	[CTL_BORROWED] = {"\u259e", "<", "borrowed", CTL_YELLOW},
};

const char *ctl_text_on(const struct ctl_style *s, enum ctl_color color)
{
	static const char *const sgr[] = {
		[CTL_PLAIN] = "",         [CTL_BOLD] = "\033[1m",
		[CTL_DIM] = "\033[2m",    [CTL_RED] = "\033[31m",
		[CTL_GREEN] = "\033[32m", [CTL_YELLOW] = "\033[33m",
		[CTL_BLUE] = "\033[34m",  [CTL_MAGENTA] = "\033[35m",
	};
	return s->color ? sgr[color] : "";
}

const char *ctl_text_off(const struct ctl_style *s, enum ctl_color color)
{
	return s->color && color != CTL_PLAIN ? "\033[0m" : "";
}

void ctl_text_paint(struct ctl *c, enum ctl_color color, const char *text)
{
	fprintf(c->out, "%s%s%s", ctl_text_on(&c->style, color), text,
	        ctl_text_off(&c->style, color));
}

const char *ctl_text_bytes(char buf[CTL_TEXT_SHORT], int64_t bytes)
{
	static const char *const unit[] = {"KiB", "MiB", "GiB",
	                                   "TiB", "PiB", "EiB"};
	double v = (double)bytes / 1024;
	size_t i = 0;
	if (bytes == 0)
		return strcpy(buf, "0");
	if (bytes > -1024 && bytes < 1024) {
		snprintf(buf, CTL_TEXT_SHORT, "%d B", (int)bytes);
		return buf;
	}
	/* 1023.95 would be printed as 1024.0 of the smaller unit. */
	for (; fabs(v) >= 1023.95 && i < 5; i++)
		v /= 1024;
	snprintf(buf, CTL_TEXT_SHORT, "%.1f %s", v, unit[i]);
	return buf;
}

const char *ctl_text_count(char buf[CTL_TEXT_SHORT], int64_t n)
{
	if (n < INT64_C(1000000000000) && n > -INT64_C(1000000000000))
		snprintf(buf, CTL_TEXT_SHORT, "%lld", (long long)n);
	else
		snprintf(buf, CTL_TEXT_SHORT, "%.2e", (double)n);
	return buf;
}

const char *ctl_text_age(char buf[CTL_TEXT_SHORT], double seconds)
{
	uint64_t s = seconds > 0 && seconds < 1e10 ? (uint64_t)seconds : 0;
	unsigned small = (unsigned)(s % 60), mid = (unsigned)(s / 60 % 60);
	if (seconds >= 1e10)
		strcpy(buf, "ages");
	else if (s < 60)
		snprintf(buf, CTL_TEXT_SHORT, "%.1fs", seconds);
	else if (s < 3600)
		snprintf(buf, CTL_TEXT_SHORT, "%um %02us", mid, small);
	else if (s < 86400)
		snprintf(buf, CTL_TEXT_SHORT, "%uh %02um", (unsigned)(s / 3600),
		         mid);
	else
		snprintf(buf, CTL_TEXT_SHORT, "%llud %02uh",
		         (unsigned long long)(s / 86400),
		         (unsigned)(s / 3600 % 24));
	return buf;
}

const char *ctl_text_share(char buf[CTL_TEXT_SHORT], int64_t part,
                           int64_t whole)
{
	if (whole <= 0)
		return strcpy(buf, "-");
	if (part > whole)
		part = whole;
	snprintf(buf, CTL_TEXT_SHORT, "%.1f%%",
	         100 * (double)part / (double)whole);
	return buf;
}

/* Decodes one character of valid UTF-8, as jansson makes sure of. */
static unsigned decode(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	unsigned n = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	unsigned cp = n ? *p & (0x3fu >> n) : *p;
	for (p++; n && (*p & 0xc0) == 0x80; n--, p++)
		cp = cp << 6 | (*p & 0x3f);
	*text = (const char *)p;
	return cp;
}

static bool turns_direction(unsigned cp)
{
	return cp == 0x61c || (cp >= 0x200e && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static bool shown_as_is(const struct ctl_style *s, unsigned cp)
{
	if (cp < 0x80)
		return cp >= 0x20 && cp < 0x7f && cp != '\\';
	return s->utf8 && !turns_direction(cp) && wcwidth((wchar_t)cp) > 0;
}

const char *ctl_text_escape(const struct ctl_style *s, char *buf, size_t size,
                            const char *text)
{
	char one[16];
	size_t len = 0, n;
	while (*text) {
		const char *from = text;
		unsigned cp = decode(&text);
		if (shown_as_is(s, cp))
			snprintf(one, sizeof(one), "%.*s", (int)(text - from),
			         from);
		else if (cp == '\\')
			strcpy(one, "\\\\");
		else if (cp < 0x80)
			snprintf(one, sizeof(one), "\\x%02x", cp);
		else
			snprintf(one, sizeof(one), "\\u{%x}", cp);
		n = strlen(one);
		if (len + n >= size)
			break;
		memcpy(buf + len, one, n);
		len += n;
	}
	buf[len] = '\0';
	return buf;
}

const char *ctl_text_field(struct ctl *c, char *buf, size_t size,
                           const json_t *obj, const char *key)
{
	return ctl_text_escape(&c->style, buf, size,
	                       ctl_doc_string(c, obj, key));
}

static void put_field(struct ctl *c, char *buf, size_t size, const json_t *obj,
                      const char *key, const char *form)
{
	char bytes[CTL_TEXT_SHORT];
	int64_t n;
	if (form[0] == 't' && !islower((unsigned char)form[1])) {
		size_t most = strtoul(form + 1, NULL, 10);
		ctl_text_field(c, buf, most && most < size ? most : size, obj,
		               key);
		return;
	}
	n = ctl_doc_int(c, obj, key);
	if (strcmp(form, "b") == 0)
		snprintf(buf, size, "%s", ctl_text_bytes(bytes, n));
	else
		snprintf(buf, size, "%lld%s%s%s", (long long)n,
		         *form ? " " : "", form, *form && n != 1 ? "s" : "");
}

const char *ctl_text_add(struct ctl *c, char *buf, size_t size,
                         const json_t *obj, const char *sentence)
{
	size_t len = strlen(buf);
	while (*sentence && len + 1 < size) {
		char key[32], form[32] = "";
		int end = 0;
		sscanf(sentence, "{%31[a-z0-9_]%n %31[a-z0-9 ]%n", key, &end, form,
		       &end);
		if (end == 0) {
			buf[len++] = *sentence++;
			buf[len] = '\0';
			continue;
		}
		put_field(c, buf + len, size - len, obj, key, form);
		len += strlen(buf + len);
		sentence += end + 1;
	}
	return buf;
}

void ctl_text_append(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list ap;
	va_start(ap, format);
	vsnprintf(buf + len, size - len, format, ap);
	va_end(ap);
}

const char *ctl_text_counts(struct ctl *c, char *buf, size_t size,
                            const json_t *obj, const char *key)
{
	/* jansson's iterators want it writable, and leave it as it is. */
	json_t *counts = (json_t *)(uintptr_t)ctl_doc_object(c, obj, key), *v;
	const char *name;
	char shown[64];
	*buf = '\0';
	json_object_foreach(counts, name, v) {
		int64_t n = ctl_doc_int(c, counts, name);
		ctl_text_escape(&c->style, shown, sizeof(shown), name);
		if (n && strlen(buf) + 128 < size)
			ctl_text_append(buf, size, "%s%s %lld",
			                *buf ? ", " : "", shown, (long long)n);
	}
	return buf;
}

static unsigned char_columns(unsigned cp)
{
	int w = cp < 0x80 ? 1 : wcwidth((wchar_t)cp);
	return w > 0 ? (unsigned)w : 1;
}

unsigned ctl_text_columns(const char *text)
{
	unsigned n = 0;
	while (*text)
		n += char_columns(decode(&text));
	return n;
}

size_t ctl_text_cut(const char *text, unsigned columns, unsigned *taken)
{
	const char *p = text, *end = text;
	unsigned n;
	*taken = 0;
	while (*p) {
		n = char_columns(decode(&p));
		if (*taken + n > columns)
			break;
		*taken += n;
		end = p;
	}
	return (size_t)(end - text);
}

/* The first line of text begins at a column already. */
static void wrap_from(struct ctl *c, unsigned indent, unsigned at,
                      const char *text)
{
	unsigned width, taken;
	size_t n, word;
	for (; *text; at = 0) {
		unsigned used = at > indent ? at : indent;
		width = c->style.width > used + 20 ? c->style.width - used : 20;
		n = ctl_text_cut(text, width, &taken);
		word = n;
		if (text[n])
			while (word && text[word] != ' ')
				word--;
		if (word)
			n = word;
		fprintf(c->out, "%*s%.*s\n",
		        at < indent ? (int)(indent - at) : 0, "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

void ctl_text_wrap(struct ctl *c, unsigned indent, const char *text)
{
	wrap_from(c, indent, 0, text);
}

void ctl_text_hang(struct ctl *c, const char *head, unsigned indent,
                   const char *text)
{
	unsigned at = ctl_text_columns(head);
	fputs(head, c->out);
	if (at >= indent) {
		fputc(' ', c->out);
		at++;
	}
	if (*text)
		wrap_from(c, indent, at, text);
	else
		fputc('\n', c->out);
}

void ctl_text_line(struct ctl *c, unsigned indent, const json_t *obj,
                   const char *sentence)
{
	char line[1400] = "";
	ctl_text_wrap(c, indent,
	              ctl_text_add(c, line, sizeof(line), obj, sentence));
}

void ctl_text_say(struct ctl *c, const json_t *obj, const char *key,
                  const char *sentence)
{
	char line[500];
	snprintf(line, sizeof(line), "pool {%s t256}: %s", key, sentence);
	ctl_text_line(c, 0, obj, line);
}

void ctl_text_said(struct ctl *c, unsigned indent, const char *intro,
                   const json_t *obj, const char *key)
{
	char sentence[100];
	snprintf(sentence, sizeof(sentence), "%s{%s t512}", intro, key);
	if (*ctl_doc_string(c, obj, key))
		ctl_text_line(c, indent, obj, sentence);
}

void ctl_text_pool(struct ctl *c, const json_t *pool)
{
	char text[300] = "pool ";
	if (c->place[0].ix > 0)
		fputc('\n', c->out);
	ctl_text_paint(
		c, CTL_BOLD,
		ctl_text_add(c, text, sizeof(text), pool, "{name t256}"));
}

void ctl_text_split(const int64_t *part, unsigned n, int64_t whole,
                    unsigned columns, unsigned *cells)
{
	unsigned i, sum = 0, biggest = 0;
	for (i = 0; i < n; i++) {
		double x = whole > 0 && part[i] > 0
		                   ? (double)part[i] / (double)whole
		                   : 0;
		x = (x < 1 ? x : 1) * columns;
		cells[i] = x > 0 && x < 1 ? 1 : (unsigned)(x + 0.5);
		sum += cells[i];
	}
	for (; sum > columns; sum--) {
		for (i = 0; i < n; i++)
			if (cells[i] > cells[biggest])
				biggest = i;
		cells[biggest]--;
	}
}

unsigned ctl_text_bar(struct ctl *c, const int64_t part[CTL_N_PARTS],
                      int64_t whole, unsigned columns)
{
	const struct ctl_style *s = &c->style;
	unsigned cells[CTL_N_PARTS], i, k, n = 0;
	ctl_text_split(part, CTL_N_PARTS, whole, columns, cells);
	for (i = 0; i < CTL_N_PARTS; i++) {
		if (!cells[i])
			continue;
		fputs(ctl_text_on(s, parts[i].color), c->out);
		for (k = 0; k < cells[i]; k++)
			fputs(s->utf8 ? parts[i].block : parts[i].ascii,
			      c->out);
		fputs(ctl_text_off(s, parts[i].color), c->out);
		n += cells[i];
	}
	return n;
}

void ctl_text_legend(struct ctl *c, int64_t whole)
{
	const struct ctl_style *s = &c->style;
	char buf[CTL_TEXT_SHORT];
	unsigned i;
	fputs("bar:", c->out);
	for (i = 0; i < CTL_N_PARTS; i++)
		fprintf(c->out, " %s%s%s %s ", ctl_text_on(s, parts[i].color),
		        s->utf8 ? parts[i].block : parts[i].ascii,
		        ctl_text_off(s, parts[i].color), parts[i].name);
	fprintf(c->out, " full length %s\n", ctl_text_bytes(buf, whole));
}
