/* SPDX-License-Identifier: MIT */
/*
 * From a send to the receiver's return from its sleep: two processes that each wait
 * for the other, over two channels, beside two bare futex words. A line of JSON:
 * medians of turns, in ns from one process to the other, and of their ratio.
 *
 *   wake [ROUNDS]
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/slabclient.h"
#include "shm/atom.h"
#include "tests/bench/work.h"

#define TRIPS 2000u
#define ROUNDS_MOST 101u

struct shared {
	uint32_t word[2] __attribute__((aligned(128)));
	char apart[128];
};

static struct shared *shared;
static slabd_channel *to[2];
static slabd_cache *cache;

static void fail(const char *what)
{
	fprintf(stderr, "wake: %s: %s\n", what, slabd_last_error());
	exit(1);
}

/* ---- bare ---------------------------------------------------------------- */

static void bare_wake(unsigned side, uint32_t turn)
{
	uint32_t *word = &shared->word[!side];
	/* pairs: bare_wait */
	atom_store_release(word, turn);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void bare_wait(unsigned side, uint32_t turn)
{
	uint32_t *word = &shared->word[side];
	uint32_t seen;
	/* pairs: bare_wake */
	while ((seen = atom_load_acquire(word)) != turn)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void bare(unsigned side, uint32_t from)
{
	for (uint32_t i = from + 1; i <= from + TRIPS; i++) {
		if (side == 0)
			bare_wake(side, i);
		bare_wait(side, i);
		if (side == 1)
			bare_wake(side, i);
	}
}

/* ---- by channel ---------------------------------------------------------- */

static void send_one(unsigned side, void *object)
{
	if (slabd_send(to[!side], &object, 1) != 1)
		fail("send");
}

static void *wait_for_one(unsigned side)
{
	void *object;
	while (slabd_recv(to[side], &object, 1) == 0)
		if (slabd_channel_wait(to[side], SLABD_CHANNEL_RECV, -1) < 0)
			fail("wait");
	return object;
}

static void by_channel(unsigned side, void *object)
{
	for (unsigned i = 0; i < TRIPS; i++) {
		if (side == 0)
			send_one(side, object);
		object = wait_for_one(side);
		if (side == 1)
			send_one(side, object);
	}
	if (side == 0)
		slabd_free(cache, object);
}

/* ---- around it ----------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

static double median(double *of, unsigned n)
{
	qsort(of, n, sizeof(*of), by_value);
	return of[n / 2];
}

static void open_side(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	if (pool == NULL)
		fail("open");
	cache = slabd_cache_create(pool, "wake", 64, 0, 0);
	to[0] = slabd_channel_open(pool, "wake-0", 16);
	to[1] = slabd_channel_open(pool, "wake-1", 16);
	if (cache == NULL || to[0] == NULL || to[1] == NULL)
		fail("channel");
}

static void other_side(unsigned rounds)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_side();
	for (unsigned i = 0; i < rounds; i++) {
		bare(1, i * TRIPS);
		by_channel(1, NULL);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	static double ns[3][ROUNDS_MOST];
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
	pid_t child;
	rounds = rounds < 1 || rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("mmap");
	child = fork();
	if (child == 0)
		other_side(rounds);
	open_side();
	for (unsigned i = 0; i < rounds; i++) {
		double began = work_now_ns();
		double mid;
		bare(0, i * TRIPS);
		mid = work_now_ns();
		by_channel(0, slabd_alloc(cache));
		ns[0][i] = (mid - began) / TRIPS / 2;
		ns[1][i] = (work_now_ns() - mid) / TRIPS / 2;
		ns[2][i] = ns[1][i] / ns[0][i];
	}
	waitpid(child, NULL, 0);
	printf("{\"bare_ns\": %.0f, \"channel_ns\": %.0f, \"ratio\": %.3f}\n",
	       median(ns[0], rounds), median(ns[1], rounds),
	       median(ns[2], rounds));
	return 0;
}
