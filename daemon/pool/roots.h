/* SPDX-License-Identifier: MIT */
/*
 * Roots: names of objects that the pool itself owns. shm/root_row.h has what is
 * stored, and what a kill of slabd leaves of each change; whoever asks may ask again,
 * and what was done is done.
 *
 * A root ends in two steps: its name goes, then its id is reaped like a client's, by
 * who has the loop (roots_over, roots_gone).
 */
#ifndef DAEMON_POOL_ROOTS_H
#define DAEMON_POOL_ROOTS_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"

/* The id of a root by its name, which need not end in zero; made where there is none.
 * -EINVAL a name that is none, -ENOSPC the pool has all that it may have, -EBUSY no
 * id is free: with why set. */
int roots_open(struct pool *pool, uint32_t client, const char *name,
               struct remedy *why);

/* It names the object of a handle, which is the client's, or the root's already;
 * what it named before (former, 0: nothing) is a gift to the client. 0; -EAGAIN it
 * names something else than former, -EPERM the object is neither's, or as
 * roots_open. */
int roots_set(struct pool *pool, uint32_t client, const char *name,
              uint64_t handle, uint64_t former, struct remedy *why);

/* It ends: what it names is a gift to the client, or of nobody where client is 0, and
 * is freed with all else that it has. 0; -EAGAIN as above, -ENOENT there is none. */
int roots_end(struct pool *pool, uint32_t client, const char *name,
              uint64_t former, struct remedy *why);

/* An object that a root has is a gift to the client; one that the root names is named
 * no more. 0, -EINVAL no such object, or -EPERM it is no root's. */
int roots_take(struct pool *pool, uint32_t client, uint64_t handle,
               struct remedy *why);

/* The row of a root that is there, by its id; NULL: none. */
const struct layout_root *roots_of(const struct pool *pool, uint32_t id);

/*
 * A client that was told that slabd is another one asks again, though that one, or
 * the one before, may have read what waited. It has the answer then, and may have given
 * the same object anew since: so what was asked last, by its number, and what came of
 * it outlive slabd. Noted before the answer: a kill of slabd before leaves a client
 * that waits, and for which it is done once more.
 */
bool roots_was_asked(const struct pool *pool, uint32_t client, uint32_t seq,
                     int32_t *error);
void roots_note_asked(struct pool *pool, uint32_t client, uint32_t seq,
                      int error);

/* Rows that were ever used, the first ones. */
uint32_t roots_n(const struct pool *pool);

/* The id of a root that ended and was not reaped, or 0; it is, so that its row may be
 * another's. */
uint32_t roots_over(const struct pool *pool);
void roots_gone(struct pool *pool, uint32_t id);

/* Finishes what a slabd before this one had begun. */
void roots_adopt(struct pool *pool);

#endif
