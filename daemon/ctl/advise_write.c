/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/advise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/file.h"
#include "daemon/ctl/text.h"

#define TEXT_MAX 65536
#define HEAD "# Written by \"slabctl advise\""

/* What becomes part of a line of a file: slabd's own words and the names of pools,
 * with nothing in them that a file reads as something else. */
static const char *word(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));
	if (!text || !*text || strlen(text) > 100)
		return NULL;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || strchr("[]#;=\"", *at))
			return NULL;
	return text;
}

static void put_pool(const json_t *pool, char *text)
{
	const char *name = word(pool, "pool");
	size_t i;
	json_t *row;
	if (!name)
		return;
	ctl_text_append(text, TEXT_MAX, "[pool %s]\n", name);
	json_array_foreach(json_object_get(pool, "keys"), i, row) {
		const char *key = word(row, "key"), *value = word(row, "value");
		const char *why = word(row, "why");
		if (key && value)
			ctl_text_append(text, TEXT_MAX, "# %s\n%s = %s\n",
			                why ? why : "", key, value);
	}
}

static int fail(struct ctl_http_fault *fault, const char *path, const char *what,
                const char *todo)
{
	snprintf(fault->what, sizeof(fault->what), "can't write %.300s: %s",
	         path, what);
	snprintf(fault->remedy, sizeof(fault->remedy), "%s", todo);
	return -1;
}

int ctl_advise_write(json_t *doc, const char *path,
                     struct ctl_http_fault *fault)
{
	static char text[TEXT_MAX], old[TEXT_MAX];
	const json_t *config = json_object_get(doc, "config");
	const char *trace = word(json_object_get(doc, "trace"), "file");
	size_t i;
	json_t *pool;
	json_object_set_new(doc, "file", json_string(path));
	json_object_set_new(doc, "written",
	                    json_boolean(json_array_size(config) > 0));
	if (json_array_size(config) == 0)
		return 0;
	if (ctl_file_read(path, old, sizeof(old)) < 0 ||
	    (*old && strncmp(old, HEAD, strlen(HEAD)) != 0))
		return fail(fault, path,
		            "it is there, and slabctl advise did not write it",
		            "give another name, or move it away");
	snprintf(text, sizeof(text), HEAD "%s%s, which writes it anew.\n",
	         trace ? " from " : "", trace ? trace : "");
	json_array_foreach(config, i, pool)
		put_pool(pool, text);
	if (ctl_file_replace(path, text) == 0)
		return 0;
	return fail(fault, path, strerror(errno),
	            ctl_file_remedy(errno, "give a file in a folder where you "
	                                   "may write"));
}
