/* SPDX-License-Identifier: MIT */
/*
 * slabctl upgrade --check and slabd --takes-over against a slabd that runs with a
 * client: the same program takes all of it over, whatever it can't is said, and
 * neither slabd nor the client notices that anybody looked.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/pool/journal.h"
#include "shm/layout.h"
#include "tests/lib/keeper.h"

#define HEAD "[slabd]\ntopology = node:2 core:2 pu:1\n"
#define POOL "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"
#define OTHER "[pool other]\npage = 4k\nstart = 2M\nmax = 16M\n"
#define HELD 2000
#define OF_DEFAULT "slabd.pool.default."

static struct fixture fixture;
static struct keeper keeper;
static struct child client;
static void *held[HELD];
static char said[32768];
static int status;

/* What slabctl upgrade --check says on both outputs, and its status. */
static void check(const char *options)
{
	char command[500];
	const char *dir = getenv("builddir");
	FILE *out;
	size_t n;
	int r;
	snprintf(command, sizeof(command),
	         "%s/daemon/slabctl --control %s upgrade --check %s 2>&1",
	         dir != NULL ? dir : ".", fixture.control, options);
	out = popen(command, "r");
	if (out == NULL)
		tap_bail("no shell");
	n = fread(said, 1, sizeof(said) - 1, out);
	said[n] = '\0';
	r = pclose(out);
	status = WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

static bool says(const char *text)
{
	if (strstr(said, text) != NULL)
		return true;
	tap_note("%s", said);
	return false;
}

/* The member of a pool in the answer as JSON, good until the next. */
static const char *pool_says(const char *name, const char *key)
{
	static char value[200];
	json_t *doc;
	json_t *pool;
	size_t i;
	check("--json");
	doc = json_loads(said, 0, NULL);
	snprintf(value, sizeof(value), "nothing");
	json_array_foreach(json_object_get(doc, "pools"), i, pool)
		if (strcmp(json_string_value(json_object_get(pool, "name")),
		           name) == 0)
			snprintf(value, sizeof(value), "%s",
			         json_string_value(json_object_get(pool, key)));
	json_decref(doc);
	return value;
}

static void is_result(const char *pool, const char *want, const char *what)
{
	const char *result = pool_says(pool, "result");
	if (!tap_ok(strcmp(result, want) == 0, "%s: %s", what, want))
		tap_note("%s: %s\n%s", pool, result, said);
}

static void write_config(const char *text)
{
	FILE *file = fopen(fixture.config, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		tap_bail("can't write %s", fixture.config);
}

static void holder(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", 1024);
	size_t n = fixture_take(cache, HELD, held);
	(void)arg;
	for (size_t i = 0; i < n; i++)
		memset(held[i], (int)(i & 0xff), 1024);
	say(fd, n);
	hear(fd);
	for (size_t i = 0; i < n; i++)
		if (((unsigned char *)held[i])[1023] != (i & 0xff))
			tap_bail("object %zu is another's", i);
	slabd_free_bulk(cache, n, held);
	tap_is((long long)fixture_take(cache, HELD, held), HELD,
	       "the client allocates as before");
	slabd_close(pool);
}

/* ---- the same program ------------------------------------------------------ */

static void test_same(void)
{
	unsigned fds = count_fds(fixture.pid, 0);
	long long owned = fixture_owned(&fixture);
	check("");
	tap_is(status, 0, "the same program takes all over: status 0");
	tap_ok(says("a restart takes over all that this slabd has"), "in words");
	is_result("default", "taken-over", "and as JSON");
	is_result("other", "taken-over", "each pool");
	tap_is((long long)count_fds(fixture.pid, fds), fds,
	       "slabd has as many descriptors as before");
	tap_is(fixture_owned(&fixture), owned, "and as many objects");
	fixture_audit(&fixture, "after a look");
}

/* ---- what can't be taken over ---------------------------------------------- */

/* What is kept, to be damaged for a while. */
static void *map(const char *name, size_t *bytes)
{
	struct stat st;
	void *at;
	int fd = keeper_find(&keeper, name);
	if (fd < 0 || fstat(fd, &st) < 0)
		tap_bail("%s is not kept", name);
	*bytes = (size_t)st.st_size;
	at = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		tap_bail("can't map %s", name);
	return at;
}

static void test_other_layout(void)
{
	size_t bytes;
	struct layout_head *head = map(OF_DEFAULT "control", &bytes);
	head->version++;
	check("");
	tap_is(status, 1, "another layout is not taken over: status 1");
	tap_ok(says("its layout is version") && says("this slabd knows version"),
	       "which is said");
	tap_ok(says("they go on with what they have, and"),
	       "and what its clients meet");
	tap_ok(says("leave the slabd that runs"), "and what to do");
	is_result("default", "refused", "as JSON");
	is_result("other", "taken-over", "and the other pool");
	head->version--;
	munmap(head, bytes);
}

static void test_other_ledger(void)
{
	size_t bytes;
	struct journal *journal = map(OF_DEFAULT "ledger", &bytes);
	journal->version++;
	is_result("default", "refused", "another ledger");
	tap_ok(says("ledger that was kept has version"), "which is said");
	journal->version--;
	journal->state = JOURNAL_MAKING;
	is_result("default", "made-anew", "a pool that is being made");
	journal->state = JOURNAL_WHOLE;
	is_result("default", "taken-over", "once it is whole");
	munmap(journal, bytes);
}

static void test_damaged(void)
{
	size_t bytes;
	struct layout_head *head = map(OF_DEFAULT "control", &bytes);
	head->instance++;
	is_result("default", "refused", "a damaged head");
	head->instance--;
	munmap(head, bytes);
}

/* ---- a configuration that changed ------------------------------------------ */

static void test_config(void)
{
	write_config(HEAD "[pool default]\npage = thp\nstart = 2M\nmax = 64M\n"
	             "[pool new]\npage = 4k\nstart = 2M\nmax = 16M\n");
	check("");
	tap_is(status, 0, "with another configuration it is taken over, too");
	tap_ok(says("max = 64 MiB in slabd.conf waits") &&
	               says("with 16 MiB") &&
	               says("page = thp in slabd.conf waits"),
	       "and what waits is said");
	is_result("other", "leaving", "a pool that is no longer configured");
	is_result("new", "new", "one that is new");
	write_config(HEAD POOL OTHER "nonsense = 1\n");
	check("");
	tap_is(status, 0, "with errors in it, as by what slabd ran with");
	tap_ok(says("the configuration has errors") && says("\"nonsense\""),
	       "and they are said");
	write_config("[slabd]\ntopology = node:3 core:2 pu:1\n" POOL OTHER);
	check("");
	tap_ok(status == 0 && says("it lies on 2 nodes, and there are 3 now"),
	       "with other nodes, which is said");
	write_config(HEAD POOL OTHER);
}

/* ---- other programs -------------------------------------------------------- */

static void write_program(const char *path, const char *script)
{
	FILE *file = fopen(path, "w");
	if (file == NULL || fprintf(file, "#!/bin/sh\n%s\n", script) < 0 ||
	    fclose(file) != 0 || chmod(path, 0755) < 0)
		tap_bail("can't write %s", path);
}

static void test_programs(void)
{
	char path[120];
	char option[200];
	snprintf(path, sizeof(path), "%s/program", fixture.dir);
	snprintf(option, sizeof(option), "--slabd %s", path);
	check(option);
	tap_ok(status == 1 && says("can't be found"), "a program that is not "
	       "there: status 1");
	write_program(path, "echo \"slabd: unrecognized option "
	              "'--takes-over'\" >&2; exit 2");
	check(option);
	tap_ok(status == 1 && says("does not know --takes-over"),
	       "an older slabd: status 1");
	write_program(path, "kill -ABRT $$");
	check(option);
	tap_ok(status == 1 && says("crashed, by signal 6"), "one that crashes");
	chmod(path, 0644);
	check(option);
	tap_ok(status == 1 && says("is no program"), "none at all");
	unlink(path);
	check("now");
	tap_is(status, 2, "a word too many: status 2");
}

/* ---- a restart, and none --------------------------------------------------- */

/* As was foretold. */
static void test_restart(void)
{
	long long owned = fixture_owned(&fixture);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd does not start again: 0x%x", status);
	tap_ok(fixture_logged(&fixture, "pool default: taken over as it was"),
	       "the next slabd does as it was foretold");
	tap_is(fixture_owned(&fixture), owned, "all objects are as they were");
	check("");
	tap_is(status, 0, "and would be taken over in its turn");
	say(client.fd, 1);
	child_end(&client, "the client ends well");
}

static void test_not_kept(void)
{
	fixture_signal(&fixture, SIGTERM);
	fixture_wait(&fixture, SURELY_MS);
	keeper_close(&keeper);
	if (!fixture_start(&fixture))
		tap_bail("slabd does not start");
	check("");
	tap_is(status, 1, "what nobody keeps is lost: status 1");
	tap_ok(says("no service manager keeps all of its files"),
	       "which is said");
	is_result("default", "lost", "as JSON");
	fixture_close(&fixture);
	check("");
	tap_ok(status == 1 && says("no slabd at"), "no slabd runs: status 1");
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, HEAD POOL OTHER);
	keeper_open(&keeper, &fixture);
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd does not start: 0x%x", status);
	child_start(&client, holder, NULL);
	tap_is((long long)hear(client.fd), HELD, "a client has objects");
	keeper_catch_up(&keeper);
	test_same();
	test_other_layout();
	test_other_ledger();
	test_damaged();
	test_config();
	test_programs();
	test_restart();
	test_not_kept();
	return tap_end();
}
