/* SPDX-License-Identifier: MIT */
/* What a client asks of roots: see shm/wire.h. */
#ifndef SHM_WIRE_ROOT_H
#define SHM_WIRE_ROOT_H

#include "shm/wire.h"

/* Each may be asked again, and is done once: a root that is otherwise than it was
 * when the client looked (former) is answered EAGAIN. */
enum wire_root_op {
	WIRE_ROOT_OPEN = 1, /* the root of a name, made where there is none; the
	                       reply's cache is its id */
	WIRE_ROOT_SET,  /* it names an object, which is the root's then */
	WIRE_ROOT_END,  /* it ends */
	WIRE_ROOT_TAKE, /* an object of any root is a gift to the client */
	WIRE_ROOT_TAKE_MORE, /* the same of several, up to the first that is not
	                        to be had; 0 where the first one is */
};
#define WIRE_ROOT_MORE (NAME_BYTES / 8)

struct wire_root {
	struct wire_head head;
	uint32_t op;
	uint32_t n_more; /* of TAKE_MORE, up to WIRE_ROOT_MORE; else zero */
	uint64_t handle; /* of shm/handle.h; of SET and TAKE */
	uint64_t former; /* what SET and END are to find named, 0: nothing */
	union {
		char name[NAME_BYTES];
		uint64_t more[WIRE_ROOT_MORE]; /* handles after the first */
	};
};

#endif
