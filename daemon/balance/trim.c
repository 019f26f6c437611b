/* SPDX-License-Identifier: MIT */
#include "daemon/balance/trim.h"

#include <stdio.h>

#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
#include "daemon/pool/slabs.h"

#define LOOKS_MAX 4096u /* at slabs, in one call */
#define WAITS_MAX 4096u /* for pages that are on their way */
#define NAMED_MAX 8u     /* nodes, in a line of the log */
#define EMPTY_LOOKS 15u /* that one takes which is taken apart, besides its own */

static bool is_meant(const struct balance_trim *trim, uint32_t node)
{
	return trim->node == PLAN_NONE || trim->node == node;
}

static uint64_t floor_of(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].drain != 0
	               ? 0
	               : balance_floor_pages(pool, node);
}

static uint64_t beyond_floor(const struct pool *pool, uint32_t node)
{
	uint64_t floor = floor_of(pool, node);
	uint64_t pages = pool->pages.node[node].pages;
	return pages > floor ? pages - floor : 0;
}

void trim_begin(const struct pool *pool, uint32_t node,
                struct balance_trim *trim)
{
	*trim = (struct balance_trim){.node = node,
	                              .below = PAGES_NONE};
	for (uint32_t i = 0; i < pool->view.geo.n_nodes; i++)
		trim->most += pool->pages.node[i].pages;
}

void trim_again(struct balance_trim *trim)
{
	trim->emptied = trim->at = trim->n_waits = 0;
	trim->below = PAGES_NONE;
}

/* Takes the empty slabs of a page apart. How many slabs it looked at; one that
 * was empty was read as a whole. */
static uint32_t empty_page(struct pool *pool, struct balance_trim *trim,
                           uint64_t page)
{
	uint32_t unit = (uint32_t)(page * pool->pages.page_units);
	uint32_t end = unit + pool->pages.page_units;
	uint32_t looks = 0;
	for (; unit < end && pool->pages.used[page] > 0; unit++) {
		if (!balance_is_head(pool->view.words[unit]))
			continue;
		looks++;
		if (slabs_reclaim(pool, unit) != 0)
			continue;
		trim->slabs++;
		looks += EMPTY_LOOKS;
	}
	return looks;
}

/* Node by node, the pages that have slabs. False if all were looked at. */
static bool empty_some(struct pool *pool, struct balance_trim *trim)
{
	uint32_t looks = 0;
	while (trim->emptied < pool->view.geo.n_nodes && looks < LOOKS_MAX) {
		uint64_t page = PAGES_NONE;
		if (is_meant(trim, trim->emptied))
			page = pages_prev_used(&pool->pages, trim->emptied,
			                       trim->below);
		trim->below = page;
		if (page == PAGES_NONE)
			trim->emptied++;
		else
			looks += empty_page(pool, trim, page);
	}
	return looks > 0;
}

/* One step of pages. False if no node has any left to give, or clients have
 * pages made ready as fast as they go. */
static bool shrink_some(struct pool *pool, struct balance_trim *trim)
{
	uint32_t n_nodes = pool->view.geo.n_nodes;
	for (; trim->at < n_nodes && trim->pages < trim->most; trim->at++) {
		uint64_t n = beyond_floor(pool, trim->at);
		uint64_t empty = pool->pages.node[trim->at].empty;
		struct plan_step step;
		uint64_t done;
		n = n < empty ? n : empty;
		if (n == 0 || !is_meant(trim, trim->at))
			continue;
		step = plan_step_of(PLAN_SHRINK, PLAN_ASKED, PLAN_NONE,
		                    PLAN_NONE, trim->at, n);
		done = balance_step(pool, BALANCE_HAND, &step);
		trim->pages += done;
		trim->of[trim->at] += done;
		trim->waits = done == 0 && pool->balance->put_off &&
		              trim->n_waits++ < WAITS_MAX;
		if (done > 0 || trim->waits)
			return true;
	}
	return false;
}

/* Whether any page of theirs is on its way to the kernel. */
static bool is_shrinking(const struct pool *pool, struct balance_trim *trim)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		trim->waits |= is_meant(trim, node) &&
		               move_is_shrinking(pool, node);
	return trim->waits && trim->n_waits++ < WAITS_MAX;
}

bool trim_some(struct pool *pool, struct balance_trim *trim)
{
	trim->waits = false;
	return empty_some(pool, trim) || shrink_some(pool, trim) ||
	       is_shrinking(pool, trim);
}

struct trim_left trim_left(const struct pool *pool,
                           const struct balance_trim *trim, struct remedy *why)
{
	struct trim_left left = {0, 0};
	uint64_t empty = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t beyond = beyond_floor(pool, node);
		if (!is_meant(trim, node))
			continue;
		left.beyond += beyond;
		left.floor += pool->pages.node[node].pages - beyond;
		empty += beyond > 0 ? pool->pages.node[node].empty : 0;
	}
	remedy_set(why, 0, "", "%s", "");
	if (left.beyond > 0)
		remedy_set(why, 0, "",
		           empty > 0 ? "the kernel did not take all: slabctl "
		                       "log says why"
		                     : "what stays beyond the floor has "
		                       "objects in it: slabctl caches and "
		                       "clients say whose");
	else if (trim->pages == 0)
		remedy_set(why, 0, "", "no page is left beyond the floor");
	return left;
}

void trim_name_nodes(char *text, size_t bytes, const struct pool *pool,
                     const uint64_t *pages)
{
	uint32_t shift = pool->view.geo.page_shift;
	uint32_t n = 0;
	uint32_t rest = 0;
	size_t at = 0;
	text[0] = '\0';
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		if (pages[node] == 0)
			continue;
		if (n++ >= NAMED_MAX)
			rest++;
		else
			at += (size_t)snprintf(
				text + at, bytes - at, "%s%llu MiB of node %u",
				at > 0 ? ", " : "",
				(unsigned long long)(pages[node] << shift >> 20),
				pool->view.nodes[node].os_id);
	}
	if (rest > 0)
		snprintf(text + at, bytes - at, " and some of %u other%s", rest,
		         rest == 1 ? "" : "s");
}
