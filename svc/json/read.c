#include "json/read.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "base/uuid.h"

/* struct json_node is a json_t that callers need not know. */
static const json_t *
tree_of(const struct json_node *n)
{
	return (const json_t *)n;
}

static const struct json_node *
node_of(const json_t *j)
{
	return (const struct json_node *)j;
}

/* What was read may have been a password. */
static void
wipe_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/*
 * jansson would read /dev/urandom, which a process in its sandbox may not, or settle for the time; and
 * would leave what it read in memory.
 */
static void
seed_once(void)
{
	static bool seeded;
	size_t seed;

	if (seeded)
		return;
	json_set_alloc_funcs(malloc, wipe_free);
	mu_random(&seed, sizeof(seed));
	json_object_seed(seed == 0 ? 1 : seed);
	seeded = true;
}

/* What jansson does not bound or tells too late; *out_at is where. NULL if all is well. */
static const char *
text_fault(const char *text, size_t text_bytes, size_t *out_at)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text_bytes; i++) {
		*out_at = i;
		if (text[i] == '\0')
			return "a NUL byte";
		if (quoted && text[i] == '\\' && i + 1 < text_bytes && text[i + 1] != '\0')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '[' || text[i] == '{') && ++depth > JSON_DEPTH_MAX)
			return "nested too deeply";
		else if (!quoted && (text[i] == ']' || text[i] == '}') && depth > 0)
			depth--;
	}
	return NULL;
}

static enum mu_rc
place_fail(const char *what, const char *text, size_t at, const char *fault, struct mu_err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return mu_fail(err, MU_EINPUT, "%s: line %zu, column %zu: %s", what, line, column, fault);
}

enum mu_rc
json_parse(const char *text, size_t text_bytes, size_t max_bytes, const char *what,
    struct json_node **out_root, struct mu_err *err)
{
	json_error_t e;
	json_t *root;
	const char *fault;
	size_t at = 0;
	char *near;

	seed_once();
	if (text_bytes > max_bytes)
		return mu_fail(err, MU_EINPUT, "%s: larger than %zu bytes", what, max_bytes);
	fault = text_fault(text, text_bytes, &at);
	if (fault != NULL)
		return place_fail(what, text, at, fault, err);
	if (!mu_utf8_valid(text, text_bytes))
		return mu_fail(err, MU_EINPUT, "%s: not UTF-8", what);
	root = json_loadb(text_bytes == 0 ? "" : text, text_bytes, JSON_REJECT_DUPLICATES, &e);
	if (root == NULL) {
		/* What it stands near to may be a secret. */
		near = strstr(e.text, " near ");
		if (near != NULL)
			*near = '\0';
		return mu_fail(err, MU_EINPUT, "%s: line %d, column %d: %s", what, e.line, e.column, e.text);
	}
	*out_root = (struct json_node *)root;
	return MU_OK;
}

void
json_free(struct json_node *root)
{
	json_decref((json_t *)root);
}

void
json_freep(struct json_node **root)
{
	json_free(*root);
	*root = NULL;
}

enum json_kind
json_kind(const struct json_node *n)
{
	switch (json_typeof(tree_of(n))) {
	case JSON_OBJECT:	return JSON_KIND_OBJECT;
	case JSON_ARRAY:	return JSON_KIND_LIST;
	case JSON_STRING:	return JSON_KIND_TEXT;
	case JSON_INTEGER:	return JSON_KIND_INT;
	case JSON_REAL:		return JSON_KIND_DOUBLE;
	case JSON_TRUE:
	case JSON_FALSE:	return JSON_KIND_BOOL;
	case JSON_NULL:		return JSON_KIND_NULL;
	}
	return JSON_KIND_NULL;
}

const char *
json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_KIND_NULL] = "null", [JSON_KIND_BOOL] = "true or false",
		[JSON_KIND_INT] = "a whole number", [JSON_KIND_DOUBLE] = "a fraction",
		[JSON_KIND_TEXT] = "text", [JSON_KIND_LIST] = "a list", [JSON_KIND_OBJECT] = "an object",
	};

	return names[kind];
}

size_t
json_count(const struct json_node *n)
{
	return json_is_object(tree_of(n)) ? json_object_size(tree_of(n)) : json_array_size(tree_of(n));
}

const struct json_node *
json_at(const struct json_node *list, size_t index)
{
	return node_of(json_array_get(tree_of(list), index));
}

const struct json_node *
json_find(const struct json_node *object, const char *name)
{
	return node_of(json_object_get(tree_of(object), name));
}

void
json_each(const struct json_node *object, json_member_fn *fn, void *ctx)
{
	json_t *j = (json_t *)object;

	for (void *at = json_object_iter(j); at != NULL; at = json_object_iter_next(j, at))
		if (!fn(ctx, json_object_iter_key(at), node_of(json_object_iter_value(at))))
			return;
}

const char *
json_node_text(const struct json_node *n)
{
	return json_string_value(tree_of(n));
}

bool
json_node_int(const struct json_node *n, int64_t *out_value)
{
	if (!json_is_integer(tree_of(n)))
		return false;
	*out_value = json_integer_value(tree_of(n));
	return true;
}

bool
json_node_bool(const struct json_node *n, bool *out_value)
{
	if (!json_is_boolean(tree_of(n)))
		return false;
	*out_value = json_is_true(tree_of(n));
	return true;
}

bool
json_node_double(const struct json_node *n, double *out_value)
{
	if (!json_is_real(tree_of(n)))
		return false;
	*out_value = json_real_value(tree_of(n));
	return true;
}

const char *
json_find_text(const struct json_node *object, const char *name)
{
	return json_node_text(json_find(object, name));
}

bool
json_find_int(const struct json_node *object, const char *name, int64_t *out_value)
{
	return json_node_int(json_find(object, name), out_value);
}

bool
json_find_bool(const struct json_node *object, const char *name, bool *out_value)
{
	return json_node_bool(json_find(object, name), out_value);
}

/* Finds the member of that kind, or says what is there instead. */
static enum mu_rc
member_get(const struct json_node *object, const char *name, enum json_kind kind,
    const struct json_node **out_member, struct mu_err *err)
{
	const struct json_node *n = json_find(object, name);

	if (n == NULL)
		return mu_fail(err, MU_EINPUT, "\"%s\" is missing", name);
	if (json_kind(n) != kind)
		return mu_fail(err, MU_EINPUT, "\"%s\" must be %s, not %s", name, json_kind_name(kind),
		    json_kind_name(json_kind(n)));
	*out_member = n;
	return MU_OK;
}

enum mu_rc
json_get_text(const struct json_node *object, const char *name, size_t max_bytes, const char **out_text,
    struct mu_err *err)
{
	const struct json_node *n = NULL;

	if (member_get(object, name, JSON_KIND_TEXT, &n, err) != MU_OK)
		return err->rc;
	if (strlen(json_node_text(n)) > max_bytes)
		return mu_fail(err, MU_EINPUT, "\"%s\" is longer than %zu bytes", name, max_bytes);
	*out_text = json_node_text(n);
	return MU_OK;
}

enum mu_rc
json_get_int(const struct json_node *object, const char *name, int64_t min, int64_t max,
    int64_t *out_value, struct mu_err *err)
{
	const struct json_node *n = NULL;
	int64_t value = 0;

	if (member_get(object, name, JSON_KIND_INT, &n, err) != MU_OK)
		return err->rc;
	(void)json_node_int(n, &value);
	if (value < min || value > max)
		return mu_fail(err, MU_EINPUT, "\"%s\" must be from %lld to "
		    "%lld", name, (long long)min,
		    (long long)max);
	*out_value = value;
	return MU_OK;
}

enum mu_rc
json_get_bool(const struct json_node *object, const char *name, bool *out_value, struct mu_err *err)
{
	const struct json_node *n = NULL;

	if (member_get(object, name, JSON_KIND_BOOL, &n, err) != MU_OK)
		return err->rc;
	(void)json_node_bool(n, out_value);
	return MU_OK;
}

enum mu_rc
json_get_list(const struct json_node *object, const char *name, const struct json_node **out_list,
    struct mu_err *err)
{
	return member_get(object, name, JSON_KIND_LIST, out_list, err);
}

enum mu_rc
json_get_object(const struct json_node *object, const char *name, const struct json_node **out_object,
    struct mu_err *err)
{
	return member_get(object, name, JSON_KIND_OBJECT, out_object, err);
}

struct stranger {
	const char *const *names;
	const char *found;
};

static bool
stranger_find(void *ctx, const char *name, const struct json_node *value)
{
	struct stranger *s = ctx;

	(void)value;
	for (const char *const *known = s->names; *known != NULL; known++)
		if (strcmp(*known, name) == 0)
			return true;
	s->found = name;
	return false;
}

enum mu_rc
json_only(const struct json_node *object, const char *const *names, struct mu_err *err)
{
	struct stranger s = { names, NULL };

	json_each(object, stranger_find, &s);
	if (s.found != NULL)
		return mu_fail(err, MU_EINPUT, "unknown member \"%.80s\"", s.found);
	return MU_OK;
}
