/* SPDX-License-Identifier: MIT */
/*
 * Whether the kernel lets anybody into kept files. A client's call may hold the
 * lock of one for as long as it likes, and with it whoever looks for holes there
 * or makes some, without a way to wake him: so a thread tries that can be left to
 * wait.
 */
#ifndef DAEMON_POOL_PROBE_H
#define DAEMON_POOL_PROBE_H

#include <stdint.h>

#define PROBE_LIMIT_NS INT64_C(3000000000)

/* Of n files, by copies of the descriptors. 0, -EBUSY: one is held for that long, or
 * -errno. Until slabd is told to stop. */
int probe_files(const int *fds, unsigned n);

#endif
