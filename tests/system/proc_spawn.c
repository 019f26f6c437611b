/* SPDX-License-Identifier: MIT */
/* Clients that start other programs, become one, leave a child behind, or end a
 * thread in the middle of a shortage. tests/system/proc_fork.c has the plain
 * cases. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "shm/partial.h"
#include "tests/lib/churn.h"
#include "tests/lib/raw.h"

#define SIZE 96
#define N 400
#define THREADS 2
#define SPAWNS 40
#define EXECS 20
#define CANCELS 20
#define WAIT_MS 30

extern char **environ;

static struct fixture fixture;
static slabd_pool *pool;
static slabd_cache *cache;
static uint64_t *live[N];

static void open_alone(unsigned wait_ms)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	if (wait_ms != 0)
		options.wait_ms = wait_ms;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "records", SIZE);
}

static void fill_live(void)
{
	for (unsigned i = 0; i < N; i++) {
		double until = now_ms() + SURELY_MS;
		/* Its wait may be shorter than slabd's for a processor. */
		while ((live[i] = slabd_alloc(cache)) == NULL &&
		       now_ms() < until)
			continue;
		if (live[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*live[i] = i * 31;
	}
}

static unsigned count_live(void)
{
	unsigned good = 0;
	for (unsigned i = 0; i < N; i++)
		good += live[i] != NULL && *live[i] == i * 31;
	return good;
}

/* ---- other programs ----------------------------------------------------- */

static int status_of(pid_t pid)
{
	int status = -1;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int spawn_true(void)
{
	char *const args[] = {"true", NULL};
	pid_t pid;
	if (posix_spawnp(&pid, "true", NULL, NULL, args, environ) != 0)
		return -1;
	return status_of(pid);
}

/* The child runs in the parent's memory, magazines and all, until its exec. */
static int vfork_and(const char *path)
{
	pid_t pid = vfork();
	if (pid == 0) {
		execl(path, path, "-c", "exit 0", (char *)NULL);
		_exit(127);
	}
	return status_of(pid);
}

static unsigned start_programs(void)
{
	unsigned good = 0;
	good += spawn_true() == 0;
	good += vfork_and("/bin/sh") == 0;
	good += vfork_and("/nowhere/to/be/found") == 127;
	good += system("exit 3") == 3 << 8;
	return good;
}

/* With nothing else under way, each account is as it was, to the object. */
static void spawns_quiet(int fd, void *arg)
{
	struct slabd_stats before;
	struct slabd_stats after;
	struct slabd_mag_ *mag;
	unsigned id;
	unsigned good = 0;
	long long owned;
	size_t n;
	void *top;
	(void)fd;
	(void)arg;
	open_alone(0);
	fill_live();
	id = slabd_client_id(pool);
	mag = slabd_mag_of_(cache);
	n = mag->n;
	top = n > 0 ? mag->obj[n - 1] : NULL;
	owned = fixture_client(&fixture, id, "objects");
	slabd_get_stats(pool, &before);
	for (unsigned i = 0; i < SPAWNS / 4; i++)
		good += start_programs();
	slabd_get_stats(pool, &after);
	tap_is(good, SPAWNS, "programs started from a client");
	tap_ok(n > 0 && mag->n == n && mag->obj[n - 1] == top,
	       "its magazine is as it was");
	tap_ok(memcmp(&before, &after, sizeof(before)) == 0,
	       "its counts are as they were");
	tap_is(fixture_client(&fixture, id, "objects"), owned,
	       "so are its objects");
	tap_is(fixture_client(&fixture, id, "connected"), 1, "it is connected");
	tap_is(fixture_number(&fixture, "/status", "pools.0.clients"), 1,
	       "and the only client");
	tap_ok(slabd_alloc(cache) == top, "it goes on where it was");
	tap_is(count_live(), N, "its records are whole");
	tap_is(slabd_close(pool), 0, "it closes");
}

static void spawns_busy(int fd, void *arg)
{
	struct slabd_stats stats = {0};
	struct churn churn;
	unsigned good = 0;
	uint32_t changed;
	(void)fd;
	(void)arg;
	open_alone(0);
	fill_live();
	churn_start(&churn, pool, cache, THREADS);
	for (unsigned i = 0; i < SPAWNS / 4; i++)
		good += start_programs();
	changed = churn_end(&churn);
	slabd_get_stats(pool, &stats);
	tap_is(good, SPAWNS, "programs started beside %d busy threads",
	       THREADS);
	tap_is(changed, 0, "whose objects stay theirs");
	tap_is((long long)stats.refused, 0, "and are freed as theirs");
	tap_is(count_live(), N, "the records are whole");
	slabd_flush(pool);
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), N,
	       "the client owns what it holds");
	tap_is(slabd_close(pool), 0, "it closes");
}

/* ---- exec with threads at work ------------------------------------------ */

/* The kernel ends the threads wherever they are, leases and all. */
static void becomes_shell(int fd, void *arg)
{
	char *const args[] = {"sh", "-c", "read line", NULL};
	struct churn churn;
	open_alone(0);
	fill_live();
	churn_start(&churn, pool, cache, THREADS);
	say(fd, slabd_client_id(pool));
	dup2(*(int *)arg, STDIN_FILENO);
	alarm(0);
	sleep_ms(1);
	execv("/bin/sh", args);
	tap_bail("/bin/sh: %s", strerror(errno));
}

static void exec_once(unsigned *kept, unsigned *back)
{
	struct child child;
	int pipes[2];
	unsigned id;
	double until = now_ms() + SURELY_MS;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		tap_bail("pipe: %s", strerror(errno));
	child_start(&child, becomes_shell, &pipes[0]);
	id = (unsigned)hear(child.fd);
	while (fixture_client(&fixture, id, "connected") == 1 &&
	       now_ms() < until)
		sleep_ms(1);
	/* A thread's lease waits for the sweep; no object may be lost. */
	*kept += fixture_client(&fixture, id, "objects") >= N &&
	         fixture_number(&fixture, "/audit", "pools.0.lost") == 0 &&
	         fixture_number(&fixture, "/audit", "pools.0.twice") == 0;
	close(pipes[1]);
	close(pipes[0]);
	status_of(child.pid);
	close(child.fd);
	*back += fixture_until_used(&fixture, 0, SURELY_MS) >= 0 &&
	         fixture_number(&fixture, "/audit", "agree") == 1;
}

static void test_execs(void)
{
	unsigned kept = 0;
	unsigned back = 0;
	for (unsigned i = 0; i < EXECS; i++)
		exec_once(&kept, &back);
	tap_is(kept, EXECS, "clients whose threads work become other programs "
	       "and keep their objects");
	tap_is(back, EXECS, "which come back when those end");
}

static void *map_file(int fd, uint64_t bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	return at;
}

/* Takes a slab off its list as a claim does, and comes no further. */
static void loses_bit(int fd, void *arg)
{
	char *const args[] = {"sh", "-c", "read line", NULL};
	char name[NAME_BYTES] = "lost";
	struct layout_geometry geo;
	struct partial list;
	struct view view;
	struct raw raw;
	void *control;
	uint32_t lost;
	uint32_t unit;
	raw_open(&raw, &fixture, "default");
	lost = raw_create(raw.sock, name, 64).cache;
	control = map_file(raw.control, raw.welcome.control_bytes, PROT_READ);
	if (layout_check(control, raw.welcome.control_bytes,
	                 raw.welcome.shared_bytes, &geo) < 0)
		tap_bail("a layout that is not right");
	view_init(&view, &geo, control,
	          map_file(raw.shared, raw.welcome.shared_bytes,
	                   PROT_READ | PROT_WRITE));
	list = partial_of(&view, lost, 0);
	say(fd, raw.welcome.id);
	/* It is made a while after the cache. */
	while (hear(fd) == 0) {
		unit = partial_next(&list, 0);
		if (unit != PARTIAL_NONE)
			partial_clear_any(&list, unit);
		say(fd, unit != PARTIAL_NONE);
	}
	dup2(*(int *)arg, STDIN_FILENO);
	alarm(0);
	execv("/bin/sh", args);
	tap_bail("/bin/sh: %s", strerror(errno));
}

/* Whether it is off and stays so: who is at work with a slab that was just made, or
 * that a dead client had, sets the bit once more. */
static bool lose_bit(struct child *child)
{
	double until = now_ms() + SURELY_MS;
	while (now_ms() < until) {
		say(child->fd, 0);
		if (hear(child->fd) != 0 &&
		    fixture_number(&fixture, "/audit", "agree") == 0)
			return true;
	}
	return false;
}

static void test_bit(void)
{
	struct child child;
	int pipes[2];
	unsigned id;
	/* The sweeps of the dead would set it. */
	if (pipe2(pipes, O_CLOEXEC) < 0 ||
	    fixture_until(&fixture, "/clients", "pools.0.clients.0.id",
	                  INT64_MIN, SURELY_MS) < 0)
		tap_bail("no pipe, or the dead are not reaped");
	child_start(&child, loses_bit, &pipes[0]);
	id = (unsigned)hear(child.fd);
	tap_ok(lose_bit(&child), "a thread has taken a slab off its list");
	say(child.fd, 1);
	tap_ok(fixture_until(&fixture, "/audit", "agree", 1, SURELY_MS) >= 0,
	       "its process becomes another program: it is on the list again");
	/* It never came by an object, and its memory is another program's. */
	tap_is(fixture_client(&fixture, id, "connected"), INT64_MIN,
	       "and its place is free, though that runs");
	close(pipes[1]);
	close(pipes[0]);
	status_of(child.pid);
	close(child.fd);
}

/* ---- a child that is left behind ---------------------------------------- */

static void leave_child(int fd, void *arg)
{
	(void)arg;
	open_alone(0);
	fill_live();
	if (fork() > 0) {
		say(fd, slabd_client_id(pool));
		pause();
	}
	/* The parent is dead once it is told to go on. */
	alarm(120);
	hear(fd);
	tap_is(count_live(), N, "its forked child still sees the objects");
	for (unsigned i = 0; i < N; i++)
		slabd_free(cache, live[i]);
	tap_ok(slabd_alloc(cache) == NULL && errno == ENOTCONN,
	       "and can't allocate");
	say(fd, 1);
	hear(fd);
	_exit(0);
}

static unsigned count_open(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The library's own helper thread runs in the parent alone. */
static void closes_parents(int fd, void *arg)
{
	unsigned before = count_open();
	unsigned opened;
	pid_t pid;
	(void)fd;
	(void)arg;
	pool = fixture_pool(&fixture);
	opened = count_open();
	pid = fork();
	if (pid == 0)
		_exit(slabd_close(pool) == 0 && count_open() == before ? 0 : 4);
	tap_is(status_of(pid), 0, "a forked child that closes the parent's "
	       "pool has none of its %u descriptors", opened - before);
	tap_ok(count_open() == opened, "the parent has all of them");
	slabd_close(pool);
	tap_ok(count_open() == before, "until it closes");
}

/* What the child freed was free already, and is another's by now. */
static void test_left_behind(void)
{
	static uint64_t *again[N];
	struct child child;
	unsigned id;
	unsigned good = 0;
	child_start(&child, leave_child, NULL);
	id = (unsigned)hear(child.fd);
	kill(child.pid, SIGKILL);
	status_of(child.pid);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "a client dies: its objects come back, though its child lives");
	say(child.fd, 1);
	hear(child.fd);
	open_alone(0);
	for (unsigned i = 0; i < N; i++) {
		again[i] = slabd_alloc(cache);
		if (again[i] != NULL)
			*again[i] = i;
	}
	say(child.fd, 1);
	for (unsigned i = 0; i < N; i++)
		good += again[i] != NULL && *again[i] == i;
	tap_is(good, N, "another client has them");
	slabd_flush(pool);
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), N,
	       "and owns them, whatever the child freed");
	tap_ok(fixture_client(&fixture, id, "objects") <= 0,
	       "the dead one none");
	slabd_close(pool);
	close(child.fd);
}

/* ---- cancelled in a shortage -------------------------------------------- */

#define LARGE_MAX 64u /* more than fit into the pool */

static slabd_cache *large;
static uint32_t short_of;
static uint32_t wrong;

/* Its magazines are full when it runs into the wait. Nothing large on its
 * stack: see churn_forever in proc_fork.c. */
static void *run_short(void *arg)
{
	static void *some[100];
	size_t n = slabd_alloc_bulk(cache, 100, some);
	slabd_free_bulk(cache, n, some);
	for (;;) {
		atom_add(&short_of, 1u);
		if (slabd_alloc(large) != NULL || errno != ENOMEM)
			atom_add(&wrong, 1u);
		pthread_testcancel();
	}
	return arg;
}

/* How many shortages a thread began to meet after it was cancelled. */
static uint32_t cancel_one(void)
{
	pthread_t thread;
	uint32_t before;
	atom_store(&short_of, 0u);
	pthread_create(&thread, NULL, run_short, NULL);
	while (atom_load(&short_of) == 0)
		sched_yield();
	pthread_cancel(thread);
	before = atom_load(&short_of);
	pthread_join(thread, NULL);
	return atom_load(&short_of) - before;
}

static void cancels(int fd, void *arg)
{
	uint32_t worst = 0;
	uint32_t n_large = 0;
	void *all_large[LARGE_MAX];
	void *some[100];
	size_t n;
	(void)fd;
	(void)arg;
	open_alone(WAIT_MS);
	fill_live();
	n = slabd_alloc_bulk(cache, 100, some);
	slabd_free_bulk(cache, n, some);
	large = fixture_cache(pool, "large", 60000);
	/* Until slabd says so, and is not merely late. */
	do {
		all_large[n_large] = slabd_alloc(large);
		n_large += all_large[n_large] != NULL;
	} while (n_large < LARGE_MAX &&
	         strstr(slabd_last_error(), "full") == NULL);
	for (unsigned i = 0; i < CANCELS; i++) {
		uint32_t more = cancel_one();
		worst = more > worst ? more : worst;
	}
	tap_is(atom_load(&wrong), 0, "%d threads cancelled in a shortage met "
	       "nothing but that", CANCELS);
	tap_ok(worst <= 1, "each ended in the one that it was in");
	tap_is((long long)slabd_alloc_bulk(cache, n, some), (long long)n,
	       "what they had can be allocated");
	slabd_free_bulk(cache, n, some);
	tap_is(count_live(), N, "the records are whole");
	slabd_free_bulk(cache, N, (void **)live);
	slabd_free_bulk(large, n_large, all_large);
	slabd_flush(pool);
	tap_is(fixture_used(&fixture), 0,
	       "and they left nothing in a magazine");
	tap_is(slabd_close(pool), 0, "it closes");
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	/* The first death: slabd looks at all slabs soon after, and not again for a
	 * minute. */
	test_bit();
	child_start(&child, spawns_quiet, NULL);
	child_end(&child, "programs from a quiet client");
	child_start(&child, spawns_busy, NULL);
	child_end(&child, "programs from a busy client");
	test_execs();
	test_left_behind();
	child_start(&child, closes_parents, NULL);
	child_end(&child, "the parent of a child that closes");
	child_start(&child, cancels, NULL);
	child_end(&child, "threads cancelled in a shortage");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
