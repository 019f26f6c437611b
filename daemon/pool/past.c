/* SPDX-License-Identifier: MIT */
#include "daemon/pool/past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "numa/memfile.h"
#include "shm/layout.h"

#define MAGIC UINT64_C(0x3154534150424c53) /* "SLBPAST1" */

static const struct {
	uint32_t slots;
	int64_t step_ns;
} shapes[PAST_RINGS] = {
	{300, CLOCK_S},
	{360, 10 * CLOCK_S},
	{720, 60 * CLOCK_S},
};

/* The file's beginning; samples follow, the first of which is what is known. */
#define FILE_BYTES (PAST_BYTES + PAST_LOG_BYTES)

struct file {
	uint64_t magic; /* written last */
	uint32_t sample_bytes;
	uint32_t n_nodes;
	uint32_t os_id[NODES_MAX];
	uint64_t seen[PAST_COUNTS]; /* what past_add was told last */
	struct {
		uint64_t n;        /* samples that ever were */
		int64_t began_ns;  /* the newest slot */
	} ring[PAST_RINGS];
};

struct past {
	struct file *file;
	uint32_t slots[PAST_RINGS];
	uint32_t first[PAST_RINGS]; /* sample of each ring's first slot */
};

static uint32_t bytes_of(uint32_t n_nodes)
{
	return (uint32_t)(sizeof(struct past_sample) +
	                  n_nodes * sizeof(struct past_node));
}

static struct past_sample *sample(const struct past *past, uint32_t ix)
{
	char *at = (char *)past->file + sizeof(*past->file);
	return (void *)(at + (size_t)ix * past->file->sample_bytes);
}

static struct past_sample *slot(const struct past *past, unsigned ring,
                                uint64_t number)
{
	return sample(past, past->first[ring] +
	                            (uint32_t)(number % past->slots[ring]));
}

/* As long as they are, or all of them shorter by the same part. */
static void divide(struct past *past, uint32_t n_nodes)
{
	uint32_t room = (PAST_BYTES - (uint32_t)sizeof(struct file)) /
	                        bytes_of(n_nodes) - 1;
	uint32_t all = 0;
	uint32_t next = 1;
	for (unsigned i = 0; i < PAST_RINGS; i++)
		all += shapes[i].slots;
	for (unsigned i = 0; i < PAST_RINGS; i++) {
		past->slots[i] = shapes[i].slots;
		if (all > room)
			past->slots[i] = shapes[i].slots * room / all;
		past->first[i] = next;
		next += past->slots[i];
	}
}

static bool is_of(const struct file *file, uint32_t n_nodes,
                  const uint32_t *os_id)
{
	return file->magic == MAGIC && file->n_nodes == n_nodes &&
	       file->sample_bytes == bytes_of(n_nodes) &&
	       memcmp(file->os_id, os_id, n_nodes * sizeof(*os_id)) == 0;
}

/* A new file is all zeroes, of which no page is there yet. */
static void begin(struct file *file, uint32_t n_nodes, const uint32_t *os_id)
{
	if (file->magic != 0)
		memset(file, 0, FILE_BYTES);
	file->n_nodes = n_nodes;
	file->sample_bytes = bytes_of(n_nodes);
	memcpy(file->os_id, os_id, n_nodes * sizeof(*os_id));
	file->magic = MAGIC;
}

int past_make(const char *pool)
{
	char name[160];
	snprintf(name, sizeof(name), "slabd-%s-history", pool);
	return memfile_create(name, BACKING_4K, FILE_BYTES);
}

int past_open(struct past **out, int fd, uint32_t n_nodes, const uint32_t *os_id,
              bool *kept)
{
	struct past *past;
	struct stat st;
	void *at;
	if (n_nodes == 0 || n_nodes > NODES_MAX || fstat(fd, &st) < 0 ||
	    st.st_size != FILE_BYTES)
		return -EINVAL;
	at = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	past = calloc(1, sizeof(*past));
	if (past == NULL) {
		munmap(at, FILE_BYTES);
		return -ENOMEM;
	}
	past->file = at;
	*kept = is_of(at, n_nodes, os_id);
	if (!*kept)
		begin(at, n_nodes, os_id);
	memset(past->file->seen, 0, PAST_CLIENTS_FROM * sizeof(uint64_t));
	divide(past, n_nodes);
	*out = past;
	return 0;
}

void past_close(struct past *past)
{
	if (past == NULL)
		return;
	munmap(past->file, FILE_BYTES);
	free(past);
}

void *past_log(const struct past *past)
{
	return (char *)past->file + PAST_BYTES;
}

struct past_sample *past_now(struct past *past)
{
	return sample(past, 0);
}

void past_add(struct past *past, enum past_count which, uint64_t stands_at)
{
	uint64_t *seen = &past->file->seen[which];
	if (stands_at > *seen)
		past_now(past)->count[which] += stands_at - *seen;
	*seen = stands_at;
}

void past_keep(struct past *past, int64_t at_ns)
{
	struct past_sample *now = past_now(past);
	struct file *file = past->file;
	now->at_ns = at_ns;
	for (unsigned i = 0; i < PAST_RINGS; i++) {
		int64_t since_ns = at_ns - file->ring[i].began_ns;
		/* Of a clock that began anew nothing is later. */
		if (file->ring[i].n == 0 || since_ns < 0 ||
		    since_ns >= shapes[i].step_ns) {
			memcpy(slot(past, i, file->ring[i].n), now,
			       file->sample_bytes);
			file->ring[i].began_ns = at_ns;
			file->ring[i].n++;
		} else {
			memcpy(slot(past, i, file->ring[i].n - 1), now,
			       file->sample_bytes);
		}
	}
}

unsigned past_ring(const struct past *past, int64_t span_ns)
{
	unsigned ring = 0;
	while (ring + 1 < PAST_RINGS &&
	       past->slots[ring] * shapes[ring].step_ns < span_ns)
		ring++;
	return ring;
}

int64_t past_step_ns(unsigned ring)
{
	return shapes[ring].step_ns;
}

/* Some may be torn, or of an older clock: each is looked at, as they are few. */
const struct past_sample *past_next(const struct past *past, unsigned ring,
                                    int64_t after_ns)
{
	const struct past_sample *found = NULL;
	uint64_t n = past->file->ring[ring].n;
	uint32_t slots = past->slots[ring];
	for (uint64_t i = n > slots ? n - slots : 0; i < n; i++) {
		const struct past_sample *s = slot(past, ring, i);
		if (s->at_ns > after_ns &&
		    (found == NULL || s->at_ns < found->at_ns))
			found = s;
	}
	return found;
}
