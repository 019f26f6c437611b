/* SPDX-License-Identifier: MIT */
/*
 * What --watch adds to an answer: how much each count has changed since the one
 * before, a second. A row of before is known by what names it for good, so that a
 * client or cache in another one's place begins anew.
 *
 *   {"since_s": 2.0, "pools": [{..., "caches": [{..., "per_s": {"used": 12.5}}]}]}
 */
#ifndef DAEMON_CTL_RATES_H
#define DAEMON_CTL_RATES_H

#include <jansson.h>
#include <stdint.h>

/* All zero to begin with; ctl_rates_end drops what it has. */
struct ctl_rates {
	json_t *before; /* the last answer */
	int64_t at_ns;  /* when it came */
};

/* Adds to the answer of a verb that came at a time, by any clock that goes on. NULL:
 * there was none, and the next one is the first again. What a verb's answer has no
 * counts in stays as it is, as does an answer that is not as it must be. */
void ctl_rates_add(struct ctl_rates *rates, const char *verb, json_t *doc,
                   int64_t at_ns);
void ctl_rates_end(struct ctl_rates *rates);

#endif
