/* SPDX-License-Identifier: MIT */
#include "tests/lib/traced_pool.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void join(struct ward *ward)
{
	struct raw *raw = &ward->raw;
	struct layout_geometry geo;
	void *control;
	void *shared;
	raw_open(raw, &ward->bed, "default");
	control = map(raw->control, raw->welcome.control_bytes, PROT_READ);
	shared = map(raw->shared, raw->welcome.shared_bytes,
	             PROT_READ | PROT_WRITE);
	if (layout_check(control, raw->welcome.control_bytes,
	                 raw->welcome.shared_bytes, &geo) < 0)
		tap_bail("a layout that is not right");
	view_init(&ward->view, &geo, control, shared);
	ward->user = (struct slab_user){.view = &ward->view,
	                                .id = raw->welcome.id,
	                                .epoch = raw->welcome.epoch};
	ward->last_id = ward->user.id;
}

void ward_open(struct ward *ward, unsigned max_mib)
{
	memset(ward, 0, sizeof(*ward));
	ward->held = malloc(HELD_MAX * sizeof(*ward->held));
	ward->stage = living_stage();
	if (ward->held == NULL)
		tap_bail("no memory");
	bed_open(&ward->bed,
	         "[slabd]\ntopology = node:2 core:1 pu:1\nlog_level = warn\n"
	         "[pool default]\npage = 4k\nstart = 2M\nmax = %uM\n"
	         "max_clients = 4096\nmax_caches = 64\n", max_mib);
	join(ward);
}

/* The warden's process lives on: it must say that it goes. */
static void leave(struct ward *ward)
{
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	struct wire_reply reply;
	while (ward->n_held > 0)
		ward_release_one(ward, ward->held[--ward->n_held]);
	if (raw_send(ward->raw.sock, &bye, sizeof(bye), 0, -1) < 0 ||
	    recv(ward->raw.sock, &reply, sizeof(reply), 0) != sizeof(reply))
		tap_ok(false, "slabd does not answer a goodbye");
	raw_close(&ward->raw);
}

void ward_close(struct ward *ward)
{
	if (ward->at_work)
		living_end(ward);
	leave(ward);
	munmap((void *)(uintptr_t)ward->view.head,
	       ward->view.geo.control_bytes);
	munmap(ward->view.wants, ward->view.geo.shared_bytes);
	tap_ok(bed_until(&ward->bed, "/audit", "pools.0.owned", 0, SURELY_MS) >= 0,
	       "nothing is owned in the end");
	bed_audit(&ward->bed, "in the end");
	bed_close(&ward->bed);
	free(ward->held);
}

static struct wire_reply ask(struct ward *ward, const char *name, size_t size,
                             uint32_t node, unsigned flags)
{
	struct wire_create msg = {.head = {.type = WIRE_CREATE,
	                                   .bytes = sizeof(msg),
	                                   .seq = ++ward->seq},
	                          .size = size,
	                          .node = node,
	                          .flags = flags};
	struct wire_reply reply = {.error = -1};
	strncpy(msg.name, name, sizeof(msg.name) - 1);
	if (raw_send(ward->raw.sock, &msg, sizeof(msg), 0, -1) < 0 ||
	    recv(ward->raw.sock, &reply, sizeof(reply), 0) != sizeof(reply) ||
	    reply.error != 0)
		tap_bail("cache %s: error %d, %s", name, reply.error,
		         reply.text);
	return reply;
}

uint32_t ward_cache(struct ward *ward, const char *name, size_t size,
                    uint32_t node, unsigned flags)
{
	return ask(ward, name, size, node, flags).cache;
}

/* ---- what the warden holds ---------------------------------------------- */

uint32_t ward_claim(struct ward *ward, uint32_t cache, uint32_t node,
                    uint32_t n)
{
	uint32_t all = 0;
	void *out[SLAB_RUN_MAX];
	bool ring;
	while (all < n) {
		uint32_t want = n - all < SLAB_RUN_MAX ? n - all : SLAB_RUN_MAX;
		uint32_t got = slab_claim_any(&ward->user, cache, node, want,
		                              out, &ring);
		if (got == 0 || ward->n_held + got > HELD_MAX)
			break;
		for (uint32_t i = 0; i < got; i++)
			ward->held[ward->n_held++] = (uintptr_t)out[i];
		all += got;
	}
	return all;
}

void ward_fill(struct ward *ward, const char *name, size_t size, uint32_t node)
{
	uint32_t cache = ward_cache(ward, name, size, node, 0);
	for (int vain = 0; vain < 3; vain++) {
		while (ward_claim(ward, cache, node, UINT32_MAX) > 0)
			vain = 0;
		ward_cache(ward, name, size, node, 0);
	}
}

static uint32_t cache_of(const struct ward *ward, uint64_t off)
{
	return WORD_CACHE(atom_peek(&ward->view.words[off >> UNIT_SHIFT]));
}

bool ward_release_one(struct ward *ward, uint64_t off)
{
	void *object = (void *)(uintptr_t)off;
	return slab_release_any(&ward->user, 1, &object) == 0;
}

void ward_release(struct ward *ward, uint32_t cache, uint32_t keep)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < ward->n_held; i++) {
		uint64_t off = ward->held[i];
		if (cache_of(ward, off) != cache || (keep != 0 && i % keep == 0))
			ward->held[n++] = off;
		else if (!ward_release_one(ward, off))
			tap_ok(false, "an object of the warden's is not its");
	}
	ward->n_held = n;
}

void ward_release_some(struct ward *ward, uint32_t cache, uint32_t n)
{
	for (uint32_t i = ward->n_held; i-- > 0 && n > 0;) {
		uint64_t off = ward->held[i];
		if (cache_of(ward, off) != cache)
			continue;
		ward_release_one(ward, off);
		ward->held[i] = ward->held[--ward->n_held];
		n--;
	}
}

void ward_pin(struct ward *ward, uint32_t cache, uint32_t node)
{
	uint32_t first = ward->n_held;
	uint32_t n = first;
	uint64_t last = UINT64_MAX;
	ward_claim(ward, cache, node, UINT32_MAX);
	for (uint32_t i = first; i < ward->n_held; i++) {
		uint64_t off = ward->held[i];
		if (off >> UNIT_SHIFT != last)
			ward->held[n++] = off;
		else
			ward_release_one(ward, off);
		last = off >> UNIT_SHIFT;
	}
	ward->n_held = n;
}

uint64_t ward_count(const struct ward *ward, uint32_t id)
{
	const struct view *view = &ward->view;
	uint64_t count = 0;
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++) {
		uint64_t word = atom_peek(&view->words[unit]);
		const struct layout_cache *row =
		        view_cache(view, WORD_CACHE(word));
		const uint16_t *tags;
		if (row == NULL || WORD_BACK(word) != 0)
			continue;
		tags = slab_tags(view, unit);
		for (uint32_t i = 0; i < row->n_objs; i++)
			count += atom_peek(&tags[i]) == id;
	}
	return count;
}

/* ---- slabd -------------------------------------------------------------- */

void ward_barrier(const struct ward *ward)
{
	for (int i = 0; i < 2; i++)
		if (bed_number(&ward->bed, "/status", "pid") < 0)
			tap_bail("slabd does not answer");
}

/* slabd says DEAD before it sweeps, and answers nobody until it has. */
void ward_await_death(const struct ward *ward, uint32_t id)
{
	double until = now_ms() + SURELY_MS;
	while (view_client_word(&ward->view, id) != 0) {
		if (now_ms() > until)
			tap_bail("slabd does not notice that client %u is dead",
			         id);
		sched_yield();
	}
}

uint32_t ward_find(const struct ward *ward, pid_t pid)
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t id = (ward->last_id + i) % (CLIENT_IDS - 1) + 1;
		if (ward->view.clients[id].pid == pid)
			return id;
	}
	return 0;
}

uint64_t ward_owned(const struct ward *ward)
{
	return ward->n_held + living_owned(ward);
}
