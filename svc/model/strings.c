#include "model/strings.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

void
strings_clear(struct strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		mu_free(s->list[i]);
	mu_free(s->list);
	*s = (struct strings)STRINGS_INIT;
}

/* Where text stands or would stand. */
static size_t
place(const struct strings *s, const char *text, bool *out_found)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(s->list[middle], text);

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

void
strings_add(struct strings *s, const char *text)
{
	bool found;
	size_t at = place(s, text, &found);

	if (found)
		return;
	s->list = mu_alloc_again(s->list, s->count + 1, sizeof(*s->list));
	(void)memmove(s->list + at + 1, s->list + at, (s->count - at) * sizeof(*s->list));
	s->list[at] = mu_strdup(text);
	s->count++;
}

bool
strings_has(const struct strings *s, const char *text)
{
	bool found;

	(void)place(s, text, &found);
	return found;
}

bool
strings_has_fold(const struct strings *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcasecmp(s->list[i], text) == 0)
			return true;
	return false;
}

bool
strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->list[i], b->list[i]) != 0)
			return false;
	return true;
}

void
strings_format(const struct strings *s, struct mu_buf *b)
{
	for (size_t i = 0; i < s->count; i++) {
		mu_buf_text_add(b, s->list[i]);
		mu_buf_char_add(b, '\n');
	}
}

bool
strings_parse(const char *text, struct strings *out_strings)
{
	struct strings s = STRINGS_INIT;

	for (const char *at = text; *at != '\0';) {
		const char *end = strchr(at, '\n');
		MU_AUTO(mu_freep) char *one = NULL;

		if (end == NULL || end == at)
			goto bad;
		one = mu_strndup(at, (size_t)(end - at));
		if (s.count > 0 && strcmp(s.list[s.count - 1], one) >= 0)
			goto bad;
		strings_add(&s, one);
		at = end + 1;
	}
	*out_strings = s;
	return true;
bad:
	strings_clear(&s);
	return false;
}
