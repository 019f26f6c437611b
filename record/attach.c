/* SPDX-License-Identifier: MIT */
#include "record/attach.h"

#include "shm/atom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* In a page that the kernel wipes at fork, however that is done: a child, which
 * has the same mappings, finds none here. A child of vfork is in its parent's
 * memory, and what it allocates is its parent's. */
struct own {
	struct ring *ring;
};

static struct own *own;
static struct ring_file *file;
static char path[64];
/* 0 -> 1 (who attaches, attach_first or attach_child; 0 again where all is well):
 * nobody else does, and where it failed, nobody tries again. */
static unsigned is_begun;

static __thread struct ring *numbered; /* the ring of which number is */
static __thread unsigned number;

/* A ring that nobody has, mapped. */
static struct ring *claim(int fd)
{
	for (uint32_t i = 0; i < file->n_rings; i++) {
		off_t at = (off_t)(RING_FILE_BYTES + i * sizeof(struct ring));
		struct ring *ring =
			mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
		             MAP_SHARED, fd, at);
		int32_t none = 0;
		if (ring == MAP_FAILED)
			return NULL;
		/* pairs: stream_end */
		if (atom_cas(&ring->pid, &none, getpid()))
			return ring;
		munmap(ring, sizeof(*ring));
	}
	atom_add(&file->n_refused, 1);
	return NULL;
}

static bool map_file(int fd)
{
	void *at;
	if (file != NULL)
		return true;
	at = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	          0);
	if (at == MAP_FAILED)
		return false;
	file = at;
	return file->magic == RING_MAGIC;
}

/* Whether this is a process to record: slab-record has to see it end, so that
 * its ring is not another's before. */
static bool is_ours(void)
{
	if (!file->follow)
		return file->program == getpid();
	return file->pid_ns != 0 && file->pid_ns == ring_pid_ns();
}

static struct ring *attach_begin(void)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct ring *ring = NULL;
	if (fd < 0)
		return NULL;
	if (map_file(fd) && is_ours())
		ring = claim(fd);
	close(fd);
	return ring;
}

static struct own *make_own(void)
{
	void *page = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, RING_FILE_BYTES, MADV_WIPEONFORK) < 0) {
		munmap(page, RING_FILE_BYTES);
		return NULL;
	}
	return page;
}

/* The loader allocates before the C library has an environment; a program that
 * gains rights by being started has none of ours. */
static struct ring *attach_first(void)
{
	const char *named;
	struct own *page;
	if (environ == NULL ||
	    atom_swap(&is_begun, 1)) /* pairs: attach_first */
		return NULL;
	named = secure_getenv(ATTACH_VARIABLE);
	if (named == NULL || strlen(named) >= sizeof(path))
		return NULL;
	strcpy(path, named);
	page = make_own();
	if (page == NULL)
		return NULL;
	page->ring = attach_begin();
	if (page->ring == NULL)
		return NULL;
	atom_store_release(&own, page); /* pairs: attach_ring */
	atom_store(&is_begun, 0);
	return page->ring;
}

/* In a child: one thread. */
static struct ring *attach_child(void)
{
	struct ring *ring;
	/* pairs: attach_child */
	if (!file->follow || atom_swap(&is_begun, 1))
		return NULL;
	ring = attach_begin();
	if (ring != NULL) {
		own->ring = ring;
		atom_store(&is_begun, 0);
	}
	return ring;
}

static struct ring *attach_ring(void)
{
	struct own *page = atom_load_acquire(&own); /* pairs: attach_first */
	struct ring *ring = page != NULL ? page->ring : NULL;
	int err;
	if (__builtin_expect(ring != NULL, 1))
		return ring;
	if (atom_load(&is_begun))
		return NULL;
	err = errno;
	ring = page == NULL ? attach_first() : attach_child();
	errno = err;
	return ring;
}

static unsigned thread_number(struct ring *ring)
{
	if (numbered != ring) {
		unsigned before = atom_add(&ring->n_threads, 1);
		numbered = ring;
		number = before < RING_THREADS_MAX ? before + 1
		                                   : RING_THREADS_MAX;
	}
	return number;
}

void attach_put(enum ring_op op, const void *obj, size_t bytes)
{
	struct ring *ring = attach_ring();
	uint32_t size = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
	if (ring == NULL || atom_load(&ring->off))
		return;
	ring_put(ring, file, (uintptr_t)obj,
	         ring_what(op, thread_number(ring), size));
}

/* Takes us out of LD_PRELOAD, where slab-record put us first. In place: setenv
 * would allocate. */
static void leave_environment(void)
{
	char *list = getenv("LD_PRELOAD");
	char *rest = list != NULL ? strchr(list, ':') : NULL;
	unsetenv(ATTACH_VARIABLE);
	if (rest != NULL)
		memmove(list, rest + 1, strlen(rest));
	else
		unsetenv("LD_PRELOAD");
}

/* One that never allocates is known to have been here, too. */
__attribute__((constructor)) static void attach_start(void)
{
	if (secure_getenv(ATTACH_VARIABLE) == NULL)
		return;
	attach_ring();
	if (file == NULL || !file->follow)
		leave_environment();
}
