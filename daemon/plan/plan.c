/* SPDX-License-Identifier: MIT */
#include "daemon/plan/plan.h"

#include <string.h>

#include "daemon/plan/carve.h"
#include "daemon/plan/lend.h"
#include "daemon/plan/migrate.h"
#include "daemon/plan/reassign.h"
#include "daemon/plan/refuse.h"
#include "daemon/plan/return.h"
#include "daemon/plan/shrink.h"
#include "daemon/plan/work.h"

/* ---- scratch memory ----------------------------------------------------- */

static uint64_t place(uint64_t *at, uint64_t bytes)
{
	uint64_t here = *at;
	*at = (here + bytes + 15) & ~UINT64_C(15);
	return here;
}

/* Lays the parts out, one after the other. Returns the bytes of all. */
static uint64_t lay(const struct snapshot *snap, struct plan_work *w,
                    char *base)
{
	uint64_t n_cells = (uint64_t)snap->n_caches * snap->n_nodes;
	uint64_t at = 0;
	uint64_t nodes, cells, needy, plenty, held, order;
	place(&at, sizeof(*w));
	nodes = place(&at, sizeof(*w->nodes) * snap->n_nodes);
	cells = place(&at, sizeof(*w->cells) * n_cells);
	needy = place(&at, sizeof(*w->needy) * snap->n_caches);
	plenty = place(&at, sizeof(*w->plenty) * snap->n_caches);
	held = place(&at, sizeof(*w->held) * snap->n_caches);
	order = place(&at, sizeof(*w->order) * n_cells);
	if (w != NULL) {
		w->nodes = (void *)(base + nodes);
		w->cells = (void *)(base + cells);
		w->needy = (void *)(base + needy);
		w->plenty = (void *)(base + plenty);
		w->held = (void *)(base + held);
		w->order = (void *)(base + order);
	}
	return at;
}

uint64_t plan_work_bytes(const struct snapshot *snap)
{
	return lay(snap, NULL, NULL);
}

/* ---- needy cells -------------------------------------------------------- */

/* Lists a cell with nothing at all from the front, others from the back. */
static void note_needy(struct plan_work *w, uint32_t at, uint32_t *n_bare,
                       uint32_t *n_low)
{
	const struct snapshot_cell *cell = &w->snap->cells[at];
	uint32_t cache_ix = w->cells[at].cache_ix;
	uint32_t node = w->cells[at].node;
	w->needy[cache_ix] |= UINT64_C(1) << node;
	w->nodes[node].want_units += (uint64_t)cell->want
	                             << plan_cache_order(w, cache_ix);
	if (cell->listed == 0)
		w->order[(*n_bare)++] = at;
	else
		w->order[w->snap->n_caches * w->snap->n_nodes - ++*n_low] = at;
}

/* Notes which cells are needy. Those with nothing at all come first. */
static void list_needy(struct plan_work *w)
{
	uint32_t n_cells = w->snap->n_caches * w->snap->n_nodes;
	uint32_t n_bare = 0;
	uint32_t n_low = 0;
	uint32_t at = 0;
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++) {
		for (uint32_t node = 0; node < w->snap->n_nodes; node++, at++) {
			uint32_t want = w->snap->cells[at].want;
			w->cells[at] = (struct plan_cell){
				.left = want,
				.cache_ix = (uint16_t)cache_ix,
				.node = (uint8_t)node};
			if (want > 0)
				note_needy(w, at, &n_bare, &n_low);
		}
	}
	w->n_order = n_bare + n_low;
	/* Bring those from the back into order, behind the others. */
	for (uint32_t i = 0; i < n_low; i++) {
		uint32_t from = n_cells - 1 - i;
		uint32_t to = n_bare + i;
		uint32_t there = w->order[from];
		if (to >= from)
			break;
		w->order[from] = w->order[to];
		w->order[to] = there;
	}
}

/* Whether a plan has names for all that there is. */
static bool is_in_bounds(const struct snapshot *snap)
{
	return snap->n_nodes > 0 && snap->n_nodes <= SNAPSHOT_NODES_MAX &&
	       snap->n_caches <= UINT16_MAX &&
	       plan_order(snap->page_units) < SNAPSHOT_ORDERS;
}

static void begin(struct plan_work *w)
{
	const struct snapshot *snap = w->snap;
	memset(w->nodes, 0, sizeof(*w->nodes) * snap->n_nodes);
	memset(w->needy, 0, sizeof(*w->needy) * snap->n_caches);
	w->page_order = plan_order(snap->page_units);
	w->fresh = w->short_nodes = 0;
	w->migrate_bytes = w->config->migrate_bytes;
	plan_units_begin(w);
	plan_lend_order(w);
	list_needy(w);
}

/* Carves for each cell that lacks something, as far as there are steps left. */
static void carve(struct plan_work *w, bool share)
{
	for (uint32_t i = 0; i < w->n_order && !plan_is_full(w); i++) {
		const struct plan_cell *cell = &w->cells[w->order[i]];
		const struct plan_node *node = &w->nodes[cell->node];
		if (cell->left > 0 && !node->leaving &&
		    (node->free_units > 0 || node->room > 0))
			plan_carve_cell(w, w->order[i], share);
	}
}

static void relieve(struct plan_work *w)
{
	carve(w, true);
	plan_note_helpers(w);
	if (w->short_nodes == 0)
		return;
	plan_reassign(w);
	plan_return_short(w);
	plan_lend(w);
	/* What is left over when each had its share. */
	carve(w, false);
}

static void even_out(struct plan_work *w)
{
	plan_count_unmet(w);
	plan_page_mark(w);
	plan_return_over(w);
	plan_page_push(w);
	plan_give_back(w);
	plan_page_drain(w);
	plan_page_follow(w);
	plan_refuse_unmet(w);
}

/* The plan is full of shortages, so the rest waits for the next plan. */
static void count_more(struct plan_work *w)
{
	w->plan->more_steps++;
	for (uint32_t i = 0; i < w->n_order; i++)
		w->plan->more_steps += w->cells[w->order[i]].left > 0;
}

void plan_make(struct plan *plan, const struct snapshot *snap,
               const struct plan_config *config, void *work)
{
	struct plan_work *w = work;
	plan->n_steps = plan->n_refusals = 0;
	plan->more_steps = plan->more_refusals = 0;
	if (!is_in_bounds(snap))
		return;
	lay(snap, w, work);
	w->plan = plan;
	w->snap = snap;
	w->config = config;
	begin(w);
	relieve(w);
	if (plan_is_full(w))
		count_more(w);
	else
		even_out(w);
}
