/* SPDX-License-Identifier: MIT */
#include "daemon/watch/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/watch/wake.h"

#define SLICE_NS CLOCK_MS
#define LOOK_LINES 64u /* between two looks at the clock */
#define LINE_BYTES 512u

enum pass { PASS_NONE, PASS_CONTROLS, PASS_FILES, PASS_KEEPERS };

struct orphans {
	struct orphans_request want;
	struct event *timer;
	enum pass pass;
	DIR *dir;         /* of all processes */
	int32_t pid;      /* that is looked at */
	FILE *maps;       /* its own; NULL: the next one is due */
	uint32_t held;    /* of all: that it has mapped */
	bool again;       /* it is read for the second time */
	int64_t ended_ns; /* 0: no scan yet */
	unsigned n;
	struct orphan all[ORPHANS_MAX]; /* of the scan under way */
	unsigned n_found;
	struct orphan found[ORPHANS_MAX];
};

/* A file of another process, as this kernel has it in mind: who serves it (a file
 * system of the process's own, over the network) is not asked, as that may take
 * for ever. Memory files are known all the time. */
static bool stat_known(int dir, const char *path, struct statx *out)
{
	return statx(dir, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, out) ==
	       0;
}

/* One mapping of a memory file. */
struct mapping {
	char range[40];
	char rights[8];
	dev_t dev;
	ino_t ino;
	const char *name; /* behind "/memfd:", up to " (deleted)" */
	size_t len;
};

static bool read_mapping(const char *line, struct mapping *out)
{
	unsigned major;
	unsigned minor;
	unsigned long ino;
	const char *name = strstr(line, "/memfd:");
	const char *end;
	if (name == NULL || sscanf(line, "%39s %7s %*s %x:%x %lu", out->range,
	                           out->rights, &major, &minor, &ino) != 5)
		return false;
	out->name = name + strlen("/memfd:");
	end = strstr(out->name, " (deleted)");
	out->len = end != NULL ? (size_t)(end - out->name)
	                       : strcspn(out->name, "\n");
	out->dev = makedev(major, minor);
	out->ino = ino;
	return true;
}

/* The pool in "slabd-POOL-control". */
static bool is_control(const struct mapping *m, char pool[64])
{
	static const char head[] = "slabd-";
	static const char tail[] = "-control";
	size_t around = strlen(head) + strlen(tail);
	if (m->len <= around || m->len - around >= 64 ||
	    strncmp(m->name, head, strlen(head)) != 0 ||
	    strncmp(m->name + m->len - strlen(tail), tail, strlen(tail)) != 0)
		return false;
	memcpy(pool, m->name + strlen(head), m->len - around);
	pool[m->len - around] = '\0';
	return true;
}

/* Whether a file is one of the pool's: slabd-POOL-control, slabd-POOL-shared,
 * POOL-nodeN. */
static bool is_of(const struct mapping *m, const char *pool)
{
	size_t n = strlen(pool);
	const char *rest = m->name;
	if (strncmp(rest, "slabd-", 6) == 0 &&
	    strncmp(rest + 6, pool, n) == 0 &&
	    (strncmp(rest + 6 + n, "-control", 8) == 0 ||
	     strncmp(rest + 6 + n, "-shared", 7) == 0))
		return true;
	return strncmp(rest, pool, n) == 0 &&
	       strncmp(rest + n, "-node", 5) == 0;
}

/* ---- control files -------------------------------------------------------- */

static struct orphan *find(struct orphans *o, const struct mapping *m)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->all[i].control == m->ino && o->all[i].dev == m->dev)
			return &o->all[i];
	return NULL;
}

static void note_control(struct orphans *o, const struct mapping *m)
{
	char pool[64];
	struct orphan *one;
	if (!is_control(m, pool) ||
	    o->want.is_ours(o->want.arg, m->dev, m->ino))
		return;
	one = find(o, m);
	if (one == NULL) {
		if (o->n == ORPHANS_MAX)
			return;
		one = &o->all[o->n++];
		*one = (struct orphan){.dev = m->dev, .control = m->ino};
		memcpy(one->pool, pool, sizeof(pool));
	}
	one->kept |= m->rights[1] == 'w';
}

/* ---- what they hold ------------------------------------------------------- */

static void path_of(const struct orphans *o, char *path, size_t bytes,
                    const char *what)
{
	snprintf(path, bytes, "%s/%d/%s", o->want.proc, (int)o->pid, what);
}

static void add_pid(struct orphans *o, struct orphan *one)
{
	unsigned at = one->n_pids++;
	char path[128];
	FILE *file;
	if (at >= ORPHANS_PIDS)
		return;
	one->pid[at] = o->pid;
	path_of(o, path, sizeof(path), "comm");
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(one->name[at], sizeof(one->name[at]), file) != NULL)
		one->name[at][strcspn(one->name[at], "\n")] = '\0';
	fclose(file);
}

static void add_file(struct orphans *o, struct orphan *one,
                     const struct mapping *m)
{
	char what[64];
	char path[128];
	struct statx st;
	for (unsigned i = 0; i < one->n_files; i++)
		if (one->file[i] == m->ino)
			return;
	if (one->n_files == ORPHANS_FILES)
		return;
	snprintf(what, sizeof(what), "map_files/%s", m->range);
	path_of(o, path, sizeof(path), what);
	if (!stat_known(AT_FDCWD, path, &st))
		return;
	one->file[one->n_files++] = m->ino;
	one->bytes += (uint64_t)st.stx_blocks * 512;
}

/* A process's mappings come in any order, and are read twice: whose control
 * files it has, then the other files of those pools. */
static void note_file(struct orphans *o, const struct mapping *m)
{
	struct orphan *one = find(o, m);
	for (unsigned i = 0; o->again && i < o->n; i++)
		if ((o->held >> i & 1) != 0 && is_of(m, o->all[i].pool) &&
		    !o->want.is_ours(o->want.arg, m->dev, m->ino))
			add_file(o, &o->all[i], m);
	if (o->again || one == NULL || one->kept ||
	    (o->held >> (one - o->all) & 1) != 0)
		return;
	o->held |= 1u << (one - o->all);
	add_pid(o, one);
}

/* ---- who keeps them ------------------------------------------------------- */

/* By its name alone, which nobody has to be asked for. */
static bool may_be_control(int dir, const char *name)
{
	char link[256];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return strstr(link, "slabd-") != NULL &&
	       strstr(link, "-control") != NULL;
}

static void note_open(struct orphans *o)
{
	char path[128];
	struct dirent *entry;
	DIR *dir;
	path_of(o, path, sizeof(path), "fd");
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct mapping m = {0};
		struct orphan *one;
		struct statx st;
		if (!may_be_control(dirfd(dir), entry->d_name) ||
		    !stat_known(dirfd(dir), entry->d_name, &st))
			continue;
		m.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
		m.ino = st.stx_ino;
		one = find(o, &m);
		if (one != NULL)
			one->kept = true;
	}
	if (dir != NULL)
		closedir(dir);
}

/* ---- in slices ------------------------------------------------------------ */

static void end_scan(struct orphans *o)
{
	o->n_found = 0;
	for (unsigned i = 0; i < o->n; i++)
		if (!o->all[i].kept && o->all[i].n_pids > 0)
			o->found[o->n_found++] = o->all[i];
	o->pass = PASS_NONE;
	o->ended_ns = clock_ns();
	closedir(o->dir);
	o->dir = NULL;
	if (o->want.done != NULL)
		o->want.done(o->want.arg);
}

/* Once all processes were looked at. Most scans end after the first pass. */
static bool next_pass(struct orphans *o)
{
	static const enum pass after[] = {[PASS_CONTROLS] = PASS_KEEPERS,
	                                  [PASS_KEEPERS] = PASS_FILES,
	                                  [PASS_FILES] = PASS_NONE};
	bool any = false;
	for (unsigned i = 0; i < o->n; i++)
		any |= !o->all[i].kept;
	o->pass = any ? after[o->pass] : PASS_NONE;
	if (o->pass == PASS_NONE) {
		end_scan(o);
		return false;
	}
	rewinddir(o->dir);
	return true;
}

/* False: there was none left. */
static bool next_process(struct orphans *o)
{
	struct dirent *entry;
	char path[128];
	while ((entry = readdir(o->dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			break;
	if (entry == NULL)
		return next_pass(o);
	o->pid = (int32_t)atoi(entry->d_name);
	if (o->pass == PASS_KEEPERS) {
		note_open(o);
		return true;
	}
	path_of(o, path, sizeof(path), "maps");
	o->maps = fopen(path, "re");
	o->held = 0;
	o->again = false;
	return true;
}

static void end_maps(struct orphans *o)
{
	if (o->held != 0 && !o->again) {
		o->again = true;
		rewind(o->maps);
		return;
	}
	fclose(o->maps);
	o->maps = NULL;
}

/* Some lines of a process; what can't be read is none of ours to see. */
static void look(struct orphans *o)
{
	char line[LINE_BYTES];
	struct mapping m;
	for (unsigned i = 0; i < LOOK_LINES; i++) {
		if (fgets(line, sizeof(line), o->maps) == NULL) {
			end_maps(o);
			return;
		}
		if (!read_mapping(line, &m))
			continue;
		if (o->pass == PASS_CONTROLS)
			note_control(o, &m);
		else
			note_file(o, &m);
	}
}

static void on_slice(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct orphans *o = arg;
	int64_t until_ns = clock_ns() + SLICE_NS;
	while (o->pass != PASS_NONE) {
		if (o->maps != NULL)
			look(o);
		else if (!next_process(o))
			return;
		if (clock_ns() >= until_ns) {
			wake_set(o->timer, SLICE_NS);
			return;
		}
	}
}

void orphans_scan(struct orphans *o, int64_t age_ns)
{
	if (o->pass != PASS_NONE ||
	    (o->ended_ns != 0 && clock_ns() - o->ended_ns < age_ns))
		return;
	o->dir = opendir(o->want.proc);
	if (o->dir == NULL)
		return;
	o->n = 0;
	o->pass = PASS_CONTROLS;
	wake_set(o->timer, 0);
}

const struct orphan *orphans_found(const struct orphans *o, unsigned *n)
{
	*n = o->n_found;
	return o->found;
}

int orphans_open(struct orphans **out, const struct orphans_request *want)
{
	struct orphans *o = calloc(1, sizeof(*o));
	*out = o;
	if (o == NULL)
		return -ENOMEM;
	o->want = *want;
	if (o->want.proc == NULL)
		o->want.proc = "/proc";
	return wake_timer(&o->timer, want->base, on_slice, o);
}

void orphans_close(struct orphans *o)
{
	if (o == NULL)
		return;
	wake_free(&o->timer);
	if (o->maps != NULL)
		fclose(o->maps);
	if (o->dir != NULL)
		closedir(o->dir);
	free(o);
}
