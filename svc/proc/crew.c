#include "proc/crew.h"

#include <pwd.h>
#include <unistd.h>

#include "base/buf.h"

static void
seat_add(struct crew_seat *list, size_t *count, enum process_kind kind, const char *instance,
    uint32_t index)
{
	list[(*count)++] = (struct crew_seat){ kind, instance, index };
}

struct crew_seat *
crew_list(const struct settings *s, size_t *out_count)
{
	size_t most = 6 + s->source_count + s->platform_count + s->token_processes, count = 0;
	struct crew_seat *list = mu_alloc_zero(most, sizeof(*list));

	seat_add(list, &count, PROCESS_KEYS, "", 0);
	for (uint32_t i = 0; i < s->source_count; i++)
		seat_add(list, &count, PROCESS_CYCLE, s->sources[i].name, i);
	seat_add(list, &count, PROCESS_LOGIN, "", 0);
	seat_add(list, &count, PROCESS_PROVISION, "", 0);
	for (uint32_t i = 0; i < s->platform_count; i++)
		seat_add(list, &count, PROCESS_ADAPTER, s->platforms[i].name, i);
	seat_add(list, &count, PROCESS_AUDIT, "", 0);
	for (uint32_t i = 0; s->token.host != NULL && i < s->token_processes; i++)
		seat_add(list, &count, PROCESS_TOKEN, "", i);
	if (s->claim.host != NULL)
		seat_add(list, &count, PROCESS_CLAIM, "", 0);
	seat_add(list, &count, PROCESS_ADMIN, "", 0);
	*out_count = count;
	return list;
}

bool
crew_store_role(enum process_kind kind, enum store_role *out_role)
{
	switch (kind) {
	case PROCESS_CYCLE:	*out_role = STORE_ROLE_CYCLE; return true;
	case PROCESS_PROVISION:	*out_role = STORE_ROLE_PROVISION; return true;
	case PROCESS_AUDIT:	*out_role = STORE_ROLE_AUDIT; return true;
	case PROCESS_TOKEN:	*out_role = STORE_ROLE_TOKEN; return true;
	case PROCESS_ADMIN:	*out_role = STORE_ROLE_ADMIN; return true;
	case PROCESS_CLAIM:	*out_role = STORE_ROLE_CLAIM; return true;
	case PROCESS_WORK: case PROCESS_DRYRUN:	*out_role = STORE_ROLE_WORK; return true;
	case PROCESS_SUPERVISOR: case PROCESS_KEYS: case PROCESS_LOGIN: case PROCESS_ADAPTER:
		return false;
	}
	return false;
}

static enum mu_rc
user_find(const char *prefix, const char *kind, struct crew_user *out_user, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	const struct passwd *pw;

	mu_buf_format(&name, "%s%s", prefix, kind);
	pw = getpwnam(name.data);
	if (pw == NULL)
		return mu_fail(err, MU_ECONFIG, "there is no user %s, as whom %s runs: "
		    "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin %s",
		    name.data, kind, name.data);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return mu_fail(err, MU_ECONFIG,
		    "the user %s is root: give it a user and a group of its own", name.data);
	*out_user = (struct crew_user){ pw->pw_uid, pw->pw_gid };
	return MU_OK;
}

enum mu_rc
crew_users_find(const char *prefix, struct crew_users *out_users, struct mu_err *err)
{
	struct crew_users users = { .separate = geteuid() == 0 };
	const struct crew_user self = { geteuid(), getegid() };

	users.store = self;
	for (unsigned i = 0; i < PROCESS_KIND_COUNT; i++)
		users.kinds[i] = self;
	for (unsigned i = PROCESS_SUPERVISOR + 1; users.separate && i < PROCESS_KIND_COUNT; i++)
		if (i != PROCESS_DRYRUN && user_find(prefix, process_kind_name((enum process_kind)i), &users.kinds[i],
			err) != MU_OK)
			return err->rc;
	/* The user of those who hold a source's bind password already. */
	users.kinds[PROCESS_DRYRUN] = users.kinds[PROCESS_CYCLE];
	if (users.separate && user_find(prefix, "store", &users.store, err) != MU_OK)
		return err->rc;
	*out_users = users;
	return MU_OK;
}
