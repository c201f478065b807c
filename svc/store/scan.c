#include "store/scan.h"

#include "store/store_priv.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX		24
#define COPY_HEADER_BYTES	19	/* signature, flags and length of what may follow */
#define EPOCH_S			946684800	/* 2000-01-01, from which PostgreSQL counts */

/* Of every connection; the sort of memberships is worth some memory for a moment. */
static const char session_sql[] =
    "SET search_path = public; SET statement_timeout = '1h'; SET work_mem = '32MB'";
static const char begin_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
static const char export_sql[] = "SELECT pg_export_snapshot(),"
    " (SELECT coalesce(max(version), 0) FROM policy_version)";
static const char groups_sql[] = "SELECT DISTINCT entry_uuid, name FROM directory_group";
static const char names_sql[] = "SELECT n.place FROM unnest($1::text[], $2::text[])"
    " WITH ORDINALITY AS n (platform, name, place)"
    EACH("SELECT 1 FROM account WHERE platform = n.platform AND name = n.name") "AS a";

enum kind { PEOPLE, ACCOUNTS, GRANTS, VOUCHED, HOLDS, GROUPS };
#define KIND_COUNT (GROUPS + 1)

/* Each begins with person_id and is in order of it. GROUPS is made with the groups that matter. */
static const struct {
	const char *name, *query;
	int field_count;
} kinds[KIND_COUNT] = {
	[PEOPLE] = { "people", "SELECT person_id, source, dn, uid, version, state, state_since,"
	    " starts_at, ends_at, due_at, resume_at, blocked, suspended, attrs, roles, identified,"
	    " evidence, content_hash FROM person ORDER BY person_id", 18 },
	[ACCOUNTS] = { "accounts", "SELECT person_id, platform, name, wanted_state, roles,"
	    " entitlements FROM account ORDER BY person_id, platform", 6 },
	[GRANTS] = { "grants", "SELECT person_id, grant_id, role, reason, starts_at, ends_at,"
	    " reviewed_at FROM requested_grant ORDER BY person_id, role", 7 },
	[VOUCHED] = { "identifications", "SELECT person_id, level, method, evidence"
	    " FROM identification ORDER BY person_id", 4 },
	[HOLDS] = { "holds", "SELECT person_id, kind, released FROM brake_hold ORDER BY person_id", 3 },
	[GROUPS] = { "groups", NULL, 2 },
};

struct field {
	char *at;		/* NULL: NULL */
	size_t bytes;
};

/* One COPY; its next row lies in bytes. */
struct stream {
	enum kind kind;
	PGconn *conn;		/* NULL: this kind has no rows */
	char *bytes;		/* of libpq; NULL at the end */
	struct field fields[FIELDS_MAX];
	bool begun;
};

struct store_scan {
	PGconn *conn;		/* holds the snapshot */
	struct stream streams[KIND_COUNT];
	struct store_scan_person person;
	char **kept;		/* rows that person points into */
	size_t kept_count, kept_room, account_room, group_room, grant_room;
};

/* --- Connections ------------------------------------------------------------------------------ */

static enum mu_rc
lost(PGconn *conn, struct mu_err *err)
{
	const char *text = PQerrorMessage(conn);

	return mu_fail(err, MU_ERETRY, "store: connection lost: %.*s", (int)strcspn(text, "\n"),
	    text);
}

/* Asks and waits; out_rows NULL: there are none to look at. */
static enum mu_rc
ask(PGconn *conn, const char *sql, const char *const *values, int count, PGresult **out_rows,
    struct mu_err *err)
{
	PGresult *rows = count == 0 ? PQexec(conn, sql) :
	    PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(rows);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_OUT) {
		(void)(PQstatus(conn) == CONNECTION_OK ? store_fail(err, rows, "scan") :
		    lost(conn, err));
		PQclear(rows);
		return err->rc;
	}
	if (out_rows == NULL)
		PQclear(rows);
	else
		*out_rows = rows;
	return MU_OK;
}

static enum mu_rc
connect_one(const char *conninfo, PGconn **out_conn, struct mu_err *err)
{
	const char *keys[] = { "connect_timeout", "dbname", "fallback_application_name", NULL };
	const char *values[] = { "10", conninfo, "musterd", NULL };

	*out_conn = PQconnectdbParams(keys, values, 1);
	store_quiet(*out_conn);
	if (PQstatus(*out_conn) != CONNECTION_OK)
		return lost(*out_conn, err);
	if (ask(*out_conn, session_sql, NULL, 0, NULL, err) != MU_OK)
		return err->rc;
	return ask(*out_conn, begin_sql, NULL, 0, NULL, err);
}

/* The ids of groups that matter, as they stand in an array's literal; empty: there are none. */
static enum mu_rc
groups_choose(struct store_scan *s, store_scan_group_fn *matters, const void *ctx,
    struct mu_buf *out_ids, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (ask(s->conn, groups_sql, NULL, 0, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++)
		if (matters(ctx, row_text(rows, i, 1)))
			mu_buf_format(out_ids, "%s%s", out_ids->size_bytes == 0 ? "" : ",",
			    row_text(rows, i, 0));
	return MU_OK;
}

static enum mu_rc
stream_open(struct stream *st, const char *conninfo, const char *snapshot, const char *query,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

	if (connect_one(conninfo, &st->conn, err) != MU_OK)
		return err->rc;
	mu_buf_format(&sql, "SET TRANSACTION SNAPSHOT '%s'", snapshot);
	if (ask(st->conn, sql.data, NULL, 0, NULL, err) != MU_OK)
		return err->rc;
	mu_buf_reset(&sql);
	mu_buf_format(&sql, "COPY (%s) TO STDOUT (FORMAT binary)", query);
	return ask(st->conn, sql.data, NULL, 0, NULL, err);
}

/* --- Rows ------------------------------------------------------------------------------------- */

static enum mu_rc
malformed(const struct stream *st, struct mu_err *err)
{
	return mu_fail(err, MU_EBROKEN, "store: scan of %s: not a row", kinds[st->kind].name);
}

/*
 * Where the fields are. Each ends where the length of the next begins, which has been read by then
 * and makes room for a NUL; behind the last libpq put one.
 */
static bool
fields_find(struct stream *st, char *at, const char *end)
{
	uint16_t count;
	int i;

	if (end - at < 2)
		return false;
	(void)memcpy(&count, at, 2);
	at += 2;
	if (be16toh(count) != (uint16_t)kinds[st->kind].field_count)
		return false;
	for (i = 0; i < kinds[st->kind].field_count; i++) {
		struct field *f = &st->fields[i];
		uint32_t bytes;

		if (end - at < 4)
			return false;
		(void)memcpy(&bytes, at, 4);
		bytes = be32toh(bytes);
		*at = '\0';
		at += 4;
		*f = (struct field){ bytes == UINT32_MAX ? NULL : at,
			bytes == UINT32_MAX ? 0 : bytes };
		if (f->bytes > (size_t)(end - at))
			return false;
		at += f->bytes;
	}
	return at == end && st->fields[0].bytes == sizeof(struct mu_uuid);
}

static enum mu_rc
stream_ended(struct stream *st, struct mu_err *err)
{
	PGresult *result = PQgetResult(st->conn);
	enum mu_rc rc = MU_OK;

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		rc = PQstatus(st->conn) == CONNECTION_OK ?
		    store_fail(err, result, kinds[st->kind].name) : lost(st->conn, err);
	PQclear(result);
	return rc;
}

static enum mu_rc
stream_next(struct stream *st, struct mu_err *err)
{
	static const unsigned char signature[] = "PGCOPY\n\377\r\n";
	char *at;
	int size;

	st->bytes = NULL;
	if (st->conn == NULL)
		return MU_OK;
	size = PQgetCopyData(st->conn, &st->bytes, 0);
	if (size < 0)
		return stream_ended(st, err);
	at = st->bytes;
	if (!st->begun) {
		if (size < COPY_HEADER_BYTES + 2 || memcmp(at, signature, sizeof(signature)) != 0)
			return malformed(st, err);
		at += COPY_HEADER_BYTES;
		st->begun = true;
	}
	if (st->bytes + size - at == 2 && memcmp(at, "\377\377", 2) == 0) {	/* no more rows */
		PQfreemem(st->bytes);
		return stream_next(st, err);
	}
	return fields_find(st, at, st->bytes + size) ? MU_OK : malformed(st, err);
}

/* The stream's row becomes part of the person; what it points to stays until the next. */
static void
row_keep(struct store_scan *s, struct stream *st)
{
	if (s->kept_count == s->kept_room) {
		s->kept_room = s->kept_room == 0 ? 16 : 2 * s->kept_room;
		s->kept = mu_alloc_again(s->kept, s->kept_room, sizeof(*s->kept));
	}
	s->kept[s->kept_count++] = MU_TAKE(st->bytes);
}

/* --- Fields: one that cannot be what it should is zero or empty ------------------------------- */

static char empty[1];

static char *
text_of(const struct stream *st, int index)
{
	return st->fields[index].at == NULL ? empty : st->fields[index].at;
}

static void
uuid_of(const struct stream *st, int index, struct mu_uuid *out)
{
	if (st->fields[index].bytes == sizeof(*out))
		(void)memcpy(out, st->fields[index].at, sizeof(*out));
}

static bool
bool_of(const struct stream *st, int index)
{
	return st->fields[index].bytes == 1 && st->fields[index].at[0] != 0;
}

static int64_t
int_of(const struct stream *st, int index)
{
	uint64_t value;

	if (st->fields[index].bytes != sizeof(value))
		return 0;
	(void)memcpy(&value, st->fields[index].at, sizeof(value));
	return (int64_t)be64toh(value);
}

/* Seconds of Unix time, 0 for NULL; rounded as AS_UNIX rounds. */
static int64_t
time_of(const struct stream *st, int index)
{
	int64_t us = int_of(st, index), s = us / 1000000, rest = us % 1000000;

	if (st->fields[index].bytes != sizeof(us))
		return 0;
	if (rest >= 500000)
		s++;
	else if (rest <= -500000)
		s--;
	return s + EPOCH_S;
}

/* --- One person ------------------------------------------------------------------------------- */

/* Room for one more; lists are as long as the longest so far. */
static void *
list_grow(void *list, size_t count, size_t *room, size_t each_bytes)
{
	if (count < *room)
		return list;
	*room = *room == 0 ? 8 : 2 * *room;
	return mu_alloc_again(list, *room, each_bytes);
}

static void
person_take(struct store_scan_person *p, const struct stream *st)
{
	uuid_of(st, 0, &p->person_id);
	p->source = text_of(st, 1);
	p->dn = text_of(st, 2);
	p->uid = text_of(st, 3);
	p->version = int_of(st, 4);
	p->state = text_of(st, 5);
	p->state_since_s = time_of(st, 6);
	p->starts_at_s = time_of(st, 7);
	p->ends_at_s = time_of(st, 8);
	p->due_at_s = time_of(st, 9);
	p->resume_at_s = time_of(st, 10);
	p->blocked = bool_of(st, 11);
	p->suspended = bool_of(st, 12);
	p->attrs = text_of(st, 13);
	p->roles = text_of(st, 14);
	p->identified = text_of(st, 15);
	p->evidence = text_of(st, 16);
	if (st->fields[17].bytes == sizeof(p->content_hash))
		(void)memcpy(p->content_hash, st->fields[17].at, sizeof(p->content_hash));
}

static void
grant_take(struct store_scan *s, const struct stream *st)
{
	struct store_scan_person *p = &s->person;
	struct grant *g;

	p->grants = list_grow(p->grants, p->grant_count, &s->grant_room, sizeof(*p->grants));
	g = &p->grants[p->grant_count++];
	*g = (struct grant){ .person_id = p->person_id, .role = text_of(st, 2),
		.reason = text_of(st, 3), .starts_at_s = time_of(st, 4),
		.ends_at_s = time_of(st, 5), .reviewed_at_s = time_of(st, 6) };
	uuid_of(st, 1, &g->grant_id);
}

static void
hold_take(struct store_scan_person *p, const struct stream *st)
{
	enum brake_kind kind;

	if (!brake_kind_parse(text_of(st, 1), &kind))
		return;
	p->holds[kind] = bool_of(st, 2) ? SCAN_RELEASED : SCAN_HELD;
	p->is_held = true;
}

static void
row_take(struct store_scan *s, struct stream *st)
{
	struct store_scan_person *p = &s->person;

	switch (st->kind) {
	case PEOPLE:
		person_take(p, st);
		break;
	case ACCOUNTS:
		p->accounts = list_grow(p->accounts, p->account_count, &s->account_room,
		    sizeof(*p->accounts));
		p->accounts[p->account_count++] = (struct store_scan_account){ text_of(st, 1),
			text_of(st, 2), text_of(st, 3), text_of(st, 4), text_of(st, 5) };
		break;
	case GRANTS:
		grant_take(s, st);
		break;
	case VOUCHED:
		p->vouched = (struct identification){ .person_id = p->person_id,
			.level = text_of(st, 1), .method = text_of(st, 2),
			.evidence = text_of(st, 3) };
		break;
	case HOLDS:
		hold_take(p, st);
		break;
	case GROUPS:
		p->groups = list_grow(p->groups, p->group_count, &s->group_room,
		    sizeof(*p->groups));
		p->groups[p->group_count++] = text_of(st, 1);
		break;
	}
	row_keep(s, st);
}

static void
person_reset(struct store_scan *s)
{
	struct store_scan_person *p = &s->person;

	for (size_t i = 0; i < s->kept_count; i++)
		PQfreemem(s->kept[i]);
	s->kept_count = 0;
	p->account_count = p->group_count = p->grant_count = 0;
	p->vouched = (struct identification){ .level = NULL };
	(void)memset(p->holds, 0, sizeof(p->holds));
	p->is_held = false;
}

/* Takes the rows of this person, and leaves out those of nobody. */
static enum mu_rc
rows_take(struct store_scan *s, struct stream *st, struct mu_err *err)
{
	while (st->bytes != NULL) {
		int order = memcmp(st->fields[0].at, &s->person.person_id,
		    sizeof(struct mu_uuid));

		if (order > 0)
			return MU_OK;
		if (order == 0)
			row_take(s, st);
		else
			PQfreemem(st->bytes);
		if (stream_next(st, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

enum mu_rc
store_scan_next(struct store_scan *s, const struct store_scan_person **out_person,
    struct mu_err *err)
{
	struct stream *people = &s->streams[PEOPLE];

	person_reset(s);
	*out_person = NULL;
	if (people->bytes == NULL)
		return MU_OK;
	row_take(s, people);
	if (stream_next(people, err) != MU_OK)
		return err->rc;
	for (int i = PEOPLE + 1; i < KIND_COUNT; i++)
		if (rows_take(s, &s->streams[i], err) != MU_OK)
			return err->rc;
	*out_person = &s->person;
	return MU_OK;
}

/* --- Open and close --------------------------------------------------------------------------- */

static enum mu_rc
streams_open(struct store_scan *s, const char *conninfo, const char *snapshot,
    const struct mu_buf *group_ids, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf groups = MU_BUF_INIT;

	mu_buf_format(&groups, "SELECT DISTINCT p.person_id, g.name COLLATE \"C\""
	    " FROM directory_group AS g"
	    " JOIN directory_member AS m USING (source, entry_uuid)"
	    " JOIN person AS p ON p.source = m.source AND p.dn = m.member_dn"
	    " WHERE g.entry_uuid = ANY ('{%s}'::uuid[]) ORDER BY 1, 2",
	    mu_buf_text(group_ids));
	for (int i = 0; i < KIND_COUNT; i++) {
		struct stream *st = &s->streams[i];

		st->kind = (enum kind)i;
		if (i == GROUPS && group_ids->size_bytes == 0)
			continue;
		if (stream_open(st, conninfo, snapshot, i == GROUPS ? groups.data : kinds[i].query,
		    err) != MU_OK)
			return err->rc;
	}
	for (int i = 0; i < KIND_COUNT; i++)
		if (stream_next(&s->streams[i], err) != MU_OK)
			return err->rc;
	return MU_OK;
}

static enum mu_rc
scan_begin(struct store_scan *s, const char *conninfo, store_scan_group_fn *matters,
    const void *ctx, int64_t *out_version, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf ids = MU_BUF_INIT;

	if (connect_one(conninfo, &s->conn, err) != MU_OK ||
	    ask(s->conn, export_sql, NULL, 0, &rows, err) != MU_OK ||
	    groups_choose(s, matters, ctx, &ids, err) != MU_OK)
		return err->rc;
	*out_version = row_int(rows, 0, 1);
	return streams_open(s, conninfo, row_text(rows, 0, 0), &ids, err);
}

enum mu_rc
store_scan_open(const char *conninfo, store_scan_group_fn *matters, const void *ctx,
    struct store_scan **out_scan, int64_t *out_version, struct mu_err *err)
{
	struct store_scan *s = mu_alloc_zero(1, sizeof(*s));

	if (scan_begin(s, conninfo, matters, ctx, out_version, err) != MU_OK) {
		store_scan_close(s);
		return err->rc;
	}
	*out_scan = s;
	return MU_OK;
}

void
store_scan_close(struct store_scan *s)
{
	if (s == NULL)
		return;
	person_reset(s);
	for (int i = 0; i < KIND_COUNT; i++) {
		PQfreemem(s->streams[i].bytes);
		PQfinish(s->streams[i].conn);
	}
	PQfinish(s->conn);
	mu_free(s->kept);
	mu_free(s->person.accounts);
	mu_free(s->person.groups);
	mu_free(s->person.grants);
	mu_free(s);
}

/* --- As everybody else reads people ----------------------------------------------------------- */

static bool
accounts_copy(const struct store_scan_person *from, struct store_person *p)
{
	p->accounts = mu_alloc_zero(from->account_count, sizeof(*p->accounts));
	for (size_t i = 0; i < from->account_count; i++) {
		const struct store_scan_account *a = &from->accounts[i];
		struct account_want *w = &p->accounts[p->account_count++].want;

		w->person_id = from->person_id;
		w->platform = mu_strdup(a->platform);
		w->name = mu_strdup(a->name);
		if (!account_state_parse(a->state, &w->state) ||
		    !strings_parse(a->roles, &w->roles) ||
		    !entitlements_parse(a->entitlements, &w->entitlements))
			return false;
	}
	return true;
}

static void
grants_copy(const struct store_scan_person *from, struct store_person *p)
{
	p->grants = mu_alloc_zero(from->grant_count, sizeof(*p->grants));
	for (size_t i = 0; i < from->grant_count; i++) {
		struct grant *g = &p->grants[p->grant_count++];

		*g = from->grants[i];
		g->role = mu_strdup(g->role);
		g->reason = mu_strdup(g->reason);
	}
	p->vouched.level = mu_strdup(from->vouched.level == NULL ? "" : from->vouched.level);
	p->vouched.method = mu_strdup(from->vouched.level == NULL ? "" : from->vouched.method);
	p->vouched.evidence = mu_strdup(from->vouched.level == NULL ? "" : from->vouched.evidence);
}

enum mu_rc
store_scan_person_copy(const struct store_scan_person *from, struct store_person *out_person,
    struct mu_err *err)
{
	struct store_person p = { .person_id = from->person_id, .version = from->version,
		.state_since_s = from->state_since_s, .starts_at_s = from->starts_at_s,
		.ends_at_s = from->ends_at_s, .due_at_s = from->due_at_s,
		.resume_at_s = from->resume_at_s, .blocked = from->blocked,
		.suspended = from->suspended };

	(void)memcpy(p.content_hash, from->content_hash, sizeof(p.content_hash));
	p.source = mu_strdup(from->source);
	p.dn = mu_strdup(from->dn);
	p.uid = mu_strdup(from->uid);
	p.identified = mu_strdup(from->identified);
	p.evidence = mu_strdup(from->evidence);
	grants_copy(from, &p);
	for (size_t i = 0; i < from->group_count; i++)
		strings_add(&p.groups, from->groups[i]);
	if (!person_state_parse(from->state, &p.state) || !attrs_decode(from->attrs, &p.attrs) ||
	    !strings_parse(from->roles, &p.roles) || !accounts_copy(from, &p)) {
		store_person_clear(&p);
		return store_row_fail(err, "person", &from->person_id);
	}
	*out_person = p;
	return MU_OK;
}

enum mu_rc
store_scan_names_look(struct store_scan *s, struct store_scan_name *names, size_t count,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(mu_freep) const char **texts = mu_alloc_zero(count, sizeof(*texts));
	const char *values[STORE_ARGS_MAX];

	for (size_t i = 0; i < count; i++)
		texts[i] = names[i].platform;
	arg_texts(&args, texts, count);
	for (size_t i = 0; i < count; i++)
		texts[i] = names[i].name;
	arg_texts(&args, texts, count);
	store_args_values(&args, values);
	if (ask(s->conn, names_sql, values, 2, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		int64_t place = row_int(rows, i, 0);

		if (place >= 1 && (uint64_t)place <= count)
			names[place - 1].held = true;
	}
	return MU_OK;
}
