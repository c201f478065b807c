#include "config/section.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "config/net_priv.h"
#include "config/yaml_priv.h"

#define TEXT_BYTES 1024		/* what a text may have where the key says nothing */

char *
config_path_join(const char *folder, const char *text)
{
	struct mu_buf path = MU_BUF_INIT;

	if (text[0] != '/' && strcmp(folder, ".") != 0)
		mu_buf_format(&path, "%s%s", folder, mu_text_equal(folder, "/") ? "" : "/");
	mu_buf_text_add(&path, text);
	return path.data;
}

static bool
text_read(struct config_faults *f, const struct config_node *n, const struct config_key *key,
    const char **out_text)
{
	if (!config_read_text(f, n, key->max == 0 ? TEXT_BYTES : (size_t)key->max, out_text))
		return false;
	if (key->type == CONFIG_TEXT && strlen(*out_text) < (size_t)key->min) {
		config_fault(f, n, "this text is too short: %lld bytes are the "
		    "least", (long long)key->min);
		return false;
	}
	return true;
}

static char *
url_copy(const char *text)
{
	size_t length = strlen(text);

	while (text[length - 1] == '/')
		length--;
	return mu_strndup(text, length);
}

static bool
url_read(struct config_faults *f, const struct config_node *n, const struct config_value *v, char **out)
{
	const char *text, *fault;

	if (!text_read(f, n, v->key, &text))
		return false;
	fault = config_url_fault(text, v->key->type == CONFIG_URL_PLAIN);
	if (fault != NULL) {
		config_fault(f, n, "%s: '%s' %s", v->key->name, text, fault);
		return false;
	}
	*out = url_copy(text);
	return true;
}

static bool
host_read(struct config_faults *f, const struct config_node *n, const struct config_value *v, char **out)
{
	const char *text;

	if (!text_read(f, n, v->key, &text))
		return false;
	if (!config_host_valid(text)) {
		config_fault(f, n, "%s: '%s' is not a domain name such as "
		    "chat.example.org", v->key->name, text);
		return false;
	}
	*out = mu_strdup(text);
	mu_text_lower(*out);
	return true;
}

/* Reads one value from n, which is there. */
static bool
value_read(struct config_faults *f, const struct config_node *n, const char *folder,
    struct config_value *v)
{
	const struct config_key *key = v->key;
	const char *text;
	bool flag = false;

	switch (key->type) {
	case CONFIG_TEXT:
		if (!text_read(f, n, key, &text))
			return false;
		v->text = mu_strdup(text);
		return true;
	case CONFIG_INT:
		if (!config_read_int(f, n, key->min, key->max, key->unit, &v->number))
			return false;
		break;
	case CONFIG_BOOL:
		if (!config_read_bool(f, n, &flag))
			return false;
		v->number = flag ? 1 : 0;
		break;
	case CONFIG_DURATION:
		if (!config_read_duration(f, n, key->min, key->max, &v->number))
			return false;
		break;
	case CONFIG_FILE:
	case CONFIG_SECRET_FILE:
		if (!text_read(f, n, key, &text))
			return false;
		v->text = config_path_join(folder, text);
		return true;
	case CONFIG_URL:
	case CONFIG_URL_PLAIN:
		return url_read(f, n, v, &v->text);
	case CONFIG_HOST:
		return host_read(f, n, v, &v->text);
	}
	v->text = mu_strdup(config_scalar_text(n));
	return true;
}

static void
fallback_read(const char *folder, struct config_value *v)
{
	MU_AUTO(mu_freep) char *text = mu_strdup(v->key->fallback);
	const struct config_node n = { .kind = CONFIG_SCALAR, .text = text };
	struct config_faults none = CONFIG_FAULTS_INIT;
	bool good = value_read(&none, &n, folder, v);

	assert(good);		/* the default in a table of ours */
	(void)good;
}

static bool
keys_check(struct config_faults *f, const struct config_node *map, const struct config_key *keys,
    const struct config_field *common)
{
	MU_AUTO(mu_freep) struct config_field *all = NULL;
	size_t count = 0;

	for (const struct config_key *key = keys; key->name != NULL; key++) {
		all = mu_alloc_again(all, count + 1, sizeof(*all));
		all[count++] = (struct config_field){ key->name, key->required };
	}
	for (; common != NULL && common->name != NULL; common++) {
		all = mu_alloc_again(all, count + 1, sizeof(*all));
		all[count++] = *common;
	}
	all = mu_alloc_again(all, count + 1, sizeof(*all));
	all[count] = (struct config_field){ NULL, false };
	return config_map_keys(f, map, all);
}

bool
config_section_parse(struct config_faults *f, const struct config_node *map,
    const struct config_key *keys, const struct config_field *common, const char *folder,
    struct config_section *out_section)
{
	struct config_section s = CONFIG_SECTION_INIT;
	bool good = keys_check(f, map, keys, common);

	for (const struct config_key *key = keys; key->name != NULL; key++) {
		const struct config_node *n = config_map_find(map, key->name);
		struct config_value *v;

		s.list = mu_alloc_again(s.list, s.count + 1, sizeof(*s.list));
		v = &s.list[s.count++];
		*v = (struct config_value){ key, NULL, 0 };
		if (n != NULL)
			good = value_read(f, n, folder, v) && good;
		else if (key->fallback != NULL)
			fallback_read(folder, v);
	}
	*out_section = s;
	return good;
}

void
config_section_clear(struct config_section *s)
{
	for (size_t i = 0; i < s->count; i++)
		mu_free(s->list[i].text);
	mu_free(s->list);
	*s = (struct config_section)CONFIG_SECTION_INIT;
}

static const struct config_value *
value_get(const struct config_section *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->list[i].key->name, name) == 0)
			return &s->list[i];
	assert(false && "a key that the table does not have");
	return NULL;
}

bool
config_section_has(const struct config_section *s, const char *name)
{
	return value_get(s, name)->text != NULL;
}

const char *
config_section_text(const struct config_section *s, const char *name)
{
	const struct config_value *v = value_get(s, name);

	assert(v->key->type != CONFIG_INT && v->key->type != CONFIG_BOOL && v->key->type != CONFIG_DURATION);
	return v->text;
}

int64_t
config_section_int(const struct config_section *s, const char *name)
{
	const struct config_value *v = value_get(s, name);

	assert(v->key->type == CONFIG_INT || v->key->type == CONFIG_DURATION);
	return v->number;
}

bool
config_section_bool(const struct config_section *s, const char *name)
{
	const struct config_value *v = value_get(s, name);

	assert(v->key->type == CONFIG_BOOL);
	return v->number != 0;
}

const char *
config_section_secret_file(const struct config_section *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].key->type == CONFIG_SECRET_FILE)
			return s->list[i].text;
	return NULL;
}
