/* SPDX-License-Identifier: MIT */
/* FILE.d/NAME.conf: what is said later goes before, and faults name their file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf/config.h"

static char dir[64];
static char path[96];
static struct config config;
static struct config_error err;

static void begin(void)
{
	char sub[128];
	strcpy(dir, "/tmp/slabd-dropins.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/slabd.conf", dir);
	snprintf(sub, sizeof(sub), "%s.d", path);
	cr_assert_eq(mkdir(sub, 0755), 0);
}

static void end(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(config_dropins, .init = begin, .fini = end);

static void put(const char *name, const char *text)
{
	char file[256];
	FILE *out;
	if (name == NULL)
		snprintf(file, sizeof(file), "%s", path);
	else
		snprintf(file, sizeof(file), "%s.d/%s", path, name);
	out = fopen(file, "w");
	cr_assert_not_null(out);
	fputs(text, out);
	fclose(out);
}

static int load(void)
{
	memset(&err, 0, sizeof(err));
	config_defaults(&config);
	return config_load(&config, path, &err);
}

static void loads(void)
{
	cr_assert_eq(load(), 0, "%s", err.text[0]);
}

static void refuses(const char *text)
{
	cr_assert_eq(load(), -EINVAL);
	cr_expect(strstr(err.text[0], text) != NULL, "%s", err.text[0]);
}

Test(config_dropins, later_files_go_before)
{
	put(NULL, "[balance]\nhold = 1s\nlend_max = 7\n"
	          "[pool default]\nmax = 64M\n");
	put("20-b.conf", "[balance]\nhold = 3s\n");
	put("10-a.conf", "[balance]\nhold = 2s\nlend_keep = 5\n"
	                 "[pool default]\nmax = 32M\nstart = 8M\n");
	loads();
	cr_expect_eq(config.balance.hold_ms, 3000);
	cr_expect_eq(config.balance.lend_keep, 5);
	cr_expect_eq(config.balance.lend_max, 7);
	cr_assert_eq(config.n_pools, 1);
	cr_expect_eq(config.pools[0].max_bytes, 32u << 20);
	cr_expect_eq(config.pools[0].start_bytes, 8u << 20);
	cr_expect_eq(config.pools[0].balance.hold_ms, 3000);
}

Test(config_dropins, a_pool_more)
{
	put(NULL, "[pool default]\nmax = 64M\n");
	put("orders.conf", "[pool orders]\nmax = 16M\n");
	loads();
	cr_assert_eq(config.n_pools, 2);
	cr_expect_str_eq(config.pools[1].name, "orders");
}

Test(config_dropins, a_list_takes_the_place_of_another)
{
	put(NULL, "[pool default]\nusers = 1 2 3\n");
	put("a.conf", "[pool default]\nusers = 4\n\t5\n");
	loads();
	cr_assert_eq(config.pools[0].users.n, 2);
	cr_expect_eq(config.pools[0].users.id[0], 4);
	cr_expect_eq(config.pools[0].users.id[1], 5);
}

Test(config_dropins, other_files_are_none)
{
	put(NULL, "[balance]\nhold = 1s\n");
	put("a.conf~", "nonsense\n");
	put(".a.conf", "nonsense\n");
	put("a.conf.dpkg-old", "nonsense\n");
	put(".conf", "nonsense\n");
	put("README", "nonsense\n");
	loads();
}

Test(config_dropins, without_a_file)
{
	put("a.conf", "[balance]\nhold = 4s\n");
	loads();
	cr_expect_eq(config.balance.hold_ms, 4000);
}

Test(config_dropins, without_both)
{
	char sub[128];
	snprintf(sub, sizeof(sub), "%s.d", path);
	cr_assert_eq(rmdir(sub), 0);
	refuses("slabd.conf: can't be opened: No such file");
	cr_assert_eq(mkdir(sub, 0755), 0);
}

Test(config_dropins, faults_name_their_file)
{
	put(NULL, "[balance]\nhold = 1s\n");
	put("a.conf", "\n[balance]\nhold = much\n");
	refuses("a.conf:3: key \"hold\" in [balance]");
	put("a.conf", "[balance]\nhold = 1s\nhold = 2s\n");
	refuses("a.conf:3: key \"hold\" in [balance] is there twice, first in "
	        "line 2");
	put("a.conf", "[pool a]\n[pool a]\n");
	refuses("a.conf:2: section [pool a] contradicts line 1");
	put("a.conf", "hold = 1s\n");
	refuses("a.conf:1: key \"hold\" stands before any section");
}

Test(config_dropins, what_contradicts_another_file)
{
	put(NULL, "[pool default]\n\nfloor = 32M\nmax = 64M\n");
	put("a.conf", "[pool default]\nmax = 16M\n");
	put("b.conf", "[balance]\nhold = 1s\n");
	refuses("a.conf:2: key \"floor\" (line 3 of ");
	cr_expect(strstr(err.text[0], "slabd.conf) contradicts key \"max\" "
	                              "(line 2) in [pool default]") != NULL,
	          "%s", err.text[0]);
}

Test(config_dropins, too_many)
{
	char name[16];
	put(NULL, "");
	for (unsigned i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "%02u.conf", i);
		put(name, "[balance]\nhold = 2s\n");
	}
	loads();
	put("99.conf", "");
	refuses("99.conf: one file too many; allowed: 64 in FILE.d");
}
