/*
 * Any text as a filter, over a person made of the rest of the input. A filter that is taken and
 * written anew means the same, and is then written the same way.
 */
#include "filter/filter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value, in a form that compares the same: more blanks, other case. */
static void
value_disguise(const char *value, struct mu_buf *b)
{
	mu_buf_char_add(b, '\t');
	for (; *value != '\0'; value++) {
		char c = *value;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		mu_buf_char_add(b, c);
		if (c == ' ')
			mu_buf_text_add(b, "\n ");
	}
	mu_buf_char_add(b, ' ');
}

static bool
plain(void *ctx, const char *name)
{
	(void)ctx;
	return name[0] != '-';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf first = MU_BUF_INIT, second = MU_BUF_INIT, value = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *text = mu_strndup((const char *)data, size);
	MU_AUTO(filter_freep) struct filter *f = NULL, *g = NULL;
	MU_AUTO(attrs_clear) struct attrs attrs = ATTRS_INIT, disguised = ATTRS_INIT;
	MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
	const struct facts facts = { &attrs, &groups, NULL, NULL }, others = { &disguised, &groups, NULL, NULL };
	const char *person = size > strlen(text) ? text + strlen(text) + 1 : "";
	struct mu_err err = MU_ERR_INIT;
	bool matched;

	if (filter_parse(text, plain, NULL, &f, &err) != MU_OK) {
		if (err.rc != MU_EINPUT || strncmp(err.text, "filter", 6) != 0)
			abort();
		return 0;
	}
	attrs_add(&attrs, "a", person);
	attrs_add(&attrs, "a", "x y1z");
	value_disguise(person, &value);
	attrs_add(&disguised, "a", value.data);
	attrs_add(&disguised, "a", " X  y1Z ");
	strings_add(&groups, person);
	matched = filter_match(f, &facts);
	if ((matched || filter_match(f, &others)) && filter_never((const struct filter *const[]){ f }, 1))
		abort();

	filter_format(f, &first);
	if (filter_parse(first.data, plain, NULL, &g, &err) != MU_OK)
		abort();
	filter_format(g, &second);
	if (strcmp(first.data, second.data) != 0 || matched != filter_match(g, &facts))
		abort();
	/* Order by number or time looks at a value as it stands. */
	if (strstr(first.data, ">=") == NULL && strstr(first.data, "<=") == NULL &&
	    matched != filter_match(f, &others))
		abort();
	return 0;
}
