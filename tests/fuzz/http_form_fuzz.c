/*
 * A form or a query from a stranger: what is read is UTF-8 without control of its own, and writing it
 * again and reading that gives the same.
 */
#include "base/text.h"
#include "http/percent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;
	struct http_form form = HTTP_FORM_INIT, back = HTTP_FORM_INIT;

	if (!http_form_parse((const char *)bytes, bytes_count, &form))
		return 0;
	for (size_t i = 0; i < form.count; i++) {
		const struct http_field *f = &form.list[i];

		if (!mu_utf8_valid(f->name, strlen(f->name)) || !mu_utf8_valid(f->value, strlen(f->value)) ||
		    http_form_find(&form, f->name) != f->value)
			abort();
		mu_buf_text_add(&again, i == 0 ? "" : "&");
		http_percent_format(&again, f->name);
		mu_buf_char_add(&again, '=');
		http_percent_format(&again, f->value);
	}
	if (!http_form_parse(mu_buf_text(&again), again.size_bytes, &back) || back.count != form.count)
		abort();
	for (size_t i = 0; i < form.count; i++)
		if (strcmp(form.list[i].name, back.list[i].name) != 0 ||
		    strcmp(form.list[i].value, back.list[i].value) != 0)
			abort();
	http_form_clear(&form);
	http_form_clear(&back);
	return 0;
}
