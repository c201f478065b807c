#include "adapters/adapter.h"

#include "adapters/ejabberd/ejabberd.h"
#include "adapters/memory/memory.h"
#include "adapters/scim/scim.h"
#include "base/text.h"

static const struct adapter_ops *const modules[] = {
	&ejabberd_adapter,
	&memory_adapter,
	&scim_adapter,
};

const struct adapter_ops *
adapter_at(size_t index)
{
	return index < MU_COUNT(modules) ? modules[index] : NULL;
}

const struct adapter_ops *
adapter_find(const char *name)
{
	for (size_t i = 0; i < MU_COUNT(modules); i++)
		if (mu_text_equal(modules[i]->name, name))
			return modules[i];
	return NULL;
}

const char *
adapter_outcome_name(enum adapter_outcome outcome)
{
	static const char *const names[] = {
		[ADAPTER_DONE] = "done", [ADAPTER_ALREADY] = "already", [ADAPTER_RETRY] = "retry",
		[ADAPTER_UNKNOWN] = "unknown", [ADAPTER_OWN_CREDENTIAL] = "own-credential",
		[ADAPTER_ABSENT] = "absent", [ADAPTER_CONFLICT] = "conflict",
		[ADAPTER_REFUSED] = "refused",
	};

	return (size_t)outcome < MU_COUNT(names) ? names[outcome] : "unknown";
}
