/* SPDX-License-Identifier: MIT */
/*
 * A pool with a crew, whose growth and punches a test holds on their way as long as
 * it wants, or has fail. Linked with backing_grow and memfile_punch wrapped.
 */
#ifndef TESTS_UNIT_WORK_GATE_H
#define TESTS_UNIT_WORK_GATE_H

#include "daemon/pool/work.h"

#define MIB (UINT64_C(1) << 20)
#define UNIT_OBJECT 60000u /* of which a unit has one */

extern struct pool work_pool;

/* Two nodes, of each start of max MiB; and its end. */
void work_begin(uint64_t start, uint64_t max);
void work_finish(void);

uint32_t work_sized(const char *name, uint64_t size);
uint32_t work_cache(const char *name);

/* closed: growth waits. refuses: it fails, and so do punches. */
void work_gate_set(bool closed, bool refuses);

/* Punches wait, as while a client's call holds the file. */
void work_gate_hold(bool holds);

/* Until so many in all have come to the gate to grow; until one came to punch. */
void work_gate_await(unsigned n);
void work_gate_await_punch(void);

/* Punches since the last time. */
unsigned work_gate_punches(void);

#endif
