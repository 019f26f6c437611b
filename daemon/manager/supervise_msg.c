/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise_msg.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is the manager's business; what is kept for slabd is not. */
static const char *const above[] = {
        "READY=", "STATUS=", "STOPPING=", "EXTEND_TIMEOUT_USEC=",
        "RELOADING=", "MONOTONIC_USEC=",
};

static bool starts(const char *field, const char *key)
{
	return strncmp(field, key, strlen(key)) == 0;
}

static void read_field(struct supervise_msg *message, const char *field)
{
	if (strcmp(field, "FDSTORE=1") == 0)
		message->store = true;
	else if (strcmp(field, "FDSTOREREMOVE=1") == 0)
		message->remove = true;
	else if (strcmp(field, "BARRIER=1") == 0)
		message->barrier = true;
	else if (strcmp(field, "READY=1") == 0)
		message->ready = true;
	else if (strcmp(field, "WATCHDOG=1") == 0)
		message->alive = true;
	else if (strcmp(field, "STOPPING=1") == 0)
		message->ending = true;
	else if (starts(field, "FDNAME="))
		message->name = field + strlen("FDNAME=");
	for (unsigned i = 0; i < sizeof(above) / sizeof(above[0]); i++)
		if (starts(field, above[i])) {
			/* No longer than text, of which it is a part. */
			if (message->fields[0] != '\0')
				strcat(message->fields, "\n");
			strcat(message->fields, field);
		}
}

static void take_fds(struct supervise_msg *message, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (message->n_fds < SUPERVISE_MSG_FDS_MAX)
			message->fds[message->n_fds++] = fd;
		else
			close(fd);
	}
}

static void take_control(struct supervise_msg *message, struct msghdr *msg)
{
	struct ucred from;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			take_fds(message, c);
		if (c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof(from))) {
			memcpy(&from, CMSG_DATA(c), sizeof(from));
			message->sender = from.pid;
		}
	}
}

void supervise_msg_close(struct supervise_msg *message)
{
	while (message->n_fds > 0)
		close(message->fds[--message->n_fds]);
}

/* Who sent the first one, which stays there: there is room for that alone, so
 * that no descriptor is taken. 0 when there is none that the kernel vouches for;
 * or -errno. */
static pid_t sender_of_first(int sock)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr msg = {.msg_control = room,
	                     .msg_controllen = sizeof(room)};
	const struct cmsghdr *c;
	struct ucred from = {0};
	if (recvmsg(sock, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_CREDENTIALS &&
	    c->cmsg_len == CMSG_LEN(sizeof(from)))
		memcpy(&from, CMSG_DATA(c), sizeof(from));
	return from.pid;
}

int supervise_msg_receive(int sock, pid_t child, struct supervise_msg *message)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct ucred)) +
	                                   CMSG_SPACE(sizeof(message->fds))];
	struct iovec iov = {.iov_base = message->text,
	                    .iov_len = SUPERVISE_MSG_BYTES};
	struct msghdr msg = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	pid_t sender = sender_of_first(sock);
	char *rest = message->text;
	char *field;
	ssize_t n;

	memset(message, 0, offsetof(struct supervise_msg, fds));
	message->fields[0] = '\0';
	if (sender < 0)
		return sender;
	if (sender == 0 || sender != child) {
		recv(sock, NULL, 0, MSG_DONTWAIT);
		message->sender = sender;
		return SUPERVISE_MSG_E_STRANGER;
	}
	n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	message->text[n] = '\0';
	message->name = "stored";
	take_control(message, &msg);
	/* Cut control data: descriptors of it were lost. */
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    strlen(message->text) != (size_t)n) {
		supervise_msg_close(message);
		return SUPERVISE_MSG_E_BAD;
	}
	while ((field = strsep(&rest, "\n")) != NULL)
		read_field(message, field);
	return 0;
}
