/* SPDX-License-Identifier: MIT */
#include "daemon/advice/trace.h"
#include "tests/replay/cut.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define MAGIC "SLABTRC1"

/* A trace in the making. */
struct raw {
	unsigned char at[4096];
	size_t bytes;
};

static char path[] = "/tmp/test_trace.XXXXXX";
static struct trace trace;
static struct trace_fault fault;

static void make_path(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void drop_path(void)
{
	trace_drop(&trace);
	unlink(path);
}

TestSuite(trace, .init = make_path, .fini = drop_path);

static void put(struct raw *raw, const void *from, size_t bytes)
{
	memcpy(raw->at + raw->bytes, from, bytes);
	raw->bytes += bytes;
}

static void record(struct raw *raw, uint8_t op, uint8_t thread, uint32_t bytes,
                   uint32_t obj)
{
	unsigned char at[12] = {op, thread};

	for (unsigned i = 0; i < 4; i++) {
		at[4 + i] = (unsigned char)(bytes >> (8 * i));
		at[8 + i] = (unsigned char)(obj >> (8 * i));
	}
	put(raw, at, sizeof(at));
}

static void write_all(const void *data, size_t bytes)
{
	FILE *file = fopen(path, "wb");

	cr_assert_not_null(file);
	cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
}

/* Compresses and writes it, short of the last cut bytes. */
static void save(const struct raw *raw, size_t cut)
{
	char out[8192];
	size_t n = ZSTD_compress(out, sizeof(out), raw->at, raw->bytes, 3);

	cr_assert_not(ZSTD_isError(n));
	write_all(out, n - cut);
}

/* The file is refused, and the fault says where and why. */
static void expect_refused(const char *where, const char *why)
{
	cr_assert_eq(trace_load(&trace, path, NULL, &fault), -EINVAL);
	cr_assert_eq(strncmp(fault.text, path, strlen(path)), 0, "%s",
	             fault.text);
	cr_assert_not_null(strstr(fault.text, where), "%s", fault.text);
	cr_assert_not_null(strstr(fault.text, why), "%s", fault.text);
	cr_assert_str_neq(fault.todo, "");
	cr_assert_null(trace.events);
	cr_assert_null(trace.objects);
}

Test(trace, loads_what_is_written)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 100, 0);
	record(&raw, TRACE_ALLOC, 255, 0x01020304, 1);
	record(&raw, TRACE_FREE, 1, 0, 1);
	save(&raw, 0);
	cr_assert_eq(trace_load(&trace, path, NULL, &fault), 0);
	cr_assert_eq(trace.n_events, 3u);
	cr_assert_eq(trace.n_objects, 2u);
	cr_assert_eq(trace.n_threads, 2u);
	cr_assert_eq(trace.thread_events[1], 2u);
	cr_assert_eq(trace.thread_events[255], 1u);
	cr_assert_eq(trace.objects[1].bytes, 0x01020304u);
	cr_assert_eq(trace.objects[1].thread, 255u);
	cr_assert_eq(trace.objects[0].freed, 0u);
	cr_assert_eq(trace.objects[1].freed, 1u);
	cr_assert_eq(trace.events[2].op, TRACE_FREE);
	cr_assert_eq(trace.events[2].obj, 1u);
}

Test(trace, plain_and_in_frames)
{
	struct raw raw = {.bytes = 0};
	char out[8192];
	size_t n;

	put(&raw, MAGIC, 8);
	record(&raw, 1, 1, 100, 0);
	record(&raw, 2, 1, 0, 0);
	write_all(raw.at, raw.bytes);
	cr_assert_eq(trace_load(&trace, path, NULL, &fault), 0, "%s", fault.text);
	cr_assert_eq(trace.n_events, 2u);
	trace_drop(&trace);
	write_all(raw.at, raw.bytes - 1);
	expect_refused("record 1", "cut off");
	n = ZSTD_compress(out, sizeof(out), raw.at, 8, 3);
	n += ZSTD_compress(out + n, sizeof(out) - n, raw.at + 8, 24, 3);
	write_all(out, n);
	cr_assert_eq(trace_load(&trace, path, NULL, &fault), 0, "%s", fault.text);
	cr_assert_eq(trace.n_events, 2u);
}

Test(trace, missing_file)
{
	cr_assert_eq(trace_load(&trace, "/nowhere/x.zst", NULL,
	                        &fault), -ENOENT);
	cr_assert_not_null(strstr(fault.text, "/nowhere/x.zst"));
}

Test(trace, neither_packed_nor_a_trace)
{
	write_all("this is no zstd frame", 21);
	expect_refused("", "does not start with " MAGIC);
}

Test(trace, broken_zstd)
{
	write_all("\x28\xb5\x2f\xfd this is no zstd frame", 26);
	expect_refused("", "zstd: ");
}

Test(trace, empty_file)
{
	write_all("", 0);
	expect_refused("", "magic");
}

Test(trace, bad_magic)
{
	struct raw raw = {.bytes = 0};

	put(&raw, "SLABTRC2", 8);
	save(&raw, 0);
	expect_refused("", "does not start with " MAGIC);
}

Test(trace, cut_magic)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 5);
	save(&raw, 0);
	expect_refused("", "magic");
}

Test(trace, cut_file)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	for (uint32_t i = 0; i < 100; i++)
		record(&raw, TRACE_ALLOC, 1, i * i * 31, i);
	save(&raw, 20);
	expect_refused("", "cut off");
}

Test(trace, cut_record)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 8, 0);
	record(&raw, TRACE_ALLOC, 1, 8, 1);
	raw.bytes -= 5;
	save(&raw, 0);
	expect_refused("record 1", "7 bytes of 12");
}

Test(trace, unknown_op)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 8, 0);
	record(&raw, 3, 1, 8, 1);
	save(&raw, 0);
	expect_refused("record 1", "unknown op 3");
}

Test(trace, thread_zero)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 0, 8, 0);
	save(&raw, 0);
	expect_refused("record 0", "thread 0");
}

Test(trace, free_of_unknown_object)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 8, 0);
	record(&raw, TRACE_FREE, 1, 0, 1);
	save(&raw, 0);
	expect_refused("record 1", "frees object 1");
}

Test(trace, free_twice)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 8, 0);
	record(&raw, TRACE_FREE, 1, 0, 0);
	record(&raw, TRACE_FREE, 2, 0, 0);
	save(&raw, 0);
	expect_refused("record 2", "a second time");
}

Test(trace, object_out_of_turn)
{
	struct raw raw = {.bytes = 0};

	put(&raw, MAGIC, 8);
	record(&raw, TRACE_ALLOC, 1, 8, 0);
	record(&raw, TRACE_ALLOC, 1, 8, UINT32_MAX);
	save(&raw, 0);
	expect_refused("record 1", "where 1 is next");
}

static void load_cut(const char *name)
{
	const char *folder = getenv("srcdir");
	char file[4096];

	snprintf(file, sizeof(file), "%s/tests/data/%s", folder ? folder : ".",
	         name);
	cr_assert_eq(trace_load(&trace, file, NULL, &fault), 0, "%s", fault.text);
}

Test(trace, shipped_gateway_cut)
{
	load_cut("gateway-cut.trace.zst");
	cr_assert_eq(trace.n_events, 60000u);
	cr_assert_eq(trace.n_threads, 1u);
}

Test(trace, shipped_mariadb_cut_and_a_cut_of_it)
{
	struct trace small;

	load_cut("mariadb-cut.trace.zst");
	cr_assert_eq(trace.n_events, 60000u);
	cr_assert_geq(trace.n_threads, 16u);
	cr_assert_eq(cut_save(&trace, 1234, path), 0);
	cr_assert_eq(trace_load(&small, path, NULL, &fault), 0, "%s", fault.text);
	cr_assert_eq(small.n_events, 1234u);
	for (size_t i = 0; i < small.n_events; i++) {
		cr_assert_eq(small.events[i].obj, trace.events[i].obj);
		cr_assert_eq(small.events[i].op, trace.events[i].op);
		cr_assert_eq(small.events[i].thread, trace.events[i].thread);
	}
	for (size_t i = 0; i < small.n_objects; i++)
		cr_assert_eq(small.objects[i].bytes, trace.objects[i].bytes);
	trace_drop(&small);
}
