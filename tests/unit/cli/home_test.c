/*
 * home_test.c - what is kept between two commands: for its owner alone, whole or not at all
 */
#include "cli/home.h"

#include "unit/http/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "crypto/sign.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char top[64];
static struct pki_cert valid, over;

static struct home *
home_new(void)
{
	struct home *h = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (home_open(&h, &err) != MU_OK)
		fail_msg("%s", err.text);
	return h;
}

static mode_t
mode_of(const char *folder, const char *name)
{
	char file[256];
	struct stat st;

	(void)snprintf(file, sizeof(file), "%s%s%s", folder, name[0] == '\0' ? "" : "/", name);
	assert_int_equal(0, stat(file, &st));
	return st.st_mode & 07777;
}

static void
text_put(const char *folder, const char *name, const char *text)
{
	char file[256];
	FILE *to;

	(void)snprintf(file, sizeof(file), "%s/%s", folder, name);
	to = fopen(file, "w");
	assert_non_null(to);
	(void)fputs(text, to);
	(void)fclose(to);
	assert_int_equal(0, chmod(file, 0600));
}

/* A folder of its own for each test. */
static int
fresh(void **state)
{
	static int count;
	char folder[96];

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/%d", top, count++);
	return setenv("MUSTER_HOME", folder, 1);
}

static void
it_is_where_the_environment_says(void **state)
{
	static const struct {
		const char *own, *state, *want;
	} rows[] = {
		{ "/a/b", "/c", "/a/b" },
		{ "", "/c", "/c/muster" },
		{ NULL, "/c", "/c/muster" },
		{ NULL, "relative", "/d/.local/state/muster" },
		{ NULL, NULL, "/d/.local/state/muster" },
	};

	(void)state;
	(void)setenv("HOME", "/d", 1);
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		struct home *h;

		(void)(rows[i].own == NULL ? unsetenv("MUSTER_HOME") :
		    setenv("MUSTER_HOME", rows[i].own, 1));
		(void)(rows[i].state == NULL ? unsetenv("XDG_STATE_HOME") :
		    setenv("XDG_STATE_HOME", rows[i].state, 1));
		h = home_new();
		assert_string_equal(rows[i].want, h->path);
		home_close(h);
	}
}

static void
a_pin_is_kept_for_the_owner_alone(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();

	(void)state;
	assert_null(h->server);
	(void)umask(0);
	assert_int_equal(MU_OK, home_pin(h, "https://m:8445", FINGERPRINT, valid.cert_pem, &err));
	(void)umask(077);
	assert_int_equal(0700, mode_of(h->path, ""));
	assert_int_equal(0600, mode_of(h->path, "server.json"));
	assert_int_equal(0600, mode_of(h->path, "ca.crt"));
	home_close(h);
	h = home_new();
	assert_string_equal("https://m:8445", h->server);
	assert_string_equal(FINGERPRINT, h->ca_fingerprint);
	home_close(h);
}

static void
a_session_is_kept_until_its_end(void **state)
{
	MU_AUTO(home_session_clear) struct home_session s = { .cert_pem = NULL };
	struct crypto_key *key = crypto_key_new(CRYPTO_ES256);
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();

	(void)state;
	crypto_key_format(key, &pem);
	assert_int_equal(MU_EABSENT, home_session_read(h, mu_now_s(), &s, &err));
	assert_non_null(strstr(err.text, "muster login"));
	assert_int_equal(MU_OK, home_session_write(h, valid.cert_pem, &pem, &err));
	assert_int_equal(0600, mode_of(h->path, "session.pem"));
	assert_int_equal(MU_OK, home_session_read(h, mu_now_s(), &s, &err));
	assert_string_equal(valid.cert_pem, s.cert_pem);
	assert_null(strstr(s.cert_pem, "PRIVATE KEY"));
	assert_memory_equal(pem.bytes, s.key_pem.bytes, s.key_pem.size_bytes);
	assert_int_equal(MU_EABSENT, home_session_read(h, s.expires_at_s, &s, &err));
	assert_non_null(strstr(err.text, "has run out: muster login"));
	assert_int_equal(MU_OK, home_session_write(h, over.cert_pem, &pem, &err));
	assert_int_equal(MU_EABSENT, home_session_read(h, mu_now_s(), &s, &err));
	assert_int_equal(MU_OK, home_session_remove(h, &err));
	assert_int_equal(MU_OK, home_session_remove(h, &err));
	assert_int_equal(MU_EABSENT, home_session_read(h, mu_now_s(), &s, &err));
	crypto_key_free(key);
	home_close(h);
}

static void
another_pin_forgets_the_session(void **state)
{
	MU_AUTO(home_session_clear) struct home_session s = { .cert_pem = NULL };
	struct crypto_key *key = crypto_key_new(CRYPTO_ES256);
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();

	(void)state;
	crypto_key_format(key, &pem);
	assert_int_equal(MU_OK, home_session_write(h, valid.cert_pem, &pem, &err));
	assert_int_equal(MU_OK, home_pin(h, "https://n", FINGERPRINT, valid.cert_pem, &err));
	assert_int_equal(MU_EABSENT, home_session_read(h, mu_now_s(), &s, &err));
	crypto_key_free(key);
	home_close(h);
}

static void
a_session_that_others_can_read_is_refused(void **state)
{
	MU_AUTO(home_session_clear) struct home_session s = { .cert_pem = NULL };
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();
	char file[256];

	(void)state;
	assert_int_equal(MU_OK, home_pin(h, "https://m", FINGERPRINT, valid.cert_pem, &err));
	text_put(h->path, "session.pem", "x\n");
	(void)snprintf(file, sizeof(file), "%s/session.pem", h->path);
	assert_int_equal(0, chmod(file, 0640));
	assert_int_equal(MU_ECONFIG, home_session_read(h, mu_now_s(), &s, &err));
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(0, chmod(file, 0600));
	assert_int_equal(MU_EABSENT, home_session_read(h, mu_now_s(), &s, &err));
	home_close(h);
}

static void
a_folder_that_others_can_enter_is_refused(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();

	(void)state;
	assert_int_equal(MU_OK, home_pin(h, "https://m", FINGERPRINT, valid.cert_pem, &err));
	assert_int_equal(0, chmod(h->path, 0750));
	home_close(h);
	h = NULL;
	assert_int_equal(MU_ECONFIG, home_open(&h, &err));
	assert_non_null(strstr(err.text, "chmod 700"));
}

static void
what_is_not_as_written_is_named(void **state)
{
	static const char *const texts[] = {
		"", "{}", "[]", "{\"server\":\"https://m\"}",
		    "{\"ca_fingerprint\":\"12\",\"server\":\"https://m\"}",
	};
	struct mu_err err = MU_ERR_INIT;
	struct home *h = home_new();

	(void)state;
	assert_int_equal(MU_OK, home_pin(h, "https://m", FINGERPRINT, valid.cert_pem, &err));
	for (size_t i = 0; i < MU_COUNT(texts); i++) {
		struct home *again = NULL;

		text_put(h->path, "server.json", texts[i]);
		assert_int_not_equal(MU_OK, home_open(&again, &err));
		assert_non_null(strstr(err.text, "server.json"));
	}
	home_close(h);
}

static void
a_fingerprint_is_read_as_it_is_printed(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ FINGERPRINT, true },
		{ "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", true },
		{ "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
		    true },
		{ "", false },
		{ FINGERPRINT "0", false },
		{ "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false },
		{ "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false },
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf hex = MU_BUF_INIT;

		assert_int_equal(rows[i].good, home_fingerprint_parse(rows[i].text, &hex));
		if (rows[i].good)
			assert_string_equal(FINGERPRINT, hex.data);
	}
}

int
main(void)
{
	const struct CMUnitTest homes[] = {
		cmocka_unit_test_setup(it_is_where_the_environment_says, fresh),
		cmocka_unit_test_setup(a_pin_is_kept_for_the_owner_alone, fresh),
		cmocka_unit_test_setup(a_session_is_kept_until_its_end, fresh),
		cmocka_unit_test_setup(another_pin_forgets_the_session, fresh),
		cmocka_unit_test_setup(a_session_that_others_can_read_is_refused, fresh),
		cmocka_unit_test_setup(a_folder_that_others_can_enter_is_refused, fresh),
		cmocka_unit_test_setup(what_is_not_as_written_is_named, fresh),
		cmocka_unit_test(a_fingerprint_is_read_as_it_is_printed),
	};
	char command[96];
	int status;

	(void)umask(077);
	(void)strcpy(top, "/tmp/muster-home-XXXXXX");
	if (mkdtemp(top) == NULL)
		return 1;
	pki_make(&valid, NULL, "session", NULL, 1);
	pki_make(&over, NULL, "session", NULL, -1);
	status = cmocka_run_group_tests_name("home", homes, NULL, NULL);
	(void)snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command) != 0 ? 1 : status;
}
