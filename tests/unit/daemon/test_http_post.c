/* SPDX-License-Identifier: MIT */
/* Requests that change something: who asks, what they give, and how. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/admin/query.h"
#include "tests/lib/admin_fixture.h"
#include "tests/lib/rng.h"

TestSuite(http_post, .init = start, .fini = stop, .timeout = 300);

static struct answer post(const char *query, const char *type,
                          const char *body, size_t size)
{
	struct answer a = {0};
	char head[300], path[64], buf[2048] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/change%s", query);
	snprintf(head, sizeof(head),
	         "POST %s HTTP/1.1\r\nConnection: close\r\n%s%s%s"
	         "Content-Length: %zu\r\n\r\n", path,
	         type ? "Content-Type: " : "", type ? type : "",
	         type ? "\r\n" : "", size);
	fd = dial(head);
	/* One that is told to be too large need not be taken. */
	if (size > 0 && send(fd, body, size, MSG_NOSIGNAL) < 0)
		cr_expect_gt(size, ADMIN_BODY_MAX);
	while (a.size < sizeof(buf) - 1 &&
	       (n = recv(fd, buf + a.size, sizeof(buf) - 1 - a.size, 0)) > 0)
		a.size += (size_t)n;
	close(fd);
	cr_assert_eq(sscanf(buf, "HTTP/1.1 %ld", &a.status), 1, "%s", buf);
	cr_assert(strstr(buf, "\r\n\r\n"));
	snprintf(a.body, sizeof(a.body), "%.1000s", strstr(buf, "\r\n\r\n") + 4);
	return a;
}

#define FORM "application/x-www-form-urlencoded"

static void posts(const char *query, const char *type, const char *body,
                  long status, const char *answer)
{
	struct answer a = post(query, type, body, strlen(body));

	cr_expect_eq(a.status, status, "%s %s: %ld %s", query, body, a.status,
	             a.body);
	cr_expect(strstr(a.body, answer), "%s", a.body);
}

Test(http_post, post)
{
	posts("?pool=a%26b&n=100", NULL, "", 200,
	      "{\"pool\":\"a&b\",\"n\":100,\"r\":0}\n");
	posts("", FORM, "pool=x%3dy&n=3", 200,
	      "{\"pool\":\"x=y\",\"n\":3,\"r\":0}\n");
	posts("?pool=x", FORM "; charset=UTF-8", "n=4", 200,
	      "{\"pool\":\"x\",\"n\":4,\"r\":0}\n");
	posts("", "Application/X-WWW-Form-Urlencoded", "n=4", 200, "\"n\":4");
	posts("", NULL, "", 200, "\"n\":7");
}

Test(http_post, post_is_strict)
{
	posts("", "application/json", "{\"n\":4}", 415,
	      "the body is not " FORM);
	posts("", NULL, "n=4", 415, "the body is not");
	posts("", FORM, "m=4", 400, "unknown parameter");
	posts("", FORM, "n=4&n=5", 400, "a parameter is given twice");
	posts("?n=4", FORM, "n=5", 400, "a parameter is given twice");
	posts("", FORM, "n", 400, "malformed body");
	posts("", FORM, "n=101", 400, "give 0 to 100");
	posts("?n", FORM, "", 400, "malformed query");
	posts("?pool=x%00y", FORM, "", 400, "malformed query");
	posts("", FORM, "pool=x%00", 400, "malformed body");
	cr_expect_eq(post("", FORM, "n=1\0&pool=x", 11).status, 400);
	cr_expect_eq(ask("/change?n=1").status, 405);
}

Test(http_post, post_of_the_largest_size)
{
	char body[ADMIN_BODY_MAX + 2];

	memset(body, '0', sizeof(body));
	memcpy(body, "n=", 2);
	cr_expect_eq(post("", FORM, body, ADMIN_BODY_MAX).status, 200);
	cr_expect_eq(post("", FORM, body, ADMIN_BODY_MAX + 1).status, 413);
}

Test(http_post, get_of_what_changes)
{
	struct answer a = ask_as("GET", "/change", NULL);

	cr_expect_eq(a.status, 405);
	cr_expect_str_eq(a.allow, "POST");
	cr_expect_str_eq(a.body,
	                 "{\"error\":\"method not allowed\",\"remedy\":\"use "
	                 "POST: it changes something\"}\n");
	cr_expect_str_eq(ask_as("PUT", "/change", NULL).allow, "POST");
	cr_expect_str_eq(ask_as("POST", "/", NULL).allow, "GET");
}

Test(http_post, one_path_for_both)
{
	struct answer a = ask_as("PUT", "/both", NULL);

	cr_expect_eq(a.status, 405);
	cr_expect_str_eq(a.allow, "GET, POST");
	expect("/both", 200, "{\"hello\":\"world\"}\n");
	cr_expect_eq(ask_as("POST", "/both?n=3", NULL).status, 200);
	cr_expect_eq(ask("/both?n=3").status, 400);
}

/* Forms of pieces that mean something, and of bytes that do not. */
Test(http_post, garbage)
{
	static const char *const pieces[] = {
		"n", "=", "&", "pool", "7", "%", "%00", "%zz", "+", "%26",
		"n=1", "pool=x", "\r\n", " ", "\"", "==", "&&", "\x01",
	};
	struct rng rng = rng_start("garbage");
	unsigned fine = 0, bad = 0;
	int i;

	for (i = 0; i < 400; i++) {
		char body[200] = "";
		struct answer a;
		json_t *doc;

		do {
			strcat(body, pieces[rng_below(&rng, sizeof(pieces) /
			                                    sizeof(*pieces))]);
		} while (rng_below(&rng, 4) > 0 && strlen(body) < 180);
		a = post("", FORM, body, strlen(body));
		fine += a.status == 200;
		bad += a.status == 400;
		cr_assert(a.status == 200 || a.status == 400, "%s: %ld", body,
		          a.status);
		doc = json_loads(a.body, 0, NULL);
		cr_assert(doc, "%s: %s", body, a.body);
		json_decref(doc);
	}
	cr_expect(fine > 0 && bad > fine, "%u fine, %u bad", fine, bad);
}
