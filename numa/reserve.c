/* SPDX-License-Identifier: MIT */
#include "numa/reserve.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/lack.h"
#include "numa/memfile.h"
#include "numa/meminfo.h"
#include "numa/tick.h"

/* Others may take what we reserved before we fault it in. */
#define RESERVE_TRIES 3
#define REST_FACTOR 10
/* No change of another slabd's lasts so long: it stands still. */
#define BUSY_NS INT64_C(5000000000)

bool reserve_out_of_files(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

/* Nodes of a simulated topology are none of the kernel's. */
unsigned reserve_pool_node(const struct backing *backing, unsigned ix)
{
	const struct topo *topo = backing->topo;
	return topo->simulated ? HUGE_ANY_NODE : topo->node[ix].os_id;
}

struct memfile reserve_file(const struct backing *backing, unsigned file_ix,
                           unsigned node_ix)
{
	const struct backing_node *node = &backing->node[file_ix];
	struct memfile file = {
		.fd = node->fd,
		.kind = node->kind,
		.page_shift = backing_kind_shift(node->kind),
		.stopped = backing->stopped,
		.os_node =
			node->bound
				? (int)backing->topo->node[node_ix].os_id
				: MEMFILE_UNBOUND,
	};
	return file;
}

/* The hugepages of a node whose own file has none may be under another's. */
static enum backing_kind huge_kind(const struct backing_node *node)
{
	return node->kind == BACKING_1G ? BACKING_1G : BACKING_2M;
}

/* ---- the journal --------------------------------------------------------- */

/* Of this process's threads one at a time changes the machine's counts: a journal
 * tells its change by what they were before. */
static pthread_mutex_t counts = PTHREAD_MUTEX_INITIALIZER;

/* False: a thread that others wait for would have to wait. */
static bool counts_take(const struct backing *backing)
{
	if (hugepool_is_hurried() && !backing->is_copy)
		return pthread_mutex_trylock(&counts) == 0;
	return pthread_mutex_lock(&counts) == 0;
}

/* The count of what lasts is about to move by n pages at most, towards is 0 or
 * BACKING_JOURNAL_DOWN. */
static void journal_begin(struct backing *backing, unsigned ix,
                          enum backing_kind kind, uint64_t n, uint64_t towards)
{
	struct backing_journal *journal = backing->journal;
	struct huge_counts now;
	if (journal == NULL ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	               backing_kind_shift(kind), &now) < 0)
		return;
	journal[ix].kind = kind;
	journal[ix].before_pages = backing->node[ix].reserved_pages;
	journal[ix].base_pages = hugepool_lasting(&now);
	journal[ix].change_pages =
		towards | (towards == 0 ? n + now.surplus_pages : n);
}

static void journal_end(struct backing *backing, unsigned ix)
{
	struct backing_journal *journal = backing->journal;
	if (journal == NULL)
		return;
	journal[ix].reserved_pages = backing->node[ix].reserved_pages;
	journal[ix].change_pages = 0;
	/* No change is under way: what lasts now, for reserve_last_seen. */
	journal[ix].base_pages += journal[ix].reserved_pages -
	                          journal[ix].before_pages;
	journal[ix].before_pages = journal[ix].reserved_pages;
}

/*
 * What before_pages came to, of which lasting are there now. Others may have
 * changed the count too: then it is never more than what they left us, and what
 * was on its way down counts as gone, so that nothing of theirs is given back.
 */
static uint64_t moved(const struct backing_journal *journal, uint64_t lasting)
{
	uint64_t before = journal->before_pages;
	uint64_t base = journal->base_pages;
	uint64_t most = journal->change_pages & ~BACKING_JOURNAL_DOWN;
	if ((journal->change_pages & BACKING_JOURNAL_DOWN) == 0)
		return before + (lasting > base
		                         ? hugepool_less(lasting - base, most)
		                         : 0);
	if (lasting <= base)
		most = hugepool_less(base - lasting, most);
	return before - hugepool_less(most, before);
}

uint64_t reserve_last_seen(const struct backing *backing, unsigned ix)
{
	const struct backing_journal *journal = &backing->journal[ix];
	return journal->change_pages == 0 &&
	                       journal->before_pages == journal->reserved_pages
	               ? journal->base_pages
	               : 0;
}

uint64_t reserve_recall(const struct backing *backing, unsigned ix)
{
	struct backing_journal *journal = &backing->journal[ix];
	enum backing_kind kind = (enum backing_kind)journal->kind;
	struct huge_counts now;
	if (journal->change_pages != 0 && backing_kind_is_hugetlb(kind) &&
	    huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	               backing_kind_shift(kind), &now) == 0)
		journal->reserved_pages =
			moved(journal, hugepool_lasting(&now));
	journal->change_pages = 0;
	return journal->reserved_pages;
}

/* ---- hugepages ---------------------------------------------------------- */

static int add_pages(struct backing *backing, unsigned ix,
                     enum backing_kind kind, uint64_t n, uint64_t *got)
{
	struct backing_node *node = &backing->node[ix];
	int r;
	if (!counts_take(backing))
		return -EAGAIN;
	journal_begin(backing, ix, kind, n, 0);
	r = huge_reserve(backing->sysfs, reserve_pool_node(backing, ix),
	                 backing_kind_shift(kind), n, got);
	node->reserved_pages += *got;
	if (*got > n)
		node->kept_pages += *got - n;
	journal_end(backing, ix);
	pthread_mutex_unlock(&counts);
	return r;
}

/* Asks the kernel for n more. Where memory is in pieces it may search long, and
 * in vain: then it is left alone for REST_FACTOR times as long. */
static int reserve(struct backing *backing, unsigned ix, enum backing_kind kind,
                   uint64_t n, uint64_t *got)
{
	struct backing_node *node = &backing->node[ix];
	int64_t began = tick_ns();
	int r;
	*got = 0;
	if (began < node->rest_until_ns)
		return node->rest_error;
	r = add_pages(backing, ix, kind, n, got);
	/* Another slabd is at it: not the kernel's answer. */
	if (r == -EAGAIN) {
		if (node->busy_since_ns == 0)
			node->busy_since_ns = began;
		return r;
	}
	node->busy_since_ns = 0;
	if (*got < n) {
		int64_t now = tick_ns();
		node->rest_until_ns = now + (now - began) * REST_FACTOR;
		node->rest_error = r;
	}
	return r;
}

/* Another slabd changes counts, and is about to be done with that. */
static bool is_busy(const struct backing_node *node, int error)
{
	return error == -EAGAIN && tick_ns() - node->busy_since_ns < BUSY_NS;
}

static int secure(struct backing *backing, unsigned ix, uint64_t want,
                  uint64_t claimed, bool loans, struct backing_step *why)
{
	unsigned os_node = reserve_pool_node(backing, ix);
	unsigned shift = backing_kind_shift(why->kind);
	struct huge_counts first = {0};
	struct huge_counts now;
	int denied = 0;
	for (unsigned tries = 0;; tries++) {
		uint64_t lack;
		uint64_t got = 0;
		int r = huge_count(backing->sysfs, os_node, shift, &now);
		if (reserve_out_of_files(r))
			return r;
		if (r < 0) {
			lack_of_pool(r, why);
			return RESERVE_E_LACK;
		}
		backing->node[ix].seen_pages = now.total_pages;
		if (tries == 0)
			first = now;
		if (now.spare_pages >= claimed + want)
			return 0;
		if (!backing->may_reserve || tries == RESERVE_TRIES)
			break;
		lack = claimed + want - now.spare_pages;
		denied = reserve(backing, ix, why->kind, lack, &got);
		if (reserve_out_of_files(denied) ||
		    is_busy(&backing->node[ix], denied))
			return denied;
		/* If all came, somebody may yet have been faster to them. */
		if (got < lack)
			tries = RESERVE_TRIES - 1;
	}
	if (loans && now.spare_pages + now.loan_pages >= claimed + want)
		return 0;
	lack_of_pages(backing, ix, &first, want, claimed, denied, why);
	return RESERVE_E_LACK;
}

int reserve_secure(struct backing *backing, unsigned ix, uint64_t want,
                 uint64_t claimed, struct backing_step *why)
{
	return secure(backing, ix, want, claimed, true, why);
}

int reserve_secure_move(struct backing *backing, unsigned ix,
                      struct backing_step *why)
{
	if (backing_kind_is_hugetlb(why->kind))
		return secure(backing, ix, 1, 0, false, why);
	return reserve_check_room(backing, ix,
	                          UINT64_C(1) << backing->page_shift, why);
}

void reserve_mind(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	struct huge_counts now;
	uint64_t lasting;
	if (node->reserved_pages == 0 || backing->topo->simulated ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	               backing_kind_shift(huge_kind(node)), &now) < 0)
		return;
	lasting = hugepool_lasting(&now);
	if (now.surplus_pages == 0 || lasting >= node->reserved_pages)
		return;
	node->reserved_pages = lasting;
	journal_end(backing, ix);
}

/* Makes up to n of those that we added pages that go when they are freed. */
static int owe(struct backing *backing, unsigned ix, uint64_t n)
{
	struct backing_node *node = &backing->node[ix];
	int r;
	n = hugepool_less(n, node->reserved_pages);
	if (n == 0)
		return 0;
	if (!counts_take(backing))
		return -EAGAIN;
	journal_begin(backing, ix, huge_kind(node), n, BACKING_JOURNAL_DOWN);
	r = huge_owe(backing->sysfs, reserve_pool_node(backing, ix),
	             backing_kind_shift(huge_kind(node)), n);
	if (r == 0)
		node->reserved_pages -= n;
	journal_end(backing, ix);
	pthread_mutex_unlock(&counts);
	return r;
}

static uint64_t spare_of(const struct backing *backing, unsigned ix)
{
	struct huge_counts now;
	return huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	                  backing_kind_shift(
				  huge_kind(&backing->node[ix])),
	                  &now) < 0
	               ? 0
	               : now.spare_pages;
}

void reserve_give_back(struct backing *backing, unsigned ix, uint64_t n)
{
	struct backing_node *node = &backing->node[ix];
	uint64_t gone = 0;
	int r;
	reserve_mind(backing, ix);
	n = hugepool_less(n + node->late_pages, node->reserved_pages);
	node->late_pages = 0;
	if (n == 0)
		return;
	if (!counts_take(backing)) {
		node->late_pages = n;
		return;
	}
	journal_begin(backing, ix, huge_kind(node), n, BACKING_JOURNAL_DOWN);
	r = huge_release(backing->sysfs, reserve_pool_node(backing, ix),
	                 backing_kind_shift(node->kind), n, &gone);
	if (r == -EAGAIN)
		node->late_pages = n;
	node->reserved_pages -= gone;
	node->seen_pages -= gone < node->seen_pages ? gone : node->seen_pages;
	journal_end(backing, ix);
	pthread_mutex_unlock(&counts);
}

void reserve_trim(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	if (owe(backing, ix, node->kept_pages) != -EAGAIN)
		node->kept_pages = 0;
	if (node->reserved_pages > node->resident_pages)
		reserve_give_back(backing, ix,
		                node->reserved_pages - node->resident_pages);
}

bool reserve_late(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	if (node->late_pages > 0)
		reserve_give_back(backing, ix, 0);
	if (node->kept_pages > 0)
		reserve_trim(backing, ix);
	return node->late_pages == 0 && node->kept_pages == 0;
}

void reserve_shift(struct backing *backing, unsigned from, unsigned to)
{
	if (backing->node[from].reserved_pages == 0)
		return;
	backing->node[from].reserved_pages--;
	backing->node[from].seen_pages -= backing->node[from].seen_pages > 0;
	journal_end(backing, from);
	backing->node[to].reserved_pages++;
	backing->node[to].seen_pages++;
	journal_end(backing, to);
}

bool reserve_has_shifted(const struct backing *backing, unsigned from,
                         unsigned to, enum backing_kind kind)
{
	unsigned shift = backing_kind_shift(kind);
	struct huge_counts left;
	struct huge_counts now;
	return backing_kind_is_hugetlb(kind) &&
	       huge_count(backing->sysfs, reserve_pool_node(backing, from),
	                  shift, &left) == 0 &&
	       huge_count(backing->sysfs, reserve_pool_node(backing, to), shift,
	                  &now) == 0 &&
	       (left.total_pages < backing->node[from].reserved_pages ||
	        left.total_pages < backing->node[from].seen_pages) &&
	       backing->node[to].seen_pages > 0 &&
	       now.total_pages > backing->node[to].seen_pages &&
	       now.spare_pages == 0;
}

uint64_t reserve_lasting(const struct backing *backing, unsigned ix,
                       enum backing_kind kind)
{
	struct huge_counts now;
	if (!backing_kind_is_hugetlb(kind) ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	               backing_kind_shift(kind), &now) < 0)
		return 0;
	/* Read one after the other, while others change them. */
	return now.total_pages > now.surplus_pages
	               ? now.total_pages - now.surplus_pages
	               : 0;
}

void reserve_settle(struct backing *backing, unsigned ix, uint64_t freed)
{
	struct backing_node *node = &backing->node[ix];
	reserve_give_back(backing, ix, freed);
	/* The rest is in use, by a client or by whoever took it from us. The
	 * kernel would take free pages first, and those are of others. */
	if (node->reserved_pages > 0 && spare_of(backing, ix) == 0)
		(void)owe(backing, ix, node->reserved_pages);
}

void reserve_drop_all(struct backing *backing, unsigned first, unsigned n)
{
	uint64_t spare[TOPO_NODES_MAX] = {0};
	for (unsigned i = first; i < first + n; i++) {
		const struct backing_node *node = &backing->node[i];
		/* What is in none of our files is free, or others took it. */
		reserve_trim(backing, i);
		if (node->reserved_pages > node->resident_pages)
			(void)owe(backing, i,
			          node->reserved_pages - node->resident_pages);
	}
	/* Simulated nodes share one pool: it is looked at when all are trimmed. */
	for (unsigned i = first; i < first + n; i++)
		spare[i] = spare_of(backing, i);
	/* A file has pages of other nodes too. */
	for (unsigned i = first; i < first + n; i++) {
		struct backing_node *node = &backing->node[i];
		if (backing->unused)
			(void)memfile_empty(node->fd, backing->emptied);
		if (node->fd >= 0)
			close(node->fd);
		node->fd = -1;
		node->ready_pages = 0;
		node->resident_pages = 0;
	}
	for (unsigned i = first; i < first + n; i++) {
		uint64_t now = spare_of(backing, i);
		if (backing->node[i].reserved_pages == 0)
			continue;
		reserve_settle(backing, i, now > spare[i] ? now - spare[i] : 0);
	}
}

int reserve_check_room(const struct backing *backing, unsigned ix,
                       uint64_t bytes, struct backing_step *why)
{
	uint64_t room =
		meminfo_bytes(backing->sysfs, reserve_pool_node(backing, ix));
	if (bytes <= room)
		return 0;
	lack_of_memory(backing, ix, room, bytes, why);
	return RESERVE_E_LACK;
}

void reserve_explain(struct backing *backing, unsigned ix, int error,
                   uint64_t done, uint64_t want, struct backing_step *why)
{
	backing->node[ix].credit_bytes = 0;
	if (error == -EAGAIN)
		return;
	if (error == -ENOSPC || error == -ENOMEM)
		(void)reserve_within_groups(backing, ix, want - done, 0, why);
	if (*why->reason)
		return;
	if (backing_kind_is_hugetlb(why->kind) && error == -ENOSPC) {
		int r = reserve_secure(backing, ix, want - done, 0, why);
		if (r == RESERVE_E_LACK || r == -EAGAIN)
			return;
	}
	lack_unknown(backing, ix, error, done, want, why);
}

struct base {
	const struct reserve_order *order;
	uint64_t done_pages; /* by the tries before */
};

static void add_base(void *arg, uint64_t done_pages)
{
	struct base *base = arg;
	const struct reserve_order *order = base->order;
	if (order->progress)
		order->progress(order->arg, base->done_pages + done_pages);
}

int reserve_fill(struct backing *backing, const struct reserve_order *order,
               uint64_t *done)
{
	struct memfile file =
		reserve_file(backing, order->file_ix, order->node_ix);
	struct backing_step why = {.kind = file.kind};
	struct base base = {.order = order};
	int secured;
	int r = 0;
	for (unsigned tries = 0; tries < RESERVE_TRIES; tries++) {
		uint64_t left = order->n_pages - base.done_pages;
		uint64_t more = 0;
		r = memfile_fill(&file, order->first + base.done_pages, left,
		                  &more, add_base, &base);
		base.done_pages += more;
		if (r != -ENOSPC || !backing->may_reserve)
			break;
		secured = reserve_secure(backing, order->node_ix, left - more,
		                         0, &why);
		if (secured == -EAGAIN)
			r = secured;
		if (secured != 0)
			break;
	}
	*done = base.done_pages;
	return r;
}
