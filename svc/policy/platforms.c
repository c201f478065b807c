#include "policy/policy.h"

#include "config/yaml.h"

#include <string.h>

static void
role_check(const struct config_node *role, policy_platform_fn *known, const void *ctx,
    struct config_faults *faults)
{
	const struct config_node *gives = config_map_find(role, "gives");

	for (size_t i = 0; i < config_list_count(gives); i++) {
		const struct config_node *at = config_map_find(config_list_at(gives, i),
		    "platform");
		const char *name = config_scalar_text(at);

		if (name != NULL && !known(ctx, name))
			config_fault(faults, at, "no platform %s in the configuration: add it"
			    " there, or drop what is given on it", name);
	}
}

void
policy_platforms_check(const struct policy_file *files, size_t file_count,
    policy_platform_fn *known, const void *ctx, struct config_faults *faults)
{
	for (size_t i = 0; i < file_count; i++) {
		MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
		MU_AUTO(config_faults_clear) struct config_faults told = CONFIG_FAULTS_INIT;
		const struct config_node *roles;

		if (strcmp(files[i].name, "roles.yaml") != 0 ||
		    !config_doc_parse(files[i].content, strlen(files[i].content), files[i].name,
		    &told, &doc))
			continue;
		roles = config_doc_root(doc);
		for (size_t k = 0; k < config_list_count(roles); k++)
			role_check(config_list_at(roles, k), known, ctx, faults);
	}
}
