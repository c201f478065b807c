#include "adapters/memory/memory.h"

#include <string.h>

#include "base/text.h"

#define NAME_MAX_BYTES	255
#define PAGE_MAX	200

struct member {
	struct entitlement right;
	char *name;
};

struct account {
	char *name;
	bool enabled;
	uint32_t sessions;
	struct mu_secret password;
	uint32_t failed;		/* a bit per step_kind: its first change has failed */
};

struct adapter {
	const struct mu_secret *credential;	/* borrowed */
	bool list_lies;
	struct account *accounts;
	size_t account_count;
	struct member *members;			/* may name accounts that are gone, as platforms do */
	size_t member_count;
	uint32_t ghosts_failed;			/* of accounts that are not there */
};

static struct account *
account_find(const struct adapter *a, const char *name)
{
	for (size_t i = 0; i < a->account_count; i++)
		if (strcmp(a->accounts[i].name, name) == 0)
			return &a->accounts[i];
	return NULL;
}

static struct account *
account_add(struct adapter *a, const char *name)
{
	struct account *account;

	a->accounts = mu_alloc_again(a->accounts, a->account_count + 1, sizeof(*a->accounts));
	account = &a->accounts[a->account_count++];
	*account = (struct account){ .name = mu_strdup(name) };
	return account;
}

static void
account_drop(struct adapter *a, struct account *account)
{
	mu_free(account->name);
	mu_secret_clear(&account->password);
	*account = a->accounts[--a->account_count];
}

static struct member *
member_find(const struct adapter *a, const char *name, const struct entitlement *right)
{
	for (size_t i = 0; i < a->member_count; i++) {
		struct member *m = &a->members[i];

		if (m->right.kind == right->kind && strcmp(m->right.name, right->name) == 0
		    && strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

static void
member_add(struct adapter *a, const char *name, const struct entitlement *right)
{
	struct member *m;

	a->members = mu_alloc_again(a->members, a->member_count + 1, sizeof(*a->members));
	m = &a->members[a->member_count++];
	m->name = mu_strdup(name);
	m->right = (struct entitlement){ right->kind, mu_strdup(right->name), mu_strdup(right->level) };
}

static void
member_drop(struct adapter *a, struct member *m)
{
	mu_free(m->name);
	mu_free(m->right.name);
	mu_free(m->right.level);
	*m = a->members[--a->member_count];
}

/* --- Faults --------------------------------------------------------------------------------- */

/* True once for each kind of change: the fault that its name asks for is due. */
static bool
fault_due(struct adapter *a, const struct step *s, const char *fault)
{
	struct account *account = account_find(a, s->name);
	uint32_t *failed = account != NULL ? &account->failed : &a->ghosts_failed;
	uint32_t bit = 1u << s->kind;

	if (!mu_text_starts(s->name, fault) || (*failed & bit) != 0)
		return false;
	*failed |= bit;
	return true;
}

static bool
own_credential_bad(const struct adapter *a, struct mu_err *err)
{
	if (a->credential == NULL || strcmp(mu_secret_text(a->credential), "wrong") != 0)
		return false;
	(void)mu_fail(err, MU_ECONFIG, "our own credential is refused");
	return true;
}

/* What stands before every change; ADAPTER_DONE lets it happen. */
static enum adapter_outcome
change_begin(struct adapter *a, const struct step *s, struct mu_err *err)
{
	if (own_credential_bad(a, err))
		return ADAPTER_OWN_CREDENTIAL;
	if (mu_text_starts(s->name, "refused.")) {
		(void)mu_fail(err, MU_EINPUT, "the platform does not want this account");
		return ADAPTER_REFUSED;
	}
	if (fault_due(a, s, "retry.")) {
		(void)mu_fail(err, MU_ERETRY, "the platform is busy");
		return ADAPTER_RETRY;
	}
	return ADAPTER_DONE;
}

static enum adapter_outcome
change_end(struct adapter *a, const struct step *s, enum adapter_outcome outcome, struct mu_err *err)
{
	if (outcome != ADAPTER_DONE || !fault_due(a, s, "unknown."))
		return outcome;
	(void)mu_fail(err, MU_ERETRY, "the connection was lost before the answer");
	return ADAPTER_UNKNOWN;
}

static enum adapter_outcome
absent(struct mu_err *err)
{
	(void)mu_fail(err, MU_EABSENT, "there is no such account");
	return ADAPTER_ABSENT;
}

/* An account that was there before anyone asked. */
static void
foreign_appear(struct adapter *a, const char *name)
{
	if (mu_text_starts(name, "foreign.") && account_find(a, name) == NULL)
		account_add(a, name)->enabled = true;
}

/* --- Steps ---------------------------------------------------------------------------------- */

static enum adapter_outcome
memory_probe(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	(void)s;
	(void)out_receipt;
	return own_credential_bad(a, err) ? ADAPTER_OWN_CREDENTIAL : ADAPTER_DONE;
}

static enum adapter_outcome
memory_get(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	const struct account *account;

	if (own_credential_bad(a, err))
		return ADAPTER_OWN_CREDENTIAL;
	foreign_appear(a, s->name);
	account = account_find(a, s->name);
	if (account != NULL) {
		out_receipt->seen.state = account->enabled ? ACCOUNT_ENABLED : ACCOUNT_DISABLED;
		out_receipt->sessions_left = account->sessions;
	}
	for (size_t i = 0; i < s->rights.count; i++) {
		const struct member *m = member_find(a, s->name, &s->rights.list[i]);

		if (m != NULL)
			entitlements_add(&out_receipt->seen.rights, m->right.kind, m->right.name,
			    m->right.level);
	}
	return ADAPTER_DONE;
}

static enum adapter_outcome
memory_create(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct account *account;

	(void)out_receipt;
	if (outcome != ADAPTER_DONE)
		return outcome;
	foreign_appear(a, s->name);
	if (account_find(a, s->name) != NULL) {
		(void)mu_fail(err, MU_ECONFLICT, "the account is there already");
		return ADAPTER_CONFLICT;
	}
	account = account_add(a, s->name);
	mu_secret_set(&account->password, s->secret.bytes, s->secret.size_bytes);
	return change_end(a, s, ADAPTER_DONE, err);
}

static enum adapter_outcome
memory_switch(struct adapter *a, const struct step *s, bool on, struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct account *account = account_find(a, s->name);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (account == NULL)
		return absent(err);
	outcome = account->enabled == on ? ADAPTER_ALREADY : ADAPTER_DONE;
	account->enabled = on;
	if (on && account->password.size_bytes > 0 && account->sessions == 0)
		account->sessions = 1;
	return change_end(a, s, outcome, err);
}

static enum adapter_outcome
memory_disable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	(void)out_receipt;
	return memory_switch(a, s, false, err);
}

static enum adapter_outcome
memory_enable(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	(void)out_receipt;
	return memory_switch(a, s, true, err);
}

static enum adapter_outcome
memory_set_credential(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct account *account = account_find(a, s->name);

	(void)out_receipt;
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (account == NULL)
		return absent(err);
	if (s->secret.size_bytes == 0) {
		(void)mu_fail(err, MU_EINPUT, "an empty password");
		return ADAPTER_REFUSED;
	}
	mu_secret_set(&account->password, s->secret.bytes, s->secret.size_bytes);
	if (account->enabled && account->sessions == 0)
		account->sessions = 1;
	return change_end(a, s, ADAPTER_DONE, err);
}

static enum adapter_outcome
memory_join(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct member *m = member_find(a, s->name, &s->right);

	(void)out_receipt;
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (account_find(a, s->name) == NULL)
		return absent(err);
	if (m != NULL && strcmp(m->right.level, s->right.level) == 0)
		return ADAPTER_ALREADY;
	if (m != NULL)
		member_drop(a, m);
	member_add(a, s->name, &s->right);
	return change_end(a, s, ADAPTER_DONE, err);
}

static enum adapter_outcome
memory_leave(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct member *m = member_find(a, s->name, &s->right);

	(void)out_receipt;
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (m == NULL)
		return ADAPTER_ALREADY;
	member_drop(a, m);
	return change_end(a, s, ADAPTER_DONE, err);
}

static enum adapter_outcome
memory_members(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	if (own_credential_bad(a, err))
		return ADAPTER_OWN_CREDENTIAL;
	for (size_t i = 0; i < a->member_count; i++) {
		const struct member *m = &a->members[i];

		if (m->right.kind != s->right.kind || strcmp(m->right.name, s->right.name) != 0)
			continue;
		if (s->right.level[0] == '\0' || strcmp(m->right.level, s->right.level) == 0)
			strings_add(&out_receipt->names, m->name);
	}
	return ADAPTER_DONE;
}

static enum adapter_outcome
memory_kill(struct adapter *a, const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct account *account = account_find(a, s->name);

	if (outcome != ADAPTER_DONE)
		return outcome;
	if (account == NULL || account->sessions == 0)
		return ADAPTER_ALREADY;
	if (fault_due(a, s, "clinging.")) {
		out_receipt->sessions_left = account->sessions;
		return ADAPTER_DONE;
	}
	out_receipt->sessions_ended = account->sessions;
	account->sessions = 0;
	return change_end(a, s, ADAPTER_DONE, err);
}

static enum adapter_outcome
memory_remove(struct adapter *a, const struct step *s, struct receipt *out_receipt,
    struct mu_err *err)
{
	enum adapter_outcome outcome = change_begin(a, s, err);
	struct account *account = account_find(a, s->name);

	(void)out_receipt;
	if (outcome != ADAPTER_DONE)
		return outcome;
	if (account == NULL)
		return ADAPTER_ALREADY;
	for (size_t i = a->member_count; i-- > 0;)
		if (strcmp(a->members[i].name, s->name) == 0)
			member_drop(a, &a->members[i]);
	outcome = change_end(a, s, ADAPTER_DONE, err);
	account_drop(a, account);
	return outcome;
}

static enum adapter_outcome
memory_list(struct adapter *a, const char *cursor, adapter_each_fn *each, void *ctx,
    struct mu_buf *out_next, bool *out_complete, struct mu_err *err)
{
	struct strings names = STRINGS_INIT;
	size_t reported = 0;

	if (own_credential_bad(a, err))
		return ADAPTER_OWN_CREDENTIAL;
	for (size_t i = 0; i < a->account_count; i++)
		strings_add(&names, a->accounts[i].name);
	mu_buf_reset(out_next);
	for (size_t i = a->list_lies ? 1 : 0; i < names.count; i++) {	/* the lie: one is left out */
		const struct account *account = account_find(a, names.list[i]);
		struct observed seen = { .state = account->enabled
		    ? ACCOUNT_ENABLED : ACCOUNT_DISABLED };

		if (strcmp(names.list[i], cursor) <= 0)
			continue;
		if (reported++ == PAGE_MAX)
			break;
		mu_buf_reset(out_next);
		mu_buf_text_add(out_next, names.list[i]);
		each(ctx, names.list[i], &seen);
	}
	if (reported <= PAGE_MAX)
		mu_buf_reset(out_next);
	strings_clear(&names);
	*out_complete = !a->list_lies;
	return ADAPTER_DONE;
}

/* --- The module ----------------------------------------------------------------------------- */

static enum mu_rc
memory_normalise(const char *name, struct mu_buf *out_name, struct mu_err *err)
{
	size_t bytes = strlen(name), before = out_name->size_bytes;

	if (bytes == 0 || bytes > NAME_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "an account name has 1 to %d bytes", NAME_MAX_BYTES);
	for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return mu_fail(err, MU_EINPUT,
			    "an account name cannot have the character 0x%02x", *c);
	mu_buf_add(out_name, name, bytes);
	mu_text_lower(out_name->data + before);
	return MU_OK;
}

bool
memory_login(const struct adapter *a, const char *name, const char *password)
{
	const struct account *account = account_find(a, name);

	return account != NULL && account->enabled && account->password.size_bytes > 0
	    && mu_secret_equal(account->password.bytes, account->password.size_bytes, password,
	    strlen(password));
}

uint32_t
memory_sessions(const struct adapter *a, const char *name)
{
	const struct account *account = account_find(a, name);

	return account != NULL ? account->sessions : 0;
}

static void
memory_close(struct adapter *a)
{
	if (a == NULL)
		return;
	while (a->account_count > 0)
		account_drop(a, &a->accounts[0]);
	while (a->member_count > 0)
		member_drop(a, &a->members[0]);
	mu_free(a->accounts);
	mu_free(a->members);
	mu_free(a);
}

static enum mu_rc
memory_open(const struct adapter_host *host, const struct config_section *cfg,
    struct adapter **out_adapter, struct mu_err *err)
{
	struct adapter *a = mu_alloc_zero(1, sizeof(*a));

	(void)err;
	a->credential = host->credential;
	a->list_lies = config_section_bool(cfg, "list_lies");
	*out_adapter = a;
	return MU_OK;
}

static const struct config_key keys[] = {
	{ .name = "list_lies", .type = CONFIG_BOOL, .fallback = "false",
	    .help = "leave one account out of every listing, which is then not complete" },
	{ .name = "password_file", .type = CONFIG_SECRET_FILE,
	    .help = "a credential; the word \"wrong\" in it is refused" },
	{ .name = NULL },
};

const struct adapter_ops memory_adapter = {
	.abi = ADAPTER_ABI,
	.name = "memory",
	.can = ADAPTER_CAN_DISABLE | ADAPTER_CAN_KILL | ADAPTER_CAN_COUNT_SESSIONS | ADAPTER_CAN_GROUPS
	    | ADAPTER_CAN_ROOMS | ADAPTER_CAN_CREDENTIAL | ADAPTER_CAN_LIST
	    | ADAPTER_CAN_REMOVE_CLEANS | ADAPTER_CAN_EPHEMERAL,
	.keys = keys,
	.open = memory_open,
	.close = memory_close,
	.normalise = memory_normalise,
	.list = memory_list,
	.steps = {
		[STEP_PROBE] = memory_probe, [STEP_GET] = memory_get, [STEP_CREATE] = memory_create,
		[STEP_DISABLE] = memory_disable, [STEP_ENABLE] = memory_enable,
		[STEP_SET_CREDENTIAL] = memory_set_credential, [STEP_JOIN] = memory_join,
		[STEP_LEAVE] = memory_leave, [STEP_MEMBERS] = memory_members,
		[STEP_KILL] = memory_kill, [STEP_REMOVE] = memory_remove,
	},
};
