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

void
rules_init(struct cycle_rules *rules, const struct settings *settings, const struct policy *policy)
{
	struct cycle_platform *platforms = mu_alloc_zero(settings->platform_count, sizeof(*platforms));

	for (size_t i = 0; i < settings->platform_count; i++)
		platforms[i] = (struct cycle_platform){ settings->platforms[i].name,
			settings->platforms[i].account, adapter_find(settings->platforms[i].adapter) };
	*rules = (struct cycle_rules){ .policy = policy, .platforms = platforms,
		.platform_count = settings->platform_count };
}

void
rules_clear(struct cycle_rules *rules)
{
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
