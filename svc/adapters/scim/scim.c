#include "adapters/scim/scim.h"

#include <string.h>

#include "adapters/scim/api.h"
#include "adapters/scim/pager.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/percent.h"
#include "json/write.h"

#define NAME_MAX_BYTES	255
#define ID_MAX_BYTES	255
#define PAGE_MS		30000
#define SCHEMA_USER	"urn:ietf:params:scim:schemas:core:2.0:User"
#define SCHEMA_GROUP	"urn:ietf:params:scim:schemas:core:2.0:Group"
#define SCHEMA_PATCH	"urn:ietf:params:scim:api:messages:2.0:PatchOp"

struct adapter {
	struct scim_api api;
	struct scim_pager listing;	/* of the listing at hand: only to judge it */
};

/* An account as the server shows it; id is NULL when there is none. */
struct user {
	char *id, *name, *external_id, *display_name;
	bool active;
};

static void
user_clear(struct user *u)
{
	mu_free(u->id);
	mu_free(u->name);
	mu_free(u->external_id);
	mu_free(u->display_name);
	*u = (struct user){ .id = NULL };
}

/* --- What resources say --------------------------------------------------------------------- */

/* An id goes into paths: NULL unless it can stand there. */
static const char *
resource_id(const struct json_node *resource)
{
	const char *id = json_find_text(resource, "id");

	if (id == NULL || id[0] == '\0' || strlen(id) > ID_MAX_BYTES || strcmp(id, ".") == 0
	    || strcmp(id, "..") == 0)
		return NULL;
	return id;
}

static const char *
resource_text(const struct json_node *resource, const char *name)
{
	const char *text = json_find_text(resource, name);

	return text != NULL ? text : "";
}

/* Some servers write "False"; and who says nothing is taken for open. */
static bool
user_active(const struct json_node *resource)
{
	bool active;

	if (json_find_bool(resource, "active", &active))
		return active;
	return !mu_text_equal_fold(resource_text(resource, "active"), "false");
}

static void
user_read(const struct json_node *resource, struct user *out_user)
{
	*out_user = (struct user){
		.id = mu_strdup(resource_id(resource)),
		.name = mu_strdup(resource_text(resource, "userName")),
		.external_id = mu_strdup(resource_text(resource, "externalId")),
		.display_name = mu_strdup(resource_text(resource, "displayName")),
		.active = user_active(resource),
	};
}

static bool
user_ours(const struct user *u, const struct step *s)
{
	char account_id[MU_UUID_TEXT_BYTES];

	return u->id != NULL
	    && mu_text_equal_fold(u->external_id, mu_uuid_format(&s->account_id, account_id));
}

static bool
user_foreign(const struct user *u, const struct step *s)
{
	return u->id != NULL && u->external_id[0] != '\0' && !user_ours(u, s);
}

static enum adapter_outcome
refuse(struct mu_err *err, const char *text)
{
	(void)mu_fail(err, MU_EINPUT, "%s", text);
	return ADAPTER_REFUSED;
}

static enum adapter_outcome
unproven(struct mu_err *err, const char *what)
{
	(void)mu_fail(err, MU_ERETRY, "the listing of %s is not provably whole", what);
	return ADAPTER_RETRY;
}

/* --- Finding -------------------------------------------------------------------------------- */

/* Servers answer what they take a filter for: only what has the wanted value counts. */
struct user_search {
	const char *attribute, *value;
	struct user found;
	bool several, odd;
};

static void
user_search_take(void *ctx, const struct json_node *resource)
{
	struct user_search *q = ctx;
	const char *id = resource_id(resource);

	if (!mu_text_equal_fold(resource_text(resource, q->attribute), q->value))
		return;
	if (id == NULL)
		q->odd = true;
	else if (q->found.id == NULL)
		user_read(resource, &q->found);
	else if (strcmp(q->found.id, id) != 0)
		q->several = true;
}

static enum adapter_outcome
user_search(struct adapter *a, const char *attribute, const char *value, struct user *out_user,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	struct user_search q = { attribute, value, { .id = NULL }, false, false };
	enum adapter_outcome outcome;
	bool whole;

	scim_filter_format(&filter, attribute, value);
	outcome = scim_walk(&a->api, "/Users", filter.data, user_search_take, &q, &whole, err);
	if (outcome == ADAPTER_DONE && q.odd)
		outcome = scim_odd(SCIM_LOOK, "user", err);
	if (outcome == ADAPTER_DONE && q.several) {
		(void)mu_fail(err, MU_EINPUT, "more than one account has the same %s", attribute);
		outcome = ADAPTER_REFUSED;
	}
	if (outcome == ADAPTER_DONE && q.found.id == NULL && !whole)
		outcome = unproven(err, "users");
	if (outcome == ADAPTER_DONE)
		*out_user = q.found;
	else
		user_clear(&q.found);
	return outcome;
}

/* By our id, else by name. */
static enum adapter_outcome
user_find(struct adapter *a, const struct step *s, struct user *out_user, struct mu_err *err)
{
	char account_id[MU_UUID_TEXT_BYTES];
	enum adapter_outcome outcome = user_search(a, "externalId",
	    mu_uuid_format(&s->account_id, account_id), out_user, err);

	if (outcome != ADAPTER_DONE || out_user->id != NULL)
		return outcome;
	return user_search(a, "userName", s->name, out_user, err);
}

static enum adapter_outcome
conflict(struct mu_err *err)
{
	(void)mu_fail(err, MU_ECONFLICT, "the account of that name is not ours by its externalId");
	return ADAPTER_CONFLICT;
}

/* ADAPTER_ABSENT when there is none, ADAPTER_CONFLICT when it says that it is another's. */
static enum adapter_outcome
user_demand(struct adapter *a, const struct step *s, struct user *out_user, struct mu_err *err)
{
	enum adapter_outcome outcome = user_find(a, s, out_user, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (user_foreign(out_user, s))
		return conflict(err);
	if (out_user->id != NULL)
		return ADAPTER_DONE;
	(void)mu_fail(err, MU_EABSENT, "there is no such account");
	return ADAPTER_ABSENT;
}

/* Servers take a second group of the same name: all of them together are the group. */
struct group_search {
	const char *name;		/* NULL: any */
	const char *member;		/* an id; "" is nobody's */
	struct strings all, holding;	/* ids of groups */
	struct strings members;		/* ids of accounts */
	bool odd;
};

static void
group_search_clear(struct group_search *q)
{
	strings_clear(&q->all);
	strings_clear(&q->holding);
	strings_clear(&q->members);
}

static void
group_search_take(void *ctx, const struct json_node *resource)
{
	struct group_search *q = ctx;
	const char *id = resource_id(resource);
	const struct json_node *members = json_find(resource, "members");

	if (q->name != NULL && strcmp(resource_text(resource, "displayName"), q->name) != 0)
		return;
	if (id == NULL) {
		q->odd = true;
		return;
	}
	strings_add(&q->all, id);
	for (size_t i = 0; i < json_count(members); i++) {
		const char *member = resource_text(json_at(members, i), "value");

		if (member[0] == '\0' || strcmp(resource_text(json_at(members, i), "type"), "Group") == 0)
			continue;
		if (strcmp(member, q->member) == 0)
			strings_add(&q->holding, id);
		if (q->name != NULL)
			strings_add(&q->members, member);
	}
}

static enum adapter_outcome
group_walk(struct adapter *a, const char *filter, struct group_search *q, struct mu_err *err)
{
	bool whole;
	enum adapter_outcome outcome = scim_walk(&a->api, "/Groups", filter, group_search_take, q,
	    &whole, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (q->odd)
		return scim_odd(SCIM_LOOK, "group", err);
	return whole ? ADAPTER_DONE : unproven(err, "groups");
}

/* Clear q with group_search_clear, whatever comes of it. */
static enum adapter_outcome
group_find(struct adapter *a, const char *name, const char *member, struct group_search *q,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;

	*q = (struct group_search){ .name = name, .member = member };
	scim_filter_format(&filter, "displayName", name);
	return group_walk(a, filter.data, q, err);
}

/* Every group with the member; where the server cannot be asked so, by reading all. */
static enum adapter_outcome
groups_holding(struct adapter *a, const char *member, struct group_search *q, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	struct mu_err unable = MU_ERR_INIT;
	enum adapter_outcome outcome;

	*q = (struct group_search){ .member = member };
	scim_filter_format(&filter, "members.value", member);
	outcome = group_walk(a, filter.data, q, &unable);
	if (outcome == ADAPTER_REFUSED)
		return group_walk(a, "", q, err);
	if (outcome != ADAPTER_DONE)
		*err = unable;
	return outcome;
}

/* --- Changing ------------------------------------------------------------------------------- */

static void
schema_format(struct json_writer *w, const char *schema)
{
	json_list_begin(w, "schemas");
	json_text(w, NULL, schema);
	json_list_end(w);
}

static void
patch_begin(struct json_writer *w, struct mu_buf *b)
{
	json_begin(w, b);
	json_object_begin(w, NULL);
	json_list_begin(w, "Operations");
}

static void
patch_end(struct json_writer *w)
{
	json_list_end(w);
	schema_format(w, SCHEMA_PATCH);
	json_object_end(w);
	json_end(w);
}

/* Opens an operation; its "value" may follow, and json_object_end. */
static void
operation_begin(struct json_writer *w, const char *op, const char *path)
{
	json_object_begin(w, NULL);
	json_text(w, "op", op);
	json_text(w, "path", path);
}

static void
operation_replace(struct json_writer *w, const char *path, const char *text)
{
	operation_begin(w, "replace", path);
	json_text(w, "value", text);
	json_object_end(w);
}

/* Changes one resource: kind is "/Users/" or "/Groups/", body NULL for DELETE. */
static enum adapter_outcome
resource_change(struct adapter *a, const char *method, const char *kind, const char *id,
    const struct mu_buf *body, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct scim_request r = { SCIM_CHANGE, method, NULL, body };

	mu_buf_text_add(&target, kind);
	http_percent_format(&target, id);
	r.target = target.data;
	return scim_call(&a->api, &r, &answer, err);
}

static enum adapter_outcome
active_set(struct adapter *a, const char *id, bool active, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	patch_begin(&w, &body);
	operation_begin(&w, "replace", "active");
	json_bool(&w, "value", active);
	json_object_end(&w);
	patch_end(&w);
	return resource_change(a, "PATCH", "/Users/", id, &body, err);
}

static void
members_format(struct json_writer *w, const char *name, const char *member)
{
	json_list_begin(w, name);
	json_object_begin(w, NULL);
	json_text(w, "value", member);
	json_object_end(w);
	json_list_end(w);
}

static enum adapter_outcome
group_create(struct adapter *a, const char *name, const char *member, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, external_id = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct scim_request r = { SCIM_CREATE, "POST", "/Groups", &body };
	struct json_writer w;

	mu_buf_format(&external_id, "muster:%s", name);
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "displayName", name);
	json_text(&w, "externalId", external_id.data);
	members_format(&w, "members", member);
	schema_format(&w, SCHEMA_GROUP);
	json_object_end(&w);
	json_end(&w);
	return scim_call(&a->api, &r, &answer, err);
}

static enum adapter_outcome
group_add(struct adapter *a, const char *group, const char *member, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	patch_begin(&w, &body);
	operation_begin(&w, "add", "members");
	members_format(&w, "value", member);
	json_object_end(&w);
	patch_end(&w);
	return resource_change(a, "PATCH", "/Groups/", group, &body, err);
}

static enum adapter_outcome
group_drop(struct adapter *a, const char *group, const char *member, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, path = MU_BUF_INIT;
	struct json_writer w;

	mu_buf_text_add(&path, "members[");
	scim_filter_format(&path, "value", member);
	mu_buf_char_add(&path, ']');
	patch_begin(&w, &body);
	operation_begin(&w, "remove", path.data);
	json_object_end(&w);
	patch_end(&w);
	return resource_change(a, "PATCH", "/Groups/", group, &body, err);
}

/* A group that is gone meanwhile holds nobody. */
static enum adapter_outcome
groups_drop(struct adapter *a, const struct strings *groups, const char *member, struct mu_err *err)
{
	for (size_t i = 0; i < groups->count; i++) {
		struct mu_err one = MU_ERR_INIT;
		enum adapter_outcome outcome = group_drop(a, groups->list[i], member, &one);

		if (outcome != ADAPTER_DONE && outcome != ADAPTER_ABSENT) {
			*err = one;
			return outcome;
		}
	}
	return groups->count > 0 ? ADAPTER_DONE : ADAPTER_ALREADY;
}

/* --- Steps ---------------------------------------------------------------------------------- */

static void
step_begin(struct adapter *a, const struct step *s)
{
	a->api.deadline_ms = mu_tick_ms() + s->patience_ms;
}

static enum adapter_outcome
scim_probe(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	const struct scim_request r = { SCIM_LOOK, "GET", "/Users?startIndex=1&count=1", NULL };
	enum adapter_outcome outcome;
	int64_t total;

	(void)out_receipt;
	step_begin(a, s);
	outcome = scim_call(&a->api, &r, &answer, err);
	if (outcome == ADAPTER_ABSENT
	    || (outcome == ADAPTER_DONE && !json_find_int(answer, "totalResults", &total)))
		return scim_odd(SCIM_LOOK, "probe", err);
	return outcome;
}

static enum adapter_outcome
right_look(struct adapter *a, const struct entitlement *right, const char *member,
    struct entitlements *out_rights, struct mu_err *err)
{
	struct group_search q;
	enum adapter_outcome outcome;

	if (right->kind != ENTITLEMENT_GROUP)
		return ADAPTER_DONE;
	outcome = group_find(a, right->name, member, &q, err);
	if (outcome == ADAPTER_DONE && q.holding.count > 0)
		entitlements_add(out_rights, right->kind, right->name, "");
	group_search_clear(&q);
	return outcome;
}

static enum adapter_outcome
scim_get(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	struct observed *seen = &out_receipt->seen;
	enum adapter_outcome outcome;

	step_begin(a, s);
	outcome = user_find(a, s, &user, err);
	if (outcome != ADAPTER_DONE || user.id == NULL)
		return outcome;
	seen->state = user.active ? ACCOUNT_ENABLED : ACCOUNT_DISABLED;
	seen->external_id = mu_strdup(user.external_id);
	for (size_t i = 0; outcome == ADAPTER_DONE && i < s->rights.count; i++)
		outcome = right_look(a, &s->rights.list[i], user.id, &seen->rights, err);
	return outcome;
}

static void
user_format(const struct step *s, struct mu_buf *b)
{
	char account_id[MU_UUID_TEXT_BYTES];
	struct json_writer w;

	/* a password may be in it: growing would leave a copy behind */
	mu_buf_reserve(b, 512 + 6 * (s->secret.size_bytes + strlen(s->name)
	    + 2 * strlen(s->display_name)));
	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_bool(&w, "active", false);
	if (s->display_name[0] != '\0')
		json_text(&w, "displayName", s->display_name);
	json_text(&w, "externalId", mu_uuid_format(&s->account_id, account_id));
	if (s->display_name[0] != '\0') {
		json_object_begin(&w, "name");
		json_text(&w, "formatted", s->display_name);
		json_object_end(&w);
	}
	if (s->secret.size_bytes > 0)
		json_text(&w, "password", mu_secret_text(&s->secret));
	schema_format(&w, SCHEMA_USER);
	json_text(&w, "userName", s->name);
	json_object_end(&w);
	json_end(&w);
}

/* The name is taken; that is well if the account is ours already. */
static enum adapter_outcome
create_again(struct adapter *a, const struct step *s, struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	enum adapter_outcome outcome = user_find(a, s, &user, err);

	if (outcome != ADAPTER_DONE)
		return outcome;
	return user_ours(&user, s) ? ADAPTER_ALREADY : conflict(err);
}

static enum adapter_outcome
user_create(struct adapter *a, const struct step *s, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *made = NULL;
	struct scim_request r = { SCIM_CREATE, "POST", "/Users", &body };
	struct mu_err refused = MU_ERR_INIT;
	enum adapter_outcome outcome;

	user_format(s, &body);
	outcome = scim_call(&a->api, &r, &made, &refused);
	if (outcome == ADAPTER_CONFLICT)
		return create_again(a, s, err);
	if (outcome != ADAPTER_DONE)
		*err = refused;
	if (outcome != ADAPTER_DONE || made == NULL || !user_active(made))
		return outcome;
	if (resource_id(made) == NULL)
		return scim_odd(SCIM_CREATE, "user", err);
	outcome = active_set(a, resource_id(made), false, err);	/* it opens what it makes */
	return outcome == ADAPTER_RETRY ? ADAPTER_UNKNOWN : outcome;
}

/* Our id first: nothing but the name is unique to the server. */
static enum adapter_outcome
scim_create(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	char account_id[MU_UUID_TEXT_BYTES];
	enum adapter_outcome outcome;

	(void)out_receipt;
	step_begin(a, s);
	outcome = user_search(a, "externalId", mu_uuid_format(&s->account_id, account_id), &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	return user.id != NULL ? ADAPTER_ALREADY : user_create(a, s, err);
}

/* Also marks an account that carried no id: from now on it says whose it is. */
static enum adapter_outcome
scim_update(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	char account_id[MU_UUID_TEXT_BYTES];
	enum adapter_outcome outcome;
	bool marked, named, shown;
	struct json_writer w;

	(void)out_receipt;
	step_begin(a, s);
	outcome = user_demand(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	marked = user_ours(&user, s);
	named = mu_text_equal_fold(user.name, s->name);
	shown = s->display_name[0] == '\0' || strcmp(user.display_name, s->display_name) == 0;
	if (marked && named && shown)
		return ADAPTER_ALREADY;
	patch_begin(&w, &body);
	if (!marked)
		operation_replace(&w, "externalId", mu_uuid_format(&s->account_id, account_id));
	if (!named)
		operation_replace(&w, "userName", s->name);
	if (!shown) {
		operation_replace(&w, "displayName", s->display_name);
		operation_replace(&w, "name.formatted", s->display_name);
	}
	patch_end(&w);
	return resource_change(a, "PATCH", "/Users/", user.id, &body, err);
}

static enum adapter_outcome
user_switch(struct adapter *a, const struct step *s, bool on, struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	enum adapter_outcome outcome;

	step_begin(a, s);
	outcome = user_demand(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	return user.active == on ? ADAPTER_ALREADY : active_set(a, user.id, on, err);
}

static enum adapter_outcome
scim_disable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	(void)out_receipt;
	return user_switch(a, s, false, err);
}

static enum adapter_outcome
scim_enable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	(void)out_receipt;
	return user_switch(a, s, true, err);
}

static enum adapter_outcome
scim_set_credential(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	enum adapter_outcome outcome;
	struct json_writer w;

	(void)out_receipt;
	step_begin(a, s);
	if (s->secret.size_bytes == 0)
		return refuse(err, "an empty password");
	outcome = user_demand(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	mu_buf_reserve(&body, 6 * s->secret.size_bytes + 256);
	patch_begin(&w, &body);
	operation_replace(&w, "password", mu_secret_text(&s->secret));
	patch_end(&w);
	return resource_change(a, "PATCH", "/Users/", user.id, &body, err);
}

static enum adapter_outcome
scim_join(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	struct group_search q;
	enum adapter_outcome outcome;

	(void)out_receipt;
	step_begin(a, s);
	if (s->right.kind != ENTITLEMENT_GROUP)
		return refuse(err, "SCIM knows no rights but groups");
	outcome = user_demand(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	outcome = group_find(a, s->right.name, user.id, &q, err);
	if (outcome == ADAPTER_DONE) {
		if (q.holding.count > 0)
			outcome = ADAPTER_ALREADY;
		else if (q.all.count > 0)
			outcome = group_add(a, q.all.list[0], user.id, err);
		else
			outcome = group_create(a, s->right.name, user.id, err);
	}
	group_search_clear(&q);
	return outcome;
}

static enum adapter_outcome
scim_leave(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	struct group_search q;
	enum adapter_outcome outcome;

	(void)out_receipt;
	step_begin(a, s);
	if (s->right.kind != ENTITLEMENT_GROUP)
		return refuse(err, "SCIM knows no rights but groups");
	outcome = user_find(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (user_foreign(&user, s))
		return conflict(err);
	if (user.id == NULL)
		return ADAPTER_ALREADY;
	outcome = group_find(a, s->right.name, user.id, &q, err);
	if (outcome == ADAPTER_DONE)
		outcome = groups_drop(a, &q.holding, user.id, err);
	group_search_clear(&q);
	return outcome;
}

/* The name of an account by its id. Servers keep the ids of those that are gone: nobody. */
static enum adapter_outcome
member_name(struct adapter *a, const char *id, struct strings *out_names, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT, name = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *user = NULL;
	struct scim_request r = { SCIM_LOOK, "GET", NULL, NULL };
	struct mu_err gone = MU_ERR_INIT, unusual = MU_ERR_INIT;
	enum adapter_outcome outcome;

	mu_buf_text_add(&target, "/Users/");
	http_percent_format(&target, id);
	r.target = target.data;
	outcome = scim_call(&a->api, &r, &user, &gone);
	if (outcome == ADAPTER_ABSENT)
		return ADAPTER_DONE;
	if (outcome != ADAPTER_DONE) {
		*err = gone;
		return outcome;
	}
	if (!mu_text_equal(json_find_text(user, "id"), id) || json_find_text(user, "userName") == NULL)
		return scim_odd(SCIM_LOOK, "user", err);
	if (scim_adapter.normalise(json_find_text(user, "userName"), &name, &unusual) == MU_OK)
		strings_add(out_names, name.data);
	return ADAPTER_DONE;
}

static enum adapter_outcome
scim_members(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	struct group_search q;
	enum adapter_outcome outcome;

	step_begin(a, s);
	if (s->right.kind != ENTITLEMENT_GROUP)
		return refuse(err, "SCIM knows no rights but groups");
	outcome = group_find(a, s->right.name, "", &q, err);
	for (size_t i = 0; outcome == ADAPTER_DONE && i < q.members.count; i++)
		outcome = member_name(a, q.members.list[i], &out_receipt->names, err);
	group_search_clear(&q);
	return outcome;
}

static enum adapter_outcome
memberships_remove(struct adapter *a, const char *member, struct mu_err *err)
{
	struct group_search q;
	enum adapter_outcome outcome = groups_holding(a, member, &q, err);

	if (outcome == ADAPTER_DONE)
		outcome = groups_drop(a, &q.holding, member, err);
	group_search_clear(&q);
	return outcome == ADAPTER_ALREADY ? ADAPTER_DONE : outcome;
}

/* Memberships first: servers keep the ids of those that are gone. */
static enum adapter_outcome
scim_remove(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	MU_AUTO(user_clear) struct user user = { .id = NULL };
	struct mu_err gone = MU_ERR_INIT;
	enum adapter_outcome outcome;

	(void)out_receipt;
	step_begin(a, s);
	outcome = user_find(a, s, &user, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (user_foreign(&user, s))
		return conflict(err);
	if (user.id == NULL)
		return ADAPTER_ALREADY;
	outcome = memberships_remove(a, user.id, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	outcome = resource_change(a, "DELETE", "/Users/", user.id, NULL, &gone);
	if (outcome == ADAPTER_ABSENT)
		return ADAPTER_ALREADY;
	if (outcome != ADAPTER_DONE)
		*err = gone;
	return outcome;
}

/* --- The listing ---------------------------------------------------------------------------- */

static void
page_report(const struct json_node *resources, adapter_each_fn *each, void *ctx)
{
	for (size_t i = 0; i < json_count(resources) && i < SCIM_PAGE_COUNT; i++) {
		MU_AUTO(user_clear) struct user user = { .id = NULL };
		MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
		struct mu_err unusual = MU_ERR_INIT;
		struct observed seen = { .state = ACCOUNT_DISABLED };

		user_read(json_at(resources, i), &user);
		seen.state = user.active ? ACCOUNT_ENABLED : ACCOUNT_DISABLED;
		seen.external_id = user.external_id;
		if (scim_adapter.normalise(user.name, &name, &unusual) == MU_OK)
			each(ctx, name.data, &seen);
		else	/* a name we would never give is listed as it is */
			each(ctx, user.name, &seen);
	}
}

/* The cursor is a startIndex. One that we did not give out last, before a restart, proves nothing. */
static enum adapter_outcome
scim_list(struct adapter *a, const char *cursor, adapter_each_fn *each, void *ctx,
    struct mu_buf *out_next, bool *out_complete, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *page = NULL;
	const struct json_node *resources;
	enum adapter_outcome outcome;
	int64_t start = 1;

	if (cursor[0] != '\0' && !mu_int_parse(cursor, 1, SCIM_TOTAL_MAX + 1, &start))
		return refuse(err, "no cursor of ours");
	a->api.deadline_ms = mu_tick_ms() + PAGE_MS;
	outcome = scim_page(&a->api, "/Users", "", start, &page, err);
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (cursor[0] == '\0' || a->listing.next != start) {
		scim_pager_begin(&a->listing, start);
		a->listing.sound = cursor[0] == '\0';
	}
	if (!scim_pager_take(&a->listing, page, &resources))
		return scim_odd(SCIM_LOOK, "listing", err);
	page_report(resources, each, ctx);
	*out_complete = scim_pager_whole(&a->listing);
	mu_buf_reset(out_next);
	if (a->listing.next != 0)
		mu_buf_format(out_next, "%lld", (long long)a->listing.next);
	return ADAPTER_DONE;
}

/* --- The module ----------------------------------------------------------------------------- */

/* RFC 7643 4.1.1: userName is compared without regard to case. Letters beyond ASCII are refused. */
static enum mu_rc
scim_normalise(const char *name, struct mu_buf *out_name, struct mu_err *err)
{
	size_t bytes = strlen(name), before = out_name->size_bytes;

	if (bytes == 0 || bytes > NAME_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "a userName of ours has 1 to %d bytes", NAME_MAX_BYTES);
	for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return mu_fail(err, MU_EINPUT, "a userName of ours cannot have the byte 0x%02x",
			    *c);
	mu_buf_add(out_name, name, bytes);
	mu_text_lower(out_name->data + before);
	return MU_OK;
}

static const struct config_key keys[] = {
	{ .name = "url", .type = CONFIG_URL, .required = true,
	    .help = "the SCIM base: https://host[:port][/path], without /Users" },
	{ .name = "ca", .type = CONFIG_FILE,
	    .help = "authorities that may vouch for it, PEM; without it the system's" },
	{ .name = "token_file", .type = CONFIG_SECRET_FILE, .required = true,
	    .help = "the file with the bearer token" },
	{ .name = NULL },
};

static void
scim_close(struct adapter *a)
{
	if (a == NULL)
		return;
	http_client_close(a->api.http);
	scim_pager_clear(&a->listing);
	mu_free(a->api.root);
	mu_free(a);
}

static enum mu_rc
scim_open(const struct adapter_host *host, const struct config_section *cfg,
    struct adapter **out_adapter, struct mu_err *err)
{
	const char *url = config_section_text(cfg, "url"), *authority = strstr(url, "://");
	const char *root = authority == NULL ? NULL : strchr(authority + 3, '/');
	MU_AUTO(mu_freep) char *base = root == NULL ? mu_strdup(url)
	    : mu_strndup(url, (size_t)(root - url));
	const struct http_client_settings settings = {
		.base_url = base, .ca_file = config_section_text(cfg, "ca"),
	};
	struct http_client *http;
	struct adapter *a;

	if (http_client_open(&settings, &http, err) != MU_OK)
		return mu_wrap(err, "platform %s", host->platform);
	a = mu_alloc_zero(1, sizeof(*a));
	a->api.http = http;
	a->api.root = mu_strdup(root != NULL ? root : "");
	a->api.token = host->credential;
	*out_adapter = a;
	return MU_OK;
}

const struct adapter_ops scim_adapter = {
	.abi = ADAPTER_ABI,
	.name = "scim",
	.can = ADAPTER_CAN_DISABLE | ADAPTER_CAN_GROUPS | ADAPTER_CAN_EXTERNAL_ID
	    | ADAPTER_CAN_CREDENTIAL | ADAPTER_CAN_LIST | ADAPTER_CAN_REMOVE_CLEANS,
	.keys = keys,
	.open = scim_open,
	.close = scim_close,
	.normalise = scim_normalise,
	.list = scim_list,
	.steps = {
		[STEP_PROBE] = scim_probe, [STEP_GET] = scim_get, [STEP_CREATE] = scim_create,
		[STEP_UPDATE] = scim_update, [STEP_DISABLE] = scim_disable,
		[STEP_ENABLE] = scim_enable, [STEP_SET_CREDENTIAL] = scim_set_credential,
		[STEP_JOIN] = scim_join, [STEP_LEAVE] = scim_leave, [STEP_MEMBERS] = scim_members,
		[STEP_REMOVE] = scim_remove,
	},
};
