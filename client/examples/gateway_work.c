/* SPDX-License-Identifier: MIT */
/* What the stages of the gateway do with an order, whichever way it came. */
#include <stdio.h>
#include <string.h>

#include "gateway.h"

#define SOH '\001'
#define MESSAGES 1024u
#define MESSAGE_MAX 256u
#define OUT_BYTES 65536u
#define ROWS 256u
#define LEVELS 16u

/* ---- receive: a session's messages, of tags and values ------------------- */

static struct {
	char text[MESSAGE_MAX];
	size_t length;
} session[MESSAGES];

static unsigned sum_of(const char *bytes, size_t n)
{
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (unsigned char)bytes[i];
	return sum % 256;
}

/* As they would come from a socket; the fifth text and the fourth are not always
 * there. */
static void fill_session(void)
{
	static const char *const symbols[] = {"IBM", "SIEGn", "VOWG_p", "AAPL",
	                                      "BMWG", "MSFT", "NESN", "ROG"};
	static const char *const venues[] = {"XETR", "XNYS", "XSWX"};
	static const char *const notes[] = {"good till the close",
	                                    "block of the pension desk",
	                                    "do not split, call first"};
	uint32_t r = 1;
	for (unsigned i = 0; i < MESSAGES; i++) {
		char *at = session[i].text;
		int n;
		r = r * 1103515245u + 12345u;
		n = sprintf(at, "8=FIX.4.4%c35=D%c11=C%09u%c1=ACC%05u%c55=%s%c"
		            "54=%u%c38=%u%c44=%u%c", SOH, SOH, r % 1000000000u,
		            SOH, r / 7 % 90000, SOH, symbols[r / 64 % 8], SOH,
		            1 + r / 512 % 2, SOH, 1 + r / 1024 % 900, SOH,
		            9000 + r / 4096 % 2000, SOH);
		if (r / 16384 % 5 != 0)
			n += sprintf(at + n, "207=%s%c", venues[r / 32768 % 3],
			             SOH);
		if (r / 16384 % 5 < 3)
			n += sprintf(at + n, "58=%s%c", notes[r / 65536 % 3],
			             SOH);
		n += sprintf(at + n, "10=%03u%c", sum_of(at, (size_t)n), SOH);
		session[i].length = (size_t)n;
	}
}

static uint32_t number(const char *at, const char *end)
{
	uint32_t n = 0;
	for (; at < end; at++)
		n = n * 10 + (uint32_t)(*at - '0');
	return n;
}

static void set_text(struct message *message, enum text which, const char *at,
                     const char *end)
{
	message->text[which] = at;
	message->length[which] = (size_t)(end - at);
}

static void set_field(struct message *message, uint32_t tag, const char *at,
                      const char *end)
{
	switch (tag) {
	case 1:
		set_text(message, ACCOUNT, at, end);
		break;
	case 11:
		set_text(message, CLIENT_ID, at, end);
		break;
	case 38:
		message->order.quantity = number(at, end);
		break;
	case 44:
		message->order.price = number(at, end);
		break;
	case 54:
		message->order.side = *at;
		break;
	case 55:
		set_text(message, SYMBOL, at, end);
		break;
	case 58:
		set_text(message, NOTE, at, end);
		break;
	case 207:
		set_text(message, VENUE, at, end);
		break;
	default:
		break;
	}
}

/* The last field is the sum of all before it. */
static void parse(const char *at, size_t length, struct message *message)
{
	const char *start = at;
	const char *end = at + length;
	while (at < end) {
		const char *field = at;
		uint32_t tag = 0;
		const char *value;
		for (; *at != '='; at++)
			tag = tag * 10 + (uint32_t)(*at - '0');
		value = ++at;
		while (*at != SOH)
			at++;
		set_field(message, tag, value, at);
		if (tag == 10 && number(value, at) !=
		    sum_of(start, (size_t)(field - start)))
			gateway_die("a message", "its sum is wrong");
		at++;
	}
}

void gateway_receive(uint64_t id, struct message *message)
{
	if (session[0].length == 0)
		fill_session();
	*message = (struct message){.order = {.id = id}};
	parse(session[id % MESSAGES].text, session[id % MESSAGES].length,
	      message);
}

/* ---- what goes out ------------------------------------------------------- */

static char out[OUT_BYTES + MESSAGE_MAX * 4];
static size_t used;

static char *put_text(char *at, const char *text)
{
	size_t n = strlen(text);
	memcpy(at, text, n);
	return at + n;
}

static char *put_number(char *at, uint64_t n)
{
	char digits[20];
	int i = 20;
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	memcpy(at, digits + i, (size_t)(20 - i));
	return at + 20 - i;
}

static char *put_field(char *at, const char *tag, const char *text)
{
	if (text == NULL)
		return at;
	at = put_text(put_text(at, tag), text);
	*at++ = SOH;
	return at;
}

static char *put_count(char *at, const char *tag, uint64_t n)
{
	at = put_number(put_text(at, tag), n);
	*at++ = SOH;
	return at;
}

/* Here a file's buffer would be written, or a socket's sent. */
static void sent(const char *end)
{
	used = (size_t)(end - out);
	if (used > OUT_BYTES)
		used = 0;
}

/* ---- match: against a book, within an account's limit -------------------- */

/* Prices that are LEVELS apart share a row of it. */
static struct {
	uint32_t resting[2][LEVELS]; /* quantities */
	int64_t last;
} books[ROWS];
static int64_t accounts[ROWS];
static uint32_t clients[ROWS * 16]; /* ids of the newest, by their hash */

static uint32_t hash_of(const char *text)
{
	uint32_t h = 2166136261u;
	for (; *text != 0; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

/* Levels between the best that rest on both sides. */
static uint32_t spread_of(unsigned row)
{
	uint32_t best[2] = {0, 0};
	for (unsigned side = 0; side < 2; side++)
		while (best[side] < LEVELS - 1 &&
		       books[row].resting[side][best[side]] == 0)
			best[side]++;
	return best[0] + best[1];
}

/* What comes again, and was matched, is not matched again. */
void gateway_match(struct order *order, const char *const text[TEXTS])
{
	unsigned row = hash_of(text[SYMBOL]) % ROWS;
	uint32_t client = hash_of(text[CLIENT_ID]);
	unsigned mine = order->side == '1';
	uint32_t left = order->quantity;
	if (order->matched)
		return;
	for (unsigned i = 0; i < LEVELS && left > 0; i++) {
		uint32_t *other = &books[row].resting[!mine][i];
		uint32_t some = left < *other ? left : *other;
		*other -= some;
		left -= some;
	}
	order->filled = order->quantity - left;
	if (left > 0)
		books[row].resting[mine][order->price % LEVELS] += left;
	order->spread = spread_of(row);
	books[row].last = order->price;
	accounts[hash_of(text[ACCOUNT]) % ROWS] += order->filled * order->price;
	clients[client % (ROWS * 16)] = client;
	order->matched = 1;
}

/* ---- confirm and publish ------------------------------------------------- */

static char *put_two(char *at, uint64_t n, char then)
{
	at[0] = (char)('0' + n / 10 % 10);
	at[1] = (char)('0' + n % 10);
	at[2] = then;
	return at + 3;
}

/* A time of the day in ms; the orders' numbers are its clock. */
static char *put_time(char *at, const char *tag, uint64_t ms)
{
	at = put_text(at, tag);
	at = put_two(at, ms / 3600000 % 24, ':');
	at = put_two(at, ms / 60000 % 60, ':');
	at = put_two(at, ms / 1000 % 60, '.');
	at = put_two(at, ms / 10 % 100, (char)('0' + ms % 10));
	*at++ = SOH;
	return at;
}

static char *put_report(char *at, const struct order *order,
                        const char *const text[TEXTS])
{
	const char *start = at;
	at = put_text(at, "8=FIX.4.4\00135=8\001");
	at = put_count(at, "37=", order->id);
	at = put_field(at, "150=", order->filled > 0 ? "F" : "0");
	at = put_field(at, "11=", text[CLIENT_ID]);
	at = put_field(at, "1=", text[ACCOUNT]);
	at = put_field(at, "55=", text[SYMBOL]);
	at = put_field(at, "54=", order->side == '1' ? "1" : "2");
	at = put_count(at, "38=", order->quantity);
	at = put_count(at, "44=", (uint64_t)order->price);
	at = put_count(at, "14=", order->filled);
	at = put_count(at, "151=", order->quantity - order->filled);
	at = put_field(at, "207=", text[VENUE]);
	at = put_field(at, "58=", text[NOTE]);
	at = put_time(at, "60=", order->id);
	if (order->again)
		at = put_field(at, "43=", "Y");
	return put_count(at, "10=", sum_of(start, (size_t)(at - start)));
}

void gateway_confirm(const struct order *order, const char *const text[TEXTS])
{
	sent(put_report(out + used, order, text));
}

void gateway_publish(const struct order *order, const char *const text[TEXTS])
{
	char *start = out + used;
	char *at = put_count(start, "trade ", order->id);
	at = put_field(at, "of ", text[SYMBOL]);
	at = put_field(at, "on ", text[VENUE]);
	at = put_count(at, "price ", (uint64_t)order->price);
	at = put_count(at, "volume ", order->filled);
	at = put_count(at, "spread ", order->spread);
	at = put_field(at, "note ", text[NOTE]);
	at = put_count(at, "sum ", sum_of(start, (size_t)(at - start)));
	sent(at);
}
