/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/save.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/file.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define TEXT_MAX 8192

struct save {
	const json_t *pools;
	json_t *saved, *unsaved;
	char dir[512], path[600];
	char old[TEXT_MAX];  /* of an earlier save, or "" */
	char text[TEXT_MAX]; /* of this one */
	struct ctl_http_fault *fault;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct save *s, const char *remedy, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(s->fault->what, sizeof(s->fault->what), format, ap);
	va_end(ap);
	snprintf(s->fault->remedy, sizeof(s->fault->remedy), "%s", remedy);
	return -1;
}

/* ---- what to write ------------------------------------------------------- */

/* A word such as slabd's keys and values: it becomes a line of a file. */
static bool is_word(const char *word)
{
	return word && *word && strlen(word) < 64 &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyz"
	                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "0123456789_.%") == strlen(word);
}

static const char *member(const json_t *row, const char *key)
{
	const char *word = json_string_value(json_object_get(row, key));
	return is_word(word) ? word : NULL;
}

/* The line of a key in an earlier save, up to its end, or NULL. */
static const char *old_line(const struct save *s, const char *key)
{
	size_t n = strlen(key);
	for (const char *at = s->old; *at; at += strcspn(at, "\n") + 1) {
		if (strncmp(at, key, n) == 0 && strncmp(at + n, " = ", 3) == 0)
			return at;
		if (at[strcspn(at, "\n")] == '\0')
			break;
	}
	return NULL;
}

/* The row of a key in a pool. */
static const json_t *row_of(const json_t *pool, const char *key)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(pool, "keys"), i, row)
	{
		const char *name = member(row, "key");
		if (name && strcmp(name, key) == 0)
			return row;
	}
	return NULL;
}

/* Pools differ: one section is there for all of them. */
static void leave_out(struct save *s, const char *key)
{
	const char *line = old_line(s, key);
	char what[400] = "";
	size_t i;
	json_t *pool;
	json_array_foreach(s->pools, i, pool) {
		const char *value = member(row_of(pool, key), "value");
		const char *name =
			json_string_value(json_object_get(pool, "name"));
		if (value && name)
			ctl_text_append(what, sizeof(what), "%s%s in pool %.64s",
			                *what ? ", " : "", value, name);
	}
	json_array_append_new(s->unsaved,
	                      json_pack("{s:s, s:s}", "key", key, "what", what));
	if (line)
		ctl_text_append(s->text, sizeof(s->text), "%.*s\n",
		                (int)strcspn(line, "\n"), line);
}

static void look_at_key(struct save *s, const json_t *row)
{
	const char *key = member(row, "key"), *value = member(row, "value");
	const char *file = member(row, "configured");
	size_t i;
	json_t *pool;
	if (!key || !value || !file)
		return;
	json_array_foreach(s->pools, i, pool) {
		const char *other = member(row_of(pool, key), "value");
		if (other && strcmp(other, value) != 0) {
			leave_out(s, key);
			return;
		}
	}
	if (strcmp(value, file) == 0 && !old_line(s, key))
		return;
	ctl_text_append(s->text, sizeof(s->text), "%s = %s\n", key, value);
	json_array_append_new(s->saved, json_pack("{s:s, s:s, s:s}", "key", key,
	                                          "value", value, "configured",
	                                          file));
}

static void make_text(struct save *s)
{
	const json_t *keys =
		json_object_get(json_array_get(s->pools, 0), "keys");
	size_t i;
	json_t *row;
	ctl_text_append(s->text, sizeof(s->text),
	                "# Written by \"slabctl save\", which writes it anew.\n"
	                "[balance]\n");
	json_array_foreach(keys, i, row)
		look_at_key(s, row);
}

/* ---- the file ------------------------------------------------------------ */

/* What is no file that slabctl wrote is not replaced. */
static int read_old(struct save *s)
{
	if (ctl_file_read(s->path, s->old, sizeof(s->old)) == 0)
		return 0;
	return fail(s, "look at it, and move it away",
	            "%s is there and is not what slabctl save writes", s->path);
}

static int replace(const struct save *s)
{
	if (mkdir(s->dir, 0755) < 0 && errno != EEXIST)
		return -1;
	return ctl_file_replace(s->path, s->text);
}

static int place(struct save *s, const json_t *doc, uid_t owner)
{
	const char *file = json_string_value(json_object_get(doc, "file"));
	if (owner != 0 && owner != geteuid())
		return fail(s, "run slabctl save as that user",
		            "slabd's socket is of user %lu, and slabctl writes "
		            "files for root's slabd and your own alone",
		            (unsigned long)owner);
	if (!file || file[0] != '/' || strlen(file) > 400)
		return fail(s, CTL_HTTP_OTHER_VERSION,
		            "slabd does not say where its configuration is");
	snprintf(s->dir, sizeof(s->dir), "%s.d", file);
	snprintf(s->path, sizeof(s->path), "%s/" CTL_SAVE_NAME, s->dir);
	return read_old(s);
}

static int save(struct save *s, json_t *doc, uid_t owner)
{
	bool any;
	if (place(s, doc, owner) < 0)
		return -1;
	make_text(s);
	any = json_array_size(s->saved) > 0;
	if (any && strcmp(s->text, s->old) != 0 && replace(s) < 0)
		return fail(s, ctl_file_remedy(errno, geteuid() == 0
		                      ? "see what keeps root from it there: "
		                        "lsattr, mount"
		                      : "run it as a user who may write there, "
		                        "such as root"),
		            "can't write %s: %s", s->path, strerror(errno));
	json_object_set_new(doc, "dropin", json_string(s->path));
	json_object_set_new(doc, "written", json_boolean(any));
	json_object_set(doc, "saved", s->saved);
	json_object_set(doc, "unsaved", s->unsaved);
	json_object_del(doc, "pools");
	return 0;
}

int ctl_save(json_t *doc, uid_t owner, struct ctl_http_fault *fault)
{
	struct save s = {
		.pools = json_object_get(doc, "pools"),
		.saved = json_array(),
		.unsaved = json_array(),
		.fault = fault,
	};
	int r = save(&s, doc, owner);
	json_decref(s.saved);
	json_decref(s.unsaved);
	return r;
}

/* ---- for people ---------------------------------------------------------- */

static const struct ctl_col saved_cols[] = {
	{CTL_COL("key", "key", CTL_NAME), .flex = true},
	{CTL_COL("value", "value", CTL_NAME), .flex = true},
	{CTL_COL("slabd.conf", "configured", CTL_NAME), .flex = true},
};

static const struct ctl_list saved = {
	.key = "saved", .none = "", CTL_COLS(saved_cols),
};

void ctl_show_save(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *key;
	ctl_doc_string(c, doc, "file");
	ctl_text_line(c, 0, doc,
	              ctl_doc_bool(c, doc, "written")
	                      ? "{dropin t512} has it for slabd's next start:"
	                      : "nothing to save: all pools have what {file t512} "
	                        "says");
	ctl_table_show(c, doc, &saved);
	ctl_doc_begin(&it, c, doc, "unsaved");
	while ((key = ctl_doc_next(&it))) {
		ctl_text_line(c, 0, key, "{key t64} is not saved: {what t400}");
		ctl_text_line(c, 6, key,
		              "do: [balance] is of all pools: slabctl set "
		              "{key t64} VALUE, then save again");
	}
}

/* What can't be saved is named, and the rest is. */
int ctl_save_verdict(const json_t *doc)
{
	return json_array_size(json_object_get(doc, "unsaved")) == 0 ? 0 : 1;
}
