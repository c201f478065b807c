#include "model/attrs.h"

#include <string.h>
#include <strings.h>

#define ATTR_VALUES_MAX		100000		/* of one attribute in one encoding */
#define ATTR_PART_MAX_BYTES	(1 << 30)	/* one name or value */

static void
attr_clear(struct attr *one)
{
	for (size_t i = 0; i < one->value_count; i++)
		mu_free(one->values[i]);
	mu_free(one->values);
	mu_free(one->name);
}

void
attrs_clear(struct attrs *a)
{
	for (size_t i = 0; i < a->count; i++)
		attr_clear(&a->list[i]);
	mu_free(a->list);
	*a = (struct attrs)ATTRS_INIT;
}

/* Where name stands or would stand. */
static size_t
place(const struct attrs *a, const char *name, bool *out_found)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcasecmp(a->list[middle].name, name);

		if (order == 0) {
			*out_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*out_found = false;
	return low;
}

static void
value_add(struct attr *one, const char *value)
{
	size_t at = 0;

	while (at < one->value_count && strcmp(one->values[at], value) < 0)
		at++;
	if (at < one->value_count && strcmp(one->values[at], value) == 0)
		return;
	one->values = mu_alloc_again(one->values, one->value_count + 1, sizeof(*one->values));
	(void)memmove(one->values + at + 1, one->values + at,
	    (one->value_count - at) * sizeof(*one->values));
	one->values[at] = mu_strdup(value);
	one->value_count++;
}

void
attrs_add(struct attrs *a, const char *name, const char *value)
{
	bool found;
	size_t at = place(a, name, &found);

	if (!found) {
		a->list = mu_alloc_again(a->list, a->count + 1, sizeof(*a->list));
		(void)memmove(a->list + at + 1, a->list + at, (a->count - at) * sizeof(*a->list));
		a->list[at] = (struct attr){ .name = mu_strdup(name) };
		a->count++;
	}
	value_add(&a->list[at], value);
}

const struct attr *
attrs_find(const struct attrs *a, const char *name)
{
	bool found;
	size_t at = place(a, name, &found);

	return found ? &a->list[at] : NULL;
}

const char *
attrs_first(const struct attrs *a, const char *name)
{
	const struct attr *one = attrs_find(a, name);

	return one == NULL ? NULL : one->values[0];
}

bool
attrs_equal(const struct attrs *a, const struct attrs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct attr *x = &a->list[i], *y = &b->list[i];

		if (x->value_count != y->value_count || strcasecmp(x->name, y->name) != 0)
			return false;
		for (size_t k = 0; k < x->value_count; k++)
			if (strcmp(x->values[k], y->values[k]) != 0)
				return false;
	}
	return true;
}

void
attrs_copy(struct attrs *out, const struct attrs *from)
{
	struct attrs copy = ATTRS_INIT;

	for (size_t i = 0; i < from->count; i++)
		for (size_t k = 0; k < from->list[i].value_count; k++)
			attrs_add(&copy, from->list[i].name, from->list[i].values[k]);
	*out = copy;
}

static void
number_encode(struct mu_buf *b, size_t number)
{
	mu_buf_number_add(b, number);
	mu_buf_char_add(b, ':');
}

static void
part_encode(struct mu_buf *b, const char *text)
{
	mu_buf_column_add(b, text, strlen(text));
}

void
attrs_encode(const struct attrs *a, struct mu_buf *b)
{
	for (size_t i = 0; i < a->count; i++) {
		part_encode(b, a->list[i].name);
		number_encode(b, a->list[i].value_count);
		for (size_t k = 0; k < a->list[i].value_count; k++)
			part_encode(b, a->list[i].values[k]);
	}
}

/* Reads "N:" at *at and moves past it; N is at most max. */
static bool
number_decode(const char **at, size_t max, size_t *out_number)
{
	size_t number = 0;
	const char *s = *at;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] != ':'))
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		number = number * 10 + (size_t)(*s - '0');
		if (number > max)
			return false;
	}
	if (*s != ':')
		return false;
	*at = s + 1;
	*out_number = number;
	return true;
}

/* Reads one part at *at into a fresh string; NULL when it is malformed. */
static char *
part_decode(const char **at)
{
	size_t length;
	char *part;

	if (!number_decode(at, ATTR_PART_MAX_BYTES, &length) || strnlen(*at, length) < length)
		return NULL;
	part = mu_strndup(*at, length);
	*at += length;
	return part;
}

/* Reads count values, each behind the one before, into the last attribute of a. */
static bool
values_decode(const char **at, size_t count, struct attrs *a, const char *name)
{
	const char *last = NULL;

	for (size_t i = 0; i < count; i++) {
		MU_AUTO(mu_freep) char *value = part_decode(at);
		const struct attr *one;

		if (value == NULL || (last != NULL && strcmp(last, value) >= 0))
			return false;
		attrs_add(a, name, value);
		one = &a->list[a->count - 1];
		last = one->values[one->value_count - 1];
	}
	return true;
}

bool
attrs_decode(const char *text, struct attrs *out_attrs)
{
	struct attrs a = ATTRS_INIT;
	const char *at = text;

	while (*at != '\0') {
		MU_AUTO(mu_freep) char *name = part_decode(&at);
		size_t count;

		if (name == NULL || !number_decode(&at, ATTR_VALUES_MAX, &count) || count == 0 ||
		    (a.count > 0 && strcasecmp(a.list[a.count - 1].name, name) >= 0) ||
		    !values_decode(&at, count, &a, name)) {
			attrs_clear(&a);
			return false;
		}
	}
	*out_attrs = a;
	return true;
}

/* --- Views ---------------------------------------------------------------------------------- */

/*
 * Reads one part at *at and moves past it. Its end is where the next number begins, so it gets its
 * NUL (at *end) when that has been read.
 */
static char *
part_view(char **at, char **end)
{
	const char *from = *at;
	size_t length;
	char *part;

	if (!number_decode(&from, ATTR_PART_MAX_BYTES, &length) || strnlen(from, length) < length)
		return NULL;
	part = *at + (from - *at);
	if (*end != NULL)
		**end = '\0';
	*at = *end = part + length;
	return part;
}

static void
view_grow(struct attrs_view *v, size_t value_count)
{
	if (v->attrs.count == v->room) {
		v->room = v->room == 0 ? 16 : 2 * v->room;
		v->attrs.list = mu_alloc_again(v->attrs.list, v->room, sizeof(*v->attrs.list));
	}
	if (value_count > v->value_room) {
		v->value_room = 2 * value_count + 16;
		v->values = mu_alloc_again(v->values, v->value_room, sizeof(*v->values));
	}
}

/* Reads the values of the last attribute; where they lie in v->values is told by how many were there. */
static bool
values_view(struct attrs_view *v, char **at, char **end, size_t before)
{
	struct attr *one = &v->attrs.list[v->attrs.count - 1];

	for (size_t i = 0; i < one->value_count; i++) {
		v->values[before + i] = part_view(at, end);
		if (v->values[before + i] == NULL)
			return false;
	}
	return true;
}

/* Are names and values in order, each once? Behind the last NUL. */
static bool
view_is_ordered(const struct attrs *a)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct attr *one = &a->list[i];

		if (i > 0 && strcasecmp(a->list[i - 1].name, one->name) >= 0)
			return false;
		for (size_t k = 1; k < one->value_count; k++)
			if (strcmp(one->values[k - 1], one->values[k]) >= 0)
				return false;
	}
	return true;
}

bool
attrs_view_decode(struct attrs_view *v, const char *text)
{
	char *at, *end = NULL;
	size_t before = 0;

	v->attrs.count = 0;
	mu_buf_reset(&v->text);
	mu_buf_text_add(&v->text, text);
	mu_buf_reserve(&v->text, 1);
	at = v->text.data;
	while (*at != '\0') {
		char *name = part_view(&at, &end);
		const char *from = at;
		size_t count;

		if (name == NULL || !number_decode(&from, ATTR_VALUES_MAX, &count) || count == 0)
			return false;
		*end = '\0';
		end = NULL;
		at += from - at;
		view_grow(v, before + count);
		v->attrs.list[v->attrs.count++] = (struct attr){ name, NULL, count };
		if (!values_view(v, &at, &end, before))
			return false;
		before += count;
	}
	before = 0;
	for (size_t i = 0; i < v->attrs.count; i++) {
		v->attrs.list[i].values = v->values + before;
		before += v->attrs.list[i].value_count;
	}
	return view_is_ordered(&v->attrs);
}

void
attrs_view_clear(struct attrs_view *v)
{
	mu_free(v->attrs.list);
	mu_free(v->values);
	mu_buf_clear(&v->text);
	*v = (struct attrs_view)ATTRS_VIEW_INIT;
}
