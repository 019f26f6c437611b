/* SPDX-License-Identifier: MIT */
#include "tests/replay/cut.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAGIC "SLABTRC1"
#define MAGIC_BYTES 8u
#define RECORD_BYTES 12u
#define LEVEL 19

static void put_record(unsigned char *at, const struct trace *trace,
                       const struct trace_event *event)
{
	int is_alloc = event->op == TRACE_ALLOC;
	uint32_t bytes = is_alloc ? trace->objects[event->obj].bytes : 0;
	uint32_t obj = htole32(event->obj);

	bytes = htole32(bytes);
	at[0] = event->op;
	at[1] = event->thread;
	memset(at + 2, 0, 2);
	memcpy(at + 4, &bytes, sizeof(bytes));
	memcpy(at + 8, &obj, sizeof(obj));
}

static int write_file(const char *path, const void *data, size_t bytes)
{
	FILE *file = fopen(path, "wbe");
	int error = 0;

	if (!file)
		return -errno;
	if (fwrite(data, 1, bytes, file) != bytes)
		error = -EIO;
	if (fclose(file) != 0 && !error)
		error = -errno;
	return error;
}

int cut_save(const struct trace *trace, size_t n, const char *path)
{
	size_t count = n < trace->n_events ? n : trace->n_events;
	size_t bytes = MAGIC_BYTES + count * RECORD_BYTES;
	size_t room = ZSTD_compressBound(bytes), packed;
	unsigned char *raw = malloc(bytes), *out = malloc(room);
	int error = -ENOMEM;

	if (raw && out) {
		memcpy(raw, MAGIC, MAGIC_BYTES);
		for (size_t i = 0; i < count; i++)
			put_record(raw + MAGIC_BYTES + i * RECORD_BYTES, trace,
			           &trace->events[i]);
		packed = ZSTD_compress(out, room, raw, bytes, LEVEL);
		error = ZSTD_isError(packed) ? -EIO
		                             : write_file(path, out, packed);
	}
	free(raw);
	free(out);
	return error;
}
