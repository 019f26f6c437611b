/* SPDX-License-Identifier: MIT */
/*
 * What the tests of several processes share: TAP, forked children, and a real
 * slabd in a folder of its own (a fixture).
 *
 *   test program ---- fork ----> children, each a client or several
 *        '----------- exec ----> slabd --config F --socket S --control C
 *
 * Every process may call tap_ok: the counts are in shared memory and a line is
 * one write. Children and slabd are killed when the test program ends, however
 * it ends, and nothing waits longer than its limit.
 */
#ifndef TESTS_LIB_HARNESS_H
#define TESTS_LIB_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/slabclient.h"

/* The limit of a wait that asks again and again for what has to come: the
 * machine may have other work. */
#define SURELY_MS 60000u

/* ---- TAP ---------------------------------------------------------------- */

/* First of all: the program ends with "Bail out!" after so many seconds. */
void tap_start(unsigned seconds);

/* One result. Returns good. */
bool tap_ok(bool good, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* One result: whether got is want; both are shown where not. */
bool tap_is(long long got, long long want, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void tap_skip(const char *why, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program, or the child that calls it, as failed. */
_Noreturn void tap_bail(const char *format, ...)
        __attribute__((format(printf, 1, 2)));

/* Prints the plan; the program's exit status. */
int tap_end(void);

/* Whether a sanitizer is built in: its code is many times as long. */
bool is_sanitized(void);

/* How often to do what finds more the longer it goes on: n times, with
 * SLABD_STRESS set twenty times as often, with a sanitizer an eighth of it. */
uint32_t tap_rounds(uint32_t n);

/* Whether SLABD_STEP=all asks for every place there is. */
bool wants_all(void);

/* ---- time and memory ---------------------------------------------------- */

double now_ms(void);
void sleep_ms(unsigned ms);

/* Zeroed memory that children share. */
void *shared_memory(size_t bytes);

/* ---- children ----------------------------------------------------------- */

struct child {
	pid_t pid;
	int fd; /* to say and hear */
};

/* Runs main(fd, arg) in a forked child, whose exit status is 0 after it. */
void child_start(struct child *child, void (*main)(int fd, void *arg),
                 void *arg);

/* One word to or from the other end of fd. hear bails out when the other is
 * gone or silent for two minutes. */
void say(int fd, uint64_t word);
uint64_t hear(int fd);

/* SIGKILL, and waits until it is dead. */
void child_kill(struct child *child);

/* Waits for the end; one result: it came by itself with status 0. */
void child_end(struct child *child, const char *name);

/* A process's open descriptors, once they are as many as wanted, or it is too
 * late for that; 0 wants no number: those that it has when it is at rest. */
unsigned count_fds(pid_t pid, unsigned want);

/* ---- slabd -------------------------------------------------------------- */

struct fixture {
	char dir[64];
	char config[96];
	char socket[96];
	char control[96];
	char log[96];
	pid_t pid;       /* of slabd; 0: none runs */
	long hugepages;  /* of the system, before the start */
	long spare;      /* of these, free */
	bool huge;       /* its pages may be hugepages */
};

/* Makes the folder and the configuration, starts slabd and waits until it
 * answers. Bails out if it does not. */
void fixture_open(struct fixture *fixture, const char *config, ...)
        __attribute__((format(printf, 2, 3)));

/* The same without starting it. */
void fixture_make(struct fixture *fixture, const char *config, ...)
        __attribute__((format(printf, 2, 3)));
bool fixture_start(struct fixture *fixture);

/* Forks the process that is to become slabd, with its output in the log. True
 * in the new process, which the test's end ends. */
bool fixture_fork(struct fixture *fixture);

/* Starts slabd without waiting for it, after setup in the new process. */
void fixture_spawn(struct fixture *fixture, void (*setup)(void));

/* Until slabd answers, or false when it does not in a minute. */
bool fixture_ready(struct fixture *fixture);

/* Waits for slabd's end: its status as waitpid tells, -1 after ms. */
int fixture_wait(struct fixture *fixture, unsigned ms);

void fixture_signal(const struct fixture *fixture, int signal);

/* SIGSTOP, and waits until slabd stands still. */
void fixture_halt(const struct fixture *fixture);

/* Removes the folder; no slabd runs any more. */
void fixture_remove(struct fixture *fixture);

/* SIGTERM, and results: exit status 0, sockets gone, hugepages as before where
 * slabd may have reserved some; or whether that is so within a minute. */
void fixture_close(struct fixture *fixture);
bool fixture_huge_back(const struct fixture *fixture);

/* Options for slabd_open at the fixture's socket; who waits for growth waits
 * longer than by default, as slabd may have to wait for a processor. */
struct slabd_options fixture_options(const struct fixture *fixture,
                                     unsigned flags);

/* One result: a call of the library failed with that errno, and says why. */
void fixture_fails(bool failed, int err, const char *what);

/* slabd_open of the default pool, which bails out where it fails. */
slabd_pool *fixture_pool(const struct fixture *fixture);

/* A cache that is opened or made; bails out where that fails. */
slabd_cache *fixture_cache(slabd_pool *pool, const char *name, size_t size);

/* Allocates n objects, or as many as come in a minute; how many. */
size_t fixture_take(slabd_cache *cache, size_t n, void **to);

/* GET path of the control socket: the document, or NULL. The caller drops
 * it. */
json_t *fixture_get(const struct fixture *fixture, const char *path);

/* POST to a path of the control socket, with a form such as "node=1". Whether
 * it was done. */
bool fixture_post(const struct fixture *fixture, const char *path,
                  const char *form);

/* A part of a document, such as "pools.0.used_bytes"; borrowed, or NULL. */
json_t *json_at(json_t *doc, const char *path);

/* A number of a GET; INT64_MIN where it is not there. */
long long fixture_number(const struct fixture *fixture, const char *path,
                         const char *at);

/* The same of one client of the first pool, from /clients. */
long long fixture_client(const struct fixture *fixture, unsigned id,
                         const char *at);

/* Waits until the number is as wanted: the ms it took, or -1 after limit_ms. */
double fixture_until(const struct fixture *fixture, const char *path,
                     const char *at, long long want, unsigned limit_ms);

/* One result: slabd's audit agrees. Faults are shown. */
bool fixture_audit(const struct fixture *fixture, const char *name);

/* Objects of the caches of the first pool that are not free, in use or held,
 * and those that clients own. */
long long fixture_used(const struct fixture *fixture);
double fixture_until_used(const struct fixture *fixture, long long want,
                          unsigned limit_ms);
long long fixture_owned(const struct fixture *fixture);

/* Whether slabd's log has the text. */
bool fixture_logged(const struct fixture *fixture, const char *text);

#endif
