/* SPDX-License-Identifier: MIT */
/*
 * Hugepages of others stay theirs, whatever happens to slabd in between: an
 * administrator adds some or takes all away, a program has surplus ones, slabd is
 * killed as it grows and as it stops. In the end there are as many as without it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/rng.h"
#include "tests/lib/super.h"

#define CONFIG                                                                 \
	"[pool default]\npage = 2m\nstart = 2M\nfloor = 2M\nmax = 64M\n"
#define OBJECTS 2560u /* of 8 KiB: 20 MiB */
#define SIZE 8192u
#define OTHERS 3u
#define PAGE ((size_t)2 << 20)
#define KILLS 4u
#define SAME_LOOKS 25u /* at the counts, until they stay */

static struct fixture fixture;
static pid_t slabd;
static long before; /* lasting pages, as the test began */
static long allowed; /* surplus ones */

static void path_of(char path[96], const char *name)
{
	snprintf(path, 96, "/sys/kernel/mm/hugepages/hugepages-2048kB/%s",
	         name);
}

static long count(const char *name)
{
	char path[96];
	char text[32] = "";
	int fd;
	path_of(path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		tap_bail("%s can't be read", path);
	close(fd);
	return strtol(text, NULL, 10);
}

static bool set(const char *name, long n)
{
	char path[96];
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", n);
	bool done;
	int fd;
	path_of(path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, text, (size_t)len) == len;
	if (fd >= 0)
		close(fd);
	return done;
}

static void begin(void)
{
	fixture_make(&fixture, CONFIG);
	slabd = super_start(&fixture);
}

static void end(const char *name)
{
	super_stop(&fixture, slabd, name);
	fixture_remove(&fixture);
}

/* Has objects, and goes once it hears something. */
static void holder(int fd, void *arg)
{
	static void *all[OBJECTS];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "held", SIZE);
	size_t n = 0;
	(void)arg;
	say(fd, 1);
	while (n < OBJECTS && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	say(fd, n);
	hear(fd);
	slabd_free_bulk(cache, n, all);
	slabd_close(pool);
}

static void start_holder(struct child *child)
{
	child_start(child, holder, NULL);
	hear(child->fd);
}

static void end_holder(struct child *child)
{
	say(child->fd, 1);
	child_end(child, "its client ends well");
}

/* Back to what it was, for the next. */
static void is_left(long want, const char *what)
{
	tap_is(count("nr_hugepages") - count("surplus_hugepages"), want, "%s",
	       what);
	set("nr_hugepages", before);
}

/* With all its threads: one may be at the counts. */
static void kill_whole(pid_t pid)
{
	struct pollfd end_of = {.events = POLLIN};
	end_of.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	kill(pid, SIGKILL);
	if (end_of.fd < 0 || poll(&end_of, 1, (int)SURELY_MS) != 1)
		tap_bail("slabd does not end");
	close(end_of.fd);
}

/* Until slabd has made ahead what it wants: of what it was at as it was killed it can't
 * tell its own pages from those that others add meanwhile. */
static void settle(void)
{
	double until = now_ms() + SURELY_MS;
	long seen = -1;
	for (unsigned same = 0; same < SAME_LOOKS && now_ms() < until; same++) {
		long n = count("nr_hugepages") - count("free_hugepages");
		if (n != seen)
			same = 0;
		seen = n;
		sleep_ms(20);
	}
}

/* An administrator adds some while no slabd runs. */
static void test_added(void)
{
	struct child child;
	begin();
	start_holder(&child);
	tap_is((long long)hear(child.fd), OBJECTS, "a client has objects");
	settle();
	kill(fixture.pid, SIGSTOP);
	kill_whole(slabd);
	set("nr_hugepages", count("nr_hugepages") + OTHERS);
	kill(fixture.pid, SIGCONT);
	slabd = super_next(&fixture, slabd);
	end_holder(&child);
	end("slabd ends well that was killed before others were added");
	is_left(before + OTHERS, "what was added meanwhile is there");
}

/* He takes all away that can be had, and more as it falls free. */
static void test_taken(void)
{
	struct child child;
	begin();
	start_holder(&child);
	tap_is((long long)hear(child.fd), OBJECTS, "a client has objects");
	set("nr_hugepages", 0);
	slabd = super_kill(&fixture, slabd);
	end_holder(&child);
	end("slabd ends well whose pages were taken");
	is_left(0, "none is there that was not to be");
	tap_is(count("surplus_hugepages"), 0, "nor in use by anybody");
}

/* A program's surplus pages count as its own before and after. */
static void test_surplus(void)
{
	size_t bytes = ((size_t)count("free_hugepages") + OTHERS) * PAGE;
	struct child child;
	void *others;
	set("nr_overcommit_hugepages", allowed + OTHERS);
	others = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
	              -1, 0);
	if (others == MAP_FAILED || count("surplus_hugepages") != OTHERS) {
		tap_skip("no surplus pages are to be had", "surplus");
	} else {
		begin();
		start_holder(&child);
		tap_is((long long)hear(child.fd), OBJECTS,
		       "a client has objects beside another's surplus pages");
		slabd = super_kill(&fixture, slabd);
		end_holder(&child);
		end("slabd ends well");
		tap_is(count("surplus_hugepages"), OTHERS,
		       "these are surplus as they were");
		is_left(before, "and lasting are as many as before");
	}
	if (others != MAP_FAILED)
		munmap(others, bytes);
	set("nr_overcommit_hugepages", allowed);
}

/* Killed as it grows, again and again, and once more as it stops. */
static void test_killed(void)
{
	struct rng rng = rng_start("proc_theirs");
	struct child child;
	begin();
	start_holder(&child);
	for (unsigned i = 0; i < KILLS; i++) {
		usleep((useconds_t)rng_below(&rng, 4000));
		slabd = super_kill(&fixture, slabd);
	}
	tap_is((long long)hear(child.fd), OBJECTS,
	       "a client has its objects of slabds that are killed");
	end_holder(&child);
	kill(slabd, SIGTERM);
	usleep((useconds_t)rng_below(&rng, 2000));
	kill(slabd, SIGKILL);
	kill(fixture.pid, SIGTERM);
	tap_ok(fixture_wait(&fixture, SURELY_MS) >= 0, "its supervisor ends");
	fixture_remove(&fixture);
	is_left(before, "and leaves as many pages as there were");
}

int main(void)
{
	tap_start(300);
	before = count("nr_hugepages");
	allowed = count("nr_overcommit_hugepages");
	if (count("surplus_hugepages") != 0 ||
	    !set("nr_hugepages", before + 40) ||
	    count("nr_hugepages") != before + 40) {
		set("nr_hugepages", before);
		tap_skip("no hugepages can be reserved here", "others");
		return tap_end();
	}
	set("nr_hugepages", before);
	test_added();
	test_taken();
	test_surplus();
	test_killed();
	super_end();
	return tap_end();
}
