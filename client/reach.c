/* SPDX-License-Identifier: MIT */
#include "client/reach.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/tools.h"
#include "shm/atom.h"

#define BOTH (PROT_READ | PROT_WRITE)

static struct slabd_pool *pool_of(const struct view *view)
{
	return (struct slabd_pool *)((char *)(uintptr_t)view -
	                             offsetof(struct slabd_pool, view));
}

/* The lock lies where the kernel wipes it in a forked child, in which nobody
 * else is about to let it go. */
static void lock(const struct slabd_pool *pool)
{
	pthread_mutex_lock(&pool->wiped->reach);
}

static void unlock(const struct slabd_pool *pool)
{
	pthread_mutex_unlock(&pool->wiped->reach);
}

/* ---- the shared file ----------------------------------------------------- */

/* Opens what lies between two offsets, and of the pages at both ends all. */
static int open_shared(const struct slabd_pool *pool, uint64_t from,
                       uint64_t to)
{
	char *base = (char *)pool->view.wants;
	from -= from % pool->view.geo.small_bytes;
	to = layout_round_up(&pool->view.geo, to);
	/* Out of mappings: one for all needs fewer. */
	if (mprotect(base + from, to - from, BOTH) == 0 ||
	    mprotect(base, pool->shared_bytes, BOTH) == 0)
		return 0;
	return -errno;
}

/* Each is one run from its table's start on, so that another call makes no
 * more mappings of it. */
static void open_ready(const struct view *view)
{
	struct slabd_pool *pool = pool_of(view);
	const struct layout_geometry *geo = &view->geo;
	uint32_t lists = atom_load(&view->head->ready_lists);
	uint64_t lines = atom_load(&view->head->ready_lines);
	int saved = errno;
	bool refused;
	lock(pool);
	if (lists > atom_load(&view->open_lists) &&
	    open_shared(pool, geo->lists_off,
	                geo->lists_off +
	                        lists * geo->n_nodes * geo->list_stride) == 0)
		atom_store(&pool->view.open_lists, lists);
	if (lines > atom_load(&view->open_lines) &&
	    open_shared(pool, geo->tags_off,
	                geo->tags_off + lines * LINE_BYTES) == 0 &&
	    open_shared(pool, geo->gens_off,
	                geo->gens_off + lines * LINE_BYTES) == 0)
		atom_store(&pool->view.open_lines,
		           lines == geo->n_units * LINES_PER_UNIT ? UINT64_MAX
		                                                  : lines);
	/* Whoever sees it looks how far the above have come. */
	refused = lists > atom_load(&view->open_lists) ||
	          lines > atom_load(&view->open_lines);
	atom_store(&pool->view.refused, refused);
	unlock(pool);
	errno = saved;
}

static int open_touched(struct slabd_pool *pool, uint32_t id)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t bytes = geo->touched_words * sizeof(uint64_t);
	uint64_t row = geo->touched_off + id * bytes;
	return open_shared(pool, row, row + bytes);
}

__attribute__((cold, noinline)) static bool
open_row(struct slabd_pool *pool, uint32_t id, uint64_t bit)
{
	int saved = errno;
	bool opened;
	lock(pool);
	opened = open_touched(pool, id) == 0;
	if (opened)
		/* pairs: reach_touched */
		atom_store_release(&pool->rows[id / 64],
		                   atom_load(&pool->rows[id / 64]) | bit);
	unlock(pool);
	errno = saved;
	return opened;
}

bool reach_touched(struct slabd_pool *pool, uint32_t id)
{
	uint64_t bit = UINT64_C(1) << (id % 64);
	/* pairs: open_row; who sees the bit may touch the row. */
	return (atom_load_acquire(&pool->rows[id / 64]) & bit) != 0 ||
	       open_row(pool, id, bit);
}

int reach_start(struct slabd_pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t row =
		geo->stats_off + pool->user.id * STATS_WORDS * sizeof(uint64_t);
	uint64_t n_pages = geo->n_units >> (geo->page_shift - UNIT_SHIFT);
	int r = open_shared(pool, 0, geo->stats_off);
	if (r == 0)
		r = open_shared(pool, row, row + 1);
	if (r == 0)
		r = open_touched(pool, pool->user.id);
	if (r < 0)
		return r;
	madvise(pool->view.wants, pool->shared_bytes, MADV_DONTDUMP);
	madvise(pool->user.data, pool->data_bytes, MADV_DONTDUMP);
	pool->open = calloc((n_pages + 63) / 64, sizeof(uint64_t));
	pool->rows = calloc(CLIENT_IDS / 64, sizeof(uint64_t));
	if (pool->open == NULL || pool->rows == NULL)
		return -ENOMEM;
	pool->drops = atom_load(&pool->view.head->drops);
	pool->view.open_lists = 0;
	pool->view.open_lines = 0;
	pool->view.reach = open_ready;
	return 0;
}

/* ---- data ---------------------------------------------------------------- */

static bool is_ready(const struct slabd_pool *pool, uint64_t page)
{
	return atom_load(&pool->view.pages[page]) != 0;
}

/* Under the lock. */
static void mark(struct slabd_pool *pool, uint64_t page, bool open)
{
	uint64_t *word = &pool->open[page / 64];
	uint64_t bit = UINT64_C(1) << (page % 64);
	uint64_t now = atom_load(word);
	/* pairs: reach_is_open; it is accessible before anybody is told so. */
	atom_store_release(word, open ? now | bit : now & ~bit);
}

static char *at_page(const struct slabd_pool *pool, uint64_t page)
{
	return pool->user.data + (page << pool->view.geo.page_shift);
}

static int open_pages(const struct slabd_pool *pool, uint64_t page, uint64_t n)
{
	uint64_t bytes = n << pool->view.geo.page_shift;
	if (mprotect(at_page(pool, page), bytes, BOTH) < 0)
		return -errno;
	madvise(at_page(pool, page), bytes, MADV_DODUMP);
	return 0;
}

/* Opens a page and those that are ready around it: few mappings, few calls. */
static bool open_around(struct slabd_pool *pool, uint64_t page)
{
	uint64_t bytes = UINT64_C(1) << pool->view.geo.page_shift;
	uint64_t all = pool->data_bytes >> pool->view.geo.page_shift;
	uint64_t first = page;
	uint64_t end = page + 1;
	while (first > 0 && !reach_is_open(pool, first - 1) &&
	       is_ready(pool, first - 1))
		first--;
	while (end < all && !reach_is_open(pool, end) && is_ready(pool, end))
		end++;
	/* As open_shared. */
	if (open_pages(pool, first, end - first) < 0 &&
	    mprotect(pool->user.data, pool->data_bytes, BOTH) < 0) {
		atom_store(&pool->view.refused_data, true);
		return false;
	}
	atom_store(&pool->view.refused_data, false);
	for (; first < end; first++) {
		if (atom_load(&tools_on))
			tools_page_open(at_page(pool, first), bytes);
		mark(pool, first, true);
	}
	return true;
}

__attribute__((cold, noinline)) static bool
open_page(struct slabd_pool *pool, uint64_t page)
{
	int saved = errno;
	bool good;
	lock(pool);
	/* Of what was freed meanwhile there may be a hole. */
	good = reach_is_open(pool, page) ||
	       (is_ready(pool, page) && open_around(pool, page));
	unlock(pool);
	errno = saved;
	return good;
}

static bool reach_page(struct slabd_pool *pool, uint64_t page)
{
	return reach_is_open(pool, page) || open_page(pool, page);
}

bool reach_offset(struct slabd_pool *pool, uint64_t off)
{
	return reach_page(pool, off >> pool->view.geo.page_shift);
}

static uint64_t page_of(const struct slabd_pool *pool, const void *object)
{
	uint64_t off = (uint64_t)((const char *)object - pool->user.data);
	return off >> pool->view.geo.page_shift;
}

bool reach_objects(struct slabd_pool *pool, uint32_t n, void *const *objects)
{
	uint64_t first = page_of(pool, objects[0]);
	uint64_t last = page_of(pool, objects[n - 1]);
	bool good = reach_page(pool, first);
	for (uint32_t i = 1; first != last && i < n; i++)
		good &= reach_page(pool, page_of(pool, objects[i]));
	/* pairs: pages_drop */
	if (atom_load_acquire(&pool->view.head->drops) !=
	    atom_load(&pool->drops))
		reach_close(pool);
	return good;
}

/* ---- closed again -------------------------------------------------------- */

/*
 * A page that is a hole may be made ready and get slabs at any time, and a
 * thread that claims in one looks whether it is open after that. So first it is
 * marked as closed and then looked at once more: if it is still a hole then,
 * whoever claims in it sees the mark, and waits at the lock.
 */
static void close_page(struct slabd_pool *pool, uint64_t page)
{
	uint64_t bytes = UINT64_C(1) << pool->view.geo.page_shift;
	mark(pool, page, false);
	/* pairs: slab_carve_srv, between a slab's word and its list's bit. */
	atom_fence();
	if (is_ready(pool, page)) {
		mark(pool, page, true);
		return;
	}
	if (atom_load(&tools_on))
		tools_page_close(at_page(pool, page), bytes);
	mprotect(at_page(pool, page), bytes, PROT_NONE);
	madvise(at_page(pool, page), bytes, MADV_DONTDUMP);
}

void reach_close(struct slabd_pool *pool)
{
	uint64_t all = pool->data_bytes >> pool->view.geo.page_shift;
	int saved = errno;
	uint64_t drops;
	lock(pool);
	/* pairs: pages_drop; those that it counts are holes, or new pages. */
	drops = atom_load_acquire(&pool->view.head->drops);
	for (uint64_t page = 0; drops != pool->drops && page < all; page++) {
		if (atom_load(&pool->open[page / 64]) == 0)
			page |= 63;
		else if (reach_is_open(pool, page) && !is_ready(pool, page))
			close_page(pool, page);
	}
	atom_store(&pool->drops, drops);
	unlock(pool);
	errno = saved;
}

/* ---- the end -------------------------------------------------------------- */

/* The address space is to be anybody's. */
static void leave_pages(const struct slabd_pool *pool)
{
	uint64_t bytes = UINT64_C(1) << pool->view.geo.page_shift;
	uint64_t all = pool->data_bytes >> pool->view.geo.page_shift;
	for (uint64_t page = 0; page < all; page++)
		if (reach_is_open(pool, page))
			tools_page_close(at_page(pool, page), bytes);
}

void reach_done(struct slabd_pool *pool)
{
	if (pool->open != NULL && atom_load(&tools_on))
		leave_pages(pool);
	free(pool->open);
	free(pool->rows);
}
