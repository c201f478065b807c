/*
 * talk_test.c - commands against a server that answers what it is told to: exit status, what is
 * said, what is sent
 */
#include "cli/talk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/act.h"
#include "cli/show.h"
#include "http/client.h"

#define DIGEST		"3fa90c1d22e80000000000000000000000000000000000000000000000000000"
#define REQUESTS_BYTES	65536
#define ANSWERS_MAX	6
#define RECEIPT(n)	"{\"account\":\"a" n "\",\"at\":\"2026-07-01T10:00:00Z\",\"outcome\":\"done\"," \
	"\"platform\":\"xmpp\",\"step\":\"kill\"}"
#define SILENCE		"\x01"		/* the connection is closed without an answer */

#define PROPOSAL	"200 {\"action\":\"revoke\",\"digest\":\"" DIGEST "\",\"document\":{},\"needs\":" \
	"{\"approvals\":1,\"code\":true},\"preview\":{\"lines\":[\"a line\"],\"people\":[],\"summary\":\"1 person\"}}"
#define ACTION(state)	"{\"action\":\"revoke\",\"approvals\":[],\"digest\":\"" DIGEST "\",\"document\":{},\"needs\":" \
	"{\"approvals\":1,\"code\":true},\"reason\":\"x\",\"state\":\"" state "\",\"targets\":[]}"
#define SEED		"200 {\"ca_fingerprint\":\"ab\",\"person\":{\"id\":\"P1\",\"name\":\"M Reid\",\"uid\":\"mreid\"},\"role\":\"r\"," \
	"\"server\":\"https://m:8445\",\"uri\":\"otpauth://totp/muster:mreid?secret=AAAA\"}"
#define CONFUSED	"409 {\"candidates\":[{\"id\":\"1\",\"name\":\"Ana\\u001b[2J\",\"uid\":\"ana\"},{\"id\":\"2\"," \
	"\"name\":\"Ana\",\"uid\":\"ana2\"}],\"detail\":\"several are meant\",\"status\":409}"
#define UNKNOWN		"400 {\"detail\":\"nothing was done\",\"status\":400,\"targets\":[{\"candidates\":[],\"given\":" \
	"\"bob\"},{\"candidates\":[{\"id\":\"1\",\"name\":\"Ana One\",\"uid\":\"ana1\"}],\"given\":\"ana\"}]}"

static char path[64];
static int listen_fd;
static char *requests;		/* shared with the server: what it was sent, one after another */

/* Reads a whole request; its body is as long as it says. */
static void
request_take(int fd)
{
	size_t at = strlen(requests);
	const char *start = requests + at, *end = NULL, *length;
	ssize_t got;

	while ((got = read(fd, requests + at, REQUESTS_BYTES - 1 - at)) > 0) {
		at += (size_t)got;
		end = strstr(start, "\r\n\r\n");
		length = strstr(start, "Content-Length: ");
		if (end != NULL && (length == NULL || strlen(end + 4) >= (size_t)strtoul(length +
		    16, NULL, 10)))
			break;
	}
}

static void
answers_give(const char *const *answers)
{
	for (size_t i = 0; i < ANSWERS_MAX && answers[i] != NULL; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf reply = MU_BUF_INIT;
		int fd = accept(listen_fd, NULL, NULL);

		request_take(fd);
		if (strcmp(answers[i], SILENCE) != 0) {
			mu_buf_format(&reply,
			    "HTTP/1.1 %.3s X\r\nContent-Type: application/json\r\nContent-Length: "
			    "%zu\r\nConnection: close\r\n\r\n%s", answers[i],
			    strlen(answers[i] + 4), answers[i] + 4);
			(void)!write(fd, reply.data, reply.size_bytes);
		}
		(void)close(fd);
	}
	_exit(0);
}

static struct talk_row {
	const char *name;
	bool is_action;			/* else a bootstrap on the console */
	bool json, wait;
	const char *answers[ANSWERS_MAX];
	const char *secrets;
	int status;
	/* stand in what was printed and sent; NULL: not looked for */
	const char *out, *err, *sent;
} talk_rows[] = {
	{ "a bootstrap shows the seed as text, then confirms its first code", false, false, false,
	    { SEED, "200 {\"active\":1}" }, "123 456\n", CLI_DONE,
	    "otpauth://totp/muster:mreid?secret=AAAA\ndone: 1 administrator is active", NULL,
	    "{\"code\":\"123456\",\"person\":\"P1\"}" },
	{ "it says how to log in", false, false, false, { SEED, "200 {\"active\":2}" }, "1\n", CLI_DONE,
	    "muster login --server https://m:8445 --ca-fingerprint ab", NULL,
	    "{\"role\":\"r\",\"who\":\"mreid\"}" },
	{ "a wrong first code is refused", false, false, false,
	    { SEED, "403 {\"detail\":\"wrong code\"}" }, "1\n",
	    CLI_FAILED, NULL, "muster: wrong code\n", NULL },
	{ "no code is none", false, false, false, { SEED }, "\n", CLI_FAILED, NULL, "nothing was given",
	    NULL },
	{ "a closed door is refused", false, false, false, { "403 {\"detail\":\"the door is closed\"}" },
	    "", CLI_FAILED,
	    NULL, "muster: the door is closed\n", NULL },
	{ "who could be meant is listed, fit for a terminal", false, false, false, { CONFUSED }, "",
	    CLI_FAILED, NULL,
	    "Ana\\x1b[2J  ana    1\n", NULL },
	{ "a refusal in JSON is the server's", false, true, false, { CONFUSED }, "", CLI_FAILED,
	    "\"status\":409}\n", "several are meant", NULL },
	{ "what is away is not reachable", false, false, false, { "503 {\"detail\":\"store away\"}" }, "",
	    CLI_UNREACHABLE, NULL, "store away", NULL },
	{ "no answer is not reachable", false, false, false, { SILENCE }, "", CLI_UNREACHABLE, NULL,
	    "muster: ", NULL },
	{ "an answer that is no JSON is no muster's", false, false, false, { "200 hello" }, "", CLI_FAILED,
	    NULL,
	    "this is no muster server", NULL },
	{ "an answer without a seed is none", false, false, false, { "200 {}" }, "", CLI_FAILED, NULL,
	    "holds no seed", NULL },
	{ "a refusal without words is told by its number", false, false, false, { "500 " }, "", CLI_FAILED,
	    NULL,
	    "status 500", NULL },

	{ "an action is previewed, coded and done", true, false, false,
	    { PROPOSAL, "200 " ACTION("executed") }, "123456\n",
	    CLI_DONE, "done: revoke (3fa90c1d22e8)\n",
	    "1 person\na line\nneeds: your code and the approval of 1 other\n",
	    "{\"code\":\"123456\"}" },
	{ "one that waits for others says so and ends with 3", true, false, false,
	    { PROPOSAL, "202 " ACTION("pending") },
	    "123456\n", CLI_PENDING, "pending: 3fa90c1d22e8, 1 approval missing\n", NULL, NULL },
	{ "in JSON the preview is among the action's members", true, true, false,
	    { PROPOSAL, "202 " ACTION("pending") },
	    "123456\n", CLI_PENDING,
	    "\"preview\":{\"lines\":[\"a line\"],\"people\":[],\"summary\":\"1 person\"},"
	    "\"reason\":\"x\",\"state\":\"pending\"", "", NULL },
	{ "unknown and ambiguous targets are listed and nothing is sent", true, false, false, { UNKNOWN },
	    "123456\n",
	    CLI_FAILED, "",
	    "\"bob\": nobody\n\"ana\": one of these?\nNAME     LOGIN  ID\nAna One  ana1   1\n",
	    NULL },
	{ "without a code nothing is executed", true, false, false, { PROPOSAL }, "", CLI_FAILED, "",
	    "the input has ended",
	    NULL },
	{ "a refused code is refused", true, false, false, { PROPOSAL, "403 {\"detail\":\"wrong code\"}" },
	    "1\n",
	    CLI_FAILED, "", "muster: wrong code\n", NULL },
	{ "when no answer came, the server is asked what became of it", true, false, false,
	    { PROPOSAL, SILENCE, "200 " ACTION("executed") }, "1\n", CLI_DONE, "done: revoke", NULL,
	    "GET /v1/actions/" DIGEST " " },
	{ "and if it was not executed, nothing is claimed", true, false, false,
	    { PROPOSAL, SILENCE, "200 " ACTION("prepared") }, "1\n", CLI_UNREACHABLE, "",
	    "muster: ", NULL },
	{ "and if that is not known, neither", true, false, false, { PROPOSAL, SILENCE, SILENCE }, "1\n",
	    CLI_UNREACHABLE,
	    "", "whether it was done, muster audit list tells", NULL },
	{ "a proposal without a digest is none", true, false, false, { "200 {\"digest\":\"../../x\"}" },
	    "1\n", CLI_FAILED,
	    "", "no proposal", NULL },
	{ "receipts are followed until all is settled and told", true, false, true,
	    { PROPOSAL, "200 " ACTION("executed"), "200 {\"next\":\"7 8\",\"receipts\":[" RECEIPT("1") "],\"unsettled\":1}",
	    "200 {\"next\":\"9\",\"receipts\":[" RECEIPT("2") "],\"unsettled\":0}",
	    "200 {\"next\":\"9\",\"receipts\":[],\"unsettled\":0}" }, "1\n", CLI_DONE,
	    "settled: every account is as wanted\n", NULL, "GET /v1/receipts?action=" DIGEST "&after=7%208 " },
	{ "they are asked for again when the server was away", true, true, true,
	    { PROPOSAL, "200 " ACTION("executed"), SILENCE,
	    "200 {\"next\":\"7\",\"receipts\":[],\"unsettled\":0}" }, "1\n", CLI_DONE, "\"state\":\"executed\"", NULL, NULL },
	{ "what is pending has none", true, false, true, { PROPOSAL, "202 " ACTION("pending") }, "1\n",
	    CLI_PENDING, "pending: ", NULL, NULL },
	{ "an action that lapsed is not done", true, false, false, { PROPOSAL, "200 " ACTION("lapsed") },
	    "1\n",
	    CLI_FAILED, "lapsed: revoke", NULL, NULL },
};

static void
input_put(const char *text)
{
	int ends[2];

	assert_int_equal(0, pipe(ends));
	assert_int_equal(strlen(text), write(ends[1], text, strlen(text)));
	assert_int_equal(0, close(ends[1]));
	assert_int_equal(STDIN_FILENO, dup2(ends[0], STDIN_FILENO));
	assert_int_equal(0, close(ends[0]));
}

static int
action_run(struct cli *c, bool wait)
{
	const struct http_client_settings settings = { .base_url = "http://muster",
	    .unix_socket = path };
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	int status;

	c->secrets_stdin = true;
	assert_int_equal(MU_OK, http_client_open(&settings, &c->client, &err));
	mu_buf_text_add(&request, "{\"action\":\"revoke\"}");
	status = act_propose(c, &request, wait);
	http_client_close(c->client);
	return status;
}

static int
bootstrap_run(struct cli *c)
{
	const char *argv[8] = { "--secrets-stdin", "bootstrap", "mreid", "r", "--console", path };
	int argc = 6;

	if (c->json)
		argv[argc++] = "--json";
	return cli_run(c, argc, argv);
}

static bool
says(const char *text, const char *want)
{
	return want == NULL || (want[0] == '\0' ? text[0] == '\0' : strstr(text, want) != NULL);
}

static void
talk_row(void **state)
{
	const struct talk_row *r = *state;
	struct cli c = { .json = r->json };
	char *out = NULL, *err = NULL;
	size_t out_bytes, err_bytes;
	int status;
	pid_t server;

	requests[0] = '\0';
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		answers_give(r->answers);
	c.out = open_memstream(&out, &out_bytes);
	c.err = open_memstream(&err, &err_bytes);
	input_put(r->secrets);
	status = r->is_action ? action_run(&c, r->wait) : bootstrap_run(&c);
	(void)fclose(c.out);
	(void)fclose(c.err);
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	if (status != r->status || !says(out, r->out) || !says(err, r->err) ||
	    !says(requests, r->sent))
		print_error("status %d\nout: %s\nerr: %s\nsent: %s\n", status, out, err, requests);
	assert_int_equal(r->status, status);
	assert_true(says(out, r->out) && says(err, r->err) && says(requests, r->sent));
	free(out);
	free(err);
}

int
main(void)
{
	struct CMUnitTest talks[MU_COUNT(talk_rows)];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int status;

	show_locale();
	(void)snprintf(path, sizeof(path), "/tmp/muster-talk-%d.sock", (int)getpid());
	(void)strcpy(address.sun_path, path);
	requests = mmap(NULL, REQUESTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (requests == MAP_FAILED || bind(listen_fd, (struct sockaddr *)&address,
	    sizeof(address)) != 0 ||
	    listen(listen_fd, 8) != 0)
		return 1;
	for (size_t i = 0; i < MU_COUNT(talk_rows); i++)
		talks[i] = (struct CMUnitTest){ talk_rows[i].name, talk_row, NULL, NULL,
		    &talk_rows[i] };
	status = cmocka_run_group_tests_name("talk", talks, NULL, NULL);
	(void)unlink(path);
	return status;
}
