#include "filter/filter.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "filter/filter_priv.h"

#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

struct parser {
	const char *text, *at;
	filter_attr_fn *allowed;
	void *ctx;
	struct filter *f;
	struct mu_err *err;
};

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		mu_free(f->nodes[i].attr);
		mu_free(f->nodes[i].value);
		mu_free(f->nodes[i].folded);
	}
	mu_free(f->nodes);
	mu_free(f);
}

void
filter_freep(struct filter **f)
{
	filter_free(*f);
	*f = NULL;
}

static enum mu_rc
fail_at(struct parser *p, const char *at, const char *text)
{
	return mu_fail(p->err, MU_EINPUT, "filter, byte %zu: %s", (size_t)(at - p->text) + 1, text);
}

static void
blanks_skip(struct parser *p)
{
	while (filter_blank(*p->at))
		p->at++;
}

/* The index of a fresh node; false when there are too many. */
static bool
node_add(struct parser *p, enum filter_kind kind, size_t *out_index)
{
	struct filter *f = p->f;

	if (f->count == FILTER_NODES_MAX) {
		(void)fail_at(p, p->at, "too long: split it into several roles or rules");
		return false;
	}
	if ((f->count & (f->count - 1)) == 0)
		f->nodes = mu_alloc_again(f->nodes, f->count == 0 ? 1 : 2 * f->count, sizeof(*f->nodes));
	f->nodes[f->count] = (struct filter_node){ .kind = kind, .next = f->count + 1 };
	*out_index = f->count++;
	return true;
}

/*
 * Folds a value as it is compared. A part of a substring assertion keeps one blank at an end at
 * which the value may go on.
 */
static void
node_fold(struct filter_node *n)
{
	bool blank = n->kind != FILTER_ANY && n->kind != FILTER_FINAL, more;
	char *out = n->folded = mu_alloc(strlen(n->value) + 1);

	/* blank: the last character was one, or one here would be the first and does not count */
	for (const char *at = n->value; *at != '\0'; at++) {
		if (!filter_blank(*at))
			*out++ = filter_lower(*at);
		else if (!blank)
			*out++ = ' ';
		blank = filter_blank(*at);
	}
	more = n->kind == FILTER_INITIAL || n->kind == FILTER_ANY;
	if (!more && out > n->folded && out[-1] == ' ')
		out--;
	*out = '\0';
	n->folded_bytes = (size_t)(out - n->folded);
	n->is_number = mu_int_parse(n->value, INT64_MIN, INT64_MAX, &n->number);
	n->is_time = mu_generalized_time_parse(n->value, &n->time_s);
}

/* RFC 4515 3, valueencoding: reads up to '*', ')' or the end into a fresh string. */
static enum mu_rc
value_parse(struct parser *p, char **out_value)
{
	MU_AUTO(mu_buf_clear) struct mu_buf value = MU_BUF_INIT;
	const char *start = p->at;

	for (; *p->at != '\0' && *p->at != '*' && *p->at != ')'; p->at++) {
		const char pair[3] = { p->at[1], p->at[1] == '\0' ? '\0' : p->at[2], '\0' };
		unsigned char byte;

		if (*p->at == '(')
			return fail_at(p, p->at, "a '(' in a value is written \\28");
		if (*p->at != '\\') {
			mu_buf_char_add(&value, *p->at);
			continue;
		}
		if (!mu_hex_parse(pair, &byte, 1))
			return fail_at(p, p->at, "a '\\' is followed by two hex digits, itself it "
			    "is written \\5c");
		if (byte == 0)
			return fail_at(p, p->at, "no value holds a NUL (\\00)");
		mu_buf_char_add(&value, (char)byte);
		p->at += 2;
	}
	if (!mu_utf8_valid(mu_buf_text(&value), value.size_bytes))
		return fail_at(p, start, "this value is not UTF-8");
	*out_value = mu_strdup(mu_buf_text(&value));
	return MU_OK;
}

/* Adds a part with its value, which it takes; an empty one says nothing. */
static bool
part_add(struct parser *p, enum filter_kind kind, char *value)
{
	bool said = value[0] != '\0';
	size_t index;

	if (!said || !node_add(p, kind, &index)) {
		mu_free(value);
		return !said;
	}
	p->f->nodes[index].value = value;
	node_fold(&p->f->nodes[index]);
	return true;
}

/* What stands behind "attr=" and has a '*' in it. initial, which it takes, stood before that. */
static enum mu_rc
parts_parse(struct parser *p, size_t whole, char *initial)
{
	if (!part_add(p, FILTER_INITIAL, initial))
		return p->err->rc;
	while (*p->at == '*') {
		char *value;

		if (p->at[1] == '*')
			return fail_at(p, p->at, "two '*' in a row: one is enough");
		p->at++;
		if (value_parse(p, &value) != MU_OK)
			return p->err->rc;
		if (!part_add(p, *p->at == '*' ? FILTER_ANY : FILTER_FINAL, value))
			return p->err->rc;
	}
	p->f->nodes[whole].next = p->f->count;
	p->f->nodes[whole].kind = p->f->count == whole + 1 ? FILTER_PRESENT : FILTER_SUBSTRINGS;
	return MU_OK;
}

static enum mu_rc
attr_parse(struct parser *p, size_t index)
{
	size_t length = strspn(p->at, LETTERS DIGITS "-.;_");
	char *name = p->f->nodes[index].attr = mu_strndup(p->at, length);

	if (length == 0)
		return fail_at(p, p->at, "expected an attribute's name, or one of & | !");
	if (strchr(name, ';') != NULL)
		return fail_at(p, p->at, "attribute options (;) are not known here");
	p->f->nodes[index].group = mu_text_equal_fold(name, FACTS_GROUP_ATTR);
	p->f->nodes[index].source = mu_text_equal_fold(name, FACTS_SOURCE_ATTR);
	if (!p->f->nodes[index].group && !p->f->nodes[index].source && p->allowed != NULL &&
	    !p->allowed(p->ctx, name))
		return mu_fail(p->err, MU_EINPUT, "filter, byte %zu: unknown attribute '%.80s': "
		    "filters ask for the names on the left of the attribute map, for "
		    FACTS_GROUP_ATTR " and for " FACTS_SOURCE_ATTR,
		    (size_t)(p->at - p->text) + 1, name);
	p->at += length;
	return MU_OK;
}

static enum mu_rc
assertion_parse(struct parser *p)
{
	static const struct {
		const char *sign;
		enum filter_kind kind;
	} signs[] = { { "=", FILTER_EQUAL }, { "~=", FILTER_APPROX }, { ">=", FILTER_LEAST }, { "<=", FILTER_MOST } };
	size_t index, i = 0;
	char *value;

	if (!node_add(p, FILTER_EQUAL, &index) || attr_parse(p, index) != MU_OK)
		return p->err->rc;
	if (*p->at == ':')
		return fail_at(p, p->at, "extensible match (:=) is not known here");
	while (i < MU_COUNT(signs) && !mu_text_starts(p->at, signs[i].sign))
		i++;
	if (i == MU_COUNT(signs))
		return fail_at(p, p->at, "expected one of = ~= >= <= behind the attribute's name");
	p->f->nodes[index].kind = signs[i].kind;
	p->at += strlen(signs[i].sign);
	if (value_parse(p, &value) != MU_OK)
		return p->err->rc;
	if (*p->at == '*' && signs[i].kind == FILTER_EQUAL)
		return parts_parse(p, index, value);
	p->f->nodes[index].value = value;
	node_fold(&p->f->nodes[index]);
	if (*p->at == '*')
		return fail_at(p, p->at, "a '*' stands behind = alone; in a value it is written "
		    "\\2a");
	return MU_OK;
}

static enum mu_rc filter_parse_one(struct parser *p, size_t depth);

/* Behind the operator: none or more, and exactly one for !. */
static enum mu_rc
operands_parse(struct parser *p, enum filter_kind kind, size_t depth)
{
	const char *start = p->at++;
	size_t index, operand_count = 0;

	if (!node_add(p, kind, &index))
		return p->err->rc;
	for (blanks_skip(p); *p->at == '('; blanks_skip(p)) {
		if (filter_parse_one(p, depth + 1) != MU_OK)
			return p->err->rc;
		operand_count++;
	}
	if (kind == FILTER_NOT && operand_count != 1)
		return fail_at(p, start, "! is followed by one filter in brackets");
	p->f->nodes[index].next = p->f->count;
	return MU_OK;
}

static enum mu_rc
filter_parse_one(struct parser *p, size_t depth)
{
	enum mu_rc rc;

	if (*p->at != '(')
		return fail_at(p, p->at, "expected '('");
	if (depth > FILTER_DEPTH_MAX)
		return fail_at(p, p->at, "nested too deeply");
	p->at++;
	blanks_skip(p);
	if (*p->at == '&')
		rc = operands_parse(p, FILTER_AND, depth);
	else if (*p->at == '|')
		rc = operands_parse(p, FILTER_OR, depth);
	else if (*p->at == '!')
		rc = operands_parse(p, FILTER_NOT, depth);
	else
		rc = assertion_parse(p);
	if (rc != MU_OK)
		return rc;
	if (*p->at != ')')
		return fail_at(p, p->at, *p->at == '\0' ? "the filter ends here: a ')' is "
		    "missing" : "expected ')'");
	p->at++;
	return MU_OK;
}

enum mu_rc
filter_parse(const char *text, filter_attr_fn *allowed, void *ctx, struct filter **out_filter,
    struct mu_err *err)
{
	MU_AUTO(filter_freep) struct filter *f = mu_alloc_zero(1, sizeof(*f));
	struct parser p = { text, text, allowed, ctx, f, err };

	if (strlen(text) > FILTER_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "filter: longer than %d bytes", FILTER_MAX_BYTES);
	blanks_skip(&p);
	if (filter_parse_one(&p, 1) != MU_OK)
		return err->rc;
	blanks_skip(&p);
	if (*p.at != '\0')
		return fail_at(&p, p.at, "the filter has ended, what is this?");
	*out_filter = MU_TAKE(f);
	return MU_OK;
}
