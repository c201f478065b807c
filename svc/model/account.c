#include "model/account.h"

#include "base/text.h"

#include <string.h>

void
account_want_clear(struct account_want *w)
{
	mu_free(w->platform);
	mu_free(w->name);
	strings_clear(&w->roles);
	entitlements_clear(&w->entitlements);
	*w = (struct account_want){ .version = 0 };
}

static void
column_encode(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	mu_buf_format(b, "%zu:", bytes_count);
	mu_buf_add(b, bytes, bytes_count);
}

void
account_want_encode(const struct account_want *w, struct mu_buf *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf roles = MU_BUF_INIT, rights = MU_BUF_INIT;
	const char *state = account_state_name(w->state);

	strings_format(&w->roles, &roles);
	entitlements_format(&w->entitlements, &rights);
	mu_buf_text_add(b, "account:");
	column_encode(b, w->account_id.bytes, sizeof(w->account_id.bytes));
	column_encode(b, w->person_id.bytes, sizeof(w->person_id.bytes));
	column_encode(b, w->platform, strlen(w->platform));
	column_encode(b, w->name, strlen(w->name));
	column_encode(b, w->subject, sizeof(w->subject));
	column_encode(b, state, strlen(state));
	column_encode(b, roles.data, roles.size_bytes);
	column_encode(b, rights.data, rights.size_bytes);
	mu_buf_format(b, "%lld", (long long)w->version);
}
