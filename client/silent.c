/* SPDX-License-Identifier: MIT */
#include "client/silent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAT_BYTES 64 /* "PID (slabd) S" */

/* What state slabd's process is in, as in /proc; '\0': that process is not seen, or
 * is none of slabd's: another one may have begun to listen for it, as systemd does,
 * or it is an earlier slabd whose connection was kept. */
static char state_of(int pid)
{
	char path[32], text[STAT_BYTES];
	ssize_t n = -1;
	int fd, of;
	char state = '\0';
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return '\0';
	text[n] = '\0';
	return sscanf(text, "%d (slabd) %c", &of, &state) == 2 ? state : '\0';
}

const char *silent_text(int sock, char text[LINK_WHY])
{
	static const char look[] = "see its log; started again under a service "
				   "manager or with --supervise it keeps all";
	struct ucred cred = {.pid = 0};
	socklen_t size = sizeof(cred);
	char state = '\0';
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 &&
	    cred.pid > 0)
		state = state_of(cred.pid);
	if (state == 'T')
		snprintf(text, LINK_WHY,
		         "slabd, process %d, is stopped by a signal: kill -CONT "
		         "%d has it go on", cred.pid, cred.pid);
	else if (state != '\0')
		snprintf(text, LINK_WHY,
		         "slabd, process %d, does not answer, as it hangs or is "
		         "busy: %s", cred.pid, look);
	else
		snprintf(text, LINK_WHY,
		         "slabd does not answer, as it is stopped, hangs or is "
		         "busy: %s", look);
	return text;
}

const char *silent_why(const struct link *link, int r, char text[LINK_WHY])
{
	if (r == -ETIMEDOUT)
		return silent_text(link->sock, text);
	if (r == -ENOTCONN)
		return link_why(link, text);
	if (r != -EPERM && r != -EACCES && r != -ENOSYS)
		return strerror(-r);
	snprintf(text, LINK_WHY, "slabd can't be asked (%s): a sandbox forbids "
	         "send, recv or recvmsg", strerror(-r));
	return text;
}
