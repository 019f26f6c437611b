/* SPDX-License-Identifier: MIT */
/*
 * A worker is a process and a client of its own, on a node of its own. What it
 * sends it allocated and wrote; what it receives it keeps for a while, in a
 * window, and frees in no order: slabs are seldom full and seldom empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client/handle.h"
#include "client/types.h"
#include "tests/bench/drift.h"

#define STARVED_MAX 2000000u /* in a row: nobody frees any more */

struct worker {
	struct drift *drift;
	struct drift_side *side;
	uint32_t node;
	slabd_pool *pool;
	slabd_cache *cache;
	uint64_t sent[DRIFT_NODES];
	uint64_t got[DRIFT_NODES];
	uint64_t starved;
	uint64_t random;
	uint32_t n_kept;
	void *kept[DRIFT_WINDOW];
};

double drift_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int drift_fail(const char *what, const char *why)
{
	fprintf(stderr, "drift: %s: %s\n", what, why);
	return 1;
}

slabd_pool *drift_open(int node, slabd_cache **cache)
{
	struct slabd_options options = {
		.flags = node >= 0 ? SLABD_FORCE_NODE : 0,
		.node = node,
	};
	slabd_pool *pool = slabd_open(NULL, &options);
	*cache = NULL;
	if (pool != NULL)
		*cache = slabd_cache_create(pool, DRIFT_CACHE, DRIFT_BYTES, 0,
		                            0);
	if (*cache == NULL)
		exit(drift_fail("slabd", slabd_last_error()));
	return pool;
}

/* The unit words, writable: a client has them read-only, and who may do as
 * slabd opens slabd's own file. */
static uint64_t *open_words(const struct view *view, const char *path)
{
	char *at;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		exit(drift_fail(path, strerror(errno)));
	at = mmap(NULL, view->geo.control_bytes, PROT_READ | PROT_WRITE,
	          MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		exit(drift_fail(path, strerror(errno)));
	close(fd);
	return (uint64_t *)(void *)(at + view->geo.words_off);
}

/* ---- sending ------------------------------------------------------------ */

static void *next_object(struct worker *me)
{
	void *object = slabd_alloc(me->cache);
	if (object == NULL) {
		me->side->starved++;
		if (++me->starved > STARVED_MAX)
			exit(drift_fail("starved", slabd_last_error()));
		return NULL;
	}
	me->starved = 0;
	return object;
}

/* Sends a group at most. Whether it sent anything. */
static bool send_some(struct worker *me, uint32_t to)
{
	struct drift_ring *ring = &me->drift->ring[me->node][to];
	uint32_t id = me->drift->side[to].id;
	uint64_t put = ring->put;
	uint64_t left = me->drift->quota - me->sent[to];
	uint32_t n = left < DRIFT_GROUP ? (uint32_t)left : DRIFT_GROUP;
	uint32_t i;
	/* pairs: receive_some */
	if (n == 0 || put + n - atom_load_acquire(&ring->taken) > DRIFT_RING)
		return false;
	for (i = 0; i < n; i++) {
		uint64_t *object = next_object(me);
		if (object == NULL)
			break;
		*object = put + i;
		ring->slot[(put + i) % DRIFT_RING] =
			slabd_handle_of(me->pool, object);
		if (slabd_give(me->pool, object, id) < 0)
			exit(drift_fail("give", slabd_last_error()));
	}
	/* pairs: receive_some */
	atom_store_release(&ring->put, put + i);
	me->sent[to] += i;
	return i > 0;
}

/* ---- receiving ---------------------------------------------------------- */

static void *exchange(struct worker *me, void *object)
{
	uint32_t at;
	void *old;
	if (me->n_kept < DRIFT_WINDOW) {
		me->kept[me->n_kept++] = object;
		return NULL;
	}
	me->random ^= me->random << 13;
	me->random ^= me->random >> 7;
	me->random ^= me->random << 17;
	at = (uint32_t)(me->random % DRIFT_WINDOW);
	old = me->kept[at];
	me->kept[at] = object;
	return old;
}

static void receive_one(struct worker *me, uint32_t from, slabd_handle handle,
                        uint64_t serial)
{
	const struct view *view = &me->pool->view;
	uint64_t *object = slabd_take(me->pool, handle);
	uint64_t word = atom_load(&view->words[handle_off(handle) >> UNIT_SHIFT]);
	void *old;
	if (object == NULL)
		exit(drift_fail("take", slabd_last_error()));
	if (*object != serial)
		exit(drift_fail("take", "not what was sent"));
	if (WORD_HOME(word) != from)
		atom_store(&me->side->afar, me->side->afar + 1);
	old = exchange(me, object);
	if (old != NULL) {
		slabd_free(me->cache, old);
		atom_store(&me->side->freed, me->side->freed + 1);
	}
}

static bool receive_some(struct worker *me, uint32_t from)
{
	struct drift_ring *ring = &me->drift->ring[from][me->node];
	uint64_t taken = ring->taken;
	/* pairs: send_some */
	uint64_t n = atom_load_acquire(&ring->put) - taken;
	if (n == 0)
		return false;
	n = n < DRIFT_GROUP ? n : DRIFT_GROUP;
	for (uint64_t i = taken; i < taken + n; i++)
		receive_one(me, from, ring->slot[i % DRIFT_RING], i);
	/* pairs: send_some */
	atom_store_release(&ring->taken, taken + n);
	me->got[from] += n;
	return true;
}

/* ---- a phase ------------------------------------------------------------ */

static bool is_through(const struct worker *me)
{
	const struct drift *drift = me->drift;
	for (uint32_t i = 0; i < DRIFT_NODES; i++) {
		if (drift->sends[me->node][i] && me->sent[i] < drift->quota)
			return false;
		if (drift->sends[i][me->node] && me->got[i] < drift->quota)
			return false;
	}
	return true;
}

static void free_kept(struct worker *me)
{
	while (me->n_kept > 0)
		slabd_free(me->cache, me->kept[--me->n_kept]);
}

static void phase(struct worker *me)
{
	const struct drift *drift = me->drift;
	uint32_t last;
	memset(me->sent, 0, sizeof(me->sent));
	memset(me->got, 0, sizeof(me->got));
	me->side->began_ns = drift_now_ns();
	while (!is_through(me)) {
		bool moved = false;
		for (uint32_t i = 0; i < DRIFT_NODES; i++) {
			if (drift->sends[me->node][i])
				moved |= send_some(me, i);
			if (drift->sends[i][me->node])
				moved |= receive_some(me, i);
		}
		if (!moved)
			sched_yield();
	}
	last = me->n_kept;
	free_kept(me);
	atom_store(&me->side->freed, me->side->freed + last);
	me->side->ended_ns = drift_now_ns();
	if (slabd_flush(me->pool) < 0)
		exit(drift_fail("flush", slabd_last_error()));
	slabd_get_stats(me->pool, &me->side->stats);
}

static void pin(uint32_t node)
{
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((int)node % (n > 0 ? n : 1), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

_Noreturn void drift_work(struct drift *drift, uint32_t node)
{
	struct worker *me = calloc(1, sizeof(*me));
	if (me == NULL)
		exit(drift_fail("memory", strerror(errno)));
	pin(node);
	me->drift = drift;
	me->node = node;
	me->side = &drift->side[node];
	me->random = 0x9e3779b97f4a7c15u + node;
	me->pool = drift_open((int)node, &me->cache);
	drift_policy_use(drift->policy, node,
	                 drift->policy->keep == 0
	                         ? NULL
	                         : open_words(&me->pool->view, drift->control));
	me->side->id = slabd_client_id(me->pool);
	for (;;) {
		pthread_barrier_wait(&drift->meet);
		if (drift->quota == 0)
			break;
		phase(me);
		/* pairs: run_phase; what this side counted comes before
		 * its end. */
		atom_fence();
		atom_add(&drift->done, 1u);
	}
	exit(slabd_close(me->pool) == 0 ? 0 : 1);
}
