/* SPDX-License-Identifier: MIT */
#include "numa/lack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define MIB (UINT64_C(1) << 20)
#define PATH_SHOWN 110u

/* What a node's file may still take, in bytes; of all nodes if they share what
 * there is. */
static uint64_t up_to_max(const struct backing *backing, unsigned ix)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < backing->n_nodes; i++) {
		const struct backing_node *node = &backing->node[i];
		uint64_t has = node->resident_pages
		               << backing_kind_shift(node->kind);
		if ((i == ix || backing->topo->simulated) &&
		    has < node->file_bytes)
			bytes += node->file_bytes - has;
	}
	return bytes;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void lack_of_pages(const struct backing *backing, unsigned ix,
                   const struct huge_counts *count, uint64_t want,
                   uint64_t claimed, int denied, struct backing_step *why)
{
	const char *size = backing_kind_page(why->kind);
	uint64_t spare =
		count->spare_pages > claimed ? count->spare_pages - claimed : 0;
	uint64_t all = up_to_max(backing, ix) >> backing_kind_shift(why->kind);
	char tail[64] = ", and we may not reserve more";
	why->lack = BACKING_LACK_PAGES;
	if (denied == -EAGAIN && backing->may_reserve)
		snprintf(tail, sizeof(tail),
		         ", and another slabd stands still while it has more");
	else if (denied < 0 && backing->may_reserve)
		snprintf(tail, sizeof(tail), ", and reserving more failed: %s",
		         strerrordesc_np(-denied));
	else if (backing->may_reserve)
		snprintf(tail, sizeof(tail), ", and the kernel found no more");
	snprintf(why->reason, sizeof(why->reason),
	         "node %u has %" PRIu64 " free %s hugepages and %" PRIu64
	         " %s wanted%s",
	         backing->topo->node[ix].os_id, spare, size, want,
	         want == 1 ? "is" : "are", tail);
	snprintf(why->remedy, sizeof(why->remedy),
	         "%secho %" PRIu64 " > %.130s",
	         backing->may_reserve && denied == 0
	                 ? "echo 1 > /proc/sys/vm/compact_memory; "
	                 : "",
	         count->total_pages - spare + larger(want, all), count->file);
}

void lack_of_growth(const struct backing *backing, unsigned ix,
                    const struct huge_counts *count, struct backing_step *why)
{
	unsigned shift = backing_kind_shift(why->kind);
	uint64_t free = count->spare_pages + count->loan_pages;
	uint64_t used = count->total_pages - count->spare_pages;
	why->lack = BACKING_LACK_PAGES;
	snprintf(why->reason, sizeof(why->reason),
	         "node %u has %" PRIu64 " free %s hugepages, beyond which a "
	         "pool of them could not grow, as we may not reserve more",
	         backing->topo->node[ix].os_id, free,
	         backing_kind_page(why->kind));
	snprintf(why->remedy, sizeof(why->remedy),
	         "echo %" PRIu64 " > %.130s, or lower max to %" PRIu64 "M",
	         used + (up_to_max(backing, ix) >> shift), count->file,
	         (free << shift) / MIB);
}

void lack_of_pool(int error, struct backing_step *why)
{
	const char *size = backing_kind_page(why->kind);
	why->lack = BACKING_LACK_KIND;
	if (error == -ENOENT)
		snprintf(why->reason, sizeof(why->reason),
		         "this kernel has no %s hugepages", size);
	else
		snprintf(why->reason, sizeof(why->reason),
		         "can't read how many %s hugepages there are: %s", size,
		         strerrordesc_np(-error));
}

void lack_of_memory(const struct backing *backing, unsigned ix, uint64_t room,
                    uint64_t want, struct backing_step *why)
{
	why->lack = BACKING_LACK_MEMORY;
	snprintf(why->reason, sizeof(why->reason),
	         "node %u has %" PRIu64 " MiB to give and %" PRIu64
	         " MiB are wanted",
	         backing->topo->node[ix].os_id, room / MIB, want / MIB);
}

/* The last part of the group's folder, cut to len. */
static const char *group_name(const char *file, int *len)
{
	const char *end = strrchr(file, '/');
	const char *at = end;
	while (at > file && at[-1] != '/')
		at--;
	*len = (int)(end - at < 60 ? end - at : 60);
	return at;
}

static const char *of_what(const char *file)
{
	return strstr(file, "/hugetlb.") != NULL ? " of hugepages" : "";
}

/* In MiB, rounded up to two or three digits that count. */
static uint64_t round_up(uint64_t bytes)
{
	uint64_t step = MIB;
	while (bytes / step > 128)
		step *= 2;
	return (bytes + step - 1) / step * (step / MIB);
}

/* Such a limit suffices for all that the file may take, with its metadata and
 * the reserve, which rises with the limit. */
static void say_limit(const char *file, uint64_t bytes, const char *tail,
                      struct backing_step *why)
{
	size_t n = strlen(file);
	snprintf(why->remedy, sizeof(why->remedy), "echo %" PRIu64 "M > %s%s%s",
	         round_up(bytes), n > PATH_SHOWN ? "..." : "",
	         file + (n > PATH_SHOWN ? n - PATH_SHOWN : 0), tail);
}

void lack_of_group(const struct backing *backing, unsigned ix,
                   const struct cgroup_room *group, unsigned eighths,
                   struct backing_step *why)
{
	const struct backing_node *node = &backing->node[ix];
	uint64_t has = node->resident_pages << backing_kind_shift(node->kind);
	uint64_t enough =
		group->used_bytes + up_to_max(backing, ix) / 8 * eighths;
	char tail[48] = "";
	int len;
	const char *name = group_name(group->file, &len);
	if (group->reserve_bytes > 0)
		enough += cgroup_reserve(enough + enough / 16);
	has += group->room_bytes / eighths * 8;
	why->lack = BACKING_LACK_GROUP;
	snprintf(why->reason, sizeof(why->reason),
	         "control group %.*s allows slabd %" PRIu64
	         " MiB%s, has %" PRIu64 " MiB in use and keeps %" PRIu64
	         " MiB back",
	         len, name, group->limit_bytes / MIB, of_what(group->file),
	         group->used_bytes / MIB, group->reserve_bytes / MIB);
	if (has >= 2 * MIB)
		snprintf(tail, sizeof(tail), ", or lower max to %" PRIu64 "M",
		         has / (2 * MIB) * 2);
	say_limit(group->file, enough, tail, why);
}

void lack_of_share(const struct backing *backing, unsigned ix,
                   const struct cgroup_room *group, struct backing_step *why)
{
	uint64_t bytes = backing->node[ix].file_bytes;
	int len;
	const char *name = group_name(group->least_file, &len);
	why->lack = BACKING_LACK_GROUP;
	snprintf(why->reason, sizeof(why->reason),
	         "max is %u %% of the %" PRIu64
	         " MiB%s that control group %.*s "
	         "allows slabd",
	         backing->max_percent, group->least_bytes / MIB,
	         of_what(group->least_file), len, name);
	say_limit(group->least_file, bytes / backing->max_percent * 100,
	          ", or give max in bytes", why);
}

void lack_unknown(const struct backing *backing, unsigned ix, int error,
                  uint64_t done, uint64_t want, struct backing_step *why)
{
	why->lack = BACKING_LACK_UNKNOWN;
	snprintf(why->reason, sizeof(why->reason),
	         "node %u gave only %" PRIu64 " of %" PRIu64 " pages: %s",
	         backing->topo->node[ix].os_id, done, want,
	         strerrordesc_np(-error));
}

static bool is_limited(int resource)
{
	struct rlimit limit;
	return getrlimit((__rlimit_resource_t)resource, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

void lack_of_limit(int error, const char *what, char *text, size_t bytes)
{
	const char *tail = "";
	if (error == -EFBIG && is_limited(RLIMIT_FSIZE))
		tail = ": lift RLIMIT_FSIZE (ulimit -f unlimited, "
		       "LimitFSIZE=infinity)";
	else if (error == -ENOMEM && is_limited(RLIMIT_AS))
		tail = ": lift RLIMIT_AS (ulimit -v unlimited, "
		       "LimitAS=infinity), or lower max";
	else if (error == -EMFILE)
		tail = ": raise LimitNOFILE (or ulimit -n: RLIMIT_NOFILE)";
	snprintf(text, bytes, "%s: %s%s", what, strerrordesc_np(-error), tail);
}
