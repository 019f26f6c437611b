/* SPDX-License-Identifier: MIT */
#include "daemon/pool/lists.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/pool/meta.h"
#include "numa/memfile.h"
#include "shm/partial.h"

#define MEND_PAGES 64u /* faulted in again, at a time */

/* Of the kernel's pages. */
static uint32_t shift_of(const struct pool *pool)
{
	return (uint32_t)__builtin_ctz(pool->view.geo.small_bytes);
}

static uint64_t n_pages(const struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	return (geo->tags_off - geo->lists_off) >> shift_of(pool);
}

static bool has(const struct pool *pool, uint64_t page)
{
	return (pool->list_pages[page / 64] >> (page % 64) & 1) != 0;
}

/* The first page at or above one, and below end, that has memory or has none. */
static uint64_t next(const struct pool *pool, uint64_t page, uint64_t end,
                     bool with)
{
	uint64_t flip = with ? 0 : ~UINT64_C(0);
	while (page < end) {
		uint64_t word = (pool->list_pages[page / 64] ^ flip) >>
		                (page % 64);
		if (word != 0)
			page += (uint64_t)__builtin_ctzll(word);
		else
			page = (page | 63) + 1;
		if (word != 0)
			break;
	}
	return page < end ? page : end;
}

static void note(struct pool *pool, uint64_t page, uint64_t end)
{
	for (; page < end; page++) {
		pool->n_list_pages += !has(pool, page);
		pool->list_pages[page / 64] |= UINT64_C(1) << (page % 64);
	}
}

/* Where a list begins, in bytes after the first one. */
static uint64_t list_at(const struct pool *pool, uint64_t list)
{
	return list * pool->view.geo.list_stride;
}

/* The pages of a list's summary; true as long as there is a list. */
static bool summary(const struct pool *pool, uint64_t list, uint64_t end_list,
                    uint64_t *page, uint64_t *end)
{
	uint64_t at = list_at(pool, list);
	uint64_t bytes = pool->view.geo.list_sum_words * 8;
	uint32_t shift = shift_of(pool);
	*page = at >> shift;
	*end = ((at + bytes - 1) >> shift) + 1;
	return list < end_list;
}

int lists_open(struct pool *pool)
{
	uint64_t n = (uint64_t)pool->head->ready_lists * pool->view.geo.n_nodes;
	uint64_t page;
	uint64_t end;
	pool->n_list_pages = 0;
	pool->list_pages = calloc(n_pages(pool) / 64 + 1, sizeof(uint64_t));
	if (pool->list_pages == NULL)
		return -ENOMEM;
	for (uint64_t list = 0; summary(pool, list, n, &page, &end); list++)
		note(pool, page, end);
	return 0;
}

/* Pages that are not noted yet, as few runs; by meta_need or meta_hold. */
static int need(struct pool *pool, uint64_t page, uint64_t end,
                int (*get)(struct pool *pool, uint64_t from, uint64_t bytes))
{
	uint32_t shift = shift_of(pool);
	int r = 0;
	while (r == 0 && (page = next(pool, page, end, false)) < end) {
		uint64_t stop = next(pool, page, end, true);
		r = get(pool, pool->view.geo.lists_off + (page << shift),
		        (stop - page) << shift);
		if (r == 0)
			note(pool, page, stop);
		page = stop;
	}
	return r;
}

/* Bytes of summaries from a list on that have no memory yet. */
static uint64_t lacking(const struct pool *pool, uint64_t list, uint64_t n)
{
	uint64_t pages = 0;
	uint64_t page;
	uint64_t end;
	for (; summary(pool, list, n, &page, &end); list++)
		for (; page < end; page++)
			pages += !has(pool, page);
	return pages << shift_of(pool);
}

int lists_need(struct pool *pool, uint32_t n_caches, int64_t until_ns)
{
	uint64_t list = (uint64_t)pool->head->ready_lists *
	                pool->view.geo.n_nodes;
	uint64_t n = (uint64_t)n_caches * pool->view.geo.n_nodes;
	uint64_t page;
	uint64_t end;
	int r = 0;
	if (n_caches <= pool->head->ready_lists)
		return 0;
	if (!work_is_free(pool, WORK_SHARED))
		return -EAGAIN;
	/* One question for all, as the answer takes long. */
	if (!meta_may(pool, lacking(pool, list, n)))
		return -ENOMEM;
	for (; r == 0 && summary(pool, list, n, &page, &end); list++) {
		if (next(pool, page, end, false) == end)
			continue;
		r = need(pool, page, end, meta_hold);
		if (clock_ns() >= until_ns)
			break;
	}
	if (r < 0)
		return r;
	if (list < n)
		return LISTS_E_LATER;
	atom_store(&pool->head->ready_lists, n_caches);
	return 0;
}

static uint64_t page_of(const struct pool *pool, uint32_t cache, uint32_t node,
                        uint32_t unit)
{
	uint64_t list = (uint64_t)(cache - 1) * pool->view.geo.n_nodes + node;
	uint64_t word = pool->view.geo.list_sum_words + unit / 64;
	return (list_at(pool, list) + word * 8) >> shift_of(pool);
}

int lists_need_bit(struct pool *pool, uint32_t cache, uint32_t node,
                   uint32_t unit)
{
	uint64_t page = page_of(pool, cache, node, unit);
	return need(pool, page, page + 1, meta_need);
}

int lists_adopt_bit(struct pool *pool, uint32_t cache, uint32_t node,
                    uint32_t unit)
{
	uint64_t page = page_of(pool, cache, node, unit);
	return need(pool, page, page + 1, meta_hold);
}

uint64_t lists_due(const struct pool *pool)
{
	return pool->n_list_pages << shift_of(pool);
}

int lists_mend_some(struct pool *pool, int64_t until_ns)
{
	uint32_t shift = shift_of(pool);
	uint64_t end = n_pages(pool);
	uint64_t page = pool->mend.list;
	int r = 0;
	while (r == 0 && (page = next(pool, page, end, true)) < end) {
		uint64_t stop = next(pool, page, end, false);
		stop = stop < page + MEND_PAGES ? stop : page + MEND_PAGES;
		r = meta_hold(pool, pool->view.geo.lists_off + (page << shift),
		              (stop - page) << shift);
		page = stop;
		if (r == 0 && clock_ns() >= until_ns)
			break;
	}
	pool->mend.list = r == 0 && page < end ? page : 0;
	return r == 0 ? page < end : r;
}

static int purge(struct pool *pool)
{
	const struct memfile file = {.fd = pool->shared_fd,
	                             .kind = BACKING_4K,
	                             .page_shift = shift_of(pool)};
	uint64_t first = pool->view.geo.lists_off >> file.page_shift;
	uint64_t end = n_pages(pool);
	uint64_t page = 0;
	int r = 0;
	while (r == 0 && (page = next(pool, page, end, false)) < end) {
		uint64_t stop = next(pool, page, end, true);
		r = memfile_punch(&file, first + page, stop - page);
		page = stop;
	}
	return r;
}

uint32_t lists_excess(const struct pool *pool, uint64_t from,
                      struct work_range *out, uint32_t most)
{
	uint32_t shift = shift_of(pool) - META_PUNCH_SHIFT;
	uint64_t first = pool->view.geo.lists_off >> META_PUNCH_SHIFT;
	uint64_t end = n_pages(pool);
	uint64_t page = from > first ? (from - first) >> shift : 0;
	uint32_t n = 0;
	while (n < most && (page = next(pool, page, end, false)) < end) {
		uint64_t stop = next(pool, page, end, true);
		out[n++] = (struct work_range){first + (page << shift),
		                               (stop - page) << shift};
		page = stop;
	}
	return n;
}

/* Of the words of a list's bitmap that have memory. */
static void repair(const struct pool *pool, uint64_t at,
                   const struct partial *list)
{
	uint64_t sum_words = pool->view.geo.list_sum_words;
	uint32_t shift = shift_of(pool);
	uint64_t n_words = sum_words + list->n_bits;
	uint64_t end = ((at + n_words * 8 - 1) >> shift) + 1;
	uint64_t page = (at + sum_words * 8) >> shift;
	while ((page = next(pool, page, end, true)) < end) {
		uint64_t from = page << shift;
		uint64_t word = from > at ? (from - at) / 8 : 0;
		uint64_t stop = (from + (UINT64_C(1) << shift) - at) / 8;
		word = word > sum_words ? word : sum_words;
		stop = stop < n_words ? stop : n_words;
		(void)partial_repair_part_any(list, word - sum_words,
		                              stop - sum_words);
		page++;
	}
}

void lists_adopted(struct pool *pool)
{
	uint32_t n_nodes = pool->view.geo.n_nodes;
	uint64_t n = (uint64_t)pool->n_caches * n_nodes;
	uint64_t held;
	for (uint64_t ix = 0; ix < n; ix++) {
		struct partial list = partial_of(&pool->view,
		                                 (uint32_t)(ix / n_nodes) + 1,
		                                 (uint32_t)(ix % n_nodes));
		repair(pool, list_at(pool, ix), &list);
	}
	if (memfile_held(pool->shared_fd, &held) == 0 &&
	    held > meta_due(pool) + lists_due(pool))
		(void)purge(pool);
}
