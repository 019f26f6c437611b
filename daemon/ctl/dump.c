/* SPDX-License-Identifier: MIT */
/* One slab, a character an object. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define INDENT 8 /* of the index before each line */
#define LINE_MAX 100u
#define GROUP 10u

static const struct {
	char letter[2];
	const char *means;
} legend[] = {
	{".", "free"},
	{"o", "a client's"},
	{"h", "a client's, with a handle out"},
	{"g", "given, and not taken"},
	{"c", "a channel's"},
	{"r", "a root's"},
	{"d", "of a client that died"},
	{"s", "on its way back"},
	{"?", "of an id that nobody has"},
};

static enum ctl_color color_of(char letter)
{
	switch (letter) {
	case '.':
		return CTL_DIM;
	case 'o':
	case 'h':
		return CTL_GREEN;
	case 'g':
		return CTL_MAGENTA;
	case 'c':
	case 'r':
		return CTL_BLUE;
	default:
		return CTL_RED;
	}
}

/* What slabd does not send is no letter of ours. */
static char known(char letter)
{
	for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++)
		if (legend[i].letter[0] == letter)
			return letter;
	return '?';
}

static void put_object(struct ctl *c, char letter)
{
	char text[2] = {known(letter), '\0'};
	ctl_text_paint(c, color_of(text[0]), text);
}

/* Whole tens, with a blank between. */
static unsigned a_line(const struct ctl *c)
{
	unsigned tens = c->style.width > INDENT
	                        ? (c->style.width - INDENT) / (GROUP + 1)
	                        : 1;
	unsigned n = (tens > 0 ? tens : 1) * GROUP;
	return n < LINE_MAX ? n : LINE_MAX;
}

static void put_map(struct ctl *c, const char *map)
{
	unsigned per = a_line(c);
	size_t n = strlen(map);
	for (size_t i = 0; i < n; i++) {
		if (i % per == 0)
			fprintf(c->out, "%s%6zu ", i > 0 ? "\n" : "", i);
		if (i % GROUP == 0)
			fputc(' ', c->out);
		put_object(c, map[i]);
	}
	fputs(n > 0 ? "\n" : "", c->out);
}

static void put_legend(struct ctl *c, const json_t *counts)
{
	for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
		int64_t n = ctl_doc_int(c, counts, legend[i].letter);
		char count[CTL_TEXT_SHORT];
		if (n > 0)
			fprintf(c->out, "%s  %s %s\n", legend[i].letter,
			        ctl_text_count(count, n), legend[i].means);
	}
}

static const struct ctl_col owner_cols[] = {
	{CTL_COL("owner", "name", CTL_NAME), .flex = true},
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT)},
	{CTL_COL("objects", "objects", CTL_INT)},
};

static const struct ctl_list owners = {
	.key = "owners", .none = "nobody owns any\n", CTL_COLS(owner_cols),
};

void ctl_dump(struct ctl *c, const json_t *doc)
{
	bool lent = ctl_doc_int(c, doc, "list") != ctl_doc_int(c, doc, "node");
	bool leased = ctl_doc_int(c, doc, "lease") != 0;
	int64_t shown = ctl_doc_int(c, doc, "shown");
	char line[300] = "slab of {cache t64} at ";
	ctl_text_append(line, sizeof(line),
	                "0x%llx, node {node}: {objects object} of {size} bytes",
	                (unsigned long long)ctl_doc_int(c, doc, "offset"));
	if (lent)
		ctl_text_append(line, sizeof(line), ", lent to node {list}");
	if (leased)
		ctl_text_append(line, sizeof(line),
		                ", client {lease} takes of it");
	ctl_text_append(line, sizeof(line), "%s",
	                ctl_doc_bool(c, doc, "listed") ? "" : ", on no list");
	ctl_text_say(c, doc, "pool", line);
	put_map(c, ctl_doc_string(c, doc, "map"));
	if (ctl_doc_int(c, doc, "objects") > shown)
		ctl_text_line(c, 0, doc, "the first {shown} are shown");
	put_legend(c, ctl_doc_object(c, doc, "counts"));
	fputc('\n', c->out);
	ctl_table_show(c, doc, &owners);
}
