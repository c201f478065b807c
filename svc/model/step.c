#include "model/step.h"

void
observed_clear(struct observed *o)
{
	entitlements_clear(&o->rights);
	mu_free(o->external_id);
	*o = (struct observed){ .state = ACCOUNT_ABSENT };
}

void
step_clear(struct step *s)
{
	mu_free(s->name);
	mu_free(s->display_name);
	mu_free(s->right.name);
	mu_free(s->right.level);
	entitlements_clear(&s->rights);
	mu_secret_clear(&s->secret);
	*s = (struct step){ .kind = STEP_PROBE };
}

void
receipt_clear(struct receipt *r)
{
	observed_clear(&r->seen);
	strings_clear(&r->names);
	mu_free(r->text);
	*r = (struct receipt){ .outcome = 0 };
}

const char *
step_kind_name(enum step_kind kind)
{
	static const char *const names[STEP_KIND_COUNT] = {
		[STEP_PROBE] = "probe", [STEP_GET] = "get", [STEP_CREATE] = "create",
		[STEP_UPDATE] = "update", [STEP_DISABLE] = "disable", [STEP_ENABLE] = "enable",
		[STEP_SET_CREDENTIAL] = "set-credential", [STEP_JOIN] = "join", [STEP_LEAVE] = "leave",
		[STEP_MEMBERS] = "members", [STEP_KILL] = "kill", [STEP_REMOVE] = "remove",
	};

	return names[kind];
}
