/* SPDX-License-Identifier: MIT */
#include "numa/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa/reserve.h"

struct move {
	struct backing *backing;
	struct backing_moved *how;
	struct memfile file; /* as it lies afterwards */
	unsigned file_ix;
	unsigned from_ix;
	unsigned to_ix;
	uint64_t page;
};

static unsigned os_id(const struct move *move, unsigned ix)
{
	return move->backing->topo->node[ix].os_id;
}

/* ---- whether ------------------------------------------------------------ */

static bool has_capability(unsigned capability)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	return data[capability / 32].effective >> capability % 32 & 1;
}

bool migrate_permitted(char *reason, size_t reason_bytes, char *remedy,
                       size_t remedy_bytes)
{
	*reason = '\0';
	*remedy = '\0';
	if (has_capability(CAP_SYS_NICE))
		return true;
	snprintf(reason, reason_bytes,
	         "slabd lacks CAP_SYS_NICE, and the kernel lets nobody else "
	         "move pages that several processes have mapped");
	snprintf(remedy, remedy_bytes,
	         "name CAP_SYS_NICE in AmbientCapabilities= and "
	         "CapabilityBoundingSet= of slabd.service, then: systemctl "
	         "daemon-reload; systemctl restart slabd");
	return false;
}

static int refuse(struct move *move, int error, const char *reason)
{
	snprintf(move->how->reason, sizeof(move->how->reason), "%s", reason);
	return error;
}

/* 0 if the kernel is worth to be asked. */
static int check_move(struct move *move)
{
	const struct backing *backing = move->backing;
	uint64_t n_pages;
	if (move->file_ix >= backing->n_nodes ||
	    move->from_ix >= backing->n_nodes ||
	    move->to_ix >= backing->n_nodes || move->from_ix == move->to_ix ||
	    backing->node[move->file_ix].fd < 0)
		return refuse(move, -EINVAL, "there are no such nodes");
	n_pages = backing->node[move->file_ix].file_bytes >>
	          backing->page_shift;
	if (move->page >= n_pages)
		return refuse(move, -EINVAL, "the page is beyond the file");
	if (backing->topo->simulated)
		return 0;
	if (!backing->node[move->file_ix].bound)
		return refuse(move, -EOPNOTSUPP,
		              backing->node[move->file_ix].note);
	if (backing->node[move->file_ix].kind == BACKING_1G)
		return refuse(move, -EOPNOTSUPP,
		              "a page of 1 GiB is not moved: clients would "
		              "stand still until all of it is copied");
	return 0;
}

/* ---- why not ------------------------------------------------------------ */

static void say_lack(struct move *move, const struct backing_step *why)
{
	memcpy(move->how->reason, why->reason, sizeof(move->how->reason));
	memcpy(move->how->remedy, why->remedy, sizeof(move->how->remedy));
}

static void say_denied(struct backing_moved *how)
{
	if (!migrate_permitted(how->reason, sizeof(how->reason), how->remedy,
	                       sizeof(how->remedy)))
		return;
	snprintf(how->reason, sizeof(how->reason),
	         "the kernel does not let slabd move pages, though it has "
	         "CAP_SYS_NICE here");
	snprintf(how->remedy, sizeof(how->remedy),
	         "let the container's user namespace and system call filter "
	         "permit mbind and move_pages");
}

static const char *cause(int error)
{
	switch (error) {
	case -EBUSY:
		return "it is pinned, or in too much use";
	case -ENOENT:
		return "it is not faulted in";
	default:
		return strerrordesc_np(-error);
	}
}

static void say_failed(struct move *move, int error)
{
	struct backing_moved *how = move->how;
	snprintf(how->reason, sizeof(how->reason),
	         "page %" PRIu64 " of node %u's file can't go from node %u to "
	         "%u now: %s",
	         move->page, os_id(move, move->file_ix),
	         os_id(move, move->from_ix), os_id(move, move->to_ix),
	         cause(error));
	if (error == -EBUSY)
		snprintf(how->remedy, sizeof(how->remedy),
		         "try again; if it stays so, end what has it pinned "
		         "(vmsplice, io_uring buffers, RDMA)");
}

/* ---- noted -------------------------------------------------------------- */

#define MOVING_PAGE_BITS 26u /* 1 + the page; above it the file */

static void note_moving(const struct move *move)
{
	struct backing_journal *journal = move->backing->journal;
	if (journal == NULL || (move->page + 1) >> MOVING_PAGE_BITS != 0)
		return;
	journal[move->to_ix].moving = move->file_ix << MOVING_PAGE_BITS |
	                             (uint32_t)(move->page + 1);
}

bool migrate_last(const struct backing *backing, unsigned to_ix,
                  unsigned *file_ix, uint64_t *page)
{
	uint32_t moving = 0;
	if (backing->journal != NULL && to_ix < backing->n_nodes)
		moving = backing->journal[to_ix].moving;
	*file_ix = moving >> MOVING_PAGE_BITS;
	*page = (moving & ((1u << MOVING_PAGE_BITS) - 1)) - UINT64_C(1);
	return moving != 0 && *file_ix < backing->n_nodes &&
	       *page < backing->node[*file_ix].file_bytes >>
	                       backing->page_shift;
}

/* ---- moved -------------------------------------------------------------- */

static void move_books(struct move *move)
{
	struct backing_node *from = &move->backing->node[move->from_ix];
	from->resident_pages -= from->resident_pages > 0;
	move->backing->node[move->to_ix].resident_pages++;
}

/*
 * The page took a free hugepage of to and left one on from, which goes back if
 * it was ours. Where somebody was faster to the free one, the kernel made a new
 * one and took that on from away: then the pools have moved already, and what
 * we added beforehand is one too many.
 */
static void settle(struct move *move, uint64_t from_lasting,
                   uint64_t to_lasting, uint64_t added)
{
	struct backing *backing = move->backing;
	enum backing_kind kind = move->file.kind;
	if (!backing_kind_is_hugetlb(kind))
		return;
	if (reserve_lasting(backing, move->from_ix, kind) < from_lasting &&
	    reserve_lasting(backing, move->to_ix, kind) > to_lasting) {
		reserve_shift(backing, move->from_ix, move->to_ix);
		reserve_give_back(backing, move->to_ix, added);
		return;
	}
	reserve_give_back(backing, move->from_ix, 1);
}

static int secure_room(struct move *move)
{
	struct backing_step why = {.node_ix = move->to_ix,
	                           .kind = move->file.kind};
	int r = reserve_secure_move(move->backing, move->to_ix, &why);
	if (r == 0)
		return 0;
	if (r < 0) {
		say_failed(move, r);
		return r;
	}
	say_lack(move, &why);
	return backing_kind_is_hugetlb(why.kind) ? -ENOSPC : -ENOMEM;
}

static int move_it(struct move *move, uint64_t added)
{
	struct backing *backing = move->backing;
	enum backing_kind kind = move->file.kind;
	uint64_t from_lasting = reserve_lasting(backing, move->from_ix, kind);
	uint64_t to_lasting = reserve_lasting(backing, move->to_ix, kind);
	int r;
	note_moving(move);
	r = memfile_move(&move->file, move->page,
	                  (int)os_id(move, move->from_ix), &move->how->ns);
	if (r == 0) {
		settle(move, from_lasting, to_lasting, added);
		move_books(move);
		return 0;
	}
	/* The one that we had secured went to somebody else. */
	if (r == -ENOMEM && backing_kind_is_hugetlb(kind))
		r = -ENOSPC;
	if (r == -EPERM)
		say_denied(move->how);
	else
		say_failed(move, r);
	return r;
}

/* Whether the page is on the target already: a slabd before us was killed in
 * between, and what it took there is in the journal. */
static bool is_there(const struct move *move)
{
	int at;
	return memfile_where(&move->file, move->page, &at) == 0 &&
	       at == move->file.os_node;
}

static int note_moved(struct move *move)
{
	struct backing *backing = move->backing;
	move_books(move);
	if (backing->topo->simulated ||
	    reserve_has_shifted(backing, move->from_ix, move->to_ix,
	                        move->file.kind)) {
		reserve_shift(backing, move->from_ix, move->to_ix);
		return 0;
	}
	reserve_give_back(backing, move->from_ix, 1);
	reserve_trim(backing, move->to_ix);
	return 0;
}

int migrate_page(struct backing *backing, unsigned file_ix, uint64_t page,
                 unsigned from_ix, unsigned to_ix, struct backing_moved *how)
{
	struct move move = {.backing = backing,
	                    .how = how,
	                    .file_ix = file_ix,
	                    .from_ix = from_ix,
	                    .to_ix = to_ix,
	                    .page = page};
	uint64_t reserved;
	int r;
	memset(how, 0, sizeof(*how));
	r = check_move(&move);
	if (r < 0)
		return r;
	move.file = reserve_file(backing, file_ix, to_ix);
	if (backing->topo->simulated || is_there(&move))
		return note_moved(&move);
	reserved = backing->node[to_ix].reserved_pages;
	r = secure_room(&move);
	if (r == 0)
		r = move_it(&move,
		            backing->node[to_ix].reserved_pages - reserved);
	if (r < 0)
		reserve_give_back(backing, to_ix,
		                backing->node[to_ix].reserved_pages - reserved);
	reserve_trim(backing, from_ix);
	reserve_trim(backing, to_ix);
	return r;
}
