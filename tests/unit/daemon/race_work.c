/* SPDX-License-Identifier: MIT */
/*
 * A pool that grows beside the loop. The test holds pages on their way as long as
 * it wants, or has them not come, and looks at what the loop does meanwhile.
 */
#include "daemon/pool/work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/slabs.h"
#include "shm/partial.h"
#include "tests/lib/harness.h"
#include "tests/unit/daemon/work_gate.h"

static uint32_t listed(uint32_t cache, uint32_t node)
{
	struct partial list = partial_of(&work_pool.view, cache, node);
	return partial_count(&list, UINT32_MAX);
}

static uint32_t mark(uint32_t cache, uint32_t node)
{
	return pool_mark(&work_pool, cache, node)->denied;
}

/* All that is ready of a node becomes slabs with nothing free. */
static void use_up(uint32_t cache, uint32_t node)
{
	struct slab_user user = {
		.view = &work_pool.view,
		.data = (char *)(uintptr_t)work_pool.head->data_hint,
		.id = 1,
		.epoch = 1};
	void *out[SLAB_RUN_MAX];
	uint32_t head;
	bool ring;
	pool_client(&work_pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	while (slabs_carve_ready(&work_pool, cache, node, &head) == 0)
		continue;
	while (slab_claim_any(&user, cache, node, SLAB_RUN_MAX, out, &ring) > 0)
		continue;
}

static void raise(uint32_t cache, uint32_t node)
{
	(void)view_want_any(&work_pool.view, cache, node);
	wants_rung(&work_pool);
}

/* A round over all wants, if one is due. */
static enum wants_outcome serve(void)
{
	bool more;
	enum wants_outcome outcome = wants_serve(&work_pool, INT64_MAX, &more);
	return outcome;
}

/* As the loop does when the crew has something. */
static enum wants_outcome come(void)
{
	work_settle(&work_pool, 0);
	work_settle(&work_pool, 1);
	tap_ok(work_has_come(&work_pool) && !work_has_come(&work_pool),
	       "it is told once that something came");
	wants_came(&work_pool);
	return serve();
}

/* ---- what happens --------------------------------------------------------- */

static void pages_come(void)
{
	uint32_t cache;
	work_begin(2, 8);
	cache = work_cache("a");
	use_up(cache, 0);
	work_gate_set(true, false);
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING,
	       "a want that needs pages is neither relieved nor denied");
	work_gate_await(1);
	tap_ok(grow_is_coming(&work_pool, 0) && !grow_is_coming(&work_pool, 1),
	       "they are on their way");
	tap_is(work_pages(&work_pool, 0), 1, "one page");
	tap_is(mark(cache, 0), MARK_GROWING, "clients see that");
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "no more begin there");
	tap_is(work_pool.pages.node[0].pages, 1, "the books have none of them");
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING, "who rings again waits as well");
	work_gate_set(false, false);
	tap_is(come(), WANTS_DONE, "the want that waited is relieved");
	tap_ok(listed(cache, 0) > 0, "by a slab");
	tap_is(work_pool.pages.node[0].pages, 2, "of a page that came");
	tap_is(work_pages(&work_pool, 0), 0, "none is on its way then");
	work_finish();
}

static void none_comes(void)
{
	uint32_t cache;
	work_begin(2, 8);
	cache = work_cache("a");
	use_up(cache, 0);
	use_up(cache, 1);
	work_gate_set(false, true);
	raise(cache, 0);
	tap_is(serve(), WANTS_NOTHING, "a want that needs pages waits");
	/* The plan looks for them on the other node as well. */
	for (unsigned i = 0; i < 2 && come() != WANTS_DENIED; i++)
		continue;
	tap_ok((mark(cache, 0) & MARK_DENIED) != 0,
	       "and is denied when none came");
	tap_is(MARK_WHY(mark(cache, 0)), MARK_WHY_NO_UNITS,
	       "for the same reason as ever");
	tap_ok(strcmp(work_pool.backing.node[0].reason, "by the test") == 0,
	       "what the kernel said is known");
	tap_is(work_pool.pages.node[0].pages, 1, "the books are as they were");
	work_finish();
}

/* Node 1 has all that it may, and nothing free; node 0 may grow. */
static void a_lent_one_comes(void)
{
	uint32_t cache;
	work_begin(2, 8);
	pages_limit(&work_pool.pages, 1, 1);
	cache = work_cache("a");
	use_up(cache, 0);
	use_up(cache, 1);
	tap_is(grow_pages(&work_pool, 1), -ENOSPC, "node 1 has all that it may have");
	work_gate_set(true, false);
	raise(cache, 1);
	(void)serve();
	work_gate_await(1);
	tap_ok(grow_is_coming(&work_pool, 0), "pages of node 0 are to serve it");
	tap_is(mark(cache, 1) & MARK_DENIED, 0, "node 1 is not denied");
	work_gate_set(false, false);
	tap_ok(come() != WANTS_DENIED, "nor when they came");
	tap_is(mark(cache, 1) & MARK_DENIED, 0, "as its mark says");
	tap_ok(listed(cache, 1) > 0, "it has a slab on loan");
	tap_is(work_pool.loans.n > 0, 1, "which the books know");
	work_finish();
}

static void rows_are_asked_for(void)
{
	work_begin(2, 8);
	work_gate_set(true, false);
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "node 0 grows");
	work_gate_await(1);
	tap_ok(!work_take_put_off(&work_pool), "nothing was put off");
	tap_ok(work_is_free(&work_pool, 1), "node 1's row is free");
	tap_ok(!work_is_free(&work_pool, 0), "node 0's is not");
	tap_ok(!work_take_put_off(&work_pool), "and it is not the time for it");
	work_gate_set(false, false);
	work_settle(&work_pool, 0);
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "whoever asked is first");
	tap_is(work_pages(&work_pool, 0), 0, "so that no page is on its way");
	tap_ok(work_is_free(&work_pool, 0), "it can have the row");
	tap_ok(work_take_put_off(&work_pool) && !work_take_put_off(&work_pool),
	       "which is said once");
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "then growth goes on");
	tap_ok(work_pages(&work_pool, 0) > 0, "with pages on their way");
	work_finish();
}

/* The file has what the books lack, and nobody calls that a fault, or purges
 * it. */
static void holes_are_left(void)
{
	struct holes_count count;
	work_begin(2, 8);
	work_gate_set(true, false);
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "node 0 grows");
	work_gate_await(1);
	tap_is(fallocate(work_pool.backing.node[0].fd, FALLOC_FL_KEEP_SIZE,
	                 (off_t)(2 * MIB), (off_t)MIB),
	       0, "half a page is there");
	tap_is(holes_look(&work_pool), 0, "a look passes over it");
	tap_is(holes_count(&work_pool, 0, &count), 0, "it is counted");
	tap_is((long long)(count.held_bytes - count.due_bytes), MIB,
	       "and still there");
	work_gate_set(false, false);
	work_settle(&work_pool, 0);
	tap_ok(work_take_put_off(&work_pool), "the look is due again");
	tap_is(holes_look(&work_pool), 0, "and finds");
	tap_is(holes_count(&work_pool, 0, &count), 0, "what there is");
	tap_is((long long)(count.held_bytes - count.due_bytes), 0,
	       "to be as the books have it");
	tap_is(work_pool.backing.node[0].resident_pages, 2, "two pages");
	work_finish();
}

static void ends_on_the_way(void)
{
	work_begin(2, 8);
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "node 0 grows");
	tap_is(grow_pages(&work_pool, 1), WORK_E_COMING, "and so does node 1");
	work_finish();
	tap_ok(work_pool.work == NULL, "and both end with the pool");
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
