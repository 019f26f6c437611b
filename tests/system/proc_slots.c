/* SPDX-License-Identifier: MIT */
/* Clients' places: when one is free again, and how many one may have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/raw.h"

#define PLACES 40u
#define TURNS (8 * PLACES)
#define OF_PROCESS 8u
#define OF_USER 12u
#define STRANGER 4321

static struct fixture fixture;

static long long n_clients(void)
{
	return fixture_number(&fixture, "/status", "pools.0.clients");
}

static bool all_gone(void)
{
	return fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0;
}

/* A hello; the answer is read, without its descriptors, or left. */
static bool comes_and_goes(bool reads)
{
	struct wire_hello hello = raw_hello("default");
	struct wire_welcome answer = {.error = 0};
	int sock = raw_connect(&fixture);
	bool good = raw_send(sock, &hello, sizeof(hello), 0, -1) == 0;
	if (reads)
		good &= recv(sock, &answer, sizeof(answer), 0) ==
		        sizeof(answer) && answer.error == 0;
	close(sock);
	return good;
}

static void test_turns(bool reads, const char *what)
{
	unsigned good = 0;
	for (unsigned i = 0; i < TURNS; i++)
		good += comes_and_goes(reads);
	tap_is(good, TURNS, "%s: %u of one process find one of %u places", what,
	       TURNS, PLACES);
	tap_ok(all_gone(), "and leave none taken");
}

/* ---- who has the shared file --------------------------------------------- */

/* All places, by connections that are closed at once; what they got is not. */
static void take_all(struct raw raw[PLACES])
{
	for (unsigned i = 0; i < PLACES; i++) {
		raw_open(&raw[i], &fixture, "default");
		close(raw[i].sock);
		raw[i].sock = -1;
	}
}

static bool is_full(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool != NULL)
		slabd_close(pool);
	return pool == NULL && errno == EAGAIN;
}

static void test_mapped(void)
{
	static struct raw raw[PLACES];
	size_t bytes;
	void *map;
	take_all(raw);
	tap_is(n_clients(), PLACES, "who has the shared file open has a place");
	tap_ok(is_full(), "so that nobody else finds one");
	bytes = raw[0].welcome.shared_bytes;
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, raw[0].shared, 0);
	if (map == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	close(raw[0].shared);
	raw[0].shared = -1;
	tap_ok(is_full(), "who has it mapped has one, too");
	munmap(map, bytes);
	tap_ok(!is_full(), "who let go of it has none where others want it");
	for (unsigned i = 0; i < PLACES; i++)
		raw_close(&raw[i]);
	tap_ok(!is_full() && all_gone(), "nor have the others after that");
}

/* It comes by an object, and loses its connection. */
static void has_objects(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	void *obj = slabd_alloc(fixture_cache(pool, "kept", 64));
	(void)arg;
	if (obj == NULL)
		tap_bail("no object");
	say(fd, slabd_client_id(pool));
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	tap_bail("sleep: %s", strerror(errno));
}

static void has_none(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)arg;
	say(fd, slabd_client_id(pool));
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	tap_bail("sleep: %s", strerror(errno));
}

static void test_exec(void)
{
	struct child with, without;
	child_start(&with, has_objects, NULL);
	hear(with.fd);
	tap_is(n_clients(), 1, "one with objects");
	child_start(&without, has_none, NULL);
	hear(without.fd);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 1,
	                     SURELY_MS) >= 0,
	       "one that became another program without any has no place");
	tap_ok(fixture_owned(&fixture) > 0, "with some it keeps them");
	child_kill(&without);
	child_kill(&with);
	tap_ok(all_gone(), "until it ends");
}

/* ---- evicted --------------------------------------------------------------- */

static void evicted(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "kept", 64);
	unsigned *obj = slabd_alloc(cache);
	(void)arg;
	if (obj == NULL)
		tap_bail("no object");
	*obj = 77;
	say(fd, slabd_client_id(pool));
	hear(fd);
	tap_is(*obj, 77, "who is evicted has its objects");
	tap_ok(slabd_cache_create(pool, "more", 64, 0, 0) == NULL &&
	               strstr(slabd_last_error(), "evict") != NULL,
	       "and no way back");
	slabd_free(cache, obj);
	hear(fd);
}

static void evict(unsigned id, bool dies)
{
	char form[64];
	snprintf(form, sizeof(form), "client=%u%s", id, dies ? "&kill=1" : "");
	tap_ok(fixture_post(&fixture, "/evict", form), "evict %s", form);
}

static void test_evict(void)
{
	struct child child;
	unsigned id;
	tap_ok(!fixture_post(&fixture, "/evict", "client=4711"),
	       "who is not there can't be evicted");
	child_start(&child, evicted, NULL);
	id = (unsigned)hear(child.fd);
	evict(id, false);
	tap_is(fixture_client(&fixture, id, "connected"), 0,
	       "who is evicted has no connection");
	tap_ok(fixture_owned(&fixture) > 0, "what it has stays its own");
	say(child.fd, 0);
	say(child.fd, 0);
	child_end(&child, "and its process goes on as long as it likes");
	tap_ok(all_gone(), "with its end all comes back");
	child_start(&child, evicted, NULL);
	evict((unsigned)hear(child.fd), true);
	tap_ok(all_gone(), "or at once, where it is killed");
	tap_is(fixture_owned(&fixture), 0, "with all that it had");
	child_kill(&child);
}

/* ---- limits --------------------------------------------------------------- */

/* As many as are let in; hears when to go. */
static void takes(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool[2 * PLACES];
	unsigned n = 0;
	if (arg != NULL && (setgid(STRANGER) < 0 || setuid(STRANGER) < 0))
		tap_bail("setuid: %s", strerror(errno));
	options.flags = SLABD_NO_HELPER;
	while (n < 2 * PLACES && (pool[n] = slabd_open(NULL, &options)) != NULL)
		n++;
	tap_ok(errno == EAGAIN &&
	               strstr(slabd_last_error(), "raise max_clients") != NULL,
	       "one too many: EAGAIN, and what to raise");
	tap_note("%s", slabd_last_error());
	say(fd, n);
	hear(fd);
	while (n-- > 0)
		slabd_close(pool[n]);
}

static void test_process(void)
{
	struct child one, two;
	child_start(&one, takes, NULL);
	tap_is((long long)hear(one.fd), OF_PROCESS, "a process has its places");
	child_start(&two, takes, NULL);
	tap_is((long long)hear(two.fd), OF_USER - OF_PROCESS,
	       "another one of its user has what is left of the user's");
	say(one.fd, 0);
	say(two.fd, 0);
	child_end(&one, "the first ends well");
	child_end(&two, "and so does the other");
}

static void test_user(void)
{
	struct child one, two;
	child_start(&one, takes, &one);
	tap_is((long long)hear(one.fd), OF_PROCESS, "a user's process");
	child_start(&two, takes, NULL);
	tap_is((long long)hear(two.fd), OF_PROCESS, "is no other user's");
	say(one.fd, 0);
	say(two.fd, 0);
	child_end(&one, "the first ends well");
	child_end(&two, "and so does the other");
}

/* By default, in a pool for many. */
static void test_auto(void)
{
	struct slabd_options options;
	struct raw raw[160];
	struct wire_hello hello = raw_hello("default");
	struct wire_welcome answer = {.error = 0};
	slabd_pool *pool;
	int sock;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
	             "max_clients = 320\n");
	for (unsigned i = 0; i < 160; i++)
		raw_open(&raw[i], &fixture, "default");
	sock = raw_connect(&fixture);
	raw_send(sock, &hello, sizeof(hello), 0, -1);
	tap_ok(recv(sock, &answer, sizeof(answer), 0) == sizeof(answer) &&
	               answer.error == EAGAIN,
	       "by default one process has half of many places");
	close(sock);
	for (unsigned i = 0; i < 160; i++)
		raw_close(&raw[i]);
	options = fixture_options(&fixture, 0);
	pool = slabd_open(NULL, &options);
	tap_ok(pool != NULL, "and finds one as it gave some back");
	if (pool != NULL)
		slabd_close(pool);
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
	             "max_clients = %u\n", PLACES);
	test_turns(true, "the answer is read");
	test_turns(false, "the answer is not read");
	test_mapped();
	test_exec();
	test_evict();
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	fixture_open(&fixture,
	             "[slabd]\nsocket_mode = 0666\n"
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
	             "max_clients = %u\nmax_clients_process = %u\n"
	             "max_clients_user = %u\n", PLACES, OF_PROCESS, OF_USER);
	test_process();
	if (geteuid() == 0)
		test_user();
	else
		tap_skip("needs root", "another user");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	test_auto();
	return tap_end();
}
