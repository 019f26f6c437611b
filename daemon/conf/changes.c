/* SPDX-License-Identifier: MIT */
#include "daemon/conf/changes.h"

#include <stdio.h>
#include <string.h>

/* In one line; the default of a key that says none has no text. */
static void show(char out[CONFIG_CHANGE_BYTES], const char *text)
{
	char *at = out;
	size_t len;
	snprintf(out, CONFIG_CHANGE_BYTES, "%.*s", (int)CONFIG_CHANGE_BYTES - 1,
	         text[0] != '\0' ? text : "the default");
	len = strlen(out);
	if (strlen(text) > len)
		strcpy(out + len - 3, "...");
	while ((at = strpbrk(at, "\n\t")) != NULL)
		*at = ' ';
}

bool config_next_change(const struct config_keys *keys, const void *was,
                        const void *is, unsigned *at,
                        struct config_change *out)
{
	char old[CONFIG_TEXT_BYTES];
	char new[CONFIG_TEXT_BYTES];
	for (; *at < keys->n; ++*at) {
		const struct config_key *key = &keys->row[*at];
		key->put(key, was, old);
		key->put(key, is, new);
		if (strcmp(old, new) == 0)
			continue;
		out->key = key;
		show(out->was, old);
		show(out->is, new);
		++*at;
		return true;
	}
	return false;
}

const struct config_pool *config_find_pool(const struct config *config,
                                           const char *name)
{
	for (unsigned i = 0; i < config->n_pools; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	return NULL;
}
