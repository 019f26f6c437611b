/* SPDX-License-Identifier: MIT */
#include "daemon/pool/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "numa/memfile.h"

#define FD_NAME 160

static void fd_name(char name[FD_NAME], const struct pool *pool, uint32_t ix)
{
	snprintf(name, FD_NAME, "slabd.pool.%s.channel%u", pool->name, ix);
}

void ring_keep(const struct pool *pool, const struct ring *ring, uint32_t ix,
               bool kept)
{
	char name[FD_NAME];
	fd_name(name, pool, ix);
	if (kept)
		fdstore_put(name, ring->fd);
	else
		fdstore_drop(name);
}

void ring_wake(const struct channel *ring)
{
	if (channel_changed_any(ring, CHANNEL_WAIT_RECV | CHANNEL_WAIT_SEND))
		syscall(SYS_futex, &ring->head->wake, FUTEX_WAKE, INT_MAX, NULL,
		        NULL, 0);
}

/* ---- files --------------------------------------------------------------- */

/* A file of whole pages, all of them there. Or -errno. */
static int make_file(const struct pool *pool, uint64_t bytes)
{
	char name[NAME_BYTES + 24];
	int fd;
	snprintf(name, sizeof(name), "slabd-%s-channel", pool->name);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (posix_fallocate(fd, 0, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS,
	          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -ENOMEM;
}

/* 0 or -errno; the descriptor is the ring's from now on, or closed. */
static int map_file(struct ring *ring, int fd, uint32_t capacity, uint32_t owner)
{
	void *at = mmap(NULL, channel_bytes(capacity), PROT_READ | PROT_WRITE,
	                MAP_SHARED, fd, 0);
	int r = -errno;
	if (at == MAP_FAILED) {
		close(fd);
		return r;
	}
	channel_map(&ring->ring, at, capacity, owner);
	ring->fd = fd;
	ring->punched = false;
	return 0;
}

void ring_end(struct ring *ring)
{
	if (ring->ring.head == NULL)
		return;
	munmap(ring->ring.head, channel_bytes(ring->ring.capacity));
	ring->ring.head = NULL;
	close(ring->fd);
}

bool ring_is_whole(const struct pool *pool, struct ring *ring, uint32_t ix)
{
	uint64_t due = channel_bytes(ring->ring.capacity);
	uint64_t held;
	int r;
	if (memfile_held(ring->fd, &held) == 0 && held >= due)
		return true;
	r = posix_fallocate(ring->fd, 0, (off_t)due);
	ring->punched = true;
	log_error("pool %s: channel %.*s: a client took memory of its ring away; "
	          "%s", pool->name, (int)NAME_BYTES - 1,
	          pool->view.channels[ix].name,
	          r == 0 ? "what was under way there comes again once nobody has "
	                   "it open"
	                 : "there is none to be had: free some");
	return r == 0;
}

/* ---- whose --------------------------------------------------------------- */

int ring_make(const struct pool *pool, struct ring *ring, uint32_t capacity,
              uint32_t owner)
{
	int fd = make_file(pool, channel_bytes(capacity));
	int r = fd < 0 ? fd : map_file(ring, fd, capacity, owner);
	if (r < 0)
		return r;
	atom_store(&ring->ring.head->owner, owner);
	atom_store(&ring->ring.head->epoch, clients_epoch(pool, owner));
	return 0;
}

static bool is_of(const struct pool *pool, const struct channel *ring)
{
	return atom_load(&ring->head->owner) == ring->owner &&
	       atom_load(&ring->head->epoch) ==
	               clients_epoch(pool, ring->owner);
}

int ring_adopt(const struct pool *pool, struct ring *ring, uint32_t ix)
{
	const struct layout_channel *row = &pool->view.channels[ix];
	char name[FD_NAME];
	struct stat st;
	int fd;
	int r;
	fd_name(name, pool, ix);
	fd = fdstore_take(name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size != channel_bytes(row->capacity)) {
		close(fd);
		return -ESTALE;
	}
	r = map_file(ring, fd, row->capacity, row->owner);
	if (r < 0)
		return r;
	if (ring_is_whole(pool, ring, ix) && is_of(pool, &ring->ring))
		return 0;
	ring_end(ring);
	return -ESTALE;
}
