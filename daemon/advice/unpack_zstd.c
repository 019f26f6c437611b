/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <zstd.h>

#include "daemon/advice/unpack.h"

int unpack_begin(struct unpack *unpack)
{
	unpack->state = ZSTD_createDStream();
	return unpack->state ? 0 : -ENOMEM;
}

int unpack_next(struct unpack *unpack, unsigned char *out, size_t size,
                size_t *n)
{
	ZSTD_inBuffer src = {unpack->at, unpack->bytes, 0};
	ZSTD_outBuffer dst = {out, size, 0};

	while (dst.pos == 0) {
		size_t taken = src.pos;
		size_t more = ZSTD_decompressStream(unpack->state, &dst, &src);

		if (ZSTD_isError(more)) {
			unpack->why = ZSTD_getErrorName(more);
			return -EINVAL;
		}
		if (src.pos == taken && dst.pos == 0)
			break;
		unpack->is_open = more != 0;
	}
	unpack->at += src.pos;
	unpack->bytes -= src.pos;
	*n = dst.pos;
	return 0;
}

void unpack_end(struct unpack *unpack)
{
	ZSTD_freeDStream(unpack->state);
	unpack->state = NULL;
}
