/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that outlive slabd, kept by the service manager (its descriptor
 * store) or by "slabd --supervise", which speaks the same protocol.
 *
 *   put ------------> manager's store -- slabd dies, is started again --> take
 *   drop ----------->        '-- all dropped when the service is stopped
 *
 * Names are [A-Za-z0-9._-], start with "slabd.", have at most 255 bytes and are
 * unique. All of them are passed in one variable of the environment, which the
 * kernel bounds: what no longer fits is not kept. A manager keeps an open file
 * once, under its first name. Where there is no manager every call does
 * nothing. One thread calls these.
 */
#ifndef DAEMON_MANAGER_FDSTORE_H
#define DAEMON_MANAGER_FDSTORE_H

#include <stdbool.h>

/* All names together, each with a byte more: 128 KiB that a variable may have,
 * less its name and those of the sockets. */
#define FDSTORE_NAMES_BYTES ((128u << 10) - 64u)

/* The variable in which a manager says how many it keeps at most. */
#define FDSTORE_MAX "FDSTORE"

/* Listening sockets, and the configuration; the other names are
 * pool/pool.h's. */
#define FDSTORE_CLIENT "slabd.listen.client"
#define FDSTORE_CONTROL "slabd.listen.control"
#define FDSTORE_CONFIG "slabd.config"

/* Once at the start: collects what was passed and has a name of ours; the
 * rest is left to notify_listen_fds. 0, or -EINVAL with the reason logged. */
int fdstore_open(void);

/* Has the manager keep a copy of fd, in place of what it has by that name. A
 * failure is logged and is no reason to stop: slabd then can't come back with
 * this one. */
void fdstore_put(const char *name, int fd);

/* The same for what slabd can do without: as long as a third of the room is left
 * for the rest. False: it is not kept. */
bool fdstore_put_spare(const char *name, int fd);

/* Has the manager close its copy, and closes what was passed and not taken. */
void fdstore_drop(const char *name);

/* A descriptor that was passed at the start, from now on the caller's;
 * -ENOENT. The manager keeps its copy. */
int fdstore_take(const char *name);

/* The same, but it is not taken: the caller looks at it. */
int fdstore_peek(const char *name);

/* Whether the manager keeps something of that name, as far as is known. */
bool fdstore_has(const char *name);

/* The names that were passed and not taken yet: *at is 0 at first. NULL at the
 * end. The name is valid until fdstore_drop; others may be put, taken and
 * dropped meanwhile. */
const char *fdstore_next(unsigned *at);

/* Once all that can be taken is: drops the rest, each named in the log. */
void fdstore_close_rest(void);

/* Waits until the manager has read of all that was put: at most five seconds in
 * all until it answers again, and no longer than slabd is told to stop. False,
 * said in the log: it has not. Not for the loop. */
bool fdstore_barrier(void);

/* The same, and asks whether it has kept all of it: it closes what it has no
 * room for. One that does not answer may keep it yet. Without a manager all is
 * kept that can be. */
enum fdstore_answer { FDSTORE_KEPT, FDSTORE_REFUSED, FDSTORE_SILENT };
enum fdstore_answer fdstore_confirm(void);

#endif
