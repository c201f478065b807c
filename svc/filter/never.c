/*
 * filter/never.c - filters that cannot hold together, whoever the person is
 *
 * Each is brought into disjunctive form; a conjunction is impossible when it asks for an assertion
 * and against it, or for a value of an attribute that is not to be there. An attribute may hold many
 * values, so two values of one attribute are no contradiction.
 */
#include "filter/filter.h"
#include "filter/filter_priv.h"

#include <string.h>
#include <strings.h>

#define TERMS_MAX	256	/* beyond that nothing is said */
#define LITERALS_MAX	64

struct literal {
	const struct filter *filter;
	size_t at;			/* an assertion, its parts behind it */
	bool negated;
};

struct term {
	struct literal list[LITERALS_MAX];
	size_t count;
};

struct terms {
	struct term *list;
	size_t count;
	bool too_many;
};

static void
terms_clear(struct terms *t)
{
	mu_free(t->list);
	*t = (struct terms){ .count = 0 };
}

static struct term *
term_add(struct terms *t)
{
	if (t->count == TERMS_MAX) {
		t->too_many = true;
		return NULL;
	}
	t->list = mu_alloc_again(t->list, t->count + 1, sizeof(*t->list));
	t->list[t->count] = (struct term){ .count = 0 };
	return &t->list[t->count++];
}

/* Both lists of conjunctions at once: each of one with each of the other. */
static void
terms_multiply(struct terms *t, const struct terms *by)
{
	struct terms product = { .too_many = t->too_many || by->too_many };

	for (size_t i = 0; i < t->count && !product.too_many; i++)
		for (size_t k = 0; k < by->count; k++) {
			const struct term *a = &t->list[i], *b = &by->list[k];
			struct term *both = a->count + b->count > LITERALS_MAX ?
			    NULL : term_add(&product);

			if (both == NULL) {
				product.too_many = true;
				break;
			}
			*both = *a;
			(void)memcpy(&both->list[both->count], b->list,
			    b->count * sizeof(*b->list));
			both->count += b->count;
		}
	terms_clear(t);
	*t = product;
}

static void
terms_join(struct terms *t, const struct terms *more)
{
	t->too_many = t->too_many || more->too_many;
	for (size_t i = 0; i < more->count; i++) {
		struct term *one = term_add(t);

		if (one != NULL)
			*one = more->list[i];
	}
}

static void
terms_of(const struct filter *f, size_t at, bool negated, struct terms *out)
{
	const struct filter_node *n = &f->nodes[at];
	bool all = (n->kind == FILTER_AND) != negated;
	struct term *one;

	*out = (struct terms){ .count = 0 };
	if (n->kind == FILTER_NOT) {
		terms_of(f, at + 1, !negated, out);
		return;
	}
	if (n->kind != FILTER_AND && n->kind != FILTER_OR) {
		one = term_add(out);
		one->list[one->count++] = (struct literal){ f, at, negated };
		return;
	}
	if (all)
		(void)term_add(out);		/* of nothing: it holds */
	for (size_t child = at + 1; child < n->next && !out->too_many;
	    child = f->nodes[child].next) {
		MU_AUTO(terms_clear) struct terms more = { .count = 0 };

		terms_of(f, child, negated, &more);
		if (all)
			terms_multiply(out, &more);
		else
			terms_join(out, &more);
	}
}

static enum filter_kind
kind_of(const struct filter_node *n)
{
	return n->kind == FILTER_APPROX ? FILTER_EQUAL : n->kind;
}

static bool
is_same_value(const struct filter_node *a, const struct filter_node *b)
{
	if ((a->value == NULL) != (b->value == NULL) || a->is_time != b->is_time ||
	    a->is_number != b->is_number)
		return false;
	return a->value == NULL || (a->folded_bytes == b->folded_bytes &&
	    memcmp(a->folded, b->folded, a->folded_bytes) == 0);
}

/* Does whoever matches x match y, too? */
static bool
implies(const struct literal *x, const struct literal *y)
{
	const struct filter_node *a = &x->filter->nodes[x->at], *b = &y->filter->nodes[y->at];
	size_t parts = a->next - x->at;

	if (strcasecmp(a->attr, b->attr) != 0)
		return false;
	if (b->kind == FILTER_PRESENT)
		return true;
	if (kind_of(a) != kind_of(b) || parts != b->next - y->at || !is_same_value(a, b))
		return false;
	for (size_t i = 1; i < parts; i++)
		if (a[i].kind != b[i].kind || !is_same_value(&a[i], &b[i]))
			return false;
	return true;
}

static bool
is_impossible(const struct term *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->count; k++)
			if (!t->list[i].negated && t->list[k].negated && implies(&t->list[i],
			    &t->list[k]))
				return true;
	return false;
}

bool
filter_never(const struct filter *const *filters, size_t count)
{
	MU_AUTO(terms_clear) struct terms all = { .count = 0 };

	(void)term_add(&all);
	for (size_t i = 0; i < count && !all.too_many; i++) {
		MU_AUTO(terms_clear) struct terms one = { .count = 0 };

		terms_of(filters[i], 0, false, &one);
		terms_multiply(&all, &one);
	}
	for (size_t i = 0; i < all.count && !all.too_many; i++)
		if (!is_impossible(&all.list[i]))
			return false;
	return !all.too_many;
}
