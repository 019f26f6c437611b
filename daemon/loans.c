/* SPDX-License-Identifier: MIT */
#include "daemon/loans.h"

#include <errno.h>
#include <stdlib.h>

int loans_make(struct loans *loans, uint32_t max)
{
	loans->loan = calloc(max, sizeof(*loans->loan));
	loans->n = 0;
	loans->max = max;
	return loans->loan == NULL ? -ENOMEM : 0;
}

void loans_done(struct loans *loans)
{
	free(loans->loan);
	loans->loan = NULL;
	loans->n = loans->max = 0;
}

static uint32_t find(const struct loans *loans, uint32_t head)
{
	uint32_t i = 0;
	while (i < loans->n && loans->loan[i].head != head)
		i++;
	return i;
}

bool loans_add(struct loans *loans, uint32_t head, uint32_t now_ms)
{
	if (find(loans, head) < loans->n)
		return true;
	if (loans->n == loans->max)
		return false;
	loans->loan[loans->n++] = (struct loan){head, now_ms};
	return true;
}

void loans_drop(struct loans *loans, uint32_t head)
{
	uint32_t i = find(loans, head);
	if (i < loans->n)
		loans->loan[i] = loans->loan[--loans->n];
}
