/* SPDX-License-Identifier: MIT */
#include "daemon/admin/openmetrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct openmetrics_column columns[] = {
	{"used_bytes", "In use.", false},
	{"rings", "Asked.", true},
};

static struct openmetrics_text text;

static struct openmetrics_table table_of(const char *prefix)
{
	return (struct openmetrics_table){
	        .prefix = prefix, .column = columns, .n_columns = 2};
}

static char *whole(void)
{
	json_t *doc = openmetrics_end(&text);
	char *is;
	cr_assert(doc != NULL);
	is = strdup(json_string_value(doc));
	json_decref(doc);
	return is;
}

Test(openmetrics, columns_are_families)
{
	struct openmetrics_table table = table_of("t_");
	char *is;
	openmetrics_begin(&text);
	for (int i = 0; i < 2; i++) {
		struct openmetrics_row *row = openmetrics_row(&text, &table);
		openmetrics_label_number(row, "node", i);
		row->value[0] = 7 + (uint64_t)i;
		row->value[1] = UINT64_MAX;
	}
	openmetrics_write_table(&text, &table);
	cr_expect_eq(table.n_rows, 0);
	is = whole();
	cr_expect_str_eq(is, "# TYPE t_used_bytes gauge\n"
	                     "# UNIT t_used_bytes bytes\n"
	                     "# HELP t_used_bytes In use.\n"
	                     "t_used_bytes{node=\"0\"} 7\n"
	                     "t_used_bytes{node=\"1\"} 8\n"
	                     "# TYPE t_rings counter\n"
	                     "# HELP t_rings Asked.\n"
	                     "t_rings_total{node=\"0\"} 18446744073709551615\n"
	                     "t_rings_total{node=\"1\"} 18446744073709551615\n"
	                     "# EOF");
	free(is);
}

Test(openmetrics, a_table_without_rows_tells_its_families)
{
	struct openmetrics_table table = table_of("t_");
	char *is;
	openmetrics_begin(&text);
	openmetrics_write_table(&text, &table);
	is = whole();
	cr_expect_str_eq(is, "# TYPE t_used_bytes gauge\n"
	                     "# UNIT t_used_bytes bytes\n"
	                     "# HELP t_used_bytes In use.\n"
	                     "# TYPE t_rings counter\n"
	                     "# HELP t_rings Asked.\n"
	                     "# EOF");
	free(is);
}

/* Names come from clients: nothing in one ends the label or the line. */
Test(openmetrics, labels_are_quoted)
{
	struct openmetrics_row row = {.labels = ""};
	openmetrics_label(&row, "a", "x\"} 1\ny\\");
	cr_expect_str_eq(row.labels, "a=\"x\\\"} 1\\ny\\\\\"");
	openmetrics_label(&row, "b", "\xff\xfe");
	cr_expect_str_eq(strrchr(row.labels, ','), ",b=\"\\\\xff\\\\xfe\"");
}

/* It is left out whole, and so is a value that only half fits. */
Test(openmetrics, a_label_that_does_not_fit_is_left_out)
{
	struct openmetrics_row row = {.labels = ""};
	char value[200];
	size_t before;
	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	openmetrics_label(&row, "a", value);
	before = strlen(row.labels);
	cr_expect_eq(before, strlen("a=\"\"") + 2 * (sizeof(value) - 1));
	openmetrics_label(&row, "b", value);
	cr_expect_eq(strlen(row.labels), before);
	openmetrics_label_number(&row, "c", -1);
	cr_expect_str_eq(row.labels + before, ",c=\"-1\"");
}
