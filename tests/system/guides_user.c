/* SPDX-License-Identifier: MIT */
/*
 * A client for test_guides.sh, which has what the guides' commands name: orders, a
 * channel, an arena and an object pool, until its standard input ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/slabclient.h"
#include "client/slabclient_arena.h"
#include "client/slabclient_channel.h"

#define N_ORDERS 1000
#define ORDER_BYTES 96

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "guides_user: %s: %s\n", what, slabd_last_error());
	exit(1);
}

static void make_orders(slabd_pool *pool)
{
	slabd_cache *orders =
		slabd_cache_create(pool, "orders", ORDER_BYTES, 0, 0);
	slabd_channel *channel = slabd_channel_open(pool, "orders", 64);
	void *order = NULL;
	need(orders != NULL, "a cache");
	need(channel != NULL, "a channel");
	for (int i = 0; i < N_ORDERS; i++) {
		order = slabd_alloc(orders);
		need(order != NULL, "an order");
	}
	need(slabd_send(channel, &order, 1) == 1, "an order that is sent");
}

static void make_others(slabd_pool *pool)
{
	const struct slabd_objpool_ops ops = {.max = 4};
	slabd_objpool *sessions =
		slabd_objpool_create(pool, "session", 512, &ops);
	slabd_arena *request = slabd_arena_create(pool, NULL, "request");
	void *session;
	need(sessions != NULL, "an object pool");
	need(request != NULL, "an arena");
	need(slabd_arena_alloc(request, 100, 0) != NULL, "a request's memory");
	session = slabd_objpool_get(sessions);
	need(session != NULL, "a session");
	slabd_objpool_put(sessions, session);
}

int main(void)
{
	const struct slabd_options options = {.name = "gateway"};
	slabd_pool *pool = slabd_open(NULL, &options);
	char end;
	need(pool != NULL, "open");
	make_orders(pool);
	make_others(pool);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		continue;
	need(slabd_close(pool) == 0, "close");
	return 0;
}
