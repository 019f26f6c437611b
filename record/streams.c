/* SPDX-License-Identifier: MIT */
#include "record/streams.h"

#include "record/say.h"
#include "shm/atom.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct ring *ring_at(const struct streams *streams, unsigned i)
{
	return (struct ring *)((char *)streams->file + RING_FILE_BYTES +
	                       i * sizeof(struct ring));
}

/* Whoever waits for room in a ring sees by its owner's death that slab-record is
 * gone. */
static int hold(pthread_mutex_t *alive)
{
	pthread_mutexattr_t kind;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(alive, &kind);
	pthread_mutexattr_destroy(&kind);
	return -pthread_mutex_lock(alive);
}

static int make_rings(struct streams *streams)
{
	size_t bytes = RING_FILE_BYTES + streams->n * sizeof(struct ring);
	void *at;
	streams->fd = memfd_create("slab-record", MFD_CLOEXEC);
	if (streams->fd < 0 || ftruncate(streams->fd, (off_t)bytes) < 0)
		return -errno;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, streams->fd,
	          0);
	if (at == MAP_FAILED)
		return -errno;
	streams->file = at;
	streams->file->magic = RING_MAGIC;
	streams->file->n_rings = streams->n;
	streams->file->follow = streams->options->follow;
	streams->file->pid_ns = ring_pid_ns();
	streams->all = calloc(streams->n, sizeof(*streams->all));
	if (streams->all == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < streams->n; i++) {
		streams->all[i].ring = ring_at(streams, i);
		streams->all[i].pidfd = -1;
	}
	return hold(&streams->file->alive);
}

static void name_file(struct streams *streams)
{
	const char *program = streams->options->program[0];
	const char *slash = strrchr(program, '/');
	if (streams->options->file != NULL)
		snprintf(streams->path, sizeof(streams->path), "%s",
		         streams->options->file);
	else
		snprintf(streams->path, sizeof(streams->path), "%s.trace.zst",
		         slash != NULL ? slash + 1 : program);
}

int streams_make(struct streams *streams, const struct options *options)
{
	int r;
	memset(streams, 0, sizeof(*streams));
	streams->options = options;
	streams->n = options->follow ? STREAMS_MAX : 1;
	r = make_rings(streams);
	if (r < 0) {
		say_error(r == -EFBIG ? "16 MiB to share with the program are "
		                        "above ulimit -f"
		                      : "no memory to share with the program",
		          r);
		return -1;
	}
	name_file(streams);
	r = out_open(&streams->out, streams->path);
	if (r < 0) {
		say_error(streams->path, r);
		return -1;
	}
	return 0;
}

void streams_cancel(struct streams *streams)
{
	out_cancel(&streams->out, streams->path);
}

void streams_begin(struct streams *streams, int32_t program)
{
	streams->program = program;
	streams->fault = out_begin(&streams->out);
}

/* FILE.PID, before the endings of a trace's name, and -2 for the second of that
 * process, by exec. */
static void name_other(const struct streams *streams, struct stream *stream)
{
	static const char *const ends[] = {".trace.zst", ".zst", ".trace", ""};
	size_t len = strlen(streams->path), stem = 0;
	const char *end = "";
	for (unsigned i = 0; i < 4; i++) {
		end = ends[i];
		stem = len - strlen(end);
		if (len > strlen(end) && strcmp(streams->path + stem, end) == 0)
			break;
	}
	for (unsigned i = 1; i < 1000; i++) {
		char nth[16] = "";
		if (i > 1)
			snprintf(nth, sizeof(nth), "-%u", i);
		snprintf(stream->path, sizeof(stream->path), "%.*s.%d%s%s",
		         (int)stem, streams->path, (int)stream->pid, nth, end);
		if (access(stream->path, F_OK) < 0)
			return;
	}
}

static bool open_other(const struct streams *streams, struct stream *stream)
{
	int r;
	name_other(streams, stream);
	r = stream_open(stream);
	if (r == 0)
		r = out_begin(&stream->out);
	if (r == 0)
		return true;
	stream->fault = r;
	return false;
}

static void close_one(struct streams *streams, struct stream *stream)
{
	if (!stream_close(stream))
		streams->is_failed = true;
}

/* A process that comes again has become another program. */
static void start(struct streams *streams, struct stream *stream, int32_t pid)
{
	for (unsigned i = 0; i < streams->n; i++)
		if (streams->all[i].pid == pid)
			close_one(streams, &streams->all[i]);
	stream->pid = pid;
	stream->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	stream->limit = streams->options->limit;
	if (pid != streams->program || streams->was_there)
		return;
	streams->was_there = true;
	memcpy(stream->path, streams->path, sizeof(stream->path));
	stream_adopt(stream, &streams->out);
	if (streams->fault < 0)
		stream_give_up(stream, streams->fault);
}

static bool has_ended(const struct stream *stream)
{
	struct pollfd ended = {.fd = stream->pidfd, .events = POLLIN};
	return stream->pidfd < 0 || poll(&ended, 1, 0) > 0;
}

bool streams_take(struct streams *streams)
{
	bool any = false;
	for (unsigned i = 0; i < streams->n; i++) {
		struct stream *stream = &streams->all[i];
		int32_t pid;
		bool ended;
		if (stream->pid == 0) {
			/* pairs: attach_begin */
			pid = atom_load_acquire(&stream->ring->pid);
			if (pid == 0)
				continue;
			start(streams, stream, pid);
		}
		ended = has_ended(stream);
		if (!stream->is_open && stream_has_any(stream) &&
		    !open_other(streams, stream))
			stream_give_up(stream, stream->fault);
		if (stream_take(stream) > 0)
			any = true;
		else if (ended)
			close_one(streams, stream);
	}
	return any;
}

void streams_flush(struct streams *streams)
{
	for (unsigned i = 0; i < streams->n; i++)
		if (streams->all[i].is_open)
			stream_flush(&streams->all[i]);
}

bool streams_end(struct streams *streams)
{
	uint32_t n_refused = atom_load(&streams->file->n_refused);
	while (streams_take(streams))
		continue;
	for (unsigned i = 0; i < streams->n; i++)
		if (streams->all[i].pid != 0)
			close_one(streams, &streams->all[i]);
	if (!streams->was_there) {
		say_unrecorded(streams->options->program[0]);
		out_close(&streams->out);
		streams->is_failed = true;
	}
	if (streams->options->follow && n_refused > 0)
		say_refused(n_refused, streams->n);
	return !streams->is_failed;
}
