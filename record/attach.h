/* SPDX-License-Identifier: MIT */
/*
 * How a process comes by its ring: the environment names slab-record's memfd,
 * which is opened, mapped, and closed again, so that a program which closes all
 * its descriptors, changes its root or its user, or may do no system calls any
 * more, is recorded to its end.
 *
 * The first process is recorded, and what it starts finds an environment
 * without us; with --follow that stays, and each process has a ring of its own.
 */
#ifndef RECORD_ATTACH_H
#define RECORD_ATTACH_H

#include "record/ring.h"

#define ATTACH_VARIABLE "SLAB_RECORD" /* /proc/PID/fd/N of the memfd */

/* Puts an event of the calling thread into this process's ring, if it has one. */
void attach_put(enum ring_op op, const void *obj, size_t bytes);

#endif
