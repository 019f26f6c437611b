/* SPDX-License-Identifier: MIT */
#include "daemon/watch/psi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/watch/wake.h"

#define WATCHES 8u
#define WINDOW_US 1000000u
#define LONG_WINDOW_US 2000000u /* what the unprivileged may have */
#define SPARE_PART 8u           /* of memory, and a machine is not short of it */

struct watch {
	struct psi *pressure;
	enum plan_pressure level;
	bool of_machine;
	/* Of a trigger: its file, the line in it, and how far that has to get on. */
	char path[PSI_PATH + 32];
	const char *kind; /* NULL: it is none */
	uint64_t total_us, stall_us;
	int fd;
	int epoll; /* of fd alone */
	struct event *event;
};

struct psi {
	struct psi_request want;
	struct psi_state state;
	enum plan_pressure level; /* that was told last */
	struct event *calm;
	struct watch watch[WATCHES];
	unsigned n_watches;
	int notify; /* inotify of memory.events */
	struct event *events;
	char events_path[PSI_PATH + 32];
	char meminfo[PSI_PATH];
	uint64_t counts[PLAN_FULL + 1];
	struct remedy lack;
};

/* ---- where -------------------------------------------------------------- */

static bool read_text(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, bytes - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

void psi_cgroup(char folder[PSI_PATH], const char *text, const char *mount)
{
	const char *line = text;
	int len;
	folder[0] = '\0';
	while (line != NULL && strncmp(line, "0::/", 4) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (line == NULL)
		return;
	line += 3;
	len = (int)strcspn(line, "\n");
	/* Outside of our namespace: the folder is not to be seen. */
	if (strncmp(line, "/..", 3) == 0 ||
	    snprintf(folder, PSI_PATH, "%s%.*s", mount, len, line) >= PSI_PATH)
		folder[0] = '\0';
}

void psi_find(struct psi_places *places)
{
	static const char *const mounts[] = {"/sys/fs/cgroup",
	                                     "/sys/fs/cgroup/unified"};
	char text[4096];
	char path[PSI_PATH + 32];
	snprintf(places->psi, sizeof(places->psi), "/proc/pressure/memory");
	snprintf(places->meminfo, sizeof(places->meminfo), "/proc/meminfo");
	places->cgroup[0] = '\0';
	read_text("/proc/self/cgroup", text, sizeof(text));
	for (unsigned i = 0; i < 2 && places->cgroup[0] == '\0'; i++) {
		psi_cgroup(places->cgroup, text, mounts[i]);
		snprintf(path, sizeof(path), "%s/cgroup.procs", places->cgroup);
		if (access(path, F_OK) < 0)
			places->cgroup[0] = '\0';
	}
}

/* ---- levels ------------------------------------------------------------- */

void psi_note(struct psi_state *state, enum plan_pressure level,
              int64_t until_ns)
{
	if (state->until_ns[level] < until_ns)
		state->until_ns[level] = until_ns;
}

enum plan_pressure psi_at(const struct psi_state *state, int64_t now_ns,
                          int64_t *left_ns)
{
	enum plan_pressure level = PLAN_FULL;
	while (level > PLAN_CALM && state->until_ns[level] <= now_ns)
		level--;
	*left_ns = level == PLAN_CALM ? -1 : state->until_ns[level] - now_ns;
	return level;
}

/* Tells of another level, and has the end of it looked at. */
static void settle(struct psi *p)
{
	int64_t left_ns;
	enum plan_pressure level = psi_at(&p->state, clock_ns(), &left_ns);
	if (left_ns >= 0)
		wake_start(p->calm, left_ns);
	if (level == p->level)
		return;
	p->level = level;
	p->want.changed(p->want.arg, level);
}

static void meet(struct psi *p, enum plan_pressure level)
{
	psi_note(&p->state, level, clock_ns() + p->want.stays_ns);
	settle(p);
}

static void on_calm(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	settle(arg);
}

/* ---- stalls ------------------------------------------------------------- */

static void drop(struct watch *watch)
{
	wake_free(&watch->event);
	if (watch->epoll >= 0)
		close(watch->epoll);
	if (watch->fd >= 0)
		close(watch->fd);
	*watch = (struct watch){.fd = -1, .epoll = -1};
}

uint64_t psi_total_us(const char *text, const char *kind)
{
	const char *line = strstr(text, kind);
	const char *total = line != NULL ? strstr(line, "total=") : NULL;
	return total != NULL ? strtoull(total + strlen("total="), NULL, 10) : 0;
}

/* Whether as much was stalled since the last time as the trigger is for, or half of it,
 * as the kernel adds a part of the window before. Triggers with the windows of the
 * unprivileged come for nothing, too: after some microseconds (seen with Linux 6.18). */
static bool has_stalled(struct watch *watch)
{
	char text[512];
	uint64_t before = watch->total_us;
	if (watch->kind == NULL || !read_text(watch->path, text, sizeof(text)))
		return true;
	watch->total_us = psi_total_us(text, watch->kind);
	return watch->total_us - before >= watch->stall_us / 2;
}

/* In KiB; 0: it is not said. */
static unsigned long long meminfo_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

enum plan_pressure psi_of_machine(enum plan_pressure level, const char *meminfo)
{
	bool spares = meminfo_of(meminfo, "MemAvailable:") >
	              meminfo_of(meminfo, "MemTotal:") / SPARE_PART;
	return level == PLAN_FULL && spares ? PLAN_SOME : level;
}

/* To be asked whether it happened is enough for the kernel to forget it, and
 * the loop has asked through our descriptor: being woken is the event. */
static void on_stall(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct watch *watch = arg;
	struct psi *p = watch->pressure;
	struct pollfd poll_fd = {.fd = watch->fd, .events = POLLPRI};
	enum plan_pressure level = watch->level;
	char meminfo[4096];
	if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLERR | POLLHUP)) {
		log_info("a trigger of memory pressure is gone: its cgroup was "
		         "removed");
		drop(watch);
		return;
	}
	if (!has_stalled(watch))
		return;
	if (watch->of_machine && read_text(p->meminfo, meminfo, sizeof(meminfo)))
		level = psi_of_machine(level, meminfo);
	meet(p, level);
}

/* libevent does not offer POLLPRI: a descriptor of epoll that waits for it
 * becomes readable. */
static int add_events(struct watch *watch, struct event_base *base)
{
	struct epoll_event event = {.events = EPOLLPRI};
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0 ||
	    epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return -errno;
	return wake_on_fd(&watch->event, base, watch->epoll, on_stall, watch);
}

int psi_add(struct psi *p, int fd, enum plan_pressure level)
{
	struct watch *watch = &p->watch[p->n_watches];
	int r = -ENOSPC;
	if (p->n_watches == WATCHES) {
		close(fd);
		return r;
	}
	*watch = (struct watch){
		.pressure = p, .level = level, .fd = fd, .epoll = -1};
	r = add_events(watch, p->want.base);
	if (r < 0)
		drop(watch);
	else
		p->n_watches++;
	return r;
}

/* The kernel takes text with its terminating zero, and windows of less than two
 * seconds from the privileged alone. */
static int write_trigger(int fd, const char *kind, unsigned stall_us)
{
	for (unsigned times = 1; times <= LONG_WINDOW_US / WINDOW_US; times++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "%s %u %u", kind,
		                   times * stall_us, times * WINDOW_US);
		if (write(fd, text, (size_t)len + 1) >= 0) {
			log_debug("memory pressure: trigger \"%s\"", text);
			return 0;
		}
		if (errno != EINVAL && errno != EPERM)
			break;
	}
	return -errno;
}

/* From now on. */
static void expect(struct watch *watch, const char *path, const char *kind,
                   unsigned stall_us)
{
	char text[512];
	snprintf(watch->path, sizeof(watch->path), "%s", path);
	watch->kind = kind;
	watch->stall_us = stall_us;
	if (read_text(path, text, sizeof(text)))
		watch->total_us = psi_total_us(text, kind);
}

static int watch_stall(struct psi *p, const char *path, const char *kind,
                       unsigned stall_us, enum plan_pressure level)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int r;
	if (fd < 0)
		return -errno;
	r = write_trigger(fd, kind, stall_us);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = psi_add(p, fd, level);
	if (r == 0)
		expect(&p->watch[p->n_watches - 1], path, kind, stall_us);
	return r;
}

static int watch_stalls(struct psi *p, const char *path)
{
	unsigned us = p->want.stall_ms * 1000;
	int r = watch_stall(p, path, "some", us, PLAN_SOME);
	if (r == 0)
		r = watch_stall(p, path, "full", us / 2, PLAN_FULL);
	return r;
}

/* ---- limits ------------------------------------------------------------- */

void psi_counts(const char *text, uint64_t counts[PLAN_FULL + 1])
{
	static const struct {
		const char *key;
		enum plan_pressure level;
	} keys[] = {{"high ", PLAN_SOME},
	            {"max ", PLAN_SOME},
	            {"oom ", PLAN_FULL},
	            {"oom_kill ", PLAN_FULL}};
	memset(counts, 0, (PLAN_FULL + 1) * sizeof(*counts));
	for (const char *line = text; *line != '\0';) {
		for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (strncmp(line, keys[i].key, strlen(keys[i].key)) ==
			    0)
				counts[keys[i].level] += strtoull(
				        line + strlen(keys[i].key), NULL, 10);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

static void look_at_events(struct psi *p, uint64_t *counts)
{
	char text[1024];
	read_text(p->events_path, text, sizeof(text));
	psi_counts(text, counts);
}

static void on_events(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct psi *p = arg;
	uint64_t counts[PLAN_FULL + 1];
	char buffer[4096];
	if (read(fd, buffer, sizeof(buffer)) < 0)
		return;
	look_at_events(p, counts);
	for (unsigned level = PLAN_SOME; level <= PLAN_FULL; level++)
		if (counts[level] > p->counts[level])
			meet(p, (enum plan_pressure)level);
	memcpy(p->counts, counts, sizeof(counts));
}

/* It holds what memory.events.local does, and more. */
static int watch_events(struct psi *p)
{
	snprintf(p->events_path, sizeof(p->events_path), "%s/memory.events",
	         p->want.places->cgroup);
	p->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (p->notify < 0 ||
	    inotify_add_watch(p->notify, p->events_path, IN_MODIFY) < 0)
		return -errno;
	look_at_events(p, p->counts);
	return wake_on_fd(&p->events, p->want.base, p->notify, on_events, p);
}

/* ---- all of it ---------------------------------------------------------- */

static const char *remedy_for(int error)
{
	switch (error) {
	case -ENOENT:
	case -EOPNOTSUPP:
		return "boot the kernel with psi=1 (and cgroup v2)";
	case -EROFS:
		return "leave ProtectControlGroups= of slabd.service off";
	default:
		return "give slabd CAP_SYS_RESOURCE and the right to write "
		       "to the file";
	}
}

/* The first thing that fails is what status tells. */
static void say_lack(struct psi *p, const char *whose, const char *path,
                     int error)
{
	struct remedy lack;
	remedy_set(&lack, 0, remedy_for(error), "that of %s: %.120s: %s", whose,
	           path, strerror(-error));
	log_info("memory pressure is not watched, %s; to repair it: %s",
	         lack.what, lack.todo);
	if (p->lack.what[0] == '\0')
		p->lack = lack;
}

static bool is_ours(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static int watch_machine(struct psi *p)
{
	int r = watch_stalls(p, p->want.places->psi);
	for (unsigned i = 0; i < p->n_watches; i++)
		p->watch[i].of_machine = true;
	snprintf(p->meminfo, sizeof(p->meminfo), "%s", p->want.places->meminfo);
	if (r < 0 && !is_ours(r))
		say_lack(p, "the machine", p->want.places->psi, r);
	return is_ours(r) ? r : 0;
}

static int watch_cgroup(struct psi *p)
{
	char path[PSI_PATH + 32];
	int r;
	int events;
	if (p->want.places->cgroup[0] == '\0') {
		say_lack(p, "slabd's cgroup", "no cgroup of version 2",
		         -ENOENT);
		return 0;
	}
	snprintf(path, sizeof(path), "%s/memory.pressure",
	         p->want.places->cgroup);
	r = watch_stalls(p, path);
	events = is_ours(r) ? r : watch_events(p);
	if (is_ours(events))
		return events;
	if (r < 0)
		say_lack(p, "slabd's cgroup", path, r);
	else if (events < 0 && events != -ENOENT) /* the root has no limits */
		say_lack(p, "slabd's cgroup", p->events_path, events);
	return 0;
}

int psi_open(struct psi **out, const struct psi_request *want)
{
	struct psi *p = calloc(1, sizeof(*p));
	int r;
	*out = NULL;
	if (p == NULL)
		return -ENOMEM;
	p->want = *want;
	p->notify = -1;
	if (p->want.stays_ns == 0)
		p->want.stays_ns = PSI_STAYS_NS;
	r = wake_timer(&p->calm, want->base, on_calm, p);
	if (r == 0)
		r = watch_machine(p);
	if (r == 0)
		r = watch_cgroup(p);
	p->want.places = NULL;
	if (r < 0) {
		psi_close(p);
		return r;
	}
	*out = p;
	return 0;
}

void psi_close(struct psi *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < p->n_watches; i++)
		drop(&p->watch[i]);
	wake_free(&p->events);
	if (p->notify >= 0)
		close(p->notify);
	wake_free(&p->calm);
	free(p);
}

const struct remedy *psi_lack(const struct psi *p)
{
	return &p->lack;
}
