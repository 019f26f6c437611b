/* SPDX-License-Identifier: MIT */
#include "tests/lib/plan_model.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/balance/settings.h"
#include "tests/sim/scenario.h"

static const struct maker ours = {.name = "ours", .is_ours = true};

/* ---- the machine -------------------------------------------------------- */

static void place_nodes(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	for (uint32_t a = 0; a < m->n_nodes; a++)
		for (uint32_t b = 0; b <= a; b++)
			m->node[a].distance[b] = m->node[b].distance[a] =
				(uint16_t)(a == b ? 10
			                          : 11 + rng_below(rng, 40));
	for (uint32_t a = 0; a < m->n_nodes; a++) {
		const uint16_t *distance = m->node[a].distance;
		uint8_t *nearest = m->node[a].nearest;
		for (uint32_t b = 0; b < m->n_nodes; b++) {
			uint32_t at = b;
			for (;
			     at > 0 && distance[nearest[at - 1]] > distance[b];
			     at--)
				nearest[at] = nearest[at - 1];
			nearest[at] = (uint8_t)b;
		}
	}
}

/* So many pages can be had of a node, ready or not; others have the rest. */
static void set_cap(struct machine *m, uint32_t ix, uint64_t cap)
{
	struct node *node = &m->node[ix];
	node->room_pages = cap - node->pages;
	node->taken_pages = node->total_pages - cap;
}

static void start_nodes(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	uint32_t share = MODEL_PAGES / m->n_nodes;
	for (uint32_t ix = 0; ix < m->n_nodes; ix++) {
		m->node[ix].has_cpu = ix == 0 || rng_below(rng, 5) > 0;
		m->node[ix].total_pages = 2 * share;
	}
	machine_make(m);
	place_nodes(model);
	for (uint32_t ix = 0; ix < m->n_nodes; ix++) {
		uint32_t pages = rng_below(rng, share);
		set_cap(m, ix, pages + rng_below(rng, share));
		m->node[ix].max_pages = rng_below(rng, 2) ? share : pages + 1;
		while (pages-- > 0)
			machine_grow(m, ix);
	}
}

static void start_slabs(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	uint32_t n = rng_below(rng, MODEL_PAGES * 8);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t node = rng_below(rng, m->n_nodes);
		uint32_t cache_ix = rng_below(rng, m->n_caches);
		if (m->node[node].pages == 0)
			continue;
		while (slabs_carve(m, cache_ix, node, node) == HEAP_NONE)
			if (!machine_grow(m, node))
				break;
	}
}

static void start_caches(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	for (uint32_t i = 0; i < m->n_caches; i++) {
		uint32_t order = rng_below(rng, m->page_order + 1);
		m->cache[i] = (struct layout_cache){
			.n_objs = MODEL_OBJS,
			.stride = (uint32_t)(UNIT_BYTES << order) / MODEL_OBJS,
			.order = order,
			.flags = rng_below(rng, 5) == 0 ? CACHE_STRICT : 0};
	}
}

/* One for each cache on each node. */
static void start_seats(struct model *model)
{
	struct world *world = &model->world;
	uint32_t n_nodes = world->m.n_nodes;
	world->n_seats = world->m.n_caches * n_nodes;
	world->seats = sim_zeroed(world->n_seats, sizeof(world->seats[0]));
	for (uint32_t i = 0; i < world->n_seats; i++)
		world->seats[i] = (struct seat){.client = i,
		                                .cache = (uint8_t)(i / n_nodes),
		                                .node = (uint8_t)(i % n_nodes),
		                                .gives_to = HEAP_NONE};
}

static void start_config(struct model *model)
{
	struct plan_config *config = &model->world.d.config;
	struct rng *rng = &model->rng;
	balance_default_settings(config);
	config->may_migrate = rng_below(rng, 4) > 0;
	config->far_is_tier = rng_below(rng, 2);
	config->keep_slabs = rng_below(rng, 4);
	config->lend_keep_slabs = rng_below(rng, 6);
	config->lend_slabs_max = 1 + rng_below(rng, 8);
	config->idle_ms = rng_below(rng, 2) * 5000;
	config->migrate_cost = rng_below(rng, 60);
	model->world.m.hold_ms = config->hold_ms;
	model->world.d.maker = &ours;
	model->world.d.trimmed_ns = NEVER;
}

void model_start(struct model *model, uint64_t seed)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	model_drop(model);
	rng->state = seed;
	model->world.rng.state = seed;
	m->n_nodes = 1 + rng_below(rng, MODEL_NODES);
	m->n_caches = 1 + rng_below(rng, MODEL_CACHES);
	m->page_order = rng_below(rng, ORDERS);
	model->low_share = 2u << rng_below(rng, 3);
	start_config(model);
	start_caches(model);
	start_nodes(model);
	start_seats(model);
	start_slabs(model);
}

void model_drop(struct model *model)
{
	scenario_drop(&model->world);
	memset(model, 0, sizeof(*model));
}

void model_wait(struct model *model, int64_t ms)
{
	struct world *world = &model->world;
	uint64_t page = machine_page_bytes(&world->m);
	world->m.now_ns += (uint64_t)ms * NS_MS;
	world->d.migrate_bytes += 2 * page;
	if (world->d.migrate_bytes > 6 * page)
		world->d.migrate_bytes = 6 * page;
	daemon_turn_spells(world);
}

/* ---- what others do ----------------------------------------------------- */

static void use(struct model *model, struct seat *seat, uint32_t n)
{
	uint32_t got = 1;
	for (; n > 0 && got > 0; n -= got)
		got = client_take(&model->world, seat, seat->node, n);
}

/* Of a slab all objects are freed, or about half of each owner's, or none. */
static void free_slabs(struct model *model, uint32_t busy)
{
	struct world *world = &model->world;
	struct rng *rng = &model->rng;
	uint64_t n_units = world->m.n_pages * PAGE_UNITS;
	uint8_t *owners = sim_zeroed(n_units, 1);
	for (uint64_t unit = 0; unit < n_units; unit++) {
		uint32_t all = rng_below(rng, 2) ? 2 : 1;
		if (rng_below(rng, 100) >= busy)
			owners[unit] = (uint8_t)all;
	}
	for (uint32_t i = 0; i < world->n_seats; i++) {
		struct seat *seat = &world->seats[i];
		for (uint32_t k = seat->n_runs; k-- > 0;) {
			struct run *run = &seat->runs[k];
			if (owners[run->unit] == 2 ||
			    (owners[run->unit] == 1 && rng_below(rng, 2)))
				client_send_home(world, seat, run, run->n);
		}
	}
	free(owners);
}

static void stir_slabs(struct model *model)
{
	struct rng *rng = &model->rng;
	uint32_t busy = rng_below(rng, 100);
	for (uint32_t i = 0; i < model->world.n_seats; i++)
		if (rng_below(rng, 100) < busy)
			use(model, &model->world.seats[i], rng_below(rng, 200));
	free_slabs(model, busy);
}

void model_trim(struct model *model, uint32_t node)
{
	struct world *world = &model->world;
	for (uint32_t i = 0; i < world->n_seats; i++) {
		struct seat *seat = &world->seats[i];
		for (uint32_t k = seat->n_runs; k-- > 0;) {
			struct run *run = &seat->runs[k];
			if (slab_home(&world->m, run->unit) == node &&
			    rng_below(&model->rng, world->m.n_nodes) == 0)
				client_send_home(world, seat, run, run->n);
		}
	}
}

static void stir_nodes(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	for (uint32_t ix = 0; ix < m->n_nodes; ix++) {
		struct node *node = &m->node[ix];
		model->trimmed[ix] = false;
		node->draining = rng_below(rng, 8) == 0;
		node->floor_pages = rng_below(rng, 6);
		node->pressure = PLAN_CALM;
		if (rng_below(rng, 5) == 0)
			node->pressure = (uint8_t)(1 + rng_below(rng, 2));
		if (rng_below(rng, 3) == 0)
			set_cap(m, ix, node->pages + rng_below(rng, 5));
	}
}

void model_stir(struct model *model)
{
	struct machine *m = &model->world.m;
	struct rng *rng = &model->rng;
	stir_slabs(model);
	stir_nodes(model);
	for (uint32_t i = 0; i < m->n_caches * m->n_nodes; i++) {
		struct model_cell *cell =
			&model->cells[i / m->n_nodes][i % m->n_nodes];
		cell->failed = false;
		cell->active = rng_below(rng, 3) > 0;
		cell->extra = 0;
		if (rng_below(rng, 4) == 0)
			cell->extra = rng_below(rng, 12);
	}
	for (uint64_t i = 0; i < m->n_pages; i++)
		m->pages[i].stuck = rng_below(rng, 9) == 0;
}

/* ---- the snapshot ------------------------------------------------------- */

/* Clients keep a list at a share of its slabs. */
static void draw_cell(const struct model *model, uint32_t at,
                      struct snapshot_cell *row)
{
	uint32_t n_nodes = model->world.m.n_nodes;
	const struct model_cell *cell =
		&model->cells[at / n_nodes][at % n_nodes];
	row->low = row->slabs / model->low_share;
	row->low = row->low < 1 ? 1 : row->low > 16 ? 16 : row->low;
	row->want = cell->extra;
	if (cell->active && row->listed + row->want < row->low)
		row->want = row->low - row->listed;
	if (cell->failed)
		row->empty = row->idle = 0;
}

void model_look(struct model *model)
{
	struct world *world = &model->world;
	/* The snapshot is the simulator's own, made anew for each plan. */
	struct snapshot_cell *cells;
	struct snapshot_node *nodes;
	world->d.config.migrate_bytes = world->d.migrate_bytes;
	model->snap = picture_take(world);
	cells = (struct snapshot_cell *)(uintptr_t)model->snap->cells;
	nodes = (struct snapshot_node *)(uintptr_t)model->snap->nodes;
	for (uint32_t i = 0; i < world->m.n_caches * world->m.n_nodes; i++)
		draw_cell(model, i, &cells[i]);
	for (uint32_t ix = 0; ix < world->m.n_nodes; ix++)
		nodes[ix].trimmed = model->trimmed[ix];
}
