/* SPDX-License-Identifier: MIT */
/* Handles of threads' magazines, which outlive their cache where a program keeps
 * them. */
#ifndef CLIENT_LOCAL_H
#define CLIENT_LOCAL_H

#include "client/types.h"

/* Its cache ends: whoever has a handle is refused from now on. Their slots become
 * others' last of all (process_note_handle). Under process_lock, once the magazines
 * are empty. */
void local_end(struct cache *cache);

#endif
