/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/child.h"

#define SCHEMA 1
#define FILES_MAX 1200u
#define NAMES_MAX (64u << 10)
#define LEAVE "leave slabd running until that is known"

struct upgrade {
	const json_t *doc;   /* of the slabd that runs */
	const char *program; /* of the other one */
	int fds[FILES_MAX];
	unsigned n_fds;
	char names[NAMES_MAX];
	struct ctl_http_fault *fault;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct upgrade *u, const char *remedy, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(u->fault->what, sizeof(u->fault->what), format, ap);
	va_end(ap);
	snprintf(u->fault->remedy, sizeof(u->fault->remedy), "%s", remedy);
	return -1;
}

static json_int_t number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

static const char *text(const json_t *doc, const char *key)
{
	const char *value = json_string_value(json_object_get(doc, key));
	return value != NULL ? value : "";
}

/* ---- what is passed ------------------------------------------------------- */

static int say_foreign(struct upgrade *u)
{
	return fail(u, "run slabctl where slabd runs, in its container",
	            "slabd's process %lld is another one here, or has ended",
	            (long long)number(u->doc, "pid"));
}

static int add_file(struct upgrade *u, const json_t *file)
{
	const char *name = text(file, "name");
	size_t at = strlen(u->names);
	char path[64];
	struct stat st;
	int fd;
	if (u->n_fds == FILES_MAX || at + strlen(name) + 2 > sizeof(u->names))
		return fail(u, "", "slabd has more files than slabctl can pass");
	snprintf(path, sizeof(path), "/proc/%lld/fd/%lld",
	         (long long)number(u->doc, "pid"),
	         (long long)number(file, "fd"));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return fail(u, "run it as root, or as the user that slabd runs as",
		            "the files of slabd can't be looked at: %s",
		            strerror(errno));
	if (fd < 0)
		return say_foreign(u);
	u->fds[u->n_fds++] = fd;
	if (fstat(fd, &st) < 0 ||
	    (json_int_t)st.st_ino != number(file, "inode") ||
	    (json_int_t)st.st_dev != number(file, "device"))
		return say_foreign(u);
	snprintf(u->names + at, sizeof(u->names) - at, "%s%s",
	         at > 0 ? ":" : "", name);
	return 0;
}

static int open_files(struct upgrade *u)
{
	size_t i;
	json_t *file;
	json_array_foreach(json_object_get(u->doc, "files"), i, file)
		if (add_file(u, file) < 0)
			return -1;
	return 0;
}

static void close_files(struct upgrade *u)
{
	while (u->n_fds > 0)
		close(u->fds[--u->n_fds]);
}

/* ---- the other program ---------------------------------------------------- */

static int find_program(struct upgrade *u, const char *given)
{
	struct stat st;
	u->program = given != NULL ? given : text(u->doc, "program");
	if (*u->program == '\0')
		return fail(u, "give it with --slabd PATH",
		            "slabd does not say which program it was started "
		            "from");
	if (stat(u->program, &st) < 0)
		return fail(u, given != NULL
		                       ? "give slabd's own path with --slabd"
		                       : "install slabd, or give it with --slabd "
		                         "PATH; until then a restart ends with "
		                         "no slabd",
		            "%s can't be found: %s", u->program,
		            strerror(errno));
	if (!S_ISREG(st.st_mode) || access(u->program, X_OK) < 0)
		return fail(u, "give slabd's own path with --slabd, or install it "
		               "anew",
		            "%s is no program that can be run", u->program);
	return 0;
}

/* The last line, without its end. */
static const char *last_line(char *said)
{
	size_t n = strlen(said);
	char *line;
	while (n > 0 && said[n - 1] == '\n')
		said[--n] = '\0';
	line = strrchr(said, '\n');
	return line != NULL ? line + 1 : said;
}

static int say_failed(struct upgrade *u, struct ctl_child *child)
{
	const char *line = last_line(child->said);
	const char *of = *line ? ": " : "";
	if (child->end == CTL_CHILD_LATE)
		return fail(u, LEAVE, "%s --takes-over gave no answer in %g s, "
		            "and was ended%s%.200s", u->program,
		            child->limit_ms / 1000.0, of, line);
	if (child->end == CTL_CHILD_LONG)
		return fail(u, "give slabd's own path with --slabd",
		            "%s --takes-over does not end its answer",
		            u->program);
	if (child->end == CTL_CHILD_NO_START)
		return fail(u, "give slabd's own path with --slabd, or install it "
		               "anew",
		            "%s can't be run: %s", u->program,
		            strerror(child->number));
	if (child->end == CTL_CHILD_KILLED)
		return fail(u, LEAVE, "%s --takes-over crashed, by signal %d "
		            "(%s)%s%.200s", u->program, child->number,
		            strsignal(child->number), of, line);
	if (child->number == 2 && strstr(child->said, "--takes-over"))
		return fail(u, "a restart may take the memory over or not: its "
		               "log says which; " LEAVE,
		            "%s does not know --takes-over: it is no slabd, or "
		            "an older one", u->program);
	return fail(u, LEAVE, "%s --takes-over ended with status %d%s%.200s",
	            u->program, child->number, of, line);
}

static json_t *read_answer(struct upgrade *u, struct ctl_child *child)
{
	json_t *doc = NULL;
	if (child->end == CTL_CHILD_ENDED && child->number == 0)
		doc = json_loads(child->out, 0, NULL);
	else
		say_failed(u, child);
	if (doc != NULL && number(doc, "schema") != SCHEMA)
		fail(u, "use the slabctl of that version",
		     "the answer of %s --takes-over is of schema %lld, and "
		     "slabctl knows %d", u->program,
		     (long long)number(doc, "schema"), SCHEMA);
	else if (doc != NULL)
		return doc;
	else if (child->end == CTL_CHILD_ENDED && child->number == 0)
		fail(u, "give slabd's own path with --slabd",
		     "what %s --takes-over says is no answer of slabd's",
		     u->program);
	json_decref(doc);
	return NULL;
}

/* Its answer, or NULL with the fault. */
static json_t *ask(struct upgrade *u, unsigned limit_ms)
{
	static char takes_over[] = "--takes-over";
	static char option[] = "--config";
	char *config = strdup(text(u->doc, "config"));
	char *program = strdup(u->program);
	char *argv[] = {program, takes_over, option, config, NULL};
	struct ctl_child child = {.argv = argv,
	                          .fds = u->fds,
	                          .n_fds = u->n_fds,
	                          .names = u->names,
	                          .limit_ms = limit_ms};
	json_t *answer = NULL;
	int r = config == NULL || program == NULL ? -ENOMEM : 0;
	if (r == 0 && *config == '\0')
		argv[2] = NULL;
	if (r == 0)
		r = ctl_child_run(&child);
	if (r == 0) {
		answer = read_answer(u, &child);
		free(child.out);
	} else {
		fail(u, "", "can't start %s: %s", u->program, strerror(-r));
	}
	free(config);
	free(program);
	return answer;
}

/* ---- both in one ---------------------------------------------------------- */

static json_t *pick(const json_t *from, const char *const *key)
{
	json_t *to = json_object();
	for (; *key; key++)
		json_object_set(to, *key, json_object_get(from, *key));
	return to;
}

static json_t *pool_of(const json_t *doc, const char *name)
{
	size_t i;
	json_t *pool;
	json_array_foreach(json_object_get(doc, "pools"), i, pool)
		if (strcmp(text(pool, "name"), name) == 0)
			return pool;
	return NULL;
}

static bool is_taken(const json_t *row)
{
	const char *result = text(row, "result");
	return strcmp(result, "taken-over") == 0 ||
	       strcmp(result, "leaving") == 0;
}

/* A pool that runs, of which the other program says this, or nothing. */
static json_t *row_of(const json_t *pool, const json_t *said)
{
	static const char *const keys[] = {"result", "what",    "todo", "effect",
	                                   "backing", "note", "waiting", NULL};
	const char *const name = text(pool, "name");
	bool kept = json_is_true(json_object_get(pool, "kept"));
	json_t *row;
	if (kept && said != NULL)
		row = pick(said, keys);
	else
		row = json_pack(
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:[]}", "result", "lost",
			"what", kept ? "the other slabd would not have it"
		                     : "no service manager keeps all of its "
		                       "files",
			"todo", kept ? "" : "have systemd or slabd --supervise run "
		                            "slabd, with room for its "
		                            "descriptors",
			"effect", "they keep what they have until they close the "
		                  "pool", "backing", "", "note", "", "waiting");
	json_object_set_new(row, "name", json_string(name));
	json_object_set(row, "clients", json_object_get(pool, "clients"));
	return row;
}

static json_t *rows_of(const struct upgrade *u, const json_t *answer, bool *all)
{
	json_t *rows = json_array();
	size_t i;
	json_t *pool;
	json_array_foreach(json_object_get(u->doc, "pools"), i, pool)
	{
		json_t *row = row_of(pool, pool_of(answer, text(pool, "name")));
		*all &= is_taken(row);
		json_array_append_new(rows, row);
	}
	json_array_foreach(json_object_get(answer, "pools"), i, pool)
	{
		json_t *row;
		if (pool_of(u->doc, text(pool, "name")) != NULL)
			continue;
		row = json_copy(pool);
		json_object_set_new(row, "clients", json_integer(0));
		json_array_append_new(rows, row);
	}
	return rows;
}

__attribute__((format(printf, 3, 4)))
static void remark(json_t *remarks, const char *todo, const char *format, ...)
{
	char what[600];
	va_list ap;
	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	json_array_append_new(remarks, json_pack("{s:s, s:s}", "what", what,
	                                         "todo", todo));
}

static json_t *remarks_of(const struct upgrade *u, const json_t *answer,
                          bool *all)
{
	json_t *remarks = json_array();
	json_int_t has = number(u->doc, "wire_abi");
	json_int_t knows = number(answer, "wire_abi");
	size_t i;
	json_t *item;
	if (!json_is_true(json_object_get(answer, "starts"))) {
		*all = false;
		remark(remarks, text(answer, "todo"), "it would not start: %s",
		       text(answer, "what"));
	} else if (json_array_size(json_object_get(answer, "errors")) > 0) {
		remark(remarks, "repair the file",
		       "the configuration has errors: it would go on with the "
		       "one that slabd ran with before");
	}
	json_array_foreach(json_object_get(answer, "errors"), i, item)
		remark(remarks, "", "%s", json_string_value(item));
	if (has != knows) {
		*all = false;
		remark(remarks, "start the clients anew with the library of that "
		       "version, then restart slabd",
		       "clients speak ABI %lld, and it speaks ABI %lld: they keep "
		       "what they have, and get no more",
		       (long long)has, (long long)knows);
	}
	json_array_foreach(json_object_get(u->doc, "left"), i, item)
		remark(remarks, "",
		       "pool %s was left as it was by the slabd that runs: it is "
		       "not known whether this one takes it over",
		       json_string_value(item));
	return remarks;
}

static void combine(const struct upgrade *u, json_t *doc, const json_t *answer)
{
	static const char *const running[] = {"pid", "version", "layout_version",
	                                      "ledger_version", "wire_abi", NULL};
	static const char *const other[] = {"version", "layout_version",
	                                    "ledger_version", "wire_abi",
	                                    "config", NULL};
	json_t *whole = json_pack("{s:i, s:b, s:o, s:o}", "schema", SCHEMA,
	                          "takes_over", 0, "running",
	                          pick(doc, running), "installed",
	                          pick(answer, other));
	bool all = true;
	json_object_set_new(json_object_get(whole, "installed"), "program",
	                    json_string(u->program));
	json_object_set_new(whole, "remarks", remarks_of(u, answer, &all));
	json_object_set_new(whole, "pools", rows_of(u, answer, &all));
	json_object_set_new(whole, "takes_over", json_boolean(all));
	json_object_clear(doc);
	json_object_update(doc, whole);
	json_decref(whole);
}

int ctl_upgrade(json_t *doc, uid_t owner, const char *program,
                unsigned limit_ms, struct ctl_http_fault *fault)
{
	static struct upgrade u;
	json_t *answer = NULL;
	u = (struct upgrade){.doc = doc, .fault = fault};
	if (owner != 0 && owner != geteuid())
		return fail(&u, "run slabctl upgrade as that user",
		            "slabd's socket is of user %lu, and slabctl runs "
		            "programs of root's slabd and your own alone",
		            (unsigned long)owner);
	if (number(doc, "schema") != SCHEMA)
		return fail(&u, CTL_HTTP_OTHER_VERSION,
		            "slabd's answer can't be read");
	if (find_program(&u, program) == 0 && open_files(&u) == 0)
		answer = ask(&u, limit_ms);
	close_files(&u);
	if (answer == NULL)
		return -1;
	combine(&u, doc, answer);
	json_decref(answer);
	return 0;
}
