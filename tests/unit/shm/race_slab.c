/* SPDX-License-Identifier: MIT */
/* Threads as clients of their own, on the same slabs: no object ever has two
 * owners, none is lost, and every hint that is due is there at the end. */
#include "shm/slab.h"

#include <pthread.h>
#include <sched.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/tags.h"
#include "tests/lib/harness.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"
#include "tests/lib/spin_barrier.h"
#include "tests/lib/swept.h"

#define CLIENTS 4u
#define SLABS 3u
#define HELD_MAX 90u
#define WANT_MAX 40u
#define STEPS 1500u
#define ROUNDS 60u

static struct image image;
static struct spin_barrier barrier;
static uint32_t cache;
static uint32_t rounds; /* of the test that runs */

struct client {
	struct slab_user user;
	struct rng rng;
	pthread_t thread;
	uint64_t *held[HELD_MAX + WANT_MAX];
	uint32_t n;
	uint64_t claimed;
	uint32_t taken;   /* objects that carried somebody's mark */
	uint32_t spoilt;  /* objects of ours with another mark */
	uint32_t refused; /* releases that were refused */
};

static struct client clients[CLIENTS];

static void claim(struct client *c)
{
	bool ring;
	void **out = (void **)&c->held[c->n];
	uint32_t want = 1 + rng_below(&c->rng, WANT_MAX);
	uint32_t got = slab_claim_any(&c->user, cache, 0, want, out, &ring);
	for (uint32_t i = c->n; i < c->n + got; i++) {
		c->taken += *c->held[i] != 0;
		*c->held[i] = c->user.id;
	}
	c->n += got;
	c->claimed += got;
}

static void release(struct client *c, uint32_t n)
{
	void *gone[HELD_MAX + WANT_MAX];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = rng_below(&c->rng, c->n);
		c->spoilt += *c->held[at] != c->user.id;
		*c->held[at] = 0;
		gone[i] = c->held[at];
		c->held[at] = c->held[--c->n];
	}
	c->refused += slab_release_any(&c->user, n, gone);
}

static void *work(void *arg)
{
	struct client *c = arg;
	for (uint32_t round = 0; round < rounds; round++) {
		spin_barrier_wait(&barrier, CLIENTS + 1);
		for (uint32_t i = 0; i < STEPS; i++) {
			if (c->n < HELD_MAX && rng_below(&c->rng, 2) == 0)
				claim(c);
			else if (c->n > 0)
				release(c, 1 + rng_below(&c->rng, c->n));
		}
		if (round == rounds - 1)
			release(c, c->n);
		spin_barrier_wait(&barrier, CLIENTS + 1);
		/* The main thread looks at the pool at rest. */
		spin_barrier_wait(&barrier, CLIENTS + 1);
	}
	return NULL;
}

/* What is wrong at rest: every object is somebody's or free, and what has free
 * ones is listed. */
static uint32_t faults_at_rest(void)
{
	struct partial list = partial_of(&image.view, cache, 0);
	uint32_t n_objs = image_row(&image, cache)->n_objs;
	uint32_t sum = 0;
	uint32_t bad = 0;
	for (uint32_t i = 0; i < CLIENTS; i++)
		sum += clients[i].n;
	for (uint32_t head = 0; head < SLABS; head++) {
		const uint16_t *tags = slab_tags(&image.view, head);
		sum += tags_count_free(tags, n_objs);
		bad += tags_any_free(tags, n_objs) && !partial_has(&list, head);
		bad += image.view.leases[head] != 0;
	}
	return bad + (sum != SLABS * n_objs);
}

static void start(void)
{
	struct rng rng = rng_start("slab_race");
	image_make(&image, 1, 32);
	cache = image_cache(&image, 640, 0); /* 102 a slab, not whole words */
	for (uint32_t head = 0; head < SLABS; head++)
		image_carve(&image, head, cache, 0, 0);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		image_client(&image, i + 1, CLIENT_LIVE);
		clients[i] = (struct client){.user = image_user(&image, i + 1),
		                             .rng = rng_split(&rng)};
		pthread_create(&clients[i].thread, NULL, work, &clients[i]);
	}
}

static void four_clients_on_three_slabs(void)
{
	struct client sum = {0};
	uint32_t bad = 0;
	uint32_t idle = 0;
	rounds = tap_rounds(ROUNDS);
	start();
	for (uint32_t round = 0; round < rounds; round++) {
		spin_barrier_wait(&barrier, CLIENTS + 1);
		spin_barrier_wait(&barrier, CLIENTS + 1);
		bad += faults_at_rest();
		spin_barrier_wait(&barrier, CLIENTS + 1);
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		sum.n += clients[i].n;
		sum.taken += clients[i].taken;
		sum.spoilt += clients[i].spoilt;
		sum.refused += clients[i].refused;
		idle += clients[i].claimed == 0;
	}
	tap_is(bad, 0, "at rest none is lost, what has free ones is listed");
	tap_is(sum.taken, 0, "no object has two owners");
	tap_is(sum.spoilt, 0, "none is written by another");
	tap_is(sum.refused, 0, "none lost its tag");
	tap_is(idle, 0, "each client got some");
	tap_is(sum.n, 0, "and gave all of them back");
	image_drop(&image);
}

/* ---- a slab that falls bare while its last objects come back ------------ */

#define DUELS 60000u

static void idle(uint64_t turns)
{
	for (; turns > 0; turns--)
		(void)atom_load(&barrier.arrived);
}

static void *give_back(void *arg)
{
	struct client *c = arg;
	for (uint32_t round = 0; round < rounds; round++) {
		spin_barrier_wait(&barrier, 2);
		idle(rng_below(&c->rng, 2000));
		while (c->n > 0)
			release(c, 1);
		spin_barrier_wait(&barrier, 2);
		spin_barrier_wait(&barrier, 2);
	}
	return NULL;
}

/* The two lowest of 4096 objects are b's, all others the hog's: a look for
 * free ones is long, and comes by those of b at once. */
static void deal(struct client *a, struct client *b)
{
	bool ring;
	release(a, a->n);
	b->n = slab_claim_any(&b->user, cache, 0, 2, (void **)b->held, &ring);
	if (b->n != 2)
		tap_bail("the two free objects are not to be had");
	*b->held[0] = b->user.id;
	*b->held[1] = b->user.id;
}

static void start_duel(void)
{
	struct rng rng = rng_start("last_object_comes_back");
	void *hogged[SLAB_RUN_MAX];
	struct slab_user hog;
	bool ring;
	image_make(&image, 1, 32);
	cache = image_cache(&image, 16, 0);
	image_carve(&image, 0, cache, 0, 0);
	for (uint32_t i = 0; i < 3; i++) {
		image_client(&image, i + 1, CLIENT_LIVE);
		clients[i] = (struct client){.user = image_user(&image, i + 1),
		                             .rng = rng_split(&rng)};
	}
	deal(&clients[0], &clients[1]);
	hog = clients[2].user;
	while (slab_claim_any(&hog, cache, 0, SLAB_RUN_MAX, hogged, &ring) > 0)
		;
	release(&clients[1], 2);
}

static void last_object_comes_back(void)
{
	struct client *a = &clients[0];
	struct client *b = &clients[1];
	struct partial list;
	uint32_t unlisted = 0;
	rounds = tap_rounds(DUELS);
	start_duel();
	list = partial_of(&image.view, cache, 0);
	pthread_create(&b->thread, NULL, give_back, b);
	for (uint32_t round = 0; round < rounds; round++) {
		deal(a, b);
		spin_barrier_wait(&barrier, 2);
		idle(rng_below(&a->rng, 64));
		claim(a);
		spin_barrier_wait(&barrier, 2);
		unlisted += tags_any_free(slab_tags(&image.view, 0), 4096) &&
		            !partial_has(&list, 0);
		spin_barrier_wait(&barrier, 2);
	}
	pthread_join(b->thread, NULL);
	tap_is(unlisted, 0, "a slab whose last object comes back is listed");
	tap_is(a->taken + a->spoilt + a->refused + b->taken + b->spoilt +
	               b->refused, 0, "its objects have one owner each");
	image_drop(&image);
}

/* ---- a gift taken back while its dead receiver is swept ------------------ */

#define GIFTS 200000u
#define GIFT (TAGS_WORD - 1)
#define GIVER 1
#define DEAD 2

static struct gift {
	_Alignas(64) uint16_t tags[TAGS_PER_LINE];
	_Alignas(64) uint16_t gens[TAGS_PER_LINE];
	_Alignas(64) uint32_t given; /* (A) round that may be swept */
	_Alignas(64) uint32_t swept; /* (A) round that was */
	uint32_t kept;               /* gifts that came back */
	uint32_t lost;               /* of these, swept all the same */
} gift;

static void *take_back(void *arg)
{
	struct rng *rng = arg;
	for (uint32_t round = 1; round <= rounds; round++) {
		bool kept;
		/* The last of four, so that a sweep takes its time over it. */
		for (uint32_t i = 0; i <= GIFT; i++)
			atom_store(&gift.tags[i],
			           (uint16_t)(DEAD | TAG_KNOWN));
		/* pairs: tags_sweep_srv, which the main thread then calls. */
		atom_store_release(&gift.given, round);
		idle(rng_below(rng, 60));
		kept = tags_ungive_own(&gift.tags[GIFT],
		                       &gift.gens[GIFT], GIVER, DEAD);
		/* pairs: tags_sweep_srv, which has ended by then. */
		while (atom_load_acquire(&gift.swept) != round)
			sched_yield();
		gift.kept += kept;
		gift.lost += kept && atom_load(&gift.tags[GIFT]) !=
		                             (GIVER | TAG_KNOWN);
	}
	return NULL;
}

static void gift_comes_back_or_is_swept(void)
{
	struct rng rng = rng_start("gift_comes_back");
	pthread_t thread;
	static struct tags_living living;
	static uint32_t by_id[65536];
	uint32_t swept = 0;
	rounds = tap_rounds(GIFTS);
	swept_living_but(&living, DEAD);
	pthread_create(&thread, NULL, take_back, &rng);
	for (uint32_t round = 1; round <= rounds; round++) {
		/* pairs: take_back */
		while (atom_load_acquire(&gift.given) != round)
			sched_yield();
		swept += tags_sweep_srv(gift.tags, gift.gens, TAGS_PER_LINE,
		                        &living, by_id);
		atom_store_release(&gift.swept, round); /* pairs: take_back */
	}
	pthread_join(thread, NULL);
	tap_is(gift.lost, 0, "no gift is swept from its giver");
	tap_is(gift.kept + swept, TAGS_WORD * (long long)rounds,
	       "each of %u comes back or is swept", rounds);
}

int main(void)
{
	tap_start(900);
	four_clients_on_three_slabs();
	last_object_comes_back();
	gift_comes_back_or_is_swept();
	return tap_end();
}
