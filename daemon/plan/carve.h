/* SPDX-License-Identifier: MIT */
/* Units and pages of a node, as runs of 1, 2, 4 ... units up to the page. */
#ifndef DAEMON_PLAN_CARVE_H
#define DAEMON_PLAN_CARVE_H

#include "daemon/plan/work.h"

void plan_units_begin(struct plan_work *w);

/* How many slabs of an order a node could carve for itself, and for others. */
uint64_t plan_units_room(const struct plan_work *w, uint32_t node,
                         uint32_t order);
uint64_t plan_units_fresh(const struct plan_work *w, uint32_t node,
                          uint32_t order);

/* Take n runs of an order, n <= plan_units_room, from the smallest runs that
 * will do, so that whole pages go last; then from new pages. */
void plan_units_take(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n);
/* Free n runs of an order. Whether they lie side by side is not known. */
void plan_units_give(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n);

/* Carve as many slabs as the cell wants, or, with share, as many as are its
 * fair part of what the node has. */
void plan_carve_cell(struct plan_work *w, uint32_t at, bool share);

#endif
