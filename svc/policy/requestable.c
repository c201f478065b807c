#include "policy/policy.h"
#include "policy/policy_priv.h"

#include <string.h>

bool
policy_is_requestable(const struct policy *p, const char *role, const struct facts *facts)
{
	for (size_t i = 0; i < p->role_count; i++) {
		const struct policy_role *r = &p->roles[i];

		if (strcmp(r->name, role) == 0)
			return r->requestable != NULL && filter_match(r->requestable, facts);
	}
	return false;
}
