/* SPDX-License-Identifier: MIT */
/* For tests of low descriptors: Criterion's own pipes may be at 3 and on. */
#ifndef TESTS_LIB_IN_CHILD_H
#define TESTS_LIB_IN_CHILD_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the child with the number of the first step that is not so. */
#define step(n, so)                                                            \
	do {                                                                   \
		if (!(so))                                                     \
			_exit(n);                                              \
	} while (0)

/* Runs it in a forked child; one that returns was good. */
static inline void in_child(void (*body)(void))
{
	pid_t child = fork();
	int status = -1;

	cr_assert(child >= 0);
	if (child == 0) {
		body();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d",
	          WEXITSTATUS(status));
}

static inline bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

#endif
