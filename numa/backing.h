/* SPDX-License-Identifier: MIT */
/*
 * A pool's data files, one a node: sealed, bound to the node, faulted in.
 *
 * Each is a memfd of the node's full size, sparse beyond the start pages. The
 * ladder is 1 GiB hugepages, 2 MiB hugepages, transparent hugepages, 4 KiB
 * pages; every step down carries its reason and the command that would make
 * the better rung possible. The unit of all page numbers is 1 << page_shift:
 * 30 if every node got 1 GiB pages, else 21 whatever the kind.
 *
 * The file, not a mapping, holds the memory: we keep no lasting mapping. The
 * kernel keeps a binding with the file for shmem only; that of hugetlb lasts
 * as long as our window, so every page must be faulted in by open or grow and
 * never by a client.
 *
 * A page is in the file of one node and lies on a node, at first the same. What
 * it lies on is the node whose memory, hugepages and counts it takes.
 *
 * One thread at a time may work on a struct backing.
 */
#ifndef NUMA_BACKING_H
#define NUMA_BACKING_H

#include <stddef.h>

#include "numa/types.h"

/* One node's file as a slabd before us made it. */
struct backing_kept {
	int fd; /* -1: none was made */
	enum backing_kind kind;
	bool bound;
	uint64_t file_bytes;
	const char *note;
};

struct backing_adoption {
	const struct topo *topo;
	bool may_reserve;
	const char *sysfs; /* NULL: "/sys" */
	const char *proc;  /* this and the next two as in a request */
	unsigned max_percent;
	bool (*stopped)(void);
	struct backing_journal *journal;
	const struct backing_kept *kept; /* by node */
	bool in_use; /* to be abandoned, and some processes may map it still */
};

/*
 * Fill out, one file a node of the topology, a thread a node. Returns 0, or
 * -errno with nothing left behind and out->error set: -EINVAL (sizes),
 * -EMFILE or -ENFILE (descriptors), -ENOMEM (not even 4 KiB pages), -ECANCELED
 * (request->stopped). Give a
 * successful one to backing_close.
 */
int backing_open(struct backing *out, const struct backing_request *request);

/* Whether what was kept for a node can be taken over: 0, or as backing_adopt, with
 * error set. Nothing is changed. */
int backing_check(const struct backing_kept *kept, unsigned os_id,
                  char error[BACKING_ERROR]);

/*
 * Take over what a process before us made and was killed with: the files, which
 * are ours from now on, and the hugepages that it had added. All pages count as
 * lying on their file's node until backing_set_resident says otherwise. Returns
 * 0, or with out->error set and no file closed: -EINVAL, a file is not of the
 * size that was noted, or not sealed; or -errno, one can't be looked at.
 */
int backing_adopt(struct backing *out, const struct backing_adoption *from);

/* After an adoption: the pages that lie on a node. Hugepages beyond go back. */
void backing_set_resident(struct backing *backing, unsigned node_ix,
                      uint64_t resident_pages);

/* Give back the hugepages of one that was killed before it was done. What can't
 * go yet, as others have free ones beside it, stays in the journal. */
void backing_abandon(const struct backing_adoption *from);

/*
 * Fault in n_pages from first_page on of one node's file, none of them ready
 * yet, with memory of the node node_ix; more hugepages are reserved there
 * where that is allowed. *got_pages is how many, from first_page on, are ready
 * now; the rest stays a hole. Returns 0 if all, else -EINVAL (range), -ENOSPC
 * (no hugepages) or -ENOMEM (no memory), with the reason and remedy of
 * node_ix set, or another -errno (the file can't be looked at) with
 * nothing done.
 */
int backing_grow(struct backing *backing, unsigned file_ix, uint64_t first_page,
                 uint64_t n_pages, unsigned node_ix, uint64_t *got_pages);

/* The same with hugepages that are set aside alone: the kernel is asked for no
 * more, and that there are none is no lack of the node's. */
int backing_grow_spare(struct backing *backing, unsigned file_ix,
                       uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                       uint64_t *got_pages);

/*
 * Take the memory of n_pages from first_page on away, ready or not, all of
 * those ready lying on node_ix, and give hugepages that we added there back to
 * the system. A client that touches them afterwards may take SIGBUS. Returns 0,
 * -EINVAL (range) or -errno, with nothing done.
 */
int backing_shrink(struct backing *backing, unsigned file_ix,
                   uint64_t first_page, uint64_t n_pages, unsigned node_ix);

/* Whether a node has hugepages to give back that could not be, as somebody else
 * was changing the system's counts of them; gives those back. False: it is still,
 * and a moment later it may be done. */
bool backing_is_late(const struct backing *backing, unsigned node_ix);
bool backing_give_late(struct backing *backing, unsigned node_ix);

/* What the kernel holds for a node's file, in bytes. 0 or -errno. */
int backing_held(const struct backing *backing, unsigned file_ix,
                 uint64_t *bytes);

/*
 * Make a range of a node's file that has no page a hole for sure: somebody else
 * may have faulted memory in there, or have had hugepages promised for it. No
 * count of pages changes. Returns 0, -EINVAL (range) or -errno.
 */
int backing_purge(struct backing *backing, unsigned file_ix,
                  uint64_t first_page, uint64_t n_pages);

/*
 * Fault in what is missing of pages that are ready on node_ix, lack_bytes at
 * the most: somebody else took it away. No count of pages changes. Returns 0,
 * -EINVAL (range), -ENOSPC (no hugepages), -ENOMEM or another -errno.
 */
int backing_refill(struct backing *backing, unsigned file_ix,
                   uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                   uint64_t lack_bytes);

/* Takes back what the kernel has promised to somebody for a page that is none:
 * it comes, and goes. */
void backing_unpromise(struct backing *backing, unsigned file_ix,
                       uint64_t page);

/* Hugepages of the file's kind that the kernel has promised to mappings, of
 * whatever program; 0 where it has none. */
uint64_t backing_promised(const struct backing *backing, unsigned file_ix);

/*
 * Move a page that is ready from one node to another while clients use it: who
 * touches it meanwhile waits. In a simulated topology it moves in the books
 * alone. Returns 0, or a reason and with everything as before: -EPERM (we lack
 * CAP_SYS_NICE), -ENOSPC (no free hugepage on to_ix), -ENOMEM, -EBUSY (pinned,
 * or so hot that a fault gets in the way each time: worth another try later),
 * -EOPNOTSUPP (not bound, or of 1 GiB), -EINVAL (range) or another -errno.
 */
int backing_move(struct backing *backing, unsigned file_ix, uint64_t page,
                 unsigned from_ix, unsigned to_ix, struct backing_moved *how);

/* Whether this process may move what others have mapped; or why not, and
 * how. */
bool backing_may_move(char *reason, size_t reason_bytes, char *remedy,
                      size_t remedy_bytes);

/* Where the kernel has a page that is ready, after a move that was cut short:
 * 0, -EOPNOTSUPP (not bound), -ENODEV (on none of ours) or -errno. */
int backing_where(const struct backing *backing, unsigned file_ix,
                  uint64_t page, unsigned *node_ix);

/* How many pages of the node's kind the kernel could give there now: hugepages
 * that are free or that we might reserve, or memory. An estimate from above;
 * UINT64_MAX if the kernel does not say. */
uint64_t backing_room_pages(const struct backing *backing, unsigned node_ix);

/* Hugepages of the node's kind that the kernel has set aside and nobody uses: to
 * take them leaves it as much memory as before. 0 for other kinds. */
uint64_t backing_spare_pages(const struct backing *backing, unsigned node_ix);

/* Whether slabd's control groups have more in use than leaves it its reserve:
 * then memory ought to be given back. */
bool backing_is_over(const struct backing *backing);

/* Close all files and give back what we reserved: at once where pages are
 * free, and by the kernel as they fall free where clients still map them. */
void backing_close(struct backing *backing);

#endif
