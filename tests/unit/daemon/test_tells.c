/* SPDX-License-Identifier: MIT */
/* A manager that does not read holds nobody up. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/stop.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/tells.h"
#include "tests/lib/in_child.h"
#include "tests/lib/manager.h"

static struct manager_message got;
static int manager = -1;
static unsigned n_calls;

/* The kernel's answer to the next so many messages; 0: none of ours. */
static int error;
static unsigned n_errors;

ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (n_errors == 0)
		return __real_sendmsg(fd, msg, flags);
	n_errors--;
	errno = error;
	return -1;
}

static void on_wait(void *arg)
{
	(void)arg;
	n_calls++;
}

static void start_manager(void)
{
	char name[64];
	snprintf(name, sizeof(name), "@slabd-tells-%d", getpid());
	manager = manager_bind(name, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", name, 1);
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
	tells_on_wait(on_wait, NULL);
}

static const char *received(void)
{
	manager_receive(manager, &got, MSG_DONTWAIT);
	if (got.fd >= 0)
		close(got.fd);
	return got.text;
}

/* Sends until it waits. */
static unsigned fill(void)
{
	unsigned n = 0;
	while (n_calls == 0)
		cr_assert_eq(tells_send(n++ % 2 ? "X=1" : "Y=1", -1), 1);
	return n;
}

static unsigned read_all(void)
{
	unsigned n = 0;
	while (*received() != '\0')
		n++;
	return n;
}

Test(tells, wait_in_order)
{
	unsigned n;
	start_manager();
	n = fill();
	cr_expect_eq(tells_send("FDSTORE=1\nFDNAME=slabd.a\nFDPOLL=0", 0), 1);
	cr_expect_eq(tells_send("READY=1", -1), 1);
	cr_expect_eq(tells_flush(), TELLS_E_FULL);
	cr_expect_eq(read_all(), n - 1);
	cr_expect_eq(tells_flush(), 0);
	received();
	cr_expect_eq(strncmp(received(), "FDSTORE=1\n", 10), 0);
	cr_expect(got.fd >= 0);
	cr_expect_str_eq(received(), "READY=1");
	cr_expect_str_empty(received());
}

Test(tells, only_the_latest_of_a_kind)
{
	start_manager();
	fill();
	for (int i = 0; i < 100; i++)
		tells_send("WATCHDOG=1", -1);
	tells_send("STATUS=old", -1);
	tells_send("STATUS=new", -1);
	/* It stands where it stood, as one that is slow shall read of it. */
	tells_send("WATCHDOG=1", -1);
	read_all();
	cr_expect_eq(tells_flush(), 0);
	received();
	cr_expect_str_eq(received(), "WATCHDOG=1");
	cr_expect_str_eq(received(), "STATUS=new");
	cr_expect_str_empty(received());
}

/* Else a manager would be left with a reload that has ended long ago. */
Test(tells, an_end_stays_behind_what_it_ends)
{
	start_manager();
	fill();
	tells_send("RELOADING=1\nMONOTONIC_USEC=1", -1);
	tells_send("READY=1\nSTATUS=as ever", -1);
	tells_send("RELOADING=1\nMONOTONIC_USEC=2", -1);
	tells_send("READY=1\nSTATUS=as ever", -1);
	read_all();
	cr_expect_eq(tells_flush(), 0);
	received();
	cr_expect_str_eq(received(), "RELOADING=1\nMONOTONIC_USEC=2");
	cr_expect_str_eq(received(), "READY=1\nSTATUS=as ever");
	cr_expect_str_empty(received());
}

static int open_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Clients that came and went while nobody read leave nothing. */
Test(tells, puts_and_drops_cancel_out)
{
	int before;
	start_manager();
	fill();
	before = open_fds();
	for (int i = 0; i < 5000; i++) {
		fdstore_put("slabd.a", 0);
		fdstore_put("slabd.ab", 0);
		fdstore_drop("slabd.a");
		fdstore_drop("slabd.ab");
	}
	cr_expect_eq(open_fds(), before);
	read_all();
	cr_expect_eq(tells_flush(), 0);
	received();
	cr_expect_str_empty(received());
}

Test(tells, puts_are_bounded)
{
	static const char put[] = "FDSTORE=1\nFDNAME=slabd.a";
	start_manager();
	fill();
	for (unsigned i = 0; i < TELLS_PUTS_MAX; i++)
		if (tells_send(put, 0) != 1)
			return; /* fewer descriptors than that */
	cr_expect_eq(tells_send(put, 0), -ENOBUFS);
	cr_expect_eq(tells_send("WATCHDOG=1", -1), 1);
}

Test(tells, room_is_seen_by_poll)
{
	struct pollfd at = {.events = POLLOUT};
	start_manager();
	fill();
	at.fd = tells_socket();
	cr_expect_eq(poll(&at, 1, 0), 0);
	read_all();
	cr_expect_eq(poll(&at, 1, 0), 1);
	cr_expect_eq(tells_drain(0), 0);
}

Test(tells, barrier_and_drain_have_an_end)
{
	start_manager();
	fill();
	cr_expect_eq(tells_drain(CLOCK_MS), -ETIMEDOUT);
	cr_expect_eq(tells_barrier(CLOCK_MS), -ETIMEDOUT);
	read_all();
	cr_expect_eq(tells_drain(0), 0);
}

static void say_all(void)
{
	static const char *const all[] = {
		"EXTEND_TIMEOUT_USEC=1\nSTATUS=a",
		"FDSTORE=1\nFDNAME=slabd.a\nFDPOLL=0",
		"EXTEND_TIMEOUT_USEC=1\nSTATUS=b",
		"READY=1\nSTATUS=c",
		"FDSTORE=1\nFDNAME=slabd.b\nFDPOLL=0",
		"WATCHDOG=1",
		"FDSTOREREMOVE=1\nFDNAME=slabd.a",
		"WATCHDOG=1",
		"STOPPING=1\nSTATUS=d",
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		cr_expect_eq(tells_send(all[i],
		                        strstr(all[i], "FDSTORE=") ? 0 : -1),
		             1);
}

/* What the kernel has no room for comes all the same, and in order. */
Test(tells, refused_by_the_kernel)
{
	static const int errors[] = {ENOBUFS, ENOMEM, ETOOMANYREFS, EINTR,
	                             EAGAIN};
	start_manager();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		error = errors[i];
		n_errors = 3;
		say_all();
		cr_expect_eq(tells_flush(), error == EAGAIN ? TELLS_E_FULL
		                                            : TELLS_E_LATER);
		cr_expect_neq(tells_flush(), 0);
		cr_expect_eq(tells_flush(), 0);
		cr_expect_str_eq(received(), "EXTEND_TIMEOUT_USEC=1\nSTATUS=b");
		cr_expect_str_eq(received(), "READY=1\nSTATUS=c");
		cr_expect_str_eq(received(), "FDSTORE=1\nFDNAME=slabd.b\n"
		                             "FDPOLL=0");
		cr_expect_str_eq(received(), "WATCHDOG=1");
		cr_expect_str_eq(received(), "STOPPING=1\nSTATUS=d");
		cr_expect_str_empty(received());
	}
}

/* One that is gone is no reason to stop; the next at its address is found. */
Test(tells, manager_that_comes_again)
{
	start_manager();
	cr_expect_eq(tells_send("READY=1", -1), 1);
	close(manager);
	cr_expect_lt(tells_send("X=1", -1), 0);
	start_manager();
	cr_expect_eq(tells_send("Y=1", -1), 1);
	cr_expect_str_eq(received(), "Y=1");
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	cr_expect_eq(tells_send("Y=1", -1), 1, "the socket is open");
	unsetenv("NOTIFY_SOCKET");
	cr_expect_eq(tells_send("Y=1", -1), 0);
}

/* A child that keeps so many descriptors, and closes the others. */
static _Noreturn void keep_some(unsigned room)
{
	for (;;) {
		manager_receive(manager, &got, 0);
		if (strncmp(got.text, "FDSTORE=1", 9) == 0 && room > 0)
			room--;
		else if (got.fd >= 0)
			close(got.fd);
	}
}

static enum fdstore_answer confirmed(unsigned room)
{
	enum fdstore_answer r;
	pid_t child = fork();
	if (child == 0)
		keep_some(room);
	fdstore_put("slabd.a", 0);
	fdstore_put("slabd.b", 0);
	r = fdstore_confirm();
	fdstore_drop("slabd.a");
	fdstore_drop("slabd.b");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (*received() != '\0')
		;
	return r;
}

/* Kept means acknowledged, by a manager that does not say how much it keeps. */
Test(tells, what_is_refused_is_seen)
{
	start_manager();
	cr_expect_eq(confirmed(0), FDSTORE_REFUSED);
	cr_expect_eq(confirmed(1), FDSTORE_REFUSED);
	cr_expect_eq(confirmed(3), FDSTORE_KEPT);
}

/* Of one that does not answer nothing is believed; nor is it waited for by a
 * slabd that is to stop. */
Test(tells, silence_is_no_consent)
{
	start_manager();
	freopen("/dev/null", "w", stderr);
	stop_set();
	fdstore_put("slabd.a", 0);
	cr_expect_eq(fdstore_confirm(), FDSTORE_SILENT);
	cr_expect(fdstore_has("slabd.a"), "it may have it");
	cr_expect(!fdstore_has("slabd.probe"));
	fill();
	cr_expect_eq(fdstore_confirm(), FDSTORE_SILENT);
	cr_expect(!fdstore_barrier());
	unsetenv("NOTIFY_SOCKET");
	cr_expect_eq(fdstore_confirm(), FDSTORE_KEPT, "there is none");
}

/* As many as there are names for, in any order, and none is left. */
Test(tells, many_wait)
{
	char fields[64];
	start_manager();
	fill();
	for (int turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < 3000; i++) {
			snprintf(fields, sizeof(fields),
			         "FDSTORE=1\nFDNAME=slabd.%u\nFDPOLL=0", i);
			cr_assert_eq(tells_send(fields, -1), 1);
		}
		for (unsigned i = 0; i < 3000; i++) {
			snprintf(fields, sizeof(fields),
			         "FDSTOREREMOVE=1\nFDNAME=slabd.%u",
			         i * 7 % 3000);
			cr_assert_eq(tells_send(fields, -1), 1);
		}
	}
	tells_send("READY=1", -1);
	read_all();
	cr_expect_eq(tells_flush(), 0);
	received();
	cr_expect_str_eq(received(), "READY=1");
	cr_expect_str_empty(received());
}
