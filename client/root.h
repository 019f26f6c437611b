/* SPDX-License-Identifier: MIT */
/* Roots: what of them other parts of the library need. */
#ifndef CLIENT_ROOT_H
#define CLIENT_ROOT_H

#include "client/types.h"

/* Asks slabd to make an object that a root has a gift to this client. 0, or -1 with
 * errno: it stays the root's then. */
int root_release(struct slabd_pool *pool, slabd_handle handle);

/* The same of n at once, 2 to ROOT_RELEASE_MOST; who takes each sees what came of it. */
#define ROOT_RELEASE_MOST 9u
void root_release_more(struct slabd_pool *pool, const slabd_handle *handles,
                       uint32_t n);

/* Whether this client may give an object away, as slabd_give looks. 0, or -1 with
 * errno. */
int give_check(const struct slabd_pool *pool, const void *object);

#endif
