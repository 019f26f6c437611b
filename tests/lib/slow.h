/* SPDX-License-Identifier: MIT */
/*
 * Files of which the last close waits as long as somebody else likes: of a file
 * system in user space (FUSE) that keeps what is to be written, and does not
 * answer when it is. No signal ends that wait.
 */
#ifndef TESTS_LIB_SLOW_H
#define TESTS_LIB_SLOW_H

#include "tests/lib/harness.h"

/* A descriptor of such a file, which is to be passed on, not closed; served by
 * the child. -1 where that can't be had here. */
int slow_open(struct child *server);

/* It has something to be written from now on: whoever closes it waits. */
void slow_dirty(void);

/* Ends all waits for it. */
void slow_end(struct child *server);

#endif
