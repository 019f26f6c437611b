/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a pool that two processes agree on.
 *
 *   control  written by slabd, read-only for clients
 *   +------+-------+------+--------+-------+-----------+-------+-------+---------+
 *   | head | nodes | cpus | caches | marks | unit word | lines | pages | clients |
 *   +------+-------+------+--------+-------+-----------+-------+-------+---------+
 *   | opens (a bit a cache, a row a client) | names | roots | channels | joins |
 *   +---------------------------------------+-------+-------+----------+-------+
 *   shared  written by clients; slabd trusts none of it
 *   +-------+----------------+-------+---------+-------+------+-------------+
 *   | wants | leases, starts | stats | touched | lists | tags | generations |
 *   +-------+----------------+-------+---------+-------+------+-------------+
 *   data    one file a node, mapped one after the other: objects alone
 *
 * A unit is 64 KiB of data, the smallest slab. A slab is 2^order units that
 * start at its head unit, aligned to its size, inside one page. Units are
 * numbered through the whole pool: unit = offset >> UNIT_SHIFT.
 *
 * A page's state is a byte in control: 0 not faulted in, else 1 + the index of
 * the node on which it lies, which is its file's unless it was moved.
 *
 * A CPU's byte is the index of the node that it counts for, or NODE_NONE (A).
 * slabd stores it when a CPU comes online, and clients load it, both relaxed: a
 * stale one costs memory from afar until the next look, and so does a kill
 * before the store.
 *
 * Letters: (C) constant once the pool is up, (A) atomic, (D) slabd only,
 * (X) must be zero.
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define LAYOUT_MAGIC UINT64_C(0x314c544344424c53) /* "SLBDCTL1" */
#define LAYOUT_VERSION 6u

#define UNIT_SHIFT 16
#define UNIT_BYTES (UINT64_C(1) << UNIT_SHIFT)
#define GRANULE_SHIFT 6 /* 64 units, as many as a word of a list has bits */
#define PAGE_SHIFT_MIN 21
#define PAGE_SHIFT_MAX 30
#define LINE_BYTES 64u /* owner tags are handed out in cache lines */
#define TAGS_PER_LINE 32u
#define LINES_PER_UNIT 128u /* enough for a unit of the smallest objects */
#define STRIDE_MIN 16u
#define ALIGN_MAX 4096u

#define UNITS_MAX (UINT64_C(1) << 25) /* 2^32 tag lines: 2 TiB of data */
#define NODES_MAX 64u
#define CPUS_MAX 8192u
#define CACHES_MAX 4096u
#define CLIENT_IDS 32768u    /* rows, of which 0 is nobody's */
#define CLIENT_ID_MAX 32766u
#define GIFTS_WORDS 16u   /* see view_gifts_at */
#define NAME_BYTES 64u    /* with the terminating zero */
#define NODE_NONE 0xffu
#define TAG_FREE 0u
#define TAG_NONE 0xffffu /* no object here: rounds the last word up */

/* One node, by index; os_id is the kernel's id and may have gaps. 128 bytes. */
struct layout_node {
	uint32_t os_id;            /* (C) */
	uint32_t flags;            /* (A) NODE_* */
	uint64_t first_unit;       /* (C) */
	uint64_t n_units;          /* (C) what its file can hold */
	/* Pages of its own units, from the first on, of which some may be
	 * faulted in: none is beyond. Grows alone. slabd writes, relaxed:
	 * nobody looks past it. Adoption makes it anew from the pages. */
	uint64_t high_page; /* (A) */
	uint32_t backing;   /* (C) enum backing_kind of numa/ */
	/* 1: the node is being emptied. 0 <-> 1 (slabd, when told to). Relaxed:
	 * slabd alone reads it, the next slabd too. */
	uint32_t drain;             /* (A) */
	uint8_t nearest[NODES_MAX]; /* (C) node indexes, nearest first, itself
	                               first of all; n_nodes of them */
	/* Pages that lie on the node, of whatever units. slabd stores it, and
	 * clients load it to know what share they may hoard, both relaxed.
	 * Adoption makes it anew. */
	uint64_t resident_pages; /* (A) */
	uint64_t spare2[2];      /* (X) */
};
/* Set and cleared (slabd, as its CPUs come and go). Relaxed: slabd alone reads it,
 * and the next slabd looks anew. */
#define NODE_HAS_CPU 1u
#define NODE_SIMULATED 2u /* (C) */

/* One cache, written before state becomes CACHE_LIVE. 128 bytes. */
struct layout_cache {
	char name[NAME_BYTES]; /* (C) */
	uint32_t size;         /* (C) bytes asked for */
	uint32_t align;        /* (C) */
	uint32_t stride;       /* (C) bytes from object to object */
	uint32_t n_objs;       /* (C) objects a slab */
	uint64_t magic;        /* (C) ceil(2^64 / stride), see slab_index */
	uint32_t order;        /* (C) slab = UNIT_BYTES << order */
	uint32_t flags;        /* (C) CACHE_* */
	/* NONE -> LIVE (slabd, as it creates a cache), LIVE -> GONE (slabd, once
	 * no client has it open and no slab of it is left), GONE -> LIVE (slabd,
	 * another cache in its row). The release that stores LIVE pairs with the
	 * acquire in view_cache: the other fields are whole. A kill of slabd
	 * before it leaves a row that is free as it was; one before GONE a cache
	 * without slabs. The rows that were ever used come first. */
	uint32_t state;       /* (A) enum cache_state */
	uint32_t colours;     /* (C) a power of two, see slab_colour */
	uint32_t colour_step; /* (C) bytes from colour to colour */
	uint32_t version;     /* (D) of those with its name; the highest is the
	                         newest */
	int64_t used_ns;      /* (D) last opened or closed, by the monotonic clock */
	uint32_t spare[2];    /* (X) */
};
enum cache_state { CACHE_NONE, CACHE_LIVE, CACHE_GONE };

#define CACHE_STRICT 1u /* local node or NULL */
/* Of a request alone, see slabclient.h. */
#define CACHE_FIND 2u
#define CACHE_NEW 4u
#define CACHE_BESIDE 8u

/* What slabd says of one cache on one node: low mark and refusal. 8 bytes. */
struct layout_mark {
	/* Clients ring when fewer slabs than this are on the list. slabd stores
	 * it, they load it, both relaxed: a client with a stale value rings
	 * late, or once too often. */
	uint32_t low_slabs; /* (A) */
	/* MARK_*: what slabd could not give, so that nobody waits for it. Those
	 * are set (slabd, as it serves a want) and all cleared (slabd, when
	 * there is memory again or asking anew makes sense). Relaxed: grow_seq
	 * orders it. */
	uint32_t denied; /* (A) */
};
#define MARK_DENIED 1u /* anything for this list */
#define MARK_NO_OWN 2u /* slabs at home here: only lent ones are on the list */
/* Bits 8 to 15 beside MARK_DENIED: why, for the client's error line. */
#define MARK_WHY(denied) ((denied) >> 8 & 0xffu)
#define MARK_WHY_BITS(why) ((uint32_t)(why) << 8)
enum mark_why {
	MARK_WHY_UNKNOWN,
	MARK_WHY_AT_LIMIT, /* the pool's max */
	MARK_WHY_NO_UNITS, /* the kernel has none */
	MARK_WHY_PRESSED,
	MARK_WHY_DRAINED,
	MARK_WHY_MAX_WAITS, /* the pool's max, which slabd.conf has higher */
	MARK_WHYS,
};
/* Not a refusal: slabd is making slabs for this list. Set and cleared (slabd,
 * as it works ahead). A kill between leaves it until the next slabd, and
 * clients a little slow where the list is low. */
#define MARK_GROWING 4u

/* One client id. 48 bytes. */
struct layout_client {
	/* state in bits 0-7, epoch in 8-39, CLIENT_BANNED. FREE -> LIVE (slabd,
	 * attach), LIVE -> LIVE and banned (slabd, a fault of the client's),
	 * LIVE -> DEAD (slabd, pidfd or goodbye, before the sweep), DEAD ->
	 * FREE (slabd, after the second sweep). slabd stores each by a release
	 * that pairs with view_client_word: a giver that saw LIVE may still
	 * race with the death, which the second sweep repairs. The ban is
	 * relaxed, as slabd alone reads that bit; a kill before it forgets the
	 * fault. */
	uint64_t word;  /* (A) */
	int32_t pid;    /* (D) for reports; never a key */
	uint32_t uid;   /* (D) */
	int64_t since;  /* (D) monotonic seconds; of older slabds since 1970 */
	char comm[16];  /* (D) the process's name, for reports */
	uint64_t began; /* (D) when the process began, in the kernel's ticks */
};
#define CLIENT_BANNED (UINT64_C(1) << 40) /* has no way back to slabd */
enum client_state { CLIENT_FREE, CLIENT_LIVE, CLIENT_DEAD, CLIENT_CHANNEL, CLIENT_ROOT };

/* What a client calls itself, one an id. 136 bytes. */
struct layout_name {
	/* Changes so far: the name is text[turns % 2], and the other one is the
	 * next. n -> n + 1 (slabd, as the client asks, and as the id becomes
	 * another's), by a release that pairs with names_read_any. A kill before
	 * it leaves the name as it was. */
	uint32_t turns; /* (A) */
	uint32_t asked; /* (D) its last request of a root, see pool/roots.c */
	/* Zeroes after its end. slabd stores, clients load, both relaxed: turns
	 * orders them, and a kill half way leaves what nobody reads. */
	uint64_t text[2][NAME_BYTES / 8]; /* (A) */
};

/* Counts of one client id, in the shared file; see struct slabd_stats. All are relaxed
 * adds by the client's threads on their slow paths, read for reports alone; slabd zeroes
 * them at attach. A kill loses one count at the most. The word behind is abandon.h's. */
#define STATS_WORDS 16u
enum stats_word {
	STAT_REFILLS,
	STAT_REFILLED,
	STAT_FLUSHES,
	STAT_FLUSHED,
	STAT_DEPOT_GETS, STAT_DEPOT_PUTS,
	STAT_REMOTE_ALLOCS,
	STAT_REMOTE_FREES,
	STAT_RINGS,
	STAT_WAITS,
	STAT_FAILURES,
	STAT_REFUSED,
	STAT_RESUMES,
	STAT_REMOTE_WITH_ROOM,
	STAT_COUNTS,
};

#define REMOTE_WAIT_MAX_US 1000000u

/* First bytes of control. */
struct layout_head {
	uint64_t magic;         /* (C) written last: the file is whole */
	uint32_t version;       /* (C) LAYOUT_VERSION */
	uint32_t n_nodes;       /* (C) */
	uint32_t n_cpus;        /* (C) */
	uint32_t n_caches;      /* (C) rows of the cache table */
	uint32_t n_ids;         /* (C) CLIENT_IDS */
	uint32_t page_shift;    /* (C) */
	uint64_t n_units;       /* (C) of the whole pool */
	uint64_t control_bytes; /* (C) */
	uint64_t shared_bytes;  /* (C) */
	uint64_t data_hint;     /* (C) address where clients map data if free */
	char name[NAME_BYTES];  /* (C) */
	/* Counts each growth and each refusal; a futex that waiting clients
	 * sleep on. Written by slabd, release by the wake's system call; read
	 * by client waits before they look at the lists. */
	uint32_t grow_seq; /* (A) */
	/* What of the shared file has memory, beside what lies before the
	 * stats: the lists of so many caches, and so many tag lines. Both only
	 * grow (slabd, before it makes the cache or carves the slab that needs
	 * them), relaxed: the release that shows the cache or the slab orders
	 * them. Clients touch nothing beyond. A kill before the store leaves
	 * memory that nobody counts, which the next slabd gives back. */
	uint32_t ready_lists; /* (A) */
	uint64_t ready_lines; /* (A) */
	/* Counts pages that became holes again, so that clients close them.
	 * slabd, by a release after the page's byte is 0 and before its memory
	 * goes; pairs with reach_close. A kill in between is of no matter: the
	 * next slabd punches what is no page. */
	uint64_t drops;     /* (A) */
	/* For how long, in us, a client waits for growth of its own node before
	 * it takes from another. slabd stores it, when told to; clients load
	 * it; both relaxed, as an old one is as good for a while. */
	uint32_t remote_wait_us; /* (A) */
	uint32_t spare;          /* (X) */
	uint64_t instance;  /* (C) random: tells this pool from one made anew */
	uint32_t top_id;    /* (D) the highest that was ever handed out */
	uint32_t aside;     /* (D) 1: tags were lost, and nobody new comes in */
	uint32_t carves, sweeping; /* (D) so far; 1 + a sweep's granule, or 0 */
	uint64_t spare2[2]; /* (X) */
};

/*
 * The unit word, one a unit, in control. Written by slabd alone.
 *
 *    63     56 55     48 47           32 31    24 23     16 15           0
 *   +---------+---------+---------------+--------+---------+--------------+
 *   |  zero   |  list   |  units back   |  zero  |  home   | cache, 0: no |
 *   +---------+---------+---------------+--------+---------+--------------+
 *                                       '--- the key that the hit compares
 *
 * Transitions: 0 -> slab (carve), list -> list' (lend, return), home -> home'
 * (a page that moved), slab -> 0 (reclaim). Lend, return and reclaim are done
 * under the slab's lease. The release in put_words pairs with the acquire in
 * slab_locate, slab_tag_of and claim_from; the inline hit loads it relaxed, as
 * it only compares. A kill of slabd half way through a carve leaves units
 * without their head's tag lines, none of which is on a list yet; half way
 * through the others it leaves units that differ from their head in list or
 * home, which the next slabd puts right.
 */
#define WORD_CACHE(w) ((uint32_t)(w) & 0xffffu)
#define WORD_HOME(w) ((uint32_t)((w) >> 16) & 0xffu)
#define WORD_BACK(w) ((uint32_t)((w) >> 32) & 0xffffu)
#define WORD_LIST(w) ((uint32_t)((w) >> 48) & 0xffu)
#define WORD_KEY(w) ((uint32_t)(w))
#define WORD_MAKE(cache, home, back, list)                                     \
	((uint64_t)(cache) | (uint64_t)(home) << 16 | (uint64_t)(back) << 32 | \
	 (uint64_t)(list) << 48)

/* Where each table lies; computed alike by everyone from the six counts. */
struct layout_geometry {
	uint32_t n_nodes, n_cpus, n_caches, page_shift;
	uint64_t n_units;
	uint32_t small_bytes; /* a page of the kernel's, or 4 KiB if larger */
	/* control */
	uint64_t nodes_off, cpus_off, caches_off, marks_off, words_off;
	uint64_t lines_off, pages_off, clients_off, opens_off, names_off, roots_off;
	uint64_t control_bytes;
	uint64_t channels_off, joins_off, open_words; /* of a client's row of opens */
	/* shared */
	uint64_t wants_off, leases_off, starts_off, stats_off, touched_off;
	uint64_t lists_off, tags_off, gens_off, shared_bytes;
	uint64_t list_stride;    /* bytes a list */
	uint64_t list_sum_words; /* words of its summary, which comes first */
	uint64_t list_words;     /* words of its bitmap */
	uint64_t want_words;
	uint64_t n_granules;
	uint64_t touched_words; /* a client id's, whole cache lines */
	uint64_t gifts_word;    /* of these, where its gifts are counted */
};

/* Fills in the offsets from the counts, and from the kernel's pages: who shares
 * a file has the same. 0, or -EINVAL for counts out of bounds. */
int layout_compute(struct layout_geometry *geo);

/* To whole pages of the kernel's. */
static inline uint64_t layout_round_up(const struct layout_geometry *geo,
                                       uint64_t bytes)
{
	return (bytes + geo->small_bytes - 1) &
	       ~(uint64_t)(geo->small_bytes - 1);
}

/* Of data where it is mapped: its words then begin at a page of the map that has
 * one for each unit of the address space. */
static inline uint64_t layout_data_align(const struct layout_geometry *geo)
{
	return (uint64_t)geo->small_bytes / sizeof(uint64_t) * UNIT_BYTES;
}

/* Checks a mapped control head against the size of both files, and computes
 * its geometry. 0, -EPROTO another version or magic, -EINVAL damaged. */
int layout_check(const struct layout_head *head, uint64_t control_bytes,
                 uint64_t shared_bytes, struct layout_geometry *geo);

/*
 * Picks stride, slab order, colours and objects a slab of a cache. The slab is
 * the smallest whose waste is at most an eighth; where even a whole page wastes
 * more (objects over an eighth of a page), the order that wastes least.
 *
 * Objects of a power of two meet in few sets of the processor's caches. So
 * slabs begin at offsets that differ by cache lines, their colours (Bonwick,
 * "The slab allocator", 1994), as many as the stride leaves sets out. The room
 * is what the objects leave over, or one object that is at most a 32nd of the
 * slab. 0, or -EINVAL.
 */
int layout_fit_cache(uint32_t page_shift, uint64_t size, uint64_t align,
                     struct layout_cache *out);

#endif
