/* SPDX-License-Identifier: MIT */
/* What kills slabd. */
#include <signal.h>

#include "tests/lib/super.h"
#include "tests/torture/torture.h"

#define BURST 6u         /* deaths in a row: the last waits 1.6 s */
#define GAP_MS 200u      /* of life in between, at the least */
#define GAP_MORE_MS 1800u
#define REST_MS 10200u   /* of life, and the supervisor's delay is forgotten */
#define SLICE_MS 10u

/* False: the killer is to end. */
static bool wait_ms(const struct board *board, unsigned ms)
{
	double until = now_ms() + ms;
	while (now_ms() < until && atom_load(&board->peace) == 0)
		sleep_ms(SLICE_MS);
	return atom_load(&board->peace) == 0;
}

static pid_t slay(struct killer_start *start, pid_t pid)
{
	struct board *board = start->board;
	double since = now_ms();
	uint64_t ms;
	atom_store(&board->away, 1u);
	atom_add(&board->slain, 1u);
	kill(pid, SIGKILL);
	pid = super_next(start->fixture, pid);
	if (pid == 0)
		torture_fault(board, "slabd does not come back");
	ms = (uint64_t)(now_ms() - since);
	if (ms > atom_load(&board->away_ms))
		atom_store(&board->away_ms, ms);
	atom_store(&board->away, 0u);
	return pid;
}

void killer_main(int fd, void *arg)
{
	struct killer_start *start = arg;
	pid_t pid = start->pid;
	(void)fd;
	for (;;) {
		uint32_t n = 1 + rng_below(&start->rng, BURST);
		for (uint32_t i = 0; i < n && pid != 0; i++) {
			if (!wait_ms(start->board,
			             GAP_MS + rng_below(&start->rng, GAP_MORE_MS)))
				return;
			pid = slay(start, pid);
		}
		if (pid == 0 || !wait_ms(start->board, REST_MS))
			return;
	}
}
