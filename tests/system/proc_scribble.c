/* SPDX-License-Identifier: MIT */
/*
 * A client that writes noise over all that it can write to, while slabd serves,
 * sweeps and audits; and what a client can't write to.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"
#include "tests/lib/rng.h"

#define SCRIBBLERS 2
#define ROUND_MS 300
#define STRESSED 6u /* rounds in stress */
#define N 500
#define ANSWER_MS 2000

static struct fixture fixture;
static uint32_t *stop;

/* ---- what can't be written ---------------------------------------------- */

static void unwritable(int fd, void *arg)
{
	struct raw raw;
	void *at;
	(void)fd;
	(void)arg;
	raw_open(&raw, &fixture, "mine");
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw.control,
	          0);
	tap_ok(at == MAP_FAILED && errno == EACCES,
	       "control can't be mapped for writing");
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, raw.control, 0);
	tap_ok(at != MAP_FAILED &&
	               mprotect(at, 4096, PROT_READ | PROT_WRITE) < 0 &&
	               errno == EACCES, "nor made writable later");
	tap_ok(write(raw.control, "x", 1) < 0, "nor written to");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[3] = {"control", "shared",
		                                     "data"};
		int file = i == 0 ? raw.control : i == 1 ? raw.shared
		                                         : raw.data[0];
		int want = F_SEAL_SHRINK | F_SEAL_GROW;
		tap_ok(ftruncate(file, 0) < 0, "%s can't be cut", names[i]);
		tap_ok(ftruncate(file, 1 << 30) < 0, "nor lengthened");
		tap_is(fcntl(file, F_GET_SEALS) & want, want, "it is sealed");
		tap_ok(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) < 0,
		       "and can't be sealed further");
	}
	raw_close(&raw);
}

static void as_nobody(int fd, void *arg)
{
	struct raw raw;
	char path[64];
	(void)fd;
	(void)arg;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		tap_bail("setuid: %s", strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
	raw_open(&raw, &fixture, "mine");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", raw.control);
	tap_ok(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES,
	       "another user can't open control again for writing");
	tap_ok(fchmod(raw.control, 0777) < 0, "nor change its mode");
	raw_close(&raw);
}

/* ---- noise -------------------------------------------------------------- */

/* Words that look like something: zeros, ones, small ids, its own. */
static uint64_t noise(struct rng *rng, uint64_t id)
{
	uint64_t random = rng_next(rng);
	switch (random % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return id * UINT64_C(0x0001000100010001);
	case 3:
		return (random >> 8 & 7) * UINT64_C(0x0001000100010001);
	case 4:
		return UINT64_C(1) << (random >> 8 & 63);
	default:
		return random;
	}
}

static void scribbler(int fd, void *arg)
{
	struct rng rng = {.state = *(uint64_t *)arg + (uint64_t)getpid()};
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	struct raw raw;
	uint64_t *words;
	uint64_t n;
	char name[NAME_BYTES] = "noise";
	raw_open(&raw, &fixture, "theirs");
	words = mmap(NULL, raw.welcome.shared_bytes, PROT_READ | PROT_WRITE,
	             MAP_SHARED, raw.shared, 0);
	if (words == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	raw_create(raw.sock, name, 64);
	n = raw.welcome.shared_bytes / 8;
	say(fd, raw.welcome.id);
	for (uint64_t i = 0; !atom_load(stop); i++) {
		uint64_t at = i % 2 ? i / 2 % n : rng_next(&rng) % n;
		atom_store(&words[at], noise(&rng, raw.welcome.id));
		if (i % 50000 == 0)
			raw_send(raw.events, &ring, sizeof(ring), 0, -1);
	}
	say(fd, 1);
	hear(fd);
}

/* Makes the pool large, so that there is much to be wrong. */
static void filler(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open("theirs", &options);
	slabd_cache *cache;
	size_t n = 0;
	(void)arg;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "noise", 64);
	while (slabd_alloc(cache) != NULL)
		n++;
	tap_ok(n > 400000, "a client fills the pool");
	say(fd, 1);
	hear(fd);
}

/* A client of the same pool, whose library must bear the noise too. */
static void bystander(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, SLABD_NO_WAIT);
	slabd_pool *pool = slabd_open("theirs", &options);
	slabd_cache *cache;
	void *some[64];
	(void)arg;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "noise", 64);
	say(fd, 1);
	while (!atom_load(stop)) {
		size_t n = slabd_alloc_bulk(cache, 64, some);
		for (size_t i = 0; i < n; i++)
			memset(some[i], 1, 64);
		slabd_free_bulk(cache, n, some);
		slabd_flush(pool);
	}
	tap_is(slabd_close(pool), 0, "another client of that pool can close");
}

/* A client of the other pool, whose objects nobody touches. */
static void neighbour(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open("mine", &options);
	slabd_cache *cache;
	uint64_t *live[N] = {NULL};
	struct rng rng = {.state = 77};
	unsigned wrong = 0;
	unsigned failed = 0;
	(void)arg;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "mine", 640);
	say(fd, 1);
	while (!atom_load(stop)) {
		unsigned i = (unsigned)(rng_next(&rng) % N);
		if (live[i] != NULL) {
			wrong += *live[i] != i * 31;
			slabd_free(cache, live[i]);
			live[i] = NULL;
			continue;
		}
		live[i] = slabd_alloc(cache);
		failed += live[i] == NULL;
		if (live[i] != NULL)
			*live[i] = i * 31;
	}
	tap_ok(wrong == 0 && failed == 0,
	       "a client of another pool is not disturbed");
	say(fd, 1);
	hear(fd);
	tap_is(slabd_close(pool), 0, "and closes");
}

/* How long slabd's loop has run on a processor: the first number. */
static double ran_ms(void)
{
	unsigned long long ns = 0;
	char path[40];
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)fixture.pid);
	file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	if (file != NULL)
		fclose(file);
	return (double)ns / 1e6;
}

/* Asks for all there is; false if one answer is missing, or took slabd too much
 * work. */
static bool ask_all(double *worst)
{
	static const char *const paths[] = {"/status", "/nodes",  "/caches",
	                                    "/clients", "/slabs", "/audit"};
	bool good = true;
	for (unsigned i = 0; i < 6; i++) {
		double before = ran_ms();
		json_t *doc = fixture_get(&fixture, paths[i]);
		double ms = ran_ms() - before;
		if (doc == NULL || ms > ANSWER_MS)
			tap_note("%s: %s, slabd ran for %.0f ms", paths[i],
			         doc == NULL ? "no answer" : "much work", ms);
		good = good && doc != NULL && ms <= ANSWER_MS;
		json_decref(doc);
		*worst = ms > *worst ? ms : *worst;
	}
	return good;
}

static void test_noise(uint64_t seed)
{
	struct child wild[SCRIBBLERS];
	struct child near;
	struct child far;
	double worst = 0;
	double until;
	bool good = true;
	atom_store(stop, 0u);
	child_start(&far, neighbour, NULL);
	hear(far.fd);
	for (unsigned i = 0; i < SCRIBBLERS; i++) {
		child_start(&wild[i], scribbler, &seed);
		hear(wild[i].fd);
	}
	child_start(&near, bystander, NULL);
	hear(near.fd);
	until = now_ms() + ROUND_MS;
	while (good && now_ms() < until)
		good = ask_all(&worst);
	tap_ok(good, "slabd answers under noise");
	child_kill(&wild[0]);
	tap_ok(ask_all(&worst), "and when one of those who make it is killed");
	tap_note("slabd ran for %.1f ms for one answer at the most", worst);
	atom_store(stop, 1u);
	hear(far.fd);
	tap_is(fixture_number(&fixture, "/audit?pool=mine", "agree"), 1,
	       "the other pool's audit agrees");
	say(far.fd, 1);
	child_end(&far, "its client ends well");
	child_end(&near, "the client of the same pool too");
	for (unsigned i = 1; i < SCRIBBLERS; i++)
		child_kill(&wild[i]);
	tap_ok(ask_all(&worst), "slabd has outlived them");
}

int main(void)
{
	struct child child;
	uint64_t seed;
	unsigned rounds;
	tap_start(300);
	fixture_open(&fixture, "[slabd]\nsocket_mode = 0666\n"
	               "[pool mine]\npage = 4k\nmax = 8M\nmax_caches = 8\n"
	               "[pool theirs]\npage = 4k\nstart = 2M\nmax = 32M\n"
	               "max_caches = 8\n");
	child_start(&child, unwritable, NULL);
	child_end(&child, "what a client can't write to");
	if (geteuid() == 0) {
		child_start(&child, as_nobody, NULL);
		child_end(&child, "another user");
	} else {
		tap_skip("not root", "another user");
	}
	stop = shared_memory(sizeof(*stop));
	child_start(&child, filler, NULL);
	hear(child.fd);
	seed = rng_start("proc_scribble").state;
	rounds = tap_rounds(8) > 8 ? STRESSED : 1;
	for (unsigned i = 0; i < rounds; i++)
		test_noise(seed + i);
	child_kill(&child);
	tap_is(fixture_wait(&fixture, 0), -1,
	       "slabd is the one that was started");
	fixture_close(&fixture);
	return tap_end();
}
