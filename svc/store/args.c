#include "store/store_priv.h"

#include "base/text.h"

#include <assert.h>

void
store_args_clear(struct store_args *a)
{
	mu_buf_wipe(&a->bytes);
	a->count = 0;
}

/* The next argument begins here; what is added before arg_end is its text. */
static void
arg_begin(struct store_args *a)
{
	assert(a->count < STORE_ARGS_MAX);
	a->at[a->count++] = a->bytes.size_bytes;
}

static void
arg_end(struct store_args *a)
{
	mu_buf_char_add(&a->bytes, '\0');
}

void
arg_text(struct store_args *a, const char *text)
{
	arg_begin(a);
	mu_buf_text_add(&a->bytes, text);
	arg_end(a);
}

void
arg_int(struct store_args *a, int64_t value)
{
	arg_begin(a);
	mu_buf_format(&a->bytes, "%lld", (long long)value);
	arg_end(a);
}

void
arg_bool(struct store_args *a, bool value)
{
	arg_text(a, value ? "t" : "f");
}

void
arg_uuid(struct store_args *a, const struct mu_uuid *uuid)
{
	char text[MU_UUID_TEXT_BYTES];

	arg_text(a, mu_uuid_format(uuid, text));
}

void
arg_bytes(struct store_args *a, const void *bytes, size_t bytes_count)
{
	arg_begin(a);
	mu_buf_text_add(&a->bytes, "\\x");
	mu_hex_format(&a->bytes, bytes, bytes_count);
	arg_end(a);
}

void
arg_uuids(struct store_args *a, const struct mu_uuid *uuids, size_t count)
{
	char text[MU_UUID_TEXT_BYTES];

	arg_begin(a);
	mu_buf_char_add(&a->bytes, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			mu_buf_char_add(&a->bytes, ',');
		mu_buf_text_add(&a->bytes, mu_uuid_format(&uuids[i], text));
	}
	mu_buf_char_add(&a->bytes, '}');
	arg_end(a);
}

void
arg_texts(struct store_args *a, const char *const *texts, size_t count)
{
	arg_begin(a);
	mu_buf_char_add(&a->bytes, '{');
	for (size_t i = 0; i < count; i++) {
		mu_buf_text_add(&a->bytes, i > 0 ? ",\"" : "\"");
		for (const char *at = texts[i]; *at != '\0'; at++) {
			if (*at == '"' || *at == '\\')
				mu_buf_char_add(&a->bytes, '\\');
			mu_buf_char_add(&a->bytes, *at);
		}
		mu_buf_char_add(&a->bytes, '"');
	}
	mu_buf_char_add(&a->bytes, '}');
	arg_end(a);
}

void
arg_strings(struct store_args *a, const struct strings *s)
{
	arg_begin(a);
	strings_format(s, &a->bytes);
	arg_end(a);
}

void
arg_entitlements(struct store_args *a, const struct entitlements *e)
{
	arg_begin(a);
	entitlements_format(e, &a->bytes);
	arg_end(a);
}

void
store_args_values(const struct store_args *a, const char **values)
{
	for (int i = 0; i < a->count; i++)
		values[i] = a->bytes.data + a->at[i];
}
