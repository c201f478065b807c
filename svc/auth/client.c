#include "auth/client.h"

#include <string.h>

enum mu_rc
auth_client_check(const struct store_client *client, int64_t now_s, struct mu_err *err)
{
	if (client == NULL)
		return mu_fail(err, MU_EDENIED, "No client is known by this certificate: have one issued.");
	if (client->not_after_s <= now_s)
		return mu_fail(err, MU_EDENIED, "The client's certificate has expired: have it renewed.");
	return MU_OK;
}

bool
auth_client_wants_issue(const struct store_client *client, const char *platform,
    const unsigned char csr_digest[32], int64_t now_s)
{
	return client == NULL || strcmp(client->platform, platform) != 0 ||
	    memcmp(client->csr_digest, csr_digest, sizeof(client->csr_digest)) != 0 ||
	    client->not_after_s <= now_s;
}

void
auth_client_encode(const struct store_client *client, struct mu_buf *b)
{
	mu_buf_text_add(b, "token_client:");
	mu_buf_column_add(b, client->client_id.bytes, sizeof(client->client_id.bytes));
	mu_buf_column_add(b, client->name, strlen(client->name));
	mu_buf_column_add(b, client->platform, strlen(client->platform));
	mu_buf_column_add(b, client->fingerprint, sizeof(client->fingerprint));
	mu_buf_format(b, "%lld:%lld", (long long)client->not_after_s, (long long)client->version);
}
