/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Far above any reply; a stray server's endless one ends here. */
#define REPLY_MAX ((size_t)256 << 20)

#define SAY_S 10 /* of waiting for what may take longer */

struct reply {
	FILE *file;
	char *text;
	size_t size;
};

static size_t take_part(char *part, size_t one, size_t size, void *arg)
{
	struct reply *reply = arg;
	size *= one;
	if ((size_t)ftell(reply->file) + size > REPLY_MAX)
		return 0;
	return fwrite(part, 1, size, reply->file);
}

__attribute__((format(printf, 3, 4)))
static void say(struct ctl_http_fault *f, const char *remedy,
                const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(f->what, sizeof(f->what), format, ap);
	va_end(ap);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
}

static void say_denied(struct ctl_http_fault *f, const char *socket)
{
	char remedy[sizeof(f->remedy)] =
		"its folder is closed to you: run as root, or join the group "
		"that may enter it";
	const struct group *gr;
	const struct passwd *pw;
	struct stat st;
	if (stat(socket, &st) == 0) {
		gr = getgrgid(st.st_gid);
		pw = getpwuid(st.st_uid);
		snprintf(remedy, sizeof(remedy),
		         "the socket is of mode %04o, user %s, group %s: run "
		         "as that user or join the group",
		         (unsigned)st.st_mode & 07777,
		         pw ? pw->pw_name : "unknown",
		         gr ? gr->gr_name : "unknown");
	}
	say(f, remedy, "permission denied at %s", socket);
}

/* Sockets of other types: clients' is one. slabctl's lies beside that as a rule. */
static void say_other(struct ctl_http_fault *f, const char *socket)
{
	const char *name = strrchr(socket, '/');
	int folder = name ? (int)(name - socket) + 1 : 0;
	char remedy[sizeof(f->remedy)];
	char beside[sizeof(((struct sockaddr_un *)0)->sun_path) + 16];
	snprintf(beside, sizeof(beside), "%.*scontrol.sock", folder, socket);
	if (access(beside, F_OK) == 0)
		snprintf(remedy, sizeof(remedy), "try --control %s", beside);
	else
		snprintf(remedy, sizeof(remedy),
		         "give what \"control\" in slabd.conf says");
	say(f, remedy,
	    "%s is not slabd's control socket, but the one for its clients or "
	    "another program's", socket);
}

/* Whether what lies there is no socket, to which nobody can connect. */
static bool say_no_socket(struct ctl_http_fault *f, const char *socket)
{
	struct stat st;
	if (stat(socket, &st) < 0 || S_ISSOCK(st.st_mode))
		return false;
	say(f, S_ISDIR(st.st_mode)
	            ? "give the socket in it: control.sock, as a rule"
	            : "give what \"control\" in slabd.conf says",
	    "%s is a %s, and no socket", socket,
	    S_ISDIR(st.st_mode) ? "folder" : "file");
	return true;
}

static void say_unreachable(struct ctl_http_fault *f, const char *socket,
                            int err)
{
	static const char system[] = "/run/slabd/control.sock";
	const char *remedy = "is slabd running: systemctl start slabd, or give "
			     "its socket with --control PATH";
	if (strcmp(socket, system) != 0 && access(system, F_OK) == 0)
		remedy = "the system's slabd is at --control "
			 "/run/slabd/control.sock";
	if (err == EACCES || err == EPERM)
		say_denied(f, socket);
	else if (err == EPROTOTYPE)
		say_other(f, socket);
	else if (err == ECONNREFUSED && say_no_socket(f, socket))
		return;
	else if (err == ECONNREFUSED)
		say(f, remedy, "nobody listens at %s: slabd is gone", socket);
	else
		say(f, remedy, "no slabd at %s: %s", socket,
		    strerror(err ? err : ENOENT));
}

static void say_curl(struct ctl_http_fault *f, CURL *curl, CURLcode code,
                     const char *socket, long timeout_s)
{
	static const char remedy[] =
		"is it starting, busy or stopped: see systemctl status slabd, "
		"or its log";
	long err = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err);
	if (code == CURLE_COULDNT_CONNECT)
		say_unreachable(f, socket, (int)err);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		say(f, remedy, "slabd at %s gave no answer in %ld s", socket,
		    timeout_s);
	else if (code == CURLE_UNSUPPORTED_PROTOCOL ||
	         code == CURLE_WEIRD_SERVER_REPLY)
		say(f, "is that slabd's admin socket: give what \"control\" in "
		       "slabd.conf says",
		    "what answers at %s speaks no HTTP", socket);
	else
		say(f, remedy, "no answer from slabd at %s: %s", socket,
		    curl_easy_strerror(code));
}

static const char *string_of(const json_t *doc, const char *key,
                             const char *otherwise)
{
	const char *s = json_string_value(json_object_get(doc, key));
	return s ? s : otherwise;
}

/* slabd has no such path, and lists those that it has. */
static bool is_unknown(long status, const json_t *doc)
{
	return status == 404 && json_is_array(json_object_get(doc, "paths"));
}

/* The document, where it is one and the status is 200. */
static json_t *judge(struct ctl_http_fault *f, const char *path, long status,
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
	if (status == 200)
		say(f, CTL_HTTP_OTHER_VERSION ", if that is slabd's admin "
		       "socket",
		    "the answer is no JSON: %s",
		    reply->size ? error.text : "it is empty");
	else if (is_unknown(status, doc))
		say(f, CTL_HTTP_OTHER_VERSION,
		    "slabd does not know %s: it is older than this slabctl, "
		    PACKAGE_VERSION, path + 1);
	else
		say(f, string_of(doc, "remedy", "see the log of slabd"),
		    "slabd refused: %s", string_of(doc, "error", http));
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
	char *url;
	if (asprintf(&url, "http://localhost%s%s%s", path,
	             !post && *form ? "?" : "", post ? "" : form) < 0)
		return false;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	free(url);
	return true;
}

/* What takes long is told of once. */
static bool hushed;

struct patience {
	const char *socket;
	long timeout_s;
	struct timespec began;
	bool said;
};

static long since_s(const struct timespec *began)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)(now.tv_sec - began->tv_sec);
}

static int on_progress(void *arg, curl_off_t d, curl_off_t n, curl_off_t u,
                       curl_off_t m)
{
	struct patience *p = arg;
	(void)d, (void)n, (void)u, (void)m;
	if (hushed || p->said || p->timeout_s <= SAY_S || since_s(&p->began) < SAY_S)
		return 0;
	p->said = true;
	fprintf(stderr,
	        "slabctl: slabd at %s counts every object, a little at a time "
	        "beside its clients, or is starting, or stands still: waiting "
	        "for up to %ld s\n",
	        p->socket, p->timeout_s);
	return 0;
}

static json_t *transfer(CURL *curl, const char *socket, const char *path,
                        long timeout_s, struct ctl_http_fault *fault)
{
	struct patience patience = {.socket = socket,
	                            .timeout_s = timeout_s};
	struct reply reply = {0};
	json_t *doc = NULL;
	long status = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	clock_gettime(CLOCK_MONOTONIC, &patience.began);
	reply.file = open_memstream(&reply.text, &reply.size);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout_s);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &patience);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_part);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
	if (reply.file)
		code = curl_easy_perform(curl);
	if (reply.file && fclose(reply.file) != 0)
		code = CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		doc = judge(fault, path, status, &reply);
	} else {
		say_curl(fault, curl, code, socket, timeout_s);
	}
	free(reply.text);
	return doc;
}

void ctl_http_hush(void)
{
	hushed = true;
}

json_t *ctl_http_ask(const char *socket, const char *path, bool post,
                     const struct ctl_param *param, size_t n, long timeout_s,
                     struct ctl_http_fault *fault)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);
	json_t *doc = NULL;
	CURL *curl;
	char *form, remedy[64];
	memset(fault, 0, sizeof(*fault));
	if (strlen(socket) >= max) {
		snprintf(remedy, sizeof(remedy),
		         "give one of fewer than %zu bytes", max);
		say(fault, remedy, "the path of the socket is too long");
		return NULL;
	}
	curl = curl_easy_init();
	form = curl ? form_of(curl, param, n) : NULL;
	if (form && set_request(curl, path, form, post))
		doc = transfer(curl, socket, path, timeout_s, fault);
	else
		say(fault, "", "out of memory");
	curl_easy_cleanup(curl);
	free(form);
	return doc;
}
