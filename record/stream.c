/* SPDX-License-Identifier: MIT */
#include "record/stream.h"

#include "record/say.h"
#include "shm/atom.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH 4096u
#define BATCHES 16u

static void stop(struct stream *stream, enum stream_end end, int fault)
{
	if (stream->end != STREAM_GOES_ON)
		return;
	stream->end = end;
	stream->fault = fault;
	atom_store(&stream->ring->off, 1);
	say_stop(stream);
}

int stream_open(struct stream *stream)
{
	int r = out_open(&stream->out, stream->path);
	stream->is_open = r == 0;
	return r;
}

void stream_adopt(struct stream *stream, const struct out *out)
{
	stream->out = *out;
	stream->is_open = true;
}

bool stream_has_any(const struct stream *stream)
{
	const uint64_t *slot = stream->ring->slots[stream->tail % RING_EVENTS];
	return atom_load(&slot[0]) != 0;
}

void stream_give_up(struct stream *stream, int fault)
{
	stop(stream, STREAM_FAULT, fault);
}

/* One record. False: no more is recorded. */
static bool put(struct stream *stream, enum out_op op, unsigned thread,
                const struct live_object *obj)
{
	int r;
	if (stream->limit != 0 && stream->n_events == stream->limit) {
		stop(stream, STREAM_LIMIT, 0);
		return false;
	}
	r = out_put(&stream->out, op, thread, op == OUT_ALLOC ? obj->bytes : 0,
	            obj->number);
	if (r < 0) {
		stop(stream, STREAM_FAULT, r);
		return false;
	}
	stream->n_events++;
	if (thread > stream->n_threads)
		stream->n_threads = thread;
	return true;
}

static bool end_object(struct stream *stream, unsigned thread, uint64_t addr,
                       struct live_object *obj)
{
	if (!live_take(&stream->live, addr, obj))
		return false;
	stream->live_bytes -= obj->bytes;
	put(stream, OUT_FREE, thread, obj);
	return true;
}

static void begin_object(struct stream *stream, unsigned thread, uint64_t addr,
                         uint32_t bytes)
{
	struct live_object obj = {addr, (uint32_t)stream->n_objects, bytes};
	struct live_object before;
	int r;
	if (end_object(stream, thread, addr, &before))
		stream->n_unseen++;
	if (stream->n_objects > UINT32_MAX) {
		stop(stream, STREAM_NUMBERS, 0);
		return;
	}
	r = live_add(&stream->live, &obj);
	if (r < 0) {
		stop(stream, STREAM_FAULT, r);
		return;
	}
	if (!put(stream, OUT_ALLOC, thread, &obj))
		return;
	stream->n_objects++;
	stream->live_bytes += bytes;
	if (stream->live.n > stream->peak_objects)
		stream->peak_objects = stream->live.n;
	if (stream->live_bytes > stream->peak_bytes)
		stream->peak_bytes = stream->live_bytes;
}

/* 1 MiB, of which a page is used for each 256 threads. */
static struct live_object *moved_by(struct stream *stream, unsigned thread)
{
	if (stream->moved == NULL)
		stream->moved =
			calloc(RING_THREADS_MAX + 1, sizeof(*stream->moved));
	return stream->moved != NULL ? &stream->moved[thread] : NULL;
}

static void take_event(struct stream *stream, uint64_t addr, uint64_t what)
{
	unsigned thread = (unsigned)(what >> 32) & RING_THREADS_MAX;
	struct live_object *moved = moved_by(stream, thread);
	struct live_object obj = {0};
	if (moved == NULL) {
		stop(stream, STREAM_FAULT, -ENOMEM);
		return;
	}
	switch (thread != 0 ? what >> 48 : 0) {
	case RING_ALLOC:
		begin_object(stream, thread, addr, (uint32_t)what);
		break;
	case RING_FREE:
	case RING_MOVE:
		if (!end_object(stream, thread, addr, &obj))
			stream->n_unknown++;
		if (what >> 48 == RING_MOVE)
			*moved = obj;
		break;
	case RING_BACK:
		if (moved->addr == addr)
			begin_object(stream, thread, addr, moved->bytes);
		break;
	default:
		stream->n_damaged++;
	}
}

unsigned stream_take(struct stream *stream)
{
	static uint64_t events[BATCH][2];
	unsigned all = 0;
	for (unsigned i = 0; i < BATCHES; i++) {
		unsigned n =
			ring_take(stream->ring, &stream->tail, BATCH, events);
		for (unsigned e = 0; e < n && stream->end == STREAM_GOES_ON;
		     e++)
			take_event(stream, events[e][0], events[e][1]);
		all += n;
		if (n < BATCH)
			break;
	}
	return all;
}

void stream_flush(struct stream *stream)
{
	int r = stream->end == STREAM_FAULT ? 0 : out_flush(&stream->out);
	if (r < 0)
		stop(stream, STREAM_FAULT, r);
}

/* All of the ring is zero again, as it was made: what is written to it by a
 * process that maps it still is nobody's. */
static void stream_end(struct stream *stream)
{
	struct ring *ring = stream->ring;
	if (stream->pidfd >= 0)
		close(stream->pidfd);
	live_drop(&stream->live);
	free(stream->moved);
	memset(stream, 0, sizeof(*stream));
	stream->ring = ring;
	stream->pidfd = -1;
	madvise(ring, sizeof(*ring), MADV_REMOVE);
}

bool stream_close(struct stream *stream)
{
	bool is_well;
	while (stream_take(stream) > 0)
		continue;
	stream_flush(stream);
	if (stream->is_open) {
		int r = out_close(&stream->out);
		if (r < 0)
			stop(stream, STREAM_FAULT, r);
		say_end(stream);
	}
	is_well = stream->end != STREAM_FAULT;
	stream_end(stream);
	return is_well;
}
