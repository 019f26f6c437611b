/* SPDX-License-Identifier: MIT */
/* The snapshot of a machine, as slabd would take it of a pool. */
#include <string.h>

#include "tests/sim/world.h"

#define CARVE_BYTES_MAX (UINT64_C(8) << 20)
#define LOW_SLABS_MAX 16u
#define TRIM_AGAIN_MS 1000u
#define RECENT_MS 10000u /* without a ring a list has no low mark */
#define LOOKS_MAX 16384u /* at pages of nodes that are drained, in a plan */

static struct picture {
	struct snapshot_node nodes[SIM_NODES_MAX];
	uint32_t runs[SIM_NODES_MAX][SNAPSHOT_ORDERS];
	struct snapshot_cache caches[SIM_CACHES_MAX];
	struct snapshot_cell cells[SIM_CACHES_MAX * SIM_NODES_MAX];
	struct snapshot_loan
		loans[SIM_CACHES_MAX * SIM_NODES_MAX * SIM_NODES_MAX];
	struct snapshot_page pages[SIM_PAGES_MAX];
	struct snapshot snap;
} made;

static uint32_t ms_since(const struct world *world, uint64_t ns)
{
	if (ns == NEVER)
		return UINT32_MAX;
	return (uint32_t)((world->m.now_ns - ns) / NS_MS);
}

static uint32_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	value = value > high ? high : value;
	return (uint32_t)(value < low ? low : value);
}

static void take_node(struct world *world, uint32_t i)
{
	struct machine *m = &world->m;
	struct node *node = &m->node[i];
	machine_age(m, i, world->d.config.idle_ms);
	memcpy(made.runs[i], node->n_runs, sizeof(node->n_runs));
	made.nodes[i] = (struct snapshot_node){
		.os_id = node->os_id,
		.has_cpu = node->has_cpu,
		.draining = node->draining,
		.distance = node->distance,
		.nearest = node->nearest,
		.pages = node->pages,
		.pages_max = node->max_pages,
		.room_pages = node->room_pages,
		.floor_pages = node->floor_pages,
		.free_units = node->free_units,
		.empty_pages = node->empty_pages,
		.idle_pages = node->idle_pages,
		.runs = made.runs[i],
		.pressure = node->pressure,
		.trimmed = ms_since(world, world->d.trimmed_ns) < TRIM_AGAIN_MS,
	};
}

/* As wants_relieve: an eighth more than stand there, and a low mark as
 * large. */
static void take_cell(struct world *world, uint32_t c, uint32_t i)
{
	struct machine *m = &world->m;
	struct cell *cell = &m->cell[c][i];
	uint64_t bytes = UNIT_BYTES << m->cache[c].order;
	uint32_t idle = cell->fewest < cell->fewest_was ? cell->fewest
	                                                : cell->fewest_was;
	uint32_t have = cell->slabs - cell->lent + cell->borrowed;
	uint32_t want = clamp(have / 8, 1, CARVE_BYTES_MAX / bytes);
	uint32_t held = ms_since(world, cell->moved_ns);
	cell->asked = cell->want;
	cell->want = false;
	cell->low = clamp(have / 8, 1, LOW_SLABS_MAX);
	if (held > world->d.config.hold_max_ms)
		cell->reversals = 0;
	made.cells[c * m->n_nodes + i] = (struct snapshot_cell){
		.slabs = cell->slabs,
		.listed = cell->listed,
		.empty = cell->empty,
		.idle = idle < cell->empty ? idle : cell->empty,
		.lent = cell->lent,
		.borrowed = cell->borrowed,
		.low = ms_since(world, cell->rung_ns) < RECENT_MS ? cell->low
	                                                          : 0,
		.want = cell->asked && (cell->listed < cell->low ||
	                                cell->listed == 0)
	                        ? want
	                        : 0,
		.held_ms = held,
		.gained = cell->gained,
		.reversals = cell->reversals,
	};
}

/* Slabs of a loan from which nobody has taken anything for long. */
static uint32_t count_unused(const struct machine *m, uint32_t c, uint32_t home,
                             uint32_t list)
{
	const struct loan *loan = &m->loan[c][home][list];
	const struct heap *lends = &m->cell[c][list].lends;
	uint32_t n = 0;
	for (uint32_t i = 0; i < lends->n; i++) {
		const struct slab *slab = &m->slabs[lends->at[i]];
		n += slab->cache == c + 1 && slab->list == list &&
		     slab_home(m, lends->at[i]) == home &&
		     slabs_is_unused(m, lends->at[i]);
	}
	/* A slab that came back may be noted twice. */
	return n < loan->slabs - loan->bare ? n : loan->slabs - loan->bare;
}

static void take_loans(struct world *world, uint32_t c, uint32_t home)
{
	const struct machine *m = &world->m;
	if (m->cell[c][home].lent == 0)
		return;
	for (uint32_t list = 0; list < m->n_nodes; list++) {
		const struct loan *loan = &m->loan[c][home][list];
		if (loan->slabs == 0)
			continue;
		made.loans[made.snap.n_loans++] = (struct snapshot_loan){
			.cache_ix = c,
			.home = home,
			.list = list,
			.slabs = loan->slabs,
			.bare = loan->bare,
			.empty = loan->empty,
			.unused = count_unused(m, c, home, list),
			.age_ms = ms_since(world, loan->newest_ns),
		};
	}
}

/* The cache that most units of a page belong to. */
static uint32_t cache_of(const struct machine *m, uint32_t page)
{
	uint32_t units[SIM_CACHES_MAX] = {0};
	uint32_t most = 0;
	for (uint32_t i = 0; i < PAGE_UNITS; i++) {
		uint32_t cache = m->slabs[page * PAGE_UNITS + i].cache;
		if (cache == 0)
			continue;
		units[cache - 1] += 1u << m->cache[cache - 1].order;
		if (units[cache - 1] > units[most])
			most = cache - 1;
	}
	return most;
}

/* But for a page that the picture has already. */
static void take_page(struct world *world, uint32_t page)
{
	const struct machine *m = &world->m;
	struct page *p = &m->pages[page];
	const uint32_t *use = &m->use[page * (uint64_t)m->n_nodes];
	struct snapshot_page *row;
	if (p->picture == m->n_pictures)
		return;
	p->picture = m->n_pictures;
	row = &made.pages[made.snap.n_pages++];
	*row = (struct snapshot_page){
		.page = page,
		.lies = p->lies,
		.target = p->lies,
		.here_bytes = use[p->lies],
		.cache_ix = cache_of(m, page),
		.stuck = p->stuck,
		.moved = is_reversal(m, p->moved_ms),
	};
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		row->live_bytes += use[i];
		if (use[i] > use[row->target])
			row->target = i;
	}
	row->target_bytes = use[row->target];
}

/* Pages with lent slabs, going on where the last plan ended. */
static void take_lents(struct world *world)
{
	struct machine *m = &world->m;
	struct heap *lents = &m->lents;
	uint32_t looks = lents->n;
	while (looks-- > 0 && made.snap.n_pages < SIM_PAGES_MAX / 2) {
		uint32_t *entry;
		world->d.page_at = (world->d.page_at + 1) % lents->n;
		entry = &lents->at[world->d.page_at];
		if (m->pages[*entry].ready && m->pages[*entry].lent > 0) {
			take_page(world, *entry);
			continue;
		}
		m->pages[*entry].in_lents = false;
		*entry = lents->at[--lents->n];
		if (lents->n == 0)
			return;
	}
}

/* Pages of nodes that are drained. */
static void take_leaving(struct world *world)
{
	const struct machine *m = &world->m;
	uint32_t looks = 0;
	for (uint32_t i = 0; i < m->n_pages; i++) {
		const struct page *p = &m->pages[i];
		if (made.snap.n_pages == SIM_PAGES_MAX || looks == LOOKS_MAX)
			return;
		if (!p->ready || !m->node[p->lies].draining ||
		    p->free == m->whole)
			continue;
		take_page(world, i);
		looks++;
	}
}

const struct snapshot *picture_take(struct world *world)
{
	struct machine *m = &world->m;
	m->n_pictures++;
	made.snap = (struct snapshot){
		.n_nodes = m->n_nodes,
		.n_caches = m->n_caches,
		.page_units = m->page_units,
		.page_bytes = machine_page_bytes(m),
		.nodes = made.nodes,
		.caches = made.caches,
		.cells = made.cells,
		.loans = made.loans,
		.pages = made.pages,
	};
	for (uint32_t i = 0; i < m->n_nodes; i++)
		take_node(world, i);
	for (uint32_t c = 0; c < m->n_caches; c++) {
		made.caches[c] = (struct snapshot_cache){
			.slab_units = 1u << m->cache[c].order,
			.n_objs = m->cache[c].n_objs,
			.strict = (m->cache[c].flags & CACHE_STRICT) != 0};
		for (uint32_t i = 0; i < m->n_nodes; i++) {
			take_cell(world, c, i);
			take_loans(world, c, i);
		}
	}
	if (world->d.maker->is_ours) {
		take_lents(world);
		take_leaving(world);
	}
	return &made.snap;
}
