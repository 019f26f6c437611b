/* SPDX-License-Identifier: MIT */
/* Pools that may become large, and are small. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/situation.h"

#define OBJECT 1024u

struct churner {
	struct fixture *fixture;
	unsigned n_caches;
	unsigned mib; /* in each */
};

/* Each cache had its slabs in use once. */
static void churn(int fd, void *arg)
{
	const struct churner *churner = arg;
	slabd_pool *pool = fixture_pool(churner->fixture);
	size_t n = churner->mib * (size_t)1048576 / OBJECT;
	void **all = malloc(n * sizeof(*all));
	uint64_t got = 0;
	for (unsigned i = 0; i < churner->n_caches; i++) {
		char name[16];
		slabd_cache *cache;
		size_t have;
		snprintf(name, sizeof(name), "c%u", i);
		cache = fixture_cache(pool, name, OBJECT);
		have = fixture_take(cache, n, all);
		slabd_free_bulk(cache, have, all);
		slabd_flush(pool);
		got += have;
	}
	say(fd, got);
	hear(fd);
}

void situation_wide_idle(struct situation_run *run)
{
	struct churner churner = {&run->fixture,
	                          situation_of(run, 20, 400, 400), 1};
	struct asker asker;
	struct child child;
	fixture_open(&run->fixture,
	             "[slabd]\ntopology = NUMANode:2(memory=2TiB) core:1 pu:1\n"
	             "[balance]\nidle = 1s\n"
	             "[pool default]\npage = 4k\nfloor = 0\nstart = 2M\n"
	             "max = %uG\n",
	             situation_of(run, 64, 1024, 1024));
	situation_ask(&asker, &run->fixture, "/nodes", NULL);
	child_start(&child, churn, &churner);
	tap_is((long long)hear(child.fd),
	       (long long)churner.n_caches * 1048576 / OBJECT,
	       "%u caches had their objects", churner.n_caches);
	sleep_ms(situation_of(run, 100, 7000, 15000));
	situation_asked(&asker);
	child_kill(&child);
	situation_close(run);
}

#define AT_ONCE 8u

void situation_wide_nodes(struct situation_run *run)
{
	static struct grower grower[AT_ONCE];
	struct child child[AT_ONCE];
	struct asker asker;
	unsigned rounds = situation_of(run, 1, 4, 8);
	uint64_t got = 0;
	fixture_open(
		&run->fixture,
		"[slabd]\ntopology = NUMANode:64(memory=64GiB) core:1 pu:1\n"
		"[pool default]\npage = 4k\nstart = 2M\nmax = %uG\n",
		situation_of(run, 1, 32, 32));
	situation_ask(&asker, &run->fixture, "/nodes", NULL);
	for (unsigned k = 0; k < rounds; k++) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			grower[i] =
				(struct grower){&run->fixture, "default", 4,
			                        256, (int)(k * AT_ONCE + i)};
			child_start(&child[i], situation_grower, &grower[i]);
		}
		for (unsigned i = 0; i < AT_ONCE; i++)
			got += hear(child[i].fd);
		for (unsigned i = 0; i < AT_ONCE; i++)
			child_kill(&child[i]);
	}
	tap_is((long long)got,
	       (long long)(rounds * AT_ONCE * situation_wants(&grower[0])),
	       "clients of %u nodes have their objects", rounds * AT_ONCE);
	sleep_ms(situation_of(run, 100, 3000, 10000));
	situation_asked(&asker);
	situation_close(run);
}
