/* SPDX-License-Identifier: MIT */
/*
 * What a pool was like: samples in three rings, each coarser and longer than the
 * one before, in a memory file of a fixed size that outlives slabd with the pool's
 * own (pool/keep.h). It is never passed to a client.
 *
 *   now   what is known; whoever samples keeps it up to date
 *   ring  a second a slot, for five minutes; ten seconds, for an hour; a minute,
 *         for twelve hours. A slot is what was known last in its time, so that
 *         each ring ends with the newest. Slots in which nobody sampled are not
 *         there: nothing was seen to change meanwhile.
 *
 * Of a machine with many nodes the rings are shorter, as PAST_BYTES stays.
 *
 * Counts only grow, over restarts of slabd too. Nothing here allocates but
 * past_open. One thread calls all of this. slabd killed in between leaves a sample
 * of which part is older, and a ring that has it or not.
 */
#ifndef DAEMON_POOL_PAST_H
#define DAEMON_POOL_PAST_H

#include <stdbool.h>
#include <stdint.h>

#define PAST_BYTES (1u << 20)
#define PAST_LOG_BYTES (160u << 10) /* behind it: see past_log */
#define PAST_RINGS 3u
#define PAST_SPAN_MAX_S 43200

/* What slabd counts itself begins anew with it; the rest is clients' own word. */
enum past_count {
	PAST_RUNG,
	PAST_GROWN,
	PAST_TAKEN,
	PAST_DENIED,
	PAST_DEATHS,
	PAST_SWEPT,
	PAST_STEPS,
	PAST_MOVED_BYTES,
	PAST_REFILLS,
	PAST_REFILLED,
	PAST_FLUSHED,
	PAST_REMOTE_ALLOCS,
	PAST_REMOTE_FREES,
	PAST_WAITS,
	PAST_FAILURES,
	PAST_COUNTS,
};
#define PAST_CLIENTS_FROM PAST_REFILLS

/* Bytes at home on a node. */
struct past_node {
	uint64_t ready;
	uint64_t carved;
	uint64_t owned; /* this and the rest: when it was counted */
	uint64_t free;
	uint64_t lent;
	uint64_t held; /* of what is owned, by the last answer of clients */
};

struct past_sample {
	int64_t at_ns;      /* by clock_ns */
	int64_t counted_ns; /* when tags were; 0: never */
	int64_t held_ns;    /* when clients were asked; 0: never */
	uint32_t clients;
	uint32_t caches;
	uint64_t count[PAST_COUNTS];
	struct past_node node[];
};

struct past;

/*
 * Opens what fd has, for these nodes, by the kernel's ids; or makes it anew there if
 * it has none, of another slabd's form, or of other nodes. fd stays the caller's.
 * 0, with *kept, or -errno.
 */
int past_open(struct past **out, int fd, uint32_t n_nodes, const uint32_t *os_id,
              bool *kept);
/* A file for it, or -errno. */
int past_make(const char *pool);
void past_close(struct past *past);

/* Zeroes at first, and then whatever was written there: what was done to even memory
 * out (balance/history.h). */
void *past_log(const struct past *past);

struct past_sample *past_now(struct past *past);

/* A count stands at so much: adds what came since it was told last. One that fell
 * began anew, or a client that counted is gone: nothing is added. */
void past_add(struct past *past, enum past_count which, uint64_t stands_at);

/* What is known goes into the rings, as of at_ns. */
void past_keep(struct past *past, int64_t at_ns);

/* The ring that reaches back so far, the finest if several do, else the last; and
 * the time that a slot of it stands for. */
unsigned past_ring(const struct past *past, int64_t span_ns);
int64_t past_step_ns(unsigned ring);

/* The first of the ring that is later than after_ns; NULL: none is. */
const struct past_sample *past_next(const struct past *past, unsigned ring,
                                    int64_t after_ns);
#endif
