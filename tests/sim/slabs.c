/* SPDX-License-Identifier: MIT */
#include "tests/sim/slabs.h"

#define PICKS_MAX 256u /* slabs that are looked at for a loan */

/* Adds a slab to every count that it belongs to, or (by -1) takes it out. */
static void count(struct machine *m, uint32_t unit, int by)
{
	const struct slab *slab = &m->slabs[unit];
	struct page *page = &m->pages[page_of(unit)];
	uint32_t cache = slab->cache - 1u;
	struct cell *home = &m->cell[cache][page->lies];
	struct cell *list = &m->cell[cache][slab->list];
	uint32_t n = (uint32_t)by;
	bool full = slab->live == m->cache[cache].n_objs;
	home->slabs += n;
	home->empty += slab->live == 0 && slab->list == page->lies ? n : 0;
	list->listed += full ? 0 : n;
	if (slab->list != page->lies) {
		struct loan *loan = &m->loan[cache][page->lies][slab->list];
		home->lent += n;
		list->borrowed += n;
		loan->slabs += n;
		loan->bare += full ? n : 0;
		loan->empty += slab->live == 0 ? n : 0;
		page->lent = (uint8_t)(page->lent + by);
	}
}

static bool is_listed(const struct machine *m, uint32_t unit, uint32_t cache,
                      uint32_t list)
{
	const struct slab *slab = &m->slabs[unit];
	return slab->cache == cache + 1 && slab->list == list &&
	       slab->live < m->cache[cache].n_objs;
}

/* What is to find a wholly free slab again. */
static void note_bare(struct machine *m, uint32_t unit)
{
	struct slab *slab = &m->slabs[unit];
	uint32_t home = slab_home(m, unit);
	if (slab->live > 0 || slab->in_bare == home + 1)
		return;
	slab->in_bare = (uint8_t)(home + 1);
	heap_append(&m->cell[slab->cache - 1][home].bare, unit);
}

uint32_t slabs_carve(struct machine *m, uint32_t cache, uint32_t home,
                     uint32_t list)
{
	uint32_t unit = machine_take_units(m, home, m->cache[cache].order);
	struct slab *slab = &m->slabs[unit];
	if (unit == HEAP_NONE)
		return HEAP_NONE;
	*slab = (struct slab){.cache = (uint8_t)(cache + 1),
	                      .list = (uint8_t)home,
	                      .was = (uint8_t)home};
	count(m, unit, 1);
	heap_put(&m->cell[cache][home].list, unit);
	note_bare(m, unit);
	m->total.carved++;
	if (list != home)
		slabs_relist(m, unit, list);
	return unit;
}

void slabs_reclaim(struct machine *m, uint32_t unit)
{
	uint32_t cache = m->slabs[unit].cache - 1u;
	count(m, unit, -1);
	m->slabs[unit].cache = 0;
	machine_give_units(m, unit, m->cache[cache].order);
	m->total.reclaimed++;
}

uint32_t slabs_find_empty(struct machine *m, uint32_t cache, uint32_t home)
{
	struct heap *bare = &m->cell[cache][home].bare;
	for (; bare->n > 0; bare->n--) {
		uint32_t unit = bare->at[bare->n - 1];
		struct slab *slab = &m->slabs[unit];
		if (slab->cache != cache + 1)
			continue;
		if (slab->live == 0 && slab->list == home &&
		    slab_home(m, unit) == home)
			return unit;
		if (slab->in_bare == home + 1)
			slab->in_bare = 0;
	}
	return HEAP_NONE;
}

uint32_t slabs_first(struct machine *m, uint32_t cache, uint32_t list)
{
	struct heap *heap = &m->cell[cache][list].list;
	while (heap->n > 0 && !is_listed(m, heap->at[0], cache, list))
		heap_drop(heap);
	return heap_top(heap);
}

/* Bytes of a page that clients at node own: by so many more. */
static void add_use(struct machine *m, uint32_t unit, uint32_t node,
                    int64_t bytes)
{
	uint32_t page = page_of(unit);
	uint32_t *use = &m->use[page * (uint64_t)m->n_nodes + node];
	*use = (uint32_t)(*use + bytes);
	m->total.live_bytes += (uint64_t)bytes;
	if (node != m->pages[page].lies)
		m->total.far_bytes += (uint64_t)bytes;
}

uint32_t slabs_claim(struct machine *m, uint32_t unit, uint32_t node,
                     uint32_t n)
{
	struct slab *slab = &m->slabs[unit];
	const struct layout_cache *row = &m->cache[slab->cache - 1];
	uint32_t left = row->n_objs - slab->live;
	n = n < left ? n : left;
	count(m, unit, -1);
	slab->taken_ms = now_ms(m);
	slab->live = (uint16_t)(slab->live + n);
	count(m, unit, 1);
	add_use(m, unit, node, (int64_t)n * row->stride);
	m->total.claimed += n;
	return n;
}

/* SLUB: who frees an object of a full slab gets it onto its CPU's own list, as
 * long as there is room; else it goes to the list of its home, as in
 * put_cpu_partial and unfreeze_partials. */
static void freed_full(struct machine *m, uint32_t unit, uint32_t node)
{
	uint32_t cache = m->slabs[unit].cache - 1u;
	uint32_t home = slab_home(m, unit);
	uint32_t most = m->freer_max[cache] * m->node[node].n_cpus;
	uint32_t list = m->cell[cache][node].borrowed < most ? node : home;
	if (list != m->slabs[unit].list)
		slabs_relist(m, unit, list);
}

void slabs_release(struct machine *m, uint32_t unit, uint32_t node, uint32_t n)
{
	struct slab *slab = &m->slabs[unit];
	uint32_t cache = slab->cache - 1u;
	const struct layout_cache *row = &m->cache[cache];
	bool full = slab->live == row->n_objs;
	count(m, unit, -1);
	slab->live = (uint16_t)(slab->live - n);
	count(m, unit, 1);
	add_use(m, unit, node, -(int64_t)n * row->stride);
	m->total.released += n;
	if (full)
		heap_put(&m->cell[cache][slab->list].list, unit);
	note_bare(m, unit);
	if (full && m->freer_max[cache] > 0)
		freed_full(m, unit, node);
	/* SLUB: beyond the first few, what is empty is given up at once. */
	if (slab->live == 0 && m->min_partial[cache] > 0 &&
	    m->cell[cache][slab->list].listed > m->min_partial[cache])
		slabs_reclaim(m, unit);
}

void slabs_give(struct machine *m, uint32_t unit, uint32_t from, uint32_t to,
                uint32_t n)
{
	int64_t bytes = (int64_t)n * m->cache[m->slabs[unit].cache - 1].stride;
	add_use(m, unit, from, -bytes);
	add_use(m, unit, to, bytes);
}

/* A loan is as old as the newest of its slabs, wherever they are at home
 * now. */
static void note_age(struct machine *m, uint32_t unit)
{
	const struct slab *slab = &m->slabs[unit];
	struct loan *loan =
		&m->loan[slab->cache - 1][slab_home(m, unit)][slab->list];
	uint64_t ns = slab->moved_ms > 0 ? (slab->moved_ms - 1) * NS_MS : 0;
	if (ns > loan->newest_ns)
		loan->newest_ns = ns;
}

/* What lists and pages must know of a slab that stands elsewhere. */
static void note_lent(struct machine *m, uint32_t unit)
{
	struct slab *slab = &m->slabs[unit];
	struct page *page = &m->pages[page_of(unit)];
	if (slab->list == page->lies)
		return;
	if (slab->in_lends != slab->list + 1)
		heap_append(&m->cell[slab->cache - 1][slab->list].lends, unit);
	slab->in_lends = (uint8_t)(slab->list + 1);
	if (!page->in_lents)
		heap_append(&m->lents, page_of(unit));
	page->in_lents = true;
}

void slabs_relist(struct machine *m, uint32_t unit, uint32_t list)
{
	struct slab *slab = &m->slabs[unit];
	uint32_t cache = slab->cache - 1u;
	bool reversal = slab->was == list && is_reversal(m, slab->moved_ms);
	count(m, unit, -1);
	m->total.slab_reversals += reversal;
	m->total.again += reversal && slab->reversed;
	slab->reversed = reversal;
	slab->was = slab->list;
	slab->list = (uint8_t)list;
	slab->taken_ms = now_ms(m);
	slab->moved_ms = now_ms(m) + 1;
	count(m, unit, 1);
	if (slab->live < m->cache[cache].n_objs)
		heap_put(&m->cell[cache][list].list, unit);
	if (list != slab_home(m, unit))
		m->loan[cache][slab_home(m, unit)][list].newest_ns = m->now_ns;
	note_lent(m, unit);
	if (list == slab_home(m, unit))
		note_bare(m, unit);
}

/* Sorts what was looked at: most free first. */
static void sort_picks(const struct machine *m, uint32_t *picks, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint32_t unit = picks[i];
		uint32_t k = i;
		for (;
		     k > 0 && m->slabs[picks[k - 1]].live > m->slabs[unit].live;
		     k--)
			picks[k] = picks[k - 1];
		picks[k] = unit;
	}
}

uint32_t slabs_lend(struct machine *m, uint32_t cache, uint32_t from,
                    uint32_t to, uint32_t n)
{
	const struct heap *heap = &m->cell[cache][from].list;
	uint32_t picks[PICKS_MAX];
	uint32_t looked = 0;
	uint32_t done = 0;
	n = n < PICKS_MAX ? n : PICKS_MAX;
	/* Those that leave stay in the heap, as entries that are stale. */
	for (uint32_t i = heap->n; i-- > 0 && looked < PICKS_MAX;)
		if (is_listed(m, heap->at[i], cache, from) &&
		    slab_home(m, heap->at[i]) == from)
			picks[looked++] = heap->at[i];
	sort_picks(m, picks, looked);
	for (uint32_t i = 0; i < looked && done < n; i++)
		if (m->slabs[picks[i]].list == from) {
			slabs_relist(m, picks[i], to);
			done++;
		}
	return done;
}

/* Takes entries out of what a list has borrowed that are true no longer. */
static void tidy_lends(struct machine *m, uint32_t cache, uint32_t list)
{
	struct heap *lends = &m->cell[cache][list].lends;
	uint32_t left = 0;
	for (uint32_t i = 0; i < lends->n; i++) {
		uint32_t unit = lends->at[i];
		struct slab *slab = &m->slabs[unit];
		if (slab->cache == cache + 1 && slab->list == list &&
		    slab_home(m, unit) != list)
			lends->at[left++] = unit;
		else if (slab->in_lends == list + 1)
			slab->in_lends = 0;
	}
	lends->n = left;
}

bool slabs_is_unused(const struct machine *m, uint32_t unit)
{
	const struct slab *slab = &m->slabs[unit];
	return slab->live < m->cache[slab->cache - 1].n_objs &&
	       now_ms(m) - slab->taken_ms >= UNUSED_MS;
}

/* Whether a slab goes home in this pass: see slabs_return. */
static bool goes_in(const struct machine *m, uint32_t unit, uint32_t pass)
{
	const struct slab *slab = &m->slabs[unit];
	switch (pass) {
	case 0:
		return slab->live == 0;
	case 1:
		return slabs_is_unused(m, unit);
	case 2:
		return slab->live < m->cache[slab->cache - 1].n_objs;
	default:
		return true;
	}
}

uint32_t slabs_return(struct machine *m, uint32_t cache, uint32_t home,
                      uint32_t list, uint32_t n)
{
	const struct heap *lends = &m->cell[cache][list].lends;
	uint32_t done = 0;
	tidy_lends(m, cache, list);
	for (uint32_t pass = 0; pass < 4 && done < n; pass++)
		for (uint32_t i = 0; i < lends->n && done < n; i++) {
			uint32_t unit = lends->at[i];
			if (m->slabs[unit].list != list ||
			    slab_home(m, unit) != home ||
			    !goes_in(m, unit, pass))
				continue;
			slabs_relist(m, unit, home);
			done++;
		}
	tidy_lends(m, cache, list);
	return done;
}

bool slabs_move(struct machine *m, uint32_t page, uint32_t to)
{
	uint32_t from = m->pages[page].lies;
	uint32_t end = (page + 1) * PAGE_UNITS;
	if (m->pages[page].stuck)
		return false;
	/* Taken out while they lie on the old node, and counted on the new. */
	for (uint32_t unit = page * PAGE_UNITS; unit < end; unit++)
		if (m->slabs[unit].cache != 0)
			count(m, unit, -1);
	bool moved = machine_move(m, page, to);
	for (uint32_t unit = page * PAGE_UNITS; unit < end; unit++) {
		struct slab *slab = &m->slabs[unit];
		struct cell *cell;
		if (slab->cache == 0)
			continue;
		if (moved && slab->list == from)
			slab->list = (uint8_t)to;
		count(m, unit, 1);
		if (!moved)
			continue;
		cell = &m->cell[slab->cache - 1][to];
		if (slab->list == to &&
		    slab->live < m->cache[slab->cache - 1].n_objs)
			heap_put(&cell->list, unit);
		note_bare(m, unit);
		note_age(m, unit);
		note_lent(m, unit);
	}
	return moved;
}
