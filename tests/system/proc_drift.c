/* SPDX-License-Identifier: MIT */
/*
 * A million objects, each allocated on one of two nodes, handed to a process on
 * the other and freed there, and the direction turns back three times: no node
 * ends up with what is the other's. tests/bench/drift.c measures the same.
 *
 * Caches are strict: while slabd grows a list, a client may by rights take from
 * another node, as often as slabd is slow.
 */
#include <sched.h>
#include <string.h>

#include "client/handle.h"
#include "client/types.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define NODES 2
#define NODE_MIB 32
#define SIZE 256
#define PER_SLAB 255 /* one gives its room to colours */
#define SWINGS 4
#define OBJECTS 250000u /* a turn */
#define WINDOW 4096u    /* objects that a receiver keeps for a while */
#define RING 1024u
#define SIGNS 10 /* of life that a receiver gives in a turn */

/* Objects that are in use at one time: in the window and the ring, and what a
 * magazine and a batch on its way home hold. A list grows when under an eighth
 * of its slabs have something free: twice as many slabs are never due. A list
 * that is used up soon is grown by 64 slabs ahead, at the most. */
#define IN_HAND (SLABD_MAGAZINE_MAX + REMOTE_MAX)
#define AHEAD_MOST 64
#define SLABS_MOST (2 * ((WINDOW + RING + IN_HAND) / PER_SLAB + 1) + AHEAD_MOST)

enum order { ORDER_SEND, ORDER_RECEIVE, ORDER_FLUSH, ORDER_END };

struct ring {
	uint64_t put __attribute__((aligned(128)));
	uint64_t taken __attribute__((aligned(128)));
	slabd_handle slot[RING];
};

struct worker {
	struct child child;
	int node;
	unsigned id;
	unsigned other; /* id of the other's client */
};

/* What /slabs says. */
struct lists {
	long long slabs[NODES];  /* at home there */
	long long used[NODES];   /* their objects */
	long long listed[NODES]; /* on the node's list */
	long long astray;        /* on another list than the home's */
	long long unlisted;      /* with something free, and on no list */
};

static struct fixture fixture;
static struct ring *ring;

/* ---- workers ------------------------------------------------------------ */

static void put(slabd_pool *pool, slabd_cache *cache, unsigned other)
{
	uint64_t *object;
	/* NULL: slabd did not grow the list in time. */
	while ((object = slabd_alloc(cache)) == NULL)
		sched_yield();
	*object = ring->put;
	/* pairs: take */
	while (ring->put - atom_load_acquire(&ring->taken) == RING)
		sched_yield();
	ring->slot[ring->put % RING] = slabd_handle_of(pool, object);
	if (slabd_give(pool, object, other) < 0)
		tap_bail("slabd_give: %s", slabd_last_error());
	/* pairs: take */
	atom_store_release(&ring->put, ring->put + 1);
}

static uint64_t *take(slabd_pool *pool, int from, uint64_t *astray)
{
	slabd_handle handle;
	uint64_t *object;
	/* pairs: put */
	while (atom_load_acquire(&ring->put) == ring->taken)
		sched_yield();
	handle = ring->slot[ring->taken % RING];
	object = slabd_take(pool, handle);
	if (object == NULL || *object != ring->taken)
		tap_bail("not what was sent: %s", slabd_last_error());
	*astray += (int)(handle_off(handle) / (NODE_MIB << 20)) != from;
	/* pairs: put */
	atom_store_release(&ring->taken, ring->taken + 1);
	return object;
}

/* Frees in no order. Returns how many were not of the sender's node. */
static uint64_t receive(int fd, slabd_pool *pool, slabd_cache *cache, int from,
                        struct rng *rng)
{
	static void *window[WINDOW];
	uint64_t astray = 0;
	for (unsigned i = 0; i < OBJECTS; i++) {
		void *object = take(pool, from, &astray);
		unsigned at = i < WINDOW ? i
		                         : (unsigned)(rng_next(rng) %
		                                      WINDOW);
		if (i >= WINDOW)
			slabd_free(cache, window[at]);
		window[at] = object;
		if (i % (OBJECTS / SIGNS) == 0)
			say(fd, 0);
	}
	slabd_free_bulk(cache, WINDOW, window);
	return astray;
}

static void work(int fd, void *arg)
{
	const struct worker *me = arg;
	struct slabd_options options =
	        fixture_options(&fixture, SLABD_FORCE_NODE | SLABD_STRICT_NODE);
	struct rng rng = {.state = me->node};
	slabd_pool *pool;
	slabd_cache *cache;
	uint64_t order;
	unsigned other;
	options.node = me->node;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "drift", SIZE);
	say(fd, slabd_client_id(pool));
	other = (unsigned)hear(fd);
	while ((order = hear(fd)) != ORDER_END) {
		uint64_t astray = 0;
		for (unsigned i = 0; order == ORDER_SEND && i < OBJECTS; i++)
			put(pool, cache, other);
		if (order == ORDER_RECEIVE)
			astray = receive(fd, pool, cache, 1 - me->node,
			                 &rng);
		if (order == ORDER_FLUSH)
			slabd_flush(pool);
		say(fd, astray);
	}
	slabd_close(pool);
}

/* ---- what slabd says ---------------------------------------------------- */

static long long number(json_t *slab, const char *name)
{
	return json_integer_value(json_object_get(slab, name));
}

static struct lists look(void)
{
	json_t *doc = fixture_get(&fixture, "/slabs?cache=drift&limit=100000");
	struct lists lists = {0};
	json_t *slab;
	size_t i;
	json_array_foreach(json_at(doc, "pools.0.slabs"), i, slab) {
		long long home = number(slab, "node");
		long long list = number(slab, "list");
		bool listed = json_is_true(json_object_get(slab, "listed"));
		lists.slabs[home]++;
		lists.used[home] += number(slab, "used");
		lists.listed[list] += listed;
		lists.astray += list != home;
		lists.unlisted += !listed && number(slab, "free") > 0;
	}
	json_decref(doc);
	return lists;
}

static void note(const struct lists *lists)
{
	for (int node = 0; node < NODES; node++)
		tap_note("node %d: %lld of %lld slabs listed, %lld objects in "
		         "use", node, lists->listed[node], lists->slabs[node],
		         lists->used[node]);
}

/* ---- the test ----------------------------------------------------------- */

static void start(struct worker *workers)
{
	for (int node = 0; node < NODES; node++) {
		workers[node].node = node;
		child_start(&workers[node].child, work, &workers[node]);
	}
	for (int node = 0; node < NODES; node++)
		workers[node].id = (unsigned)hear(workers[node].child.fd);
	for (int node = 0; node < NODES; node++)
		say(workers[node].child.fd, workers[1 - node].id);
}

static void turn(const struct worker *from, const struct worker *to)
{
	struct lists lists;
	bool few = true;
	say(from->child.fd, ORDER_SEND);
	say(to->child.fd, ORDER_RECEIVE);
	for (int i = 0; i < SIGNS; i++)
		hear(to->child.fd);
	hear(from->child.fd);
	tap_is((long long)hear(to->child.fd), 0,
	       "%d to %d: each object was of the sender's node", from->node,
	       to->node);
	lists = look();
	for (int node = 0; node < NODES; node++)
		few = few && lists.used[node] <= (long long)IN_HAND;
	if (!tap_ok(few, "what was freed is home, but for a magazine and a "
	                 "batch"))
		note(&lists);
	few = lists.slabs[0] <= (long long)SLABS_MOST &&
	      lists.slabs[1] <= (long long)SLABS_MOST;
	if (!tap_ok(few, "no node has more than %u slabs", SLABS_MOST))
		note(&lists);
	tap_is(lists.astray, 0, "none on another node's list");
}

/* From one turn to the same turn again, a list differs by less than what is in
 * hand and in use may make of it. */
static void compare(const struct lists *was, const struct lists *is)
{
	for (int node = 0; node < NODES; node++) {
		long long by = is->listed[node] - was->listed[node];
		if (!tap_ok(by <= (long long)SLABS_MOST / 2 &&
		                    by >= -(long long)SLABS_MOST / 2,
		            "node %d's list is as long as it was: by %lld",
		            node, by)) {
			note(was);
			note(is);
		}
	}
}

static void end(struct worker *workers)
{
	struct lists lists;
	for (int node = 0; node < NODES; node++) {
		say(workers[node].child.fd, ORDER_FLUSH);
		hear(workers[node].child.fd);
	}
	lists = look();
	for (int node = 0; node < NODES; node++) {
		tap_is(lists.used[node], 0, "node %d: every object is home",
		       node);
		tap_is(lists.listed[node], lists.slabs[node],
		       "and its list has all its slabs");
	}
	tap_is(lists.astray + lists.unlisted, 0, "no slab stands elsewhere");
	fixture_audit(&fixture, "the audit is exact");
	for (int node = 0; node < NODES; node++) {
		say(workers[node].child.fd, ORDER_END);
		child_end(&workers[node].child, "the worker ends");
	}
}

int main(void)
{
	struct worker workers[NODES];
	struct lists twice = {0};
	struct lists last;
	tap_start(300);
	fixture_open(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = %dM\n",
	         NODE_MIB);
	ring = shared_memory(sizeof(*ring));
	memset(workers, 0, sizeof(workers));
	start(workers);
	for (int i = 0; i < SWINGS; i++) {
		turn(&workers[i % NODES], &workers[1 - i % NODES]);
		if (i == 1)
			twice = look();
	}
	last = look();
	compare(&twice, &last);
	end(workers);
	fixture_close(&fixture);
	return tap_end();
}
