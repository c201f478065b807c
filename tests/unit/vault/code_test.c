/*
 * Seeds and codes as keys judge them: sealed for one person, five failures in ten minutes and no more,
 * the right code among them neither, and whatever is asked, nothing is forgotten.
 */
#include "unit/vault/rig.h"

#include "crypto/seal.h"
#include "vault/totp.h"
#include "vault/vault_priv.h"

#define RFC_SEED	"12345678901234567890"
#define RIGHT_S		1111111111	/* RFC 6238, appendix B */
#define RIGHT		"050471"
#define RIGHT_STEP	(RIGHT_S / TOTP_STEP_S)
#define WRONG		"050472"

static struct rig rig;

static struct mu_uuid
uuid_of(unsigned char byte)
{
	struct mu_uuid u;

	(void)memset(u.bytes, byte, sizeof(u.bytes));
	return u;
}

/* Seals RFC_SEED as vault_seed_new seals a random one. */
static void
seed_seal(const struct mu_uuid *seed_id, const struct mu_uuid *person_id, struct mu_secret *out_sealed)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	unsigned char where[9 + 16 + 16] = "totp_seed";

	(void)memcpy(where + 9, seed_id->bytes, 16);
	(void)memcpy(where + 25, person_id->bytes, 16);
	crypto_seal(&rig.vault->raw->seal, RFC_SEED, strlen(RFC_SEED), where, sizeof(where), &b);
	mu_secret_set(out_sealed, b.data, b.size_bytes);
}

/* Code n of seed 1, or of the seed named after its first byte, at that time. */
static enum mu_rc
check_seed(unsigned char seed, const char *code, int64_t last_step, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT, typed = MU_SECRET_INIT;
	const struct mu_uuid seed_id = uuid_of(seed), person_id = uuid_of(2);
	int64_t step = -1;
	enum mu_rc rc;

	seed_seal(&seed_id, &person_id, &sealed);
	mu_secret_set(&typed, code, strlen(code));
	*err = (struct mu_err)MU_ERR_INIT;
	rc = vault_code_check(rig.vault, &seed_id, &person_id, &sealed, &typed, last_step, now_s, &step, err);
	assert_int_equal(rc == MU_OK ? RIGHT_STEP : -1, step);
	return rc;
}

static int
start(void **state)
{
	(void)state;
	rig_open(&rig);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

/* What happens in turn: a code at a time, what it must give, and for how long keys then refuse. */
struct turn {
	const char *code;
	int64_t at_s;			/* relative to RIGHT_S */
	enum mu_rc want;
	int64_t retry_s;
};

static struct story {
	const char *name;
	struct turn turns[12];
} stories[] = {
	{ "the right code opens", { { RIGHT, 0, MU_OK, 0 } } },
	{ "four failures leave room for the right one", { { WRONG, -9, MU_EDENIED, 0 },
	    { WRONG, -9, MU_EDENIED, 0 }, { WRONG, -8, MU_EDENIED, 0 }, { WRONG, -7, MU_EDENIED, 0 },
	    { RIGHT, 0, MU_OK, 0 } } },
	{ "after five the right code is not evaluated either", { { WRONG, -9, MU_EDENIED, 0 },
	    { WRONG, -8, MU_EDENIED, 0 }, { WRONG, -7, MU_EDENIED, 0 }, { WRONG, -6, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { RIGHT, 0, MU_ERETRY, 591 }, { WRONG, 0, MU_ERETRY, 591 } } },
	{ "a second before the first is ten minutes old it still refuses", { { WRONG, -599, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { RIGHT, 0, MU_ERETRY, 1 } } },
	{ "when the first is ten minutes old one more is evaluated", { { WRONG, -600, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { RIGHT, 0, MU_OK, 0 } } },
	{ "and one only: the window slides", { { WRONG, -600, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 }, { WRONG, -5, MU_EDENIED, 0 },
	    { WRONG, -5, MU_EDENIED, 0 }, { WRONG, 0, MU_EDENIED, 0 }, { RIGHT, 0, MU_ERETRY, 595 } } },
	{ "refusals do not prolong themselves", { { WRONG, -601, MU_EDENIED, 0 },
	    { WRONG, -601, MU_EDENIED, 0 }, { WRONG, -601, MU_EDENIED, 0 }, { WRONG, -601, MU_EDENIED, 0 },
	    { WRONG, -601, MU_EDENIED, 0 }, { WRONG, -300, MU_ERETRY, 299 }, { WRONG, -2, MU_ERETRY, 1 },
	    { RIGHT, 0, MU_OK, 0 } } },
	{ "a success forgets no failure", { { WRONG, -9, MU_EDENIED, 0 }, { WRONG, -8, MU_EDENIED, 0 },
	    { WRONG, -7, MU_EDENIED, 0 }, { WRONG, -6, MU_EDENIED, 0 }, { RIGHT, 0, MU_OK, 0 },
	    { WRONG, 1, MU_EDENIED, 0 }, { RIGHT, 2, MU_ERETRY, 589 } } },
	{ "what is no code counts for nothing", { { "", 0, MU_EINPUT, 0 }, { "05047", 0, MU_EINPUT, 0 },
	    { "0504711", 0, MU_EINPUT, 0 }, { "05047x", 0, MU_EINPUT, 0 }, { " 05047", 0, MU_EINPUT, 0 },
	    { "050-471", 0, MU_EINPUT, 0 }, { RIGHT, 0, MU_OK, 0 } } },
	{ "a future code is wrong, and counts", { { RIGHT, -60, MU_EDENIED, 0 }, { RIGHT, -60, MU_EDENIED, 0 },
	    { RIGHT, -60, MU_EDENIED, 0 }, { RIGHT, -60, MU_EDENIED, 0 }, { RIGHT, -60, MU_EDENIED, 0 },
	    { RIGHT, 0, MU_ERETRY, 540 } } },
	{ "a clock set forward and back again locks for ten minutes from then", { { WRONG, 9000, MU_EDENIED, 0 },
	    { WRONG, 9000, MU_EDENIED, 0 }, { WRONG, 9000, MU_EDENIED, 0 }, { WRONG, 9000, MU_EDENIED, 0 },
	    { WRONG, 9000, MU_EDENIED, 0 }, { RIGHT, -600, MU_ERETRY, 600 }, { RIGHT, 0, MU_OK, 0 } } },
};

static void
story_row(void **state)
{
	const struct story *s = *state;
	struct mu_err err;

	for (const struct turn *t = s->turns; t->code != NULL; t++) {
		enum mu_rc rc = check_seed(1, t->code, 0, RIGHT_S + t->at_s, &err);

		if (rc != t->want)
			fail_msg("turn %zu: %s, not %s", (size_t)(t - s->turns) + 1, mu_rc_name(rc),
			    mu_rc_name(t->want));
		assert_int_equal(t->retry_s * 1000, err.retry_after_ms);
	}
}

static void
P5_13_used_step_is_refused(void **state)
{
	struct mu_err err;

	(void)state;
	assert_int_equal(MU_OK, check_seed(1, RIGHT, RIGHT_STEP - 1, RIGHT_S, &err));
	assert_int_equal(MU_EDENIED, check_seed(1, RIGHT, RIGHT_STEP, RIGHT_S, &err));
	assert_int_equal(MU_EDENIED, check_seed(1, RIGHT, RIGHT_STEP + 1, RIGHT_S, &err));
}

static void
one_seeds_failures_are_not_anothers(void **state)
{
	struct mu_err err;

	(void)state;
	for (int i = 0; i < VAULT_CODE_FAILURES_MAX; i++)
		assert_int_equal(MU_EDENIED, check_seed(1, WRONG, 0, RIGHT_S, &err));
	assert_int_equal(MU_ERETRY, check_seed(1, RIGHT, 0, RIGHT_S, &err));
	assert_int_equal(MU_OK, check_seed(3, RIGHT, 0, RIGHT_S, &err));
}

static void
many_seeds_flush_no_failure(void **state)
{
	const struct mu_uuid person_id = uuid_of(2);
	MU_AUTO(mu_secret_clear) struct mu_secret wrong = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	size_t evaluated = 0;
	int64_t step;

	(void)state;
	mu_secret_set(&wrong, WRONG, 6);
	for (int i = 0; i < VAULT_CODE_FAILURES_MAX; i++)
		assert_int_equal(MU_EDENIED, check_seed(1, WRONG, 0, RIGHT_S, &err));
	for (size_t i = 0; i < VAULT_FAILURES_MAX * 2; i++) {
		MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT;
		struct mu_uuid seed_id;
		enum mu_rc rc;

		mu_uuid_new(&seed_id);
		seed_seal(&seed_id, &person_id, &sealed);
		rc = vault_code_check(rig.vault, &seed_id, &person_id, &sealed, &wrong, 0, RIGHT_S, &step, &err);
		assert_int_equal(evaluated + VAULT_CODE_FAILURES_MAX < VAULT_FAILURES_MAX ? MU_EDENIED : MU_ERETRY,
		    rc);
		evaluated += rc == MU_EDENIED;
	}
	assert_int_equal(MU_ERETRY, check_seed(1, RIGHT, 0, RIGHT_S, &err));
	assert_int_equal(MU_ERETRY, check_seed(3, RIGHT, 0, RIGHT_S, &err));	/* better nobody than too often */
	assert_int_equal(600 * 1000, err.retry_after_ms);
	assert_int_equal(MU_EDENIED, check_seed(1, WRONG, 0, RIGHT_S + 600, &err));
}

static void
a_seed_that_does_not_open_counts_for_nothing(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT, wrong = MU_SECRET_INIT;
	const struct mu_uuid seed_id = uuid_of(1), person_id = uuid_of(2), other = uuid_of(3);
	struct mu_err err = MU_ERR_INIT;
	int64_t step;

	(void)state;
	mu_secret_set(&wrong, WRONG, 6);
	seed_seal(&seed_id, &person_id, &sealed);
	for (int i = 0; i < 2 * VAULT_CODE_FAILURES_MAX; i++)
		assert_int_equal(MU_EDENIED, vault_code_check(rig.vault, &seed_id, &other, &sealed, &wrong, 0,
		    RIGHT_S, &step, &err));
	assert_int_equal(MU_OK, check_seed(1, RIGHT, 0, RIGHT_S, &err));
}

/* The place of an envelope decides: any other, and it stays shut, for the right code too. */
static struct place {
	const char *name;
	unsigned char seed, person;
	int flip;			/* a bit of this byte is turned, -1 none */
	enum mu_rc want;
} places[] = {
	{ "a seed opens for its person",		1, 2, -1, MU_OK },
	{ "another's seed is none of theirs",		1, 3, -1, MU_EDENIED },
	{ "a seed under another's id stays shut",	3, 2, -1, MU_EDENIED },
	{ "seed and person are not exchanged",		2, 1, -1, MU_EDENIED },
	{ "a turned bit in a seed",			1, 2, 30, MU_EDENIED },
	{ "a seed of another version",			1, 2, 0, MU_ECONFIG },
	{ "a seed sealed under another key",		1, 2, 1, MU_ECONFIG },
};

static void
place_row(void **state)
{
	const struct place *p = *state;
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT, typed = MU_SECRET_INIT;
	const struct mu_uuid seed_id = uuid_of(1), person_id = uuid_of(2);
	const struct mu_uuid asked_seed = uuid_of(p->seed), asked_person = uuid_of(p->person);
	struct mu_err err = MU_ERR_INIT;
	int64_t step;

	seed_seal(&seed_id, &person_id, &sealed);
	if (p->flip >= 0)
		sealed.bytes[p->flip] ^= 4;
	mu_secret_set(&typed, RIGHT, 6);
	assert_int_equal(p->want, vault_code_check(rig.vault, &asked_seed, &asked_person, &sealed, &typed, 0,
	    RIGHT_S, &step, &err));
}

/* A password's envelope is no seed, whatever its ids say. */
static void
a_sealed_password_is_no_seed(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT, typed = MU_SECRET_INIT;
	const struct mu_uuid one = uuid_of(1), two = uuid_of(2);
	struct mu_err err = MU_ERR_INIT;
	int64_t step;

	(void)state;
	vault_seal_new(rig.vault, &one, &two, &b);
	mu_secret_set(&sealed, b.data, b.size_bytes);
	mu_secret_set(&typed, RIGHT, 6);
	assert_int_equal(MU_EDENIED, vault_code_check(rig.vault, &one, &two, &sealed, &typed, 0, RIGHT_S, &step,
	    &err));
}

static int
base32_value(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* An authenticator that is given the base32 text makes the codes that the sealed seed takes. */
static void
a_fresh_seed_is_what_its_base32_says(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT, other = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT, again = MU_SECRET_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret opened = MU_SECRET_INIT;
	const struct mu_uuid seed_id = uuid_of(1), person_id = uuid_of(2);
	unsigned char where[9 + 16 + 16] = "totp_seed", bytes[TOTP_SEED_BYTES] = { 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, vault_seed_new(rig.vault, &seed_id, &person_id, &b, &text, &err));
	assert_int_equal(MU_OK, vault_seed_new(rig.vault, &seed_id, &person_id, &other, &again, &err));
	assert_int_equal(32, text.size_bytes);
	assert_string_not_equal(mu_secret_text(&text), mu_secret_text(&again));
	for (size_t i = 0; i < 32; i++)
		for (int bit = 0; bit < 5; bit++) {
			size_t at = i * 5 + (size_t)bit;
			int value = base32_value((char)text.bytes[i]);

			assert_true(value >= 0);
			bytes[at / 8] |= (unsigned char)(((value >> (4 - bit)) & 1) << (7 - at % 8));
		}
	(void)memcpy(where + 9, seed_id.bytes, 16);
	(void)memcpy(where + 25, person_id.bytes, 16);
	assert_int_equal(MU_OK, crypto_unseal(&rig.vault->raw->seal, b.data, b.size_bytes, where, sizeof(where),
	    &opened, &err));
	assert_int_equal(TOTP_SEED_BYTES, opened.size_bytes);
	assert_memory_equal(bytes, opened.bytes, TOTP_SEED_BYTES);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, end)
#define FIXED 6

int
main(void)
{
	struct CMUnitTest tests[FIXED + MU_COUNT(stories) + MU_COUNT(places)] = {
		ROW(P5_13_used_step_is_refused),
		ROW(one_seeds_failures_are_not_anothers),
		ROW(many_seeds_flush_no_failure),
		ROW(a_seed_that_does_not_open_counts_for_nothing),
		ROW(a_sealed_password_is_no_seed),
		ROW(a_fresh_seed_is_what_its_base32_says),
	};
	size_t n = FIXED;

	for (size_t i = 0; i < MU_COUNT(stories); i++)
		tests[n++] = (struct CMUnitTest){ stories[i].name, story_row, start, end, &stories[i] };
	for (size_t i = 0; i < MU_COUNT(places); i++)
		tests[n++] = (struct CMUnitTest){ places[i].name, place_row, start, end, &places[i] };
	return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
