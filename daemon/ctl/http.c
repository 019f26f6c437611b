/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Far above any reply; a stray server's endless one ends here. */
#define REPLY_MAX ((size_t)256 << 20)

struct reply {
	char *text;
	size_t size, room;
};

static size_t take_part(char *part, size_t one, size_t size, void *arg)
{
	struct reply *reply = arg;
	size_t need, room = reply->room ? reply->room : 4096;
	char *text;
	size *= one;
	need = reply->size + size;
	if (need > REPLY_MAX)
		return 0;
	while (room < need)
		room *= 2;
	if (room > reply->room) {
		text = realloc(reply->text, room);
		if (!text)
			return 0;
		reply->text = text;
		reply->room = room;
	}
	memcpy(reply->text + reply->size, part, size);
	reply->size = need;
	return size;
}

static void say_denied(struct ctl_http_fault *f, const char *socket)
{
	const struct group *gr;
	const struct passwd *pw;
	struct stat st;
	snprintf(f->what, sizeof(f->what), "permission denied at %s", socket);
	if (stat(socket, &st) < 0) {
		snprintf(f->remedy, sizeof(f->remedy),
		         "its folder is closed to you: run as root, or join "
		         "the group that may enter it");
		return;
	}
	gr = getgrgid(st.st_gid);
	pw = getpwuid(st.st_uid);
	snprintf(f->remedy, sizeof(f->remedy),
	         "the socket is of mode %04o, user %s, group %s: "
	         "run as that user or join the group",
	         (unsigned)st.st_mode & 07777, pw ? pw->pw_name : "unknown",
	         gr ? gr->gr_name : "unknown");
}

static void say_unreachable(struct ctl_http_fault *f, const char *socket,
                            int err)
{
	static const char system[] = "/run/slabd/control.sock";
	if (err == EACCES || err == EPERM) {
		say_denied(f, socket);
		return;
	}
	if (err == ECONNREFUSED)
		snprintf(f->what, sizeof(f->what),
		         "nobody listens at %s: slabd is gone", socket);
	else
		snprintf(f->what, sizeof(f->what), "no slabd at %s: %s", socket,
		         strerror(err ? err : ENOENT));
	if (strcmp(socket, system) != 0 && access(system, F_OK) == 0)
		snprintf(f->remedy, sizeof(f->remedy),
		         "the system's slabd is at --control %s", system);
	else
		snprintf(f->remedy, sizeof(f->remedy),
		         "is slabd running: systemctl start slabd, or give "
		         "its socket with --control PATH");
}

static void say_curl(struct ctl_http_fault *f, CURL *curl, CURLcode code,
                     const char *socket, long timeout_s)
{
	long err = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err);
	if (code == CURLE_COULDNT_CONNECT) {
		say_unreachable(f, socket, (int)err);
		return;
	}
	snprintf(f->remedy, sizeof(f->remedy),
	         "is it busy or stopped: see systemctl status slabd");
	if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(f->what, sizeof(f->what),
		         "slabd at %s gave no answer in %ld s", socket,
		         timeout_s);
	else
		snprintf(f->what, sizeof(f->what),
		         "no answer from slabd at %s: %s", socket,
		         curl_easy_strerror(code));
}

static const char *string_of(const json_t *doc, const char *key,
                             const char *otherwise)
{
	const char *s = json_string_value(json_object_get(doc, key));
	return s ? s : otherwise;
}

/* The document, where it is one and the status is 200. */
static json_t *judge(struct ctl_http_fault *f, long status,
                     const struct reply *reply)
{
	json_error_t error;
	json_t *doc = NULL;
	char http[32];
	snprintf(http, sizeof(http), "HTTP status %ld", status);
	if (reply->size)
		doc = json_loadb(reply->text, reply->size, 0, &error);
	if (status == 200 && doc)
		return doc;
	if (status == 200) {
		snprintf(f->what, sizeof(f->what), "the answer is no JSON: %s",
		         reply->size ? error.text : "it is empty");
		snprintf(f->remedy, sizeof(f->remedy),
		         "is that slabd's admin socket, and of this version");
	} else {
		snprintf(f->what, sizeof(f->what), "slabd refused: %s",
		         string_of(doc, "error", http));
		snprintf(f->remedy, sizeof(f->remedy), "%s",
		         string_of(doc, "remedy", "see the log of slabd"));
	}
	json_decref(doc);
	return NULL;
}

/* "a=1&b=2", to be freed; NULL: no memory. */
static char *form_of(CURL *curl, const struct ctl_param *param, size_t n)
{
	char *form = NULL, *value;
	size_t size, i;
	FILE *f = open_memstream(&form, &size);
	const char *sep = "";
	if (!f)
		return NULL;
	for (i = 0; i < n; i++) {
		if (!param[i].value)
			continue;
		value = curl_easy_escape(curl, param[i].value, 0);
		fprintf(f, "%s%s=%s", sep, param[i].key, value ? value : "");
		curl_free(value);
		sep = "&";
	}
	fclose(f);
	return form;
}

/* The form goes into the body of a POST, and else behind the path. */
static bool set_request(CURL *curl, const char *path, const char *form,
                        bool post)
{
	size_t size = strlen(path) + strlen(form) + 32;
	char *url = malloc(size);
	if (!url)
		return false;
	snprintf(url, size, "http://localhost%s%s%s", path,
	         !post && *form ? "?" : "", post ? "" : form);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	free(url);
	return true;
}

static json_t *transfer(CURL *curl, const char *socket, long timeout_s,
                        struct ctl_http_fault *fault)
{
	struct reply reply = {0};
	json_t *doc = NULL;
	long status = 0;
	CURLcode code;
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout_s);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_part);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		doc = judge(fault, status, &reply);
	} else {
		say_curl(fault, curl, code, socket, timeout_s);
	}
	free(reply.text);
	return doc;
}

static json_t *ask(const char *socket, const char *path, bool post,
                   const struct ctl_param *param, size_t n, long timeout_s,
                   struct ctl_http_fault *fault)
{
	json_t *doc = NULL;
	CURL *curl;
	char *form;
	memset(fault, 0, sizeof(*fault));
	if (strlen(socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(fault->what, sizeof(fault->what),
		         "the path of the socket is too long");
		snprintf(fault->remedy, sizeof(fault->remedy),
		         "give one of fewer than %zu bytes",
		         sizeof(((struct sockaddr_un *)0)->sun_path));
		return NULL;
	}
	curl = curl_easy_init();
	form = curl ? form_of(curl, param, n) : NULL;
	if (form && set_request(curl, path, form, post))
		doc = transfer(curl, socket, timeout_s, fault);
	else
		snprintf(fault->what, sizeof(fault->what), "out of memory");
	curl_easy_cleanup(curl);
	free(form);
	return doc;
}

json_t *ctl_http_get(const char *socket, const char *path,
                     const struct ctl_param *param, size_t n, long timeout_s,
                     struct ctl_http_fault *fault)
{
	return ask(socket, path, false, param, n, timeout_s, fault);
}

json_t *ctl_http_post(const char *socket, const char *path,
                      const struct ctl_param *param, size_t n, long timeout_s,
                      struct ctl_http_fault *fault)
{
	return ask(socket, path, true, param, n, timeout_s, fault);
}
