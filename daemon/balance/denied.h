/* SPDX-License-Identifier: MIT */
/*
 * Lists for which nothing more could be had: why, for the client's error, the
 * plan and slabctl nodes alike, and one line of the log as such a shortage of a
 * node begins, and one as it ends.
 *
 *   wants_serve -> denied_judge, denied_note, and from time to time -> denied_settle
 *
 * A list counts as denied for a second: clients ask again within that.
 */
#ifndef DAEMON_BALANCE_DENIED_H
#define DAEMON_BALANCE_DENIED_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/balance/unmet.h"
#include "daemon/plan/step.h"

struct pool;

/* Why each of these would be denied, by the plan that was just made for them. */
void denied_judge(struct pool *pool, const struct unmet *unmet);

/* n slabs were wanted that this plan could not get. What to tell clients:
 * enum mark_why. */
uint32_t denied_note(struct pool *pool, const struct unmet_want *want);

/* The list got something. */
void denied_clear(struct pool *pool, uint32_t cache, uint32_t node);

/* Ends the shortages that are over. Whether there are any left. */
bool denied_settle(struct pool *pool);

/* The lists that are denied now. Those that do not fit are left out. */
void denied_wants(struct pool *pool, struct unmet *unmet);

/* Why a list is denied; PLAN_NO_REASON: it is not. */
enum plan_reason denied_why(const struct pool *pool, uint32_t cache,
                            uint32_t node);

/* What to do about a refusal, or "": of a max that was raised already, that it
 * waits. */
const char *denied_remedy(const struct pool *pool, enum plan_reason reason);

#endif
