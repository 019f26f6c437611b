/* SPDX-License-Identifier: MIT */
/*
 * What the replay worker writes over every byte of an object and looks for
 * before it frees it. Two objects never share a pattern, so an object that two
 * owners hold shows itself as a mismatch in one of them.
 */
#ifndef REPLAY_PATTERN_H
#define REPLAY_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* The first difference. Words are as wide as the object allows, up to 8. */
struct pattern_fault {
	size_t off; /* bytes from the start of the object */
	uint64_t expected;
	uint64_t found;
};

/* Mixes two numbers into one whose bits all depend on all of theirs. */
uint64_t pattern_mix(uint64_t a, uint64_t b);

void pattern_fill(void *obj, size_t bytes, uint64_t seed);

/* 0 if the object holds what pattern_fill wrote, else 1 and the fault. */
int pattern_check(const void *obj, size_t bytes, uint64_t seed,
                  struct pattern_fault *fault);

#endif
