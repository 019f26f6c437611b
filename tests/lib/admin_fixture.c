/* SPDX-License-Identifier: MIT */
#include "tests/lib/admin_fixture.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/admin/dump.h"
#include "daemon/admin/query.h"

struct fixture srv;

static json_t *hello(void *arg, const struct admin_query *q, int *status)
{
	(void)q;
	(void)status;
	return json_pack("{s:s}", "hello", arg);
}

static json_t *echo(void *arg, const struct admin_query *q, int *status)
{
	const char *pool = admin_query_get(q, "pool");
	uint64_t n = 7;
	int r = admin_query_uint(q, "n", 100, &n);

	(void)arg;
	if (r == -EINVAL) {
		*status = 400;
		return admin_error_new("n is no number", "give 0 to 100");
	}
	return json_pack("{s:s?, s:I, s:i}", "pool", pool, "n", (json_int_t)n,
	                 "r", r);
}

static json_t *nothing(void *arg, const struct admin_query *q, int *status)
{
	(void)arg;
	(void)q;
	(void)status;
	return NULL;
}

static json_t *big(void *arg, const struct admin_query *q, int *status)
{
	char *s = malloc(BIG + 1);
	json_t *doc;

	(void)arg;
	(void)q;
	(void)status;
	memset(s, 'x', BIG);
	s[BIG] = '\0';
	doc = json_pack("{s:s}", "big", s);
	free(s);
	return doc;
}

static json_t *conns(void *arg, const struct admin_query *q, int *status)
{
	(void)arg;
	(void)q;
	(void)status;
	return json_pack("{s:i}", "conns", (int)admin_n_conns(srv.admin));
}

static json_t *page(void *arg, const struct admin_query *q, int *status)
{
	(void)arg;
	(void)q;
	(void)status;
	return json_string("<p>\n");
}

static json_t *cut(void *arg, const struct admin_query *q, int *status)
{
	(void)arg;
	(void)q;
	(void)status;
	return json_pack("{s:i, s:[{s:i, s:i}], s:i}", "secret", 1, "list",
	                 "name", 2, "secret", 3, "names", 4);
}

/* The test is the client: one process. */
static json_t *change(void *arg, const struct admin_query *q, int *status)
{
	cr_expect_eq(q->pid, getpid());
	cr_expect_eq(q->uid, geteuid());
	return echo(arg, q, status);
}

/* Answers when it is called for the n-th time; 0: never. */
static json_t *later(void *arg, const struct admin_query *q, int *status)
{
	uint64_t n = 0;
	uint64_t *calls = q->later->job;
	(void)arg;
	admin_query_uint(q, "n", 100, &n);
	if (calls == NULL)
		calls = q->later->job = calloc(1, sizeof(*calls));
	q->later->again_ms = 1;
	if (++*calls == n)
		return json_pack("{s:I}", "calls", (json_int_t)*calls);
	*status = ADMIN_LATER;
	return NULL;
}

static const struct admin_route route[] = {
	{"/hello", hello, NULL, false, NULL, NULL},
	{"/echo", echo, "pool n", false, NULL, NULL},
	{"/null", nothing, NULL, false, NULL, NULL},
	{"/big", big, NULL, false, NULL, NULL},
	{"/conns", conns, NULL, false, NULL, NULL},
	{"/later", later, "n", false, NULL, NULL},
	{"/change", change, "pool n", true, NULL, NULL},
	{"/page", page, NULL, false, NULL,
	 &(const struct dump_form){.type = "text/x", .policy = "none of it"}},
	{"/cut", cut, NULL, false, NULL,
	 &(const struct dump_form){.keys = "list name"}},
	{"/both", hello, NULL, false, NULL, NULL},
	{"/both", change, "n", true, NULL, NULL},
};

struct admin_routes routes = {
	.route = route, .n = sizeof(route) / sizeof(route[0]), .arg = "world"};

static void quit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	admin_stop(srv.admin);
	event_free(srv.quit);
}

/* Ends by itself once nothing is left on the base. */
static void *serve(void *arg)
{
	(void)arg;
	event_base_dispatch(srv.base);
	return NULL;
}

void start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	strcpy(srv.dir, "/tmp/test_admin.XXXXXX");
	cr_assert(mkdtemp(srv.dir));
	srv.addr.sun_family = AF_UNIX;
	snprintf(srv.addr.sun_path, sizeof(srv.addr.sun_path), "%s/sock",
	         srv.dir);
	srv.listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(srv.listen_fd, (struct sockaddr *)&srv.addr,
	                  sizeof(srv.addr)),
	             0);
	cr_assert_eq(listen(srv.listen_fd, 128), 0);
	cr_assert_eq(pipe2(srv.pipe, O_CLOEXEC), 0);
	srv.base = event_base_new();
	srv.quit = event_new(srv.base, srv.pipe[0], EV_READ, quit, NULL);
	event_add(srv.quit, NULL);
	cr_assert_eq(admin_start(&srv.admin, srv.base, srv.listen_fd, &routes),
	             0);
	cr_assert_eq(pthread_create(&srv.thread, NULL, serve, NULL), 0);
}

void stop(void)
{
	cr_assert_eq(write(srv.pipe[1], "q", 1), 1);
	cr_assert_eq(pthread_join(srv.thread, NULL), 0);
	cr_expect_geq(fcntl(srv.listen_fd, F_GETFD), 0);
	event_base_free(srv.base);
	close(srv.listen_fd);
	close(srv.pipe[0]);
	close(srv.pipe[1]);
	unlink(srv.addr.sun_path);
	rmdir(srv.dir);
}

static size_t take_body(char *p, size_t one, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t room = sizeof(a->body) - 1 - a->size;

	n *= one;
	memcpy(a->body + a->size, p, n < room ? n : room);
	a->size += n < room ? n : room;
	return n;
}

static size_t take_head(char *p, size_t one, size_t n, void *arg)
{
	struct answer *a = arg;

	if (n > 7 && strncasecmp(p, "Allow: ", 7) == 0)
		snprintf(a->allow, sizeof(a->allow), "%.*s", (int)n - 9, p + 7);
	return n * one;
}

struct answer ask_as(const char *method, const char *path,
                            struct curl_slist *head)
{
	struct answer a = {0};
	CURL *c = curl_easy_init();
	char url[512];
	CURLcode code;

	snprintf(url, sizeof(url), "http://localhost%s", path);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, srv.addr.sun_path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &a);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &a);
	code = curl_easy_perform(c);
	cr_expect_eq(code, CURLE_OK, "%s %s: %s", method, path,
	             curl_easy_strerror(code));
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a.status);
	curl_easy_cleanup(c);
	return a;
}

struct answer ask(const char *path)
{
	return ask_as("GET", path, NULL);
}

void expect(const char *path, long status, const char *body)
{
	struct answer a = ask(path);

	cr_expect_eq(a.status, status, "%s: %ld", path, a.status);
	cr_expect_str_eq(a.body, body);
}

int dial(const char *say)
{
	const struct timeval wait = {60, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(
		connect(fd, (struct sockaddr *)&srv.addr, sizeof(srv.addr)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (*say)
		cr_assert_eq(send(fd, say, strlen(say), MSG_NOSIGNAL),
		             (ssize_t)strlen(say));
	return fd;
}

ssize_t drain(int fd)
{
	static char buf[65536];
	ssize_t n, sum = 0;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		sum += n;
	return n == 0 || errno == ECONNRESET ? sum : -1;
}
