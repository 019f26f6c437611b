/* SPDX-License-Identifier: MIT */
/*
 * A client for test_page.sh: names that would be HTML, and objects that lie where
 * they are told, until its standard input ends. Arguments: how many objects on
 * each of the nodes 0, 1, ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/slabclient.h"
#include "client/slabclient_channel.h"

#define SIZE 1000

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "page_user: %s: %s\n", what, slabd_last_error());
	exit(1);
}

int main(int argc, char **argv)
{
	const struct slabd_options options = {.name = "<b>client</b> & \"co\""};
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache;
	char end;
	need(pool != NULL, "open");
	cache = slabd_cache_create(pool, "<img src=x onerror=alert(1)>", SIZE,
	                           0, 0);
	need(cache != NULL, "a cache");
	need(slabd_channel_open(pool, "<script>alert(2)</script>", 64) != NULL,
	     "a channel");
	for (int node = 0; node < argc - 1; node++) {
		need(slabd_thread_node(pool, node) == 0, "a node");
		for (long n = atol(argv[1 + node]); n > 0; n--)
			need(slabd_alloc(cache) != NULL, "an object");
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		continue;
	need(slabd_close(pool) == 0, "close");
	return 0;
}
