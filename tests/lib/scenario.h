/* SPDX-License-Identifier: MIT */
/*
 * What slabd does, each thing alone, to be cut short or failed at a point of
 * it: under a played manager, with a client beside it that lives through it
 * all and knows what it has.
 *
 *   scenario_prepare -- scenario_do, scenario_exact; again and again -- scenario_finish
 */
#ifndef TESTS_LIB_SCENARIO_H
#define TESTS_LIB_SCENARIO_H

#include "tests/lib/keeper.h"
#include "tests/lib/ptrace_fault.h"

#define SCENARIO_CONFIG                                                        \
	"[slabd]\ntopology = node:2 core:1 pu:1\n"                         \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"               \
	"max_caches = 1000\n[balance]\nkeep_slabs = 0\nhold = 100ms\n"

#define SCENARIO_ROOT "stepped"

struct scenario {
	const char *name;
	void (*client)(int fd, void *arg); /* or NULL */
	bool is_start; /* slabd starts; the client has died before */
	bool waits;    /* the client says when it is where it should be */
	bool is_death; /* the client is killed for it */
	bool fresh;    /* nothing is kept: the first start */
	bool anew;     /* in a pool that has not grown yet */
	bool mends;    /* a look that fails is made again some seconds later */
	bool roots;    /* it leaves a root, or none */
	bool arenas;   /* it leaves arenas on a channel (scenario_channel.h) */
	bool channel_ends; /* which may be gone, and they with it */
	bool is_slow;  /* each time takes a second or so, or has many calls */
};

#define DEEDS 15
extern const struct scenario scenarios[DEEDS];

extern struct fixture scenario_fixture;
extern struct keeper scenario_keeper;
extern struct ptrace_fault scenario_fault; /* set act, and what goes with it */

void scenario_open(void);
void scenario_close(void);

/* Starts the witness, and slabd where the scenario wants it running. */
void scenario_prepare(const struct scenario *scenario);

/* Before each time but the first: a pool made anew, where the scenario wants
 * it. */
void scenario_renew(const struct scenario *scenario);

/* One result for the witness; nothing is kept afterwards. */
void scenario_finish(const struct scenario *scenario);

/* Does it once, with the fault's point at the at-th call or store. */
enum ptrace_fault_end scenario_do(const struct scenario *scenario, uint64_t at);

/* One that takes over what is kept is killed after its at-th store. False when
 * it had no such, and was killed later. */
bool scenario_start_cut(uint64_t at);

/* Starts slabd on what is kept; bails out where it does not come. */
void scenario_start_again(const char *what);

/* SIGKILL, where slabd still runs. */
void scenario_stop(void);

/* Whether the audit agrees, all that is owned is the witness's once the dead
 * are reaped, and the witness has what it had. Says what it found, if not. */
bool scenario_exact(const struct scenario *scenario, const char *what);

#endif
