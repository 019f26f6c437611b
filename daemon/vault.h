/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that outlive slabd, kept by the service manager (its descriptor
 * store) or by "slabd --supervise", which speaks the same protocol.
 *
 *   put ------------> manager's store -- slabd dies, is started again --> take
 *   drop ----------->        '-- all dropped when the service is stopped
 *
 * Names are [A-Za-z0-9._-], start with "slabd." and are unique. Where there is
 * no manager every call does nothing. One thread calls these.
 */
#ifndef DAEMON_VAULT_H
#define DAEMON_VAULT_H

#include <stdbool.h>

/* Once at the start: collects what was passed and has a name of ours; the
 * rest is left to service_listen_fds. 0, or -EINVAL with the reason logged. */
int vault_open(void);

/* Has the manager keep a copy of fd. A failure is logged and is no reason to
 * stop: slabd then can't come back with this one. */
void vault_put(const char *name, int fd);

/* Has the manager close its copy. */
void vault_drop(const char *name);

/* A descriptor that was passed at the start, from now on the caller's;
 * -ENOENT. The manager keeps its copy. */
int vault_take(const char *name);

/* The names that were passed and not taken yet: *at is 0 at first. NULL at the
 * end. The name is valid until vault_take. */
const char *vault_next(unsigned *at);

/* Waits, at most five seconds, until the manager has all that was put. */
void vault_barrier(void);

#endif
