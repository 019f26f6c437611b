/* SPDX-License-Identifier: MIT */
/*
 * slabd killed, and another started on what its service manager kept: the
 * accounts are exact, clients live, what was half done is repaired, and what
 * can't be taken over is refused by name with nothing touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/pool/journal.h"
#include "shm/lease.h"
#include "shm/view.h"
#include "tests/lib/churn.h"
#include "tests/lib/keeper.h"

#define ONE_NODE "[slabd]\ntopology = node:1 core:2 pu:1\n"
#define TWO_NODES "[slabd]\ntopology = node:2 core:1 pu:1\n"
#define POOL "[pool default]\npage = 4k\nstart = 4M\nmax = 32M\n"
#define CONTROL "slabd.pool.default.control"
#define SHARED "slabd.pool.default.shared"
#define LEDGER "slabd.pool.default.ledger"
#define NODE0 "slabd.pool.default.node0"
#define HELD 3000
#define LARGE (100 << 10) /* slabs of eight units */
#define LARGES 15         /* three of them */

static struct fixture fixture;
static struct keeper keeper;

/* ---- a client that holds objects ---------------------------------------- */

static void *held[HELD];

static uint64_t pattern(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15);
}

static unsigned wrong(void)
{
	unsigned n = 0;
	for (uint64_t i = 0; i < HELD; i++)
		n += *(uint64_t *)held[i] != pattern(i);
	return n;
}

static void holder(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *caches[3] = {fixture_cache(pool, "one", 64),
	                          fixture_cache(pool, "two", 1024),
	                          fixture_cache(pool, "large", LARGE)};
	(void)arg;
	if (slabd_alloc_bulk(caches[2], LARGES, held) != LARGES)
		tap_bail("slabd_alloc_bulk: %s", slabd_last_error());
	slabd_free_bulk(caches[2], LARGES, held);
	for (uint64_t i = 0; i < HELD; i++) {
		held[i] = slabd_alloc(caches[i % 2]);
		if (held[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*(uint64_t *)held[i] = pattern(i);
	}
	for (uint64_t i = 0; i < HELD; i += 3) {
		slabd_free(caches[i % 2], held[i]);
		held[i] = slabd_alloc(caches[i % 2]);
		*(uint64_t *)held[i] = pattern(i);
	}
	slabd_flush(pool);
	say(fd, slabd_client_id(pool));
	while (hear(fd) != 0) {
		/* slabd is gone, or another: what is there is there. */
		churn_once(caches[0], 100);
		/* Empty slabs again. */
		churn_once(caches[2], LARGES);
		slabd_flush(pool);
		say(fd, wrong());
	}
	slabd_close(pool);
}

static struct child client;

static void start_client(void)
{
	child_start(&client, holder, NULL);
	(void)hear(client.fd);
}

/* The client's objects as it left them, and it still at work. */
static void check_client(const char *when)
{
	say(client.fd, 1);
	tap_is((long long)hear(client.fd), 0, "%s: the client's objects are as "
	       "it wrote them", when);
}

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
}

static void restart(const char *when)
{
	int status = 0;
	bool up = keeper_start(&keeper, &fixture, &status);
	if (!tap_ok(up && fixture_ready(&fixture),
	            "%s: slabd starts again", when))
		tap_note("status 0x%x", status);
}

/* ---- what is in the files ----------------------------------------------- */

static void *map_kept(const char *name, size_t *bytes)
{
	int fd = keeper_find(&keeper, name);
	struct stat st;
	void *at;
	if (fd < 0 || fstat(fd, &st) < 0)
		tap_bail("%s is not kept", name);
	*bytes = (size_t)st.st_size;
	at = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		tap_bail("%s: %s", name, strerror(errno));
	return at;
}

static struct view view;
static struct journal *journal;
static size_t journal_bytes;

static void open_view(void)
{
	struct layout_geometry geo;
	size_t control_bytes;
	size_t shared_bytes;
	struct layout_head *head = map_kept(CONTROL, &control_bytes);
	void *shared = map_kept(SHARED, &shared_bytes);
	if (layout_check(head, control_bytes, shared_bytes, &geo) != 0)
		tap_bail("what is kept is no pool");
	view_init(&view, &geo, head, shared);
	journal = map_kept(LEDGER, &journal_bytes);
}

static void close_view(void)
{
	munmap(view.wants, view.geo.shared_bytes);
	munmap((void *)(uintptr_t)view.head, view.geo.control_bytes);
	munmap(journal, journal_bytes);
}

#define WRITABLE(p) ((void *)(uintptr_t)(p))

/* The head unit of the first slab of at least that order, whose objects are
 * all free. */
static uint32_t empty_slab(uint32_t order)
{
	for (uint32_t unit = 0; unit < view.geo.n_units; unit++) {
		uint64_t word = view.words[unit];
		const struct layout_cache *row =
		        view_cache(&view, WORD_CACHE(word));
		const uint16_t *tags = view.tags + (uint64_t)view.lines[unit] *
		                                           TAGS_PER_LINE;
		bool is_free = true;
		if (row == NULL || WORD_BACK(word) != 0 || row->order < order)
			continue;
		for (uint32_t i = 0; i < row->n_objs; i++)
			is_free &= tags[i] == TAG_FREE;
		if (is_free)
			return unit;
	}
	tap_bail("no empty slab of order %u", order);
}

/* ---- killed and started again ------------------------------------------- */

static void test_lives_on(void)
{
	struct child second;
	long long owned;
	long long id2;
	restart("at first");
	start_client();
	child_start(&second, holder, NULL);
	id2 = (long long)hear(second.fd);
	owned = fixture_owned(&fixture);
	kill_slabd();
	tap_ok(keeper_find(&keeper, CONTROL) >= 0 &&
	               keeper_find(&keeper, NODE0) >= 0,
	       "the manager has the pool's files");
	check_client("slabd killed");
	restart("with two clients");
	tap_ok(fixture_logged(&fixture, "taken over as it was"), "and says so");
	fixture_audit(&fixture, "taken over");
	tap_is(fixture_owned(&fixture), owned, "all are where they were");
	tap_is(fixture_client(&fixture, (unsigned)id2, "id"), id2,
	       "the clients are known by their ids");
	check_client("slabd there again");
	kill_slabd();
	child_kill(&second);
	restart("after a client was killed in its absence");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 1,
	                     SURELY_MS) >= 0,
	       "one client is left");
	fixture_audit(&fixture, "one client reaped");
	tap_is(fixture_owned(&fixture), owned / 2, "and its objects came back");
	for (int i = 0; i < 5; i++) {
		kill_slabd();
		restart("again and again");
	}
	fixture_audit(&fixture, "after five more");
	check_client("after five more");
}

/* SIGTERM keeps what the manager keeps: a restart of the service. */
static void test_restarted(void)
{
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "SIGTERM: status 0");
	keeper_catch_up(&keeper);
	tap_ok(keeper_find(&keeper, CONTROL) >= 0,
	       "the files stay with the manager");
	restart("after SIGTERM");
	fixture_audit(&fixture, "after SIGTERM");
	check_client("after SIGTERM");
}

/* ---- half done ---------------------------------------------------------- */

static void cut_carve(void)
{
	uint64_t *words = WRITABLE(view.words);
	words[empty_slab(1)] = 0;
}

static void cut_reclaim(void)
{
	uint32_t head = empty_slab(1);
	uint64_t *words = WRITABLE(view.words);
	const struct layout_cache *row =
	        &view.caches[WORD_CACHE(words[head]) - 1];
	for (uint32_t i = 2; i < 1u << row->order; i++)
		words[head + i] = 0;
	view.leases[head] = LEASE_SRV;
}

static void cut_list(void)
{
	for (uint64_t i = 0; i < view.geo.n_caches * view.geo.list_stride; i++)
		view.lists[i] = 0;
	for (uint32_t i = 0; i < view.geo.n_units; i++) {
		uint16_t *tags = view.tags + view.lines[i] * TAGS_PER_LINE;
		const struct layout_cache *row =
			view_cache(&view, WORD_CACHE(view.words[i]));
		if (row == NULL || WORD_BACK(view.words[i]) != 0)
			continue;
		if (i % 3 == 0 && view.leases[i] == 0)
			view.leases[i] = LEASE_SRV;
		for (uint32_t k = row->n_objs; k % TAGS_PER_LINE != 0; k++)
			tags[k] = 0;
	}
}

static void cut_cache(void)
{
	memset(WRITABLE(&view.caches[3]), 0x5a, sizeof(view.caches[3]));
	((struct layout_cache *)WRITABLE(&view.caches[3]))->state = 0;
}

static void cut_client(void)
{
	struct layout_client *row = WRITABLE(&view.clients[77]);
	row->pid = getpid();
	row->word = UINT64_C(9) << 8 | CLIENT_DEAD;
}

static void test_half_done(void (*cut)(void), const char *what)
{
	long long owned = fixture_owned(&fixture);
	kill_slabd();
	open_view();
	cut();
	close_view();
	restart(what);
	fixture_audit(&fixture, what);
	tap_is(fixture_owned(&fixture), owned, "%s: nothing is lost", what);
	check_client(what);
}

/* Killed while it made the pool: no client has seen it. */
static void test_making(void)
{
	kill_slabd();
	child_kill(&client);
	open_view();
	journal->state = JOURNAL_MAKING;
	close_view();
	restart("killed while it made the pool");
	tap_ok(fixture_logged(&fixture, "it is made anew"), "made anew");
	tap_is(fixture_owned(&fixture), 0, "and is empty");
	start_client();
	fixture_audit(&fixture, "made anew");
}

/* ---- refused ------------------------------------------------------------ */

static int foreign;

static void bad_version(void)
{
	struct layout_head *head = WRITABLE(view.head);
	head->version ^= 96;
}

static void bad_magic(void)
{
	struct layout_head *head = WRITABLE(view.head);
	head->magic ^= 1;
}

static void bad_instance(void)
{
	struct layout_head *head = WRITABLE(view.head);
	head->instance ^= 1;
}

static void bad_counts(void)
{
	struct layout_head *head = WRITABLE(view.head);
	head->n_units ^= 512;
}

static void bad_cache(void)
{
	struct layout_cache *row = WRITABLE(&view.caches[0]);
	row->n_objs ^= 1u << 20;
}

static void bad_ready(void)
{
	uint8_t *pages = WRITABLE(view.pages);
	pages[0] ^= 0x80;
}

static void bad_word(void)
{
	uint64_t *words = WRITABLE(view.words);
	words[empty_slab(1)] ^= UINT64_C(0x7f) << 16;
}

static void bad_journal(void)
{
	journal->version ^= 64;
}

static void bad_journal_magic(void)
{
	journal->magic ^= 64;
}

static void bad_shared(void)
{
	foreign = keeper_swap(&keeper, SHARED, foreign);
}

static void bad_node(void)
{
	foreign = keeper_swap(&keeper, NODE0, foreign);
}

static void write_config(const char *config)
{
	FILE *file = fopen(fixture.config, "we");
	if (file == NULL || fputs(config, file) < 0 || fclose(file) != 0)
		tap_bail("%s: %s", fixture.config, strerror(errno));
}

/* Each undoes itself when it is done once more. */
static const struct {
	void (*damage)(void);
	const char *says;
} bads[] = {
	{bad_version, "layout is version 10"},
	{bad_magic, "control file is damaged"},
	{bad_instance, "control file is damaged"},
	{bad_counts, "control file is damaged"},
	{bad_cache, "row 1 of its cache table is damaged"},
	{bad_ready, "table of pages is damaged"},
	{bad_word, "slab table is damaged at unit"},
	{bad_journal, "the ledger that was kept has version"},
	{bad_journal_magic, "the ledger that was kept does not begin"},
	{bad_shared, "there is no sealed shared file"},
	{bad_node, "no sealed file of"},
};

static uint64_t sum_of(const char *name)
{
	size_t sum = 0, bytes;
	const uint64_t *at = map_kept(name, &bytes);
	for (size_t i = 0; i < bytes / sizeof(*at); i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	munmap(WRITABLE(at), bytes);
	return sum;
}

/* slabd runs, answers, and has touched nothing. */
static void test_refused(unsigned i)
{
	const char *says = bads[i].says;
	uint64_t control, shared;
	json_t *doc;
	truncate(fixture.log, 0);
	open_view();
	bads[i].damage();
	control = sum_of(CONTROL);
	shared = sum_of(SHARED);
	restart(says);
	doc = fixture_get(&fixture, "/status");
	tap_ok(json_array_size(json_at(doc, "left")) == 1, "it is left");
	json_decref(doc);
	tap_ok(fixture_logged(&fixture, says), "it says so");
	tap_ok(fixture_logged(&fixture, "nothing was touched"), "all of it");
	kill_slabd();
	tap_ok(control == sum_of(CONTROL) && shared == sum_of(SHARED),
	       "nothing was touched");
	bads[i].damage();
	close_view();
}

static void test_refusals(void)
{
	foreign = memfd_create("foreign", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (foreign < 0 || ftruncate(foreign, 8192) < 0)
		tap_bail("memfd_create: %s", strerror(errno));
	kill_slabd();
	for (unsigned i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		test_refused(i);
	close(foreign);
	restart("with all repaired");
	fixture_audit(&fixture, "with all repaired");
	check_client("with all repaired");
}

/* Nodes came or went between one slabd and the next. */
static void test_nodes(const char *config, const char *when)
{
	kill_slabd();
	write_config(config);
	restart(when);
	fixture_audit(&fixture, when);
	check_client(when);
}

/* A change that was under way. */
static void test_dropped(void)
{
	kill_slabd();
	open_view();
	journal->pages[0].change_pages = 7;
	write_config(ONE_NODE "[pool other]\npage = 4k\nmax = 32M\n");
	restart("another pool is configured");
	tap_is((long long)journal->pages[0].change_pages, 0, "it is settled");
	close_view();
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, ONE_NODE POOL);
	keeper_open(&keeper, &fixture);
	test_lives_on();
	test_restarted();
	test_half_done(cut_carve, "a carve was cut short");
	test_half_done(cut_reclaim, "a slab was half taken apart");
	test_half_done(cut_list, "lists, leases and padding were lost");
	test_half_done(cut_cache, "a cache was half made");
	test_half_done(cut_client, "a reaping was cut short");
	test_making();
	test_refusals();
	test_nodes(TWO_NODES POOL, "with a node more");
	test_nodes(ONE_NODE POOL, "with a node fewer");
	say(client.fd, 0);
	child_end(&client, "the client ends well");
	test_dropped();
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
