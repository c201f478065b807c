/* What administrators look at: who is meant, and pages that neither skip nor repeat. */
#include "store/look.h"

#include "unit/store/people.h"
#include "unit/store/rig.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/credential.h"
#include "store/source.h"

static const char *const two[] = { "matrix", "xmpp", NULL };

static struct store *
look_open(void)
{
	return rig_open(STORE_ROLE_ADMIN, STORE_LOOK);
}

static struct store *
cycle_open(void)
{
	return rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
}

/* --- Who is meant ------------------------------------------------------------------ */

static struct someone {
	const char *uid, *name, *mail, *second_mail, *note;
	enum person_state state;
	struct mu_uuid person_id;
} people[] = {
	{ "jo", "Jo Lindgren", "jo@example.org", "Zo@example.org", "x", PERSON_ACTIVE, { { 0 } } },
	{ "ann", "Ann Öberg", "ann@example.org", "a@example.org", "x", PERSON_ACTIVE, { { 0 } } },
	{ "ann2", "Ann Öberg", "ann2@example.org", "b@example.org", "x", PERSON_ACTIVE, { { 0 } } },
	/* a trap each: another's address in another attribute, a login name that is a name */
	{ "kit", "jo", "kit@example.org", "c@example.org", "jo@example.org", PERSON_ACTIVE, { { 0 } } },
	{ "100%_", "Per \\ % Cent'; --", "p%@example.org", "d@example.org", "x", PERSON_ACTIVE,
	    { { 0 } } },
	{ "gone", "Gone", "gone@example.org", "e@example.org", "x", PERSON_ERASED, { { 0 } } },
	{ "left", "Left", "left@example.org", "f@node1", "x", PERSON_LEAVER, { { 0 } } },
	{ "", "No Login", "none@example.org", "g@example.org", "x", PERSON_ACTIVE, { { 0 } } },
};

static int
look_up(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s;

	if (rig_up(state) != 0)
		return 1;
	s = cycle_open();
	for (size_t i = 0; i < MU_COUNT(people); i++) {
		struct store_person p;

		person_make(&p, people[i].uid);
		attrs_clear(&p.attrs);
		attrs_add(&p.attrs, "displayName", people[i].name);
		attrs_add(&p.attrs, "mail", people[i].mail);
		attrs_add(&p.attrs, "mail", people[i].second_mail);
		attrs_add(&p.attrs, "note", people[i].note);
		p.state = people[i].state;
		people[i].person_id = p.person_id;
		MUST(store_begin(s, &err));
		store_person_write(s, &p);
		MUST(store_commit(s, &err));
		store_person_clear(&p);
	}
	store_close(s);
	return 0;
}

static struct who {
	const char *name, *text, *mail;
	size_t want;
	int first, second;	/* in people; -1: none */
} whos[] = {
	{ "a login name",				"ann",		"mail", 1, 1, -1 },
	{ "a login name without case",			"ANN2",		"mail", 1, 2, -1 },
	{ "a login name goes before a display name",	"jo",		"mail", 1, 0, -1 },
	{ "a mail address without case",		"JO@Example.org", "mail", 1, 0, -1 },
	{ "the second of two mail addresses",		"zo@example.org", "mail", 1, 0, -1 },
	{ "an address is looked for where mail is",	"x@example.org", "mail", 0, -1, -1 },
	{ "where mail is mapped elsewhere",		"jo@example.org", "note", 1, 3, -1 },
	{ "where mail is not mapped",			"ann@example.org", "", 0, -1, -1 },
	{ "a part of an address is nobody's",		"nn@example.org", "mail", 0, -1, -1 },
	{ "a display name",				"jo lindgren",	"mail", 1, 0, -1 },
	{ "a display name of two",			"ann öberg",	"mail", 2, 1, 2 },
	{ "letters beyond ASCII without case",		"ANN ÖBERG",	"mail", 2, 1, 2 },
	{ "a part of a name is nobody's",		"Ann",		"mail", 1, 1, -1 },
	{ "a part of a display name is nobody's",	"Lindgren",	"mail", 0, -1, -1 },
	{ "what SQL would take for a pattern, as login name", "100%_",	"mail", 1, 4, -1 },
	{ "a pattern is no login name",			"a%",		"mail", 0, -1, -1 },
	{ "a pattern is no address",			"%@example.org", "mail", 0, -1, -1 },
	{ "what SQL would take for a pattern, as address", "p%@example.org", "mail", 1, 4, -1 },
	{ "what SQL would take for its own, as name",	"per \\ % cent'; --", "mail", 1, 4, -1 },
	{ "who left is found",				"left",		"mail", 1, 6, -1 },
	{ "who is erased is not found by login name",	"gone",		"mail", 0, -1, -1 },
	{ "who is erased is not found by address",	"gone@example.org", "mail", 0, -1, -1 },
	{ "who has no login name",			"no login",	"mail", 1, 7, -1 },
	{ "an address that ends in a digit",		"F@node1",	"mail", 1, 6, -1 },
	{ "an address but for its last digit",		"f@node",	"mail", 0, -1, -1 },
	{ "an address and a digit more",		"f@node14",	"mail", 0, -1, -1 },
	{ "nothing is nobody",				"",		"mail", 0, -1, -1 },
	{ "what is not text is nobody",			"\xff\xfe@",	"mail", 0, -1, -1 },
};

static bool
among(const struct mu_uuid *ids, size_t count, int index)
{
	for (size_t i = 0; i < count; i++)
		if (mu_uuid_equal(&ids[i], &people[index].person_id))
			return true;
	return false;
}

static void
who_row(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct who *w = *state;
	struct store *s = look_open();
	struct mu_uuid ids[4];
	size_t count = 99;

	MUST(store_look_who(s, w->text, w->mail, ids, MU_COUNT(ids), &count, &err));
	assert_int_equal(w->want, count);
	assert_true(w->first < 0 || among(ids, count, w->first));
	assert_true(w->second < 0 || among(ids, count, w->second));
	store_close(s);
}

/* Whatever else is asked for at the same time. */
static void
who_many(void **state)
{
	static const char *const mails[] = { "mail", "note", "" };
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	const char *texts[MU_COUNT(whos)];
	struct mu_uuid ids[MU_COUNT(whos)][4];
	size_t counts[MU_COUNT(whos)];

	(void)state;
	for (size_t i = 0; i < MU_COUNT(whos); i++)
		texts[i] = whos[i].text;
	for (size_t m = 0; m < MU_COUNT(mails); m++) {
		MUST(store_look_who_many(s, texts, MU_COUNT(whos), mails[m], ids[0], MU_COUNT(ids[0]),
		    counts, &err));
		for (size_t i = 0; i < MU_COUNT(whos); i++) {
			const struct who *w = &whos[i];

			if (strcmp(w->mail, mails[m]) != 0)
				continue;
			if (counts[i] != w->want)
				fail_msg("%s: %zu", w->name, counts[i]);
			assert_true(w->first < 0 || among(ids[i], counts[i], w->first));
			assert_true(w->second < 0 || among(ids[i], counts[i], w->second));
		}
	}
	/* no more than asked for */
	MUST(store_look_who_many(s, (const char *const[]){ "ann \u00f6berg" }, 1, "mail", ids[0], 1, counts,
	    &err));
	assert_int_equal(1, counts[0]);
	store_close(s);
}

static void
who_by_id(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	char text[MU_UUID_TEXT_BYTES];
	struct mu_uuid ids[2], unknown;
	size_t count;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(people); i++) {		/* erased, too */
		(void)mu_uuid_format(&people[i].person_id, text);
		MUST(store_look_who(s, text, "mail", ids, 2, &count, &err));
		assert_int_equal(1, count);
		assert_true(mu_uuid_equal(&people[i].person_id, &ids[0]));
	}
	mu_uuid_new(&unknown);
	MUST(store_look_who(s, mu_uuid_format(&unknown, text), "mail", ids, 2, &count, &err));
	assert_int_equal(0, count);
	/* no more than asked for */
	MUST(store_look_who(s, "Ann Öberg", "mail", ids, 1, &count, &err));
	assert_int_equal(1, count);
	/* an error of before is not one of now */
	(void)mu_fail(&err, MU_EDENIED, "before");
	assert_int_equal(MU_OK, store_look_who(s, "jo", "mail", ids, 2, &count, &err));
	store_close(s);
}

/* --- Pages ------------------------------------------------------------------------- */

#define CROWD	57
#define PAGE	10

static struct mu_uuid crowd[CROWD];
static struct store_account crowd_accounts[CROWD][2];

static void
crowd_make(void)
{
	struct store *s = cycle_open();
	char uid[16];

	for (size_t i = 0; i < CROWD; i++) {
		struct store_person p;

		(void)snprintf(uid, sizeof(uid), "crowd%zu", i);
		person_make(&p, uid);
		p.state = i % 3 == 0 ? PERSON_SUSPENDED : PERSON_ACTIVE;
		crowd[i] = p.person_id;
		person_store(s, &p, crowd_accounts[i], two);
		store_person_clear(&p);
	}
	store_close(s);
}

static void
people_paged(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	const enum person_state suspended = PERSON_SUSPENDED;
	const enum person_state *asked[] = { NULL, &suspended };
	const size_t wanted[] = { CROWD + MU_COUNT(people), CROWD / 3 };

	(void)state;
	crowd_make();
	for (size_t k = 0; k < 2; k++) {
		struct mu_uuid after = { .bytes = { 0 } }, ids[PAGE];
		size_t count, all = 0;

		do {
			MUST(store_look_people(s, asked[k], &after, ids, PAGE, &count, &err));
			for (size_t i = 0; i < count; i++) {
				assert_true(memcmp(after.bytes, ids[i].bytes, 16) < 0);
				after = ids[i];
			}
			all += count;
		} while (count == PAGE);
		assert_int_equal(wanted[k], all);
	}
	store_close(s);
}

static size_t
accounts_walk(struct store *s, const struct mu_uuid *person_id, const char *platform,
    bool unsettled)
{
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid after = { .bytes = { 0 } };
	size_t all = 0, got;

	do {
		struct store_look_accounts page;

		MUST(store_look_accounts(s, person_id, platform, unsettled, &after, PAGE, &page, &err));
		got = page.count;
		for (size_t i = 0; i < got; i++) {
			const struct account_want *w = &page.list[i].want;

			assert_true(memcmp(after.bytes, w->account_id.bytes, 16) < 0);
			assert_true(person_id == NULL || mu_uuid_equal(person_id, &w->person_id));
			assert_true(platform == NULL || strcmp(platform, w->platform) == 0);
			after = w->account_id;
		}
		all += got;
		store_look_accounts_clear(&page);
	} while (got == PAGE);
	return all;
}

static void
accounts_paged(void **state)
{
	struct store *s = look_open();

	(void)state;
	free(rig_sql("UPDATE account SET settled_version = account.version FROM person p"
	    " WHERE p.person_id = account.person_id AND p.uid LIKE 'crowd_' AND platform = 'xmpp'"));
	assert_int_equal(2 * CROWD, accounts_walk(s, NULL, NULL, false));
	assert_int_equal(CROWD, accounts_walk(s, NULL, "xmpp", false));
	assert_int_equal(2 * CROWD - 10, accounts_walk(s, NULL, NULL, true));
	assert_int_equal(CROWD - 10, accounts_walk(s, NULL, "xmpp", true));
	assert_int_equal(2, accounts_walk(s, &crowd[3], NULL, false));
	assert_int_equal(1, accounts_walk(s, &crowd[3], NULL, true));
	assert_int_equal(1, accounts_walk(s, &crowd[3], "matrix", true));
	assert_int_equal(0, accounts_walk(s, &crowd[3], "xmpp", true));
	assert_int_equal(0, accounts_walk(s, NULL, "none", false));
	store_close(s);
}

static void
account_shown(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open(), *prov = rig_open(STORE_ROLE_PROVISION,
	    STORE_QUEUE | STORE_CREDENTIAL);
	const struct account_want *w = &crowd_accounts[20][1].want;
	struct mu_uuid zero = { .bytes = { 0 } }, credential_id;
	struct mu_secret sealed = MU_SECRET_INIT;
	struct store_look_accounts got;
	struct store_look_account *a;

	(void)state;
	free(rig_sql("UPDATE account SET urgent = true, debt_since = to_timestamp(1790000001),"
	    " next_attempt_at = to_timestamp(1790000002), attempts = 3, parked = true,"
	    " observed_state = 'disabled', observed_at = to_timestamp(1790000003), last_outcome"
	    " = 'refused', last_text = 'no \"room\"', claimed_at = to_timestamp(1790000004)"
	    " WHERE name = 'crowd20' AND platform = 'xmpp'"));
	for (int step = 0; step < 3; step++) {
		static const enum store_credential_state want[] = { CREDENTIAL_CLAIMED,
			CREDENTIAL_SEALED, CREDENTIAL_CLAIMABLE };

		if (step > 0) {
			mu_uuid_new(&credential_id);
			mu_secret_set(&sealed, "s", 1);
			MUST(store_begin(prov, &err));
			store_credential_write(prov, &credential_id, w, &sealed, NOW_S);
			if (step == 2)
				store_credential_set(prov, &credential_id, &w->account_id, NOW_S);
			MUST(store_commit(prov, &err));
		}
		MUST(store_look_accounts(s, &crowd[20], "xmpp", true, &zero, 9, &got, &err));
		assert_int_equal(1, got.count);
		assert_int_equal(want[step], got.list[0].credential);
		if (step < 2)
			store_look_accounts_clear(&got);
	}
	a = &got.list[0];
	assert_true(mu_uuid_equal(&w->account_id, &a->want.account_id));
	assert_string_equal("crowd20", a->want.name);
	assert_int_equal(ACCOUNT_ENABLED, a->want.state);
	assert_true(entitlements_equal(&w->entitlements, &a->want.entitlements));
	assert_int_equal(0, a->settled_version);
	assert_int_equal(1790000001, a->debt_since_s);
	assert_int_equal(1790000002, a->next_attempt_s);
	assert_int_equal(3, a->attempts);
	assert_int_equal(1790000003, a->observed_at_s);
	assert_int_equal(1790000004, a->claimed_at_s);
	assert_true(a->parked);
	assert_true(a->urgent);
	assert_int_equal(ACCOUNT_DISABLED, a->observed);
	assert_string_equal("refused", a->last_outcome);
	assert_string_equal("no \"room\"", a->last_text);
	assert_string_equal("crowd20", a->uid);
	assert_string_equal("Zoë O'Hara", a->display_name);
	store_look_accounts_clear(&got);
	MUST(store_look_accounts(s, &crowd[21], NULL, false, &zero, 9, &got, &err));
	assert_int_equal(CREDENTIAL_NONE, got.list[0].credential);
	store_look_accounts_clear(&got);
	mu_secret_clear(&sealed);
	store_close(prov);
	store_close(s);
}

/* --- Receipts ---------------------------------------------------------------------- */

#define RECEIPTS 25

static void
receipts_paged(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open(), *prov = rig_open(STORE_ROLE_PROVISION, STORE_QUEUE);
	struct mu_uuid after = { .bytes = { 0 } }, asked[2] = { crowd[30], crowd[31] };
	struct store_look_receipts page;
	int64_t unsettled;
	size_t all = 0, got;

	(void)state;
	MUST(store_begin(prov, &err));
	for (int i = 0; i < RECEIPTS; i++) {
		/* crowd 30 and 31, now this platform now that; crowd 32 is not asked for */
		const struct account_want *w = &crowd_accounts[30 + i % 3][i % 2].want;
		struct store_receipt r = { .account_id = w->account_id, .version = 1,
			.step = STEP_KILL, .outcome = "done", .text = "ended \"two\"",
			.sessions_ended = 2, .sessions_left = 1,
			.made_at_ms = NOW_S * 1000LL + 100 * i, .signature = "head..tail",
			.signature_bytes = 10 };

		mu_uuid_new(&r.receipt_id);
		store_receipt_write(prov, &r);
	}
	MUST(store_commit(prov, &err));
	do {
		MUST(store_look_receipts(s, asked, 2, NOW_S, &after, 4, &page, &unsettled, &err));
		got = page.count;
		assert_int_equal(4, unsettled);
		for (size_t i = 0; i < got; i++) {
			const struct store_look_receipt *r = &page.list[i];

			assert_true(memcmp(after.bytes, r->receipt_id.bytes, 16) < 0);
			assert_true(mu_uuid_equal(&r->person_id, &asked[0]) ||
			    mu_uuid_equal(&r->person_id, &asked[1]));
			assert_true(strcmp(r->platform, "xmpp") == 0 ||
			    strcmp(r->platform, "matrix") == 0);
			assert_true(strcmp(r->name, "crowd30") == 0 ||
			    strcmp(r->name, "crowd31") == 0);
			assert_string_equal("kill", r->step);
			assert_string_equal("done", r->outcome);
			assert_string_equal("ended \"two\"", r->text);
			assert_string_equal("head..tail", r->signature);
			assert_int_equal(1, r->version);
			assert_int_equal(2, r->sessions_ended);
			assert_int_equal(1, r->sessions_left);
			assert_true(r->made_at_ms >= NOW_S * 1000LL && r->made_at_ms % 100 == 0);
			after = r->receipt_id;
		}
		all += got;
		store_look_receipts_clear(&page);
	} while (got == 4);
	assert_int_equal(RECEIPTS - RECEIPTS / 3, all);
	/* From the second on: those of before are not asked for. */
	after = (struct mu_uuid){ .bytes = { 0 } };
	MUST(store_look_receipts(s, asked, 2, NOW_S + 1, &after, 100, &page, &unsettled, &err));
	assert_int_equal(10, page.count);
	store_look_receipts_clear(&page);
	free(rig_sql("UPDATE account SET settled_version = version WHERE name IN ('crowd30', 'crowd31')"
	    " AND platform = 'xmpp'"));
	MUST(store_look_receipts(s, asked, 2, 0, &after, 100, &page, &unsettled, &err));
	assert_int_equal(2, unsettled);
	assert_int_equal(all, page.count);
	store_look_receipts_clear(&page);
	MUST(store_look_receipts(s, asked, 0, 0, &after, 100, &page, &unsettled, &err));
	assert_int_equal(0, unsettled);
	assert_int_equal(0, page.count);
	store_look_receipts_clear(&page);
	store_close(prov);
	store_close(s);
}

/* --- Audit and quarantine ---------------------------------------------------------- */

struct seen {
	struct mu_uuid last;
	size_t count, numbered;
	char bodies[400];
};

static void
record_seen(void *ctx, const struct mu_uuid *record_id, const char *body, int64_t leaf_index)
{
	struct seen *x = ctx;

	assert_true(x->count == 0 || memcmp(x->last.bytes, record_id->bytes, 16) > 0);
	x->last = *record_id;
	x->count++;
	x->numbered += leaf_index >= 0;
	(void)snprintf(x->bodies, sizeof(x->bodies), "%.398s", body);
}

#define ACTOR	"0190c0de-0000-7000-8000-00000000000a"
#define TARGET	"0190c0de-0000-7000-8000-00000000000b"

static struct record {
	const char *kind, *body;
	int64_t at_s;
} records[] = {
	{ "person.joined",	"{\"kind\":\"person.joined\",\"person\":\"" TARGET "\"}", NOW_S },
	{ "person.left",	"{\"kind\":\"person.left\",\"person\":\"" TARGET "\"}", NOW_S + 10 },
	{ "action.executed",	"{\"actor\":\"" ACTOR "\",\"kind\":\"action.executed\"}", NOW_S + 20 },
	{ "personal",		"{\"kind\":\"personal\",\"reason\":\"\\\"person\\\":\\\"" TARGET
	    "\\\"\"}", NOW_S + 30 },
	{ "admin.enrolled",	"{\"actor\":\"" ACTOR "\",\"kind\":\"admin.enrolled\",\"person\":\""
	    TARGET "\"}", NOW_S + 40 },
};

static void
records_make(void)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = cycle_open(), *audit = rig_open(STORE_ROLE_AUDIT, STORE_TREE);

	for (size_t i = 0; i < MU_COUNT(records); i++) {
		struct mu_uuid id = { .bytes = { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80 } };

		id.bytes[15] = (unsigned char)i;
		MUST(store_begin(s, &err));
		store_audit_write(s, &id, records[i].at_s * 1000, records[i].kind,
		    records[i].body);
		MUST(store_commit(s, &err));
		if (i > 1)
			continue;
		MUST(store_begin(audit, &err));
		MUST(rig_number(audit, (int64_t)i, &id, 1, &err));
	}
	store_close(audit);
	store_close(s);
}

static struct ask {
	const char *name, *kind, *person;
	int64_t since_s, until_s;
	size_t want;
} asks[] = {
	{ "all records",			NULL, NULL, 0, 0, 5 },
	{ "of one kind",			"person.left", NULL, 0, 0, 1 },
	{ "of a family of kinds",		"person.", NULL, 0, 0, 2 },
	{ "a kind is not the start of another",	"person", NULL, 0, 0, 0 },
	{ "a pattern is no kind",		"%.", NULL, 0, 0, 0 },
	{ "who is named in a record, not in a text", NULL, TARGET, 0, 0, 3 },
	{ "who acted",				NULL, ACTOR, 0, 0, 2 },
	{ "since",				NULL, NULL, NOW_S + 20, 0, 3 },
	{ "until, that second left out",	NULL, NULL, 0, NOW_S + 20, 2 },
	{ "all of it together",			"person.", TARGET, NOW_S + 1, NOW_S + 11, 1 },
};

static bool
is_none(const struct mu_uuid *id)
{
	static const struct mu_uuid none = { { 0 } };

	return mu_uuid_equal(id, &none);
}

static void
ask_row(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct ask *a = *state;
	struct store *s = look_open();
	struct mu_uuid person;
	struct store_look_audit ask = { .kind = a->kind, .since_s = a->since_s,
		.until_s = a->until_s };
	struct seen all = { .count = 0 }, paged = { .count = 0 };
	struct mu_uuid next;

	if (a->person != NULL) {
		assert_true(mu_uuid_parse(a->person, &person));
		ask.person_id = &person;
	}
	MUST(store_look_audit(s, &ask, 100, record_seen, &all, &next, &err));
	assert_int_equal(a->want, all.count);
	assert_true(is_none(&next));
	do {				/* one at a time gives the same */
		MUST(store_look_audit(s, &ask, 1, record_seen, &paged, &next, &err));
		ask.before = next;
	} while (!is_none(&next));
	assert_int_equal(a->want, paged.count);
	assert_int_equal(all.numbered, paged.numbered);
	assert_string_equal(all.bodies, paged.bodies);
	store_close(s);
}

static void
numbered(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	struct store_look_audit ask = { .kind = NULL };
	struct seen seen = { .count = 0 };
	struct mu_uuid next;

	(void)state;
	records_make();
	MUST(store_look_audit(s, &ask, 100, record_seen, &seen, &next, &err));
	assert_int_equal(5, seen.count);
	assert_int_equal(2, seen.numbered);
	assert_string_equal(records[0].body, seen.bodies);	/* the oldest comes last */
	store_close(s);
}

/* What is rare is looked for a part at a time: no call goes through all that ever happened. */
static void
rare_records(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	struct store_look_audit ask = { .kind = "person.left" };
	struct seen seen = { .count = 0 };
	struct mu_uuid next;
	int calls = 0;

	(void)state;
	free(rig_sql("INSERT INTO audit_record SELECT ('0191' || lpad(to_hex(i), 4, '0') ||"
	    " '-0000-7000-8000-000000000000')::uuid, now(), 'rare.test', '{}'"
	    " FROM generate_series(1, 12000) AS i"));
	do {
		MUST(store_look_audit(s, &ask, 100, record_seen, &seen, &next, &err));
		assert_int_equal(calls == 2 ? 1 : 0, seen.count);
		ask.before = next;
		calls++;
	} while (!is_none(&next));
	assert_int_equal(3, calls);
	free(rig_sql("DELETE FROM audit_record WHERE kind = 'rare.test'"));
	store_close(s);
}

static void
quarantine_seen(void *ctx, const char *source, const char *entry, const char *reason,
    int64_t since_s)
{
	struct mu_buf *b = ctx;

	mu_buf_format(b, "%s %s %s %lld;", source, entry, reason, (long long)since_s);
}

static void
quarantine(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open(), *cycle = cycle_open();
	struct mu_buf seen = MU_BUF_INIT;

	(void)state;
	MUST(store_begin(cycle, &err));
	store_quarantine_write(cycle, "site", "cn=b", "no uid", NOW_S);
	store_quarantine_write(cycle, "corp", "cn=a", "no uid", NOW_S + 1);
	MUST(store_commit(cycle, &err));
	MUST(store_look_quarantine(s, quarantine_seen, &seen, &err));
	assert_string_equal("corp cn=a no uid 1790000001;site cn=b no uid 1790000000;", seen.data);
	mu_buf_clear(&seen);
	store_close(cycle);
	store_close(s);
}

/* --- A hundred thousand ------------------------------------------------------------ */

static void
many(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = look_open();
	static const char *const texts[] = { "person77777", "p77777@example.org", "Person 77777",
		"nobody@example.org" };
	struct mu_uuid ids[3];
	size_t count;

	(void)state;
	free(rig_sql("INSERT INTO person SELECT gen_random_uuid(), 'many', gen_random_uuid(), 1, '',"
	    " 'person' || n, 'Person ' || n, 'active', now(), NULL, NULL, NULL, false,"
	    " '4:mail1:' || length('p' || n || '@example.org') || ':p' || n || '@example.org'"
	    " || '4:note1:200:' || repeat('x', 200), sha256('x'), '', '', '', false, NULL"
	    " FROM generate_series(1, 100000) AS n"));
	for (size_t i = 0; i < MU_COUNT(texts); i++) {
		int64_t since_ms = mu_tick_ms();

		MUST(store_look_who(s, texts[i], "mail", ids, 3, &count, &err));
		print_message("%s among 100,000: %lld ms\n", texts[i],
		    (long long)(mu_tick_ms() - since_ms));
		assert_int_equal(i < 3 ? 1 : 0, count);
	}
	store_close(s);
}

static int
look_down(void **state)
{
	for (size_t i = 0; i < CROWD; i++)
		for (size_t k = 0; k < 2; k++)
			account_want_clear(&crowd_accounts[i][k].want);
	return rig_down(state);
}

int
main(void)
{
	static const struct CMUnitTest first[] = {
		{ "many are found as one is", who_many, NULL, NULL, NULL },
		{ "a person_id, whoever it is", who_by_id, NULL, NULL, NULL },
		{ "people page by page, of one state or of all", people_paged, NULL, NULL, NULL },
		{ "accounts page by page, by person, platform and whether settled", accounts_paged,
		    NULL, NULL, NULL },
		{ "an account is shown with how far it has come", account_shown, NULL, NULL, NULL },
		{ "receipts page by page, of those asked for and since then", receipts_paged, NULL,
		    NULL, NULL },
		{ "records newest first, with their number", numbered, NULL, NULL, NULL },
		{ "what is rare is looked for a part at a time", rare_records, NULL, NULL, NULL },
		{ "who is quarantined", quarantine, NULL, NULL, NULL },
		{ "one of a hundred thousand", many, NULL, NULL, NULL },
	};
	struct CMUnitTest tests[MU_COUNT(whos) + MU_COUNT(first) + MU_COUNT(asks)];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(whos); i++)
		tests[count++] = (struct CMUnitTest){ whos[i].name, who_row, NULL, NULL, &whos[i] };
	(void)memcpy(&tests[count], first, sizeof(first));
	count += MU_COUNT(first);
	for (size_t i = 0; i < MU_COUNT(asks); i++)
		tests[count++] = (struct CMUnitTest){ asks[i].name, ask_row, NULL, NULL, &asks[i] };
	return _cmocka_run_group_tests("look", tests, count, look_up, look_down);
}
