/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of a slabd ("slabd --supervise"), as slabd sees it. One that is
 * killed takes along what it kept, and starts nobody again:
 *
 *   its pidfd --> said in the log and in /status --> a second --> another one is
 *   started, which asks for the place over the admin socket --> all that is to be
 *   kept is put there anew
 *
 * So may any other "slabd --supervise" that is started at slabd's sockets: then
 * the one that slabd started itself makes way.
 */
#ifndef DAEMON_SERVE_GUARDIAN_H
#define DAEMON_SERVE_GUARDIAN_H

#include "daemon/serve/server.h"

/* The line that slabd was started with, before anything else. */
void guardian_line(char **argv);

/* 0 or -ENOMEM; nothing where no supervisor started it. */
int guardian_open(struct server *server, bool supervised);
void guardian_close(void);

/* That process wants to be the supervisor and hears at that socket, every
 * limit_us at least; 0: or never. 0; -EBUSY
 * another one lives, whose number is in *has; -EINVAL it is none, or slabd has
 * another kind of manager, or none. */
int guardian_take(int32_t pid, const char *socket, uint64_t limit_us,
                  int32_t *has);

/* Its number; 0: there never was one, -1: it is lost. */
int32_t guardian_pid(void);

/* Whether a manager of any kind keeps what slabd needs to go on. */
bool guardian_keeps(void);

#endif
