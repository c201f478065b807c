#include "model/grant.h"

#include <string.h>

void
grant_clear(struct grant *g)
{
	mu_free(g->role);
	mu_free(g->reason);
	*g = (struct grant){ .role = NULL };
}

void
grant_encode(const struct grant *g, struct mu_buf *b)
{
	mu_buf_text_add(b, "grant:");
	mu_buf_column_add(b, g->grant_id.bytes, sizeof(g->grant_id.bytes));
	mu_buf_column_add(b, g->person_id.bytes, sizeof(g->person_id.bytes));
	mu_buf_column_add(b, g->granted_by.bytes, sizeof(g->granted_by.bytes));
	mu_buf_column_add(b, g->role, strlen(g->role));
	mu_buf_column_add(b, g->reason, strlen(g->reason));
	mu_buf_format(b, "%lld:%lld:", (long long)g->starts_at_s, (long long)g->ends_at_s);
	mu_buf_column_add(b, g->action_digest, sizeof(g->action_digest));
	if (g->reviewed_at_s == 0)
		return;
	mu_buf_format(b, "reviewed:%lld:", (long long)g->reviewed_at_s);
	mu_buf_column_add(b, g->reviewed_by.bytes, sizeof(g->reviewed_by.bytes));
}

void
identification_clear(struct identification *i)
{
	mu_free(i->level);
	mu_free(i->method);
	mu_free(i->evidence);
	*i = (struct identification){ .level = NULL };
}

void
identification_encode(const struct identification *i, struct mu_buf *b)
{
	mu_buf_text_add(b, "identification:");
	mu_buf_column_add(b, i->person_id.bytes, sizeof(i->person_id.bytes));
	mu_buf_column_add(b, i->verifier.bytes, sizeof(i->verifier.bytes));
	mu_buf_column_add(b, i->level, strlen(i->level));
	mu_buf_column_add(b, i->method, strlen(i->method));
	mu_buf_column_add(b, i->evidence, strlen(i->evidence));
	mu_buf_format(b, "%lld:%lld", (long long)i->identified_at_s, (long long)i->version);
}
