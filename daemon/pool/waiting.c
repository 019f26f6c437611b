/* SPDX-License-Identifier: MIT */
#include "daemon/pool/waiting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/pool/share.h"
#include "daemon/pool/grow.h"

#define MIB (UINT64_C(1) << 20)

static const char *const pages[] = {
	[CONFIG_PAGE_1G] = "1g",
	[CONFIG_PAGE_2M] = "2m",
	[CONFIG_PAGE_THP] = "thp",
	[CONFIG_PAGE_4K] = "4k",
};

static void put_bytes(char text[WAITING_TEXT], uint64_t bytes)
{
	snprintf(text, WAITING_TEXT, "%" PRIu64 " MiB", bytes / MIB);
}

/* What the files were made of; a ledger of before does not say. */
static const struct journal_made *made_of(const struct pool *pool)
{
	const struct journal_made *made = &pool->journal->made;
	return made->max_bytes == 0 && made->max_percent == 0 ? NULL : made;
}

/* A share of the node's memory comes out anew each time: it is the setting that
 * counts. */
static bool is_max_changed(const struct pool *pool)
{
	const struct journal_made *made = made_of(pool);
	const struct config_pool *now = pool->config;
	if (made == NULL || made->max_bytes != now->max_bytes)
		return true;
	return now->max_bytes == 0 && made->max_percent != now->max_percent;
}

static uint64_t file_bytes(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].n_units << UNIT_SHIFT;
}

static bool max_waits(const struct pool *pool, struct waiting *out)
{
	uint64_t want[TOPO_NODES_MAX] = {0};
	if (!is_max_changed(pool))
		return false;
	(void)share_of_nodes(pool->config, pool->topo, want);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		if (want[node] <= file_bytes(pool, node))
			continue;
		put_bytes(out->file, want[node]);
		put_bytes(out->running, file_bytes(pool, node));
		return true;
	}
	return false;
}

static bool page_waits(const struct pool *pool, struct waiting *out)
{
	const struct journal_made *made = made_of(pool);
	if (made == NULL || made->page == pool->config->page ||
	    made->page > CONFIG_PAGE_4K)
		return false;
	strcpy(out->file, pages[pool->config->page]);
	strcpy(out->running, pages[made->page]);
	return true;
}

/* A floor that start gives holds at once; pages are faulted in at a start. */
static bool start_waits(const struct pool *pool, struct waiting *out)
{
	const struct journal_made *made = made_of(pool);
	uint64_t want = pool->config->start_bytes;
	uint32_t shift = pool->view.geo.page_shift;
	uint64_t least = UINT64_MAX;
	if (made == NULL || want <= made->start_bytes)
		return false;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t is = pool->pages.node[node].pages << shift;
		least = is < least ? is : least;
	}
	if (least >= want)
		return false;
	put_bytes(out->file, want);
	put_bytes(out->running, made->start_bytes);
	return true;
}

static bool caches_wait(const struct pool *pool, struct waiting *out)
{
	uint32_t is = pool->view.geo.n_caches;
	if (pool->config->max_caches <= is)
		return false;
	snprintf(out->file, WAITING_TEXT, "%u", pool->config->max_caches);
	snprintf(out->running, WAITING_TEXT, "%u", is);
	return true;
}

unsigned waiting_list(const struct pool *pool, struct waiting out[WAITING_MAX])
{
	static const struct {
		const char *key;
		bool restart;
		bool (*waits)(const struct pool *pool, struct waiting *out);
	} all[WAITING_MAX] = {
		{"max", false, max_waits},
		{"page", false, page_waits},
		{"max_caches", false, caches_wait},
		{"start", true, start_waits},
	};
	unsigned n = 0;
	if (pool->config->leaving)
		return 0;
	for (unsigned i = 0; i < WAITING_MAX; i++)
		if (all[i].waits(pool, &out[n])) {
			out[n].restart = all[i].restart;
			out[n++].key = all[i].key;
		}
	return n;
}

void waiting_note(const struct pool *pool)
{
	pool->journal->made = (struct journal_made){
		.max_bytes = pool->config->max_bytes,
		.start_bytes = pool->config->start_bytes,
		.max_percent = pool->config->max_percent,
		.page = pool->config->page};
}

/* As far as the files go. What is there above it goes when it is empty, as ever. */
static void apply_max(struct pool *pool)
{
	uint32_t shift = pool->view.geo.page_shift;
	uint64_t want[TOPO_NODES_MAX] = {0};
	bool changed = is_max_changed(pool);
	if (changed)
		(void)share_of_nodes(pool->config, pool->topo, want);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t n = pages_size(&pool->pages, node);
		if (changed && want[node] < file_bytes(pool, node))
			n = want[node] >> shift > 1 ? want[node] >> shift : 1;
		if (n == pages_max(&pool->pages, node))
			continue;
		pages_limit(&pool->pages, node, n);
		log_info("pool %s: node %u takes %" PRIu64 " MiB at most from "
		         "now on", pool->name, pool->view.nodes[node].os_id,
		         n << shift >> 20);
	}
	pool->backing.max_percent = share_percent(pool->config);
	pool->max_waits = max_waits(pool, &(struct waiting){.key = "max"});
}

/* As at the start of a new pool, where the file asks for more than it did. */
static void apply_start(struct pool *pool)
{
	const struct journal_made *made = made_of(pool);
	uint64_t bytes = pool->config->start_bytes;
	uint32_t shift = pool->view.geo.page_shift;
	if (made != NULL && bytes <= made->start_bytes)
		return;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		while (pool->pages.node[node].pages << shift < bytes &&
		       grow_pages(pool, node) == 0)
			continue;
	pool->journal->made.start_bytes = bytes;
}

void waiting_apply(struct pool *pool)
{
	struct waiting list[WAITING_MAX];
	unsigned n;
	if (pool->config->leaving)
		return;
	apply_max(pool);
	apply_start(pool);
	n = waiting_list(pool, list);
	for (unsigned i = 0; i < n; i++)
		log_warn("pool %s: %s = %s in slabd.conf waits for a pool made "
		         "anew: this one was taken over, and goes on with %s; "
		         "to apply it end its clients, then stop slabd and "
		         "start it", pool->name, list[i].key, list[i].file,
		         list[i].running);
}

void waiting_follow(struct pool *pool)
{
	if (!pool->config->leaving)
		apply_max(pool);
}
