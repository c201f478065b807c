/* The process keys, asked over a real channel: it answers in order, refuses one by one, and ends who babbles. */
#include "unit/vault/rig.h"

#include "proc/process.h"

#include <sys/socket.h>

static const uint16_t all_ops[] = {
	OP_MINT, OP_JWKS, OP_MAC, OP_SEAL_NEW, OP_UNSEAL, OP_RECEIPT_SIGN, OP_CHECKPOINT_SIGN, OP_SERVER_ISSUE,
	OP_CLIENT_ISSUE, OP_MAC_CHECK, OP_SEED_NEW, OP_CODE_CHECK, OP_ADMIN_ISSUE, 0,
};

static struct {
	struct rig rig;			/* its folder; the vault in it is the process's */
	struct settings settings;
	struct process process;
	struct process_peer *peer;
	struct ipc_channel *client;	/* our end */
	bool ended;
	enum mu_rc rc;			/* of the last answer */
	struct mu_buf body;
} t;

static void
on_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	(void)ch;
	process_keys.request(&t.process, t.peer, m);
}

/* As every process does when a channel ends: our end then sees that its peer has gone. */
static void
on_peer_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	ipc_close(ch);
	t.peer->channel = NULL;
	t.ended = true;
}

static void
on_client_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	(void)ch;
}

static void
on_answer(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	(void)ctx;
	t.rc = m == NULL ? err->rc : MU_OK;
	mu_buf_reset(&t.body);
	if (m != NULL)
		mu_buf_add(&t.body, m->body.at, (size_t)(m->body.end - m->body.at));
	mu_loop_stop(t.process.loop, 0);
}

static enum mu_rc
ask(uint16_t op, const struct mu_buf *body, struct ipc_reader *r)
{
	ipc_call(t.client, op, body, -1, on_answer, NULL);
	(void)mu_loop_run(t.process.loop);
	ipc_reader_init(r, &t.body);
	return t.rc;
}

static char localhost[] = "localhost", *listener_names[] = { localhost };
static char console[] = "console.example.org", *admin_names[] = { console };

static int
start(void **state)
{
	static const uint16_t none[] = { 0 };
	struct mu_err err = MU_ERR_INIT;
	int fds[2];

	(void)state;
	(void)memset(&t, 0, sizeof(t));
	rig_start(&t.rig);
	t.settings.state = t.rig.top;
	t.settings.token = (struct settings_listen){ .names = listener_names, .name_count = 1 };
	t.settings.admin = (struct settings_listen){ .names = admin_names, .name_count = 1 };
	t.process = (struct process){ .kind = PROCESS_KEYS, .loop = mu_loop_new(), .settings = &t.settings,
		.listen_fd = -1, .peer_count = 1 };
	assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	assert_int_equal(MU_OK, process_keys.open(&t.process, &err));
	t.peer = &t.process.peers[0];
	t.peer->kind = PROCESS_TOKEN;
	t.peer->channel = ipc_open(t.process.loop, fds[0], "token/0", all_ops, on_request, on_peer_end, NULL);
	t.client = ipc_open(t.process.loop, fds[1], "keys", none, on_request, on_client_end, NULL);
	/* The test reads what the process made: the same folder, a second time. */
	assert_int_equal(MU_OK, rig_vault_open(&t.rig, &err));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ipc_close(t.client);
	ipc_close(t.peer->channel);
	process_keys.stop(&t.process);
	mu_loop_free(t.process.loop);
	mu_buf_clear(&t.body);
	rig_end(&t.rig);
	return 0;
}

static void
mint_add(struct msg_mint *m, int groups)
{
	struct mint_one *one = &m->list[m->count++];
	char name[40];

	account_make(&one->account);
	for (int i = 0; i < groups; i++) {
		(void)snprintf(name, sizeof(name), "a-group-of-many-people-%d", i);
		entitlements_add(&one->account.entitlements, ENTITLEMENT_GROUP, name, "");
	}
	account_mac(t.rig.vault, &one->account, one->mac);
}

static void
mint_ask(struct msg_mint *m, struct msg_minted *out)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ipc_reader r;

	m->platform = strdup("xmpp");
	m->ttl_s = 300;
	msg_mint_encode(m, &body);
	assert_int_equal(MU_OK, ask(OP_MINT, &body, &r));
	assert_true(msg_minted_decode(&r, out));
	assert_int_equal(m->count, out->count);
	msg_mint_clear(m);
}

static void
a_batch_is_answered_in_order_and_one_by_one(void **state)
{
	struct msg_mint m = { .count = 0 };
	struct msg_minted out;

	(void)state;
	for (int i = 0; i < 3; i++)
		mint_add(&m, 0);
	m.list[1].mac[0] ^= 1;
	mint_ask(&m, &out);
	assert_int_equal(MU_OK, out.list[0].rc);
	assert_int_equal(MU_EDENIED, out.list[1].rc);
	assert_int_equal(MU_OK, out.list[2].rc);
	assert_string_equal("", out.list[1].token);
	assert_string_not_equal(out.list[0].token, out.list[2].token);
	msg_minted_clear(&out);
}

static void
what_does_not_fit_into_one_answer_is_to_be_asked_again(void **state)
{
	struct msg_mint m = { .count = 0 };
	struct msg_minted out;
	size_t good = 0, again = 0;

	(void)state;
	for (int i = 0; i < 12; i++)
		mint_add(&m, 150);
	mint_ask(&m, &out);
	for (size_t i = 0; i < out.count; i++) {
		good += out.list[i].rc == MU_OK;
		again += out.list[i].rc == MU_ERETRY;
	}
	assert_true(good > 0 && again > 0);
	assert_int_equal(out.count, good + again);
	msg_minted_clear(&out);
}

static void
a_mac_is_the_vaults(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct msg_list m = { NULL, 0 }, out;
	struct ipc_reader r;

	(void)state;
	msg_list_add(&m, "account:a", 9);
	msg_list_add(&m, "account:b", 9);
	msg_list_encode(&m, &body);
	msg_list_clear(&m);
	assert_int_equal(MU_EDENIED, ask(OP_MAC, &body, &r));	/* token writes no accounts */
	t.peer->kind = PROCESS_CYCLE;
	assert_int_equal(MU_OK, ask(OP_MAC, &body, &r));
	assert_true(msg_list_decode(&r, &out));
	assert_int_equal(2, out.count);
	assert_int_equal(MAC_BYTES, out.list[0].size_bytes);
	assert_true(vault_mac_verify(t.rig.vault, "account:a", 9, out.list[0].bytes));
	assert_true(vault_mac_verify(t.rig.vault, "account:b", 9, out.list[1].bytes));
	msg_list_clear(&out);
}

/* Which process may have which row MACed: who writes it. */
static struct owner {
	const char *name, *row;
	enum process_kind asker;
	enum mu_rc want;
} owners[] = {
	{ "cycle writes accounts",		"account:x", PROCESS_CYCLE, MU_OK },
	{ "cycle seeds an empty store",		"policy:1:x", PROCESS_CYCLE, MU_OK },
	{ "cycle applies no policy",		"policy:2:x", PROCESS_CYCLE, MU_EDENIED },
	{ "cycle applies none that looks like a seed", "policy:11:x", PROCESS_CYCLE, MU_EDENIED },
	{ "cycle makes no administrator",	"administrator:x", PROCESS_CYCLE, MU_EDENIED },
	{ "cycle grants nothing",		"grant:x", PROCESS_CYCLE, MU_EDENIED },
	{ "cycle takes no action",		"action:x", PROCESS_CYCLE, MU_EDENIED },
	{ "admin writes accounts",		"account:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes policies",		"policy:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes clients",		"token_client:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes administrators",	"administrator:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes seeds",			"totp_seed:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes sessions",		"session:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes grants",		"grant:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes identifications",	"identification:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes actions",		"action:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes approvals",		"approval:x", PROCESS_ADMIN, MU_OK },
	{ "admin writes enrolments",		"enrolment:x", PROCESS_ADMIN, MU_OK },
	{ "a row of no table",			"accounts:x", PROCESS_ADMIN, MU_EDENIED },
	{ "a table without a row",		"grant:", PROCESS_ADMIN, MU_EDENIED },
	{ "token writes nothing",		"grant:x", PROCESS_TOKEN, MU_EDENIED },
};

static void
owner_row(void **state)
{
	const struct owner *o = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(msg_list_clear) struct msg_list m = { NULL, 0 };
	struct ipc_reader r;

	msg_list_add(&m, o->row, strlen(o->row));
	msg_list_encode(&m, &body);
	t.peer->kind = o->asker;
	assert_int_equal(o->want, ask(OP_MAC, &body, &r));
}

static void
macs_are_checked_one_by_one_for_whoever_asks(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(msg_list_clear) struct msg_list m = { NULL, 0 };
	unsigned char mac[MAC_BYTES];
	const unsigned char *right;
	struct ipc_reader r;
	size_t count;

	(void)state;
	vault_mac(t.rig.vault, "grant:a", 7, mac);
	msg_list_add(&m, "grant:a", 7);
	msg_list_add(&m, mac, MAC_BYTES);
	msg_list_add(&m, "grant:b", 7);
	msg_list_add(&m, mac, MAC_BYTES);
	msg_list_add(&m, "grant:a", 7);
	msg_list_add(&m, mac, MAC_BYTES - 1);
	msg_list_add(&m, "grant:a", 7);
	msg_list_add(&m, mac, MAC_BYTES);
	msg_list_encode(&m, &body);
	t.peer->kind = PROCESS_CYCLE;
	assert_int_equal(MU_OK, ask(OP_MAC_CHECK, &body, &r));
	right = ipc_get_bytes(&r, &count);
	assert_true(ipc_get_end(&r));
	assert_int_equal(4, count);
	assert_memory_equal("\1\0\0\1", right, 4);
	mu_buf_reset(&body);
	msg_list_add(&m, "grant:a", 7);		/* a row without its MAC is no question */
	msg_list_encode(&m, &body);
	assert_int_equal(MU_ERETRY, ask(OP_MAC_CHECK, &body, &r));
	assert_true(t.ended);
}

static void
code_ask(struct msg_code *m, const char *code, enum mu_rc want)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ipc_reader r;

	mu_secret_set(&m->code, code, strlen(code));
	msg_code_encode(m, &body);
	assert_int_equal(want, ask(OP_CODE_CHECK, &body, &r));
}

/* Six digits that are right by chance, one time in half a million, would be a failure less. */
static void
five_wrong_codes_are_evaluated_and_no_more(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(msg_code_clear) struct msg_code m = { .last_step = 0 };
	MU_AUTO(msg_list_clear) struct msg_list seed = { NULL, 0 };
	struct ipc_reader r;

	(void)state;
	mu_uuid_new(&m.seed_id);
	mu_uuid_new(&m.person_id);
	t.peer->kind = PROCESS_ADMIN;
	msg_code_encode(&m, &body);
	assert_int_equal(MU_OK, ask(OP_SEED_NEW, &body, &r));
	assert_true(msg_list_decode(&r, &seed));
	assert_int_equal(2, seed.count);
	assert_int_equal(32, seed.list[1].size_bytes);
	mu_secret_set(&m.sealed, seed.list[0].bytes, seed.list[0].size_bytes);
	m.last_step = INT64_MAX;	/* then none is right */
	code_ask(&m, "12345", MU_EINPUT);
	for (int i = 0; i < 5; i++)
		code_ask(&m, "123456", MU_EDENIED);
	code_ask(&m, "123456", MU_ERETRY);
	code_ask(&m, "1234567", MU_EINPUT);
	m.person_id.bytes[0] ^= 1;	/* it is not this person's */
	code_ask(&m, "123456", MU_EDENIED);
	assert_false(t.ended);
}

static void
a_password_is_sealed_and_opened_for_its_credential_alone(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct msg_seal m = { .sealed = MU_SECRET_INIT };
	const unsigned char *bytes;
	struct ipc_reader r;
	size_t size;

	(void)state;
	(void)memset(m.account_id.bytes, 1, 16);
	(void)memset(m.credential_id.bytes, 2, 16);
	msg_seal_encode(&m, &body);
	assert_int_equal(MU_OK, ask(OP_SEAL_NEW, &body, &r));
	bytes = ipc_get_bytes(&r, &size);
	assert_true(ipc_get_end(&r));
	mu_secret_set(&m.sealed, bytes, size);
	mu_buf_reset(&body);
	msg_seal_encode(&m, &body);
	assert_int_equal(MU_OK, ask(OP_UNSEAL, &body, &r));
	(void)ipc_get_bytes(&r, &size);
	assert_true(ipc_get_end(&r));
	assert_int_equal(26, size);
	m.account_id.bytes[0] = 9;
	mu_buf_reset(&body);
	msg_seal_encode(&m, &body);
	assert_int_equal(MU_EDENIED, ask(OP_UNSEAL, &body, &r));
	assert_false(t.ended);		/* a refusal is an answer */
	msg_seal_clear(&m);
}

static void
a_listener_gets_key_chain_and_ca(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct msg_list m = { NULL, 0 }, out;
	struct ipc_reader r;

	(void)state;
	msg_list_add(&m, "localhost", 9);
	msg_list_encode(&m, &body);
	msg_list_clear(&m);
	assert_int_equal(MU_OK, ask(OP_SERVER_ISSUE, &body, &r));
	assert_true(msg_list_decode(&r, &out));
	assert_int_equal(3, out.count);
	assert_non_null(strstr(mu_secret_text(&out.list[0]), "PRIVATE KEY"));
	assert_non_null(strstr(mu_secret_text(&out.list[1]), "CERTIFICATE"));
	assert_string_equal(vault_ca_pem(t.rig.vault), mu_secret_text(&out.list[2]));
	msg_list_clear(&out);
	mu_buf_reset(&body);
	msg_list_add(&m, "directory.example.org", 21);
	msg_list_encode(&m, &body);
	msg_list_clear(&m);
	assert_int_equal(MU_EDENIED, ask(OP_SERVER_ISSUE, &body, &r));	/* not a name of this listener */
	mu_buf_reset(&body);
	msg_list_add(&m, console, strlen(console));
	msg_list_encode(&m, &body);
	msg_list_clear(&m);
	assert_int_equal(MU_EDENIED, ask(OP_SERVER_ISSUE, &body, &r));	/* the administrators' alone */
	t.peer->kind = PROCESS_CLAIM;
	assert_int_equal(MU_EDENIED, ask(OP_SERVER_ISSUE, &body, &r));
	t.peer->kind = PROCESS_ADMIN;
	assert_int_equal(MU_OK, ask(OP_SERVER_ISSUE, &body, &r));
}

static void
a_checkpoint_comes_back_signed(void **state)
{
	static const char checkpoint[] = "muster/test\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *note = NULL;
	struct ipc_reader r;

	(void)state;
	ipc_put_text(&body, checkpoint);
	assert_int_equal(MU_OK, ask(OP_CHECKPOINT_SIGN, &body, &r));
	note = ipc_get_text(&r);
	assert_int_equal(0, strncmp(note, checkpoint, strlen(checkpoint)));
	assert_non_null(strstr(note, "\n\xe2\x80\x94 muster/test "));
	mu_buf_reset(&body);
	ipc_put_text(&body, "muster/test\n2\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
	assert_int_equal(MU_ECONFLICT, ask(OP_CHECKPOINT_SIGN, &body, &r));
}

/* Each operation, with a payload that none of them has. */
static struct babble {
	const char *name;
	uint16_t op;
} babbles[] = {
	{ "babble to be minted ends the channel",		OP_MINT },
	{ "babble for a key set ends the channel",		OP_JWKS },
	{ "babble for MACs ends the channel",			OP_MAC },
	{ "babble for a fresh password ends the channel",	OP_SEAL_NEW },
	{ "babble to be unsealed ends the channel",		OP_UNSEAL },
	{ "babble as a receipt ends the channel",		OP_RECEIPT_SIGN },
	{ "babble as a checkpoint ends the channel",		OP_CHECKPOINT_SIGN },
	{ "babble as a listener's names ends the channel",	OP_SERVER_ISSUE },
	{ "babble as a request for a certificate ends the channel", OP_CLIENT_ISSUE },
	{ "babble to have MACs checked ends the channel",	OP_MAC_CHECK },
	{ "babble for a seed ends the channel",			OP_SEED_NEW },
	{ "babble as a code ends the channel",			OP_CODE_CHECK },
	{ "babble for an administrator's certificate ends the channel", OP_ADMIN_ISSUE },
};

static void
babble_row(void **state)
{
	const struct babble *b = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ipc_reader r;

	mu_buf_text_add(&body, "babble");
	assert_int_equal(MU_ERETRY, ask(b->op, &body, &r));
	assert_true(t.ended);
}

int
main(void)
{
	struct CMUnitTest tests[8 + MU_COUNT(babbles) + MU_COUNT(owners)] = {
		cmocka_unit_test_setup_teardown(a_batch_is_answered_in_order_and_one_by_one, start, end),
		cmocka_unit_test_setup_teardown(what_does_not_fit_into_one_answer_is_to_be_asked_again, start, end),
		cmocka_unit_test_setup_teardown(a_mac_is_the_vaults, start, end),
		cmocka_unit_test_setup_teardown(macs_are_checked_one_by_one_for_whoever_asks, start, end),
		cmocka_unit_test_setup_teardown(five_wrong_codes_are_evaluated_and_no_more, start, end),
		cmocka_unit_test_setup_teardown(a_password_is_sealed_and_opened_for_its_credential_alone, start, end),
		cmocka_unit_test_setup_teardown(a_listener_gets_key_chain_and_ca, start, end),
		cmocka_unit_test_setup_teardown(a_checkpoint_comes_back_signed, start, end),
	};
	size_t n = 8;

	for (size_t i = 0; i < MU_COUNT(babbles); i++)
		tests[n++] = (struct CMUnitTest){ babbles[i].name, babble_row, start, end, &babbles[i] };
	for (size_t i = 0; i < MU_COUNT(owners); i++)
		tests[n++] = (struct CMUnitTest){ owners[i].name, owner_row, start, end, &owners[i] };
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
