/* SPDX-License-Identifier: MIT */
#include "daemon/admin/advise.h"

#include <stdarg.h>
#include <stdio.h>

void advise_say(json_t **list, const struct pool *pool, const char *cache,
                const char *kind, uint64_t saves, const char *todo,
                const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_append(list,
	              json_pack("{s:o, s:o, s:s, s:I, s:o, s:o}", "pool",
	                        report_text(pool->name), "cache",
	                        cache != NULL ? report_text(cache) : json_null(),
	                        "kind", kind, "saves_bytes",
	                        report_count(saves), "what", report_text(text),
	                        "todo", report_text(todo)));
}
