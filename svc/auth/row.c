#include "auth/auth_priv.h"

#include "base/log.h"

#include <string.h>

#define ROWS_MAX 3

static void
uuid_column(struct mu_buf *b, const struct mu_uuid *uuid)
{
	mu_buf_column_add(b, uuid->bytes, sizeof(uuid->bytes));
}

static void
text_column(struct mu_buf *b, const char *text)
{
	mu_buf_column_add(b, text, strlen(text));
}

void
auth_administrator_encode(const struct store_administrator *a, struct mu_buf *b)
{
	mu_buf_text_add(b, "administrator:");
	uuid_column(b, &a->person_id);
	text_column(b, a->role);
	uuid_column(b, &a->enrolled_by);
	mu_buf_format(b, "%lld:%d:%lld", (long long)a->enrolled_at_s, a->active, (long long)a->version);
}

void
auth_seed_encode(const struct mu_uuid *person_id, const struct store_seed *seed, struct mu_buf *b)
{
	mu_buf_text_add(b, "totp_seed:");
	uuid_column(b, person_id);
	uuid_column(b, &seed->seed_id);
	mu_buf_column_add(b, seed->sealed.bytes, seed->sealed.size_bytes);
	text_column(b, seed->algorithm);
	mu_buf_format(b, "%d:%lld", seed->confirmed, (long long)seed->version);
}

void
auth_session_encode(const struct store_session *x, struct mu_buf *b)
{
	mu_buf_text_add(b, "session:");
	uuid_column(b, &x->session_id);
	uuid_column(b, &x->person_id);
	mu_buf_column_add(b, x->fingerprint, sizeof(x->fingerprint));
	text_column(b, x->address);
	mu_buf_format(b, "%lld:%lld", (long long)x->issued_at_s, (long long)x->expires_at_s);
}

void
auth_enrolment_encode(const struct mu_uuid *person_id, const unsigned char sha256[32], int64_t expires_at_s,
    struct mu_buf *b)
{
	mu_buf_text_add(b, "enrolment:");
	uuid_column(b, person_id);
	mu_buf_column_add(b, sha256, 32);
	mu_buf_format(b, "%lld", (long long)expires_at_s);
}

bool
auth_seed_exists(const struct store_seed *seed)
{
	static const struct mu_uuid none = { { 0 } };

	return !mu_uuid_equal(&seed->seed_id, &none);
}

enum mu_rc
auth_rows_check(const struct auth_host *h, const struct store_administrator *a,
    const struct store_session *session, struct auth_wrong *out_wrong, struct mu_err *err)
{
	struct mu_buf bytes[ROWS_MAX] = { MU_BUF_INIT, MU_BUF_INIT, MU_BUF_INIT };
	struct auth_wrong rows[ROWS_MAX] = { { "administrator", a->person_id } };
	unsigned char macs[ROWS_MAX][MAC_BYTES];
	bool right[ROWS_MAX];
	size_t count = 1;
	enum mu_rc rc;

	auth_administrator_encode(a, &bytes[0]);
	(void)memcpy(macs[0], a->mac, MAC_BYTES);
	if (auth_seed_exists(&a->seed)) {
		auth_seed_encode(&a->person_id, &a->seed, &bytes[count]);
		(void)memcpy(macs[count], a->seed.mac, MAC_BYTES);
		rows[count++] = (struct auth_wrong){ "totp_seed", a->seed.seed_id };
	}
	if (session != NULL) {
		auth_session_encode(session, &bytes[count]);
		(void)memcpy(macs[count], session->mac, MAC_BYTES);
		rows[count++] = (struct auth_wrong){ "session", session->session_id };
	}
	rc = auth_mac_check((void *)(uintptr_t)h, bytes, (const unsigned char (*)[MAC_BYTES])macs, count,
	    right, err);
	*out_wrong = (struct auth_wrong){ .table = NULL };
	for (size_t i = 0; i < count; i++) {
		if (rc == MU_OK && !right[i] && out_wrong->table == NULL)
			*out_wrong = rows[i];
		mu_buf_clear(&bytes[i]);
	}
	return rc;
}

void
auth_wrong_record(const struct auth_host *h, const struct auth_wrong *wrong, const struct mu_uuid *person_id,
    int64_t now_ms)
{
	char row[MU_UUID_TEXT_BYTES], person[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("table", wrong->table),
		AUDIT_TEXT("row", mu_uuid_format(&wrong->row, row)),
		AUDIT_TEXT("person", mu_uuid_format(person_id, person)),
	};

	audit_record(h->store, AUDIT_ROW_TAMPERED, now_ms, fields, MU_COUNT(fields), NULL);
	mu_log("row.tampered", "table", wrong->table, "row", row, "person", person, NULL);
}

enum mu_rc
auth_rows_mac(const struct auth_host *h, struct store_administrator *a, struct mu_err *err)
{
	struct mu_buf bytes[2] = { MU_BUF_INIT, MU_BUF_INIT };
	unsigned char macs[2][MAC_BYTES];
	bool seed = auth_seed_exists(&a->seed);
	enum mu_rc rc;

	auth_administrator_encode(a, &bytes[0]);
	if (seed)
		auth_seed_encode(&a->person_id, &a->seed, &bytes[1]);
	rc = auth_mac((void *)(uintptr_t)h, bytes, seed ? 2 : 1, macs, err);
	if (rc == MU_OK)
		(void)memcpy(a->mac, macs[0], MAC_BYTES);
	if (rc == MU_OK && seed)
		(void)memcpy(a->seed.mac, macs[1], MAC_BYTES);
	mu_buf_clear(&bytes[0]);
	mu_buf_clear(&bytes[1]);
	return rc;
}
