/* SPDX-License-Identifier: MIT */
#include "client/shortage.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/doorbell.h"
#include "client/error.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/resume.h"
#include "client/want.h"
#include "shm/atom.h"

#define SLICE_NS UINT64_C(10000000)

/* Sleeps until slabd has grown or refused something. False on time-out. The
 * word is in a mapping shared with slabd, so the futex is not private. */
static bool sleep_on(const uint32_t *seq, uint32_t seen, uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / SECOND_NS),
	                      .tv_nsec = (long)(ns % SECOND_NS)};
	return syscall(SYS_futex, seq, FUTEX_WAIT, seen, &ts, NULL, 0) == 0 ||
	       errno != ETIMEDOUT;
}

/* home_only: the caller takes nothing that is lent to the node. */
static bool is_denied(const struct cache *cache, uint32_t node, bool home_only)
{
	const struct slabd_pool *pool = cache->pool;
	uint32_t bits = MARK_DENIED;
	if (home_only || pool->user.home_only)
		bits |= MARK_NO_OWN;
	return (atom_load(&view_mark(&pool->view, cache->id, node)->denied) &
	        bits) != 0;
}

/* Tells slabd of the first of the nodes that it has not refused. False when
 * it has refused all. */
static bool tell_first(const struct cache *cache, const uint8_t *nodes,
                       uint32_t n, bool home_only)
{
	struct slabd_pool *pool = cache->pool;
	for (uint32_t i = 0; i < n; i++) {
		if (is_denied(cache, nodes[i], home_only))
			continue;
		want_tell(pool, cache->id, nodes[i]);
		return true;
	}
	return false;
}

/* Waits a slice for growth. False when waiting is of no use. */
static bool wait_a_while(struct slabd_pool *pool, uint32_t seq,
                         uint64_t *deadline)
{
	uint64_t now = clock_now_ns();
	uint64_t left;
	if (link_is_lost(&pool->link) || pool->no_wait)
		return false;
	if (atom_load(&pool->vain) && atom_load(&pool->vain_seq) == seq)
		return false;
	if (*deadline == 0) {
		*deadline = now + pool->wait_ns;
		view_count(&pool->view, pool->user.id, STAT_WAITS, 1);
	}
	if (now >= *deadline) {
		atom_store(&pool->vain_seq, seq);
		atom_store(&pool->vain, true);
		return false;
	}
	left = *deadline - now;
	if (sleep_on(&pool->view.head->grow_seq, seq,
	             left < SLICE_NS ? left : SLICE_NS))
		return true;
	/* A ring is lost when its sender is stopped or killed before it rang;
	 * and a program without a helper polls nothing while it waits here. */
	if (!link_is_up(&pool->link))
		resume_press(&pool->link);
	else if (doorbell_may_ring(&pool->link))
		doorbell_ring(&pool->link);
	return true;
}

/* As slabctl plan and the log have it. */
static const struct {
	const char *what;
	const char *todo;
} whys[MARK_WHYS] = {
	[MARK_WHY_UNKNOWN] = {"slabctl nodes says why",
                              "raise max in slabd.conf, add hugepages or free "
                              "objects"},
	[MARK_WHY_AT_LIMIT] = {"the pool may have no more pages here "
                               "(at-limit)",
                               "raise max in slabd.conf or free objects"},
	[MARK_WHY_NO_UNITS] = {"no free units, and no page to be had "
                               "(no-units)",
                               "slabctl nodes says what memory lacks; or free "
                               "objects"},
	[MARK_WHY_PRESSED] = {"the kernel is short of memory here (pressed)",
                              "free memory on the node"},
	[MARK_WHY_DRAINED] = {"the node is to be emptied (drained)",
                              "slabctl drain NODE --undo ends that"},
};

/* slabd has nothing for the cache on all nodes; node is the one that the
 * thread is on, or asked for. */
static void say_refused(const struct cache *cache, uint32_t node)
{
	const struct view *view = &cache->pool->view;
	uint32_t why = MARK_WHY(
		atom_load(&view_mark(view, cache->id, node)->denied));
	if (why >= MARK_WHYS)
		why = MARK_WHY_UNKNOWN;
	error_set(ENOMEM, "pool %s is full for cache %s on node %u: %s; %s",
	          view->head->name, cache->row->name, view->nodes[node].os_id,
	          whys[why].what, whys[why].todo);
}

/* node: that refused, NODE_NONE: slabd did not answer. */
static void *fail(struct cache *cache, uint32_t node)
{
	struct slabd_pool *pool = cache->pool;
	char why[LINK_WHY];
	view_count(&pool->view, pool->user.id, STAT_FAILURES, 1);
	if (link_is_lost(&pool->link) ||
	    (node == NODE_NONE && !link_is_up(&pool->link)))
		return error_set(ENOMEM, "%s", link_why(&pool->link, why)),
		       NULL;
	if (node != NODE_NONE)
		return say_refused(cache, node), NULL;
	error_set(ENOMEM,
	          "pool %s did not grow in time for cache %s: is slabd running "
	          "(slabctl status)",
	          pool->view.head->name, cache->row->name);
	return NULL;
}

/* One object of a node's list, on which is put what the depot keeps there. */
static void *take_of(struct cache *cache, uint32_t node, bool home_only,
                     bool tell)
{
	void *object = home_take_one(cache, node, home_only, tell);
	while (object == NULL && home_send_oldest(cache, node))
		object = home_take_one(cache, node, home_only, false);
	return object;
}

/* One object of the first node that has any. slabd is told of a node
 * only when all before it are denied: a look at the others must not have it
 * spread over them what the thread's own node could give. */
static void *take_first(struct cache *cache, const uint8_t *nodes, uint32_t n,
                        bool home_only)
{
	struct slabd_pool *pool = cache->pool;
	bool tell = true;
	for (uint32_t i = 0; i < n; i++) {
		bool denied = is_denied(cache, nodes[i], home_only);
		void *object =
			take_of(cache, nodes[i], home_only, tell && !denied);
		if (object != NULL) {
			view_count(&pool->view, pool->user.id,
			           STAT_REMOTE_ALLOCS, i != 0);
			return object;
		}
		tell = tell && denied;
	}
	return NULL;
}

/* Tries the nodes in turn, waiting for growth in between. */
static void *alloc_from(struct cache *cache, struct attachment *att,
                        const uint8_t *nodes, uint32_t n, bool home_only)
{
	struct slabd_pool *pool = cache->pool;
	uint64_t deadline = 0;
	for (;;) {
		/* pairs: marks_announce; what it grew is on the lists. */
		uint32_t seq = atom_load_acquire(&pool->view.head->grow_seq);
		void *object = take_first(cache, nodes, n, home_only);
		if (object != NULL)
			return object;
		if (magazine_drop_remote(att))
			continue;
		if (!tell_first(cache, nodes, n, home_only))
			return fail(cache, nodes[0]);
		if (wait_a_while(pool, seq, &deadline))
			continue;
		/* The want may be another's, who was stopped or cut off
		 * before it rang. */
		if (doorbell_may_ring(&pool->link))
			doorbell_ring(&pool->link);
		return fail(cache, NODE_NONE);
	}
}

void *shortage_alloc(struct cache *cache, struct attachment *att)
{
	const struct view *view = &cache->pool->view;
	return alloc_from(cache, att, view->nodes[att->node].nearest,
	                  cache->strict ? 1 : view->geo.n_nodes, false);
}

void *shortage_alloc_on(struct cache *cache, struct attachment *att,
                        uint32_t node)
{
	uint8_t one = (uint8_t)node;
	return alloc_from(cache, att, &one, 1, true);
}
