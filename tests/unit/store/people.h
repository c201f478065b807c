/* People and accounts for tests: made up, complete, each different. */
#ifndef UNIT_STORE_PEOPLE_H
#define UNIT_STORE_PEOPLE_H

#include "base/uuid.h"
#include "store/person.h"
#include "unit/store/rig.h"

#define NOW_S 1790000000
#define PEOPLE_PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_AUDIT | STORE_SOURCE | STORE_POLICY)

static inline void
person_make(struct store_person *p, const char *uid)
{
	char text[200];

	*p = (struct store_person){ .state = PERSON_ACTIVE, .state_since_s = NOW_S - 5 };
	mu_uuid_new(&p->person_id);
	mu_uuid_new(&p->entry_uuid);
	p->source = mu_strdup("corp");
	(void)snprintf(text, sizeof(text), "uid=%s,ou=people,dc=example", uid);
	p->dn = mu_strdup(text);
	p->uid = mu_strdup(uid);
	p->identified = mu_strdup("hr-verified");
	p->evidence = mu_strdup("HR \"7\"\\1");
	attrs_add(&p->attrs, "uid", uid);
	attrs_add(&p->attrs, "displayName", "Zoë O'Hara");
	mu_random(p->content_hash, sizeof(p->content_hash));
	strings_add(&p->roles, "staff-chat");
}

static inline void
account_make(struct store_account *a, const struct store_person *p, const char *platform)
{
	*a = (struct store_account){ .fresh = true };
	mu_uuid_new(&a->want.account_id);
	a->want.person_id = p->person_id;
	a->want.platform = mu_strdup(platform);
	a->want.name = mu_strdup(p->uid);
	mu_random(a->want.subject, sizeof(a->want.subject));
	mu_random(a->mac, sizeof(a->mac));
	a->want.state = ACCOUNT_ENABLED;
	strings_add(&a->want.roles, "staff-chat");
	entitlements_add(&a->want.entitlements, ENTITLEMENT_GROUP, "all-staff", "");
	entitlements_add(&a->want.entitlements, ENTITLEMENT_ROOM, "ops", "moderator");
	a->want.version = 1;
}

/* Writes a person with an account on each platform of a list ended by NULL, and commits. */
static inline void
person_store(struct store *s, struct store_person *p, struct store_account *accounts,
    const char *const *platforms)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(s, &err));
	store_person_write(s, p);
	for (size_t i = 0; platforms[i] != NULL; i++) {
		account_make(&accounts[i], p, platforms[i]);
		store_account_write(s, &accounts[i], false, NOW_S);
		accounts[i].fresh = false;
	}
	MUST(store_commit(s, &err));
	p->version = 1;
}

#endif
