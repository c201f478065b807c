#include "api/admin_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "store/look.h"

#include <string.h>

#define PAGE			200
#define RECEIPTS_MAX		200	/* in one answer */
#define RECEIPTS_LOOK_MS	100	/* between two looks while somebody waits */
#define RECEIPTS_WAIT_MS	10000
#define RECEIPTS_WAITERS	32

/* --- Accounts -------------------------------------------------------------------------------- */

void
account_write(struct json_writer *w, const struct store_look_account *x)
{
	MU_AUTO(mu_buf_clear) struct mu_buf rights = MU_BUF_INIT;

	entitlements_format(&x->want.entitlements, &rights);
	json_object_begin(w, NULL);
	json_int(w, "attempts", x->attempts);
	moment_write(w, "claimed_at", x->claimed_at_s);
	json_text(w, "credential", store_credential_state_name(x->credential));
	moment_write(w, "debt_since", x->debt_since_s);
	lines_write(w, "entitlements", mu_buf_text(&rights));
	json_uuid(w, "id", &x->want.account_id);
	json_text(w, "name", x->want.name);
	json_text(w, "observed", account_state_name(x->observed));
	moment_write(w, "observed_at", x->observed_at_s);
	json_text(w, "outcome", x->last_outcome);
	json_bool(w, "parked", x->parked);
	person_ref_write(w, "person", &x->want.person_id, x->display_name, x->uid);
	json_text(w, "platform", x->want.platform);
	json_list_begin(w, "roles");
	for (size_t i = 0; i < x->want.roles.count; i++)
		json_text(w, NULL, x->want.roles.list[i]);
	json_list_end(w);
	json_bool(w, "settled", x->settled_version >= x->want.version);
	json_text(w, "text", x->last_text);
	json_text(w, "wanted", account_state_name(x->want.state));
	json_object_end(w);
}

struct look {
	const char *platform;
	bool only_unsettled;
	struct mu_uuid after;
	size_t limit, rows;
	struct mu_buf accounts, note;
	struct json_writer w;			/* of accounts */
	bool has_next;
};

static void
look_clear(struct look *l)
{
	mu_buf_clear(&l->accounts);
	mu_buf_clear(&l->note);
}

static bool
look_read(const struct ask *a, struct look *l, struct mu_err *err)
{
	const char *unsettled = http_query_find(a->req, "unsettled");

	l->platform = http_query_find(a->req, "platform");
	l->only_unsettled = unsettled != NULL && strcmp(unsettled, "true") == 0;
	if (unsettled != NULL && !l->only_unsettled && strcmp(unsettled, "false") != 0) {
		(void)mu_fail(err, MU_EINPUT, "unsettled: true or false");
		return false;
	}
	query_note(&l->note, "platform", l->platform);
	query_note(&l->note, "unsettled", unsettled);
	return query_id(a, "after", &l->after, err) && query_limit(a, &l->limit, err);
}

static void
page_take(struct ask *a, struct look *l, const struct store_look_accounts *page,
    const struct store_people *people)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct store_look_account *x = &page->list[i];

		if (l->rows == l->limit)
			return;
		l->after = x->want.account_id;
		if (!ask_reaches(a, people_find(people, &x->want.person_id)))
			continue;
		account_write(&l->w, x);
		l->rows++;
	}
}

/* One page; *out_more: there may be another behind it. */
static enum mu_rc
page_look(struct ask *a, struct look *l, bool *out_more, struct mu_err *err)
{
	MU_AUTO(store_look_accounts_clear) struct store_look_accounts page = { NULL, 0 };
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	struct store *store = a->api->store;
	struct mu_uuid ids[PAGE];

	if (store_look_accounts(store, NULL, l->platform, l->only_unsettled, &l->after, PAGE, &page,
	    err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < page.count; i++)
		ids[i] = page.list[i].want.person_id;
	if (people_read(store, ids, page.count, &people, err) != MU_OK)
		return err->rc;
	page_take(a, l, &page, &people);
	*out_more = page.count == PAGE ||
	    (page.count > 0 && !mu_uuid_equal(&l->after,
	    &page.list[page.count - 1].want.account_id));
	return MU_OK;
}

static enum mu_rc
accounts_look(struct ask *a, struct look *l, struct mu_err *err)
{
	int64_t until_ms = mu_tick_ms() + API_ADMIN_LOOK_MS;

	json_begin(&l->w, &l->accounts);
	json_list_begin(&l->w, NULL);
	l->has_next = true;
	while (l->has_next && l->rows < l->limit && mu_tick_ms() < until_ms)
		if (page_look(a, l, &l->has_next, err) != MU_OK)
			return err->rc;
	json_list_end(&l->w);
	json_end(&l->w);
	return MU_OK;
}

void
accounts_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(look_clear) struct look l = { .platform = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ask_read read = { .what = "accounts" };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, "read.accounts"))
		return;
	if (!look_read(&a, &l, &err) || ask_begin(&a, &err) != MU_OK || accounts_look(&a, &l,
	    &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	read.query = mu_buf_text(&l.note);
	read.rows = (int64_t)l.rows;
	if (ask_record(&a, &read, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_value(&w, "accounts", l.accounts.data);
	if (l.has_next)
		json_uuid(&w, "next", &l.after);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

/* --- Receipts: held back until there is one -------------------------------------------------- */

struct receipts_wait {
	struct receipts_wait *next;
	struct ask ask;			/* its session is looked at again before the answer */
	struct mu_uuid *people;		/* whom the action was about */
	size_t people_count;
	struct mu_uuid after;
	int64_t since_s, until_ms;
	char *digest;
};

static void
wait_free(struct receipts_wait *x)
{
	ask_clear(&x->ask);
	mu_free(x->people);
	mu_free(x->digest);
	mu_free(x);
}

static enum mu_rc
targets_read(const struct store_action *action, struct receipts_wait *x, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *targets = NULL;

	if (json_parse(action->document, strlen(action->document), SIZE_MAX, "document", &root,
	    err) != MU_OK ||
	    json_get_list(root, "targets", &targets, err) != MU_OK)
		return mu_fail(err, MU_EBROKEN, "an action's document cannot be read");
	x->people = mu_alloc_zero(json_count(targets) + 1, sizeof(*x->people));
	for (size_t i = 0; i < json_count(targets); i++) {
		const char *id = json_node_text(json_at(targets, i));

		if (id == NULL || !mu_uuid_parse(id, &x->people[x->people_count]))
			return mu_fail(err, MU_EBROKEN, "an action's document names nobody");
		x->people_count++;
	}
	return MU_OK;
}

/* Which action, whose receipts, since when. The action room says whether they may see it. */
static enum mu_rc
wait_read(struct receipts_wait *x, struct mu_err *err)
{
	MU_AUTO(action_answer_clear) struct action_answer seen = { .json = MU_BUF_INIT };
	MU_AUTO(store_action_clear) struct store_action action = { .document = NULL };
	const char *text = http_query_find(x->ask.req, "action");
	struct api_admin *api = x->ask.api;
	unsigned char digest[ACTION_DIGEST_BYTES];

	if (text == NULL || !mu_hex_parse(text, digest, sizeof(digest)))
		return mu_fail(err, MU_EINPUT, "action: the digest of an action, 64 hexadecimal"
		    " digits");
	if (!query_id(&x->ask, "after", &x->after, err) ||
	    action_show(api->host.actions, &x->ask.who, digest, x->ask.now_ms, &seen,
	    err) != MU_OK ||
	    store_action_get(api->store, digest, false, &action, err) != MU_OK)
		return err->rc;
	if (action.state != ACTION_EXECUTED)
		return mu_fail(err, MU_ECONFLICT, "The action has not been executed: there are no"
		    " receipts.");
	x->digest = mu_strdup(text);
	x->since_s = action.ended_at_s;
	return targets_read(&action, x, err);
}

static void
receipt_write(struct json_writer *w, const struct store_look_receipt *r,
    const struct store_people *people)
{
	json_object_begin(w, NULL);
	json_text(w, "account", r->name);
	json_time(w, "at", r->made_at_ms / 1000);
	json_text(w, "outcome", r->outcome);
	person_ref_of(w, "person", people, &r->person_id);
	json_text(w, "platform", r->platform);
	json_int(w, "sessions_ended", r->sessions_ended);
	json_int(w, "sessions_left", r->sessions_left);
	json_text(w, "signature", r->signature);
	json_text(w, "step", r->step);
	json_text(w, "text", r->text);
	json_object_end(w);
}

static void
receipts_format(const struct receipts_wait *x, const struct store_look_receipts *receipts,
    const struct store_people *people, int64_t unsettled, struct mu_buf *body)
{
	struct json_writer w;

	json_begin(&w, body);
	json_object_begin(&w, NULL);
	json_uuid(&w, "next", receipts->count == 0 ? &x->after :
	    &receipts->list[receipts->count - 1].receipt_id);
	json_list_begin(&w, "receipts");
	for (size_t i = 0; i < receipts->count; i++)
		receipt_write(&w, &receipts->list[i], people);
	json_list_end(&w);
	json_int(&w, "unsettled", unsettled);
	json_object_end(&w);
	json_end(&w);
}

/*
 * Looks once. MU_OK with *out_done false: nothing to tell yet. What is told has been recorded, and
 * the
 * session is still good.
 */
static enum mu_rc
wait_look(struct receipts_wait *x, bool *out_done, struct mu_buf *body, struct mu_err *err)
{
	MU_AUTO(store_look_receipts_clear) struct store_look_receipts receipts = { NULL, 0 };
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	struct ask_read read = { .what = "receipts", .query = x->digest };
	struct store *store = x->ask.api->store;
	int64_t unsettled = 0;

	if (ask_begin(&x->ask, err) != MU_OK ||
	    store_look_receipts(store, x->people, x->people_count, x->since_s, &x->after,
	    RECEIPTS_MAX,
	    &receipts, &unsettled, err) != MU_OK)
		return err->rc;
	*out_done = receipts.count > 0 || unsettled == 0 || mu_tick_ms() >= x->until_ms;
	if (!*out_done) {
		store_rollback(store);
		return MU_OK;
	}
	if (people_read(store, x->people, x->people_count, &people, err) != MU_OK)
		return err->rc;
	receipts_format(x, &receipts, &people, unsettled, body);
	read.rows = (int64_t)receipts.count;
	if (receipts.count == 0)
		store_rollback(store);
	else if (ask_record(&x->ask, &read, err) != MU_OK)
		return err->rc;
	return MU_OK;
}

/* true: it has been answered, and can go. */
static bool
wait_serve(struct receipts_wait *x)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(auth_who_clear) struct auth_who who = { .role = NULL };
	struct mu_err err = MU_ERR_INIT;
	bool is_done = false;

	if (wait_look(x, &is_done, &body, &err) == MU_OK && !is_done)
		return false;
	if (err.rc != MU_OK)
		ask_fail(&x->ask, &err);
	else if (ask_session(x->ask.api, x->ask.req, &who, &err) == MU_OK)
		answer_json(x->ask.req, 200, &body);
	else if (err.rc == MU_EDENIED && who.conflict == NULL)	/* it ended while they waited */
		answer_unknown(x->ask.req, "ClientCertificate", err.text);
	else
		ask_fail(&x->ask, &err);
	return true;
}

static void
on_receipts_look(void *ctx)
{
	struct api_admin *api = ctx;

	for (struct receipts_wait **at = &api->waiting; *at != NULL;) {
		struct receipts_wait *x = *at;

		if (!wait_serve(x)) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		api->waiting_count--;
		wait_free(x);
	}
	if (api->waiting != NULL)
		mu_timer_set(api->wait_timer, RECEIPTS_LOOK_MS);
}

void
receipts_get(void *ctx, struct http_request *req)
{
	struct api_admin *api = ctx;
	struct receipts_wait *x;
	struct mu_err err = MU_ERR_INIT;
	struct ask a;

	if (!ask_open(&a, api, req, NULL))
		return;
	x = mu_alloc_zero(1, sizeof(*x));
	x->ask = a;
	x->until_ms = mu_tick_ms() + RECEIPTS_WAIT_MS;
	if (wait_read(x, &err) != MU_OK) {
		if (err.rc == MU_EDENIED)	/* the action room has recorded it */
			http_refuse_err(req, &err);
		else
			ask_fail(&x->ask, &err);
		wait_free(x);
	} else if (wait_serve(x)) {
		wait_free(x);
	} else if (api->waiting_count == RECEIPTS_WAITERS) {
		http_refuse(req, 503, 1, "Too many wait for receipts now: try again.", NULL);
		wait_free(x);
	} else {
		x->next = api->waiting;
		api->waiting = x;
		api->waiting_count++;
		if (!mu_timer_is_set(api->wait_timer))
			mu_timer_set(api->wait_timer, RECEIPTS_LOOK_MS);
	}
}

void
receipts_open(struct api_admin *api)
{
	api->wait_timer = mu_loop_timer(api->host.loop, on_receipts_look, api);
}

void
receipts_close(struct api_admin *api)
{
	while (api->waiting != NULL) {
		struct receipts_wait *x = api->waiting;

		api->waiting = x->next;
		http_refuse(x->ask.req, 503, 1, "The service is stopping.", NULL);
		wait_free(x);
	}
	mu_timer_free(api->wait_timer);
}
