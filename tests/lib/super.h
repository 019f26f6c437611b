/* SPDX-License-Identifier: MIT */
/*
 * A real slabd under "slabd --supervise", in a fixture whose pid is the
 * supervisor's.
 *
 *   test program --> supervisor (fixture.pid) --> slabd
 *        '---- guard: kills the last slabd that was seen, should this end
 */
#ifndef TESTS_LIB_SUPER_H
#define TESTS_LIB_SUPER_H

#include "tests/lib/harness.h"
#include "tests/lib/manager.h"

/* A descriptor that is open in each supervisor, as its parent left it. */
#define SUPER_INHERITED 77

/* A program of the build. Static storage. */
const char *super_program(const char *name);

/* Starts a supervisor, whose log is then new, with --foreground or under a
 * played manager. path NULL: the slabd of the build. */
void super_spawn(struct fixture *fixture, const char *path,
                 const struct manager_given *given);

/* What the new process of the next super_spawn does first. */
void super_setup(void (*setup)(void));

/* The slabd that answers and is another one than before; 0: none does in a
 * minute. Reads what is sent to a played manager. */
pid_t super_next(struct fixture *fixture, pid_t before);

/* Both, without a manager. Bails out where no slabd answers. */
pid_t super_start(struct fixture *fixture);

/* SIGKILL to slabd, and the next one. Bails out where none answers. */
pid_t super_kill(struct fixture *fixture, pid_t pid);

/* SIGTERM to the supervisor, and results: status 0, slabd and its sockets
 * gone. */
void super_stop(struct fixture *fixture, pid_t pid, const char *name);

/* At the end of the program: no slabd runs any more. */
void super_end(void);

/* Whether a status of fixture_wait is an exit with the code. */
bool super_ended(int status, int code);

/* Whether a process that is no child of this one ends within so many ms. */
bool super_is_gone(pid_t pid, unsigned ms);

/* A file of /proc/PID, or a line of its "status" behind the key. "" where there
 * is none. Valid until the next call of one of these three. */
const char *super_proc(pid_t pid, const char *name);
const char *super_status(pid_t pid, const char *key);

/* A variable that a process was started with; "" where it has none. */
const char *super_variable(pid_t pid, const char *name);

bool super_has_fd(pid_t pid, int fd);

#endif
