/* SPDX-License-Identifier: MIT */
/* The descriptor store, with a manager played by a datagram socket and the
 * environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/notify.h"
#include "tests/lib/in_child.h"
#include "tests/lib/manager.h"

#define N_PASSED 5

static struct manager_message got;
static int manager = -1;

static void start_manager(void)
{
	char name[64];
	snprintf(name, sizeof(name), "@slabd-fdstore-%d", getpid());
	manager = manager_bind(name, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", name, 1);
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
}

/* The next message; the descriptor that came with it is in got. */
static const char *receive(int flags)
{
	manager_receive(manager, &got, flags);
	return got.text;
}

static const char *received(void)
{
	return receive(MSG_DONTWAIT);
}

static bool same_file(int a, int b)
{
	struct stat one, two;
	return fstat(a, &one) == 0 && fstat(b, &two) == 0 &&
	       one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

Test(fdstore, puts_and_drops)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);
	start_manager();
	fdstore_put("slabd.pool.p.ledger", fd);
	cr_expect_str_eq(received(), "FDSTORE=1\nFDNAME=slabd.pool.p.ledger\n"
	                             "FDPOLL=0");
	cr_expect(same_file(fd, got.fd));
	fdstore_drop("slabd.pool.p.ledger");
	cr_expect_str_eq(received(), "FDSTOREREMOVE=1\n"
	                             "FDNAME=slabd.pool.p.ledger");
	cr_expect_eq(got.fd, -1);
	fdstore_drop("slabd.pool.p.ledger");
	cr_expect_str_empty(received(), "it is not there any more");
	cr_expect(fcntl(fd, F_GETFD) >= 0, "the caller's own stays open");
}

Test(fdstore, one_of_a_name)
{
	int fds[2] = { memfd_create("a", 0), memfd_create("b", 0) };
	start_manager();
	fdstore_put("slabd.x", fds[0]);
	received();
	fdstore_put("slabd.x", fds[1]);
	cr_expect_str_eq(received(), "FDSTOREREMOVE=1\nFDNAME=slabd.x");
	cr_expect_str_eq(received(), "FDSTORE=1\nFDNAME=slabd.x\nFDPOLL=0");
	cr_expect(same_file(fds[1], got.fd));
}

Test(fdstore, refuses_other_names)
{
	static const char *const names[] = { "x", "slabd", "slabdx", "",
		"slabd.a:b", "slabd.a b", "slabd.a\nFDNAME=b", "slabd.\xc3" };
	char name[300] = "slabd.";
	start_manager();
	freopen("/dev/null", "w", stderr);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fdstore_put(names[i], 0);
		cr_expect_str_empty(received(), "%zu", i);
	}
	memset(name + 6, 'n', 250);
	fdstore_put(name, 0);
	cr_expect_str_empty(received(), "256 bytes");
	name[255] = '\0';
	fdstore_put(name, 0);
	cr_expect_eq(strncmp(received(), "FDSTORE=1\n", 10), 0, "255 bytes");
}

static const char *sized(char *name, size_t len)
{
	memset(name + 6, 'x', len - 6);
	name[len] = '\0';
	return name;
}

/* What does not fit into the variable would keep slabd from being started. */
Test(fdstore, names_are_bounded)
{
	char name[64];
	unsigned n = 0;
	size_t bytes = 0;
	start_manager();
	freopen("/dev/null", "w", stderr);
	do {
		int len = snprintf(name, sizeof(name), "slabd.client.%u", n);
		fdstore_put(name, 0);
		if (*received() == '\0')
			break;
		close(got.fd);
		bytes += (size_t)len + 1;
		n++;
	} while (n < 100000);
	cr_expect(bytes <= FDSTORE_NAMES_BYTES &&
	                  bytes > FDSTORE_NAMES_BYTES - 32,
	          "%zu bytes of %u names", bytes, n);
	fdstore_drop("slabd.client.7");
	received();
	bytes -= strlen("slabd.client.7") + 1;
	strcpy(name, "slabd.");
	fdstore_put(sized(name, FDSTORE_NAMES_BYTES - bytes), 0);
	cr_expect_str_empty(received(), "one byte too many");
	fdstore_put(sized(name, FDSTORE_NAMES_BYTES - bytes - 1), 0);
	cr_expect_eq(strncmp(received(), "FDSTORE=1\n", 10), 0);
}

Test(fdstore, nothing_without_a_manager)
{
	unsigned at = 0;
	start_manager();
	notify_setup(false);
	cr_expect_eq(fdstore_open(), 0);
	fdstore_put("slabd.x", 0);
	fdstore_drop("slabd.x");
	fdstore_barrier();
	cr_expect_eq(fdstore_take("slabd.x"), -ENOENT);
	cr_expect_null(fdstore_next(&at));
	fdstore_close_rest();
	cr_expect_str_empty(received());
	notify_setup(true);
	unsetenv("NOTIFY_SOCKET");
	cr_expect_eq(fdstore_open(), 0);
	fdstore_put("slabd.x", 0);
	fdstore_drop("slabd.x");
	fdstore_barrier();
	cr_expect_eq(fdstore_take("slabd.x"), -ENOENT);
}

/* The manager is a child: it closes what came with the message by its end. */
static void answer(bool *answered)
{
	const char *text = receive(0);
	usleep(50000);
	*answered = strcmp(text, "BARRIER=1") == 0;
	_exit(0);
}

Test(fdstore, waits_for_the_manager)
{
	bool *answered = mmap(NULL, sizeof(bool), PROT_READ | PROT_WRITE,
	                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	start_manager();
	child = fork();
	cr_assert(child >= 0);
	if (child == 0)
		answer(answered);
	fdstore_barrier();
	cr_expect(*answered);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* Five memfds at 3 to 7, which are inherited, passed under these names. */
static void pass(const char *names)
{
	int high = fcntl(manager, F_DUPFD_CLOEXEC, 3 + N_PASSED);
	char pid[32];
	manager = high;
	for (int i = 0; i < N_PASSED; i++) {
		int fd = memfd_create("passed", 0);
		int up = fcntl(fd, F_DUPFD, 3 + N_PASSED);
		close(fd);
		step(90, dup2(up, 3 + i) == 3 + i);
		close(up);
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "5", 1);
	setenv("LISTEN_FDNAMES", names, 1);
	freopen("/dev/null", "w", stderr);
}

static void passed(void)
{
	unsigned at = 0;
	start_manager();
	pass("slabd.a:slabd.b:slabd.c:slabd.a:slabd.bad name");
	step(1, fdstore_open() == 0);
	step(2, !is_open(6) && !is_open(7));
	step(3, fcntl(3, F_GETFD) == FD_CLOEXEC);
	step(4, fdstore_take("slabd.d") == -ENOENT);
	step(5, fdstore_take("slabd.b") == 4);
	step(6, fdstore_take("slabd.b") == -ENOENT && is_open(4));
	step(7, strcmp(fdstore_next(&at), "slabd.a") == 0);
	step(8, fdstore_take("slabd.a") == 3);
	step(9, strcmp(fdstore_next(&at), "slabd.c") == 0);
	step(10, fdstore_next(&at) == NULL);
	step(11, *received() == '\0');
	fdstore_drop("slabd.a");
	step(12, strcmp(received(), "FDSTOREREMOVE=1\nFDNAME=slabd.a") == 0);
	step(13, is_open(3));
	fdstore_close_rest();
	step(14, strcmp(received(), "FDSTOREREMOVE=1\nFDNAME=slabd.c") == 0);
	step(15, *received() == '\0' && !is_open(5) && is_open(4));
	step(16, fdstore_open() == 0 && fdstore_next(&at) == NULL);
}

Test(fdstore, collects_what_was_passed)
{
	in_child(passed);
}

/* A walk over what was passed, which drops one in passing and puts another. */
static void walk(void)
{
	static const char *const want[] = { "slabd.a", "slabd.b", "slabd.c",
		"slabd.d", "slabd.e" };
	const char *name;
	unsigned at = 0;
	unsigned n = 0;
	start_manager();
	pass("slabd.a:slabd.b:slabd.c:slabd.d:slabd.e");
	step(1, fdstore_open() == 0);
	while ((name = fdstore_next(&at)) != NULL) {
		step(2, n < N_PASSED && strcmp(name, want[n]) == 0);
		n++;
		fdstore_drop(name);
		fdstore_put("slabd.new", manager);
		/* A full queue would hold us up. */
		while (*received() != '\0')
			close(got.fd);
	}
	step(3, n == N_PASSED);
	for (int i = 0; i < N_PASSED; i++)
		step(4, !is_open(3 + i));
}

Test(fdstore, is_walked_while_it_changes)
{
	in_child(walk);
}

/* Sockets and what was kept come in one list, in any order. */
static void both(void)
{
	struct notify_sockets sockets;
	int fd;
	start_manager();
	pass("slabd.a:x:slabd:slabd.b:control");
	step(1, fdstore_open() == 0);
	step(2, is_open(4) && is_open(5) && is_open(7));
	step(3, notify_listen_fds(&sockets) == -EINVAL);
	step(4, !is_open(4) && !is_open(5) && !is_open(7));
	step(5, fdstore_take("slabd.a") == 3 && fdstore_take("slabd.b") == 6);
	for (int i = 3; i < 3 + N_PASSED; i++)
		close(i);
	pass("slabd.a:slabd.b:slabd:slabd.d:slabd.e");
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	step(6, bind(fd, &(struct sockaddr){ .sa_family = AF_UNIX },
	             sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0);
	step(7, dup2(fd, 5) == 5);
	step(8, notify_listen_fds(&sockets) == 0 && sockets.client == 5);
	step(9, is_open(3) && is_open(4) && is_open(6) && is_open(7));
	step(10, fdstore_open() == 0 && fdstore_take("slabd.e") == 7);
}

Test(fdstore, leaves_sockets_to_the_service)
{
	in_child(both);
}
