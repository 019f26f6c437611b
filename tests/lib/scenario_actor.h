/* SPDX-License-Identifier: MIT */
/* The clients of deeds: deed.c runs them. */
#ifndef TESTS_LIB_SCENARIO_ACTOR_H
#define TESTS_LIB_SCENARIO_ACTOR_H

#define DOER_KEPT 500 /* objects of the witness */

/* Of the deed: each has caches of its own. */
extern unsigned doer_serial;

/* Says its id once it has its objects, and whenever it hears of 1 how many of
 * them are not as they were; ends on 0. */
void doer_witness(int fd, void *arg);

#endif
