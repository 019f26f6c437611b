/* SPDX-License-Identifier: MIT */
/* slabctl top: the screen, the keys, and who asks slabd. */
#ifndef DAEMON_CTL_TOP_H
#define DAEMON_CTL_TOP_H

#include "daemon/ctl/args.h"

/* Until q. Exit status, with why filled in where it is not 0: what is wrong, and
 * what to do. */
int ctl_top_run(const struct ctl_args *args, const char *socket, bool color,
                bool utf8, struct ctl_http_fault *why);

#endif
