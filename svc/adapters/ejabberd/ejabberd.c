#include "adapters/ejabberd/ejabberd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/ejabberd/api.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"

#define DISABLED_GROUP		"muster-disabled"
#define NAME_MAX_BYTES		255
#define PASSWORD_RANDOM_BYTES	32
#define PAGE_MAX		200		/* names: a page fits one message */
#define LIST_MS			60000
#define SESSION_POLL_MS		20		/* a kicked session takes a moment to be gone */
#define SESSION_WAIT_MS		1000

#define ROOM_OPTIONS "[{\"name\":\"persistent\",\"value\":\"true\"}," \
	"{\"name\":\"members_only\",\"value\":\"true\"}," \
	"{\"name\":\"moderated\",\"value\":\"false\"}]"

struct adapter {
	struct ejabberd_api api;
	char *host, *rooms_host;
};

#define ARGS(...)	(const struct ejabberd_arg[]){ __VA_ARGS__, { NULL, NULL, NULL } }
#define TEXT(n, t)	{ (n), (t), NULL }
#define JSON(n, j)	{ (n), NULL, (j) }

/* --- What the steps are made of ------------------------------------------------------------- */

static enum adapter_outcome
exists(struct adapter *a, const char *name, bool *out_exists, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	int64_t missing;
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "check_account",
	    ARGS(TEXT("host", a->host), TEXT("user", name)), &answer, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (!json_node_int(answer.value, &missing) || (missing != 0 && missing != 1))
		return ejabberd_odd("check_account", err);
	*out_exists = missing == 0;
	return ADAPTER_DONE;
}

/* ADAPTER_ABSENT when there is no such account. */
static enum adapter_outcome
demand(struct adapter *a, const char *name, struct mu_err *err)
{
	bool there;
	enum adapter_outcome outcome = exists(a, name, &there, err);

	if (outcome == ADAPTER_DONE && !there) {
		(void)mu_fail(err, MU_EABSENT, "there is no such account");
		return ADAPTER_ABSENT;
	}
	return outcome;
}

/* The part of "name@host" before our host; NULL when it is not one of ours. Fresh. */
static char *
local_name(const struct adapter *a, const char *jid)
{
	const char *at = jid == NULL ? NULL : strrchr(jid, '@');

	if (at == NULL || strcmp(at + 1, a->host) != 0)
		return NULL;
	return mu_strndup(jid, (size_t)(at - jid));
}

static enum adapter_outcome
group_members(struct adapter *a, const char *group, struct strings *out_names, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "srg_get_members",
	    ARGS(TEXT("group", group), TEXT("host", a->host)), &answer, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (json_kind(answer.value) != JSON_KIND_LIST)
		return ejabberd_odd("srg_get_members", err);
	for (size_t i = 0; i < json_count(answer.value); i++) {
		MU_AUTO(mu_freep) char *name = local_name(a,
		    json_node_text(json_at(answer.value, i)));

		if (name != NULL)
			strings_add(out_names, name);
	}
	return ADAPTER_DONE;
}

static enum adapter_outcome
group_has(struct adapter *a, const char *group, const char *name, bool *out_has, size_t *out_count,
    struct mu_err *err)
{
	struct strings names = STRINGS_INIT;
	enum adapter_outcome outcome = group_members(a, group, &names, err);

	if (outcome == ADAPTER_DONE) {
		*out_has = strings_has(&names, name);
		*out_count = names.count;
	}
	strings_clear(&names);
	return outcome;
}

/* A change whose answer says nothing but that it happened. */
static enum adapter_outcome
change(struct adapter *a, const char *command, const struct ejabberd_arg *args, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;

	return ejabberd_do(&a->api, command, args, &answer, err);
}

/* Members see each other in a group that displays itself; those of muster-disabled see nobody. */
static enum adapter_outcome
group_create(struct adapter *a, const char *group, const char *display, struct mu_err *err)
{
	return change(a, "srg_create", ARGS(TEXT("description", ""), TEXT("display", display),
	    TEXT("group", group), TEXT("host", a->host), TEXT("label", group)), err);
}

/* ejabberd takes members of a group that is not there, and then forgets them in unregister. */
static enum adapter_outcome
group_ensure(struct adapter *a, const char *group, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "srg_get_info",
	    ARGS(TEXT("group", group), TEXT("host", a->host)), &answer, err);

	if (outcome != ADAPTER_DONE || json_count(answer.value) > 0)
		return outcome;
	return group_create(a, group, group, err);
}

static enum adapter_outcome
group_add(struct adapter *a, const char *group, const char *name, struct mu_err *err)
{
	return change(a, "srg_user_add", ARGS(TEXT("group", group), TEXT("grouphost", a->host),
	    TEXT("host", a->host), TEXT("user", name)), err);
}

static enum adapter_outcome
group_drop(struct adapter *a, const char *group, const char *name, struct mu_err *err)
{
	return change(a, "srg_user_del", ARGS(TEXT("group", group), TEXT("grouphost", a->host),
	    TEXT("host", a->host), TEXT("user", name)), err);
}

static enum adapter_outcome
sessions(struct adapter *a, const char *name, uint32_t *out_count, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "user_resources",
	    ARGS(TEXT("host", a->host), TEXT("user", name)), &answer, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (json_kind(answer.value) != JSON_KIND_LIST)
		return ejabberd_odd("user_resources", err);
	*out_count = (uint32_t)json_count(answer.value);
	return ADAPTER_DONE;
}

static const char *
affiliation_of(const char *level)
{
	return strcmp(level, "moderator") == 0 ? "admin" : level[0] == '\0' ? "member" : level;
}

/* "none" also when there is no such room; out_room says whether there is. */
static enum adapter_outcome
affiliation(struct adapter *a, const char *room, const char *name, struct mu_buf *out_affiliation,
    bool *out_room, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf jid = MU_BUF_INIT;
	enum adapter_outcome outcome;
	const char *text;

	mu_buf_format(&jid, "%s@%s", name, a->host);
	outcome = ejabberd_ask(&a->api, "get_room_affiliation", ARGS(TEXT("jid", jid.data),
	    TEXT("name", room), TEXT("service", a->rooms_host)), &answer, err);
	*out_room = outcome != ADAPTER_ABSENT;
	if (outcome == ADAPTER_ABSENT) {
		mu_buf_text_add(out_affiliation, "none");
		return ADAPTER_DONE;
	}
	if (outcome != ADAPTER_DONE)
		return outcome;
	text = json_find_text(answer.value, "affiliation");
	if (text == NULL)
		return ejabberd_odd("get_room_affiliation", err);
	mu_buf_text_add(out_affiliation, strcmp(text, "outcast") == 0 ? "none" : text);
	return ADAPTER_DONE;
}

/*
 * In a moderated room ejabberd (23.01) keeps the role of who was thrown out and lets them in by it
 * again, members-only or not. So a room that somebody leaves is moderated no longer.
 */
static enum adapter_outcome
room_unmoderate(struct adapter *a, const char *room, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "get_room_options",
	    ARGS(TEXT("name", room), TEXT("service", a->rooms_host)), &answer, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (!mu_text_equal(json_find_text(answer.value, "moderated"), "true"))
		return ADAPTER_DONE;
	return change(a, "change_room_option", ARGS(TEXT("name", room), TEXT("option", "moderated"),
	    TEXT("service", a->rooms_host), TEXT("value", "false")), err);
}

static enum adapter_outcome
affiliate(struct adapter *a, const char *room, const char *name, const char *as, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf jid = MU_BUF_INIT;

	mu_buf_format(&jid, "%s@%s", name, a->host);
	return change(a, "set_room_affiliation", ARGS(TEXT("affiliation", as), TEXT("jid", jid.data),
	    TEXT("name", room), TEXT("service", a->rooms_host)), err);
}

static enum adapter_outcome
refuse(struct mu_err *err, const char *text)
{
	(void)mu_fail(err, MU_EINPUT, "%s", text);
	return ADAPTER_REFUSED;
}

/* ejabberd folds the case of a room as it does of an account. Fresh. */
static char *
room_name(const char *name)
{
	char *room = mu_strdup(name);

	mu_text_lower(room);
	return room;
}

/* --- Steps ---------------------------------------------------------------------------------- */

/* Every step begins here: its time, and that it is not about the account we act with. */
static bool
step_begin(struct adapter *a, const struct step *s, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *own = local_name(a, a->api.user);

	a->api.deadline_ms = mu_tick_ms() + s->patience_ms;
	if (own == NULL || s->name == NULL || strcmp(own, s->name) != 0)
		return true;
	(void)mu_fail(err, MU_EINPUT, "that is the account muster itself uses");
	return false;
}

static enum adapter_outcome
ejabberd_probe(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	return ejabberd_ask(&a->api, "status", ARGS({ NULL, NULL, NULL }), &answer, err);
}

static enum adapter_outcome
right_look(struct adapter *a, const char *name, const struct entitlement *right,
    struct entitlements *out_rights, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf as = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *room = NULL;
	enum adapter_outcome outcome;
	size_t count;
	bool has;

	switch (right->kind) {
	case ENTITLEMENT_GROUP:
		outcome = group_has(a, right->name, name, &has, &count, err);
		if (outcome == ADAPTER_DONE && has)
			entitlements_add(out_rights, right->kind, right->name, "");
		return outcome;
	case ENTITLEMENT_ROOM:
		room = room_name(right->name);
		outcome = affiliation(a, room, name, &as, &has, err);
		if (outcome != ADAPTER_DONE || strcmp(mu_buf_text(&as), "none") == 0)
			return outcome;
		entitlements_add(out_rights, right->kind, right->name,
		    strcmp(as.data, affiliation_of(right->level)) == 0 ? right->level : as.data);
		return outcome;
	case ENTITLEMENT_LEVEL:
		return ADAPTER_DONE;	/* an access rule of the server's own: nothing we could see */
	}
	return ADAPTER_DONE;
}

static enum adapter_outcome
account_look(struct adapter *a, const char *name, struct receipt *out_receipt, struct mu_err *err)
{
	enum adapter_outcome outcome;
	bool there, disabled;
	size_t count;

	outcome = exists(a, name, &there, err);
	if (outcome != ADAPTER_DONE || !there)
		return outcome;
	outcome = group_has(a, DISABLED_GROUP, name, &disabled, &count, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	out_receipt->seen.state = disabled ? ACCOUNT_DISABLED : ACCOUNT_ENABLED;
	return sessions(a, name, &out_receipt->sessions_left, err);
}

static enum adapter_outcome
ejabberd_get(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	enum adapter_outcome outcome;

	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	outcome = account_look(a, s->name, out_receipt, err);
	for (size_t i = 0; outcome == ADAPTER_DONE && i < s->rights.count; i++)
		outcome = right_look(a, s->name, &s->rights.list[i], &out_receipt->seen.rights, err);
	return outcome;
}

/* The password that nobody knows and the block come before anyone could be let in. */
static enum adapter_outcome
ejabberd_create(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	unsigned char random[PASSWORD_RANDOM_BYTES];
	MU_AUTO(mu_buf_wipe) struct mu_buf password = MU_BUF_INIT;
	enum adapter_outcome outcome;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	mu_buf_reserve(&password, s->secret.size_bytes + 2 * sizeof(random));
	if (s->secret.size_bytes > 0) {
		mu_buf_add(&password, s->secret.bytes, s->secret.size_bytes);
	} else {
		mu_random(random, sizeof(random));
		mu_hex_format(&password, random, sizeof(random));
		explicit_bzero(random, sizeof(random));
	}
	outcome = change(a, "register", ARGS(TEXT("host", a->host), TEXT("password", password.data),
	    TEXT("user", s->name)), err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	outcome = group_add(a, DISABLED_GROUP, s->name, err);
	if (outcome == ADAPTER_DONE)
		outcome = group_create(a, DISABLED_GROUP, "", err);
	return outcome == ADAPTER_RETRY ? ADAPTER_UNKNOWN : outcome;	/* half of it is done */
}

/*
 * Blocked first and looked at then; a name that is nobody's must not stay behind in the group. Being
 * a member blocks even while the group itself is not there, so nothing else has to be asked first.
 */
static enum adapter_outcome
ejabberd_disable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome;
	struct mu_err ignored = MU_ERR_INIT;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	outcome = group_add(a, DISABLED_GROUP, s->name, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	outcome = demand(a, s->name, err);
	if (outcome == ADAPTER_ABSENT
	    && group_drop(a, DISABLED_GROUP, s->name, &ignored) != ADAPTER_DONE)
		return ADAPTER_UNKNOWN;
	return outcome == ADAPTER_RETRY ? ADAPTER_UNKNOWN : outcome;
}

static enum adapter_outcome
ejabberd_enable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	outcome = demand(a, s->name, err);
	return outcome != ADAPTER_DONE ? outcome : group_drop(a, DISABLED_GROUP, s->name, err);
}

static enum adapter_outcome
ejabberd_set_credential(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	if (s->secret.size_bytes == 0)
		return refuse(err, "an empty password");
	return change(a, "change_password", ARGS(TEXT("host", a->host),
	    TEXT("newpass", mu_secret_text(&s->secret)), TEXT("user", s->name)), err);
}

static enum adapter_outcome
group_join(struct adapter *a, const struct step *s, struct mu_err *err)
{
	enum adapter_outcome outcome;
	size_t count;
	bool has = false;

	if (strcmp(s->right.name, DISABLED_GROUP) == 0)
		return refuse(err, "that group is how accounts are closed");
	outcome = group_has(a, s->right.name, s->name, &has, &count, err);
	if (outcome != ADAPTER_DONE || has)
		return has && outcome == ADAPTER_DONE ? ADAPTER_ALREADY : outcome;
	if (count == 0)
		outcome = group_ensure(a, s->right.name, err);
	return outcome != ADAPTER_DONE ? outcome : group_add(a, s->right.name, s->name, err);
}

static enum adapter_outcome
room_join(struct adapter *a, const struct step *s, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf has = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *room = room_name(s->right.name);
	const char *as = affiliation_of(s->right.level);
	enum adapter_outcome outcome;
	bool there;

	outcome = affiliation(a, room, s->name, &has, &there, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (strcmp(mu_buf_text(&has), as) == 0)
		return ADAPTER_ALREADY;
	if (!there)
		outcome = change(a, "create_room_with_opts", ARGS(TEXT("host", a->host),
		    TEXT("name", room), JSON("options", ROOM_OPTIONS),
		    TEXT("service", a->rooms_host)), err);
	if (outcome != ADAPTER_DONE && outcome != ADAPTER_ALREADY)
		return outcome;
	return affiliate(a, room, s->name, as, err);
}

static enum adapter_outcome
ejabberd_join(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	if (s->right.kind == ENTITLEMENT_LEVEL)
		return refuse(err, "power over ejabberd is given in its own configuration");
	outcome = demand(a, s->name, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	return s->right.kind == ENTITLEMENT_GROUP ? group_join(a, s, err) : room_join(a, s, err);
}

static enum adapter_outcome
ejabberd_leave(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	struct entitlements held = ENTITLEMENTS_INIT;
	MU_AUTO(mu_freep) char *room = NULL;
	enum adapter_outcome outcome;
	bool has;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	if (s->right.kind == ENTITLEMENT_GROUP && strcmp(s->right.name, DISABLED_GROUP) == 0)
		return refuse(err, "that group is how accounts are closed");
	outcome = right_look(a, s->name, &s->right, &held, err);
	has = held.count > 0;
	entitlements_clear(&held);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (!has)
		return ADAPTER_ALREADY;
	if (s->right.kind == ENTITLEMENT_GROUP)
		return group_drop(a, s->right.name, s->name, err);
	room = room_name(s->right.name);
	outcome = room_unmoderate(a, room, err);
	return outcome != ADAPTER_DONE ? outcome : affiliate(a, room, s->name, "none", err);
}

static enum adapter_outcome
room_members(struct adapter *a, const struct entitlement *right, struct strings *out_names,
    struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	MU_AUTO(mu_freep) char *room = room_name(right->name);
	enum adapter_outcome outcome = ejabberd_ask(&a->api, "get_room_affiliations",
	    ARGS(TEXT("name", room), TEXT("service", a->rooms_host)), &answer, err);

	if (outcome == ADAPTER_ABSENT)
		return ADAPTER_DONE;
	if (outcome == ADAPTER_DONE && json_kind(answer.value) != JSON_KIND_LIST)
		return ejabberd_odd("get_room_affiliations", err);
	for (size_t i = 0; outcome == ADAPTER_DONE && i < json_count(answer.value); i++) {
		const struct json_node *one = json_at(answer.value, i);
		const char *name = json_find_text(one, "username");
		const char *as = json_find_text(one, "affiliation");

		if (name == NULL || as == NULL || strcmp(as, "none") == 0 || strcmp(as, "outcast") == 0)
			continue;
		if (!mu_text_equal(json_find_text(one, "domain"), a->host))
			continue;
		if (right->level[0] == '\0' || strcmp(as, affiliation_of(right->level)) == 0)
			strings_add(out_names, name);
	}
	return outcome;
}

static enum adapter_outcome
ejabberd_members(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	switch (s->right.kind) {
	case ENTITLEMENT_GROUP:
		return group_members(a, s->right.name, &out_receipt->names, err);
	case ENTITLEMENT_ROOM:
		return room_members(a, &s->right, &out_receipt->names, err);
	case ENTITLEMENT_LEVEL:
		break;
	}
	return refuse(err, "power over ejabberd stands in its own configuration");
}

static enum adapter_outcome
kick(struct adapter *a, const char *name, struct receipt *out_receipt, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	int64_t ended = 0;
	enum adapter_outcome outcome = ejabberd_do(&a->api, "kick_user",
	    ARGS(TEXT("host", a->host), TEXT("user", name)), &answer, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (!json_find_int(answer.value, "num_resources", &ended) || ended < 0 || ended > UINT32_MAX)
		return ejabberd_odd("kick_user", err);
	out_receipt->sessions_ended += (uint32_t)ended;
	return ADAPTER_DONE;
}

/* Counts until none is left or SESSION_WAIT_MS have passed. */
static enum adapter_outcome
sessions_end(struct adapter *a, const char *name, struct receipt *out_receipt, struct mu_err *err)
{
	const struct timespec pause = { 0, SESSION_POLL_MS * 1000000L };
	int64_t until_ms = mu_tick_ms() + SESSION_WAIT_MS;

	for (;;) {
		enum adapter_outcome outcome = sessions(a, name, &out_receipt->sessions_left, err);

		if (outcome != ADAPTER_DONE || out_receipt->sessions_left == 0
		    || mu_tick_ms() >= until_ms)
			return outcome;
		(void)nanosleep(&pause, NULL);
	}
}

/* Once, and once more for who slipped in between the block and the first. */
static enum adapter_outcome
ejabberd_kill(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome = ADAPTER_DONE;

	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	for (int times = 0; times < 2 && outcome == ADAPTER_DONE; times++) {
		outcome = kick(a, s->name, out_receipt, err);
		if (outcome == ADAPTER_DONE)
			outcome = sessions_end(a, s->name, out_receipt, err);
		if (outcome == ADAPTER_DONE && out_receipt->sessions_left == 0)
			break;
	}
	if (outcome == ADAPTER_DONE && out_receipt->sessions_ended == 0
	    && out_receipt->sessions_left == 0)
		return ADAPTER_ALREADY;
	return outcome;
}

/*
 * unregister takes memberships and sessions along, but for groups that are not there; and of a name
 * that does not exist it still counts one account less, so it is asked for those that do.
 */
static enum adapter_outcome
ejabberd_remove(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome;
	bool there, left;

	(void)out_receipt;
	if (!step_begin(a, s, err))
		return ADAPTER_REFUSED;
	outcome = exists(a, s->name, &there, err);
	if (outcome == ADAPTER_DONE && there)
		outcome = change(a, "unregister", ARGS(TEXT("host", a->host),
		    TEXT("user", s->name)), err);
	if (outcome == ADAPTER_DONE)
		outcome = exists(a, s->name, &left, err);
	if (outcome == ADAPTER_DONE && left) {
		(void)mu_fail(err, MU_ERETRY, "ejabberd unregister: the account is still there");
		return ADAPTER_UNKNOWN;
	}
	if (outcome == ADAPTER_DONE)
		outcome = group_drop(a, DISABLED_GROUP, s->name, err);
	return outcome == ADAPTER_DONE && !there ? ADAPTER_ALREADY : outcome;
}

/* --- The listing ---------------------------------------------------------------------------- */

static enum adapter_outcome
names_read(struct adapter *a, struct strings *out_names, bool *out_complete, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer users = EJABBERD_ANSWER_INIT;
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer stat = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome;
	int64_t count;

	outcome = ejabberd_ask(&a->api, "registered_users", ARGS(TEXT("host", a->host)), &users, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	outcome = ejabberd_ask(&a->api, "stats_host",
	    ARGS(TEXT("host", a->host), TEXT("name", "registeredusers")), &stat, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (json_kind(users.value) != JSON_KIND_LIST || !json_find_int(stat.value, "stat", &count))
		return ejabberd_odd("registered_users", err);
	for (size_t i = 0; i < json_count(users.value); i++) {
		const char *name = json_node_text(json_at(users.value, i));

		if (name == NULL)
			return ejabberd_odd("registered_users", err);
		strings_add(out_names, name);
	}
	*out_complete = count >= 0 && (size_t)count == out_names->count
	    && out_names->count == json_count(users.value);
	return ADAPTER_DONE;
}

static void
page_report(const struct adapter *a, const struct strings *names, const struct strings *disabled,
    const char *cursor, adapter_each_fn *each, void *ctx, struct mu_buf *out_next)
{
	MU_AUTO(mu_freep) char *own = local_name(a, a->api.user);
	size_t reported = 0;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->list[i];
		struct observed seen = { .state = strings_has(disabled, name)
		    ? ACCOUNT_DISABLED : ACCOUNT_ENABLED };

		if (strcmp(name, cursor) <= 0 || mu_text_equal(name, own))
			continue;
		if (reported++ == PAGE_MAX)
			return;
		mu_buf_reset(out_next);
		mu_buf_text_add(out_next, name);
		each(ctx, name, &seen);
	}
	mu_buf_reset(out_next);
}

static enum adapter_outcome
ejabberd_list(struct adapter *a, const char *cursor, adapter_each_fn *each, void *ctx,
    struct mu_buf *out_next, bool *out_complete, struct mu_err *err)
{
	struct strings names = STRINGS_INIT, disabled = STRINGS_INIT;
	enum adapter_outcome outcome;

	a->api.deadline_ms = mu_tick_ms() + LIST_MS;
	outcome = names_read(a, &names, out_complete, err);
	if (outcome == ADAPTER_DONE)
		outcome = group_members(a, DISABLED_GROUP, &disabled, err);
	if (outcome == ADAPTER_DONE)
		page_report(a, &names, &disabled, cursor, each, ctx, out_next);
	strings_clear(&names);
	strings_clear(&disabled);
	return outcome;
}

/* --- The module ----------------------------------------------------------------------------- */

/*
 * RFC 6122 appendix A as far as ASCII goes: folded to lower case, without what nodeprep prohibits.
 * Letters beyond ASCII are refused, not guessed at.
 */
static enum mu_rc
ejabberd_normalise(const char *name, struct mu_buf *out_name, struct mu_err *err)
{
	size_t bytes = strlen(name), before = out_name->size_bytes;

	if (bytes == 0 || bytes > NAME_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "an XMPP account name has 1 to %d bytes",
		    NAME_MAX_BYTES);
	for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
		if (*c > 0x7e)
			return mu_fail(err, MU_EINPUT,
			    "an XMPP account name of ours is ASCII alone: byte 0x%02x", *c);
		if (*c <= 0x20 || strchr("\"&'/:<>@", *c) != NULL)
			return mu_fail(err, MU_EINPUT,
			    "an XMPP account name cannot have the character 0x%02x", *c);
	}
	mu_buf_add(out_name, name, bytes);
	mu_text_lower(out_name->data + before);
	return MU_OK;
}

static const struct config_key keys[] = {
	{ .name = "url", .type = CONFIG_URL, .required = true,
	    .help = "where mod_http_api listens: https://host:port" },
	{ .name = "ca", .type = CONFIG_FILE,
	    .help = "authorities that may vouch for it, PEM; without it the system's" },
	{ .name = "host", .type = CONFIG_HOST, .required = true,
	    .help = "the XMPP host whose accounts these are" },
	{ .name = "rooms_host", .type = CONFIG_HOST,
	    .help = "the MUC service; conference. before the host if not given" },
	{ .name = "user", .type = CONFIG_TEXT, .required = true, .min = 3,
	    .help = "muster's own account there: name@host" },
	{ .name = "password_file", .type = CONFIG_SECRET_FILE, .required = true,
	    .help = "the file with its password" },
	{ .name = NULL },
};

static void
ejabberd_close(struct adapter *a)
{
	if (a == NULL)
		return;
	http_client_close(a->api.http);
	mu_secret_clear(&a->api.token);
	mu_free(a->api.user);
	mu_free(a->host);
	mu_free(a->rooms_host);
	mu_free(a);
}

static enum mu_rc
ejabberd_open(const struct adapter_host *host, const struct config_section *cfg,
    struct adapter **out_adapter, struct mu_err *err)
{
	const struct http_client_settings settings = {
		.base_url = config_section_text(cfg, "url"),
		.ca_file = config_section_text(cfg, "ca"),
	};
	const char *rooms_host = config_section_text(cfg, "rooms_host");
	MU_AUTO(mu_buf_clear) struct mu_buf conference = MU_BUF_INIT;
	struct http_client *http;
	struct adapter *a;

	if (http_client_open(&settings, &http, err) != MU_OK)
		return mu_wrap(err, "platform %s", host->platform);
	mu_buf_format(&conference, "conference.%s", config_section_text(cfg, "host"));
	a = mu_alloc_zero(1, sizeof(*a));
	a->api.http = http;
	a->api.user = mu_strdup(config_section_text(cfg, "user"));
	a->api.password = host->credential;
	a->host = mu_strdup(config_section_text(cfg, "host"));
	a->rooms_host = mu_strdup(rooms_host != NULL ? rooms_host : conference.data);
	*out_adapter = a;
	return MU_OK;
}

const struct adapter_ops ejabberd_adapter = {
	.abi = ADAPTER_ABI,
	.name = "ejabberd",
	.can = ADAPTER_CAN_DISABLE | ADAPTER_CAN_KILL | ADAPTER_CAN_COUNT_SESSIONS | ADAPTER_CAN_GROUPS
	    | ADAPTER_CAN_ROOMS | ADAPTER_CAN_CREDENTIAL | ADAPTER_CAN_LIST | ADAPTER_CAN_REMOVE_CLEANS,
	.keys = keys,
	.open = ejabberd_open,
	.close = ejabberd_close,
	.normalise = ejabberd_normalise,
	.list = ejabberd_list,
	.steps = {
		[STEP_PROBE] = ejabberd_probe, [STEP_GET] = ejabberd_get,
		[STEP_CREATE] = ejabberd_create, [STEP_DISABLE] = ejabberd_disable,
		[STEP_ENABLE] = ejabberd_enable, [STEP_SET_CREDENTIAL] = ejabberd_set_credential,
		[STEP_JOIN] = ejabberd_join, [STEP_LEAVE] = ejabberd_leave,
		[STEP_MEMBERS] = ejabberd_members, [STEP_KILL] = ejabberd_kill,
		[STEP_REMOVE] = ejabberd_remove,
	},
};
