/* SPDX-License-Identifier: MIT */
#include "client/look.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "client/home.h"
#include "client/magazine.h"
#include "client/process.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

#define SUSPECTS_MAX 64u
#define ROUNDS 24u /* until a suspect is one */
#define PAUSE_EACH 8u
#define PAUSE_MS 1

struct look {
	struct slabd_pool *pool;
	uint64_t *seen; /* a bit a tag: the object was met */
	uint64_t n_tags;
	void *suspects[SUSPECTS_MAX];
	uint32_t n_suspects;
	const void *object; /* that is counted */
	uint32_t n_places;
	void *objects[SLABD_MAGAZINE_MAX]; /* what one place holds */
};

typedef void look_at(struct look *look, uint32_t n);

/* ---- all places ----------------------------------------------------------- */

static void look_at_magazine(struct look *look, const struct slabd_mag_ *mag,
                             look_at *call)
{
	size_t before = atom_load(&mag->n);
	size_t n;
	if (before == 0 || before > SLABD_MAGAZINE_MAX)
		return;
	tools_peek(look->objects, mag->obj, before);
	n = atom_load(&mag->n);
	call(look, (uint32_t)(n < before ? n : before));
}

static void look_at_remote(struct look *look, struct remote *remote,
                           look_at *call)
{
	uint32_t n = atom_load(&remote->n);
	n = n < REMOTE_MAX ? n : REMOTE_MAX;
	for (uint32_t i = 0; i < n; i++)
		look->objects[i] = atom_load(&remote->obj[i]);
	call(look, n);
}

/* Under the process's lock no attachment goes, and no slot while the thread's is
 * held. */
static void look_at_thread(struct look *look, struct thread *thread,
                           look_at *call)
{
	struct slabd_pool *pool = look->pool;
	struct attachment *att = thread_attached(thread, pool);
	if (att == NULL)
		return;
	pthread_mutex_lock(&thread->lock);
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&thread->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == pool)
				look_at_magazine(look,
				                 magazine_of(thread, cache),
				                 call);
		}
	}
	pthread_mutex_unlock(&thread->lock);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		look_at_remote(look, &att->remote[node], call);
}

/* One of the threads by its place in their list, which may be another's by the next
 * time. False: there are no more. */
static bool look_at_nth(struct look *look, uint32_t nth, look_at *call)
{
	struct thread *thread;
	process_lock();
	thread = thread_first();
	while (thread != NULL && nth-- > 0)
		thread = thread->next;
	if (thread != NULL)
		look_at_thread(look, thread, call);
	process_unlock();
	return thread != NULL;
}

/* The next part of a cache's depots. False: there are no more. */
static bool look_at_depot(struct look *look, uint32_t id, struct home_at *at,
                          look_at *call)
{
	struct cache *cache;
	uint32_t n = 0;
	process_lock();
	cache = look->pool->caches[id];
	if (cache != NULL)
		n = home_copy(cache, at, look->objects);
	process_unlock();
	if (n > 0)
		call(look, n);
	return n > 0;
}

static void look_at_all(struct look *look, look_at *call)
{
	for (uint32_t nth = 0; look_at_nth(look, nth, call); nth++)
		continue;
	for (uint32_t id = 0; id < look->pool->view.geo.n_caches; id++) {
		struct home_at at = {0, 0, 0};
		while (look_at_depot(look, id, &at, call))
			continue;
	}
}

/* ---- what seems wrong ----------------------------------------------------- */

static uint64_t off_of(const struct look *look, const void *object)
{
	return (uint64_t)((const char *)object - look->pool->user.data);
}

/* Whether nothing of the client's starts there. */
static bool is_none(const struct look *look, const void *object)
{
	const struct view *view = &look->pool->view;
	const uint16_t *tag = slab_tag_of(view, off_of(look, object));
	return tag == NULL || !tags_has_own(tag, slab_gen_of(view, tag),
	                                    (uint16_t)look->pool->user.id);
}

/* Whether it was met before. */
static bool meet(struct look *look, const void *object)
{
	const struct view *view = &look->pool->view;
	const uint16_t *tag = slab_tag_of(view, off_of(look, object));
	uint64_t ix = tag != NULL ? (uint64_t)(tag - view->tags) : 0;
	uint64_t bit = UINT64_C(1) << (ix % 64);
	bool met;
	if (tag == NULL || ix >= look->n_tags)
		return true;
	met = (look->seen[ix / 64] & bit) != 0;
	look->seen[ix / 64] |= bit;
	return met;
}

static void suspect_all(struct look *look, uint32_t n)
{
	for (uint32_t i = 0; i < n && look->n_suspects < SUSPECTS_MAX; i++) {
		void *object = look->objects[i];
		uint32_t k = 0;
		if (!is_none(look, object) && !meet(look, object))
			continue;
		while (k < look->n_suspects && look->suspects[k] != object)
			k++;
		look->suspects[k] = object;
		look->n_suspects += k == look->n_suspects;
	}
}

static void count_all(struct look *look, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		look->n_places += look->objects[i] == look->object;
}

/* Whether it still is: somewhere and no object of ours, or at two places. */
static bool is_wrong(struct look *look, const void *object)
{
	bool none = is_none(look, object);
	look->object = object;
	look->n_places = 0;
	look_at_all(look, count_all);
	if (none && is_none(look, object))
		return look->n_places > 0;
	return look->n_places > 1;
}

static bool is_wrong_for_long(struct look *look, const void *object)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		if (!is_wrong(look, object))
			return false;
		if (i % PAUSE_EACH == 0)
			poll(NULL, 0, PAUSE_MS);
	}
	return true;
}

static struct wire_found_row row_of(const struct look *look, const void *object)
{
	uint64_t off = off_of(look, object);
	uint32_t kind = FOUND_TWICE;
	if (slab_tag_of(&look->pool->view, off) == NULL)
		kind = FOUND_INSIDE;
	else if (is_none(look, object))
		kind = FOUND_NOT_OWN;
	return (struct wire_found_row){.off = off, .kind = kind};
}

static uint32_t find(struct look *look, struct wire_found_row *rows,
                     uint32_t most)
{
	uint32_t n = 0;
	look_at_all(look, suspect_all);
	for (uint32_t i = 0; i < look->n_suspects && n < most; i++)
		if (is_wrong_for_long(look, look->suspects[i]))
			rows[n++] = row_of(look, look->suspects[i]);
	return n;
}

uint32_t look_all(struct slabd_pool *pool, struct wire_found_row *rows,
                  uint32_t most)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t n_tags = (geo->gens_off - geo->tags_off) / sizeof(uint16_t);
	size_t bytes = (n_tags / 64 + 1) * sizeof(uint64_t);
	struct look *look = calloc(1, sizeof(*look));
	uint32_t n = 0;
	if (look == NULL)
		return 0;
	look->pool = pool;
	look->n_tags = n_tags;
	/* Of it what is written to takes memory. */
	look->seen = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (look->seen != MAP_FAILED) {
		n = find(look, rows, most);
		munmap(look->seen, bytes);
	}
	free(look);
	return n;
}

/* ---- told ----------------------------------------------------------------- */

void look_answer(struct slabd_pool *pool)
{
	struct link *link = &pool->link;
	uint32_t told = atom_load(&link->look_told);
	struct wire_found msg = {
		.head = {.type = WIRE_FOUND, .bytes = sizeof(msg)}};
	int held;
	do {
		msg.head.seq = atom_load(&link->look_asked);
		if (msg.head.seq == told || !link_is_up(link))
			return;
		/* pairs: look_answer, of the helper or slabd_poll: one of them
		 * answers. */
	} while (!atom_cas(&link->look_told, &told, msg.head.seq));
	held = link_hold();
	msg.n = look_all(pool, msg.rows, WIRE_FOUND_ROWS);
	/* Not taken, slabd does not know. */
	(void)send(link->events, &msg, sizeof(msg),
	           MSG_NOSIGNAL | MSG_DONTWAIT);
	link_let_go(held);
}
