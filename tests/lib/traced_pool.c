/* SPDX-License-Identifier: MIT */
#include "tests/lib/traced_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/heir.h"
#include "shm/tags.h"
#include "tests/lib/background_clients.h"

#define HELD_MAX (1u << 18)

/* ---- the warden --------------------------------------------------------- */

static void *map(int fd, uint64_t bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	return at;
}

static void join(struct traced_pool *traced)
{
	struct raw *raw = &traced->raw;
	struct layout_geometry geo;
	void *control;
	void *shared;
	raw_open(raw, &traced->fixture, "default");
	control = map(raw->control, raw->welcome.control_bytes, PROT_READ);
	shared = map(raw->shared, raw->welcome.shared_bytes,
	             PROT_READ | PROT_WRITE);
	if (layout_check(control, raw->welcome.control_bytes,
	                 raw->welcome.shared_bytes, &geo) < 0)
		tap_bail("a layout that is not right");
	view_init(&traced->view, &geo, control, shared);
	traced->user = (struct slab_user){.view = &traced->view,
	                                .id = raw->welcome.id,
	                                .epoch = raw->welcome.epoch};
	traced->last_id = traced->user.id;
}

void traced_pool_open(struct traced_pool *traced, unsigned max_mib)
{
	memset(traced, 0, sizeof(*traced));
	traced->held = malloc(HELD_MAX * sizeof(*traced->held));
	traced->stage = background_stage();
	if (traced->held == NULL)
		tap_bail("no memory");
	fixture_open(&traced->fixture,
	         "[slabd]\ntopology = node:2 core:1 pu:1\nlog_level = warn\n"
	         "[pool default]\npage = 4k\nstart = 2M\nmax = %uM\n"
	         "max_clients = 4096\nmax_caches = 64\n", max_mib);
	join(traced);
}

/* The warden's process lives on: it must say that it goes. */
static void leave(struct traced_pool *traced)
{
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	struct wire_reply reply;
	while (traced->n_held > 0)
		traced_pool_release_one(traced, traced->held[--traced->n_held]);
	if (raw_send(traced->raw.sock, &bye, sizeof(bye), 0, -1) < 0 ||
	    recv(traced->raw.sock, &reply, sizeof(reply), 0) != sizeof(reply))
		tap_ok(false, "slabd does not answer a goodbye");
	raw_close(&traced->raw);
}

void traced_pool_close(struct traced_pool *traced)
{
	if (traced->at_work)
		background_end(traced);
	leave(traced);
	munmap((void *)(uintptr_t)traced->view.head,
	       traced->view.geo.control_bytes);
	munmap(traced->view.wants, traced->view.geo.shared_bytes);
	tap_ok(fixture_until(&traced->fixture, "/audit", "pools.0.owned", 0,
	                     SURELY_MS) >= 0,
	       "nothing is owned in the end");
	fixture_audit(&traced->fixture, "in the end");
	fixture_close(&traced->fixture);
	free(traced->held);
}

static struct wire_reply ask(struct traced_pool *traced, const char *name,
                             size_t size, uint32_t node, unsigned flags)
{
	struct wire_create msg = {.head = {.type = WIRE_CREATE,
	                                   .bytes = sizeof(msg),
	                                   .seq = ++traced->seq},
	                          .size = size,
	                          .node = node,
	                          .flags = flags};
	struct wire_reply reply = {.error = -1};
	strncpy(msg.name, name, sizeof(msg.name) - 1);
	if (raw_send(traced->raw.sock, &msg, sizeof(msg), 0, -1) < 0 ||
	    recv(traced->raw.sock, &reply, sizeof(reply), 0) != sizeof(reply) ||
	    reply.error != 0)
		tap_bail("cache %s: error %d, %s", name, reply.error,
		         reply.text);
	return reply;
}

uint32_t traced_pool_cache(struct traced_pool *traced, const char *name,
                           size_t size, uint32_t node, unsigned flags)
{
	return ask(traced, name, size, node, flags).cache;
}

/* ---- what the warden holds ---------------------------------------------- */

uint32_t traced_pool_claim(struct traced_pool *traced, uint32_t cache,
                           uint32_t node, uint32_t n)
{
	uint32_t all = 0;
	void *out[SLAB_RUN_MAX];
	bool ring;
	while (all < n) {
		uint32_t want = n - all < SLAB_RUN_MAX ? n - all : SLAB_RUN_MAX;
		uint32_t got = slab_claim_any(&traced->user, cache, node, want,
		                              out, &ring);
		if (got == 0 || traced->n_held + got > HELD_MAX)
			break;
		for (uint32_t i = 0; i < got; i++)
			traced->held[traced->n_held++] = (uintptr_t)out[i];
		all += got;
	}
	return all;
}

void traced_pool_fill(struct traced_pool *traced, const char *name, size_t size,
                      uint32_t node)
{
	uint32_t cache = traced_pool_cache(traced, name, size, node, 0);
	for (int vain = 0; vain < 3; vain++) {
		while (traced_pool_claim(traced, cache, node, UINT32_MAX) > 0)
			vain = 0;
		traced_pool_cache(traced, name, size, node, 0);
	}
}

static uint32_t cache_of(const struct traced_pool *traced, uint64_t off)
{
	return WORD_CACHE(atom_load(&traced->view.words[off >> UNIT_SHIFT]));
}

bool traced_pool_release_one(struct traced_pool *traced, uint64_t off)
{
	void *object = (void *)(uintptr_t)off;
	return slab_release_any(&traced->user, 1, &object) == 0;
}

void traced_pool_release(struct traced_pool *traced, uint32_t cache,
                         uint32_t keep)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < traced->n_held; i++) {
		uint64_t off = traced->held[i];
		if (cache_of(traced, off) != cache ||
		    (keep != 0 && i % keep == 0))
			traced->held[n++] = off;
		else if (!traced_pool_release_one(traced, off))
			tap_ok(false, "an object of the warden's is not its");
	}
	traced->n_held = n;
}

void traced_pool_release_some(struct traced_pool *traced, uint32_t cache,
                              uint32_t n)
{
	for (uint32_t i = traced->n_held; i-- > 0 && n > 0;) {
		uint64_t off = traced->held[i];
		if (cache_of(traced, off) != cache)
			continue;
		traced_pool_release_one(traced, off);
		traced->held[i] = traced->held[--traced->n_held];
		n--;
	}
}

void traced_pool_pin(struct traced_pool *traced, uint32_t cache, uint32_t node)
{
	uint32_t first = traced->n_held;
	uint32_t n = first;
	uint64_t last = UINT64_MAX;
	traced_pool_claim(traced, cache, node, UINT32_MAX);
	for (uint32_t i = first; i < traced->n_held; i++) {
		uint64_t off = traced->held[i];
		if (off >> UNIT_SHIFT != last)
			traced->held[n++] = off;
		else
			traced_pool_release_one(traced, off);
		last = off >> UNIT_SHIFT;
	}
	traced->n_held = n;
}

uint64_t traced_pool_count(const struct traced_pool *traced, uint32_t id)
{
	const struct view *view = &traced->view;
	uint64_t count = 0;
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++) {
		uint64_t word = atom_load(&view->words[unit]);
		const struct layout_cache *row =
		        view_cache(view, WORD_CACHE(word));
		const uint16_t *tags;
		if (row == NULL || WORD_BACK(word) != 0)
			continue;
		tags = slab_tags(view, unit);
		for (uint32_t i = 0; i < row->n_objs; i++)
			count += TAG_OWNER(atom_load(&tags[i])) == id;
	}
	return count;
}

/* Of a slab. */
static uint64_t count_offered(const struct view *view, uint32_t head,
                              const struct layout_cache *row, uint32_t id)
{
	const uint16_t *tags = slab_tags(view, head);
	uint64_t count = 0;
	for (uint32_t i = 0; i < row->n_objs; i++) {
		const uint16_t *gen = slab_gen_of(view, &tags[i]);
		count += atom_load(&tags[i]) == id &&
		         (atom_load(gen) & GEN_WAITING) != 0;
	}
	return count;
}

uint64_t traced_pool_bequeathed(const struct traced_pool *traced, uint32_t id)
{
	const struct view *view = &traced->view;
	uint64_t count = 0;
	if (atom_load(view_gifts_at(view, id, GIFTS_HEIR)) == 0)
		return 0;
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++) {
		uint64_t word = atom_load(&view->words[unit]);
		const struct layout_cache *row =
		        view_cache(view, WORD_CACHE(word));
		if (row != NULL && WORD_BACK(word) == 0 && heir_has_parts(row))
			count += count_offered(view, unit, row, id);
	}
	return count;
}

/* ---- slabd -------------------------------------------------------------- */

void traced_pool_barrier(const struct traced_pool *traced)
{
	/* No client is asked for it, as one stands still. */
	for (int i = 0; i < 2; i++) {
		json_t *doc = fixture_get(&traced->fixture, "/set");
		if (doc == NULL)
			tap_bail("slabd does not answer");
		json_decref(doc);
	}
}

/* slabd says DEAD before it sweeps, and answers nobody until it has. */
void traced_pool_await_death(const struct traced_pool *traced, uint32_t id)
{
	double until = now_ms() + SURELY_MS;
	while (view_client_word(&traced->view, id) != 0) {
		if (now_ms() > until)
			tap_bail("slabd does not notice that client %u is dead",
			         id);
		usleep(100);
	}
}

uint32_t traced_pool_find(const struct traced_pool *traced, pid_t pid)
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t id = (traced->last_id + i) % (CLIENT_IDS - 1) + 1;
		if (traced->view.clients[id].pid == pid)
			return id;
	}
	return 0;
}

uint64_t traced_pool_owned(const struct traced_pool *traced)
{
	return traced->n_held + background_owned(traced);
}
