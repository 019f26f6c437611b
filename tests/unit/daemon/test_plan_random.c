/* SPDX-License-Identifier: MIT */
/*
 * Plans for machines of any shape, carried out by the simulator's mechanism.
 * Each step can be done, nothing is moved back too early, no cache is robbed of
 * what it keeps (plan_apply.c); pages, slabs and objects add up after each
 * plan; the same snapshot gives the same plan; each shortage is met or refused;
 * and where nobody does anything more, the plans come to an end.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/plan_model.h"

#define MACHINES 1500u
#define EPOCHS 4u
#define ROUNDS_MAX 150u

static struct model model;
static struct plan plan;
static struct plan again;
static void *work;

static uint32_t seen[PLAN_KINDS][PLAN_NO_REASON];

static bool is_same(const struct plan_step *a, const struct plan_step *b)
{
	return a->kind == b->kind && a->reason == b->reason &&
	       a->cache_ix == b->cache_ix && a->from == b->from &&
	       a->to == b->to && a->n == b->n && a->donor_ix == b->donor_ix &&
	       a->n_given == b->n_given && a->page == b->page &&
	       a->distance == b->distance && a->bytes == b->bytes &&
	       a->fresh == b->fresh;
}

/* Twice, on scratch memory that is not the same. */
static void make(void)
{
	uint64_t bytes;
	model_look(&model);
	bytes = plan_work_bytes(model.snap);
	memset(work, 0x5a, bytes);
	plan_make(&plan, model.snap, &model.world.d.config, work);
	memset(work, 0xff, bytes);
	plan_make(&again, model.snap, &model.world.d.config, work);
	cr_assert_eq(plan.n_steps, again.n_steps);
	cr_assert_eq(plan.n_refusals, again.n_refusals);
	for (uint32_t i = 0; i < plan.n_steps; i++)
		cr_assert(is_same(&plan.steps[i], &again.steps[i]));
	for (uint32_t i = 0; i < plan.n_refusals; i++)
		cr_assert(memcmp(&plan.refusals[i], &again.refusals[i],
		                 sizeof(plan.refusals[i])) == 0);
}

static void count(void)
{
	for (uint32_t i = 0; i < plan.n_steps; i++)
		seen[plan.steps[i].kind][plan.steps[i].reason]++;
	for (uint32_t i = 0; i < plan.n_refusals; i++)
		seen[plan.refusals[i].kind][plan.refusals[i].reason]++;
}

/* A run that met only some of what there is would prove little. */
static void check_seen(void)
{
	for (unsigned reason = 0; reason < PLAN_NO_REASON; reason++) {
		uint32_t n = 0;
		for (unsigned kind = 0; kind < PLAN_KINDS; kind++) {
			n += seen[kind][reason];
			if (seen[kind][reason] > 0)
				fprintf(stderr, "%8u %s, %s\n",
				        seen[kind][reason],
				        plan_kind_name(kind),
				        plan_reason_name(reason));
		}
		/* No plan's reason, but that of what is taken by hand. */
		if (reason == PLAN_ASKED)
			continue;
		cr_assert_gt(n, 0, "%s was never met",
		             plan_reason_name(reason));
	}
}

/* ---- each shortage is met or refused ------------------------------------ */

static uint32_t planned(uint32_t cache, uint32_t node)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < plan.n_steps; i++) {
		const struct plan_step *step = &plan.steps[i];
		if (step->cache_ix == cache && step->to == node &&
		    (step->reason == PLAN_SHORT ||
		     step->reason == PLAN_LENDER_SHORT) &&
		    step->kind != PLAN_MIGRATE)
			n += step->n;
	}
	return n;
}

static bool is_refused(enum plan_kind kind, uint32_t cache, uint32_t node)
{
	for (uint32_t i = 0; i < plan.n_refusals; i++)
		if (plan.refusals[i].kind == kind &&
		    plan.refusals[i].cache_ix == cache &&
		    plan.refusals[i].node == node)
			return true;
	return false;
}

static void check_shortages(void)
{
	for (uint32_t cache = 0; cache < model.world.m.n_caches; cache++) {
		for (uint32_t node = 0; node < model.world.m.n_nodes; node++) {
			uint32_t want =
				model.snap
					->cells[cache * model.world.m.n_nodes +
			                        node]
					.want;
			uint32_t got = planned(cache, node);
			bool met = got == want;
			cr_assert_leq(got, want);
			cr_assert_neq(met, is_refused(PLAN_CARVE, cache, node));
			cr_assert_neq(met,
			              is_refused(PLAN_REASSIGN, cache, node));
			if (model.world.m.n_nodes > 1)
				cr_assert_neq(met, is_refused(PLAN_LEND, cache,
				                              node));
		}
	}
}

/* ---- and comes to an end ------------------------------------------------ */

static void show(void)
{
	for (uint32_t i = 0; i < plan.n_steps; i++) {
		const struct plan_step *step = &plan.steps[i];
		fprintf(stderr, "  %s %s cache %d, %d to %d: %u of %d\n",
		        plan_kind_name(step->kind),
		        plan_reason_name(step->reason), (int)step->cache_ix,
		        (int)step->from, (int)step->to, step->n,
		        (int)step->donor_ix);
	}
}

/* Rounds until there is nothing more to do, also after a long time. */
static uint32_t settle(uint64_t seed)
{
	uint32_t rounds = 0;
	uint32_t quiet = 0;
	while (quiet < 4) {
		make();
		count();
		cr_assert_eq(plan.more_steps, 0);
		check_shortages();
		model_apply(&model, &plan);
		quiet = plan.n_steps == 0 ? quiet + 1 : 0;
		model_wait(&model,
		           quiet == 0 ? model.world.d.config.hold_ms / 3
		                      : 2 * model.world.d.config.hold_max_ms);
		if (++rounds < ROUNDS_MAX)
			continue;
		show();
		cr_assert_fail("machine %llu does not settle",
		               (unsigned long long)seed);
	}
	return rounds;
}

static uint32_t live_machine(uint64_t seed)
{
	uint32_t most = 0;
	model_start(&model, seed);
	for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
		uint32_t rounds;
		model_stir(&model);
		rounds = settle(seed);
		most = rounds > most ? rounds : most;
	}
	return most;
}

Test(plan_random, plans_are_sound_and_come_to_an_end, .timeout = 0)
{
	struct rng rng = rng_start("test_plan_random");
	const char *n = getenv("SLABD_MACHINES");
	uint64_t machines = n != NULL ? strtoull(n, NULL, 0) : MACHINES;
	uint32_t most = 0;
	struct snapshot largest = {.n_nodes = MODEL_NODES,
	                           .n_caches = MODEL_CACHES};
	work = malloc(plan_work_bytes(&largest));
	cr_assert_not_null(work);
	for (uint64_t i = 0; i < machines; i++) {
		uint64_t seed = rng_next(&rng);
		uint32_t rounds = live_machine(seed);
		most = rounds > most ? rounds : most;
	}
	fprintf(stderr, "at most %u rounds\n", most);
	if (machines >= MACHINES)
		check_seen();
	free(work);
}

/* Whatever has more than a plan has numbers for. */
Test(plan_random, what_is_out_of_bounds_gives_an_empty_plan)
{
	static const struct snapshot bad[] = {
		{.n_nodes = 0, .page_units = 1},
		{.n_nodes = SNAPSHOT_NODES_MAX + 1, .page_units = 1},
		{.n_nodes = 1, .n_caches = UINT16_MAX + 1, .page_units = 1},
		{.n_nodes = 1, .page_units = UINT64_C(1) << SNAPSHOT_ORDERS},
	};
	struct plan_config config = {0};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		plan.n_steps = plan.n_refusals = 1;
		plan.more_steps = plan.more_refusals = 1;
		plan_make(&plan, &bad[i], &config, NULL);
		cr_assert_eq(plan.n_steps + plan.n_refusals, 0);
		cr_assert_eq(plan.more_steps + plan.more_refusals, 0);
	}
}
