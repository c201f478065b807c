/* Requests are read strictly, and a document's bytes are those of RFC 8785: its digest is its name. */
#include "action/action_priv.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- Digests --------------------------------------------------------------------------------------- */

#define ID	"01890a5d-ac96-774b-bcce-b302099a8057"
#define ASKER	"01890a5d-ac96-774b-bcce-b302099a8058"
#define ANN	"01890a5d-ac96-774b-bcce-b302099a8059"
#define BOB	"01890a5d-ac96-774b-bcce-b302099a805a"

static struct vector {
	const char *name, *request, *targets, *document, *digest;
} vectors[] = {
	{ "a grant: members in order, the time in UTC, people by id",
	    "{\"reason\": \"night shift\", \"action\": \"grant\", \"targets\": [\"bob\", \"ann\"],"
	    " \"args\": {\"until\": \"2026-11-21T19:00:00+01:00\", \"role\": \"ops-moderator\"}}",
	    BOB " " ANN,
	    "{\"action\":\"grant\",\"args\":{\"role\":\"ops-moderator\",\"until\":\"2026-11-21T18:00:00Z\"},"
	    "\"id\":\"" ID "\",\"reason\":\"night shift\",\"requester\":\"" ASKER "\","
	    "\"targets\":[\"" ANN "\",\"" BOB "\"]}",
	    "a3c1555832d6d04e955a41b245fda99fc6e83e2a24757ab11da0382bac02c864" },
	{ "a revocation: no arguments, and the reason's quotes and letters as RFC 8785 has them",
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"\\u00dcber \\\"Zo\\u00eb\\\" \\\\ \\u20ac\","
	    "\"targets\":[\"ann\"]}",
	    ANN,
	    "{\"action\":\"revoke\",\"args\":{},\"id\":\"" ID "\",\"reason\":\"\xc3\x9c" "ber \\\"Zo\xc3\xab\\\" \\\\"
	    " \xe2\x82\xac\",\"requester\":\"" ASKER "\",\"targets\":[\"" ANN "\"]}",
	    "ccc4860a39a81797d38ad00599af638e1799ac66a0b47b361b44b26f83e5b8b2" },
	{ "a policy: files by name, line ends escaped, nobody meant",
	    "{\"action\":\"policy.apply\",\"args\":{\"files\":{\"roles.yaml\":\"- role: a\\n\",\"gates.yaml\":\"\"},"
	    "\"base\":7},\"reason\":\"r\"}",
	    "",
	    "{\"action\":\"policy.apply\",\"args\":{\"base\":7,\"files\":{\"gates.yaml\":\"\","
	    "\"roles.yaml\":\"- role: a\\n\"}},\"id\":\"" ID "\",\"reason\":\"r\",\"requester\":\"" ASKER "\","
	    "\"targets\":[]}",
	    "f6da7a2aa96ecdf7b63de8136986d7f191c3f4150c7a2a5d3ea59a42f34d4968" },
};

static enum mu_rc
request_read(const char *text, struct action_request *out, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	enum action_kind kind;
	bool known;

	assert_int_equal(MU_OK, json_parse(text, strlen(text), SIZE_MAX, "request", &root, err));
	return action_request_parse(root, &kind, &known, out, err);
}

static void
vector_row(void **state)
{
	const struct vector *v = *state;
	MU_AUTO(action_request_clear) struct action_request r = { .target_count = 0 };
	MU_AUTO(action_document_clear) struct action_document d = { .target_count = 0 }, again = { .target_count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT, hex = MU_BUF_INIT, second = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *targets = mu_strdup(v->targets);
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid asker;
	char *save = NULL;

	assert_true(mu_uuid_parse(ASKER, &asker));
	assert_int_equal(MU_OK, request_read(v->request, &r, &err));
	action_document_begin(&r, &asker, &d);
	assert_true(mu_uuid_parse(ID, &d.id));
	d.targets = mu_alloc_zero(2, sizeof(*d.targets));
	for (char *id = strtok_r(targets, " ", &save); id != NULL; id = strtok_r(NULL, " ", &save))
		assert_true(mu_uuid_parse(id, &d.targets[d.target_count++]));
	d.target_count = action_uuids_unique(d.targets, d.target_count);
	action_document_format(&d, &bytes);
	assert_string_equal(v->document, bytes.data);
	crypto_sha256(bytes.data, bytes.size_bytes, digest);
	mu_hex_format(&hex, digest, sizeof(digest));
	assert_string_equal(v->digest, hex.data);
	assert_int_equal(MU_OK, action_document_parse(bytes.data, &again, &err));
	action_document_format(&again, &second);
	assert_string_equal(v->document, second.data);
}

/* --- Requests that are none ---------------------------------------------------------------------------- */

#define REVOKE(more)	"{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"ann\"]" more "}"
#define GRANT(args)	"{\"action\":\"grant\",\"reason\":\"r\",\"targets\":[\"ann\"],\"args\":" args "}"
#define POLICY(files)	"{\"action\":\"policy.apply\",\"reason\":\"r\",\"args\":{\"base\":1,\"files\":" files "}}"
#define CLIENT(csr)	"{\"action\":\"client.renew\",\"reason\":\"r\",\"args\":{\"name\":\"a\",\"csr\":" csr "}}"
#define REASON(text)	"{\"action\":\"revoke\",\"reason\":" text ",\"targets\":[\"ann\"]}"

static struct bad {
	const char *name, *request, *names;
} bad[] = {
	{ "no object", "[]", "request" },
	{ "no action", "{\"reason\":\"r\"}", "action" },
	{ "an action that is no text", "{\"action\":7}", "action" },
	{ "an unknown action, with the nearest known", "{\"action\":\"revok\"}", "did you mean revoke?" },
	{ "a member that is none", REVOKE(",\"force\":true"), "force" },
	{ "an argument that the action does not take", REVOKE(",\"args\":{\"role\":\"x\"}"), "role" },
	{ "arguments that are no object", REVOKE(",\"args\":[]"), "args" },
	{ "a missing argument", GRANT("{\"role\":\"x\"}"), "args.until" },
	{ "no arguments where some are needed", "{\"action\":\"grant\",\"reason\":\"r\",\"targets\":[\"a\"]}",
	    "args.role" },
	{ "a time that is a number", GRANT("{\"role\":\"x\",\"until\":1795000000}"), "args.until" },
	{ "a time without its zone", GRANT("{\"role\":\"x\",\"until\":\"2026-11-21T18:00:00\"}"), "args.until" },
	{ "31 February", GRANT("{\"role\":\"x\",\"until\":\"2026-02-31T18:00:00Z\"}"), "args.until" },
	{ "a role that is empty", GRANT("{\"role\":\"\",\"until\":\"2026-11-21T18:00:00Z\"}"), "args.role" },
	{ "a role that is a list", GRANT("{\"role\":[],\"until\":\"2026-11-21T18:00:00Z\"}"), "args.role" },
	{ "no reason", "{\"action\":\"revoke\",\"targets\":[\"ann\"]}", "reason" },
	{ "an empty reason", REASON("\"\""), "reason" },
	{ "a reason of blanks", REASON("\"   \""), "reason" },
	{ "a reason that is a number", REASON("1"), "reason" },
	{ "a line end in the reason", REASON("\"a\\nb\""), "reason: a control character at byte 2" },
	{ "an escape in the reason", REASON("\"a\\u001b[31m\""), "reason" },
	{ "a C1 control character in the reason", REASON("\"a\\u009b1m\""), "reason" },
	{ "text that runs backwards in the reason", REASON("\"a\\u202eb\""), "reason" },
	{ "an isolate in the reason", REASON("\"a\\u2067b\""), "reason" },
	{ "nobody to revoke", "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[]}", "targets" },
	{ "targets left out", "{\"action\":\"revoke\",\"reason\":\"r\"}", "targets" },
	{ "targets that are no list", "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":\"ann\"}", "targets" },
	{ "a target that is a number", "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"a\",7]}", "targets[1]" },
	{ "a target that is empty", "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"\"]}", "targets[0]" },
	{ "targets for what is about nobody",
	    "{\"action\":\"sync.run\",\"reason\":\"r\",\"targets\":[\"a\"],\"args\":{\"source\":\"corp\"}}", "targets" },
	{ "two people enrolled at once",
	    "{\"action\":\"admin.enrol\",\"reason\":\"r\",\"targets\":[\"a\",\"b\"],\"args\":{\"role\":\"x\"}}",
	    "targets" },
	{ "a base below zero", "{\"action\":\"policy.apply\",\"reason\":\"r\",\"args\":{\"base\":-1,\"files\":{}}}",
	    "args.base" },
	{ "a base that is a fraction", "{\"action\":\"policy.apply\",\"reason\":\"r\",\"args\":{\"base\":1.5,"
	    "\"files\":{\"a.yaml\":\"\"}}}", "args.base" },
	{ "a policy without files", POLICY("{}"), "args.files" },
	{ "a policy's file beside its folder", POLICY("{\"../roles.yaml\":\"\"}"), "args.files" },
	{ "a policy's file that is no YAML", POLICY("{\"roles.txt\":\"\"}"), "args.files" },
	{ "a policy's file that is no text", POLICY("{\"roles.yaml\":{}}"), "roles.yaml" },
	{ "a request with a private key in it", CLIENT("\"-----BEGIN EC PRIVATE KEY-----\\n\""), "private key" },
	{ "a request that is not PEM", CLIENT("\"\\u0001\""), "args.csr" },
	{ "an empty request", CLIENT("\"\""), "args.csr" },
};

static void
bad_row(void **state)
{
	const struct bad *b = *state;
	struct action_request r;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(MU_EINPUT, request_read(b->request, &r, &err));
	if (strstr(err.text, b->names) == NULL)
		fail_msg("\"%s\" does not name %s", err.text, b->names);
}

/* --- Bounds --------------------------------------------------------------------------------------------- */

static void
targets_format(struct mu_buf *b, size_t count)
{
	mu_buf_text_add(b, "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[");
	for (size_t i = 0; i < count; i++)
		mu_buf_format(b, "%s\"u%zu\"", i == 0 ? "" : ",", i);
	mu_buf_text_add(b, "]}");
}

static void
five_hundred_targets_and_no_more(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf most = MU_BUF_INIT, over = MU_BUF_INIT;
	MU_AUTO(action_request_clear) struct action_request r = { .target_count = 0 };
	struct action_request none;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	targets_format(&most, ACTION_TARGETS_MAX);
	targets_format(&over, ACTION_TARGETS_MAX + 1);
	assert_int_equal(MU_OK, request_read(most.data, &r, &err));
	assert_int_equal(ACTION_TARGETS_MAX, r.target_count);
	assert_int_equal(MU_EINPUT, request_read(over.data, &none, &err));
	assert_non_null(strstr(err.text, "500"));
}

static void
a_reason_has_a_thousand_bytes_and_no_more(void **state)
{
	char text[2000];
	MU_AUTO(action_request_clear) struct action_request r = { .target_count = 0 };
	struct action_request none;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	(void)snprintf(text, sizeof(text), REASON("\"%0*d\""), ACTION_REASON_MAX_BYTES, 0);
	assert_int_equal(MU_OK, request_read(text, &r, &err));
	(void)snprintf(text, sizeof(text), REASON("\"%0*d\""), ACTION_REASON_MAX_BYTES + 1, 0);
	assert_int_equal(MU_EINPUT, request_read(text, &none, &err));
	assert_non_null(strstr(err.text, "reason"));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(vectors) + MU_COUNT(bad) + 2] = {
		cmocka_unit_test(five_hundred_targets_and_no_more),
		cmocka_unit_test(a_reason_has_a_thousand_bytes_and_no_more),
	};
	size_t count = 2;

	for (size_t i = 0; i < MU_COUNT(vectors); i++)
		tests[count++] = (struct CMUnitTest){ vectors[i].name, vector_row, NULL, NULL, &vectors[i] };
	for (size_t i = 0; i < MU_COUNT(bad); i++)
		tests[count++] = (struct CMUnitTest){ bad[i].name, bad_row, NULL, NULL, &bad[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
