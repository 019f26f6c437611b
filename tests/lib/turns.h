/* SPDX-License-Identifier: MIT */
/*
 * The turns of a fixture's slabd (daemon/base/turn.h), as /status tells them.
 * Nothing is set back there: what happened between two looks is their
 * difference, of which the buckets alone are right.
 */
#ifndef TESTS_LIB_TURNS_H
#define TESTS_LIB_TURNS_H

#include "daemon/base/turn.h"
#include "tests/lib/harness.h"

/* False when slabd did not answer. */
static inline bool turns_read(const struct fixture *fixture, struct turns *t)
{
	json_t *doc = fixture_get(fixture, "/status");
	json_t *rows = json_at(doc, "turns.buckets");
	bool good = json_is_array(rows);
	json_t *row;
	size_t i;
	*t = (struct turns){.longest_what = ""};
	json_array_foreach(rows, i, row)
	{
		json_int_t us = json_integer_value(json_array_get(row, 0));
		json_int_t n = json_integer_value(json_array_get(row, 1));
		t->bucket[turn_bucket(us * 1000 - 1)] += (uint64_t)n;
		t->count += (uint64_t)n;
	}
	json_decref(doc);
	return good;
}

static inline void turns_subtract(struct turns *t, const struct turns *before)
{
	t->count -= before->count;
	for (unsigned i = 0; i < TURN_BUCKETS; i++)
		t->bucket[i] -= before->bucket[i];
}

/* No turn took as long as this. */
static inline uint64_t turns_below_us(const struct turns *t)
{
	return turn_quantile_us(t, 1000000);
}

#endif
