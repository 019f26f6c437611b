/* SPDX-License-Identifier: MIT */
/* Handles as the program has them: slabd_handle is shm/handle.h's number. */
#ifndef CLIENT_HANDLE_H
#define CLIENT_HANDLE_H

#include "client/slabclient.h"
#include "shm/handle.h"

#endif
