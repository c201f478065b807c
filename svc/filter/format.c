#include "filter/filter.h"

#include <string.h>

#include "filter/filter_priv.h"

/* RFC 4515 3: what would end or bend a value is escaped, and what would not show. */
static void
value_format(const char *value, struct mu_buf *b)
{
	for (const char *at = value; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if (c < 0x20 || c == 0x7f || strchr("*()\\", c) != NULL)
			mu_buf_format(b, "\\%02x", c);
		else
			mu_buf_char_add(b, *at);
	}
}

static void
substrings_format(const struct filter *f, size_t index, struct mu_buf *b)
{
	const struct filter_node *n = &f->nodes[index];

	mu_buf_format(b, "(%s=", n->attr);
	for (size_t i = index + 1; i < n->next; i++) {
		if (f->nodes[i].kind != FILTER_INITIAL)
			mu_buf_char_add(b, '*');
		value_format(f->nodes[i].value, b);
	}
	if (f->nodes[n->next - 1].kind != FILTER_FINAL)
		mu_buf_char_add(b, '*');
	mu_buf_char_add(b, ')');
}

static void
assertion_format(const struct filter_node *n, const char *sign, struct mu_buf *b)
{
	mu_buf_format(b, "(%s%s", n->attr, sign);
	value_format(n->value, b);
	mu_buf_char_add(b, ')');
}

static void
node_format(const struct filter *f, size_t index, struct mu_buf *b)
{
	const struct filter_node *n = &f->nodes[index];

	switch (n->kind) {
	case FILTER_AND:
	case FILTER_OR:
	case FILTER_NOT:
		mu_buf_format(b, "(%c", n->kind == FILTER_AND ? '&' : n->kind == FILTER_OR ? '|' : '!');
		for (size_t at = index + 1; at < n->next; at = f->nodes[at].next)
			node_format(f, at, b);
		mu_buf_char_add(b, ')');
		return;
	case FILTER_PRESENT:
		mu_buf_format(b, "(%s=*)", n->attr);
		return;
	case FILTER_EQUAL:
		assertion_format(n, "=", b);
		return;
	case FILTER_APPROX:
		assertion_format(n, "~=", b);
		return;
	case FILTER_LEAST:
		assertion_format(n, ">=", b);
		return;
	case FILTER_MOST:
		assertion_format(n, "<=", b);
		return;
	case FILTER_SUBSTRINGS:
		substrings_format(f, index, b);
		return;
	case FILTER_INITIAL:
	case FILTER_ANY:
	case FILTER_FINAL:
		return;
	}
}

void
filter_format(const struct filter *f, struct mu_buf *b)
{
	node_format(f, 0, b);
}

void
filter_each_attr(const struct filter *f, filter_mention_fn *fn, void *ctx)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->nodes[i].attr != NULL)
			fn(ctx, f->nodes[i].attr);
}
