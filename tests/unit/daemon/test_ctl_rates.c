/* SPDX-License-Identifier: MIT */
/* What --watch adds: by how much counts have changed, of the same row alone, and the
 * columns that show it. */
#include "daemon/ctl/rates.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/verbs.h"

#define S INT64_C(1000000000)

static struct ctl_rates rates;
static json_t *last;

static void finish(void)
{
	ctl_rates_end(&rates);
	json_decref(last);
}

TestSuite(ctl_rates, .fini = finish);

/* The next answer, at so many seconds. */
static void answer(const char *verb, double s, const char *text)
{
	json_decref(last);
	last = json_loads(text, 0, NULL);
	cr_assert_not_null(last, "%s", text);
	ctl_rates_add(&rates, verb, last, (int64_t)(s * (double)S));
}

/* Of row i of the first pool's list; NULL: the pool. */
static const json_t *rate(const char *list, size_t i, const char *key)
{
	const json_t *row = json_array_get(json_object_get(last, "pools"), 0);
	if (list != NULL)
		row = json_array_get(json_object_get(row, list), i);
	return json_object_get(json_object_get(row, "per_s"), key);
}

static double number(const char *list, size_t i, const char *key)
{
	const json_t *v = rate(list, i, key);
	cr_assert(json_is_real(v), "%s", key);
	return json_real_value(v);
}

#define CLIENT(id, epoch, refilled, bytes)                                     \
	"{\"id\":" #id ",\"epoch\":" #epoch ",\"pid\":9,\"refilled\":"         \
	#refilled ",\"bytes\":" #bytes ",\"name\":\"x\"}"
#define CLIENTS(rows) "{\"pools\":[{\"name\":\"p\",\"clients\":[" rows "]}]}"

Test(ctl_rates, the_first_answer_has_none)
{
	answer("clients", 1, CLIENTS(CLIENT(1, 1, 10, 500)));
	cr_expect_null(rate("clients", 0, "refilled"));
	cr_expect_null(json_object_get(last, "since_s"));
	answer("clients", 3, CLIENTS(CLIENT(1, 1, 30, 400)));
	cr_expect_eq(number("clients", 0, "refilled"), 10);
	cr_expect_eq(number("clients", 0, "bytes"), -50);
	cr_expect_eq(json_real_value(json_object_get(last, "since_s")), 2);
	cr_expect_null(rate("clients", 0, "name"));
	cr_expect_null(rate("clients", 0, "flushed"), "it was not told");
	answer("clients", 7, CLIENTS(CLIENT(1, 1, 32, 400)));
	cr_expect_eq(number("clients", 0, "refilled"), 0.5,
	             "since the last one, not the first");
}

/* Rows come and go, and stand elsewhere. */
Test(ctl_rates, a_row_is_known_by_what_names_it)
{
	answer("clients", 1, CLIENTS(CLIENT(1, 1, 10, 0) "," CLIENT(2, 1, 100, 0)));
	answer("clients", 2, CLIENTS(CLIENT(3, 1, 7, 0) "," CLIENT(2, 1, 101, 0)
	                             "," CLIENT(1, 2, 50, 0)));
	cr_expect_null(rate("clients", 0, "refilled"), "it is new");
	cr_expect_eq(number("clients", 1, "refilled"), 1);
	cr_expect_null(rate("clients", 2, "refilled"),
	               "another one in its place");
}

Test(ctl_rates, a_count_that_is_less_was_begun_anew)
{
	answer("clients", 1, CLIENTS(CLIENT(1, 1, 10, 10)));
	answer("clients", 2, CLIENTS(CLIENT(1, 1, 9, 9)));
	cr_expect_null(rate("clients", 0, "refilled"));
	cr_expect_eq(number("clients", 0, "bytes"), -1);
}

Test(ctl_rates, an_answer_that_failed_is_no_start)
{
	answer("clients", 1, CLIENTS(CLIENT(1, 1, 10, 10)));
	ctl_rates_add(&rates, "clients", NULL, 2 * S);
	answer("clients", 3, CLIENTS(CLIENT(1, 1, 20, 20)));
	cr_expect_null(rate("clients", 0, "refilled"));
	answer("clients", 3, CLIENTS(CLIENT(1, 1, 30, 30)));
	cr_expect_null(rate("clients", 0, "refilled"), "no time went by");
	answer("clients", 4, CLIENTS(CLIENT(1, 1, 40, 30)));
	cr_expect_eq(number("clients", 0, "refilled"), 10);
}

Test(ctl_rates, pools_are_known_by_their_names)
{
	answer("status", 1, "{\"pools\":[{\"name\":\"a\",\"rings\":1},"
	                    "{\"name\":\"b\",\"rings\":5}]}");
	answer("status", 2, "{\"pools\":[{\"name\":\"b\",\"rings\":7},"
	                    "{\"name\":\"c\",\"rings\":5}]}");
	cr_expect_eq(number(NULL, 0, "rings"), 2);
	answer("caches", 3, "{\"pools\":[{\"name\":\"b\",\"caches\":[]}]}");
	cr_expect_null(rate("caches", 0, "used"));
}

/* What may be no such answer at all is left as it is. */
Test(ctl_rates, answers_of_any_kind)
{
	static const char *const text[] = {
		"{}", "{\"pools\":7}", "{\"pools\":[7]}", "{\"pools\":[{}]}",
		"{\"pools\":[{\"name\":\"p\",\"clients\":{}}]}",
		"{\"pools\":[{\"name\":\"p\",\"clients\":[7,[],null]}]}",
		"{\"pools\":[{\"name\":[],\"clients\":[{\"id\":\"x\"}]}]}",
		CLIENTS(CLIENT(1, 1, "a", null)),
		CLIENTS(CLIENT(-9223372036854775807, 1, 9223372036854775807,
		               -9223372036854775807)),
		CLIENTS(CLIENT(-9223372036854775807, 1, 0, 9223372036854775807)),
	};
	size_t n = sizeof(text) / sizeof(text[0]);
	for (size_t i = 0; i < n * n; i++) {
		answer("clients", (double)(2 * i + 1), text[i / n]);
		answer("clients", (double)(2 * i + 2), text[i % n]);
	}
}

/* ---- the columns --------------------------------------------------------- */

static char *shown(const char *verb, bool with)
{
	const struct ctl_style style = {.whole = true, .rates = with};
	char fault[256];
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	cr_assert_eq(ctl_verbs_show(ctl_verbs_find(verb), last, &style, out,
	                            fault, sizeof(fault)), 0, "%s", fault);
	fclose(out);
	return text;
}

#define CHANNEL(name, entries)                                                 \
	"{\"name\":\"" name "\",\"id\":4,\"capacity\":8,\"peers\":2,"          \
	"\"entries\":" #entries ",\"objects\":1,\"sent\":9,\"received\":8,"    \
	"\"sent_per_s\":0,\"received_per_s\":0,\"receivers_wait\":false,"      \
	"\"senders_wait\":false}"
#define CHANNELS(rows) "{\"pools\":[{\"name\":\"p\",\"channels\":[" rows "]}]}"

Test(ctl_rates, they_are_columns_of_watch_alone)
{
	char *text;
	answer("channels", 1, CHANNELS(CHANNEL("a", 4)));
	text = shown("channels", false);
	cr_expect_null(strstr(text, "entries/s"));
	cr_expect_null(strstr(text, "not shown"));
	free(text);
	text = shown("channels", true);
	cr_expect_not_null(strstr(text, "entries/s"), "%s", text);
	cr_expect_not_null(strstr(text, "       4          -        1"), "%s",
	                   text);
	free(text);
	answer("channels", 3, CHANNELS(CHANNEL("a", 1) "," CHANNEL("b", 3)));
	text = shown("channels", true);
	cr_expect_not_null(strstr(text, "       1       -1.5        1"), "%s",
	                   text);
	cr_expect_not_null(strstr(text, "       3          -        1"), "%s",
	                   text);
	free(text);
}
