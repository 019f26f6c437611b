/* SPDX-License-Identifier: MIT */
/* The picture of a model, counted from its slabs and pages. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/plan_model.h"

static uint32_t since(const struct model *model, int64_t at)
{
	int64_t ms = model->now - at;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static bool is_idle(const struct model *model, int64_t empty_since)
{
	return model->config.idle_ms > 0 &&
	       since(model, empty_since) >= model->config.idle_ms;
}

static void count_slab(struct model *model, const struct model_slab *slab)
{
	uint32_t home = model_home(model, slab);
	uint32_t used = model_used(model, slab);
	struct snapshot_cell *rows =
		&model->counted[slab->cache * model->n_nodes];
	rows[home].slabs++;
	rows[slab->list].listed += used < MODEL_OBJS;
	rows[home].lent += slab->list != home;
	rows[slab->list].borrowed += slab->list != home;
	if (used > 0 || slab->list != home ||
	    model->cells[slab->cache][home].failed)
		return;
	rows[home].empty++;
	rows[home].idle += is_idle(model, slab->empty_since);
}

/* Clients keep a list at a share of its slabs. */
static void look_cells(struct model *model)
{
	memset(model->counted, 0, sizeof(model->counted));
	for (uint32_t i = 0; i < MODEL_SLABS; i++)
		if (model->slabs[i].live)
			count_slab(model, &model->slabs[i]);
	for (uint32_t at = 0; at < model->n_caches * model->n_nodes; at++) {
		const struct model_cell *cell =
			&model->cells[at / model->n_nodes][at % model->n_nodes];
		struct snapshot_cell *row = &model->counted[at];
		row->low = row->slabs / model->low_share;
		row->low = row->low < 1 ? 1 : row->low > 16 ? 16 : row->low;
		if (cell->active && row->listed < row->low)
			row->want = row->low - row->listed;
		if (cell->extra > row->want)
			row->want = cell->extra;
		row->held_ms = since(model, cell->moved_at);
		row->gained = cell->gained;
		row->reversals = cell->reversals;
	}
}

static void look_loans(struct model *model)
{
	static uint32_t at[MODEL_CACHES][MODEL_NODES][MODEL_NODES];
	memset(at, 0xff, sizeof(at));
	model->snap.n_loans = 0;
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		const struct model_slab *slab = &model->slabs[i];
		uint32_t home = model_home(model, slab);
		struct snapshot_loan *loan;
		uint32_t *ix;
		if (!slab->live || slab->list == home)
			continue;
		ix = &at[slab->cache][home][slab->list];
		if (*ix == PLAN_NONE) {
			*ix = model->snap.n_loans++;
			model->loans[*ix] = (struct snapshot_loan){
				.cache_ix = slab->cache,
				.home = home,
				.list = slab->list,
				.age_ms = since(
					model, model->lent_at[slab->cache][home]
							     [slab->list]),
			};
		}
		loan = &model->loans[*ix];
		loan->slabs++;
		loan->bare += model_used(model, slab) == MODEL_OBJS;
		loan->empty += model_used(model, slab) == 0;
	}
}

/* ---- pages -------------------------------------------------------------- */

static void look_page(struct model *model, uint32_t ix)
{
	const struct model_page *page = &model->pages[ix];
	struct snapshot_page *row = &model->movable[model->snap.n_pages];
	uint64_t used[MODEL_NODES] = {0};
	bool lent = false;
	*row = (struct snapshot_page){.page = ix,
	                              .lies = page->lies,
	                              .target = page->lies,
	                              .cache_ix = PLAN_NONE,
	                              .stuck = page->stuck};
	row->moved = since(model, page->moved_at) < model->config.hold_ms;
	for (uint32_t i = 0; i < MODEL_SLABS; i++) {
		const struct model_slab *slab = &model->slabs[i];
		uint64_t bytes;
		if (!slab->live || slab->page != ix)
			continue;
		bytes = (UINT64_C(65536) << model->order[slab->cache]) /
		        MODEL_OBJS;
		for (uint32_t node = 0; node < model->n_nodes; node++)
			used[node] += slab->used[node] * bytes;
		lent |= slab->list != page->lies;
		row->cache_ix = slab->cache;
	}
	for (uint32_t node = 0; node < model->n_nodes; node++) {
		row->live_bytes += used[node];
		if (used[node] > used[row->target])
			row->target = node;
	}
	row->target_bytes = used[row->target];
	row->here_bytes = used[page->lies];
	if (row->cache_ix != PLAN_NONE &&
	    (lent || model->nodes[page->lies].draining))
		model->snap.n_pages++;
}

static void look_node(struct model *model, uint32_t ix)
{
	const struct model_node *node = &model->nodes[ix];
	struct snapshot_node *row = &model->rows[ix];
	uint32_t *runs = model->runs[ix];
	memset(runs, 0, sizeof(model->runs[ix]));
	*row = (struct snapshot_node){.os_id = 3 * ix,
	                              .has_cpu = node->has_cpu,
	                              .draining = node->draining,
	                              .distance = model->distance[ix],
	                              .nearest = model->nearest[ix],
	                              .pages = model_ready(model, ix),
	                              .pages_max = node->pages_max,
	                              .floor_pages = node->floor,
	                              .pressure = node->pressure,
	                              .runs = runs,
	                              .trimmed = node->trimmed};
	row->room_pages = node->cap - row->pages;
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *page = &model->pages[i];
		uint32_t run;
		if (page->lies != ix)
			continue;
		for (uint32_t at = 0; at < 1u << model->page_order;
		     at += run < SNAPSHOT_ORDERS ? 1u << run : 1) {
			run = model_run(model, page, at);
			if (run == SNAPSHOT_ORDERS)
				continue;
			runs[run]++;
			row->free_units += 1u << run;
		}
		if (!model_is_bare(model, page))
			continue;
		row->empty_pages++;
		row->idle_pages += is_idle(model, page->empty_since);
	}
}

void model_look(struct model *model)
{
	struct snapshot *snap = &model->snap;
	*snap = (struct snapshot){
		.n_nodes = model->n_nodes,
		.n_caches = model->n_caches,
		.page_units = UINT64_C(1) << model->page_order,
		.page_bytes = UINT64_C(65536) << model->page_order,
		.nodes = model->rows,
		.caches = model->caches,
		.cells = model->counted,
		.loans = model->loans,
		.pages = model->movable};
	model->config.migrate_bytes = model->bucket;
	for (uint32_t cache = 0; cache < model->n_caches; cache++)
		model->caches[cache] = (struct snapshot_cache){
			.slab_units = 1u << model->order[cache],
			.n_objs = MODEL_OBJS,
			.strict = model->strict[cache]};
	look_cells(model);
	look_loans(model);
	for (uint32_t ix = 0; ix < MODEL_PAGES; ix++)
		if (model->pages[ix].lies != PLAN_NONE)
			look_page(model, ix);
	for (uint32_t ix = 0; ix < model->n_nodes; ix++)
		look_node(model, ix);
}
