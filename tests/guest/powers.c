/* SPDX-License-Identifier: MIT */
/*
 * powers: run in the sandbox of slabd's unit, does what slabd has to be able to
 * do, and tries some of what it must not.
 *
 *   daemon/balance/wants.c, numa/   hugepage counts, mbind and move_pages of pages
 *                            that others have mapped (SYS_NICE)
 *   memory pressure          a trigger in /proc/pressure (SYS_RESOURCE), the
 *                            unit's own memory.events
 *   daemon/serve/listen.c          a file given to a group (CHOWN)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/fixture.h"

#define PAGE (2ul << 20)
#define GROUP 1500

static void report(long r, const char *what)
{
	int error = r < 0 ? errno : 0;
	fixture_ok(r >= 0, "%s: %s", what, strerror(error));
}

/* 0 or -1 with errno. */
static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* ---- memory ------------------------------------------------------------- */

static int reserve(int node, int pages)
{
	char path[120], text[16];
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/"
	         "hugepages/hugepages-2048kB/nr_hugepages", node);
	snprintf(text, sizeof(text), "%d", pages);
	return write_text(path, text);
}

static long bind_to(void *page, int node, unsigned flags)
{
	unsigned long mask = 1ul << node;
	return syscall(SYS_mbind, page, PAGE, MPOL_BIND, &mask,
	               8 * sizeof(mask), flags);
}

/* Another process with the page in its tables, until it is killed. */
static pid_t share(char *page)
{
	int ready[2];
	char byte;
	pid_t pid;
	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		page[1] = 1;
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	if (pid > 0 && read(ready[0], &byte, 1) != 1)
		pid = -1;
	return pid;
}

static void move_shared(char *page)
{
	void *pages[1] = {page};
	int node = 0, status = -1;
	pid_t other;
	report(bind_to(page, 0, 0), "mbind to node 0");
	fixture_ok(fixture_node_of(page, 1) == 0, "the page lies on node 0");
	other = share(page);
	report(other, "another process has it mapped");
	report(bind_to(page, 1, MPOL_MF_MOVE_ALL), "mbind moves it to node 1");
	fixture_ok(fixture_node_of(page, 1) == 1, "it lies on node 1");
	report(syscall(SYS_move_pages, 0, 1ul, pages, &node, &status,
	               MPOL_MF_MOVE_ALL),
	       "move_pages moves it back");
	fixture_ok(status == 0 && fixture_node_of(page, 1) == 0,
	           "it lies on node 0");
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
}

static void memory(void)
{
	int fd = memfd_create("powers", MFD_HUGETLB | MFD_CLOEXEC);
	char *page;
	report(reserve(0, 1), "a hugepage reserved on node 0");
	report(reserve(1, 1), "a hugepage reserved on node 1");
	report(fd < 0 ? -1 : ftruncate(fd, (off_t)PAGE), "a hugetlb memfd");
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fixture_ok(page != MAP_FAILED, "mapped"))
		move_shared(page);
	close(fd);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	report(reserve(0, 0), "node 0's given back");
	report(reserve(1, 0), "node 1's given back");
}

/* ---- pressure ----------------------------------------------------------- */

/* A window of less than two seconds takes SYS_RESOURCE; before Linux 6.5 any
 * does. */
static void pressure(void)
{
	static const char trigger[] = "some 150000 1000000";
	char line[200] = "", path[300], events[64];
	int fd = open("/proc/pressure/memory", O_RDWR | O_CLOEXEC);
	FILE *own = fopen("/proc/self/cgroup", "re");
	report(fd < 0 ? -1 : write(fd, trigger, sizeof(trigger)),
	       "a trigger of memory pressure");
	if (own != NULL && fgets(line, sizeof(line), own) != NULL)
		line[strcspn(line, "\n")] = '\0';
	/* "0::/system.slice/..." */
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.events",
	         strlen(line) > 3 ? line + 3 : "");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	report(fd < 0 ? -1 : read(fd, events, sizeof(events)), path);
	if (own != NULL)
		fclose(own);
}

/* ---- files, and what is not allowed ------------------------------------- */

static void files(void)
{
	const char *folder = getenv("RUNTIME_DIRECTORY");
	char path[200];
	int fd;
	snprintf(path, sizeof(path), "%s/powers", folder ? folder : "/none");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	report(fd, "a file in the runtime directory");
	report(fd < 0 ? -1 : fchown(fd, (uid_t)-1, GROUP), "given to a group");
}

static void not_allowed(long r, const char *what)
{
	int error = errno;
	fixture_ok(r < 0, "refused: %s: %s", what, strerror(error));
}

static void refused(void)
{
	static const char *const paths[] = {
	        "/usr/local/etc/slabd/slabd.conf", "/etc/passwd",
	        "/proc/sys/vm/drop_caches", "/sys/kernel/mm/ksm/run",
	};
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		not_allowed(open(paths[i], O_WRONLY | O_CLOEXEC), paths[i]);
	not_allowed(socket(AF_INET, SOCK_STREAM, 0), "a network");
	not_allowed(setuid(GROUP), "another user");
}

int main(void)
{
	memory();
	pressure();
	files();
	refused();
	return fixture_status();
}
