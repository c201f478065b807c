#include "store/client.h"

#include "store/store_priv.h"

#define CLIENT_COLUMNS \
	"client_id, name, platform, fingerprint, csr_digest, certificate, " \
	AS_UNIX("not_after") ", version, mac, configured"

static const struct store_sql list = { STORE_CLIENT, "client_list",
    "SELECT " CLIENT_COLUMNS " FROM token_client ORDER BY name" };
static const struct store_sql find = { STORE_CLIENT, "client_find",
    "SELECT " CLIENT_COLUMNS " FROM token_client WHERE fingerprint = $1" };
static const struct store_sql client_insert = { STORE_CLIENT, "client_insert",
    "INSERT INTO token_client (client_id, name, platform, fingerprint, csr_digest, certificate,"
    " not_after, version, mac, configured) VALUES ($1, $2, $3, $4, $5, $6, " AS_TIME("$7") ", $8,"
    " $9, $10)" };
static const struct store_sql client_update = { STORE_CLIENT, "client_update",
    "UPDATE token_client SET name = $2, platform = $3, fingerprint = $4, csr_digest = $5,"
    " certificate = $6, not_after = " AS_TIME("$7") ", version = $8::bigint, mac = $9,"
    " configured = $10 WHERE client_id = $1 AND version = $8::bigint - 1" };

static const struct store_sql client_delete = { STORE_CLIENT, "client_delete",
    "DELETE FROM token_client WHERE client_id = $1" };

const struct store_sql *const store_client_sql[] = { &list, &find, &client_insert, &client_update,
    &client_delete, NULL };

void
store_client_clear(struct store_client *c)
{
	mu_free(c->name);
	mu_free(c->platform);
	mu_free(c->certificate);
	*c = (struct store_client){ .version = 0 };
}

void
store_clients_clear(struct store_clients *c)
{
	for (size_t i = 0; i < c->count; i++)
		store_client_clear(&c->list[i]);
	mu_free(c->list);
	*c = (struct store_clients){ .count = 0 };
}

static void
row_client(const PGresult *rows, int row, struct store_client *c)
{
	row_uuid(rows, row, 0, &c->client_id);
	c->name = row_text_copy(rows, row, 1);
	c->platform = row_text_copy(rows, row, 2);
	(void)row_bytes(rows, row, 3, c->fingerprint, sizeof(c->fingerprint));
	(void)row_bytes(rows, row, 4, c->csr_digest, sizeof(c->csr_digest));
	c->certificate = row_text_copy(rows, row, 5);
	c->not_after_s = row_int(rows, row, 6);
	c->version = row_int(rows, row, 7);
	(void)row_bytes(rows, row, 8, c->mac, sizeof(c->mac));
	c->configured = row_bool(rows, row, 9);
}

enum mu_rc
store_client_list(struct store *s, struct store_clients *out_clients, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_clients c = { .count = 0 };

	if (store_ask(s, &list, NULL, &rows, err) != MU_OK)
		return err->rc;
	c.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*c.list));
	for (int i = 0; i < PQntuples(rows); i++)
		row_client(rows, i, &c.list[c.count++]);
	*out_clients = c;
	return MU_OK;
}

enum mu_rc
store_client_find(struct store *s, const unsigned char fingerprint[FINGERPRINT_BYTES],
    struct store_client *out_client, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_client c = { .version = 0 };

	arg_bytes(&args, fingerprint, FINGERPRINT_BYTES);
	if (store_ask(s, &find, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "no client has this certificate");
	row_client(rows, 0, &c);
	*out_client = c;
	return MU_OK;
}

void
store_client_write(struct store *s, const struct store_client *c)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &c->client_id);
	arg_text(&args, c->name);
	arg_text(&args, c->platform);
	arg_bytes(&args, c->fingerprint, sizeof(c->fingerprint));
	arg_bytes(&args, c->csr_digest, sizeof(c->csr_digest));
	arg_text(&args, c->certificate);
	arg_int(&args, c->not_after_s);
	arg_int(&args, c->version);
	arg_bytes(&args, c->mac, sizeof(c->mac));
	arg_bool(&args, c->configured);
	store_put(s, c->version == 1 ? &client_insert : &client_update, &args, true);
}

void
store_client_remove(struct store *s, const struct mu_uuid *client_id)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, client_id);
	store_put(s, &client_delete, &args, true);
}
