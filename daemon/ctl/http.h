/* SPDX-License-Identifier: MIT */
/* One request to slabd's admin socket. */
#ifndef DAEMON_CTL_HTTP_H
#define DAEMON_CTL_HTTP_H

#include <jansson.h>
#include <stdbool.h>

struct ctl_param {
	const char *key, *value; /* NULL value: left out */
};

/* What to do where slabd is not understood. */
#define CTL_HTTP_OTHER_VERSION                                                 \
	"restart slabd into the version that is installed, or use the slabctl " \
	"that came with it"

/* What went wrong and what to do about it; not escaped. */
struct ctl_http_fault {
	char what[512];
	char remedy[512];
};

/*
 * Asks for path (with n parameters): by GET; or by POST, with the parameters as
 * a form, which changes something. A new reference to the document in the
 * reply; NULL with fault where slabd can't be reached, does not answer within
 * timeout_s, answers with an error or not with JSON.
 */
json_t *ctl_http_ask(const char *socket, const char *path, bool post,
                     const struct ctl_param *param, size_t n, long timeout_s,
                     struct ctl_http_fault *fault);

/* From now on nothing is said on standard error of what takes long. */
void ctl_http_hush(void);

#endif
