/* SPDX-License-Identifier: MIT */
#include "daemon/pool/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/proc.h"
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
#include "daemon/pool/nodes.h"
#include "daemon/pool/owner.h"
#include "daemon/pool/probe.h"
#include "daemon/pool/share.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/waiting.h"
#include "numa/memfile.h"
#include "numa/migrate.h"
#include "shm/lease.h"
#include "shm/slab.h"

#define PURGE_BYTES (UINT64_C(1) << 30) /* at one time */

/* ---- checks, which touch nothing ---------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
refuse(const struct pool *pool, int error, const char *why, ...)
{
	char text[300];
	va_list args;
	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	log_error("pool %s: can't take over the memory that was kept: %s; "
	          "nothing was touched. To go on with it start the slabd that "
	          "made it; to start clean stop its clients, then stop slabd "
	          "and start it anew",
	          pool->name, text);
	return error;
}

/* From here on the pool's nodes are those of its own table. */
static int match_nodes(struct pool *pool)
{
	const struct journal *journal = pool->journal;
	if (nodes_are_those(journal, pool->topo))
		return 0;
	pool->own_topo = nodes_view(journal, pool->topo);
	if (pool->own_topo == NULL)
		return refuse(pool, -ENOMEM, "%s", strerror(ENOMEM));
	log_warn("pool %s: it lies on %u nodes, and there are %u now: it goes "
	         "on with those of its own that are there",
	         pool->name, journal->n_nodes, pool->topo->n_nodes);
	pool->topo = pool->own_topo;
	return 0;
}

/* Maps a sealed file of ours as a whole. */
static int map_kept(const struct pool *pool, unsigned file, int *fd, void **at,
                    uint64_t *bytes)
{
	const char *what = file == KEEP_CONTROL ? "control" : "shared";
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	*fd = keep_take(pool, file);
	if (*fd >= 0 && (fstat(*fd, &st) < 0 ||
	                 (fcntl(*fd, F_GET_SEALS) < 0 && errno != EINVAL)))
		return refuse(pool, -errno, "its %s file: %s", what,
		              strerror(errno));
	if (*fd < 0 ||
	    (fcntl(*fd, F_GET_SEALS) & seals) != seals || st.st_size < 4096)
		return refuse(pool, -EINVAL, "there is no sealed %s file",
		              what);
	*bytes = (uint64_t)st.st_size;
	*at = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (*at != MAP_FAILED) {
		(void)madvise(*at, *bytes, MADV_NOHUGEPAGE); /* as it was made */
		/* A dump of ours would fill its holes. */
		(void)madvise(*at, *bytes, MADV_DONTDUMP);
		return 0;
	}
	*at = NULL;
	return refuse(pool, -errno, "its %s file: %s", what, strerror(errno));
}

static int map_meta(struct pool *pool)
{
	struct layout_geometry *sizes = &pool->view.geo;
	struct layout_geometry geo;
	void *control = NULL;
	int r = map_kept(pool, KEEP_CONTROL, &pool->control_fd, &control,
	                 &sizes->control_bytes);
	if (r < 0)
		return r;
	pool->head = control;
	if (pool->head->magic == LAYOUT_MAGIC &&
	    pool->head->version != LAYOUT_VERSION)
		return refuse(pool, -EPROTO,
		              "its layout is version %u, and "
		              "this slabd knows version %u",
		              pool->head->version, LAYOUT_VERSION);
	r = map_kept(pool, KEEP_SHARED, &pool->shared_fd, &pool->shared,
	             &sizes->shared_bytes);
	if (r < 0)
		return r;
	r = layout_check(pool->head, sizes->control_bytes, sizes->shared_bytes,
	                 &geo);
	if (r < 0 || geo.n_nodes != pool->topo->n_nodes ||
	    pool->head->instance != pool->journal->instance)
		return refuse(pool, -EINVAL,
		              "the head of its control file is "
		              "damaged, or another pool's");
	view_init(&pool->view, &geo, pool->head, pool->shared);
	r = pool->control_ro_fd = pool_open_read_only(pool->control_fd);
	return r < 0 ? refuse(pool, r, "%s", strerror(-r)) : 0;
}

/* Tags or leases that were punched away while no slabd ran: whoever reads there
 * makes them zeroes. */
static int check_shared(struct pool *pool)
{
	struct layout_head *head = pool->head;
	bool lost;
	int r;
	if (head->ready_lists > head->n_caches || head->top_id > CLIENT_ID_MAX ||
	    head->ready_lines > head->n_units * LINES_PER_UNIT)
		return refuse(pool, -EINVAL,
		              "the head of its control file is damaged");
	r = meta_mend(pool, &lost);
	if (r < 0)
		return refuse(pool, r, "its shared file: %s", strerror(-r));
	if (!lost)
		return 0;
	head->aside = 1;
	log_error("pool %s: owner tags of it were taken away while no slabd "
	          "ran: it is set aside, as nobody knows any longer which "
	          "objects are in use; end its clients, and it is as new",
	          pool->name);
	return 0;
}

static int check_caches(struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint32_t n = 0;
	for (; n < geo->n_caches && pool->view.caches[n].state != CACHE_NONE;
	     n++) {
		const struct layout_cache *row = &pool->view.caches[n];
		uint64_t objects = (uint64_t)row->n_objs * row->stride;
		uint64_t spread = (uint64_t)row->colours * row->colour_step;
		if (row->state == CACHE_GONE)
			continue;
		if (row->state != CACHE_LIVE || row->stride < STRIDE_MIN || row->n_objs == 0 ||
		    row->order > geo->page_shift - UNIT_SHIFT ||
		    row->magic != UINT64_MAX / row->stride + 1 ||
		    row->colours == 0 || row->colour_step < LINE_BYTES ||
		    objects + spread - row->colour_step >
		            UNIT_BYTES << row->order ||
		    memchr(row->name, '\0', NAME_BYTES) == NULL)
			return refuse(pool, -EINVAL,
			              "row %u of its cache table is damaged",
			              n + 1);
	}
	pool->n_caches = n;
	return 0;
}

/* Checks the tables of nodes and of pages against the files. */
static int check_tables(const struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint32_t shift = geo->page_shift - UNIT_SHIFT;
	uint64_t first = 0;
	for (uint32_t i = 0; i < geo->n_nodes; i++) {
		const struct layout_node *row = &pool->view.nodes[i];
		const struct backing_node *node = &pool->backing.node[i];
		uint64_t page = first >> shift;
		if (row->first_unit != first ||
		    row->n_units != node->file_bytes >> UNIT_SHIFT ||
		    row->n_units > geo->n_units - first ||
		    pool->backing.page_shift != geo->page_shift)
			return refuse(pool, -EINVAL,
			              "its table of nodes is damaged");
		first += row->n_units;
		for (; page < first >> shift; page++)
			if (pool->view.pages[page] > geo->n_nodes)
				return refuse(pool, -EINVAL,
				              "its table of pages is damaged");
	}
	return first == geo->n_units
	               ? 0
	               : refuse(pool, -EINVAL, "its table of nodes is damaged");
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
	for (unsigned i = 0; i < pool->topo->n_nodes; i++) {
		const struct journal_node *node = &pool->journal->node[i];
		kept[i] = (struct backing_kept){
			.fd = keep_take(pool, KEEP_NODES + i),
			.kind = (enum backing_kind)node->kind,
			.bound = node->bound != 0,
			.file_bytes = node->file_bytes,
			.note = node->note};
		pool->start_pages[i] = node->start_pages;
	}
	r = backing_adopt(&pool->backing, &from);
	if (r < 0) {
		for (unsigned i = 0; i < pool->topo->n_nodes; i++)
			if (kept[i].fd >= 0)
				close(kept[i].fd);
		return refuse(pool, r, "%s", pool->backing.error);
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
			return refuse(pool, n, "%s", strerror(-n));
		if (met < 0 || n < 0)
			return refuse(pool, -EINVAL,
			              "its slab table is damaged at unit %u",
			              unit);
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
		return refuse(pool, r, "%s", strerror(-r));
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
		return refuse(pool, r, "%s", strerror(-r));
	pool->last_id = pool->journal->last_id % CLIENT_IDS;
	caches_adopt(pool);
	channels_adopt(pool);
	clients_adopt(pool);
	roots_adopt(pool);
	marks_adopt(pool);
	return 0;
}

/* ---- as a whole ---------------------------------------------------------- */

/* Whether it was set aside and its clients have ended. */
static bool is_spent(const struct pool *pool)
{
	bool any = false;
	for (uint32_t id = 1; !any && id <= pool->head->top_id; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		int fd = view_client_live(&pool->view, id)
		                 ? proc_open(row->pid, row->began)
		                 : -ESRCH;
		any = fd != -ESRCH;
		if (fd >= 0)
			close(fd);
	}
	return pool->head->aside != 0 && !any;
}

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
		return refuse(pool, r,
		              "a client's call has held its files for %d s; end "
		              "its clients, then restart slabd",
		              (int)(PROBE_LIMIT_NS / CLOCK_S));
	return r < 0 ? refuse(pool, r, "%s", strerror(-r)) : 0;
}

static int adopt_all(struct pool *pool, bool may_reserve)
{
	int r = match_nodes(pool);
	if (r == 0)
		r = map_meta(pool);
	if (r == 0)
		r = probe_all(pool);
	if (r == 0)
		r = check_shared(pool);
	if (r == 0 && is_spent(pool))
		return ADOPT_E_NONE;
	if (r == 0)
		r = check_caches(pool);
	if (r == 0)
		r = take_data(pool, may_reserve);
	if (r == 0)
		r = check_tables(pool);
	return r == 0 ? make_books(pool) : r;
}

static void say_adopted(const struct pool *pool, int64_t began_ns)
{
	int64_t took_ns = clock_ns() - began_ns;
	uint64_t ready = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		ready += pool_ready_units(pool, node);
	log_info("pool %s: taken over as it was: %llu MiB, %u caches, %llu of "
	         "%llu units in slabs, %.1f ms",
	         pool->name, (unsigned long long)(ready << UNIT_SHIFT >> 20),
	         pool->n_caches,
	         (unsigned long long)pages_used_units(&pool->pages),
	         (unsigned long long)ready, (double)took_ns / (double)CLOCK_MS);
}

int adopt_pool(struct pool *pool, const struct config_pool *config,
               const struct topo *topo, bool may_reserve)
{
	int64_t began_ns = clock_ns();
	struct remedy why;
	int r;
	pool_init(pool, config, topo);
	pool->journal_fd = keep_take(pool, KEEP_JOURNAL);
	if (pool->journal_fd < 0 && keep_peek(pool->name, KEEP_CONTROL) >= 0)
		keep_let_go(pool);
	if (pool->journal_fd < 0)
		return ADOPT_E_NONE;
	r = journal_map(pool->journal_fd, pool->name, &pool->journal, &why);
	if (r < 0)
		refuse(pool, r, "%s", why.what);
	/* pairs: create_pool, in the slabd before this one. */
	else if (atom_load_acquire(&pool->journal->state) == JOURNAL_MAKING)
		return give_up(pool, "slabd was killed while it made it");
	else if (!keep_has_all(pool))
		return keep_let_go(pool), ADOPT_E_NONE;
	else
		r = adopt_all(pool, may_reserve);
	if (r == ADOPT_E_NONE)
		return give_up(pool, "it was set aside, and its clients have "
		                     "ended");
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
