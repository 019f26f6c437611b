/* SPDX-License-Identifier: MIT */
/* The service manager, played by a datagram socket and by the environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/notify.h"
#include "tests/lib/in_child.h"
#include "tests/lib/manager.h"

static int manager = -1;

/* A manager at an abstract address, as sd_notify understands "@". */
static void start_manager(void)
{
	char name[64];
	snprintf(name, sizeof(name), "@slabd-test-%d", getpid());
	manager = manager_bind(name, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *received(void)
{
	static struct manager_message message;
	manager_receive(manager, &message, MSG_DONTWAIT);
	return message.text;
}

Test(notify, tells_a_manager)
{
	long long now_us;
	long long said_us = 0;
	start_manager();
	notify_ready("%d pools", 2);
	cr_expect_str_eq(received(), "READY=1\nSTATUS=2 pools");
	notify_progress("node %d", 1);
	cr_expect_str_eq(received(), "EXTEND_TIMEOUT_USEC=30000000\n"
	                             "STATUS=node 1");
	now_us = clock_ns() / CLOCK_US;
	notify_reloading();
	cr_expect_eq(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%lld",
	                    &said_us),
	             1);
	cr_expect(said_us >= now_us && said_us <= clock_ns() / CLOCK_US);
	notify_alive();
	cr_expect_str_eq(received(), "WATCHDOG=1");
	notify_stopping();
	cr_expect_eq(strncmp(received(), "STOPPING=1\nSTATUS=", 18), 0);
}

Test(notify, text_adds_no_field)
{
	char long_text[2000];
	start_manager();
	notify_ready("%s", "x\nMAINPID=1");
	cr_expect_str_eq(received(), "READY=1\nSTATUS=x\\x0aMAINPID=1");
	memset(long_text, 'l', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	notify_ready("%s", long_text);
	cr_expect_eq(strlen(received()), strlen("READY=1\nSTATUS=") + 255);
}

Test(notify, silent_without_a_manager)
{
	struct notify_sockets sockets = { 5, 6 };
	start_manager();
	setenv("WATCHDOG_USEC", "2000000", 1);
	unsetenv("WATCHDOG_PID");
	notify_setup(false);
	notify_ready("r");
	notify_alive();
	notify_stopping();
	cr_expect_str_empty(received());
	cr_expect_eq(notify_watchdog_ns(), 0);
	notify_setup(true);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("LISTEN_FDS");
	notify_ready("r");
	notify_alive();
	cr_expect_eq(notify_watchdog_ns(), 0);
	cr_expect_eq(notify_listen_fds(&sockets), 0);
	cr_expect_eq(sockets.client, -1);
	cr_expect_eq(sockets.control, -1);
}

Test(notify, watchdog)
{
	char pid[32];
	setenv("WATCHDOG_USEC", "2000000", 1);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect_eq(notify_watchdog_ns(), CLOCK_S);
	setenv("WATCHDOG_PID", "1", 1);
	cr_expect_eq(notify_watchdog_ns(), 0);
}

/* A bound socket of a type at descriptor 3, 4, ...; listening if asked. */
static void put_socket(int at, int type, bool listening)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	cr_assert(fd >= 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)),
	             0);
	if (listening)
		cr_assert_eq(listen(fd, 4), 0);
	if (fd != at) {
		cr_assert_eq(dup2(fd, at), at);
		close(fd);
	}
}

static void pass(const char *n_fds, const char *names)
{
	char pid[32];
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", n_fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
}

static void both_sockets(void)
{
	struct notify_sockets sockets;
	put_socket(3, SOCK_STREAM, true);
	put_socket(4, SOCK_SEQPACKET, true);
	pass("2", "control:slabd");
	step(1, notify_listen_fds(&sockets) == 0);
	step(2, sockets.control == 3 && sockets.client == 4);
	step(3, (fcntl(4, F_GETFL) & O_NONBLOCK) != 0);
	step(4, (fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
	step(5, notify_listen_fds(&sockets) == 0 && sockets.client == -1);
}

static void one_socket(void)
{
	struct notify_sockets sockets;
	put_socket(3, SOCK_SEQPACKET, true);
	pass("1", "slabd");
	step(1, notify_listen_fds(&sockets) == 0);
	step(2, sockets.client == 3 && sockets.control == -1);
}

static void refuse(int step_of, const char *n_fds, const char *names)
{
	struct notify_sockets sockets;
	pass(n_fds, names);
	step(step_of, notify_listen_fds(&sockets) == -EINVAL);
	step(step_of, sockets.client == -1 && sockets.control == -1);
	step(step_of, !is_open(3) && !is_open(4));
}

static void wrong_sockets(void)
{
	int null_fd = open("/dev/null", O_WRONLY);
	dup2(null_fd, 2);
	close(4);
	put_socket(3, SOCK_SEQPACKET, true);
	refuse(1, "1", "other");
	put_socket(3, SOCK_STREAM, true);
	refuse(2, "1", "slabd");
	put_socket(3, SOCK_SEQPACKET, true);
	refuse(3, "1", "control");
	put_socket(3, SOCK_SEQPACKET, false);
	refuse(4, "1", "slabd");
	put_socket(3, SOCK_SEQPACKET, true);
	put_socket(4, SOCK_SEQPACKET, true);
	refuse(5, "2", "slabd:slabd");
}

Test(notify, takes_both_sockets)
{
	in_child(both_sockets);
}

Test(notify, takes_one_socket)
{
	in_child(one_socket);
}

Test(notify, refuses_other_sockets)
{
	in_child(wrong_sockets);
}
