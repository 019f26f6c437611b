/* SPDX-License-Identifier: MIT */
/*
 * "slabctl --complete WORD...": what may stand in place of the last word, a line
 * each, for the completion of a shell. The words are those of the command line
 * behind slabctl, the last one as far as it is typed. Names come from slabd, and
 * there are none where it does not answer within two seconds.
 */
#ifndef DAEMON_CTL_COMPLETE_H
#define DAEMON_CTL_COMPLETE_H

#include <stdio.h>

void ctl_complete(int n, char **word, FILE *out);

#endif
