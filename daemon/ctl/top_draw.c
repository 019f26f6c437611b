/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/top_draw.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"

#define EVERY_MAX_S 60
#define RATE_S 10.0 /* rates are of so long, if so much is known */
#define LOG_ROWS 3
#define LOG_FROM 20 /* in windows of so many rows */

static const struct {
	int key;
	bool clients;
	const char *column;
} sorts[] = {
	{'o', false, "objects"}, {'a', false, "used"},   {'n', false, "cache"},
	{'s', false, "size"},    {'l', false, "slabs"},  {'c', false, "in use"},
	{'f', false, "free"},    {'h', false, "held"},   {'w', false, "waste"},
	{'e', false, "empty"},   {'i', false, "id"},     {'M', true, "bytes"},
	{'N', true, "pid"},      {'a', true, "used"},    {'h', true, "held"},
	{'n', true, "name"},     {'o', true, "objects"}, {'T', true, "age"},
	{'x', true, "remote"},   {'f', true, "failed"},  {'g', true, "rings"},
	{'i', true, "id"},
};

static void sort_by(struct ctl_top *top, const char *column)
{
	snprintf(top->sort, sizeof(top->sort), "%s", column);
	top->reverse = false;
}

static bool other_key(struct ctl_top *top, int key)
{
	switch (key) {
	case '\t':
		top->clients = !top->clients;
		sort_by(top, top->clients ? "bytes" : "in use");
		return true;
	case 'R':
		top->reverse = !top->reverse;
		return true;
	case '>':
		top->pool++;
		return true;
	case '<':
		top->pool -= top->pool > 0;
		return true;
	case '+':
		top->every_s += top->every_s < EVERY_MAX_S;
		return true;
	case '-':
		top->every_s -= top->every_s > 1;
		return true;
	case '?':
		top->help = !top->help;
		return true;
	default:
		return false;
	}
}

bool ctl_top_key(struct ctl_top *top, int key)
{
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (sorts[i].key == key && sorts[i].clients == top->clients) {
			sort_by(top, sorts[i].column);
			return true;
		}
	return other_key(top, key);
}

/* ---- pieces --------------------------------------------------------------- */

/* The pool of a document that is shown, or NULL. */
static const json_t *pool_of(const struct ctl_top *top, const json_t *doc)
{
	const json_t *pools = json_object_get(doc, "pools");
	const json_t *pool = json_array_get(pools, top->pool);
	return pool != NULL ? pool : json_array_get(pools, 0);
}

/* A line of plain text, cut to the window: between figures, where there are such, as
 * half of one is another. */
static void put_cut(struct ctl *c, enum ctl_color color, const char *text)
{
	unsigned taken;
	size_t whole = ctl_text_cut(text, c->style.width, &taken);
	size_t len = whole;
	while (text[whole] && len > 0 && strncmp(text + len, "  ", 2) != 0)
		len--;
	len = len > 0 ? len : whole;
	fprintf(c->out, "%s%.*s%s\n", ctl_text_on(&c->style, color), (int)len,
	        text, ctl_text_off(&c->style, color));
}

static int64_t sum_of(struct ctl *c, const json_t *pool, const char *key)
{
	struct ctl_iter it;
	const json_t *node;
	int64_t sum = 0;
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it)))
		sum = ctl_doc_sum(sum, ctl_doc_int(c, node, key));
	return sum;
}

static const json_t *last_point(const json_t *pool)
{
	const json_t *points = json_object_get(pool, "points");
	size_t n = json_array_size(points);
	return n > 0 ? json_array_get(points, n - 1) : NULL;
}

/* The point that rates are reckoned from; NULL: there is but one. */
static const json_t *base_point(struct ctl *c, const json_t *pool)
{
	const json_t *points = json_object_get(pool, "points");
	size_t n = json_array_size(points);
	double now = n > 0 ? ctl_doc_number(c, last_point(pool), "ago_s") : 0;
	size_t i = n > 0 ? n - 1 : 0;
	while (i > 0 && ctl_doc_number(c, json_array_get(points, i), "ago_s") -
	                                now < RATE_S)
		i--;
	return i + 1 < n ? json_array_get(points, i) : NULL;
}

static void put_head(struct ctl *c, const struct ctl_top *top,
                     const json_t *history)
{
	const json_t *pool = pool_of(top, history);
	const json_t *point = last_point(pool);
	char line[700] = "";
	ctl_text_append(line, sizeof(line), "slabctl top %s  ", top->clock);
	if (pool != NULL)
		ctl_text_add(c, line, sizeof(line), pool, "pool {name t64}");
	if (point != NULL)
		ctl_text_add(c, line, sizeof(line), point,
		             "  {clients client}, {caches cache}");
	ctl_text_append(line, sizeof(line), ", every %u s", top->every_s);
	put_cut(c, CTL_BOLD, line);
}

static void put_memory(struct ctl *c, const json_t *pool)
{
	static const char *const keys[] = {"ready_bytes", "used_bytes",
	                                   "held_bytes", "free_bytes",
	                                   "lent_bytes"};
	char line[300] = "", buf[CTL_TEXT_SHORT];
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ctl_text_append(line, sizeof(line), "%s%.*s %s",
		                i ? "  " : "", (int)strcspn(keys[i], "_"),
		                keys[i],
		                ctl_text_bytes(buf, sum_of(c, pool, keys[i])));
	put_cut(c, CTL_PLAIN, line);
}

static double rate(struct ctl *c, const json_t *from, const json_t *to,
                   const char *key)
{
	double grown = (double)ctl_doc_int(c, to, key) -
	               (double)ctl_doc_int(c, from, key);
	double time = ctl_doc_number(c, from, "ago_s") -
	              ctl_doc_number(c, to, "ago_s");
	return grown > 0 && time > 0 ? grown / time : 0;
}

static void put_rates(struct ctl *c, const json_t *pool)
{
	static const char *const keys[] = {"refilled", "rings", "grown_slabs",
	                                   "denied", "deaths"};
	const json_t *to = last_point(pool);
	const json_t *from = base_point(c, pool);
	char line[300] = "";
	double all, remote;
	if (from == NULL) {
		put_cut(c, CTL_DIM, "rates: not yet");
		return;
	}
	all = rate(c, from, to, "refilled");
	remote = rate(c, from, to, "remote_allocs");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		double n = rate(c, from, to, keys[i]);
		ctl_text_append(line, sizeof(line),
		                n < 1e6 ? "%s%.*s/s %.1f" : "%s%.*s/s %.2e",
		                i ? "  " : "", (int)strcspn(keys[i], "_"),
		                keys[i], n);
		if (i == 0 && all > 0)
			ctl_text_append(line, sizeof(line), "  remote %.1f%%",
			                remote < all ? remote * 100 / all
			                             : 100.0);
	}
	put_cut(c, CTL_PLAIN, line);
}

/* ---- sections ------------------------------------------------------------- */

/* Copies the first lines of a text, from the skip-th on. How many. */
static unsigned put_lines(FILE *out, const char *text, unsigned skip,
                          unsigned most)
{
	unsigned n = 0;
	for (const char *end; *text && n < most; text = end) {
		end = strchrnul(text, '\n');
		end += *end == '\n';
		if (skip > 0) {
			skip--;
			continue;
		}
		fwrite(text, 1, (size_t)(end - text), out);
		n++;
	}
	return n;
}

/* What show() makes of the pool, or most lines of it. */
static unsigned put_part(struct ctl *c, const json_t *pool,
                         void (*show)(struct ctl *c, const json_t *pool),
                         unsigned skip, unsigned most)
{
	FILE *out = c->out;
	char *text = NULL;
	size_t size = 0;
	unsigned n = 0;
	if (pool == NULL || most == 0)
		return 0;
	c->out = open_memstream(&text, &size);
	if (c->out == NULL) {
		c->out = out;
		ctl_doc_fail(c, "out of memory");
		return 0;
	}
	show(c, pool);
	fclose(c->out);
	c->out = out;
	if (!c->fault[0])
		n = put_lines(out, text, skip, most);
	free(text);
	return n;
}

/* How many lines. */
static unsigned put_help(struct ctl *c, const struct ctl_top *top,
                         unsigned rows)
{
	char line[100];
	unsigned all = rows;
	put_cut(c, CTL_BOLD, "keys: q ends, Tab other table, R reverse");
	if (rows > 1)
		put_cut(c, CTL_PLAIN, "< > pool, + - seconds, blank now, ? back");
	rows = rows > 2 ? rows - 2 : 0;
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]) && rows > 0; i++) {
		if (sorts[i].clients != top->clients)
			continue;
		snprintf(line, sizeof(line), "%c  by %s", sorts[i].key,
		         sorts[i].column);
		put_cut(c, CTL_PLAIN, line);
		rows--;
	}
	return all - rows;
}

/* Fills the rows, with empty lines behind it. */
static void put_table(struct ctl *c, const struct ctl_top *top,
                      const struct ctl_top_docs *docs, unsigned rows)
{
	unsigned n = 0;
	c->style.sort = top->sort;
	c->style.reverse = top->reverse;
	if (top->help)
		n = put_help(c, top, rows);
	else if (docs->clients == top->clients)
		n = put_part(c, pool_of(top, docs->table),
		         top->clients ? ctl_clients_rows : ctl_caches_rows, 0,
		         rows);
	c->style.sort = NULL;
	c->style.reverse = false;
	for (; n < rows; n++)
		fputc('\n', c->out);
}

static void put_foot(struct ctl *c, const struct ctl_top *top)
{
	char line[700];
	if (top->waits[0] != '\0')
		snprintf(line, sizeof(line), "waiting for slabd: %s",
		         top->waits);
	else
		snprintf(line, sizeof(line), "%s by %s%s; Tab %s, ? keys, q ends",
		         top->clients ? "clients" : "caches", top->sort,
		         top->reverse ? ", least first" : "",
		         top->clients ? "caches" : "clients");
	put_cut(c, top->waits[0] ? CTL_YELLOW : CTL_DIM, line);
}

void ctl_top_draw(struct ctl *c, const struct ctl_top *top,
                  const struct ctl_top_docs *docs, unsigned rows)
{
	const json_t *nodes = pool_of(top, docs->nodes);
	unsigned n_log = rows >= LOG_FROM ? LOG_ROWS : 0;
	unsigned left = rows;
	char line[100];
	if (c->style.width < CTL_TOP_COLUMNS || rows < CTL_TOP_ROWS) {
		snprintf(line, sizeof(line), "too small: %ux%u, needs %ux%u",
		         c->style.width, rows, CTL_TOP_COLUMNS, CTL_TOP_ROWS);
		put_cut(c, CTL_PLAIN, line);
		return;
	}
	put_head(c, top, docs->history);
	if (nodes != NULL) {
		put_memory(c, nodes);
		put_rates(c, pool_of(top, docs->history));
		left -= 2;
	}
	left -= 2 + n_log; /* with the last line */
	left -= put_part(c, nodes, ctl_nodes_bars, 0, rows / 4);
	put_table(c, top, docs, left);
	if (n_log > 0)
		put_part(c, pool_of(top, docs->log), ctl_log, 1, n_log);
	put_foot(c, top);
}
