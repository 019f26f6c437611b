/* SPDX-License-Identifier: MIT */
/* Against a server that says what each test wants it to. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/ctl/http.h"

static char path[] = "/tmp/test_ctl_http.XXXXXX/sock";
static char asked[2048];
static int listen_fd;

static void make(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char *slash = strrchr(path, '/');

	*slash = '\0';
	cr_assert(mkdtemp(path));
	*slash = '/';
	strcpy(addr.sun_path, path);
	listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)),
	             0);
	cr_assert_eq(listen(listen_fd, 4), 0);
}

static void unmake(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

TestSuite(ctl_http, .init = make, .fini = unmake, .timeout = 300);

/* Serves one connection: hears the request, says its piece, hangs up. */
static void *serve(void *arg)
{
	const char *say = arg;
	int fd = accept(listen_fd, NULL, NULL);

	cr_assert_gt(recv(fd, asked, sizeof(asked) - 1, 0), 0);
	send(fd, say, strlen(say), MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static json_t *get_of(const char *say, const struct ctl_param *param, size_t n,
                      struct ctl_http_fault *fault)
{
	pthread_t thread;
	json_t *doc;

	pthread_create(&thread, NULL, serve, (void *)(uintptr_t)say);
	doc = ctl_http_ask(path, "/status", false, param, n, 60, fault);
	pthread_join(thread, NULL);
	return doc;
}

Test(ctl_http, document)
{
	const struct ctl_param param[] = {
		{"pool", "a&b c"}, {"node", NULL}, {"limit", "7"}};
	struct ctl_http_fault fault;
	json_t *doc = get_of("HTTP/1.1 200 OK\r\n\r\n{\"a\":[1,2]}\n", param, 3,
	                     &fault);

	cr_assert(doc, "%s", fault.what);
	cr_expect_eq(json_array_size(json_object_get(doc, "a")), 2);
	cr_expect_eq(
		strncmp(asked, "GET /status?pool=a%26b%20c&limit=7 HTTP/", 40),
		0);
	json_decref(doc);
}

Test(ctl_http, post)
{
	const struct ctl_param param[] = {
		{"cache", "a&b c"}, {"n", NULL}, {"to", "7"}};
	const char say[] = "HTTP/1.1 200 OK\r\n\r\n{}\n";
	struct ctl_http_fault fault;
	pthread_t thread;
	json_t *doc;

	pthread_create(&thread, NULL, serve, (void *)(uintptr_t)say);
	doc = ctl_http_ask(path, "/lend", true, param, 3, 60, &fault);
	pthread_join(thread, NULL);
	cr_assert(doc, "%s", fault.what);
	cr_expect_eq(strncmp(asked, "POST /lend HTTP/", 16), 0, "%s", asked);
	cr_expect(strstr(asked, "Content-Type: "
	                        "application/x-www-form-urlencoded\r\n"));
	cr_expect(strstr(asked, "\r\n\r\ncache=a%26b%20c&to=7"), "%s", asked);
	json_decref(doc);
}

static const char *const refusals[][3] = {
	{"HTTP/1.1 400 Bad\r\n\r\n{\"error\":\"no pool x\",\"remedy\":\"y\"}",
         "slabd refused: no pool x", "y"},
	{"HTTP/1.1 413 Too\r\n\r\n<html>", "slabd refused: HTTP status 413",
         "see the log of slabd"},
	{"HTTP/1.1 404 No\r\n\r\n{\"error\":\"no such path\",\"remedy\":\"\","
         "\"paths\":[\"/nodes\"],\"post\":[]}",
         "slabd does not know status: it is older than this slabctl, "
         PACKAGE_VERSION, CTL_HTTP_OTHER_VERSION},
	{"HTTP/1.1 404 No\r\n\r\n{\"error\":\"no pool x\",\"remedy\":\"y\"}",
         "slabd refused: no pool x", "y"},
	{"HTTP/1.1 500 Oh\r\n\r\n{\"error\":7}",
         "slabd refused: HTTP status 500", "see the log of slabd"},
	{"HTTP/1.1 200 OK\r\n\r\n", "the answer is no JSON: it is empty",
         CTL_HTTP_OTHER_VERSION ", if that is slabd's admin socket"},
	{"HTTP/1.1 200 OK\r\n\r\n{\"a\":",
         "the answer is no JSON: unexpected token near end of file",
         CTL_HTTP_OTHER_VERSION ", if that is slabd's admin socket"},
};

Test(ctl_http, refusals)
{
	struct ctl_http_fault fault;
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cr_expect_null(get_of(refusals[i][0], NULL, 0, &fault));
		cr_expect_str_eq(fault.what, refusals[i][1]);
		cr_expect_str_eq(fault.remedy, refusals[i][2]);
	}
}

Test(ctl_http, cut_short)
{
	struct ctl_http_fault fault;

	cr_expect_null(get_of("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
	                      NULL, 0, &fault));
	cr_expect(strstr(fault.what, "no answer from slabd at"), "%s",
	          fault.what);
	cr_expect_null(get_of("SSH-2.0\r\n", NULL, 0, &fault));
	cr_expect(strstr(fault.what, "speaks no HTTP"), "%s", fault.what);
	cr_expect_null(get_of("", NULL, 0, &fault));
}

Test(ctl_http, silence_is_waited_for_no_longer_than_said)
{
	struct ctl_http_fault fault;

	cr_expect_null(ctl_http_ask(path, "/audit", false, NULL, 0, 1, &fault));
	cr_expect(strstr(fault.what, "gave no answer in 1 s"), "%s",
	          fault.what);
	cr_expect_str_eq(fault.remedy, "is it starting, busy or stopped: see "
	                 "systemctl status slabd, or its log");
}

Test(ctl_http, nobody_listens)
{
	struct ctl_http_fault fault;

	close(listen_fd);
	cr_expect_null(ctl_http_ask(path, "/status", false, NULL, 0, 60, &fault));
	cr_expect(strstr(fault.what, "nobody listens at /tmp/"), "%s",
	          fault.what);
	cr_expect_null(
		ctl_http_ask("/tmp/no/sock", "/status", false, NULL, 0, 60, &fault));
	cr_expect_str_eq(fault.what,
	                 "no slabd at /tmp/no/sock: No such file or directory");
}

Test(ctl_http, no_socket)
{
	struct ctl_http_fault fault;

	cr_expect_null(
		ctl_http_ask("/tmp", "/status", false, NULL, 0, 60, &fault));
	cr_expect_str_eq(fault.what, "/tmp is a folder, and no socket");
	cr_expect(strstr(fault.remedy, "control.sock"));
	cr_expect_null(ctl_http_ask("/proc/self/status", "/status", false, NULL, 0,
	                            60, &fault));
	cr_expect_str_eq(fault.what,
	                 "/proc/self/status is a file, and no socket");
}

Test(ctl_http, proxies_are_ignored)
{
	struct ctl_http_fault fault;
	json_t *doc;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	doc = get_of("HTTP/1.1 200 OK\r\n\r\n{}", NULL, 0, &fault);
	cr_expect(doc, "%s", fault.what);
	json_decref(doc);
}

/* root may enter everywhere, so the test becomes nobody where it can. */
Test(ctl_http, permission)
{
	struct ctl_http_fault fault;

	chmod(path, 0600);
	*strrchr(path, '/') = '\0';
	chmod(path, 0755);
	path[strlen(path)] = '/';
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	else
		chmod(path, 0);
	cr_expect_null(ctl_http_ask(path, "/status", false, NULL, 0, 60, &fault));
	cr_expect(strstr(fault.what, "permission denied at"), "%s", fault.what);
	cr_expect(strstr(fault.remedy, "the socket is of mode 0"), "%s",
	          fault.remedy);
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

Test(ctl_http, path_too_long)
{
	struct ctl_http_fault fault;
	char lengthy[200];

	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	cr_expect_null(ctl_http_ask(lengthy, "/status", false, NULL, 0, 60, &fault));
	cr_expect_str_eq(fault.remedy, "give one of fewer than 108 bytes");
}
