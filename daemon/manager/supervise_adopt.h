/* SPDX-License-Identifier: MIT */
/* A slabd that lost its supervisor, and goes on: another supervisor takes its
 * place. */
#ifndef DAEMON_MANAGER_SUPERVISE_ADOPT_H
#define DAEMON_MANAGER_SUPERVISE_ADOPT_H

#include <stdint.h>
#include <sys/types.h>

/* Variables: who supervises, for slabd; and that a supervisor is to adopt the
 * slabd that started it, or to end. */
#define SUPERVISE_PID "SLABD_SUPERVISOR"
#define SUPERVISE_ADOPT "SLABD_ADOPT"

/* Asks the slabd at an admin socket whether this process may be its supervisor,
 * which hears at notify, and wants to within limit_ns; 0: need not. Its number, and a descriptor of it in *pidfd; 0: none is
 * there, or it has one. */
pid_t supervise_adopt(const char *control, const char *notify,
                      int64_t limit_ns, int *pidfd);

#endif
