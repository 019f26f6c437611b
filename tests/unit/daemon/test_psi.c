/* SPDX-License-Identifier: MIT */
#include "daemon/watch/psi.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAYS_NS INT64_C(50000000)

static struct event_base *base;
static struct psi *pressure;
static struct psi_places places;
static char folder[] = "/tmp/slabd-pressure-XXXXXX";
static char events_path[sizeof(folder) + 16];
static enum plan_pressure told[8];
static unsigned n_told;

static void on_change(void *arg, enum plan_pressure level)
{
	(void)arg;
	cr_assert_lt(n_told, 8);
	told[n_told++] = level;
}

static void begin(void)
{
	base = event_base_new();
	cr_assert_not_null(base);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(events_path, sizeof(events_path), "%s/memory.events", folder);
	snprintf(places.psi, sizeof(places.psi), "%s/none", folder);
}

static void end(void)
{
	psi_close(pressure);
	event_base_free(base);
	unlink(events_path);
	rmdir(folder);
}

TestSuite(psi, .init = begin, .fini = end, .timeout = 300);

static void start(int64_t stays_ns)
{
	struct psi_request want = {.base = base,
	                           .places = &places,
	                           .stall_ms = 100,
	                           .stays_ns = stays_ns,
	                           .changed = on_change};
	cr_assert_eq(psi_open(&pressure, &want), 0);
	cr_assert_eq(n_told, 0);
}

/* Until so many levels were told. */
static void run_until(unsigned n)
{
	while (n_told < n)
		cr_assert_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

/* Kernel files change in place: they are never empty in between. */
static void put_events(const char *text)
{
	int fd = open(events_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	close(fd);
}

/* ---- where -------------------------------------------------------------- */

static const char *cgroup(const char *text)
{
	static char out[PSI_PATH];
	psi_cgroup(out, text, "/m");
	return out;
}

Test(psi, own_cgroup_is_found)
{
	char text[PSI_PATH + 16];
	cr_expect_str_eq(cgroup("0::/system.slice/slabd.service\n"),
	                 "/m/system.slice/slabd.service");
	cr_expect_str_eq(cgroup("4:memory:/x\n1:cpu:/\n0::/a b\n"), "/m/a b");
	cr_expect_str_eq(cgroup("0::/"), "/m/");
	cr_expect_str_eq(cgroup("4:memory:/x\n10::/y\n"), "");
	cr_expect_str_eq(cgroup(""), "");
	cr_expect_str_eq(cgroup("0::/../other\n"), "");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "0::/", 4);
	cr_expect_str_eq(cgroup(text), "");
}

/* ---- levels ------------------------------------------------------------- */

Test(psi, a_level_ends_by_itself)
{
	struct psi_state state = {{0}};
	int64_t left;
	cr_expect_eq(psi_at(&state, 1000, &left), PLAN_CALM);
	cr_expect_eq(left, -1);
	psi_note(&state, PLAN_SOME, 6000);
	cr_expect_eq(psi_at(&state, 1000, &left), PLAN_SOME);
	cr_expect_eq(left, 5000);
	psi_note(&state, PLAN_FULL, 6500);
	psi_note(&state, PLAN_SOME, 9000);
	cr_expect_eq(psi_at(&state, 6499, &left), PLAN_FULL);
	cr_expect_eq(left, 1);
	cr_expect_eq(psi_at(&state, 6500, &left), PLAN_SOME);
	cr_expect_eq(left, 2500);
	psi_note(&state, PLAN_SOME, 8000);
	cr_expect_eq(psi_at(&state, 8999, &left), PLAN_SOME);
	cr_expect_eq(psi_at(&state, 9000, &left), PLAN_CALM);
}

Test(psi, counts_of_a_cgroup)
{
	uint64_t counts[PLAN_FULL + 1];
	psi_counts("low 9\nhigh 2\nmax 3\noom 4\noom_kill 5\n"
	                "oom_group_kill 7\n", counts);
	cr_expect_eq(counts[PLAN_SOME], 5);
	cr_expect_eq(counts[PLAN_FULL], 9);
	psi_counts("high", counts);
	cr_expect_eq(counts[PLAN_SOME], 0);
	psi_counts("max x\n\n\nhigh 1", counts);
	cr_expect_eq(counts[PLAN_SOME], 1);
}

/* A container at its limit stalls on a machine that has plenty. */
Test(psi, a_machine_that_has_memory_to_spare)
{
	static const char spare[] = "MemTotal:       24683960 kB\n"
				    "MemFree:          200000 kB\n"
				    "MemAvailable:    3085496 kB\n";
	static const char none[] = "MemTotal:       24683960 kB\n"
				   "MemFree:        20000000 kB\n"
				   "MemAvailable:    3085495 kB\n";
	cr_expect_eq(psi_of_machine(PLAN_FULL, spare), PLAN_SOME);
	cr_expect_eq(psi_of_machine(PLAN_SOME, spare), PLAN_SOME);
	cr_expect_eq(psi_of_machine(PLAN_FULL, none), PLAN_FULL);
	cr_expect_eq(psi_of_machine(PLAN_FULL, ""), PLAN_FULL);
	cr_expect_eq(psi_of_machine(PLAN_FULL, "MemTotal: 1 kB\n"), PLAN_FULL);
}

Test(psi, how_long_it_was_stalled)
{
	static const char text[] =
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=1764529\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=400384\n";
	cr_expect_eq(psi_total_us(text, "some"), 1764529);
	cr_expect_eq(psi_total_us(text, "full"), 400384);
	cr_expect_eq(psi_total_us("some avg10=0.00 total=7\n", "full"), 0);
	cr_expect_eq(psi_total_us("full", "full"), 0);
}

/* ---- what wakes the loop ------------------------------------------------ */

/* Two ends of a connection whose urgent byte is seen as POLLPRI. */
static void connect_pair(int *a, int *b)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (void *)&at, len), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (void *)&at, &len), 0);
	*a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(*a, (void *)&at, len), 0);
	*b = accept(listener, NULL, NULL);
	cr_assert_geq(*b, 0);
	close(listener);
}

static int urgent_fd;

static void on_urgent(void *arg, enum plan_pressure level)
{
	char byte;
	if (level != PLAN_CALM)
		cr_assert_eq(recv(urgent_fd, &byte, 1, MSG_OOB), 1);
	on_change(arg, level);
}

Test(psi, an_urgent_descriptor_raises_the_level_for_a_while)
{
	struct psi_request want = {.base = base,
	                           .places = &places,
	                           .stall_ms = 100,
	                           .stays_ns = STAYS_NS,
	                           .changed = on_urgent};
	int a;
	cr_assert_eq(psi_open(&pressure, &want), 0);
	connect_pair(&a, &urgent_fd);
	cr_assert_eq(psi_add(pressure, urgent_fd, PLAN_FULL), 0);
	/* Plain data is no event. */
	cr_assert_eq(send(a, "x", 1, 0), 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(n_told, 0);
	cr_assert_eq(send(a, "!", 1, MSG_OOB), 1);
	run_until(1);
	cr_expect_eq(told[0], PLAN_FULL);
	run_until(2);
	cr_expect_eq(told[1], PLAN_CALM);
	close(a);
}

Test(psi, limits_of_the_cgroup)
{
	int waiting;
	snprintf(places.cgroup, sizeof(places.cgroup), "%s", folder);
	put_events("low 0\nhigh 4\nmax 0\noom 0\noom_kill 0\n");
	start(STAYS_NS);
	waiting = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
	/* What is so at the start is no news, nor is "low". */
	put_events("low 8\nhigh 4\nmax 0\noom 0\noom_kill 0\n");
	cr_assert_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	cr_assert_eq(n_told, 0);
	put_events("low 8\nhigh 5\nmax 0\noom 0\noom_kill 0\n");
	run_until(2);
	cr_expect_eq(told[0], PLAN_SOME);
	cr_expect_eq(told[1], PLAN_CALM);
	put_events("low 8\nhigh 5\nmax 0\noom 0\noom_kill 1\n");
	run_until(4);
	cr_expect_eq(told[2], PLAN_FULL);
	cr_expect_eq(told[3], PLAN_CALM);
	/* No timer is left: nothing wakes a slabd that is at rest. */
	cr_expect_eq(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED),
	             waiting);
}

/* ---- what is not there -------------------------------------------------- */

Test(psi, nothing_to_be_watched_is_told_and_no_failure)
{
	start(0);
	cr_expect_not_null(strstr(psi_lack(pressure)->what, "the machine"));
	cr_expect_not_null(strstr(psi_lack(pressure)->what, places.psi));
	cr_expect_not_null(strstr(psi_lack(pressure)->todo, "psi=1"));
}

Test(psi, no_more_descriptors_than_have_room)
{
	int fd[2];
	int r = 0;
	start(0);
	for (unsigned i = 0; i < 9; i++) {
		cr_assert_eq(r, 0);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		close(fd[1]);
		r = psi_add(pressure, fd[0], PLAN_SOME);
	}
	cr_expect_eq(r, -ENOSPC);
	cr_expect_eq(fcntl(fd[0], F_GETFD), -1);
}

/* The kernel's own, where it has them and we may. */
Test(psi, the_kernels_triggers)
{
	int fd = open("/proc/pressure/memory", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		cr_skip_test(
			"no right to /proc/pressure/memory, or none there");
	close(fd);
	psi_find(&places);
	start(0);
	cr_expect_null(strstr(psi_lack(pressure)->what, "the machine"),
	               "%s", psi_lack(pressure)->what);
}
