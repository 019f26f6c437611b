/* SPDX-License-Identifier: MIT */
#include "record/out.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define MAGIC "SLABTRC1"
#define MAGIC_BYTES 8u
#define RECORD_BYTES 12u
#define PART_BYTES (65536u * RECORD_BYTES)
#define LEVEL 3

static void drop(struct out *out)
{
	if (out->fd >= 0)
		close(out->fd);
	out->fd = -1;
	free(out->raw);
	free(out->packed);
	out->raw = out->packed = NULL;
}

static bool ends_in_zst(const char *path)
{
	size_t len = strlen(path);
	return len >= 4 && strcmp(path + len - 4, ".zst") == 0;
}

int out_open(struct out *out, const char *path)
{
	int r;
	memset(out, 0, sizeof(*out));
	out->is_packed = ends_in_zst(path);
	out->packed_room = out->is_packed ? ZSTD_compressBound(PART_BYTES) : 0;
	out->raw = malloc(PART_BYTES);
	out->packed = malloc(out->packed_room + 1);
	out->is_new = access(path, F_OK) < 0;
	out->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	r = out->fd < 0 ? -errno : 0;
	if (r == 0 && (out->raw == NULL || out->packed == NULL))
		r = -ENOMEM;
	if (r < 0)
		drop(out);
	return r;
}

void out_cancel(struct out *out, const char *path)
{
	if (out->is_new)
		unlink(path);
	drop(out);
}

/* What is no file has no size to be set. */
static int cut(struct out *out)
{
	return ftruncate(out->fd, out->whole_bytes) == 0 || errno == EINVAL
	               ? 0
	               : -errno;
}

int out_begin(struct out *out)
{
	int r = cut(out);
	if (r < 0)
		return r;
	memcpy(out->raw, MAGIC, MAGIC_BYTES);
	out->used_bytes = MAGIC_BYTES;
	return out_flush(out);
}

static int write_all(struct out *out, const char *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(out->fd, data + done, bytes - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	out->whole_bytes += (off_t)bytes;
	return 0;
}

int out_flush(struct out *out)
{
	const void *data = out->raw;
	size_t bytes = out->used_bytes;
	int r;
	if (bytes == 0)
		return 0;
	if (out->is_packed) {
		bytes = ZSTD_compress(out->packed, out->packed_room, out->raw,
		                      bytes, LEVEL);
		if (ZSTD_isError(bytes))
			return -ENOMEM;
		data = out->packed;
	}
	out->used_bytes = 0;
	r = write_all(out, data, bytes);
	if (r < 0)
		cut(out);
	return r;
}

int out_put(struct out *out, enum out_op op, unsigned thread, uint32_t bytes,
            uint32_t number)
{
	unsigned char *at = (unsigned char *)out->raw + out->used_bytes;
	bytes = htole32(bytes);
	number = htole32(number);
	at[0] = (unsigned char)op;
	at[1] = (unsigned char)(thread < OUT_THREADS_MAX ? thread
	                                                 : OUT_THREADS_MAX);
	at[2] = at[3] = 0;
	memcpy(at + 4, &bytes, sizeof(bytes));
	memcpy(at + 8, &number, sizeof(number));
	out->used_bytes += RECORD_BYTES;
	return out->used_bytes + RECORD_BYTES > PART_BYTES ? out_flush(out) : 0;
}

int out_close(struct out *out)
{
	int r = out_flush(out);
	int fd = out->fd;
	out->fd = -1;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	drop(out);
	return r;
}
