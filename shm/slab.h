/* SPDX-License-Identifier: MIT */
/*
 * Slabs: runs of one cache's objects. Takes units of data and a run of tag
 * lines from slabd, hands out objects by the run to whoever claims them.
 *
 *   carve     0 -> slab      slabd, on units that are nobody's
 *   claim     free -> owned  a client, under the slab's lease
 *   release   owned -> free  the owner, without a lease
 *   sweep     dead -> free   slabd, told by a pidfd, where the dead were
 *   reclaim   slab -> 0      slabd, under the lease, all tags free
 *   lend      list -> list'  slabd, under the lease; tags stay as they are
 *   rehome    home -> home'  slabd, when the slab's page was moved
 *
 *              | claim          release          sweep         reclaim
 *   claim      | lease          disjoint tags    disjoint      lease
 *   release    |                disjoint tags    disjoint      an owned tag
 *              |                                               forbids it
 */
#ifndef SHM_SLAB_H
#define SHM_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/slab_find.h"
#include "shm/tags.h"
#include "shm/view.h"

#define SLAB_RUN_MAX 256u

/* Who claims or releases. */
struct slab_user {
	const struct view *view;
	char *data;     /* where the pool's data is mapped here */
	uint32_t id;    /* 1..CLIENT_ID_MAX */
	uint32_t epoch; /* low 16 bits go into leases */
	bool home_only; /* claims nothing that is lent to a list */
	bool counts;    /* the caller counts what is remote, not the claim */
};

/* Tag lines that a slab of a cache takes. */
uint32_t slab_lines(const struct layout_cache *cache);

/* The object at an offset of the pool's data. 0; -EINVAL: none starts there. */
int slab_locate(const struct view *view, uint64_t off,
                struct slab_place *place);

/*
 * Claims up to want (<= SLAB_RUN_MAX) objects of a cache from a node's list
 * into out: the node's own slabs first, lowest first, then those that are lent
 * to it, and within a slab on from the last claim. Returns how many: 0 when the
 * list has nothing to claim right now. Stops at a quarter of want rather than
 * walk many slabs. *ring is set when slabd ought to be told that the list is
 * low. Lock-free: slabs whose lease is held are passed over.
 */
uint32_t slab_claim_any(const struct slab_user *user, uint32_t cache,
                        uint32_t node, uint32_t want, void **out, bool *ring);

/* Frees n (<= SLAB_RUN_MAX) objects of this user. Returns how many were
 * refused: not an object, or not the user's. Wait-free. */
uint32_t slab_release_any(const struct slab_user *user, uint32_t n,
                          void *const *objects);

/* Sets the slab's bit on its list if the tags say so. */
void slab_relist_any(const struct view *view, uint32_t head);

/* Makes a slab of free units, on a node's list; tag_line is a run of slab_lines()
 * lines that is nobody's. */
void slab_carve_srv(const struct view *view, uint32_t head, uint32_t cache,
                    uint32_t home, uint32_t list, uint32_t tag_line);

/* Empties the units of a slab. 0; -EBUSY its lease is held or a tag not free. */
int slab_reclaim_srv(const struct view *view, uint32_t head);

/* Lends a slab to a node's list, or returns it to its home's. 0; -EINVAL no slab
 * begins here; -EBUSY its lease is held. */
int slab_lend_srv(const struct view *view, uint32_t head, uint32_t list);

/*
 * Gives a slab, whose page was moved, another home, and puts it on a list: that of
 * the new home, unless it is lent. Takes no lease, since a client may stand still with
 * it: a claim under it at the same time takes free tags as ever, and may set a
 * bit on the list that the slab came from, which the next claim there clears.
 * 0, or -EINVAL: no slab begins here.
 */
int slab_rehome_srv(const struct view *view, uint32_t head, uint32_t home, uint32_t list);

/* What slab_repair_srv met. */
enum slab_repair {
	SLAB_REPAIR_NONE, /* no slab, or the rest of one: now there is none */
	SLAB_REPAIR_SLAB, /* a slab, whole again where it was not */
};

/*
 * Looks at a unit, in ascending order from the first on, after a slabd was
 * killed: a carve or a reclaim may have been cut short, before or after its
 * head word. Units without a head are cleared; a head is given all its units
 * back, as its objects are free. end is one past the node's last ready unit.
 * What was met, or -EINVAL for words that no carve and no reclaim leaves.
 */
int slab_repair_srv(const struct view *view, uint32_t unit, uint32_t end);

/* What sweeps did. */
struct slab_swept {
	uint64_t objects, leases;
	uint64_t bits;         /* list bits that were missing */
	uint64_t looks;        /* tags that were looked at */
	uint32_t by_id[65536]; /* objects by the owner that they had */
};

/*
 * Of the slabs that begin at the units from first to before end, of one
 * granule: frees everything that is owned and not by the living, sets every
 * list bit that is due, and then breaks the leases that nobody alive holds.
 * Idempotent: a sweep cut short by the death of slabd is simply done again.
 *
 * A granule has the units of one word of the lists, so that the bits that this
 * sets are all those which a missing bit of a summary hides.
 */
void slab_sweep_srv(const struct view *view, uint32_t first, uint32_t end,
                    const struct tags_living *living,
                    struct slab_swept *swept);

#endif
