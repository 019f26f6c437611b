/* SPDX-License-Identifier: MIT */
/* What the checked mode says of a fault. */
#ifndef CLIENT_CHECKED_SAY_H
#define CLIENT_CHECKED_SAY_H

#include "client/records.h"
#include "client/types.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_NO_OBJECT,   /* it lies in no slab */
	FAULT_OTHER_CACHE, /* in one of another cache */
	FAULT_INSIDE,      /* no object starts there */
	FAULT_FREED,       /* this process freed it */
	FAULT_PUT_BY,      /* it waits for an allocation, see slabd_prefill */
	FAULT_FREE,        /* nobody has it */
	FAULT_GIFT,        /* it was given to this client, which did not take it */
	FAULT_OTHERS,      /* another client has it */
	FAULT_WRITTEN,     /* written to since it was freed */
	FAULT_CALL,        /* what the error line says */
};

struct fault {
	enum fault_kind kind;
	uint64_t off;      /* of the object; NO_OBJECT: of the address */
	uint64_t in;       /* INSIDE: bytes from its start; WRITTEN: the byte */
	uint32_t cache;    /* of which it is, or 0 */
	uint32_t owner;    /* by its tag */
	struct record was; /* what was done to it last, if that is known */
};

/* A fault of a call, with the address or handle that it was given: sets errno and
 * the error line, writes that to standard error, and aborts if that is wished. */
void checked_say(const struct slabd_pool *pool, const struct fault *fault,
                 const char *call, uint64_t what, const void *site,
                 bool aborts);

#endif
