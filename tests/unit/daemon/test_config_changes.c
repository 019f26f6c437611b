/* SPDX-License-Identifier: MIT */
/* Two configurations, and what differs between them. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/conf/changes.h"

static struct config a, b;

static void begin(void)
{
	config_defaults(&a);
	b = a;
}

TestSuite(config_changes, .init = begin);

/* The next one: its key and what is said of it; none where key is NULL. */
static void next(const struct config_keys *keys, const void *was,
                 const void *is, unsigned *at, const char *key,
                 const char *old, const char *new)
{
	struct config_change change;
	bool any = config_next_change(keys, was, is, at, &change);
	cr_assert_eq(any, key != NULL, "%s", any ? change.key->name : key);
	if (!any)
		return;
	cr_expect_str_eq(change.key->name, key);
	cr_expect_str_eq(change.was, old);
	cr_expect_str_eq(change.is, new);
}

Test(config_changes, none)
{
	unsigned at = 0;
	next(&config_slabd_keys, &a, &b, &at, NULL, NULL, NULL);
	at = 0;
	next(&config_pool_keys, &a.pools[0], &b.pools[0], &at, NULL, NULL,
	     NULL);
}

Test(config_changes, keys_in_their_order)
{
	unsigned at = 0;
	b.log_level = LOG_LEVEL_DEBUG;
	strcpy(b.socket, "/elsewhere");
	strcpy(a.socket, "/here");
	b.watchdog_ms = 0;
	next(&config_slabd_keys, &a, &b, &at, "socket", "/here", "/elsewhere");
	next(&config_slabd_keys, &a, &b, &at, "log_level", "info", "debug");
	next(&config_slabd_keys, &a, &b, &at, "watchdog", "30s", "off");
	next(&config_slabd_keys, &a, &b, &at, NULL, NULL, NULL);
}

/* A share and a size are one key; a floor may be that of start. */
Test(config_changes, of_a_pool)
{
	unsigned at = 0;
	b.pools[0].max_bytes = UINT64_C(64) << 20;
	b.pools[0].floor_bytes = 0;
	next(&config_pool_keys, &a.pools[0], &b.pools[0], &at, "max", "25%",
	     "64M");
	next(&config_pool_keys, &a.pools[0], &b.pools[0], &at, "floor",
	     "the default", "0");
	next(&config_pool_keys, &a.pools[0], &b.pools[0], &at, NULL, NULL,
	     NULL);
}

/* A list of many is cut, in one line. */
Test(config_changes, of_a_long_list)
{
	struct config_change change;
	unsigned at = 0;
	b.pools[0].users.n = CONFIG_LIST_MAX;
	for (unsigned i = 0; i < CONFIG_LIST_MAX; i++)
		b.pools[0].users.id[i] = i;
	cr_assert(config_next_change(&config_pool_keys, &a.pools[0],
	                             &b.pools[0], &at, &change));
	cr_expect_str_eq(change.was, "the default");
	cr_expect_eq(strlen(change.is), CONFIG_CHANGE_BYTES - 1);
	cr_expect_str_eq(change.is + strlen(change.is) - 3, "...");
	cr_expect_null(strpbrk(change.is, "\n\t"));
	cr_expect_eq(strncmp(change.is, "0 1 2 ", 6), 0, "%s", change.is);
}

Test(config_changes, a_pool_by_name)
{
	cr_expect_eq(config_find_pool(&a, "default"), &a.pools[0]);
	cr_expect_null(config_find_pool(&a, "none"));
}
