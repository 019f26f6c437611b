/* SPDX-License-Identifier: MIT */
/*
 * plan = f(snapshot, config): what to do about memory that is short on one
 * node and idle on another, and why. Pure: there is no clock, no chance and
 * no state but what the snapshot says, so the same two give the same plan.
 * balance/ makes the snapshots and carries the plans out, slabctl plan shows
 * them, and the simulator in tests/sim runs this code on machines that nobody
 * has at hand.
 *
 * Steps for a shortage, cheapest first:
 *
 *   carve     from the node's own free units, or pages that it may still take
 *   reassign  an empty slab of another cache on the node
 *   return    what the node has lent
 *   lend      a partial slab of the nearest node that has plenty, or a fresh one
 *   migrate   a page, live, to its users, so that another can come
 *   trim      clients are asked to flush what they hoard
 *
 * and when it is over, or memory is asked back:
 *
 *   return    a slab that was lent goes back to its home's list
 *   migrate   a page to where its users are
 *   reassign  an empty slab to nobody, so that its page comes free
 *   shrink    empty pages go back to the kernel
 *   drain     a page leaves a node that is being emptied
 *
 * ARCHITECTURE.md, "Balance", has the rules. Steps are applied in their order;
 * where one turns out impossible, the others still make sense. Nothing is
 * allocated, and a plan is bounded: PLAN_STEPS_MAX steps and as many refusals.
 * Counts that contradict each other give a plan that makes no sense, and no
 * worse; a snapshot with no nodes, or with more nodes, caches or units of a
 * page than a plan can name, gives an empty one.
 */
#ifndef DAEMON_PLAN_PLAN_H
#define DAEMON_PLAN_PLAN_H

#include "daemon/plan/snapshot.h"
#include "daemon/plan/step.h"

/* Fills plan. work is scratch memory of plan_work_bytes(snap) bytes. */
void plan_make(struct plan *plan, const struct snapshot *snap,
               const struct plan_config *config, void *work);
uint64_t plan_work_bytes(const struct snapshot *snap);

#endif
