/* SPDX-License-Identifier: MIT */
/* What all pools of a process share: one lock and the magazine slots. */
#ifndef CLIENT_PROCESS_H
#define CLIENT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct cache;

/* One more with each fork that slabd_open was called after. Changes only where
 * no other thread is a client. */
extern uint64_t process_generation;

/* The process-wide lock over threads, slots and caches. Never held while
 * slabd is talked to. */
void process_lock(void);
void process_unlock(void);

/* Under the lock, by who has work for long: lets others have it first. Whether
 * any waited; then what is under the lock may be other than before. */
bool process_give_way(void);

/* Threads that share what a process keeps for them, one as a rule: what several
 * do at the same time is then at several places. The calling thread's. */
#define PROCESS_SHARDS 8u
extern __thread uint32_t process_shard
	__attribute__((tls_model("initial-exec")));
/* The generation in which the calling thread owns its shard: of the threads that
 * share one, none or one. */
extern __thread uint64_t process_shard_own
	__attribute__((tls_model("initial-exec")));
#define PROCESS_SHARD_OWN UINT32_C(0x80000000) /* in process_enter_shard's */

static inline bool process_owns_shard(void)
{
	return process_shard_own == process_generation;
}

/* What the threads of a shard do to a process's books of a pool, apart from the
 * others' and from what lies beside it: where they meet in one line, or in two
 * that are fetched together, each waits for it. credit and own are bytes of
 * depot_bytes that no depot holds. */
struct shard {
	char before[128];
	int64_t own;    /* (A) stored by the shard's owner alone; relaxed */
	int64_t credit; /* (A) all others' */
	uint64_t gets; /* (A) parts from and to depots, all of them; relaxed: */
	uint64_t puts; /*     whole batches of SHARD_BATCH are in the stats */
	char after[96];
};
#define SHARD_BATCH 64u

/* The calling thread is one of the shard with the fewest, which is returned, with
 * PROCESS_SHARD_OWN if it owns that; a thread is no longer. Under the lock. */
uint32_t process_enter_shard(void);
void process_leave_shard(uint32_t shard);

/* Starts the process's books, anew in a forked child, where forget is called
 * under a lock of its own; thread_end is called with the mark of each thread
 * that ends. 0 or -ENOMEM. */
int process_start(void (*thread_end)(void *), void (*forget)(void));

/* What thread_end is called with as the calling thread ends; NULL: it is not
 * called. 0 or an error's number. */
int process_mark_thread(const void *mark);

/* Whether that is the generation of a living client. */
bool process_is(uint64_t generation);

/* A slot for a cache, or -EMFILE; whether there is one. Under the lock. */
int process_take_slot(struct cache *cache);
bool process_has_slot(void);
void process_drop_slot(uint32_t slot);

/* That slabd_local_of was called of the slot's cache: it is another's last of all.
 * Lock-free. */
void process_note_handle(uint32_t slot);

/* Whether a cache is one that has a slot, whatever it points at. Under the lock. */
bool process_has_cache(const struct cache *cache);

/* The cache of a slot. Lock-free. */
struct cache *process_cache_of(uint32_t slot);

#endif
