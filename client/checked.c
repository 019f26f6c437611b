/* SPDX-License-Identifier: MIT */
#include "client/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/checked_say.h"
#include "client/home.h"
#include "client/records.h"
#include "client/tools.h"
#include "shm/atom.h"

#define GOING_NAP_NS 50000
#define GOING_TRIES 400 /* 20 ms, at least */
#define KEPT_MAX 1024u
#define KEPT_BYTES (UINT64_C(1) << 20)
#define KEPT_SHARE 64u  /* of the pool, at most */
#define KEPT_BYTE 0x6b  /* what SLUB fills free objects with */

struct checked {
	pthread_mutex_t lock;
	bool aborts;            /* (C) */
	uint64_t most_bytes;    /* (C) */
	/* Under the lock. */
	struct records records;
	uint64_t kept[KEPT_MAX]; /* offsets, a ring: the oldest at first */
	uint32_t first, n_kept;
	uint64_t kept_bytes;
	uint32_t going; /* taken out, and not home yet */
	uint64_t gone;  /* that came home so far */
};

/* ---- whether, and since when ---------------------------------------------- */

/* What the program's user wishes, besides. */
static unsigned flags_of_user(void)
{
	const char *env = secure_getenv("SLABD_CHECKED");
	if (env == NULL || env[0] == '\0' || strcmp(env, "no") == 0 ||
	    strcmp(env, "0") == 0)
		return 0;
	return strcmp(env, "abort") == 0 ? SLABD_CHECKED_ABORT : SLABD_CHECKED;
}

int checked_start(struct slabd_pool *pool, unsigned flags)
{
	uint64_t share = (pool->view.geo.n_units << UNIT_SHIFT) / KEPT_SHARE;
	struct checked *checked;
	flags |= flags_of_user();
	if ((flags & (SLABD_CHECKED | SLABD_CHECKED_ABORT)) == 0)
		return 0;
	checked = mmap(NULL, sizeof(*checked), PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (checked == MAP_FAILED)
		return -errno;
	pool->checked = checked;
	if (madvise(checked, sizeof(*checked), MADV_WIPEONFORK) < 0)
		return -errno;
	pthread_mutex_init(&checked->lock, NULL);
	checked->aborts = (flags & SLABD_CHECKED_ABORT) != 0;
	checked->most_bytes = share < KEPT_BYTES ? share : KEPT_BYTES;
	return 0;
}

void checked_end(struct slabd_pool *pool)
{
	if (pool->checked == NULL)
		return;
	records_done(&pool->checked->records);
	munmap(pool->checked, sizeof(*pool->checked));
	pool->checked = NULL;
}

/* ---- what is wrong -------------------------------------------------------- */

static uint64_t off_of(const struct slabd_pool *pool, const void *object)
{
	return (uint64_t)((const char *)object - pool->user.data);
}

static const struct layout_cache *row_at(const struct view *view, uint64_t off,
                                         uint32_t *cache)
{
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t word = unit < view->geo.n_units ? atom_load(&view->words[unit])
	                                         : 0;
	*cache = WORD_CACHE(word);
	return *cache != 0 ? view_cache(view, *cache) : NULL;
}

/* Where no object starts: in which one it is, or behind the last. */
static void find_inside(const struct view *view, struct fault *fault)
{
	const struct layout_cache *row = row_at(view, fault->off, &fault->cache);
	uint32_t head = slab_head_of(view, fault->off);
	uint64_t start = ((uint64_t)head << UNIT_SHIFT) + slab_colour(row, head);
	uint64_t ix = (fault->off - start) / row->stride;
	fault->kind = FAULT_INSIDE;
	if (fault->off < start || ix >= row->n_objs) {
		fault->kind = FAULT_NO_OBJECT;
		return;
	}
	fault->in = fault->off - start - ix * row->stride;
	fault->off -= fault->in;
}

/* By the tag, of which the rest of the fault is known. */
static enum fault_kind kind_by_tag(const struct slabd_pool *pool,
                                   const uint16_t *at, struct fault *fault)
{
	uint16_t own = (uint16_t)pool->user.id;
	uint16_t tag = atom_load(at);
	fault->owner = TAG_OWNER(tag);
	if (fault->was.state == RECORD_FREED)
		return FAULT_FREED;
	if (tags_has_own(at, slab_gen_of(&pool->view, at), own))
		return fault->was.state == RECORD_PUT_BY ? FAULT_PUT_BY
		                                         : FAULT_NONE;
	if (fault->owner == own)
		return FAULT_GIFT;
	return tag == TAG_FREE || tag == TAG_NONE ? FAULT_FREE : FAULT_OTHERS;
}

/* Whether an address is that of an object that is the program's; cache: and of
 * that one, 0: of any. Under the lock. */
static struct fault look_at(const struct slabd_pool *pool, uint32_t cache,
                            uint64_t off)
{
	const struct view *view = &pool->view;
	struct fault fault = {.kind = FAULT_NO_OBJECT, .off = off};
	const struct record *was;
	const uint16_t *tag;
	if (row_at(view, off, &fault.cache) == NULL)
		return fault;
	tag = slab_tag_of(view, off);
	if (tag == NULL) {
		find_inside(view, &fault);
		return fault;
	}
	was = records_find(&pool->checked->records, off);
	if (was != NULL)
		fault.was = *was;
	fault.kind = cache != 0 && cache != fault.cache
	                     ? FAULT_OTHER_CACHE
	                     : kind_by_tag(pool, tag, &fault);
	return fault;
}

static void refuse(struct slabd_pool *pool, const struct fault *fault,
                   const char *call, uint64_t what, const void *site)
{
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	checked_say(pool, fault, call, what, site, pool->checked->aborts);
}

/* ---- what is done --------------------------------------------------------- */

static void note(struct checked *checked, uint64_t off, enum record_state state,
                 uint32_t to, const void *site)
{
	const struct record record = {
		.off = off,
		.site = site,
		.thread = (int32_t)syscall(SYS_gettid),
		.to = (uint16_t)to,
		.state = (uint8_t)state,
	};
	records_put(&checked->records, &record);
}

void checked_note_alloc(const struct cache *cache, const void *object,
                        const void *site)
{
	struct checked *checked = cache->pool->checked;
	pthread_mutex_lock(&checked->lock);
	note(checked, off_of(cache->pool, object), RECORD_IN_USE, 0, site);
	pthread_mutex_unlock(&checked->lock);
}

void checked_note_put_by(const struct cache *cache, const void *object,
                         const void *site)
{
	struct checked *checked = cache->pool->checked;
	pthread_mutex_lock(&checked->lock);
	note(checked, off_of(cache->pool, object), RECORD_PUT_BY, 0, site);
	pthread_mutex_unlock(&checked->lock);
}

void checked_refuse_call(struct slabd_pool *pool, const char *call,
                         const void *what, const void *site)
{
	const struct fault fault = {.kind = FAULT_CALL};
	if (pool->checked != NULL)
		checked_say(pool, &fault, call, (uintptr_t)what, site,
		            pool->checked->aborts);
}

/* Of what a tool watches, it sees more than we. */
static void fill(void *object, uint32_t bytes)
{
	if (!atom_load(&tools_on))
		memset(object, KEPT_BYTE, bytes);
	else
		tools_free(object, bytes);
}

/* The first byte that is not as it was filled; bytes: none. */
static uint32_t find_written(const unsigned char *object, uint32_t bytes)
{
	uint32_t i = 0;
	if (atom_load(&tools_on))
		return bytes;
	while (i < bytes && object[i] == KEPT_BYTE)
		i++;
	return i;
}

/* Under the lock. */
static void keep(struct checked *checked, uint64_t off, uint32_t stride)
{
	uint32_t last = (checked->first + checked->n_kept++) % KEPT_MAX;
	checked->kept[last] = off;
	checked->kept_bytes += stride;
}

/* Under the lock: takes the oldest out of what is kept. What it was is in the
 * fault that it may be of. */
static void take_oldest(const struct slabd_pool *pool, struct fault *old)
{
	struct checked *checked = pool->checked;
	const struct record *was;
	*old = (struct fault){.kind = FAULT_WRITTEN,
	                      .off = checked->kept[checked->first]};
	checked->kept_bytes -= row_at(&pool->view, old->off, &old->cache)->stride;
	checked->first = (checked->first + 1) % KEPT_MAX;
	checked->n_kept--;
	checked->going++;
	was = records_find(&checked->records, old->off);
	if (was != NULL)
		old->was = *was;
}

/* One that was taken out goes home. */
static void let_go(struct slabd_pool *pool, struct fault *old)
{
	const struct layout_cache *row = &pool->view.caches[old->cache - 1];
	void *object = pool->user.data + old->off;
	old->in = find_written(object, row->size);
	if (old->in < row->size)
		refuse(pool, old, "use after free", (uintptr_t)object, NULL);
	home_send_mixed(pool, row->stride, 1, &object);
	pthread_mutex_lock(&pool->checked->lock);
	pool->checked->going--;
	pool->checked->gone++;
	pthread_mutex_unlock(&pool->checked->lock);
}

/* Lets the oldest go as long as more bytes are kept. Whether there was any. */
static bool shrink(struct slabd_pool *pool, uint64_t most_bytes)
{
	struct checked *checked = pool->checked;
	struct fault old = {.kind = FAULT_NONE};
	bool over;
	bool any = false;
	do {
		pthread_mutex_lock(&checked->lock);
		over = checked->kept_bytes > most_bytes;
		if (over)
			take_oldest(pool, &old);
		pthread_mutex_unlock(&checked->lock);
		if (over)
			let_go(pool, &old);
		any |= over;
	} while (over);
	return any;
}

void checked_free(struct cache *cache, void *object, const void *site)
{
	struct slabd_pool *pool = cache->pool;
	struct checked *checked = pool->checked;
	uint64_t off = off_of(pool, object);
	struct fault fault;
	struct fault old = {.kind = FAULT_NONE};
	pthread_mutex_lock(&checked->lock);
	fault = look_at(pool, cache->id, off);
	if (fault.kind == FAULT_NONE) {
		if (checked->n_kept == KEPT_MAX)
			take_oldest(pool, &old);
		note(checked, off, RECORD_FREED, 0, site);
		fill(object, cache->row->size);
		keep(checked, off, cache->row->stride);
	}
	pthread_mutex_unlock(&checked->lock);
	if (fault.kind != FAULT_NONE)
		refuse(pool, &fault, "slabd_free", (uintptr_t)object, site);
	if (old.kind != FAULT_NONE)
		let_go(pool, &old);
	shrink(pool, checked->most_bytes);
}

int checked_give(struct slabd_pool *pool, void *object, unsigned client_id,
                 const void *site, checked_give_how *give)
{
	struct checked *checked = pool->checked;
	uint64_t off = off_of(pool, object);
	struct fault fault;
	int r = -1;
	pthread_mutex_lock(&checked->lock);
	fault = look_at(pool, 0, off);
	if (fault.kind == FAULT_NONE)
		r = give(pool, object, client_id);
	if (r == 0)
		note(checked, off, RECORD_GIVEN, client_id, site);
	pthread_mutex_unlock(&checked->lock);
	if (fault.kind != FAULT_NONE)
		refuse(pool, &fault, "slabd_give", (uintptr_t)object, site);
	return r;
}

int checked_root(struct slabd_pool *pool, const void *object, const void *site)
{
	struct fault fault;
	pthread_mutex_lock(&pool->checked->lock);
	fault = look_at(pool, 0, off_of(pool, object));
	pthread_mutex_unlock(&pool->checked->lock);
	if (fault.kind == FAULT_NONE)
		return 0;
	refuse(pool, &fault, "slabd_root_set", (uintptr_t)object, site);
	return -1;
}

size_t checked_send(struct slabd_pool *pool, const struct checked_sent *sent,
                    unsigned owner, const void *site)
{
	struct checked *checked = pool->checked;
	struct fault fault = {.kind = FAULT_NONE};
	size_t good = 0;
	size_t done = 0;
	pthread_mutex_lock(&checked->lock);
	while (good < sent->n && fault.kind == FAULT_NONE) {
		fault = look_at(pool, 0, off_of(pool, sent->objects[good]));
		good += fault.kind == FAULT_NONE;
	}
	if (good > 0)
		done = sent->send(sent->arg, sent->objects, good);
	for (size_t i = 0; i < done; i++)
		note(checked, off_of(pool, sent->objects[i]), RECORD_GIVEN,
		     owner, site);
	pthread_mutex_unlock(&checked->lock);
	if (fault.kind != FAULT_NONE && done == good)
		refuse(pool, &fault, "slabd_send",
		       (uintptr_t)sent->objects[good], site);
	return done;
}

void checked_note_recv(struct slabd_pool *pool, const char *first, int64_t step,
                       uint32_t n, const void *site)
{
	struct checked *checked = pool->checked;
	pthread_mutex_lock(&checked->lock);
	for (uint32_t i = 0; i < n; i++, first += step)
		note(checked, off_of(pool, first), RECORD_IN_USE, 0, site);
	pthread_mutex_unlock(&checked->lock);
}

int checked_give_whole(struct slabd_pool *pool,
                       const struct checked_whole *whole, unsigned client_id,
                       const void *site)
{
	struct checked *checked = pool->checked;
	struct fault fault = {.kind = FAULT_NONE};
	uint32_t n = 0;
	int r = -1;
	pthread_mutex_lock(&checked->lock);
	for (; fault.kind == FAULT_NONE && n < whole->n; n++)
		fault = look_at(pool, 0, off_of(pool, whole->at(whole->whole,
		                                                n)));
	if (fault.kind == FAULT_NONE)
		r = whole->give(whole->whole);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		note(checked, off_of(pool, whole->at(whole->whole, i)),
		     RECORD_GIVEN, client_id, site);
	pthread_mutex_unlock(&checked->lock);
	if (fault.kind != FAULT_NONE)
		refuse(pool, &fault, whole->call,
		       (uintptr_t)whole->at(whole->whole, n - 1), site);
	return r;
}

void *checked_note_take(struct slabd_pool *pool, slabd_handle handle,
                        void *object, const void *site)
{
	const struct fault fault = {.kind = FAULT_CALL};
	struct checked *checked = pool->checked;
	if (object != NULL) {
		pthread_mutex_lock(&checked->lock);
		note(checked, off_of(pool, object), RECORD_IN_USE, 0, site);
		pthread_mutex_unlock(&checked->lock);
	} else if (errno == EPERM || errno == EINVAL) {
		checked_say(pool, &fault, "slabd_take", handle, site,
		            checked->aborts);
	}
	return object;
}

/* ---- what is kept --------------------------------------------------------- */

bool checked_flush(struct slabd_pool *pool)
{
	return pool->checked != NULL && shrink(pool, 0);
}

static uint64_t look_gone(struct checked *checked, uint32_t *going)
{
	uint64_t gone;
	pthread_mutex_lock(&checked->lock);
	*going = checked->going;
	gone = checked->gone;
	pthread_mutex_unlock(&checked->lock);
	return gone;
}

uint64_t checked_gone(const struct slabd_pool *pool)
{
	uint32_t going;
	return look_gone(pool->checked, &going);
}

/* Who has one on its way may stand still: it is not waited for without end. */
bool checked_is_more(struct slabd_pool *pool, uint64_t before, bool waits)
{
	const struct timespec nap = {.tv_nsec = GOING_NAP_NS};
	uint64_t gone;
	uint32_t going;
	int held = link_hold();
	checked_flush(pool);
	gone = look_gone(pool->checked, &going);
	for (int i = 0; waits && i < GOING_TRIES && gone == before && going > 0;
	     i++) {
		nanosleep(&nap, NULL);
		gone = look_gone(pool->checked, &going);
	}
	link_let_go(held);
	return gone != before;
}

void checked_sum(const struct slabd_pool *pool, uint32_t *objects)
{
	struct checked *checked = pool->checked;
	const struct view *view = &pool->view;
	if (checked == NULL)
		return;
	pthread_mutex_lock(&checked->lock);
	for (uint32_t i = 0; i < checked->n_kept; i++) {
		uint64_t off = checked->kept[(checked->first + i) % KEPT_MAX];
		uint64_t word = atom_load(&view->words[off >> UNIT_SHIFT]);
		if (WORD_CACHE(word) != 0)
			objects[(WORD_CACHE(word) - 1) * view->geo.n_nodes +
			        WORD_HOME(word)]++;
	}
	pthread_mutex_unlock(&checked->lock);
}
