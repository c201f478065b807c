/*
 * A real child, `login`, which needs neither keys nor store; the test is its supervisor and peer:
 * handing over, readiness, what is allowed, channels that end, stopping.
 */
#include "proc/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/place.h"

#define CONFIG								\
	"state: /tmp/nowhere\n"						\
	"policies: /tmp/nowhere/policies\n"				\
	"sources:\n"							\
	"  - name: main\n"						\
	"    uri: ldapi://%2Ftmp%2Fnowhere%2Fldapi\n"			\
	"    people:\n"							\
	"      base: ou=people,dc=example,dc=org\n"			\
	"      filter: (objectClass=person)\n"				\
	"      attributes: {uid: uid}\n"
#define PATIENCE_MS 20000

static struct {
	struct mu_loop *loop;
	struct ipc_channel *control, *peer;
	struct mu_timer *patience;
	pid_t pid;
	bool ready, lost, control_ended, peer_ended, answered;
	struct mu_err answer;
} t;

static void
control_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	(void)ch;
	t.ready = t.ready || m->op == OP_READY;
	t.lost = t.lost || m->op == OP_PEER_LOST;
	mu_loop_stop(t.loop, 0);
}

static void
control_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	ipc_close(ch);
	t.control = NULL;
	t.control_ended = true;
	mu_loop_stop(t.loop, 0);
}

static void
peer_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	(void)ch;
	fail_msg("login asked for operation %u", m->op);
}

static void
peer_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	ipc_close(ch);
	t.peer = NULL;
	t.peer_ended = true;
	mu_loop_stop(t.loop, 0);
}

static void
out_of_patience(void *ctx)
{
	(void)ctx;
	mu_loop_stop(t.loop, 1);
}

/* Runs the loop until something has come true. */
static void
wait_for(const bool *what)
{
	mu_timer_set(t.patience, PATIENCE_MS);
	while (!*what)
		if (mu_loop_run(t.loop) != 0)
			fail_msg("waited in vain");
	mu_timer_stop(t.patience);
}

static int
start(void **state)
{
	static const uint16_t may_send[] = { OP_READY, OP_PEER_LOST, 0 };
	int ends[2];

	(void)state;
	(void)memset(&t, 0, sizeof(t));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return 1;
	t.pid = fork();
	if (t.pid == 0) {
		(void)dup2(ends[1], 3);
		(void)close_range(4, ~0u, 0);
		exit(process_main(PROCESS_LOGIN));
	}
	(void)close(ends[1]);
	t.loop = mu_loop_new();
	t.patience = mu_loop_timer(t.loop, out_of_patience, NULL);
	t.control =
	    ipc_open(t.loop, ends[0], "login", may_send, control_request, control_end, NULL);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ipc_close(t.peer);
	ipc_close(t.control);
	mu_loop_free(t.loop);
	if (t.pid > 0) {
		(void)kill(t.pid, SIGKILL);
		(void)waitpid(t.pid, NULL, 0);
	}
	return 0;
}

static void
config_send(void)
{
	struct msg_config m = { "musterd.yaml", "", 0 };
	struct mu_buf text = MU_BUF_INIT, body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int fd;

	mu_buf_text_add(&text, CONFIG);
	assert_int_equal(MU_OK, place_text("config", &text, &fd, &err));
	msg_config_encode(&m, &body);
	ipc_notify(t.control, OP_CONFIG, &body, fd);
	mu_buf_clear(&text);
	mu_buf_clear(&body);
}

/* Gives the child a channel to a process of that kind, which is the test. */
static void
peer_send(enum process_kind kind)
{
	static const uint16_t nothing[] = { 0 };
	struct msg_peer m = { (uint8_t)kind, "", 0 };
	struct mu_buf body = MU_BUF_INIT;
	int ends[2];

	assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	msg_peer_encode(&m, &body);
	ipc_notify(t.control, OP_PEER, &body, ends[1]);
	mu_buf_clear(&body);
	ipc_close(t.peer);
	t.peer = ipc_open(t.loop, ends[0], "login", nothing, peer_request, peer_end, NULL);
}

static void
make_ready(void)
{
	config_send();
	peer_send(PROCESS_CLAIM);
	ipc_notify(t.control, OP_START, NULL, -1);
	wait_for(&t.ready);
}

static void
on_answer(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	(void)ctx;
	assert_null(m);
	t.answer = *err;
	t.answered = true;
	mu_loop_stop(t.loop, 0);
}

static void
login_ask_unknown(void)
{
	struct msg_login m = { .source = "nobodys", .dn = "uid=x" };
	struct mu_buf body = MU_BUF_INIT;

	t.answered = false;
	mu_secret_set(&m.password, "x", 1);
	msg_login_encode(&m, &body);
	ipc_call(t.peer, OP_LOGIN, &body, -1, on_answer, NULL);
	mu_secret_clear(&m.password);
	mu_buf_clear(&body);
	wait_for(&t.answered);
}

static int
status_wait(void)
{
	int status;

	assert_int_equal(t.pid, waitpid(t.pid, &status, 0));
	t.pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
it_is_ready_answers_and_stops(void **state)
{
	(void)state;
	make_ready();
	login_ask_unknown();
	assert_int_equal(MU_EABSENT, t.answer.rc);
	ipc_notify(t.control, OP_STOP, NULL, -1);
	wait_for(&t.control_ended);
	assert_int_equal(0, status_wait());
}

static void
what_a_peer_asks_before_the_start_waits(void **state)
{
	struct msg_login m = { .source = "nobodys", .dn = "uid=x" };
	struct mu_buf body = MU_BUF_INIT;

	(void)state;
	config_send();
	peer_send(PROCESS_CLAIM);
	mu_secret_set(&m.password, "x", 1);
	msg_login_encode(&m, &body);
	ipc_call(t.peer, OP_LOGIN, &body, -1, on_answer, NULL);
	ipc_notify(t.control, OP_START, NULL, -1);
	wait_for(&t.ready);
	wait_for(&t.answered);
	assert_int_equal(MU_EABSENT, t.answer.rc);
	mu_secret_clear(&m.password);
	mu_buf_clear(&body);
}

static void
what_a_peer_may_not_ask_ends_its_channel_and_it_gets_another(void **state)
{
	(void)state;
	make_ready();
	ipc_notify(t.peer, OP_MAC, NULL, -1);
	wait_for(&t.peer_ended);
	wait_for(&t.lost);
	peer_send(PROCESS_CLAIM);
	login_ask_unknown();
	assert_int_equal(MU_EABSENT, t.answer.rc);
	assert_false(t.control_ended);
}

static void
a_new_end_takes_the_place_of_the_old(void **state)
{
	(void)state;
	make_ready();
	peer_send(PROCESS_CLAIM);
	login_ask_unknown();
	assert_int_equal(MU_EABSENT, t.answer.rc);
	assert_false(t.lost);
}

static void
a_peer_it_has_no_business_with_is_refused(void **state)
{
	(void)state;
	make_ready();
	peer_send(PROCESS_TOKEN);
	wait_for(&t.control_ended);
	assert_int_equal(EXIT_FAILURE, status_wait());
}

static void
without_configuration_it_does_not_start(void **state)
{
	(void)state;
	ipc_notify(t.control, OP_START, NULL, -1);
	wait_for(&t.control_ended);
	assert_false(t.ready);
	assert_int_equal(EXIT_FAILURE, status_wait());
}

static void
without_its_supervisor_it_ends(void **state)
{
	(void)state;
	make_ready();
	ipc_close(t.control);
	t.control = NULL;
	assert_int_equal(EXIT_FAILURE, status_wait());
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(it_is_ready_answers_and_stops),
		ROW(what_a_peer_asks_before_the_start_waits),
		ROW(what_a_peer_may_not_ask_ends_its_channel_and_it_gets_another),
		ROW(a_new_end_takes_the_place_of_the_old),
		ROW(a_peer_it_has_no_business_with_is_refused),
		ROW(without_configuration_it_does_not_start),
		ROW(without_its_supervisor_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
