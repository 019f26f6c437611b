/* SPDX-License-Identifier: MIT */
/*
 * knock: opens the pool and closes it again, over and over until SIGTERM. An
 * open that fails is a failure: while slabd is restarted it has to wait. One
 * that has waited as long as it may, where a restart takes longer, has waited.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/fixture.h"

#define PAUSE_US 3000

static volatile sig_atomic_t stop;
static unsigned long opens, failed, late;
static double longest_ms;
static char why[256];

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void knock(void)
{
	double from = now_ms();
	slabd_pool *pool = slabd_open(NULL, NULL);
	double ms = now_ms() - from;
	opens++;
	longest_ms = ms > longest_ms ? ms : longest_ms;
	if (pool != NULL) {
		slabd_close(pool);
		return;
	}
	if (errno == ETIMEDOUT)
		late++;
	else if (failed++ == 0)
		snprintf(why, sizeof(why), ", first: %s", slabd_last_error());
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_stop};
	sigaction(SIGTERM, &action, NULL);
	puts("knocking");
	fflush(stdout);
	while (!stop) {
		knock();
		usleep(PAUSE_US);
	}
	fixture_ok(opens > late && failed == 0,
	       "%lu opens, %lu failed%s; %lu timed out, %.0f ms the longest",
	       opens, failed, why, late, longest_ms);
	return fixture_status();
}
