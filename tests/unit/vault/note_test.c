/*
 * Checkpoints verify by the rules of C2SP signed-note, and the tree never shrinks.
 *
 * note_verify below is written from the specification and first tried on the example in the
 * documentation of Go's golang.org/x/mod/sumdb/note.
 */
#include "unit/vault/rig.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define ROOT_A "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define ROOT_B "l6bPoWdaFZNBsz0MdZxp1jiVWj1ZCUNpVJtr6jFGkCk="

static size_t
unbase64(const char *text, size_t text_bytes, unsigned char *out)
{
	int size;

	assert_int_equal(0, text_bytes % 4);
	size = EVP_DecodeBlock(out, (const unsigned char *)text, (int)text_bytes);
	assert_true(size >= 0);
	for (size_t i = text_bytes; i > 0 && text[i - 1] == '='; i--)
		size--;
	return (size_t)size;
}

static bool
note_verify(const char *note, const char *verifier)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *k = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf named = MU_BUF_INIT;
	const char *hash_hex = strchr(verifier, '+') + 1, *key64 = strchr(hash_hex, '+') + 1;
	const char *line = strstr(note, "\n\n\xe2\x80\x94 "), *sig64;
	unsigned char key[128], sig[128], hash[32], want[4];
	char hex[9] = "", name[128] = "";
	size_t key_bytes = unbase64(key64, strlen(key64), key);
	struct mu_err err = MU_ERR_INIT;

	assert_non_null(line);
	(void)memcpy(hex, hash_hex, 8);
	(void)memcpy(name, verifier, (size_t)(hash_hex - 1 - verifier));
	assert_true(mu_hex_parse(hex, want, 4));
	mu_buf_format(&named, "%s\n", name);
	mu_buf_add(&named, key, key_bytes);
	crypto_sha256(named.data, named.size_bytes, hash);
	assert_memory_equal(want, hash, 4);
	assert_int_equal(1, key[0]);	/* Ed25519 */
	assert_int_equal(0, strncmp(line + 6, name, strlen(name)));
	sig64 = line + 6 + strlen(name) + 1;
	assert_int_equal(68, unbase64(sig64, strcspn(sig64, "\n"), sig));
	assert_memory_equal(want, sig, 4);
	assert_int_equal(MU_OK, crypto_key_public_new(CRYPTO_ED25519, key + 1, key_bytes - 1, &k, &err));
	return crypto_key_verify(k, note, (size_t)(line + 1 - note), sig + 4);
}

static void
the_verifier_of_this_test_is_right(void **state)
{
	(void)state;
	assert_true(note_verify("If you think cryptography is the answer to your problem,\n"
	    "then you don't know what your problem is.\n\n\xe2\x80\x94 PeterNeumann "
	    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
	    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
}

static void
a_checkpoint_verifies(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf note = MU_BUF_INIT, verifier = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct rig r;

	(void)state;
	rig_open(&r);
	assert_int_equal(MU_OK, vault_checkpoint_sign(r.vault, "example.org/log\n12\n" ROOT_A "\n", &note, &err));
	vault_checkpoint_verifier(r.vault, &verifier);
	assert_true(note_verify(note.data, verifier.data));
	note.data[16] = '2';	/* 12 leaves become 22 */
	assert_false(note_verify(note.data, verifier.data));
	rig_end(&r);
}

static struct row {
	const char *name, *body;	/* after a checkpoint of example.org/log, 12, ROOT_A */
	enum mu_rc want;
} rows[] = {
	{ "a larger tree",			"example.org/log\n13\n" ROOT_B "\n", MU_OK },
	{ "the same tree once more",		"example.org/log\n12\n" ROOT_A "\n", MU_OK },
	{ "a smaller tree",			"example.org/log\n11\n" ROOT_B "\n", MU_ECONFLICT },
	{ "a smaller tree with the same root",	"example.org/log\n11\n" ROOT_A "\n", MU_ECONFLICT },
	{ "as large with another root",		"example.org/log\n12\n" ROOT_B "\n", MU_ECONFLICT },
	{ "another origin",			"example.net/log\n13\n" ROOT_B "\n", MU_ECONFLICT },
	{ "nothing",				"", MU_EINPUT },
	{ "no root",				"example.org/log\n13\n", MU_EINPUT },
	{ "a line too many",			"example.org/log\n13\n" ROOT_B "\nx\n", MU_EINPUT },
	{ "no newline at the end",		"example.org/log\n13\n" ROOT_B, MU_EINPUT },
	{ "a leading zero",			"example.org/log\n013\n" ROOT_B "\n", MU_EINPUT },
	{ "a negative size",			"example.org/log\n-1\n" ROOT_B "\n", MU_EINPUT },
	{ "a blank in the origin",		"example.org log\n13\n" ROOT_B "\n", MU_EINPUT },
	{ "a plus in the origin",		"example.org+log\n13\n" ROOT_B "\n", MU_EINPUT },
	{ "a root of 31 bytes",			"example.org/log\n13\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
	    MU_EINPUT },
	{ "a root that is not canonical",	"example.org/log\n13\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
	    MU_EINPUT },
};

static void
note_row(void **state)
{
	const struct row *row = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf first = MU_BUF_INIT, second = MU_BUF_INIT, verifier = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct rig r;

	rig_open(&r);
	assert_int_equal(MU_OK, vault_checkpoint_sign(r.vault, "example.org/log\n12\n" ROOT_A "\n", &first, &err));
	assert_int_equal(row->want, vault_checkpoint_sign(r.vault, row->body, &second, &err));
	vault_checkpoint_verifier(r.vault, &verifier);
	if (row->want == MU_OK)
		assert_true(note_verify(second.data, verifier.data));
	else
		assert_int_equal(0, second.size_bytes);
	rig_end(&r);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(the_verifier_of_this_test_is_right),
		cmocka_unit_test(a_checkpoint_verifies),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, note_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("note", tests, NULL, NULL);
}
