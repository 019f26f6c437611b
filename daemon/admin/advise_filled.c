/* SPDX-License-Identifier: MIT */
/* Which objects never hold as much as their cache is made for. */
#include <string.h>

#include "daemon/admin/advise.h"
#include "daemon/pool/live.h"

#define LOOKS 512u            /* objects of a cache, about */
#define LOOK_BYTES (4u << 20) /* of a cache, about: fewer where they are large */
#define SLABS 64u             /* of a cache, about, that they lie in */
#define PLACES 61u
#define LOOKED_LEAST 64u    /* to say anything of the others */
#define LESS_PART 8u        /* slots are to be smaller by that, or more */
#define ARENA_NAME "arena-" /* client/arena_chunk.c */

static uint32_t min_of(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* What was read of a slab last, as its objects lie side by side. */
struct window {
	uint64_t off, end; /* of the slab's bytes */
	uint64_t slab_end;
	uint32_t want; /* is read at a time: what is looked at, as it seems */
	unsigned char byte[16384];
};

/* So many bytes, no more than fit; NULL: they can't be read. */
static const unsigned char *see(const struct pool *pool, struct window *window,
                                uint64_t off, uint32_t bytes)
{
	uint32_t n = window->want > bytes ? window->want : bytes;
	n = min_of(window->slab_end - off, n);
	if (off >= window->off && off + bytes <= window->end)
		return window->byte + (off - window->off);
	window->off = off;
	window->end = off + n;
	if (live_read(pool, off, window->byte, n))
		return window->byte;
	window->end = 0;
	return NULL;
}

/* Up to the last byte that is not 0: 0 if there is none, or they can't be read. */
static uint32_t length_of(const struct pool *pool, struct window *window,
                          uint64_t off, uint32_t bytes)
{
	while (bytes > 0) {
		uint32_t n = min_of(bytes, sizeof(window->byte));
		const unsigned char *at =
			see(pool, window, off + bytes - n, n);
		if (at == NULL)
			return 0;
		while (n > 0 && at[n - 1] == 0) {
			n--;
			bytes--;
		}
		if (n > 0)
			return bytes;
	}
	return 0;
}

static void note(struct advise_filled *filled, uint32_t length, uint32_t size)
{
	filled->looked++;
	filled->part[((uint64_t)length - 1) * ADVISE_PARTS / size]++;
	if (length > filled->most_bytes)
		filled->most_bytes = length;
}

/* What arenas fill their chunks with is theirs. */
static bool is_for_arenas(const struct layout_cache *row)
{
	return strncmp(row->name, ARENA_NAME, strlen(ARENA_NAME)) == 0;
}

/* How many objects of a slab are looked at: of each slab, or of some of them where
 * they are many, as each costs a call of the kernel; 0: of this one none. */
static uint32_t looks_of(struct advise_filled *filled, const struct usage *usage,
                         const struct usage_slab *slab,
                         const struct layout_cache *row)
{
	uint32_t want = min_of(LOOKS, LOOK_BYTES / row->size + 1);
	uint64_t slabs = 0;
	uint64_t step;
	for (uint32_t node = 0; node < usage->n_nodes; node++)
		slabs += usage_cell(usage, slab->cache, node)->slabs;
	step = slabs / min_of(want, SLABS) + 1;
	if (is_for_arenas(row) || filled->slabs++ % step != 0)
		return 0;
	slabs = (slabs + step - 1) / step;
	return min_of(slabs > 0 ? want / slabs + 1 : want, row->n_objs);
}

/* They are neighbours, from another place on in each slab. */
void advise_filled_look(struct advise_filled *filled, const struct pool *pool,
                        const struct usage *usage,
                        const struct usage_slab *slab)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	uint32_t looks = looks_of(filled, usage, slab, row);
	uint32_t at = filled->slabs * PLACES % (row->n_objs - looks + 1);
	struct window window;
	uint32_t client;
	uint64_t off;
	window.off = window.end = 0;
	/* Not each of them is somebody's. */
	window.want = min_of(2ull * looks * row->stride, sizeof(window.byte));
	window.slab_end = ((uint64_t)slab->head << UNIT_SHIFT) +
	                  (UNIT_BYTES << row->order);
	for (; looks > 0 && live_next(pool, slab, &at, &client, &off); looks--) {
		uint32_t length = length_of(pool, &window, off, row->size);
		if (length > 0)
			note(filled, length, row->size);
	}
}

bool advise_filled_less(const struct advise_filled *filled,
                        const struct pool *pool, const struct layout_cache *row,
                        struct layout_cache *less)
{
	uint32_t size = (filled->most_bytes + row->align - 1) / row->align *
	                row->align;
	*less = *row;
	if (filled->looked < LOOKED_LEAST || size >= row->size ||
	    layout_fit_cache(pool->view.geo.page_shift, size, row->align, less) < 0)
		return false;
	less->size = size;
	return less->stride <= row->stride - row->stride / LESS_PART;
}

json_t *advise_filled_doc(json_t *object, const struct advise_filled *filled)
{
	json_t *parts = json_array();
	for (uint32_t i = 0; i < ADVISE_PARTS; i++)
		report_append(&parts, json_integer(filled->part[i]));
	return report_merge(object, json_pack("{s:i, s:i, s:o}", "looked",
	                                      filled->looked, "filled_bytes",
	                                      filled->most_bytes, "filled",
	                                      parts));
}
