/* SPDX-License-Identifier: MIT */
/*
 * slabctl roots and channels by --cache, --node, --client and --name: what is shown,
 * what of it lies there, what is refused, and what completion offers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/sent.h"

#define SIZE 64
#define CONFIG                                                                 \
	"[slabd]\ntopology = node:2 core:1 pu:1\n"                             \
	"[balance]\nenabled = no\nidle = never\npressure = off\n"              \
	"[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"

static struct fixture fixture;
static char said[8192];

/* The names in a list of an answer, with a blank after each; "error" where it is
 * refused. */
static const char *names(const char *list, const char *query)
{
	static char text[512];
	char path[200], at[40];
	json_t *doc;
	size_t i;
	json_t *row;
	snprintf(path, sizeof(path), "/%s%s", list, query);
	snprintf(at, sizeof(at), "pools.0.%s", list);
	doc = fixture_get(&fixture, path);
	strcpy(text, doc == NULL ? "error" : "");
	json_array_foreach(json_at(doc, at), i, row)
	{
		strcat(text, json_string_value(json_object_get(row, "name")));
		strcat(text, " ");
	}
	json_decref(doc);
	return text;
}

static void shows(const char *list, const char *query, const char *want)
{
	const char *got = names(list, query);
	if (!tap_ok(strcmp(got, want) == 0, "%s%s: %s", list, query,
	            *want ? want : "none"))
		tap_note("it is %s", got);
}

static long long there(const char *list, const char *query, const char *key)
{
	char path[200], at[60];
	snprintf(path, sizeof(path), "/%s%s", list, query);
	snprintf(at, sizeof(at), "pools.0.%s.0.%s", list, key);
	return fixture_number(&fixture, path, at);
}

static void *on_node(slabd_cache *cache, int node)
{
	void *object = slabd_alloc_node(cache, node);
	if (object == NULL)
		tap_bail("slabd_alloc_node: %s", slabd_last_error());
	return object;
}

static void send(slabd_channel *channel, slabd_cache *cache, int node, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		void *object = on_node(cache, node);
		if (slabd_send(channel, &object, 1) != 1)
			tap_bail("slabd_send: %s", slabd_last_error());
	}
}

/* Two channels: "in" with 3 of cache a on node 0 and 2 of b on node 1, "out" with 4
 * of b on node 0, which a second client has open alone. */
static void test_channels(slabd_pool *pool, slabd_pool *other)
{
	slabd_cache *a = fixture_cache(pool, "a", SIZE);
	slabd_cache *b = fixture_cache(pool, "b", 2 * SIZE);
	slabd_cache *its = fixture_cache(other, "b", 2 * SIZE);
	slabd_channel *in = sent_channel(pool, "in", 16);
	slabd_channel *out = sent_channel(other, "out", 16);
	char query[40];
	send(in, a, 0, 3);
	send(in, b, 1, 2);
	send(out, its, 0, 4);
	shows("channels", "", "in out ");
	shows("channels", "?cache=a", "in ");
	shows("channels", "?cache=b", "in out ");
	shows("channels", "?cache=b&node=1", "in ");
	shows("channels", "?cache=a&node=1", "");
	shows("channels", "?name=o*", "out ");
	shows("channels", "?name=%5bio%5dn", "in ");
	shows("channels", "?name=n", "");
	shows("channels", "?name=", "");
	tap_is(there("channels", "?cache=b&name=in", "matched_objects"), 2,
	       "so much of it is there");
	tap_is(there("channels", "?cache=b&name=in", "matched_bytes"),
	       2 * 2 * SIZE, "in bytes");
	tap_is(there("channels", "?cache=b&name=in", "objects"), 5,
	       "its figures stay those of the whole");
	tap_is(there("channels", "?name=in", "matched_objects"), INT64_MIN,
	       "not said where nobody asked");
	snprintf(query, sizeof(query), "?client=%u", slabd_client_id(other));
	shows("channels", query, "out ");
	snprintf(query, sizeof(query), "?client=%u&node=1",
	         slabd_client_id(pool));
	shows("channels", query, "in ");
	shows("channels", "?cache=c", "error");
	shows("channels", "?node=7", "error");
	shows("channels", "?client=999", "error");
	shows("channels", "?limit=1", "error");
	slabd_channel_close(out);
	snprintf(query, sizeof(query), "?client=%u", slabd_client_id(other));
	shows("channels", query, "");
	slabd_channel_close(in);
}

/* Objects that another one took the place of are the root's no more. */
static void test_roots(slabd_pool *pool)
{
	slabd_cache *a = fixture_cache(pool, "a", SIZE);
	slabd_cache *b = fixture_cache(pool, "b", 2 * SIZE);
	if (slabd_root_set(pool, "book",
	                   slabd_handle_of(pool, on_node(a, 0))) < 0 ||
	    slabd_root_set(pool, "bill",
	                   slabd_handle_of(pool, on_node(b, 1))) < 0 ||
	    slabd_root_set(pool, "cash",
	                   slabd_handle_of(pool, on_node(a, 1))) < 0)
		tap_bail("slabd_root_set: %s", slabd_last_error());
	shows("roots", "", "book bill cash ");
	shows("roots", "?cache=a", "book cash ");
	shows("roots", "?node=1", "bill cash ");
	shows("roots", "?node=1&cache=a&name=*", "cash ");
	shows("roots", "?name=b*", "book bill ");
	shows("roots", "?name=b?ok", "book ");
	tap_is(there("roots", "?cache=b", "matched_bytes"), 2 * SIZE,
	       "so much of it is there");
	shows("roots", "?cache=c", "error");
	shows("roots", "?client=1", "error");
}

static void says(const char *words, const char *want)
{
	const char *build = getenv("builddir");
	char command[600];
	FILE *out;
	size_t n;
	snprintf(command, sizeof(command),
	         "LC_ALL=C '%s/daemon/slabctl' %s 2>&1", build ? build : ".",
	         words);
	out = popen(command, "r");
	if (out == NULL)
		tap_bail("no shell");
	n = fread(said, 1, sizeof(said) - 1, out);
	said[n] = '\0';
	pclose(out);
	if (!tap_ok(strstr(said, want) != NULL, "slabctl %s", words))
		tap_note("it says %s", said);
}

static void test_slabctl(void)
{
	setenv("SLABD_CONTROL", fixture.control, 1);
	says("roots --cache a --node 1", "objects there");
	says("roots --name 'b*'", "bill");
	says("channels --client 1 --name 'x*'", "no channels");
	says("roots --client 1", "--client does not go with roots");
	says("caches --name a", "--name does not go with caches");
	says("--complete roots --name c", "cash\n");
	says("--complete channels --n", "--node\n--name\n");
}

int main(void)
{
	slabd_pool *pool, *other;
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	pool = fixture_pool(&fixture);
	other = fixture_pool(&fixture);
	test_channels(pool, other);
	test_roots(pool);
	test_slabctl();
	slabd_close(other);
	slabd_close(pool);
	fixture_close(&fixture);
	return tap_end();
}
