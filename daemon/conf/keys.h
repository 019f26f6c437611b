/* SPDX-License-Identifier: MIT */
/*
 * The keys of the configuration, a row each: name, place, how text becomes its
 * value and the value text. file.c reads and prints all of them by these rows;
 * slabctl set changes those of [balance] at run time.
 */
#ifndef DAEMON_CONF_KEYS_H
#define DAEMON_CONF_KEYS_H

#include "daemon/base/remedy.h"
#include "daemon/conf/value.h"

#define CONFIG_TEXT_BYTES 1024u /* that put writes, at most */

/* What a key is set to. */
struct config_input {
	void *base; /* the section's structure */
	const char *value;
	char why[CONFIG_WHY_BYTES]; /* out: what is wrong; "": set's result */
};

struct config_key {
	const char *name;
	const char *allowed; /* for people */
	size_t off;          /* of the field in the section's structure */
	size_t bytes;        /* of the field */
	/* 0, -EINVAL another form, -ERANGE beyond min and max; others with a
	 * why. The last value of a list is kept: set adds to it. */
	int (*set)(const struct config_key *key, struct config_input *in);
	/* Text that set reads to the same; "": the default, which has none. */
	void (*put)(const struct config_key *key, const void *base,
	            char out[CONFIG_TEXT_BYTES]);
	/* What a number or word is written as, its bounds, what the text counts
	 * in one of the field (0: the same), and a word for 0. */
	enum config_form form;
	uint64_t min;
	uint64_t max;
	unsigned unit;
	const char *zero;
	bool list;   /* may go on in indented lines */
	bool groups; /* no list of users */
};

#define CONFIG_KEYS_MAX 16u /* of one section */

struct config_keys {
	const struct config_key *row;
	unsigned n;
};

extern const struct config_keys config_slabd_keys;   /* struct config */
extern const struct config_keys config_pool_keys;    /* struct config_pool */
extern const struct config_keys config_balance_keys; /* config_balance */

/* By name; NULL. */
const struct config_key *config_key_find(const struct config_keys *keys,
                                         const char *name);

/* "a, b, c": the names of all. Returns out. */
char *config_key_names(const struct config_keys *keys, char *out, size_t size);

/* 0; or -EINVAL, with what is wrong with the value in why. */
int config_key_set(const struct config_key *key, void *base, const char *value,
                   char why[CONFIG_WHY_BYTES]);

#define CONFIG_BALANCE_VALUE 24 /* room for that of a key of [balance] */

/* Gives a key of [balance] a value, as the file does, for slabctl set. 0; or
 * -EINVAL with balance as it was, and what is wrong and allowed in why. */
int config_balance_set(struct config_balance *balance, const char *key,
                       const char *value, struct remedy *why);

/* The name of the i-th key, NULL after the last; and its value as the file
 * would have it, or "". */
const char *config_balance_key(unsigned i);
char *config_balance_get(const struct config_balance *balance, const char *key,
                         char out[CONFIG_BALANCE_VALUE]);

#endif
