/* SPDX-License-Identifier: MIT */
/* What a pool was like: a line of bars for each figure, the newest to the right. */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define LABEL 16  /* columns of a figure's name */
#define FIGURE 11 /* and of its last, and its greatest, behind the bars */
#define NARROW 60 /* without the latter */
#define BARS_MIN 8
#define BARS_MAX 200

enum form { BYTES, NUMBER, RATE, SHARE };

/* What is shown of a point: one of its numbers, or that of a node, or the sum of
 * all nodes. RATE: how much it grew in a second; SHARE: that much of what `of`
 * grew. */
struct figure {
	const char *label;
	const char *key;
	const char *of;
	enum form form;
	bool by_node;
};

static const struct figure figures[] = {
	{"ready", "ready_bytes", NULL, BYTES, true},
	{"carved", "carved_bytes", NULL, BYTES, true},
	{"owned", "owned_bytes", NULL, BYTES, true},
	{"held", "held_bytes", NULL, BYTES, true},
	{"free", "free_bytes", NULL, BYTES, true},
	{"lent", "lent_bytes", NULL, BYTES, true},
	{"clients", "clients", NULL, NUMBER, false},
	{"refilled/s", "refilled", NULL, RATE, false},
	{"remote", "remote_allocs", "refilled", SHARE, false},
	{"rings/s", "rings", NULL, RATE, false},
	{"grown/s", "grown_slabs", NULL, RATE, false},
	{"denied/s", "denied", NULL, RATE, false},
	{"waits/s", "waits", NULL, RATE, false},
	{"deaths/s", "deaths", NULL, RATE, false},
	{"flushed/s", "flushed", NULL, RATE, false},
	{"failed/s", "failures", NULL, RATE, false},
	{"steps/s", "steps", NULL, RATE, false},
	{"moved B/s", "moved_bytes", NULL, RATE, false},
	{"caches", "caches", NULL, NUMBER, false},
};

/* A figure over time: what fell into each bar. */
struct line {
	double value[BARS_MAX];
	bool any[BARS_MAX];
	double last, most;
	bool known;
};

/* -1: not known. */
static double of_nodes(struct ctl *c, const json_t *point, const char *key,
                       int64_t only)
{
	struct ctl_iter it;
	const json_t *node;
	double sum = 0;
	bool known = false;
	ctl_doc_begin(&it, c, point, "nodes");
	while ((node = ctl_doc_next(&it))) {
		int64_t bytes = ctl_doc_int_or_null(c, node, key);
		if (only >= 0 && ctl_doc_int(c, node, "node") != only)
			continue;
		known |= bytes >= 0;
		sum += bytes > 0 ? (double)bytes : 0;
	}
	return known ? sum : -1;
}

static double grown(struct ctl *c, const json_t *point, const json_t *before,
                    const char *key)
{
	double by = (double)ctl_doc_int(c, point, key) -
	            (double)ctl_doc_int(c, before, key);
	return by > 0 ? by : 0;
}

/* -1 where it is not known, as of the first point what grows is not. */
static double value_of(struct ctl *c, const struct figure *f,
                       const json_t *point, const json_t *before, int64_t node)
{
	double time, all;
	if (f->by_node)
		return of_nodes(c, point, f->key, node);
	if (f->form == NUMBER)
		return (double)ctl_doc_int(c, point, f->key);
	if (before == NULL)
		return -1;
	if (f->form == SHARE) {
		all = grown(c, point, before, f->of);
		return all > 0 ? grown(c, point, before, f->key) * 100 / all
		               : -1;
	}
	time = ctl_doc_number(c, before, "ago_s") -
	       ctl_doc_number(c, point, "ago_s");
	return time > 0 ? grown(c, point, before, f->key) / time : -1;
}

/* The bar that a point falls into; the last is now. */
static unsigned bar_of(struct ctl *c, const json_t *point, int64_t span_s,
                       unsigned n)
{
	double ago = ctl_doc_number(c, point, "ago_s");
	double at = (1 - ago / (double)(span_s > 0 ? span_s : 1)) * n;
	return at < 0 ? 0 : at >= n ? n - 1 : (unsigned)at;
}

/* What nobody sampled is as it was before; what grew did so in all the time since
 * the point before, from the bar behind that one's on. */
static void put_value(struct line *line, double value, unsigned from,
                      unsigned to)
{
	for (unsigned i = from < to ? from : to; i <= to; i++) {
		if (!line->any[i] || value > line->value[i])
			line->value[i] = value;
		line->any[i] = true;
	}
}

static void carry(struct line *line, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (!line->any[i] && line->any[i - 1]) {
			line->any[i] = true;
			line->value[i] = line->value[i - 1];
		}
}

static void read_line(struct ctl *c, struct line *line, const struct figure *f,
                      const json_t *pool, int64_t node, unsigned n)
{
	int64_t span_s = ctl_doc_int(c, pool, "span_s");
	const json_t *point, *before = NULL;
	struct ctl_iter it;
	memset(line, 0, sizeof(*line));
	ctl_doc_begin(&it, c, pool, "points");
	for (; (point = ctl_doc_next(&it)); before = point) {
		unsigned to = bar_of(c, point, span_s, n);
		unsigned from = to;
		double value = value_of(c, f, point, before, node);
		if (value < 0)
			continue;
		line->known = true;
		line->last = value;
		line->most = value > line->most ? value : line->most;
		if (f->form >= RATE && before != NULL)
			from = bar_of(c, before, span_s, n) + 1;
		put_value(line, value, from, to);
	}
	if (f->form < RATE)
		carry(line, n);
}

static const char *text_of(char buf[CTL_TEXT_SHORT], enum form form,
                           double value)
{
	if (form == BYTES)
		return ctl_text_bytes(buf, value < 9e18 ? (int64_t)value
		                                        : INT64_MAX);
	if (form == NUMBER)
		return ctl_text_count(buf, (int64_t)value);
	if (form == SHARE)
		snprintf(buf, CTL_TEXT_SHORT, "%.1f%%",
		         value < 100 ? value : 100);
	else
		snprintf(buf, CTL_TEXT_SHORT, value < 1e6 ? "%.1f" : "%.2e",
		         value);
	return buf;
}

static void put_bars(struct ctl *c, const struct line *line, unsigned n)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄",
	                                     "▅", "▆", "▇", "█"};
	static const char ascii[] = "_.-:=+*#";
	for (unsigned i = 0; i < n; i++) {
		double part = line->most > 0 ? line->value[i] / line->most : 0;
		unsigned level = part >= 1 ? 7 : (unsigned)(part * 8);
		if (!line->any[i])
			fputc(' ', c->out);
		else if (c->style.utf8)
			fputs(blocks[level], c->out);
		else
			fputc(ascii[level], c->out);
	}
}

static void put_figures(struct ctl *c, const char *last, const char *most)
{
	fprintf(c->out, "%*s", FIGURE, last);
	if (c->style.width >= NARROW)
		fprintf(c->out, "%*s", FIGURE, most);
	fputc('\n', c->out);
}

static void put_line(struct ctl *c, const char *label, const struct figure *f,
                     const struct line *line, unsigned n)
{
	char last[CTL_TEXT_SHORT] = "-", most[CTL_TEXT_SHORT] = "-";
	if (line->known) {
		text_of(last, f->form, line->last);
		text_of(most, f->form, line->most);
	}
	fprintf(c->out, "%-*s", LABEL, label);
	put_bars(c, line, n);
	put_figures(c, last, most);
}

static void put_span(struct ctl *c, const json_t *pool, unsigned n)
{
	char span[CTL_TEXT_SHORT], head[64], step[64] = "";
	double span_s = (double)ctl_doc_int(c, pool, "span_s");
	unsigned used;
	snprintf(head, sizeof(head), "-%s", ctl_text_age(span, span_s));
	used = ctl_text_columns(head);
	ctl_text_add(c, step, sizeof(step), pool, "each {step_s} s");
	step[LABEL - 1] = '\0';
	fprintf(c->out, "%-*s%s%*s", LABEL, step, head,
	        n > used ? (int)(n - used) : 0, "now");
	put_figures(c, "last", "most");
}

/* What is owned on each node. */
static void put_nodes(struct ctl *c, const json_t *pool, unsigned n)
{
	static const struct figure owned = {"", "owned_bytes", NULL, BYTES,
	                                    true};
	const json_t *points = ctl_doc_array(c, pool, "points");
	size_t n_points = json_array_size(points);
	const json_t *point =
		n_points ? json_array_get(points, n_points - 1) : NULL;
	const json_t *nodes = json_object_get(point, "nodes");
	struct line line;
	char label[LABEL + 32];
	if (json_array_size(nodes) < 2)
		return;
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *id =
			json_object_get(json_array_get(nodes, i), "node");
		int64_t node = json_integer_value(id);
		if (node < 0)
			continue;
		read_line(c, &line, &owned, pool, node, n);
		snprintf(label, sizeof(label), "owned, node %lld",
		         (long long)node);
		label[LABEL - 1] = '\0';
		put_line(c, label, &owned, &line, n);
	}
}

void ctl_history(struct ctl *c, const json_t *pool)
{
	unsigned rest = LABEL + (c->style.width < NARROW ? 1 : 2) * FIGURE;
	unsigned n = c->style.width > rest + BARS_MIN ? c->style.width - rest
	                                              : BARS_MIN;
	struct line line;
	n = n < BARS_MAX ? n : BARS_MAX;
	ctl_text_pool(c, pool);
	fputc('\n', c->out);
	if (json_array_size(ctl_doc_array(c, pool, "points")) == 0) {
		fputs("nothing is known of the past\n", c->out);
		return;
	}
	put_span(c, pool, n);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		read_line(c, &line, &figures[i], pool, -1, n);
		put_line(c, figures[i].label, &figures[i], &line, n);
	}
	put_nodes(c, pool, n);
}
