/* SPDX-License-Identifier: MIT */
#include "tests/lib/plan_model.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/balance/settings.h"

uint32_t model_home(const struct model *model, const struct model_slab *slab)
{
	return model->pages[slab->page].lies;
}

uint32_t model_used(const struct model *model, const struct model_slab *slab)
{
	uint32_t n = 0;
	for (uint32_t node = 0; node < model->n_nodes; node++)
		n += slab->used[node];
	return n;
}

uint32_t model_ready(const struct model *model, uint32_t node)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		n += model->pages[i].lies == node;
	return n;
}

bool model_is_bare(const struct model *model, const struct model_page *page)
{
	for (uint32_t unit = 0; unit < 1u << model->page_order; unit++)
		if (page->slab[unit] != PLAN_NONE)
			return false;
	return true;
}

/* ---- carve -------------------------------------------------------------- */

/* The order of the largest aligned run of free units that begins at one;
 * SNAPSHOT_ORDERS if that is not free. */
uint32_t model_run(const struct model *model, const struct model_page *page,
                   uint32_t at)
{
	uint32_t run = 0;
	if (page->slab[at] != PLAN_NONE)
		return SNAPSHOT_ORDERS;
	while (run < model->page_order && at % (2u << run) == 0) {
		for (uint32_t u = 1u << run; u < 2u << run; u++)
			if (page->slab[at + u] != PLAN_NONE)
				return run;
		run++;
	}
	return run;
}

/* The smallest aligned run that will do, on pages of a node. */
static bool find_run(const struct model *model, uint32_t node, uint32_t order,
                     uint32_t *page, uint32_t *unit)
{
	uint32_t best = SNAPSHOT_ORDERS;
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *row = &model->pages[i];
		uint32_t run;
		if (row->lies != node)
			continue;
		for (uint32_t at = 0; at < 1u << model->page_order;
		     at += run < SNAPSHOT_ORDERS ? 1u << run : 1) {
			run = model_run(model, row, at);
			if (run < order || run >= best)
				continue;
			best = run;
			*page = i;
			*unit = at;
		}
	}
	return best < SNAPSHOT_ORDERS;
}

static bool add_page(struct model *model, uint32_t node)
{
	const struct model_node *row = &model->nodes[node];
	uint32_t ready = model_ready(model, node);
	if (ready >= row->cap || ready >= row->pages_max)
		return false;
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		if (model->pages[i].lies != PLAN_NONE)
			continue;
		model->pages[i].lies = node;
		model->pages[i].stuck = false;
		model->pages[i].moved_at = MODEL_NEVER;
		model->pages[i].empty_since = model->now;
		return true;
	}
	return false;
}

uint32_t model_carve(struct model *model, uint32_t cache, uint32_t node,
                     uint32_t list)
{
	uint32_t order = model->order[cache];
	uint32_t page, unit, ix;
	while (!find_run(model, node, order, &page, &unit))
		if (!add_page(model, node))
			return PLAN_NONE;
	for (ix = 0; model->slabs[ix].live; ix++)
		continue;
	model->slabs[ix] = (struct model_slab){.live = true,
	                                       .cache = cache,
	                                       .page = page,
	                                       .unit = unit,
	                                       .list = list,
	                                       .empty_since = model->now};
	for (uint32_t u = 0; u < 1u << order; u++) {
		cr_assert_eq(model->pages[page].slab[unit + u], PLAN_NONE);
		model->pages[page].slab[unit + u] = ix;
	}
	return ix;
}

void model_reclaim(struct model *model, uint32_t ix)
{
	struct model_slab *slab = &model->slabs[ix];
	struct model_page *page = &model->pages[slab->page];
	cr_assert(slab->live && model_used(model, slab) == 0);
	for (uint32_t u = 0; u < 1u << model->order[slab->cache]; u++)
		page->slab[slab->unit + u] = PLAN_NONE;
	slab->live = false;
	if (model_is_bare(model, page))
		page->empty_since = model->now;
}

/* ---- the machine -------------------------------------------------------- */

static void place_nodes(struct model *model)
{
	struct rng *rng = &model->rng;
	for (uint32_t a = 0; a < model->n_nodes; a++)
		for (uint32_t b = 0; b <= a; b++)
			model->distance[a][b] = model->distance[b][a] =
				(uint16_t)(a == b ? 10
			                          : 11 + rng_below(rng, 40));
	for (uint32_t a = 0; a < model->n_nodes; a++) {
		uint8_t *nearest = model->nearest[a];
		for (uint32_t b = 0; b < model->n_nodes; b++) {
			uint32_t at = b;
			for (; at > 0 && model->distance[a][nearest[at - 1]] >
			                         model->distance[a][b];
			     at--)
				nearest[at] = nearest[at - 1];
			nearest[at] = (uint8_t)b;
		}
	}
}

static void start_nodes(struct model *model)
{
	struct rng *rng = &model->rng;
	uint32_t share = MODEL_PAGES / model->n_nodes;
	for (uint32_t ix = 0; ix < model->n_nodes; ix++) {
		struct model_node *node = &model->nodes[ix];
		uint32_t pages = rng_below(rng, share);
		node->has_cpu = ix == 0 || rng_below(rng, 5) > 0;
		node->cap = pages + rng_below(rng, share);
		node->pages_max = rng_below(rng, 2) ? share : pages + 1;
		while (pages-- > 0)
			add_page(model, ix);
	}
}

static void start_slabs(struct model *model)
{
	struct rng *rng = &model->rng;
	uint32_t n = rng_below(rng, MODEL_SLABS / 2);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t node = rng_below(rng, model->n_nodes);
		if (model_ready(model, node) > 0)
			model_carve(model, rng_below(rng, model->n_caches),
			            node, node);
	}
}

static void start_config(struct model *model)
{
	struct rng *rng = &model->rng;
	balance_default_settings(&model->config);
	model->config.may_migrate = rng_below(rng, 4) > 0;
	model->config.far_is_tier = rng_below(rng, 2);
	model->config.keep_slabs = rng_below(rng, 4);
	model->config.lend_keep_slabs = rng_below(rng, 6);
	model->config.lend_slabs_max = 1 + rng_below(rng, 8);
	model->config.idle_ms = rng_below(rng, 2) * 5000;
	model->config.migrate_cost = rng_below(rng, 60);
}

void model_start(struct model *model, uint64_t seed)
{
	struct rng *rng = &model->rng;
	memset(model, 0, sizeof(*model));
	rng->state = seed;
	model->n_nodes = 1 + rng_below(rng, MODEL_NODES);
	model->n_caches = 1 + rng_below(rng, MODEL_CACHES);
	model->page_order = rng_below(rng, 5);
	model->low_share = 2u << rng_below(rng, 3);
	start_config(model);
	memset(model->pages, 0xff, sizeof(model->pages));
	for (uint32_t cache = 0; cache < model->n_caches; cache++) {
		model->order[cache] = rng_below(rng, model->page_order + 1);
		model->strict[cache] = rng_below(rng, 5) == 0;
		for (uint32_t a = 0; a < MODEL_NODES; a++) {
			model->cells[cache][a].moved_at = MODEL_NEVER;
			for (uint32_t b = 0; b < MODEL_NODES; b++)
				model->lent_at[cache][a][b] = MODEL_NEVER;
		}
	}
	place_nodes(model);
	start_nodes(model);
	start_slabs(model);
}

void model_wait(struct model *model, int64_t ms)
{
	uint64_t page = UINT64_C(65536) << model->page_order;
	model->now += ms;
	model->bucket += 2 * page;
	if (model->bucket > 6 * page)
		model->bucket = 6 * page;
}

/* ---- what others do ----------------------------------------------------- */

static void use(struct model *model, uint32_t cache, uint32_t node, uint32_t n)
{
	for (uint32_t i = 0; i < MODEL_SLABS && n > 0; i++) {
		struct model_slab *slab = &model->slabs[i];
		while (slab->live && slab->cache == cache &&
		       slab->list == node && n > 0 &&
		       model_used(model, slab) < MODEL_OBJS) {
			slab->used[node]++;
			n--;
		}
	}
}

static void stir_slabs(struct model *model)
{
	struct rng *rng = &model->rng;
	uint32_t busy = rng_below(rng, 100);
	for (uint32_t cache = 0; cache < model->n_caches; cache++)
		for (uint32_t node = 0; node < model->n_nodes; node++)
			if (rng_below(rng, 100) < busy)
				use(model, cache, node, rng_below(rng, 200));
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		struct model_slab *slab = &model->slabs[i];
		bool all = rng_below(rng, 2);
		if (!slab->live || rng_below(rng, 100) < busy)
			continue;
		for (uint32_t node = 0; node < model->n_nodes; node++)
			if (all || rng_below(rng, 2))
				slab->used[node] = 0;
		if (model_used(model, slab) == 0)
			slab->empty_since = model->now;
	}
}

static void stir_nodes(struct model *model)
{
	struct rng *rng = &model->rng;
	for (uint32_t ix = 0; ix < model->n_nodes; ix++) {
		struct model_node *node = &model->nodes[ix];
		uint32_t ready = model_ready(model, ix);
		node->trimmed = false;
		node->draining = rng_below(rng, 8) == 0;
		node->floor = rng_below(rng, 6);
		node->pressure = PLAN_CALM;
		if (rng_below(rng, 5) == 0)
			node->pressure = 1 + rng_below(rng, 2);
		if (rng_below(rng, 3) == 0)
			node->cap = ready + rng_below(rng, 5);
	}
}

void model_stir(struct model *model)
{
	struct rng *rng = &model->rng;
	stir_slabs(model);
	stir_nodes(model);
	for (uint32_t cache = 0; cache < model->n_caches; cache++) {
		for (uint32_t node = 0; node < model->n_nodes; node++) {
			struct model_cell *cell = &model->cells[cache][node];
			cell->failed = false;
			cell->active = rng_below(rng, 3) > 0;
			cell->extra = 0;
			if (rng_below(rng, 4) == 0)
				cell->extra = rng_below(rng, 12);
		}
	}
	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		model->pages[i].stuck = rng_below(rng, 9) == 0;
}
