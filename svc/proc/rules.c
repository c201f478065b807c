#include "proc/rules.h"

#include <string.h>
#include <unistd.h>

bool
rules_attr_known(const void *settings, const char *name)
{
	const struct settings *s = settings;

	if (strcasecmp(name, FACTS_GROUP_ATTR) == 0)
		return true;
	for (size_t i = 0; i < s->source_count; i++)
		for (size_t k = 0; k < s->sources[i].attribute_count; k++)
			if (strcasecmp(s->sources[i].attributes[k].name, name) == 0)
				return true;
	return false;
}

static void
source_init(struct cycle_source *out, const struct settings_source *s)
{
	*out = (struct cycle_source){ s->name, s->name_suffix, { STRINGS_INIT, STRINGS_INIT },
	    s->authority_all };
	for (size_t i = 0; i < s->roles.count; i++)
		strings_add(&out->authority.roles, s->roles.list[i]);
	for (size_t i = 0; i < s->levels.count; i++)
		strings_add(&out->authority.levels, s->levels.list[i]);
}

void
rules_authority_check(const struct settings *settings, const struct policy *policy,
    const char *file_name, struct config_faults *faults)
{
	for (size_t i = 0; i < settings->source_count; i++) {
		const struct settings_source *s = &settings->sources[i];

		for (size_t k = 0; k < s->roles.count; k++)
			if (!policy_role_exists(policy, s->roles.list[k]))
				config_fault_file(faults, file_name, "source %s: authority names the "
				    "role %s, which the policy does not have", s->name,
				    s->roles.list[k]);
		for (size_t k = 0; k < s->levels.count; k++)
			if (!policy_level_exists(policy, s->levels.list[k]))
				config_fault_file(faults, file_name, "source %s: authority names the "
				    "level %s, which identification.yaml of the policy does not "
				    "have", s->name, s->levels.list[k]);
	}
}

bool
rules_platform_known(const void *settings, const char *name)
{
	return settings_platform_find(settings, name) != NULL;
}

void
rules_init(struct cycle_rules *rules, const struct settings *settings, const struct policy *policy)
{
	struct cycle_platform *platforms = mu_alloc_zero(settings->platform_count, sizeof(*platforms));

	for (size_t i = 0; i < settings->platform_count; i++)
		platforms[i] = (struct cycle_platform){ settings->platforms[i].name,
			settings->platforms[i].account, adapter_find(settings->platforms[i].adapter) };
	*rules = (struct cycle_rules){ .policy = policy, .platforms = platforms,
		.platform_count = settings->platform_count,
		.sources = mu_alloc_zero(settings->source_count, sizeof(*rules->sources)),
		.source_count = settings->source_count };
	for (size_t i = 0; i < settings->source_count; i++)
		source_init(&rules->sources[i], &settings->sources[i]);
}

void
rules_clear(struct cycle_rules *rules)
{
	for (size_t i = 0; i < rules->source_count; i++) {
		strings_clear(&rules->sources[i].authority.roles);
		strings_clear(&rules->sources[i].authority.levels);
	}
	mu_free(rules->sources);
	mu_free(rules->platforms);
	*rules = (struct cycle_rules){ .platform_count = 0 };
}

void
rules_holder_format(const struct settings *settings, struct mu_buf *b)
{
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	mu_buf_format(b, "%s:%s", host, settings->state);
}
