/* SPDX-License-Identifier: MIT */
/* What may stand in place of the last word, without a slabd. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/complete.h"
#include "daemon/ctl/verbs.h"

static void none(void)
{
	setenv("SLABD_CONTROL", "/nonexistent/socket", 1);
}

TestSuite(ctl_complete, .init = none);

/* The words, each with a blank behind it; to be freed. The last one typed is
 * behind the last blank of line. */
static char *offered(const char *line)
{
	char copy[256];
	char *word[16];
	char *text = NULL;
	size_t size;
	int n = 0;
	FILE *out = open_memstream(&text, &size);
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *at = copy; at != NULL; n++) {
		word[n] = at;
		at = strchr(at, ' ');
		if (at != NULL)
			*at++ = '\0';
	}
	ctl_complete(n, word, out);
	fclose(out);
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
	return text;
}

static void offers(const char *line, const char *words)
{
	char *text = offered(line);
	cr_expect_str_eq(text, words, "\"%s\": %s", line, text);
	free(text);
}

Test(ctl_complete, verbs)
{
	char all[512] = "";
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
		strcat(all, v->name);
		strcat(all, " ");
	}
	strcat(all, "help ");
	offers("", all);
	offers("sta", "status ");
	offers("he", "help ");
	offers("--json aud", "audit ");
	offers("--pool p --watch doc", "doctor ");
	offers("nothing-like-it", "");
}

Test(ctl_complete, options)
{
	offers("log --l", "--limit ");
	offers("lend --l", "");
	offers("drain --u", "--undo ");
	offers("trim --w", "");
	offers("status --w", "--watch ");
	offers("--ver", "--version ");
}

Test(ctl_complete, arguments)
{
	offers("--color ", "auto always never ");
	offers("status --color a", "auto always ");
	offers("cache r", "remove ");
	offers("status ", "");
	/* Nobody answers. */
	offers("--pool ", "");
	offers("lend ", "");
	offers("lend a b c d e", "");
	offers("caches --sort ", "");
	offers("set hold ", "");
}
