#include "cli/args.h"

#include "config/yaml.h"

#include <assert.h>
#include <string.h>

/* --- Specs ------------------------------------------------------------------------------------ */

/* Copies the word at *at, up to one of the stops or the end, and moves behind it. */
static void
word_copy(const char **at, const char *stops, char out[ARG_NAME_BYTES])
{
	size_t bytes = strcspn(*at, stops);

	assert(bytes > 0 && bytes < ARG_NAME_BYTES);
	(void)memcpy(out, *at, bytes);
	out[bytes] = '\0';
	*at += bytes;
}

/* One argument from where *at stands; its brackets have been seen to. */
static void
arg_parse(const char **at, struct arg *arg)
{
	arg->is_option = strncmp(*at, "--", 2) == 0;
	*at += arg->is_option ? 2 : 0;
	word_copy(at, " .]|)", arg->name);
	if (strncmp(*at, "...", 3) == 0) {
		arg->is_many = true;
		*at += 3;
	}
	if (arg->is_option && (*at)[0] == ' ' && (*at)[1] >= 'A' && (*at)[1] <= 'Z') {
		(*at)++;
		word_copy(at, " ]|)", arg->value);
	}
}

/*
 * A required option takes its value for sure, so "--reason TEXT WHO" is read as it is meant; an
 * option without a value never stands before an argument in capitals without a bracket between.
 */
void
arg_spec_parse(const char *text, struct arg_spec *out_spec)
{
	bool is_optional = false, is_either = false;

	*out_spec = (struct arg_spec){ .count = 0 };
	while (*text != '\0') {
		struct arg *arg = &out_spec->list[out_spec->count];

		if (strchr(" [](|)", *text) != NULL) {
			is_optional = *text == '[' || (is_optional && *text != ']');
			is_either = *text == '(' || (is_either && *text != ')');
			text++;
			continue;
		}
		assert(out_spec->count < ARGS_MAX);
		*arg = (struct arg){ .is_required = !is_optional && !is_either,
		    .is_either = is_either };
		arg_parse(&text, arg);
		out_spec->count++;
	}
}

/* --- Values ----------------------------------------------------------------------------------- */

void
args_init(struct args *a, const char *spec)
{
	*a = (struct args){ .many_count = 0 };
	arg_spec_parse(spec, &a->spec);
}

void
args_clear(struct args *a)
{
	mu_free(a->many);
	*a = (struct args){ .many_count = 0 };
}

static size_t
arg_find(const struct arg_spec *spec, const char *name, size_t name_bytes, bool is_option)
{
	size_t i = 0;

	while (i < spec->count && (spec->list[i].is_option != is_option ||
	    strlen(spec->list[i].name) != name_bytes ||
	    memcmp(spec->list[i].name, name, name_bytes) != 0))
		i++;
	return i;
}

const char *
args_get(const struct args *a, const char *name)
{
	size_t i = arg_find(&a->spec, name, strlen(name), !(name[0] >= 'A' && name[0] <= 'Z'));

	assert(i < a->spec.count);
	return a->values[i];
}

bool
args_has(const struct args *a, const char *name)
{
	return args_get(a, name) != NULL;
}

static void
near_offer(struct config_near *near, const struct arg_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++)
		if (spec->list[i].is_option)
			config_near_offer(near, spec->list[i].name);
}

static enum mu_rc
option_unknown(const char *name, const struct arg_spec *own, const struct arg_spec *global,
    struct mu_err *err)
{
	struct config_near near;

	config_near_init(&near, name);
	near_offer(&near, own);
	near_offer(&near, global);
	if (near.best == NULL)
		return mu_fail(err, MU_EINPUT, "there is no option --%s", name);
	return mu_fail(err, MU_EINPUT, "there is no option --%s: did you mean --%s?", name,
	    near.best);
}

enum mu_rc
args_option_take(struct args *a, struct args *globals, int argc, const char *const *argv, int *at,
    struct mu_err *err)
{
	const char *name = strcmp(argv[*at], "-h") == 0 ? "help" : argv[*at] + 2;
	const char *equals = strchr(name, '=');
	size_t name_bytes = equals == NULL ? strlen(name) : (size_t)(equals - name);
	size_t i = arg_find(&a->spec, name, name_bytes, true);
	struct args *in = i < a->spec.count ? a : globals;
	MU_AUTO(mu_freep) char *alone = mu_strndup(name, name_bytes);
	const struct arg *arg;

	if (in == globals)
		i = arg_find(&globals->spec, name, name_bytes, true);
	if (i == in->spec.count)
		return option_unknown(alone, &a->spec, &globals->spec, err);
	arg = &in->spec.list[i];
	if (in->values[i] != NULL)
		return mu_fail(err, MU_EINPUT, "--%s is given twice", alone);
	if (arg->value[0] == '\0' && equals != NULL)
		return mu_fail(err, MU_EINPUT, "--%s takes no value", alone);
	if (arg->value[0] == '\0') {
		in->values[i] = "";
	} else if (equals != NULL) {
		in->values[i] = equals + 1;
	} else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0) {
		in->values[i] = argv[++*at];
	} else {
		return mu_fail(err, MU_EINPUT, "--%s needs %s behind it", alone, arg->value);
	}
	if (arg->value[0] != '\0' && in->values[i][0] == '\0')
		return mu_fail(err, MU_EINPUT, "--%s is empty: it needs %s", alone, arg->value);
	(*at)++;
	return MU_OK;
}

static enum mu_rc
positional_take(struct args *a, const char *text, struct mu_err *err)
{
	for (size_t i = 0; i < a->spec.count; i++) {
		if (a->spec.list[i].is_option || (a->values[i] != NULL && !a->spec.list[i].is_many))
			continue;
		if (a->spec.list[i].is_many) {
			a->many = mu_alloc_again(a->many, a->many_count + 1, sizeof(*a->many));
			a->many[a->many_count++] = text;
		}
		a->values[i] = text;
		return MU_OK;
	}
	return mu_fail(err, MU_EINPUT, "\"%s\" is one argument too many", text);
}

static enum mu_rc
either_fail(const struct arg_spec *spec, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;

	for (size_t i = 0; i < spec->count; i++)
		if (spec->list[i].is_either)
			mu_buf_format(&names, "%s--%s", names.size_bytes == 0 ? "" : ", ",
			    spec->list[i].name);
	return mu_fail(err, MU_EINPUT, "give exactly one of %s", mu_buf_text(&names));
}

static enum mu_rc
complete_check(const struct args *a, struct mu_err *err)
{
	size_t either_count = 0;
	bool has_either = false;

	for (size_t i = 0; i < a->spec.count; i++) {
		const struct arg *arg = &a->spec.list[i];

		if (arg->is_required && a->values[i] == NULL)
			return mu_fail(err, MU_EINPUT, "%s%s is missing",
			    arg->is_option ? "--" : "", arg->name);
		has_either = has_either || arg->is_either;
		either_count += arg->is_either && a->values[i] != NULL;
	}
	return has_either && either_count != 1 ? either_fail(&a->spec, err) : MU_OK;
}

enum mu_rc
args_take(struct args *a, struct args *globals, int argc, const char *const *argv, int at,
    struct mu_err *err)
{
	bool options_end = false;

	while (at < argc) {
		if (!options_end && strcmp(argv[at], "--") == 0) {
			options_end = true;
			at++;
		} else if (!options_end && (strncmp(argv[at], "--", 2) == 0 ||
		    strcmp(argv[at], "-h") == 0)) {
			if (args_option_take(a, globals, argc, argv, &at, err) != MU_OK)
				return err->rc;
		} else if (!options_end && argv[at][0] == '-' && argv[at][1] != '\0') {
			return mu_fail(err, MU_EINPUT, "options are written out: there is no %s",
			    argv[at]);
		} else if (positional_take(a, argv[at++], err) != MU_OK) {
			return err->rc;
		}
	}
	return args_has(globals, "help") ? MU_OK : complete_check(a, err);
}
