#include "model/entitlement.h"

#include "base/text.h"

#include <string.h>

static const char *const kinds[] = {
	[ENTITLEMENT_GROUP] = "group", [ENTITLEMENT_ROOM] = "room", [ENTITLEMENT_LEVEL] = "level",
};

void
entitlements_clear(struct entitlements *e)
{
	for (size_t i = 0; i < e->count; i++) {
		mu_free(e->list[i].name);
		mu_free(e->list[i].level);
	}
	mu_free(e->list);
	*e = (struct entitlements)ENTITLEMENTS_INIT;
}

static int
order(const struct entitlement *e, enum entitlement_kind kind, const char *name)
{
	if (e->kind != kind)
		return e->kind < kind ? -1 : 1;
	return strcmp(e->name, name);
}

static size_t
place(const struct entitlements *e, enum entitlement_kind kind, const char *name, bool *out_found)
{
	size_t at = 0;

	*out_found = false;
	for (; at < e->count; at++) {
		int o = order(&e->list[at], kind, name);

		*out_found = o == 0;
		if (o >= 0)
			break;
	}
	return at;
}

void
entitlements_add(struct entitlements *e, enum entitlement_kind kind, const char *name,
    const char *level)
{
	bool found;
	size_t at = place(e, kind, name, &found);

	if (found) {
		char *fresh = mu_strdup(level);

		mu_free(e->list[at].level);
		e->list[at].level = fresh;
		return;
	}
	e->list = mu_alloc_again(e->list, e->count + 1, sizeof(*e->list));
	(void)memmove(e->list + at + 1, e->list + at, (e->count - at) * sizeof(*e->list));
	e->list[at] = (struct entitlement){ kind, mu_strdup(name), mu_strdup(level) };
	e->count++;
}

const struct entitlement *
entitlements_find(const struct entitlements *e, enum entitlement_kind kind, const char *name)
{
	bool found;
	size_t at = place(e, kind, name, &found);

	return found ? &e->list[at] : NULL;
}

bool
entitlements_equal(const struct entitlements *a, const struct entitlements *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (order(&a->list[i], b->list[i].kind, b->list[i].name) != 0 ||
		    strcmp(a->list[i].level, b->list[i].level) != 0)
			return false;
	return true;
}

void
entitlements_format(const struct entitlements *e, struct mu_buf *b)
{
	for (size_t i = 0; i < e->count; i++) {
		mu_buf_text_add(b, kinds[e->list[i].kind]);
		mu_buf_char_add(b, ' ');
		mu_buf_text_add(b, e->list[i].name);
		if (e->list[i].level[0] != '\0')
			mu_buf_char_add(b, ' ');
		mu_buf_text_add(b, e->list[i].level);
		mu_buf_char_add(b, '\n');
	}
}

bool
entitlement_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > ENTITLEMENT_NAME_MAX_BYTES || !mu_utf8_valid(name, length))
		return false;
	for (const char *at = name; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return false;
	return true;
}

static bool
line_parse(char *line, struct entitlements *e)
{
	char *name = strchr(line, ' '), *level;
	size_t before = e->count;

	if (name == NULL)
		return false;
	*name++ = '\0';
	level = strchr(name, ' ');
	if (level != NULL)
		*level++ = '\0';
	if (!entitlement_name_valid(name) || (level != NULL && !entitlement_name_valid(level)))
		return false;
	for (size_t k = 0; k < MU_COUNT(kinds); k++)
		if (strcmp(kinds[k], line) == 0) {
			if ((k == ENTITLEMENT_ROOM) != (level != NULL))
				return false;
			if (before > 0 && order(&e->list[before - 1], (enum entitlement_kind)k, name) >= 0)
				return false;
			entitlements_add(e, (enum entitlement_kind)k, name, level == NULL ? "" : level);
			return true;
		}
	return false;
}

bool
entitlements_parse(const char *text, struct entitlements *out_entitlements)
{
	struct entitlements e = ENTITLEMENTS_INIT;

	for (const char *at = text; *at != '\0';) {
		const char *end = strchr(at, '\n');
		MU_AUTO(mu_freep) char *line = NULL;

		if (end == NULL)
			goto bad;
		line = mu_strndup(at, (size_t)(end - at));
		if (!line_parse(line, &e))
			goto bad;
		at = end + 1;
	}
	*out_entitlements = e;
	return true;
bad:
	entitlements_clear(&e);
	return false;
}
