/* SPDX-License-Identifier: MIT */
/* Included by the compiler ahead of each of the library's files: what the
 * public header declares is visible, all else is hidden. So the public header
 * needs no attribute on each line. */
#ifndef CLIENT_EXPORT_H
#define CLIENT_EXPORT_H

#pragma GCC visibility push(default)
#include "client/slabclient.h"
#pragma GCC visibility pop

#endif
