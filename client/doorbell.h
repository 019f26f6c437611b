/* SPDX-License-Identifier: MIT */
/* The events socket: rings to slabd, and what it asks for. Nothing here ever
 * waits. */
#ifndef CLIENT_DOORBELL_H
#define CLIENT_DOORBELL_H

#include "client/link.h"

/* Whether slabd wants to hear of this client again in this second. A list that
 * runs bare, and is filled by others, again and again is no end of reasons to
 * ring, and slabd takes too many rings for a fault. */
bool doorbell_may_ring(const struct link *link);

/* Tells slabd to look at the wants. A slabd that comes back looks at them by
 * itself. */
void doorbell_ring(struct link *link);

/* Reads the events that are there, and resumes if that is due. Whether slabd
 * is there. */
bool doorbell_poll(struct link *link);

/* Memory was seen to be short just now; whether it was a moment ago, here or
 * by slabd's word. */
void doorbell_note_short(struct link *link);
bool doorbell_is_short(const struct link *link);

#endif
