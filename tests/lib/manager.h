/* SPDX-License-Identifier: MIT */
/*
 * A service manager, played for a slabd that a test starts: what slabd tells
 * it, and what slabd finds in its environment. There is one at a time.
 */
#ifndef TESTS_LIB_MANAGER_H
#define TESTS_LIB_MANAGER_H

#include "tests/lib/harness.h"

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

/* A socket at path, which listens unless it is of SOCK_DGRAM. */
int manager_bind(const char *path, int type);

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
