/* SPDX-License-Identifier: MIT */
/* A client that loses its connection to a slabd that is well. */
#ifndef TESTS_LIB_CUT_H
#define TESTS_LIB_CUT_H

enum loss { CUT_BOTH, CUT_REQUESTS, CUT_EVENTS, LOSSES };

/* Cuts sockets of all pools of this process; fd, the test's own, is none of
 * them. Bails out where there is none. */
void cut_sockets(enum loss what, int fd);

#endif
