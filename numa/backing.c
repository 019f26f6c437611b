/* SPDX-License-Identifier: MIT */
#include "numa/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/cgroup.h"
#include "numa/fallback.h"
#include "numa/huge.h"
#include "numa/hugepool.h"
#include "numa/meminfo.h"
#include "numa/migrate.h"
#include "numa/reserve.h"

static int check_request(struct backing *out,
                         const struct backing_request *request)
{
	const char *sysfs = request->sysfs ? request->sysfs : "/sys";
	if (strlen(sysfs) > 48 || request->first > BACKING_4K) {
		snprintf(out->error, sizeof(out->error), "bad request");
		return -EINVAL;
	}
	memcpy(out->sysfs, sysfs, strlen(sysfs) + 1);
	for (unsigned i = 0; i < out->n_nodes; i++) {
		out->node[i].file_bytes = request->file_bytes[i];
		if (request->start_bytes[i] <= request->file_bytes[i] &&
		    request->file_bytes[i] <= INT64_MAX / 2)
			continue;
		snprintf(out->error, sizeof(out->error),
		         "node %u: sizes that can't be",
		         out->topo->node[i].os_id);
		return -EINVAL;
	}
	return 0;
}

int backing_open(struct backing *out, const struct backing_request *request)
{
	int r;
	memset(out, 0, sizeof(*out));
	out->topo = request->topo;
	out->n_nodes = request->topo->n_nodes;
	out->may_reserve = request->may_reserve;
	out->journal = request->journal;
	out->proc = request->proc;
	out->stopped = request->stopped;
	out->max_percent = request->max_percent;
	for (unsigned i = 0; i < TOPO_NODES_MAX; i++)
		out->node[i].fd = -1;
	r = check_request(out, request);
	if (r == 0)
		r = fallback_climb(out, request);
	for (unsigned i = 0; r == 0 && i < out->n_nodes; i++)
		reserve_trim(out, i);
	if (r < 0)
		backing_close(out);
	return r;
}

/* ---- taken over --------------------------------------------------------- */

static int start_adoption(struct backing *out,
                          const struct backing_adoption *from)
{
	const char *sysfs = from->sysfs ? from->sysfs : "/sys";
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < TOPO_NODES_MAX; i++)
		out->node[i].fd = -1;
	if (strlen(sysfs) > 48)
		return -EINVAL;
	memcpy(out->sysfs, sysfs, strlen(sysfs) + 1);
	out->topo = from->topo;
	out->may_reserve = from->may_reserve;
	out->journal = from->journal;
	out->proc = from->proc;
	out->stopped = from->stopped;
	out->max_percent = from->max_percent;
	out->n_nodes = from->topo->n_nodes;
	return 0;
}

int backing_check(const struct backing_kept *kept, unsigned os_id,
                  char error[BACKING_ERROR])
{
	int seals = fcntl(kept->fd, F_GET_SEALS);
	struct stat st;
	int r = seals < 0 && errno != EINVAL ? -errno : 0;
	if (r == 0 && fstat(kept->fd, &st) < 0)
		r = -errno;
	if (r < 0 && kept->fd >= 0) {
		snprintf(error, BACKING_ERROR,
		         "what was kept for node %u can't be looked at: %s",
		         os_id, strerror(-r));
		return r;
	}
	if (kept->fd >= 0 && seals >= 0 &&
	    (uint64_t)st.st_size == kept->file_bytes &&
	    (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) ==
	            (F_SEAL_SHRINK | F_SEAL_GROW) &&
	    kept->kind <= BACKING_4K)
		return 0;
	snprintf(error, BACKING_ERROR,
	         "what was kept for node %u is no sealed file of %" PRIu64
	         " bytes", os_id, kept->file_bytes);
	return -EINVAL;
}

static int take_kept(struct backing *out, unsigned ix,
                     const struct backing_kept *kept)
{
	struct backing_node *node = &out->node[ix];
	struct memfile file;
	int r;
	node->kind = kept->kind;
	node->bound = kept->bound;
	node->file_bytes = kept->file_bytes;
	snprintf(node->note, sizeof(node->note), "%s", kept->note);
	node->fd = kept->fd;
	file = reserve_file(out, ix, ix);
	r = memfile_ready(&file, &node->ready_pages);
	if (r < 0)
		snprintf(out->error, sizeof(out->error),
		         "what was kept for node %u can't be looked at: %s",
		         out->topo->node[ix].os_id, strerrordesc_np(-r));
	node->resident_pages = node->ready_pages;
	return r;
}

int backing_adopt(struct backing *out, const struct backing_adoption *from)
{
	int r = start_adoption(out, from);
	for (unsigned i = 0; r == 0 && i < out->n_nodes; i++)
		r = backing_check(&from->kept[i], from->topo->node[i].os_id,
		                  out->error);
	for (unsigned i = 0; r == 0 && i < out->n_nodes; i++)
		r = take_kept(out, i, &from->kept[i]);
	/* Files are the caller's and hugepages the journal's until all is
	 * well. */
	for (unsigned i = 0; r < 0 && i < out->n_nodes; i++)
		out->node[i].fd = -1;
	if (r < 0)
		return r;
	for (unsigned i = 0; i < out->n_nodes; i++) {
		struct backing_step none = {.kind = out->node[i].kind};
		out->node[i].seen_pages = reserve_last_seen(out, i);
		out->node[i].reserved_pages = reserve_recall(out, i);
		(void)reserve_within_groups(out, i, 0, 0, &none);
	}
	out->page_shift = backing_kind_shift(out->node[0].kind);
	return 0;
}

void backing_set_resident(struct backing *backing, unsigned node_ix,
                      uint64_t resident_pages)
{
	backing->node[node_ix].resident_pages = resident_pages;
	reserve_trim(backing, node_ix);
}

void backing_abandon(const struct backing_adoption *from)
{
	struct backing gone;
	if (start_adoption(&gone, from) < 0)
		return;
	for (unsigned i = 0; i < gone.n_nodes; i++) {
		gone.node[i].kind = (enum backing_kind)gone.journal[i].kind;
		gone.node[i].reserved_pages = reserve_recall(&gone, i);
		reserve_settle(&gone, i,
		               from->in_use ? 0 : gone.node[i].reserved_pages);
	}
}

/* ---- more and less ------------------------------------------------------ */

static int check_range(const struct backing *backing, unsigned file_ix,
                       uint64_t first_page, uint64_t n_pages,
                       unsigned node_ix)
{
	uint64_t all;
	if (file_ix >= backing->n_nodes || node_ix >= backing->n_nodes ||
	    backing->node[file_ix].fd < 0)
		return -EINVAL;
	all = backing->node[file_ix].file_bytes >> backing->page_shift;
	return first_page <= all && n_pages <= all - first_page ? 0 : -EINVAL;
}

/* How many of n pages may be tried. */
static int admit(struct backing *backing, unsigned ix, uint64_t n,
                 uint64_t *admitted, struct backing_step *why)
{
	int lack = 0;
	*admitted = n;
	if (n == 0)
		return 0;
	*admitted = reserve_within_groups(backing, ix, n, 0, why);
	if (*admitted < n)
		lack = RESERVE_E_LACK;
	if (*admitted == 0)
		return lack;
	if (backing_kind_is_hugetlb(why->kind)) {
		int r = reserve_secure(backing, ix, *admitted, 0, why);
		return r != 0 ? r : lack;
	}
	/* Half of it might still fit, but near the end of a node's memory a
	 * few pages are not worth the kernel killing somebody. */
	if (reserve_check_room(backing, ix, *admitted << backing->page_shift,
	                       why) == 0)
		return lack;
	*admitted = 0;
	return RESERVE_E_LACK;
}

static int fill_admitted(struct backing *backing,
                         const struct reserve_order *order, uint64_t *got,
                         struct backing_step *why)
{
	struct reserve_order admitted = *order;
	int lack = admit(backing, order->node_ix, order->n_pages,
	                 &admitted.n_pages, why);
	int r;
	if (lack < 0)
		return lack;
	r = reserve_fill(backing, &admitted, got);
	if (*got == order->n_pages)
		return 0;
	if (lack == 0)
		reserve_explain(backing, order->node_ix, r, *got,
		                order->n_pages, why);
	return r < 0 ? r : -ENOMEM;
}

/* Sets a node's reason to that of a failed growth, or to its steps' again. */
static void tell(struct backing *backing, unsigned ix, int error,
                 const struct backing_step *why)
{
	struct backing_node *node = &backing->node[ix];
	fallback_sum_up(backing, ix);
	node->lack = BACKING_LACK_NONE;
	if (error == 0 || !*why->reason)
		return;
	node->lack = why->lack;
	memcpy(node->reason, why->reason, sizeof(node->reason));
	memcpy(node->remedy, why->remedy, sizeof(node->remedy));
}

int backing_grow(struct backing *backing, unsigned file_ix, uint64_t first_page,
                 uint64_t n_pages, unsigned node_ix, uint64_t *got_pages)
{
	struct reserve_order order = {.file_ix = file_ix,
	                            .node_ix = node_ix,
	                            .first = first_page,
	                            .n_pages = n_pages};
	struct backing_node *node = &backing->node[node_ix];
	struct backing_step why = {.node_ix = node_ix};
	struct memfile file;
	uint64_t reserved;
	uint64_t before;
	uint64_t after;
	int r = check_range(backing, file_ix, first_page, n_pages,
	                    node_ix);
	*got_pages = 0;
	if (r < 0)
		return r;
	file = reserve_file(backing, file_ix, node_ix);
	/* What others faulted in lies anywhere, and is not ours to count. */
	r = memfile_ready(&file, &before);
	if (r == 0 && before != backing->node[file_ix].ready_pages) {
		r = backing_purge(backing, file_ix, first_page, n_pages);
		if (r == 0)
			r = memfile_ready(&file, &before);
	}
	if (r < 0)
		return r;
	why.kind = file.kind;
	reserved = node->reserved_pages;
	r = fill_admitted(backing, &order, got_pages, &why);
	/* Pages that were there already came for nothing. */
	if (memfile_ready(&file, &after) < 0)
		after = before + *got_pages;
	backing->node[file_ix].ready_pages = after;
	after = after > before ? after - before : 0;
	node->resident_pages += after;
	/* Pages that came, yet not as many as it took. */
	reserved = node->reserved_pages - reserved;
	if (reserved > after)
		reserve_give_back(backing, node_ix, reserved - after);
	reserve_trim(backing, node_ix);
	tell(backing, node_ix, r, &why);
	return r;
}

int backing_grow_spare(struct backing *backing, unsigned file_ix,
                       uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                       uint64_t *got_pages)
{
	bool may_reserve = backing->may_reserve;
	int r;
	backing->may_reserve = false;
	r = backing_grow(backing, file_ix, first_page, n_pages, node_ix,
	                 got_pages);
	backing->may_reserve = may_reserve;
	tell(backing, node_ix, 0, NULL);
	return r;
}

int backing_shrink(struct backing *backing, unsigned file_ix,
                   uint64_t first_page, uint64_t n_pages, unsigned node_ix)
{
	struct backing_node *node = &backing->node[node_ix];
	struct memfile file;
	uint64_t before;
	uint64_t after;
	int r = check_range(backing, file_ix, first_page, n_pages,
	                    node_ix);
	if (r < 0 || n_pages == 0)
		return r;
	file = reserve_file(backing, file_ix, node_ix);
	reserve_mind(backing, node_ix);
	/* The caller's books have none of them any more. */
	if (memfile_ready(&file, &before) < 0)
		before = backing->node[file_ix].ready_pages;
	r = memfile_punch(&file, first_page, n_pages);
	if (r < 0)
		return r;
	if (memfile_ready(&file, &after) < 0)
		after = before > n_pages ? before - n_pages : 0;
	backing->node[file_ix].ready_pages = after;
	after = before > after ? before - after : 0;
	node->resident_pages -=
		after < node->resident_pages ? after : node->resident_pages;
	reserve_give_back(backing, node_ix, after);
	reserve_trim(backing, node_ix);
	return 0;
}

bool backing_is_late(const struct backing *backing, unsigned node_ix)
{
	return backing->node[node_ix].late_pages > 0 ||
	       backing->node[node_ix].kept_pages > 0;
}

bool backing_give_late(struct backing *backing, unsigned node_ix)
{
	return reserve_late(backing, node_ix);
}

/* ---- against what others did --------------------------------------------- */

int backing_held(const struct backing *backing, unsigned file_ix,
                 uint64_t *bytes)
{
	return memfile_held(backing->node[file_ix].fd, bytes);
}

int backing_purge(struct backing *backing, unsigned file_ix,
                  uint64_t first_page, uint64_t n_pages)
{
	struct memfile file;
	int r = check_range(backing, file_ix, first_page, n_pages, file_ix);
	if (r < 0 || n_pages == 0)
		return r;
	file = reserve_file(backing, file_ix, file_ix);
	return memfile_punch(&file, first_page, n_pages);
}

int backing_refill(struct backing *backing, unsigned file_ix,
                   uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                   uint64_t lack_bytes)
{
	uint64_t page = UINT64_C(1) << backing->page_shift;
	uint64_t lack = (lack_bytes + page - 1) / page;
	struct backing_step why = {.node_ix = node_ix};
	struct memfile file;
	int r = check_range(backing, file_ix, first_page, n_pages, node_ix);
	if (r < 0)
		return r;
	file = reserve_file(backing, file_ix, node_ix);
	why.kind = file.kind;
	/* Their hugepages may have gone to others meanwhile. */
	if (backing_kind_is_hugetlb(file.kind))
		(void)reserve_secure(backing, node_ix,
		                     lack < n_pages ? lack : n_pages, 0, &why);
	return memfile_refill(&file, first_page, n_pages);
}

void backing_unpromise(struct backing *backing, unsigned file_ix, uint64_t page)
{
	struct memfile file = reserve_file(backing, file_ix, file_ix);
	if (check_range(backing, file_ix, page, 1, file_ix) < 0)
		return;
	(void)fallocate(file.fd, FALLOC_FL_KEEP_SIZE,
	                (off_t)(page << file.page_shift),
	                (off_t)(UINT64_C(1) << file.page_shift));
	(void)memfile_punch(&file, page, 1);
}

uint64_t backing_promised(const struct backing *backing, unsigned file_ix)
{
	enum backing_kind kind = backing->node[file_ix].kind;
	struct hugepool pool;
	uint64_t pages;
	if (!backing_kind_is_hugetlb(kind) ||
	    hugepool_find(backing->sysfs, reserve_pool_node(backing, file_ix),
	                  backing_kind_shift(kind), &pool) < 0 ||
	    hugepool_read(pool.whole, "resv_hugepages", &pages) < 0)
		return 0;
	return pages;
}

/* ---- moved, and asked --------------------------------------------------- */

int backing_move(struct backing *backing, unsigned file_ix, uint64_t page,
                 unsigned from_ix, unsigned to_ix, struct backing_moved *how)
{
	return migrate_page(backing, file_ix, page, from_ix, to_ix, how);
}

bool backing_may_move(char *reason, size_t reason_bytes, char *remedy,
                      size_t remedy_bytes)
{
	return migrate_permitted(reason, reason_bytes, remedy, remedy_bytes);
}

int backing_where(const struct backing *backing, unsigned file_ix,
                  uint64_t page, unsigned *node_ix)
{
	struct memfile file;
	int os_node;
	int ix;
	int r;
	if (file_ix >= backing->n_nodes || backing->node[file_ix].fd < 0 ||
	    page >= backing->node[file_ix].file_bytes >> backing->page_shift)
		return -EINVAL;
	if (!backing->node[file_ix].bound)
		return -EOPNOTSUPP;
	file = reserve_file(backing, file_ix, file_ix);
	r = memfile_where(&file, page, &os_node);
	if (r < 0)
		return r;
	ix = topo_index_of(backing->topo, (unsigned)os_node);
	if (ix < 0)
		return -ENODEV;
	*node_ix = (unsigned)ix;
	return 0;
}

uint64_t backing_room_pages(const struct backing *backing, unsigned node_ix)
{
	enum backing_kind kind = backing->node[node_ix].kind;
	unsigned os_node = reserve_pool_node(backing, node_ix);
	uint64_t bytes = meminfo_bytes(backing->sysfs, os_node);
	uint64_t pages = bytes >> backing_kind_shift(kind);
	struct huge_counts now;
	if (backing_kind_is_hugetlb(kind)) {
		if (huge_count(backing->sysfs, os_node,
		               backing_kind_shift(kind), &now) < 0)
			return 0;
		if (!backing->may_reserve || access(now.file, W_OK) != 0)
			return now.spare_pages + now.loan_pages;
		pages += now.spare_pages;
	}
	return bytes == UINT64_MAX ? bytes : pages;
}

uint64_t backing_spare_pages(const struct backing *backing, unsigned node_ix)
{
	enum backing_kind kind = backing->node[node_ix].kind;
	struct huge_counts now;
	if (!backing_kind_is_hugetlb(kind) ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, node_ix),
	               backing_kind_shift(kind), &now) < 0)
		return 0;
	return now.spare_pages;
}

bool backing_is_over(const struct backing *backing)
{
	bool is_plain = false;
	struct cgroup_room group;
	for (unsigned i = 0; i < backing->n_nodes; i++)
		is_plain |= !backing_kind_is_hugetlb(backing->node[i].kind);
	if (!is_plain)
		return false;
	cgroup_look(backing->proc, CGROUP_MEMORY, &group);
	return group.room_bytes == 0;
}

void backing_close(struct backing *backing)
{
	reserve_drop_all(backing, 0, backing->n_nodes);
	backing->n_nodes = 0;
}
