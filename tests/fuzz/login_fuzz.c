/*
 * Any bytes as the body of a login. What is taken has a user, a password and a code of one of two
 * shapes, and asks
 * for one thing; its action is JSON that is its own canonical form.
 */
#include "api/login_priv.h"
#include "base/text.h"
#include "json/write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static bool
is_six_digits(const char *code)
{
	return strlen(code) == 6 && strspn(code, "0123456789") == 6;
}

static void
action_look(const char *action)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	/* The double 1e20 is written as a whole number, and read as one it is beyond 64 bits. */
	if (json_parse(action, strlen(action), SIZE_MAX, "fuzz", &root, &err) != MU_OK) {
		if (strstr(err.text, "too big") == NULL)
			abort();
		return;
	}
	if (json_kind(root) != JSON_KIND_OBJECT)
		abort();
	if (json_canonical(root, &again, &err) == MU_OK && strcmp(again.data, action) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
	struct login_request r = { .user = NULL };
	struct mu_err err = MU_ERR_INIT;

	if (login_request_parse((const char *)bytes, bytes_count, &r, &err) != MU_OK) {
		if (err.rc != MU_EINPUT || r.user != NULL || r.password.bytes != NULL)
			abort();
		return 0;
	}
	if (r.user[0] == '\0' || strlen(r.user) > LOGIN_USER_MAX_BYTES || !mu_utf8_valid(r.user,
	    strlen(r.user)) ||
	    r.password.size_bytes == 0 || r.password.size_bytes > LOGIN_PASSWORD_MAX_BYTES ||
	    r.is_enrolment == is_six_digits(mu_secret_text(&r.code)))
		abort();
	if (r.is_enrolment ? r.action != NULL : (r.action == NULL) == (r.csr == NULL))
		abort();
	if (r.action != NULL)
		action_look(r.action);
	login_request_clear(&r);
	return 0;
}
