/* SPDX-License-Identifier: MIT */
/* Many who end at once, beside a pool b in which all goes on. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shm/view.h"
#include "tests/lib/raw.h"
#include "tests/lib/situation.h"

#define CROWD 400u
#define TINY 16u

static void open_slabd(struct situation_run *run, unsigned mib)
{
	fixture_open(&run->fixture,
	             "[pool a]\npage = 4k\nmax = %uM\nmax_clients = 2000\n"
	             "[pool b]\npage = 4k\nstart = 16M\nmax = 64M\n",
	             2 * mib + 64);
}

static void all_gone(struct situation_run *run, const char *who)
{
	tap_ok(fixture_until(&run->fixture, "/status", "pools.0.clients", 0,
	                     2 * SURELY_MS) >= 0 &&
	               fixture_until_used(&run->fixture, 0, 2 * SURELY_MS) >= 0,
	       "%s: all gone, with all that they had", who);
}

void situation_deaths_crowd(struct situation_run *run)
{
	static struct child child[CROWD];
	unsigned mib = situation_mib(run, 16, 512, 1024);
	unsigned n = situation_of(run, 40, CROWD, CROWD);
	struct grower grower = {&run->fixture, "a", 0, TINY, -1};
	struct asker asker;
	uint64_t got = 0;
	open_slabd(run, mib);
	grower.mib = mib >= n ? mib / n : 1;
	for (unsigned i = 0; i < n; i++) {
		child_start(&child[i], situation_grower, &grower);
		got += hear(child[i].fd);
	}
	tap_is((long long)got, (long long)(n * situation_wants(&grower)),
	       "%u clients have their objects", n);
	situation_ask(&asker, &run->fixture, NULL, "b");
	for (unsigned i = 0; i < n; i++)
		kill(child[i].pid, SIGKILL);
	for (unsigned i = 0; i < n; i++)
		child_kill(&child[i]);
	all_gone(run, "clients that were killed");
	situation_asked(&asker);
	situation_close(run);
}

/* ---- ids of one process --------------------------------------------------- */

struct holder {
	struct fixture *fixture;
	unsigned n_ids;
	unsigned n_byes; /* how often one comes and goes then */
};

static void map(struct view *view, const struct raw *raw)
{
	struct layout_geometry geo;
	void *control = mmap(NULL, raw->welcome.control_bytes, PROT_READ,
	                     MAP_SHARED, raw->control, 0);
	void *shared = mmap(NULL, raw->welcome.shared_bytes,
	                    PROT_READ | PROT_WRITE, MAP_SHARED, raw->shared, 0);
	if (control == MAP_FAILED || shared == MAP_FAILED ||
	    layout_check(control, raw->welcome.control_bytes,
	                 raw->welcome.shared_bytes, &geo) < 0)
		tap_bail("the pool can't be mapped");
	view_init(view, &geo, control, shared);
}

/* Each object is another id's than the one before it. */
static uint64_t own_in_turn(const struct view *view, const struct raw *raw,
                            unsigned n_ids)
{
	uint64_t n = 0;
	uint64_t top = view->nodes[0].high_page
	               << (view->geo.page_shift - UNIT_SHIFT);
	for (uint64_t unit = 0; unit < top; unit++) {
		uint64_t word = view->words[unit];
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		uint16_t *tags;
		if (row == NULL || WORD_BACK(word) != 0)
			continue;
		tags = view->tags + (uint64_t)view->lines[unit] * TAGS_PER_LINE;
		for (uint32_t i = 0; i < row->n_objs; i++) {
			uint32_t id = raw[n++ % n_ids].welcome.id;
			atom_store(&tags[i], (uint16_t)id);
		}
		for (unsigned i = 0; i < n_ids; i++)
			view_touch_any(view, raw[i].welcome.id, (uint32_t)unit);
	}
	return n;
}

static void come_and_go(struct fixture *fixture, unsigned n)
{
	struct wire_head bye = {.type = WIRE_BYE, .bytes = sizeof(bye)};
	for (unsigned i = 0; i < n; i++) {
		struct raw raw;
		raw_open(&raw, fixture, "a");
		raw_send(raw.sock, &bye, sizeof(bye), 0, -1);
		raw_close(&raw);
	}
}

static void hold(int fd, void *arg)
{
	static struct raw raw[CROWD];
	const struct holder *holder = arg;
	struct rlimit many = {8192, 8192};
	struct view view;
	setrlimit(RLIMIT_NOFILE, &many);
	for (unsigned i = 0; i < holder->n_ids; i++)
		raw_open(&raw[i], holder->fixture, "a");
	map(&view, &raw[0]);
	say(fd, own_in_turn(&view, raw, holder->n_ids));
	come_and_go(holder->fixture, holder->n_byes);
	say(fd, 0);
	hear(fd);
}

/* Slabs of tiny objects, by a client that has gone; then all are the ids'. */
static void held(struct situation_run *run, struct holder *holder)
{
	unsigned mib = situation_mib(run, 16, 512, 1024);
	struct grower grower = {&run->fixture, "a", mib, TINY, -1};
	struct child child;
	struct asker asker;
	open_slabd(run, mib);
	child_start(&child, situation_grower, &grower);
	tap_is((long long)hear(child.fd), (long long)situation_wants(&grower),
	       "the pool is full of slabs");
	child_kill(&child);
	all_gone(run, "who filled it");
	situation_ask(&asker, &run->fixture, NULL, "b");
	child_start(&child, hold, holder);
	tap_ok(hear(child.fd) > 0, "%u ids own it in turn", holder->n_ids);
	hear(child.fd);
	child_kill(&child);
	all_gone(run, "ids of one process");
	situation_asked(&asker);
	situation_close(run);
}

void situation_deaths_ids(struct situation_run *run)
{
	struct holder holder = {&run->fixture,
	                        situation_of(run, 40, CROWD, CROWD), 0};
	held(run, &holder);
}

void situation_deaths_burst(struct situation_run *run)
{
	struct holder holder = {&run->fixture, 2,
	                        situation_of(run, 50, 1000, 3000)};
	held(run, &holder);
}
