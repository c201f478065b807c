/* Digests against the vectors of their standards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/digest.h"

#include <string.h>

enum what { SHA256, HMAC, HKDF, LEAF };

static struct row {
	const char *name;
	enum what what;
	const char *key, *salt, *text;	/* hex; text of HKDF is its info */
	const char *want;
} rows[] = {
	{ "FIPS 180-4: nothing", SHA256, "", "", "",
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "FIPS 180-4: abc", SHA256, "", "", "616263",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "RFC 4231, 4.2", HMAC, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "4869205468657265",
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "RFC 4231, 4.3: a short key", HMAC, "4a656665", "",
	    "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "RFC 5869, A.1", HKDF, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	    "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
	{ "RFC 5869, A.3: no salt, no info", HKDF, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
	{ "RFC 6962: the leaf of nothing", LEAF, "", "", "",
	    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
};

static size_t
unhex(const char *hex, unsigned char *out)
{
	assert_true(mu_hex_parse(hex, out, strlen(hex) / 2));
	return strlen(hex) / 2;
}

static void
digest_row(void **state)
{
	const struct row *r = *state;
	unsigned char key[64], salt[64], text[64], got[64], want[64];
	size_t key_bytes = unhex(r->key, key), salt_bytes = unhex(r->salt, salt);
	size_t text_bytes = unhex(r->text, text), want_bytes = unhex(r->want, want);

	switch (r->what) {
	case SHA256:
		crypto_sha256(text, text_bytes, got);
		break;
	case HMAC:
		crypto_hmac_sha256(key, key_bytes, text, text_bytes, got);
		break;
	case HKDF:
		text[text_bytes] = 0;
		crypto_hkdf_sha256(key, key_bytes, salt, salt_bytes, (char *)text, got, want_bytes);
		break;
	case LEAF:
		crypto_leaf_hash(text, text_bytes, got);
		break;
	}
	assert_memory_equal(want, got, want_bytes);
}

static void
pieces_give_what_the_whole_gives(void **state)
{
	unsigned char whole[32], pieces[32];
	struct crypto_hash *h = crypto_hash_new();

	(void)state;
	crypto_sha256("a person moves", 14, whole);
	for (int round = 0; round < 2; round++) {	/* end leaves it ready for the next */
		crypto_hash_add(h, "a person", 8);
		crypto_hash_add(h, "", 0);
		crypto_hash_add(h, " moves", 6);
		crypto_hash_end(h, pieces);
		assert_memory_equal(whole, pieces, 32);
	}
	crypto_hash_free(h);
}

/* The tree of the leaves "" and 00: certificate-transparency's second reference root. */
static void
node_of_two_leaves(void **state)
{
	unsigned char left[32], right[32], root[32], want[32];

	(void)state;
	crypto_leaf_hash("", 0, left);
	crypto_leaf_hash("\0", 1, right);
	crypto_node_hash(left, right, root);
	(void)unhex("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", want);
	assert_memory_equal(want, root, 32);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(pieces_give_what_the_whole_gives),
		cmocka_unit_test(node_of_two_leaves),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, digest_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
