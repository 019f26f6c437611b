/* SPDX-License-Identifier: MIT */
/*
 * A trace on its way to a file: 8 bytes "SLABTRC1", then records of 12 bytes,
 * little-endian:
 *
 *   op u8 (1 allocate, 2 free) | thread u8, from 1 | zero u16 |
 *   size u32 | object u32
 *
 * In a file whose name ends in .zst each part that is written is a zstd frame of
 * its own. So what is there is a whole trace at any time, whoever is killed.
 */
#ifndef RECORD_OUT_H
#define RECORD_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OUT_THREADS_MAX 255u

enum out_op { OUT_ALLOC = 1, OUT_FREE = 2 };

struct out {
	int fd;
	bool is_new;
	bool is_packed;    /* by zstd */
	off_t whole_bytes; /* of the file, that are a trace */
	size_t used_bytes; /* of raw */
	void *raw, *packed;
	size_t packed_room;
};

/* Opens the file, or makes it. 0 or negative errno; nothing is left to close
 * where it fails. */
int out_open(struct out *out, const char *path);

/* Empties it, and begins the trace. 0 or negative errno. */
int out_begin(struct out *out);

/* In place of out_begin: a file that was there is as it was, another gone. */
void out_cancel(struct out *out, const char *path);

/* 0, or negative errno where a part could not be written; the file is cut to
 * what is whole, and nothing may be put any more. */
int out_put(struct out *out, enum out_op op, unsigned thread, uint32_t bytes,
            uint32_t number);
int out_flush(struct out *out);

/* What was put since the last flush goes, if it did not fail before. */
int out_close(struct out *out);

#endif
