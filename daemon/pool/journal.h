/* SPDX-License-Identifier: MIT */
/*
 * What slabd alone knows of a pool and must not lose when it is killed: a small
 * memfd beside the pool's files, in the descriptor store with them, never
 * passed to a client. Where the pool adds hugepages to the system it is a file
 * with a name (pool/ledger.h), for who has no store, or lost it.
 *
 *   made, state MAKING -> files made, faulted in, put in the descriptor store -> WHOLE
 *
 * A slabd that finds a journal in state MAKING gives the hugepages back that it
 * names and makes the pool anew: no client has ever seen it.
 */
#ifndef DAEMON_POOL_JOURNAL_H
#define DAEMON_POOL_JOURNAL_H

#include "daemon/base/remedy.h"
#include "numa/backing.h"
#include "shm/layout.h"

#define JOURNAL_MAGIC UINT64_C(0x314c4744424c53) /* "SLBDGL1" */
#define JOURNAL_VERSION 1u
#define JOURNAL_TEXT 200u

enum journal_state { JOURNAL_MAKING, JOURNAL_WHOLE };

struct journal_node {
	uint32_t os_id;
	uint32_t kind; /* enum backing_kind */
	uint32_t bound;
	uint32_t spare;
	uint64_t file_bytes;
	uint64_t start_pages;
	char note[JOURNAL_TEXT];
	char reason[JOURNAL_TEXT];
	char remedy[JOURNAL_TEXT];
};

/* The settings that a pool was made of; all zero: not known. */
struct journal_made {
	uint64_t max_bytes;
	uint64_t start_bytes; /* or of a later file, if that has more */
	uint32_t max_percent;
	uint32_t page; /* enum config_page */
};

/* All of it is slabd's own: (D). state is written last. */
struct journal {
	uint64_t magic;
	uint32_t version;
	uint32_t state;
	char name[NAME_BYTES]; /* of the pool */
	uint64_t instance;     /* as in its head */
	uint32_t n_nodes;
	uint32_t last_id; /* handed out most recently */
	uint64_t boot[2]; /* the machine's start that it was made in; 0: unknown */
	struct journal_made made;
	uint64_t control_ino; /* of its control file; 0: none yet, not known */
	uint64_t owner_pid;   /* of the slabd that serves it; 0: not known */
	uint64_t owner_began; /* see proc_ticks */
	struct backing_journal pages[TOPO_NODES_MAX];
	struct journal_node node[TOPO_NODES_MAX];
};

/* Makes one for a pool, in state MAKING. The descriptor, or -errno. */
int journal_make(const char *pool, struct journal **out);

/* The same in a file that is all zeroes; 0 or -errno. */
int journal_begin(int fd, const char *pool, struct journal **out);

/* Maps one that was kept, of any pool if that is NULL. 0, -EPROTO another
 * version, -EINVAL no journal of that pool; why says so. */
int journal_map(int fd, const char *pool, struct journal **out,
                struct remedy *why);

/* The same to be read alone, by a descriptor that need not write: slabd may change
 * it meanwhile. */
int journal_look(int fd, const char *pool, struct journal **out,
                 struct remedy *why);

/* Whether a file is one that nobody but this user can have written. */
bool journal_is_private(int fd);

void journal_unmap(struct journal *journal);

/* Notes which file its control file is. */
void journal_note_control(struct journal *journal, int fd);

/* Notes what backing_open made. */
void journal_note(struct journal *journal, const struct backing *backing);

#endif
