/* SPDX-License-Identifier: MIT */
#include "daemon/pool/adopt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/stop.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/notify.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/ledger.h"
#include "daemon/pool/roots.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/owner.h"
#include "daemon/pool/probe.h"
#include "daemon/pool/share.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/verify.h"
#include "daemon/pool/waiting.h"
#include "numa/memfile.h"
#include "numa/migrate.h"
#include "shm/lease.h"
#include "shm/slab.h"

#define PURGE_BYTES (UINT64_C(1) << 30) /* at one time */

/* Tags or leases that were punched away while no slabd ran: whoever reads there
 * makes them zeroes. */
static int mend_shared(struct pool *pool)
{
	bool lost;
	int r = meta_mend(pool, &lost);
	if (r < 0)
		return verify_refuse(pool, r, "its shared file: %s", strerror(-r));
	if (!lost)
		return 0;
	pool->head->aside = 1;
	log_error("pool %s: owner tags of it were taken away while no slabd "
	          "ran: it is set aside, as nobody knows any longer which "
	          "objects are in use; end its clients, and it is as new",
	          pool->name);
	return 0;
}

static int take_data(struct pool *pool, bool may_reserve)
{
	struct backing_kept kept[TOPO_NODES_MAX];
	struct backing_adoption from = {.topo = pool->topo,
	                                .stopped = stop_is_due,
	                                .may_reserve = may_reserve,
	                                .max_percent =
	                                        share_percent(pool->config),
	                                .journal = pool->journal->pages,
	                                .kept = kept};
	int r;
	verify_files(pool, kept);
	for (unsigned i = 0; i < pool->topo->n_nodes; i++) {
		kept[i].fd = keep_take(pool, KEEP_NODES + i);
		pool->start_pages[i] = pool->journal->node[i].start_pages;
	}
	r = backing_adopt(&pool->backing, &from);
	if (r < 0) {
		for (unsigned i = 0; i < pool->topo->n_nodes; i++)
			if (kept[i].fd >= 0)
				close(kept[i].fd);
		return verify_refuse(pool, r, "%s", pool->backing.error);
	}
	for (unsigned i = 0; i < pool->backing.n_nodes; i++) {
		const struct journal_node *from_node = &pool->journal->node[i];
		struct backing_node *node = &pool->backing.node[i];
		memcpy(node->reason, from_node->reason, JOURNAL_TEXT);
		memcpy(node->remedy, from_node->remedy, JOURNAL_TEXT);
	}
	return 0;
}

/* ---- books --------------------------------------------------------------- */

/* What clients made a file hold meanwhile may take long to go. */
static void say_purged(void)
{
	static int64_t said_ns;
	int64_t now_ns = clock_ns();
	if (now_ns - said_ns < CLOCK_S)
		return;
	said_ns = now_ns;
	notify_progress("making room in files that were kept");
}

/* Pages of a file that the pool has not. Told to stop: their files are about to be
 * emptied, or left as they are. */
static void purge(struct pool *pool, uint32_t node, uint64_t from, uint64_t end)
{
	uint64_t most = PURGE_BYTES >> pool->view.geo.page_shift;
	while (from < end && !stop_is_due()) {
		uint64_t n = end - from < most ? end - from : most;
		backing_purge(&pool->backing, node, from, n);
		from += n;
		say_purged();
	}
}

/* Enters the pages of a node's file as the control file has them. Those that
 * were faulted in and not noted, or noted as gone and not given back yet, are
 * given back: the kernel does not tell which pages of huge ones a file has, so all
 * that are not noted are, and what lacks then shows in the count. */
static void note_pages(struct pool *pool, uint32_t node)
{
	uint64_t first = pages_first(&pool->pages, node);
	uint64_t n = pages_size(&pool->pages, node);
	pool_node(pool, node)->high_page = 0;
	for (uint64_t page = first; page < first + n; page++) {
		uint32_t page_node = pages_node_of(&pool->pages, page);
		if (page_node == NODE_NONE)
			continue;
		pages_add(&pool->pages, page, 1, page_node);
	}
	/* Pages that lack memory have it again after holes_look. */
	for (uint64_t page = first; page < first + n; page++) {
		uint64_t from = page;
		while (page < first + n &&
		       pages_node_of(&pool->pages, page) == NODE_NONE)
			page++;
		purge(pool, node, from - first, page - first);
	}
}

/* Looks up the page that was on its way to a node when slabd was killed. */
static void note_moved(struct pool *pool, uint32_t to)
{
	uint8_t *pages = (uint8_t *)(uintptr_t)pool->view.pages;
	unsigned file;
	unsigned at;
	uint64_t page;
	if (!migrate_last(&pool->backing, to, &file, &page) ||
	    file >= pool->view.geo.n_nodes ||
	    page >= pages_size(&pool->pages, file))
		return;
	pages += pages_first(&pool->pages, file);
	/* Asking for a hole would fault it in. */
	if (pages[page] != 0 &&
	    backing_where(&pool->backing, file, page, &at) == 0)
		atom_store(&pages[page], (uint8_t)(1 + at));
}

static int note_slabs(struct pool *pool, uint32_t node)
{
	uint32_t unit = (uint32_t)pool->view.nodes[node].first_unit;
	uint32_t end = (uint32_t)pool_end_unit(pool, node);
	while (unit < end) {
		int met = slab_repair_srv(&pool->view, unit, end);
		int n = met == SLAB_REPAIR_SLAB ? slabs_adopt(pool, unit) : 1;
		if (met == SLAB_REPAIR_NONE)
			lease_break_srv(&pool->view.leases[unit], LEASE_SRV);
		if (n == -ENOMEM)
			return verify_refuse(pool, n, "%s", strerror(-n));
		if (met < 0 || n < 0)
			return verify_refuse(pool, -EINVAL,
			                     "its slab table is damaged at "
			                     "unit %u", unit);
		unit += (uint32_t)n;
	}
	return 0;
}

static int make_books(struct pool *pool)
{
	const struct layout_geometry geo = pool->view.geo;
	int r = pool_make_books(pool, &geo);
	if (r == 0)
		r = channels_make(pool);
	if (r == 0)
		r = lists_open(pool);
	if (r < 0)
		return verify_refuse(pool, r, "%s", strerror(-r));
	for (uint32_t node = 0; r == 0 && node < geo.n_nodes; node++)
		note_moved(pool, node);
	for (uint32_t node = 0; r == 0 && node < geo.n_nodes; node++)
		note_pages(pool, node);
	for (uint32_t node = 0; r == 0 && node < geo.n_nodes; node++)
		backing_set_resident(&pool->backing, node,
		                     pool->pages.node[node].pages);
	for (uint32_t node = 0; r == 0 && node < geo.n_nodes; node++)
		r = note_slabs(pool, node);
	if (r < 0)
		return r;
	lists_adopted(pool);
	/* As many as the one before may have had. */
	meta_ready_ids(pool, pool->head->top_id);
	r = meta_need_lines(pool, pool->lines.end);
	if (r < 0)
		return verify_refuse(pool, r, "%s", strerror(-r));
	pool->last_id = pool->journal->last_id % CLIENT_IDS;
	caches_adopt(pool);
	channels_adopt(pool);
	clients_adopt(pool);
	roots_adopt(pool);
	marks_adopt(pool);
	return 0;
}

/* ---- as a whole ---------------------------------------------------------- */

/* Ends what is left of a slabd that was killed before the pool was whole, or of
 * a pool that was set aside. */
static int give_up(struct pool *pool, const char *why)
{
	log_info("pool %s: %s: it is made anew", pool->name, why);
	/* pairs: adopt_pool, should this be cut short. */
	atom_store_release(&pool->journal->state, (uint32_t)JOURNAL_MAKING);
	/* Nobody uses its files, of which there are copies. */
	for (unsigned i = 0; i < pool->topo->n_nodes; i++)
		(void)memfile_empty(keep_peek(pool->name, KEEP_NODES + i),
		                    say_purged);
	ledger_pay(pool->journal, pool->topo, false);
	keep_forget(pool);
	pool_destroy(pool);
	return ADOPT_E_NONE;
}

/* What comes next looks for holes in the files, and makes some. */
static int probe_all(struct pool *pool)
{
	int fds[TOPO_NODES_MAX + 1] = {pool->shared_fd};
	unsigned n = 1;
	int r;
	for (unsigned i = 0; i < pool->topo->n_nodes; i++) {
		int fd = keep_peek(pool->name, KEEP_NODES + i);
		if (fd >= 0)
			fds[n++] = fd;
	}
	r = probe_files(fds, n);
	if (r == -EBUSY)
		return verify_refuse(pool, r,
		                     "a client's call has held its files for "
		                     "%d s; end its clients, then restart slabd",
		                     (int)(PROBE_LIMIT_NS / CLOCK_S));
	return r < 0 ? verify_refuse(pool, r, "%s", strerror(-r)) : 0;
}

static int adopt_all(struct pool *pool, bool may_reserve)
{
	int r = verify_map(pool);
	if (r == 0)
		r = probe_all(pool);
	if (r == 0)
		r = mend_shared(pool);
	if (r == 0 && verify_is_spent(pool))
		return ADOPT_E_NONE;
	if (r == 0)
		r = verify_tables(pool);
	if (r == 0)
		r = take_data(pool, may_reserve);
	return r == 0 ? make_books(pool) : r;
}

static void say_adopted(const struct pool *pool, int64_t began_ns)
{
	int64_t took_ns = clock_ns() - began_ns;
	uint64_t ready = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		ready += pool_ready_units(pool, node);
	log_info("pool %s: taken over as it was: %llu MiB, %u cache%s, %llu of "
	         "%llu units in slabs, %.1f ms",
	         pool->name, (unsigned long long)(ready << UNIT_SHIFT >> 20),
	         pool->n_caches, pool->n_caches == 1 ? "" : "s",
	         (unsigned long long)pages_used_units(&pool->pages),
	         (unsigned long long)ready, (double)took_ns / (double)CLOCK_MS);
}

int adopt_pool(struct pool *pool, const struct config_pool *config,
               const struct topo *topo, bool may_reserve)
{
	int64_t began_ns = clock_ns();
	enum verify_result result;
	int r;
	pool_init(pool, config, topo);
	result = verify_open(pool, &r);
	if (result == VERIFY_SOUND)
		r = adopt_all(pool, may_reserve);
	if (r == ADOPT_E_NONE)
		result = VERIFY_SPENT;
	if (result == VERIFY_NOTHING)
		return ADOPT_E_NONE;
	if (result == VERIFY_PARTS)
		return keep_let_go(pool), ADOPT_E_NONE;
	if (result == VERIFY_SPENT || result == VERIFY_UNFINISHED)
		return give_up(pool, verify_why(result));
	pool->adopted = r == 0;
	if (r < 0)
		pool_close(pool);
	else
		say_adopted(pool, began_ns);
	if (r == 0) {
		owner_note(pool);
		waiting_apply(pool);
	}
	return r;
}
