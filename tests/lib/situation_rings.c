/* SPDX-License-Identifier: MIT */
/*
 * Clients that ring as often as they are let, with all wants raised, and make
 * lists slow to look at. The pool b beside theirs goes on meanwhile.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/view.h"
#include "tests/lib/raw.h"
#include "tests/lib/situation.h"

#define IDS 500u

enum trick { PLAIN, LISTS, LEASES };

struct ringer {
	struct fixture *fixture;
	enum trick trick;
	unsigned n_ids;
	unsigned n_caches;
	unsigned ms;
};

static void map(struct view *view, const struct raw *raw)
{
	struct layout_geometry geo;
	void *control = mmap(NULL, raw->welcome.control_bytes, PROT_READ,
	                     MAP_SHARED, raw->control, 0);
	void *shared = mmap(NULL, raw->welcome.shared_bytes,
	                    PROT_READ | PROT_WRITE, MAP_SHARED, raw->shared, 0);
	if (control == MAP_FAILED || shared == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	if (layout_check(control, raw->welcome.control_bytes,
	                 raw->welcome.shared_bytes, &geo) < 0)
		tap_bail("another layout");
	view_init(view, &geo, control, shared);
}

/* Their summaries say that each word has something, and none has. */
static void make_slow(struct view *view, unsigned n_caches)
{
	const struct layout_geometry *geo = &view->geo;
	for (uint64_t i = 0; i < (uint64_t)n_caches * geo->n_nodes; i++) {
		char *list = view->lists + i * geo->list_stride;
		memset(list, 0xff, geo->list_sum_words * 8);
		memset(list + geo->list_sum_words * 8, 0,
		       (geo->list_words < 4096 ? geo->list_words : 4096) * 8);
	}
}

static void hold_leases(struct view *view, uint32_t id)
{
	for (uint64_t i = 0; i < view->geo.n_units && i < 65536; i++)
		atom_store(&view->leases[i], id);
}

static void ring_for_all(const struct view *view, const struct raw *raw,
                         unsigned n)
{
	struct wire_head ring = {.type = WIRE_RING, .bytes = sizeof(ring)};
	for (uint64_t i = 0; i < view->geo.want_words; i++)
		atom_store(&view->wants[i], ~UINT64_C(0));
	for (unsigned i = 0; i < n; i++)
		send(raw[i].events, &ring, sizeof(ring),
		     MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void make_caches(const struct raw *raw, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[NAME_BYTES] = "";
		name[0] = 'r';
		name[1] = (char)('a' + i % 26);
		name[2] = (char)('a' + i / 26 % 26);
		name[3] = (char)('a' + i / 26 / 26);
		raw_create(raw->sock, name, 64);
	}
}

static void ring(int fd, void *arg)
{
	static struct raw raw[IDS];
	const struct ringer *ringer = arg;
	struct rlimit many = {8192, 8192};
	struct view view;
	double until;
	(void)fd;
	setrlimit(RLIMIT_NOFILE, &many);
	for (unsigned i = 0; i < ringer->n_ids; i++)
		raw_open(&raw[i], ringer->fixture, "a");
	map(&view, &raw[0]);
	make_caches(&raw[0], ringer->n_caches);
	until = now_ms() + ringer->ms;
	while (now_ms() < until) {
		if (ringer->trick != PLAIN)
			make_slow(&view, ringer->n_caches);
		if (ringer->trick == LEASES)
			hold_leases(&view, raw[0].welcome.id);
		ring_for_all(&view, raw, ringer->n_ids);
		usleep(300);
	}
}

static void rings(struct situation_run *run, unsigned n_ids, enum trick trick)
{
	struct ringer ringer = {.fixture = &run->fixture,
	                        .trick = trick,
	                        .n_ids = n_ids,
	                        .n_caches = situation_of(run, 50, 400, 1000),
	                        .ms = situation_of(run, 300, 4000, 10000)};
	struct asker asker;
	struct child child;
	fixture_open(&run->fixture,
	             "[pool a]\npage = 4k\nstart = 16M\nmax = %uM\n"
	             "[pool b]\npage = 4k\nstart = 16M\nmax = 64M\n",
	             situation_of(run, 64, 4096, 65536));
	situation_ask(&asker, &run->fixture, NULL, "b");
	child_start(&child, ring, &ringer);
	child_end(&child, "who rings ends well");
	situation_asked(&asker);
	/* Hints that a client scribbled are set right while its pool is looked
	 * at as a whole. */
	tap_ok(fixture_until(&run->fixture, "/audit", "agree", 1, SURELY_MS) >=
	               0,
	       "lists are as they should be");
	situation_close(run);
}

void situation_rings_one(struct situation_run *run)
{
	rings(run, 1, PLAIN);
}

void situation_rings_lists(struct situation_run *run)
{
	rings(run, 1, LISTS);
}

void situation_rings_leases(struct situation_run *run)
{
	rings(run, 1, LEASES);
}

void situation_rings_crowd(struct situation_run *run)
{
	rings(run, situation_of(run, 50, IDS, IDS), PLAIN);
}
