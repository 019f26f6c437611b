/* SPDX-License-Identifier: MIT */
#include "shm/layout.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/rng.h"

static struct layout_geometry small(void)
{
	return (struct layout_geometry){.n_nodes = 2,
	                                .n_cpus = 4,
	                                .n_caches = 8,
	                                .page_shift = 21,
	                                .n_units = 64};
}

/* ---- geometry ----------------------------------------------------------- */

/* Of the kernel's pages, as the test has them. */
static uint64_t small_bytes = 4096;

long __wrap_sysconf(int name);
long __real_sysconf(int name);

long __wrap_sysconf(int name)
{
	return name == _SC_PAGESIZE ? (long)small_bytes : __real_sysconf(name);
}

struct span {
	uint64_t off, bytes;
};

/* Spans in order, none over the one before it, all below end. */
static void check_spans(const struct span *spans, unsigned n, uint64_t start,
                        uint64_t end)
{
	for (unsigned i = 0; i < n; i++) {
		cr_assert_geq(spans[i].off, start, "table %u", i);
		cr_assert_eq(spans[i].off % small_bytes, 0, "table %u", i);
		start = spans[i].off + spans[i].bytes;
	}
	cr_assert_leq(start, end);
}

static void check_geometry(const struct layout_geometry *g)
{
	uint64_t lists = (uint64_t)g->n_caches * g->n_nodes;
	const struct span control[] = {
	        {g->nodes_off, g->n_nodes * sizeof(struct layout_node)},
	        {g->cpus_off, g->n_cpus},
	        {g->caches_off, g->n_caches * sizeof(struct layout_cache)},
	        {g->marks_off, lists * sizeof(struct layout_mark)},
	        {g->words_off, g->n_units * 8},
	        {g->lines_off, g->n_units * 4},
	        {g->pages_off, g->n_units >> (g->page_shift - UNIT_SHIFT)},
	        {g->clients_off, CLIENT_IDS * sizeof(struct layout_client)},
	        {g->opens_off, CLIENT_IDS * g->open_words * 8},
	        {g->names_off, CLIENT_IDS * sizeof(struct layout_name)},
	};
	const struct span shared[] = {
		{g->wants_off, g->want_words * 8},
		{g->leases_off, g->n_units * 4},
		{g->stats_off, UINT64_C(8) * STATS_WORDS * CLIENT_IDS},
		{g->touched_off, g->touched_words * 8 * CLIENT_IDS},
		{g->lists_off, lists * g->list_stride},
		{g->tags_off, (g->n_units + 1) * LINES_PER_UNIT * LINE_BYTES},
		{g->gens_off, (g->n_units + 1) * LINES_PER_UNIT * LINE_BYTES},
	};
	/* What each client maps over a part of its own map. */
	cr_assert_leq(g->words_off + layout_round_up(g, g->n_units * 8),
	              g->lines_off);
	cr_assert_eq((layout_data_align(g) >> UNIT_SHIFT) * 8, small_bytes);
	check_spans(control, 10, sizeof(struct layout_head), g->control_bytes);
	check_spans(shared, 6, 0, g->shared_bytes);
	cr_assert_geq(g->want_words * 64, lists);
	cr_assert_geq(g->open_words * 64, g->n_caches);
	cr_assert_geq(g->list_words * 64, g->n_units);
	cr_assert_geq(g->list_sum_words * 64, g->list_words);
	cr_assert_geq(g->list_stride, (g->list_words + g->list_sum_words) * 8);
	cr_assert_eq(g->list_stride % LINE_BYTES, 0);
	cr_assert_geq(g->n_granules << GRANULE_SHIFT, g->n_units);
	cr_assert_geq(g->touched_words * 64, g->n_granules);
	cr_assert_eq(g->touched_words * 8 % LINE_BYTES, 0);
}

Test(geometry, tables_do_not_overlap)
{
	struct rng rng = rng_start("tables_do_not_overlap");
	for (unsigned i = 0; i < 20000; i++) {
		struct layout_geometry g = {
		        .n_nodes = 1 + rng_below(&rng, NODES_MAX),
		        .n_cpus = 1 + rng_below(&rng, CPUS_MAX),
		        .n_caches = 1 + rng_below(&rng, CACHES_MAX),
		        .page_shift = PAGE_SHIFT_MIN + rng_below(&rng, 10),
		};
		uint32_t shift = g.page_shift - UNIT_SHIFT;
		uint64_t pages = UINT64_C(1) << (25 - shift);
		pages >>= rng_below(&rng, 26 - shift);
		small_bytes = UINT64_C(4096) << 2 * rng_below(&rng, 3);
		g.n_units = (1 + rng_next(&rng) % pages) << shift;
		cr_assert_eq(layout_compute(&g), 0);
		check_geometry(&g);
	}
}

Test(geometry, bounds)
{
	static const struct {
		const char *what;
		size_t at;
		uint32_t good[2], bad[3];
	} rows[] = {
	        {"n_nodes", offsetof(struct layout_geometry, n_nodes),
	         {1, 64}, {0, 65, UINT32_MAX}},
	        {"n_cpus", offsetof(struct layout_geometry, n_cpus),
	         {1, 8192}, {0, 8193, UINT32_MAX}},
	        {"n_caches", offsetof(struct layout_geometry, n_caches),
	         {1, 4096}, {0, 4097, UINT32_MAX}},
	        {"page_shift", offsetof(struct layout_geometry, page_shift),
	         {21, 21}, {0, 20, 31}},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct layout_geometry g = small();
		uint32_t *field = (void *)((char *)&g + rows[i].at);
		for (unsigned k = 0; k < 3; k++) {
			*field = rows[i].bad[k];
			cr_expect_eq(layout_compute(&g), -EINVAL, "%s %u",
			             rows[i].what, *field);
		}
		for (unsigned k = 0; k < 2; k++) {
			*field = rows[i].good[k];
			cr_expect_eq(layout_compute(&g), 0, "%s %u",
			             rows[i].what, *field);
		}
	}
}

Test(geometry, units)
{
	struct layout_geometry g = small();
	const uint64_t bad[] = {0, 1, 31, 33, 63, (UINT64_C(1) << 25) + 32,
	                        UINT64_C(1) << 32, UINT64_MAX - 31};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		g.n_units = bad[i];
		cr_expect_eq(layout_compute(&g), -EINVAL, "%llu units",
		             (unsigned long long)bad[i]);
	}
	g.n_units = UINT64_C(1) << 25;
	cr_expect_eq(layout_compute(&g), 0);
	g.n_units = 32;
	cr_expect_eq(layout_compute(&g), 0);
	g.page_shift = 30;
	cr_expect_eq(layout_compute(&g), -EINVAL);
	g.n_units = 1 << 14;
	cr_expect_eq(layout_compute(&g), 0);
}

/* Word, line, lease and list bits of a unit, and its tags. */
Test(geometry, metadata_of_64_byte_objects)
{
	struct layout_geometry g = small();
	struct layout_cache c = {0};
	uint64_t bytes;
	g.n_caches = 1;
	g.n_nodes = 1;
	g.n_units = UINT64_C(1) << 18; /* 16 GiB */
	cr_assert_eq(layout_compute(&g), 0);
	cr_assert_eq(layout_fit_cache(21, 64, 0, &c), 0);
	bytes = g.lines_off - g.words_off;             /* words */
	bytes += g.pages_off - g.lines_off;            /* lines */
	bytes += g.stats_off - g.leases_off;           /* leases */
	bytes += g.n_caches * g.n_nodes * g.list_stride; /* bits */
	bytes += (g.n_units >> c.order) * ((c.n_objs + 31) / 32) * LINE_BYTES;
	cr_assert_leq(bytes * 25, g.n_units << UNIT_SHIFT);
}

/* ---- the check of a head ------------------------------------------------ */

static struct layout_head healthy(struct layout_geometry *g)
{
	*g = small();
	cr_assert_eq(layout_compute(g), 0);
	return (struct layout_head){.magic = LAYOUT_MAGIC,
	                            .version = LAYOUT_VERSION,
	                            .n_nodes = g->n_nodes,
	                            .n_cpus = g->n_cpus,
	                            .n_caches = g->n_caches,
	                            .n_ids = CLIENT_IDS,
	                            .page_shift = g->page_shift,
	                            .n_units = g->n_units,
	                            .control_bytes = g->control_bytes,
	                            .shared_bytes = g->shared_bytes};
}

Test(check, healthy)
{
	struct layout_geometry g;
	struct layout_geometry seen = {0};
	struct layout_head head = healthy(&g);
	cr_assert_eq(layout_check(&head, g.control_bytes, g.shared_bytes,
	                          &seen), 0);
	cr_assert_eq(seen.tags_off, g.tags_off);
	cr_assert_eq(seen.clients_off, g.clients_off);
	cr_assert_eq(seen.n_units, g.n_units);
}

#define DAMAGE(name, value, error)                                             \
	Test(check, name##_is_##value)                                         \
	{                                                                      \
		struct layout_geometry g;                                      \
		struct layout_geometry seen;                                   \
		struct layout_head head = healthy(&g);                         \
		head.name = value;                                             \
		cr_assert_eq(layout_check(&head, g.control_bytes,              \
		                          g.shared_bytes, &seen),              \
		             error);                                           \
	}

DAMAGE(magic, 0, -EPROTO)
DAMAGE(magic, 1, -EPROTO)
DAMAGE(version, 0, -EPROTO)
DAMAGE(version, 2, -EPROTO)
DAMAGE(n_nodes, 0, -EINVAL)
DAMAGE(n_nodes, 64, -EINVAL)
DAMAGE(n_nodes, 65, -EINVAL)
DAMAGE(n_cpus, 0, -EINVAL)
DAMAGE(n_cpus, 8192, -EINVAL)
DAMAGE(n_cpus, 8193, -EINVAL)
DAMAGE(n_caches, 0, -EINVAL)
DAMAGE(n_caches, 4096, -EINVAL)
DAMAGE(n_caches, 4097, -EINVAL)
DAMAGE(page_shift, 0, -EINVAL)
DAMAGE(page_shift, 20, -EINVAL)
DAMAGE(page_shift, 31, -EINVAL)
DAMAGE(page_shift, 255, -EINVAL)
DAMAGE(n_units, 0, -EINVAL)
DAMAGE(n_units, 32, -EINVAL)
DAMAGE(n_units, 65, -EINVAL)
DAMAGE(n_units, 96, -EINVAL)
DAMAGE(n_ids, 0, -EINVAL)
DAMAGE(n_ids, 32767, -EINVAL)
DAMAGE(control_bytes, 0, -EINVAL)
DAMAGE(control_bytes, 4096, -EINVAL)
DAMAGE(shared_bytes, 0, -EINVAL)
DAMAGE(shared_bytes, 4096, -EINVAL)

/* The files themselves are of another size than the head says. */
Test(check, files_cut_short)
{
	struct layout_geometry g;
	struct layout_geometry seen;
	struct layout_head head = healthy(&g);
	uint64_t c = g.control_bytes;
	uint64_t s = g.shared_bytes;
	cr_expect_eq(layout_check(&head, c - 4096, s, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, c + 4096, s, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, c, s - 4096, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, c, s + 4096, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, c, 0, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, 0, s, &seen), -EINVAL);
	cr_expect_eq(layout_check(&head, sizeof(head) - 1, s, &seen), -EINVAL);
}

/* ---- caches ------------------------------------------------------------- */

static bool wastes_much(uint64_t stride, uint32_t order)
{
	uint64_t slab = UNIT_BYTES << order;
	return slab % stride * 8 > slab;
}

static void check_order(const struct layout_cache *c, uint32_t page_shift)
{
	uint64_t slab = UNIT_BYTES << c->order;
	uint64_t waste = slab % c->stride;
	bool much = wastes_much(c->stride, c->order);
	for (uint32_t o = 0; o <= page_shift - UNIT_SHIFT; o++) {
		uint64_t other = UNIT_BYTES << o;
		if (other < c->stride)
			continue;
		if (o < c->order && !much)
			cr_assert(wastes_much(c->stride, o),
			          "size %u: order %u would do", c->size, o);
		if (much)
			cr_assert_leq(waste * other, other % c->stride * slab,
			              "size %u: order %u is better", c->size,
			              o);
	}
}

/* They fit, spread the stride where there is room, and keep alignment. */
static void check_colours(const struct layout_cache *c, uint64_t slab)
{
	uint64_t objects = (uint64_t)c->n_objs * c->stride;
	uint64_t room = slab - objects;
	uint64_t low = c->stride & -c->stride;
	cr_assert_leq(objects, slab);
	cr_assert_eq(c->colours & (c->colours - 1), 0);
	cr_assert_gt(c->colours, 0);
	cr_assert_eq(c->colour_step % c->align, 0);
	cr_assert_eq(c->colour_step % LINE_BYTES, 0);
	cr_assert_leq((uint64_t)(c->colours - 1) * c->colour_step, room);
	if (c->colours > 1)
		cr_assert_leq((uint64_t)c->colours * c->colour_step, low);
	if (room >= c->stride) {
		cr_assert_leq((uint64_t)c->stride * 32, slab);
		cr_assert_lt(room, 2 * c->stride);
		cr_assert_gt(c->colours, 1, "size %u", c->size);
	}
	if ((uint64_t)c->stride * 32 <= slab && low < 4096)
		cr_assert(low <= c->colour_step ||
		                  (uint64_t)c->colours * c->colour_step == low,
		          "size %u: %u colours", c->size, c->colours);
}

static void check_fit(uint32_t page_shift, uint64_t size, uint64_t align)
{
	struct layout_cache c = {0};
	uint64_t page = UINT64_C(1) << page_shift;
	uint64_t slab;
	cr_assert_eq(layout_fit_cache(page_shift, size, align, &c), 0,
	             "size %llu align %llu", (unsigned long long)size,
	             (unsigned long long)align);
	slab = UNIT_BYTES << c.order;
	cr_assert_eq(c.size, size);
	cr_assert_geq(c.stride, size);
	cr_assert_geq(c.stride, STRIDE_MIN);
	cr_assert_eq(c.stride % (align ? align : 16), 0);
	cr_assert_leq(c.stride, size + c.align > STRIDE_MIN ? size + c.align
	                                                    : STRIDE_MIN);
	cr_assert_leq(slab, page);
	cr_assert_geq(c.n_objs, 1);
	check_colours(&c, slab);
	cr_assert_leq((c.n_objs + 31) / 32, LINES_PER_UNIT << c.order);
	if (size <= page / 8)
		cr_assert(!wastes_much(c.stride, c.order), "size %u", c.size);
	check_order(&c, page_shift);
}

Test(cache, every_size_and_alignment)
{
	for (uint64_t size = 1; size <= 2 << 20;
	     size += size < 5000 ? 1 : size < 300000 ? 61 : 997)
		for (uint64_t align = 0; align <= ALIGN_MAX;
		     align = align ? align * 2 : 1)
			check_fit(21, size, align);
	for (uint64_t align = 1; align <= ALIGN_MAX; align *= 2) {
		check_fit(21, 2 << 20, align);
		check_fit(30, 1 << 30, align);
		check_fit(30, (1 << 27) + 1, align);
	}
}

Test(cache, refused)
{
	struct layout_cache c;
	cr_expect_eq(layout_fit_cache(21, 0, 0, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, (2 << 20) + 1, 0, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, UINT64_MAX, 0, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, 64, 3, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, 64, 24, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, 64, 8192, &c), -EINVAL);
	cr_expect_eq(layout_fit_cache(21, 64, UINT64_MAX, &c), -EINVAL);
}

static uint64_t by_magic(const struct layout_cache *c, uint64_t off)
{
	__extension__ typedef unsigned __int128 wide;
	return (uint64_t)(((wide)off * c->magic) >> 64);
}

Test(cache, magic_of_every_small_stride)
{
	for (uint64_t stride = 16; stride <= 4096; stride += 8) {
		struct layout_cache c = {0};
		cr_assert_eq(layout_fit_cache(21, stride, 8, &c), 0);
		cr_assert_eq(c.stride, stride);
		for (uint64_t off = 0; off < UNIT_BYTES << c.order; off++)
			if (by_magic(&c, off) != off / stride)
				cr_assert_fail("stride %u off %u", c.stride,
				               (unsigned)off);
	}
}

Test(cache, magic_of_large_strides)
{
	struct rng rng = rng_start("magic_of_large_strides");
	for (unsigned i = 0; i < 20000; i++) {
		struct layout_cache c = {0};
		uint64_t size = 1 + rng_next(&rng) % (1 << 30) /
		                        (1u << rng_below(&rng, 20));
		cr_assert_eq(layout_fit_cache(30, size, 8, &c), 0);
		for (unsigned k = 0; k < 100; k++) {
			uint64_t ix = rng_below(&rng, c.n_objs + 1);
			uint64_t off = ix * c.stride + rng_below(&rng, 3) - 1;
			if (off >= UNIT_BYTES << c.order)
				off = rng_next(&rng) % (UNIT_BYTES << c.order);
			if (by_magic(&c, off) != off / c.stride)
				cr_assert_fail("stride %u off %llu", c.stride,
				               (unsigned long long)off);
		}
	}
}
