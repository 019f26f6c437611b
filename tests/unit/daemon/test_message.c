/* SPDX-License-Identifier: MIT */
#include "daemon/serve/message.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2]; /* the client's, ours */
static struct message message;

static void begin(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
}

static void end(void)
{
	close(ends[0]);
	close(ends[1]);
}

TestSuite(message, .init = begin, .fini = end, .timeout = 300);

static enum message_kind read_sent(const void *bytes, size_t n,
                                   enum message_from from)
{
	cr_assert_eq(send(ends[0], bytes, n, 0), (ssize_t)n);
	message_read(ends[1], from, &message);
	return message.kind;
}

static bool is_fault(const void *bytes, size_t n, enum message_from from,
                     enum drop drop, const char *text)
{
	return read_sent(bytes, n, from) == MESSAGE_FAULT &&
	       message.drop == drop && strcmp(message.text, text) == 0;
}

static struct wire_hello hello(void)
{
	struct wire_hello msg = {.magic = WIRE_MAGIC,
	                         .abi = WIRE_ABI,
	                         .type = WIRE_HELLO,
	                         .bytes = sizeof(msg)};
	return msg;
}

Test(message, nothing_and_the_end)
{
	message_read(ends[1], MESSAGE_FROM_CLIENT, &message);
	cr_expect_eq(message.kind, MESSAGE_NONE);
	shutdown(ends[0], SHUT_RDWR);
	message_read(ends[1], MESSAGE_FROM_CLIENT, &message);
	cr_expect_eq(message.kind, MESSAGE_END);
}

Test(message, each_kind_where_it_belongs)
{
	struct wire_hello first = hello();
	struct wire_create create = {
		.head = {.type = WIRE_CREATE, .bytes = sizeof(create)}};
	struct wire_name name = {
		.head = {.type = WIRE_NAME, .bytes = sizeof(name)}};
	struct wire_watch watch = {
		.head = {.type = WIRE_WATCH, .bytes = sizeof(watch)}};
	struct wire_head head = {.type = WIRE_BYE, .bytes = sizeof(head)};
	struct wire_held held = {
		.head = {.type = WIRE_HELD, .bytes = sizeof(held)}};
	cr_expect_eq(read_sent(&first, sizeof(first), MESSAGE_FROM_PENDING),
	             MESSAGE_HELLO);
	cr_expect_eq(message.as.hello.abi, WIRE_ABI);
	cr_expect_eq(read_sent(&name, sizeof(name), MESSAGE_FROM_CLIENT),
	             MESSAGE_NAME);
	cr_expect_eq(read_sent(&watch, sizeof(watch), MESSAGE_FROM_CLIENT),
	             MESSAGE_WATCH);
	cr_expect_eq(read_sent(&create, sizeof(create), MESSAGE_FROM_CLIENT),
	             MESSAGE_CREATE);
	cr_expect_eq(read_sent(&head, sizeof(head), MESSAGE_FROM_CLIENT),
	             MESSAGE_CREATE, "it stays until it is answered");
	message_take(ends[1]);
	message_read(ends[1], MESSAGE_FROM_CLIENT, &message);
	cr_expect_eq(message.kind, MESSAGE_BYE);
	cr_expect(is_fault(&head, sizeof(head), MESSAGE_FROM_EVENTS,
	                   DROP_GARBAGE, "unknown event"));
	head.type = WIRE_RING;
	cr_expect_eq(read_sent(&head, sizeof(head), MESSAGE_FROM_EVENTS),
	             MESSAGE_RING);
	cr_expect(is_fault(&head, sizeof(head), MESSAGE_FROM_CLIENT,
	                   DROP_GARBAGE, "unknown message"));
	cr_expect_eq(read_sent(&held, sizeof(held), MESSAGE_FROM_EVENTS),
	             MESSAGE_HELD);
	cr_expect(is_fault(&held, sizeof(held) - 1, MESSAGE_FROM_EVENTS,
	                   DROP_GARBAGE, "unknown event"));
	cr_expect(is_fault(&held, sizeof(held), MESSAGE_FROM_CLIENT,
	                   DROP_GARBAGE, "unknown message"));
}

/* A version to come may have a hello of another length. */
Test(message, hellos_of_other_lengths)
{
	struct {
		struct wire_hello hello;
		char more[8];
	} msg = {.hello = hello()};
	size_t whole = sizeof(msg.hello);
	size_t least = offsetof(struct wire_hello, pool);
	cr_expect(is_fault(&msg, least - 1, MESSAGE_FROM_PENDING, DROP_SHORT,
	                   "cut message"));
	cr_expect(is_fault(&msg, whole - 1, MESSAGE_FROM_PENDING, DROP_SHORT,
	                   "hello of another length"));
	cr_expect(is_fault(&msg, whole + 1, MESSAGE_FROM_PENDING,
	                   DROP_OVERSIZED, "hello of another length"));
	msg.hello.abi++;
	cr_expect_eq(read_sent(&msg, least, MESSAGE_FROM_PENDING),
	             MESSAGE_HELLO);
	cr_expect_eq(read_sent(&msg, sizeof(msg), MESSAGE_FROM_PENDING),
	             MESSAGE_HELLO);
	msg.hello.magic++;
	cr_expect(is_fault(&msg, whole, MESSAGE_FROM_PENDING, DROP_GARBAGE,
	                   "no hello"));
}

Test(message, requests_of_other_lengths)
{
	struct wire_create create = {
		.head = {.type = WIRE_CREATE, .bytes = sizeof(create)}};
	struct wire_head *head = &create.head;
	cr_expect(is_fault(&create, sizeof(*head) - 1, MESSAGE_FROM_CLIENT,
	                   DROP_SHORT, "cut message"));
	cr_expect(is_fault(&create, sizeof(create) - 1, MESSAGE_FROM_CLIENT,
	                   DROP_SHORT, "message of another length"));
	head->bytes--;
	cr_expect(is_fault(&create, sizeof(create), MESSAGE_FROM_CLIENT,
	                   DROP_OVERSIZED, "message of another length"));
	head->type = WIRE_BYE;
	cr_expect(is_fault(&create, sizeof(create), MESSAGE_FROM_CLIENT,
	                   DROP_OVERSIZED, "message of another length"));
	cr_expect(is_fault(&create, sizeof(*head) - 1, MESSAGE_FROM_EVENTS,
	                   DROP_GARBAGE, "unknown event"));
}

Test(message, longer_than_any)
{
	static const char noise[WIRE_BYTES_MAX + 1];
	cr_expect(is_fault(noise, sizeof(noise), MESSAGE_FROM_CLIENT,
	                   DROP_OVERSIZED, "over 512 bytes"));
	cr_expect(is_fault(noise, sizeof(noise) - 1, MESSAGE_FROM_CLIENT,
	                   DROP_GARBAGE, "unknown message"));
}

/* Uninvited descriptors, more than there is room for as well, stay nobody's. */
static void send_descriptors(unsigned n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(32 * sizeof(int))] = {0};
	struct wire_head head = {.type = WIRE_BYE, .bytes = sizeof(head)};
	struct iovec iov = {.iov_base = &head, .iov_len = sizeof(head)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
	int next = dup(0);
	int after;
	close(next);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &ends[0], sizeof(int));
	cr_assert_geq(sendmsg(ends[0], &hdr, 0), 0);
	message_read(ends[1], MESSAGE_FROM_CLIENT, &message);
	cr_expect_eq(message.kind, MESSAGE_FAULT);
	cr_expect_eq(message.drop, DROP_DESCRIPTORS);
	after = dup(0);
	cr_expect_eq(after, next);
	close(after);
}

Test(message, descriptors_are_closed)
{
	send_descriptors(1);
	send_descriptors(16);
	send_descriptors(32);
}
