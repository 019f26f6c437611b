/* SPDX-License-Identifier: MIT */
/* What clients call themselves, in the control file: written by slabd, read by
 * everybody at any time. */
#ifndef SHM_NAMES_H
#define SHM_NAMES_H

#include "shm/layout.h"

/* Replaces a name; "" takes it away. At most NAME_BYTES - 1 bytes. */
void names_set_srv(struct layout_name *row, const char *name);

/* A name as it was at one time; "": there is none. Whose it is says the client's
 * word, which is the same before and after. Lock-free. */
void names_read_any(const struct layout_name *row, char name[NAME_BYTES]);

#endif
