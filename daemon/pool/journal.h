/* SPDX-License-Identifier: MIT */
/*
 * What slabd alone knows of a pool and must not lose when it is killed: a small
 * memfd beside the pool's files, in the vault with them, never passed to a
 * client.
 *
 *   made, state MAKING -> files made, faulted in, put in the vault -> WHOLE
 *
 * A slabd that finds a ledger in state MAKING gives the hugepages back that it
 * names and makes the pool anew: no client has ever seen it.
 */
#ifndef DAEMON_POOL_JOURNAL_H
#define DAEMON_POOL_JOURNAL_H

#include "numa/backing.h"
#include "shm/layout.h"

#define LEDGER_MAGIC UINT64_C(0x314c4744424c53) /* "SLBDGL1" */
#define LEDGER_VERSION 1u
#define LEDGER_TEXT 200u

enum ledger_state { LEDGER_MAKING, LEDGER_WHOLE };

struct ledger_node {
	uint32_t os_id;
	uint32_t kind; /* enum backing_kind */
	uint32_t bound;
	uint32_t spare;
	uint64_t file_bytes;
	uint64_t start_pages;
	char note[LEDGER_TEXT];
	char reason[LEDGER_TEXT];
	char remedy[LEDGER_TEXT];
};

/* All of it is slabd's own: (D). state is written last. */
struct ledger {
	uint64_t magic;
	uint32_t version;
	uint32_t state;
	char name[NAME_BYTES]; /* of the pool */
	uint64_t instance;     /* as in its head */
	uint32_t n_nodes;
	uint32_t last_id; /* handed out most recently */
	uint64_t spare[8];
	struct backing_ledger pages[TOPO_NODES_MAX];
	struct ledger_node node[TOPO_NODES_MAX];
};

/* Makes one for a pool, in state MAKING. The descriptor, or -errno. */
int ledger_make(const char *pool, struct ledger **out);

/* Maps one that was kept. 0, -EPROTO another version, -EINVAL no ledger of
 * that pool; text says so. */
int ledger_map(int fd, const char *pool, struct ledger **out, char *text,
               size_t text_bytes);

void ledger_unmap(struct ledger *ledger);

/* Notes what backing_open made. */
void ledger_note(struct ledger *ledger, const struct backing *backing);

#endif
