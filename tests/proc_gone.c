/* SPDX-License-Identifier: MIT */
/* slabd stopped, killed, not there, or somebody else in its place. */
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
#include "tests/lag.h"
#include "tests/proc/cut.h"
#include "tests/proc/harness.h"

#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 64M\n"
#define SIZE 1024
#define WAIT_MS 100

static struct bed bed;
static void *all[1 << 16];

static void fails(bool failed, int err, const char *what)
{
	int was = errno;
	if (!tap_ok(failed && was == err && slabd_last_error()[0] != '\0',
	            "%s: %s", what, strerror(err)))
		tap_note("%s, errno %s, \"%s\"", failed ? "failed" : "did not",
		         strerror(was), slabd_last_error());
}

static slabd_pool *open_pool(unsigned flags, unsigned wait_ms)
{
	struct slabd_options options = bed_options(&bed, flags);
	slabd_pool *pool;
	options.wait_ms = wait_ms;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* ---- stopped ------------------------------------------------------------ */

/* Takes all that is there; the first failure waits, the others do not. */
static size_t use_up(slabd_cache *cache, const char *how)
{
	size_t n = 0;
	struct lag lag;
	double first;
	do {
		lag = lag_begin(0, 0);
		all[n] = slabd_alloc(cache);
	} while (all[n] != NULL && ++n < sizeof(all) / sizeof(all[0]));
	first = lag_ms(&lag);
	fails(true, ENOMEM, how);
	tap_ok(n > 0, "what is there is still given out");
	tap_ok(first < WAIT_MS + 400, "and then an error in time");
	tap_note("%zu objects, then %.1f ms: %s", n, first, slabd_last_error());
	lag = lag_begin(0, 0);
	for (unsigned i = 0; i < 20; i++)
		if (slabd_alloc(cache) != NULL)
			tap_bail("an object out of nothing");
	tap_ok(lag_ms(&lag) < WAIT_MS, "20 more wait no more");
	return n;
}

static void stopped(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, WAIT_MS);
	slabd_cache *cache = bed_cache(pool, "one", SIZE);
	size_t n;
	double since;
	(void)arg;
	say(fd, 1);
	hear(fd);
	n = use_up(cache, "slabd stopped: nothing grows");
	say(fd, 1);
	hear(fd);
	since = now_ms();
	while ((all[n] = slabd_alloc(cache)) == NULL &&
	       now_ms() < since + SURELY_MS)
		sleep_ms(1);
	tap_ok(all[n] != NULL, "slabd goes on: so does growth");
	tap_note("after %.1f ms", now_ms() - since);
	n++;
	tap_ok(slabd_cache_create(pool, "two", SIZE, 0, 0) != NULL,
	       "and a new cache can be had");
	slabd_free_bulk(cache, n, all);
	tap_is(slabd_close(pool), 0, "slabd_close");
}

static void test_stopped(void)
{
	struct child child;
	bed_open(&bed, SMALL);
	child_start(&child, stopped, NULL);
	hear(child.fd);
	bed_signal(&bed, SIGSTOP);
	say(child.fd, 1);
	hear(child.fd);
	bed_signal(&bed, SIGCONT);
	say(child.fd, 1);
	child_end(&child, "slabd stopped and gone on");
	bed_audit(&bed, "after the stop");
	bed_close(&bed);
}

/* ---- killed ------------------------------------------------------------- */

/* Without a helper the descriptor tells; with one, it comes by itself. */
static void told(slabd_pool *pool, bool helper)
{
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	double until = now_ms() + SURELY_MS;
	if (!helper)
		tap_is(poll(&at, 1, (int)SURELY_MS), 1,
		       "slabd killed: the descriptor says so");
	while (helper && slabd_poll(pool) == 0 && now_ms() < until)
		sleep_ms(1);
	fails(slabd_poll(pool) < 0, ENOTCONN, "slabd_poll");
	tap_is(slabd_descriptor(pool), at.fd, "the descriptor stays");
}

static void asks(slabd_pool *pool)
{
	struct lag lag = lag_begin(0, 0);
	double since = now_ms();
	fails(slabd_cache_create(pool, "two", SIZE, 0, 0) == NULL, ENOTCONN,
	      "slabd_cache_create");
	since = now_ms() - since;
	tap_ok(since > 4500 && lag_ms(&lag) < 5500, "after a look of five seconds");
	tap_note("%.0f ms", since);
}

static void killed(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	slabd_pool *pool = open_pool(helper ? 0 : SLABD_NO_HELPER, WAIT_MS);
	slabd_cache *cache = bed_cache(pool, "one", SIZE);
	void *object = slabd_alloc(cache);
	size_t n;
	memset(object, 0x77, SIZE);
	say(fd, 1);
	hear(fd);
	told(pool, helper);
	asks(pool);
	n = use_up(cache, "nothing grows");
	tap_is(((char *)object)[SIZE - 1], 0x77, "objects stay readable");
	slabd_free_bulk(cache, n, all);
	tap_is(slabd_flush(pool), 0, "slabd_flush works");
	tap_is((long long)slabd_alloc_bulk(cache, n, all), (long long)n,
	       "and what came home can be allocated again");
	tap_is(slabd_give(pool, object, slabd_client_id(pool)), 0,
	       "slabd_give works");
	tap_is(slabd_cache_close(cache), 0, "slabd_cache_close works");
	tap_is(slabd_close(pool), 0, "slabd_close works");
}

static void test_killed(bool helper)
{
	struct child child;
	bed_open(&bed, SMALL);
	child_start(&child, killed, &helper);
	hear(child.fd);
	bed_signal(&bed, SIGKILL);
	bed_wait(&bed, SURELY_MS);
	say(child.fd, 1);
	child_end(&child, helper ? "slabd killed" : "slabd killed, no helper");
	bed_remove(&bed);
}

/* ---- another slabd ------------------------------------------------------ */

/* Fails as it must when there is no way back, and at once. */
static void is_lost(slabd_pool *pool, slabd_cache *cache)
{
	struct lag lag = lag_begin(0, 0);
	tap_ok(slabd_poll(pool) < 0 && errno == ENOTCONN &&
	               strstr(slabd_last_error(), "started anew") != NULL,
	       "slabd_poll says that there is no way back");
	tap_note("%s", slabd_last_error());
	tap_ok(slabd_descriptor(pool) < 0 && errno == ENOTCONN,
	       "there is no descriptor any more");
	tap_ok(slabd_cache_create(pool, "two", SIZE, 0, 0) == NULL &&
	               errno == ENOTCONN, "slabd_cache_create fails");
	while (slabd_alloc(cache) != NULL)
		continue;
	tap_ok(errno == ENOMEM &&
	               strstr(slabd_last_error(), "started anew") != NULL,
	       "slabd_alloc gives what is there");
	tap_ok(lag_ms(&lag) < 1000, "nothing of it waits");
}

static void meets_another(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	slabd_pool *pool = open_pool(helper ? 0 : SLABD_NO_HELPER, 5000);
	slabd_cache *cache = bed_cache(pool, "one", SIZE);
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	double until;
	double cpu = cut_cpu_ms();
	double since = now_ms();
	say(fd, 1);
	hear(fd);
	cpu = cut_cpu_ms() - cpu;
	/* The next slabd may take its time. */
	since = now_ms() - since;
	tap_ok(cpu < (since > 1000 ? since / 5 : 200), "who looks for slabd sleeps in between");
	tap_note("%.1f ms of %.0f", cpu, since);
	until = now_ms() + SURELY_MS;
	while (slabd_descriptor(pool) >= 0 && now_ms() < until)
		if (helper)
			sleep_ms(1);
		else if (poll(&at, 1, 2000) == 1)
			slabd_poll(pool);
	is_lost(pool, cache);
	tap_is(poll(&at, 1, 100), 0, "the descriptor is at rest");
	tap_is(slabd_close(pool), 0, "slabd_close works");
	pool = open_pool(0, WAIT_MS);
	tap_ok(slabd_alloc(bed_cache(pool, "one", SIZE)) != NULL,
	       "the pool can be opened again");
	tap_is(slabd_close(pool), 0, "and closed");
}

static void test_another(bool helper)
{
	struct child child;
	bed_open(&bed, SMALL);
	child_start(&child, meets_another, &helper);
	hear(child.fd);
	bed_signal(&bed, SIGKILL);
	bed_wait(&bed, SURELY_MS);
	sleep_ms(700);
	if (!bed_start(&bed))
		tap_bail("slabd does not start again");
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	bed_audit(&bed, "of the new slabd");
	bed_close(&bed);
}

/* ---- not there ---------------------------------------------------------- */

static void opens(int fd, void *arg)
{
	struct slabd_options options = bed_options(&bed, 0);
	(void)fd;
	(void)arg;
	fails(slabd_open(NULL, &options) == NULL, ECONNREFUSED,
	      "a socket that slabd left");
	tap_ok(strstr(slabd_last_error(), bed.socket) != NULL &&
	               strstr(slabd_last_error(), "SLABD_SOCKET") != NULL,
	       "which is named, with what to look at");
	options.socket = "/nonexistent/slabd.sock";
	fails(slabd_open(NULL, &options) == NULL, ENOENT, "no socket");
	options.socket = "/a-path-that-is-longer-than-the-address-of-a-Unix-"
	                 "socket-can-be-which-is-a-hundred-and-eight-bytes-"
	                 "with-the-end/slabd.sock";
	fails(slabd_open(NULL, &options) == NULL, ENAMETOOLONG, "a long path");
	tap_ok(strstr(slabd_last_error(), "over 107 bytes") != NULL,
	       "which is why it is refused");
	options.socket = "";
	fails(slabd_open(NULL, &options) == NULL, ENOENT, "an empty path");
	options.socket = bed.config;
	fails(slabd_open(NULL, &options) == NULL, ECONNREFUSED,
	      "a file that is no socket");
}

static void opens_wrong(int fd, void *arg)
{
	struct slabd_options options = bed_options(&bed, 0);
	(void)fd;
	(void)arg;
	fails(slabd_open("nobody", &options) == NULL, ENOENT, "a wrong pool");
	tap_ok(strstr(slabd_last_error(), "nobody") != NULL, "it is named");
	fails(slabd_open("", &options) == NULL, ENOENT, "a pool without name");
	fails(slabd_open("sixty-four-bytes-are-one-more-than-the-name-of-a-pool-"
	                 "may-have-x", &options) == NULL, ENAMETOOLONG,
	      "a name too long");
	options.socket = bed.control;
	fails(slabd_open(NULL, &options) == NULL, EPROTO,
	      "the socket of slabctl");
	options.socket = bed.socket;
	if (chmod(bed.socket, 0600) == 0 && seteuid(65534) == 0) {
		fails(slabd_open(NULL, &options) == NULL, EACCES,
		      "a socket of root's alone");
		tap_ok(strstr(slabd_last_error(), "socket_mode") != NULL,
		       "with what to look at");
		if (seteuid(0) < 0)
			tap_bail("can't be root again");
	}
	options.flags = 1u << 30;
	fails(slabd_open(NULL, &options) == NULL, EINVAL, "unknown flags");
	options.flags = 0;
	options.spare[4] = 1;
	fails(slabd_open(NULL, &options) == NULL, EINVAL, "spare that is set");
	fails(slabd_close(NULL) < 0, EINVAL, "slabd_close of nothing");
}

static void run(void (*what)(int fd, void *arg), const char *name)
{
	struct child child;
	child_start(&child, what, NULL);
	child_end(&child, name);
}

/* ---- trim without a helper ---------------------------------------------- */

/* Its depot holds what the other needs, and nobody but it can serve a trim. */
static void trims(int fd, void *arg)
{
	slabd_pool *pool = open_pool(SLABD_NO_HELPER, WAIT_MS);
	slabd_cache *cache = bed_cache(pool, "one", SIZE);
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	size_t n = slabd_alloc_bulk(cache, 2048, all);
	long long held;
	(void)arg;
	tap_is(slabd_poll(pool), 0, "slabd_poll has nothing to do");
	slabd_free_bulk(cache, n, all);
	held = bed_client(&bed, slabd_client_id(pool), "objects");
	say(fd, 1);
	tap_is(poll(&at, 1, (int)SURELY_MS), 1, "slabd asks for a trim");
	tap_is(slabd_poll(pool), 0, "slabd_poll serves it");
	tap_ok(bed_client(&bed, slabd_client_id(pool), "objects") < held,
	       "and less is held");
	hear(fd);
	slabd_close(pool);
}

static void needs(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, WAIT_MS);
	(void)fd;
	(void)arg;
	tap_is((long long)bed_take(bed_cache(pool, "one", SIZE), 1700, all),
	       1700, "so that another client gets on");
	slabd_close(pool);
}

static void test_trim(void)
{
	struct child one;
	bed_open(&bed, "[pool default]\npage = 4k\nmax = 2M\n");
	child_start(&one, trims, NULL);
	hear(one.fd);
	run(needs, "who needs it ends well");
	say(one.fd, 1);
	child_end(&one, "who was asked ends well");
	run(opens_wrong, "wrong names and options");
	bed_close(&bed);
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

/* Until whoever comes next has to wait at the door. */
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
	strncpy(at.sun_path, bed.socket, sizeof(at.sun_path) - 1);
	unlink(bed.socket);
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

/* Under a profiler, say, whose signals come all the time. */
static void opens_impostor(int fd, void *arg)
{
	struct slabd_options options = bed_options(&bed, 0);
	struct itimerval tick = {{0, 20000}, {0, 20000}};
	enum garble how = *(enum garble *)arg;
	struct lag lag = lag_begin(0, 0);
	(void)fd;
	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &tick, NULL);
	fails(slabd_open(NULL, &options) == NULL, garbles[how].error,
	      garbles[how].name);
	tap_ok(lag_ms(&lag) < 5500, "within the limit");
	if (how == OTHER_ABI)
		tap_ok(strstr(slabd_last_error(), "ABI 3") != NULL &&
		               strstr(slabd_last_error(), "ABI 2") != NULL,
		       "both versions are named");
}

static void test_impostors(void)
{
	struct child server;
	struct child client;
	bed_make(&bed, SMALL);
	for (enum garble how = CLOSES; how < GARBLES; how++) {
		child_start(&server, impostor, &how);
		hear(server.fd);
		child_start(&client, opens_impostor, &how);
		child_end(&client, "the client ends well");
		say(server.fd, 1);
		child_end(&server, "and the other");
	}
	run(opens, "no slabd at all");
	bed_remove(&bed);
}

int main(void)
{
	tap_start(300);
	test_stopped();
	test_killed(true);
	test_killed(false);
	test_another(true);
	test_another(false);
	test_trim();
	test_impostors();
	return tap_end();
}
