/* SPDX-License-Identifier: MIT */
/*
 * Files that nobody wrote by hand: what config_print writes is read back to the
 * same, and garbage gives faults, never a crash.
 * SLABD_SEED chooses the garbage.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/conf/config.h"
#include "tests/lib/rng.h"

#define ROUNDS 3000

static struct config config, again;
static struct config_error err;

static int load_fd(struct config *to, int fd)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&err, 0, sizeof(err));
	config_defaults(to);
	return config_load(to, path, &err);
}

static int file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

/* Prints config, reads it and expects the same. */
static void round_trip(void)
{
	int fd = file_of("", 0);
	FILE *out = fdopen(dup(fd), "w");
	cr_assert_not_null(out);
	config_print(&config, out);
	fclose(out);
	cr_assert_eq(load_fd(&again, fd), 0, "%s", err.text[0]);
	close(fd);
	cr_expect_eq(memcmp(&config, &again, sizeof(config)), 0);
}

Test(config_load, prints_and_reads_defaults)
{
	setenv("XDG_RUNTIME_DIR", "/tmp/run", 1);
	config_defaults(&config);
	round_trip();
}

Test(config_load, prints_and_reads_everything)
{
	struct config_pool *pool;
	setenv("XDG_RUNTIME_DIR", "/tmp/run", 1);
	config_defaults(&config);
	cr_assert_eq(config_set_path(config.socket, "/tmp/a #b \xc3\xa9"), 0);
	config.socket_mode = 0;
	config.reserve_hugepages = false;
	config.log_level = LOG_LEVEL_ERROR;
	strcpy(config.socket_group, "root");
	strcpy(config.control_group, "root");
	strcpy(config.topology, "node:4 core:2 pu:1");
	config.balance = (struct config_balance){
		.far_is_tier = true, .hold_ms = 1500, .hold_max_ms = 3600000,
		.lend_keep = 65536, .lend_max = 1, .migrate_cost = 1,
		.migrate_rate = UINT64_C(1) << 40, .idle_s = 86461,
	};
	config.n_pools = CONFIG_POOLS_MAX;
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++) {
		pool = &config.pools[i];
		config_default_pool(pool, "p");
		pool->name[1] = (char)('a' + i);
		pool->page = i % 4;
		pool->max_percent = i + 1;
		pool->balance = config.balance;
	}
	pool = &config.pools[1];
	pool->max_bytes = UINT64_C(5) << 30;
	pool->max_percent = 25; /* a size leaves the share at its default */
	pool->start_bytes = (16 << 20) + 1;
	pool->floor_bytes = 0;
	pool->max_clients = 16384;
	pool->users.n = CONFIG_LIST_MAX;
	pool->groups.n = 9;
	for (unsigned i = 0; i < CONFIG_LIST_MAX; i++)
		pool->users.id[i] = 4294967294u - i;
	for (unsigned i = 0; i < 9; i++)
		pool->groups.id[i] = i;
	round_trip();
}

Test(config_load, refuses_paths_that_would_not_come_back)
{
	char path[CONFIG_PATH_BYTES] = "/kept";
	cr_expect_eq(config_set_path(path, ""), -EINVAL);
	cr_expect_eq(config_set_path(path, "rel"), -EINVAL);
	cr_expect_eq(config_set_path(path, "/a ;b"), -EINVAL);
	cr_expect_eq(config_set_path(path, "/a\n"), -EINVAL);
	cr_expect_eq(config_set_path(path, "/a "), -EINVAL);
	cr_expect_str_eq(path, "/kept");
}

static struct rng rng;

/* A file of pieces that mean something, and of bytes that do not. */
static size_t make_garbage(char *out, size_t size)
{
	static const char *const pieces[] = {
		"[slabd]", "[pool ", "a", "]", "[", "\n", "\r\n", "=", " = ",
		":", "socket", "control", "max", "start", "page", "users",
		"groups", "max_caches", "floor", "hold", "idle", "never", "5s", "/tmp/x", "1g", "64M", "99999999999",
		"%", "25%", ",", " ", "\t", ";", " ; ", "#", "root", "-",
		"\xef\xbb\xbf", "\n ", "\n[pool b]\n", "\n[slabd]\n", "\n[balance]\n", "topology",
		"%s%n", "\\", "\"", "nonexistent-user-name",
	};
	size_t len = 0;
	while (len + 32 < size && rng_below(&rng, 200) != 0) {
		unsigned kind = rng_below(&rng, 20);
		if (kind == 0) {
			out[len++] = (char)rng_below(&rng, 256);
		} else if (kind == 1) {
			size_t run = 1 + rng_below(&rng, 31);
			memset(out + len, 'x', run);
			len += run;
		} else {
			unsigned i = rng_below(&rng, sizeof(pieces) /
			                          sizeof(*pieces));
			memcpy(out + len, pieces[i], strlen(pieces[i]));
			len += strlen(pieces[i]);
		}
	}
	return len;
}

static void expect_sane(int rc)
{
	cr_assert(rc == 0 || rc == -EINVAL);
	cr_assert_eq(rc == -EINVAL, err.n > 0);
	cr_assert(err.n <= CONFIG_ERRORS_MAX);
	for (unsigned i = 0; i < err.n; i++) {
		cr_assert(strlen(err.text[i]) < CONFIG_ERROR_BYTES);
		cr_assert_not_null(strstr(err.text[i], "allowed: "), "%s",
		                   err.text[i]);
	}
	if (rc != 0)
		return;
	cr_assert(config.n_pools >= 1 && config.n_pools <= CONFIG_POOLS_MAX);
}

Test(config_load, garbage)
{
	static char bytes[4096];
	unsigned n_good = 0;
	rng = rng_start("garbage");
	for (int i = 0; i < ROUNDS; i++) {
		size_t len = make_garbage(bytes, sizeof(bytes));
		int fd = file_of(bytes, len);
		int rc = load_fd(&config, fd);
		expect_sane(rc);
		if (rc == 0)
			round_trip();
		n_good += rc == 0;
		close(fd);
	}
	cr_expect(n_good < ROUNDS, "garbage is refused at times");
	cr_expect(n_good > 0, "and what has no content passes");
}
