/* SPDX-License-Identifier: MIT */
/* The clients of scenarios: scenario.c runs them. */
#ifndef TESTS_LIB_SCENARIO_ACTOR_H
#define TESTS_LIB_SCENARIO_ACTOR_H

#include "tests/lib/harness.h"

#define ACTOR_KEPT 500 /* objects of the witness */

/* Of the scenario: each has caches of its own. */
extern unsigned actor_serial;

/* A client: slabd is well and alone with it; the machine may have other work. */
slabd_pool *actor_open_surely(unsigned wait_ms);

/* Says its id once it has its objects, and whenever it hears of 1 how many of
 * them are not as they were; ends on 0. */
void actor_witness(int fd, void *arg);

#endif
