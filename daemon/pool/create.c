/* SPDX-License-Identifier: MIT */
#include "daemon/pool/create.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/base/log.h"
#include "daemon/base/stop.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/notify.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/waiting.h"
#include "daemon/pool/ledger.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/owner.h"
#include "daemon/pool/share.h"
#include "numa/lack.h"
#include "numa/memfile.h"

/* Where clients try to map data: low, clear of programs, heaps and what the
 * thread sanitizer forbids. Pools are 16 GiB apart; where one does not fit,
 * the client maps it elsewhere. */
#define DATA_HINT (UINT64_C(1) << 37)
#define DATA_HINT_STEP (UINT64_C(1) << 34)

/* ---- data --------------------------------------------------------------- */

struct progress {
	const struct pool *pool;
	int tenth[TOPO_NODES_MAX];
};

static void say_progress(void *arg, unsigned node, uint64_t done, uint64_t all)
{
	struct progress *p = arg;
	int tenth = (int)(done * 10 / (all ? all : 1));
	if (tenth == p->tenth[node])
		return;
	p->tenth[node] = tenth;
	log_info("pool %s: node %u: %d %% of %llu page%s faulted in",
	         p->pool->name, p->pool->topo->node[node].os_id, tenth * 10,
	         (unsigned long long)all, all == 1 ? "" : "s");
	notify_progress("pool %s: node %u: %d %% faulted in", p->pool->name,
	                p->pool->topo->node[node].os_id, tenth * 10);
}

static void log_steps(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->backing.n_steps; i++) {
		const struct backing_step *s = &pool->backing.steps[i];
		log_warn("pool %s: no %s pages on node %u: %s%s%s", pool->name,
		         backing_kind_name(s->kind),
		         pool->topo->node[s->node_ix].os_id, s->reason,
		         s->remedy[0] ? "; to have them: " : "", s->remedy);
	}
}

static void log_nodes(struct pool *pool)
{
	for (unsigned i = 0; i < pool->backing.n_nodes; i++) {
		const struct backing_node *n = &pool->backing.node[i];
		uint64_t mib =
			(n->ready_pages << pool->backing.page_shift) >> 20;
		log_info("pool %s: node %u: %llu MiB of %llu MiB ready in %s "
		         "pages, %.1f ms%s%s",
		         pool->name, pool->topo->node[i].os_id,
		         (unsigned long long)mib,
		         (unsigned long long)(n->file_bytes >> 20),
		         backing_kind_name(n->kind),
		         (double)n->populate_ns / 1e6, n->note[0] ? "; " : "",
		         n->note);
		if (n->lack != BACKING_LACK_NONE)
			pool_say_lack(pool, i);
	}
}

static int size_files(const struct pool *pool, uint64_t files[TOPO_NODES_MAX])
{
	unsigned n_nodes = pool->topo->n_nodes;
	uint64_t largest = share_largest(pool->config, n_nodes);
	uint64_t all = 0;
	int r = share_of_nodes(pool->config, pool->topo, files);
	if (r < 0) {
		log_error("pool %s: max is %" PRIu64 " MiB on each of %u "
		          "nodes, and a pool holds %" PRIu64 " MiB in all; to "
		          "repair it: max = %" PRIu64 "M or less in its "
		          "section",
		          pool->name, files[0] >> 20, n_nodes,
		          SHARE_BYTES_MAX >> 20, largest >> 20);
		return r;
	}
	for (unsigned i = 0; i < n_nodes; i++)
		all += files[i];
	if (r == SHARE_E_CUT)
		log_info("pool %s: %u %% of the memory of %u nodes is more "
		         "than a pool holds: it takes %" PRIu64 " MiB of them "
		         "at most",
		         pool->name, share_percent(pool->config), n_nodes,
		         all >> 20);
	return 0;
}

static int open_data(struct pool *pool, bool may_reserve)
{
	uint64_t files[TOPO_NODES_MAX];
	uint64_t starts[TOPO_NODES_MAX];
	struct progress progress = {.pool = pool};
	struct backing_request request = {
		.topo = pool->topo,
		.name = pool->name,
		.first = (enum backing_kind)pool->config->page,
		.may_reserve = may_reserve,
		.max_percent = share_percent(pool->config),
		.file_bytes = files,
		.start_bytes = starts,
		.progress = say_progress,
		.progress_arg = &progress,
		.journal = pool->journal->pages,
		.stopped = stop_is_due,
	};
	int r = size_files(pool, files);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < pool->topo->n_nodes; i++) {
		starts[i] = pool->config->start_bytes;
		if (starts[i] > files[i])
			starts[i] = files[i];
	}
	r = backing_open(&pool->backing, &request);
	if (r == -ECANCELED)
		log_info("pool %s: told to stop while it was made",
		         pool->name);
	else if (r < 0)
		log_error("pool %s: %s", pool->name, pool->backing.error);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < pool->backing.n_nodes; i++)
		pool->start_pages[i] = pool->backing.node[i].ready_pages;
	journal_note(pool->journal, &pool->backing);
	log_steps(pool);
	log_nodes(pool);
	return 0;
}

/* ---- control and shared ------------------------------------------------- */

static void fill_nodes(struct pool *pool)
{
	uint64_t first = 0;
	for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++) {
		const struct topo_node *t = &pool->topo->node[i];
		const struct backing_node *b = &pool->backing.node[i];
		struct layout_node *row = pool_node(pool, i);
		row->os_id = t->os_id;
		row->flags = (t->has_cpu ? NODE_HAS_CPU : 0) |
		             (pool->topo->simulated ? NODE_SIMULATED : 0);
		row->first_unit = first;
		row->n_units = b->file_bytes >> UNIT_SHIFT;
		row->backing = b->kind;
		memcpy(row->nearest, t->nearest, sizeof(row->nearest));
		first += row->n_units;
	}
}

static void fill_head(struct pool *pool, uint64_t hint)
{
	const struct layout_geometry *geo = &pool->view.geo;
	struct layout_head *head = pool->head;
	uint8_t *cpus = (uint8_t *)(uintptr_t)pool->view.cpus;
	head->version = LAYOUT_VERSION;
	head->n_nodes = geo->n_nodes;
	head->n_cpus = geo->n_cpus;
	head->n_caches = geo->n_caches;
	head->n_ids = CLIENT_IDS;
	head->page_shift = geo->page_shift;
	head->n_units = geo->n_units;
	head->control_bytes = geo->control_bytes;
	head->shared_bytes = geo->shared_bytes;
	head->data_hint = hint;
	head->instance = pool->journal->instance;
	memcpy(head->name, pool->name, sizeof(head->name));
	memcpy(cpus, pool->topo->cpu_node, geo->n_cpus);
	for (uint32_t i = 0; i < geo->n_nodes; i++)
		pages_add(&pool->pages, pages_first(&pool->pages, i),
		          pool->backing.node[i].ready_pages, i);
	/* pairs: layout_check, by way of the socket that passes the file. */
	atom_store_release(&head->magic, LAYOUT_MAGIC);
}

static int open_metafile(const char *pool, const char *what, uint64_t bytes,
                         int *fd, void **at)
{
	char name[160];
	snprintf(name, sizeof(name), "slabd-%s-%s", pool, what);
	*fd = memfile_create(name, BACKING_4K, bytes);
	if (*fd < 0)
		return *fd;
	*at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (*at != MAP_FAILED) {
		/* Of huge pages parts would be there that nobody asked for. */
		(void)madvise(*at, bytes, MADV_NOHUGEPAGE);
		/* A dump of ours would fill its holes. */
		(void)madvise(*at, bytes, MADV_DONTDUMP);
		return 0;
	}
	*at = NULL;
	return -errno;
}

static int compute_geometry(struct pool *pool, struct layout_geometry *geo)
{
	*geo = (struct layout_geometry){.n_nodes = pool->topo->n_nodes,
	                                .n_cpus = pool->topo->n_cpus,
	                                .n_caches = pool->config->max_caches,
	                                .page_shift = pool->backing.page_shift};
	for (unsigned i = 0; i < pool->backing.n_nodes; i++)
		geo->n_units += pool->backing.node[i].file_bytes >> UNIT_SHIFT;
	return layout_compute(geo);
}

static int open_for_clients(const struct pool *pool)
{
	int r = pool_open_read_only(pool->control_fd);
	if (r == -ENOENT)
		log_error("pool %s: its control file can't be opened by way of "
		          "/proc/self/fd; to repair it: mount /proc",
		          pool->name);
	return r;
}

static int open_meta(struct pool *pool, unsigned ordinal)
{
	struct layout_geometry geo;
	void *control = NULL;
	int r = compute_geometry(pool, &geo);
	if (r < 0)
		return r;
	r = open_metafile(pool->name, "control", geo.control_bytes,
	                  &pool->control_fd, &control);
	pool->head = control;
	if (r == 0)
		journal_note_control(pool->journal, pool->control_fd);
	if (r == 0)
		r = open_metafile(pool->name, "shared", geo.shared_bytes,
		                  &pool->shared_fd, &pool->shared);
	if (r == 0)
		r = pool->control_ro_fd = open_for_clients(pool);
	if (r < 0)
		return r;
	view_init(&pool->view, &geo, pool->head, pool->shared);
	r = meta_make(pool);
	if (r < 0)
		return r;
	fill_nodes(pool);
	r = pool_make_books(pool, &geo);
	if (r == 0)
		r = channels_make(pool);
	if (r == 0)
		r = lists_open(pool);
	if (r < 0)
		return r;
	fill_head(pool, DATA_HINT + ordinal * DATA_HINT_STEP);
	return 0;
}

/* ---- from nothing ------------------------------------------------------- */

static int open_all(struct pool *pool, bool may_reserve, unsigned ordinal)
{
	int r = -ENOENT;
	if (may_reserve && pool->config->page <= CONFIG_PAGE_2M)
		r = ledger_make(pool->name, &pool->journal);
	if (r < 0)
		r = journal_make(pool->name, &pool->journal);
	if (r >= 0) {
		pool->journal_fd = r;
		keep_fd(pool, KEEP_JOURNAL, r);
		fdstore_barrier();
		r = open_data(pool, may_reserve);
		if (r < 0)
			return r;
		r = open_meta(pool, ordinal);
	}
	if (r < 0) {
		char text[200];
		lack_of_limit(r, "can't make its metadata", text, sizeof(text));
		log_error("pool %s: %s", pool->name, text);
	}
	return r;
}

int create_pool(struct pool *pool, const struct config_pool *config,
                const struct topo *topo, bool may_reserve, unsigned ordinal)
{
	int r;
	pool_init(pool, config, topo);
	r = open_all(pool, may_reserve, ordinal);
	if (r < 0) {
		pool_destroy(pool);
		keep_forget(pool);
		return r;
	}
	waiting_note(pool);
	owner_note(pool);
	keep_pool(pool);
	/* pairs: adopt_pool, in the slabd that comes after this one. */
	atom_store_release(&pool->journal->state, (uint32_t)JOURNAL_WHOLE);
	return 0;
}
