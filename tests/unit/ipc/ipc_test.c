/* Channels: answers, refusals, descriptors, ends. One loop, both ends of a socketpair. */
#include "ipc/ipc.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OP_ECHO 40
#define OP_OTHER 41

static const uint16_t may_echo[] = { OP_ECHO, 0 };

/* What happened at one end. */
struct side {
	struct mu_loop *loop;
	struct ipc_channel *ch;
	enum { ECHO, REFUSE, KEEP, CLOSE, MISREAD } mood;
	unsigned requests, ends, answers;
	uint32_t kept_id;
	enum mu_rc rc;
	int64_t retry_after_ms;
	int fd;
	struct mu_buf heard;
};

static struct mu_loop *loop;
static struct side a, b;

static void
side_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct side *s = ctx;
	struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	s->requests++;
	mu_buf_add(&s->heard, m->body.at, (size_t)(m->body.end - m->body.at));
	mu_buf_add(&body, m->body.at, (size_t)(m->body.end - m->body.at));
	if (s->mood != ECHO && m->fd >= 0)
		(void)close(m->fd);
	switch (s->mood) {
	case ECHO:
		ipc_reply(ch, m->op, m->id, &body, m->fd);
		break;
	case REFUSE:
		(void)mu_fail(&err, MU_ECONFLICT, "moved on");
		err.retry_after_ms = 1234;
		ipc_reply_error(ch, m->id, &err);
		break;
	case KEEP:
		s->kept_id = m->id;
		break;
	case CLOSE:
		ipc_close(ch);
		s->ch = NULL;
		break;
	case MISREAD:
		ipc_refuse(ch, m->op);
		break;
	}
	mu_buf_clear(&body);
}

static void
side_end(void *ctx, struct ipc_channel *ch)
{
	struct side *s = ctx;

	s->ends++;
	ipc_close(ch);
	s->ch = NULL;
}

static void
side_answer(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct side *s = ctx;

	s->answers++;
	s->rc = err->rc;
	s->retry_after_ms = err->retry_after_ms;
	if (m == NULL)
		return;
	mu_buf_add(&s->heard, m->body.at, (size_t)(m->body.end - m->body.at));
	s->fd = m->fd;
	m->fd = -1;
}

static void
turn_end(void *ctx)
{
	mu_loop_stop(ctx, 0);
}

/* Runs the loop for so many turns: what is local and sent has arrived at the next. */
static void
turns(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mu_timer *wake = mu_loop_timer(loop, turn_end, loop);

		mu_timer_set(wake, 0);
		(void)mu_loop_run(loop);
		mu_timer_free(wake);
	}
}

static void
side_init(struct side *s, int fd, const char *name)
{
	*s = (struct side){ .loop = loop, .fd = -1 };
	s->ch = ipc_open(loop, fd, name, may_echo, side_request, side_end, s);
}

static int
pair_set_up(void **state)
{
	int ends[2];

	(void)state;
	loop = mu_loop_new();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return 1;
	side_init(&a, ends[0], "b");
	side_init(&b, ends[1], "a");
	return 0;
}

static int
pair_tear_down(void **state)
{
	(void)state;
	ipc_close(a.ch);
	ipc_close(b.ch);
	turns(1);
	mu_buf_clear(&a.heard);
	mu_buf_clear(&b.heard);
	mu_loop_free(loop);
	return 0;
}

/* Takes b's end out of its channel, to write on it by hand. */
static int
b_raw(void)
{
	int ends[2];

	ipc_close(b.ch);
	ipc_close(a.ch);
	b.ch = NULL;
	turns(1);
	assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	side_init(&a, ends[0], "b");
	return ends[1];
}

static void
call_text(struct side *s, uint16_t op, const char *text, int fd)
{
	struct mu_buf body = MU_BUF_INIT;

	mu_buf_text_add(&body, text);
	ipc_call(s->ch, op, &body, fd, side_answer, s);
	mu_buf_clear(&body);
}

static size_t
descriptors_open(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

static void
a_call_is_answered(void **state)
{
	(void)state;
	call_text(&a, OP_ECHO, "hello", -1);
	turns(3);
	assert_int_equal(1, a.answers);
	assert_int_equal(MU_OK, a.rc);
	assert_string_equal("hello", mu_buf_text(&a.heard));
}

static void
a_refusal_arrives_with_its_reason(void **state)
{
	(void)state;
	b.mood = REFUSE;
	call_text(&a, OP_ECHO, "hello", -1);
	turns(3);
	assert_int_equal(1, a.answers);
	assert_int_equal(MU_ECONFLICT, a.rc);
	assert_int_equal(1234, a.retry_after_ms);
}

static void
a_descriptor_travels(void **state)
{
	int ends[2];
	char c = 'x';

	(void)state;
	assert_int_equal(0, pipe(ends));
	call_text(&a, OP_ECHO, "", ends[1]);
	turns(3);
	assert_true(a.fd >= 0);
	assert_int_equal(1, write(a.fd, "y", 1));
	assert_int_equal(1, read(ends[0], &c, 1));
	assert_int_equal('y', c);
	(void)close(a.fd);
	assert_int_equal(0, read(ends[0], &c, 1));	/* no copy was left behind */
	(void)close(ends[0]);
}

static void
what_is_not_allowed_ends_the_channel(void **state)
{
	(void)state;
	call_text(&a, OP_OTHER, "", -1);
	turns(4);
	assert_int_equal(0, b.requests);
	assert_int_equal(1, b.ends);
	assert_int_equal(1, a.ends);
	assert_int_equal(MU_ERETRY, a.rc);
}

static void
a_payload_refused_ends_the_channel(void **state)
{
	(void)state;
	b.mood = MISREAD;
	call_text(&a, OP_ECHO, "?", -1);
	turns(4);
	assert_int_equal(1, b.requests);
	assert_int_equal(1, b.ends);
	assert_int_equal(MU_ERETRY, a.rc);
}

static void
a_handler_may_close_its_channel(void **state)
{
	(void)state;
	b.mood = CLOSE;
	call_text(&a, OP_ECHO, "1", -1);
	call_text(&a, OP_ECHO, "2", -1);
	turns(4);
	assert_int_equal(1, b.requests);
	assert_int_equal(0, b.ends);	/* its own doing */
	assert_int_equal(2, a.answers);
	assert_int_equal(MU_ERETRY, a.rc);
	assert_int_equal(1, a.ends);
}

static void
a_peer_gone_answers_all_calls(void **state)
{
	(void)state;
	b.mood = KEEP;
	call_text(&a, OP_ECHO, "1", -1);
	call_text(&a, OP_ECHO, "2", -1);
	turns(2);
	assert_int_equal(0, a.answers);
	ipc_close(b.ch);
	b.ch = NULL;
	turns(3);
	assert_int_equal(2, a.answers);
	assert_int_equal(MU_ERETRY, a.rc);
	assert_int_equal(1, a.ends);
}

static void
a_late_answer_finds_its_call(void **state)
{
	(void)state;
	b.mood = KEEP;
	call_text(&a, OP_ECHO, "later", -1);
	turns(2);
	b.mood = ECHO;
	call_text(&a, OP_ECHO, "now", -1);
	turns(3);
	assert_string_equal("now", mu_buf_text(&a.heard));
	ipc_reply(b.ch, OP_ECHO, b.kept_id, NULL, -1);
	turns(2);
	assert_int_equal(2, a.answers);
	assert_int_equal(MU_OK, a.rc);
}

static void
an_answer_to_another_question_ends_the_channel(void **state)
{
	(void)state;
	b.mood = KEEP;
	call_text(&a, OP_ECHO, "", -1);
	turns(2);
	ipc_reply(b.ch, OP_OTHER, b.kept_id, NULL, -1);
	turns(3);
	assert_int_equal(1, a.answers);
	assert_int_equal(MU_ERETRY, a.rc);
	assert_int_equal(1, a.ends);
}

static void
an_answer_nobody_waits_for_is_dropped(void **state)
{
	(void)state;
	b.mood = KEEP;
	call_text(&a, OP_ECHO, "", -1);
	turns(2);
	ipc_reply(b.ch, OP_ECHO, b.kept_id + 1, NULL, -1);
	turns(2);
	assert_int_equal(0, a.ends + a.answers);
	ipc_reply(b.ch, OP_ECHO, b.kept_id, NULL, -1);
	turns(2);
	assert_int_equal(1, a.answers);
}

static void
ids_of_two_channels_differ(void **state)
{
	uint32_t first;

	(void)state;
	b.mood = KEEP;
	call_text(&a, OP_ECHO, "", -1);
	call_text(&b, OP_ECHO, "", -1);
	a.mood = KEEP;
	turns(2);
	first = a.kept_id;
	assert_int_not_equal(first, b.kept_id);
}

#define WIRE(text) { (text), sizeof(text) - 1 }

static void
a_crooked_header_ends_the_channel(void **state)
{
	static const struct { const char *bytes; size_t count;
	} rows[] = {
		WIRE("x"), /* shorter than a header */
		WIRE("\x28\0\0\0"
		     "\1\0\0\0"
		     "\1\0\0\0"), /* says more than there is */
		WIRE("\x28\0\0\0"
		     "\1\0\0\0"
		     "\0\0\0\0"
		     "x"), /* says less */
		WIRE("\x28\0\1\0"
		     "\1\0\0\0"
		     "\0\0\0\0"), /* what must be zero is not */
		WIRE("\0\0\0\0"
		     "\1\0\0\0"
		     "\0\0\0\0"), /* no operation */
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		int raw = b_raw();

		assert_int_equal(rows[i].count, send(raw, rows[i].bytes, rows[i].count, 0));
		turns(3);
		if (a.ends != 1 || a.requests != 0)
			fail_msg("row %zu was taken", i);
		(void)close(raw);
	}
}

static void
a_message_too_large_ends_the_channel(void **state)
{
	int raw = b_raw();
	char *bytes = mu_alloc_zero(1, IPC_MESSAGE_MAX_BYTES + 1);

	(void)state;
	bytes[0] = OP_ECHO;
	assert_int_equal(IPC_MESSAGE_MAX_BYTES + 1, send(raw, bytes, IPC_MESSAGE_MAX_BYTES + 1, 0));
	turns(3);
	assert_int_equal(1, a.ends);
	mu_free(bytes);
	(void)close(raw);
}

static void
two_descriptors_end_the_channel_and_are_closed(void **state)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .room = "" };
	struct iovec iov = { .iov_base = (char[12]){ OP_ECHO }, .iov_len = 12 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
	    .msg_controllen = sizeof(control.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int raw = b_raw(), fds[2];
	size_t before;

	(void)state;
	assert_int_equal(0, pipe(fds));
	before = descriptors_open();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	(void)memcpy(CMSG_DATA(c), fds, sizeof(fds));
	assert_int_equal(12, sendmsg(raw, &msg, 0));
	turns(3);
	assert_int_equal(1, a.ends);
	assert_int_equal(0, a.requests);
	assert_int_equal(before - 1, descriptors_open());	/* our own end, and nothing came */
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)close(raw);
}

/* What a crashing child says last is heard, though we were talking to it. */
static void
last_words_are_heard(void **state)
{
	int raw = b_raw();

	(void)state;
	call_text(&a, OP_ECHO, "unread", -1);
	assert_int_equal(16, send(raw, "\x28\0\0\0" "\0\0\0\0" "\4\0\0\0" "last", 16, 0));
	(void)close(raw);
	call_text(&a, OP_ECHO, "into the void", -1);
	turns(4);
	assert_int_equal(1, a.requests);
	assert_string_equal("last", mu_buf_text(&a.heard));
	assert_int_equal(2, a.answers);
	assert_int_equal(1, a.ends);
}

static void
asking_waits_and_keeps_what_else_arrives(void **state)
{
	struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int raw = b_raw();
	char answer[14];
	uint32_t id;

	(void)state;
	/* The next question's id is one more than that of a first, which is read off the wire. */
	call_text(&a, OP_ECHO, "", -1);
	assert_int_equal(12, recv(raw, answer, 12, 0));
	(void)memcpy(&id, answer + 4, sizeof(id));
	id++;
	(void)memcpy(answer, "\x28\x80\0\0" "\1\0\0\0" "\2\0\0\0" "ok", 14);
	(void)memcpy(answer + 4, &id, sizeof(id));
	assert_int_equal(17, send(raw, "\x28\0\0\0" "\0\0\0\0" "\5\0\0\0" "first", 17, 0));
	assert_int_equal(14, send(raw, answer, 14, 0));
	assert_int_equal(18, send(raw, "\x28\0\0\0" "\0\0\0\0" "\6\0\0\0" "second", 18, 0));
	assert_int_equal(MU_OK, ipc_ask(a.ch, OP_ECHO, NULL, 5000, &body, &err));
	assert_string_equal("ok", mu_buf_text(&body));
	assert_int_equal(0, a.requests);
	turns(2);
	assert_int_equal(2, a.requests);
	assert_string_equal("firstsecond", mu_buf_text(&a.heard));
	mu_buf_clear(&body);
	(void)close(raw);
}

static void
asking_in_vain_ends_in_time(void **state)
{
	struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	b.mood = KEEP;
	assert_int_equal(MU_ERETRY, ipc_ask(a.ch, OP_ECHO, NULL, 5, &body, &err));
	turns(2);
	assert_int_equal(1, b.requests);
	ipc_reply(b.ch, OP_ECHO, b.kept_id, NULL, -1);
	turns(2);
	assert_int_equal(0, a.ends);	/* late is no fault */
	ipc_close(b.ch);
	b.ch = NULL;
	assert_int_equal(MU_ERETRY, ipc_ask(a.ch, OP_ECHO, NULL, 5000, &body, &err));
	mu_buf_clear(&body);
}

static void
many_large_messages_arrive_in_order(void **state)
{
	struct mu_buf body = MU_BUF_INIT;

	(void)state;
	b.mood = KEEP;
	for (unsigned i = 0; i < 100; i++) {
		mu_buf_reset(&body);
		for (unsigned j = 0; j < 60000; j++)
			mu_buf_char_add(&body, (char)('!' + i % 90));
		ipc_notify(a.ch, OP_ECHO, &body, -1);
	}
	for (unsigned i = 0; i < 1000 && b.requests < 100; i++)
		turns(1);
	assert_int_equal(100, b.requests);
	for (size_t i = 0; i < b.heard.size_bytes; i++)
		if (b.heard.data[i] != (char)('!' + i / 60000 % 90))
			fail_msg("out of order at byte %zu", i);
	mu_buf_clear(&body);
}

static void
a_peer_that_takes_nothing_is_given_up(void **state)
{
	struct mu_buf body = MU_BUF_INIT;
	int raw = b_raw();
	unsigned sent = 0;

	(void)state;
	mu_buf_reserve(&body, 60000);
	body.size_bytes = 60000;
	(void)memset(body.data, 'x', 60000);
	for (; sent < 1000 && ipc_is_open(a.ch); sent++)
		ipc_notify(a.ch, OP_ECHO, &body, -1);
	assert_in_range(sent, 130, 160);	/* 8 MiB and what the socket holds */
	assert_int_equal(0, a.ends);		/* told from the loop only */
	turns(2);
	assert_int_equal(1, a.ends);
	mu_buf_clear(&body);
	(void)close(raw);
}

static void
who_is_away_answers_at_once(void **state)
{
	struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int fd = dup(0);

	(void)state;
	ipc_call(NULL, OP_ECHO, NULL, fd, side_answer, &a);
	assert_int_equal(1, a.answers);
	assert_int_equal(MU_ERETRY, a.rc);
	assert_int_equal(-1, close(fd));
	ipc_notify(NULL, OP_ECHO, NULL, -1);
	ipc_reply(NULL, OP_ECHO, 1, NULL, -1);
	assert_int_equal(MU_ERETRY, ipc_ask(NULL, OP_ECHO, NULL, 1000, &body, &err));
	assert_false(ipc_is_open(NULL));
}

static void
a_body_too_large_is_the_callers_fault(void **state)
{
	struct mu_buf body = MU_BUF_INIT;

	(void)state;
	mu_buf_reserve(&body, IPC_MESSAGE_MAX_BYTES);
	body.size_bytes = IPC_MESSAGE_MAX_BYTES - 11;
	ipc_call(a.ch, OP_ECHO, &body, -1, side_answer, &a);
	assert_int_equal(1, a.answers);
	assert_int_equal(MU_EINPUT, a.rc);
	turns(2);
	assert_int_equal(0, a.ends + b.ends + b.requests);
	mu_buf_clear(&body);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, pair_set_up, pair_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_call_is_answered),
		ROW(a_refusal_arrives_with_its_reason),
		ROW(a_descriptor_travels),
		ROW(what_is_not_allowed_ends_the_channel),
		ROW(a_payload_refused_ends_the_channel),
		ROW(a_handler_may_close_its_channel),
		ROW(a_peer_gone_answers_all_calls),
		ROW(a_late_answer_finds_its_call),
		ROW(an_answer_to_another_question_ends_the_channel),
		ROW(an_answer_nobody_waits_for_is_dropped),
		ROW(ids_of_two_channels_differ),
		ROW(a_crooked_header_ends_the_channel),
		ROW(a_message_too_large_ends_the_channel),
		ROW(two_descriptors_end_the_channel_and_are_closed),
		ROW(last_words_are_heard),
		ROW(asking_waits_and_keeps_what_else_arrives),
		ROW(asking_in_vain_ends_in_time),
		ROW(many_large_messages_arrive_in_order),
		ROW(a_peer_that_takes_nothing_is_given_up),
		ROW(who_is_away_answers_at_once),
		ROW(a_body_too_large_is_the_callers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
