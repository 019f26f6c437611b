/* SPDX-License-Identifier: MIT */
/*
 * The journal of a pool that adds hugepages to the system, as a file beside
 * slabd's control socket: so that they are found and given back when nobody is
 * left who keeps it, as after a SIGKILL without a service manager.
 *
 *   made, locked -> hugepages added, removed -> pool ended: given back, unlinked
 *
 * The lock is flock's: it belongs to the open file, of which slabd and whoever
 * keeps descriptors for it have copies, and ends with the last of them. A file
 * that can be locked is nobody's, and what it names is given back by the slabd
 * that locked it. Cut short, that is taken up by the next one, as the journal
 * says what is half done.
 */
#ifndef DAEMON_POOL_LEDGER_H
#define DAEMON_POOL_LEDGER_H

#include "daemon/pool/journal.h"

/* Where they are: in the folder of this file. Before any other call; without
 * it there are none. */
void ledger_place(const char *beside);

/* Makes one for a pool as journal_make does, locked: the descriptor, or
 * -errno. */
int ledger_make(const char *pool, struct journal **out);

/* The pool has ended. One that owes hugepages still stays for the next start:
 * they are in use, and beside free ones of others. */
void ledger_remove(const struct journal *journal);

/* Gives back what one names, whatever nodes there are now; in_use: processes may
 * have its files mapped still. */
void ledger_pay(const struct journal *journal, const struct topo *topo,
                bool in_use);

/* Whether processes that can be looked into have the pool mapped. */
bool ledger_is_mapped(const struct journal *journal);

/* Gives back what those name that are nobody's, and removes them once nothing
 * is left. */
void ledger_settle(const struct topo *topo);

#endif
