/* SPDX-License-Identifier: MIT */
/*
 * What slabd does, each thing alone, to be cut short or failed at a point of
 * it: under a played manager, with a client beside it that lives through it
 * all and knows what it has.
 *
 *   deed_prepare -- deed_do, deed_exact; again and again -- deed_finish
 */
#ifndef TESTS_LIB_SCENARIO_H
#define TESTS_LIB_SCENARIO_H

#include "tests/lib/keeper.h"
#include "tests/lib/ptrace_fault.h"

#define DEED_CONFIG                                                        \
	"[slabd]\ntopology = node:2 core:1 pu:1\n"                         \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"               \
	"max_caches = 1000\n[balance]\nkeep_slabs = 0\nhold = 100ms\n"

struct deed {
	const char *name;
	void (*client)(int fd, void *arg); /* or NULL */
	bool is_start; /* slabd starts; the client has died before */
	bool waits;    /* the client says when it is where it should be */
	bool is_death; /* the client is killed for it */
	bool fresh;    /* nothing is kept: the first start */
	bool anew;     /* in a pool that has not grown yet */
};

#define DEEDS 10
extern const struct deed deeds[DEEDS];

extern struct bed deed_bed;
extern struct keeper deed_keeper;
extern struct tamper deed_tamper; /* set act, and what goes with it */

void deed_open(void);
void deed_close(void);

/* Starts the witness, and slabd where the deed wants it running. */
void deed_prepare(const struct deed *deed);

/* Before each time but the first: a pool made anew, where the deed wants it. */
void deed_renew(const struct deed *deed);

/* One result for the witness; nothing is kept afterwards. */
void deed_finish(const struct deed *deed);

/* Does it once, with the tamper's point at the at-th call or store. */
enum tamper_end deed_do(const struct deed *deed, uint64_t at);

/* One that takes over what is kept is killed after its at-th store. False when
 * it had no such, and was killed later. */
bool deed_start_cut(uint64_t at);

/* Starts slabd on what is kept; bails out where it does not come. */
void deed_start_again(const char *what);

/* SIGKILL, where slabd still runs. */
void deed_stop(void);

/* Whether the audit agrees, all that is owned is the witness's once the dead
 * are buried, and the witness has what it had. Says what it found, if not. */
bool deed_exact(const struct deed *deed, const char *what);

#endif
