/* SPDX-License-Identifier: MIT */
/*
 * Where the simulator is, and how long it will take. Runs are processes, and
 * each writes how far it has come into memory that is shared with the parent.
 * On a terminal one line is drawn over and over; elsewhere there is a line for
 * each run that ends, and one every half minute between them.
 */
#ifndef TESTS_SIM_PROGRESS_H
#define TESTS_SIM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many runs are to come, of so many simulated milliseconds each, which
 * together take so many times as long as the shortest. Has SIGCHLD wait for
 * progress_wait. */
void progress_begin(uint32_t n_runs, uint32_t run_ms, uint32_t weights);

/* Run i begins, which takes about so many times as long as the shortest.
 * Returns where it writes the milliseconds that it has simulated. */
uint32_t *progress_start(uint32_t i, uint32_t weight);

/* Waits for a child to end, showing meanwhile where all are. Returns its id and
 * status, as wait does. */
int progress_wait(int *status);

/* The run i has ended. */
void progress_end(uint32_t i, const char *scenario, const char *policy,
                  bool good);

/* "3:05"; room for "999:59:59". */
#define PROGRESS_TEXT 16
void progress_text(char text[PROGRESS_TEXT], int64_t ns);
/* The nanoseconds that are left when a part of all, 0 to 1, took so many.
 * Negative: too little is done to tell. */
int64_t progress_left_ns(double part, int64_t took_ns);

#endif
