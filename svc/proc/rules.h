/*
 * proc/rules.h - settings and policy as the cycle wants them: for the cycle and work processes
 */
#ifndef PROC_RULES_H
#define PROC_RULES_H

#include "config/settings.h"
#include "cycle/decide.h"

/* policy_attr_fn over struct settings: an attribute of any source's map, or "group". */
bool rules_attr_known(const void *settings, const char *name);

/* policy_platform_fn over struct settings. */
bool rules_platform_known(const void *settings, const char *name);

/* Fills platforms and sources from the settings; policy is the caller's. Clear with rules_clear. */
void rules_init(struct cycle_rules *rules, const struct settings *settings, const struct policy *policy);
void rules_clear(struct cycle_rules *rules);

/*
 * What the authorities of sources name and the policy does not have: a fault for each, in the file
 * file_name. The rest of them counts.
 */
void rules_authority_check(const struct settings *settings, const struct policy *policy,
    const char *file_name, struct config_faults *faults);

/* Names this installation in leases: host and state folder, the same after a restart. */
void rules_holder_format(const struct settings *settings, struct mu_buf *b);

#endif
