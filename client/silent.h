/* SPDX-License-Identifier: MIT */
/* Why slabd does not answer, in words and with the remedy. */
#ifndef CLIENT_SILENT_H
#define CLIENT_SILENT_H

#include "client/link.h"

/* slabd, at the other end of a socket, has not answered in time: which process it
 * is, where that can be seen, and whether it is stopped. */
const char *silent_text(int sock, char text[LINK_WHY]);

/* Why a request that gave the negative r was not answered. */
const char *silent_why(const struct link *link, int r, char text[LINK_WHY]);

#endif
