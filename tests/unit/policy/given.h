/*
 * given.h - policies and people as the tests write them
 */
#ifndef UNIT_POLICY_GIVEN_H
#define UNIT_POLICY_GIVEN_H

#include "policy/policy.h"

#include <string.h>

#include "base/text.h"
#include "config/yaml.h"

#define GIVEN_LEVELS "- {level: hr-verified, when: (identityChecked=TRUE), evidence: identityCheckRef}\n- {level: in-person}\n"

/* The names that the shipped policies use. */
static inline bool
given_attr_known(const void *ctx, const char *name)
{
	static const char *const names[] = { "uid", "name", "mail", "department", "employeeType",
		"employeeStatus", "identityChecked", "identityCheckRef", "startDate", "endDate", "group" };

	(void)ctx;
	for (size_t i = 0; i < MU_COUNT(names); i++)
		if (mu_text_equal_fold(names[i], name))
			return true;
	return false;
}

/* Parses GIVEN_LEVELS, roles, and one file more (NULL: none); attr_known NULL: any name. */
static inline enum mu_rc
given_parse(const char *roles, const char *name, const char *content, policy_attr_fn *attr_known,
    struct config_faults *faults, struct policy **out_policy)
{
	struct policy_file files[3] = { { mu_strdup("identification.yaml"), mu_strdup(GIVEN_LEVELS) },
		{ mu_strdup("roles.yaml"), mu_strdup(roles) }, { mu_strdup(name), mu_strdup(content) } };
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = policy_parse(files, name == NULL ? 2 : 3, attr_known, NULL, faults, out_policy, &err);

	for (size_t i = 0; i < MU_COUNT(files); i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	return rc;
}

/* The same for a policy that is to be without fault. */
static inline struct policy *
given_policy(const char *roles, const char *name, const char *content)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct policy *p = NULL;
	enum mu_rc rc = given_parse(roles, name, content, NULL, &faults, &p);

	config_faults_format(&faults, &text);
	config_faults_clear(&faults);
	if (rc != MU_OK)
		fail_msg("%s", mu_buf_text(&text));
	return p;
}

/* The policy of policies/. */
static inline struct policy *
given_shipped(void)
{
	struct policy_folder folder = { .file_count = 0 };
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct policy *p = NULL;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc;

	if (policy_folder_read(SOURCE_DIR "/policies", &folder, &err) != MU_OK)
		fail_msg("%s", err.text);
	rc = policy_parse(folder.files, folder.file_count, given_attr_known, NULL, &faults, &p, &err);
	config_faults_format(&faults, &text);
	config_faults_clear(&faults);
	policy_folder_clear(&folder);
	if (rc != MU_OK)
		fail_msg("%s", mu_buf_text(&text));
	return p;
}

/* Facts as "name=value name=value"; groups as "group=x". */
static inline void
given_facts(const char *text, struct attrs *attrs, struct strings *groups)
{
	MU_AUTO(mu_freep) char *copy = mu_strdup(text);
	char *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		if (strcmp(word, "group") == 0)
			strings_add(groups, value);
		else
			attrs_add(attrs, word, value);
	}
}

/* Names with blanks between them. */
static inline void
given_names(const char *text, struct strings *out)
{
	MU_AUTO(mu_freep) char *copy = mu_strdup(text);
	char *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		strings_add(out, word);
}

#endif
