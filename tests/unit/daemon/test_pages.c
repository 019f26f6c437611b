/* SPDX-License-Identifier: MIT */
#include "daemon/pool/pages.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"
#include "tests/lib/rng.h"

/* Pages of 2 MiB, 32 units: four a node, of which two are ready. */
static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;

static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 4, 8);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(pages, .init = start, .fini = finish);

static uint64_t take(uint32_t node, uint32_t n_units)
{
	uint64_t unit = UINT64_MAX;
	cr_assert_eq(pages_take(&pool->pages, node, n_units, &unit), 0);
	return unit;
}

static void full(uint32_t node)
{
	uint64_t unit;
	cr_expect_eq(pages_take(&pool->pages, node, 1, &unit), -ENOSPC);
}

static uint64_t hole(uint32_t node, uint64_t *n)
{
	return pages_hole(&pool->pages, node, n);
}

Test(pages, begins_with_what_is_ready)
{
	cr_expect_eq(pool->pages.n_pages, 8);
	for (uint64_t page = 0; page < 8; page++) {
		uint32_t node = page < 4 ? 0 : 1;
		cr_expect_eq(pages_file(&pool->pages, page), node);
		cr_expect_eq(pages_node_of(&pool->pages, page),
		             page % 4 < 2 ? node : NODE_NONE);
	}
	for (uint32_t node = 0; node < 2; node++) {
		cr_expect_eq(pool->view.nodes[node].resident_pages, 2);
		cr_expect_eq(pool->view.nodes[node].high_page, 2);
		cr_expect_eq(pages_free_units(&pool->pages, node), 64);
		cr_expect_eq(pool->pages.node[node].empty, 2);
	}
	cr_expect_eq(pool_end_unit(pool, 1), 192);
}

Test(pages, takes_the_lowest_and_gives_back)
{
	for (uint64_t i = 0; i < 64; i++)
		cr_assert_eq(take(0, 1), i);
	full(0);
	cr_expect_eq(pool->pages.node[0].empty, 0);
	cr_expect_eq(take(1, 32), 128);
	pages_give(&pool->pages, 40, 1);
	pages_give(&pool->pages, 3, 1);
	cr_expect_eq(pages_free_units(&pool->pages, 0), 2);
	cr_expect_eq(take(0, 1), 3);
	cr_expect_eq(take(0, 1), 40);
	full(0);
}

/* Runs do not cross pages, and are aligned. */
Test(pages, takes_whole_runs)
{
	cr_expect_eq(take(0, 1), 0);
	cr_expect_eq(take(0, 16), 16);
	cr_expect_eq(take(0, 16), 32);
	cr_expect_eq(take(0, 8), 8);
	cr_expect_eq(take(0, 16), 48);
	uint64_t unit;
	cr_expect_eq(pages_take(&pool->pages, 0, 16, &unit), -ENOSPC);
	cr_expect_eq(take(0, 1), 1);
}

Test(pages, a_page_that_moved_is_the_other_nodes)
{
	cr_expect_eq(take(0, 4), 0);
	pages_move(&pool->pages, 0, 1);
	cr_expect_eq(pages_node_of(&pool->pages, 0), 1);
	cr_expect_eq(pages_free_units(&pool->pages, 0), 32);
	cr_expect_eq(pages_free_units(&pool->pages, 1), 64 + 28);
	cr_expect_eq(pool->view.nodes[0].resident_pages, 1);
	cr_expect_eq(pool->view.nodes[1].resident_pages, 3);
	cr_expect_eq(pool->pages.node[0].empty, 1);
	cr_expect_eq(pool->pages.node[1].empty, 2);
	cr_expect_eq(take(1, 4), 4);
	cr_expect_eq(take(0, 4), 32);
	pages_give(&pool->pages, 0, 4);
	pages_give(&pool->pages, 4, 4);
	cr_expect_eq(pool->pages.node[1].empty, 3);
	pages_move(&pool->pages, 0, 0);
	cr_expect_eq(take(0, 1), 0);
}

Test(pages, holes_are_filled_from_below)
{
	uint64_t n = 9;
	cr_expect_eq(hole(0, &n), 2);
	cr_expect_eq(n, 2);
	pages_drop(&pool->pages, 0);
	cr_expect_eq(pool->view.nodes[0].resident_pages, 1);
	cr_expect_eq(pages_free_units(&pool->pages, 0), 32);
	n = 9;
	cr_expect_eq(hole(0, &n), 0);
	cr_expect_eq(n, 1);
	cr_expect_eq(take(0, 1), 32, "a hole has no units");
	pages_add(&pool->pages, 0, 1, 0);
	n = 1;
	cr_expect_eq(hole(0, &n), 2);
	cr_expect_eq(take(0, 1), 0);
}

/* A node's own file is full of pages that lie elsewhere: others' holes do. */
Test(pages, holes_of_other_files)
{
	uint64_t n = 2;
	pages_add(&pool->pages, 2, 2, 0);
	for (uint64_t page = 0; page < 2; page++)
		pages_move(&pool->pages, page, 1);
	cr_expect_eq(pool->pages.node[0].pages, 2);
	cr_expect_eq(hole(0, &n), 6);
	cr_expect_eq(n, 2);
	pages_add(&pool->pages, 6, 1, 0);
	cr_expect_eq(pages_node_of(&pool->pages, 6), 0);
	cr_expect_eq(pool->view.nodes[1].high_page, 3);
	n = 5;
	cr_expect_eq(hole(1, &n), PAGES_NONE, "it has four, its limit");
	cr_expect_eq(hole(0, &n), 7);
	cr_expect_eq(n, 1);
}

Test(pages, idle_from_above)
{
	const int64_t hour = 3600 * CLOCK_S;
	struct pages *pages = &pool->pages;
	cr_expect_eq(pages_idle(pages, 0, UINT64_MAX, 0), 1);
	cr_expect_eq(pages_idle(pages, 0, 1, 0), 0);
	cr_expect_eq(pages_idle(pages, 0, 0, 0), PAGES_NONE);
	cr_expect_eq(pages_idle(pages, 0, UINT64_MAX, hour), PAGES_NONE);
	test_clock_advance(hour);
	cr_expect_eq(pages_idle(pages, 0, UINT64_MAX, hour), 1);
	cr_expect_eq(take(0, 1), 0);
	cr_expect_eq(pages_idle(pages, 0, 1, 0), PAGES_NONE);
	pages_give(pages, 0, 1);
	cr_expect_eq(pages_idle(pages, 0, 1, 0), 0);
	test_clock_advance(hour - 1);
	cr_expect_eq(pages_idle(pages, 0, 1, hour), PAGES_NONE);
	test_clock_advance(1);
	cr_expect_eq(pages_idle(pages, 0, 1, hour), 0);
}

Test(pages, claims_what_is_named)
{
	cr_expect_eq(pages_claim(&pool->pages, 5, 3), 0);
	cr_expect_eq(pages_claim(&pool->pages, 7, 1), -EINVAL, "taken");
	cr_expect_eq(pages_claim(&pool->pages, 64, 1), -EINVAL, "a hole");
	cr_expect_eq(take(0, 1), 0);
	cr_expect_eq(take(0, 8), 8);
}

/* ---- against what a look at each unit tells ------------------------------- */

/* The largest aligned runs of a page, counted by trying each. */
static void naive_runs(uint64_t page, uint64_t *runs)
{
	const struct pages *pages = &pool->pages;
	uint64_t first = page * pages->page_units;
	for (uint64_t at = first; at < first + pages->page_units;) {
		uint64_t n = pages->page_units;
		for (;; n /= 2) {
			uint64_t free = 0;
			while (at % n == 0 && free < n &&
			       pool->view.words[at + free] == 0)
				free++;
			if (free == n || n == 1) {
				runs[__builtin_ctzll(n)] += free == n;
				break;
			}
		}
		at += n;
	}
}

static void check_books(void)
{
	const struct pages *pages = &pool->pages;
	for (uint32_t node = 0; node < 2; node++) {
		uint64_t runs[PAGES_ORDERS] = {0};
		uint64_t used = PAGES_NONE;
		uint64_t any = PAGES_NONE;
		uint64_t empty = 0;
		for (uint64_t page = 0; page < pages->n_pages; page++) {
			if (pages_node_of(pages, page) != node)
				continue;
			any = page < any ? page : any;
			used = pages->used[page] > 0 ? page : used;
			empty += pages->used[page] == 0;
			naive_runs(page, runs);
		}
		cr_assert_arr_eq(pages->node[node].runs, runs, sizeof(runs));
		cr_assert_eq(pages->node[node].empty, empty);
		cr_assert_eq(pages_next(pages, node, 0), any);
		cr_assert_eq(pages_prev_used(pages, node, UINT64_MAX), used);
		cr_assert_eq(pages_count_idle(pages, node, 0), empty);
	}
}

/* Slabs are a word at each of their units here, 1 + their order. */
static void step(struct rng *rng)
{
	struct pages *pages = &pool->pages;
	uint64_t *words = (uint64_t *)(uintptr_t)pool->view.words;
	uint64_t page = rng_below(rng, pages->n_pages);
	uint32_t node = (uint32_t)rng_below(rng, 2);
	uint32_t n_units = 1u << rng_below(rng, 6);
	uint64_t unit =
		page * pages->page_units + rng_below(rng, pages->page_units);
	uint64_t n = 1 + rng_below(rng, 2);
	switch (rng_below(rng, 8)) {
	case 0:
		if (pages_node_of(pages, page) == NODE_NONE)
			break;
		if (pages->used[page] == 0)
			pages_drop(pages, page);
		else
			pages_move(pages, page, node);
		break;
	case 1:
		page = pages_hole(pages, node, &n);
		if (page != PAGES_NONE)
			pages_add(pages, page, n, node);
		break;
	case 2:
	case 3:
	case 4:
		n = words[unit];
		if (n == 0)
			break;
		unit = unit >> (n - 1) << (n - 1);
		pages_give(pages, unit, 1u << (n - 1));
		for (uint64_t i = 0; i < 1u << (n - 1); i++)
			words[unit + i] = 0;
		break;
	default:
		if (pages_take(pages, node, n_units, &unit) < 0)
			break;
		cr_assert_eq(unit % n_units, 0);
		for (uint64_t i = 0; i < n_units; i++) {
			cr_assert_eq(words[unit + i], 0);
			words[unit + i] = 1 + (uint64_t)__builtin_ctz(n_units);
		}
		break;
	}
}

Test(pages, random_against_naive)
{
	struct rng rng = rng_start("random_against_naive");
	for (uint32_t i = 0; i < 20000; i++) {
		step(&rng);
		check_books();
	}
	memset((void *)(uintptr_t)pool->view.words, 0,
	       pool->view.geo.n_units * sizeof(uint64_t));
}

/* A page of 1 GiB has 16384 units. */
Test(pages, large_pages)
{
	static struct view view;
	static struct pages book;
	static struct layout_node rows[1];
	static uint8_t bytes[2];
	uint64_t unit;
	view.geo.n_nodes = 1;
	view.geo.page_shift = 30;
	view.geo.n_units = 2 << 14;
	view.nodes = rows;
	view.pages = bytes;
	rows[0].n_units = view.geo.n_units;
	cr_assert_eq(pages_make(&book, &view), 0);
	pages_add(&book, 0, 2, 0);
	for (uint32_t order = 0; order < 14; order++) {
		cr_expect_eq(pages_take(&book, 0, 1u << order, &unit), 0);
		cr_expect_eq(unit, (1u << order) & ~1u);
	}
	for (uint32_t order = 1; order < 14; order++)
		cr_expect_eq(book.node[0].runs[order], 0);
	cr_expect_eq(book.node[0].runs[0], 1);
	cr_expect_eq(book.node[0].runs[14], 1);
	pages_give(&book, 64, 64);
	pages_give(&book, 4096, 4096);
	cr_expect_eq(book.node[0].runs[6], 1);
	cr_expect_eq(book.node[0].runs[12], 1);
	cr_expect_eq(pages_take(&book, 0, 128, &unit), 0);
	cr_expect_eq(unit, 4096);
	cr_expect_eq(pages_take(&book, 0, 32, &unit), 0);
	cr_expect_eq(unit, 64);
	cr_expect_eq(pages_take(&book, 0, 8192, &unit), 0);
	cr_expect_eq(unit, 16384);
	pages_done(&book);
}
