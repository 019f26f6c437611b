/* SPDX-License-Identifier: MIT */
#include "shm/view.h"

void view_init(struct view *view, const struct layout_geometry *geo,
               const void *control, void *shared)
{
	const char *c = control;
	char *s = shared;
	view->geo = *geo;
	view->head = control;
	view->nodes = (const void *)(c + geo->nodes_off);
	view->cpus = (const void *)(c + geo->cpus_off);
	view->caches = (const void *)(c + geo->caches_off);
	view->marks = (const void *)(c + geo->marks_off);
	view->words = (const void *)(c + geo->words_off);
	view->lines = (const void *)(c + geo->lines_off);
	view->pages = (const void *)(c + geo->pages_off);
	view->clients = (const void *)(c + geo->clients_off);
	view->opens = (const void *)(c + geo->opens_off);
	view->names = (const void *)(c + geo->names_off);
	view->roots = (const void *)(c + geo->roots_off);
	view->channels = (const void *)(c + geo->channels_off);
	view->joins = (const void *)(c + geo->joins_off);
	view->wants = (void *)(s + geo->wants_off);
	view->leases = (void *)(s + geo->leases_off);
	view->starts = (void *)(s + geo->starts_off);
	view->stats = (void *)(s + geo->stats_off);
	view->touched = (void *)(s + geo->touched_off);
	view->lists = s + geo->lists_off;
	view->tags = (void *)(s + geo->tags_off);
	view->gens = (void *)(s + geo->gens_off);
	view->open_lists = geo->n_caches;
	view->open_lines = UINT64_MAX;
	view->reach = NULL;
	view->refused = false;
	view->refused_data = false;
}

bool view_client_live(const struct view *view, uint32_t id)
{
	return view_client_word(view, id) != 0;
}

bool view_owner_lives(const struct view *view, uint32_t id)
{
	uint64_t word;
	if (id - 1 >= CLIENT_ID_MAX)
		return false;
	word = atom_load(&view->clients[id].word) & 0xff;
	return word == CLIENT_LIVE || word == CLIENT_CHANNEL || word == CLIENT_ROOT;
}

uint32_t view_cpu_node(const struct view *view, uint32_t cpu)
{
	uint32_t node;
	if (cpu >= view->geo.n_cpus)
		return 0;
	node = atom_load(&view->cpus[cpu]);
	return node < view->geo.n_nodes ? node : 0;
}

int view_node_index(const struct view *view, int os_id)
{
	for (uint32_t node = 0; node < view->geo.n_nodes; node++)
		if (view->nodes[node].os_id == (uint32_t)os_id)
			return (int)node;
	return -1;
}

bool view_want_any(const struct view *view, uint32_t cache, uint32_t node)
{
	uint64_t ix = (uint64_t)(cache - 1) * view->geo.n_nodes + node;
	uint64_t bit = UINT64_C(1) << (ix % 64);
	if (atom_load(&view->wants[ix / 64]) & bit)
		return false;
	/* pairs: wants_serve; the bit is there before the ring is sent. */
	return (atom_set(&view->wants[ix / 64], bit) & bit) == 0;
}

uint32_t view_next_unit(const struct view *view, uint32_t unit, uint32_t *end)
{
	uint64_t next = view->geo.n_units;
	uint64_t stop = next;
	for (uint32_t i = 0; i < view->geo.n_nodes; i++) {
		const struct layout_node *node = &view->nodes[i];
		uint64_t first = node->first_unit;
		uint64_t last = first + (atom_load(&node->high_page)
		                         << (view->geo.page_shift - UNIT_SHIFT));
		uint64_t from = first > unit ? first : unit;
		if (from < last && from < next) {
			next = from;
			stop = last;
		}
	}
	if (end != NULL)
		*end = (uint32_t)stop;
	return (uint32_t)next;
}
