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

#define WANT_USUAL_BYTES 300

void
account_want_encode(const struct account_want *w, struct mu_buf *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf roles = MU_BUF_INIT, rights = MU_BUF_INIT;
	const char *state = account_state_name(w->state);

	mu_buf_reserve(b, WANT_USUAL_BYTES);
	strings_format(&w->roles, &roles);
	entitlements_format(&w->entitlements, &rights);
	mu_buf_text_add(b, "account:");
	mu_buf_column_add(b, w->account_id.bytes, sizeof(w->account_id.bytes));
	mu_buf_column_add(b, w->person_id.bytes, sizeof(w->person_id.bytes));
	mu_buf_column_add(b, w->platform, strlen(w->platform));
	mu_buf_column_add(b, w->name, strlen(w->name));
	mu_buf_column_add(b, w->subject, sizeof(w->subject));
	mu_buf_column_add(b, state, strlen(state));
	mu_buf_column_add(b, roles.data, roles.size_bytes);
	mu_buf_column_add(b, rights.data, rights.size_bytes);
	mu_buf_format(b, "%lld", (long long)w->version);
}
