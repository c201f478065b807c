/* adapters/ejabberd/api.h: what was seen on the wire of ejabberd 23.01, and what each answer means. */
#include "adapters/ejabberd/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct row {
	const char *name;
	int status;
	const char *body;
	enum adapter_outcome want;
} rows[] = {
	{ "our password is wrong", 401,
	    "{\"status\":\"error\",\"code\":10,\"message\":\"You are not authorized to call this command.\"}",
	    ADAPTER_OWN_CREDENTIAL },
	{ "we may not", 403,
	    "{\"status\":\"error\",\"code\":32,\"message\":\"AccessRules: Account does not have the right\"}",
	    ADAPTER_OWN_CREDENTIAL },
	{ "the account is there", 409,
	    "{\"status\":\"error\",\"code\":10090,\"message\":\"User u1@xmpp.test already registered\"}",
	    ADAPTER_CONFLICT },
	{ "a bad name is a 500, and for good", 500,
	    "{\"status\":\"error\",\"code\":10001,\"message\":\"Can't register user a b@xmpp.test\"}",
	    ADAPTER_REFUSED },
	{ "an unknown host is a 500, and for good", 500,
	    "{\"status\":\"error\",\"code\":10001,\"message\":\"Unknown virtual host\"}", ADAPTER_REFUSED },
	{ "a crash is a 500, and may pass", 500, "\"internal_error\"", ADAPTER_RETRY },
	{ "nobody to give a password to", 404, "\"unknown_user\"", ADAPTER_ABSENT },
	{ "a command that is not there will not come", 404,
	    "{\"status\":\"error\",\"code\":40,\"message\":\"Endpoint not found.\"}", ADAPTER_REFUSED },
	{ "no such room", 400, "\"Room doesn't exists\"", ADAPTER_ABSENT },
	{ "no such room, when asked", 400, "\"The room does not exist.\"", ADAPTER_ABSENT },
	{ "the room is there", 400, "\"Room already exists\"", ADAPTER_ALREADY },
	{ "a bad affiliation", 400, "\"Invalid affiliation\"", ADAPTER_REFUSED },
	{ "a bad password", 400, "\"invalid_password\"", ADAPTER_REFUSED },
	{ "an argument that is missing", 400, "\"Request have missing argument: host\"", ADAPTER_REFUSED },
	{ "busy", 503, "", ADAPTER_RETRY },
	{ "a proxy's page", 502, "<html>Bad Gateway</html>", ADAPTER_RETRY },
	{ "something never seen", 400, "\"the moon is full\"", ADAPTER_RETRY },
	{ "a redirect is not followed", 302, "", ADAPTER_RETRY },
};

static void
refusal_row(void **state)
{
	const struct row *r = *state;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(r->want, ejabberd_refusal(r->status, r->body, strlen(r->body), &err));
	assert_int_equal(r->want == ADAPTER_ALREADY, err.rc == MU_OK);
	assert_null(strchr(err.text, '@'));	/* whose account it is does not reach the log */
}

static struct token_row {
	const char *name;
	const char *body;
	const char *want_token;		/* NULL: refused */
	int64_t want_use_s;
} token_rows[] = {
	{ "a token as ejabberd answers", "{\"access_token\":\"EKkXn8s4bHawI9CxI51CF3Rmgk2FtRpA\","
	    "\"token_type\":\"bearer\",\"scope\":\"ejabberd:admin\",\"expires_in\":3600}",
	    "EKkXn8s4bHawI9CxI51CF3Rmgk2FtRpA", 3540 },
	{ "the case of token_type says nothing",
	    "{\"access_token\":\"sesame-1._~+/==\",\"token_type\":\"Bearer\",\"expires_in\":61}",
	    "sesame-1._~+/==", 1 },
	{ "a token that is cut off", "{\"access_token\":\"sesame\",\"token_type\":\"bea", NULL, 0 },
	{ "no JSON", "sesame", NULL, 0 },
	{ "no answer at all", "", NULL, 0 },
	{ "a list", "[\"sesame\"]", NULL, 0 },
	{ "a member twice", "{\"access_token\":\"sesame\",\"access_token\":\"open\","
	    "\"token_type\":\"bearer\",\"expires_in\":3600}", NULL, 0 },
	{ "no access_token", "{\"token_type\":\"bearer\",\"expires_in\":3600}", NULL, 0 },
	{ "an empty access_token",
	    "{\"access_token\":\"\",\"token_type\":\"bearer\",\"expires_in\":3600}", NULL, 0 },
	{ "a number for a token",
	    "{\"access_token\":12345,\"token_type\":\"bearer\",\"expires_in\":3600}", NULL, 0 },
	{ "a token that would be two header lines",
	    "{\"access_token\":\"sesame\\r\\nX: y\",\"token_type\":\"bearer\",\"expires_in\":3600}",
	    NULL, 0 },
	{ "no token_type", "{\"access_token\":\"sesame\",\"expires_in\":3600}", NULL, 0 },
	{ "a token of another type",
	    "{\"access_token\":\"sesame\",\"token_type\":\"mac\",\"expires_in\":3600}", NULL, 0 },
	{ "no expires_in", "{\"access_token\":\"sesame\",\"token_type\":\"bearer\"}", NULL, 0 },
	{ "expires_in as a text, as oauth_issue_token has it", "{\"access_token\":\"sesame\","
	    "\"token_type\":\"bearer\",\"expires_in\":\"3600 seconds\"}", NULL, 0 },
	{ "a token that ends within the margin",
	    "{\"access_token\":\"sesame\",\"token_type\":\"bearer\",\"expires_in\":60}", NULL, 0 },
	{ "a token for longer than anybody means", "{\"access_token\":\"sesame\","
	    "\"token_type\":\"bearer\",\"expires_in\":9223372036854775807}", NULL, 0 },
	{ "a refusal", "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid scope\"}", NULL, 0 },
};

static void
token_row(void **state)
{
	const struct token_row *r = *state;
	MU_AUTO(mu_secret_clear) struct mu_secret token = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t use_s = 0;
	enum mu_rc rc = ejabberd_token_read(r->body, strlen(r->body), &token, &use_s, &err);

	assert_int_equal(r->want_token != NULL ? MU_OK : MU_EINPUT, rc);
	assert_int_equal(rc, err.rc);
	assert_string_equal(r->want_token != NULL ? r->want_token : "", mu_secret_text(&token));
	assert_int_equal(r->want_use_s, use_s);
	assert_null(strstr(err.text, "sesame"));	/* nothing of a token reaches the log */
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + MU_COUNT(token_rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, refusal_row, NULL, NULL, &rows[i] };
	for (size_t i = 0; i < MU_COUNT(token_rows); i++)
		tests[MU_COUNT(rows) + i] = (struct CMUnitTest){ token_rows[i].name, token_row, NULL,
		    NULL, &token_rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
