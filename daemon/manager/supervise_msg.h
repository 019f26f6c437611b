/* SPDX-License-Identifier: MIT */
/* One notification of a service to its manager, as sd_notify(3) sends it. */
#ifndef DAEMON_MANAGER_SUPERVISE_MSG_H
#define DAEMON_MANAGER_SUPERVISE_MSG_H

#include <stdbool.h>
#include <sys/types.h>

#define SUPERVISE_MSG_FDS_MAX 253u /* that Linux passes in one message */
#define SUPERVISE_MSG_BYTES 4096u

#define SUPERVISE_MSG_E_BAD 1      /* cut, or no text */
#define SUPERVISE_MSG_E_STRANGER 2 /* of another process than child */

struct supervise_msg {
	pid_t sender; /* that the kernel vouches for; 0: it does not */
	bool store;   /* FDSTORE=1: keep fds as name */
	bool remove;  /* FDSTOREREMOVE=1: close what is kept as name */
	bool ready;   /* READY=1 */
	bool alive;   /* WATCHDOG=1: its loop turns */
	bool ending;  /* STOPPING=1 */
	bool barrier; /* BARRIER=1: the sender waits until fds are closed */
	const char *name; /* FDNAME=, "stored" by default */
	unsigned n_fds;
	int fds[SUPERVISE_MSG_FDS_MAX]; /* close-on-exec */
	char fields[SUPERVISE_MSG_BYTES + 1]; /* that the manager above reads */
	char text[SUPERVISE_MSG_BYTES + 1];   /* where name is */
};

/*
 * Reads one from a socket with SO_PASSCRED. Its descriptors are the caller's:
 * supervise_msg_close. 0; SUPERVISE_MSG_E_BAD, and they are closed;
 * SUPERVISE_MSG_E_STRANGER, and nothing but the sender was taken, no descriptor
 * either; -EAGAIN there is none; -errno.
 */
int supervise_msg_receive(int sock, pid_t child, struct supervise_msg *message);

/* Closes the descriptors. */
void supervise_msg_close(struct supervise_msg *message);

#endif
