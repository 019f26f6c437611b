/* SPDX-License-Identifier: MIT */
#include "record/early.h"

#include "shm/atom.h"

#include <errno.h>
#include <string.h>

#define ROOM_BYTES 65536u
#define HEAD_BYTES 16u /* before an object: its size */

static _Alignas(4096) char room[ROOM_BYTES];
static size_t used_bytes;

void *early_alloc(size_t size, size_t align)
{
	size_t take, at;
	align = align < HEAD_BYTES ? HEAD_BYTES : align;
	if (size > ROOM_BYTES || align > ROOM_BYTES)
		goto none;
	take = HEAD_BYTES + align + size;
	at = atom_add(&used_bytes, take);
	if (at > ROOM_BYTES || take > ROOM_BYTES - at)
		goto none;
	at = (at + HEAD_BYTES + align - 1) / align * align;
	memcpy(room + at - HEAD_BYTES, &size, sizeof(size));
	return room + at;
none:
	errno = ENOMEM;
	return NULL;
}

bool early_has(const void *obj)
{
	return (const char *)obj >= room &&
	       (const char *)obj < room + ROOM_BYTES;
}

size_t early_bytes(const void *obj)
{
	size_t size;
	memcpy(&size, (const char *)obj - HEAD_BYTES, sizeof(size));
	return size;
}
