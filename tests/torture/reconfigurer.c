/* SPDX-License-Identifier: MIT */
/* What lends, moves, drains and trims while all else goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "shm/atom.h"
#include "tests/torture/torture.h"

#define NODES 2u
#define GAP_MS 30u

static void order(const struct reconfigurer_start *start, const char *what)
{
	char command[400];
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabctl' --control '%s' %s >/dev/null 2>&1",
	         getenv("builddir"), start->fixture->control, what);
	/* Refused, or slabd is dead just now: both are as good. */
	if (system(command) == 0)
		atom_add(&start->board->meddled, UINT64_C(1));
}

static void meddle(struct reconfigurer_start *start)
{
	uint64_t rng = rng_next(&start->rng);
	unsigned from = (unsigned)(rng >> 8) % NODES;
	unsigned to = (unsigned)(rng >> 12) % NODES;
	const char *cache = torture_kinds[(rng >> 16) % CACHES].name;
	char what[120];
	switch (rng % 8) {
	case 0:
	case 1:
	case 2:
		snprintf(what, sizeof(what), "lend %s %u %u %u", cache, from,
		         to, 1 + (unsigned)(rng >> 24) % 8);
		break;
	case 3:
	case 4:
		snprintf(what, sizeof(what), "migrate %u %u 1", from, to);
		break;
	case 5:
		snprintf(what, sizeof(what), "trim");
		break;
	case 6:
		snprintf(what, sizeof(what), "drain %u", from);
		break;
	default:
		snprintf(what, sizeof(what), "drain %u --undo", from);
		break;
	}
	order(start, what);
}

void reconfigurer_main(int fd, void *arg)
{
	struct reconfigurer_start *start = arg;
	(void)fd;
	while (atom_load(&start->board->peace) == 0) {
		meddle(start);
		sleep_ms(GAP_MS);
	}
	order(start, "drain 0 --undo");
	order(start, "drain 1 --undo");
}
