/* SPDX-License-Identifier: MIT */
/* What the limits of control groups leave. */
#include "numa/cgroup.h"
#include "numa/lack.h"
#include "numa/reserve.h"
#include "numa/tick.h"

/* Taken at most between two looks at control groups, and for how long. */
#define CREDIT_BYTES (UINT64_C(32) << 20)
#define CREDIT_NS INT64_C(50000000)

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
