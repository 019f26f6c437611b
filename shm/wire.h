/* SPDX-License-Identifier: MIT */
/*
 * Messages between client and slabd, one a packet of a Unix seqpacket socket.
 *
 *   client                                    slabd
 *     | hello ------------------------------->  |  SO_PEERCRED, pidfd
 *     |  <-- welcome + events, control, shared, data 0 .. n-1
 *     | create ------------------------------>  |
 *     |  <------------------------------ reply  |
 *     | close ------------------------------->  |  a cache; no answer
 *     | remove ------------------------------>  |
 *     |  <------------------------------ reply  |
 *     | name -------------------------------->  |  what it is called
 *     |  <------------------------------ reply  |
 *     | watch ------------------------------->  |  another client's end
 *     |  <----- reply + its process, by pidfd   |
 *     | root, join, leave ------------------->  |  a root, a channel
 *     |  <----- reply, join's + its ring's file |
 *     | bye --------------------------------->  |  all magazines are flushed
 *     |  <------------------------------ reply  |  after the sweep
 *
 *   resume, when slabd is there again or the connection was lost:
 *     | hello with instance, id, epoch ---->  |  the same process, by pidfd
 *     |  <----------- welcome + events alone  |
 *
 *   when another slabd has taken the connection over, which its manager kept:
 *     |  <------------------------------- again | what was not answered, anew
 *
 *   events, a second socket pair, on which neither side ever waits:
 *     | ring -------------------------------->  |  some want bit is set
 *     |  <------------------------------- trim  |  flush what you can
 *     |  <------------------------------ drops  |  close pages that are holes
 *     |  <------------------------------ count  |  what do you hold
 *     | held -------------------------------->  |  as often as it takes; last
 *     |  <------------------------------- look  |  is anything of that wrong
 *     | found ------------------------------->  |  what no free should have left
 *
 * A client has one request under way at a time. All is native-endian: both
 * ends run on one machine. The first four fields of hello and welcome keep
 * their place for all time, so that two versions can refuse each other by name.
 */
#ifndef SHM_WIRE_H
#define SHM_WIRE_H

#include <stdint.h>

#include "shm/layout.h"

#define WIRE_ABI 4u
#define WIRE_MAGIC UINT32_C(0x64626c73) /* "slbd" */
#define WIRE_TEXT 192u
#define WIRE_BYTES_MAX 512u
#define WIRE_FDS_MAX (3u + NODES_MAX)

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_WELCOME,
	WIRE_CREATE,
	WIRE_REPLY,
	WIRE_BYE,
	WIRE_RING,
	WIRE_TRIM,
	WIRE_CLOSE,
	WIRE_REMOVE,
	WIRE_AGAIN,
	WIRE_DROPS,
	WIRE_COUNT,
	WIRE_HELD,
	WIRE_NAME,
	WIRE_WATCH,
	WIRE_LOOK,
	WIRE_FOUND,
	WIRE_ROOT,
	WIRE_JOIN,
	WIRE_LEAVE,
};

struct wire_hello {
	uint32_t magic;
	uint32_t abi;
	uint32_t type;
	uint32_t bytes; /* of this message */
	char pool[NAME_BYTES];
	/* A client that lost its slabd says who it is: see resume. 0: new. */
	uint64_t instance; /* of the pool, from its head */
	uint32_t id;
	uint32_t epoch;
	uint32_t spare[4];
};

struct wire_welcome {
	uint32_t magic;
	uint32_t abi; /* slabd's */
	uint32_t type;
	uint32_t bytes;
	int32_t error; /* 0, or an errno; then no descriptors */
	uint32_t id;
	uint32_t epoch;
	uint32_t layout_version;
	uint32_t n_nodes;
	uint32_t spare;
	uint64_t control_bytes;
	uint64_t shared_bytes;
	char text[WIRE_TEXT]; /* why not, and what to do */
};

struct wire_head {
	uint32_t type;
	uint32_t bytes;
	uint32_t seq; /* a reply carries its request's: late ones are passed over */
	uint32_t spare;
};

struct wire_create {
	struct wire_head head;
	uint64_t size;
	uint64_t align;
	uint32_t flags;
	uint32_t node; /* index of the node to carve on first */
	char name[NAME_BYTES];
};

/* The client has it open no more; what it sends over the same connection later
 * opens it anew. */
struct wire_close {
	struct wire_head head;
	uint32_t cache;
	uint32_t spare;
};

struct wire_remove {
	struct wire_head head;
	char name[NAME_BYTES];
};

/* "": as its process. */
struct wire_name {
	struct wire_head head;
	char name[NAME_BYTES];
};

/* The reply brings a descriptor, unless it has an error. One is on its way at a
 * time: nobody is to fill slabd's share of descriptors in flight. */
struct wire_watch {
	struct wire_head head;
	uint32_t id;
	uint32_t epoch; /* 0: any */
};

/* cache of an EAGAIN: descriptors go to who has read all else; ask again. */
#define WIRE_UNREAD 1u
struct wire_reply {
	struct wire_head head;
	int32_t error;
	uint32_t cache;
	char text[WIRE_TEXT];
};

/* What a client holds in magazines and depots, the answer to a count with its
 * seq. A client of before there was such a thing gives none. */
#define WIRE_HELD_ROWS 32u
#define WIRE_HELD_ALL 1u
struct wire_held_row {
	uint32_t cache;
	uint32_t node; /* home, an index */
	uint32_t objects;
};
struct wire_held {
	struct wire_head head;
	uint32_t n;    /* rows */
	/* WIRE_HELD_ALL: the answer is whole; more: so it is, and the thread of that
	 * number gave it, which does nothing else than serve slabd. */
	uint32_t last;
	struct wire_held_row rows[WIRE_HELD_ROWS];
};

/* What of that is no object of the client's, or there twice: the answer to a look
 * with its seq. A client of before there was such a thing gives none. */
#define WIRE_FOUND_ROWS 16u
enum wire_found_kind {
	FOUND_TWICE = 1, /* the object lies at two places */
	FOUND_NOT_OWN,   /* it is free, or another client's, by its tag */
	FOUND_INSIDE,    /* no object starts there */
	FOUND_KINDS,
};
struct wire_found_row {
	uint64_t off; /* in the pool's data */
	uint32_t kind;
	uint32_t spare;
};
struct wire_found {
	struct wire_head head;
	uint32_t n; /* rows */
	uint32_t spare;
	struct wire_found_row rows[WIRE_FOUND_ROWS];
};

/* bye, ring, trim, again, drops, count and look are a head alone. */

#endif
