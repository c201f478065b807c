/*
 * The door for tests: administrators with authenticators (unit/auth/rig.h), a policy parsed from text,
 * people who are decided on by cycle_again, and what came of a visit.
 */
#ifndef UNIT_ACTION_RIG_H
#define UNIT_ACTION_RIG_H

#include "unit/auth/rig.h"

#include "action/action.h"
#include "adapters/adapter.h"
#include "config/yaml.h"
#include "cycle/cycle.h"
#include "json/write.h"
#include "model/action.h"
#include "store/credential.h"
#include "store/policy.h"
#include "store/queue.h"

#define DOOR_PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_AUDIT | STORE_CLIENT | \
    STORE_CREDENTIAL | STORE_ADMIN | STORE_ACTION | STORE_GRANT | STORE_LOOK)

static struct policy_file files[] = {
	{ "administrators.yaml",
	    "- role: everything\n"
	    "  may: [revoke, suspend, resume, reinstate, identify, grant, ungrant, credential.issue, brake.release,\n"
	    "    policy.apply, client.add, client.renew, client.remove, admin.enrol, admin.unlock, admin.remove,\n"
	    "    sync.run, approve]\n"
	    "- role: ops-desk\n"
	    "  may: [revoke, grant, approve]\n"
	    "  scope: (department=Operations)\n"
	    "- role: ops-chief\n"
	    "  may: [brake.release, policy.apply, client.remove, admin.enrol, sync.run, approve]\n"
	    "  scope: (department=Operations)\n"
	    "- role: helpdesk\n"
	    "  may: [revoke]\n"
	    "- role: approver\n"
	    "  may: [approve]\n" },
	{ "gates.yaml",
	    "- actions: [revoke, suspend, resume, identify, grant, ungrant, sync.run, admin.unlock, client.add,\n"
	    "    client.renew, client.remove, credential.issue]\n"
	    "  code: required\n"
	    "- actions: [reinstate, brake.release, policy.apply, admin.enrol, admin.remove]\n"
	    "  code: required\n"
	    "  approvals: 1\n"
	    "- actions: [suspend]\n"
	    "  when: {targets_over: 2}\n"
	    "  code: required\n"
	    "  approvals: 1\n"
	    "- actions: [\"*\"]\n"
	    "  when: {targets_over: 4}\n"
	    "  code: required\n"
	    "  approvals: 2\n" },
	{ "identification.yaml", "- {level: known, when: (checked=TRUE)}\n- {level: in-person}\n" },
	{ "roles.yaml",
	    "- role: chat\n"
	    "  gives: [{platform: xmpp, account: true, groups: [all]}]\n"
	    "  birthright: (employeeType=staff)\n"
	    "- role: auditor\n"
	    "  gives: [{platform: xmpp, rooms: [audit]}]\n"
	    "  birthright: (department=Audit)\n"
	    "- role: ops-moderator\n"
	    "  gives: [{platform: xmpp, rooms: [ops], level: moderator}]\n"
	    "  requestable: (department=Operations)\n"
	    "  longest: 8h\n"
	    "  approvals: 1\n"
	    "  identified: in-person\n"
	    "  conflicts: [auditor]\n"
	    "- role: reader\n"
	    "  gives: [{platform: xmpp, rooms: [news]}]\n"
	    "  requestable: (employeeType=staff)\n"
	    "  conflicts: [vault]\n"
	    "  longest: 30d\n"
	    "- role: vault\n"
	    "  gives: [{platform: xmpp, rooms: [vault]}]\n"
	    "  requestable: (employeeType=staff)\n"
	    "  longest: 1h\n"
	    "  approvals: 2\n" },
};

/* One connection to the store and all that hangs on it. */
struct door {
	struct store *store;
	struct auth_host auth;
	struct action_host host;
	struct cycle_platform platform;
	struct cycle_rules rules;
	struct policy *policy;
	int64_t version;		/* of policy in the store; 0: parsed from the text above */
	int decided;			/* how often decide was called */
	char published[64];
	const char *outcome;		/* what the newest plan came to */
};

/* --- What the host gives the room ------------------------------------------------------------------------ */

static inline enum mu_rc
client_issue(struct ipc_reader *r, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };
	struct msg_issued issued;

	assert(msg_named_decode(r, &m));
	if (vault_client_issue(vault, m.name, mu_secret_text(&m.bytes), m.bytes.size_bytes, clock_s, &c,
	    err) != MU_OK)
		return err->rc;
	issued = (struct msg_issued){ .certificate = c.certificate, .not_after_s = c.not_after_s };
	(void)memcpy(issued.fingerprint, c.fingerprint, sizeof(issued.fingerprint));
	msg_issued_encode(&issued, out);
	return MU_OK;
}

static inline enum mu_rc
door_ask(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out, struct mu_err *err)
{
	struct ipc_reader r;
	enum mu_rc rc;

	if (op != OP_CLIENT_ISSUE)
		return ask(ctx, op, body, out, err);
	ipc_reader_init(&r, body);
	(void)mtx_lock(&vault_lock);
	rc = client_issue(&r, out, err);
	(void)mtx_unlock(&vault_lock);
	return rc;
}

static inline enum mu_rc
door_policy(void *ctx, const struct policy **out_policy, int64_t *out_version, struct mu_err *err)
{
	struct door *d = ctx;

	(void)err;
	*out_policy = d->policy;
	*out_version = d->version;
	return MU_OK;
}

static inline enum mu_rc
door_decide(void *ctx, const struct mu_uuid *ids, size_t count, int64_t at_ms, bool earnest,
    struct action_effects *out, struct mu_err *err)
{
	struct door *d = ctx;
	const struct cycle_again_host again = { d->store, &d->rules, auth_mac, auth_mac_check, &d->auth,
		!earnest };
	struct cycle_effects effects = { .count = 0 };

	d->decided++;
	if (cycle_again(&again, ids, count, at_ms, &effects, err) != MU_OK)
		return err->rc;
	*out = (struct action_effects){ mu_alloc_zero(effects.count, sizeof(*out->list)), effects.count };
	for (size_t i = 0; i < effects.count; i++) {
		const struct cycle_effect *x = &effects.list[i];

		out->list[i] = (struct action_effect){ x->person_id, x->uid, x->display_name, x->from, x->to,
		    x->gained, x->lost, x->accounts, x->refused };
	}
	mu_free(effects.list);		/* what stood in it was handed over */
	return MU_OK;
}

static inline enum mu_rc
door_policy_apply(void *ctx, const struct policy_file *given, size_t count, int64_t base, const char *by,
    int64_t *out_version, struct mu_buf *out_faults, struct mu_err *err)
{
	struct door *d = ctx;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	enum mu_rc rc = cycle_policy_apply(d->store, given, count, base, by, auth_mac, &d->auth, NULL, NULL, &faults,
	    out_version, err);

	if (rc == MU_EINPUT) {
		config_faults_format(&faults, out_faults);
		rc = mu_fail(err, MU_EINPUT, "%s", mu_buf_text(out_faults));
	}
	config_faults_clear(&faults);
	return rc;
}

/* The world is as it was as long as what was planned came to this. */
static inline enum mu_rc
door_policy_outcome(void *ctx, const struct policy_file *given, size_t count, int64_t base,
    const char *outcome, struct mu_buf *out_lines, struct mu_err *err)
{
	const struct door *d = ctx;

	(void)given;
	(void)count;
	(void)base;
	if (strcmp(outcome, d->outcome) != 0)
		return mu_fail(err, MU_ECONFLICT, "the world moved since the plan: plan again");
	mu_buf_text_add(out_lines, "of 3 people 1 would change\n");
	return MU_OK;
}

static inline bool
is_xmpp(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "xmpp") == 0;
}

static inline bool
is_corp(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "corp") == 0;
}

/* The source "partner" may give the visitors' role alone. */
static inline const struct authority *
door_authority(void *ctx, const char *source)
{
	static char visitor[] = "visitor";
	static char *roles[] = { visitor };
	static const struct authority partner = { { roles, 1 }, STRINGS_INIT };

	(void)ctx;
	return strcmp(source, "partner") == 0 ? &partner : NULL;
}

static inline void
door_publish(void *ctx, const char *name, const char *content)
{
	struct door *d = ctx;

	assert_non_null(strstr(content, "BEGIN CERTIFICATE"));
	(void)snprintf(d->published, sizeof(d->published), "%s", name);
}

static inline void
door_open(struct door *d)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	*d = (struct door){ .store = rig_open(STORE_ROLE_ADMIN, DOOR_PARTS), .outcome = "abc" };
	if (policy_parse(files, MU_COUNT(files), NULL, NULL, &faults, &d->policy, &err) != MU_OK) {
		config_faults_format(&faults, &text);
		fail_msg("%s", mu_buf_text(&text));
	}
	d->platform = (struct cycle_platform){ "xmpp", "uid", adapter_find("memory") };
	d->rules = (struct cycle_rules){ .policy = d->policy, .platforms = &d->platform, .platform_count = 1 };
	d->auth = (struct auth_host){ d->store, door_ask, NULL, NULL, NULL };
	d->host = (struct action_host){
		.store = d->store, .auth = &d->auth, .policy = door_policy, .decide = door_decide,
		.policy_apply = door_policy_apply, .policy_outcome = door_policy_outcome,
		.platform_exists = is_xmpp, .source_exists = is_corp, .authority = door_authority,
		.publish = door_publish, .mail = "mail", .ctx = d,
	};
}

static inline void
door_close(struct door *d)
{
	store_close(d->store);
	policy_free(d->policy);
}

/* --- People ------------------------------------------------------------------------------------------------ */

static struct door door;
static struct mu_buf said;		/* the last answer */
static struct mu_err err;		/* the last refusal */
static char digest_text[65];		/* of what was proposed last */
static unsigned char digest[ACTION_DIGEST_BYTES];

/* attrs: "department=Operations mail=a@example.org"; decided on, so that they have what is theirs. */
static inline struct someone
person_of(const char *uid, const char *attrs)
{
	MU_AUTO(store_person_clear) struct store_person p = { .version = 0 };
	MU_AUTO(mu_freep) char *copy = mu_strdup(attrs);
	struct action_effects effects = { NULL, 0 };
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	static const char *const nowhere[] = { NULL };
	struct someone one = { .seed_bytes = 0 };
	char *save = NULL;

	person_make(&p, uid);
	strings_clear(&p.roles);
	attrs_clear(&p.attrs);
	attrs_add(&p.attrs, "uid", uid);
	if (strstr(attrs, "employeeType=") == NULL)
		attrs_add(&p.attrs, "employeeType", "staff");
	for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		attrs_add(&p.attrs, word, value);
	}
	person_store(s, &p, NULL, nowhere);
	store_close(s);
	MUST(store_begin(door.store, &err));
	MUST(door_decide(&door, &p.person_id, 1, now_ms(), true, &effects, &err));
	MUST(store_commit(door.store, &err));
	action_effects_clear(&effects);
	one.id = p.person_id;
	(void)snprintf(one.uid, sizeof(one.uid), "%s", uid);
	return one;
}

/* An administrator who was enrolled, collected their seed, and has logged in once. */
static inline struct someone
admin_of(const char *uid, const char *role, const char *attrs)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = MU_SECRET_INIT, uri = MU_SECRET_INIT;
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone one = person_of(uid, attrs);
	const struct mu_uuid by = { { 1 } };

	MUST(store_begin(host.store, &err));
	MUST(auth_enrol(&host, &one.id, role, &by, now_ms(), &code, &err));
	MUST(store_commit(host.store, &err));
	MUST(login_begin(uid, &c, &err));
	MUST(auth_enrolment_use(&host, &c, &code, ADDRESS, now_ms(), &uri, &err));
	scan(&one, &uri);
	MUST(login(&one, &l, &err));
	clock_s += STEP_S;
	return one;
}

/* As a session says it is; the role is that of the row, as auth_session_find reads it. */
static inline struct auth_who
who_of(const struct someone *one, const char *role)
{
	return (struct auth_who){ .person_id = one->id, .role = (char *)(uintptr_t)role,
	    .uid = (char *)(uintptr_t)one->uid };
}

/* --- Visits -------------------------------------------------------------------------------------------------- */

struct admin {
	struct someone one;
	struct auth_who who;
};

static inline struct admin
admin_new(const char *uid, const char *role, const char *attrs)
{
	struct admin a = { .one = admin_of(uid, role, attrs) };

	a.who = who_of(&a.one, role);
	a.who.uid = NULL;		/* it moves with the struct */
	return a;
}

static inline enum mu_rc
came(enum mu_rc rc, struct action_answer *a)
{
	mu_buf_reset(&said);
	mu_buf_add(&said, mu_buf_text(&a->json), a->json.size_bytes);
	action_answer_clear(a);
	return rc;
}

/* A member of the last answer, "preview.summary"; "" when it is not there. Fresh, as text or canonical JSON. */
static inline char *
member(const char *path)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(mu_freep) char *copy = mu_strdup(path);
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	const struct json_node *n;
	char *save = NULL;

	MUST(json_parse(said.data, said.size_bytes, SIZE_MAX, "answer", &root, &err));
	n = root;
	for (char *name = strtok_r(copy, ".", &save); name != NULL && n != NULL; name = strtok_r(NULL, ".", &save))
		n = json_kind(n) == JSON_KIND_LIST ? json_at(n, strtoul(name, NULL, 10)) : json_find(n, name);
	if (n == NULL)
		return mu_strdup("");
	if (json_node_text(n) != NULL)
		return mu_strdup(json_node_text(n));
	MUST(json_canonical(n, &text, &err));
	return mu_strdup(text.data);
}

static inline void
member_is(const char *path, const char *want)
{
	MU_AUTO(mu_freep) char *got = member(path);

	if (strcmp(want, got) != 0)
		fail_msg("%s: %s, want %s; in %s", path, got, want, said.data);
}

static inline enum mu_rc
propose_at(struct door *d, const struct admin *a, const char *request)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct action_answer answered = { .json = MU_BUF_INIT };
	enum mu_rc rc;

	err = (struct mu_err)MU_ERR_INIT;
	MUST(json_parse(request, strlen(request), SIZE_MAX, "request", &root, &err));
	rc = came(action_propose(&d->host, &a->who, root, now_ms(), &answered, &err), &answered);
	if (rc == MU_OK) {
		MU_AUTO(mu_freep) char *hex = member("digest");

		(void)snprintf(digest_text, sizeof(digest_text), "%s", hex);
		assert_true(mu_hex_parse(digest_text, digest, sizeof(digest)));
	}
	return rc;
}

static inline enum mu_rc
propose(const struct admin *a, const char *request)
{
	return propose_at(&door, a, request);
}

/* A policy like the one in force, but for one file (NULL: none), as the version after base. */
static inline void
policy_request(struct mu_buf *b, int64_t base, const char *name, const char *content)
{
	struct json_writer w;

	mu_buf_reset(b);
	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_text(&w, "action", "policy.apply");
	json_object_begin(&w, "args");
	json_int(&w, "base", base);
	json_object_begin(&w, "files");
	for (size_t i = 0; i < MU_COUNT(files); i++)
		json_text(&w, files[i].name, name != NULL && strcmp(name, files[i].name) == 0 ? content :
		    files[i].content);
	json_object_end(&w);
	json_text(&w, "outcome", "abc");
	json_object_end(&w);
	json_text(&w, "reason", "r");
	json_object_end(&w);
	json_end(&w);
}

/* What the tests' policy is in the store, too: version 1. */
static inline void
policy_store(void)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	int64_t version;

	MUST(store_begin(door.store, &err));
	MUST(cycle_policy_apply(door.store, files, MU_COUNT(files), 0, "test", auth_mac, &door.auth, NULL, NULL, &faults,
	    &version, &err));
	MUST(store_commit(door.store, &err));
}

/* With the code that their authenticator shows now. */
static inline enum mu_rc
execute_at(struct door *d, const struct admin *a, struct mu_err *fault)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(&a->one, clock_s);
	struct action_answer answered = { .json = MU_BUF_INIT };

	*fault = (struct mu_err)MU_ERR_INIT;
	return came(action_execute(&d->host, &a->who, digest, &code, ADDRESS, now_ms(), &answered, fault), &answered);
}

static inline enum mu_rc
execute(const struct admin *a)
{
	return execute_at(&door, a, &err);
}

static inline enum mu_rc
approve(const struct admin *a)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(&a->one, clock_s);
	struct action_answer answered = { .json = MU_BUF_INIT };

	err = (struct mu_err)MU_ERR_INIT;
	return came(action_approve(&door.host, &a->who, digest, &code, ADDRESS, now_ms(), &answered, &err), &answered);
}

static inline enum mu_rc
deny(const struct admin *a, const char *reason)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(&a->one, clock_s);
	struct action_answer answered = { .json = MU_BUF_INIT };

	err = (struct mu_err)MU_ERR_INIT;
	return came(action_deny(&door.host, &a->who, digest, &code, reason, ADDRESS, now_ms(), &answered, &err),
	    &answered);
}

static inline enum mu_rc
show(const struct admin *a)
{
	struct action_answer answered = { .json = MU_BUF_INIT };

	err = (struct mu_err)MU_ERR_INIT;
	return came(action_show(&door.host, &a->who, digest, now_ms(), &answered, &err), &answered);
}

/* The last visit was refused so, and that was recorded once. */
static inline void
refused(enum mu_rc want, enum mu_rc got, const char *text)
{
	if (want != got || strstr(err.text, text) == NULL)
		fail_msg("%s: %s; want %s: ...%s...; said %s", mu_rc_name(got), err.text, mu_rc_name(want), text,
		    mu_buf_text(&said));
	recorded(1, "action.refused");
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record WHERE kind = 'action.refused'"));
}

#define OK(call) do { \
	enum mu_rc ok_rc = (call); \
	if (ok_rc != MU_OK) \
		fail_msg("%s: %s: %s", #call, mu_rc_name(ok_rc), err.text); \
} while (0)

/* --- The house ------------------------------------------------------------------------------------------------- */

static inline int
door_up(void **state)
{
	if (house_up(state) != 0)
		return 1;
	door_open(&door);
	return 0;
}

static inline int
door_down(void **state)
{
	door_close(&door);
	mu_buf_clear(&said);
	return house_down(state);
}

static inline int
door_empty(void **state)
{
	free(rig_sql("SET client_min_messages = warning; TRUNCATE action, token_client, policy_version, sync_request,"
	    " brake_hold CASCADE"));
	return house_empty(state);
}

#endif
