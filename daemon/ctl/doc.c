/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/doc.h"

#include <string.h>

void ctl_doc_fail(struct ctl *c, const char *fmt, ...)
{
	size_t len = 0;
	unsigned i;
	va_list ap;
	if (c->fault[0])
		return;
	for (i = 0; i < c->depth && len < sizeof(c->fault) / 2; i++)
		len += (size_t)snprintf(c->fault + len, sizeof(c->fault) - len,
		                        "%s%s[%zu]", i ? "." : "",
		                        c->place[i].key, c->place[i].ix);
	if (len)
		len += (size_t)snprintf(c->fault + len, sizeof(c->fault) - len,
		                        ": ");
	va_start(ap, fmt);
	vsnprintf(c->fault + len, sizeof(c->fault) - len, fmt, ap);
	va_end(ap);
}

#define IS(type) (1u << JSON_##type)

/* types: the bits of those that are right. */
static const json_t *field(struct ctl *c, const json_t *obj, const char *key,
                           unsigned types, const char *what)
{
	const json_t *v = json_object_get(obj, key);
	if (v && types & 1u << json_typeof(v))
		return v;
	ctl_doc_fail(c, v ? "\"%s\" is no %s" : "no \"%s\" (%s)", key, what);
	return NULL;
}

int64_t ctl_doc_int(struct ctl *c, const json_t *obj, const char *key)
{
	return json_integer_value(field(c, obj, key, IS(INTEGER), "integer"));
}

int64_t ctl_doc_int_or_null(struct ctl *c, const json_t *obj, const char *key)
{
	if (json_is_null(json_object_get(obj, key)))
		return -1;
	return ctl_doc_int(c, obj, key);
}

const char *ctl_doc_string_or_null(struct ctl *c, const json_t *obj,
                                   const char *key)
{
	if (json_is_null(json_object_get(obj, key)))
		return NULL;
	return ctl_doc_string(c, obj, key);
}

double ctl_doc_number(struct ctl *c, const json_t *obj, const char *key)
{
	return json_number_value(
		field(c, obj, key, IS(INTEGER) | IS(REAL), "number"));
}

bool ctl_doc_bool(struct ctl *c, const json_t *obj, const char *key)
{
	return json_is_true(
		field(c, obj, key, IS(TRUE) | IS(FALSE), "boolean"));
}

const char *ctl_doc_string(struct ctl *c, const json_t *obj, const char *key)
{
	const json_t *v = field(c, obj, key, IS(STRING), "string");
	return v ? json_string_value(v) : "";
}

const json_t *ctl_doc_object(struct ctl *c, const json_t *obj, const char *key)
{
	return field(c, obj, key, IS(OBJECT), "object");
}

const json_t *ctl_doc_array(struct ctl *c, const json_t *obj, const char *key)
{
	return field(c, obj, key, IS(ARRAY), "array");
}

void ctl_doc_begin(struct ctl_iter *it, struct ctl *c, const json_t *obj,
                   const char *key)
{
	it->c = c;
	it->array = ctl_doc_array(c, obj, key);
	it->n = json_array_size(it->array);
	it->next = 0;
	if (c->depth == CTL_DOC_DEPTH)
		ctl_doc_fail(c, "\"%s\" lies too deep", key);
	else
		c->place[c->depth++].key = key;
}

const json_t *ctl_doc_next(struct ctl_iter *it)
{
	struct ctl *c = it->c;
	const json_t *item;
	if (it->next == it->n || c->fault[0]) {
		if (c->depth)
			c->depth--;
		return NULL;
	}
	c->place[c->depth - 1].ix = it->next;
	item = json_array_get(it->array, it->next++);
	if (json_is_object(item))
		return item;
	ctl_doc_fail(c, "no object");
	return ctl_doc_next(it);
}

bool ctl_doc_seen(const json_t *array, size_t at, const char *key)
{
	const json_t *own = json_object_get(json_array_get(array, at), key);
	for (size_t i = 0; i < at; i++)
		if (json_equal(json_object_get(json_array_get(array, i), key),
		               own))
			return true;
	return false;
}

int64_t ctl_doc_sum(int64_t a, int64_t b)
{
	int64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}
