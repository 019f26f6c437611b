/* SPDX-License-Identifier: MIT */
/*
 * Pages that leave a pool beside the loop, or move: the test holds the punches, as
 * a client's call can, or has them fail, and looks at what the loop does meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/move.h"
#include "daemon/balance/wants.h"
#include "daemon/base/clock.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/grow.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/lists.h"
#include "daemon/pool/slabs.h"
#include "tests/lib/harness.h"
#include "tests/unit/daemon/work_gate.h"

static long long over(unsigned file)
{
	struct holes_count count;
	return holes_count(&work_pool, file, &count) < 0
	               ? -1
	               : (long long)(count.held_bytes - count.due_bytes);
}

static void fill(int fd, uint64_t from, uint64_t bytes)
{
	tap_is(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)bytes), 0,
	       "a client fills what is no page");
}

static bool is_even(void)
{
	return over(0) == 0 && over(1) == 0 && over(2) == 0;
}

/* Looks until nothing is to be done, as the loop does. */
static void look_through(void)
{
	bool more = true;
	while (more) {
		more = holes_look(&work_pool);
		for (uint32_t row = 0; row <= NODES_MAX; row++)
			work_settle(&work_pool, row);
		more |= holes_take_more(&work_pool) || work_take_put_off(&work_pool);
	}
}

/* Node 0's file is held; node 1, and the shared file, are not its concern. */
static void a_file_is_held(void)
{
	work_begin(2, 8);
	fill(work_pool.backing.node[0].fd, 2 * MIB, 3 * MIB);
	fill(work_pool.backing.node[1].fd, 4 * MIB, MIB);
	work_gate_hold(true);
	tap_ok(!holes_look(&work_pool), "a look does not wait for it");
	work_gate_await_punch();
	tap_ok(!work_is_free(&work_pool, 0) && over(0) == 3 * MIB,
	       "while it is being punched");
	work_gate_set(true, false);
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "who wants pages there waits");
	tap_is(wants_relieve(&work_pool, work_cache("b"), 1), 0,
	       "who wants a slab of another node has it");
	work_gate_set(false, false);
	work_gate_hold(false);
	look_through();
	tap_ok(is_even(), "then all of it is as the books have it");
	tap_is(work_pool.counts.given_back_bytes, 4 * MIB, "which is counted");
	work_finish();
}

static void pages_leave(void)
{
	uint32_t n;
	int error;
	work_begin(4, 8);
	work_gate_hold(true);
	n = move_shrink(&work_pool, 0, 2, 0, &error);
	tap_is(n, 2, "two pages go back");
	work_gate_await_punch();
	tap_is(work_pool.pages.node[0].pages, 0, "they are in no book");
	tap_is(over(0), 4 * MIB, "while their memory is there");
	tap_is(work_pages(&work_pool, 0), 2, "as is known");
	tap_is(grow_pages(&work_pool, 0), WORK_E_COMING, "none comes meanwhile");
	tap_is(move_shrink(&work_pool, 0, 1, 0, &error), 0, "nor goes");
	tap_ok(move_is_shrinking(&work_pool, 0) && !move_is_shrinking(&work_pool, 1),
	       "by hand one can wait for it");
	work_gate_hold(false);
	work_settle(&work_pool, 0);
	tap_is(over(0), 0, "and then it is gone");
	tap_is(work_pool.backing.node[0].resident_pages, 0, "from all books");
	work_finish();
}

/* The kernel refuses: no page comes back into the books, and the rest is tried
 * again later, each time twice as late. */
static void they_fail(void)
{
	int error;
	work_begin(4, 8);
	work_gate_set(false, true);
	tap_is(move_shrink(&work_pool, 0, 1, 0, &error), 1, "a page is to go back");
	work_settle(&work_pool, 0);
	tap_is(over(0), 2 * MIB, "and could not");
	for (unsigned i = 1; i <= 3; i++) {
		work_pool.holes_rest_ns = 0;
		look_through();
		tap_is(work_pool.holes_failed, i, "a look fails");
		(void)work_gate_punches();
		(void)holes_look(&work_pool);
		tap_is(work_gate_punches(), 0, "and the next does not try");
		tap_ok(work_pool.holes_rest_ns > clock_ns() +
		                                    ((CLOCK_S / 2) << (i - 1)),
		       "for some seconds");
	}
	work_gate_set(false, false);
	work_pool.holes_rest_ns = 0;
	look_through();
	tap_ok(is_even() && work_pool.holes_failed == 0, "in the end it goes");
	work_finish();
}

/* Tag lines and lists that come to be used while the shared file is purged wait
 * for that, as it would take them away. */
static void shared_memory_waits(void)
{
	uint64_t off;
	uint32_t cache;
	uint32_t head;
	int r = 0;
	work_begin(8, 32);
	cache = work_sized("a", 16);
	off = work_pool.view.geo.lists_off;
	fill(work_pool.shared_fd, off, work_pool.view.geo.shared_bytes - off);
	work_gate_hold(true);
	tap_ok(!holes_look(&work_pool), "a look does not wait");
	work_gate_await_punch();
	for (unsigned i = 0; r == 0 && i < 4096; i++)
		r = slabs_carve_ready(&work_pool, cache, 0, &head);
	tap_is(r, -EAGAIN, "a slab that needs more of it waits");
	tap_ok(grow_is_coming(&work_pool, 0), "and so does who wants it");
	work_gate_hold(false);
	look_through();
	tap_ok(is_even(), "then it is as the books have it");
	tap_is(slabs_carve_ready(&work_pool, cache, 0, &head), 0, "with that slab");
	tap_ok(is_even() && work_pool.head->aside == 0, "and its tags");
	work_finish();
}

/* Tags that are gone come again while a client's call holds the file: nobody reads
 * them before, and nobody waits. */
static void shared_memory_is_mended(void)
{
	const struct layout_geometry *geo = &work_pool.view.geo;
	const uint16_t *tag;
	uint32_t id = 0;
	int r = 0;
	work_begin(2, 8);
	tag = (const void *)((const char *)work_pool.shared + geo->tags_off);
	work_gate_hold(true);
	tap_is(fallocate(work_pool.shared_fd,
	                 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                 (off_t)geo->tags_off, (off_t)geo->small_bytes),
	       0, "a client takes owner tags away");
	tap_ok(!holes_guard(&work_pool), "which is seen");
	work_gate_await_punch();
	tap_ok(!holes_guard(&work_pool), "and nobody reads them meanwhile");
	tap_ok(work_pool.head->aside != 0, "nor opens the pool");
	while ((r = clients_take(&work_pool, getpid(), 0, "test")) > 0)
		id = (uint32_t)r;
	tap_ok(r < 0 && id > 0, "ids whose rows are ready are handed out");
	tap_is(lists_need(&work_pool, 8, INT64_MAX), -EAGAIN,
	       "lists of a new cache wait");
	work_gate_hold(false);
	look_through();
	tap_ok(holes_guard(&work_pool) && *tag == TAG_NONE,
	       "then they are there, and tell of nothing free");
	tap_ok(is_even(), "and the file is as the books have it");
	work_finish();
}

static uint64_t tried;
static int tried_error;

static void then(const struct work_job *job)
{
	tried = job->range[0].first;
	tried_error = job->error;
}

/* A page with slabs, and no page that is none. */
static void a_page_moves(void)
{
	uint32_t cache;
	uint32_t head;
	uint64_t page;
	work_begin(2, 8);
	cache = work_cache("a");
	tap_is(slabs_carve_ready(&work_pool, cache, 0, &head), 0, "a slab");
	page = head / work_pool.pages.page_units;
	work_gate_set(true, false);
	tap_is(grow_pages(&work_pool, 1), WORK_E_COMING, "the other node grows");
	work_gate_await(1);
	tap_ok(!move_may(&work_pool, page, 1), "so that no page may go there");
	work_gate_set(false, false);
	work_settle(&work_pool, 1);
	(void)work_take_put_off(&work_pool);
	tap_ok(move_may(&work_pool, page, 1), "it may then");
	tap_ok(move_migrate(&work_pool, page, 1, then), "and does");
	work_settle(&work_pool, 0);
	tap_ok(tried == page && tried_error == 0, "who wanted it is told");
	tap_is(WORD_HOME(work_pool.view.words[head]), 1, "its slab has moved along");
	tap_is(pages_node_of(&work_pool.pages, page), 1, "and so has the page");
	tap_ok(!move_migrate(&work_pool, page, 1, then), "once");
	work_finish();
}

/* The list of its new home may lack memory. */
static void a_page_moves_while_shared_is_held(void)
{
	uint64_t from;
	uint32_t cache;
	uint32_t head;
	uint64_t word;
	work_begin(2, 4096);
	cache = work_cache("a");
	from = work_pool.view.geo.lists_off;
	tap_is(slabs_carve_ready(&work_pool, cache, 1, &head), 0, "a slab");
	fill(work_pool.shared_fd, from, work_pool.view.geo.tags_off - from);
	work_gate_hold(true);
	(void)holes_look(&work_pool);
	work_gate_await_punch();
	tap_ok(move_migrate(&work_pool, head / work_pool.pages.page_units, 0, then),
	       "a page moves while the shared file is held");
	work_settle(&work_pool, 0);
	word = work_pool.view.words[head];
	tap_ok(tried_error == 0 && WORD_HOME(word) == 0, "its slab along with it");
	tap_ok(WORD_LIST(word) == 1 && work_pool.loans.n == 1,
	       "lent to where it was, as its new list lacks memory");
	work_gate_hold(false);
	look_through();
	tap_ok(is_even(), "the file is as the books have it then");
	tap_is(slabs_return(&work_pool, head), 0, "the slab can be returned");
	tap_ok(is_even() && work_pool.loans.n == 0, "and is");
	work_finish();
}

int main(void)
{
	tap_start(120);
	a_file_is_held();
	pages_leave();
	they_fail();
	shared_memory_waits();
	shared_memory_is_mended();
	a_page_moves();
	a_page_moves_while_shared_is_held();
	return tap_end();
}
