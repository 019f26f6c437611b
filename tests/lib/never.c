/* SPDX-License-Identifier: MIT */
#include "tests/lib/never.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/raw.h"

#define PAGE 4096u

/* Memory that never comes: a call that copies from it waits, with the lock of the
 * file that it writes to. at: MAP_FAILED where the kernel does not let us. */
struct call {
	int fd;
	int file;
	off_t to;
	void *at;
};

static struct call call_make(int file, off_t to)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct call call = {.file = file, .to = to, .at = MAP_FAILED};
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	call.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	range.range.start = (uintptr_t)at;
	range.range.len = PAGE;
	if (call.fd >= 0 && at != MAP_FAILED &&
	    ioctl(call.fd, UFFDIO_API, &api) == 0 &&
	    ioctl(call.fd, UFFDIO_REGISTER, &range) == 0)
		call.at = at;
	return call;
}

static void *write_never(void *arg)
{
	const struct call *call = arg;
	(void)!pwrite(call->file, call->at, PAGE, call->to);
	return NULL;
}

void never_ends(int fd, void *arg)
{
	const struct never *never = arg;
	static struct call call;
	struct uffd_msg msg;
	struct raw raw;
	struct stat st;
	pthread_t thread;
	char *last;
	raw_open(&raw, never->fixture, "default");
	if (fstat(raw.shared, &st) < 0)
		tap_bail("no size of the shared file");
	call = call_make(raw.shared, st.st_size - PAGE);
	if (call.at == MAP_FAILED) {
		say(fd, 0);
		hear(fd);
		return;
	}
	last = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, raw.shared,
	            st.st_size - PAGE);
	if (last == MAP_FAILED ||
	    pthread_create(&thread, NULL, write_never, &call) != 0 ||
	    read(call.fd, &msg, sizeof(msg)) != sizeof(msg))
		tap_bail("the file can't be held");
	if (never->adds)
		*last = 1;
	say(fd, 1);
	hear(fd);
}
