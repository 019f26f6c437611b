/* SPDX-License-Identifier: MIT */
#include "numa/reserve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/cgroup.h"
#include "numa/huge.h"
#include "numa/lack.h"
#include "numa/meminfo.h"
#include "numa/tick.h"

/* Others may take what we reserved before we fault it in. */
#define RESERVE_TRIES 3
#define REST_FACTOR 10
/* Taken at most between two looks at control groups, and for how long. */
#define CREDIT_BYTES (UINT64_C(32) << 20)
#define CREDIT_NS INT64_C(50000000)

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

/* ---- the journal --------------------------------------------------------- */

/* The count is about to move by n pages at most. */
static void journal_begin(struct backing *backing, unsigned ix,
                         enum backing_kind kind, uint64_t n)
{
	struct backing_journal *journal = backing->journal;
	struct huge_counts now;
	if (journal == NULL ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, ix),
	               backing_kind_shift(kind), &now) < 0)
		return;
	journal[ix].kind = kind;
	journal[ix].before_pages = backing->node[ix].reserved_pages;
	journal[ix].base_pages = now.total_pages;
	journal[ix].change_pages = n;
}

static void journal_end(struct backing *backing, unsigned ix)
{
	struct backing_journal *journal = backing->journal;
	if (journal == NULL)
		return;
	journal[ix].reserved_pages = backing->node[ix].reserved_pages;
	journal[ix].change_pages = 0;
}

/* What before_pages came to when the count went from base to total. */
static uint64_t moved(uint64_t before, uint64_t base, uint64_t total,
                      uint64_t most)
{
	uint64_t by = total > base ? total - base : base - total;
	by = by < most ? by : most;
	if (total > base)
		return before + by;
	return before > by ? before - by : 0;
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
			moved(journal->before_pages, journal->base_pages,
		              now.total_pages, journal->change_pages);
	journal->change_pages = 0;
	return journal->reserved_pages;
}

/* ---- hugepages ---------------------------------------------------------- */

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
	journal_begin(backing, ix, kind, n);
	r = huge_reserve(backing->sysfs, reserve_pool_node(backing, ix),
	                 backing_kind_shift(kind), n, got);
	node->reserved_pages += *got;
	journal_end(backing, ix);
	if (*got < n) {
		int64_t now = tick_ns();
		node->rest_until_ns = now + (now - began) * REST_FACTOR;
		node->rest_error = r;
	}
	return r;
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
		if (reserve_out_of_files(denied))
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

/* The hugepages of a node whose own file has none may be under another's. */
static enum backing_kind huge_kind(const struct backing_node *node)
{
	return node->kind == BACKING_1G ? BACKING_1G : BACKING_2M;
}

void reserve_give_back(struct backing *backing, unsigned ix, uint64_t n)
{
	struct backing_node *node = &backing->node[ix];
	uint64_t gone = 0;
	if (n > node->reserved_pages)
		n = node->reserved_pages;
	if (n == 0)
		return;
	journal_begin(backing, ix, huge_kind(node), n);
	(void)huge_release(backing->sysfs, reserve_pool_node(backing, ix),
	                   backing_kind_shift(node->kind), n, &gone);
	node->reserved_pages -= gone;
	node->seen_pages -= gone < node->seen_pages ? gone : node->seen_pages;
	journal_end(backing, ix);
}

void reserve_trim(struct backing *backing, unsigned ix)
{
	const struct backing_node *node = &backing->node[ix];
	if (node->reserved_pages > node->resident_pages)
		reserve_give_back(backing, ix,
		                node->reserved_pages - node->resident_pages);
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
	       left.total_pages < backing->node[from].reserved_pages &&
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

void reserve_settle(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	reserve_give_back(backing, ix, node->reserved_pages);
	/* The rest is in use: by a client that has the file mapped still, or
	 * by whoever took it from us. */
	if (node->reserved_pages > 0)
		(void)huge_owe(backing->sysfs, reserve_pool_node(backing, ix),
		               backing_kind_shift(node->kind),
		               node->reserved_pages);
	node->reserved_pages = 0;
	journal_end(backing, ix);
}

void reserve_drop(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	if (node->fd < 0)
		return;
	close(node->fd);
	node->fd = -1;
	node->ready_pages = 0;
	node->resident_pages = 0;
	reserve_settle(backing, ix);
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

static void look_at_groups(const struct backing *backing,
                           enum backing_kind kind, struct cgroup_room *group)
{
	cgroup_look(backing->proc,
	            kind == BACKING_1G   ? CGROUP_HUGE_1G
	            : kind == BACKING_2M ? CGROUP_HUGE_2M
	                                 : CGROUP_MEMORY,
	            group);
}

/* How much of memory whose metadata is an eighth of it at the most can be had
 * while that many eighths of it are charged to a group, and others are about to
 * take the claimed bytes. */
static uint64_t room_for(const struct cgroup_room *group, unsigned eighths,
                         uint64_t claimed)
{
	uint64_t room = group->room_bytes / eighths * 8;
	if (group->room_bytes == UINT64_MAX)
		return UINT64_MAX;
	return room > claimed ? room - claimed : 0;
}

/* The share of the lowest limit that the node may have, at least a page; 0:
 * any. */
static uint64_t share_of(const struct backing *backing, unsigned shift,
                         const struct cgroup_room *group)
{
	uint64_t page = UINT64_C(1) << shift;
	uint64_t bytes = group->least_bytes / 100 * backing->max_percent +
	                 group->least_bytes % 100 * backing->max_percent / 100;
	if (group->least_bytes == UINT64_MAX || backing->max_percent == 0)
		return 0;
	return bytes > page ? bytes & ~(page - 1) : page;
}

/* What is left of the share. */
static uint64_t left_of_share(struct backing_node *node, unsigned shift)
{
	uint64_t has = node->resident_pages << shift;
	if (node->most_bytes == 0)
		return UINT64_MAX;
	return node->most_bytes > has ? node->most_bytes - has : 0;
}

/* What the groups leave for pages of that kind; and of hugepages, which are not
 * charged as memory, for their metadata. why says which leaves least if that is
 * less than wanted. */
static uint64_t room_in_groups(struct backing *backing, unsigned ix,
                               uint64_t want_bytes, uint64_t claimed,
                               struct backing_step *why)
{
	bool is_huge = backing_kind_is_hugetlb(why->kind);
	unsigned eighths = is_huge ? 8 : 9;
	struct backing_node *node = &backing->node[ix];
	struct cgroup_room group;
	uint64_t room;
	uint64_t left;
	look_at_groups(backing, why->kind, &group);
	room = room_for(&group, eighths, claimed);
	node->most_bytes =
		share_of(backing, backing_kind_shift(why->kind), &group);
	left = left_of_share(node, backing_kind_shift(why->kind));
	if (room < want_bytes)
		lack_of_group(backing, ix, &group, eighths, why);
	else if (left < want_bytes)
		lack_of_share(backing, ix, &group, why);
	room = room < left ? room : left;
	if (!is_huge || room < want_bytes)
		return room;
	cgroup_look(backing->proc, CGROUP_MEMORY, &group);
	left = room_for(&group, 1, claimed);
	if (left < want_bytes)
		lack_of_group(backing, ix, &group, 1, why);
	return room < left ? room : left;
}

uint64_t reserve_within_groups(struct backing *backing, unsigned ix,
                               uint64_t want, uint64_t claimed,
                               struct backing_step *why)
{
	struct backing_node *node = &backing->node[ix];
	unsigned shift = backing_kind_shift(why->kind);
	uint64_t bytes = want << shift;
	uint64_t room;
	if (want > 0 && bytes <= node->credit_bytes &&
	    tick_ns() < node->credit_until_ns) {
		node->credit_bytes -= bytes;
		return want;
	}
	room = room_in_groups(backing, ix, bytes, claimed, why);
	node->credit_bytes = 0;
	if (bytes > room)
		return room >> shift;
	/* So much of the rest may be taken without another look. */
	room = (room - bytes) / 4 / backing->n_nodes;
	node->credit_bytes = room < CREDIT_BYTES ? room : CREDIT_BYTES;
	node->credit_until_ns = tick_ns() + CREDIT_NS;
	return want;
}

void reserve_explain(struct backing *backing, unsigned ix, int error,
                   uint64_t done, uint64_t want, struct backing_step *why)
{
	backing->node[ix].credit_bytes = 0;
	if (error == -ENOSPC || error == -ENOMEM)
		(void)reserve_within_groups(backing, ix, want - done, 0, why);
	if (*why->reason)
		return;
	if (backing_kind_is_hugetlb(why->kind) && error == -ENOSPC &&
	    reserve_secure(backing, ix, want - done, 0, why) == RESERVE_E_LACK)
		return;
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
	int r = 0;
	for (unsigned tries = 0; tries < RESERVE_TRIES; tries++) {
		uint64_t left = order->n_pages - base.done_pages;
		uint64_t more = 0;
		r = memfile_fill(&file, order->first + base.done_pages, left,
		                  &more, add_base, &base);
		base.done_pages += more;
		if (r != -ENOSPC || !backing->may_reserve)
			break;
		if (reserve_secure(backing, order->node_ix, left - more, 0,
		                 &why) != 0)
			break;
	}
	*done = base.done_pages;
	return r;
}
