/* SPDX-License-Identifier: MIT */
/* Opening and closing a pool: the handshake and the mappings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/arena.h"
#include "client/cache.h"
#include "client/checked.h"
#include "client/channel.h"
#include "client/closed.h"
#include "client/connect.h"
#include "client/error.h"
#include "client/give.h"
#include "client/held.h"
#include "client/helper.h"
#include "client/home.h"
#include "client/limits.h"
#include "client/magazine.h"
#include "client/map.h"
#include "client/objpool.h"
#include "client/others.h"
#include "client/process.h"
#include "client/reach.h"
#include "client/request.h"
#include "client/thread.h"
#include "client/tools.h"

#define THREAD_BYTES (UINT64_C(4) << 20)
#define PROCESS_BYTES (UINT64_C(256) << 20)
#define WAIT_MS 1000u
#define BACKING_THP_KIND 2u /* numa/backing.h, BACKING_THP */

/* A program that has more rights than who started it lets nobody name the slabd
 * that it trusts. */
static void default_socket(char *path, size_t bytes)
{
	const char *env = secure_getenv("SLABD_SOCKET");
	const char *run = secure_getenv("XDG_RUNTIME_DIR");
	if (env != NULL && env[0] != '\0')
		snprintf(path, bytes, "%s", env);
	else if (geteuid() == 0 || run == NULL || run[0] == '\0')
		snprintf(path, bytes, "/run/slabd/slabd.sock");
	else
		snprintf(path, bytes, "%s/slabd/slabd.sock", run);
}

/* ---- mappings ----------------------------------------------------------- */

/* 0 if the file has what was promised: beyond its end lies SIGBUS. */
static int check_size(int fd, uint64_t bytes)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size > 0 && (uint64_t)st.st_size >= bytes ? 0 : -EPROTO;
}

static int map_file(int fd, uint64_t bytes, int prot, void **at)
{
	int r = check_size(fd, bytes);
	if (r < 0)
		return r;
	*at = mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (*at == MAP_FAILED) {
		*at = NULL;
		return -errno;
	}
	madvise(*at, bytes, MADV_DONTDUMP);
	return 0;
}

#define NOTHING (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Where slabd says, if it is free there. NULL: not. */
static char *reserve_there(uint64_t bytes, uint64_t hint, uint64_t page)
{
	char *at;
	if (hint == 0 || hint % page != 0)
		return NULL;
	at = mmap((void *)(uintptr_t)hint, bytes, PROT_NONE,
	          NOTHING | MAP_FIXED_NOREPLACE, -1, 0);
	if (at == (char *)(uintptr_t)hint)
		return at;
	if (at != MAP_FAILED)
		munmap(at, bytes);
	return NULL;
}

/* Address space for the data: where slabd says or anywhere, aligned to the
 * page. */
static char *reserve(uint64_t bytes, uint64_t hint, uint64_t page)
{
	uint64_t slack;
	char *at = reserve_there(bytes, hint, page);
	if (at != NULL)
		return at;
	at = mmap(NULL, bytes + page, PROT_NONE, NOTHING, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	slack = (page - (uintptr_t)at % page) % page;
	if (slack > 0)
		munmap(at, slack);
	if (page - slack > 0)
		munmap(at + slack + bytes, page - slack);
	return at + slack;
}

static int map_node(struct slabd_pool *pool, uint32_t node, int fd)
{
	const struct layout_node *row = &pool->view.nodes[node];
	char *at = pool->user.data + (row->first_unit << UNIT_SHIFT);
	uint64_t bytes = row->n_units << UNIT_SHIFT;
	int r;
	if (row->first_unit + row->n_units > pool->view.geo.n_units)
		return -EPROTO;
	r = check_size(fd, bytes);
	if (r < 0)
		return r;
	if (mmap(at, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
	         fd, 0) == MAP_FAILED)
		return -errno;
	if (row->backing == BACKING_THP_KIND)
		madvise(at, bytes, MADV_HUGEPAGE);
	return 0;
}

static int map_data(struct slabd_pool *pool,
                    const struct connect_welcome *welcome)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t page = UINT64_C(1) << geo->page_shift;
	uint64_t align = layout_data_align(geo);
	int r = 0;
	pool->data_bytes = geo->n_units << UNIT_SHIFT;
	pool->user.data = reserve(pool->data_bytes, pool->view.head->data_hint,
	                          page > align ? page : align);
	if (pool->user.data == NULL)
		return -ENOMEM;
	tools_pool_open(pool->user.data, pool->data_bytes);
	for (uint32_t node = 0; node < geo->n_nodes && r == 0; node++)
		r = map_node(pool, node, welcome->data[node]);
	return r < 0 ? r : map_make(pool, welcome->control);
}

static int map_all(struct slabd_pool *pool,
                   const struct connect_welcome *welcome)
{
	struct layout_geometry geo;
	void *shared = NULL;
	int r;
	pool->control_bytes = welcome->msg.control_bytes;
	pool->shared_bytes = welcome->msg.shared_bytes;
	r = map_file(welcome->control, pool->control_bytes, PROT_READ,
	             &pool->control);
	if (r < 0)
		return r;
	r = layout_check(pool->control, pool->control_bytes, pool->shared_bytes,
	                 &geo);
	if (r < 0)
		return r;
	r = map_file(welcome->shared, pool->shared_bytes, PROT_NONE, &shared);
	if (r < 0)
		return r;
	view_init(&pool->view, &geo, pool->control, shared);
	pool->user.view = &pool->view;
	pool->user.id = welcome->msg.id;
	pool->user.epoch = welcome->msg.epoch;
	r = map_data(pool, welcome);
	return r < 0 ? r : reach_start(pool);
}

static void unmap_all(struct slabd_pool *pool)
{
	checked_end(pool);
	reach_done(pool);
	map_drop(pool);
	if (pool->user.data != NULL) {
		tools_pool_close(pool->user.data, pool->data_bytes);
		munmap(pool->user.data, pool->data_bytes);
	}
	if (pool->view.wants != NULL)
		munmap(pool->view.wants, pool->shared_bytes);
	if (pool->control != NULL)
		munmap(pool->control, pool->control_bytes);
	if (pool->wiped != NULL)
		munmap(pool->wiped, sizeof(*pool->wiped));
}

/* A word that the kernel wipes in a forked child. */
static int make_alive(struct slabd_pool *pool)
{
	struct pool_wiped *wiped =
		mmap(NULL, sizeof(*wiped), PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (wiped == MAP_FAILED)
		return -errno;
	pool->wiped = wiped;
	pool->alive = &wiped->alive;
	if (madvise(wiped, sizeof(*wiped), MADV_WIPEONFORK) < 0)
		return -errno;
	wiped->alive = 1;
	wiped->plain = !atom_load(&tools_on);
	return 0;
}

/* ---- open --------------------------------------------------------------- */

static int check_options(const struct slabd_options *o)
{
	for (unsigned i = 0; i < sizeof(o->spare) / sizeof(o->spare[0]); i++)
		if (o->spare[i] != 0)
			return error_set(EINVAL, "slabd_options.spare is not "
			                         "zero: clear the structure");
	if (o->flags >= SLABD_CHECKED_ABORT << 1)
		return error_set(EINVAL,
		                 "slabd_options.flags 0x%x has unknown "
		                 "bits",
		                 o->flags);
	return 0;
}

static int apply_options(struct slabd_pool *pool, const struct slabd_options *o)
{
	int node = NODE_FOLLOW;
	if (o->flags & SLABD_FORCE_NODE)
		node = view_node_index(&pool->view, o->node);
	if (node < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, o->node),
		       -EINVAL;
	pool->forced = (uint32_t)node;
	pool->strict = (o->flags & SLABD_STRICT_NODE) != 0;
	pool->user.home_only = pool->strict;
	pool->no_wait = (o->flags & SLABD_NO_WAIT) != 0;
	pool->thread_bytes = o->thread_bytes ? o->thread_bytes : THREAD_BYTES;
	pool->process_bytes =
		o->process_bytes ? o->process_bytes : PROCESS_BYTES;
	pool->max_bytes = pool->view.geo.n_units << UNIT_SHIFT;
	magazine_count_holder(pool, 0);
	pool->wait_ns = (o->wait_ms ? o->wait_ms : WAIT_MS) * UINT64_C(1000000);
	return 0;
}

static void close_welcome(const struct connect_welcome *welcome)
{
	close(welcome->control);
	close(welcome->shared);
	for (uint32_t node = 0; node < welcome->msg.n_nodes; node++)
		close(welcome->data[node]);
}

/* Address space that all of it takes. */
static uint64_t map_bytes(const struct slabd_pool *pool)
{
	return MAP_BYTES + pool->control_bytes + pool->shared_bytes +
	       (pool->view.geo.n_units << UNIT_SHIFT);
}

/* The part of open after the welcome: on failure the caller cleans up. */
static int settle_in(struct slabd_pool *pool,
                     const struct connect_welcome *welcome,
                     const struct slabd_options *o)
{
	int r = make_alive(pool);
	if (r == 0)
		r = map_all(pool, welcome);
	if (r < 0)
		return limits_say_map(-r, map_bytes(pool)), r;
	r = apply_options(pool, o);
	if (r < 0)
		return r;
	r = checked_start(pool, o->flags);
	if (r < 0)
		return limits_say_start(-r), r;
	pool->told_up = pool->link.up;
	r = connect_settle(&pool->link, &pool->view);
	if (r < 0)
		return error_set(-r, "can't wait for slabd: %s", strerror(-r)),
		       r;
	if (o->name != NULL && others_tell_name(pool, o->name) < 0)
		return -errno;
	if ((o->flags & SLABD_NO_HELPER) == 0) {
		r = helper_start(pool);
		if (r < 0)
			limits_say_thread(-r);
	}
	return r;
}

static int open_link(struct slabd_pool *pool, const char *name,
                     const struct slabd_options *o,
                     struct connect_welcome *welcome)
{
	char path[256];
	if (o->socket != NULL)
		snprintf(path, sizeof(path), "%s", o->socket);
	else
		default_socket(path, sizeof(path));
	return connect_open(&pool->link, path, name, welcome);
}

static slabd_pool *open_pool(const char *name, const struct slabd_options *o)
{
	struct connect_welcome welcome;
	struct slabd_pool *pool;
	int r = thread_start();
	pool = r == 0 ? calloc(1, sizeof(*pool)) : NULL;
	if (pool == NULL)
		return limits_say_start(r < 0 ? -r : ENOMEM), NULL;
	r = open_link(pool, name, o, &welcome);
	if (r == 0) {
		r = settle_in(pool, &welcome, o);
		close_welcome(&welcome);
		if (r == 0)
			return pool;
		request_bye(&pool->link);
		link_close(&pool->link);
		unmap_all(pool);
	}
	free(pool);
	errno = -r;
	return NULL;
}

/* Those of the process that are open; in a forked child its parent's too. */
static struct slabd_pool *pools;

static void enlist(struct slabd_pool *pool)
{
	process_lock();
	pool->next = pools;
	pools = pool;
	process_unlock();
}

slabd_pool *slabd_open(const char *name, const struct slabd_options *options)
{
	static const struct slabd_options defaults;
	const struct slabd_options *o = options ? options : &defaults;
	slabd_pool *pool;
	int held;
	if (name == NULL)
		name = "default";
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "pool name over %d bytes",
		                 SLABD_NAME_MAX),
		       NULL;
	if (check_options(o) < 0 || others_check_name(o->name) < 0)
		return NULL;
	held = link_hold();
	pool = open_pool(name, o);
	link_let_go(held);
	if (pool != NULL)
		enlist(pool);
	return pool;
}

/* ---- close -------------------------------------------------------------- */

static void leave_all(struct slabd_pool *pool)
{
	process_lock();
	for (struct thread *t = thread_first(); t != NULL; t = t->next)
		thread_leave(t, pool);
	process_unlock();
	home_drain_pool(pool);
}

/* In a forked child the books are the parent's: only the memory goes. */
static void forget_caches(struct slabd_pool *pool)
{
	process_lock();
	for (uint32_t id = 0; id < pool->view.geo.n_caches; id++)
		if (pool->caches[id] != NULL)
			cache_destroy(pool->caches[id]);
	process_unlock();
}

/* Takes a pool off the list of those that are open. False: it is none. */
static bool unlist(struct slabd_pool *pool)
{
	struct slabd_pool **at = &pools;
	bool found;
	process_lock();
	while (*at != NULL && *at != pool)
		at = &(*at)->next;
	found = *at != NULL;
	if (found)
		*at = pool->next;
	process_unlock();
	return found;
}

int slabd_close(slabd_pool *pool)
{
	bool ended = true;
	int held;
	if (pool == NULL)
		return error_set(EINVAL, "slabd_close of no pool");
	if (!unlist(pool))
		return error_set(EINVAL, "slabd_close of %p, which is no open "
		                 "pool: it was closed already", (void *)pool);
	if (atom_load(pool->alive) != 0 && arena_is_inside(pool)) {
		enlist(pool);
		return error_set(EBUSY, "slabd_close in a cleanup of an arena");
	}
	arena_close(pool);
	held = link_hold();
	objpool_close_all(pool);
	if (atom_load(pool->alive) != 0) {
		if (pool->has_helper)
			ended = helper_stop(pool);
		channel_close_all(pool, true);
		leave_all(pool);
		checked_flush(pool);
		give_settle(pool);
		request_bye(&pool->link);
	} else if (pool->has_helper) {
		helper_forget(pool);
	}
	channel_close_all(pool, false);
	forget_caches(pool);
	link_close(&pool->link);
	unmap_all(pool);
	/* A thread that may wake later still looks at it. */
	if (ended)
		closed_bury_pool(pool);
	link_let_go(held);
	return 0;
}

unsigned slabd_client_id(slabd_pool *pool)
{
	return pool_alive(pool) ? pool->user.id : 0;
}

int slabd_get_stats(slabd_pool *pool, struct slabd_stats *stats)
{
	const uint64_t *row;
	uint64_t words[STATS_WORDS] = {0};
	_Static_assert(sizeof(words) == sizeof(*stats), "slabd_stats");
	if (!pool_alive(pool) || error_no_array(stats, 1))
		return -1;
	row = pool->view.stats + pool->user.id * STATS_WORDS;
	for (unsigned i = 0; i < STAT_COUNTS; i++)
		words[i] = atom_load(&row[i]);
	home_uncounted(pool, &words[STAT_DEPOT_GETS], &words[STAT_DEPOT_PUTS]);
	words[STAT_REMOTE_FREES] += held_remote(pool);
	memcpy(stats, words, sizeof(words));
	tools_wrote(stats, sizeof(*stats));
	return 0;
}
