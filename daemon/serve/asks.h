/* SPDX-License-Identifier: MIT */
/* What clients ask about themselves and each other. */
#ifndef DAEMON_SERVE_ASKS_H
#define DAEMON_SERVE_ASKS_H

#include "shm/wire_channel.h"
#include "shm/wire_root.h"

struct peer;

/* The client is to have another name. */
void asks_name(struct peer *peer, const struct wire_name *msg,
               struct wire_reply *out);

/* The process of another client, to be waited for: its pidfd, which goes along
 * with the reply and stays slabd's; -1: out has the error. */
int asks_watch(const struct peer *peer, const struct wire_watch *msg,
               struct wire_reply *out);

/* Something of roots. */
void asks_root(struct peer *peer, const struct wire_root *msg,
               struct wire_reply *out);
/* A channel is opened: its ring's file, as above. */
int asks_join(struct peer *peer, const struct wire_join *msg,
              struct wire_reply *out);

/* Sends a reply, with a descriptor unless that is -1. 0, or -errno. */
int asks_reply(const struct peer *peer, const struct wire_reply *msg, int fd);

#endif
