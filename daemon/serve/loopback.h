/* SPDX-License-Identifier: MIT */
/* A listening TCP socket on the loopback device. */
#ifndef DAEMON_SERVE_LOOPBACK_H
#define DAEMON_SERVE_LOOPBACK_H

/* By "address:port" as in slabd.conf. The descriptor, non-blocking; or -errno with
 * the reason and the remedy logged. */
int loopback_listen(const char *address);

#endif
