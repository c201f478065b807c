#include "store/store_priv.h"

#include "base/text.h"
#include "model/account.h"

#include <string.h>

const char *
row_text(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column);
}

char *
row_text_copy(const PGresult *rows, int row, int column)
{
	return mu_strdup(PQgetvalue(rows, row, column));
}

int64_t
row_int(const PGresult *rows, int row, int column)
{
	int64_t value = 0;

	(void)mu_int_parse(PQgetvalue(rows, row, column), INT64_MIN, INT64_MAX, &value);
	return value;
}

bool
row_bool(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

void
row_uuid(const PGresult *rows, int row, int column, struct mu_uuid *out_uuid)
{
	if (!mu_uuid_parse(PQgetvalue(rows, row, column), out_uuid))
		*out_uuid = (struct mu_uuid){ .bytes = { 0 } };
}

bool
row_bytes(const PGresult *rows, int row, int column, void *out_bytes, size_t bytes_count)
{
	const char *text = PQgetvalue(rows, row, column);

	return mu_text_starts(text, "\\x") && mu_hex_parse(text + 2, out_bytes, bytes_count);
}

void
row_buf(const PGresult *rows, int row, int column, struct mu_buf *out_buf)
{
	size_t bytes_count = strlen(PQgetvalue(rows, row, column)) / 2;

	mu_buf_reset(out_buf);
	if (bytes_count < 2)
		return;
	mu_buf_reserve(out_buf, --bytes_count);
	if (row_bytes(rows, row, column, out_buf->data, bytes_count))
		out_buf->size_bytes = bytes_count;
	out_buf->data[out_buf->size_bytes] = '\0';
}

void
row_secret(const PGresult *rows, int row, int column, struct mu_secret *out_secret)
{
	struct mu_buf bytes = MU_BUF_INIT;

	row_buf(rows, row, column, &bytes);
	mu_secret_set(out_secret, mu_buf_text(&bytes), bytes.size_bytes);
	mu_buf_wipe(&bytes);
}

enum mu_rc
store_row_fail(struct mu_err *err, const char *what, const struct mu_uuid *id)
{
	char text[MU_UUID_TEXT_BYTES];

	return mu_fail(err, MU_EBROKEN, "store: the row of %s %s is not what musterd writes:"
	    " restore it", what, mu_uuid_format(id, text));
}

enum mu_rc
row_account(const PGresult *rows, int row, int column, struct account_want *out_want,
    unsigned char *out_mac, struct mu_err *err)
{
	struct account_want w = { .version = row_int(rows, row, column + 8) };

	row_uuid(rows, row, column, &w.account_id);
	row_uuid(rows, row, column + 1, &w.person_id);
	w.platform = row_text_copy(rows, row, column + 2);
	w.name = row_text_copy(rows, row, column + 3);
	if (!row_bytes(rows, row, column + 4, w.subject, sizeof(w.subject)) ||
	    !account_state_parse(row_text(rows, row, column + 5), &w.state) ||
	    !strings_parse(row_text(rows, row, column + 6), &w.roles) ||
	    !entitlements_parse(row_text(rows, row, column + 7), &w.entitlements) ||
	    !row_bytes(rows, row, column + 9, out_mac, MAC_BYTES)) {
		(void)store_row_fail(err, "account", &w.account_id);
		account_want_clear(&w);
		return err->rc;
	}
	*out_want = w;
	return MU_OK;
}
