/* SPDX-License-Identifier: MIT */
#include "daemon/advice/trace.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/advice/unpack.h"

#define MAGIC "SLABTRC1"
#define MAGIC_BYTES 8u
#define RECORD_BYTES 12u
/* What helps. */
#define TRACE_NAME "give a trace that slab-record wrote"
#define TRACE_FORMAT "record one with slab-record; slabctl(1) has the format"
#define TRACE_NO_RECORDER                                                      \
	"no recorder writes that: copy the file again, or record anew"
#define TRACE_AGAIN "copy the file again, or record anew until the program ends"
#define TRACE_UNPACK "unpack it with zstd -d, and give what comes out"
#define TRACE_SHORTER "record for a shorter time, or look where memory is"
#define ROOM_FIRST 65536u /* elements */

/* One file on its way in. */
struct reader {
	const char *path;
	struct trace *trace;
	struct trace_fault *fault;
	const struct progress *progress;
	uint64_t file_bytes; /* 0: a pipe's, or one that does not say */
	size_t events_room, objects_room;
	unsigned char part[RECORD_BYTES]; /* a magic or record cut in two */
	size_t part_bytes;
	int in_records; /* the magic is behind us */
};

static int fail(struct reader *in, int error, const char *todo)
{
	snprintf(in->fault->todo, sizeof(in->fault->todo), "%s", todo);
	return -error;
}

/* Names the file and, past the magic, the record; returns -EINVAL. */
__attribute__((format(printf, 3, 4))) static int bad(struct reader *in,
                                                     const char *todo,
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
	return fail(in, EINVAL, todo);
}

static int failed(struct reader *in, int error, const char *todo)
{
	snprintf(in->fault->text, sizeof(in->fault->text), "%s: %s", in->path,
	         strerror(error));
	return fail(in, error, todo);
}

/* Makes room for one more element; old may move. Not by malloc, whose rules
 * change as large blocks are freed: a replay by it is to meet it as it is. */
static void *grown(void *old, size_t n, size_t *room, size_t bytes)
{
	size_t more = *room ? *room * 2 : ROOM_FIRST;
	void *at;

	if (n < *room)
		return old;
	if (*room)
		at = mremap(old, *room * bytes, more * bytes, MREMAP_MAYMOVE);
	else
		at = mmap(NULL, more * bytes, PROT_READ | PROT_WRITE,
		          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	*room = more;
	return at;
}

static int add_alloc(struct reader *in, uint8_t thread, uint32_t bytes,
                     uint32_t obj)
{
	struct trace *trace = in->trace;
	struct trace_object *objects;

	if (obj != trace->n_objects)
		return bad(in, TRACE_NO_RECORDER, "allocates object %u where %zu is next", obj,
		           trace->n_objects);
	objects = grown(trace->objects, trace->n_objects, &in->objects_room,
	                sizeof(*objects));
	if (!objects)
		return failed(in, ENOMEM, TRACE_SHORTER);
	trace->objects = objects;
	objects[trace->n_objects++] = (struct trace_object){bytes, thread, 0};
	return 0;
}

static int add_free(struct reader *in, uint32_t obj)
{
	struct trace *trace = in->trace;

	if (obj >= trace->n_objects)
		return bad(in, TRACE_NO_RECORDER, "frees object %u, which no record allocates",
		           obj);
	if (trace->objects[obj].freed)
		return bad(in, TRACE_NO_RECORDER, "frees object %u a second time", obj);
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
	if (trace->n_events == TRACE_EVENTS_MAX)
		return bad(in, TRACE_SHORTER, "more than %u are too many",
		           TRACE_EVENTS_MAX);
	if (!at[1])
		return bad(in, TRACE_NO_RECORDER, "thread 0: threads count from 1");
	if (at[0] == TRACE_ALLOC)
		error = add_alloc(in, at[1], bytes, obj);
	else if (at[0] == TRACE_FREE)
		error = add_free(in, obj);
	else
		return bad(in, TRACE_NO_RECORDER, "unknown op %u (1 allocates, 2 frees)", at[0]);
	if (error)
		return error;
	events = grown(trace->events, trace->n_events, &in->events_room,
	               sizeof(*events));
	if (!events)
		return failed(in, ENOMEM, TRACE_SHORTER);
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
		return bad(in, TRACE_FORMAT, "no trace: it does not start with " MAGIC);
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

static int cut_off(struct reader *in, const char *why)
{
	return bad(in, TRACE_AGAIN, "the file is cut off: %s", why);
}

/* Unpacks one chunk of the file. */
static int add_packed(struct reader *in, struct unpack *unpack)
{
	unsigned char out[65536];
	size_t n;

	for (;;) {
		int error = unpack_next(unpack, out, sizeof(out), &n);

		if (error)
			return bad(in, TRACE_AGAIN, "zstd: %s", unpack->why);
		if (n == 0)
			return 0;
		error = add_bytes(in, out, n);
		if (error)
			return error;
	}
}

static int check_end(struct reader *in, const struct unpack *unpack)
{
	char why[64];

	if (unpack->is_open)
		return cut_off(in, "its zstd frame goes on");
	if (!in->in_records)
		return bad(in, TRACE_FORMAT,
		           "no trace: it ends before the magic " MAGIC);
	if (!in->part_bytes)
		return 0;
	snprintf(why, sizeof(why), "%zu bytes of %u", in->part_bytes,
	         RECORD_BYTES);
	return cut_off(in, why);
}

/* As much of the file as there is, or of a buffer. */
static ssize_t fill(int fd, unsigned char *at, size_t size)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < size && got > 0) {
		got = read(fd, at + n, size - n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			n += (size_t)got;
	}
	return got < 0 ? -errno : (ssize_t)n;
}

/* Packed or not: the first chunk tells. */
static int add_chunk(struct reader *in, struct unpack *unpack,
                     const unsigned char *at, size_t bytes, uint64_t before)
{
	if (before == 0 && unpack_is_packed(at, bytes)) {
		int error = unpack_begin(unpack);

		if (error == -ENOSYS)
			return bad(in, TRACE_UNPACK,
			           "slabctl was built without libzstd");
		if (error)
			return failed(in, -error, TRACE_SHORTER);
	}
	if (!unpack->state)
		return add_bytes(in, at, bytes);
	unpack->at = at;
	unpack->bytes = bytes;
	return add_packed(in, unpack);
}

static int read_all(struct reader *in, int fd, struct unpack *unpack)
{
	static unsigned char chunk[65536];
	uint64_t done = 0;
	ssize_t n;

	while ((n = fill(fd, chunk, sizeof(chunk))) > 0) {
		int error = add_chunk(in, unpack, chunk, (size_t)n, done);

		if (error)
			return error;
		done += (uint64_t)n;
		progress_say(in->progress, "reading", done, in->file_bytes);
	}
	if (n < 0)
		return failed(in, (int)-n, TRACE_NAME);
	return check_end(in, unpack);
}

int trace_load(struct trace *trace, const char *path,
               const struct progress *progress, struct trace_fault *fault)
{
	struct reader in = {.path = path, .trace = trace, .fault = fault,
	                    .progress = progress};
	struct stat st;
	int fd, error;

	memset(trace, 0, sizeof(*trace));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(&in, errno, TRACE_NAME);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		in.file_bytes = (uint64_t)st.st_size;
	error = read_all(&in, fd, &trace->unpack);
	close(fd);
	trace->events_bytes = in.events_room * sizeof(*trace->events);
	trace->objects_bytes = in.objects_room * sizeof(*trace->objects);
	if (error)
		trace_drop(trace);
	return error;
}

void trace_drop(struct trace *trace)
{
	if (trace->events)
		munmap(trace->events, trace->events_bytes);
	if (trace->objects)
		munmap(trace->objects, trace->objects_bytes);
	unpack_end(&trace->unpack);
	memset(trace, 0, sizeof(*trace));
}
