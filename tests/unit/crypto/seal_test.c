/* What was sealed opens with its key, in its place, unchanged - and in no other way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/password.h"
#include "crypto/seal.h"

#include <string.h>

static const unsigned char key_bytes[CRYPTO_SEAL_KEY_BYTES] = "the key of this test, 32 bytes.";
static const unsigned char other_bytes[CRYPTO_SEAL_KEY_BYTES] = "another key of this test, 32 b.";

static struct row {
	const char *name;
	const char *aad;	/* sealed for "row 7" */
	int flip;		/* a bit of this byte is turned, -1 none */
	size_t cut;		/* bytes taken off the end */
	bool other_key;
	enum mu_rc want;
} rows[] = {
	{ "opens in its place",				"row 7", -1, 0, false, MU_OK },
	{ "moved to another row it does not open",	"row 8", -1, 0, false, MU_EDENIED },
	{ "a turned bit of the nonce",			"row 7", 9, 0, false, MU_EDENIED },
	{ "a turned bit of the text",			"row 7", 21, 0, false, MU_EDENIED },
	{ "a turned bit of the tag",			"row 7", 30, 0, false, MU_EDENIED },
	{ "a byte is missing",				"row 7", -1, 1, false, MU_EDENIED },
	{ "another version",				"row 7", 0, 0, false, MU_EINPUT },
	{ "another key id",				"row 7", 3, 0, false, MU_EABSENT },
	{ "another key",				"row 7", -1, 0, true, MU_EABSENT },
	{ "shorter than an empty envelope",		"row 7", -1, 7, false, MU_EINPUT },
};

static void
seal_row(void **state)
{
	const struct row *r = *state;
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf sealed = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret plain = MU_SECRET_INIT;
	struct crypto_seal_key k, other;

	crypto_seal_key_init(&k, key_bytes);
	crypto_seal_key_init(&other, other_bytes);
	crypto_seal(&k, "secret", 6, "row 7", 5, &sealed);
	assert_int_equal(6 + CRYPTO_SEAL_OVERHEAD_BYTES, sealed.size_bytes);
	if (r->flip >= 0)
		sealed.data[r->flip] ^= 1;
	assert_int_equal(r->want, crypto_unseal(r->other_key ? &other : &k, sealed.data,
	    sealed.size_bytes - r->cut, r->aad, strlen(r->aad), &plain, &err));
	assert_string_equal(r->want == MU_OK ? "secret" : "", mu_secret_text(&plain));
}

static void
two_envelopes_of_one_text_differ(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	struct crypto_seal_key k;

	(void)state;
	crypto_seal_key_init(&k, key_bytes);
	crypto_seal(&k, "secret", 6, "", 0, &a);
	crypto_seal(&k, "secret", 6, "", 0, &b);
	assert_memory_not_equal(a.data + 9, b.data + 9, 12);
	assert_memory_not_equal(a.data + 21, b.data + 21, 6);
}

static void
passwords_are_one_word_without_look_alikes(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret a = MU_SECRET_INIT, b = MU_SECRET_INIT;

	(void)state;
	crypto_password_new(&a);
	crypto_password_new(&b);
	assert_int_equal(CRYPTO_PASSWORD_CHARS, strlen(mu_secret_text(&a)));
	assert_int_equal(CRYPTO_PASSWORD_CHARS, strspn(mu_secret_text(&a), "abcdefghijkmnpqrstuvwxyz23456789"));
	assert_string_not_equal(mu_secret_text(&a), mu_secret_text(&b));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(two_envelopes_of_one_text_differ),
		cmocka_unit_test(passwords_are_one_word_without_look_alikes),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, seal_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
