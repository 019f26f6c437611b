/* SPDX-License-Identifier: MIT */
#include "daemon/pool/holes.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/work.h"
#include "numa/memfile.h"

#define REFILL_PAGES 16u /* looked at in one go; of 2 MiB, some ms */
#define PROMISE_PAGES 16u
#define PURGE_PAGES 32u   /* punched in one go */
#define SLICE_NS CLOCK_MS /* for such goes, at one time */

/* ---- counted ------------------------------------------------------------- */

static bool is_shared(const struct pool *pool, unsigned file)
{
	return file == pool->view.geo.n_nodes;
}

int holes_count(const struct pool *pool, unsigned file, struct holes_count *out)
{
	if (is_shared(pool, file)) {
		out->due_bytes = meta_due(pool) + lists_due(pool);
		return memfile_held(pool->shared_fd, &out->held_bytes);
	}
	out->due_bytes = pool->pages.node[file].in_file
	                 << pool->view.geo.page_shift;
	return backing_held(&pool->backing, file, &out->held_bytes);
}

/* Of pages that are on their way any part may be there. */
static uint64_t coming_bytes(const struct pool *pool, unsigned file)
{
	return is_shared(pool, file)
	               ? 0
	               : work_pages(pool, file) << pool->view.geo.page_shift;
}

void holes_audit(const struct pool *pool, struct audit *audit)
{
	struct holes_count count;
	for (unsigned file = 0; file < holes_files(pool); file++)
		if (holes_count(pool, file, &count) == 0 &&
		    (count.held_bytes < count.due_bytes ||
		     count.held_bytes - count.due_bytes >
		             coming_bytes(pool, file)))
			audit_fault(audit, AUDIT_FILE_HELD, file,
			            count.held_bytes, count.due_bytes);
}

/* ---- said ---------------------------------------------------------------- */

/* Whoever is there now, and no other, is there until the next look. */
static void note_suspects(struct pool *pool)
{
	pool->suspects = pool->n_clients;
	for (uint32_t id = 1;
	     pool->suspects == 1 && id <= pool->view.head->top_id; id++)
		if (view_client_live(&pool->view, id))
			pool->suspect = id;
}

/* The only client since the last look, which may have ended, or just one of
 * them. */
static const char *who(const struct pool *pool, char *text, size_t n)
{
	const struct layout_client *row = &pool->view.clients[pool->suspect];
	if (pool->suspects != 1)
		return "one of its clients";
	snprintf(text, n, "client %u (%.16s, pid %d)", pool->suspect, row->comm,
	         row->pid);
	return text;
}

static const char *what(const struct pool *pool, unsigned file, char *text,
                        size_t n)
{
	if (is_shared(pool, file))
		return "the shared file";
	snprintf(text, n, "node %u", pool->view.nodes[file].os_id);
	return text;
}

static void say(const struct pool *pool, unsigned file, uint64_t bytes,
                const char *happened)
{
	char name[80];
	char of[32];
	log_warn("pool %s: %s: %llu KiB %s; done by %s", pool->name,
	         what(pool, file, of, sizeof(of)),
	         (unsigned long long)bytes >> 10, happened,
	         who(pool, name, sizeof(name)));
}

/* ---- too much ------------------------------------------------------------ */

/* Where a walk through a file's pages goes on that ended at one. */
static uint64_t from_in(const struct pool *pool, uint32_t file, uint64_t page)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t n = pages_size(&pool->pages, file);
	return page > first && page < first + n ? page : first;
}

/* Punches all that is no page, for a while. Whether there is more, or -errno. */
static int purge_data(struct pool *pool, uint32_t file)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t end = first + pages_size(&pool->pages, file);
	uint64_t at = from_in(pool, file, pool->purge_page);
	int64_t until_ns = clock_ns() + SLICE_NS;
	uint32_t n = 0;
	int r = 0;
	while (r == 0 && (at = pages_next_hole(&pool->pages, file, at)) < end) {
		uint64_t to = pages_next_ready(&pool->pages, at);
		if (n++ > 0 && clock_ns() >= until_ns) {
			pool->purge_page = at;
			return 1;
		}
		to = to < end ? to : end;
		to = to < at + PURGE_PAGES ? to : at + PURGE_PAGES;
		r = backing_purge(&pool->backing, file, at - first, to - at);
		at = to;
	}
	pool->purge_page = 0;
	return r;
}

static int purge_shared(struct pool *pool)
{
	int r = meta_purge(pool);
	return r == 0 ? lists_purge(pool) : r;
}

/* Whether there is more. */
static bool purge(struct pool *pool, unsigned file, struct holes_count *count)
{
	uint64_t before = count->held_bytes;
	int r;
	if (pool->purge_page == 0)
		pool->purged_bytes = 0;
	r = is_shared(pool, file) ? purge_shared(pool)
	                           : purge_data(pool, file);
	if (r < 0 || holes_count(pool, file, count) < 0)
		return false;
	if (count->held_bytes < before) {
		before -= count->held_bytes;
		pool->counts.given_back_bytes += before;
		pool->purged_bytes += before;
	}
	if (r > 0)
		return true;
	if (pool->purged_bytes > 0)
		say(pool, file, pool->purged_bytes,
		    "were faulted in that the pool has not, and are given back");
	return false;
}

/* Who maps a file as others map theirs has all of it promised by the kernel,
 * and the promise outlives it: only a page that comes and goes takes its own
 * along. Whether there is more. */
static bool purge_promises(struct pool *pool, uint32_t file)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t at = from_in(pool, file, pool->promise_page);
	uint64_t now = backing_promised(&pool->backing, file);
	for (unsigned i = 0; now > pool->promised[file]; i++, at++) {
		at = pages_next_hole(&pool->pages, file, at);
		if (at == PAGES_NONE)
			break;
		if (i == PROMISE_PAGES) {
			pool->promise_page = at;
			return true;
		}
		backing_unpromise(&pool->backing, file, at - first);
		now = backing_promised(&pool->backing, file);
	}
	if (from_in(pool, file, pool->promise_page) > first)
		pool->promise_page = 0;
	pool->promised[file] = now;
	return false;
}

/* ---- too little ---------------------------------------------------------- */

/* Pages in a row from one on that lie on its node, of one file. */
static uint64_t run_of(const struct pool *pool, uint64_t page, uint64_t end)
{
	uint32_t node = pages_node_of(&pool->pages, page);
	uint64_t n = 1;
	while (n < REFILL_PAGES && page + n < end &&
	       pages_node_of(&pool->pages, page + n) == node)
		n++;
	return n;
}

/* Goes on through a file's pages until all is there. Whether there is more; what
 * has to wait for pages that are on their way is tried again by itself. */
static bool refill_data(struct pool *pool, uint32_t file,
                        struct holes_count *count)
{
	uint64_t first = pages_first(&pool->pages, file);
	uint64_t end = first + pages_size(&pool->pages, file);
	uint64_t lack = count->due_bytes - count->held_bytes;
	uint64_t at = pool->refill_page;
	uint64_t n;
	if (at <= first || at >= end) {
		at = first;
		say(pool, file, lack,
		    "of its pages were taken away: what objects there held is "
		    "lost, and memory comes there again");
	}
	at = pages_next_ready(&pool->pages, at);
	at = at < end ? at : end;
	n = at < end ? run_of(pool, at, end) : 0;
	if (n > 0 && !work_is_free(pool, pages_node_of(&pool->pages, at))) {
		pool->refill_page = at;
		return true;
	}
	if (n > 0 && backing_refill(&pool->backing, file, at - first, n,
	                            pages_node_of(&pool->pages, at), lack) < 0)
		log_error("pool %s: node %u has no memory for pages that were "
		          "taken away: clients that touch them end by SIGBUS; "
		          "free hugepages or memory there",
		          pool->name, pool->view.nodes[file].os_id);
	pool->refill_page = at + n;
	if (holes_count(pool, file, count) < 0)
		return false;
	pool->counts.refilled_bytes +=
		lack - count->due_bytes + count->held_bytes;
	return count->held_bytes < count->due_bytes && at + n < end;
}

/* Whether there is more. */
static bool mend_some(struct pool *pool)
{
	int64_t until_ns = clock_ns() + SLICE_NS;
	bool lost;
	int r = 0;
	if (pool->mend.list == 0)
		r = meta_mend_some(pool, until_ns, &lost);
	if (r == 0)
		r = lists_mend_some(pool, until_ns);
	if (r < 0)
		log_error("pool %s: there is no memory for them", pool->name);
	return r > 0;
}

/* First of all nobody new comes in. Whether there is more. */
static bool set_aside(struct pool *pool, const struct holes_count *count)
{
	if (!pool->mend.runs && pool->mend.list == 0)
		say(pool, pool->view.geo.n_nodes,
		    count->due_bytes - count->held_bytes,
		    "of its owner tags and lists were taken away");
	if (pool->head->aside == 0) {
		pool->head->aside = 1;
		log_error("pool %s: it is set aside, as nobody knows any "
		          "longer which objects are in use: its clients go "
		          "on, and no other may open it; end them and restart "
		          "slabd, which makes it anew",
		          pool->name);
	}
	return mend_some(pool);
}

/* ---- a look -------------------------------------------------------------- */

static bool look_at(struct pool *pool, unsigned file)
{
	struct holes_count count;
	bool more = false;
	/* Pages that are on their way are no holes, and no pages yet. */
	if (!is_shared(pool, file) && !work_is_free(pool, file))
		return false;
	if (!is_shared(pool, file) && purge_promises(pool, file))
		return true;
	if (holes_count(pool, file, &count) < 0 ||
	    count.held_bytes == count.due_bytes)
		return false;
	if (purge(pool, file, &count))
		return true;
	if (count.held_bytes < count.due_bytes) {
		more = is_shared(pool, file)
		               ? set_aside(pool, &count)
		               : refill_data(pool, file, &count);
	}
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (work_is_free(pool, node))
			backing_set_resident(&pool->backing, node,
			                     pool->pages.node[node].pages);
	if (!more)
		pool->refill_page = 0;
	return more;
}

bool holes_guard(struct pool *pool)
{
	unsigned shared = pool->view.geo.n_nodes;
	struct holes_count count;
	if (holes_count(pool, shared, &count) < 0 ||
	    count.held_bytes >= count.due_bytes)
		return true;
	return !look_at(pool, shared);
}

bool holes_look(struct pool *pool)
{
	bool more = false;
	for (unsigned file = 0; !more && file < holes_files(pool); file++)
		more = look_at(pool, file);
	note_suspects(pool);
	return more;
}
