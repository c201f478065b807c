#include "auth/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static const struct store_client sample = {
	.name = (char []){ "prosody" }, .platform = (char []){ "xmpp" }, .csr_digest = { 7 },
	.not_after_s = NOW + 1, .version = 3,
};

static void
known_and_in_time_may_ask(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(auth_client_check(&sample, NOW, &err), MU_OK);
	assert_int_equal(auth_client_check(&sample, NOW + 1, &err), MU_EDENIED);
	assert_non_null(strstr(err.text, "expired"));
	assert_int_equal(auth_client_check(NULL, NOW, &err), MU_EDENIED);
}

static void
a_certificate_in_use_is_never_replaced(void **state)
{
	unsigned char digest[32] = { 7 }, other[32] = { 8 };

	(void)state;
	assert_false(auth_client_wants_issue(&sample, "xmpp", digest, NOW));
	assert_true(auth_client_wants_issue(&sample, "xmpp", digest, NOW + 1));
	assert_true(auth_client_wants_issue(&sample, "xmpp", other, NOW));
	assert_true(auth_client_wants_issue(&sample, "matrix", digest, NOW));
	assert_true(auth_client_wants_issue(NULL, "xmpp", digest, NOW));
}

/* What is MACed differs whenever a column does, and no column can be read as another. */
static void
no_two_clients_are_encoded_alike(void **state)
{
	struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	struct store_client x = sample, y = sample;
	char name_x[] = "ab", platform_x[] = "c", name_y[] = "a", platform_y[] = "bc";

	(void)state;
	x.name = name_x;
	x.platform = platform_x;
	y.name = name_y;
	y.platform = platform_y;
	auth_client_encode(&x, &a);
	auth_client_encode(&y, &b);
	assert_true(a.size_bytes != b.size_bytes || memcmp(a.data, b.data, a.size_bytes) != 0);
	assert_int_equal(strncmp(a.data, "token_client:", 13), 0);
	mu_buf_reset(&b);
	x.version++;
	auth_client_encode(&x, &b);
	assert_true(a.size_bytes != b.size_bytes || memcmp(a.data, b.data, a.size_bytes) != 0);
	mu_buf_clear(&a);
	mu_buf_clear(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_and_in_time_may_ask),
		cmocka_unit_test(a_certificate_in_use_is_never_replaced),
		cmocka_unit_test(no_two_clients_are_encoded_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
