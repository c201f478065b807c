#include "store/brake.h"

#include "store/store_priv.h"

#include <stdio.h>

/* A count at a time: see EACH. people_then ends a while before the window begins, never after. */
static const struct store_sql counts = { STORE_SOURCE, "brake_counts",
    "SELECT e.used, p.people_then, p.people_now FROM unnest($1::text[], $2::text[], $3::text[],"
    " $4::bigint[]) WITH ORDINALITY AS q (kind, scope, name, since, nr)"
    EACH("SELECT count(*) AS used FROM brake_effect WHERE kind = q.kind AND scope = q.scope"
    " AND name = q.name AND happened_at > to_timestamp(q.since)") "AS e"
    EACH("SELECT coalesce(sum(people) FILTER (WHERE until <= to_timestamp(q.since)), 0)::bigint"
    " AS people_then, coalesce(sum(people), 0)::bigint AS people_now FROM brake_people"
    " WHERE scope = q.scope AND name = q.name") "AS p ORDER BY q.nr" };
static const struct store_sql turn_take = { STORE_SOURCE, "brake_turn",
    "UPDATE brake_turn SET turn = turn + 1" };
static const struct store_sql effect_add = { STORE_SOURCE, "brake_effect_add",
    "INSERT INTO brake_effect (kind, scope, name, person_id, happened_at) VALUES ($1, $2, $3, $4,"
    " to_timestamp($5::bigint / 1000.0)) ON CONFLICT (kind, scope, name, happened_at, person_id)"
    " DO NOTHING" };
static const struct store_sql people_add = { STORE_SOURCE, "brake_people_add",
    "INSERT INTO brake_people AS p (scope, name, until, writer, people) VALUES ($1, $2, "
    AS_TIME("$3") ", pg_backend_pid(), $4) ON CONFLICT (scope, name, until, writer) DO UPDATE"
    " SET people = p.people + excluded.people" };
static const struct store_sql people_sum = { STORE_SOURCE, "brake_people",
    "SELECT coalesce(sum(people), 0)::bigint FROM brake_people WHERE scope = $1 AND name = $2" };
static const struct store_sql effects_prune = { STORE_SOURCE, "brake_effects_prune",
    "DELETE FROM brake_effect WHERE happened_at <= " AS_TIME("$1") };
static const struct store_sql people_prune = { STORE_SOURCE, "brake_people_prune",
    "WITH old AS (DELETE FROM brake_people WHERE until <= " AS_TIME("$1") " RETURNING scope, name,"
    " people) INSERT INTO brake_people (scope, name, until, writer, people) SELECT scope, name, "
    AS_TIME("$1") ", -1, sum(people) FROM old GROUP BY scope, name" };
static const struct store_sql is_settled = { STORE_SOURCE, "brake_is_settled",
    "SELECT coalesce(bool_and(complete_at IS NOT NULL) AND bool_or(search = 'people'), false)"
    " FROM source_search WHERE source = $1" };
static const struct store_sql hold_add = { STORE_SOURCE, "brake_hold_add",
    "INSERT INTO brake_hold (source, person_id, kind, reason, since) VALUES ($1, $2, $3, $4, "
    AS_TIME("$5") ") ON CONFLICT (source, person_id, kind) DO NOTHING" };
static const struct store_sql hold_drop = { STORE_SOURCE, "brake_hold_drop",
    "DELETE FROM brake_hold WHERE source = $1 AND person_id = $2 AND kind = $3" };
static const struct store_sql hold_count = { STORE_SOURCE, "brake_hold_count",
    "SELECT count(*) FROM brake_hold WHERE source = $1" };
#define HOLDS \
	"SELECT h.source, h.person_id, h.kind, h.reason, " AS_UNIX("h.since") ", h.released," \
	" p.uid, p.display_name FROM brake_hold h JOIN person p ON p.person_id = h.person_id "
#define HOLDS_ORDER "ORDER BY h.source, lower(p.display_name), h.person_id, h.kind"
static const struct store_sql hold_list = { STORE_SOURCE, "brake_hold_list",
    HOLDS "WHERE h.source = $1 " HOLDS_ORDER };
static const struct store_sql hold_list_all = { STORE_SOURCE, "brake_hold_list_all",
    HOLDS HOLDS_ORDER };
static const struct store_sql hold_find = { STORE_SOURCE, "brake_hold_find",
    "SELECT h.source, h.person_id, h.kind, h.released FROM " IDS EACH("SELECT p.source,"
    " p.person_id, b.kind, b.released FROM person p JOIN brake_hold b ON b.source = p.source"
    " AND b.person_id = p.person_id WHERE p.person_id = i.id") "AS h" };
static const struct store_sql hold_release = { STORE_SOURCE, "brake_release",
    "UPDATE brake_hold SET released = true WHERE source = $1 AND person_id = ANY ($2::uuid[])" };

const struct store_sql *const store_brake_sql[] = { &counts, &turn_take, &effect_add, &people_add,
    &people_sum, &effects_prune, &people_prune, &is_settled, &hold_add, &hold_drop, &hold_count,
    &hold_list, &hold_list_all, &hold_find, &hold_release, NULL };

/* --- Counts --------------------------------------------------------------------------------- */

#define PEOPLE_WITHIN_S	600	/* comings and goings within so long are one row of a writer's */

enum mu_rc
store_brake_counts(struct store *s, struct store_brake_count *list, size_t count,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(mu_freep) const char **texts = mu_alloc_zero(count, sizeof(*texts));
	MU_AUTO(mu_freep) char (*times)[24] = mu_alloc_zero(count, sizeof(*times));

	for (size_t i = 0; i < count; i++)
		texts[i] = brake_kind_name(list[i].kind);
	arg_texts(&args, texts, count);
	for (size_t i = 0; i < count; i++)
		texts[i] = brake_scope_name(list[i].scope);
	arg_texts(&args, texts, count);
	for (size_t i = 0; i < count; i++)
		texts[i] = list[i].name;
	arg_texts(&args, texts, count);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(times[i], sizeof(times[i]), "%lld", (long long)list[i].since_s);
		texts[i] = times[i];
	}
	arg_texts(&args, texts, count);
	if (store_ask(s, &counts, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) != (int)count)
		return mu_fail(err, MU_EBROKEN, "store: brake_counts: %d answers to %zu questions",
		    PQntuples(rows), count);
	for (size_t i = 0; i < count; i++) {
		list[i].used = row_int(rows, (int)i, 0);
		list[i].people_then = row_int(rows, (int)i, 1);
		list[i].people_now = row_int(rows, (int)i, 2);
	}
	return MU_OK;
}

enum mu_rc
store_brake_counts_lock(struct store *s, struct store_brake_count *list, size_t count,
    struct mu_err *err)
{
	static const struct store_args none = STORE_ARGS_INIT;

	store_put(s, &turn_take, &none, true);
	return store_brake_counts(s, list, count, err);
}

void
store_brake_effect_add(struct store *s, enum brake_kind kind, enum brake_scope scope,
    const char *name, const struct mu_uuid *person_id, int64_t now_ms)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, brake_kind_name(kind));
	arg_text(&args, brake_scope_name(scope));
	arg_text(&args, name);
	arg_uuid(&args, person_id);
	arg_int(&args, now_ms);
	store_put(s, &effect_add, &args, false);
}

void
store_brake_people_add(struct store *s, enum brake_scope scope, const char *name, int64_t people,
    int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, brake_scope_name(scope));
	arg_text(&args, name);
	arg_int(&args, (now_s / PEOPLE_WITHIN_S + 1) * PEOPLE_WITHIN_S);
	arg_int(&args, people);
	store_put(s, &people_add, &args, true);
}

static enum mu_rc
number_ask(struct store *s, const struct store_sql *sql, const struct store_args *args,
    int64_t *out_number, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, sql, args, &rows, err) != MU_OK)
		return err->rc;
	*out_number = row_int(rows, 0, 0);
	return MU_OK;
}

enum mu_rc
store_brake_people(struct store *s, enum brake_scope scope, const char *name, int64_t *out_people,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, brake_scope_name(scope));
	arg_text(&args, name);
	return number_ask(s, &people_sum, &args, out_people, err);
}

void
store_brake_prune(struct store *s, int64_t until_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, until_s);
	store_put(s, &effects_prune, &args, false);
	store_put(s, &people_prune, &args, false);
}

enum mu_rc
store_brake_is_settled(struct store *s, const char *source, bool *out_settled, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	if (store_ask(s, &is_settled, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_settled = row_bool(rows, 0, 0);
	return MU_OK;
}

/* --- Holds ---------------------------------------------------------------------------------- */

void
store_brake_hold_add(struct store *s, const char *source, const struct mu_uuid *person_id,
    enum brake_kind kind, const char *reason, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_uuid(&args, person_id);
	arg_text(&args, brake_kind_name(kind));
	arg_text(&args, reason);
	arg_int(&args, now_s);
	store_put(s, &hold_add, &args, false);
}

void
store_brake_hold_drop(struct store *s, const char *source, const struct mu_uuid *person_id,
    enum brake_kind kind)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_uuid(&args, person_id);
	arg_text(&args, brake_kind_name(kind));
	store_put(s, &hold_drop, &args, false);
}

enum mu_rc
store_brake_hold_count(struct store *s, const char *source, int64_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	return number_ask(s, &hold_count, &args, out_count, err);
}

void
store_holds_clear(struct store_holds *h)
{
	for (size_t i = 0; i < h->count; i++) {
		mu_free(h->list[i].source);
		mu_free(h->list[i].reason);
		mu_free(h->list[i].uid);
		mu_free(h->list[i].display_name);
	}
	mu_free(h->list);
	*h = (struct store_holds){ .count = 0 };
}

/* The check on the column and this reader's names are one list. */
static enum brake_kind
row_kind(const PGresult *rows, int row, int column)
{
	enum brake_kind kind = BRAKE_REMOVAL;

	(void)brake_kind_parse(row_text(rows, row, column), &kind);
	return kind;
}

enum mu_rc
store_brake_hold_list(struct store *s, const char *source, struct store_holds *out_holds,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_holds h = { .count = 0 };

	if (source != NULL)
		arg_text(&args, source);
	if (store_ask(s, source == NULL ? &hold_list_all : &hold_list, &args, &rows, err) != MU_OK)
		return err->rc;
	h.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*h.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_hold *one = &h.list[h.count++];

		one->source = row_text_copy(rows, i, 0);
		row_uuid(rows, i, 1, &one->person_id);
		one->kind = row_kind(rows, i, 2);
		one->reason = row_text_copy(rows, i, 3);
		one->since_s = row_int(rows, i, 4);
		one->released = row_bool(rows, i, 5);
		one->uid = row_text_copy(rows, i, 6);
		one->display_name = row_text_copy(rows, i, 7);
	}
	*out_holds = h;
	return MU_OK;
}

enum mu_rc
store_brake_hold_find(struct store *s, const struct mu_uuid *person_ids, size_t count,
    struct store_holds *out_holds, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_holds h = { .count = 0 };

	arg_uuids(&args, person_ids, count);
	if (store_ask(s, &hold_find, &args, &rows, err) != MU_OK)
		return err->rc;
	h.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*h.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_hold *one = &h.list[h.count++];

		one->source = row_text_copy(rows, i, 0);
		row_uuid(rows, i, 1, &one->person_id);
		one->kind = row_kind(rows, i, 2);
		one->released = row_bool(rows, i, 3);
	}
	*out_holds = h;
	return MU_OK;
}

void
store_brake_release(struct store *s, const char *source, const struct mu_uuid *person_ids,
    size_t count)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_uuids(&args, person_ids, count);
	store_put(s, &hold_release, &args, false);
}
