/* SPDX-License-Identifier: MIT */
#include "tests/unit/daemon/work_gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/create.h"
#include "daemon/pool/crew.h"
#include "numa/memfile.h"
#include "tests/lib/harness.h"

struct pool work_pool;

static struct topo topo;
static struct config_pool config;
static struct crew *crew;

/* ---- the gate ------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed;
	bool refuses;
	bool holds;       /* punches alone */
	unsigned at;      /* who came to it */
	unsigned punches; /* and to punch */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

int __real_backing_grow(struct backing *backing, unsigned file_ix,
                        uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                        uint64_t *got_pages);
int __wrap_backing_grow(struct backing *backing, unsigned file_ix,
                        uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                        uint64_t *got_pages);

int __wrap_backing_grow(struct backing *backing, unsigned file_ix,
                        uint64_t first_page, uint64_t n_pages, unsigned node_ix,
                        uint64_t *got_pages)
{
	struct backing_node *node = &backing->node[node_ix];
	bool refuses;
	int r = -ENOMEM;
	pthread_mutex_lock(&gate.lock);
	gate.at++;
	pthread_cond_broadcast(&gate.moved);
	while (gate.closed)
		pthread_cond_wait(&gate.moved, &gate.lock);
	refuses = gate.refuses;
	pthread_mutex_unlock(&gate.lock);
	*got_pages = 0;
	if (!refuses)
		r = __real_backing_grow(backing, file_ix, first_page, n_pages,
		                        node_ix, got_pages);
	else
		snprintf(node->reason, sizeof(node->reason), "by the test");
	return r;
}

int __real_memfile_punch(const struct memfile *file, uint64_t first_page,
                         uint64_t n_pages);
int __wrap_memfile_punch(const struct memfile *file, uint64_t first_page,
                         uint64_t n_pages);

/* As while a client's call holds the file. Whether the kernel refuses. */
static bool pass(void)
{
	bool refuses;
	pthread_mutex_lock(&gate.lock);
	gate.punches++;
	pthread_cond_broadcast(&gate.moved);
	while (gate.holds)
		pthread_cond_wait(&gate.moved, &gate.lock);
	refuses = gate.refuses;
	pthread_mutex_unlock(&gate.lock);
	return refuses;
}

int __wrap_memfile_punch(const struct memfile *file, uint64_t first_page,
                         uint64_t n_pages)
{
	return pass() ? -EPERM
	              : __real_memfile_punch(file, first_page, n_pages);
}

off_t __real_lseek(int fd, off_t at, int whence);
off_t __wrap_lseek(int fd, off_t at, int whence);

/* Holes are looked for under the same lock. */
off_t __wrap_lseek(int fd, off_t at, int whence)
{
	if (fd == work_pool.shared_fd)
		(void)pass();
	return __real_lseek(fd, at, whence);
}

void work_gate_hold(bool holds)
{
	pthread_mutex_lock(&gate.lock);
	gate.holds = holds;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

void work_gate_set(bool closed, bool refuses)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	gate.refuses = refuses;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

/* Until so many in all have come to the gate. */
void work_gate_await(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.at < n)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

void work_gate_await_punch(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.punches == 0)
		pthread_cond_wait(&gate.moved, &gate.lock);
	gate.punches = 0;
	pthread_mutex_unlock(&gate.lock);
}

/* ---- the pool ------------------------------------------------------------- */

/* Two nodes, of each start of max MiB. */
void work_begin(uint64_t start, uint64_t max)
{
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
	work_gate_set(false, false);
	work_gate_hold(false);
	gate.at = gate.punches = 0;
	memset(&work_pool, 0, sizeof(work_pool));
	config_default_pool(&config, "work");
	config.page = CONFIG_PAGE_4K;
	config.start_bytes = start * MIB;
	config.max_bytes = max * MIB;
	config.max_caches = 8;
	config.max_clients = 4;
	tap_ok(topo_load(&topo, "node:2 core:1 pu:1") == 0 &&
	               create_pool(&work_pool, &config, &topo, false, 0) == 0 &&
	               balance_make(&work_pool) == 0 &&
	               crew_open(&crew, &topo) == 0 &&
	               work_open(&work_pool, crew) == 0,
	       "a pool of %llu to %llu MiB a node", (unsigned long long)start,
	       (unsigned long long)max);
}

void work_finish(void)
{
	balance_done(&work_pool);
	pool_destroy(&work_pool);
	crew_close(crew);
}

uint32_t work_sized(const char *name, uint64_t size)
{
	char padded[NAME_BYTES] = "";
	struct remedy why = {.what = ""};
	int cache;
	memcpy(padded, name, strlen(name));
	cache = caches_create(&work_pool, padded, size, 8, 0, &why);
	tap_ok(cache > 0, "cache %s", name);
	return (uint32_t)cache;
}

uint32_t work_cache(const char *name)
{
	return work_sized(name, UNIT_OBJECT);
}

unsigned work_gate_punches(void)
{
	unsigned n;
	pthread_mutex_lock(&gate.lock);
	n = gate.punches;
	gate.punches = 0;
	pthread_mutex_unlock(&gate.lock);
	return n;
}
