/* The clients of the configuration: made, adopted, and taken out; those that an action added stay. */
#include "unit/auth/rig.h"

#include "api/client.h"
#include "store/client.h"

static struct store *store;
static char published[80];

/* What keys answers for clients; the rest is as for administrators. */
static enum mu_rc
ask_client(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };
	struct msg_issued issued;
	struct ipc_reader r;

	if (op != OP_CLIENT_ISSUE)
		return ask(ctx, op, body, out, err);
	ipc_reader_init(&r, body);
	assert(msg_named_decode(&r, &m));
	if (vault_client_issue(vault, m.name, mu_secret_text(&m.bytes), m.bytes.size_bytes, mu_now_s(), &c,
	    err) != MU_OK)
		return err->rc;
	issued = (struct msg_issued){ .certificate = c.certificate, .not_after_s = c.not_after_s };
	(void)memcpy(issued.fingerprint, c.fingerprint, sizeof(issued.fingerprint));
	msg_issued_encode(&issued, out);
	return MU_OK;
}

static void
publish(void *ctx, const char *name, const char *certificate)
{
	(void)ctx;
	assert_non_null(strstr(certificate, "BEGIN CERTIFICATE"));
	(void)snprintf(published, sizeof(published), "%s", name);
}

static struct api_client_host
client_host(void)
{
	return (struct api_client_host){ store, ask_client, publish, NULL };
}

static void
ensure(const char *name)
{
	const struct api_client_host h = client_host();
	struct mu_err err = MU_ERR_INIT;

	MUST(api_client_ensure(&h, name, "xmpp", &csr, mu_now_s(), &err));
	assert_string_equal(name, published);
}

static void
retire(const char *const *names, size_t count)
{
	const struct api_client_host h = client_host();
	struct mu_err err = MU_ERR_INIT;

	MUST(api_client_retire(&h, names, count, &err));
}

static void
who_is_struck_from_the_configuration_is_out(void **state)
{
	static const char *const kept[] = { "one" };

	(void)state;
	ensure("one");
	ensure("two");
	rig_sql_is("2", "SELECT count(*) FROM token_client WHERE configured");
	retire(kept, 1);
	rig_sql_is("one", "SELECT string_agg(name, ' ') FROM token_client");
	recorded(1, "client.removed");
	recorded_as("client.removed", "client", "two");
}

static void
who_was_added_by_an_action_stays(void **state)
{
	(void)state;
	ensure("one");
	free(rig_sql("UPDATE token_client SET configured = false"));
	retire(NULL, 0);
	rig_sql_is("one", "SELECT string_agg(name, ' ') FROM token_client");
}

static void
the_configuration_adopts_a_client_of_its_name(void **state)
{
	(void)state;
	ensure("one");
	free(rig_sql("UPDATE token_client SET configured = false"));
	ensure("one");
	rig_sql_is("t", "SELECT configured FROM token_client");
	rig_sql_is("2", "SELECT version FROM token_client");
	ensure("one");		/* and what stands is left alone */
	rig_sql_is("2", "SELECT version FROM token_client");
	retire(NULL, 0);
	rig_sql_is("0", "SELECT count(*) FROM token_client");
}

static int
no_clients(void **state)
{
	free(rig_sql("SET client_min_messages = warning; TRUNCATE token_client CASCADE"));
	return house_empty(state);
}

static int
all_up(void **state)
{
	if (house_up(state) != 0)
		return 1;
	store = rig_open(STORE_ROLE_ADMIN, STORE_CLIENT | STORE_AUDIT);
	return 0;
}

static int
all_down(void **state)
{
	store_close(store);
	return house_down(state);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_is_struck_from_the_configuration_is_out, no_clients),
		cmocka_unit_test_setup(who_was_added_by_an_action_stays, no_clients),
		cmocka_unit_test_setup(the_configuration_adopts_a_client_of_its_name, no_clients),
	};

	return cmocka_run_group_tests(tests, all_up, all_down);
}
