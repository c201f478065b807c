#include "filter/filter.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "filter/filter_priv.h"

/* --- A value, read as if it were folded -------------------------------------------------------- */

/* What is left of a value between two blanks at most; a run of blanks is one character. */
struct span {
	const char *at, *end;
};

static struct span
span_of(const char *value)
{
	struct span s = { value, value + strlen(value) };

	while (s.at < s.end && filter_blank(*s.at))
		s.at++;
	while (s.end > s.at && filter_blank(s.end[-1]))
		s.end--;
	return s;
}

static char
front_take(struct span *s)
{
	char c = *s->at++;

	if (!filter_blank(c))
		return filter_lower(c);
	while (s->at < s->end && filter_blank(*s->at))
		s->at++;
	return ' ';
}

static char
back_take(struct span *s)
{
	char c = *--s->end;

	if (!filter_blank(c))
		return filter_lower(c);
	while (s->end > s->at && filter_blank(s->end[-1]))
		s->end--;
	return ' ';
}

/* Takes a part off the front; false: it is not there, and s is as before. */
static bool
front_match(struct span *s, const struct filter_node *part)
{
	struct span left = *s;

	for (size_t i = 0; i < part->folded_bytes; i++)
		if (left.at == left.end || front_take(&left) != part->folded[i])
			return false;
	*s = left;
	return true;
}

static bool
back_match(struct span *s, const struct filter_node *part)
{
	struct span left = *s;

	for (size_t i = part->folded_bytes; i > 0; i--)
		if (left.at == left.end || back_take(&left) != part->folded[i - 1])
			return false;
	*s = left;
	return true;
}

/* Takes all up to the end of the first place where part stands. */
static bool
middle_match(struct span *s, const struct filter_node *part)
{
	struct span left = *s;

	while (!front_match(&left, part)) {
		if (left.at == left.end)
			return false;
		(void)front_take(&left);
	}
	*s = left;
	return true;
}

/* < 0, 0, > 0: value stands before, at or behind the assertion's, by bytes as folded. */
static int
folded_order(const char *value, const struct filter_node *n)
{
	struct span s = span_of(value);

	for (size_t i = 0; i < n->folded_bytes; i++) {
		unsigned char a, b = (unsigned char)n->folded[i];

		if (s.at == s.end)
			return -1;
		a = (unsigned char)front_take(&s);
		if (a != b)
			return a < b ? -1 : 1;
	}
	return s.at == s.end ? 0 : 1;
}

/* --- Assertions ------------------------------------------------------------------------------- */

static int
order(const char *value, const struct filter_node *n)
{
	int64_t number;

	if (n->is_number && mu_int_parse(value, INT64_MIN, INT64_MAX, &number))
		return (number > n->number) - (number < n->number);
	if (n->is_time && mu_generalized_time_parse(value, &number))
		return (number > n->time_s) - (number < n->time_s);
	return folded_order(value, n);
}

static bool
substrings_match(const struct filter *f, size_t index, const char *value)
{
	struct span s = span_of(value);

	/* The end first: what is between is then looked for from the left, and the first place will do. */
	for (size_t i = index + 1; i < f->nodes[index].next; i++) {
		const struct filter_node *part = &f->nodes[i];

		if ((part->kind == FILTER_INITIAL && !front_match(&s, part)) ||
		    (part->kind == FILTER_FINAL && !back_match(&s, part)))
			return false;
	}
	for (size_t i = index + 1; i < f->nodes[index].next; i++)
		if (f->nodes[i].kind == FILTER_ANY && !middle_match(&s, &f->nodes[i]))
			return false;
	return true;
}

static bool
value_match(const struct filter *f, size_t index, const char *value)
{
	const struct filter_node *n = &f->nodes[index];

	switch (n->kind) {
	case FILTER_EQUAL:
	case FILTER_APPROX:
		return folded_order(value, n) == 0;
	case FILTER_LEAST:
		return order(value, n) >= 0;
	case FILTER_MOST:
		return order(value, n) <= 0;
	case FILTER_SUBSTRINGS:
		return substrings_match(f, index, value);
	case FILTER_PRESENT:
		return true;
	case FILTER_AND:
	case FILTER_OR:
	case FILTER_NOT:
	case FILTER_INITIAL:
	case FILTER_ANY:
	case FILTER_FINAL:
		return false;
	}
	return false;
}

static bool
assertion_match(const struct filter *f, size_t index, const struct facts *facts)
{
	const struct filter_node *n = &f->nodes[index];
	const struct attr *attr = NULL;
	char *const *values = NULL;
	size_t count = 0;

	if (n->source)
		return facts->source != NULL && value_match(f, index, facts->source);
	if (n->group && facts->groups != NULL) {
		values = facts->groups->list;
		count = facts->groups->count;
	}
	if (!n->group && facts->attrs != NULL)
		attr = attrs_find(facts->attrs, n->attr);
	if (attr != NULL) {
		values = attr->values;
		count = attr->value_count;
	}
	for (size_t i = 0; i < count; i++)
		if (value_match(f, index, values[i]))
			return true;
	return false;
}

static bool
node_match(const struct filter *f, size_t index, const struct facts *facts)
{
	const struct filter_node *n = &f->nodes[index];
	size_t at = index + 1;

	switch (n->kind) {
	case FILTER_AND:
		while (at < n->next && node_match(f, at, facts))
			at = f->nodes[at].next;
		return at == n->next;
	case FILTER_OR:
		while (at < n->next && !node_match(f, at, facts))
			at = f->nodes[at].next;
		return at < n->next;
	case FILTER_NOT:
		return !node_match(f, at, facts);
	case FILTER_PRESENT:
	case FILTER_EQUAL:
	case FILTER_APPROX:
	case FILTER_LEAST:
	case FILTER_MOST:
	case FILTER_SUBSTRINGS:
		return assertion_match(f, index, facts);
	case FILTER_INITIAL:
	case FILTER_ANY:
	case FILTER_FINAL:
		return false;
	}
	return false;
}

bool
filter_match(const struct filter *f, const struct facts *facts)
{
	return node_match(f, 0, facts);
}

bool
filter_asks_group(const struct filter *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->nodes[i].group && value_match(f, i, name))
			return true;
	return false;
}
