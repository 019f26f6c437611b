/* SPDX-License-Identifier: MIT */
/* Notifications as the supervisor reads them: what they say, from whom, and
 * that no descriptor that came with one is left open. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/manager/supervise_msg.h"

static struct supervise_msg message;
static int ends[2]; /* it is read at 0 */

static void set_up(void)
{
	int one = 1;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends),
	             0);
	cr_assert_eq(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &one,
	                        sizeof(one)), 0);
}

TestSuite(supervise_msg, .init = set_up);

/* With n copies of a descriptor. */
static void send_bytes(const char *bytes, size_t n_bytes, unsigned n)
{
	_Alignas(struct cmsghdr) static char
	        room[CMSG_SPACE(SUPERVISE_MSG_FDS_MAX * sizeof(int))];
	struct iovec iov = { (void *)bytes, n_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int copies[SUPERVISE_MSG_FDS_MAX];

	for (unsigned i = 0; i < n; i++)
		copies[i] = STDERR_FILENO;
	if (n > 0) {
		msg.msg_control = room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), copies, n * sizeof(int));
	}
	cr_assert_eq(sendmsg(ends[1], &msg, 0), (ssize_t)n_bytes);
}

static int hear(const char *text, unsigned n_fds)
{
	send_bytes(text, strlen(text), n_fds);
	return supervise_msg_receive(ends[0], getpid(), &message);
}

static unsigned count_open(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(supervise_msg, what_is_to_be_kept)
{
	unsigned before = count_open();
	cr_expect_eq(hear("FDSTORE=1\nFDNAME=slabd.a\nFDPOLL=0", 2), 0);
	cr_expect(message.store && !message.remove && !message.barrier);
	cr_expect_str_eq(message.name, "slabd.a");
	cr_expect_str_empty(message.fields);
	cr_expect_eq(message.sender, getpid());
	cr_expect_eq(message.n_fds, 2);
	cr_expect_eq(fcntl(message.fds[1], F_GETFD), FD_CLOEXEC);
	cr_expect_eq(count_open(), before + 2);
	supervise_msg_close(&message);
	cr_expect_eq(count_open(), before);
	cr_expect_eq(hear("FDSTORE=1", 1), 0);
	cr_expect_str_eq(message.name, "stored");
	supervise_msg_close(&message);
}

Test(supervise_msg, what_is_to_be_closed)
{
	cr_expect_eq(hear("FDNAME=slabd.a\nFDSTOREREMOVE=1\n", 0), 0);
	cr_expect(message.remove && !message.store);
	cr_expect_str_eq(message.name, "slabd.a");
	cr_expect_eq(message.n_fds, 0);
	cr_expect_eq(hear("BARRIER=1", 1), 0);
	cr_expect(message.barrier && !message.remove);
	supervise_msg_close(&message);
}

Test(supervise_msg, what_is_passed_on)
{
	cr_expect_eq(hear("READY=1\nSTATUS=x y\nMAINPID=1\nWATCHDOG=1\n"
	                  "FDNAME=a\nXREADY=1\nEXTEND_TIMEOUT_USEC=5", 0), 0);
	cr_expect_str_eq(message.fields, "READY=1\nSTATUS=x y\n"
	                                "EXTEND_TIMEOUT_USEC=5");
	cr_expect_eq(hear("WATCHDOG_USEC=30000000\nWATCHDOG=1", 0), 0);
	cr_expect(message.alive);
	cr_expect_str_eq(message.fields, "", "the manager above has its own");
	cr_expect_eq(hear("RELOADING=1\nMONOTONIC_USEC=7", 0), 0);
	cr_expect_str_eq(message.fields, "RELOADING=1\nMONOTONIC_USEC=7");
	cr_expect_eq(hear("STOPPING=1", 0), 0);
	cr_expect_str_eq(message.fields, "STOPPING=1");
	cr_expect_eq(hear("FDSTORE=10", 0), 0);
	cr_expect(!message.store);
	cr_expect_str_empty(message.fields);
}

Test(supervise_msg, refuses_and_closes)
{
	static char huge[SUPERVISE_MSG_BYTES + 1];
	unsigned before = count_open();
	send_bytes("FDSTORE=1\0FDNAME=a", 18, 3);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message),
	             SUPERVISE_MSG_E_BAD);
	memset(huge, 'S', sizeof(huge));
	send_bytes(huge, sizeof(huge), 1);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message),
	             SUPERVISE_MSG_E_BAD);
	cr_expect_eq(message.n_fds, 0);
	cr_expect_eq(count_open(), before);
	memcpy(huge, "STATUS=", 7);
	send_bytes(huge, SUPERVISE_MSG_BYTES, SUPERVISE_MSG_FDS_MAX);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message), 0);
	cr_expect_eq(strlen(message.fields), SUPERVISE_MSG_BYTES);
	cr_expect_eq(message.n_fds, SUPERVISE_MSG_FDS_MAX);
	supervise_msg_close(&message);
	cr_expect_eq(count_open(), before);
	send_bytes("", 0, 0);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message), 0);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message), -EAGAIN);
}

/* Without SO_PASSCRED nobody is known, and nobody is number 0. */
Test(supervise_msg, nobody_vouches)
{
	int zero = 0;
	cr_expect_eq(hear("READY=1", 0), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &zero, sizeof(zero));
	cr_expect_eq(hear("READY=1", 0), SUPERVISE_MSG_E_STRANGER);
	cr_expect_eq(message.sender, 0);
}

/* Not even for a moment: to close one may take long. */
Test(supervise_msg, a_stranger_brings_nothing)
{
	unsigned before = count_open();
	send_bytes("FDSTORE=1\nFDNAME=a", 18, 3);
	send_bytes("READY=1", 7, 0);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid() + 1, &message),
	             SUPERVISE_MSG_E_STRANGER);
	cr_expect_eq(message.sender, getpid());
	cr_expect_eq(message.n_fds, 0);
	cr_expect(!message.store);
	cr_expect_eq(count_open(), before);
	cr_expect_eq(supervise_msg_receive(ends[0], getpid(), &message), 0);
	cr_expect_str_eq(message.fields, "READY=1");
}
