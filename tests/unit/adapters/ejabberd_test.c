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

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, refusal_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
