/* SPDX-License-Identifier: MIT */
/* What the supervisor keeps, and how it is passed on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/manager/supervise_fds.h"

static struct supervise_fds store;

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

Test(supervise_fds, is_the_variable)
{
	int a = null_fd(), b = null_fd(), c = null_fd();
	supervise_fds_init(&store, 10);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES");
	cr_expect_eq(supervise_fds_add(&store, "a", a), 0);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES=a");
	cr_expect_eq(supervise_fds_add(&store, "bb", b), 0);
	cr_expect_eq(supervise_fds_add(&store, "c", c), 0);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES=a:bb:c");
	cr_expect_eq(supervise_fds_remove(&store, "b"), 0);
	cr_expect_eq(supervise_fds_remove(&store, ""), 0);
	cr_expect_eq(supervise_fds_remove(&store, "a"), 1);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES=bb:c");
	cr_expect_not(is_open(a));
	cr_expect_eq(supervise_fds_remove(&store, "c"), 1);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES=bb");
	cr_expect(store.n == 1 && store.fds[0] == b && is_open(b));
	cr_expect_eq(supervise_fds_remove(&store, "bb"), 1);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES");
	cr_expect_eq(store.used, strlen(store.list));
}

Test(supervise_fds, removes_all_of_a_name)
{
	static const char *const names[] = { "x", "x", "y", "x", "z", "x" };
	int y = 0, z = 0;
	supervise_fds_init(&store, 10);
	for (size_t i = 0; i < 6; i++) {
		int fd = null_fd();
		y = i == 2 ? fd : y;
		z = i == 4 ? fd : z;
		cr_expect_eq(supervise_fds_add(&store, names[i], fd), 0);
	}
	cr_expect_eq(supervise_fds_remove(&store, "x"), 4);
	cr_expect_str_eq(store.list, "LISTEN_FDNAMES=y:z");
	cr_expect(store.n == 2 && store.fds[0] == y && store.fds[1] == z);
	cr_expect_eq(store.used, strlen(store.list));
}

Test(supervise_fds, refuses_and_closes)
{
	static const char *const names[] = { "", "a:b", "a\nb", "a\x7f",
		"\xc3\xa4" };
	char name[SUPERVISE_FDS_NAME_BYTES + 2];
	supervise_fds_init(&store, 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = null_fd();
		cr_expect_eq(supervise_fds_add(&store, names[i], fd), -EINVAL);
		cr_expect_not(is_open(fd));
	}
	memset(name, 'n', sizeof(name));
	name[SUPERVISE_FDS_NAME_BYTES + 1] = '\0';
	cr_expect_eq(supervise_fds_add(&store, name, null_fd()), -EINVAL);
	name[SUPERVISE_FDS_NAME_BYTES] = '\0';
	cr_expect_eq(supervise_fds_add(&store, name, null_fd()), 0);
	int over = null_fd();
	cr_expect_eq(supervise_fds_add(&store, "n", over), -ENOSPC);
	cr_expect_not(is_open(over));
	cr_expect_eq(store.n, 1);
}

/* As many names as fit are passed by the kernel, and one byte more is not. */
static int run_with(const char *list)
{
	char *argv[] = { (char *)"true", NULL };
	char *env[] = { (char *)list, NULL };
	pid_t child = fork();
	int status;
	cr_assert(child >= 0);
	if (child == 0) {
		execve("/bin/true", argv, env);
		_exit(errno == E2BIG ? 7 : 8);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

Test(supervise_fds, is_as_long_as_a_variable_may_be)
{
	static char list[SUPERVISE_FDS_LIST_BYTES + 1];
	char name[101];
	unsigned n = 0;
	supervise_fds_init(&store, SUPERVISE_FDS_MAX);
	memset(name, 'n', sizeof(name));
	name[100] = '\0';
	while (supervise_fds_add(&store, name, null_fd()) == 0)
		n++;
	/* Shorter than the others, or it is one of them. */
	size_t left = SUPERVISE_FDS_LIST_BYTES - store.used - 2;
	cr_assert(left > 0 && left < 100);
	name[left + 1] = '\0';
	cr_expect_eq(supervise_fds_add(&store, name, null_fd()), -ENOSPC);
	name[left] = '\0';
	cr_expect_eq(supervise_fds_add(&store, name, null_fd()), 0);
	cr_expect_eq(store.used, SUPERVISE_FDS_LIST_BYTES - 1);
	cr_expect_eq(supervise_fds_add(&store, "n", null_fd()), -ENOSPC);
	cr_expect_eq(store.n, n + 1);
	cr_expect_eq(run_with(store.list), 0);
	memcpy(list, store.list, store.used);
	list[store.used] = 'n';
	cr_expect_eq(run_with(list), 7, "one byte more");
}

static bool is_file(int fd, const char *name)
{
	char link[64], path[128];
	ssize_t n;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, name) != NULL;
}

/* From places that are one another's, and with others in between. The status
 * is that of the first check that fails. */
static int place(void)
{
	static const int at[] = { 5, 3, 9, 4, 200 };
	supervise_fds_init(&store, 10);
	for (int i = 0; i < 5; i++) {
		char name[8] = { 'k', 'e', 'p', 't', (char)('0' + i), 0 };
		int fd = memfd_create(name, MFD_CLOEXEC);
		int up = fcntl(fd, F_DUPFD_CLOEXEC, 300);
		close(fd);
		store.fds[i] = up;
	}
	for (int i = 0; i < 5; i++) {
		char name[8] = { 'k', 'e', 'p', 't', (char)('0' + i), 0 };
		int up = store.fds[i];
		dup3(up, at[i], O_CLOEXEC);
		close(up);
		if (supervise_fds_add(&store, name, at[i]) < 0)
			return 1;
	}
	dup2(0, 6);
	dup2(0, 8);
	dup2(0, 250);
	if (supervise_fds_place(&store) < 0)
		return 2;
	for (int i = 0; i < 5; i++) {
		char name[8] = { 'k', 'e', 'p', 't', (char)('0' + i), 0 };
		if (!is_file(3 + i, name) || fcntl(3 + i, F_GETFD) != 0)
			return 10 + i;
	}
	for (int fd = 8; fd < 400; fd++)
		if (is_open(fd))
			return 3;
	return is_open(0) ? 0 : 4;
}

Test(supervise_fds, places_for_a_program)
{
	pid_t child = fork();
	int status;
	cr_assert(child >= 0);
	if (child == 0)
		_exit(place());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
}
