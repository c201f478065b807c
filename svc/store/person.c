#include "store/person.h"

#include "store/store_priv.h"

#include <string.h>

#define ENTRIES_A_PAGE	10000

#define PERSON_COLUMNS \
	"person_id, entry_uuid, source, dn, uid, version, state, " AS_UNIX("state_since") ", " \
	AS_UNIX("starts_at") ", " AS_UNIX("ends_at") ", " AS_UNIX("due_at") ", " \
	"blocked, attrs, content_hash, roles, identified, evidence, suspended, " \
	AS_UNIX("resume_at")

#define GROUPS_OF(source, dn) \
	EACH("SELECT entry_uuid FROM directory_member" \
	    " WHERE source = " source " AND member_dn = " dn) "AS m" \
	EACH("SELECT name FROM directory_group" \
	    " WHERE source = " source " AND entry_uuid = m.entry_uuid") "AS g"

static const struct store_sql find_entries = { STORE_PERSON, "person_find_entries",
    "SELECT p.person_id FROM unnest($2::uuid[]) AS e (id)"
    EACH("SELECT person_id FROM person WHERE source = $1 AND entry_uuid = e.id") "AS p" };
static const struct store_sql lock_ids = { STORE_PERSON, "person_lock_ids",
    "SELECT p.* FROM " IDS EACH("SELECT " PERSON_COLUMNS " FROM person WHERE person_id = i.id"
    " FOR UPDATE") "AS p" };
static const struct store_sql read_ids = { STORE_PERSON, "person_read_ids",
    "SELECT p.* FROM " IDS EACH("SELECT " PERSON_COLUMNS " FROM person WHERE person_id = i.id")
    "AS p" };
static const struct store_sql accounts_of = { STORE_PERSON, "person_accounts",
    "SELECT a.* FROM " IDS EACH("SELECT " ACCOUNT_COLUMNS("") ", settled_version FROM account"
    " WHERE person_id = i.id ORDER BY platform") "AS a" };
static const struct store_sql groups_of = { STORE_PERSON, "person_groups",
    "SELECT i.id, g.name FROM " IDS EACH("SELECT source, dn FROM person WHERE person_id = i.id")
    "AS p" GROUPS_OF("p.source", "p.dn") };
/*
 * Few people have these, so they are not probed for one by one; and they grow by hand, so that the
 * planner keeps up.
 */
#define OF_IDS	"WHERE person_id = ANY ($1::uuid[]) ORDER BY person_id"
static const struct store_sql grants_of = { STORE_PERSON, "person_grants",
    "SELECT person_id, grant_id, granted_by, role, reason, " AS_UNIX("starts_at") ", "
    AS_UNIX("ends_at") ", action_digest, mac, " AS_UNIX("reviewed_at") ", reviewed_by"
    " FROM requested_grant " OF_IDS ", role" };
static const struct store_sql vouched_for = { STORE_PERSON, "person_identifications",
    "SELECT person_id, verifier, level, method, evidence, " AS_UNIX("identified_at")
    ", version, mac FROM identification " OF_IDS };
static const struct store_sql groups_of_dns = { STORE_PERSON, "person_groups_of_dns",
    "SELECT d.place, g.name FROM unnest($2::text[]) WITH ORDINALITY AS d (dn, place)"
    GROUPS_OF("$1", "d.dn") };
static const struct store_sql hashes = { STORE_PERSON, "person_hashes",
    "SELECT p.* FROM unnest($2::uuid[]) AS e (id) " EACH("SELECT person_id, entry_uuid,"
    " content_hash FROM person WHERE source = $1 AND entry_uuid = e.id") "AS p" };
static const struct store_sql person_insert = { STORE_PERSON, "person_insert",
    "INSERT INTO person (person_id, version, source, entry_uuid, dn, uid, display_name, state,"
    " state_since, starts_at, ends_at, due_at, blocked, attrs, content_hash, roles, identified,"
    " evidence, suspended, resume_at) VALUES ($1, $2::bigint + 1, $3, $4, $5, $6, $7, $8, "
    AS_TIME("$9") ", " AS_TIME("$10") ", " AS_TIME("$11") ", " AS_TIME("$12") ", $13, $14, $15,"
    " $16, $17, $18, $19, " AS_TIME("$20") ")" };
static const struct store_sql person_update = { STORE_PERSON, "person_update",
    "UPDATE person SET version = version + 1, source = $3, entry_uuid = $4, dn = $5, uid = $6,"
    " display_name = $7, state = $8, state_since = " AS_TIME("$9") ", starts_at = " AS_TIME("$10")
    ", ends_at = " AS_TIME("$11") ", due_at = " AS_TIME("$12") ", blocked = $13, attrs = $14,"
    " content_hash = $15, roles = $16, identified = $17, evidence = $18, suspended = $19,"
    " resume_at = " AS_TIME("$20") " WHERE person_id = $1 AND version = $2::bigint" };
static const struct store_sql entries = { STORE_PERSON, "person_entries",
    "SELECT entry_uuid FROM person WHERE source = $1 AND entry_uuid > $2::uuid"
    " AND (state NOT IN ('leaver', 'erased') OR content_hash <> decode(repeat('00', 32), 'hex'))"
    " ORDER BY entry_uuid LIMIT $3::bigint" };
static const struct store_sql count_present = { STORE_PERSON, "person_count",
    "SELECT count(*) FROM person WHERE source = $1 AND state NOT IN ('leaver', 'erased')" };
static const struct store_sql any = { STORE_PERSON, "person_any",
    "SELECT count(*) FROM (SELECT 1 FROM person WHERE source = $1 LIMIT 1) AS p" };
static const struct store_sql due = { STORE_PERSON, "person_due",
    "SELECT person_id FROM person WHERE due_at <= " AS_TIME("$1") " ORDER BY due_at"
    " LIMIT $2::bigint" };
static const struct store_sql page = { STORE_PERSON, "person_page",
    "SELECT person_id FROM person WHERE person_id > $1::uuid ORDER BY person_id LIMIT $2::bigint" };
static const struct store_sql ids_by_dn = { STORE_PERSON, "person_ids_by_dn",
    "SELECT p.person_id FROM unnest($2::text[]) AS d (dn)"
    EACH("SELECT person_id FROM person WHERE source = $1 AND dn = d.dn")
    "AS p ORDER BY p.person_id" };

const struct store_sql *const store_person_sql[] = { &find_entries, &lock_ids, &read_ids,
    &accounts_of, &groups_of, &grants_of, &vouched_for, &groups_of_dns, &hashes, &person_insert,
    &person_update, &entries, &count_present, &any, &due, &page, &ids_by_dn, NULL };

void
store_person_clear(struct store_person *p)
{
	mu_free(p->source);
	mu_free(p->dn);
	mu_free(p->uid);
	mu_free(p->identified);
	mu_free(p->evidence);
	attrs_clear(&p->attrs);
	strings_clear(&p->roles);
	strings_clear(&p->groups);
	for (size_t i = 0; i < p->account_count; i++)
		account_want_clear(&p->accounts[i].want);
	mu_free(p->accounts);
	for (size_t i = 0; i < p->grant_count; i++)
		grant_clear(&p->grants[i]);
	mu_free(p->grants);
	identification_clear(&p->vouched);
	*p = (struct store_person){ .version = 0 };
}

void
store_people_clear(struct store_people *p)
{
	for (size_t i = 0; i < p->count; i++)
		store_person_clear(&p->list[i]);
	mu_free(p->list);
	*p = (struct store_people){ .count = 0 };
}

static enum mu_rc
row_person(const PGresult *rows, int row, struct store_person *p, struct mu_err *err)
{
	row_uuid(rows, row, 0, &p->person_id);
	row_uuid(rows, row, 1, &p->entry_uuid);
	p->source = row_text_copy(rows, row, 2);
	p->dn = row_text_copy(rows, row, 3);
	p->uid = row_text_copy(rows, row, 4);
	p->version = row_int(rows, row, 5);
	p->state_since_s = row_int(rows, row, 7);
	p->starts_at_s = row_int(rows, row, 8);
	p->ends_at_s = row_int(rows, row, 9);
	p->due_at_s = row_int(rows, row, 10);
	p->blocked = row_bool(rows, row, 11);
	p->identified = row_text_copy(rows, row, 15);
	p->evidence = row_text_copy(rows, row, 16);
	p->suspended = row_bool(rows, row, 17);
	p->resume_at_s = row_int(rows, row, 18);
	p->vouched.level = mu_strdup("");
	p->vouched.method = mu_strdup("");
	p->vouched.evidence = mu_strdup("");
	if (!person_state_parse(row_text(rows, row, 6), &p->state) ||
	    !attrs_decode(row_text(rows, row, 12), &p->attrs) ||
	    !row_bytes(rows, row, 13, p->content_hash, sizeof(p->content_hash)) ||
	    !strings_parse(row_text(rows, row, 14), &p->roles))
		return store_row_fail(err, "person", &p->person_id);
	return MU_OK;
}

/* The person with this id; both lists are in order of person_id, so *at only moves on. */
static struct store_person *
walk_to(struct store_people *people, size_t *at, const struct mu_uuid *person_id)
{
	while (*at < people->count && !mu_uuid_equal(&people->list[*at].person_id, person_id))
		(*at)++;
	return *at < people->count ? &people->list[*at] : NULL;
}

static enum mu_rc
accounts_read(struct store *s, const struct store_args *ids, struct store_people *people,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	size_t at = 0;

	if (store_ask(s, &accounts_of, ids, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_account a = { .settled_version = row_int(rows, i,
		    ACCOUNT_COLUMN_COUNT) };
		struct store_person *p;

		if (row_account(rows, i, 0, &a.want, a.mac, err) != MU_OK)
			return err->rc;
		p = walk_to(people, &at, &a.want.person_id);
		if (p == NULL) {
			account_want_clear(&a.want);
			break;
		}
		p->accounts = mu_alloc_again(p->accounts, p->account_count + 1,
		    sizeof(*p->accounts));
		p->accounts[p->account_count++] = a;
	}
	return MU_OK;
}

static enum mu_rc
groups_read(struct store *s, const struct store_args *ids, struct store_people *people,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	size_t at = 0;

	if (store_ask(s, &groups_of, ids, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct mu_uuid person_id;
		struct store_person *p;

		row_uuid(rows, i, 0, &person_id);
		p = walk_to(people, &at, &person_id);
		if (p == NULL)
			break;
		strings_add(&p->groups, row_text(rows, i, 1));
	}
	return MU_OK;
}

static enum mu_rc
grants_read(struct store *s, const struct store_args *ids, struct store_people *people,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	size_t at = 0;

	if (store_ask(s, &grants_of, ids, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct mu_uuid person_id;
		struct store_person *p;
		struct grant *g;

		row_uuid(rows, i, 0, &person_id);
		p = walk_to(people, &at, &person_id);
		if (p == NULL)
			break;
		p->grants = mu_alloc_again(p->grants, p->grant_count + 1, sizeof(*p->grants));
		g = &p->grants[p->grant_count++];
		*g = (struct grant){ .person_id = person_id };
		row_uuid(rows, i, 1, &g->grant_id);
		row_uuid(rows, i, 2, &g->granted_by);
		g->role = row_text_copy(rows, i, 3);
		g->reason = row_text_copy(rows, i, 4);
		g->starts_at_s = row_int(rows, i, 5);
		g->ends_at_s = row_int(rows, i, 6);
		(void)row_bytes(rows, i, 7, g->action_digest, sizeof(g->action_digest));
		(void)row_bytes(rows, i, 8, g->mac, sizeof(g->mac));
		g->reviewed_at_s = row_int(rows, i, 9);
		if (g->reviewed_at_s != 0)
			row_uuid(rows, i, 10, &g->reviewed_by);
	}
	return MU_OK;
}

static enum mu_rc
vouched_read(struct store *s, const struct store_args *ids, struct store_people *people,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	size_t at = 0;

	if (store_ask(s, &vouched_for, ids, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct mu_uuid person_id;
		struct store_person *p;
		struct identification *v;

		row_uuid(rows, i, 0, &person_id);
		p = walk_to(people, &at, &person_id);
		if (p == NULL)
			break;
		v = &p->vouched;
		identification_clear(v);
		v->person_id = person_id;
		row_uuid(rows, i, 1, &v->verifier);
		v->level = row_text_copy(rows, i, 2);
		v->method = row_text_copy(rows, i, 3);
		v->evidence = row_text_copy(rows, i, 4);
		v->identified_at_s = row_int(rows, i, 5);
		v->version = row_int(rows, i, 6);
		(void)row_bytes(rows, i, 7, v->mac, sizeof(v->mac));
	}
	return MU_OK;
}

/* Locks with sql, then reads what the lock protects in statements that see the state after it. */
static enum mu_rc
people_lock(struct store *s, const struct store_sql *sql, const struct store_args *args,
    struct store_people *out_people, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(store_args_clear) struct store_args ids = STORE_ARGS_INIT;
	MU_AUTO(store_people_clear) struct store_people people = { .count = 0 };
	MU_AUTO(mu_freep) struct mu_uuid *list = NULL;

	if (store_ask(s, sql, args, &rows, err) != MU_OK)
		return err->rc;
	people.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*people.list));
	list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*list));
	for (int i = 0; i < PQntuples(rows); i++) {
		if (row_person(rows, i, &people.list[people.count++], err) != MU_OK)
			return err->rc;
		list[i] = people.list[i].person_id;
	}
	if (people.count > 0) {
		arg_uuids(&ids, list, people.count);
		if (accounts_read(s, &ids, &people, err) != MU_OK || groups_read(s, &ids, &people,
		    err) != MU_OK || grants_read(s, &ids, &people, err) != MU_OK ||
		    vouched_read(s, &ids, &people, err) != MU_OK)
			return err->rc;
	}
	*out_people = people;
	people = (struct store_people){ .count = 0 };
	return MU_OK;
}

enum mu_rc
store_ids_ask(struct store *s, const struct store_sql *sql, const struct store_args *args,
    struct mu_uuid *out_ids, size_t max, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, sql, args, &rows, err) != MU_OK)
		return err->rc;
	*out_count = 0;
	for (int i = 0; i < PQntuples(rows) && *out_count < max; i++)
		row_uuid(rows, i, 0, &out_ids[(*out_count)++]);
	return MU_OK;
}

enum mu_rc
store_person_ids_by_entry(struct store *s, const char *source, const struct mu_uuid *entry_uuids,
    size_t count, struct mu_uuid *out_ids, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_uuids(&args, entry_uuids, count);
	return store_ids_ask(s, &find_entries, &args, out_ids, count, out_count, err);
}

enum mu_rc
store_person_lock_entries(struct store *s, const char *source, const struct mu_uuid *entry_uuids,
    size_t count, struct store_people *out_people, struct mu_err *err)
{
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(count + 1, sizeof(*ids));
	size_t found;

	/* Which person an entry is never changes, so they may be looked for before the lock. */
	if (store_person_ids_by_entry(s, source, entry_uuids, count, ids, &found, err) != MU_OK)
		return err->rc;
	return store_person_lock_ids(s, ids, found, out_people, err);
}

enum mu_rc
store_person_lock_ids(struct store *s, const struct mu_uuid *person_ids, size_t count,
    struct store_people *out_people, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuids(&args, person_ids, count);
	return people_lock(s, &lock_ids, &args, out_people, err);
}

enum mu_rc
store_person_read_ids(struct store *s, const struct mu_uuid *person_ids, size_t count,
    struct store_people *out_people, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuids(&args, person_ids, count);
	return people_lock(s, &read_ids, &args, out_people, err);
}

enum mu_rc
store_person_hashes(struct store *s, const char *source, const struct mu_uuid *entry_uuids,
    size_t count, struct store_people *out_people, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_people people = { .count = 0 };

	arg_text(&args, source);
	arg_uuids(&args, entry_uuids, count);
	if (store_ask(s, &hashes, &args, &rows, err) != MU_OK)
		return err->rc;
	people.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*people.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_person *p = &people.list[people.count++];

		row_uuid(rows, i, 0, &p->person_id);
		row_uuid(rows, i, 1, &p->entry_uuid);
		(void)row_bytes(rows, i, 2, p->content_hash, sizeof(p->content_hash));
	}
	*out_people = people;
	return MU_OK;
}

enum mu_rc
store_person_groups(struct store *s, const char *source, const char *const *dns, size_t count,
    struct strings *out, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	arg_texts(&args, dns, count);
	if (store_ask(s, &groups_of_dns, &args, &rows, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		out[i] = (struct strings)STRINGS_INIT;
	for (int i = 0; i < PQntuples(rows); i++) {
		int64_t place = row_int(rows, i, 0);

		if (place >= 1 && (uint64_t)place <= count)
			strings_add(&out[place - 1], row_text(rows, i, 1));
	}
	return MU_OK;
}

const char *
store_name_of(const struct attrs *attrs, const char *uid)
{
	static const char *const names[] = { "displayName", "display_name", "cn", "name" };

	for (size_t i = 0; i < MU_COUNT(names); i++)
		if (attrs_first(attrs, names[i]) != NULL)
			return attrs_first(attrs, names[i]);
	return uid;
}

const char *
store_person_name(const struct store_person *p)
{
	return store_name_of(&p->attrs, p->uid);
}

void
store_person_write(struct store *s, const struct store_person *p)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf attrs = MU_BUF_INIT;

	attrs_encode(&p->attrs, &attrs);
	arg_uuid(&args, &p->person_id);
	arg_int(&args, p->version);
	arg_text(&args, p->source);
	arg_uuid(&args, &p->entry_uuid);
	arg_text(&args, p->dn);
	arg_text(&args, p->uid);
	arg_text(&args, store_person_name(p));
	arg_text(&args, person_state_name(p->state));
	arg_int(&args, p->state_since_s);
	arg_int(&args, p->starts_at_s);
	arg_int(&args, p->ends_at_s);
	arg_int(&args, p->due_at_s);
	arg_bool(&args, p->blocked);
	arg_text(&args, mu_buf_text(&attrs));
	arg_bytes(&args, p->content_hash, sizeof(p->content_hash));
	arg_strings(&args, &p->roles);
	arg_text(&args, p->identified);
	arg_text(&args, p->evidence);
	arg_bool(&args, p->suspended);
	arg_int(&args, p->resume_at_s);
	store_put(s, p->version == 0 ? &person_insert : &person_update, &args, true);
}

enum mu_rc
store_entries_each(struct store *s, const struct store_sql *sql, const char *source,
    store_entry_fn *each, void *ctx, struct mu_err *err)
{
	struct mu_uuid after = { .bytes = { 0 } };
	int got;

	do {
		MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
		MU_AUTO(store_rows_clear) PGresult *rows = NULL;

		arg_text(&args, source);
		arg_uuid(&args, &after);
		arg_int(&args, ENTRIES_A_PAGE);
		if (store_ask(s, sql, &args, &rows, err) != MU_OK)
			return err->rc;
		got = PQntuples(rows);
		for (int i = 0; i < got; i++) {
			row_uuid(rows, i, 0, &after);
			each(ctx, &after);
		}
	} while (got == ENTRIES_A_PAGE);
	return MU_OK;
}

enum mu_rc
store_person_each_entry(struct store *s, const char *source, store_entry_fn *each, void *ctx,
    struct mu_err *err)
{
	return store_entries_each(s, &entries, source, each, ctx, err);
}

static enum mu_rc
count_ask(struct store *s, const struct store_sql *sql, const char *source, int64_t *out_count,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	if (store_ask(s, sql, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_count = row_int(rows, 0, 0);
	return MU_OK;
}

enum mu_rc
store_person_count(struct store *s, const char *source, int64_t *out_count, struct mu_err *err)
{
	return count_ask(s, &count_present, source, out_count, err);
}

enum mu_rc
store_person_any(struct store *s, const char *source, int64_t *out_count, struct mu_err *err)
{
	return count_ask(s, &any, source, out_count, err);
}

enum mu_rc
store_person_due(struct store *s, int64_t now_s, struct mu_uuid *out_ids, size_t max,
    size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, now_s);
	arg_int(&args, (int64_t)max);
	return store_ids_ask(s, &due, &args, out_ids, max, out_count, err);
}

enum mu_rc
store_person_page(struct store *s, const struct mu_uuid *after, struct mu_uuid *out_ids, size_t max,
    size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, after);
	arg_int(&args, (int64_t)max);
	return store_ids_ask(s, &page, &args, out_ids, max, out_count, err);
}

enum mu_rc
store_person_ids_by_dn(struct store *s, const char *source, const char *const *dns, size_t count,
    struct mu_uuid **out_ids, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	arg_texts(&args, dns, count);
	if (store_ask(s, &ids_by_dn, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_count = (size_t)PQntuples(rows);
	*out_ids = mu_alloc_zero(*out_count + 1, sizeof(**out_ids));
	for (size_t i = 0; i < *out_count; i++)
		row_uuid(rows, (int)i, 0, &(*out_ids)[i]);
	return MU_OK;
}
