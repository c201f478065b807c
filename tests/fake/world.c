#include "fake/world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "adapters/memory/memory.h"

/* Counts the call; true: this is the one that fails. */
static bool
faulty(struct world *w)
{
	return ++w->calls == w->fault_at && w->fault != WORLD_WELL;
}

/* What a call does when it is the one: true, it has no effect and answers out_rc. */
static bool
fails(struct world *w, bool *out_dies_after, struct mu_err *err)
{
	*out_dies_after = false;
	if (w->dead) {
		(void)mu_fail(err, MU_ERETRY, "dead");
		return true;
	}
	if (!faulty(w))
		return false;
	switch (w->fault) {
	case WORLD_WELL:
	case WORLD_LOSES_ADAPTER:
		return false;
	case WORLD_DIES_BEFORE:
		w->dead = true;
		(void)mu_fail(err, MU_ERETRY, "dead");
		return true;
	case WORLD_DIES_AFTER:
		*out_dies_after = true;
		return false;
	case WORLD_IS_AWAY:
		(void)mu_fail(err, MU_ERETRY, "away");
		return true;
	}
	return false;
}

static enum mu_rc
done(struct world *w, bool dies_after, struct mu_err *err)
{
	if (!dies_after)
		return MU_OK;
	w->dead = true;
	return mu_fail(err, MU_ERETRY, "dead");
}

static struct world_account *
row_of(struct world *w, const struct store_work *work)
{
	for (size_t i = 0; i < w->account_count; i++)
		if (mu_uuid_equal(&w->accounts[i].work.want.account_id, &work->want.account_id))
			return &w->accounts[i];
	return NULL;
}

/* --- The store ------------------------------------------------------------------------------ */

static void
rights_copy(struct entitlements *to, const struct entitlements *from)
{
	entitlements_clear(to);
	for (size_t i = 0; i < from->count; i++)
		entitlements_add(to, from->list[i].kind, from->list[i].name, from->list[i].level);
}

static void
work_copy(struct store_work *to, const struct store_work *from)
{
	*to = *from;
	to->want.platform = mu_strdup(from->want.platform);
	to->want.name = mu_strdup(from->want.name);
	to->want.roles = (struct strings)STRINGS_INIT;
	to->want.entitlements = (struct entitlements)ENTITLEMENTS_INIT;
	rights_copy(&to->want.entitlements, &from->want.entitlements);
	to->seen.rights = (struct entitlements)ENTITLEMENTS_INIT;
	rights_copy(&to->seen.rights, &from->seen.rights);
	to->seen.external_id = mu_strdup("");
	to->sealed = (struct mu_secret)MU_SECRET_INIT;
	mu_secret_set(&to->sealed, from->sealed.bytes, from->sealed.size_bytes);
	to->display_name = mu_strdup("");
}

static enum mu_rc
world_take(void *ctx, struct store_works *out_works, struct mu_err *err)
{
	struct world *w = ctx;
	struct world_account *best = NULL;
	bool dies;

	if (fails(w, &dies, err))
		return err->rc;
	for (size_t i = 0; i < w->account_count; i++) {
		struct world_account *a = &w->accounts[i];

		if (a->work.want.version == a->work.settled_version || a->parked)
			continue;
		if (best == NULL || (a->work.urgent && !best->work.urgent))
			best = a;
	}
	if (best != NULL) {
		best->taken = true;
		out_works->list = mu_alloc_zero(1, sizeof(*out_works->list));
		out_works->count = 1;
		work_copy(&out_works->list[0], &best->work);
	}
	if (done(w, dies, err) != MU_OK)
		store_works_clear(out_works);
	return err->rc;
}

static enum mu_rc
world_begin(void *ctx, const struct work_begin *b, struct mu_err *err)
{
	struct world *w = ctx;
	struct world_account *a = row_of(w, b->work);
	bool dies;

	if (fails(w, &dies, err))
		return err->rc;
	if (b->credential_id != NULL && a->work.want.version != b->work->want.version)
		return mu_fail(err, MU_ECONFLICT, "no longer wanted so");
	a->work.create_begun = a->work.create_begun || b->create;
	if (b->giving != NULL)
		rights_copy(&a->work.seen.rights, b->giving);
	if (b->credential_id != NULL) {
		a->work.credential = CREDENTIAL_SEALED;
		a->work.credential_id = *b->credential_id;
		mu_secret_set(&a->work.sealed, b->sealed->bytes, b->sealed->size_bytes);
		(void)snprintf(a->password, sizeof(a->password), "%s", mu_secret_text(b->sealed) + 7);
		a->claimable = false;
	}
	return done(w, dies, err);
}

static void
settle(struct world_account *a, const struct work_end *e)
{
	bool moved = a->work.want.version != e->work->want.version;

	a->work.settled_version = e->work->want.version;
	a->work.seen.state = e->seen->state;
	a->work.seen_at_s = 1;
	rights_copy(&a->work.seen.rights, &e->seen->rights);
	if (e->seen->state == ACCOUNT_ABSENT)
		a->work.owned = a->work.create_begun = false;
	if (!moved) {
		a->work.attempts = 0;
		a->work.urgent = false;
	}
	if (e->credential_set)
		a->claimable = true;
	if (e->credential_set)
		a->work.credential = CREDENTIAL_CLAIMABLE;
}

static enum mu_rc
world_end(void *ctx, const struct work_end *e, struct mu_err *err)
{
	struct world *w = ctx;
	struct world_account *a = row_of(w, e->work);
	bool dies;

	if (fails(w, &dies, err))
		return err->rc;
	if (e->credential_set && a->work.credential == CREDENTIAL_NONE)
		return mu_fail(err, MU_ECONFLICT, "the credential was dropped");
	for (size_t i = 0; i < e->receipt_count; i++)
		a->receipts[e->receipts[i].kind]++;
	a->work.owned = (a->work.owned || e->owned) && !e->create_undone;
	a->work.create_begun = a->work.create_begun && !e->create_undone;
	a->taken = false;
	if (e->outcome == WORK_SETTLED)
		settle(a, e);
	else
		(void)snprintf(a->answer, sizeof(a->answer), "%s", e->answer);
	if (e->outcome == WORK_RETRY)
		a->work.attempts++;
	if (e->outcome == WORK_PARKED)
		a->parked = a->work.want.version == e->work->want.version;
	return done(w, dies, err);
}

/* --- keys ----------------------------------------------------------------------------------- */

static enum mu_rc
world_seal_new(void *ctx, const struct mu_uuid *account_id, const struct mu_uuid *credential_id,
    struct mu_secret *out_sealed, struct mu_err *err)
{
	struct world *w = ctx;
	char id[MU_UUID_TEXT_BYTES], text[64];
	bool dies;

	(void)account_id;
	if (fails(w, &dies, err))
		return err->rc;
	(void)snprintf(text, sizeof(text), "sealed:%s", mu_uuid_format(credential_id, id));
	mu_secret_set(out_sealed, text, strlen(text));
	return done(w, dies, err);
}

static enum mu_rc
world_unseal(void *ctx, const struct store_work *work, struct mu_secret *out_password,
    struct mu_err *err)
{
	struct world *w = ctx;
	bool dies;

	if (fails(w, &dies, err))
		return err->rc;
	assert(work->sealed.size_bytes > 7);
	mu_secret_set(out_password, work->sealed.bytes + 7, work->sealed.size_bytes - 7);
	return done(w, dies, err);
}

/* --- The adapter ---------------------------------------------------------------------------- */

static void
step_copy(struct step *to, const struct step *from)
{
	*to = (struct step){ .kind = from->kind, .account_id = from->account_id,
	    .name = mu_strdup(from->name), .display_name = mu_strdup(from->display_name),
	    .right = { from->right.kind, mu_strdup(from->right.name), mu_strdup(from->right.level) },
	    .patience_ms = from->patience_ms };
	rights_copy(&to->rights, &from->rights);
	mu_secret_set(&to->secret, from->secret.bytes, from->secret.size_bytes);
}

static void
platform_do(struct world *w, const struct step *s, struct receipt *out_receipt)
{
	struct mu_err err = MU_ERR_INIT;

	*out_receipt = (struct receipt){ .outcome = ADAPTER_REFUSED };
	out_receipt->outcome = (uint8_t)memory_adapter.steps[s->kind](w->adapter, s, out_receipt, &err);
	if (err.rc != MU_OK)
		out_receipt->text = mu_strdup(err.text);
}

static void
world_send(void *ctx, const struct step *s)
{
	struct world *w = ctx;

	if (w->dead)
		return;
	assert(!w->has_pending);
	w->sent[s->kind]++;
	mu_buf_format(&w->trace, "%s:%s ", step_kind_name(s->kind), s->name);
	step_copy(&w->pending, s);
	w->has_pending = true;
}

static void
world_wait(void *ctx, int64_t delay_ms)
{
	struct world *w = ctx;

	assert(delay_ms < 3600000);
	w->waiting = true;
}

static const struct worker_port port = {
	.take = world_take, .begin = world_begin, .end = world_end,
	.seal_new = world_seal_new, .unseal = world_unseal, .send = world_send, .wait = world_wait,
};

/* --- Time ----------------------------------------------------------------------------------- */

static void
adapter_start(struct world *w)
{
	uint32_t steps = 0;

	for (int kind = 0; kind < STEP_KIND_COUNT; kind++)
		if (memory_adapter.steps[kind] != NULL)
			steps |= 1u << kind;
	worker_adapter(w->worker, memory_adapter.can, steps);
}

static void
worker_start(struct world *w)
{
	worker_free(w->worker);
	w->dead = false;
	if (w->has_pending)
		step_clear(&w->pending);
	w->has_pending = false;
	w->worker = worker_new("memory", &port, w);
	adapter_start(w);
}

/* The step that was sent happens, and its answer arrives unless something else does. */
static void
pending_do(struct world *w)
{
	struct step s = w->pending;
	struct receipt receipt = { .outcome = ADAPTER_RETRY };
	enum world_fault fault = faulty(w) ? w->fault : WORLD_WELL;

	w->pending = (struct step){ .kind = STEP_PROBE };
	w->has_pending = false;
	if (fault != WORLD_DIES_BEFORE && fault != WORLD_IS_AWAY)
		platform_do(w, &s, &receipt);
	if (w->meanwhile != NULL && w->meanwhile(w, &s))
		worker_hint(w->worker);
	step_clear(&s);
	if (fault == WORLD_LOSES_ADAPTER) {
		worker_away(w->worker);
		adapter_start(w);
	} else if (fault == WORLD_DIES_BEFORE || fault == WORLD_DIES_AFTER) {
		w->dead = true;
	} else {
		worker_answer(w->worker, &receipt, NULL);
	}
	receipt_clear(&receipt);
}

static bool
at_rest(const struct world *w)
{
	for (size_t i = 0; i < w->account_count; i++) {
		const struct world_account *a = &w->accounts[i];

		if (a->work.want.version != a->work.settled_version && !a->parked)
			return false;
	}
	return !w->has_pending;
}

bool
world_run(struct world *w, size_t turns)
{
	if (w->worker == NULL)
		worker_start(w);
	else
		worker_hint(w->worker);
	for (; turns > 0; turns--) {
		if (w->dead) {
			worker_start(w);
		} else if (w->has_pending) {
			pending_do(w);
		} else if (at_rest(w)) {
			return true;
		} else {
			w->waiting = false;
			worker_run(w->worker);
		}
	}
	return false;
}

void
world_open(struct world *w, const char *credential)
{
	struct config_value values[4];
	struct config_section section = { values, 0 };
	struct adapter_host host = { "memory", &w->credential };
	struct mu_err err = MU_ERR_INIT;

	*w = (struct world){ .calls = 0 };
	mu_secret_set(&w->credential, credential, strlen(credential));
	for (const struct config_key *k = memory_adapter.keys; k->name != NULL; k++)
		values[section.count++] = (struct config_value){ .key = k };
	if (memory_adapter.open(&host, &section, &w->adapter, &err) != MU_OK)
		assert(false);
}

void
world_close(struct world *w)
{
	worker_free(w->worker);
	if (w->has_pending)
		step_clear(&w->pending);
	for (size_t i = 0; i < w->account_count; i++)
		store_work_clear(&w->accounts[i].work);
	memory_adapter.close(w->adapter);
	mu_buf_clear(&w->trace);
	mu_secret_clear(&w->credential);
}

struct world_account *
world_account_add(struct world *w, const char *name)
{
	struct world_account *a = &w->accounts[w->account_count++];

	*a = (struct world_account){ .taken = false };
	mu_uuid_new(&a->work.want.account_id);
	mu_uuid_new(&a->work.want.person_id);
	a->work.want.platform = mu_strdup("memory");
	a->work.want.name = mu_strdup(name);
	return a;
}

void
world_want(struct world_account *a, enum account_state state, const char *rights, bool urgent)
{
	struct entitlements wanted = ENTITLEMENTS_INIT;

	if (!entitlements_parse(rights, &wanted))
		assert(false);
	entitlements_clear(&a->work.want.entitlements);
	a->work.want.entitlements = wanted;
	a->work.want.state = state;
	a->work.want.version++;
	a->work.attempts = 0;
	a->work.urgent = a->work.urgent || urgent;
	a->parked = false;
	if (state == ACCOUNT_ENABLED || a->work.credential == CREDENTIAL_CLAIMED)
		return;
	a->work.credential = CREDENTIAL_NONE;
	mu_secret_clear(&a->work.sealed);
	a->claimable = false;
}

void
world_do(struct world *w, enum step_kind kind, const char *name)
{
	struct step s = { .kind = kind, .name = mu_strdup(name) };
	struct receipt receipt;

	platform_do(w, &s, &receipt);
	step_clear(&s);
	receipt_clear(&receipt);
}

void
world_look(struct world *w, const char *name, const char *rights, struct mu_buf *out_text)
{
	struct step s = { .kind = STEP_GET, .name = mu_strdup(name) };
	struct receipt receipt;

	if (!entitlements_parse(rights, &s.rights))
		assert(false);
	platform_do(w, &s, &receipt);
	mu_buf_text_add(out_text, account_state_name(receipt.seen.state));
	for (size_t i = 0; i < receipt.seen.rights.count; i++) {
		const struct entitlement *e = &receipt.seen.rights.list[i];

		mu_buf_format(out_text, ",%s%s%s", e->name, e->level[0] != '\0' ? ":" : "", e->level);
	}
	step_clear(&s);
	receipt_clear(&receipt);
}
