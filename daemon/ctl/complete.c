/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/complete.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/args.h"
#include "daemon/ctl/doc.h"
#include "daemon/ctl/text.h"

#define ASK_S 2

struct complete {
	const struct ctl_verb *verb; /* NULL: none yet */
	int n_words;                 /* behind it, before the last */
	const char *first;           /* of these, or NULL */
	bool watches;
	const char *control;
	const char *option; /* whose argument the last word is, or NULL */
	const char *last;
	FILE *out;
};

/* Where the names of a parameter stand: in which reply, lists of each pool, and
 * members of their items. */
static const struct {
	const char *key, *path, *list, *member;
} sources[] = {
	{"cache", "/caches", "caches", "name"},
	{"channel", "/channels", "channels", "name"},
	{"client", "/clients", "clients", "id"},
	{"from", "/nodes", "nodes", "node"},
	{"key", "/set", "keys", "key"},
	{"name", "/channels", "channels", "name"},
	{"name", "/roots", "roots", "name"},
	{"node", "/nodes", "nodes", "node"},
	{"pool", "/set", NULL, "name"},
	{"root", "/roots", "roots", "name"},
	{"slab", "/slabs", "slabs", "offset"},
	{"to", "/nodes", "nodes", "node"},
};

/* The words that an option or a parameter may have, whatever slabd says. */
static const struct {
	const char *key, *words;
} fixed[] = {
	{"color", "auto always never"},
	{"action", "remove"},
	{"span", "5m 1h 12h"},
};

static void offer(const struct complete *c, const char *word, size_t n)
{
	size_t typed = strlen(c->last);
	if (n >= typed && memcmp(word, c->last, typed) == 0)
		fprintf(c->out, "%.*s\n", (int)n, word);
}

static void offer_each(const struct complete *c, const char *words)
{
	for (size_t n; *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		offer(c, words, n);
	}
}

/* A client chose it: nothing that a shell or a terminal might act upon. */
static void offer_item(const struct complete *c, const json_t *item)
{
	const struct ctl_style plain = {0};
	char text[256];
	const char *name = json_string_value(item);
	if (json_is_integer(item))
		snprintf(text, sizeof(text), "%lld",
		         (long long)json_integer_value(item));
	else if (name == NULL || strpbrk(name, " \t\n'\"\\$`;&|<>()*?[]") ||
	         strcmp(ctl_text_escape(&plain, text, sizeof(text), name),
	                name) != 0)
		return;
	offer(c, text, strlen(text));
}

/* Of each pool, or of its list's items. Two pools may have the same: shells show
 * it once. */
static void offer_names(const struct complete *c, const json_t *doc,
                        const char *list, const char *member)
{
	size_t i;
	size_t k;
	json_t *pool;
	json_t *item;
	json_array_foreach(json_object_get(doc, "pools"), i, pool)
	{
		if (list == NULL)
			offer_item(c, json_object_get(pool, member));
		json_array_foreach(json_object_get(pool, list ? list : ""), k,
		                   item)
			offer_item(c, json_object_get(item, member));
	}
}

/* The value that slabd has, and that of its file; of what is yes or no both. */
static void offer_setting(const struct complete *c, const json_t *doc)
{
	size_t i;
	size_t k;
	json_t *pool;
	json_t *item;
	json_array_foreach(json_object_get(doc, "pools"), i, pool)
	json_array_foreach(json_object_get(pool, "keys"), k, item)
	{
		json_t *value = json_object_get(item, "value");
		const char *text = json_string_value(value);
		const char *key = json_string_value(json_object_get(item, "key"));
		if (key == NULL || text == NULL || strcmp(key, c->first) != 0)
			continue;
		if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0) {
			offer_each(c, "yes no");
			continue;
		}
		offer_item(c, value);
		if (!json_equal(value, json_object_get(item, "configured")))
			offer_item(c, json_object_get(item, "configured"));
	}
}

/* One word each: --sort takes "in-use" for the title "in use". */
static void offer_columns(const struct complete *c, const json_t *doc)
{
	char *titles = ctl_verbs_columns(c->verb, doc, c->watches);
	char *save = NULL;
	if (titles == NULL)
		return;
	for (char *at = strtok_r(titles, ",", &save); at != NULL;
	     at = strtok_r(NULL, ",", &save)) {
		at += *at == ' ';
		for (char *blank = at; (blank = strchr(blank, ' ')) != NULL;)
			*blank = '-';
		offer(c, at, strlen(at));
	}
	free(titles);
}

/* What stands in the verb's own reply. */
static void offer_of_verb(const struct complete *c, const char *socket,
                          void (*each)(const struct complete *c,
                                       const json_t *doc))
{
	struct ctl_http_fault fault;
	char path[64];
	json_t *doc;
	snprintf(path, sizeof(path), "/%s", c->verb->name);
	doc = ctl_http_ask(socket, path, false, NULL, 0, ASK_S, &fault);
	if (doc != NULL)
		each(c, doc);
	json_decref(doc);
}

/* Names are of what the verb shows, where one is given. */
static bool is_verbs_own(const struct complete *c, const char *key,
                         const char *path)
{
	return strcmp(key, "name") != 0 || c->verb == NULL ||
	       strcmp(c->verb->name, path + 1) == 0;
}

static void offer_values(const struct complete *c, const char *key)
{
	struct ctl_http_fault fault;
	char socket[512];
	json_t *doc;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strcmp(fixed[i].key, key) == 0)
			offer_each(c, fixed[i].words);
	if (ctl_args_control(c->control, geteuid() == 0, socket,
	                     sizeof(socket)) < 0)
		return;
	if (strcmp(key, "sort") == 0 && c->verb != NULL &&
	    strstr(c->verb->options, "sort") != NULL)
		offer_of_verb(c, socket, offer_columns);
	if (strcmp(key, "value") == 0 && c->first != NULL)
		offer_of_verb(c, socket, offer_setting);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strcmp(sources[i].key, key) != 0 ||
		    !is_verbs_own(c, sources[i].key, sources[i].path))
			continue;
		doc = ctl_http_ask(socket, sources[i].path, false, NULL, 0,
		                   ASK_S, &fault);
		offer_names(c, doc, sources[i].list, sources[i].member);
		json_decref(doc);
	}
}

/* ---- where the last word stands ------------------------------------------ */

static void read_word(struct complete *c, const char *word)
{
	if (c->option != NULL) {
		if (strcmp(c->option, "control") == 0)
			c->control = word;
		c->option = NULL;
	} else if (strncmp(word, "--", 2) == 0) {
		c->watches |= strcmp(word, "--watch") == 0;
		c->option = ctl_args_option(word + 2);
	} else if (c->verb == NULL) {
		c->verb = ctl_verbs_find(word);
	} else if (c->n_words++ == 0) {
		c->first = word;
	}
}

void ctl_complete(int n, char **word, FILE *out)
{
	struct complete c = {.out = out, .last = n > 0 ? word[n - 1] : ""};
	for (int i = 0; i + 1 < n; i++)
		read_word(&c, word[i]);
	if (c.option != NULL) {
		offer_values(&c, c.option);
	} else if (c.last[0] == '-') {
		char text[512] = "";
		offer_each(&c, ctl_args_options(c.verb, text, sizeof(text)));
	} else if (c.verb == NULL) {
		for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
			offer(&c, v->name, strlen(v->name));
		offer_each(&c, "help");
	} else if (c.n_words < CTL_WORDS && c.verb->word[c.n_words]) {
		offer_values(&c, c.verb->word[c.n_words]);
		/* The pool may be left out. */
		if (c.verb->skips && c.n_words == 1)
			offer_values(&c, c.verb->word[2]);
	}
}
