#include "store/action.h"

#include "store/store_priv.h"

#include <string.h>

#define ACTION_COLUMNS \
	"digest, kind, document, requester, " AS_UNIX("requested_at") ", " AS_UNIX("lapses_at") \
	", state, target_count, approvals_needed, " AS_UNIX("ended_at") ", result, mac"

static const struct store_sql action_insert = { STORE_ACTION, "action_insert",
    "INSERT INTO action (digest, kind, document, requester, requested_at, lapses_at, state,"
    " target_count, approvals_needed, ended_at, result, mac) VALUES ($1, $2, $3, $4, "
    AS_TIME("$5") ", " AS_TIME("$6") ", $7, $8, $9, " AS_TIME("$10") ", $11, $12)" };
static const struct store_sql action_moved = { STORE_ACTION, "action_moved",
    "UPDATE action SET state = $2, approvals_needed = $3, ended_at = " AS_TIME("$4")
    ", result = $5 WHERE digest = $1" };
static const struct store_sql get = { STORE_ACTION, "action_get",
    "SELECT " ACTION_COLUMNS " FROM action WHERE digest = $1" };
static const struct store_sql get_lock = { STORE_ACTION, "action_lock",
    "SELECT " ACTION_COLUMNS " FROM action WHERE digest = $1 FOR UPDATE" };
static const struct store_sql pending = { STORE_ACTION, "action_pending",
    "SELECT " ACTION_COLUMNS " FROM action WHERE state = 'pending' AND lapses_at > " AS_TIME("$1")
    " ORDER BY requested_at, digest" };
static const struct store_sql prepared_drop = { STORE_ACTION, "action_prepared_drop",
    "DELETE FROM action WHERE state = 'prepared' AND lapses_at <= " AS_TIME("$1") };
static const struct store_sql lapse = { STORE_ACTION, "action_lapse",
    "UPDATE action SET state = 'lapsed', ended_at = " AS_TIME("$1") " WHERE state = 'pending'"
    " AND lapses_at <= " AS_TIME("$1") " RETURNING " ACTION_COLUMNS };
static const struct store_sql approval_insert = { STORE_ACTION, "approval_write",
    "INSERT INTO action_approval (digest, person_id, approved, reason, made_at, mac)"
    " VALUES ($1, $2, $3, $4, " AS_TIME("$5") ", $6)" };
static const struct store_sql approvals_of = { STORE_ACTION, "approval_list",
    "SELECT digest, person_id, approved, reason, " AS_UNIX("made_at") ", mac FROM action_approval"
    " WHERE digest = $1 ORDER BY made_at, person_id" };

const struct store_sql *const store_action_sql[] = { &action_insert, &action_moved, &get, &get_lock,
    &pending, &prepared_drop, &lapse, &approval_insert, &approvals_of, NULL };

static const char *const states[] = {
	[ACTION_PREPARED] = "prepared", [ACTION_PENDING] = "pending",
	[ACTION_EXECUTED] = "executed", [ACTION_DENIED] = "denied", [ACTION_LAPSED] = "lapsed",
};

const char *
action_state_name(enum action_state state)
{
	return states[state];
}

bool
action_state_parse(const char *name, enum action_state *out_state)
{
	for (size_t i = 0; i < MU_COUNT(states); i++) {
		if (strcmp(states[i], name) != 0)
			continue;
		*out_state = (enum action_state)i;
		return true;
	}
	return false;
}

void
store_action_clear(struct store_action *a)
{
	mu_free(a->document);
	mu_free(a->result);
	*a = (struct store_action){ .document = NULL };
}

void
store_actions_clear(struct store_actions *l)
{
	for (size_t i = 0; i < l->count; i++)
		store_action_clear(&l->list[i]);
	mu_free(l->list);
	*l = (struct store_actions){ .count = 0 };
}

static enum mu_rc
row_action(const PGresult *rows, int row, struct store_action *a, struct mu_err *err)
{
	a->document = row_text_copy(rows, row, 2);
	row_uuid(rows, row, 3, &a->requester);
	a->requested_at_s = row_int(rows, row, 4);
	a->lapses_at_s = row_int(rows, row, 5);
	a->target_count = row_int(rows, row, 7);
	a->approvals_needed = row_int(rows, row, 8);
	a->ended_at_s = row_int(rows, row, 9);
	a->result = row_text_copy(rows, row, 10);
	if (!row_bytes(rows, row, 0, a->digest, sizeof(a->digest)) ||
	    !action_kind_parse(row_text(rows, row, 1), &a->kind) ||
	    !action_state_parse(row_text(rows, row, 6), &a->state) ||
	    !row_bytes(rows, row, 11, a->mac, sizeof(a->mac)))
		return mu_fail(err, MU_EBROKEN, "store: the row of action %.64s is not what"
		    " musterd writes: restore it", row_text(rows, row, 0) + 2);
	return MU_OK;
}

static enum mu_rc
actions_ask(struct store *s, const struct store_sql *sql, const struct store_args *args,
    struct store_actions *out_actions, struct mu_err *err)
{
	MU_AUTO(store_actions_clear) struct store_actions got = { .count = 0 };
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, sql, args, &rows, err) != MU_OK)
		return err->rc;
	got.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*got.list));
	for (int i = 0; i < PQntuples(rows); i++)
		if (row_action(rows, i, &got.list[got.count++], err) != MU_OK)
			return err->rc;
	*out_actions = got;
	got = (struct store_actions){ .count = 0 };
	return MU_OK;
}

void
store_action_insert(struct store *s, const struct store_action *a)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_bytes(&args, a->digest, sizeof(a->digest));
	arg_text(&args, action_kind_name(a->kind));
	arg_text(&args, a->document);
	arg_uuid(&args, &a->requester);
	arg_int(&args, a->requested_at_s);
	arg_int(&args, a->lapses_at_s);
	arg_text(&args, action_state_name(a->state));
	arg_int(&args, a->target_count);
	arg_int(&args, a->approvals_needed);
	arg_int(&args, a->ended_at_s);
	arg_text(&args, a->result == NULL ? "" : a->result);
	arg_bytes(&args, a->mac, sizeof(a->mac));
	store_put(s, &action_insert, &args, true);
}

void
store_action_moved(struct store *s, const struct store_action *a)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_bytes(&args, a->digest, sizeof(a->digest));
	arg_text(&args, action_state_name(a->state));
	arg_int(&args, a->approvals_needed);
	arg_int(&args, a->ended_at_s);
	arg_text(&args, a->result == NULL ? "" : a->result);
	store_put(s, &action_moved, &args, true);
}

enum mu_rc
store_action_get(struct store *s, const unsigned char digest[ACTION_DIGEST_BYTES], bool lock,
    struct store_action *out_action, struct mu_err *err)
{
	MU_AUTO(store_actions_clear) struct store_actions got = { .count = 0 };
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_bytes(&args, digest, ACTION_DIGEST_BYTES);
	if (actions_ask(s, lock ? &get_lock : &get, &args, &got, err) != MU_OK)
		return err->rc;
	if (got.count == 0)
		return mu_fail(err, MU_EABSENT, "no action has this digest");
	*out_action = got.list[0];
	got.count = 0;
	return MU_OK;
}

enum mu_rc
store_action_pending(struct store *s, int64_t now_s, struct store_actions *out_actions,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, now_s);
	return actions_ask(s, &pending, &args, out_actions, err);
}

enum mu_rc
store_action_lapse(struct store *s, int64_t now_s, struct store_actions *out_actions,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, now_s);
	store_put(s, &prepared_drop, &args, false);
	return actions_ask(s, &lapse, &args, out_actions, err);
}

void
store_approvals_clear(struct store_approvals *l)
{
	for (size_t i = 0; i < l->count; i++)
		mu_free(l->list[i].reason);
	mu_free(l->list);
	*l = (struct store_approvals){ .count = 0 };
}

void
store_approval_write(struct store *s, const struct store_approval *a)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_bytes(&args, a->digest, sizeof(a->digest));
	arg_uuid(&args, &a->person_id);
	arg_bool(&args, a->approved);
	arg_text(&args, a->reason == NULL ? "" : a->reason);
	arg_int(&args, a->made_at_s);
	arg_bytes(&args, a->mac, sizeof(a->mac));
	store_put(s, &approval_insert, &args, true);
}

enum mu_rc
store_approval_list(struct store *s, const unsigned char digest[ACTION_DIGEST_BYTES],
    struct store_approvals *out_approvals, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_approvals got = { .count = 0 };

	arg_bytes(&args, digest, ACTION_DIGEST_BYTES);
	if (store_ask(s, &approvals_of, &args, &rows, err) != MU_OK)
		return err->rc;
	got.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*got.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_approval *a = &got.list[got.count++];

		(void)row_bytes(rows, i, 0, a->digest, sizeof(a->digest));
		row_uuid(rows, i, 1, &a->person_id);
		a->approved = row_bool(rows, i, 2);
		a->reason = row_text_copy(rows, i, 3);
		a->made_at_s = row_int(rows, i, 4);
		(void)row_bytes(rows, i, 5, a->mac, sizeof(a->mac));
	}
	*out_approvals = got;
	return MU_OK;
}
