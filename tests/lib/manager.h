/* SPDX-License-Identifier: MIT */
/*
 * A service manager, played for a slabd that a test starts: what slabd tells
 * it, and what slabd finds in its environment. There is one at a time; those of
 * keeper.h and of the unit tests are made of its parts.
 */
#ifndef TESTS_LIB_MANAGER_H
#define TESTS_LIB_MANAGER_H

#include "tests/lib/harness.h"

/* One message, and the one descriptor that may come with it. */
struct manager_message {
	pid_t sender; /* 0: the socket does not ask for it */
	int fd;       /* the caller's; -1: none */
	char text[1024];
};

/* What the environment of a slabd has, beside the manager's address. */
struct manager_given {
	int fds[2];
	unsigned n_fds;
	const char *names;
	unsigned watchdog_ms; /* 0: none */
};

/* Its socket is in the fixture's folder. */
void manager_open(const struct fixture *fixture);
void manager_close(void);

/* In a new process, before it becomes slabd. */
void manager_environment(const struct manager_given *given);

/* A socket at path, or at an abstract address that starts with "@". It listens
 * unless it is of SOCK_DGRAM. */
int manager_bind(const char *path, int type);

/* Reads a message of such a socket. False, with "" as text: there was none. */
bool manager_receive(int sock, struct manager_message *message, int flags);

/* In a new process: passes n descriptors, which others may share, from 3 on. */
void manager_pass(const int *fds, unsigned n, const char *names);

/* One with a field of which the number is the value. */
void manager_number(const char *name, long number);

/* The next message: its sender's pid, 0 when none comes in time. */
pid_t manager_next(unsigned ms);

/* The last message, and whether it has this field. */
const char *manager_text(void);
bool manager_says(const char *field);

/* Reads on until the field comes: the sender's pid, 0 when it does not. before
 * is how many others there were. */
pid_t manager_await(const char *field, unsigned ms, unsigned *before);

/* fixture_wait that reads on, so that slabd does not wait for the manager. */
int manager_wait(struct fixture *fixture, unsigned ms);

#endif
