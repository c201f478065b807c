#include "store/flood.h"

#include "base/clock.h"
#include "store/store_priv.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_S		946684800	/* PostgreSQL counts from the year 2000 on */
#define PIECE_BYTES	(32 * 1024)
#define ANSWER_WAIT_MS	40000		/* as for any other answer */

/* --- Rows as COPY has them in binary ---------------------------------------------------------- */

enum table { TABLE_PERSON, TABLE_ACCOUNT, TABLE_RECORD, TABLE_PENDING, TABLE_GROUP, TABLE_MEMBER,
	TABLE_LEAF };
#define TABLE_COUNT (TABLE_LEAF + 1)

#define INTO(table, columns) "COPY " table " (" columns ") FROM STDIN (FORMAT binary)"

static const struct { const char *sql; uint16_t columns; } tables[TABLE_COUNT] = {
	[TABLE_PERSON] = { INTO("person", "person_id, version, source, entry_uuid, dn, uid,"
	    " display_name, state, state_since, starts_at, ends_at, due_at, blocked, attrs,"
	    " content_hash, roles, identified, evidence, suspended, resume_at"), 20 },
	[TABLE_ACCOUNT] = { INTO("account", ACCOUNT_COLUMNS("") ", settled_version, urgent,"
	    " next_attempt_at, attempts, parked, owned, observed_state, observed_rights,"
	    " observed_id, last_outcome, last_text"), ACCOUNT_COLUMN_COUNT + 11 },
	[TABLE_RECORD] = { INTO("audit_record", "record_id, happened_at, kind, body"), 4 },
	[TABLE_PENDING] = { INTO("audit_pending", "record_id"), 1 },
	[TABLE_GROUP] = { INTO("directory_group", "source, entry_uuid, name, content_hash"), 4 },
	[TABLE_MEMBER] = { INTO("directory_member", "source, entry_uuid, member_dn"), 3 },
	[TABLE_LEAF] = { INTO("audit_leaf", "leaf_index, record_id, leaf_hash"), 3 },
};
static const char head[19] = "PGCOPY\n\377\r\n";	/* signature, no flags, no extension */
static const char tail[2] = "\377\377";

struct rows {
	struct mu_buf bytes;
	int64_t count;
};

struct store_flood {
	struct rows rows[TABLE_COUNT];
	struct mu_buf text;		/* of one field at a time */
};

struct store_flood *
store_flood_new(void)
{
	return mu_alloc_zero(1, sizeof(struct store_flood));
}

void
store_flood_free(struct store_flood *f)
{
	if (f == NULL)
		return;
	for (int i = 0; i < TABLE_COUNT; i++)
		mu_buf_clear(&f->rows[i].bytes);
	mu_buf_clear(&f->text);
	mu_free(f);
}

static struct mu_buf *
row_begin(struct store_flood *f, enum table table)
{
	struct rows *r = &f->rows[table];
	uint16_t columns = htobe16(tables[table].columns);

	if (r->count++ == 0)
		mu_buf_add(&r->bytes, head, sizeof(head));
	mu_buf_add(&r->bytes, &columns, sizeof(columns));
	return &r->bytes;
}

static void
put_bytes(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	uint32_t size = htobe32((uint32_t)bytes_count);

	mu_buf_reserve(b, sizeof(size) + bytes_count);
	mu_buf_add(b, &size, sizeof(size));
	mu_buf_add(b, bytes, bytes_count);
}

static void
put_text(struct mu_buf *b, const char *text)
{
	put_bytes(b, text, strlen(text));
}

static void
put_uuid(struct mu_buf *b, const struct mu_uuid *uuid)
{
	put_bytes(b, uuid->bytes, sizeof(uuid->bytes));
}

static void
put_int(struct mu_buf *b, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	put_bytes(b, &wire, sizeof(wire));
}

static void
put_bool(struct mu_buf *b, bool value)
{
	put_bytes(b, value ? "\1" : "", 1);
}

/* 0 is NULL. */
static void
put_time(struct mu_buf *b, int64_t at_s)
{
	uint32_t null = UINT32_MAX;

	if (at_s == 0)
		mu_buf_add(b, &null, sizeof(null));
	else
		put_int(b, (at_s - EPOCH_S) * 1000000);
}

static void
put_strings(struct store_flood *f, struct mu_buf *b, const struct strings *s)
{
	mu_buf_reset(&f->text);
	strings_format(s, &f->text);
	put_bytes(b, f->text.data, f->text.size_bytes);
}

void
store_flood_person(struct store_flood *f, const struct store_person *p)
{
	struct mu_buf *b = row_begin(f, TABLE_PERSON);

	put_uuid(b, &p->person_id);
	put_int(b, 1);
	put_text(b, p->source);
	put_uuid(b, &p->entry_uuid);
	put_text(b, p->dn);
	put_text(b, p->uid);
	put_text(b, store_person_name(p));
	put_text(b, person_state_name(p->state));
	put_time(b, p->state_since_s);
	put_time(b, p->starts_at_s);
	put_time(b, p->ends_at_s);
	put_time(b, p->due_at_s);
	put_bool(b, p->blocked);
	mu_buf_reset(&f->text);
	attrs_encode(&p->attrs, &f->text);
	put_bytes(b, f->text.data, f->text.size_bytes);
	put_bytes(b, p->content_hash, sizeof(p->content_hash));
	put_strings(f, b, &p->roles);
	put_text(b, p->identified);
	put_text(b, p->evidence);
	put_bool(b, p->suspended);
	put_time(b, p->resume_at_s);
}

void
store_flood_account(struct store_flood *f, const struct store_account *a, int64_t now_s)
{
	struct mu_buf *b = row_begin(f, TABLE_ACCOUNT);

	put_uuid(b, &a->want.account_id);
	put_uuid(b, &a->want.person_id);
	put_text(b, a->want.platform);
	put_text(b, a->want.name);
	put_bytes(b, a->want.subject, sizeof(a->want.subject));
	put_text(b, account_state_name(a->want.state));
	put_strings(f, b, &a->want.roles);
	mu_buf_reset(&f->text);
	entitlements_format(&a->want.entitlements, &f->text);
	put_bytes(b, f->text.data, f->text.size_bytes);
	put_int(b, a->want.version);
	put_bytes(b, a->mac, sizeof(a->mac));
	put_int(b, a->want.version - 1);	/* settled */
	put_bool(b, false);			/* urgent */
	put_time(b, now_s);
	put_int(b, 0);				/* attempts */
	put_bool(b, false);			/* parked */
	put_bool(b, false);			/* owned */
	put_text(b, account_state_name(ACCOUNT_ABSENT));
	put_text(b, "");
	put_text(b, "");
	put_text(b, "");
	put_text(b, "");
}

void
store_flood_record(struct store_flood *f, const struct mu_uuid *record_id, int64_t happened_at_ms,
    const char *kind, const struct mu_buf *body)
{
	struct mu_buf *b = row_begin(f, TABLE_RECORD);

	put_uuid(b, record_id);
	put_int(b, (happened_at_ms - (int64_t)EPOCH_S * 1000) * 1000);
	put_text(b, kind);
	put_bytes(b, body->data, body->size_bytes);
	put_uuid(row_begin(f, TABLE_PENDING), record_id);
}

void
store_flood_group(struct store_flood *f, const char *source, const struct mu_uuid *entry_uuid,
    const char *name, const char *const *member_dns, size_t member_count,
    const unsigned char content_hash[CONTENT_HASH_BYTES])
{
	struct mu_buf *b = row_begin(f, TABLE_GROUP);

	put_text(b, source);
	put_uuid(b, entry_uuid);
	put_text(b, name);
	put_bytes(b, content_hash, CONTENT_HASH_BYTES);
	for (size_t i = 0; i < member_count; i++) {
		b = row_begin(f, TABLE_MEMBER);
		put_text(b, source);
		put_uuid(b, entry_uuid);
		put_text(b, member_dns[i]);
	}
}

void
store_flood_leaf(struct store_flood *f, int64_t leaf_index, const struct mu_uuid *record_id,
    const unsigned char leaf_hash[32])
{
	struct mu_buf *b = row_begin(f, TABLE_LEAF);

	put_int(b, leaf_index);
	put_uuid(b, record_id);
	put_bytes(b, leaf_hash, 32);
}

/* --- The stream: one COPY after the other, then COMMIT ---------------------------------------- */

enum phase { PHASE_ASK, PHASE_ROWS, PHASE_ANSWER, PHASE_OVER };

struct store_stream {
	struct store_flood *flood;
	struct mu_err fault;
	enum phase phase;
	int at;				/* the table; TABLE_COUNT: the commit, or what undoes all */
	size_t sent_bytes;
};

static void
stream_fault(struct store_stream *st, PGconn *conn, const PGresult *result, const char *place)
{
	if (st->fault.rc != MU_OK)
		return;
	if (result == NULL)
		(void)mu_fail(&st->fault, MU_ERETRY, "store: connection lost: %.160s",
		    PQerrorMessage(conn));
	else
		(void)store_fail(&st->fault, result, place);
}

static const char *
stream_sql(const struct store_stream *st)
{
	if (st->at < TABLE_COUNT)
		return tables[st->at].sql;
	return st->fault.rc == MU_OK ? "COMMIT" : "ROLLBACK";
}

/* The connection cannot be used any more. */
static bool
stream_lost(struct store_stream *st, PGconn *conn)
{
	stream_fault(st, conn, NULL, "flood");
	st->phase = PHASE_OVER;
	return true;
}

/* The next that has something to do; after a fault, what undoes all. */
static void
stream_next(struct store_stream *st)
{
	do
		st->at = st->fault.rc != MU_OK && st->at < TABLE_COUNT ? TABLE_COUNT : st->at + 1;
	while (st->at < TABLE_COUNT && st->flood->rows[st->at].count == 0);
	st->phase = st->at > TABLE_COUNT ? PHASE_OVER : PHASE_ASK;
}

static void
result_take(struct store_stream *st, PGconn *conn, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	char wanted[40];

	if (status == PGRES_COPY_IN) {
		st->phase = PHASE_ROWS;
		st->sent_bytes = 0;
	} else if (status != PGRES_COMMAND_OK) {
		stream_fault(st, conn, result, "flood");
	} else {
		if (st->at == TABLE_COUNT)
			(void)snprintf(wanted, sizeof(wanted), "%s", stream_sql(st));
		else
			(void)snprintf(wanted, sizeof(wanted), "COPY %lld",
			    (long long)st->flood->rows[st->at].count);
		if (strcmp(PQcmdStatus(result), wanted) != 0 && st->fault.rc == MU_OK)
			(void)mu_fail(&st->fault, MU_EBROKEN, "store: %s was wanted, %s the answer",
			    wanted, PQcmdStatus(result));
	}
	PQclear(result);
}

/* True: all rows are on their way. */
static bool
rows_push(struct store_stream *st, PGconn *conn)
{
	struct mu_buf *b = &st->flood->rows[st->at].bytes;

	while (st->sent_bytes < b->size_bytes) {
		size_t left = b->size_bytes - st->sent_bytes;
		size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;

		if (PQflush(conn) == 1 ||
		    PQputCopyData(conn, b->data + st->sent_bytes, (int)piece) != 1)
			return false;
		st->sent_bytes += piece;
	}
	if (PQputCopyEnd(conn, NULL) != 1)
		return false;
	mu_buf_clear(b);
	st->phase = PHASE_ANSWER;
	return true;
}

static bool
stream_push(struct store_stream *st, PGconn *conn)
{
	while (st->phase != PHASE_OVER) {
		PGresult *result;

		if (PQstatus(conn) != CONNECTION_OK)
			return stream_lost(st, conn);
		switch (st->phase) {
		case PHASE_ASK:
			if (PQsendQuery(conn, stream_sql(st)) != 1)
				return stream_lost(st, conn);
			st->phase = PHASE_ANSWER;
			break;
		case PHASE_ROWS:
			if (!rows_push(st, conn))
				return PQstatus(conn) != CONNECTION_OK && stream_lost(st, conn);
			break;
		case PHASE_ANSWER:
			if (PQflush(conn) < 0 || PQconsumeInput(conn) != 1)
				return stream_lost(st, conn);
			if (PQisBusy(conn) != 0)
				return false;
			result = PQgetResult(conn);
			if (result == NULL)
				stream_next(st);
			else
				result_take(st, conn, result);
			break;
		case PHASE_OVER:
			break;
		}
	}
	return true;
}

enum mu_rc
store_flood_start(struct store *s, struct store_flood *f, struct mu_err *err)
{
	struct store_stream *st;

	if (store_stream_begin(s, err) != MU_OK) {
		store_flood_free(f);
		return err->rc;
	}
	for (int i = 0; i < TABLE_COUNT; i++)
		if (f->rows[i].count > 0)
			mu_buf_add(&f->rows[i].bytes, tail, sizeof(tail));
	st = mu_alloc_zero(1, sizeof(*st));
	*st = (struct store_stream){ .flood = f, .fault = MU_ERR_INIT, .at = -1 };
	stream_next(st);
	store_stream_set(s, st);
	(void)store_flood_push(s);
	return MU_OK;
}

bool
store_flood_runs(const struct store *s)
{
	return store_stream(s) != NULL;
}

bool
store_flood_push(struct store *s)
{
	struct store_stream *st = store_stream(s);

	return st == NULL || stream_push(st, store_stream_conn(s));
}

static void
stream_wait(struct store_stream *st, PGconn *conn)
{
	int64_t until_ms = mu_tick_ms() + ANSWER_WAIT_MS;

	while (!stream_push(st, conn)) {
		struct pollfd p = { .fd = PQsocket(conn), .events = POLLIN };
		int64_t left_ms = until_ms - mu_tick_ms();

		/* rows that are left wait for room, also where all that was given is sent by now */
		if (PQflush(conn) == 1 || st->phase == PHASE_ROWS)
			p.events |= POLLOUT;
		if (left_ms <= 0) {
			(void)mu_fail(&st->fault, MU_ERETRY, "store: no answer for 40 s");
			st->phase = PHASE_OVER;
			return;
		}
		if (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR) {
			(void)stream_lost(st, conn);
			return;
		}
		if ((p.revents & POLLIN) != 0 && PQconsumeInput(conn) != 1) {
			(void)stream_lost(st, conn);
			return;
		}
	}
}

enum mu_rc
store_flood_end(struct store *s, struct mu_err *err)
{
	struct store_stream *st = store_stream(s);
	bool sound;

	if (st == NULL)
		return MU_OK;
	stream_wait(st, store_stream_conn(s));
	/* only who has answered COMMIT or ROLLBACK is asked anything more */
	sound = st->at > TABLE_COUNT;
	store_stream_set(s, NULL);
	store_stream_end(s, sound);
	if (st->fault.rc != MU_OK)
		*err = st->fault;
	store_flood_free(st->flood);
	mu_free(st);
	return err->rc;
}

/* --- Out --------------------------------------------------------------------------------------- */

#define FIELDS_MAX 3

struct field {
	const char *bytes;
	size_t size_bytes;
};

/* What is made of a row; false: it is not what it should be. */
typedef bool row_fn(void *ctx, const struct field *fields);

/* The fields of a row in binary; false when they are not as many. */
static bool
row_split(const char *row, size_t row_bytes, size_t wanted, struct field *out_fields)
{
	const char *at = row + 2, *end = row + row_bytes;

	if (row_bytes < 2 || row[0] != 0 || (size_t)row[1] != wanted)
		return false;
	for (size_t i = 0; i < wanted; i++) {
		uint32_t size;

		if (end - at < 4)
			return false;
		(void)memcpy(&size, at, sizeof(size));
		size = be32toh(size);
		at += 4;
		if ((size_t)(end - at) < size)
			return false;
		out_fields[i] = (struct field){ at, size };
		at += size;
	}
	return at == end;
}

/* Rows until the end; the head stands in front of the first, the tail comes alone. */
static enum mu_rc
rows_read(PGconn *conn, size_t columns, row_fn *each, void *ctx, struct mu_err *err)
{
	struct field fields[FIELDS_MAX];
	char *data = NULL;
	bool first = true, sound = true;
	int got;

	while ((got = PQgetCopyData(conn, &data, 0)) > 0) {
		size_t skip = first ? sizeof(head) : 0;

		if ((size_t)got > skip + sizeof(tail))
			sound = row_split(data + skip, (size_t)got - skip, columns, fields) &&
			    each(ctx, fields) && sound;
		first = false;
		PQfreemem(data);
	}
	if (!sound)
		return mu_fail(err, MU_EBROKEN, "store: COPY brought rows that cannot be read");
	return MU_OK;
}

static enum mu_rc
copy_out(PGconn *conn, const char *sql, size_t columns, row_fn *each, void *ctx, struct mu_err *err)
{
	PGresult *result = PQexec(conn, sql);
	enum mu_rc rc;

	if (PQresultStatus(result) == PGRES_COPY_OUT)
		rc = rows_read(conn, columns, each, ctx, err);
	else
		rc = store_fail(err, result, "COPY");
	PQclear(result);
	while ((result = PQgetResult(conn)) != NULL) {
		if (rc == MU_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
			rc = store_fail(err, result, "COPY");
		PQclear(result);
	}
	return rc;
}

/* columns of what a source has in from: COPY takes no parameters. */
static enum mu_rc
source_read(struct store *s, const char *what, size_t columns, const char *from,
    const char *source, row_fn *each, void *ctx, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;
	MU_AUTO(store_rows_clear) PGresult *over = NULL;
	PGconn *conn;
	char *quoted;
	enum mu_rc rc;

	if (store_begin(s, err) != MU_OK || store_stream_begin(s, err) != MU_OK) {
		store_rollback(s);
		return err->rc;
	}
	conn = store_stream_conn(s);
	quoted = PQescapeLiteral(conn, source, strlen(source));
	mu_buf_format(&sql, "COPY (SELECT %s FROM %s WHERE source = %s) TO STDOUT (FORMAT binary)",
	    what, from, quoted == NULL ? "NULL" : quoted);
	PQfreemem(quoted);
	(void)PQsetnonblocking(conn, 0);
	rc = copy_out(conn, sql.data, columns, each, ctx, err);
	over = PQexec(conn, "ROLLBACK");
	store_stream_end(s, PQresultStatus(over) == PGRES_COMMAND_OK &&
	    PQsetnonblocking(conn, 1) == 0);
	return rc;
}

struct known_ctx {
	store_known_fn *each;
	void *ctx;
};

static bool
field_uuid(const struct field *f, struct mu_uuid *out_uuid)
{
	if (f->size_bytes != sizeof(out_uuid->bytes))
		return false;
	(void)memcpy(out_uuid->bytes, f->bytes, sizeof(out_uuid->bytes));
	return true;
}

static bool
known_row(void *ctx, const struct field *f)
{
	const struct known_ctx *k = ctx;
	unsigned char hash[CONTENT_HASH_BYTES];
	struct mu_uuid uuid;

	if (!field_uuid(&f[0], &uuid) || f[1].size_bytes != sizeof(hash) || f[2].size_bytes != 1)
		return false;
	(void)memcpy(hash, f[1].bytes, sizeof(hash));
	k->each(k->ctx, &uuid, hash, f[2].bytes[0] != 0);
	return true;
}

enum mu_rc
store_person_known(struct store *s, const char *source, store_known_fn *each, void *ctx,
    struct mu_err *err)
{
	struct known_ctx k = { each, ctx };

	return source_read(s, "entry_uuid, content_hash, state NOT IN ('leaver', 'erased') OR"
	    " content_hash <> decode(repeat('00', 32), 'hex')", 3,
	    "person", source, known_row, &k, err);
}

enum mu_rc
store_group_known(struct store *s, const char *source, store_known_fn *each, void *ctx,
    struct mu_err *err)
{
	struct known_ctx k = { each, ctx };

	return source_read(s, "entry_uuid, content_hash, true", 3, "directory_group", source,
	    known_row, &k, err);
}

struct text_ctx {
	store_group_text_fn *each;
	void *ctx;
	struct mu_buf text;
};

static bool
text_row(void *ctx, const struct field *f)
{
	struct text_ctx *t = ctx;
	struct mu_uuid uuid;

	if (!field_uuid(&f[0], &uuid))
		return false;
	mu_buf_reset(&t->text);
	mu_buf_add(&t->text, f[1].bytes, f[1].size_bytes);
	t->each(t->ctx, &uuid, t->text.data);
	return true;
}

static enum mu_rc
texts_read(struct store *s, const char *source, const char *what, const char *from,
    store_group_text_fn *each, void *ctx, struct mu_err *err)
{
	struct text_ctx t = { each, ctx, MU_BUF_INIT };
	enum mu_rc rc = source_read(s, what, 2, from, source, text_row, &t, err);

	mu_buf_clear(&t.text);
	return rc;
}

enum mu_rc
store_group_names(struct store *s, const char *source, store_group_text_fn *each, void *ctx,
    struct mu_err *err)
{
	return texts_read(s, source, "entry_uuid, name", "directory_group", each, ctx, err);
}

enum mu_rc
store_group_members(struct store *s, const char *source, store_group_text_fn *each, void *ctx,
    struct mu_err *err)
{
	return texts_read(s, source, "entry_uuid, member_dn", "directory_member", each, ctx, err);
}
