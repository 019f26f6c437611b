/* SPDX-License-Identifier: MIT */
/*
 * What a recorded process (libslabrecord.so) and slab-record share: a memfd,
 *
 *   | struct ring_file | ring 0 | ring 1 ... |
 *
 * in which each process that is recorded has one ring of events. All its threads
 * put events in, slab-record alone takes them out, and numbers objects.
 *
 * The order of a ring is the order of the program: what ends an object is put in
 * before the allocator has it, what begins one after the allocator gave it. So a
 * free stands behind its allocation, and the next object of an address behind
 * the free, whichever threads these are.
 *
 * A slot is two words, an address and what happens to it; address 0 is an empty
 * slot, whose second word is the lap in which it may be filled. Both words go in
 * by one compare-and-swap: a thread that is killed, interrupted, or left by
 * longjmp anywhere has put in all of an event or nothing, and nobody waits for
 * it. Whoever finds the slot at head full moves head on.
 *
 * slab-record reads what a program that overwrites its own memory may have
 * spoilt: it has its own tail, and takes an event that is none for damage.
 */
#ifndef RECORD_RING_H
#define RECORD_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_MAGIC UINT64_C(0x31434552424c53) /* SLBREC1 */
#define RING_EVENTS (UINT64_C(1) << 20)       /* 16 MiB */
#define RING_FILE_BYTES 4096u
#define RING_THREADS_MAX 65535u

enum ring_op {
	RING_ALLOC = 1,
	RING_FREE = 2,
	RING_MOVE = 3, /* freed by a realloc */
	RING_BACK = 4  /* that realloc failed: the object is as it was */
};

/* Fields: (C) constant, (A) atomic. */
struct ring_file {
	uint64_t magic;   /* (C) */
	uint32_t n_rings; /* (C) */
	uint32_t follow;  /* (C) other processes, too */
	int32_t program;  /* (C) the first process; it writes it before exec */
	uint32_t n_refused;    /* (A) processes that found no ring */
	uint64_t pid_ns;       /* (C) in which pids are slab-record's, too */
	pthread_mutex_t alive; /* robust; slab-record has it for life */
};

struct ring {
	/* The process that has it. 0 -> pid (attach_begin); -> 0 (stream_end, by
	 * zeroing all of it). */
	int32_t pid;
	/* 0 -> 1 (slab-record at a limit or fault, or a process that finds that
	 * slab-record is gone): nothing more goes in. Relaxed: an event more or
	 * less is as good. */
	uint32_t off;
	uint32_t n_threads;         /* (A) that put an event in */
	_Alignas(64) uint64_t head; /* the first slot that may be empty */
	_Alignas(64) uint64_t tail; /* slab-record's: all below are taken */
	uint32_t turn;              /* (A) counts takes, to sleep on */
	uint32_t n_waiting;         /* (A) not 0: somebody sleeps on turn */
	_Alignas(4096) uint64_t slots[RING_EVENTS][2];
};

/* An event's second word. */
static inline uint64_t ring_what(enum ring_op op, unsigned thread,
                                 uint32_t bytes)
{
	return (uint64_t)op << 48 | (uint64_t)thread << 32 | bytes;
}

/* The calling process's namespace of pids; 0 where that can't be told. */
uint64_t ring_pid_ns(void);

/* Puts an event in; waits while the ring is full, but for no slab-record that
 * is gone. Any thread, and any signal handler; errno stays. */
void ring_put(struct ring *ring, struct ring_file *file, uint64_t addr,
              uint64_t what);

/* Takes at most n events from *tail on, in order; how many. slab-record. */
unsigned ring_take(struct ring *ring, uint64_t *tail, unsigned n,
                   uint64_t (*events)[2]);

#endif
