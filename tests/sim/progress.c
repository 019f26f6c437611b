/* SPDX-License-Identifier: MIT */
#include "tests/sim/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "shm/atom.h"

#define LOOK_NS (CLOCK_S / 4)
#define LINE_NS (30 * CLOCK_S) /* between lines where there is no terminal */
#define TELLING_PART 0.005     /* of all, from which on there is an estimate */

static struct progress {
	struct row {
		uint32_t done_ms;
		uint32_t weight;
	} * rows; /* of each run; shared with the children */
	uint32_t n_runs, run_ms, weights, n_ended;
	int64_t begin_ns, shown_ns;
	bool is_terminal;
} progress;

void progress_begin(uint32_t n_runs, uint32_t run_ms, uint32_t weights)
{
	struct progress *p = &progress;
	sigset_t ended;
	p->rows =
		mmap(NULL, sizeof(*p->rows) * (n_runs + 1),
	             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->rows == MAP_FAILED) {
		fprintf(stderr, "sim: no memory: %s\n", strerror(errno));
		exit(1);
	}
	p->n_runs = n_runs;
	p->run_ms = run_ms;
	p->weights = weights;
	p->begin_ns = p->shown_ns = clock_ns();
	p->is_terminal = isatty(STDERR_FILENO);
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ended, NULL);
}

uint32_t *progress_start(uint32_t i, uint32_t weight)
{
	progress.rows[i].weight = weight;
	return &progress.rows[i].done_ms;
}

void progress_text(char text[PROGRESS_TEXT], int64_t ns)
{
	unsigned long long s = (unsigned long long)(ns / CLOCK_S);
	if (s < 3600)
		snprintf(text, PROGRESS_TEXT, "%llu:%02llu", s / 60, s % 60);
	else
		snprintf(text, PROGRESS_TEXT, "%llu:%02llu:%02llu",
		         s / 3600 % 1000, s / 60 % 60, s % 60);
}

int64_t progress_left_ns(double part, int64_t took_ns)
{
	if (part < TELLING_PART)
		return -1;
	return part >= 1 ? 0 : (int64_t)((double)took_ns * (1 - part) / part);
}

static double part_done(void)
{
	double ms = 0;
	for (uint32_t i = 0; i < progress.n_runs; i++)
		ms += (double)atom_load(&progress.rows[i].done_ms) *
		      progress.rows[i].weight;
	return ms / progress.weights / progress.run_ms;
}

/* "[ 7/40]  18 %, 2:31 so far, about 11:20 left" */
static void show(const char *before, const char *after)
{
	struct progress *p = &progress;
	int64_t took_ns = clock_ns() - p->begin_ns;
	double part = part_done();
	int64_t left_ns = progress_left_ns(part, took_ns);
	char took[PROGRESS_TEXT];
	char left[PROGRESS_TEXT] = "";
	progress_text(took, took_ns);
	if (left_ns >= 0)
		progress_text(left, left_ns);
	fprintf(stderr, "%s[%2u/%u] %3u %%, %s so far%s%s%s%s", before,
	        p->n_ended, p->n_runs, (unsigned)(part * 100), took,
	        left_ns >= 0 ? ", about " : "", left,
	        left_ns >= 0 ? " left" : "", after);
	fflush(stderr);
	p->shown_ns = clock_ns();
}

static void look(void)
{
	if (progress.is_terminal)
		show("\r\033[K", "");
	else if (clock_ns() - progress.shown_ns >= LINE_NS)
		show("", "\n");
}

int progress_wait(int *status)
{
	static const struct timespec most = {.tv_nsec = LOOK_NS};
	sigset_t ended;
	pid_t pid;
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	while ((pid = waitpid(-1, status, WNOHANG)) == 0) {
		look();
		sigtimedwait(&ended, NULL, &most);
	}
	return pid;
}

void progress_end(uint32_t i, const char *scenario, const char *policy,
                  bool good)
{
	char after[128];
	progress.n_ended++;
	atom_store(&progress.rows[i].done_ms, progress.run_ms);
	snprintf(after, sizeof(after), ": %s, %s%s\n", scenario, policy,
	         good ? "" : "  FAILED");
	show(progress.is_terminal ? "\r\033[K" : "", after);
}
