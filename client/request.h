/* SPDX-License-Identifier: MIT */
/* Requests to slabd. Each waits for five seconds at the most, and one is under
 * way at a time. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <stddef.h>

#include "client/link.h"

/* Sends a request, whose head it fills in with a number of its own, and waits
 * for the reply to it. One that was not answered slabd does not do later either, unless
 * it had begun it (shm/abandon.h), or it says goodbye. Where the connection is cut,
 * which is waited for, or another slabd has taken it over, the request is sent again:
 * slabd may do it twice. The reply's head.spare says how often it was. 0, or -errno:
 * -ENOTCONN slabd is gone, -ETIMEDOUT it does not answer. The reply's own error is not
 * looked at. */
int request_call(struct link *link, struct wire_head *msg, size_t bytes,
                 struct wire_reply *reply);

/* The same for one by which an object may become another's: -EINPROGRESS slabd had
 * begun it when it was last heard of, and may do it or have done it. */
int request_change(struct link *link, struct wire_head *msg, size_t bytes,
                   struct wire_reply *reply);

/* The same for a reply that brings a descriptor: *fd, which is -1 before, is the
 * caller's then. It stays -1 where the reply has an error, or this process has no
 * room for one. */
int request_descriptor(struct link *link, struct wire_head *msg, size_t bytes,
                       struct wire_reply *reply, int *fd);

/* Says goodbye, with a look of one second for a slabd that is gone. No other
 * thread uses the link any more. */
void request_bye(struct link *link);

#endif
