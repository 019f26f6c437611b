/* SPDX-License-Identifier: MIT */
/* Nodes that are being emptied, and how far it is. */
#ifndef DAEMON_CTL_DRAIN_H
#define DAEMON_CTL_DRAIN_H

#include "daemon/ctl/render.h"

/* What is in the way of a node's being emptied, and who, from /nodes; a line
 * each. */
void ctl_drain_holders(struct ctl *c, const json_t *node);

/* Shows of /nodes what is being emptied. */
extern const struct ctl_verb ctl_drain_progress;

/* The bytes that still lie on a node, by the kernel's id, in the pools that
 * drain it; -1 if none does. began, an object, keeps what lay there at the
 * first look, which is noted in doc. */
int64_t ctl_drain_left(json_t *doc, int64_t id, json_t *began);

#endif
