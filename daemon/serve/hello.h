/* SPDX-License-Identifier: MIT */
/*
 * The handshake: who may come in, and what they get. A refusal tells the client
 * why and what to do, and is counted.
 *
 *   newcomer   judge --> take an id --> listen to it --> welcome
 *   back       judge --> event pair --> its connection --> welcome back
 */
#ifndef DAEMON_SERVE_HELLO_H
#define DAEMON_SERVE_HELLO_H

#include "daemon/serve/peer.h"
#include "shm/wire.h"

/* Serves the hello of a pending peer. A client that is let in is listened to by
 * on_message. False: the peer is gone, refused or with its connection handed
 * to the client that is back. */
bool hello_serve(struct peer *peer, const struct wire_hello *hello,
                 event_callback_fn on_message);

#endif
