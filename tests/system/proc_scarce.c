/* SPDX-License-Identifier: MIT */
/*
 * Hugepages run out while slabd grows under its clients' load: none is left in
 * the system, or slabd's control group may have no more. Who asks for memory is
 * refused in bounded time, slabd says why, nothing is lost, and the pool grows
 * on as soon as there are pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/huge.h"
#include "tests/lib/doctor.h"
#include "tests/lib/harness.h"

#define SIZE 4000
#define CLIENTS 3
#define OBJECTS (1u << 17) /* of a client: half of max */
#define SHORT_MS 500       /* it goes on asking when it was refused */
#define MORE 600           /* objects of a client when there are pages again */
#define PAGE_BYTES (2ll << 20)
#define START_PAGES 2
#define LEFT_PAGES 4 /* beyond those */
#define MORE_PAGES (CLIENTS * MORE * SIZE / PAGE_BYTES + CLIENTS + 4)
#define TRIES 5

static struct fixture fixture;
static struct child clients[CLIENTS];

/* ---- clients
 * -------------------------------------------------------------- */

struct load {
	uint32_t *all[OBJECTS];
	uint32_t n;
	unsigned refused;
	unsigned wrong; /* errors but slabd's answer that the pool is full */
};

static void try_one(struct load *load, slabd_cache *cache)
{
	uint32_t *object = load->n < OBJECTS ? slabd_alloc(cache) : NULL;
	if (object == NULL) {
		load->refused++;
		load->wrong += errno != ENOMEM ||
		               strstr(slabd_last_error(), "full") == NULL;
		return;
	}
	for (uint32_t i = 0; i < SIZE / sizeof(*object); i++)
		object[i] = load->n * 31 + i;
	load->all[load->n++] = object;
}

/* Until the pool was full for a while. */
static void use_up(struct load *load, slabd_cache *cache)
{
	double until = 0;
	while (until == 0 || now_ms() < until) {
		try_one(load, cache);
		if (load->refused > 0 && until == 0)
			until = now_ms() + SHORT_MS;
	}
}

static unsigned count_changed(const struct load *load)
{
	unsigned changed = 0;
	for (uint32_t k = 0; k < load->n; k++)
		for (uint32_t i = 0; i < SIZE / sizeof(uint32_t); i++)
			changed += load->all[k][i] != k * 31 + i;
	return changed;
}

static void client(int fd, void *arg)
{
	static struct load load;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "scarce", SIZE);
	double since;
	uint32_t before;
	(void)arg;
	hear(fd);
	use_up(&load, cache);
	tap_ok(load.wrong == 0,
	       "a client is refused with ENOMEM, and waits in vain for none");
	tap_note("%u objects, then %u times: %s", load.n, load.refused,
	         slabd_last_error());
	say(fd, load.n);
	hear(fd);
	before = load.n;
	since = now_ms();
	while (load.n < before + MORE && now_ms() < since + SURELY_MS)
		try_one(&load, cache);
	tap_is(load.n - before, MORE,
	       "and gets memory when there is some again");
	tap_note("after %.0f ms", now_ms() - since);
	tap_is(count_changed(&load), 0, "none of its objects has changed");
	say(fd, load.n);
	hear(fd);
	slabd_free_bulk(cache, load.n, (void **)load.all);
	tap_is(slabd_close(pool), 0, "it closes");
}

static long long hear_all(void)
{
	long long n = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		n += (long long)hear(clients[i].fd);
	return n;
}

static void say_all(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		say(clients[i].fd, 1);
}

/* ---- slabd
 * ---------------------------------------------------------------- */

static bool has_hugepages(void)
{
	json_t *doc = fixture_get(&fixture, "/nodes");
	const char *backing =
	        json_string_value(json_at(doc, "pools.0.nodes.0.backing"));
	bool has = backing != NULL && strcmp(backing, "2m") == 0;
	json_decref(doc);
	return has;
}

/* Why the pool does not grow, as slabctl nodes shows it; nothing when it has
 * grown since, with pages of somebody else's that came free. */
static void expect_reason(const char *word)
{
	long long ready =
		fixture_number(&fixture, "/status", "pools.0.ready_bytes");
	json_t *doc = fixture_get(&fixture, "/nodes");
	const char *reason =
	        json_string_value(json_at(doc, "pools.0.nodes.0.reason"));
	const char *remedy =
	        json_string_value(json_at(doc, "pools.0.nodes.0.remedy"));
	if (reason != NULL && *reason == '\0' &&
	    ready > (START_PAGES + LEFT_PAGES) * PAGE_BYTES)
		tap_skip("others' hugepages came free",
		         "slabctl nodes says why");
	else
		tap_ok(reason != NULL && strstr(reason, word) != NULL &&
		               remedy != NULL && *remedy != '\0',
		       "slabctl nodes says why, and what would help");
	tap_note("%lld bytes; %s; %s", ready, reason ? reason : "-",
	         remedy ? remedy : "-");
	tap_ok(fixture_logged(&fixture, "does not grow") &&
	               fixture_logged(&fixture, word),
	       "the log says why");
	json_decref(doc);
}

/* more gives slabd pages again, and is asked until the pool grows. */
static void go_through(bool (*more)(void), const char *word)
{
	long long taken;
	for (unsigned i = 0; i < CLIENTS; i++)
		child_start(&clients[i], client, NULL);
	say_all();
	taken = hear_all();
	tap_ok(taken > 0, "%d clients took all there was", CLIENTS);
	tap_is(fixture_used(&fixture), fixture_owned(&fixture),
	       "all that is in use is theirs");
	tap_ok(fixture_owned(&fixture) >= taken,
	       "with what their magazines hold");
	fixture_audit(&fixture, "without hugepages");
	expect_reason(word);
	tap_ok(doctor_says(&fixture, "clients get no memory for cache", "now"),
	       "the doctor says so");
	tap_ok(doctor_says(&fixture, word, "soon"), "and why");
	tap_ok(more(), "there are pages again");
	say_all();
	tap_is(hear_all(), taken + CLIENTS * MORE, "all get what they ask for");
	fixture_audit(&fixture, "with hugepages again");
	say_all();
	for (unsigned i = 0; i < CLIENTS; i++)
		child_end(&clients[i], "a client ends well");
	tap_ok(fixture_until(&fixture, "/audit", "pools.0.owned", 0,
	                     SURELY_MS) >= 0,
	       "nothing is owned in the end");
	fixture_audit(&fixture, "in the end");
}

/* ---- none left in the system
 * ---------------------------------------------- */

static uint64_t ours;
static char *held; /* of these, what slabd is to have later */

static bool reserve(uint64_t n)
{
	uint64_t got = 0;
	int r = huge_reserve(NULL, HUGE_ANY_NODE, 21, n, &got);
	ours += got;
	return r == 0 && got == n;
}

/* They are there from the start: later the kernel might find none. No child is
 * to keep them. */
static bool hold(void)
{
	size_t bytes = MORE_PAGES * PAGE_BYTES;
	held = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	            MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (held != MAP_FAILED && madvise(held, bytes, MADV_DONTFORK) == 0)
		return true;
	held = held == MAP_FAILED ? NULL : held;
	return false;
}

static bool let_go(void)
{
	bool good = held != NULL && munmap(held, MORE_PAGES * PAGE_BYTES) == 0;
	held = NULL;
	return good;
}

static void give_back(void)
{
	uint64_t gone = 0;
	let_go();
	huge_release(NULL, HUGE_ANY_NODE, 21, ours, &gone);
	ours -= gone;
	/* Somebody took them: the kernel has them back when he lets go. */
	if (ours > 0)
		huge_owe(NULL, HUGE_ANY_NODE, 21, ours);
	ours = 0;
}

static const char *start_without_reserve(void)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (!reserve(START_PAGES + LEFT_PAGES + MORE_PAGES) ||
		    !hold()) {
			give_back();
			return "no hugepages are to be had";
		}
		fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
		               "[pool default]\npage = 2m\nstart = %dM\n"
		               "max = 1G\n", 2 * START_PAGES);
		fixture.huge = false; /* they are ours */
		if (has_hugepages())
			return NULL;
		fixture_close(&fixture);
		give_back();
	}
	return "others take the hugepages";
}

static void test_none_left(void)
{
	const char *why = start_without_reserve();
	if (why != NULL) {
		tap_skip(why, "no hugepage is left in the system");
		return;
	}
	go_through(let_go, "hugepage");
	fixture_close(&fixture);
	give_back();
}

/* ---- a limit
 * -------------------------------------------------------------- */

static char group[128];
static bool groups_changed;

static bool put(const char *file, const char *text)
{
	char path[256];
	int fd;
	ssize_t n = -1;
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	return n == (ssize_t)strlen(text);
}

static bool has(const char *file, const char *word)
{
	char path[256];
	char text[256] = "";
	FILE *from;
	snprintf(path, sizeof(path), "%s/%s", group, file);
	from = fopen(path, "re");
	if (from == NULL)
		return false;
	if (fgets(text, sizeof(text), from) == NULL)
		*text = '\0';
	fclose(from);
	return strstr(text, word) != NULL;
}

static bool limit_to(uint64_t pages)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)pages << 21);
	return put("hugetlb.2MB.max", text);
}

static bool raise_limit(void)
{
	return put("hugetlb.2MB.max", "max");
}

/* Where groups of version 2 are, with hugepages among what they limit. */
static bool find_groups(void)
{
	static const char *const at[] = {"/sys/fs/cgroup",
	                                 "/sys/fs/cgroup/unified"};
	for (unsigned i = 0; i < 2; i++) {
		strcpy(group, at[i]);
		if (has("cgroup.subtree_control", "hugetlb"))
			return true;
		groups_changed = put("cgroup.subtree_control", "+hugetlb");
		if (groups_changed)
			return true;
	}
	return false;
}

static bool make_group(void)
{
	size_t n;
	if (!find_groups())
		return false;
	n = strlen(group);
	snprintf(group + n, sizeof(group) - n, "/slabd-test-%d", (int)getpid());
	return mkdir(group, 0755) == 0;
}

/* In the process that is to become slabd. */
static void enter_group(void)
{
	if (!put("cgroup.procs", "0"))
		_exit(96);
}

static void remove_group(void)
{
	double until = now_ms() + SURELY_MS;
	while (rmdir(group) < 0 && errno != ENOENT && now_ms() < until)
		sleep_ms(10);
	*strrchr(group, '/') = '\0';
	if (groups_changed)
		put("cgroup.subtree_control", "-hugetlb");
}

static const char *start_limited(void)
{
	if (!make_group() || !limit_to(START_PAGES + LEFT_PAGES))
		return "no control groups of version 2 for hugepages";
	fixture_make(&fixture,
	             "[pool default]\npage = 2m\nstart = %dM\nmax = 1G\n",
	             2 * START_PAGES);
	fixture_spawn(&fixture, enter_group);
	if (!fixture_ready(&fixture))
		tap_bail("slabd does not start");
	if (has_hugepages())
		return NULL;
	fixture_close(&fixture);
	return "no hugepages are to be had";
}

static void test_limit(void)
{
	const char *why = start_limited();
	if (why != NULL) {
		tap_skip(why, "slabd's group may have no more hugepages");
	} else {
		go_through(raise_limit, "control group");
		fixture_close(&fixture);
	}
	remove_group();
}

int main(void)
{
	tap_start(300);
	test_none_left();
	test_limit();
	return tap_end();
}
