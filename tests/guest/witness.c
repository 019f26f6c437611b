/* SPDX-License-Identifier: MIT */
#include "tests/guest/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/guest/fixture.h"

#define PAGES_MAX 64
#define STAY 1024u /* accesses before the next page */
#define PART_BYTES 4096u /* a witness's word and the next */

struct account {
	uint64_t accesses;
	uint64_t wrong;
	uint64_t longest_ns;
	uint32_t stop;
	uint32_t pause;
	uint32_t rests;
};

/* In memory that all processes share. */
static struct account *accounts;
static pid_t pids[WITNESS_MAX];
static unsigned n_started;
static uint64_t last[PAGES_MAX][WITNESS_WORDS]; /* a witness's own */

static void die(const char *why)
{
	printf("not ok %s\n", why);
	exit(1);
}

void witness_map(struct witness_page *pages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		void *at = mmap(NULL, WITNESS_PAGE, PROT_READ | PROT_WRITE,
		                MAP_SHARED | MAP_NORESERVE, pages[i].fd,
		                (off_t)(pages[i].page * WITNESS_PAGE));
		if (at == MAP_FAILED)
			die("map a page");
		pages[i].at = at;
	}
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

/* Words of the page from the first that no witness has. */
static uint64_t *quiet_word(const struct witness_page *page, size_t part,
                            size_t i)
{
	return (uint64_t *)(void *)(page->at + part * PART_BYTES) +
	       WITNESS_MAX + i;
}

#define QUIET_WORDS (PART_BYTES / sizeof(uint64_t) - WITNESS_MAX)

void witness_fill(const struct witness_page *page, uint64_t seed)
{
	for (size_t part = 0; part < WITNESS_WORDS; part++)
		for (size_t i = 0; i < QUIET_WORDS; i++)
			*quiet_word(page, part, i) =
			        mix(seed + (part << 10) + i);
}

size_t witness_spoilt(const struct witness_page *page, uint64_t seed)
{
	size_t spoilt = 0;
	for (size_t part = 0; part < WITNESS_WORDS; part++)
		for (size_t i = 0; i < QUIET_WORDS; i++)
			spoilt += *quiet_word(page, part, i) !=
			          mix(seed + (part << 10) + i);
	return spoilt;
}

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
}

static void watch(unsigned self, const struct witness_page *pages, size_t n)
{
	struct account *account = &accounts[self];
	uint64_t before = now_ns();
	for (uint64_t i = 0; atom_load(&account->stop) == 0; i++) {
		size_t page = i / STAY % n;
		size_t part = mix(i) % WITNESS_WORDS;
		uint64_t *word = (uint64_t *)(void *)(pages[page].at +
		                                      part * PART_BYTES) +
		                 self;
		uint64_t now;
		while (atom_load(&account->pause) != 0) {
			atom_store(&account->rests, 1u);
			usleep(1000);
			before = now_ns();
		}
		atom_store(&account->rests, 0u);
		if (atom_load(word) != last[page][part])
			atom_add(&account->wrong, 1);
		last[page][part] = mix(i + self);
		atom_store(word, last[page][part]);
		now = now_ns();
		if (now - before > atom_load(&account->longest_ns))
			atom_store(&account->longest_ns, now - before);
		before = now;
		atom_store(&account->accesses, i + 1);
	}
}

unsigned witness_start(int cpu, const struct witness_page *pages, size_t n)
{
	unsigned self = n_started++;
	if (accounts == NULL)
		accounts = mmap(NULL, WITNESS_MAX * sizeof(*accounts),
		                PROT_READ | PROT_WRITE,
		                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (accounts == MAP_FAILED || self >= WITNESS_MAX || n > PAGES_MAX)
		die("start a witness");
	pids[self] = fork();
	if (pids[self] < 0)
		die("fork a witness");
	if (pids[self] == 0) {
		fixture_pin(cpu);
		watch(self, pages, n);
		_exit(0);
	}
	while (atom_load(&accounts[self].accesses) == 0)
		usleep(1000);
	return self;
}

/* Until it has gone on: a gap that is under way is noted at its end. */
static void await_access(unsigned ix)
{
	uint64_t seen = atom_load(&accounts[ix].accesses);
	for (unsigned i = 0; i < 60000; i++) {
		if (atom_load(&accounts[ix].accesses) > seen + 1)
			return;
		usleep(1000);
	}
	atom_add(&accounts[ix].wrong, 1);
}

uint64_t witness_gap(void)
{
	uint64_t longest = 0;
	for (unsigned i = 0; i < n_started; i++) {
		uint64_t gap;
		await_access(i);
		/* pairs: watch; a maximum that needs no order. */
		gap = atom_swap(&accounts[i].longest_ns, 0);
		longest = gap > longest ? gap : longest;
	}
	return longest;
}

void witness_pause(bool pause)
{
	for (unsigned i = 0; i < n_started; i++) {
		atom_store(&accounts[i].pause, (uint32_t)pause);
		while (atom_load(&accounts[i].rests) != (uint32_t)pause)
			usleep(1000);
	}
}

void witness_stop(uint64_t *accesses, uint64_t *wrong)
{
	*accesses = 0;
	*wrong = 0;
	for (unsigned i = 0; i < n_started; i++) {
		int status = 1;
		atom_store(&accounts[i].stop, 1u);
		waitpid(pids[i], &status, 0);
		*accesses += accounts[i].accesses;
		*wrong += accounts[i].wrong + (status != 0);
	}
	n_started = 0;
}
