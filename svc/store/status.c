#include "store/status.h"

#include "store/store_priv.h"

static const struct store_sql sources = { STORE_STATUS, "status_sources",
    "SELECT v.source, v.verdict, v.reason, " AS_UNIX("v.since") ", " AS_UNIX("x.complete_at") ","
    " coalesce(x.listed_count, 0),"
    " (SELECT count(*) FROM person p WHERE p.source = v.source AND p.state NOT IN ('leaver',"
    " 'erased')), (SELECT count(*) FROM quarantine q WHERE q.source = v.source),"
    " (SELECT count(DISTINCT h.person_id) FROM brake_hold h WHERE h.source = v.source AND NOT h.released),"
    " " AS_UNIX("(SELECT min(h.since) FROM brake_hold h WHERE h.source = v.source"
    " AND NOT h.released)") ","
    " (SELECT h.reason FROM brake_hold h WHERE h.source = v.source AND NOT h.released"
    " ORDER BY h.since LIMIT 1)"
    " FROM source_verdict v LEFT JOIN source_search x ON x.source = v.source"
    " AND x.search = 'people' ORDER BY v.source" };
static const struct store_sql platforms = { STORE_STATUS, "status_platforms",
    "SELECT platform, count(*), count(*) FILTER (WHERE version > settled_version),"
    " count(*) FILTER (WHERE parked), " AS_UNIX("min(debt_since)") " FROM account GROUP BY platform"
    " ORDER BY platform" };
static const struct store_sql people = { STORE_STATUS, "status_people",
    "SELECT state, count(*), count(*) FILTER (WHERE blocked) FROM person GROUP BY state" };
static const struct store_sql house = { STORE_STATUS, "status_house",
    "SELECT (SELECT max(version) FROM schema_version), (SELECT coalesce(max(leaf_index) + 1, 0)"
    " FROM audit_leaf), (SELECT count(*) FROM audit_pending)" };

const struct store_sql *const store_status_sql[] = { &sources, &platforms, &people, &house, NULL };

void
store_status_clear(struct store_status *x)
{
	for (size_t i = 0; i < x->source_count; i++) {
		mu_free(x->sources[i].source);
		mu_free(x->sources[i].text);
		mu_free(x->sources[i].held_reason);
	}
	for (size_t i = 0; i < x->platform_count; i++)
		mu_free(x->platforms[i].platform);
	mu_free(x->sources);
	mu_free(x->platforms);
	*x = (struct store_status){ .source_count = 0 };
}

static enum mu_rc
sources_read(struct store *s, struct store_status *x, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, &sources, NULL, &rows, err) != MU_OK)
		return err->rc;
	x->sources = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*x->sources));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_status_source *one = &x->sources[x->source_count++];

		one->source = row_text_copy(rows, i, 0);
		one->text = row_text_copy(rows, i, 2);
		one->since_s = row_int(rows, i, 3);
		one->complete_at_s = row_int(rows, i, 4);
		one->listed_count = row_int(rows, i, 5);
		one->people = row_int(rows, i, 6);
		one->quarantined = row_int(rows, i, 7);
		one->held = row_int(rows, i, 8);
		one->held_since_s = row_int(rows, i, 9);
		one->held_reason = row_text_copy(rows, i, 10);
		if (!verdict_parse(row_text(rows, i, 1), &one->verdict))
			return mu_fail(err, MU_EBROKEN, "source %s: its verdict is none of ours",
			    one->source);
	}
	return MU_OK;
}

static enum mu_rc
platforms_read(struct store *s, struct store_status *x, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, &platforms, NULL, &rows, err) != MU_OK)
		return err->rc;
	x->platforms = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*x->platforms));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_status_platform *one = &x->platforms[x->platform_count++];

		one->platform = row_text_copy(rows, i, 0);
		one->counts = (struct store_queue_counts){ row_int(rows, i, 1), row_int(rows, i, 2),
			row_int(rows, i, 3), row_int(rows, i, 4) };
	}
	return MU_OK;
}

static enum mu_rc
people_read(struct store *s, struct store_status *x, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	enum person_state state;

	if (store_ask(s, &people, NULL, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		if (!person_state_parse(row_text(rows, i, 0), &state))
			return mu_fail(err, MU_EBROKEN, "a person's state is none of ours");
		x->people[state] = row_int(rows, i, 1);
		x->blocked += row_int(rows, i, 2);
	}
	return MU_OK;
}

enum mu_rc
store_status_get(struct store *s, struct store_status *out_status, struct mu_err *err)
{
	MU_AUTO(store_status_clear) struct store_status x = { .source_count = 0 };
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (sources_read(s, &x, err) != MU_OK || platforms_read(s, &x, err) != MU_OK ||
	    people_read(s, &x, err) != MU_OK || store_ask(s, &house, NULL, &rows, err) != MU_OK)
		return err->rc;
	x.schema_version = row_int(rows, 0, 0);
	x.tree_size = row_int(rows, 0, 1);
	x.unnumbered = row_int(rows, 0, 2);
	*out_status = x;
	x = (struct store_status){ .source_count = 0 };
	return MU_OK;
}
