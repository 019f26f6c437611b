/* SPDX-License-Identifier: MIT */
#include "daemon/watch/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/watch/wake.h"

#define LOOK_LINES 64u /* until it may be told to end */
#define LINE_BYTES 512u
#define CLOSE_MS 1000 /* for a thread to end */
#define TELLS 3

enum pass { PASS_NONE, PASS_CONTROLS, PASS_FILES, PASS_KEEPERS };

struct orphans {
	struct orphans_request want;
	struct event *on_ended;
	int ended; /* written to by the scan's last act */
	/* Of the loop. */
	bool runs;
	pthread_t thread;
	int64_t ended_ns; /* 0: no scan yet */
	unsigned n_found;
	struct orphan found[ORPHANS_MAX];
	/* Of both. */
	pthread_mutex_t lock;
	bool stopped;
	/* Of the scan, until it has ended. */
	enum pass pass;
	DIR *dir;      /* of all processes */
	int32_t pid;   /* that is looked at */
	FILE *maps;    /* its own; NULL: the next one is due */
	uint32_t held; /* of all: that it has mapped */
	bool again;    /* it is read for the second time */
	unsigned n;
	struct orphan all[ORPHANS_MAX];
};

/* One mapping of a memory file. */
struct mapping {
	char range[40];
	char rights[8];
	dev_t dev;
	ino_t ino;
	const char *name; /* behind "/memfd:", up to " (deleted)" */
	size_t len;
};

/* A file of another process, as this kernel has it in mind: who serves it (a file
 * system of the process's own, over the network) is not asked, as that may take
 * for ever. Memory files are known all the time. */
static bool stat_known(int dir, const char *path, struct statx *out)
{
	return statx(dir, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, out) ==
	       0;
}

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
	if (!is_control(m, pool))
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
		if (one->file[i].ino == m->ino && one->file[i].dev == m->dev)
			return;
	if (one->n_files == ORPHANS_FILES)
		return;
	snprintf(what, sizeof(what), "map_files/%s", m->range);
	path_of(o, path, sizeof(path), what);
	if (!stat_known(AT_FDCWD, path, &st))
		return;
	one->file[one->n_files].dev = m->dev;
	one->file[one->n_files].ino = m->ino;
	one->file[one->n_files++].bytes = (uint64_t)st.stx_blocks * 512;
}

/* A process's mappings come in any order, and are read twice: whose control
 * files it has, then the other files of those pools. */
static void note_file(struct orphans *o, const struct mapping *m)
{
	struct orphan *one = find(o, m);
	for (unsigned i = 0; o->again && i < o->n; i++)
		if ((o->held >> i & 1) != 0 && is_of(m, o->all[i].pool))
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

/* ---- by a thread ---------------------------------------------------------- */

/* Once all processes were looked at. Most scans end after the first pass. */
static void next_pass(struct orphans *o)
{
	static const enum pass after[] = {[PASS_CONTROLS] = PASS_KEEPERS,
	                                  [PASS_KEEPERS] = PASS_FILES,
	                                  [PASS_FILES] = PASS_NONE};
	bool any = false;
	for (unsigned i = 0; i < o->n; i++)
		any |= !o->all[i].kept;
	o->pass = any ? after[o->pass] : PASS_NONE;
	rewinddir(o->dir);
}

static void next_process(struct orphans *o)
{
	struct dirent *entry;
	char path[128];
	while ((entry = readdir(o->dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			break;
	if (entry == NULL) {
		next_pass(o);
		return;
	}
	o->pid = (int32_t)atoi(entry->d_name);
	if (o->pass == PASS_KEEPERS) {
		note_open(o);
		return;
	}
	path_of(o, path, sizeof(path), "maps");
	o->maps = fopen(path, "re");
	o->held = 0;
	o->again = false;
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

static bool is_stopped(struct orphans *o)
{
	bool stopped;
	pthread_mutex_lock(&o->lock);
	stopped = o->stopped;
	pthread_mutex_unlock(&o->lock);
	return stopped;
}

static void *scan_all(void *arg)
{
	struct orphans *o = arg;
	const uint64_t one = 1;
	int tries = TELLS;
	while (o->pass != PASS_NONE && !is_stopped(o)) {
		if (o->maps != NULL)
			look(o);
		else
			next_process(o);
	}
	while (tries-- > 0 && write(o->ended, &one, sizeof(one)) < 0)
		continue;
	return NULL;
}

/* ---- the loop's ----------------------------------------------------------- */

/* What of it is of no pool of ours. */
static uint64_t bytes_of(const struct orphans *o, const struct orphan *one)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < one->n_files; i++)
		if (!o->want.is_ours(o->want.arg, one->file[i].dev,
		                     one->file[i].ino))
			bytes += one->file[i].bytes;
	return bytes;
}

static void on_ended(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct orphans *o = arg;
	uint64_t n;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	pthread_join(o->thread, NULL);
	o->runs = false;
	closedir(o->dir);
	o->dir = NULL;
	o->n_found = 0;
	for (unsigned i = 0; i < o->n; i++) {
		struct orphan *one = &o->all[i];
		if (one->kept || one->n_pids == 0 ||
		    o->want.is_ours(o->want.arg, one->dev, one->control))
			continue;
		one->bytes = bytes_of(o, one);
		o->found[o->n_found++] = *one;
	}
	o->ended_ns = clock_ns();
	if (o->want.done != NULL)
		o->want.done(o->want.arg);
}

/* Signals are the loop's. */
static bool start_thread(struct orphans *o)
{
	sigset_t all;
	sigset_t old;
	int r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&o->thread, NULL, scan_all, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r == 0;
}

void orphans_scan(struct orphans *o, int64_t age_ns)
{
	if (o->runs || (o->ended_ns != 0 && clock_ns() - o->ended_ns < age_ns))
		return;
	o->dir = opendir(o->want.proc);
	if (o->dir == NULL)
		return;
	o->n = 0;
	o->pass = PASS_CONTROLS;
	o->runs = start_thread(o);
	if (o->runs)
		return;
	closedir(o->dir);
	o->dir = NULL;
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
	pthread_mutex_init(&o->lock, NULL);
	o->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->ended < 0)
		return -errno;
	return wake_on_fd(&o->on_ended, want->base, o->ended, on_ended, o);
}

/* Whether the thread is no more. One that the kernel keeps waiting ends with
 * slabd. */
static bool end_thread(struct orphans *o)
{
	struct pollfd at = {.fd = o->ended, .events = POLLIN};
	pthread_mutex_lock(&o->lock);
	o->stopped = true;
	pthread_mutex_unlock(&o->lock);
	if (poll(&at, 1, CLOSE_MS) == 1)
		return pthread_join(o->thread, NULL) == 0;
	pthread_detach(o->thread);
	return false;
}

void orphans_close(struct orphans *o)
{
	if (o == NULL)
		return;
	wake_free(&o->on_ended);
	/* It may still use what is o's. */
	if (o->runs && !end_thread(o))
		return;
	if (o->maps != NULL)
		fclose(o->maps);
	if (o->dir != NULL)
		closedir(o->dir);
	if (o->ended >= 0)
		close(o->ended);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
