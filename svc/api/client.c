#include "api/client.h"

#include "audit/record.h"
#include "auth/client.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "ipc/message.h"

#include <string.h>

/* Has the request certified; sets fingerprint, certificate and expiry. */
static enum mu_rc
certify(const struct api_client_host *host, const struct mu_secret *csr, struct store_client *client,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, answer = MU_BUF_INIT;
	struct msg_named request = { .name = client->name, .bytes = *csr };	/* borrowed */
	struct msg_issued issued;
	struct ipc_reader reader;

	msg_named_encode(&request, &body);
	if (host->ask(host->ctx, OP_CLIENT_ISSUE, &body, &answer, err) != MU_OK)
		return mu_wrap(err, "client %s", client->name);
	ipc_reader_init(&reader, &answer);
	if (!msg_issued_decode(&reader, &issued))
		return mu_fail(err, MU_EBROKEN, "client %s: malformed certificate from keys", client->name);
	mu_free(client->certificate);
	client->certificate = MU_TAKE(issued.certificate);
	(void)memcpy(client->fingerprint, issued.fingerprint, sizeof(client->fingerprint));
	client->not_after_s = issued.not_after_s;
	msg_issued_clear(&issued);
	return MU_OK;
}

static enum mu_rc
mac_make(const struct api_client_host *host, struct store_client *client, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf row = MU_BUF_INIT, body = MU_BUF_INIT, answer = MU_BUF_INIT;
	MU_AUTO(msg_list_clear) struct msg_list rows = { NULL, 0 }, macs = { NULL, 0 };
	struct ipc_reader reader;

	auth_client_encode(client, &row);
	msg_list_add(&rows, row.data, row.size_bytes);
	msg_list_encode(&rows, &body);
	if (host->ask(host->ctx, OP_MAC, &body, &answer, err) != MU_OK)
		return mu_wrap(err, "client %s", client->name);
	ipc_reader_init(&reader, &answer);
	if (!msg_list_decode(&reader, &macs) || macs.count != 1 ||
	    macs.list[0].size_bytes != sizeof(client->mac))
		return mu_fail(err, MU_EBROKEN, "client %s: malformed MAC from keys", client->name);
	(void)memcpy(client->mac, macs.list[0].bytes, sizeof(client->mac));
	return MU_OK;
}

static enum mu_rc
client_write(const struct api_client_host *host, const struct store_client *client, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf print = MU_BUF_INIT, until = MU_BUF_INIT;
	struct audit_field fields[4];

	mu_hex_format(&print, client->fingerprint, sizeof(client->fingerprint));
	mu_time_format(&until, client->not_after_s);
	fields[0] = (struct audit_field)AUDIT_TEXT("client", client->name);
	fields[1] = (struct audit_field)AUDIT_TEXT("platform", client->platform);
	fields[2] = (struct audit_field)AUDIT_TEXT("fingerprint", print.data);
	fields[3] = (struct audit_field)AUDIT_TEXT("not_after", until.data);
	if (store_begin(host->store, err) != MU_OK)
		return err->rc;
	store_client_write(host->store, client);
	audit_record(host->store, AUDIT_CLIENT_ISSUED, mu_now_ms(), fields, MU_COUNT(fields), NULL);
	return store_commit(host->store, err);
}

static struct store_client *
client_of_name(struct store_clients *clients, const char *name)
{
	for (size_t i = 0; i < clients->count; i++)
		if (strcmp(clients->list[i].name, name) == 0)
			return &clients->list[i];
	return NULL;
}

enum mu_rc
api_client_ensure(const struct api_client_host *host, const char *name, const char *platform,
    const struct mu_secret *csr, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };
	MU_AUTO(store_client_clear) struct store_client fresh = { .version = 0 };
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct store_client *client;

	crypto_sha256(csr->bytes, csr->size_bytes, digest);
	if (store_client_list(host->store, &clients, err) != MU_OK)
		return err->rc;
	client = client_of_name(&clients, name);
	if (auth_client_wants_issue(client, platform, digest, now_s) || !client->configured) {
		if (client == NULL) {
			client = &fresh;
			mu_uuid_new(&client->client_id);
			client->name = mu_strdup(name);
		}
		mu_free(client->platform);
		client->platform = mu_strdup(platform);
		(void)memcpy(client->csr_digest, digest, sizeof(client->csr_digest));
		client->configured = true;
		client->version++;
		if (certify(host, csr, client, err) != MU_OK || mac_make(host, client, err) != MU_OK ||
		    client_write(host, client, err) != MU_OK)
			return err->rc;
		mu_log("client.issued", "client", name, "platform", platform, NULL);
	}
	host->publish(host->ctx, name, client->certificate);
	return MU_OK;
}

static enum mu_rc
client_remove(const struct api_client_host *host, const struct store_client *client, struct mu_err *err)
{
	const struct audit_field fields[] = {
		AUDIT_TEXT("client", client->name), AUDIT_TEXT("platform", client->platform),
	};

	if (store_begin(host->store, err) != MU_OK)
		return err->rc;
	store_client_remove(host->store, &client->client_id);
	audit_record(host->store, AUDIT_CLIENT_REMOVED, mu_now_ms(), fields, MU_COUNT(fields), NULL);
	if (store_commit(host->store, err) != MU_OK)
		return err->rc;
	mu_log("client.removed", "client", client->name, "platform", client->platform, NULL);
	return MU_OK;
}

enum mu_rc
api_client_retire(const struct api_client_host *host, const char *const *names, size_t name_count,
    struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };

	if (store_client_list(host->store, &clients, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < clients.count; i++) {
		size_t k = 0;

		if (!clients.list[i].configured)
			continue;
		while (k < name_count && strcmp(names[k], clients.list[i].name) != 0)
			k++;
		if (k == name_count && client_remove(host, &clients.list[i], err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

enum mu_rc
api_client_expiry_log(const struct api_client_host *host, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };

	if (store_client_list(host->store, &clients, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < clients.count; i++) {
		const struct store_client *c = &clients.list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf until = MU_BUF_INIT;

		if (c->not_after_s > now_s + AUTH_CLIENT_WARN_S)
			continue;
		mu_time_format(&until, c->not_after_s);
		mu_log(c->not_after_s > now_s ? "client.expiring" : "client.expired", "client", c->name,
		    "not_after", until.data, NULL);
	}
	return MU_OK;
}
