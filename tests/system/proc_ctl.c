/* SPDX-License-Identifier: MIT */
/*
 * slabctl against a real slabd with a client on a machine of three nodes: what
 * it is asked to do happens, what can't be done is refused with the reason and
 * the remedy, and the client's objects are what they were all along.
 *
 * slabd does nothing by itself here, so that each change is slabctl's.
 */
#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SIZE 256
#define OBJECTS 300u /* two slabs */
#define HOARD 20000u

#define CONFIG                                                                 \
	"[slabd]\ntopology = node:3 core:1 pu:1\n"                             \
	"[balance]\nenabled = no\nidle = never\npressure = off\nhold = 1h\n"  \
	"[pool default]\npage = 4k\nstart = 4M\nfloor = 2M\nmax = 16M\n"

static struct fixture fixture;
static char said[16384]; /* by the last slabctl, on both outputs */
static slabd_pool *pool;
static slabd_cache *orders;
static uint64_t *object[OBJECTS];

/* ---- slabctl ------------------------------------------------------------ */

/* Its exit status; -1: it ended otherwise. */
static int run(const char *words)
{
	const char *build = getenv("builddir");
	char command[800];
	FILE *out;
	size_t n;
	int status;
	snprintf(command, sizeof(command),
	         "{ COLUMNS=200 '%s/daemon/slabctl' --control %s %s; } 2>&1",
	         build != NULL ? build : ".", fixture.control, words);
	out = popen(command, "r");
	if (out == NULL)
		tap_bail("can't start slabctl");
	n = fread(said, 1, sizeof(said) - 1, out);
	said[n] = '\0';
	status = pclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One result: the exit status, and what is said; "" for anything. */
static void ctl(const char *words, int want, const char *says)
{
	int status = run(words);
	bool good = status == want && strstr(said, says) != NULL;
	tap_ok(good, "slabctl %s: status %d, \"%s\"", words, want, says);
	if (!good)
		tap_note("status %d: %s", status, said);
}

/* A refusal says so, and tells what to do. */
static void refuses(const char *words, const char *says, const char *remedy)
{
	ctl(words, 1, says);
	tap_ok(strstr(said, remedy) != NULL, "with the remedy \"%s\"", remedy);
}

/* ---- the pool ----------------------------------------------------------- */

static long long slabs_on_list(int node)
{
	json_t *doc = fixture_get(&fixture, "/slabs?cache=orders");
	json_t *list = json_at(doc, "pools.0.slabs");
	long long n = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		n += json_integer_value(json_object_get(
			     json_array_get(list, i), "list")) == node;
	json_decref(doc);
	return n;
}

static long long node_number(unsigned node, const char *key)
{
	char at[80];
	snprintf(at, sizeof(at), "pools.0.nodes.%u.%s", node, key);
	return fixture_number(&fixture, "/nodes", at);
}

static void allocate(void)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		object[i] = slabd_alloc(orders);
		if (object[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*object[i] = i;
	}
}

static void check_objects(const char *when)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < OBJECTS; i++)
		wrong += *object[i] != i;
	tap_is(wrong, 0, "%s: objects that are not what they were", when);
}

/* ---- tests -------------------------------------------------------------- */

static void test_lend(void)
{
	long long home = slabs_on_list(0);
	tap_is(slabs_on_list(1), 0, "no slab is lent at first");
	ctl("lend orders 0 1 4", 0,
	    "1 of 4 slabs of orders lent: node 0 -> node 1");
	tap_is(slabs_on_list(1), 1, "one stands on node 1's list");
	tap_ok(node_number(0, "lent_bytes") > 0 &&
	               node_number(1, "borrowed_bytes") > 0,
	       "and both nodes say so");
	refuses("lend orders 0 1",
	        "node 0 has no slab of orders with anything free",
	        "see slabctl slabs");
	ctl("lend orders 0 0 60000", 0, "came back to node 0");
	tap_ok(fixture_logged(&fixture, "1 of 4 slabs of orders lent from node 0 "
	                                "to node 1; asked for by pid") &&
	               fixture_logged(&fixture, "slabs of orders came back to "
	                                        "node 0; asked for by pid"),
	       "and the log says of which cache, and which way");
	tap_is(slabs_on_list(0), home, "all came back");
	check_objects("after lending");
	fixture_audit(&fixture, "after lending");
	refuses("lend order 0 1", "no cache \"order\"", "caches: orders");
	refuses("lend orders 0 7", "no node \"7\"", "nodes: 0, 1, 2");
	refuses("lend orders 0 1 0", "bad n \"0\"", "n is 1 to 65536");
	refuses("lend orders 0 1 99999999999", "bad n", "n is 1 to 65536");
	refuses("lend orders 2 1", "node 2 has no slab of orders",
	        "slabctl slabs");
	refuses("lend --pool x orders 0 1", "no pool \"x\"", "pools: default");
	ctl("lend orders 0", 2, "usage: slabctl lend CACHE FROM TO [N]");
	ctl("lend orders 0 one", 2, "to one: no number");
	tap_is(slabs_on_list(0), home, "refusals change nothing");
}

static void test_migrate(void)
{
	long long here = node_number(0, "here_pages");
	ctl("migrate 0 2 --cache orders", 0,
	    "1 page of orders moved (2.0 MiB): node 0 -> node 2");
	tap_is(node_number(0, "here_pages"), here - 1, "node 0 has one less");
	tap_is(node_number(2, "here_pages"), 3, "node 2 has one more");
	check_objects("after a move");
	fixture_audit(&fixture, "after a move");
	ctl("migrate 2 0 --cache orders", 0, "node 2 -> node 0");
	refuses("migrate 0 0", "from and to are both node 0", "name two nodes");
	refuses("migrate 0 9", "no node \"9\"", "nodes: 0, 1, 2");
	refuses("migrate 0 1 0", "bad n \"0\"", "n is 1 to 512");
	refuses("migrate 0 1 513", "bad n \"513\"", "n is 1 to 512");
	ctl("migrate 0 1 6", 0, "of 6 pages moved");
	ctl("migrate 2 1 8", 0, "pages moved");
	/* 8 pages are all that a node may have. */
	run("migrate 0 1 8");
	run("migrate 2 1 8");
	tap_ok(node_number(1, "here_pages") <= 8, "no node gets over its max");
	check_objects("after many moves");
	fixture_audit(&fixture, "after many moves");
	ctl("migrate 1 0 4", 0, "moved");
}

static void test_drain(void)
{
	ctl("drain 1", 0, "slabctl drain 1 --undo");
	ctl("drain 1 --watch=1", 0, "node 1 is empty");
	tap_is(node_number(1, "here_pages"), 0, "node 1 is empty");
	ctl("nodes", 0, "being drained: 0 in 0 pages to go");
	refuses("lend orders 0 1", "node 1 is being drained", "--undo");
	refuses("migrate 0 1", "node 1 is being drained", "--undo");
	ctl("drain 2", 0, "node 2");
	refuses("drain 0", "node 0 is the last", "drain NODE --undo");
	check_objects("after draining");
	fixture_audit(&fixture, "after draining");
	ctl("drain 1 --undo", 0, "node 1 is no longer drained");
	ctl("drain 1 --undo", 0, "node 1 was not drained, and is not");
	ctl("drain 2 --undo", 0, "node 2 is no longer drained");
	run("nodes");
	tap_ok(strstr(said, "being drained") == NULL, "no node is drained");
	refuses("drain 3", "no node \"3\"", "nodes: 0, 1, 2");
	ctl("drain", 2, "usage: slabctl drain NODE");
}

static void test_set(void)
{
	ctl("set", 0, "migrate_rate");
	ctl("set hold 59m", 0, "hold 1h -> 59m");
	ctl("set", 0, "59m");
	refuses("set hold 2", "key \"hold\": \"2\" is not a valid value",
	        "allowed: a duration from 10ms to 1h");
	refuses("set hold_max 1s", "contradicts key \"hold\" (59m)",
	        "at least hold");
	refuses("set holdd 1s", "key \"holdd\" is unknown", "allowed: enabled");
	ctl("set hold", 2, "usage: slabctl set [KEY VALUE]");
}

/* Whether slabd would start with this line, with what was saved. */
static bool starts_with(const char *line)
{
	const char *build = getenv("builddir");
	char command[600];
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabd' --check-config --config %s --socket %s "
	         "--control %s 2>&1 | grep -qx '%s'",
	         build != NULL ? build : ".", fixture.config, fixture.socket,
	         fixture.control, line);
	return system(command) == 0;
}

static void test_save(void)
{
	char dir[128], path[160];
	snprintf(dir, sizeof(dir), "%s.d", fixture.config);
	snprintf(path, sizeof(path), "%s/90-slabctl-save.conf", dir);
	tap_ok(starts_with("hold = 1h"), "hold is 1h in the file");
	ctl("save", 0, path);
	tap_ok(strstr(said, "59m") != NULL && strstr(said, "idle") == NULL,
	       "what was set, and nothing else");
	tap_ok(starts_with("hold = 59m"), "the next slabd has it");
	ctl("set hold 1h", 0, "59m -> 1h");
	ctl("set migrate no", 0, "yes -> no");
	ctl("save --json", 0, "\"migrate\"");
	tap_ok(starts_with("hold = 1h") && starts_with("migrate = no"),
	       "a key that was saved has its value of now");
	ctl("set migrate yes", 0, "no -> yes");
	unlink(path);
	if (symlink("/etc/passwd", path) < 0)
		tap_bail("symlink: %s", strerror(errno));
	refuses("save", "is not what slabctl save writes", "move it away");
	unlink(path);
	tap_ok(rmdir(dir) == 0, "nothing else is left there");
	ctl("set hold 59m", 0, "1h -> 59m");
	ctl("save x", 2, "one verb at a time, not also x");
	ctl("save --watch", 2, "--watch does not go with save");
}

/* The slabd that runs has it, as its configuration has. */
static void holds(const char *want, const char *when)
{
	static const char *const of[] = {"value", "configured"};
	json_t *doc = fixture_get(&fixture, "/set");
	json_t *key, *found = NULL;
	size_t i;
	json_array_foreach(json_at(doc, "pools.0.keys"), i, key)
		if (strcmp(json_string_value(json_object_get(key, "key")),
		           "hold") == 0)
			found = key;
	for (i = 0; i < 2; i++) {
		const char *is =
			json_string_value(json_object_get(found, of[i]));
		tap_ok(is != NULL && strcmp(is, want) == 0, "%s: hold, %s: %s",
		       when, of[i], want);
	}
	json_decref(doc);
}

/* Nothing is kept from the slabd of before but the drop-in. */
static void test_saved_start(void)
{
	char path[160];
	tap_ok(fixture_start(&fixture), "slabd is started anew");
	holds("57m", "what was saved");
	fixture_signal(&fixture, SIGTERM);
	fixture_wait(&fixture, SURELY_MS);
	snprintf(path, sizeof(path), "%s.d/90-slabctl-save.conf",
	         fixture.config);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	tap_ok(fixture_start(&fixture), "and once more, without the drop-in");
	holds("1h", "what is in the file");
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "the last one ends well");
}

static long long all_pages(void)
{
	return node_number(0, "here_pages") + node_number(1, "here_pages") +
	       node_number(2, "here_pages");
}

/* Objects freed stay in the client until it is asked for them. */
/* One client with what it has, and lists of what is somewhere alone. */
static void test_one_client(void)
{
	char words[64];
	long long id = fixture_number(&fixture, "/clients",
	                              "pools.0.clients.0.id");
	snprintf(words, sizeof(words), "clients %lld", id);
	ctl(words, 0, "last ran on node ");
	tap_ok(strstr(said, "orders") != NULL, "with its orders");
	snprintf(words, sizeof(words), "/clients?client=%lld", id);
	tap_is(fixture_number(&fixture, words,
	                      "pools.0.client.caches.0.objects"),
	       fixture_number(&fixture, words, "pools.0.clients.0.objects"),
	       "all that it owns is orders on one node");
	ctl("clients --cache orders", 0, "bytes there");
	ctl("clients --node 2", 0, "no clients");
	ctl("caches --cache orders --node 2", 0, "no caches");
	ctl("nodes --node 1 --json", 0, "\"node\": 1");
	ctl("slabs --client 1 --cache orders", 0, "orders");
	snprintf(words, sizeof(words), "dump %lld",
	         fixture_number(&fixture, "/slabs?cache=orders",
	                        "pools.0.slabs.0.offset"));
	ctl(words, 0, "slab of orders at ");
	tap_ok(strstr(said, "oooooooooo") != NULL, "with what is a client's");
	refuses("dump 0xfff0000000", "no slab at 0xfff0000000",
	        "slabctl slabs lists them");
	refuses("clients 999", "no client 999",
	        "slabctl clients shows which there are");
	refuses("clients --cache order", "no cache \"order\"",
	        "caches: orders");
	refuses("caches --node 7", "no node \"7\"", "nodes: 0, 1, 2");
	ctl("clients x", 2, "client x: no number");
}

static long long logged_lines(const char *text)
{
	char line[1024];
	long long n = 0;
	FILE *file = fopen(fixture.log, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, text) != NULL;
	if (file != NULL)
		fclose(file);
	return n;
}

static void test_trim(void)
{
	static void *hoard[HOARD];
	long long before;
	unsigned n = 0;
	long long trims = 1;
	while (n < HOARD && (hoard[n] = slabd_alloc(orders)) != NULL)
		n++;
	before = all_pages();
	while (n > 0)
		slabd_free(orders, hoard[--n]);
	ctl("trim", 0, "1 client asked to trim");
	/* The client's helper may be slow to hear of it. */
	while (all_pages() >= before) {
		run("trim");
		trims++;
		sleep_ms(50);
	}
	tap_ok(all_pages() < before, "of %lld pages some were given back",
	       before);
	ctl("trim 0", 0, "given back");
	ctl("trim 1", 0, "1 client asked");
	ctl("trim 1", 0, "1 client asked");
	/* A thread writes them. */
	while (logged_lines("asked to trim") < trims + 3)
		sleep_ms(10);
	tap_is(logged_lines("asked to trim"), trims + 3,
	       "each is one line of the log");
	tap_ok(fixture_logged(&fixture, " MiB of node "),
	       "that says what went back of which node");
	check_objects("after trimming");
	fixture_audit(&fixture, "after trimming");
	refuses("trim 5", "no node \"5\"", "nodes: 0, 1, 2");
}

/* What goes wrong before slabd is asked, and after it has answered. */
static void test_edges(void)
{
	char words[640];
	snprintf(words, sizeof(words), "--control /%0600d status", 0);
	refuses(words, "the path of the socket is too long", "--control PATH");
	ctl("--control '' status", 2, "--control is empty");
	ctl("status 2>&1 >/dev/full", 1, "can't write the output");
	ctl("--help 2>&1 >/dev/full", 1, "can't write the output");
	ctl("--version 2>&1 >/dev/full", 1,
	    "can't write the output: No space left on device");
	ctl("status 2>&1 >&-", 1, "can't write the output");
	ctl("nodes <&-", 0, "node");
}

static void test_views(void)
{
	static const char *const verbs[] = {"plan", "log", "set", "nodes",
	                                    "trim", "drain 2 --undo"};
	ctl("plan", 0, "balance is off; slabctl set enabled yes");
	ctl("log", 0, "lend 5 slabs of orders: node 0 -> node 1 (distance ");
	tap_ok(strstr(said, "1 done") != NULL,
	       "what was asked for twice, and done once");
	tap_ok(strstr(said, "hand") != NULL, "by hand");
	ctl("log --limit 1", 0, "plans");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char words[64];
		json_t *doc;
		snprintf(words, sizeof(words), "--json %s", verbs[i]);
		run(words);
		doc = json_loads(said, 0, NULL);
		tap_ok(json_at(doc, "pools.0.name") != NULL,
		       "slabctl %s is one document", words);
		json_decref(doc);
	}
	tap_ok(fixture_logged(&fixture, "asked for by pid"),
	       "slabd logs who asked");
}

/* ---- the other socket ----------------------------------------------------- */

/* Both programs at the socket of the other: which it is, and where theirs lies. */
static void test_swapped(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	char words[256], path[128], says[256];
	snprintf(words, sizeof(words), "--control %s status", fixture.socket);
	refuses(words, "is not slabd's control socket, but the one for its "
	               "clients",
	        "\"control\" in slabd.conf");
	options.socket = fixture.control;
	fixture_fails(slabd_open(NULL, &options) == NULL, EPROTO,
	              "slabd_open at slabctl's socket");
	tap_ok(strstr(slabd_last_error(), "see socket in slabd.conf") != NULL,
	       "with the remedy: %s", slabd_last_error());
	snprintf(path, sizeof(path), "%s/control.sock", fixture.dir);
	if (symlink("ctl", path) < 0)
		tap_bail("symlink: %s", strerror(errno));
	snprintf(says, sizeof(says), "try --control %s", path);
	refuses(words, "is not slabd's control socket", says);
	unlink(path);
	snprintf(path, sizeof(path), "%s/slabd.sock", fixture.dir);
	if (symlink("sock", path) < 0)
		tap_bail("symlink: %s", strerror(errno));
	snprintf(says, sizeof(says), "in SLABD_SOCKET give %s", path);
	tap_ok(slabd_open(NULL, &options) == NULL &&
	               strstr(slabd_last_error(), says) != NULL,
	       "or that one by name: %s", slabd_last_error());
	unlink(path);
}

int main(void)
{
	struct slabd_options options;
	tap_start(300);
	/* Those that a machine has for the net are nothing to slabctl. */
	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
	fixture_open(&fixture, CONFIG);
	options = fixture_options(&fixture, SLABD_FORCE_NODE);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	orders = fixture_cache(pool, "orders", SIZE);
	allocate();
	test_lend();
	test_migrate();
	test_drain();
	test_set();
	test_save();
	test_one_client();
	test_trim();
	test_views();
	test_edges();
	test_swapped();
	for (unsigned i = 0; i < OBJECTS; i++)
		slabd_free(orders, object[i]);
	slabd_close(pool);
	tap_is(fixture_used(&fixture), 0, "no object is left over");
	fixture_audit(&fixture, "at the end");
	ctl("set hold 57m", 0, "59m -> 57m");
	ctl("save", 0, "57m");
	pool = slabd_open(NULL, &options);
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0,
	       "slabd ends with status 0 on SIGTERM");
	tap_ok(fixture_logged(&fixture, "its memory stays in use until its "
	                                "clients end: proc_ctl (pid "),
	       "and says who has memory still");
	slabd_close(pool);
	test_saved_start();
	fixture_remove(&fixture);
	return tap_end();
}
