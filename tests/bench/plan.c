/* SPDX-License-Identifier: MIT */
/*
 * How long a plan takes, for plan.py: plan TIMES makes so many random pictures
 * of each size and mixture, plans each once, and prints a line of JSON for each
 * with the microseconds of CPU time: what else the machine does is not counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/balance/settings.h"
#include "daemon/plan/plan.h"
#include "tests/lib/rng.h"

#define TIMES_MAX 100000u
#define PAGES 200u /* that could be moved, of a node */

/* What of the cells, in hundredths, is needy and what has plenty. */
static const struct mixture {
	const char *name;
	uint32_t needy;
	uint32_t plenty;
	uint32_t free_units; /* of a node, at most */
	bool trouble;        /* pressure, nodes drained, pages to move */
} mixtures[] = {
	{"nothing to do", 0, 30, 4096, false},
	{"some needy", 2, 30, 64, false},
	{"half needy, half plenty", 50, 50, 64, true},
	{"all needy, memory", 100, 0, 1u << 20, false},
	{"all needy, nothing", 100, 0, 0, false},
};

struct picture {
	struct snapshot snap;
	struct plan_config config;
	struct snapshot_node nodes[SNAPSHOT_NODES_MAX];
	uint16_t distance[SNAPSHOT_NODES_MAX][SNAPSHOT_NODES_MAX];
	uint8_t nearest[SNAPSHOT_NODES_MAX][SNAPSHOT_NODES_MAX];
	struct snapshot_cache *caches;
	struct snapshot_cell *cells;
	struct snapshot_loan *loans;
	struct snapshot_page *pages;
};

static struct picture picture;
static struct plan plan;
static double took[TIMES_MAX];

static void *get(size_t n, size_t bytes)
{
	void *memory = calloc(n, bytes);
	if (memory != NULL)
		return memory;
	perror("plan");
	exit(1);
}

static void draw_nodes(struct rng *rng, const struct mixture *mix)
{
	uint32_t n = picture.snap.n_nodes;
	for (uint32_t a = 0; a < n; a++) {
		struct snapshot_node *node = &picture.nodes[a];
		bool bad = mix->trouble && rng_below(rng, 4) == 0;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t b = (a + i) % n;
			picture.nearest[a][i] = (uint8_t)b;
			picture.distance[a][b] = (uint16_t)(10 + i);
		}
		*node = (struct snapshot_node){
			.has_cpu = a == 0 || rng_below(rng, 8) > 0,
			.draining = bad && rng_below(rng, 2),
			.distance = picture.distance[a],
			.nearest = picture.nearest[a],
			.pages = 10000,
			.pages_max = 12000,
			.room_pages = bad ? 8 : 0,
			.free_units = rng_below(rng, mix->free_units + 1),
			.pressure = bad ? PLAN_SOME : PLAN_CALM,
		};
		node->empty_pages = node->free_units / 64;
	}
}

static void draw_cells(struct rng *rng, const struct mixture *mix)
{
	uint32_t n = picture.snap.n_caches * picture.snap.n_nodes;
	for (uint32_t cache = 0; cache < picture.snap.n_caches; cache++)
		picture.caches[cache] = (struct snapshot_cache){
			.slab_units = 1u << rng_below(rng, 6),
			.n_objs = 100,
			.strict = rng_below(rng, 10) == 0};
	for (uint32_t at = 0; at < n; at++) {
		struct snapshot_cell *cell = &picture.cells[at];
		uint32_t kind = rng_below(rng, 100);
		*cell = (struct snapshot_cell){.slabs =
		                                       20 + rng_below(rng, 100),
		                               .low = 2,
		                               .held_ms = rng_below(rng, 20000),
		                               .gained = rng_below(rng, 2),
		                               .reversals = rng_below(rng, 3)};
		if (kind < mix->needy) {
			cell->want = 1 + rng_below(rng, 4);
			cell->listed = rng_below(rng, 2);
		} else if (kind < mix->needy + mix->plenty) {
			cell->listed = rng_below(rng, 20);
			cell->empty = rng_below(rng, cell->listed + 1);
		}
	}
}

static void draw_rest(struct rng *rng, const struct mixture *mix)
{
	struct snapshot *snap = &picture.snap;
	snap->n_loans = snap->n_caches * snap->n_nodes / 10;
	for (uint32_t i = 0; i < snap->n_loans; i++)
		picture.loans[i] = (struct snapshot_loan){
			.cache_ix = rng_below(rng, snap->n_caches),
			.home = rng_below(rng, snap->n_nodes),
			.list = rng_below(rng, snap->n_nodes),
			.slabs = 3,
			.bare = 3,
			.age_ms = rng_below(rng, 9000)};
	snap->n_pages = mix->trouble ? PAGES * snap->n_nodes : 0;
	for (uint32_t i = 0; i < snap->n_pages; i++)
		picture.pages[i] = (struct snapshot_page){
			.page = i,
			.lies = rng_below(rng, snap->n_nodes),
			.target = rng_below(rng, snap->n_nodes),
			.live_bytes = 2 << 20,
			.target_bytes = rng_below(rng, 2 << 20),
			.cache_ix = rng_below(rng, snap->n_caches)};
}

static double now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(struct rng *rng, const struct mixture *mix, uint32_t times)
{
	void *work = get(1, plan_work_bytes(&picture.snap));
	for (uint32_t i = 0; i < times; i++) {
		double began;
		draw_nodes(rng, mix);
		draw_cells(rng, mix);
		draw_rest(rng, mix);
		began = now_us();
		plan_make(&plan, &picture.snap, &picture.config, work);
		took[i] = now_us() - began;
	}
	qsort(took, times, sizeof(took[0]), by_value);
	printf("{\"nodes\": %u, \"caches\": %u, \"mixture\": \"%s\", "
	       "\"times\": %u, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"max_us\": %.1f}\n",
	       picture.snap.n_nodes, picture.snap.n_caches, mix->name, times,
	       took[times / 2], took[(uint64_t)times * 99 / 100],
	       took[times - 1]);
	fflush(stdout);
	free(work);
}

static void measure_size(struct rng *rng, uint32_t n_nodes, uint32_t n_caches,
                         uint32_t times)
{
	uint64_t n_cells = (uint64_t)n_nodes * n_caches;
	picture.caches = get(n_caches, sizeof(*picture.caches));
	picture.cells = get(n_cells, sizeof(*picture.cells));
	picture.loans = get(n_cells, sizeof(*picture.loans));
	picture.pages = get((size_t)n_nodes * PAGES, sizeof(*picture.pages));
	picture.snap = (struct snapshot){.n_nodes = n_nodes,
	                                 .n_caches = n_caches,
	                                 .page_units = 32,
	                                 .page_bytes = UINT64_C(2) << 20,
	                                 .nodes = picture.nodes,
	                                 .caches = picture.caches,
	                                 .cells = picture.cells,
	                                 .loans = picture.loans,
	                                 .pages = picture.pages};
	for (size_t i = 0; i < sizeof(mixtures) / sizeof(mixtures[0]); i++)
		measure(rng, &mixtures[i], times);
	free(picture.caches);
	free(picture.cells);
	free(picture.loans);
	free(picture.pages);
}

int main(int argc, char **argv)
{
	static const uint32_t nodes[] = {4, 16, 64};
	static const uint32_t caches[] = {100, 1000, 4000};
	unsigned long times = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct rng rng = rng_start("plan");
	if (times == 0 || times > TIMES_MAX) {
		fprintf(stderr, "usage: plan TIMES (1 to %u)\n", TIMES_MAX);
		return 2;
	}
	balance_default_settings(&picture.config);
	for (uint32_t n = 0; n < 3; n++)
		for (uint32_t c = 0; c < 3; c++)
			measure_size(&rng, nodes[n], caches[c],
			             (uint32_t)times);
	return 0;
}
