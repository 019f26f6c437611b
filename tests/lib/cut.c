/* SPDX-License-Identifier: MIT */
#include "tests/lib/cut.h"

#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/lib/harness.h"

/* Which of the library's sockets a descriptor is; CUT_BOTH for neither. The
 * requests' is connected to a name, the events' to a nameless one. */
static enum loss kind_of(int fd, int ours)
{
	struct sockaddr_un to = {.sun_family = AF_UNSPEC};
	socklen_t bytes = sizeof(to);
	if (fd <= 2 || fd == ours || getpeername(fd, (void *)&to, &bytes) < 0 ||
	    to.sun_family != AF_UNIX)
		return CUT_BOTH;
	return bytes > offsetof(struct sockaddr_un, sun_path) ? CUT_REQUESTS
	                                                      : CUT_EVENTS;
}

void cut_sockets(enum loss what, int fd)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned n = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int at = atoi(entry->d_name);
		enum loss kind = kind_of(at, fd);
		if (kind != CUT_BOTH && (what == CUT_BOTH || what == kind))
			n += shutdown(at, SHUT_RDWR) == 0;
	}
	if (dir == NULL || n == 0)
		tap_bail("no socket to cut");
	closedir(dir);
}
