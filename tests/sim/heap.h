/* SPDX-License-Identifier: MIT */
/* Heaps of numbers, lowest first, with entries that may have become stale: who
 * reads one asks anew whether it is true. Memory that is out ends the program,
 * as everywhere in the simulator. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAP_NONE UINT32_MAX

struct heap {
	uint32_t *at;
	uint32_t n, room;
};

static inline void *sim_zeroed(uint64_t n, uint64_t bytes)
{
	void *made = calloc(n > 0 ? n : 1, bytes);
	if (made == NULL) {
		fprintf(stderr,
		        "sim: no memory for %llu bytes: take fewer "
		        "--gib or --clients\n",
		        (unsigned long long)(n * bytes));
		exit(1);
	}
	return made;
}

/* Room for one more of bytes each. */
static inline void *sim_grown(void *old, uint32_t n, uint32_t *room,
                              uint64_t bytes)
{
	void *more;
	if (n < *room)
		return old;
	*room = *room > 0 ? *room * 2 : 16;
	more = realloc(old, *room * bytes);
	if (more == NULL) {
		fprintf(stderr, "sim: no memory: take fewer --gib or "
		                "--clients\n");
		exit(1);
	}
	return more;
}

/* At the end, whatever the order: a heap that is used as a plain list. */
static inline void heap_append(struct heap *heap, uint32_t value)
{
	heap->at = sim_grown(heap->at, heap->n, &heap->room, sizeof(value));
	heap->at[heap->n++] = value;
}

static inline void heap_put(struct heap *heap, uint32_t value)
{
	uint32_t i = heap->n;
	heap_append(heap, value);
	for (; i > 0 && heap->at[(i - 1) / 2] > value; i = (i - 1) / 2)
		heap->at[i] = heap->at[(i - 1) / 2];
	heap->at[i] = value;
}

/* Takes the lowest away; there is one. */
static inline void heap_drop(struct heap *heap)
{
	uint32_t value = heap->at[--heap->n];
	uint32_t i = 0;
	for (uint32_t kid = 1; kid < heap->n; kid = 2 * i + 1) {
		kid += kid + 1 < heap->n && heap->at[kid + 1] < heap->at[kid];
		if (heap->at[kid] >= value)
			break;
		heap->at[i] = heap->at[kid];
		i = kid;
	}
	heap->at[i] = value;
}

static inline uint32_t heap_top(const struct heap *heap)
{
	return heap->n > 0 ? heap->at[0] : HEAP_NONE;
}

static inline void heap_free(struct heap *heap)
{
	free(heap->at);
	*heap = (struct heap){0};
}

#endif
