/* SPDX-License-Identifier: MIT */
#include "daemon/pool/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/proc.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/sweep.h"
#include "daemon/pool/work.h"
#include "shm/names.h"

/* From one look to the next, at least; and for each granule, some 20 times as
 * long as the look takes. */
#define RELIST_NS (50 * CLOCK_MS)
#define RELIST_GRANULE_NS CLOCK_MS
#define ROWS_NS (10 * CLOCK_MS) /* for rows that are not ready yet */
#define SKIPPED_MAX 64u /* ids that somebody has noted something of */

static void note_living(struct pool *pool, uint32_t id, bool lives)
{
	uint64_t bit = UINT64_C(1) << (id % 64);
	uint64_t *own = &pool->due.living.bits[id / 64];
	uint64_t *given = &pool->due.living.bits[(id | TAG_KNOWN) / 64];
	*own = lives ? *own | bit : *own & ~bit;
	*given = lives ? *given | bit : *given & ~bit;
}

/* What such an id owns stays. */
static bool stays(enum client_state state)
{
	return state == CLIENT_LIVE || state == CLIENT_CHANNEL ||
	       state == CLIENT_ROOT;
}

static void clients_set(struct pool *pool, uint32_t id, uint32_t epoch,
                        enum client_state state)
{
	note_living(pool, id, stays(state));
	/* pairs: view_client_live */
	atom_store_release(&pool_client(pool, id)->word,
	                   (uint64_t)epoch << 8 | (uint64_t)state);
}

void clients_ban(struct pool *pool, uint32_t id)
{
	struct layout_client *row = pool_client(pool, id);
	/* Its state and epoch stay as they were: no reader waits for this. */
	atom_store(&row->word, row->word | CLIENT_BANNED);
}

/* ---- names --------------------------------------------------------------- */

static struct layout_name *name_row(struct pool *pool, uint32_t id)
{
	return (struct layout_name *)(uintptr_t)&pool->view.names[id];
}

/* Of who had the id before, before it is another's. */
static void forget_name(struct pool *pool, uint32_t id)
{
	char name[NAME_BYTES] = "";
	/* A look at the rows of ids that nobody had would cost memory. */
	if (clients_epoch(pool, id) == 0)
		return;
	name_row(pool, id)->asked = 0;
	names_read_any(name_row(pool, id), name);
	if (name[0] != '\0')
		names_set_srv(name_row(pool, id), "");
}

int clients_rename(struct pool *pool, uint32_t id, const char name[NAME_BYTES],
                   struct remedy *why)
{
	size_t len = strnlen(name, NAME_BYTES);
	if (len == NAME_BYTES)
		return remedy_set(why, -EINVAL, "",
		                  "a client's name has at most %u bytes",
		                  NAME_BYTES - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return remedy_set(why, -EINVAL, "",
			                  "a client's name has no control "
			                  "characters");
	names_set_srv(name_row(pool, id), name);
	return 0;
}

void clients_name(const struct pool *pool, uint32_t id, char name[NAME_BYTES])
{
	const struct layout_client *row = &pool->view.clients[id];
	names_read_any(&pool->view.names[id], name);
	if (name[0] != '\0')
		return;
	memset(name, 0, NAME_BYTES);
	memcpy(name, row->comm, sizeof(row->comm) - 1);
}

/* ---- ids ----------------------------------------------------------------- */

static void fill_in(struct pool *pool, uint32_t id, int32_t pid, uint32_t uid,
                    const char *comm)
{
	struct layout_client *row = pool_client(pool, id);
	meta_ready_ids(pool, id);
	row->pid = pid;
	row->uid = uid;
	row->since = clock_ns() / CLOCK_S;
	if (proc_ticks(pid, &row->began) < 0)
		row->began = 0;
	memset(row->comm, 0, sizeof(row->comm));
	strncpy(row->comm, comm, sizeof(row->comm) - 1);
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		atom_store(&pool->view.stats[id * STATS_WORDS + i],
		           UINT64_C(0));
	sweep_prepare(pool, id);
	forget_name(pool, id);
}

/* A giver that stood still may have noted something of the id after it was
 * freed: its sweep is due, and the id rests for another round. */
static bool is_noted(struct pool *pool, uint32_t id)
{
	if (!sweep_has_touched(pool, id))
		return false;
	sweep_join(pool, id);
	sweep_forget(pool, id);
	return true;
}

/* The highest id that may be handed out: where all that are ready have been, a job
 * that has the file is about to end as a rule. */
static uint32_t newest(struct pool *pool)
{
	if (pool->last_id >= meta_ids(pool))
		(void)work_wait(pool, WORK_SHARED, clock_ns() + ROWS_NS);
	return meta_ids(pool);
}

static int take_id(struct pool *pool, int32_t pid, uint32_t uid,
                   const char *comm, enum client_state state)
{
	uint32_t most = newest(pool);
	uint32_t id = pool->last_id;
	uint32_t skipped = 0;
	for (uint32_t i = 1; i <= CLIENT_ID_MAX; i++) {
		id = id % CLIENT_ID_MAX + 1;
		if (id > most || clients_state(pool, id) != CLIENT_FREE)
			continue;
		if (clients_epoch(pool, id) > 0 && skipped < SKIPPED_MAX &&
		    is_noted(pool, id)) {
			skipped++;
			continue;
		}
		fill_in(pool, id, pid, uid, comm);
		clients_set(pool, id, clients_epoch(pool, id) + 1, state);
		pool->last_id = id;
		if (id > pool->head->top_id)
			pool->head->top_id = id;
		pool->journal->last_id = id;
		return (int)id;
	}
	return -EBUSY;
}

int clients_take(struct pool *pool, int32_t pid, uint32_t uid, const char *comm)
{
	int id;
	if (pool->n_clients >= pool->config->max_clients)
		return -EAGAIN;
	id = take_id(pool, pid, uid, comm, CLIENT_LIVE);
	if (id < 0)
		return id;
	pool->suspects++;
	pool->suspect = (uint32_t)id;
	pool->n_clients++;
	return id;
}

int clients_take_root(struct pool *pool, uint32_t client)
{
	const struct layout_client *row = &pool->view.clients[client];
	return take_id(pool, 0, row->uid, row->comm, CLIENT_ROOT);
}

int clients_take_channel(struct pool *pool)
{
	return take_id(pool, 0, 0, "channel", CLIENT_CHANNEL);
}

uint64_t clients_reap(struct pool *pool, uint32_t id)
{
	bool guarded = holes_guard(pool);
	bool lived = clients_state(pool, id) == CLIENT_LIVE;
	if (lived && guarded)
		sweep_settle(pool, id);
	pool->n_clients -= lived;
	clients_set(pool, id, clients_epoch(pool, id), CLIENT_DEAD);
	caches_leave(pool, id);
	pool->due.swept.by_id[id] = 0;
	pool->due.lap_asked = true;
	return sweep_join(pool, id);
}

bool clients_relist(struct pool *pool, uint32_t id)
{
	int64_t now_ns = clock_ns();
	uint64_t before = pool->due.n;
	if (now_ns < pool->relist_ns || !holes_guard(pool))
		return false;
	sweep_join(pool, id);
	pool->relist_ns = now_ns + RELIST_NS +
	                  (int64_t)(pool->due.n - before) * RELIST_GRANULE_NS;
	return true;
}

void clients_free(struct pool *pool, uint32_t id)
{
	sweep_forget(pool, id);
	clients_set(pool, id, clients_epoch(pool, id), CLIENT_FREE);
}

/* ---- who has the shared file -------------------------------------------- */

/* A byte of its own for each id, whatever is there. */
static struct flock lock_of(uint32_t id)
{
	return (struct flock){.l_type = F_WRLCK,
	                      .l_whence = SEEK_SET,
	                      .l_start = (off_t)id,
	                      .l_len = 1};
}

int clients_lend_shared(const struct pool *pool, uint32_t id)
{
	struct flock lock = lock_of(id);
	char path[40];
	int fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pool->shared_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* One who had the id before may have it still. */
	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool clients_has_shared(const struct pool *pool, uint32_t id)
{
	struct flock lock = lock_of(id);
	return fcntl(pool->shared_fd, F_OFD_GETLK, &lock) < 0 ||
	       lock.l_type != F_UNLCK;
}

void clients_adopt(struct pool *pool)
{
	pool->n_clients = 0;
	for (uint32_t id = 1; id <= CLIENT_ID_MAX; id++) {
		enum client_state state = clients_state(pool, id);
		pool->n_clients += state == CLIENT_LIVE;
		note_living(pool, id,
		            stays(state));
	}
	sweep_adopt(pool);
}
