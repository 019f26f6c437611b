/* SPDX-License-Identifier: MIT */
#include "tests/lib/background_clients.h"
#include "tests/lib/rng.h"
#include "tests/lib/step.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/atom.h"

#define LIVE 96u /* objects in hand, at most */
#define CACHES 2u
#define BURST 128u  /* rounds, until it rests */
#define REST_US 500 /* for who steps and for other tests */
#define WORDS (TRACED_POOL_SIZE / sizeof(uint64_t))

struct actor {
	struct traced_pool *traced;
	struct place *place;
	slabd_pool *pool;
	slabd_cache *caches[CACHES];
	uint64_t *live[LIVE];
	uint64_t stamps[LIVE];
	struct rng rng;
	uint64_t serial;
};

/* One of the living, as the others see it. */
struct place {
	uint32_t id;
	uint32_t halted; /* (A) a futex: the last halt that it came to */
	uint32_t held;   /* (A) at that halt; relaxed, halted orders it */
	uint32_t bad;    /* (A) objects that carried another's pattern */
	uint64_t steps;
};

struct traced_pool_stage {
	uint32_t halt; /* (A) a futex: odd, stand still; each is a new one */
	uint32_t stop; /* (A) */
	struct place places[TRACED_POOL_LIVING];
};

static void wait_while(const uint32_t *word, uint32_t value, uint32_t us)
{
	struct timespec slice = {.tv_nsec = (long)us * 1000};
	syscall(SYS_futex, word, FUTEX_WAIT, value, &slice, NULL, 0);
}

static void wake(const uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 64, NULL, NULL, 0);
}

struct traced_pool_stage *background_stage(void)
{
	return shared_memory(sizeof(struct traced_pool_stage));
}

/* ---- at work ------------------------------------------------------------ */

static void write_pattern(uint64_t *object, uint64_t stamp)
{
	for (unsigned i = 0; i < WORDS; i++)
		object[i] = stamp + i;
}

static bool is_intact(const uint64_t *object, uint64_t stamp)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (object[i] != stamp + i)
			return false;
	return true;
}

static void look(struct actor *self, unsigned slot)
{
	if (!is_intact(self->live[slot], self->stamps[slot]))
		atom_add(&self->place->bad, 1u);
}

static void let_go(struct actor *self, unsigned slot)
{
	look(self, slot);
	write_pattern(self->live[slot], 0);
	slabd_free(self->caches[slot % CACHES], self->live[slot]);
	self->live[slot] = NULL;
}

static void turn(struct actor *self)
{
	unsigned slot = (unsigned)(rng_next(&self->rng) >> 20) % LIVE;
	if (self->live[slot] != NULL) {
		let_go(self, slot);
		return;
	}
	self->live[slot] = slabd_alloc(self->caches[slot % CACHES]);
	if (self->live[slot] == NULL)
		return;
	self->stamps[slot] = (uint64_t)self->place->id << 48 |
	                     ++self->serial << 8;
	write_pattern(self->live[slot], self->stamps[slot]);
}

static void halt(struct actor *self, uint32_t number)
{
	struct traced_pool_stage *stage = self->traced->stage;
	uint32_t held = 0;
	slabd_flush(self->pool);
	for (unsigned slot = 0; slot < LIVE; slot++) {
		if (self->live[slot] == NULL)
			continue;
		look(self, slot);
		held++;
	}
	atom_store(&self->place->held, held);
	/* pairs: traced_pool_halt */
	atom_store_release(&self->place->halted, number);
	wake(&self->place->halted);
	while (atom_load(&stage->halt) == number)
		wait_while(&stage->halt, number, 100000);
}

static void work(struct actor *self)
{
	struct traced_pool_stage *stage = self->traced->stage;
	bool rests = step_is_short();
	while (!atom_load(&stage->stop)) {
		uint32_t number = atom_load(&stage->halt);
		for (unsigned i = 0; i < 16; i++)
			turn(self);
		if (++self->place->steps % 16 == 0)
			slabd_flush(self->pool);
		if (number % 2 != 0)
			halt(self, number);
		else if (rests && self->place->steps % BURST == 0)
			wait_while(&stage->halt, number, REST_US);
	}
	for (unsigned slot = 0; slot < LIVE; slot++)
		if (self->live[slot] != NULL)
			let_go(self, slot);
}

struct start {
	struct traced_pool *traced;
	unsigned ix;
};

static void life(int fd, void *arg)
{
	const struct start *start = arg;
	struct slabd_options options = fixture_options(
	        &start->traced->fixture,
	        SLABD_NO_HELPER | SLABD_NO_WAIT | SLABD_FORCE_NODE);
	struct actor self = {.traced = start->traced,
	                     .place = &start->traced->stage->places[start->ix],
	                     .rng = {.state = start->ix + 1}};
	/* Who steps and who sweeps come first. */
	(void)!nice(10);
	self.pool = slabd_open(NULL, &options);
	if (self.pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	self.caches[0] =
		fixture_cache(self.pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	self.caches[1] =
		fixture_cache(self.pool, "second", 2 * TRACED_POOL_SIZE);
	self.place->id = slabd_client_id(self.pool);
	say(fd, 1);
	work(&self);
	slabd_close(self.pool);
}

void traced_pool_wake(struct traced_pool *traced)
{
	for (unsigned i = 0; i < TRACED_POOL_LIVING; i++) {
		struct start start = {.traced = traced, .ix = i};
		child_start(&traced->living[i], life, &start);
		hear(traced->living[i].fd);
		traced->last_id = traced->stage->places[i].id;
	}
	traced->at_work = true;
}

void background_end(struct traced_pool *traced)
{
	uint64_t steps = 0;
	atom_store(&traced->stage->stop, 1u);
	for (unsigned i = 0; i < TRACED_POOL_LIVING; i++) {
		child_end(&traced->living[i], "one of the living ends");
		steps += traced->stage->places[i].steps;
	}
	tap_ok(steps > 0, "the living worked: %llu steps",
	       (unsigned long long)steps * 16);
}

/* ---- at a halt ---------------------------------------------------------- */

bool traced_pool_halt(struct traced_pool *traced)
{
	struct traced_pool_stage *stage = traced->stage;
	double until = now_ms() + SURELY_MS;
	uint32_t number = atom_load(&stage->halt) + 1;
	if (!traced->at_work)
		return true;
	atom_store(&stage->halt, number);
	wake(&stage->halt);
	for (unsigned i = 0; i < TRACED_POOL_LIVING; i++) {
		const uint32_t *halted = &stage->places[i].halted;
		uint32_t seen;
		/* pairs: halt */
		while ((seen = atom_load_acquire(halted)) != number) {
			if (now_ms() > until)
				return false;
			wait_while(halted, seen, 1000);
		}
	}
	return true;
}

void traced_pool_go_on(struct traced_pool *traced)
{
	if (!traced->at_work)
		return;
	atom_add(&traced->stage->halt, 1u);
	wake(&traced->stage->halt);
}

uint64_t background_owned(const struct traced_pool *traced)
{
	uint64_t sum = 0;
	for (unsigned i = 0; traced->at_work && i < TRACED_POOL_LIVING; i++)
		sum += atom_load(&traced->stage->places[i].held);
	return sum;
}

bool traced_pool_background_agree(const struct traced_pool *traced)
{
	bool good = true;
	for (unsigned i = 0; traced->at_work && i < TRACED_POOL_LIVING; i++) {
		const struct place *place = &traced->stage->places[i];
		const uint64_t *stats =
		        traced->view.stats + place->id * STATS_WORDS;
		uint64_t owned = traced_pool_count(traced, place->id);
		if (owned == atom_load(&place->held) &&
		    atom_load(&place->bad) == 0 &&
		    atom_load(&stats[STAT_REFUSED]) == 0)
			continue;
		good = false;
		tap_note("client %u owns %llu, holds %u; %u with another's "
		         "pattern, %llu refused", place->id,
		         (unsigned long long)owned, atom_load(&place->held),
		         atom_load(&place->bad),
		         (unsigned long long)atom_load(&stats[STAT_REFUSED]));
	}
	return good;
}
