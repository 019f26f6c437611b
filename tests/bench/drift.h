/* SPDX-License-Identifier: MIT */
/*
 * The drift experiment: objects are allocated on one node, handed over and
 * freed on another, and somebody looks at the nodes' partial lists meanwhile.
 *
 *   drift.c         the phases, and who looks
 *   drift_work.c    a process a node: allocates, gives, takes, frees
 *   drift_lists.c   the lists, read in shared memory
 *   drift_policy.c  where a slab stands once something in it is freed
 *   drift_cost.c    what going home costs, on one thread
 */
#ifndef BENCH_DRIFT_H
#define BENCH_DRIFT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/slabclient.h"
#include "shm/slab.h"

#define DRIFT_NODES 4
#define DRIFT_BYTES 256u
#define DRIFT_RING 4096u
#define DRIFT_GROUP 32u
#define DRIFT_WINDOW 65536u /* objects that a receiver keeps for a while */
#define DRIFT_ALL UINT32_MAX
#define DRIFT_CACHE "drift"

/* ---- policies ----------------------------------------------------------- */

/*
 * What becomes of a slab whose memory lies elsewhere when it goes from full to
 * partial. SLUB puts it on the list of the freeing CPU, which keeps so many and
 * then gives all to the node where their memory lies; see README.md.
 */
struct drift_policy {
	const char *name;
	uint32_t keep;     /* slabs that who freed has; 0: all stay at home */
	bool empties_home; /* one that is free as a whole goes home at once */
};

/* NULL for a name that there is not. */
const struct drift_policy *drift_policy_of(const char *name);

/* For the calling process, a client on a node. words are the pool's unit words,
 * writable; NULL where the policy moves nothing. */
void drift_policy_use(const struct drift_policy *policy, uint32_t node,
                      uint64_t *words);

/* ---- what the processes share ------------------------------------------- */

struct drift_ring {
	uint64_t put __attribute__((aligned(128)));
	uint64_t taken __attribute__((aligned(128)));
	slabd_handle slot[DRIFT_RING] __attribute__((aligned(128)));
};

/* What one worker says of itself; the counts since its start. */
struct drift_side {
	uint32_t id;      /* of the client; 0: not there yet */
	uint64_t freed;   /* objects, each of them another node's work */
	uint64_t afar;    /* received, and not of the sender's node */
	uint64_t starved; /* allocations that gave nothing, tried again */
	double began_ns, ended_ns; /* of the phase */
	struct slabd_stats stats;  /* at the end of the phase */
} __attribute__((aligned(128)));

struct drift {
	const struct drift_policy *policy;
	const char *control; /* path of slabd's control file, or NULL */
	pthread_barrier_t meet;
	uint64_t quota; /* objects from each sender to each receiver; 0: end */
	bool sends[DRIFT_NODES][DRIFT_NODES];
	uint32_t done; /* workers through with the phase */
	struct drift_side side[DRIFT_NODES];
	struct drift_ring ring[DRIFT_NODES][DRIFT_NODES];
};

/* The worker of a node, in its own process; never returns. */
_Noreturn void drift_work(struct drift *drift, uint32_t node);

double drift_now_ns(void);

/* Prints what failed; the exit status. */
int drift_fail(const char *what, const char *why);

/* A client on a node (-1: wherever) with the cache; ends the process where
 * that fails. */
slabd_pool *drift_open(int node, slabd_cache **cache);

/* ---- lists -------------------------------------------------------------- */

struct drift_lists {
	uint32_t listed[DRIFT_NODES];  /* on the node's list, something free */
	uint32_t foreign[DRIFT_NODES]; /* of these, at home elsewhere */
	uint32_t slabs[DRIFT_NODES];   /* at home here */
};

void drift_lists_read(struct drift_lists *lists, const struct view *view,
                      uint32_t cache);

/* ,"listed":[..],"foreign":[..],"slabs":[..] */
void drift_lists_print(const struct drift_lists *lists);

/* What going home costs: one line a case. The exit status. */
int drift_cost(void);

#endif
