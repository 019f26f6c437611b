/* SPDX-License-Identifier: MIT */
/* Ownership that passes from client to client by retagging. */
#include <errno.h>

#include "client/checked.h"
#include "client/error.h"
#include "client/give.h"
#include "client/handle.h"
#include "client/holds.h"
#include "client/plain.h"
#include "client/reach.h"
#include "client/root.h"
#include "client/tools.h"
#include "client/turn.h"
#include "client/types.h"
#include "shm/atom.h"
#include "shm/heir.h"
#include "shm/tags.h"

#define GIVEN_PARTS 256u /* the same by each giver, and no more than a batch */
#define GIVEN_BATCH ((uint64_t)64 << 10)

#define STOLEN 1 /* it was not this client's any more */

typedef unsigned long long number;

/* ---- give ---------------------------------------------------------------- */

int give_no_mapping(void)
{
	return error_set(ENOMEM, "the kernel gives this process no access to "
	                 "more of the pool: raise vm.max_map_count");
}

int give_no_receiver(const slabd_pool *pool, unsigned client_id)
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
                                                    unsigned client_id,
                                                    uint64_t waiting)
{
	return error_set(EAGAIN, "client %u has not taken %llu KiB of gifts: "
	                 "the most is %llu KiB, an eighth of pool %s; wait "
	                 "until it takes some", client_id,
	                 (number)waiting >> 10,
	                 (number)pool->max_bytes / GIFTS_SHARE >> 10,
	                 pool->view.head->name);
}

/*
 * What the receiver's count has not heard of yet: a giver's part of it is by the
 * batch, as all who give to one would add to one word. Of TURNS_GIVEN receivers
 * whose ids differ there; of others the last one's is kept. The rest is counted as
 * the pool is closed, or once turns are shared: who is killed before leaves the bound
 * as much wider.
 */
static uint64_t given_batch(const struct slabd_pool *pool)
{
	uint64_t part = pool->max_bytes / GIFTS_SHARE / GIVEN_PARTS;
	return part < GIVEN_BATCH ? part : GIVEN_BATCH;
}

static struct turns_given *given_of(slabd_pool *pool, unsigned client_id)
{
	return &pool->turns.given[client_id % TURNS_GIVEN];
}

/* The count as it was, of another receiver, or of more than a batch. */
__attribute__((noinline)) static void
flush_given(slabd_pool *pool, const struct turns_given *given)
{
	uint32_t id = atom_load(&given->client_id);
	uint64_t bytes = atom_load(&given->bytes);
	if (bytes != 0 &&
	    heir_word(&pool->view, id) == atom_load(&given->receiver))
		view_count_gifts(&pool->view, id, GIFTS_GIVEN, bytes);
}

/* For the plain way: to the same receiver, until a batch is full or there may be no
 * room. */
static void note_last(slabd_pool *pool, struct turns_given *given)
{
	uint32_t id = atom_load(&given->client_id);
	int64_t waiting = view_gifts(&pool->view, id);
	uint64_t most = pool->max_bytes / GIFTS_SHARE;
	uint64_t has = waiting > 0 ? (uint64_t)waiting : 0;
	uint64_t batch = given_batch(pool);
	most = has < most ? most - has : 0;
	pool->turns.last = (struct turns_last){
		.receiver = atom_load(&given->receiver),
		.word = &pool->view.clients[id].word,
		.touched = view_touched(&pool->view, id),
		.given = given,
		.most = most < batch ? most : batch,
		.client_id = id,
	};
}

/* In the turn, as no other thread may be about this if it is its own. */
static void count_given(slabd_pool *pool, const uint32_t *turn,
                        unsigned client_id, uint64_t receiver, uint64_t bytes)
{
	struct turns_given *given = given_of(pool, client_id);
	bool same = atom_load(&given->receiver) == receiver &&
	            atom_load(&given->client_id) == client_id;
	if (!turn_is_own(pool, turn)) {
		if (same && atom_load(&given->bytes) != 0)
			/* pairs: count_given, of another thread: one has it. */
			bytes += atom_swap(&given->bytes, UINT64_C(0));
		view_count_gifts(&pool->view, client_id, GIFTS_GIVEN, bytes);
		return;
	}
	if (__builtin_expect(same, 1))
		bytes += atom_load(&given->bytes);
	else
		flush_given(pool, given);
	atom_store(&given->client_id, client_id);
	atom_store(&given->receiver, receiver);
	atom_store(&given->bytes, bytes);
	if (bytes >= given_batch(pool)) {
		flush_given(pool, given);
		atom_store(&given->bytes, UINT64_C(0));
	}
	note_last(pool, given);
}

void give_settle(slabd_pool *pool)
{
	for (unsigned i = 0; i < TURNS_GIVEN; i++) {
		flush_given(pool, &pool->turns.given[i]);
		atom_store(&pool->turns.given[i].bytes, UINT64_C(0));
	}
}

static inline bool has_room(const slabd_pool *pool, unsigned client_id,
                            uint64_t bytes)
{
	const struct turns_given *given =
		&pool->turns.given[client_id % TURNS_GIVEN];
	int64_t waiting = view_gifts(&pool->view, client_id);
	if (atom_load(&given->client_id) == client_id)
		waiting += (int64_t)atom_load(&given->bytes);
	if (__builtin_expect(waiting <= 0 ||
	                             (uint64_t)waiting + bytes <=
	                                     pool->max_bytes / GIFTS_SHARE, 1))
		return true;
	too_many(pool, client_id, (uint64_t)waiting);
	return false;
}

bool give_has_room(const slabd_pool *pool, unsigned client_id, uint64_t bytes)
{
	return has_room(pool, client_id, bytes);
}

/* It died meanwhile, or is another: see hand_over. 0 or -1, in the turn. */
int give_receiver_went(const slabd_pool *pool, const struct slab_place *place,
                       unsigned client_id)
{
	const struct view *view = &pool->view;
	uint16_t *tag = place->tag;
	if (heir_word(view, client_id) == 0 &&
	    tags_ungive_own(tag, slab_gen_of(view, tag),
	                    (uint16_t)pool->user.id, (uint16_t)client_id))
		return give_no_receiver(pool, client_id);
	view_touch_any(view, client_id, place->head);
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
static inline int hand_over(slabd_pool *pool, const struct slab_place *place,
                            unsigned client_id, uint64_t receiver,
                            const uint32_t *turn)
{
	const struct view *view = &pool->view;
	uint16_t *tag = place->tag;
	uint16_t *gen = slab_gen_of(view, tag);
	if (!tags_give_own(tag, gen, (uint16_t)pool->user.id,
	                   (uint16_t)client_id))
		return STOLEN;
	if (__builtin_expect(heir_word(view, client_id) != receiver, 0) &&
	    give_receiver_went(pool, place, client_id) < 0)
		return -1;
	if ((receiver & 0xff) != CLIENT_ROOT)
		count_given(pool, turn, client_id, receiver,
		            place->cache->stride);
	return 0;
}

/* Under the turn, so that no thread of this process has it in between. */
static inline int in_turn(slabd_pool *pool, const struct slab_place *place,
                          uint64_t off, unsigned client_id, uint64_t receiver)
{
	uint32_t *turn = turn_take(pool, off);
	int r;
	if (__builtin_expect(turn == NULL, 0))
		return -1;
	r = hand_over(pool, place, client_id, receiver, turn);
	turn_end(turn);
	if (__builtin_expect(r == STOLEN, 0))
		return not_own(pool, off, atom_load(place->tag));
	return r;
}

/* One of several that may pass as one waits until none of them do. */
__attribute__((noinline)) static int
apart(slabd_pool *pool, const struct slab_place *place, uint64_t off,
      unsigned client_id, uint64_t receiver)
{
	uint32_t *parts = turn_take_parts(pool);
	int r;
	if (parts == NULL)
		return -1;
	r = in_turn(pool, place, off, client_id, receiver);
	turn_end(parts);
	return r;
}

/* Its slab stays, as the object is ours. */
static inline int check_own(const slabd_pool *pool, uint64_t off,
                            const uint16_t *tag)
{
	if (!tags_has_own(tag, slab_gen_of(&pool->view, tag),
	                  (uint16_t)pool->user.id))
		return not_own(pool, off, atom_load(tag));
	return holds_object(pool, pool->user.data + off) ? freed_here(pool, off)
	                                                 : 0;
}

int give_check(const slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	const uint16_t *tag = slab_tag_of(&pool->view, off);
	return tag == NULL ? handle_no_pointer(pool, object)
	                   : check_own(pool, off, tag);
}

/* A tool may watch what is given, and who gives to a root goes on using it. */
__attribute__((noinline)) static int
give_seen(slabd_pool *pool, const struct slab_place *place, uint64_t off,
          unsigned client_id, uint64_t receiver)
{
	bool root = (receiver & 0xff) == CLIENT_ROOT;
	int r;
	if (atom_load(&tools_on))
		tools_give(pool->user.data + off);
	r = heir_has_parts(place->cache)
	            ? apart(pool, place, off, client_id, receiver)
	            : in_turn(pool, place, off, client_id, receiver);
	if (r == 0 && root)
		give_show(pool, off);
	return r;
}

static int give(slabd_pool *pool, void *object, unsigned client_id)
{
	uint64_t off = (uint64_t)((char *)object - pool->user.data);
	const struct view *view = &pool->view;
	struct slab_place place;
	uint64_t receiver;
	if (!slab_find(view, off, &place))
		return handle_no_pointer(pool, object);
	receiver = heir_word(view, client_id);
	if (receiver == 0)
		return give_no_receiver(pool, client_id);
	if (check_own(pool, off, place.tag) < 0)
		return -1;
	if (!reach_touched(pool, client_id))
		return give_no_mapping();
	if ((receiver & 0xff) != CLIENT_ROOT &&
	    !has_room(pool, client_id, place.cache->stride))
		return -1;
	view_touch_any(view, client_id, place.head);
	if (atom_load(&tools_on) || (receiver & 0xff) == CLIENT_ROOT ||
	    heir_has_parts(place.cache))
		return give_seen(pool, &place, off, client_id, receiver);
	return in_turn(pool, &place, off, client_id, receiver);
}

/* The plain way was as far as the look at the receiver, which is gone; and its turn. */
__attribute__((cold, noinline)) static int went(slabd_pool *pool,
                                                unsigned client_id)
{
	const struct turns_last *last = &pool->turns.last;
	const struct slab_place place = {
		.tag = pool->view.tags + (last->gen_at - pool->view.gens),
		.head = last->head,
	};
	int r = give_receiver_went(pool, &place, client_id);
	turn_end(&pool->turns.within);
	return r;
}

__attribute__((noinline)) static int give_plain(slabd_pool *pool, void *object,
                                                unsigned client_id)
{
	enum plain how = plain_give(pool, object, client_id);
	if (__builtin_expect(how == PLAIN_GIVEN, 1))
		return 0;
	return how == PLAIN_NOT ? give(pool, object, client_id)
	                        : went(pool, client_id);
}

/* What is on its way home to another node was freed, too. */
__attribute__((noinline)) static int give_of_nodes(slabd_pool *pool, void *object,
                                                   unsigned client_id)
{
	return holds_object(pool, object) ? give(pool, object, client_id)
	                                  : give_plain(pool, object, client_id);
}

static inline int give_one(slabd_pool *pool, void *object, unsigned client_id,
                           const void *site)
{
	if (__builtin_expect(pool->checked != NULL, 0))
		return checked_give(pool, object, client_id, site, give);
	return pool->view.geo.n_nodes > 1
	               ? give_of_nodes(pool, object, client_id)
	               : give_plain(pool, object, client_id);
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
	if (!pool_alive(pool) || error_no_array(objects, n))
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
	if (!handle_is_same(pool, tag, handle))
		return handle_was_freed(EPERM, off);
	if (TAG_OWNER(atom_load(tag)) == pool->user.id)
		return error_set(EPERM, "object 0x%llx is this client's own: "
		                 "it was taken already, or never given",
		                 (number)off);
	return error_set(EPERM, "object 0x%llx was not given to this client",
	                 (number)off);
}

/* By the batch: givers look at the count, and each change of it is a cache line
 * that they fetch. In the turn. */
static inline void count_taken(slabd_pool *pool, const uint32_t *turn,
                               uint64_t bytes)
{
	uint64_t batch = give_taken_batch(pool);
	uint64_t *taken = &pool->turns.taken_bytes;
	if (turn_is_own(pool, turn)) {
		bytes += atom_load(taken);
		atom_store(taken, bytes < batch ? bytes : UINT64_C(0));
		if (bytes < batch)
			return;
	} else {
		if (atom_add(taken, bytes) + bytes < batch)
			return;
		/* pairs: count_taken, of another thread: what is left is less
		 * than a batch where that one has had the rest. */
		bytes = atom_swap(taken, UINT64_C(0));
	}
	view_count_gifts(&pool->view, pool->user.id, GIFTS_TAKEN, bytes);
}

static bool is_roots(const slabd_pool *pool, const uint16_t *tag)
{
	uint32_t owner = TAG_OWNER(atom_load(tag));
	return owner != pool->user.id && root_row_word(&pool->view, owner) != 0;
}

static void *take(slabd_pool *pool, slabd_handle handle)
{
	const struct view *view = &pool->view;
	uint64_t off = handle_off(handle);
	struct slab_place place;
	uint32_t *turn;
	bool taken;
	if (!slab_find(view, off, &place))
		return handle_no_object(pool, off), NULL;
	if (__builtin_expect(!reach_offset(pool, off), 0))
		return give_no_mapping(), NULL;
	if (is_roots(pool, place.tag) && root_release(pool, handle) < 0)
		return NULL;
	turn = turn_take(pool, off);
	if (__builtin_expect(turn == NULL, 0))
		return NULL;
	taken = tags_take_own(place.tag, slab_gen_of(view, place.tag),
	                      (uint16_t)pool->user.id, handle_object(handle));
	if (taken)
		count_taken(pool, turn, place.cache->stride);
	turn_end(turn);
	if (__builtin_expect(!taken, 0))
		return not_given(pool, handle, place.tag), NULL;
	return give_show(pool, off);
}

static inline void *take_one(slabd_pool *pool, slabd_handle handle,
                             const void *site)
{
	void *object;
	if (__builtin_expect(pool->checked != NULL, 0))
		return checked_note_take(pool, handle, take(pool, handle), site);
	object = plain_take(pool, handle);
	return object != NULL ? object : take(pool, handle);
}

void *slabd_take(slabd_pool *pool, slabd_handle handle)
{
	return pool_alive(pool) ? take_one(pool, handle, CHECKED_SITE()) : NULL;
}

/* Of those that follow, a root's in a row are asked for at once. */
static void release_ahead(slabd_pool *pool, const slabd_handle *handles,
                          size_t n)
{
	uint32_t some = 0;
	while (some < n && some < ROOT_RELEASE_MOST) {
		const uint16_t *tag =
			slab_tag_of(&pool->view, handle_off(handles[some]));
		if (tag == NULL || !is_roots(pool, tag))
			break;
		some++;
	}
	if (some > 1)
		root_release_more(pool, handles, some);
}

size_t slabd_take_bulk(slabd_pool *pool, const slabd_handle *handles, size_t n,
                       void **objects)
{
	size_t done = 0;
	if (!pool_alive(pool) || error_no_array(handles, n) ||
	    error_no_array(objects, n))
		return 0;
	for (; done < n; done++) {
		release_ahead(pool, handles + done, n - done);
		objects[done] = take_one(pool, handles[done], CHECKED_SITE());
		if (objects[done] == NULL)
			break;
	}
	if (atom_load(&tools_on))
		tools_wrote(objects, done * sizeof(*objects));
	return done;
}
