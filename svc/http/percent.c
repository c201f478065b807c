#include "http/percent.h"

#include "base/text.h"

#include <string.h>

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

void
http_percent_format(struct mu_buf *b, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
		if (is_unreserved(*at))
			mu_buf_char_add(b, (char)*at);
		else
			mu_buf_format(b, "%%%02X", (unsigned)*at);
	}
}

/* The value of a hex digit, -1 when c is none. */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
is_pchar(unsigned char c)	/* RFC 3986, 3.3, but for '%' */
{
	return is_unreserved(c) || (c != 0 && strchr("!$&'()*+,;=:@", c) != NULL);
}

static bool
is_form_char(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static bool
unescape(const char *text, size_t text_bytes, bool is_form, struct mu_buf *b)
{
	size_t before = b->size_bytes;

	for (size_t i = 0; i < text_bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '%') {
			bool is_whole = text_bytes - i > 2;
			int high = is_whole ? hex_value(text[i + 1]) : -1;
			int low = is_whole ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0 || (high | low) == 0)
				goto refuse;
			c = (unsigned char)(high * 16 + low);
			i += 2;
		} else if (is_form && c == '+') {
			c = ' ';
		} else if (is_form ? !is_form_char(c) : !is_pchar(c)) {
			goto refuse;
		}
		mu_buf_char_add(b, (char)c);
	}
	if (b->data == NULL || mu_utf8_valid(b->data + before, b->size_bytes - before))
		return true;
refuse:
	b->size_bytes = before;
	if (b->data != NULL)
		b->data[before] = '\0';
	return false;
}

bool
http_percent_parse(const char *text, size_t text_bytes, struct mu_buf *b)
{
	return unescape(text, text_bytes, false, b);
}

void
http_form_clear(struct http_form *f)
{
	for (size_t i = 0; i < f->count; i++) {
		mu_free(f->list[i].name);
		explicit_bzero(f->list[i].value, strlen(f->list[i].value));
		mu_free(f->list[i].value);
	}
	f->count = 0;
}

const char *
http_form_find(const struct http_form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->list[i].name, name) == 0)
			return f->list[i].value;
	return NULL;
}

/* Reads "name=value" behind the fields that form has. */
static bool
field_parse(const char *text, size_t text_bytes, struct http_form *form)
{
	struct mu_buf name = MU_BUF_INIT, value = MU_BUF_INIT;
	const char *equals = memchr(text, '=', text_bytes);
	bool ok;

	if (equals == NULL || equals == text || form->count == HTTP_FORM_FIELDS_MAX)
		return false;
	mu_buf_reserve(&name, 1);
	mu_buf_reserve(&value, text_bytes);	/* never moved: one copy to wipe */
	ok = unescape(text, (size_t)(equals - text), true, &name) &&
	    unescape(equals + 1, text_bytes - (size_t)(equals - text) - 1, true, &value) &&
	    http_form_find(form, name.data) == NULL;
	if (ok) {
		form->list[form->count].name = MU_TAKE(name.data);
		form->list[form->count].value = MU_TAKE(value.data);
		form->count++;
	}
	mu_buf_clear(&name);
	mu_buf_wipe(&value);
	return ok;
}

bool
http_form_parse(const char *text, size_t text_bytes, struct http_form *out_form)
{
	struct http_form form = HTTP_FORM_INIT;
	const char *end = text + text_bytes;

	while (text_bytes > 0) {
		const char *stop = memchr(text, '&', (size_t)(end - text));

		if (stop == NULL)
			stop = end;
		if (!field_parse(text, (size_t)(stop - text), &form)) {
			http_form_clear(&form);
			return false;
		}
		if (stop == end)
			break;
		text = stop + 1;
	}
	*out_form = form;
	return true;
}
