/* SPDX-License-Identifier: MIT */
#include "daemon/pool/loans.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"

#define UNUSED_NS (10 * CLOCK_S)
#define HAND_NS (10 * CLOCK_S)

int loans_make(struct loans *loans, uint64_t n_units, uint32_t max)
{
	loans->loan = calloc(max, sizeof(*loans->loan));
	loans->place = calloc(n_units, sizeof(*loans->place));
	loans->max = max;
	return loans->loan == NULL || loans->place == NULL ? -ENOMEM : 0;
}

void loans_done(struct loans *loans)
{
	free(loans->loan);
	free(loans->place);
}

bool loans_add(struct loans *loans, uint32_t head, int64_t now_ns)
{
	if (loans->place[head] != 0)
		return true;
	if (loans->n == loans->max)
		return false;
	loans->loan[loans->n++] = (struct loan){
		.head = head, .since_ns = now_ns, .taken_ns = now_ns};
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

int64_t loans_age_ns(const struct loan *loan, int64_t now_ns)
{
	int64_t age = now_ns - loan->since_ns;
	return loan->by_hand && age < HAND_NS ? 0 : age;
}

void loans_look(struct loan *loan, uint32_t free, int64_t now_ns)
{
	if (free < loan->free)
		loan->taken_ns = now_ns;
	loan->free = free;
}

bool loans_is_unused(const struct loan *loan, int64_t now_ns)
{
	return now_ns - loan->taken_ns >= UNUSED_NS;
}
