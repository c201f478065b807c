/* The login process over its channel: what is asked by source and DN is answered yes, no, or not. */
#include "unit/directory/slapd.h"

#include "ipc/message.h"
#include "proc/process.h"

static const uint16_t may_ask[] = { OP_LOGIN, 0 }, may_ask_nothing[] = { 0 };

struct stage {
	struct slapd slapd;
	struct mu_loop *loop;
	struct settings_source source;
	struct settings settings;
	struct process process;
	struct ipc_channel *asker;
	size_t questions, answers;
	bool stop_when_asked;
	enum mu_rc rc;
	uint8_t yes;
	bool ended;
};

static void
asked(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct stage *x = ctx;

	assert_ptr_equal(ch, x->process.peers[0].channel);
	process_login.request(&x->process, &x->process.peers[0], m);
	x->questions++;
	if (x->stop_when_asked)
		mu_loop_stop(x->loop, 0);
}

static void
channel_ended(void *ctx, struct ipc_channel *ch)
{
	struct stage *x = ctx;

	assert_ptr_equal(ch, x->process.peers[0].channel);
	x->process.peers[0].channel = NULL;
	x->ended = true;
	ipc_close(ch);
	mu_loop_stop(x->loop, 0);
}

static void
nothing_asked(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx, (void)ch, (void)m;
	fail();
}

static void
asker_ended(void *ctx, struct ipc_channel *ch)
{
	(void)ctx, (void)ch;
}

/* A new pair of ends between who asks and the login process. */
static void
channel_open(struct stage *x)
{
	int ends[2];

	assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	x->asker = ipc_open(x->loop, ends[0], "login", may_ask_nothing, nothing_asked, asker_ended, x);
	x->process.peers[0].channel = ipc_open(x->loop, ends[1], "claim", may_ask, asked, channel_ended, x);
	process_login.peer_up(&x->process, &x->process.peers[0]);
	x->ended = false;
}

static void
stage_open(struct stage *x)
{
	static char name[] = "hr", reason[] = "a test", base[] = PEOPLE;
	struct mu_err err = MU_ERR_INIT;

	*x = (struct stage){ .answers = 0 };
	slapd_make(&x->slapd);
	slapd_conf_write(&x->slapd);
	slapd_load(&x->slapd, "ana ben", "staff");
	slapd_start(&x->slapd);
	x->source = (struct settings_source){ .name = name, .uri = x->slapd.uri, .insecure_plain = reason,
		.people_base = base };
	x->settings = (struct settings){ .sources = &x->source, .source_count = 1 };
	x->loop = mu_loop_new();
	x->process = (struct process){ .kind = PROCESS_LOGIN, .loop = x->loop, .settings = &x->settings,
		.peer_count = 1, .listen_fd = -1 };
	x->process.peers[0] = (struct process_peer){ .kind = PROCESS_CLAIM };
	assert_int_equal(MU_OK, process_login.open(&x->process, &err));
	channel_open(x);
}

static void
answered(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct stage *x = ctx;

	x->answers++;
	x->rc = m == NULL ? err->rc : MU_OK;
	if (m != NULL) {
		x->yes = ipc_get_u8(&m->body);
		assert_true(ipc_get_end(&m->body));
	}
	mu_loop_stop(x->loop, 0);
}

static void
ask(struct stage *x, const char *source, const char *dn, const char *word)
{
	struct msg_login m = { .source = mu_strdup(source), .dn = mu_strdup(dn) };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	mu_secret_set(&m.password, word, strlen(word));
	msg_login_encode(&m, &body);
	ipc_call(x->asker, OP_LOGIN, &body, -1, answered, x);
	msg_login_clear(&m);
}

static void
answers_are_yes_no_or_why_not(void **state)
{
	static const struct {
		const char *source, *dn, *word;
		enum mu_rc rc;
		uint8_t yes;
	} rows[] = {
		{ "hr", "uid=ana," PEOPLE, "pw-ana", MU_OK, 1 },
		{ "hr", "uid=ana," PEOPLE, "pw-ben", MU_OK, 0 },
		{ "hr", "uid=ana," PEOPLE, "", MU_OK, 0 },
		{ "partner", "uid=ana," PEOPLE, "pw-ana", MU_EABSENT, 0 },
	};
	static struct stage x;	/* a process never ends what it opened */

	(void)state;
	stage_open(&x);
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		ask(&x, rows[i].source, rows[i].dn, rows[i].word);
		(void)mu_loop_run(x.loop);
		assert_int_equal(i + 1, x.answers);
		assert_int_equal(rows[i].rc, x.rc);
		assert_int_equal(rows[i].yes, rows[i].rc == MU_OK ? x.yes : 0);
	}
	slapd_end(&x.slapd, SIGTERM);
	ask(&x, "hr", "uid=ana," PEOPLE, "pw-ana");
	(void)mu_loop_run(x.loop);
	assert_int_equal(MU_ERETRY, x.rc);
	slapd_clear(&x.slapd);
}

/* Who is started anew has asked nothing: the answer to the one before goes nowhere. */
static void
the_answer_to_a_peer_that_is_gone_goes_nowhere(void **state)
{
	static struct stage x;

	(void)state;
	stage_open(&x);
	(void)kill(x.slapd.pid, SIGSTOP);	/* so that the question stays open */
	x.stop_when_asked = true;
	ask(&x, "hr", "uid=ana," PEOPLE, "pw-ana");
	(void)mu_loop_run(x.loop);
	assert_int_equal(1, x.questions);
	x.stop_when_asked = false;
	ipc_close(x.asker);
	assert_int_equal(1, x.answers);		/* closing answers what is pending */
	ipc_close(x.process.peers[0].channel);
	channel_open(&x);
	(void)kill(x.slapd.pid, SIGCONT);
	ask(&x, "hr", "uid=ben," PEOPLE, "pw-ana");
	while (x.answers < 2)
		(void)mu_loop_run(x.loop);
	assert_int_equal(MU_OK, x.rc);
	assert_int_equal(0, x.yes);		/* ben's, not ana's */
	slapd_clear(&x.slapd);
}

static void
a_malformed_question_ends_the_channel(void **state)
{
	static struct stage x;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	(void)state;
	stage_open(&x);
	mu_buf_text_add(&body, "not a question");
	ipc_call(x.asker, OP_LOGIN, &body, -1, answered, &x);
	while (!x.ended || x.answers == 0)
		(void)mu_loop_run(x.loop);
	assert_int_equal(MU_ERETRY, x.rc);
	ipc_close(x.asker);
	slapd_clear(&x.slapd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_yes_no_or_why_not),
		cmocka_unit_test(the_answer_to_a_peer_that_is_gone_goes_nowhere),
		cmocka_unit_test(a_malformed_question_ends_the_channel),
	};

	return cmocka_run_group_tests_name("proc/login", tests, NULL, NULL);
}
