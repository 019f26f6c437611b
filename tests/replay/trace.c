/* SPDX-License-Identifier: MIT */
#include "tests/replay/trace.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAGIC "SLABTRC1"
#define MAGIC_BYTES 8u
#define RECORD_BYTES 12u
#define LEVEL 19

/* One file on its way in. */
struct reader {
	const char *path;
	struct trace *trace;
	struct trace_fault *fault;
	size_t events_room, objects_room;
	unsigned char part[RECORD_BYTES]; /* a magic or record cut in two */
	size_t part_bytes;
	int in_records; /* the magic is behind us */
};

/* Names the file and, past the magic, the record; returns -EINVAL. */
__attribute__((format(printf, 2, 3))) static int bad(struct reader *in,
                                                     const char *why, ...)
{
	char text[384];
	va_list args;

	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	if (in->in_records)
		snprintf(in->fault->text, sizeof(in->fault->text),
		         "%s: record %zu: %s", in->path, in->trace->n_events,
		         text);
	else
		snprintf(in->fault->text, sizeof(in->fault->text), "%s: %s",
		         in->path, text);
	return -EINVAL;
}

static int failed(struct reader *in, int error)
{
	snprintf(in->fault->text, sizeof(in->fault->text), "%s: %s", in->path,
	         strerror(error));
	return -error;
}

/* Makes room for one more element; old may move. */
static void *grown(void *old, size_t n, size_t *room, size_t bytes)
{
	void *more;

	if (n < *room)
		return old;
	more = reallocarray(old, *room ? *room * 2 : 4096, bytes);
	if (more)
		*room = *room ? *room * 2 : 4096;
	return more;
}

static int add_alloc(struct reader *in, uint8_t thread, uint32_t bytes,
                     uint32_t obj)
{
	struct trace *trace = in->trace;
	struct trace_object *objects;

	if (obj != trace->n_objects)
		return bad(in, "allocates object %u where %zu is next", obj,
		           trace->n_objects);
	objects = grown(trace->objects, trace->n_objects, &in->objects_room,
	                sizeof(*objects));
	if (!objects)
		return failed(in, ENOMEM);
	trace->objects = objects;
	objects[trace->n_objects++] = (struct trace_object){bytes, thread, 0};
	return 0;
}

static int add_free(struct reader *in, uint32_t obj)
{
	struct trace *trace = in->trace;

	if (obj >= trace->n_objects)
		return bad(in, "frees object %u, which no record allocates",
		           obj);
	if (trace->objects[obj].freed)
		return bad(in, "frees object %u a second time", obj);
	trace->objects[obj].freed = 1;
	return 0;
}

static int add_record(struct reader *in, const unsigned char *at)
{
	struct trace *trace = in->trace;
	struct trace_event *events;
	uint32_t bytes, obj;
	int error;

	memcpy(&bytes, at + 4, sizeof(bytes));
	memcpy(&obj, at + 8, sizeof(obj));
	bytes = le32toh(bytes);
	obj = le32toh(obj);
	if (!at[1])
		return bad(in, "thread 0: threads count from 1");
	if (at[0] == TRACE_ALLOC)
		error = add_alloc(in, at[1], bytes, obj);
	else if (at[0] == TRACE_FREE)
		error = add_free(in, obj);
	else
		return bad(in, "unknown op %u (1 allocates, 2 frees)", at[0]);
	if (error)
		return error;
	events = grown(trace->events, trace->n_events, &in->events_room,
	               sizeof(*events));
	if (!events)
		return failed(in, ENOMEM);
	trace->events = events;
	events[trace->n_events++] = (struct trace_event){obj, at[0], at[1]};
	trace->n_threads += !trace->thread_events[at[1]]++;
	return 0;
}

static int add_item(struct reader *in, const unsigned char *at)
{
	if (in->in_records)
		return add_record(in, at);
	if (memcmp(at, MAGIC, MAGIC_BYTES) != 0)
		return bad(in, "no trace: it does not start with " MAGIC);
	in->in_records = 1;
	return 0;
}

/* Takes decompressed bytes, whole items or not. */
static int add_bytes(struct reader *in, const unsigned char *at, size_t bytes)
{
	while (bytes) {
		size_t item = in->in_records ? RECORD_BYTES : MAGIC_BYTES;
		size_t take = item - in->part_bytes;
		int error;

		take = take < bytes ? take : bytes;
		memcpy(in->part + in->part_bytes, at, take);
		in->part_bytes += take;
		at += take;
		bytes -= take;
		if (in->part_bytes < item)
			return 0;
		in->part_bytes = 0;
		error = add_item(in, in->part);
		if (error)
			return error;
	}
	return 0;
}

/* Decompresses one chunk of the file; *more says whether a frame is open. */
static int add_chunk(struct reader *in, ZSTD_DStream *zstd, ZSTD_inBuffer *src,
                     size_t *more)
{
	unsigned char out[65536];

	for (;;) {
		ZSTD_outBuffer dst = {out, sizeof(out), 0};
		int error;

		*more = ZSTD_decompressStream(zstd, &dst, src);
		if (ZSTD_isError(*more))
			return bad(in, "zstd: %s", ZSTD_getErrorName(*more));
		error = add_bytes(in, out, dst.pos);
		if (error)
			return error;
		if (src->pos == src->size && (!*more || dst.pos < dst.size))
			return 0;
	}
}

static int check_end(struct reader *in, size_t more)
{
	if (more)
		return bad(in, "the file is cut off: its zstd frame goes on");
	if (!in->in_records)
		return bad(in, "no trace: it ends before the magic " MAGIC);
	if (in->part_bytes)
		return bad(in, "the file is cut off: %zu bytes of %u",
		           in->part_bytes, RECORD_BYTES);
	return 0;
}

static int read_all(struct reader *in, FILE *file, ZSTD_DStream *zstd)
{
	unsigned char chunk[65536];
	size_t more = 0, n;
	int is_plain = -1;

	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		ZSTD_inBuffer src = {chunk, n, 0};
		int error;

		if (is_plain < 0)
			is_plain = n >= MAGIC_BYTES &&
			           memcmp(chunk, MAGIC, MAGIC_BYTES) == 0;
		error = is_plain ? add_bytes(in, chunk, n)
		                 : add_chunk(in, zstd, &src, &more);
		if (error)
			return error;
	}
	if (ferror(file))
		return failed(in, EIO);
	return check_end(in, more);
}

int trace_load(struct trace *trace, const char *path, struct trace_fault *fault)
{
	struct reader in = {.path = path, .trace = trace, .fault = fault};
	ZSTD_DStream *zstd;
	FILE *file;
	int error;

	memset(trace, 0, sizeof(*trace));
	file = fopen(path, "rbe");
	if (!file)
		return failed(&in, errno);
	zstd = ZSTD_createDStream();
	error = zstd ? read_all(&in, file, zstd) : failed(&in, ENOMEM);
	ZSTD_freeDStream(zstd);
	fclose(file);
	if (error)
		trace_drop(trace);
	return error;
}

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

int trace_save(const struct trace *trace, size_t n, const char *path)
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

void trace_drop(struct trace *trace)
{
	free(trace->events);
	free(trace->objects);
	memset(trace, 0, sizeof(*trace));
}
