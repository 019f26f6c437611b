/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of what it does with a root: it names an object
 * or another one, gives more to it, takes some out, ends it. After each death the root
 * names the one or the other, it has what it names and what was given to it, and all
 * else that the dead had is free.
 *
 *   step_root [--all]
 */
#include "client/handle.h"
#include "shm/atom.h"
#include "shm/slab.h"
#include "tests/lib/kill.h"

#define CAP 32u
#define MORE 3u

static struct traced_pool traced;
static unsigned n_there; /* roots that were there after a death */
static unsigned n_none;
static unsigned n_wrong;

static slabd_handle handle_of(struct kill_victim *v, unsigned i)
{
	return slabd_handle_of(v->pool, v->objects[i]);
}

static void open_and_take(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
	kill_take(v, MORE + 2);
}

static void open_and_set(struct kill_victim *v)
{
	open_and_take(v);
	if (slabd_root_set(v->pool, "stepped", handle_of(v, 0)) < 0)
		tap_bail("no root: %s", slabd_last_error());
}

static void open_and_give(struct kill_victim *v)
{
	open_and_set(v);
	for (unsigned i = 1; i <= MORE; i++)
		if (slabd_give(v->pool, v->objects[i],
		               slabd_root_open(v->pool, "stepped")) < 0)
			tap_bail("no give: %s", slabd_last_error());
}

static void set(struct kill_victim *v)
{
	slabd_root_set(v->pool, "stepped", handle_of(v, 0));
}

static void swap(struct kill_victim *v)
{
	slabd_handle former = SLABD_NO_HANDLE;
	slabd_root_swap(v->pool, "stepped", handle_of(v, 1), &former);
	slabd_free(v->cache, slabd_take(v->pool, former));
}

static void give(struct kill_victim *v)
{
	unsigned id = slabd_root_open(v->pool, "stepped");
	for (unsigned i = 1; i <= MORE; i++)
		slabd_give(v->pool, v->objects[i], id);
}

static void take(struct kill_victim *v)
{
	slabd_take(v->pool, handle_of(v, 1));
	slabd_take(v->pool, slabd_root_get(v->pool, "stepped"));
}

static void end(struct kill_victim *v)
{
	slabd_handle handle = slabd_root_get(v->pool, "stepped");
	slabd_root_set(v->pool, "stepped", SLABD_NO_HANDLE);
	slabd_take(v->pool, handle);
}

static bool names_its(const struct view *view, const struct root_seen *root)
{
	const uint16_t *tag = slab_tag_of(view, handle_off(root->handle));
	return tag != NULL && TAG_OWNER(atom_load(tag)) == root->owner &&
	       GEN_OBJECT(atom_load(slab_gen_of(view, tag))) ==
	               handle_object(root->handle);
}

/* Whether a root is there as it may be; then it goes. */
static bool see(struct traced_pool *w, uint64_t least, uint64_t most)
{
	struct root_seen root;
	uint64_t n;
	if (!root_row_find_any(&w->view, "stepped", &root)) {
		n_none++;
		return false;
	}
	n_there++;
	n = traced_pool_count(w, root.owner);
	n_wrong += n < least || n > most ||
	           (root.handle != 0 && !names_its(&w->view, &root));
	if (!fixture_post(&w->fixture, "/root", "action=remove&root=stepped"))
		tap_bail("the root does not end");
	while (traced_pool_count(w, root.owner) != 0)
		sleep_ms(1);
	return true;
}

static void see_one(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	see(w, 1, 1);
}

/* It was there before. */
static void see_still_one(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	n_wrong += !see(w, 1, 1);
}

static void see_more(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	n_wrong += !see(w, 1, 1 + MORE);
}

static void see_fewer(struct traced_pool *w, struct kill_board *board)
{
	(void)board;
	n_wrong += !see(w, MORE - 1, 1 + MORE);
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "slabd_root_set",
		 .prepare = open_and_take,
		 .act = set,
		 .after = see_one,
		 .sweeps = true,
		 .few = true},
		{.name = "slabd_root_swap",
		 .prepare = open_and_set,
		 .act = swap,
		 .after = see_still_one,
		 .sweeps = true,
		 .few = true},
		{.name = "slabd_give, to a root",
		 .prepare = open_and_set,
		 .act = give,
		 .after = see_more,
		 .sweeps = true,
		 .few = true},
		{.name = "slabd_take, from a root",
		 .prepare = open_and_give,
		 .act = take,
		 .after = see_fewer,
		 .sweeps = true,
		 .few = true},
		{.name = "the end of a root",
		 .prepare = open_and_set,
		 .act = end,
		 .after = see_one,
		 .sweeps = true,
		 .few = true},
	};
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 8);
	traced_pool_cache(&traced, TRACED_POOL_COMMON, TRACED_POOL_SIZE, 0, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	tap_is(n_wrong, 0, "each root has what it may");
	tap_ok(n_there > 0 && n_none > 0, "%u were there, %u were not", n_there,
	       n_none);
	traced_pool_close(&traced);
	return tap_end();
}
