/* SPDX-License-Identifier: MIT */
/* slab-record's own exit statuses; all others are the program's. */
#ifndef RECORD_FATE_H
#define RECORD_FATE_H

enum fate {
	FATE_FAILED = 125,    /* slab-record could not do its part */
	FATE_NOT_RUN = 126,   /* the program is there and can't be executed */
	FATE_NOT_FOUND = 127, /* no such program */
	FATE_SIGNAL = 128     /* and its number */
};

#endif
