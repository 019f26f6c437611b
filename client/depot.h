/* SPDX-License-Identifier: MIT */
/*
 * The depot: a process's private store of half magazines of one cache whose
 * objects live on one node. Bounded, many producers, many consumers, oldest
 * first: by the time a half comes out, its lines have left the cache of the
 * core that put it in.
 *
 * A ring of cells with a turn each, after D. Vyukov's bounded MPMC queue. A
 * put or get is one compare-and-swap; a thread stopped in the middle holds up
 * its own cell alone, and the others then see a full or an empty depot.
 */
#ifndef CLIENT_DEPOT_H
#define CLIENT_DEPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/slabclient.h"

#define DEPOT_HALF (SLABD_MAGAZINE_MAX / 2)
#define DEPOT_CELLS 1024u

struct depot;

/* NULL with errno ENOMEM. Memory is taken as cells are used. */
struct depot *depot_make(void);
void depot_drop(struct depot *depot);

/* Puts n (<= DEPOT_HALF) objects. False when it is full. */
bool depot_put(struct depot *depot, uint32_t n, void *const *objects);

/* Gets up to DEPOT_HALF objects; returns how many, 0 when it is empty. */
uint32_t depot_get(struct depot *depot, void **objects);

#endif
