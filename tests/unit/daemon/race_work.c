/* SPDX-License-Identifier: MIT */
/*
 * A pool that grows beside the loop. The test holds pages on their way as long as
 * it wants, or has them not come, and looks at what the loop does meanwhile.
 */
#include "daemon/pool/work.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/create.h"
#include "daemon/pool/crew.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"
#include "tests/lib/harness.h"

#define MIB (UINT64_C(1) << 20)
#define UNIT_OBJECT 60000u /* of which a unit has one */

static struct topo topo;
static struct config_pool config;
static struct pool pool;
static struct crew *crew;

/* ---- the gate ------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed;
	bool refuses;
	unsigned at; /* who came to it */
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

static void gate_set(bool closed, bool refuses)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	gate.refuses = refuses;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

/* Until so many in all have come to the gate. */
static void gate_await(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.at < n)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- the pool ------------------------------------------------------------- */

/* Two nodes, of each start of max MiB. */
static void begin(uint64_t start, uint64_t max)
{
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
	gate_set(false, false);
	gate.at = 0;
	memset(&pool, 0, sizeof(pool));
	config_default_pool(&config, "work");
	config.page = CONFIG_PAGE_4K;
	config.start_bytes = start * MIB;
	config.max_bytes = max * MIB;
	config.max_caches = 8;
	config.max_clients = 4;
	tap_ok(topo_load(&topo, "node:2 core:1 pu:1") == 0 &&
	               create_pool(&pool, &config, &topo, false, 0) == 0 &&
	               balance_make(&pool) == 0 &&
	               crew_open(&crew, &topo) == 0 &&
	               work_open(&pool, crew) == 0,
	       "a pool of %llu to %llu MiB a node", (unsigned long long)start,
	       (unsigned long long)max);
}

static void finish(void)
{
	balance_done(&pool);
	pool_destroy(&pool);
	crew_close(crew);
}

static uint32_t make_cache(const char *name)
{
	char padded[NAME_BYTES] = "";
	struct remedy why = {.what = ""};
	int cache;
	memcpy(padded, name, strlen(name));
	cache = caches_create(&pool, padded, UNIT_OBJECT, 8, 0, &why);
	tap_ok(cache > 0, "cache %s", name);
	return (uint32_t)cache;
}

static uint32_t listed(uint32_t cache, uint32_t node)
{
	struct partial list = partial_of(&pool.view, cache, node);
	return partial_count(&list, UINT32_MAX);
}

static uint32_t mark(uint32_t cache, uint32_t node)
{
	return pool_mark(&pool, cache, node)->denied;
}

/* All that is ready of a node becomes slabs with nothing free. */
static void use_up(uint32_t cache, uint32_t node)
{
	struct slab_user user = {
		.view = &pool.view,
		.data = (char *)(uintptr_t)pool.head->data_hint,
		.id = 1,
		.epoch = 1};
	void *out[SLAB_RUN_MAX];
	uint32_t head;
	bool ring;
	pool_client(&pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	while (slabs_carve_ready(&pool, cache, node, &head) == 0)
		continue;
	while (slab_claim_any(&user, cache, node, SLAB_RUN_MAX, out, &ring) > 0)
		continue;
}

static void raise(uint32_t cache, uint32_t node)
{
	(void)view_want_any(&pool.view, cache, node);
	wants_rung(&pool);
}

/* A round over all wants, if one is due. */
static enum wants_outcome serve(void)
{
	bool more;
	enum wants_outcome outcome = wants_serve(&pool, INT64_MAX, &more);
	return outcome;
}

/* As the loop does when the crew has something. */
static enum wants_outcome come(void)
{
	work_settle(&pool, 0);
	work_settle(&pool, 1);
	tap_ok(work_has_come(&pool) && !work_has_come(&pool),
	       "it is told once that something came");
	wants_came(&pool);
	return serve();
}

/* ---- what happens --------------------------------------------------------- */

static void pages_come(void)
{
	uint32_t cache;
	begin(2, 8);
	cache = make_cache("a");
	use_up(cache, 0);
	gate_set(true, false);
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING,
	       "a want that needs pages is neither relieved nor denied");
	gate_await(1);
	tap_ok(work_is_coming(&pool, 0) && !work_is_coming(&pool, 1),
	       "they are on their way");
	tap_is(work_pages(&pool, 0), 1, "one page");
	tap_is(mark(cache, 0), MARK_GROWING, "clients see that");
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "no more begin there");
	tap_is(pool.pages.node[0].pages, 1, "the books have none of them");
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING, "who rings again waits as well");
	gate_set(false, false);
	tap_is(come(), WANTS_DONE, "the want that waited is relieved");
	tap_ok(listed(cache, 0) > 0, "by a slab");
	tap_is(pool.pages.node[0].pages, 2, "of a page that came");
	tap_is(work_pages(&pool, 0), 0, "none is on its way then");
	finish();
}

static void none_comes(void)
{
	uint32_t cache;
	begin(2, 8);
	cache = make_cache("a");
	use_up(cache, 0);
	use_up(cache, 1);
	gate_set(false, true);
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING, "a want that needs pages waits");
	/* The plan looks for them on the other node as well. */
	for (unsigned i = 0; i < 2 && come() != WANTS_DENIED; i++)
		continue;
	tap_ok((mark(cache, 0) & MARK_DENIED) != 0,
	       "and is denied when none came");
	tap_is(MARK_WHY(mark(cache, 0)), MARK_WHY_NO_UNITS,
	       "for the same reason as ever");
	tap_ok(strcmp(pool.backing.node[0].reason, "by the test") == 0,
	       "what the kernel said is known");
	tap_is(pool.pages.node[0].pages, 1, "the books are as they were");
	finish();
}

/* Node 1 has all that it may, and nothing free; node 0 may grow. */
static void a_lent_one_comes(void)
{
	uint32_t cache;
	begin(2, 8);
	pages_limit(&pool.pages, 1, 1);
	cache = make_cache("a");
	use_up(cache, 0);
	use_up(cache, 1);
	tap_is(work_grow(&pool, 1), -ENOSPC, "node 1 has all that it may have");
	gate_set(true, false);
	raise(cache, 1);
	(void)serve();
	gate_await(1);
	tap_ok(work_is_coming(&pool, 0), "pages of node 0 are to serve it");
	tap_is(mark(cache, 1) & MARK_DENIED, 0, "node 1 is not denied");
	gate_set(false, false);
	tap_ok(come() != WANTS_DENIED, "nor when they came");
	tap_is(mark(cache, 1) & MARK_DENIED, 0, "as its mark says");
	tap_ok(listed(cache, 1) > 0, "it has a slab on loan");
	tap_is(pool.loans.n > 0, 1, "which the books know");
	finish();
}

static void rows_are_asked_for(void)
{
	begin(2, 8);
	gate_set(true, false);
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "node 0 grows");
	gate_await(1);
	tap_ok(!work_take_put_off(&pool), "nothing was put off");
	tap_ok(work_is_free(&pool, 1), "node 1's row is free");
	tap_ok(!work_is_free(&pool, 0), "node 0's is not");
	tap_ok(!work_take_put_off(&pool), "and it is not the time for it");
	gate_set(false, false);
	work_settle(&pool, 0);
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "whoever asked is first");
	tap_is(work_pages(&pool, 0), 0, "so that no page is on its way");
	tap_ok(work_is_free(&pool, 0), "it can have the row");
	tap_ok(work_take_put_off(&pool) && !work_take_put_off(&pool),
	       "which is said once");
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "then growth goes on");
	tap_ok(work_pages(&pool, 0) > 0, "with pages on their way");
	finish();
}

/* The file has what the books lack, and nobody calls that a fault, or purges
 * it. */
static void holes_are_left(void)
{
	struct holes_count count;
	begin(2, 8);
	gate_set(true, false);
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "node 0 grows");
	gate_await(1);
	tap_is(fallocate(pool.backing.node[0].fd, FALLOC_FL_KEEP_SIZE,
	                 (off_t)(2 * MIB), (off_t)MIB),
	       0, "half a page is there");
	tap_is(holes_look(&pool), 0, "a look passes over it");
	tap_is(holes_count(&pool, 0, &count), 0, "it is counted");
	tap_is((long long)(count.held_bytes - count.due_bytes), MIB,
	       "and still there");
	gate_set(false, false);
	work_settle(&pool, 0);
	tap_ok(work_take_put_off(&pool), "the look is due again");
	tap_is(holes_look(&pool), 0, "and finds");
	tap_is(holes_count(&pool, 0, &count), 0, "what there is");
	tap_is((long long)(count.held_bytes - count.due_bytes), 0,
	       "to be as the books have it");
	tap_is(pool.backing.node[0].resident_pages, 2, "two pages");
	finish();
}

static void ends_on_the_way(void)
{
	begin(2, 8);
	tap_is(work_grow(&pool, 0), WORK_E_COMING, "node 0 grows");
	tap_is(work_grow(&pool, 1), WORK_E_COMING, "and so does node 1");
	finish();
	tap_ok(pool.work == NULL, "and both end with the pool");
}

int main(void)
{
	tap_start(120);
	pages_come();
	none_comes();
	a_lent_one_comes();
	rows_are_asked_for();
	holes_are_left();
	ends_on_the_way();
	return tap_end();
}
