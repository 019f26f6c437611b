/* SPDX-License-Identifier: MIT */
/* Requests that look, good and bad; connections, and their end. */
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/admin_fixture.h"

/* The clock of libevent, and all else here, once it is stopped: it stands until
 * it is set. In ns; 0: it runs. */
static int64_t stopped_ns;

int clock_gettime(clockid_t id, struct timespec *now)
{
	int64_t ns = atom_load(&stopped_ns);
	if (ns == 0)
		return (int)syscall(SYS_clock_gettime, id, now);
	*now = (struct timespec){ns / 1000000000, ns % 1000000000};
	return 0;
}

static void stop_clock(void)
{
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	atom_store(&stopped_ns, now.tv_sec * 1000000000 + now.tv_nsec);
}

static void pass_ms(long long ms)
{
	atom_add(&stopped_ns, ms * 1000000);
}

/* How often a connection was to be accepted while there were no descriptors. */
static bool no_descriptors;
static uint32_t n_failed;

int accept4(int fd, struct sockaddr *addr, socklen_t *size, int flags)
{
	if (atom_load(&no_descriptors)) {
		atom_add(&n_failed, 1);
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, addr, size, flags);
}

TestSuite(http, .init = start, .fini = stop, .timeout = 300);

Test(http, get)
{
	expect("/hello", 200, "{\"hello\":\"world\"}\n");
	expect("/", 200,
	       "{\"paths\":[\"/hello\",\"/echo\",\"/null\","
	       "\"/big\",\"/conns\",\"/later\",\"/page\",\"/cut\","
	       "\"/both\"],"
	       "\"post\":[\"/change\",\"/both\"]}\n");
}

Test(http, forms)
{
	expect("/page", 200, "<p>\n\n");
	expect("/cut", 200, "{\"list\":[{\"name\":2}]}\n");
	cr_expect_eq(ask("/cut?a=b").status, 400);
}

Test(http, unknown_path)
{
	expect("/hell", 404,
	       "{\"error\":\"no such path\",\"remedy\":\"GET one of the "
	       "paths, or POST to one of the others\",\"paths\":[\"/hello\","
	       "\"/echo\",\"/null\",\"/big\",\"/conns\",\"/later\",\"/page\",\"/cut\","
	       "\"/both\"],"
	       "\"post\":[\"/change\",\"/both\"]}\n");
	cr_expect_eq(ask("/hello/").status, 404);
	cr_expect_eq(ask_as("POST", "/hell", NULL).status, 404);
}

/* What came after the head would be taken for the next answer. */
Test(http, head)
{
	char said[2048] = "";
	size_t n = 0;
	ssize_t got;
	int fd = dial("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"
	              "HEAD /none HTTP/1.1\r\nHost: x\r\n\r\n"
	              "HEAD /change HTTP/1.1\r\nHost: x\r\n"
	              "Connection: close\r\n\r\n");
	char *second, *third;

	while (n < sizeof(said) - 1 &&
	       (got = recv(fd, said + n, sizeof(said) - 1 - n, 0)) > 0)
		n += (size_t)got;
	close(fd);
	cr_assert_eq(strncmp(said, "HTTP/1.1 200 OK\r\n", 17), 0, "%s", said);
	cr_expect(strstr(said, "\r\nContent-Length: "));
	cr_assert(second = strstr(said, "\r\n\r\nHTTP/1.1 404 "), "%s", said);
	cr_assert(third = strstr(second + 4, "\r\n\r\nHTTP/1.1 405 "), "%s",
	          said);
	cr_expect_str_eq(strstr(third + 4, "\r\n\r\n"), "\r\n\r\n");
}

Test(http, method)
{
	static const char *const method[] = {"POST", "PUT", "DELETE", "PATCH",
	                                     "OPTIONS"};
	struct answer a;
	size_t i;

	for (i = 0; i < 5; i++) {
		a = ask_as(method[i], "/hello", NULL);
		cr_expect_eq(a.status, 405, "%s: %ld", method[i], a.status);
		cr_expect_str_eq(a.allow, "GET");
		cr_expect_str_eq(a.body, "{\"error\":\"method not allowed\","
		                         "\"remedy\":\"use GET\"}\n");
	}
}

Test(http, query)
{
	expect("/echo", 200, "{\"pool\":null,\"n\":7,\"r\":-2}\n");
	expect("/echo?pool=a%26b&n=100", 200,
	       "{\"pool\":\"a&b\",\"n\":100,\"r\":0}\n");
	expect("/echo?n=101", 400,
	       "{\"error\":\"n is no number\",\"remedy\":\"give 0 to "
	       "100\"}\n");
	cr_expect_eq(ask("/echo?n=-1").status, 400);
	cr_expect_eq(ask("/echo?n=99999999999999999999999").status, 400);
	expect("/echo?poo=x", 400,
	       "{\"error\":\"unknown parameter\",\"remedy\":\"parameters of "
	       "/echo: pool n\"}\n");
	expect("/hello?pool=x", 400,
	       "{\"error\":\"unknown parameter\",\"remedy\":\"/hello takes no "
	       "parameters\"}\n");
	expect("/echo?n=1&n=1", 400,
	       "{\"error\":\"a parameter is given twice\",\"remedy\":"
	       "\"parameters of /echo: pool n\"}\n");
	expect("/echo?pool", 400,
	       "{\"error\":\"malformed query\",\"remedy\":\"parameters of "
	       "/echo: pool n\"}\n");
}

Test(http, a_route_that_fails)
{
	expect("/null", 500,
	       "{\"error\":\"no answer could be made\","
	       "\"remedy\":\"see the log of slabd\"}\n");
}

Test(http, header_too_large)
{
	char *line = malloc(ADMIN_HEADERS_MAX + 64);
	struct curl_slist *head;
	long status;

	memset(line, 'x', ADMIN_HEADERS_MAX + 63);
	memcpy(line, "X: ", 3);
	line[ADMIN_HEADERS_MAX + 63] = '\0';
	head = curl_slist_append(NULL, line);
	status = ask_as("GET", "/hello", head).status;
	cr_expect(status == 400 || status == 413, "%ld", status);
	curl_slist_free_all(head);
	free(line);
	cr_expect_eq(ask("/hello").status, 200);
}

Test(http, body_too_large)
{
	int fd = dial("GET /hello HTTP/1.1\r\nContent-Length: 99999999\r\n"
	              "\r\nxxxx");
	char buf[16] = "";

	cr_expect_gt(recv(fd, buf, 12, MSG_WAITALL), 0);
	cr_expect_str_eq(buf, "HTTP/1.1 413");
	cr_expect_geq(drain(fd), 0);
	close(fd);
	cr_expect_eq(ask("/hello").status, 200);
}

Test(http, garbage)
{
	static const char *const said[] = {"\r\n\r\n\r\n",
	                                   "\x16\x03\x01\x02",
	                                   "GET\r\n\r\n",
	                                   "GET /hello HTTP/9.9\r\n\r\n",
	                                   "GET http://[ HTTP/1.1\r\n\r\n",
	                                   "CONNECT x:1 HTTP/1.1\r\n\r\n",
	                                   "GET * HTTP/1.1\r\n\r\n",
	                                   "GET /%zz?%zz=% HTTP/1.1\r\n\r\n"};
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		int fd = dial(said[i]);

		shutdown(fd, SHUT_WR);
		cr_expect_geq(drain(fd), 0, "%zu", i);
		close(fd);
		cr_expect_eq(ask("/hello").status, 200);
	}
}

Test(http, half_a_request_holds_up_nobody)
{
	int fd = dial("GET /he");
	char buf[16] = "";

	cr_expect_eq(ask("/hello").status, 200);
	cr_assert_eq(send(fd, "llo HTTP/1.1\r\n\r\n", 16, 0), 16);
	cr_expect_eq(recv(fd, buf, 12, MSG_WAITALL), 12);
	cr_expect_str_eq(buf, "HTTP/1.1 200");
	close(fd);
}

/* Asks on a connection that is there already: the loop goes round. */
static void ask_on(int fd)
{
	static const char hello[] = "GET /hello HTTP/1.1\r\n\r\n";
	char buf[4096];
	cr_assert_eq(send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL),
	             (ssize_t)sizeof(hello) - 1);
	cr_assert_gt(recv(fd, buf, 1, 0), 0);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
}

Test(http, quiet_connections_end)
{
	int idle, half;
	stop_clock();
	idle = dial("");
	half = dial("GET /hello HTTP/1.1\r\nX");
	expect("/conns", 200, "{\"conns\":3}\n");
	pass_ms(ADMIN_TIMEOUT_S * 1000 - 1);
	expect("/conns", 200, "{\"conns\":3}\n");
	pass_ms(2);
	cr_expect_eq(ask("/hello").status, 200);
	cr_expect_geq(drain(idle), 0);
	cr_expect_geq(drain(half), 0);
	expect("/conns", 200, "{\"conns\":1}\n");
	close(idle);
	close(half);
}

Test(http, idle_connections_make_room)
{
	int fd[3 * ADMIN_CONNS_MAX], open = 0, i;
	struct pollfd p = {.events = POLLIN};
	for (i = 0; i < 3 * ADMIN_CONNS_MAX; i++)
		fd[i] = dial(i % 2 ? "GET /hel" : "");
	expect("/conns", 200, "{\"conns\":32}\n");
	for (i = 0; i < 3 * ADMIN_CONNS_MAX; i++) {
		p.fd = fd[i];
		open += poll(&p, 1, 0) == 0;
		/* The oldest went, so the first are closed. */
		cr_expect(i >= 2 * ADMIN_CONNS_MAX || poll(&p, 1, 0) == 1);
		close(fd[i]);
	}
	cr_expect_eq(open, ADMIN_CONNS_MAX - 1);
	/* The loop sees one after the other that they are closed. */
	while (strcmp(ask("/conns").body, "{\"conns\":1}\n") != 0)
		continue;
}

/* From now on, who connects in this thread is another user: nobody, or root. */
static void become(uid_t uid)
{
	cr_assert_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
}

/* One who takes all places, and more, takes none of another's. */
Test(http, a_user_makes_room_among_its_own)
{
	int fd[4 * ADMIN_CONNS_MAX], mine, i;
	struct pollfd p = {.events = POLLIN};
	if (geteuid() != 0)
		cr_skip_test("root alone can be two users");
	cr_assert_eq(chmod(srv.dir, 0755), 0);
	cr_assert_eq(chmod(srv.addr.sun_path, 0666), 0);
	mine = dial("");
	ask_on(mine);
	become(65534);
	for (i = 0; i < 4 * ADMIN_CONNS_MAX; i++) {
		fd[i] = dial(i % 16 ? "GET /hel" : "");
		if (i % 16 == 0)
			ask_on(fd[i]);
	}
	become(0);
	expect("/conns", 200, "{\"conns\":32}\n");
	p.fd = mine;
	cr_expect_eq(poll(&p, 1, 0), 0);
	ask_on(mine);
	for (i = 0; i < 4 * ADMIN_CONNS_MAX; i++)
		close(fd[i]);
	close(mine);
}

/* The one that asked last stays, though it came first. */
Test(http, who_asks_is_not_idle)
{
	int first = dial(""), fd[2 * ADMIN_CONNS_MAX], i;
	struct pollfd p = {.fd = first, .events = POLLIN};
	for (i = 0; i < 2 * ADMIN_CONNS_MAX; i++) {
		fd[i] = dial("");
		ask_on(first);
	}
	cr_expect_eq(poll(&p, 1, 0), 0);
	for (i = 0; i < 2 * ADMIN_CONNS_MAX; i++)
		close(fd[i]);
	close(first);
}

/* One that asked is closed at once where all have asked. */
Test(http, who_asked_makes_room_for_who_asks)
{
	int fd[ADMIN_CONNS_MAX + 1], i;
	for (i = 0; i <= ADMIN_CONNS_MAX; i++) {
		fd[i] = dial("");
		ask_on(fd[i]);
	}
	cr_expect_eq(drain(fd[0]), 0);
	ask_on(fd[1]);
	for (i = 0; i <= ADMIN_CONNS_MAX; i++)
		close(fd[i]);
}

/* The answer is under way, and not read before others have theirs. */
Test(http, a_slow_reader_holds_up_nobody)
{
	int fd = dial("GET /big HTTP/1.1\r\nConnection: close\r\n\r\n");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cr_assert_eq(poll(&p, 1, -1), 1);
	cr_expect_eq(ask("/hello").status, 200);
	cr_expect_gt(drain(fd), (ssize_t)BIG);
	close(fd);
}

Test(http, keep_alive)
{
	int fd = dial("GET /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n"
	              "Connection: close\r\n\r\n");

	cr_expect_gt(drain(fd), 200);
	close(fd);
}

/* stop(), run after the test, checks that the loop ends at once. */
/* Others are served meanwhile, and more that the same one sends has to wait. */
Test(http, answers_later)
{
	char text[2048] = "";
	int never = dial("GET /later HTTP/1.1\r\n\r\n");
	int two = dial("GET /later?n=9 HTTP/1.1\r\n\r\n"
	               "GET /hello HTTP/1.0\r\n\r\n");
	expect("/later?n=1", 200, "{\"calls\":1}\n");
	expect("/later?n=3", 200, "{\"calls\":3}\n");
	for (size_t n = 0; strstr(text, "world") == NULL; n += strlen(text + n))
		cr_assert_gt(read(two, text + n, sizeof(text) - 1 - n), 0);
	cr_expect_not_null(strstr(text, "{\"calls\":9}\n"));
	close(two);
	close(never);
	cr_expect_eq(ask("/hello").status, 200);
}

/* A connection that is closed for another takes its request along. */
Test(http, who_waits_for_an_answer_makes_room)
{
	int fd[ADMIN_CONNS_MAX];
	for (int i = 0; i < ADMIN_CONNS_MAX; i++)
		fd[i] = dial("GET /later HTTP/1.1\r\n\r\n");
	cr_expect_eq(ask("/hello").status, 200);
	cr_expect_eq(drain(fd[0]), 0);
	for (int i = 0; i < ADMIN_CONNS_MAX; i++)
		close(fd[i]);
}

Test(http, stop_while_connected)
{
	dial("");
	dial("GET /hel");
	dial("GET /hello HTTP/1.1\r\n\r\n");
	dial("GET /big HTTP/1.1\r\n\r\n");
	cr_expect_eq(ask("/hello").status, 200);
}

/* Nor does a connection that the loop has not seen yet. */
Test(http, stop_right_after_connect)
{
	int i;

	for (i = 0; i < 40; i++)
		dial("GET /hello HTTP/1.1\r\n\r\n");
}

/* Tried once; then not before the pause is over, however often the loop goes
 * round. */
Test(http, out_of_descriptors_neither_spins_nor_stays)
{
	int there = dial(""), i, late;
	ask_on(there);
	stop_clock();
	ask_on(there);
	atom_store(&no_descriptors, true);
	late = dial("");
	for (i = 0; i < 100 || atom_load(&n_failed) == 0; i++)
		ask_on(there);
	cr_expect_eq(atom_load(&n_failed), 1);
	pass_ms(499);
	for (i = 0; i < 100; i++)
		ask_on(there);
	cr_expect_eq(atom_load(&n_failed), 1);
	pass_ms(2);
	while (atom_load(&n_failed) < 2)
		ask_on(there);
	atom_store(&no_descriptors, false);
	pass_ms(501);
	ask_on(there);
	ask_on(late);
	close(late);
	close(there);
}

/* A base may be freed right after admin_stop, without another round. */
Test(http, stop_without_a_loop)
{
	struct event_base *base = event_base_new();
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), peer, i;
	struct admin *admin;

	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "%s", srv.dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(admin_start(&admin, base, fd, &routes), 0);
	peer = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
	for (i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	cr_expect_eq(admin_n_conns(admin), 1);
	admin_stop(admin);
	event_base_free(base);
	cr_expect_eq(drain(peer), 0);
	cr_expect_geq(fcntl(fd, F_GETFD), 0);
	close(fd);
	close(peer);
}
