/* SPDX-License-Identifier: MIT */
/*
 * What an upgrade goes by: of the slabd that runs, what it has kept and where
 * (slabctl passes that on), and of another program, what it would do about it.
 */
#include "daemon/admin/report.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/pool/keep.h"
#include "daemon/pool/takeover.h"
#include "shm/wire.h"

#define SCHEMA 1

/* What both are of: the next slabd is to know the same. */
static json_t *versions(void)
{
	return json_pack("{s:i, s:s, s:i, s:i, s:i}", "schema", SCHEMA,
	                 "version", PACKAGE_VERSION, "layout_version",
	                 (int)LAYOUT_VERSION, "ledger_version",
	                 (int)JOURNAL_VERSION, "wire_abi", (int)WIRE_ABI);
}

static json_t *text_or_null(const char *text)
{
	return text != NULL ? report_text(text) : json_null();
}

/* ---- the slabd that runs -------------------------------------------------- */

/* By device and inode slabctl sees whether it has come by the right one. */
static void add_file(json_t **list, const char *name, int fd)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	report_append(list, json_pack("{s:s, s:i, s:I, s:I}", "name", name, "fd",
	                              fd, "device", report_count(st.st_dev),
	                              "inode", report_count(st.st_ino)));
}

static json_t *files_doc(const struct report *r)
{
	json_t *list = json_array();
	const char *name;
	int fd;
	for (unsigned i = 0; i < r->n; i++) {
		unsigned file = 0;
		if (!keep_is_whole(r->pool[i]))
			continue;
		while ((name = keep_file(r->pool[i], file++, &fd)) != NULL)
			add_file(&list, name, fd);
	}
	name = keep_config(&fd);
	add_file(&list, name, fd);
	return list;
}

static json_t *running_pool(struct report *r, struct pool *pool)
{
	(void)r;
	return json_pack("{s:i, s:b}", "clients", (int)pool->n_clients, "kept",
	                 keep_is_whole(pool));
}

json_t *report_upgrade(struct report *r)
{
	const struct server *server = r->server;
	json_t *left = json_array();
	for (unsigned i = 0; i < server->n_left; i++)
		report_append(&left, report_text(server->left[i]));
	return report_merge(
		versions(),
		json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "pid", getpid(),
	                  "program", text_or_null(server->program), "config",
	                  text_or_null(server->file_given ? server->file
	                                                  : NULL),
	                  "left", left, "pools", report_list(r, running_pool),
	                  "files", files_doc(r)));
}

/* ---- the one that would start --------------------------------------------- */

static json_t *pool_doc(const struct takeover *pool)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:o}", "name",
	                 report_text(pool->name), "result",
	                 takeover_name(pool->result), "what",
	                 report_text(pool->why.what), "todo",
	                 report_text(pool->why.todo), "effect",
	                 takeover_clients(pool->result), "backing", pool->kind,
	                 "note", pool->note, "waiting",
	                 report_waiting(pool->waiting, pool->n_waiting));
}

static json_t *errors_doc(const struct config_error *errors)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < errors->n; i++)
		report_append(&list, report_text(errors->text[i]));
	return list;
}

int report_takes_over(FILE *out, const struct report_start *start,
                      const struct takeover *pools)
{
	json_t *list = json_array();
	json_t *doc;
	int r;
	for (unsigned i = 0; i < start->n; i++)
		report_append(&list, pool_doc(&pools[i]));
	doc = report_merge(
		versions(),
		json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "starts",
	                  start->lack.what[0] == '\0', "what",
	                  report_text(start->lack.what), "todo",
	                  report_text(start->lack.todo), "config",
	                  text_or_null(start->file),
	                  "errors", errors_doc(start->errors), "pools", list));
	r = doc == NULL || json_dumpf(doc, out, JSON_INDENT(1)) < 0 ? -EIO : 0;
	if (r == 0 && (fputc('\n', out) == EOF || fflush(out) != 0))
		r = -EIO;
	json_decref(doc);
	return r;
}
