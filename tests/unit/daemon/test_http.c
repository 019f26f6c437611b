/* SPDX-License-Identifier: MIT */
/* Requests that look, good and bad; connections, and their end. */
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/admin_fixture.h"
#include "tests/lib/lag.h"

TestSuite(admin, .init = start, .fini = stop, .timeout = 300);

Test(admin, get)
{
	expect("/hello", 200, "{\"hello\":\"world\"}\n");
	expect("/", 200,
	       "{\"paths\":[\"/hello\",\"/echo\",\"/null\","
	       "\"/big\",\"/conns\",\"/both\"],\"post\":[\"/change\",\"/both\"]}\n");
}

Test(admin, unknown_path)
{
	expect("/hell", 404,
	       "{\"error\":\"no such path\",\"remedy\":\"GET one of the "
	       "paths, or POST to one of the others\",\"paths\":[\"/hello\","
	       "\"/echo\",\"/null\",\"/big\",\"/conns\",\"/both\"],"
	       "\"post\":[\"/change\",\"/both\"]}\n");
	cr_expect_eq(ask("/hello/").status, 404);
	cr_expect_eq(ask_as("POST", "/hell", NULL).status, 404);
}

Test(admin, method)
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

Test(admin, query)
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

Test(admin, a_route_that_fails)
{
	expect("/null", 500,
	       "{\"error\":\"no answer could be made\","
	       "\"remedy\":\"see the log of slabd\"}\n");
}

Test(admin, header_too_large)
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

Test(admin, body_too_large)
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

Test(admin, garbage)
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

Test(admin, half_a_request_holds_up_nobody)
{
	int fd = dial("GET /he");
	char buf[16] = "";

	cr_expect_eq(ask("/hello").status, 200);
	cr_assert_eq(send(fd, "llo HTTP/1.1\r\n\r\n", 16, 0), 16);
	cr_expect_eq(recv(fd, buf, 12, MSG_WAITALL), 12);
	cr_expect_str_eq(buf, "HTTP/1.1 200");
	close(fd);
}

Test(admin, quiet_connections_end)
{
	int idle = dial(""), half = dial("GET /hello HTTP/1.1\r\nX");
	struct lag lag = lag_begin(0, getpid());
	double from = lag_now_ms();

	cr_expect_geq(drain(idle), 0);
	cr_expect_geq(drain(half), 0);
	cr_expect_leq(lag_ms(&lag), (ADMIN_TIMEOUT_S + 3) * 1e3);
	cr_expect_geq(lag_now_ms() - from, (ADMIN_TIMEOUT_S - 2) * 1e3);
	close(idle);
	close(half);
	expect("/conns", 200, "{\"conns\":1}\n");
}

Test(admin, idle_connections_make_room)
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
	/* The loop may take a while to see that they are closed. */
	for (i = 0; i < 600 && strcmp(ask("/conns").body, "{\"conns\":1}\n") != 0;
	     i++)
		usleep(100000);
	expect("/conns", 200, "{\"conns\":1}\n");
}

Test(admin, a_slow_reader_holds_up_nobody)
{
	int fd = dial("GET /big HTTP/1.1\r\nConnection: close\r\n\r\n");
	struct lag lag;

	usleep(100000);
	lag = lag_begin(0, getpid());
	cr_expect_eq(ask("/hello").status, 200);
	cr_expect_lt(lag_ms(&lag), 2000);
	cr_expect_gt(drain(fd), (ssize_t)BIG);
	close(fd);
}

Test(admin, keep_alive)
{
	int fd = dial("GET /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n"
	              "Connection: close\r\n\r\n");

	cr_expect_gt(drain(fd), 200);
	close(fd);
}

/* stop(), run after the test, checks that the loop ends at once. */
Test(admin, stop_while_connected)
{
	dial("");
	dial("GET /hel");
	dial("GET /hello HTTP/1.1\r\n\r\n");
	dial("GET /big HTTP/1.1\r\n\r\n");
	cr_expect_eq(ask("/hello").status, 200);
}

/* Nor does a connection that the loop has not seen yet. */
Test(admin, stop_right_after_connect)
{
	int i;

	for (i = 0; i < 40; i++)
		dial("GET /hello HTTP/1.1\r\n\r\n");
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

Test(admin, out_of_descriptors_neither_spins_nor_stays)
{
	struct rlimit old, low;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), spare = dup(fd);
	double cpu;

	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)spare; /* every lower number is taken */
	close(spare);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	cr_assert_eq(
		connect(fd, (struct sockaddr *)&srv.addr, sizeof(srv.addr)), 0);
	cpu = cpu_s();
	usleep(400000);
	cr_expect_lt(cpu_s() - cpu, 0.1);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	cr_expect_eq(ask("/hello").status, 200);
	close(fd);
}

/* A base may be freed right after admin_stop, without another round. */
Test(admin, stop_without_a_loop)
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
