/* SPDX-License-Identifier: MIT */
/*
 * What zstd has packed, unpacked as it is read: unpack_zstd.c, or unpack_none.c
 * where there was no libzstd to build with.
 */
#ifndef DAEMON_ADVICE_UNPACK_H
#define DAEMON_ADVICE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct unpack {
	void *state; /* NULL before unpack_begin */
	/* What is to be unpacked next, set by the caller, taken by unpack_next. */
	const unsigned char *at;
	size_t bytes;
	bool is_open;    /* a frame has begun and not ended */
	const char *why; /* of -EINVAL, zstd's words */
};

/* Whether a file that begins so is packed. */
static inline bool unpack_is_packed(const unsigned char *at, size_t bytes)
{
	return bytes >= 4 && memcmp(at, "\x28\xb5\x2f\xfd", 4) == 0;
}

/* 0, -ENOMEM or -ENOSYS. */
int unpack_begin(struct unpack *unpack);

/* The next bytes; *n is 0 when all that the caller gave is taken, and nothing of
 * it is left to come. 0 or -EINVAL. */
int unpack_next(struct unpack *unpack, unsigned char *out, size_t size,
                size_t *n);

void unpack_end(struct unpack *unpack);

#endif
