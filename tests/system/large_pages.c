/* SPDX-License-Identifier: MIT */
/*
 * Loaded ahead of the C library (LD_PRELOAD), it makes the kernel's pages look as
 * large as $LARGE_PAGES says: what maps, protects or advises less than whole ones
 * of them is refused, as such a kernel would.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uintptr_t page(void)
{
	static uintptr_t bytes;
	const char *env = getenv("LARGE_PAGES");
	if (bytes == 0)
		bytes = env != NULL ? strtoul(env, NULL, 10) : 4096;
	return bytes;
}

static uintptr_t round_up(uintptr_t bytes)
{
	return (bytes + page() - 1) & ~(page() - 1);
}

static int refuse(const char *what)
{
	static const char text[] = "large_pages: not a whole page: ";
	if (write(2, text, sizeof(text) - 1) < 0 || write(2, what, 1) < 0 ||
	    write(2, "\n", 1) < 0)
		abort();
	errno = EINVAL;
	return -1;
}

static void *call_mmap(void *at, size_t bytes, int prot, int flags, int fd,
                       off_t off)
{
	return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, off);
}

/* Of a range that has room for it in any case. */
static void *map_aligned(size_t bytes, int prot, int flags, int fd, off_t off)
{
	size_t all = round_up(bytes) + page();
	char *room = call_mmap(NULL, all, PROT_NONE,
	                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	                       0);
	char *at;
	if (room == MAP_FAILED)
		return room;
	at = (char *)round_up((uintptr_t)room);
	if (at > room)
		syscall(SYS_munmap, room, at - room);
	if (room + all > at + round_up(bytes))
		syscall(SYS_munmap, at + round_up(bytes),
		        room + all - at - round_up(bytes));
	return call_mmap(at, bytes, prot, flags | MAP_FIXED, fd, off);
}

void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	if (((uintptr_t)off & (page() - 1)) != 0 ||
	    (fixed && ((uintptr_t)at & (page() - 1)) != 0)) {
		refuse("m");
		return MAP_FAILED;
	}
	/* Pages of hugetlb have an alignment of their own. */
	if (fixed || at != NULL || (flags & MAP_HUGETLB) != 0)
		return call_mmap(at, bytes, prot, flags, fd, off);
	return map_aligned(bytes, prot, flags, fd, off);
}

void *mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	return mmap(at, bytes, prot, flags, fd, off);
}

int munmap(void *at, size_t bytes)
{
	if (((uintptr_t)at & (page() - 1)) != 0)
		return refuse("u");
	return (int)syscall(SYS_munmap, at, round_up(bytes));
}

int mprotect(void *at, size_t bytes, int prot)
{
	if (((uintptr_t)at & (page() - 1)) != 0)
		return refuse("p");
	return (int)syscall(SYS_mprotect, at, round_up(bytes), prot);
}

int madvise(void *at, size_t bytes, int advice)
{
	if (((uintptr_t)at & (page() - 1)) != 0)
		return refuse("a");
	return (int)syscall(SYS_madvise, at, bytes, advice);
}

long sysconf(int name)
{
	static long (*real)(int);
	if (name == _SC_PAGESIZE)
		return (long)page();
	if (real == NULL)
		real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}

int getpagesize(void)
{
	return (int)page();
}
