/* SPDX-License-Identifier: MIT */
#include "daemon/pool/loans.h"

#include <errno.h>
#include <stdlib.h>

#define UNUSED_MS 10000u
#define HAND_MS 10000u

int loans_make(struct loans *loans, uint64_t n_units, uint32_t max)
{
	loans->loan = calloc(max, sizeof(*loans->loan));
	loans->place = calloc(n_units, sizeof(*loans->place));
	loans->n = 0;
	loans->max = max;
	return loans->loan == NULL || loans->place == NULL ? -ENOMEM : 0;
}

void loans_done(struct loans *loans)
{
	free(loans->loan);
	free(loans->place);
	loans->loan = NULL;
	loans->place = NULL;
	loans->n = loans->max = 0;
}

bool loans_add(struct loans *loans, uint32_t head, uint32_t now_ms)
{
	if (loans->place[head] != 0)
		return true;
	if (loans->n == loans->max)
		return false;
	loans->loan[loans->n++] = (struct loan){
		.head = head, .since_ms = now_ms, .taken_ms = now_ms};
	loans->place[head] = loans->n;
	return true;
}

void loans_drop(struct loans *loans, uint32_t head)
{
	uint32_t place = loans->place[head];
	struct loan last;
	if (place == 0)
		return;
	last = loans->loan[--loans->n];
	loans->loan[place - 1] = last;
	loans->place[last.head] = place;
	loans->place[head] = 0;
}

void loans_by_hand(struct loans *loans, uint32_t first)
{
	for (uint32_t i = first; i < loans->n; i++)
		loans->loan[i].by_hand = true;
}

uint32_t loans_age_ms(const struct loan *loan, uint32_t now_ms)
{
	uint32_t age = now_ms - loan->since_ms;
	return loan->by_hand && age < HAND_MS ? 0 : age;
}

void loans_look(struct loan *loan, uint32_t free, uint32_t now_ms)
{
	if (free < loan->free)
		loan->taken_ms = now_ms;
	loan->free = free;
}

bool loans_is_unused(const struct loan *loan, uint32_t now_ms)
{
	return now_ms - loan->taken_ms >= UNUSED_MS;
}
