/* SPDX-License-Identifier: MIT */
/* slabd not there, or somebody else in its place. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/wire.h"
#include "tests/lib/asked.h"
#include "tests/lib/harness.h"

#define LIMIT_MS 5000
#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 64M\n"

static struct fixture fixture;

/* ---- not there ---------------------------------------------------------- */

static void opens(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	(void)fd;
	(void)arg;
	fixture_fails(slabd_open(NULL, &options) == NULL, ECONNREFUSED,
	          "a socket that slabd left");
	tap_ok(strstr(slabd_last_error(), fixture.socket) != NULL &&
	               strstr(slabd_last_error(), "SLABD_SOCKET") != NULL,
	       "which is named, with what to look at");
	options.socket = "/nonexistent/slabd.sock";
	fixture_fails(slabd_open(NULL, &options) == NULL, ENOENT, "no socket");
	options.socket = "/a-path-that-is-longer-than-the-address-of-a-Unix-"
	                 "socket-can-be-which-is-a-hundred-and-eight-bytes-"
	                 "with-the-end/slabd.sock";
	fixture_fails(slabd_open(NULL, &options) == NULL, ENAMETOOLONG,
	              "a long path");
	tap_ok(strstr(slabd_last_error(), "over 107 bytes") != NULL,
	       "which is why it is refused");
	options.socket = "";
	fixture_fails(slabd_open(NULL, &options) == NULL, ENOENT,
	              "an empty path");
	options.socket = fixture.config;
	fixture_fails(slabd_open(NULL, &options) == NULL, ECONNREFUSED,
	      "a file that is no socket");
}

static void opens_wrong(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	(void)fd;
	(void)arg;
	fixture_fails(slabd_open("nobody", &options) == NULL, ENOENT,
	              "a wrong pool");
	tap_ok(strstr(slabd_last_error(), "nobody") != NULL, "it is named");
	fixture_fails(slabd_open("", &options) == NULL, ENOENT,
	              "a pool without name");
	fixture_fails(
		slabd_open(
			"sixty-four-bytes-are-one-more-than-the-name-of-a-pool-"
			"may-have-x",
			&options) == NULL,
		ENAMETOOLONG, "a name too long");
	options.socket = fixture.control;
	fixture_fails(slabd_open(NULL, &options) == NULL, EPROTO,
	      "the socket of slabctl");
	options.socket = fixture.socket;
	if (chmod(fixture.socket, 0600) == 0 && seteuid(65534) == 0) {
		fixture_fails(slabd_open(NULL, &options) == NULL, EACCES,
		      "a socket of root's alone");
		tap_ok(strstr(slabd_last_error(), "socket_mode") != NULL,
		       "with what to look at");
		if (seteuid(0) < 0)
			tap_bail("can't be root again");
	}
	options.flags = 1u << 30;
	fixture_fails(slabd_open(NULL, &options) == NULL, EINVAL,
	              "unknown flags");
	options.flags = 0;
	options.spare[2] = 1;
	fixture_fails(slabd_open(NULL, &options) == NULL, EINVAL,
	              "spare that is set");
	fixture_fails(slabd_close(NULL) < 0, EINVAL, "slabd_close of nothing");
}

static void run(void (*what)(int fd, void *arg), const char *name)
{
	struct child child;
	child_start(&child, what, NULL);
	child_end(&child, name);
}

/* ---- somebody else ------------------------------------------------------ */

enum garble { CLOSES, SILENT, FULL, NOISE, CUT, OTHER_ABI, NO_FDS, EMPTY_FDS,
              NOISY_FDS, GARBLES };

static const struct {
	const char *name;
	int error;
} garbles[GARBLES] = {
	{"one who closes at once", ENOTCONN},
	{"one who never answers", ETIMEDOUT},
	{"one who lets nobody in", ETIMEDOUT},
	{"one who answers noise", EPROTO},
	{"one who cuts the answer", EPROTO},
	{"another ABI", EPROTO},
	{"no descriptors", EPROTO},
	{"descriptors of empty files", EPROTO},
	{"descriptors of files full of noise", EPROTO},
};

static int noise_file(enum garble how)
{
	int fd = memfd_create("noise", MFD_CLOEXEC);
	char noise[4096];
	memset(noise, 0xa5, sizeof(noise));
	if (fd >= 0 && how == NOISY_FDS &&
	    write(fd, noise, sizeof(noise)) != sizeof(noise))
		tap_bail("write: %s", strerror(errno));
	return fd;
}

static void send_welcome(int sock, enum garble how)
{
	struct wire_welcome msg = {.magic = WIRE_MAGIC,
	                           .abi = WIRE_ABI + (how == OTHER_ABI),
	                           .type = WIRE_WELCOME,
	                           .bytes = sizeof(msg),
	                           .id = 1,
	                           .n_nodes = 1,
	                           .control_bytes = 1 << 20,
	                           .shared_bytes = 1 << 20};
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(msg)};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[4];
	if (how == NOISE)
		memset(&msg, 0xa5, sizeof(msg));
	if (how == CUT)
		iov.iov_len = 40;
	if (how >= EMPTY_FDS) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)room;
		for (unsigned i = 0; i < 4; i++)
			fds[i] = noise_file(how);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(c), fds, sizeof(fds));
		hdr.msg_control = room;
		hdr.msg_controllen = sizeof(room);
	}
	sendmsg(sock, &hdr, MSG_NOSIGNAL);
}

/* Until the next connection would have to wait. */
static void fill_queue(const struct sockaddr_un *at)
{
	int sock;
	do
		sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	while (connect(sock, (const void *)at, sizeof(*at)) == 0);
	if (errno != EAGAIN)
		tap_bail("connect: %s", strerror(errno));
}

static void impostor(int fd, void *arg)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	enum garble how = *(enum garble *)arg;
	char room[WIRE_BYTES_MAX];
	int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int sock;
	strncpy(at.sun_path, fixture.socket, sizeof(at.sun_path) - 1);
	unlink(fixture.socket);
	if (bind(listening, (void *)&at, sizeof(at)) < 0 ||
	    listen(listening, 1) < 0)
		tap_bail("bind: %s", strerror(errno));
	if (how == FULL)
		fill_queue(&at);
	say(fd, 1);
	if (how == FULL) {
		hear(fd);
		return;
	}
	sock = accept(listening, NULL, NULL);
	if (how == CLOSES) {
		/* It may be restarting: one more try is made. */
		close(sock);
		sock = accept(listening, NULL, NULL);
	}
	if (how != CLOSES)
		recv(sock, room, sizeof(room), 0);
	if (how > SILENT)
		send_welcome(sock, how);
	if (how != CLOSES)
		recv(sock, room, sizeof(room), 0);
	close(sock);
	hear(fd);
}

static void on_tick(int signal)
{
	(void)signal;
}

static bool names_abi(unsigned abi)
{
	char text[16];
	snprintf(text, sizeof(text), "ABI %u", abi);
	return strstr(slabd_last_error(), text) != NULL;
}

/* Under a profiler, say, whose signals come all the time. */
static void opens_impostor(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	struct itimerval tick = {{0, 20000}, {0, 20000}};
	enum garble how = *(enum garble *)arg;
	double ms;
	(void)fd;
	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &tick, NULL);
	asked_begin();
	fixture_fails(slabd_open(NULL, &options) == NULL, garbles[how].error,
	              garbles[how].name);
	ms = asked_end();
	/* Who is hung up on tries once more, with a wait of its own. A socket's
	 * wait is set to the microsecond. */
	tap_ok(ms < LIMIT_MS * (how == CLOSES ? 2 : 1) + 1,
	       "having waited no longer than the limit");
	tap_note("%.1f ms", ms);
	if (how == OTHER_ABI)
		tap_ok(names_abi(WIRE_ABI) && names_abi(WIRE_ABI + 1),
		       "both versions are named");
}

static void test_wrong(void)
{
	fixture_open(&fixture, SMALL);
	run(opens_wrong, "wrong names and options");
	fixture_close(&fixture);
}

/* Each at a door of its own, so that those who let wait are waited for at once. */
static void test_impostors(void)
{
	static struct fixture doors[GARBLES];
	struct child servers[GARBLES];
	struct child clients[GARBLES];
	for (enum garble how = CLOSES; how < GARBLES; how++) {
		fixture_make(&fixture, SMALL);
		doors[how] = fixture;
		child_start(&servers[how], impostor, &how);
		hear(servers[how].fd);
		child_start(&clients[how], opens_impostor, &how);
	}
	for (enum garble how = CLOSES; how < GARBLES; how++) {
		child_end(&clients[how], "the client ends well");
		say(servers[how].fd, 1);
		child_end(&servers[how], "and the other");
	}
	fixture = doors[OTHER_ABI]; /* whose socket is still there */
	run(opens, "no slabd at all");
	for (enum garble how = CLOSES; how < GARBLES; how++)
		fixture_remove(&doors[how]);
}

int main(void)
{
	tap_start(300);
	test_wrong();
	test_impostors();
	return tap_end();
}
