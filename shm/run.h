/* SPDX-License-Identifier: MIT */
/* Runs: objects that lie side by side in a slab, as pointers, several a turn. */
#ifndef SHM_RUN_H
#define SHM_RUN_H

#include <stddef.h>
#include <stdint.h>

/* Two pointers, wherever they lie. */
typedef uint64_t run_pair
	__attribute__((vector_size(16), aligned(8), may_alias));

/* The addresses of the first two of a run, and how far the next two are. */
static inline run_pair run_first(const char *first, ptrdiff_t step,
                                 run_pair *on)
{
	uint64_t at = (uint64_t)(uintptr_t)first;
	uint64_t apart = (uint64_t)step;
	*on = (run_pair){2 * apart, 2 * apart};
	return (run_pair){at, at + apart};
}

/* In which bits eight pointers differ from those of a run, whose next eight *at has
 * then. No loop, which gcc leaves one. */
static inline run_pair run_apart(void *const *objects, run_pair on, run_pair *at)
{
	const run_pair *seen = (const run_pair *)objects;
	run_pair then = *at;
	run_pair apart = seen[0] ^ then;
	then += on;
	apart |= seen[1] ^ then;
	then += on;
	apart |= seen[2] ^ then;
	then += on;
	apart |= seen[3] ^ then;
	*at = then + on;
	return apart;
}

/* How many of n pointers, from the first on, lie a step apart; at least 1. */
static inline uint32_t run_length(void *const *objects, uint32_t n,
                                  ptrdiff_t step)
{
	run_pair on;
	run_pair at = run_first((const char *)objects[0], step, &on);
	uint32_t i = 0;
	for (; i + 16 <= n; i += 16) {
		run_pair apart = run_apart(objects + i, on, &at);
		apart |= run_apart(objects + i + 8, on, &at);
		if ((apart[0] | apart[1]) != 0)
			break;
	}
	i += i == 0;
	while (i < n && (char *)objects[i] == (char *)objects[i - 1] + step)
		i++;
	return i;
}

/* Writes the addresses of a run. */
static inline void run_spread(char *first, ptrdiff_t step, uint32_t n,
                              void **out)
{
	run_pair on;
	run_pair at = run_first(first, step, &on);
	uint32_t i = 0;
	for (; i + 8 <= n; i += 8) {
		run_pair *to = (run_pair *)(out + i);
		to[0] = at;
		to[1] = at += on;
		to[2] = at += on;
		to[3] = at += on;
		at += on;
	}
	for (; i < n; i++)
		out[i] = first + (ptrdiff_t)i * step;
}

#endif
