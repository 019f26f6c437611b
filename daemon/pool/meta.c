/* SPDX-License-Identifier: MIT */
#include "daemon/pool/meta.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "numa/cgroup.h"
#include "numa/memfile.h"

#define SAY_AGAIN_NS (60 * CLOCK_S)
#define IDS_AHEAD 128u /* whose rows are ready, if they take no more than this */
#define IDS_BYTES (UINT64_C(64) << 10)
#define STEP_MIN 1024u         /* tag lines, faulted in at a time: 64 KiB */
#define STEP_MAX (16u * 1024u) /* 1 MiB */
#define MEND_BYTES (UINT64_C(1) << 16) /* faulted in again, at a time */

static uint64_t round_up(const struct pool *pool, uint64_t bytes)
{
	return layout_round_up(&pool->view.geo, bytes);
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t touched_bytes(const struct pool *pool)
{
	return pool->view.geo.touched_words * sizeof(uint64_t);
}

static uint64_t stats_end(const struct pool *pool, uint64_t id)
{
	const uint64_t row = STATS_WORDS * sizeof(uint64_t);
	return round_up(pool, pool->view.geo.stats_off + (id + 1) * row);
}

static uint64_t touched_end(const struct pool *pool, uint64_t id)
{
	return round_up(pool, pool->view.geo.touched_off +
	                              (id + 1) * touched_bytes(pool));
}

/* The highest id whose rows are ready. */
static uint32_t ready_id(const struct pool *pool)
{
	uint32_t top_id = pool->view.head->top_id;
	return pool->ready_id > top_id ? pool->ready_id : top_id;
}

/* Of tags, or of generations. */
static uint64_t lines_end(const struct pool *pool, uint64_t off,
                          uint64_t n_lines)
{
	return round_up(pool, off + n_lines * LINE_BYTES);
}

struct meta_range meta_range(const struct pool *pool, enum meta_part part)
{
	const struct layout_geometry *geo = &pool->view.geo;
	const struct layout_head *head = pool->view.head;
	switch (part) {
	case META_FIXED:
		return (struct meta_range){0, geo->stats_off, geo->stats_off};
	case META_STATS:
		return (struct meta_range){geo->stats_off,
		                           stats_end(pool, ready_id(pool)),
		                           geo->touched_off};
	case META_TOUCHED:
		return (struct meta_range){geo->touched_off,
		                           touched_end(pool, ready_id(pool)),
		                           geo->lists_off};
	case META_TAGS:
		return (struct meta_range){
			geo->tags_off,
			lines_end(pool, geo->tags_off, head->ready_lines),
			geo->gens_off};
	case META_GENS:
	case META_PARTS:
		break;
	}
	return (struct meta_range){geo->gens_off,
	                           lines_end(pool, geo->gens_off, head->ready_lines),
	                           geo->shared_bytes};
}

/* Whether slabd's control groups leave that much. Metadata comes before data, and
 * may have a half of the reserve. */
bool meta_may(struct pool *pool, uint64_t bytes)
{
	struct cgroup_room group;
	int64_t now_ns = clock_ns();
	cgroup_look(pool->backing.proc, CGROUP_MEMORY, &group);
	if (group.room_bytes == UINT64_MAX ||
	    bytes + group.reserve_bytes / 2 <=
	            group.limit_bytes - min(group.used_bytes,
	                                    group.limit_bytes))
		return true;
	if (pool->meta_said_ns == 0 ||
	    now_ns - pool->meta_said_ns > SAY_AGAIN_NS)
		log_warn("pool %s: no memory for %llu KiB more of metadata: "
		         "%s is %llu MiB, of which %llu MiB are in use; raise "
		         "it, or lower max",
		         pool->name, (unsigned long long)bytes >> 10,
		         group.file, (unsigned long long)group.limit_bytes >> 20,
		         (unsigned long long)group.used_bytes >> 20);
	pool->meta_said_ns = now_ns;
	return false;
}

int meta_hold(struct pool *pool, uint64_t from, uint64_t bytes)
{
	uint64_t end = round_up(pool, from + bytes);
	from -= from % pool->view.geo.small_bytes;
	return memfile_hold(pool->shared_fd, (char *)pool->shared + from, from,
	                    end - from);
}

int meta_need(struct pool *pool, uint64_t from, uint64_t bytes)
{
	if (!work_is_free(pool, WORK_SHARED))
		return -EAGAIN;
	return meta_may(pool, round_up(pool, bytes))
	               ? meta_hold(pool, from, bytes)
	               : -ENOMEM;
}

/* Lines of a table from one on to before another. */
static int need_lines(struct pool *pool, uint64_t off, uint64_t from,
                      uint64_t to)
{
	uint64_t at = lines_end(pool, off, from);
	return meta_need(pool, at, lines_end(pool, off, to) - at);
}

int meta_need_lines(struct pool *pool, uint64_t end)
{
	uint64_t all = pool->view.geo.n_units * LINES_PER_UNIT;
	uint64_t ready = pool->head->ready_lines;
	uint64_t step = ready / 8;
	int r;
	/* Clients ask for as many as a slab has at the most. */
	end = min(end + LINES_PER_UNIT, all);
	if (end <= ready)
		return 0;
	step = step < STEP_MIN ? STEP_MIN : min(step, STEP_MAX);
	end = min(end + step, all);
	r = need_lines(pool, pool->view.geo.tags_off, ready, end);
	if (r == 0)
		r = need_lines(pool, pool->view.geo.gens_off, ready, end);
	if (r == 0)
		atom_store(&pool->head->ready_lines, end);
	return r;
}

/* Rows up to an id. 0 or -errno. */
static int need_ids(struct pool *pool, uint32_t id)
{
	uint32_t was = ready_id(pool);
	uint64_t stats = stats_end(pool, was);
	uint64_t touched = touched_end(pool, was);
	int r = 0;
	if (stats_end(pool, id) > stats)
		r = meta_need(pool, stats, stats_end(pool, id) - stats);
	if (r == 0 && touched_end(pool, id) > touched)
		r = meta_need(pool, touched, touched_end(pool, id) - touched);
	if (r == 0)
		pool->ready_id = id;
	return r;
}

/* As many as their notes of where they have been leave. */
static uint32_t ids_ahead(const struct pool *pool)
{
	uint64_t n = IDS_BYTES / touched_bytes(pool);
	return (uint32_t)(n > IDS_AHEAD ? IDS_AHEAD : n);
}

void meta_ready_ids(struct pool *pool, uint32_t id)
{
	uint32_t ahead = ids_ahead(pool);
	uint32_t want = (uint32_t)min(id + (uint64_t)ahead, CLIENT_ID_MAX);
	if (id + ahead / 2 > ready_id(pool) && want > ready_id(pool))
		(void)need_ids(pool, want);
}

uint32_t meta_ids(const struct pool *pool)
{
	return work_at(pool, WORK_SHARED) != NULL ? ready_id(pool)
	                                          : CLIENT_ID_MAX;
}

int meta_make(struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	int r = memfile_hold(pool->control_fd, pool->head, 0, geo->words_off);
	if (r == 0)
		r = meta_need(pool, 0, geo->stats_off);
	if (r == 0)
		r = meta_need(pool, geo->stats_off, 1);
	if (r == 0)
		r = meta_need(pool, geo->touched_off,
		              touched_end(pool, 0) - geo->touched_off);
	if (r == 0)
		r = need_ids(pool, ids_ahead(pool));
	return r == 0 ? meta_need_lines(pool, 0) : r;
}

/* The first hole of a part at or after an offset, and where it ends; false: there
 * is none. */
static bool next_hole(const struct pool *pool, const struct meta_range *range,
                      uint64_t at, uint64_t *hole, uint64_t *end)
{
	off_t from = lseek(pool->shared_fd, (off_t)at, SEEK_HOLE);
	off_t to;
	if (from < 0 || (uint64_t)from >= range->ready)
		return false;
	to = lseek(pool->shared_fd, from, SEEK_DATA);
	*hole = (uint64_t)from;
	*end = to < 0 ? range->ready : min((uint64_t)to, range->ready);
	return true;
}

/* Tags that are gone say of no object that it is free, so that nobody gets what
 * may be in use: those slabs are out of use for good. 1: there was no time for all
 * of the part. */
static int mend(struct pool *pool, enum meta_part part, struct meta_range range,
                int64_t until_ns, bool *lost)
{
	uint64_t *end = &pool->mend.at;
	uint64_t hole;
	*end = *end > range.from ? *end : range.from;
	while (next_hole(pool, &range, *end, &hole, end)) {
		int r;
		*end = min(*end, hole + MEND_BYTES);
		*lost |= part == META_TAGS || part == META_FIXED;
		r = meta_hold(pool, hole, *end - hole);
		if (r < 0)
			return r;
		if (part == META_TAGS)
			memset((char *)pool->shared + hole, 0xff, *end - hole);
		if (clock_ns() >= until_ns)
			return 1;
	}
	return 0;
}

int meta_mend_some(struct pool *pool, const struct meta_range *range,
                   int64_t until_ns, bool *lost)
{
	int r = 0;
	*lost = false;
	if (!pool->mend.runs)
		pool->mend.part = META_PARTS;
	pool->mend.runs = true;
	while (r == 0 && pool->mend.part > 0) {
		unsigned part = pool->mend.part - 1;
		r = mend(pool, part, range[part], until_ns, lost);
		if (r == 0) {
			pool->mend.part--;
			pool->mend.at = 0;
		}
	}
	if (r <= 0) {
		pool->mend.runs = false;
		pool->mend.at = 0;
	}
	return r;
}

void meta_ranges(const struct pool *pool, struct meta_range range[META_PARTS])
{
	for (unsigned part = 0; part < META_PARTS; part++)
		range[part] = meta_range(pool, part);
}

int meta_mend(struct pool *pool, bool *lost)
{
	struct meta_range range[META_PARTS];
	meta_ranges(pool, range);
	return meta_mend_some(pool, range, INT64_MAX, lost);
}

uint64_t meta_due(const struct pool *pool)
{
	uint64_t due = 0;
	for (unsigned part = 0; part < META_PARTS; part++) {
		struct meta_range range = meta_range(pool, part);
		due += range.ready - range.from;
	}
	return due;
}

struct work_range meta_excess(const struct pool *pool, enum meta_part part)
{
	struct meta_range range = meta_range(pool, part);
	return (struct work_range){
		range.ready >> META_PUNCH_SHIFT,
		(range.end - range.ready) >> META_PUNCH_SHIFT};
}
