#include "cli/login.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/home.h"
#include "cli/qr.h"
#include "cli/secret.h"
#include "cli/show.h"
#include "cli/talk.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "crypto/sign.h"
#include "json/write.h"

#include <string.h>

static const struct show_column session_rows[] = {
	{ "logged in as", "person" }, { "role", "role" }, { "until", "expires_at" }, { NULL, NULL },
};

/* Who logs in, with what. */
struct credentials {
	char *user;
	struct mu_secret password, code;
};

static void
credentials_clear(struct credentials *l)
{
	mu_free(l->user);
	mu_secret_clear(&l->password);
	mu_secret_clear(&l->code);
}

static enum mu_rc
credentials_ask(const struct cli *c, const char *user, struct credentials *l, struct mu_err *err)
{
	if (secret_user_ask(c, user, &l->user, err) != MU_OK ||
	    secret_ask(c, "Password: ", true, &l->password, err) != MU_OK ||
	    secret_code_ask(c, "Code: ", &l->code, err) != MU_OK)
		return err->rc;
	return MU_OK;
}

/* action or csr: NULL for what it is not about. */
static void
body_write(const struct credentials *l, const char *action_json, const char *csr,
    struct mu_buf *out_body)
{
	struct json_writer w;

	mu_buf_reserve(out_body, 4096 + 6 * (l->password.size_bytes + l->code.size_bytes) +
	    (action_json == NULL ? 0 : strlen(action_json)));	/* not moved: one copy to wipe */
	json_begin(&w, out_body);
	json_object_begin(&w, NULL);
	if (action_json != NULL)
		json_value(&w, "action", action_json);
	json_text(&w, "code", mu_secret_text(&l->code));
	if (csr != NULL)
		json_text(&w, "csr", csr);
	json_text(&w, "password", mu_secret_text(&l->password));
	json_text(&w, "user", l->user);
	json_object_end(&w);
	json_end(&w);
}

int
login_body_make(struct cli *c, const char *user, const char *action_json, struct mu_buf *out_body)
{
	MU_AUTO(credentials_clear) struct credentials l = { .user = NULL };
	struct mu_err err = MU_ERR_INIT;

	if (credentials_ask(c, user, &l, &err) != MU_OK)
		return cli_fail(c, &err);
	body_write(&l, action_json, NULL, out_body);
	return CLI_DONE;
}

/* --- Login ------------------------------------------------------------------------------------ */

/*
 * Sees to it that there is a pinned server. A fingerprint comes from whoever bootstrapped muster,
 * so it may take the place of another; a server alone is trusted by the authority that is pinned
 * already.
 */
static int
pin_ensure(struct cli *c)
{
	MU_AUTO(mu_buf_clear) struct mu_buf fingerprint = MU_BUF_INIT, pem = MU_BUF_INIT;
	const char *server;
	struct mu_err err = MU_ERR_INIT;
	bool is_known;
	int status = talk_home(c);

	if (status != CLI_DONE)
		return status;
	server = c->server == NULL ? c->home->server : c->server;
	if (server == NULL || (c->ca_fingerprint == NULL && c->home->ca_fingerprint == NULL))
		return cli_usage(c,
		    "the first login needs --server URL and --ca-fingerprint HEX, as muster "
		    "bootstrap printed them");
	if (c->ca_fingerprint != NULL && !home_fingerprint_parse(c->ca_fingerprint, &fingerprint))
		return cli_usage(c, "--ca-fingerprint is 64 hex digits");
	if (c->ca_fingerprint == NULL)
		mu_buf_text_add(&fingerprint, c->home->ca_fingerprint);
	is_known = mu_text_equal(fingerprint.data, c->home->ca_fingerprint);
	if (is_known && mu_text_equal(server, c->home->server))
		return CLI_DONE;
	if (!is_known)
		status = talk_pin(c, server, fingerprint.data, &pem);
	if (status != CLI_DONE)
		return status;
	if (home_pin(c->home, server, fingerprint.data, is_known ? NULL : pem.data, &err) != MU_OK)
		return cli_fail(c, &err);
	return CLI_DONE;
}

static int
session_keep(struct cli *c, const struct crypto_key *key, const struct json_node *answer)
{
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;
	const char *certificate = json_find_text(answer, "certificate");
	unsigned char fingerprint[CRYPTO_FINGERPRINT_BYTES];
	struct mu_err err = MU_ERR_INIT;
	int64_t not_after_s;

	if (certificate == NULL) {
		cli_say(c, "the server's answer holds no certificate");
		return CLI_FAILED;
	}
	crypto_key_format(key, &pem);
	if (crypto_cert_read(certificate, fingerprint, &not_after_s, &err) != MU_OK ||
	    home_session_write(c->home, certificate, &pem, &err) != MU_OK)
		return cli_fail(c, &err);
	return CLI_DONE;
}

/* The seed is shown; the code that its authenticator makes of it is asked for. */
static int
enrolment_finish(struct cli *c, const struct json_node *answer, const char *uri, bool with_qr,
    struct credentials *l)
{
	struct mu_err err = MU_ERR_INIT;

	if (c->json) {
		show_node(c->out, answer);
	} else {
		show_line(c->out, "Put this seed into your authenticator; it is not shown again:");
		qr_show(c, uri, with_qr);
	}
	mu_secret_clear(&l->code);
	return secret_code_ask(c, "First code: ", &l->code, &err) == MU_OK ? CLI_DONE :
	    cli_fail(c, &err);
}

static int
login_ask(struct cli *c, const struct credentials *l, const char *csr,
    struct json_node **out_answer)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;

	body_write(l, NULL, csr, &body);
	return talk_ask(c, "POST", "/v1/login", &body, out_answer);
}

int
login_session(struct cli *c, const char *user, bool with_qr)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *key = NULL;
	MU_AUTO(credentials_clear) struct credentials l = { .user = NULL };
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf csr = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	const char *uri;
	int status = talk_open(c, TALK_STRANGER);

	if (status != CLI_DONE)
		return status;
	key = crypto_key_new(CRYPTO_ES256);
	if (crypto_csr_make(key, "muster", &csr, &err) != MU_OK ||
	    credentials_ask(c, user, &l, &err) != MU_OK)
		return cli_fail(c, &err);
	status = login_ask(c, &l, csr.data, &answer);
	uri = json_find_text(json_find(answer, "enrolment"), "uri");
	if (status == CLI_DONE && uri != NULL) {
		status = enrolment_finish(c, answer, uri, with_qr, &l);
		json_free(MU_TAKE(answer));
		if (status == CLI_DONE)
			status = login_ask(c, &l, csr.data, &answer);
	}
	if (status == CLI_DONE)
		status = session_keep(c, key, answer);
	if (status == CLI_DONE && c->json)
		show_node(c->out, answer);
	else if (status == CLI_DONE)
		show_facts(c->out, session_rows, answer);
	return status;
}

int
login_run(struct cli *c, const struct args *a)
{
	int status = pin_ensure(c);

	return status == CLI_DONE ? login_session(c, args_get(a, "user"), !args_has(a, "no-qr")) :
	    status;
}

/* The session is forgotten here whatever the server says. */
int
login_out_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct mu_err err = MU_ERR_INIT;
	bool has_session;
	int status = talk_home(c);

	(void)a;
	if (status != CLI_DONE)
		return status;
	has_session = talk_has_session(c);
	if (has_session)
		status = talk_open(c, TALK_SESSION);
	if (has_session && status == CLI_DONE)
		status = talk_ask(c, "POST", "/v1/logout", NULL, &answer);
	if (home_session_remove(c->home, &err) != MU_OK)
		return cli_fail(c, &err);
	if (c->json)
		show_json(c->out, has_session ? "{\"ended\":true}" : "{\"ended\":false}");
	else
		show_line(c->out, has_session ? "logged out" : "there was no session");
	return status;
}

/* --- Bootstrap -------------------------------------------------------------------------------- */

static void
bootstrap_show(const struct cli *c, const struct json_node *answer, bool with_qr)
{
	static const struct show_column rows[] = {
		{ "administrator", "person" }, { "role", "role" }, { "server", "server" },
		{ "CA fingerprint", "ca_fingerprint" }, { NULL, NULL },
	};
	const char *uri = json_find_text(answer, "uri"), *server = json_find_text(answer, "server");
	const char *fingerprint = json_find_text(answer, "ca_fingerprint");

	if (c->json) {
		show_node(c->out, answer);
		return;
	}
	show_facts(c->out, rows, answer);
	show_line(c->out, "log in with: muster login --server %s --ca-fingerprint %s",
	    server == NULL ? "URL" : server, fingerprint == NULL ? "HEX" : fingerprint);
	show_line(c->out, "The seed for their authenticator; it is not shown again:");
	qr_show(c, uri == NULL ? "" : uri, with_qr);
}

static int
bootstrap_confirm(struct cli *c, const char *person_id)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = MU_SECRET_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;
	int64_t active = 0;
	int status;

	if (secret_code_ask(c, "First code: ", &code, &err) != MU_OK)
		return cli_fail(c, &err);
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "code", mu_secret_text(&code));
	json_text(&w, "person", person_id);
	json_object_end(&w);
	json_end(&w);
	status = talk_ask(c, "POST", "/v1/bootstrap/confirm", &body, &answer);
	if (status != CLI_DONE)
		return status;
	if (c->json) {
		show_node(c->out, answer);
		return CLI_DONE;
	}
	(void)json_find_int(answer, "active", &active);
	show_line(c->out, "done: %lld administrator%s active%s", (long long)active,
	    active == 1 ? " is" : "s are",
	    active < 2 ? "; bootstrap the second one now" : "; this door is closed now");
	return CLI_DONE;
}

int
login_bootstrap_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	const char *person_id;
	struct json_writer w;
	int status = talk_open(c, TALK_CONSOLE);

	if (status != CLI_DONE)
		return status;
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "role", args_get(a, "ROLE"));
	json_text(&w, "who", args_get(a, "WHO"));
	json_object_end(&w);
	json_end(&w);
	status = talk_ask(c, "POST", "/v1/bootstrap", &body, &answer);
	if (status != CLI_DONE)
		return status;
	person_id = json_find_text(json_find(answer, "person"), "id");
	if (person_id == NULL || json_find_text(answer, "uri") == NULL) {
		cli_say(c, "the console's answer holds no seed");
		return CLI_FAILED;
	}
	bootstrap_show(c, answer, !args_has(a, "no-qr"));
	return bootstrap_confirm(c, person_id);
}
