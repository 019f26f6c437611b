/* SPDX-License-Identifier: MIT */
#include "tests/lib/pool_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/pool/caches.h"
#include "daemon/pool/usage.h"
#include "daemon/balance/wants.h"

void pool_bed_start(struct pool_bed *bed, const char *synthetic,
                    uint64_t start_mib, uint64_t max_mib)
{
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
	cr_assert_eq(topo_load(&bed->topo, synthetic), 0);
	config_default_pool(&bed->config, "bed");
	bed->config.page = CONFIG_PAGE_4K;
	bed->config.start_bytes = start_mib * BED_MIB;
	bed->config.max_bytes = max_mib * BED_MIB;
	bed->config.max_caches = 8;
	bed->config.max_clients = 4;
	cr_assert_eq(pool_create(&bed->pool, &bed->config, &bed->topo, false,
	                         0), 0);
	bed->data = (char *)(uintptr_t)bed->pool.head->data_hint;
}

void pool_bed_stop(struct pool_bed *bed)
{
	pool_destroy(&bed->pool);
}

int pool_bed_cache(struct pool_bed *bed, const char *name, uint64_t size,
                   uint64_t align, uint32_t flags)
{
	char padded[NAME_BYTES] = "";
	char text[300] = "";
	int r;
	memcpy(padded, name, strnlen(name, NAME_BYTES));
	r = cachetab_create(&bed->pool, padded, size, align, flags, text,
	                    sizeof(text));
	/* Who is refused is told why. */
	cr_assert_eq(r < 0, text[0] != '\0', "%d: %s", r, text);
	return r;
}

void pool_bed_want(struct pool_bed *bed, uint32_t cache, uint32_t node)
{
	cr_assert(view_want_any(&bed->pool.view, cache, node));
}

uint64_t pool_bed_claim_all(struct pool_bed *bed, uint32_t id, uint32_t cache,
                            uint32_t node)
{
	struct slab_user user = {.view = &bed->pool.view,
	                         .data = bed->data,
	                         .id = id,
	                         .epoch = 1};
	void *out[SLAB_RUN_MAX];
	bool ring;
	uint64_t sum = 0;
	uint32_t n;
	while ((n = slab_claim_any(&user, cache, node, SLAB_RUN_MAX, out,
	                           &ring)) > 0)
		sum += n;
	return sum;
}

uint64_t pool_bed_use_up(struct pool_bed *bed, uint32_t cache, uint32_t node)
{
	uint64_t sum = 0;
	while (growth_relieve(&bed->pool, cache, node) == 0)
		sum += pool_bed_claim_all(bed, 1, cache, node);
	return sum;
}

void pool_bed_free_all(struct pool_bed *bed)
{
	struct slab_swept swept = {0};
	slab_sweep_srv(&bed->pool.view, 1, &swept);
}

uint32_t pool_bed_standing(const struct pool_bed *bed, uint32_t cache,
                           uint32_t home, uint32_t list)
{
	const struct view *view = &bed->pool.view;
	uint32_t n = 0;
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++)
		n += view->words[unit] == WORD_MAKE(cache, home, 0, list);
	return n;
}

uint64_t pool_bed_free(const struct pool_bed *bed, uint32_t cache,
                       uint32_t node)
{
	struct census census;
	uint64_t n;
	cr_assert_eq(census_take(&census, &bed->pool), 0);
	n = census_cell(&census, cache, node)->free;
	census_done(&census);
	return n;
}

/* Units and tag lines of the slab table against slabd's maps of them. */
static void check_maps(const struct pool *pool)
{
	const struct view *view = &pool->view;
	struct census_slab slab;
	uint64_t lines = 0;
	uint64_t units = view->geo.n_units;
	for (uint32_t node = 0; node < view->geo.n_nodes; node++)
		units -= pool_ready_units(pool, node);
	for (uint32_t at = 0; census_next(pool, at, &slab); at = slab.head + 1) {
		units += 1u << view->caches[slab.cache - 1].order;
		lines += slab_lines(&view->caches[slab.cache - 1]);
	}
	cr_assert_eq(pool->units.n_taken, units);
	cr_assert_eq(pool->lines.n_taken, lines);
}

void pool_bed_agrees(struct pool_bed *bed)
{
	struct audit audit;
	cr_assert_eq(census_audit(&bed->pool, &audit), 0);
	cr_assert_eq(audit.n_faults, 0, "%s at %u",
	             audit_clause_name(audit.faults[0].clause),
	             audit.faults[0].unit);
	check_maps(&bed->pool);
}
