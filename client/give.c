/* SPDX-License-Identifier: MIT */
/* Handles, and ownership that passes from client to client by retagging. */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "client/checked.h"
#include "client/error.h"
#include "client/handle.h"
#include "client/holds.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/types.h"
#include "shm/atom.h"
#include "shm/tags.h"

/* Of what a pool may have, what one client may have been given and not taken. */
#define GIFTS_SHARE 8u
#define TURN_SPINS 1024u
#define TURN_SLEEPS 2000u /* of a millisecond */
#define TAKEN_PARTS 32u /* of that share, which are counted together */

typedef unsigned long long number;

/* ---- handles ------------------------------------------------------------- */

__attribute__((cold, noinline)) static int no_object(const slabd_pool *pool,
                                                     uint64_t off)
{
	if (off >= pool->data_bytes)
		return error_set(EINVAL, "this is no handle of pool %s",
		                 pool->view.head->name);
	return error_set(EINVAL, "no object of pool %s starts at 0x%llx",
	                 pool->view.head->name, (number)off);
}

__attribute__((cold, noinline)) static int no_mapping(void)
{
	return error_set(ENOMEM, "the kernel gives this process no access to "
	                 "more of the pool: raise vm.max_map_count");
}

/* Of an object that somebody has, or nothing. */
static size_t size_at(const struct view *view, uint64_t off)
{
	uint64_t word = atom_load(&view->words[off >> UNIT_SHIFT]);
	const struct layout_cache *row =
		WORD_CACHE(word) != 0 ? view_cache(view, WORD_CACHE(word))
	                              : NULL;
	return row != NULL ? row->size : 0;
}

/* The object at an offset where one starts, accessible from now on. */
static void *show(const struct slabd_pool *pool, uint64_t off)
{
	const struct view *view = &pool->view;
	void *object = pool->user.data + off;
	if (atom_load(&tools_on))
		tools_look(object, size_at(view, off));
	return object;
}

__attribute__((cold, noinline)) static int was_freed(int err, uint64_t off)
{
	return error_set(err, "the object of this handle was freed: another "
	                 "may be at 0x%llx now", (number)off);
}

slabd_handle slabd_handle_of(slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	uint16_t *tag;
	if (off >= pool->data_bytes)
		return error_set(EINVAL, "%p is not in pool %s", object,
		                 pool->view.head->name),
		       SLABD_NO_HANDLE;
	tag = slab_tag_of(&pool->view, off);
	if (tag == NULL)
		return no_object(pool, off), SLABD_NO_HANDLE;
	if (atom_load(pool->alive) == 0)
		return handle_make(off, atom_load(slab_gen_of(&pool->view,
		                                              tag)));
	return handle_make(off, tags_know_any(tag, slab_gen_of(&pool->view,
	                                                       tag)));
}

/* The tag of a handle's object, or NULL where none starts. */
static uint16_t *tag_of(const slabd_pool *pool, slabd_handle handle)
{
	return slab_tag_of(&pool->view, handle_off(handle));
}

static bool is_same(const slabd_pool *pool, const uint16_t *tag,
                    slabd_handle handle)
{
	return GEN_OBJECT(atom_load(slab_gen_of(&pool->view, tag))) ==
	       handle_object(handle);
}

static bool is_waiting(const slabd_pool *pool, const uint16_t *tag)
{
	return (atom_load(slab_gen_of(&pool->view, tag)) & GEN_WAITING) != 0;
}

void *slabd_pointer(slabd_pool *pool, slabd_handle handle)
{
	uint64_t off = handle_off(handle);
	const uint16_t *tag = slab_tag_of(&pool->view, off);
	if (tag == NULL)
		return no_object(pool, off), NULL;
	if (!is_same(pool, tag, handle))
		return was_freed(EINVAL, off), NULL;
	if (!reach_offset(pool, off))
		return no_mapping(), NULL;
	return show(pool, off);
}

unsigned slabd_owner(slabd_pool *pool, slabd_handle handle, int *given)
{
	uint64_t off = handle_off(handle);
	const uint16_t *at = slab_tag_of(&pool->view, off);
	uint16_t tag;
	if (at == NULL)
		return no_object(pool, off), 0;
	tag = atom_load(at);
	if (tag == TAG_FREE || TAG_OWNER(tag) > CLIENT_ID_MAX ||
	    !is_same(pool, at, handle))
		return was_freed(ENOENT, off), 0;
	if (given != NULL) {
		*given = (tag & TAG_KNOWN) != 0 &&
		         is_waiting(pool, at);
		if (atom_load(&tools_on))
			tools_wrote(given, sizeof(*given));
	}
	return TAG_OWNER(tag);
}

/* Of the slab there, which stays as something in it is owned. */
static uint64_t stride_at(const struct view *view, uint64_t off)
{
	uint64_t word = atom_load(&view->words[off >> UNIT_SHIFT]);
	return view->caches[WORD_CACHE(word) - 1].stride;
}

/* ---- turns --------------------------------------------------------------- */

/*
 * Of this process's threads one at a time gives or takes an object: between
 * another's look and its cas one could take the gift and give it on, and both
 * would have it; so it would be where one takes what another is about to give. It
 * is held for some instructions. For who was preempted within them, whatever its
 * priority, others wait asleep; of one that a debugger stopped they give up after
 * two seconds or so. NULL then.
 */
static uint32_t *take_turn(slabd_pool *pool, uint64_t off)
{
	enum { TURNS = sizeof(pool->taking) / sizeof(pool->taking[0]) };
	uint32_t *turn = &pool->taking[off / 64 % TURNS];
	uint32_t none = 0;
	/* pairs: end_turn; what the last one changed is seen. */
	for (unsigned i = 1; !atom_cas(turn, &none, 1u); i++) {
		none = 0;
		if (i == TURN_SPINS + TURN_SLEEPS)
			return NULL;
		if (i > TURN_SPINS)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		else if (i % 64 == 0)
			sched_yield();
	}
	return turn;
}

static void end_turn(uint32_t *turn)
{
	/* pairs: take_turn */
	atom_store_release(turn, 0u);
}

__attribute__((cold, noinline)) static int no_turn(uint64_t off)
{
	return error_set(EAGAIN, "a thread of this process stands still while "
	                 "it gives or takes object 0x%llx, or one of those that "
	                 "share its turn: try again once it goes on",
	                 (number)off);
}

/* ---- give ---------------------------------------------------------------- */

__attribute__((cold, noinline)) static int no_receiver(const slabd_pool *pool,
                                                       unsigned client_id)
{
	return error_set(ESRCH, "pool %s has no client %u",
	                 pool->view.head->name, client_id);
}

__attribute__((cold, noinline)) static int not_own(const slabd_pool *pool,
                                                   uint64_t off, uint16_t tag)
{
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	if (tag == TAG_FREE || TAG_OWNER(tag) > CLIENT_ID_MAX)
		return error_set(EPERM, "object 0x%llx is free: it is not this "
		                 "client's to give", (number)off);
	return error_set(EPERM, "object 0x%llx is not this client's to give: "
	                 "it is %s client, %u", (number)off,
	                 TAG_OWNER(tag) == pool->user.id ? "a gift to this"
	                                                 : "owned by another",
	                 TAG_OWNER(tag));
}

__attribute__((cold, noinline)) static int freed_here(const slabd_pool *pool,
                                                      uint64_t off)
{
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	return error_set(EPERM, "object 0x%llx is not this client's to give: "
	                 "this thread has freed it", (number)off);
}

__attribute__((cold, noinline)) static int too_many(const slabd_pool *pool,
                                                    unsigned client_id)
{
	return error_set(EAGAIN, "client %u has not taken %llu KiB of gifts: "
	                 "the most is %llu KiB, an eighth of pool %s; wait "
	                 "until it takes some", client_id,
	                 (number)view_gifts(&pool->view, client_id) >> 10,
	                 (number)pool->max_bytes / GIFTS_SHARE >> 10,
	                 pool->view.head->name);
}

/* One at least, whatever its size. */
static bool has_room(const slabd_pool *pool, unsigned client_id,
                     uint64_t stride)
{
	int64_t waiting = view_gifts(&pool->view, client_id);
	return waiting <= 0 ||
	       (uint64_t)waiting + stride <= pool->max_bytes / GIFTS_SHARE;
}

/* Under the turn, so that no thread of this process has it in between. */
static int retag(slabd_pool *pool, uint64_t off, uint16_t *tag,
                 unsigned client_id, uint64_t receiver)
{
	const struct view *view = &pool->view;
	uint16_t *gen = slab_gen_of(view, tag);
	uint16_t own = (uint16_t)pool->user.id;
	uint16_t other = (uint16_t)client_id;
	uint32_t head = slab_head_of(view, off);
	if (atom_load(&tools_on))
		tools_give(pool->user.data + off);
	if (!tags_give_own(tag, gen, own, other))
		return not_own(pool, off, atom_load(tag));
	if (view_client_word(view, client_id) == receiver)
		return 0;
	if (!view_client_live(view, client_id) &&
	    tags_ungive_own(tag, gen, own, other))
		return no_receiver(pool, client_id);
	view_touch_any(view, client_id, head);
	return 0;
}

/*
 * A receiver may die between our look and our store. If it died long enough
 * ago for both sweeps to be over, the second look sees it, and the object is
 * taken back; if it is dying right now, the second sweep, half a second after
 * the death, finds the tag. So no fence is needed between store and look.
 *
 * If we stood still for so long that its id is another client's, the tag may be
 * ours from before or one that was given to that one since: we leave it, say
 * once more where it lies, and it is free at the latest when that client ends. A
 * standstill as long just before the cas is the one that would take another's
 * gift: ARCHITECTURE.md has the bound.
 *
 * The receiver's count follows the tag: who is killed in between leaves it an
 * object short, and the bound that much wider.
 */
static int hand_over(slabd_pool *pool, uint64_t off, uint16_t *tag,
                     unsigned client_id, uint64_t receiver)
{
	const struct view *view = &pool->view;
	uint64_t stride = stride_at(view, off);
	uint32_t *turn;
	int r;
	if (!has_room(pool, client_id, stride))
		return too_many(pool, client_id);
	view_touch_any(view, client_id, slab_head_of(view, off));
	turn = take_turn(pool, off);
	if (turn == NULL)
		return no_turn(off);
	r = retag(pool, off, tag, client_id, receiver);
	end_turn(turn);
	if (r == 0)
		view_count_gifts(view, client_id, GIFTS_GIVEN, stride);
	return r;
}

static int give(slabd_pool *pool, void *object, unsigned client_id)
{
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	const struct view *view = &pool->view;
	uint64_t receiver;
	uint16_t *tag = slab_tag_of(view, off);
	if (tag == NULL)
		return no_object(pool, off);
	receiver = view_client_word(view, client_id);
	if (receiver == 0)
		return no_receiver(pool, client_id);
	/* Its slab stays, as the object is ours. */
	if (!tags_has_own(tag, slab_gen_of(view, tag),
	                  (uint16_t)pool->user.id))
		return not_own(pool, off, atom_load(tag));
	if (holds_object(pool, object))
		return freed_here(pool, off);
	if (!reach_touched(pool, client_id))
		return no_mapping();
	return hand_over(pool, off, tag, client_id, receiver);
}

static int give_one(slabd_pool *pool, void *object, unsigned client_id,
                    const void *site)
{
	if (pool->checked == NULL)
		return give(pool, object, client_id);
	return checked_give(pool, object, client_id, site, give);
}

int slabd_give(slabd_pool *pool, void *object, unsigned client_id)
{
	return !pool_alive(pool) ? -1 : give_one(pool, object, client_id,
	                                         CHECKED_SITE());
}

size_t slabd_give_bulk(slabd_pool *pool, void *const *objects, size_t n,
                       unsigned client_id)
{
	size_t done = 0;
	if (!pool_alive(pool))
		return 0;
	while (done < n && give_one(pool, objects[done], client_id,
	                            CHECKED_SITE()) == 0)
		done++;
	return done;
}

/* ---- take ---------------------------------------------------------------- */

__attribute__((cold, noinline)) static int not_given(const slabd_pool *pool,
                                                     slabd_handle handle,
                                                     const uint16_t *tag)
{
	uint64_t off = handle_off(handle);
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	if (!is_same(pool, tag, handle))
		return was_freed(EPERM, off);
	if (TAG_OWNER(atom_load(tag)) == pool->user.id)
		return error_set(EPERM, "object 0x%llx is this client's own: "
		                 "it was taken already, or never given",
		                 (number)off);
	return error_set(EPERM, "object 0x%llx was not given to this client",
	                 (number)off);
}

/* By the batch: givers look at the count, and each change of it is a cache line
 * that they fetch. */
static void count_taken(slabd_pool *pool, uint64_t bytes)
{
	uint64_t batch = pool->max_bytes / GIFTS_SHARE / TAKEN_PARTS;
	if (atom_add(&pool->taken_bytes, bytes) + bytes < batch)
		return;
	/* pairs: count_taken, of another thread: one of them has it. */
	bytes = atom_swap(&pool->taken_bytes, UINT64_C(0));
	view_count_gifts(&pool->view, pool->user.id, GIFTS_TAKEN, bytes);
}

static void *take(slabd_pool *pool, slabd_handle handle)
{
	const struct view *view = &pool->view;
	uint64_t off = handle_off(handle);
	uint16_t *tag = tag_of(pool, handle);
	uint32_t *turn;
	bool taken;
	if (tag == NULL)
		return no_object(pool, off), NULL;
	if (!reach_offset(pool, off))
		return no_mapping(), NULL;
	turn = take_turn(pool, off);
	if (turn == NULL)
		return no_turn(off), NULL;
	taken = tags_take_own(tag, slab_gen_of(view, tag),
	                      (uint16_t)pool->user.id, handle_object(handle));
	end_turn(turn);
	if (!taken)
		return not_given(pool, handle, tag), NULL;
	count_taken(pool, stride_at(view, off));
	return show(pool, off);
}

static void *take_one(slabd_pool *pool, slabd_handle handle, const void *site)
{
	void *object = take(pool, handle);
	return pool->checked == NULL ? object : checked_note_take(pool, handle,
	                                                          object, site);
}

void *slabd_take(slabd_pool *pool, slabd_handle handle)
{
	return pool_alive(pool) ? take_one(pool, handle, CHECKED_SITE()) : NULL;
}

size_t slabd_take_bulk(slabd_pool *pool, const slabd_handle *handles, size_t n,
                       void **objects)
{
	size_t done = 0;
	if (!pool_alive(pool))
		return 0;
	while (done < n && (objects[done] = take_one(pool, handles[done],
	                                             CHECKED_SITE())) != NULL)
		done++;
	if (atom_load(&tools_on))
		tools_wrote(objects, done * sizeof(*objects));
	return done;
}

/* ---- what was given to this client --------------------------------------- */

/* Where a walk over gifts is. */
struct gifts {
	slabd_pool *pool;
	uint64_t from; /* offsets before it are passed over */
	slabd_handle *handles;
	size_t n;
	size_t most;
};

/* Of one slab. It may go and another come meanwhile, as long as nothing in it is
 * ours: so each that is met is looked up anew. */
static void list_slab(struct gifts *gifts, uint32_t head,
                      const struct layout_cache *row)
{
	const struct view *view = &gifts->pool->view;
	const uint16_t *tags = slab_tags(view, head);
	uint16_t mine = (uint16_t)(gifts->pool->user.id | TAG_KNOWN);
	uint64_t start = ((uint64_t)head << UNIT_SHIFT) +
	                 slab_colour(row, head);
	for (uint32_t i = 0; i < row->n_objs && gifts->n < gifts->most; i++) {
		uint64_t off = start + (uint64_t)i * row->stride;
		uint16_t gen;
		if (off < gifts->from || atom_load(&tags[i]) != mine ||
		    slab_tag_of(view, off) != &tags[i])
			continue;
		gen = atom_load(slab_gen_of(view, &tags[i]));
		if ((gen & GEN_WAITING) == 0)
			continue;
		gifts->handles[gifts->n++] = handle_make(off, gen);
	}
}

/* The slabs that begin in a granule. */
static void list_granule(struct gifts *gifts, uint64_t granule)
{
	const struct view *view = &gifts->pool->view;
	uint64_t unit = granule << GRANULE_SHIFT;
	uint64_t end = unit + (UINT64_C(1) << GRANULE_SHIFT);
	end = end < view->geo.n_units ? end : view->geo.n_units;
	for (; unit < end && gifts->n < gifts->most; unit++) {
		/* pairs: put_words; the slab's tags and its cache are there. */
		uint64_t word = atom_load_acquire(&view->words[unit]);
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		if (row != NULL && WORD_BACK(word) == 0)
			list_slab(gifts, (uint32_t)unit, row);
	}
}

/* Who gives notes the place before the tag says so: there is no other. */
size_t slabd_gifts(slabd_pool *pool, slabd_handle after, size_t n,
                   slabd_handle *handles)
{
	const uint64_t *touched;
	struct gifts gifts = {.pool = pool, .handles = handles, .most = n};
	uint64_t n_granules = pool->view.geo.n_granules;
	uint32_t shift = pool->view.geo.page_shift;
	uint64_t granule = 0;
	if (!pool_alive(pool))
		return 0;
	touched = view_touched(&pool->view, pool->user.id);
	if (after != SLABD_NO_HANDLE) {
		gifts.from = handle_off(after) + 1;
		/* Its slab begins in the same page. */
		granule = gifts.from >> shift << shift >> UNIT_SHIFT >>
		          GRANULE_SHIFT;
	}
	for (; granule < n_granules && gifts.n < n; granule++) {
		/* pairs: view_touch_any */
		uint64_t word = atom_load_acquire(&touched[granule / 64]);
		if ((word >> (granule % 64) & 1) != 0)
			list_granule(&gifts, granule);
	}
	if (atom_load(&tools_on))
		tools_wrote(handles, gifts.n * sizeof(*handles));
	return gifts.n;
}
