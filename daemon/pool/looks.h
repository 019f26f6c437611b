/* SPDX-License-Identifier: MIT */
/*
 * Counts and audits of a pool for all who ask, bit by bit, so that the loop never
 * stands still for them.
 *
 *   a question -- no count began since --> later, asked again ... --> the result
 *                                            |  ^
 *                                            '--' a slice of the count
 *
 * A question is answered by a count that began after it, and one count answers all
 * that came before it began: so the figures of a pool at rest are exact, and many
 * who watch cost no more than one. A slice takes a millisecond, after
 * which the loop serves everybody else, and three others are theirs, whatever number
 * of pools is counted: at once, or later where all together is short, as of a host of
 * a thousand clients, so that who looks now and then need not wait for that.
 *
 * Slabs come, go and move between two slices. Each is counted as it is when the
 * count comes by; what is summed up of an audit follows them (usage_audit_count).
 * Who asks has joined before, and leaves with the answer or without: a count for
 * which nobody is left ends there. One thread, the event loop's, calls all of this.
 */
#ifndef DAEMON_POOL_LOOKS_H
#define DAEMON_POOL_LOOKS_H

#include "daemon/pool/usage.h"

#define LOOKS_E_LATER 1

/* Somebody asks now and goes on to; joined is what this gave before, or 0. What
 * looks_leave is told; 0 without memory. */
uint64_t looks_join(struct pool *pool, uint64_t joined);

/* The pool may be another one by now. */
void looks_leave(struct pool *pool, uint64_t joined);

/* What is asked for at a time, by clock_ns: 0 with what was counted, which stays
 * until the next call; LOOKS_E_LATER: ask again in looks_pause_ms; or -ENOMEM. */
int looks_usage(struct pool *pool, int64_t asked_ns, struct usage **usage);
int looks_audit(struct pool *pool, int64_t asked_ns, const struct audit **audit,
                int64_t *took_ns);

/* Whether others had their time since the last slice, and what a slice of a
 * report took that began then; when to try again: 0 is once the loop has looked for
 * what else has come. */
bool looks_may(void);
void looks_pay(int64_t since_ns);
unsigned looks_pause_ms(void);

#endif
