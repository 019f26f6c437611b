/* SPDX-License-Identifier: MIT */
/* The configuration file: every key, every class of fault, garbage. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/conf/config.h"
#include "daemon/conf/keys.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct config config;
static struct config_error err;
static char path[64];

/* Loads bytes as a file, over the defaults. */
static int load_bytes(const char *text, size_t len)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&err, 0, sizeof(err));
	config_defaults(&config);
	int rc = config_load(&config, path, &err);
	cr_assert_eq(rc, err.n > 0 ? -EINVAL : 0);
	close(fd);
	return rc;
}

static int load(const char *text)
{
	return load_bytes(text, strlen(text));
}

/* The file is good. */
static void good(const char *text)
{
	cr_assert_eq(load(text), 0, "%s: %s", text, err.text[0]);
}

/* One fault, at a line, whose text has all of the parts. */
#define bad(text, line, ...)                                                   \
	expect_fault(__LINE__, text, line,                                     \
	             (const char *[]){ __VA_ARGS__, NULL })
static void expect_fault(int at, const char *text, int line, const char **parts)
{
	char head[96];
	cr_assert_eq(load(text), -EINVAL, "row %d: no fault in %s", at, text);
	cr_expect_eq(err.n, 1, "row %d: %u faults: %s / %s", at, err.n,
	             err.text[0], err.text[1]);
	snprintf(head, sizeof(head), "%s:%d: ", path, line);
	cr_expect_eq(strncmp(err.text[0], head, strlen(head)), 0,
	             "row %d: line: %s", at, err.text[0]);
	for (; *parts != NULL; parts++)
		cr_expect_not_null(strstr(err.text[0], *parts),
		                   "row %d: no <%s> in: %s", at, *parts,
		                   err.text[0]);
}

Test(config, defaults_of_root)
{
	const struct config_pool *pool = &config.pools[0];
	if (geteuid() != 0)
		cr_skip_test("not root");
	unsetenv("SLABD_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
	config_defaults(&config);
	cr_expect_str_eq(config.socket, "/run/slabd/slabd.sock");
	cr_expect_str_eq(config.control, "/run/slabd/control.sock");
	cr_expect_eq(config.socket_mode, 0660);
	cr_expect_eq(config.control_mode, 0660);
	cr_expect_str_empty(config.socket_group);
	cr_expect_str_empty(config.control_group);
	cr_expect_str_empty(config.topology);
	cr_expect(config.reserve_hugepages);
	cr_expect_eq(config.log_level, LOG_LEVEL_INFO);
	cr_assert_eq(config.n_pools, 1);
	cr_expect_str_eq(pool->name, "default");
	cr_expect_eq(pool->max_bytes, 0);
	cr_expect_eq(pool->max_percent, 25);
	cr_expect_eq(pool->start_bytes, 16 * MIB);
	cr_expect_eq(pool->page, CONFIG_PAGE_2M);
	cr_expect_eq(pool->max_caches, 1024);
	cr_expect_eq(pool->max_clients, 1024);
	cr_expect_eq(pool->max_roots, 256);
	cr_expect_eq(pool->max_channels, 64);
	cr_expect_eq(pool->max_channel_capacity, 16384);
	cr_expect_eq(pool->arena_warn_s, 3600);
	cr_expect_eq(pool->arena_warn_bytes, 16 * MIB);
	cr_expect_eq(pool->users.n + pool->groups.n, 0);
	cr_expect_eq(pool->floor_bytes, UINT64_MAX);
	cr_expect_eq(config_check(&config, &err), 0);
}

Test(config, defaults_of_a_user)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	unsetenv("SLABD_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	config_defaults(&config);
	cr_expect_str_eq(config.socket, "/run/user/7/slabd/slabd.sock");
	cr_expect_str_eq(config.control, "/run/user/7/slabd/control.sock");
	cr_expect_eq(config.socket_mode, 0600);
	cr_expect_eq(config.control_mode, 0600);
	cr_expect_eq(config_check(&config, &err), 0);
}

Test(config, user_without_runtime_dir)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	unsetenv("SLABD_SOCKET");
	unsetenv("XDG_RUNTIME_DIR");
	config_defaults(&config);
	cr_expect_eq(config_check(&config, &err), -EINVAL);
	cr_assert_eq(err.n, 2);
	cr_expect_not_null(strstr(err.text[0], "XDG_RUNTIME_DIR"));
	cr_expect_not_null(strstr(err.text[0], "--socket PATH"));
	cr_expect_not_null(strstr(err.text[1], "--control PATH"));
	good("[slabd]\nsocket=/a\ncontrol=/b\n");
	cr_expect_eq(config_check(&config, &err), 0);
}

Test(config, unusable_runtime_dir)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	unsetenv("SLABD_SOCKET");
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	config_defaults(&config);
	cr_expect_eq(config_check(&config, &err), -EINVAL);
	cr_assert_eq(err.n, 2);
	cr_expect_not_null(strstr(err.text[0], "XDG_RUNTIME_DIR=\"relative\""));
	cr_expect_not_null(strstr(err.text[0], "allowed: an absolute path"));
}

Test(config, socket_of_environment)
{
	setenv("SLABD_SOCKET", "/tmp/s.sock", 1);
	config_defaults(&config);
	cr_expect_str_eq(config.socket, "/tmp/s.sock");
	good("[slabd]\nsocket = /tmp/f.sock\n");
	cr_expect_str_eq(config.socket, "/tmp/f.sock");
	setenv("SLABD_SOCKET", "nowhere", 1);
	setenv("XDG_RUNTIME_DIR", "/tmp", 1);
	config_defaults(&config);
	cr_expect_eq(config_check(&config, &err), -EINVAL);
	cr_assert_eq(err.n, 1);
	cr_expect_not_null(strstr(err.text[0], "SLABD_SOCKET=\"nowhere\""));
	cr_expect_not_null(strstr(err.text[0], "allowed: an absolute path"));
}

Test(config, one_path_for_both)
{
	setenv("SLABD_SOCKET", "/tmp/both", 1);
	config_defaults(&config);
	strcpy(config.control, "/tmp/both");
	cr_expect_eq(config_check(&config, &err), -EINVAL);
	cr_assert_eq(err.n, 1);
	cr_expect_not_null(strstr(err.text[0], "both \"/tmp/both\""));
}

Test(config, every_key_of_slabd)
{
	good("# head\n; other\n\n[slabd]\r\n"
	     "socket = /tmp/a b.sock ; ours\n  control=/tmp/c.sock\r\n"
	     "socket_mode: 0666\ncontrol_mode = 600\n"
	     "socket_group = root\nreserve_hugepages = No\n"
	     "control_group = root\n"
	     "topology = node:4 core:2 pu:1\nlog_level = debug");
	cr_expect_str_eq(config.socket, "/tmp/a b.sock");
	cr_expect_str_eq(config.control, "/tmp/c.sock");
	cr_expect_eq(config.socket_mode, 0666);
	cr_expect_eq(config.control_mode, 0600);
	cr_expect_str_eq(config.socket_group, "root");
	cr_expect_eq(config.socket_gid, 0);
	cr_expect_str_eq(config.control_group, "root");
	cr_expect_eq(config.control_gid, 0);
	cr_expect_not(config.reserve_hugepages);
	cr_expect_str_eq(config.topology, "node:4 core:2 pu:1");
	cr_expect_eq(config.log_level, LOG_LEVEL_DEBUG);
	cr_expect_eq(config.n_pools, 1);
	cr_expect_str_eq(config.pools[0].name, "default");
}

Test(config, every_key_of_a_pool)
{
	const struct config_pool *pool = config.pools;
	good("\xef\xbb\xbf[pool a.b_c-9]\nmax = 4GiB\nstart = 1g\npage = 1g\n"
	     "floor = 0\nmax_caches = 4096\nmax_clients = 16384\nusers = root, 7\t8,root\n"
	     "max_clients_process = 7\nmax_clients_user = auto\nmax_roots = 0\n"
	     "max_channels = 0\nmax_channel_capacity = 7\n"
	     "arena_warn_age = never\narena_warn_bytes = 41M\n"
	     "groups = 0\n  5 6 ; six: a = b\n\t7,8\n[pool two] ; 2\nmax = 40%\npage=thp\n"
	     "[pool three]\npage = 4k\nmax = 4M\nfloor = 4M\n");
	cr_assert_eq(config.n_pools, 3);
	cr_expect_str_eq(pool->name, "a.b_c-9");
	cr_expect_eq(pool->max_bytes, 4 * GIB);
	cr_expect_eq(pool->start_bytes, GIB);
	cr_expect_eq(pool->page, CONFIG_PAGE_1G);
	cr_expect_eq(pool->floor_bytes, 0);
	cr_expect_eq(pool[1].floor_bytes, UINT64_MAX);
	cr_expect_eq(pool[2].floor_bytes, 4 * MIB);
	cr_expect_eq(pool->max_caches, 4096);
	cr_expect_eq(pool->max_clients, 16384);
	cr_expect_eq(pool->max_clients_process, 7);
	cr_expect_eq(pool->max_clients_user, 0);
	cr_expect_eq(pool->max_roots, 0);
	cr_expect_eq(pool->max_channels, 0);
	cr_expect_eq(pool->max_channel_capacity, 7);
	cr_expect_eq(pool->arena_warn_s, 0);
	cr_expect_eq(pool->arena_warn_bytes, 41 * MIB);
	cr_assert_eq(pool->users.n, 3);
	cr_expect_eq(pool->users.id[0], 0);
	cr_expect_eq(pool->users.id[1], 7);
	cr_expect_eq(pool->users.id[2], 8);
	cr_assert_eq(pool->groups.n, 5);
	cr_expect_eq(pool->groups.id[4], 8);
	cr_expect_eq(pool[1].max_bytes, 0);
	cr_expect_eq(pool[1].max_percent, 40);
	cr_expect_eq(pool[1].page, CONFIG_PAGE_THP);
	cr_expect_eq(pool[1].start_bytes, 16 * MIB);
	cr_expect_eq(pool[2].page, CONFIG_PAGE_4K);
	cr_expect_eq(pool[2].start_bytes, 4 * MIB, "follows a small max");
}

Test(config, unknown)
{
	bad("[slabd]\nxyz = 1\n", 2, "key \"xyz\" in [slabd] is unknown",
	    "allowed: socket, control, socket_mode, control_mode, "
	    "socket_group, control_group, reserve_hugepages, topology, "
	    "log_level");
	bad("\n\n[pool p]\nsocket = /a\n", 4,
	    "key \"socket\" in [pool p] is unknown",
	    "allowed: max, start, floor, page, max_caches, max_clients, "
	    "users, groups");
	bad("[other]\nmax = 1\nx = 2\n", 1, "section [other] is unknown",
	    "allowed: [slabd], [balance] or [pool NAME]");
	bad("[pool]\n", 1, "[pool] is unknown", "[pool NAME]");
	bad("[slabd", 1, "lacks its ']'", "allowed: [slabd]");
	bad("[slabd] x", 1, "\"x\" follows", "allowed:");
	bad("max = 1\nmin = 2\n[slabd]\n", 1, "key \"max\" stands before any "
	    "section", "allowed: [slabd]");
	bad("[slabd]\nhello\n", 2, "\"hello\" is neither",
	    "allowed: [slabd], [balance], [pool NAME], key = value");
	bad("[slabd]\n= 3\n", 2, "key \"\"", "unknown");
}

Test(config, twice)
{
	bad("[slabd]\nsocket=/a\n\nsocket=/b\n", 4, "key \"socket\"",
	    "twice, first in line 2", "allowed: once, an absolute path");
	bad("[slabd]\n[pool p]\n[slabd]\nsocket=/a\n", 3,
	    "[slabd] is there twice, first in line 1");
	bad("[pool p]\n[pool q]\n\n[pool p]\nmax=1\n", 4,
	    "[pool p] contradicts line 1", "allowed: each name once");
	bad("[pool p]\nusers=0\nusers=1\n", 3, "twice, first in line 2");
}

Test(config, values)
{
	bad("[slabd]\nsocket =\n", 2, "\"socket\" in [slabd] has no value",
	    "allowed: an absolute path");
	bad("[slabd]\nsocket = a/b\n", 2, "\"a/b\"", "allowed: an absolute");
	bad("[slabd]\nsocket_mode = 0888\n", 2, "socket_mode", "\"0888\"",
	    "allowed: octal");
	bad("[slabd]\ncontrol_mode = 1000\n", 2, "control_mode",
	    "out of range", "0000 to 0777");
	bad("[slabd]\nsocket_group = no-such-group\n", 2, "socket_group",
	    "group \"no-such-group\" does not exist", "allowed: a group");
	bad("[slabd]\ncontrol_group = no-such-group\n", 2, "control_group",
	    "group \"no-such-group\" does not exist", "allowed: a group");
	bad("[slabd]\nreserve_hugepages = maybe\n", 2, "reserve_hugepages",
	    "\"maybe\"", "allowed: yes, no");
	bad("[slabd]\nlog_level = loud\n", 2, "log_level", "\"loud\"",
	    "allowed: error, warn, info or debug");
	bad("[slabd]\nlog_level = info\n debug\n", 3, "\"log_level\"",
	    "can't go on in a second line");
	bad("[slabd]\ntopology = node:\x01\n", 2, "topology", "node:\\x01",
	    "allowed: an hwloc synthetic");
	bad("[slabd]\nmetrics = 0.0.0.0:9464\n", 2, "metrics",
	    "other machines", "127.0.0.1:9464");
	bad("[slabd]\nmetrics = [::]:9464\n", 2, "other machines");
	bad("[slabd]\nmetrics = localhost:9464\n", 2, "not a valid value");
	bad("[slabd]\nmetrics = 127.0.0.1\n", 2, "not a valid value");
	bad("[slabd]\nmetrics = 127.0.0.1:0\n", 2, "not a valid value");
	bad("[slabd]\nmetrics = [::1]:65536\n", 2, "not a valid value");
	bad("[slabd]\nmetrics = [::1\n", 2, "not a valid value");
	bad("[pool p]\nmax = lots\n", 2, "\"max\" in [pool p]", "\"lots\"",
	    "allowed: a size from 2M to 2T", "1% to 100%");
	bad("[pool p]\nmax = 0%\n", 2, "out of range", "1% to 100%");
	bad("[pool p]\nmax = 101%\n", 2, "out of range");
	bad("[pool p]\nmax = 1M\n", 2, "out of range", "2M to 2T");
	bad("[pool p]\nmax = 3T\n", 2, "out of range");
	bad("[pool p]\nmax = 18446744073709551616\n", 2, "out of range");
	bad("[pool p]\nmax = 17179869184T\n", 2, "out of range");
	bad("[pool p]\nmax = -4M\n", 2, "not a valid value");
	bad("[pool p]\nmax = 1.5G\n", 2, "not a valid value");
	bad("[pool p]\nstart = 25%\n", 2, "start", "allowed: a size");
	bad("[pool p]\nstart = 0\n", 2, "out of range");
	bad("[pool p]\nfloor = 3T\n", 2, "floor", "out of range",
	    "a size up to 2T");
	bad("[pool p]\npage = 2M\n", 2, "\"2M\"", "1g, 2m, thp or 4k");
	bad("[pool p]\nmax_caches = 0\n", 2, "max_caches", "1 to 4096");
	bad("[pool p]\nmax_caches = 4097\n", 2, "out of range");
	bad("[pool p]\nmax_clients = 16385\n", 2, "max_clients", "1 to 16384");
	bad("[pool p]\nmax_clients = 4294967297\n", 2, "out of range");
	bad("[pool p]\nmax_clients = 9x\n", 2, "not a valid value");
}

Test(config, lists)
{
	char text[600] = "[pool p]\nusers = 1\n";
	bad("[pool p]\nusers = root no-such-user\n", 2, "\"users\" in [pool p]",
	    "user \"no-such-user\" does not exist", "allowed: up to 64");
	bad("[pool p]\ngroups = 0\n  no-such-group\n", 3, "groups",
	    "group \"no-such-group\" does not exist");
	bad("[pool p]\nusers = ,\n", 2, "no user in the list");
	bad("[pool p]\nusers = 4294967295\n", 2, "user id 4294967295 is out "
	    "of range");
	bad("[pool p]\nusers = 99999999999999999999\n", 2, "out of range");
	for (int i = 2; i <= 64; i++)
		sprintf(text + strlen(text), " %d\n", i);
	good(text);
	cr_expect_eq(config.pools[0].users.n, 64);
	strcat(text, " 65\n");
	bad(text, 66, "more than 64 users");
}

Test(config, limits_of_names_and_paths)
{
	char text[400];
	char name[70];
	char long_path[120] = "/";
	memset(name, 'n', sizeof(name));
	snprintf(text, sizeof(text), "[pool %.63s]\nmax=4M\n", name);
	good(text);
	cr_expect_eq(strlen(config.pools[0].name), 63);
	snprintf(text, sizeof(text), "[pool %.64s]\nmax=4M\n", name);
	bad(text, 1, "pool name", "allowed: 1 to 63 letters");
	bad("[pool a b]\n", 1, "pool name \"a b\"", "allowed:");
	bad("[pool ../x/]\n", 1, "pool name", "allowed:");
	memset(long_path + 1, 'p', 106);
	snprintf(text, sizeof(text), "[slabd]\nsocket=%s\n", long_path);
	good(text);
	cr_expect_str_eq(config.socket, long_path);
	snprintf(text, sizeof(text), "[slabd]\nsocket=%sp\n", long_path);
	bad(text, 2, "108 bytes are too long", "at most 107 bytes");
	memset(text, 'x', sizeof(text));
	memcpy(text, "[slabd]\n", 8);
	text[8 + 199] = '\0';
	bad(text, 2, "too long", "at most 198 bytes");
	bad("[slabd]\nsocket = /x/y;z\n", 2, "\"/x/y;z\"", "without ';'");
}

Test(config, contradictions)
{
	bad("[slabd]\nsocket=/a\n\ncontrol=/a\n", 4,
	    "\"control\" (line 4) contradicts key \"socket\" (line 2)",
	    "allowed: two paths");
	bad("[pool p]\nmax = 8M\nstart = 10M\n", 3,
	    "\"start\" (line 3) contradicts key \"max\" (line 2) in [pool p]",
	    "over 8M", "allowed: at most max");
	bad("[pool p]\npage = 1g\nmax = 1536M\n", 3,
	    "\"max\" (line 3) contradicts key \"page\" (line 2) in [pool p]",
	    "1536M is not whole pages", "allowed: a multiple of 1G");
	bad("[pool p]\nmax = 5M\n", 2, "\"max\" (line 2)",
	    "\"page\" (the default)", "a multiple of 2M");
	good("[pool p]\nmax = 10M\nstart = 10M\nfloor = 10M\n");
	bad("[pool p]\nmax = 10M\n\nfloor = 12M\n", 4,
	    "\"floor\" (line 4) contradicts key \"max\" (line 2) in [pool p]",
	    "over 10M", "allowed: at most max");
	bad("[pool p]\nmax = 10M\nfloor = -1\n", 3, "\"floor\"",
	    "\"-1\" is not a valid value");
	setenv("SLABD_SOCKET", "/tmp/one", 1);
	bad("[slabd]\ncontrol=/tmp/one\n", 2, "\"control\" (line 2)",
	    "\"socket\" (the default)");
}

Test(config, pools)
{
	char text[1000] = "";
	for (int i = 0; i < 16; i++)
		sprintf(text + strlen(text), "[pool p%d]\n", i);
	good(text);
	cr_expect_eq(config.n_pools, 16);
	cr_expect_str_eq(config.pools[15].name, "p15");
	strcat(text, "[pool more]\nmax = nonsense\n");
	bad(text, 17, "[pool more] is one too many", "allowed: 16 pools");
}

Test(config, all_faults_at_once)
{
	char text[2000] = "[slabd]\n";
	for (int i = 0; i < 20; i++)
		sprintf(text + strlen(text), "key%d = 1\n", i);
	cr_expect_eq(load(text), -EINVAL);
	cr_expect_eq(err.n, CONFIG_ERRORS_MAX);
	cr_expect_eq(err.n_more, 4);
	for (unsigned i = 0; i < err.n; i++) {
		char part[32];
		snprintf(part, sizeof(part), ":%u: key \"key%u\"", i + 2, i);
		cr_expect_not_null(strstr(err.text[i], part));
	}
}

/* However long it would wait. */
int __real_poll(struct pollfd *at, nfds_t n, int ms);
int __wrap_poll(struct pollfd *at, nfds_t n, int ms);
int __wrap_poll(struct pollfd *at, nfds_t n, int ms)
{
	return __real_poll(at, n, ms < 1 ? ms : 1);
}

/* What is no file, and where nobody may ever write, holds no start up. */
Test(config, pipes)
{
	char pipe_path[64];
	int fd[2];
	cr_assert_eq(pipe(fd), 0);
	snprintf(pipe_path, sizeof(pipe_path), "/proc/self/fd/%d", fd[0]);
	memset(&err, 0, sizeof(err));
	config_defaults(&config);
	cr_expect_eq(config_load(&config, pipe_path, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text[0], "nobody writes there"));
	memset(&err, 0, sizeof(err));
	cr_assert_eq(write(fd[1], "[slabd]\n", 8), 8);
	close(fd[1]);
	cr_expect_eq(config_load(&config, pipe_path, &err), 0, "%s", err.text[0]);
	close(fd[0]);
}

Test(config, files)
{
	memset(&err, 0, sizeof(err));
	config_defaults(&config);
	cr_expect_eq(config_load(&config, "/nonexistent/x", &err), -EINVAL);
	cr_expect_not_null(strstr(err.text[0], "/nonexistent/x: can't be "
	                                       "opened: No such file"));
	cr_expect_eq(config_load(&config, "/", &err), -EINVAL);
	cr_expect_not_null(strstr(err.text[1], "Is a directory"));
	cr_expect_eq(config_load(&config, "/dev/zero", &err), -EINVAL);
	cr_expect_not_null(strstr(err.text[2], "over 1 MiB"));
	cr_expect_eq(err.n, 3);
	cr_expect_eq(load_bytes("[slabd]\nsocket=/\0a\n", 19), -EINVAL);
	cr_expect_not_null(strstr(err.text[0], ":2: a zero byte"));
	good("");
}

Test(config, texts_are_printable)
{
	cr_expect_eq(load("[slabd]\n\033[2J\x9b = \x07\n[\x7f]\n"), -EINVAL);
	cr_assert_eq(err.n, 2);
	for (unsigned i = 0; i < err.n; i++) {
		for (const char *c = err.text[i]; *c != '\0'; c++)
			cr_expect(*c >= 0x20 && *c < 0x7f);
	}
	cr_expect_not_null(strstr(err.text[0], "\\x1b[2J\\x9b"));
}
