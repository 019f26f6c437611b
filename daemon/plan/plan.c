/* SPDX-License-Identifier: MIT */
#include "daemon/plan/plan.h"

#include <string.h>

#include "daemon/plan/work.h"

/* ---- scratch memory ----------------------------------------------------- */

static void *place(char *base, uint64_t *at, uint64_t bytes)
{
	char *here = base != NULL ? base + *at : NULL;
	*at = (*at + bytes + 15) & ~UINT64_C(15);
	return here;
}

/* Lays the parts out behind the head, one after the other; with base NULL only
 * to learn the bytes of all, which it returns. */
static uint64_t lay(const struct snapshot *snap, struct plan_work *w,
                    char *base)
{
	uint64_t n_caches = snap->n_caches;
	uint64_t n_cells = n_caches * snap->n_nodes;
	uint64_t at = 0;
	place(base, &at, sizeof(*w));
	w->nodes = place(base, &at, sizeof(*w->nodes) * snap->n_nodes);
	w->cells = place(base, &at, sizeof(*w->cells) * n_cells);
	w->needy = place(base, &at, sizeof(*w->needy) * n_caches);
	w->plenty = place(base, &at, sizeof(*w->plenty) * n_caches);
	w->held = place(base, &at, sizeof(*w->held) * n_caches);
	w->order = place(base, &at, sizeof(*w->order) * n_cells);
	return at;
}

uint64_t plan_work_bytes(const struct snapshot *snap)
{
	struct plan_work w;
	return lay(snap, &w, NULL);
}

/* ---- needy cells -------------------------------------------------------- */

/* Begins a cell and lists it if it lacks something and has nothing at all. True
 * if it lacks something and has some. */
static bool begin_cell(struct plan_work *w, uint32_t cache_ix, uint32_t node)
{
	uint32_t at = plan_cell_at(w, cache_ix, node);
	const struct snapshot_cell *cell = &w->snap->cells[at];
	w->cells[at] = (struct plan_cell){.left = cell->want,
	                                  .cache_ix = (uint16_t)cache_ix,
	                                  .node = (uint8_t)node};
	if (cell->want == 0)
		return false;
	w->needy[cache_ix] |= UINT64_C(1) << node;
	w->nodes[node].want_units += (uint64_t)cell->want
	                             << plan_cache_order(w, cache_ix);
	if (cell->listed > 0)
		return true;
	w->order[w->n_order++] = at;
	return false;
}

/* Notes which cells are needy. Those with nothing at all come first; the others
 * are chained until all of these are listed. */
static void list_needy(struct plan_work *w)
{
	uint32_t low;
	uint32_t *end = &low;
	w->n_order = 0;
	for (uint32_t cache_ix = 0; cache_ix < w->snap->n_caches; cache_ix++)
		for (uint32_t node = 0; node < w->snap->n_nodes; node++)
			if (begin_cell(w, cache_ix, node)) {
				*end = plan_cell_at(w, cache_ix, node);
				end = &w->cells[*end].next;
			}
	*end = PLAN_NONE;
	for (; low != PLAN_NONE; low = w->cells[low].next)
		w->order[w->n_order++] = low;
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

static void relieve(struct plan_work *w)
{
	plan_carve(w, true);
	plan_note_helpers(w);
	if (w->short_nodes == 0)
		return;
	plan_reassign(w);
	plan_return_short(w);
	plan_lend(w);
	/* What is left over when each had its share. */
	plan_carve(w, false);
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
