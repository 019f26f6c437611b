/* SPDX-License-Identifier: MIT */
#include "record/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PLACES 4096u

static size_t home_of(const struct live *live, uint64_t addr)
{
	uint64_t mixed = (addr >> 3) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(mixed >> 20) & (live->n_places - 1);
}

static size_t place_of(const struct live *live, uint64_t addr)
{
	size_t i = home_of(live, addr);
	while (live->places[i].addr != 0 && live->places[i].addr != addr)
		i = (i + 1) & (live->n_places - 1);
	return i;
}

/* Half full at the most. */
static int make_room(struct live *live)
{
	struct live more = {.n = live->n};
	if (live->n * 2 < live->n_places)
		return 0;
	more.n_places = live->n_places ? live->n_places * 2 : FIRST_PLACES;
	more.places = calloc(more.n_places, sizeof(*more.places));
	if (more.places == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < live->n_places; i++)
		if (live->places[i].addr != 0)
			more.places[place_of(&more, live->places[i].addr)] =
				live->places[i];
	free(live->places);
	*live = more;
	return 0;
}

int live_add(struct live *live, const struct live_object *obj)
{
	int r = make_room(live);
	if (r < 0)
		return r;
	live->places[place_of(live, obj->addr)] = *obj;
	live->n++;
	return 0;
}

/* Those behind it that would not be found past the hole move up into it. */
static void close_hole(struct live *live, size_t hole)
{
	size_t mask = live->n_places - 1;
	for (size_t i = (hole + 1) & mask; live->places[i].addr != 0;
	     i = (i + 1) & mask) {
		size_t home = home_of(live, live->places[i].addr);
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		live->places[hole] = live->places[i];
		hole = i;
	}
	live->places[hole].addr = 0;
}

bool live_take(struct live *live, uint64_t addr, struct live_object *obj)
{
	size_t i;
	if (live->n == 0)
		return false;
	i = place_of(live, addr);
	if (live->places[i].addr == 0)
		return false;
	*obj = live->places[i];
	close_hole(live, i);
	live->n--;
	return true;
}

void live_drop(struct live *live)
{
	free(live->places);
	memset(live, 0, sizeof(*live));
}
