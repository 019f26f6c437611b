/* SPDX-License-Identifier: MIT */
/* The program that a supervisor starts, and how it ended. */
#ifndef DAEMON_MANAGER_SUPERVISE_END_H
#define DAEMON_MANAGER_SUPERVISE_END_H

#include <limits.h>

#define SUPERVISE_AGAIN 75 /* status of a slabd that wants to be started anew,
                            * from the file that its program is by then */

/* "was killed by SIGKILL", of a status of waitpid. Good until the next call. */
const char *supervise_describe(int status);

/* An upgrade puts another file in the place of this program's: it is the path
 * that is started, whatever is there by then. 0 or -errno. */
int supervise_program(char path[PATH_MAX]);

#endif
