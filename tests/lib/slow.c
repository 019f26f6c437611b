/* SPDX-License-Identifier: MIT */
#include "tests/lib/slow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_ID 2
#define REQUEST_BYTES (1 << 20)

/* The same file, opened once more: what is to be written of it holds up whoever
 * closes it by any descriptor. */
static int again = -1;

/* ---- the server --------------------------------------------------------- */

static void answer(int fuse, uint64_t unique, int error, const void *body,
                   size_t bytes)
{
	static char out[sizeof(struct fuse_out_header) + PAGE];
	struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + bytes),
	                               .error = -error,
	                               .unique = unique};
	memcpy(out, &head, sizeof(head));
	if (bytes > 0)
		memcpy(out + sizeof(head), body, bytes);
	if (write(fuse, out, head.len) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attr_of(uint64_t id)
{
	return (struct fuse_attr){.ino = id,
	                          .size = id == FILE_ID ? PAGE : 0,
	                          .nlink = 1,
	                          .blksize = PAGE,
	                          .mode = id == FILE_ID ? S_IFREG | 0600
	                                                : S_IFDIR | 0700};
}

static void answer_init(int fuse, const struct fuse_in_header *in)
{
	const struct fuse_init_in *asks = (const void *)(in + 1);
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
	                            .minor = FUSE_KERNEL_MINOR_VERSION,
	                            .max_readahead = PAGE,
	                            .max_write = PAGE,
	                            .flags = FUSE_WRITEBACK_CACHE};
	if (asks->minor < out.minor)
		out.minor = asks->minor;
	answer(fuse, in->unique, 0, &out, sizeof(out));
}

static void serve(int fuse, const struct fuse_in_header *in)
{
	static const char zeroes[PAGE];
	struct fuse_entry_out entry = {.nodeid = FILE_ID,
	                               .entry_valid = 3600,
	                               .attr_valid = 3600,
	                               .attr = attr_of(FILE_ID)};
	struct fuse_attr_out attr = {.attr_valid = 3600,
	                             .attr = attr_of(in->nodeid)};
	struct fuse_open_out open = {.fh = 1};
	switch (in->opcode) {
	case FUSE_INIT:
		answer_init(fuse, in);
		break;
	case FUSE_LOOKUP:
		answer(fuse, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		answer(fuse, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(fuse, in->unique, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		answer(fuse, in->unique, 0, zeroes, PAGE);
		break;
	case FUSE_WRITE:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_RELEASE:
		answer(fuse, in->unique, 0, NULL, 0);
		break;
	default:
		answer(fuse, in->unique, ENOSYS, NULL, 0);
	}
}

static _Noreturn void be_server(int fuse)
{
	static _Alignas(struct fuse_in_header) char request[REQUEST_BYTES];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(0);
	while (read(fuse, request, sizeof(request)) > 0 || errno == ENOENT ||
	       errno == EINTR)
		serve(fuse, (const void *)request);
	_exit(0);
}

/* ---- the file ----------------------------------------------------------- */

/* The mount has no name any more once the file is open. */
static int open_in(const char *dir, int fuse, struct child *server)
{
	char text[128];
	int fd;
	snprintf(text, sizeof(text),
	         "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse, geteuid(),
	         getegid());
	if (mount("slow", dir, "fuse", MS_NOSUID | MS_NODEV, text) < 0)
		return -1;
	server->fd = -1;
	server->pid = fork();
	if (server->pid == 0)
		be_server(fuse);
	snprintf(text, sizeof(text), "%s/f", dir);
	fd = open(text, O_RDWR | O_CLOEXEC);
	again = open(text, O_RDWR | O_CLOEXEC);
	umount2(dir, MNT_DETACH);
	if (fd < 0) {
		tap_note("a file in user space: %s", strerror(errno));
		slow_end(server);
	}
	return fd;
}

int slow_open(struct child *server)
{
	char dir[] = "/tmp/slabd-slow-XXXXXX";
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int fd;
	if (fuse < 0)
		return -1;
	if (mkdtemp(dir) == NULL)
		tap_bail("%s: %s", dir, strerror(errno));
	fd = open_in(dir, fuse, server);
	rmdir(dir);
	close(fuse);
	return fd;
}

void slow_dirty(void)
{
	static const char bytes[PAGE];
	if (pwrite(again, bytes, PAGE, 0) != PAGE)
		tap_bail("a file in user space: %s", strerror(errno));
}

void slow_end(struct child *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	close(again);
}
