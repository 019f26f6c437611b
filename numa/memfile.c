/* SPDX-License-Identifier: MIT */
#include "numa/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <numaif.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/tick.h"

/* Younger than the C library's headers that we build with. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SMALL_BYTES 4096u /* pages of what is not hugetlb, at the least */
#define SMALL_PAGES 512u  /* of them in a page */
#define CHUNK_BYTES (UINT64_C(64) << 20) /* between two progress calls */
#define EMPTY_BYTES (INT64_C(1) << 30) /* of a file, at one time */
#define MASK_NODES 4096
#define MASK_WORD_BITS (8 * sizeof(unsigned long))
#define MASK_WORDS (MASK_NODES / MASK_WORD_BITS)

static unsigned kind_flags(enum backing_kind kind)
{
	if (kind == BACKING_1G)
		return MFD_HUGETLB | 30u << MFD_HUGE_SHIFT;
	if (kind == BACKING_2M)
		return MFD_HUGETLB | 21u << MFD_HUGE_SHIFT;
	return 0;
}

static int make_memfd(const char *name, enum backing_kind kind)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | kind_flags(kind);
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
		fd = memfd_create(name, flags);
	if (fd >= 0)
		return fd;
	if (backing_kind_is_hugetlb(kind) && errno != EMFILE && errno != ENFILE)
		return -ENOTSUP;
	return -errno;
}

int memfile_create(const char *name, enum backing_kind kind, uint64_t bytes)
{
	int fd = make_memfd(name, kind);
	int r;
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)bytes) == 0 && fchmod(fd, 0600) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
	            0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

struct window {
	char *base; /* of what was mapped */
	uint64_t bytes;
	char *at; /* the file's range, aligned as its pages are */
	uint64_t at_bytes;
};

/* Huge pages of shmem need an aligned address, which plain mmap need not
 * give: so the file goes over an aligned part of a larger empty range. */
static int window_map(const struct memfile *file, uint64_t off, uint64_t bytes,
                      int prot, int flags, struct window *win)
{
	uint64_t align = UINT64_C(1) << file->page_shift;
	void *at;
	win->at_bytes = bytes;
	win->bytes = bytes + align;
	win->base = mmap(NULL, win->bytes, PROT_NONE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (win->base == MAP_FAILED)
		return -errno;
	win->at = win->base + (-(uint64_t)(uintptr_t)win->base & (align - 1));
	at = mmap(win->at, bytes, prot,
	          MAP_SHARED | MAP_NORESERVE | MAP_FIXED | flags, file->fd,
	          (off_t)off);
	if (at == MAP_FAILED) {
		int r = -errno;
		munmap(win->base, win->bytes);
		return r;
	}
	/* Advice: where the kernel has none of these, 4 KiB pages do. */
	if (file->kind == BACKING_THP)
		(void)madvise(win->at, bytes, MADV_HUGEPAGE);
	return 0;
}

static int window_open(const struct memfile *file, uint64_t off, uint64_t bytes,
                       struct window *win)
{
	return window_map(file, off, bytes, PROT_READ | PROT_WRITE, 0, win);
}

static void window_close(struct window *win)
{
	munmap(win->base, win->bytes);
}

/* The node's mask; false if there is nothing to bind or no room for it. */
static bool node_mask(int os_node, unsigned long mask[MASK_WORDS])
{
	memset(mask, 0, MASK_WORDS * sizeof(*mask));
	if (os_node < 0 || os_node >= MASK_NODES - 1)
		return false;
	mask[(unsigned)os_node / MASK_WORD_BITS] |=
		1ul << (unsigned)os_node % MASK_WORD_BITS;
	return true;
}

static int window_bind(const struct window *win, int os_node, unsigned flags)
{
	unsigned long mask[MASK_WORDS];
	if (!node_mask(os_node, mask))
		return os_node < 0 ? 0 : -EINVAL;
	/* The kernel counts one bit less than it is told. */
	if (mbind(win->at, win->at_bytes, MPOL_BIND, mask,
	          (unsigned long)os_node + 2, flags) != 0)
		return -errno;
	return 0;
}

int memfile_bind(const struct memfile *file, uint64_t bytes)
{
	struct window win;
	int r;
	if (bytes == 0 || file->os_node < 0)
		return 0;
	r = window_open(file, 0, bytes, &win);
	if (r < 0)
		return r;
	r = window_bind(&win, file->os_node, 0);
	window_close(&win);
	return r;
}

/* For Linux before 5.14, and pages of 1 GiB: whoever faults in holds our map of
 * memory, which a second's clearing of one would close to all other threads. The
 * binding of our window is not asked here, for hugetlb: so the thread's own policy
 * says it for the time of the call. */
static int allocate(const struct memfile *file, uint64_t off, uint64_t bytes)
{
	unsigned long saved[MASK_WORDS] = {0};
	unsigned long mask[MASK_WORDS];
	int mode = MPOL_DEFAULT;
	bool bound = node_mask(file->os_node, mask) &&
	             get_mempolicy(&mode, saved, MASK_NODES, NULL, 0) == 0 &&
	             set_mempolicy(MPOL_BIND, mask,
	                           (unsigned long)file->os_node + 2) == 0;
	int r;
	do
		r = fallocate(file->fd, 0, (off_t)off, (off_t)bytes);
	while (r != 0 && errno == EINTR);
	r = r == 0 ? 0 : -errno;
	if (bound)
		(void)set_mempolicy(mode, saved, MASK_NODES);
	return r;
}

static int populate(const struct memfile *file, const struct window *win,
                    uint64_t off, uint64_t at, uint64_t bytes)
{
	int r;
	if (file->kind == BACKING_1G)
		return allocate(file, off + at, bytes);
	do
		r = madvise(win->at + at, bytes, MADV_POPULATE_WRITE);
	while (r != 0 && (errno == EINTR || errno == EAGAIN));
	r = r == 0 ? 0 : -errno;
	if (r == -EINVAL)
		r = allocate(file, off + at, bytes);
	/* EFAULT stands for the SIGBUS that a plain touch would have got. */
	if (r == -EFAULT)
		r = backing_kind_is_hugetlb(file->kind) ? -ENOSPC : -ENOMEM;
	return r;
}

/* Chunk by chunk; once one fails, page by page to see how far it goes. */
static int fill_window(const struct memfile *file, const struct window *win,
                       uint64_t off, uint64_t *done_bytes,
                       memfile_progress *progress, void *arg)
{
	uint64_t page = UINT64_C(1) << file->page_shift;
	uint64_t chunk = CHUNK_BYTES > page ? CHUNK_BYTES : page;
	uint64_t done = 0;
	int r = 0;
	while (done < win->at_bytes) {
		uint64_t left = win->at_bytes - done;
		uint64_t bytes = left < chunk ? left : chunk;
		r = -ECANCELED;
		if (file->stopped && file->stopped())
			break;
		r = populate(file, win, off, done, bytes);
		if (r < 0 && chunk == page)
			break;
		if (r < 0) {
			chunk = page;
			continue;
		}
		done += bytes;
		if (progress)
			progress(arg, done >> file->page_shift);
	}
	*done_bytes = done;
	return r;
}

static int fill_range(const struct memfile *file, uint64_t first_page,
                      uint64_t n_pages, uint64_t *done_pages,
                      memfile_progress *progress, void *arg)
{
	uint64_t off = first_page << file->page_shift;
	uint64_t done = 0;
	struct window win;
	int r = window_open(file, off, n_pages << file->page_shift, &win);
	if (r < 0)
		return r;
	r = window_bind(&win, file->os_node, 0);
	if (r == 0)
		r = fill_window(file, &win, off, &done, progress, arg);
	window_close(&win);
	*done_pages = done >> file->page_shift;
	return r;
}

int memfile_refill(const struct memfile *file, uint64_t first_page,
                   uint64_t n_pages)
{
	uint64_t done;
	return n_pages == 0 ? 0
	                    : fill_range(file, first_page, n_pages, &done, NULL,
	                                 NULL);
}

int memfile_fill(const struct memfile *file, uint64_t first_page,
                 uint64_t n_pages, uint64_t *done_pages,
                 memfile_progress *progress, void *arg)
{
	int r;
	*done_pages = 0;
	if (n_pages == 0)
		return 0;
	r = fill_range(file, first_page, n_pages, done_pages, progress, arg);
	/* The page that failed may be there in part; those after it were not
	 * touched. */
	if (*done_pages < n_pages)
		(void)memfile_punch(file, first_page + *done_pages, 1);
	return r;
}

/* ---- moved -------------------------------------------------------------- */

/* The small pages of a page, as move_pages wants them. */
struct parts {
	unsigned n;
	void *at[SMALL_PAGES];
	int to[SMALL_PAGES];
	int status[SMALL_PAGES];
};

static void parts_of(const struct memfile *file, const struct window *win,
                     struct parts *parts)
{
	uint64_t bytes = backing_kind_is_hugetlb(file->kind) ? win->at_bytes
	                                                     : SMALL_BYTES;
	parts->n = (unsigned)(win->at_bytes / bytes);
	for (unsigned i = 0; i < parts->n; i++) {
		parts->at[i] = win->at + i * bytes;
		parts->to[i] = file->os_node;
		parts->status[i] = -EBUSY;
	}
}

/* Maps one page and what the kernel holds of it, so that it can be asked for:
 * reading alone, since a hole that is written to would be none afterwards. */
static int show_page(const struct memfile *file, uint64_t page,
                     struct window *win)
{
	return window_map(file, page << file->page_shift,
	                  UINT64_C(1) << file->page_shift, PROT_READ,
	                  MAP_POPULATE, win);
}

static int where(const struct memfile *file, const struct window *win,
                 int *os_node)
{
	struct parts parts;
	parts_of(file, win, &parts);
	if (move_pages(0, parts.n, parts.at, NULL, parts.status, 0) < 0)
		return -errno;
	for (unsigned i = 0; i < parts.n; i++) {
		if (parts.status[i] < 0)
			return parts.status[i];
		if (parts.status[i] != parts.status[0])
			return -EXDEV;
	}
	*os_node = parts.status[0];
	return 0;
}

int memfile_where(const struct memfile *file, uint64_t page, int *os_node)
{
	struct window win;
	int r = show_page(file, page, &win);
	if (r < 0)
		return r;
	r = where(file, &win, os_node);
	window_close(&win);
	return r;
}

/* mbind has one error for all that can't be moved: move_pages tries once more
 * and tells. 0 if that did it. */
static int insist(const struct memfile *file, const struct window *win)
{
	struct parts parts;
	int at = MEMFILE_UNBOUND;
	int r;
	parts_of(file, win, &parts);
	if (move_pages(0, parts.n, parts.at, parts.to, parts.status,
	               MPOL_MF_MOVE_ALL) < 0)
		return -errno;
	r = where(file, win, &at);
	if (r == 0 && at == file->os_node)
		return 0;
	for (unsigned i = 0; i < parts.n; i++)
		if (parts.status[i] < 0 && parts.status[i] != -EBUSY)
			return parts.status[i];
	return -EBUSY;
}

static int move_window(const struct memfile *file, const struct window *win,
                       uint64_t *ns)
{
	int64_t began_ns = tick_ns();
	int at = MEMFILE_UNBOUND;
	int r = window_bind(win, file->os_node,
	                    MPOL_MF_MOVE_ALL | MPOL_MF_STRICT);
	if (r == -EIO)
		r = insist(file, win);
	*ns = (uint64_t)(tick_ns() - began_ns);
	if (r < 0)
		return r;
	r = where(file, win, &at);
	return r == -EXDEV || (r == 0 && at != file->os_node) ? -EBUSY : r;
}

int memfile_move(const struct memfile *file, uint64_t page, int from_os_node,
                 uint64_t *ns)
{
	struct window win;
	int r = show_page(file, page, &win);
	*ns = 0;
	if (r < 0)
		return r;
	r = move_window(file, &win, ns);
	/* The binding of shmem, and the part of it that did move. */
	if (r < 0)
		(void)window_bind(&win, from_os_node, MPOL_MF_MOVE_ALL);
	window_close(&win);
	return r;
}

static int punch(const struct memfile *file, uint64_t first_page,
                 uint64_t n_pages)
{
	int r;
	do
		r = fallocate(file->fd,
		              FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		              (off_t)(first_page << file->page_shift),
		              (off_t)(n_pages << file->page_shift));
	while (r != 0 && errno == EINTR);
	return r == 0 ? 0 : -errno;
}

/* A client of the file's user may have made it append-only. */
static int clear_flags(const struct memfile *file)
{
	int none = 0;
	return ioctl(file->fd, FS_IOC_SETFLAGS, &none) == 0 ? 0 : -errno;
}

int memfile_punch(const struct memfile *file, uint64_t first_page,
                  uint64_t n_pages)
{
	int r = punch(file, first_page, n_pages);
	/* What failed for want of memory, or was interrupted, may do now; the
	 * books have the pages no longer. */
	if (r < 0 && (r != -EPERM || clear_flags(file) == 0))
		r = punch(file, first_page, n_pages);
	return r;
}

int memfile_empty(int fd, void (*emptied)(void))
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? -EBADF : -errno;
	for (off_t at = 0; at < st.st_size; at += EMPTY_BYTES) {
		off_t left = st.st_size - at;
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		              at, left < EMPTY_BYTES ? left : EMPTY_BYTES) < 0)
			return -errno;
		if (emptied)
			emptied();
	}
	return 0;
}

/* What was allocated counts as a hole until somebody looked. */
static void touch(const void *at, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += SMALL_BYTES)
		(void)*((const volatile char *)at + i);
}

int memfile_hold(int fd, void *at, uint64_t off, uint64_t bytes)
{
	int r;
	if (bytes == 0)
		return 0;
	do
		r = madvise(at, bytes, MADV_POPULATE_WRITE);
	while (r != 0 && (errno == EINTR || errno == EAGAIN));
	if (r == 0)
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -ENOMEM : -errno;
	/* Linux before 5.14. */
	do
		r = fallocate(fd, 0, (off_t)off, (off_t)bytes);
	while (r != 0 && errno == EINTR);
	if (r != 0)
		return -errno;
	touch(at, bytes);
	return 0;
}

int memfile_held(int fd, uint64_t *bytes)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -errno;
	*bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

int memfile_ready(const struct memfile *file, uint64_t *ready_pages)
{
	uint64_t bytes;
	int r = memfile_held(file->fd, &bytes);
	if (r == 0)
		*ready_pages = bytes >> file->page_shift;
	return r;
}
