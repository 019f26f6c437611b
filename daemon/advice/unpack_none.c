/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "daemon/advice/unpack.h"

int unpack_begin(struct unpack *unpack)
{
	(void)unpack;
	return -ENOSYS;
}

int unpack_next(struct unpack *unpack, unsigned char *out, size_t size,
                size_t *n)
{
	(void)out;
	(void)size;
	*n = 0;
	unpack->why = "not built in";
	return -EINVAL;
}

void unpack_end(struct unpack *unpack)
{
	unpack->state = NULL;
}
