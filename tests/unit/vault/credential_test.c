/* Account passwords rest sealed for one credential of one account; personal values for one person. */
#include "unit/vault/rig.h"

#include "crypto/password.h"

static struct row {
	const char *name;
	unsigned char account, credential;	/* sealed for 1, 2 */
	int flip;				/* a bit of this byte is turned, -1 none */
	enum mu_rc want;
} rows[] = {
	{ "opens for its credential",			1, 2, -1, MU_OK },
	{ "moved to another account it stays shut",	3, 2, -1, MU_EDENIED },
	{ "moved to another credential it stays shut",	1, 3, -1, MU_EDENIED },
	{ "account and credential are not exchanged",	2, 1, -1, MU_EDENIED },
	{ "a turned bit",				1, 2, 30, MU_EDENIED },
	{ "another version",				1, 2, 0, MU_EINPUT },
	{ "another key",				1, 2, 1, MU_EABSENT },
};

static struct rig rig;

static struct mu_uuid
uuid_of(unsigned char byte)
{
	struct mu_uuid u;

	(void)memset(u.bytes, byte, sizeof(u.bytes));
	return u;
}

static void
credential_row(void **state)
{
	const struct row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT, password = MU_SECRET_INIT;
	struct mu_uuid account = uuid_of(1), credential = uuid_of(2);
	struct mu_uuid other_account = uuid_of(r->account), other_credential = uuid_of(r->credential);
	struct mu_err err = MU_ERR_INIT;

	vault_seal_new(rig.vault, &account, &credential, &b);
	if (r->flip >= 0)
		b.data[r->flip] ^= 4;
	mu_secret_set(&sealed, b.data, b.size_bytes);
	assert_int_equal(r->want, vault_unseal(rig.vault, &other_account, &other_credential, &sealed, &password,
	    &err));
	assert_int_equal(r->want == MU_OK ? CRYPTO_PASSWORD_CHARS : 0, password.size_bytes);
}

static void
who_erases_the_salt_has_erased_the_value(void **state)
{
	unsigned char salt[VAULT_SALT_BYTES] = "salt of a perso", other[VAULT_SALT_BYTES] = { 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf sealed = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret plain = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	vault_audit_seal(rig.vault, salt, "Ann Lee", 7, &sealed);
	assert_int_equal(MU_EABSENT, vault_audit_unseal(rig.vault, other, sealed.data, sealed.size_bytes, &plain,
	    &err));
	assert_int_equal(MU_OK, vault_audit_unseal(rig.vault, salt, sealed.data, sealed.size_bytes, &plain, &err));
	assert_string_equal("Ann Lee", mu_secret_text(&plain));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1] = {
		cmocka_unit_test(who_erases_the_salt_has_erased_the_value),
	};
	int failed;

	rig_open(&rig);
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 1] = (struct CMUnitTest){ rows[i].name, credential_row, NULL, NULL, &rows[i] };
	failed = cmocka_run_group_tests_name("credential", tests, NULL, NULL);
	rig_end(&rig);
	return failed;
}
