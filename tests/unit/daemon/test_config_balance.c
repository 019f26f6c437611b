/* SPDX-License-Identifier: MIT */
/* Section [balance]: every key in the file, and the same at run time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/conf/config.h"
#include "daemon/conf/keys.h"

#define MIB (UINT64_C(1) << 20)

static struct config config;
static struct config_error err;

static int load(const char *text)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	char path[64];
	int rc;
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&err, 0, sizeof(err));
	config_defaults(&config);
	rc = config_load(&config, path, &err);
	close(fd);
	return rc;
}

/* Padding is nobody's. */
static bool is_same(const struct config_balance *a,
                    const struct config_balance *b)
{
	return a->enabled == b->enabled &&
	       a->migrate == b->migrate &&
	       a->far_is_tier == b->far_is_tier &&
	       a->hold_ms == b->hold_ms &&
	       a->hold_max_ms == b->hold_max_ms &&
	       a->lend_keep == b->lend_keep &&
	       a->lend_max == b->lend_max &&
	       a->keep_slabs == b->keep_slabs &&
	       a->migrate_cost == b->migrate_cost &&
	       a->migrate_rate == b->migrate_rate &&
	       a->idle_s == b->idle_s &&
	       a->remote_wait_ms == b->remote_wait_ms &&
	       a->pressure_ms == b->pressure_ms;
}

Test(config_balance, every_key)
{
	const struct config_balance *b = &config.balance;
	cr_assert_eq(load("[pool a]\n[balance]\nenabled = no\nmigrate = off\n"
	                  "far = tier\nhold = 500ms\nhold_max = 2min\n"
	                  "lend_keep = 7\nlend_max = 64\nkeep_slabs = 0\n"
	                  "migrate_cost = 250%\nmigrate_rate = 1G\n"
	                  "idle = 5m\npressure = 50ms ; short\n[pool b]\n"),
	             0, "%s", err.text[0]);
	cr_expect_not(b->enabled);
	cr_expect_not(b->migrate);
	cr_expect(b->far_is_tier);
	cr_expect_eq(b->hold_ms, 500);
	cr_expect_eq(b->hold_max_ms, 120000);
	cr_expect_eq(b->lend_keep, 7);
	cr_expect_eq(b->lend_max, 64);
	cr_expect_eq(b->keep_slabs, 0);
	cr_expect_eq(b->migrate_cost, 250);
	cr_expect_eq(b->migrate_rate, 1024 * MIB);
	cr_expect_eq(b->idle_s, 300);
	cr_expect_eq(b->pressure_ms, 50);
	cr_assert_eq(config.n_pools, 2);
	cr_expect(is_same(&config.pools[0].balance, b));
	cr_expect(is_same(&config.pools[1].balance, b));
}

Test(config_balance, defaults_and_words_for_nothing)
{
	struct config_balance defaults;
	config_default_balance(&defaults);
	cr_assert_eq(load(""), 0);
	cr_expect(is_same(&config.balance, &defaults));
	cr_expect(defaults.enabled && defaults.migrate);
	cr_assert_eq(load("[balance]\nremote_wait = never\n"), 0);
	cr_expect_eq(config.balance.remote_wait_ms, 0);
	cr_assert_eq(load("[balance]\nidle = Never\npressure = off\n"), 0);
	cr_expect_eq(config.balance.idle_s, 0);
	cr_expect_eq(config.balance.pressure_ms, 0);
	cr_expect_eq(config.pools[0].balance.idle_s, 0);
	cr_assert_eq(load("[balance]\nidle = 0\npressure = 0\n"), 0);
	cr_expect_eq(config.balance.idle_s, 0);
	cr_assert_eq(load("[balance]\nhold = 2m\n"), 0);
	cr_expect_eq(config.balance.hold_max_ms, 120000,
	             "a default follows a long hold");
}

/* The text of a file of the source tree. */
static const char *text_of(const char *file)
{
	static char text[1 << 16];
	const char *folder = getenv("srcdir");
	char path[512];
	size_t n;
	FILE *f;
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : ".", file);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* The file as installed shows each key in a comment, with its default. */
Test(config_balance, file_shows_defaults)
{
	const char *file = text_of("daemon/slabd.conf");
	char line[64], value[CONFIG_BALANCE_VALUE];
	struct config_balance defaults;
	const char *key;
	config_default_balance(&defaults);
	for (unsigned i = 0; (key = config_balance_key(i)) != NULL; i++) {
		snprintf(line, sizeof(line), "\n#%s = %s\n", key,
		         config_balance_get(&defaults, key, value));
		cr_expect_not_null(strstr(file, line), "no line \"#%s = %s\"",
		                   key, value);
	}
}

/* slabd.conf(5) says them as "The default is 4." or in bold before a stop. */
Test(config_balance, page_says_defaults)
{
	const char *page = text_of("man/slabd.conf.5");
	char item[64], value[CONFIG_BALANCE_VALUE];
	struct config_balance defaults;
	const char *key, *at;
	config_default_balance(&defaults);
	for (unsigned i = 0; (key = config_balance_key(i)) != NULL; i++) {
		snprintf(item, sizeof(item), "\n.It Cm %s ", key);
		at = strstr(page, item);
		cr_assert_not_null(at, "%s", key);
		at = strstr(at, "The default is");
		cr_assert_not_null(at, "%s", key);
		at += strlen("The default is");
		at += strspn(at, " \n");
		at += strncmp(at, ".Li ", 4) == 0 || strncmp(at, ".Cm ", 4) == 0
		              ? 4 : 0;
		config_balance_get(&defaults, key, value);
		cr_expect(strncmp(at, value, strlen(value)) == 0 &&
		          strchr(" .,\n", at[strlen(value)]) != NULL,
		          "%s is %s, the page says %.8s", key, value, at);
	}
}

static const char *const bad[][4] = {
	{"enabled = maybe", ":2: key \"enabled\" in [balance]: \"maybe\" is not",
	 "allowed: yes, no", ""},
	{"far = near", "\"near\"", "allowed: last or tier", ""},
	{"hold = 1", "key \"hold\"", "from 10ms to 1h", ""},
	{"hold = 9ms", "out of range", "", ""},
	{"hold = 61min", "out of range", "", ""},
	{"hold = 99999999999999999999s", "out of range", "", ""},
	{"hold = 9999999999999999h", "out of range", "", ""},
	{"hold = -1s", "not a valid value", "", ""},
	{"hold = 1.5s", "not a valid value", "", ""},
	{"hold = 5s\nhold_max = 4s",
	 ":3: key \"hold_max\" (line 3) contradicts key \"hold\" (line 2)",
	 "hold_max is under 5s", "allowed: at least hold"},
	{"hold_max = 20ms", "contradicts key \"hold\" (the default)", "", ""},
	{"lend_keep = 0", "out of range", "1 to 65536", ""},
	{"lend_max = 65537", "out of range", "1 to 65536", ""},
	{"keep_slabs = some", "not a valid value", "0 to 65536", ""},
	{"migrate_cost = 100", "not a valid value", "such as 100%", ""},
	{"migrate_cost = 0%", "out of range", "", ""},
	{"migrate_rate = 1K", "out of range", "from 1M to 1T", ""},
	{"idle = 1500ms", "1500ms is not whole seconds", "or never", ""},
	{"idle = 721h", "out of range", "up to 720h", ""},
	{"remote_wait = 2s", "out of range", "from 1ms to 1s", "or never"},
	{"pressure = 2s", "out of range", "from 1ms to 1s", "or off"},
	{"floor = 1M", "key \"floor\" in [balance] is unknown",
	 "allowed: enabled, migrate, far, hold, hold_max, lend_keep, "
	 "lend_max, keep_slabs, migrate_cost, migrate_rate, idle, "
	 "remote_wait, pressure", ""},
	{"[balance]", "[balance] is there twice, first in line 1", "", ""},
};

Test(config_balance, faults)
{
	char text[200];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[balance]\n%s\n", bad[i][0]);
		cr_expect_eq(load(text), -EINVAL, "%s", bad[i][0]);
		cr_expect_eq(err.n, 1, "%s: %u", bad[i][0], err.n);
		for (unsigned k = 1; k < 4; k++)
			cr_expect_not_null(strstr(err.text[0], bad[i][k]),
			                   "no <%s> in: %s", bad[i][k],
			                   err.text[0]);
	}
}

static void set(const char *key, const char *value, const char *shown)
{
	char out[CONFIG_BALANCE_VALUE];
	struct remedy why;
	cr_expect_eq(config_balance_set(&config.balance, key, value, &why), 0,
	             "%s = %s: %s", key, value, why.what);
	cr_expect_str_eq(config_balance_get(&config.balance, key, out), shown,
	                 "%s = %s", key, value);
}

static void refuse(const char *key, const char *value, const char *says)
{
	struct config_balance before = config.balance;
	struct remedy why;
	cr_expect_eq(config_balance_set(&config.balance, key, value, &why),
	             -EINVAL, "%s = %s", key, value);
	cr_expect(strstr(why.what, says) || strstr(why.todo, says),
	          "no <%s> in: %s; %s", says, why.what, why.todo);
	cr_expect_eq(strncmp(why.todo, "allowed: ", 9), 0, "%s", why.todo);
	cr_expect(is_same(&before, &config.balance),
	          "a refused value changes nothing");
}

Test(config_balance, set_at_run_time)
{
	config_defaults(&config);
	set("enabled", "off", "no");
	set("migrate", "1", "yes");
	set("far", "tier", "tier");
	set("far", "last", "last");
	set("hold", "1500ms", "1500ms");
	set("hold_max", "120s", "2m");
	set("lend_keep", "65536", "65536");
	set("migrate_cost", "33%", "33%");
	set("migrate_rate", "1024M", "1G");
	set("idle", "3600s", "1h");
	set("idle", "never", "never");
	set("remote_wait", "5ms", "5ms");
	set("remote_wait", "0", "never");
	set("pressure", "1s", "1s");
	set("pressure", "0", "off");
	refuse("hold_max", "1s", "\"hold_max\" (1s) contradicts key \"hold\" "
	                         "(1500ms)");
	refuse("hold", "3m", "set the other first");
	refuse("hold", "", "not a valid value");
	refuse("idle", "100ms", "100ms is not whole seconds");
	refuse("pressure", "1500ms", "out of range");
	refuse("colour", "red", "key \"colour\" is unknown");
}

Test(config_balance, every_key_has_a_value)
{
	struct config_balance b;
	char out[CONFIG_BALANCE_VALUE];
	struct remedy why;
	unsigned n = 0;
	config_default_balance(&b);
	config_default_balance(&config.balance);
	for (; config_balance_key(n) != NULL; n++) {
		config_balance_get(&b, config_balance_key(n), out);
		cr_expect_str_neq(out, "", "%s", config_balance_key(n));
		cr_expect_eq(config_balance_set(&config.balance,
		                                config_balance_key(n), out,
		                                &why),
		             0, "%s", why.what);
	}
	cr_expect_eq(n, 13);
	cr_expect(is_same(&b, &config.balance));
	cr_expect_str_eq(config_balance_get(&b, "colour", out), "");
}
