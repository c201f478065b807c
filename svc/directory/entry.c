#include "directory/entry_priv.h"

#include "base/text.h"
#include "directory/ad_priv.h"
#include "directory/key_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What was counted of one entry, members aside. */
struct tally {
	size_t bytes, values;
};

void
directory_scratch_clear(struct directory_scratch *x)
{
	attrs_clear(&x->attrs);
	mu_buf_clear(&x->dn);
	mu_buf_clear(&x->name);
	mu_buf_clear(&x->value);
	mu_buf_clear(&x->reason);
	mu_buf_clear(&x->members);
	mu_free(x->offsets);
	mu_free(x->list);
	*x = (struct directory_scratch){ .attrs = ATTRS_INIT };
}

/* --- Distinguished names ------------------------------------------------------------------- */

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * Nearly all DNs are plain: letters, digits and a few marks, no blank at either end of a value. Of
 * these the normal form is the lower case.
 */
static bool
dn_is_plain(const char *bytes, size_t bytes_count)
{
	size_t at = 0;

	while (at < bytes_count) {
		size_t start = at;

		while (at < bytes_count && (is_letter_or_digit(bytes[at]) || bytes[at] == '-'))
			at++;
		if (at == start || at == bytes_count || bytes[at] != '=')
			return false;
		start = ++at;
		while (at < bytes_count && bytes[at] != ',') {
			if (!is_letter_or_digit(bytes[at]) &&
			    memchr(" -_.@'/:()", bytes[at], 10) == NULL)
				return false;
			at++;
		}
		if (at == start || bytes[start] == ' ' || bytes[at - 1] == ' ')
			return false;
		if (at < bytes_count && ++at == bytes_count)
			return false;
	}
	return bytes_count > 0;
}

static int
ava_order(const LDAPAVA *a, const LDAPAVA *b)
{
	size_t least = a->la_attr.bv_len < b->la_attr.bv_len ?
	    a->la_attr.bv_len : b->la_attr.bv_len;
	int order = strncasecmp(a->la_attr.bv_val, b->la_attr.bv_val, least);

	if (order != 0)
		return order;
	return (a->la_attr.bv_len > b->la_attr.bv_len) - (a->la_attr.bv_len < b->la_attr.bv_len);
}

/* "sn=B+cn=A" and "cn=A+sn=B" are one name. */
static void
rdn_sort(LDAPRDN rdn)
{
	for (size_t i = 1; rdn[0] != NULL && rdn[i] != NULL; i++)
		for (size_t k = i; k > 0 && ava_order(rdn[k - 1], rdn[k]) > 0; k--) {
			LDAPAVA *moved = rdn[k];

			rdn[k] = rdn[k - 1];
			rdn[k - 1] = moved;
		}
}

/* libldap reads "#" with no hex behind it in the middle of a name, but not at its end. */
static bool
rdn_is_sound(LDAPRDN rdn)
{
	for (size_t i = 0; rdn[i] != NULL; i++)
		if ((rdn[i]->la_flags & LDAP_AVA_BINARY) != 0 && rdn[i]->la_value.bv_len == 0)
			return false;
	return true;
}

bool
directory_dn_normalise(const char *bytes, size_t bytes_count, struct mu_buf *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;	/* libldap reads on to a NUL */
	struct berval in, out = { 0, NULL };
	size_t before = b->size_bytes;
	LDAPDN dn = NULL;
	bool good = true;

	if (dn_is_plain(bytes, bytes_count)) {
		mu_buf_add(b, bytes, bytes_count);
		mu_text_lower(b->data + before);
		return true;
	}
	if (bytes_count == 0 || !mu_utf8_valid(bytes, bytes_count))
		return false;
	mu_buf_add(&text, bytes, bytes_count);
	in = (struct berval){ text.size_bytes, text.data };
	if (ldap_bv2dn(&in, &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || dn == NULL)
		return false;
	for (size_t i = 0; dn[i] != NULL; i++) {
		rdn_sort(dn[i]);
		good = good && rdn_is_sound(dn[i]);
	}
	good = good && ldap_dn2bv(dn, &out, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
	    out.bv_len > 0 && mu_utf8_valid(out.bv_val, out.bv_len);
	if (good) {
		mu_buf_add(b, out.bv_val, out.bv_len);
		mu_text_lower(b->data + before);
	}
	ldap_memfree(out.bv_val);
	ldap_dnfree(dn);
	return good;
}

/* --- Attributes ------------------------------------------------------------------------------ */

static bool
name_is(const struct berval *name, const char *want)
{
	/* letters that differ in the case bit alone: tells nearly all apart */
	return name->bv_len > 0 && ((name->bv_val[0] ^ want[0]) & ~0x20) == 0 &&
	    strncasecmp(name->bv_val, want, name->bv_len) == 0 && want[name->bv_len] == '\0';
}

/* Checks one value and leaves it in x->value as text. */
static bool
value_take(struct directory_scratch *x, struct tally *tally, const struct berval *name,
    const struct berval *value)
{
	tally->bytes += value->bv_len;
	tally->values++;
	if (tally->bytes > DIRECTORY_ENTRY_MAX_BYTES) {
		mu_buf_format(&x->reason, "larger than %d bytes", DIRECTORY_ENTRY_MAX_BYTES);
		return false;
	}
	if (tally->values > DIRECTORY_VALUES_MAX) {
		mu_buf_format(&x->reason, "more than %d values", DIRECTORY_VALUES_MAX);
		return false;
	}
	if (!mu_utf8_valid(value->bv_val, value->bv_len)) {
		mu_buf_format(&x->reason, "%.*s is not UTF-8 text", (int)name->bv_len,
		    name->bv_val);
		return false;
	}
	mu_buf_reset(&x->value);
	mu_buf_add(&x->value, value->bv_val, value->bv_len);
	return true;
}

/* The value in x->value becomes what the map makes of it. */
static bool
value_map(struct directory_scratch *x, const struct directory_map *map)
{
	MU_AUTO(mu_buf_clear) struct mu_buf time = MU_BUF_INIT;
	bool set;

	switch (map->value) {
	case SETTINGS_VALUE_TEXT:
		break;
	case SETTINGS_VALUE_BITS:
		if (!directory_ad_bits_test(mu_buf_text(&x->value), map->bits, &set)) {
			mu_buf_format(&x->reason, "%s is not a number of 32 bits", map->attribute);
			return false;
		}
		attrs_add(&x->attrs, map->name, set ? "TRUE" : "FALSE");
		return true;
	case SETTINGS_VALUE_TIME:
		switch (directory_ad_time_format(mu_buf_text(&x->value), &time)) {
		case AD_TIME:
			attrs_add(&x->attrs, map->name, mu_buf_text(&time));
			return true;
		case AD_NEVER:
			return true;
		case AD_TIME_MALFORMED:
			mu_buf_format(&x->reason, "%s is not a FILETIME", map->attribute);
			return false;
		}
	}
	if (x->value.size_bytes > 0)
		attrs_add(&x->attrs, map->name, mu_buf_text(&x->value));
	return true;
}

static bool
person_attribute(const struct directory_source *source, struct directory_scratch *x,
    struct tally *tally, const struct berval *name, const struct berval *values)
{
	size_t first, last;

	for (size_t i = 0; i < source->map_count; i++) {
		const struct directory_map *map = &source->map[i];

		if (directory_ad_range_parse(name->bv_val, name->bv_len, map->attribute, &first,
		    &last)) {
			mu_buf_format(&x->reason, "not all values of %s came", map->attribute);
			return false;
		}
		if (!name_is(name, map->attribute))
			continue;
		for (const struct berval *v = values; v->bv_val != NULL; v++)
			if (!value_take(x, tally, name, v) || !value_map(x, map))
				return false;
	}
	return true;
}

/* A range of members: it must follow on those before. */
static bool
range_take(struct directory_scratch *x, size_t first, size_t last, const struct berval *values)
{
	size_t count = 0;

	while (values[count].bv_val != NULL)
		count++;
	if (first != x->range_next) {
		mu_buf_text_add(&x->reason, "its members came in ranges that do not fit together");
		return false;
	}
	x->range_next += count;
	x->range_open = last != AD_RANGE_END;
	return true;
}

static bool
member_add(struct directory_scratch *x, const struct berval *value)
{
	if (x->members.size_bytes > DIRECTORY_MESSAGE_MAX_BYTES) {
		mu_buf_text_add(&x->reason, "it has too many members");
		return false;
	}
	if (x->member_count == x->member_room) {
		x->member_room = x->member_room == 0 ? 64 : 2 * x->member_room;
		x->offsets = mu_alloc_again(x->offsets, x->member_room, sizeof(*x->offsets));
		x->list = mu_alloc_again(x->list, x->member_room, sizeof(*x->list));
	}
	x->offsets[x->member_count] = x->members.size_bytes;
	if (!directory_dn_normalise(value->bv_val, value->bv_len, &x->members)) {
		mu_buf_format(&x->reason, "member %zu is not a DN", x->member_count + 1);
		return false;
	}
	mu_buf_char_add(&x->members, '\0');
	x->member_count++;
	return true;
}

static bool
group_attribute(const struct directory_source *source, struct directory_scratch *x,
    struct tally *tally, const struct berval *name, const struct berval *values)
{
	bool is_name = name_is(name, source->group_name);
	size_t first, last;
	bool in_range = directory_ad_range_parse(name->bv_val, name->bv_len, source->group_member,
	    &first, &last);
	bool is_member = in_range || name_is(name, source->group_member);

	if (in_range && !range_take(x, first, last, values))
		return false;
	for (const struct berval *v = values; v->bv_val != NULL && (is_name || is_member); v++) {
		if (is_member && !member_add(x, v))
			return false;
		if (!is_name)
			continue;
		if (!value_take(x, tally, name, v))
			return false;
		/* A set in no order: the least of several names, so that it is always the same. */
		if (x->name.size_bytes == 0 ||
		    strcmp(mu_buf_text(&x->value), mu_buf_text(&x->name)) < 0) {
			mu_buf_reset(&x->name);
			mu_buf_text_add(&x->name, mu_buf_text(&x->value));
		}
	}
	return true;
}

static int
text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
members_settle(struct directory_scratch *x)
{
	size_t kept = 0;

	if (x->member_count == 0)
		return;
	for (size_t i = 0; i < x->member_count; i++)
		x->list[i] = x->members.data + x->offsets[i];
	qsort(x->list, x->member_count, sizeof(*x->list), text_order);
	for (size_t i = 0; i < x->member_count; i++)
		if (i == 0 || strcmp(x->list[i], x->list[kept - 1]) != 0)
			x->list[kept++] = x->list[i];
	x->member_count = kept;
}

static void
scratch_reset(struct directory_scratch *x)
{
	attrs_clear(&x->attrs);
	mu_buf_reset(&x->dn);
	mu_buf_reset(&x->name);
	mu_buf_reset(&x->reason);
	mu_buf_reset(&x->members);
	x->member_count = 0;
	x->range_next = 0;
	x->range_open = false;
}

/* What is there must also be enough. */
static bool
entry_is_whole(const struct directory_source *source, enum directory_search search,
    struct directory_scratch *x)
{
	if (search == DIRECTORY_GROUPS && x->name.size_bytes == 0) {
		mu_buf_format(&x->reason, "no %s", source->group_name);
		return false;
	}
	if (x->range_open) {
		mu_buf_format(&x->reason, "only the first %zu of its members came", x->range_next);
		return false;
	}
	for (size_t i = 0; search == DIRECTORY_PEOPLE && i < source->map_count; i++)
		if (source->map[i].required && attrs_find(&x->attrs, source->map[i].name) == NULL) {
			mu_buf_format(&x->reason, "no %s", source->map[i].attribute);
			return false;
		}
	return true;
}

static bool
attributes_decode(const struct directory_source *source, enum directory_search search, LDAP *ld,
    LDAPMessage *m, BerElement *ber, struct directory_scratch *x)
{
	struct tally tally = { 0, 0 };

	for (;;) {
		struct berval name = { 0, NULL };
		BerVarray values = NULL;
		bool good = true;

		if (ldap_get_attribute_ber(ld, m, ber, &name, &values) != LDAP_SUCCESS) {
			mu_buf_text_add(&x->reason, "malformed attributes");
			return false;
		}
		if (name.bv_val == NULL)
			return true;
		if (values != NULL)
			good = search == DIRECTORY_PEOPLE ?
			    person_attribute(source, x, &tally, &name, values) :
			    group_attribute(source, x, &tally, &name, values);
		ber_memfree(values);
		if (!good)
			return false;
	}
}

static bool
part_decode(const struct directory_source *source, enum directory_search search, LDAP *ld,
    LDAPMessage *m, struct directory_scratch *x)
{
	struct berval dn = { 0, NULL };
	BerElement *ber = NULL;
	bool good;

	if (ldap_get_dn_ber(ld, m, &ber, &dn) != LDAP_SUCCESS) {
		mu_buf_text_add(&x->reason, "malformed entry");
		return false;
	}
	mu_buf_reset(&x->dn);
	good = directory_dn_normalise(dn.bv_val, dn.bv_len, &x->dn);
	if (!good)
		mu_buf_text_add(&x->reason, "its name is not a DN in UTF-8");
	good = good && attributes_decode(source, search, ld, m, ber, x);
	ber_free(ber, 0);
	return good;
}

bool
directory_entry_decode_parts(const struct directory_source *source, enum directory_search search,
    LDAP *ld, LDAPMessage *const *parts, size_t part_count, struct directory_scratch *x,
    struct directory_entry *out_entry)
{
	scratch_reset(x);
	for (size_t i = 0; i < part_count; i++)
		if (!part_decode(source, search, ld, parts[i], x))
			return false;
	if (!entry_is_whole(source, search, x))
		return false;
	members_settle(x);
	*out_entry = (struct directory_entry){
		.dn = mu_buf_text(&x->dn),
		.attrs = search == DIRECTORY_PEOPLE ? &x->attrs : NULL,
		.group_name = search == DIRECTORY_GROUPS ? mu_buf_text(&x->name) : NULL,
		.members = x->list,
		.member_count = x->member_count,
	};
	return true;
}

bool
directory_entry_decode(const struct directory_source *source, enum directory_search search,
    LDAP *ld, LDAPMessage *m, struct directory_scratch *x, struct directory_entry *out_entry)
{
	return directory_entry_decode_parts(source, search, ld, &m, 1, x, out_entry);
}

static void
attribute_add(char **list, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (mu_text_equal_fold(list[i], name))
			return;
	list[(*count)++] = (char *)(uintptr_t)name;
}

char **
directory_entry_attributes(const struct directory_source *source, enum directory_search search)
{
	char **list = mu_alloc_zero(source->map_count + 4, sizeof(*list));
	size_t count = 0;

	if (search == DIRECTORY_GROUPS) {
		attribute_add(list, &count, source->group_name);
		attribute_add(list, &count, source->group_member);
	}
	for (size_t i = 0; search == DIRECTORY_PEOPLE && i < source->map_count; i++)
		attribute_add(list, &count, source->map[i].attribute);
	/* RFC 4533 brings it unasked */
	if (source->follow != SETTINGS_FOLLOW_PERSIST && source->follow != SETTINGS_FOLLOW_POLL)
		attribute_add(list, &count, directory_key_attribute(source->key));
	if (count == 0)
		attribute_add(list, &count, LDAP_NO_ATTRS);
	return list;
}
