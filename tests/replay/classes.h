/* SPDX-License-Identifier: MIT */
/*
 * The size classes of the replay worker: 16-byte steps up to 128, then four to
 * each doubling, up to 2 MiB. The waste inside an object stays below 25 %
 * above 64 bytes.
 */
#ifndef REPLAY_CLASSES_H
#define REPLAY_CLASSES_H

#include <stddef.h>

#define CLASSES_N 64u
#define CLASSES_MAX_BYTES ((size_t)2 << 20)

/* The smallest class whose objects hold this many bytes, or CLASSES_N where
 * none does. */
unsigned classes_of(size_t bytes);

/* The object size of a class below CLASSES_N. */
size_t classes_bytes(unsigned class_ix);

#endif
