/* Every message comes back as it went; shorter, longer or crooked, it is refused. */
#include "ipc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PASSWORD "correct horse"

/* Decodes and encodes again: false when the decoder refuses. */
typedef bool again_fn(struct ipc_reader *r, struct mu_buf *out);

#define AGAIN(type, name)							\
	static bool								\
	name##_again(struct ipc_reader *r, struct mu_buf *out)			\
	{									\
		type m;								\
										\
		if (!name##_decode(r, &m))					\
			return false;						\
		name##_encode(&m, out);						\
		name##_clear(&m);						\
		return true;							\
	}

AGAIN(struct msg_config, msg_config)
AGAIN(struct msg_named, msg_named)
AGAIN(struct msg_peer, msg_peer)
AGAIN(struct msg_status, msg_status)
AGAIN(struct msg_list, msg_list)
AGAIN(struct msg_mint, msg_mint)
AGAIN(struct msg_minted, msg_minted)
AGAIN(struct msg_seal, msg_seal)
AGAIN(struct msg_code, msg_code)
AGAIN(struct msg_issued, msg_issued)
AGAIN(struct msg_login, msg_login)
AGAIN(struct msg_page, msg_page)
AGAIN(struct msg_about, msg_about)
AGAIN(struct step, step)
AGAIN(struct receipt, receipt)

static void
config_make(struct mu_buf *b)
{
	struct msg_config m = { "/etc/muster/musterd.yaml", "xmpp", 3 };

	msg_config_encode(&m, b);
}

static void
named_make(struct mu_buf *b)
{
	struct msg_named m = { .name = "bind_password/main" };

	mu_secret_set(&m.bytes, PASSWORD, strlen(PASSWORD));
	msg_named_encode(&m, b);
	mu_secret_clear(&m.bytes);
}

static void
peer_make(struct mu_buf *b)
{
	struct msg_peer m = { .kind = 7, .instance = "", .index = 1 };

	msg_peer_encode(&m, b);
}

static void
status_make(struct mu_buf *b)
{
	struct msg_process list[] = {
		{ "keys", 4711, 1795000000, 0, true },
		{ "token/1", 4712, 1795000001, 4000000000u, false },
	};
	struct msg_status m = { list, MU_COUNT(list) };

	msg_status_encode(&m, b);
}

static void
list_make(struct mu_buf *b)
{
	struct msg_list m = { .count = 0 };

	msg_list_add(&m, "one\0two", 7);
	msg_list_add(&m, "", 0);
	msg_list_encode(&m, b);
	msg_list_clear(&m);
}

static void
mint_make(struct mu_buf *b)
{
	struct msg_mint m = { .platform = "xmpp", .ttl_s = 300, .count = 2 };

	for (size_t i = 0; i < m.count; i++) {
		struct account_want *w = &m.list[i].account;

		mu_uuid_new(&w->account_id);
		mu_uuid_new(&w->person_id);
		w->platform = mu_strdup("xmpp");
		w->name = mu_strdup("zoë");
		mu_random(w->subject, sizeof(w->subject));
		w->state = ACCOUNT_ENABLED;
		strings_add(&w->roles, "staff-chat");
		strings_add(&w->roles, "ops-moderator");
		entitlements_add(&w->entitlements, ENTITLEMENT_ROOM, "ops", "moderator");
		w->version = INT64_MAX - (int64_t)i;
		mu_random(m.list[i].mac, MAC_BYTES);
	}
	msg_mint_encode(&m, b);
	for (size_t i = 0; i < m.count; i++)
		account_want_clear(&m.list[i].account);
}

static void
minted_make(struct mu_buf *b)
{
	struct msg_minted m = {
		.list = { { MU_OK, "eyJ.eyJ.sig" }, { MU_EDENIED, "" } }, .count = 2,
	};

	msg_minted_encode(&m, b);
}

static void
seal_make(struct mu_buf *b)
{
	struct msg_seal m = { .sealed = MU_SECRET_INIT };

	mu_uuid_new(&m.account_id);
	mu_uuid_new(&m.credential_id);
	mu_secret_set(&m.sealed, PASSWORD, strlen(PASSWORD));
	msg_seal_encode(&m, b);
	msg_seal_clear(&m);
}

static void
code_make(struct mu_buf *b)
{
	struct msg_code m = { .last_step = INT64_MAX };

	mu_uuid_new(&m.seed_id);
	mu_uuid_new(&m.person_id);
	mu_secret_set(&m.sealed, PASSWORD, strlen(PASSWORD));
	mu_secret_set(&m.code, "287082", 6);
	msg_code_encode(&m, b);
	msg_code_clear(&m);
}

static void
issued_make(struct mu_buf *b)
{
	struct msg_issued m = { .certificate = "-----BEGIN CERTIFICATE-----\n", .not_after_s = -1 };

	mu_random(m.fingerprint, sizeof(m.fingerprint));
	msg_issued_encode(&m, b);
}

static void
login_make(struct mu_buf *b)
{
	struct msg_login m = { .source = "main", .dn = "uid=zoë,ou=people" };

	mu_secret_set(&m.password, PASSWORD, strlen(PASSWORD));
	msg_login_encode(&m, b);
	mu_secret_clear(&m.password);
}

static void
step_make(struct mu_buf *b)
{
	struct step s = {
		.kind = STEP_JOIN, .name = "zoe", .display_name = "Zoë Quill",
		.right = { ENTITLEMENT_ROOM, "ops", "moderator" }, .patience_ms = 5000,
	};

	mu_uuid_new(&s.account_id);
	mu_secret_set(&s.secret, PASSWORD, strlen(PASSWORD));
	step_encode(&s, b);
	mu_secret_clear(&s.secret);
}

static void
receipt_make(struct mu_buf *b)
{
	struct receipt x = {
		.outcome = 2, .seen = { .state = ACCOUNT_DISABLED, .external_id = "u-1" },
		.sessions_ended = 2, .sessions_left = 1, .retry_after_ms = 250, .text = "busy",
	};

	entitlements_add(&x.seen.rights, ENTITLEMENT_GROUP, "all-staff", "");
	strings_add(&x.names, "adam");
	strings_add(&x.names, "zoe");
	receipt_encode(&x, b);
	entitlements_clear(&x.seen.rights);
	strings_clear(&x.names);
}

static void
page_make(struct mu_buf *b)
{
	struct msg_page_row rows[] = {
		{ "adam", { .state = ACCOUNT_ENABLED, .external_id = "" } },
		{ "zoe", { .state = ACCOUNT_DISABLED, .external_id = "7" } },
	};
	struct msg_page m = { rows, MU_COUNT(rows), "zoe", true, 1, "" };

	entitlements_add(&rows[0].seen.rights, ENTITLEMENT_GROUP, "all-staff", "");
	msg_page_encode(&m, b);
	entitlements_clear(&rows[0].seen.rights);
}

static void
about_make(struct mu_buf *b)
{
	struct msg_about m = { "ejabberd", 0x80000001u, 0xfff };

	msg_about_encode(&m, b);
}

static struct kind {
	const char *name;
	void (*make)(struct mu_buf *b);
	again_fn *again;
} kinds[] = {
	{ "config", config_make, msg_config_again },
	{ "named", named_make, msg_named_again },
	{ "peer", peer_make, msg_peer_again },
	{ "status", status_make, msg_status_again },
	{ "list", list_make, msg_list_again },
	{ "mint", mint_make, msg_mint_again },
	{ "minted", minted_make, msg_minted_again },
	{ "seal", seal_make, msg_seal_again },
	{ "code", code_make, msg_code_again },
	{ "issued", issued_make, msg_issued_again },
	{ "login", login_make, msg_login_again },
	{ "step", step_make, step_again },
	{ "receipt", receipt_make, receipt_again },
	{ "page", page_make, msg_page_again },
	{ "about", about_make, msg_about_again },
};

static void
comes_back_as_it_went(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(kinds); i++) {
		struct mu_buf went = MU_BUF_INIT, came = MU_BUF_INIT;
		struct ipc_reader r;

		kinds[i].make(&went);
		ipc_reader_init(&r, &went);
		if (!kinds[i].again(&r, &came))
			fail_msg("%s was refused", kinds[i].name);
		assert_int_equal(went.size_bytes, came.size_bytes);
		assert_memory_equal(went.data, came.data, went.size_bytes);
		mu_buf_clear(&went);
		mu_buf_clear(&came);
	}
}

static void
a_part_of_it_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(kinds); i++) {
		struct mu_buf went = MU_BUF_INIT, came = MU_BUF_INIT;

		kinds[i].make(&went);
		for (size_t cut = 0; cut < went.size_bytes; cut++) {
			/* A copy of exactly that size: reading on would be seen. */
			unsigned char *part = mu_alloc(cut);
			struct ipc_reader r = { .at = part, .end = part + cut };

			(void)memcpy(part, went.data, cut);
			if (kinds[i].again(&r, &came))
				fail_msg("%s cut at %zu was taken", kinds[i].name, cut);
			mu_free(part);
		}
		mu_buf_clear(&went);
		mu_buf_clear(&came);
	}
}

static void
a_byte_too_many_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(kinds); i++) {
		struct mu_buf went = MU_BUF_INIT, came = MU_BUF_INIT;
		struct ipc_reader r;

		kinds[i].make(&went);
		mu_buf_char_add(&went, '\0');
		ipc_reader_init(&r, &went);
		if (kinds[i].again(&r, &came))
			fail_msg("%s and a byte was taken", kinds[i].name);
		mu_buf_clear(&went);
		mu_buf_clear(&came);
	}
}

#define WIRE(text) { (const unsigned char *)(text), sizeof(text) - 1 }

/* Crooked payloads, written by hand. */
static struct crooked {
	const char *name;
	again_fn *again;
	struct { const unsigned char *bytes; size_t count; } wire;
} crookeds[] = {
	{ "text with a NUL inside", msg_about_again, WIRE("\3\0\0\0a\0b" "\0\0\0\0" "\0\0\0\0") },
	{ "text that is no UTF-8", msg_about_again, WIRE("\1\0\0\0\xff" "\0\0\0\0" "\0\0\0\0") },
	{ "a size beyond the message", msg_about_again,
	    WIRE("\xff\xff\xff\xff" "\0\0\0\0" "\0\0\0\0") },
	{ "a count beyond the message", msg_list_again, WIRE("\xff\xff\xff\xff") },
	{ "more minted than asked can be", msg_minted_again, WIRE("\x21\0\0\0") },
	{ "a token with a refusal", msg_minted_again, WIRE("\1\0\0\0" "\2" "\1\0\0\0x") },
	{ "no token without one", msg_minted_again, WIRE("\1\0\0\0" "\0" "\0\0\0\0") },
	{ "a result that is none", msg_minted_again, WIRE("\1\0\0\0" "\x63" "\0\0\0\0") },
	{ "a flag that is neither", msg_status_again,
	    WIRE("\1\0\0\0" "\0\0\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0" "\2") },
	{ "a step before all time", msg_code_again,
	    WIRE("\x10\0\0\0" "0123456789abcdef" "\x10\0\0\0" "0123456789abcdef"
		"\0\0\0\0" "\0\0\0\0"
		"\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ "a fingerprint of another length", msg_issued_again,
	    WIRE("\0\0\0\0" "\1\0\0\0x" "\0\0\0\0\0\0\0\0") },
};

static void
crooked_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(crookeds); i++) {
		struct mu_buf came = MU_BUF_INIT;
		const unsigned char *at = crookeds[i].wire.bytes;
		struct ipc_reader r = { .at = at, .end = at + crookeds[i].wire.count };

		if (crookeds[i].again(&r, &came))
			fail_msg("%s was taken", crookeds[i].name);
		mu_buf_clear(&came);
	}
}

static void
unknown_names_are_refused(void **state)
{
	struct mu_buf went = MU_BUF_INIT, came = MU_BUF_INIT;
	struct ipc_reader r;

	(void)state;
	step_make(&went);
	went.data[0] = STEP_KIND_COUNT;
	ipc_reader_init(&r, &went);
	assert_false(step_again(&r, &came));
	mu_buf_reset(&went);
	receipt_make(&went);
	went.data[1] = ACCOUNT_ENABLED + 1;
	ipc_reader_init(&r, &went);
	assert_false(receipt_again(&r, &came));
	mu_buf_clear(&went);
	mu_buf_clear(&came);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(a_part_of_it_is_refused),
		cmocka_unit_test(a_byte_too_many_is_refused),
		cmocka_unit_test(crooked_is_refused),
		cmocka_unit_test(unknown_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
