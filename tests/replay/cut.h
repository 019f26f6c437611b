/* SPDX-License-Identifier: MIT */
/* A trace's first events as a trace of their own. */
#ifndef REPLAY_CUT_H
#define REPLAY_CUT_H

#include "daemon/advice/trace.h"

/* Of n events, packed. 0 or negative errno. */
int cut_save(const struct trace *trace, size_t n, const char *path);

#endif
