#include "config/yaml.h"

#include <string.h>

#include "base/text.h"
#include "config/yaml_priv.h"

static const char *const kinds[] = {
	[CONFIG_SCALAR] = "a text", [CONFIG_LIST] = "a list", [CONFIG_MAP] = "a map",
};

/* true: n is there and of that kind; a fault if it is there and is not. */
static bool
kind_check(struct config_faults *f, const struct config_node *n, enum config_kind kind)
{
	if (n == NULL || n->broken)
		return false;
	if (n->kind == kind)
		return true;
	config_fault(f, n, "this must be %s, not %s", kinds[kind], kinds[n->kind]);
	return false;
}

bool
config_read_map(struct config_faults *f, const struct config_node *n)
{
	return kind_check(f, n, CONFIG_MAP);
}

bool
config_read_list(struct config_faults *f, const struct config_node *n)
{
	return kind_check(f, n, CONFIG_LIST);
}

bool
config_read_text(struct config_faults *f, const struct config_node *n, size_t max_bytes,
    const char **out_text)
{
	if (!kind_check(f, n, CONFIG_SCALAR))
		return false;
	if (n->text[0] == '\0' ||
	    (!n->quoted && (strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0))) {
		config_fault(f, n, "a value is missing here: write it, or leave the key out");
		return false;
	}
	if (strlen(n->text) > max_bytes) {
		config_fault(f, n, "this text is too long: %zu bytes are the most", max_bytes);
		return false;
	}
	for (const char *at = n->text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			config_fault(f, n, "this text holds a line break or control character: "
			    "over several lines, write it behind >-");
			return false;
		}
	*out_text = n->text;
	return true;
}

/* A plain scalar that is to be read as something else than text; NULL if it is not. */
static const char *
plain(struct config_faults *f, const struct config_node *n, const char *what)
{
	if (!kind_check(f, n, CONFIG_SCALAR))
		return NULL;
	if (n->quoted) {
		config_fault(f, n, "this must be %s, without quotes", what);
		return NULL;
	}
	return n->text;
}

bool
config_read_int(struct config_faults *f, const struct config_node *n, int64_t min, int64_t max,
    const char *unit, int64_t *out_value)
{
	const char *text = plain(f, n, "a whole number");

	if (text == NULL)
		return false;
	if (mu_int_parse(text, min, max, out_value))
		return true;
	config_fault(f, n, "'%s' must be a whole number from %lld to "
	    "%lld%s%s", text, (long long)min,
	    (long long)max, unit == NULL ? "" : " ", unit == NULL ? "" : unit);
	return false;
}

bool
config_read_bool(struct config_faults *f, const struct config_node *n, bool *out_value)
{
	const char *text = plain(f, n, "true or false");

	if (text == NULL)
		return false;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		config_fault(f, n, "'%s' must be true or false", text);
		return false;
	}
	*out_value = text[0] == 't';
	return true;
}

static const struct {
	char letter;
	int64_t seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

static bool
duration_parse(const char *text, int64_t *out_s)
{
	MU_AUTO(mu_freep) char *digits = NULL;
	size_t length = strlen(text);
	int64_t number;

	if (length < 2)
		return false;
	digits = mu_strndup(text, length - 1);
	for (size_t i = 0; i < MU_COUNT(units); i++)
		if (text[length - 1] == units[i].letter && mu_int_parse(digits, 0, INT32_MAX, &number)) {
			*out_s = number * units[i].seconds;
			return true;
		}
	return false;
}

static void
duration_format(struct mu_buf *b, int64_t s)
{
	size_t i = 0;

	while (i + 1 < MU_COUNT(units) && (s == 0 || s % units[i].seconds != 0))
		i++;
	mu_buf_format(b, "%lld%c", (long long)(s / units[i].seconds), units[i].letter);
}

bool
config_read_duration(struct config_faults *f, const struct config_node *n, int64_t min_s, int64_t max_s,
    int64_t *out_s)
{
	const char *text = plain(f, n, "a time such as 30s, 5m, 8h or 30d");
	MU_AUTO(mu_buf_clear) struct mu_buf bounds = MU_BUF_INIT;
	int64_t s;

	if (text == NULL)
		return false;
	if (!duration_parse(text, &s)) {
		config_fault(f, n, "'%s' must be a time such as 30s, 5m, 8h or 30d", text);
		return false;
	}
	if (s < min_s || s > max_s) {
		duration_format(&bounds, min_s);
		mu_buf_text_add(&bounds, " to ");
		duration_format(&bounds, max_s);
		config_fault(f, n, "'%s' must be from %s", text, bounds.data);
		return false;
	}
	*out_s = s;
	return true;
}

bool
config_read_percent(struct config_faults *f, const struct config_node *n, int64_t *out_per_10000)
{
	const char *text = plain(f, n, "a share such as 2% or 0.25%"), *point;
	MU_AUTO(mu_freep) char *whole = NULL;
	int64_t percent, part = 0;
	size_t length;

	if (text == NULL)
		return false;
	length = strlen(text);
	if (length < 2 || text[length - 1] != '%')
		goto bad;
	whole = mu_strndup(text, length - 1);
	point = strchr(whole, '.');
	if (point != NULL) {
		size_t digits = strspn(point + 1, "0123456789");

		if (digits < 1 || digits > 2 || point[1 + digits] != '\0')
			goto bad;
		part = 10 * (point[1] - '0') + (digits == 2 ? point[2] - '0' : 0);
		whole[point - whole] = '\0';
	}
	if (!mu_int_parse(whole, 0, 100, &percent) || percent * 100 + part > 10000)
		goto bad;
	*out_per_10000 = percent * 100 + part;
	return true;
bad:
	config_fault(f, n, "'%s' must be a share from 0%% to 100%%, such as 2%% or 0.25%%", text);
	return false;
}

bool
config_read_name(struct config_faults *f, const struct config_node *n, const struct config_name *names,
    int *out_value)
{
	MU_AUTO(mu_buf_clear) struct mu_buf known = MU_BUF_INIT, hint = MU_BUF_INIT;
	struct config_near near;

	if (!kind_check(f, n, CONFIG_SCALAR))
		return false;
	config_near_init(&near, n->text);
	for (; names->name != NULL; names++) {
		if (strcmp(names->name, n->text) == 0) {
			*out_value = names->value;
			return true;
		}
		config_near_offer(&near, names->name);
		config_names_add(&known, names->name);
	}
	config_near_format(&near, &known, &hint);
	config_fault(f, n, "'%s' is not known here%s", n->text, mu_buf_text(&hint));
	return false;
}

bool
config_read_texts(struct config_faults *f, const struct config_node *n, size_t max_count,
    size_t max_bytes, const char ***out_list, size_t *out_count)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	bool good = true;

	if (!kind_check(f, n, CONFIG_LIST))
		return false;
	if (n->count > max_count) {
		config_fault(f, n, "this list is too long: %zu entries are the most", max_count);
		return false;
	}
	list = mu_alloc_zero(n->count, sizeof(*list));
	for (size_t i = 0; i < n->count; i++) {
		if (!config_read_text(f, n->list[i], max_bytes, &list[i])) {
			good = false;
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (mu_text_equal(list[k], list[i])) {
				config_fault(f, n->list[i], "'%s' stands in this list "
				    "twice", list[i]);
				good = false;
				break;
			}
	}
	if (!good)
		return false;
	*out_count = n->count;
	*out_list = MU_TAKE(list);
	return true;
}

static bool
field_known(const struct config_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (strcmp(fields->name, name) == 0)
			return true;
	return false;
}

static void
unknown_fault(struct config_faults *f, const struct config_node *key, const struct config_node *map,
    const struct config_field *fields)
{
	MU_AUTO(mu_buf_clear) struct mu_buf known = MU_BUF_INIT, hint = MU_BUF_INIT;
	struct config_near near;

	config_near_init(&near, key->text);
	for (; fields->name != NULL; fields++) {
		if (config_map_find(map, fields->name) != NULL)
			continue;
		config_near_offer(&near, fields->name);
		config_names_add(&known, fields->name);
	}
	if (near.best != NULL || known.size_bytes > 0)
		config_near_format(&near, &known, &hint);
	config_fault(f, key, "unknown key '%s'%s", key->text, mu_buf_text(&hint));
}

bool
config_map_keys(struct config_faults *f, const struct config_node *n, const struct config_field *fields)
{
	bool good = true;

	if (!kind_check(f, n, CONFIG_MAP))
		return false;
	for (size_t i = 0; i < n->count; i += 2)
		if (!n->list[i]->broken && !field_known(fields, n->list[i]->text)) {
			unknown_fault(f, n->list[i], n, fields);
			good = false;
		}
	for (const struct config_field *field = fields; field->name != NULL; field++)
		if (field->required && config_map_find(n, field->name) == NULL) {
			config_fault(f, n, "'%s' is missing here", field->name);
			good = false;
		}
	return good;
}
