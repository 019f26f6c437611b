/* SPDX-License-Identifier: MIT */
/* What any user of the machine can reach: the page, what it reads, nothing else. */
#include "daemon/admin/page.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/admin/dump.h"
#include "daemon/admin/reports.h"
#include "tests/lib/admin_fixture.h"

/* Documents need a server; none is made here. */
static void begin(void)
{
	report_public_routes(NULL, &routes);
	start();
}

TestSuite(page, .init = begin, .fini = stop, .timeout = 300);

/* Of a GET, the whole answer, of malloc. */
static char *get(const char *path, const char *host)
{
	char *all = calloc(1, page_html_bytes + 4096);
	char say[256];
	size_t n = 0;
	ssize_t r;
	int fd;
	snprintf(say, sizeof(say),
	         "GET %s HTTP/1.1\r\n%s%s%sConnection: close\r\n\r\n", path,
	         host != NULL ? "Host: " : "", host != NULL ? host : "",
	         host != NULL ? "\r\n" : "");
	fd = dial(say);
	while ((r = recv(fd, all + n, page_html_bytes + 4095 - n, 0)) > 0)
		n += (size_t)r;
	close(fd);
	return all;
}

static bool has(const char *answer, const char *text)
{
	return strstr(answer, text) != NULL;
}

Test(page, is_html_and_may_load_nothing_else)
{
	char *is = get("/", "127.0.0.1:9464");
	char *body = strstr(is, "\r\n\r\n");
	cr_assert_not_null(body);
	cr_expect_eq(strncmp(body + 4, page_html, page_html_bytes), 0);
	cr_expect_str_eq(body + 4 + page_html_bytes, "\n");
	body[2] = '\0';
	cr_expect_eq(strncmp(is, "HTTP/1.1 200 ", 13), 0);
	cr_expect(has(is, "Content-Type: text/html; charset=utf-8\r\n"));
	cr_expect(has(is, "X-Content-Type-Options: nosniff\r\n"));
	cr_expect(has(is, "Cache-Control: no-store\r\n"));
	cr_expect(has(is, "Cross-Origin-Resource-Policy: same-origin\r\n"));
	cr_expect(has(is, "Content-Security-Policy: default-src 'none'; "
	                  "script-src 'sha256-"));
	cr_expect(has(page_policy, "; style-src 'sha256-"));
	cr_expect(has(page_policy, "; frame-ancestors 'none'"));
	cr_expect_not(has(page_policy, "unsafe"));
	free(is);
}

/* As numbers, localhost, or without: what a page of others can't come by. */
Test(page, for_a_name_of_this_machine_alone)
{
	static const struct {
		const char *host;
		bool good;
	} hosts[] = {
		{NULL, true}, {"localhost", true}, {"LocalHost:80", true},
		{"127.0.0.1", true}, {"[::1]:9464", true}, {"[::1]", true},
		{"10.0.0.1:1", true}, {"a.example", false},
		{"a.example:9464", false}, {"localhost.a.example", false},
		{"127.0.0.1.a.example", false}, {"[::1", false}, {"[]", false},
		{"::1]", false}, {"[a.example]", false},
		{"[1111:1111:1111:1111:1111:1111:111.111.111.111111]", false},
	};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char *is = get("/", hosts[i].host);
		cr_expect_eq(strncmp(is, hosts[i].good ? "HTTP/1.1 200 "
		                                       : "HTTP/1.1 403 ", 13),
		             0, "%s: %.40s", hosts[i].host, is);
		cr_expect(hosts[i].good || has(is, "slabd has no such name"));
		free(is);
	}
}

Test(page, other_methods_are_refused)
{
	static const char *const method[] = {"POST", "PUT", "DELETE", "PATCH",
	                                     "OPTIONS"};
	for (size_t i = 0; i < sizeof(method) / sizeof(method[0]); i++) {
		struct answer a = ask_as(method[i], "/", NULL);
		cr_expect_eq(a.status, 405, "%s: %ld", method[i], a.status);
		cr_expect_str_eq(a.allow, "GET");
	}
	cr_expect_eq(ask("/page.html").status, 404);
	cr_expect_eq(ask("/../etc/passwd").status, 404);
	cr_expect_eq(ask("/?a=b").status, 400);
}

Test(page, nothing_steers)
{
	struct admin_routes all;
	unsigned n = 0;
	report_routes(NULL, &all);
	for (size_t i = 0; i < all.n; i++) {
		const struct admin_route *route = &all.route[i];
		long status;
		if (!route->changes)
			continue;
		status = ask_as("POST", route->path, NULL).status;
		cr_expect(status == 404, "%s: %ld", route->path, status);
		n++;
	}
	cr_expect_gt(n, 5);
	for (size_t i = 0; i < routes.n; i++) {
		cr_expect_not(routes.route[i].changes);
		cr_expect_eq(ask_as("POST", routes.route[i].path, NULL).status,
		             405);
	}
}

/* Whoever adds one here has to think of whom it is shown to. */
Test(page, documents)
{
	static const char *const paths[] = {
		"/", "/metrics", "/status", "/nodes", "/caches", "/clients",
		"/channels", "/log", "/history",
	};
	static const char *const secret[] = {
		" uid ", " process ", " comm ", " age_s ", " told ", " remedy ",
		" holdups ", " orphans ", " supervisor ", " client ",
	};
	cr_assert_eq(routes.n, sizeof(paths) / sizeof(paths[0]));
	for (size_t i = 0; i < routes.n; i++) {
		const struct dump_form *form = routes.route[i].form;
		char keys[1024];
		cr_expect_str_eq(routes.route[i].path, paths[i]);
		cr_assert_not_null(form);
		cr_assert_eq(form->keys == NULL, form->type != NULL);
		snprintf(keys, sizeof(keys), " %s ", form->keys ? form->keys : "");
		for (size_t k = 0; k < sizeof(secret) / sizeof(secret[0]); k++)
			cr_expect_not(has(keys, secret[k]), "%s:%s", paths[i],
			              secret[k]);
	}
	cr_expect_eq(ask("/clients?client=1").status, 400);
	cr_expect_eq(ask("/caches?cache=a").status, 400);
	cr_expect_eq(ask("/doctor").status, 404);
}
