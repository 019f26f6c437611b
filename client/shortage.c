/* SPDX-License-Identifier: MIT */
#include "client/shortage.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/doorbell.h"
#include "client/error.h"
#include "client/futex.h"
#include "client/home.h"
#include "client/idle.h"
#include "client/magazine.h"
#include "client/resume.h"
#include "client/want.h"
#include "shm/atom.h"
#include "shm/partial.h"

#define SLICE_NS UINT64_C(10000000)
#define PACE_NS UINT64_C(12000)
#define PACE_LOOKS 1000u /* at the clock */
#define NEAR_LEFT 64u /* objects from elsewhere after a wait in vain */
#define NEAR_VAIN_MAX 20u
#define LEASED_MAX                                                             \
	64u /* looks at a list whose slabs all are in others' hands */

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

static bool waits_never(const struct attachment *att)
{
	return att->no_wait || att->pool->no_wait;
}

/* Whether growth of a thread's own node may come soon: slabd is there, it has
 * not refused, and it is time to wait again after a wait in vain. */
static bool near_may_grow(const struct cache *cache,
                          const struct attachment *att, uint32_t node)
{
	struct slabd_pool *pool = cache->pool;
	if (waits_never(att) || is_denied(cache, node, false) ||
	    !link_is_up(&pool->link))
		return false;
	if (atom_load(&pool->near_vain) == 0 ||
	    (int32_t)atom_load(&pool->near_left) <= 0)
		return true;
	atom_add(&pool->near_left, -1u);
	return false;
}

/* Nothing came: some objects may come from elsewhere, and twice as many after
 * each further wait in vain, so that a slabd that is slow costs few objects, and
 * one that stands still few waits. */
static void note_vain(struct slabd_pool *pool)
{
	uint32_t vain = atom_load(&pool->near_vain);
	atom_store(&pool->near_left,
	           NEAR_LEFT << (vain < NEAR_VAIN_MAX ? vain : NEAR_VAIN_MAX));
	atom_store(&pool->near_vain, vain + 1);
	/* The want may be another's, who was stopped before it rang. */
	if (doorbell_may_ring(&pool->link))
		doorbell_ring(&pool->link);
}

/* The end of an allocation's waits, set as the first of them begins. */
static uint64_t end_of_waits(struct slabd_pool *pool, uint64_t now,
                             uint64_t *deadline)
{
	if (*deadline == 0) {
		*deadline = now + pool->wait_ns;
		view_count(&pool->view, pool->user.id, STAT_WAITS, 1);
	}
	return *deadline;
}

/* Waits for growth of the thread's own node, before another one is asked, until
 * *until (0: not begun). False when it may wait no longer. */
static bool wait_near(struct cache *cache, const struct attachment *att,
                      uint32_t node, uint32_t seq, uint64_t *until,
                      uint64_t *deadline)
{
	struct slabd_pool *pool = cache->pool;
	uint64_t us = atom_load(&pool->view.head->remote_wait_us);
	uint64_t now;
	uint64_t end;
	if (us == 0 || !near_may_grow(cache, att, node))
		return false;
	us = us < REMOTE_WAIT_MAX_US ? us : REMOTE_WAIT_MAX_US;
	want_tell(pool, cache->id, node);
	now = clock_now_ns();
	end = end_of_waits(pool, now, deadline);
	if (*until == 0)
		*until = now + us * 1000 < end ? now + us * 1000 : end;
	if (now < *until &&
	    sleep_on(&pool->view.head->grow_seq, seq, *until - now))
		return true;
	note_vain(pool);
	return false;
}

/* Waits a slice for growth. False when waiting is of no use. */
static bool wait_a_while(const struct attachment *att, uint32_t seq,
                         uint64_t *deadline)
{
	struct slabd_pool *pool = att->pool;
	uint64_t now = clock_now_ns();
	uint64_t left;
	if (link_is_lost(&pool->link) || waits_never(att))
		return false;
	if (atom_load(&pool->vain) && atom_load(&pool->vain_seq) == seq)
		return false;
	if (now >= end_of_waits(pool, now, deadline)) {
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
	[MARK_WHY_MAX_WAITS] = {"the pool may have no more pages here "
                                "(at-limit)",
                                "free objects; the higher max in slabd.conf "
                                "waits for a pool made anew"},
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
	uint32_t why =
		MARK_WHY(atom_load(&view_mark(view, cache->id, node)->denied));
	if (why >= MARK_WHYS)
		why = MARK_WHY_UNKNOWN;
	error_set(ENOMEM, "pool %s is full for cache %s on node %u: %s; %s",
	          view->head->name, cache->row->name, view->nodes[node].os_id,
	          whys[why].what, whys[why].todo);
}

/* node: that refused, NODE_NONE: slabd did not answer. */
static void *fail(struct cache *cache, const struct attachment *att,
                  uint32_t node)
{
	struct slabd_pool *pool = cache->pool;
	char why[LINK_WHY];
	view_count(&pool->view, pool->user.id, STAT_FAILURES, 1);
	doorbell_note_short(&pool->link);
	if (link_is_lost(&pool->link) ||
	    (node == NODE_NONE && !link_is_up(&pool->link)))
		return error_set(ENOMEM, "%s", link_why(&pool->link, why)),
		       NULL;
	if (node != NODE_NONE)
		return say_refused(cache, node), NULL;
	if (waits_never(att)) {
		error_set(ENOMEM,
		          "pool %s has nothing ready for cache %s; slabd was "
		          "told, and %s does not wait for it: try again",
		          pool->view.head->name, cache->row->name,
		          att->no_wait ? "slabd_alloc_nowait"
		                       : "SLABD_NO_WAIT");
		return NULL;
	}
	if (atom_load(&pool->view.refused) ||
	    atom_load(&pool->view.refused_data)) {
		error_set(ENOMEM,
		          "the kernel refuses mprotect, so that no more of pool "
		          "%s can be reached: raise vm.max_map_count, or allow "
		          "that call where a sandbox forbids it",
		          pool->view.head->name);
		return NULL;
	}
	error_set(ENOMEM,
	          "pool %s did not grow in time for cache %s: is slabd running "
	          "(slabctl status)",
	          pool->view.head->name, cache->row->name);
	return NULL;
}

void shortage_pace(const struct cache *cache, const struct attachment *att)
{
	uint32_t node = att->node;
	const struct view *view = &cache->pool->view;
	const struct layout_mark *mark = view_mark(view, cache->id, node);
	struct partial list = partial_of(view, cache->id, node);
	uint32_t low = (atom_load(&mark->low_slabs) + 1) / 2;
	uint32_t have;
	uint64_t until;
	if ((atom_load(&mark->denied) & MARK_GROWING) == 0 || waits_never(att))
		return;
	have = partial_count(&list, low);
	if (have >= low)
		return;
	until = clock_now_ns() + PACE_NS * (low - have) / low;
	/* A clock that is slow to read, or stands still, ends it as well. */
	for (uint32_t i = 0; i < PACE_LOOKS && clock_now_ns() < until; i++)
		continue;
}

/* One object of a node's list, on which is put what the depot keeps there. */
static void *take_of(struct cache *cache, uint32_t node, uint32_t own,
                     bool home_only, bool tell)
{
	void *object = home_take_one(cache, node, own, home_only, tell);
	while (object == NULL && home_send_oldest(cache, node))
		object = home_take_one(cache, node, own, home_only, false);
	return object;
}

/* One object of the own node, for whose growth it waits a little. n: how many
 * nodes there are to choose from. */
static void *take_near(struct cache *cache, const struct attachment *att,
                       const uint8_t *nodes, uint32_t n, bool home_only,
                       uint64_t *deadline)
{
	const struct layout_head *head = cache->pool->view.head;
	uint64_t until = 0;
	uint32_t seq;
	void *object;
	do {
		/* pairs: marks_announce; what it grew is on the lists. */
		seq = atom_load_acquire(&head->grow_seq);
		object = take_of(cache, nodes[0], nodes[0], home_only,
		                 !is_denied(cache, nodes[0], home_only));
	} while (object == NULL && n > 1 &&
	         wait_near(cache, att, nodes[0], seq, &until, deadline));
	if (object != NULL && until != 0)
		atom_store(&cache->pool->near_vain, 0u);
	return object;
}

/* One object of the first node that has any. slabd is told of a node
 * only when all before it are denied: a look at the others must not have it
 * spread over them what the thread's own node could give. */
static void *take_first(struct cache *cache, const struct attachment *att,
                        const uint8_t *nodes, uint32_t n, bool home_only,
                        uint64_t *deadline)
{
	struct slabd_pool *pool = cache->pool;
	void *object = take_near(cache, att, nodes, n, home_only, deadline);
	bool tell = is_denied(cache, nodes[0], home_only);
	bool had_room = !tell;
	for (uint32_t i = 1; i < n && object == NULL; i++) {
		bool denied = is_denied(cache, nodes[i], home_only);
		object = take_of(cache, nodes[i], nodes[0], home_only,
		                 tell && !denied);
		tell = tell && denied;
		view_count(&pool->view, pool->user.id, STAT_REMOTE_WITH_ROOM,
		           object != NULL && had_room &&
		                   home_of(cache, object) != nodes[0]);
	}
	return object;
}

/* Whether a list has slabs, all of which other threads hold just now. */
static bool is_all_leased(const struct cache *cache, uint32_t node)
{
	struct partial list = partial_of(&cache->pool->view, cache->id, node);
	return partial_count(&list, 1) > 0;
}

/* Before the process is refused it gives back what its other threads can do
 * without, and slabd is told of it, which may have slabs for this cache now.
 * False if there was nothing. */
static bool give_back(struct cache *cache, uint32_t node)
{
	struct slabd_pool *pool = cache->pool;
	if (!idle_give_back(pool))
		return false;
	if (doorbell_may_ring(&pool->link) &&
	    view_want_any(&pool->view, cache->id, node))
		doorbell_ring(&pool->link);
	return true;
}

/* Tries the nodes in turn, waiting for growth in between. */
static void *alloc_from(struct cache *cache, struct attachment *att,
                        const uint8_t *nodes, uint32_t n, bool home_only)
{
	struct slabd_pool *pool = cache->pool;
	uint64_t deadline = 0;
	bool gave = false;
	for (uint32_t leased = 0;;) {
		/* pairs: marks_announce; what it grew is on the lists. */
		uint32_t seq = atom_load_acquire(&pool->view.head->grow_seq);
		void *object =
			take_first(cache, att, nodes, n, home_only, &deadline);
		bool refused;
		if (object != NULL)
			return object;
		if (magazine_drop_remote(att))
			continue;
		refused = !tell_first(cache, nodes, n, home_only);
		if (!refused && wait_a_while(att, seq, &deadline))
			continue;
		if (!gave && !att->no_wait && give_back(cache, nodes[0])) {
			gave = true;
			wait_a_while(att, seq, &deadline);
			continue;
		}
		/* Those come back, without slabd, too. */
		if (!home_only && !att->no_wait &&
		    is_all_leased(cache, nodes[0]) && leased++ < LEASED_MAX) {
			sched_yield();
			continue;
		}
		/* The want may be another's, who was stopped or cut off
		 * before it rang. */
		if (!refused && doorbell_may_ring(&pool->link))
			doorbell_ring(&pool->link);
		return fail(cache, att, refused ? nodes[0] : NODE_NONE);
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
