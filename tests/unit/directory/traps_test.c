/*
 * What servers do to those who trust them: a server in this process plays each trap, step by step,
 * to a reader that knows ana, ben and cem and holds the first cookie.
 */
#include "server.h"

#define COOKIE(n) "rid=000,csn=2026112111200" #n ".000000Z#000000#000#000000"
#define FIRST COOKIE(1)
#define STEPS_MAX 8

enum op {
	NOTHING,			/* ends the steps: silence */
	ADD, DELETED, PRESENT,		/* an entry of who with that state */
	BAD_TEXT, NO_UID, NO_CONTROL,	/* an entry of who that is not usable */
	IDS_PRESENT, IDS_DELETED,	/* a syncIdSet of who (letters) */
	REFRESH_DELETE, REFRESH_PRESENT, PRESENT_PHASE,	/* PRESENT_PHASE: refreshDone FALSE */
	NEW_COOKIE,
	MALFORMED, REFERENCE,
	RESULT,				/* of code, without a control */
	DONE,				/* success, with a Sync Done control of cookie; code: refreshDeletes */
	CLOSE,
};

struct step {
	enum op op;
	const char *who, *cookie;
	int code;
};

struct trap {
	const char *name;
	struct step resumed[STEPS_MAX];	/* to a people search with a cookie; none: the same as to one without */
	struct step full[STEPS_MAX];
	enum verdict want;
	const char *people, *cookie;	/* what the reader holds in the end; cookie "": none new */
	size_t removed, missing, quarantined;
	bool blind;			/* probes see nobody */
	bool dumb;			/* probes are not answered */
	bool trickle;			/* a byte at a time */
	int bind_code;
	enum settings_follow follow;
};

/* --- Writing --------------------------------------------------------------------------------------- */

static void
uuid_of(char who, unsigned char uuid[16])
{
	(void)memset(uuid, who, 16);
}

static void
entry_send(struct server *s, int msgid, const struct step *step)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER), *state = ber_alloc_t(LBER_USE_DER);
	unsigned char uuid[16];
	char dn[64];
	struct berval control;
	const char *value = step->op == BAD_TEXT ? "\xff\xfe" : step->who;
	int kind = step->op == DELETED ? LDAP_SYNC_DELETE : step->op == PRESENT ? LDAP_SYNC_PRESENT :
	    LDAP_SYNC_ADD;

	uuid_of(step->who[0], uuid);
	(void)snprintf(dn, sizeof(dn), "uid=%s,ou=people", step->who);
	assert_true(ber_printf(ber, "{it{s{", msgid, (ber_tag_t)LDAP_RES_SEARCH_ENTRY, dn) >= 0);
	if (kind == LDAP_SYNC_ADD && step->op != NO_UID)
		assert_true(ber_printf(ber, "{s[s]}", "uid", value) >= 0);
	assert_true(ber_printf(ber, "}}") >= 0);
	assert_true(ber_printf(state, "{eo", kind, uuid, (ber_len_t)16) >= 0);
	if (step->cookie != NULL)
		assert_true(ber_printf(state, "s", step->cookie) >= 0);
	assert_true(ber_printf(state, "}") >= 0);
	assert_int_equal(0, ber_flatten2(state, &control, 0));
	if (step->op != NO_CONTROL)
		assert_true(ber_printf(ber, "t{{sO}}", (ber_tag_t)0xa0, LDAP_CONTROL_SYNC_STATE, &control) >= 0);
	assert_true(ber_printf(ber, "}") >= 0);
	ber_free(state, 1);
	message_send(s, ber);
}

static void
info_send(struct server *s, int msgid, const struct step *step)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER), *info = ber_alloc_t(LBER_USE_DER);
	struct berval value;
	ber_tag_t tag = step->op == REFRESH_DELETE ? LDAP_TAG_SYNC_REFRESH_DELETE :
	    step->op == NEW_COOKIE ? LDAP_TAG_SYNC_NEW_COOKIE :
	    step->op == REFRESH_PRESENT || step->op == PRESENT_PHASE ? LDAP_TAG_SYNC_REFRESH_PRESENT :
	    LDAP_TAG_SYNC_ID_SET;

	if (step->op == MALFORMED) {
		assert_true(ber_printf(info, "ts", (ber_tag_t)0xa4, "?") >= 0);
	} else if (step->op == NEW_COOKIE) {
		assert_true(ber_printf(info, "ts", tag, step->cookie) >= 0);
	} else {
		assert_true(ber_printf(info, "t{", tag) >= 0);
		if (step->cookie != NULL)
			assert_true(ber_printf(info, "s", step->cookie) >= 0);
		if (step->op == PRESENT_PHASE || step->op == IDS_DELETED)
			assert_true(ber_printf(info, "b", step->op == IDS_DELETED) >= 0);
		if (tag == LDAP_TAG_SYNC_ID_SET) {
			assert_true(ber_printf(info, "[") >= 0);
			for (const char *who = step->who; *who != '\0'; who++) {
				unsigned char uuid[16];

				uuid_of(*who, uuid);
				assert_true(ber_printf(info, "o", uuid, (ber_len_t)16) >= 0);
			}
			assert_true(ber_printf(info, "]") >= 0);
		}
		assert_true(ber_printf(info, "}") >= 0);
	}
	assert_int_equal(0, ber_flatten2(info, &value, 0));
	assert_true(ber_printf(ber, "{it{tstO}}", msgid, (ber_tag_t)LDAP_RES_INTERMEDIATE, (ber_tag_t)0x80,
	    LDAP_SYNC_INFO, (ber_tag_t)0x81, &value) >= 0);
	ber_free(info, 1);
	message_send(s, ber);
}

static void
done_encode(struct mu_buf *b, const struct step *step)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval value;

	assert_true(ber_printf(ber, "{") >= 0);
	if (step->cookie != NULL)
		assert_true(ber_printf(ber, "s", step->cookie) >= 0);
	if (step->code != 0)
		assert_true(ber_printf(ber, "b", 1) >= 0);
	assert_true(ber_printf(ber, "}") >= 0);
	assert_int_equal(0, ber_flatten2(ber, &value, 0));
	mu_buf_add(b, value.bv_val, value.bv_len);
	ber_free(ber, 1);
}

static void
step_play(struct server *s, int msgid, const struct step *step)
{
	MU_AUTO(mu_buf_clear) struct mu_buf done = MU_BUF_INIT;
	BerElement *ber;

	switch (step->op) {
	case NOTHING:
		return;
	case ADD: case DELETED: case PRESENT: case BAD_TEXT: case NO_UID: case NO_CONTROL:
		entry_send(s, msgid, step);
		return;
	case IDS_PRESENT: case IDS_DELETED: case REFRESH_DELETE: case REFRESH_PRESENT:
	case PRESENT_PHASE: case NEW_COOKIE: case MALFORMED:
		info_send(s, msgid, step);
		return;
	case REFERENCE:
		ber = ber_alloc_t(LBER_USE_DER);
		assert_true(ber_printf(ber, "{it{s}}", msgid, (ber_tag_t)LDAP_RES_SEARCH_REFERENCE,
		    "ldap://elsewhere.example/ou=people") >= 0);
		message_send(s, ber);
		return;
	case RESULT:
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, step->code, NULL, NULL);
		return;
	case DONE:
		done_encode(&done, step);
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, 0, LDAP_CONTROL_SYNC_DONE, &done);
		return;
	case CLOSE:
		out_flush(s);
		connection_drop(s);
		return;
	}
}

/* --- Answering ----------------------------------------------------------------------------------------- */

static const struct step beginning[] = {
	{ ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, { ADD, "cem", NULL, 0 },
	{ REFRESH_DELETE, NULL, FIRST, 0 }, { NOTHING, NULL, NULL, 0 },
};

static const struct step polled_beginning[] = {
	{ ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, { ADD, "cem", NULL, 0 },
	{ DONE, NULL, FIRST, 1 }, { NOTHING, NULL, NULL, 0 },
};

static void
steps_play(struct server *s, int msgid, const struct step *steps)
{
	for (size_t i = 0; i < STEPS_MAX && steps[i].op != NOTHING && s->fd >= 0; i++)
		step_play(s, msgid, &steps[i]);
}

/* A search: a probe (size limit 1), groups (there are none), or the people that all is about. */
static void
search_answer(struct server *s, int msgid, BerElement *ber, const struct mu_buf *raw)
{
	struct berval base;
	ber_int_t scope, deref, size_limit;
	const struct trap *trap = s->play;
	bool resumed = memmem(raw->data, raw->size_bytes, "rid=", 4) != NULL;
	bool polled = memmem(raw->data, raw->size_bytes, "\x0a\x01\x01", 3) != NULL;	/* refreshOnly */
	const struct step ana = { ADD, "ana", NULL, 0 };

	assert_true(ber_scanf(ber, "{meei", &base, &scope, &deref, &size_limit) != LBER_ERROR);
	if (size_limit == 1) {
		s->probes++;
		if (trap != NULL && trap->dumb)
			return;
		if (trap == NULL || !trap->blind)
			entry_send(s, msgid, &ana);
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT,
		    trap != NULL && trap->blind ? LDAP_SUCCESS : LDAP_SIZELIMIT_EXCEEDED,
		    NULL, NULL);
		return;
	}
	s->searches++;
	if (trap == NULL)
		steps_play(s, msgid, polled ? polled_beginning : beginning);
	else if (resumed && trap->resumed[0].op != NOTHING)
		steps_play(s, msgid, trap->resumed);
	else
		steps_play(s, msgid, trap->full);
}

/* --- The traps ------------------------------------------------------------------------------------------ */

#define END_FULL(c)	{ REFRESH_DELETE, NULL, c, 0 }
#define END_POLL(c)	{ DONE, NULL, c, 1 }	/* nothing is left unsaid */
#define END_LISTED(c)	{ DONE, NULL, c, 0 }	/* who was not named is gone */
#define POLL		.follow = SETTINGS_FOLLOW_POLL

static struct trap traps[] = {
	{ .name = "4096: the cookie is forgotten and everything read anew",
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "53: the server is older than we are, nobody goes",
	  .resumed = { { RESULT, NULL, NULL, LDAP_UNWILLING_TO_PERFORM } },
	  .want = VERDICT_STALE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a present phase that names nobody is read anew",
	  .resumed = { { REFRESH_PRESENT, NULL, COOKIE(9), 0 } },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "cem", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana cem", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "changed entries alone are no present phase",
	  .resumed = { { ADD, "ana", NULL, 0 }, { REFRESH_PRESENT, NULL, COOKIE(9), 0 } },
	  .full = { { RESULT, NULL, NULL, LDAP_SIZELIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "an empty id set names nobody",
	  .resumed = { { IDS_PRESENT, "", NULL, 0 }, { REFRESH_PRESENT, NULL, COOKIE(9), 0 } },
	  .full = { { RESULT, NULL, NULL, LDAP_SIZELIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a present phase by id set: who is not in it is gone",
	  .resumed = { { IDS_PRESENT, "ab", NULL, 0 }, { REFRESH_PRESENT, NULL, COOKIE(2), 0 } },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "a present phase by entries",
	  .resumed = { { PRESENT, "ana", NULL, 0 }, { PRESENT, "ben", NULL, 0 }, { ADD, "dora", NULL, 0 },
	    { REFRESH_PRESENT, NULL, COOKIE(2), 0 } },
	  .want = VERDICT_COMPLETE, .people = "ana ben dora", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "a present phase, then a delete phase",
	  .resumed = { { IDS_PRESENT, "ab", NULL, 0 }, { PRESENT_PHASE, NULL, COOKIE(8), 0 },
	    { IDS_DELETED, "b", NULL, 0 }, { REFRESH_DELETE, NULL, COOKIE(2), 0 } },
	  .want = VERDICT_COMPLETE, .people = "ana", .cookie = COOKIE(2), .removed = 1, .missing = 1 },
	{ .name = "a delete phase removes whom it names",
	  .resumed = { { IDS_DELETED, "c", NULL, 0 }, { ADD, "dora", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben dora", .cookie = COOKIE(2), .removed = 1 },
	{ .name = "a garbage cookie is answered with all and an empty cookie: read anew",
	  .resumed = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_FULL("") },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "nothing new needs no new cookie",
	  .resumed = { { REFRESH_DELETE, NULL, NULL, 0 } },
	  .want = VERDICT_COMPLETE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "an answer cookie without rid is none",
	  .resumed = { { ADD, "ana", NULL, 0 }, END_FULL("csn=20261121112002.000000Z#000000#000#000000") },
	  .full = { { ADD, "ana", NULL, 0 }, END_FULL("csn=20261121112002.000000Z#000000#000#000000") },
	  .want = VERDICT_COMPLETE, .people = "ana", .cookie = FIRST, .missing = 2 },
	{ .name = "a cookie in the middle of a refresh covers nothing",
	  .resumed = { { NEW_COOKIE, NULL, COOKIE(7), 0 }, { ADD, "dora", COOKIE(8), 0 }, { CLOSE, NULL, NULL, 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem dora", .cookie = FIRST },
	{ .name = "afterwards every cookie counts",
	  .resumed = { END_FULL(COOKIE(2)), { ADD, "dora", COOKIE(3), 0 }, { NEW_COOKIE, NULL, COOKIE(4), 0 } },
	  .want = VERDICT_COMPLETE, .people = "ana ben cem dora", .cookie = COOKIE(4) },
	{ .name = "the size limit cuts short",
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { RESULT, NULL, NULL, LDAP_SIZELIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "the time limit cuts short",
	  .resumed = { { RESULT, NULL, NULL, LDAP_TIMELIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "the administrator's limit cuts short",
	  .resumed = { { RESULT, NULL, NULL, LDAP_ADMINLIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a connection lost in a refresh cuts short",
	  .resumed = { { ADD, "ana", NULL, 0 }, { CLOSE, NULL, NULL, 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a connection lost before it is no read at all",
	  .resumed = { { CLOSE, NULL, NULL, 0 } },
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a refresh that stands still cuts short",
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "nobody at all is empty, and its cookie is not kept",
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { END_FULL(COOKIE(2)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "no access is not nobody",
	  .resumed = { { RESULT, NULL, NULL, LDAP_INSUFFICIENT_ACCESS } },
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "no base is not nobody",
	  .resumed = { { RESULT, NULL, NULL, LDAP_NO_SUCH_OBJECT } },
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "no RFC 4533 on the server",
	  .resumed = { { RESULT, NULL, NULL, LDAP_UNAVAILABLE_CRITICAL_EXTENSION } },
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a password that no longer opens",
	  .bind_code = LDAP_INVALID_CREDENTIALS,
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "an entry without entryUUID spoils the listing, and its cookie",
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { NO_CONTROL, "ben", NULL, 0 }, END_FULL(COOKIE(2)), { ADD, "dora", COOKIE(3), 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem dora", .cookie = FIRST, .quarantined = 1 },
	{ .name = "an entry that is not text stays as it was, its neighbours go on",
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { BAD_TEXT, "ben", NULL, 0 }, { ADD, "dora", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben dora", .cookie = COOKIE(2), .missing = 1, .quarantined = 1 },
	{ .name = "an entry without uid stays as it was",
	  .resumed = { { NO_UID, "cem", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben cem", .cookie = COOKIE(2), .quarantined = 1 },
	{ .name = "a reference elsewhere makes no listing whole",
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { REFERENCE, NULL, NULL, 0 }, END_FULL(COOKIE(2)), { ADD, "dora", COOKIE(3), 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem dora", .cookie = FIRST },
	{ .name = "a malformed message ends the connection",
	  .resumed = { { ADD, "dora", NULL, 0 }, { MALFORMED, NULL, NULL, 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem dora", .cookie = FIRST },
	{ .name = "a search that ends well is a refresh, and is asked again",
	  .resumed = { { IDS_DELETED, "c", NULL, 0 }, { NEW_COOKIE, NULL, COOKIE(2), 0 }, { DONE, NULL, NULL, 1 } },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .removed = 1 },
	{ .name = "a search that ends without a word has listed nothing",
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { RESULT, NULL, NULL, LDAP_SUCCESS } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a deletion is believed while somebody is visible",
	  .resumed = { END_FULL(COOKIE(2)), { DELETED, "ana", COOKIE(3), 0 } },
	  .want = VERDICT_COMPLETE, .people = "ben cem", .cookie = COOKIE(3), .removed = 1 },
	{ .name = "a deletion is not believed when nobody is visible any more",
	  .resumed = { END_FULL(COOKIE(2)), { DELETED, "ana", COOKIE(3), 0 } }, .blind = true,
	  .full = { END_FULL(COOKIE(4)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "nor is a delete phase",
	  .resumed = { { IDS_DELETED, "abc", NULL, 0 }, END_FULL(COOKIE(2)) }, .blind = true,
	  .full = { END_FULL(COOKIE(4)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "a heartbeat without an answer: the server is gone",
	  .resumed = { END_FULL(COOKIE(2)) }, .dumb = true,
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = COOKIE(2) },
	{ .name = "a heartbeat that sees nobody: empty",
	  .resumed = { END_FULL(COOKIE(2)) }, .blind = true,
	  .full = { END_FULL(COOKIE(4)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = COOKIE(2) },
	{ .name = "a server that sends a byte at a time only takes longer", .trickle = true,
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "dora", NULL, 0 }, END_FULL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana dora", .cookie = COOKIE(2), .missing = 2 },

	{ .name = "poll: a delete phase removes whom it names", POLL,
	  .resumed = { { IDS_DELETED, "c", NULL, 0 }, { ADD, "dora", NULL, 0 }, END_POLL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben dora", .cookie = COOKIE(2), .removed = 1 },
	{ .name = "poll: a present phase: who is not in it is gone", POLL,
	  .resumed = { { IDS_PRESENT, "ab", NULL, 0 }, END_LISTED(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "poll: a present phase ends with the search, whatever is said before", POLL,
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { REFRESH_PRESENT, NULL, COOKIE(8), 0 },
	    { IDS_PRESENT, "b", NULL, 0 }, END_LISTED(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "poll: a present phase that names nobody is read anew", POLL,
	  .resumed = { END_LISTED(COOKIE(9)) },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "cem", NULL, 0 }, END_POLL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana cem", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "poll: 4096: the cookie is forgotten and everything read anew", POLL,
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_POLL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "poll: 53: the server is older than we are, nobody goes", POLL,
	  .resumed = { { RESULT, NULL, NULL, LDAP_UNWILLING_TO_PERFORM } },
	  .want = VERDICT_STALE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: a garbage cookie is answered with all and an empty cookie: read anew", POLL,
	  .resumed = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_POLL("") },
	  .full = { { ADD, "ana", NULL, 0 }, { ADD, "ben", NULL, 0 }, END_POLL(COOKIE(2)) },
	  .want = VERDICT_COMPLETE, .people = "ana ben", .cookie = COOKIE(2), .missing = 1 },
	{ .name = "poll: nothing new needs no new cookie", POLL,
	  .resumed = { END_POLL(NULL) },
	  .want = VERDICT_COMPLETE, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: a search that ends without a word has listed nothing", POLL,
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { RESULT, NULL, NULL, LDAP_SUCCESS } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: the size limit cuts short", POLL,
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { RESULT, NULL, NULL, LDAP_SIZELIMIT_EXCEEDED } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: a connection lost in a read cuts short", POLL,
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { CLOSE, NULL, NULL, 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: a read that stands still cuts short", POLL,
	  .resumed = { { IDS_PRESENT, "a", NULL, 0 }, { REFRESH_PRESENT, NULL, COOKIE(8), 0 } },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: nobody at all is empty, and its cookie is not kept", POLL,
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } }, .full = { END_POLL(COOKIE(2)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: an entry without entryUUID spoils the listing, and its cookie", POLL,
	  .resumed = { { RESULT, NULL, NULL, LDAP_SYNC_REFRESH_REQUIRED } },
	  .full = { { ADD, "ana", NULL, 0 }, { NO_CONTROL, "ben", NULL, 0 }, { ADD, "dora", NULL, 0 },
	    END_POLL(COOKIE(2)) },
	  .want = VERDICT_TRUNCATED, .people = "ana ben cem dora", .cookie = FIRST, .quarantined = 1 },
	{ .name = "poll: a deletion is not believed when nobody is visible any more", POLL, .blind = true,
	  .resumed = { { DELETED, "ana", NULL, 0 }, END_POLL(COOKIE(2)) }, .full = { END_POLL(COOKIE(4)) },
	  .want = VERDICT_EMPTY, .people = "ana ben cem", .cookie = FIRST },
	{ .name = "poll: no RFC 4533 on the server", POLL,
	  .resumed = { { RESULT, NULL, NULL, LDAP_UNAVAILABLE_CRITICAL_EXTENSION } },
	  .want = VERDICT_UNREACHABLE, .people = "ana ben cem", .cookie = FIRST },
};

static const struct trap *trap_now;

/* The verdict is there, and so is the last that the trap brings. */
static bool
trap_is_sprung(struct model *m)
{
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];
	char *names;
	bool same;

	if (m->verdict != trap_now->want || s->removed_count != trap_now->removed)
		return false;
	names = model_names(m, DIRECTORY_PEOPLE);
	same = strcmp(names, trap_now->people) == 0 &&
	    mu_text_equal(mu_buf_text(&s->cookie), trap_now->cookie);
	mu_free(names);
	return same;
}

static const struct directory_timing trap_timing = {
	.bind_ms = 2000, .again_min_ms = 10, .again_max_ms = 40, .silence_ms = 300,
	.heartbeat_ms = 150, .answer_ms = 300, .reread_min_ms = 60000, .reread_max_ms = 60000,
	.tick_ms = 10, .nap_us = 300,
};

static struct mu_secret password = { (unsigned char *)(uintptr_t)"secret", 6 };
static struct directory_map map[] = { { .name = "uid", .attribute = "uid", .required = true } };
static char uri[64];

static struct directory_source
source_of(const struct server *s)
{
	(void)snprintf(uri, sizeof(uri), "ldap://127.0.0.1:%u", s->port);
	return (struct directory_source){ .name = "trap", .uri = uri, .insecure_plain = true,
		.bind_dn = "cn=muster", .bind_password = &password, .people_base = "ou=people",
		.people_filter = "(objectClass=person)", .map = map, .map_count = 1, .every_ms = 10 };
}

static void
trap_row(void **state)
{
	struct model *m = model_new();
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];
	struct directory_source source;
	struct server server;

	trap_now = *state;
	server_open(&server, m->loop, search_answer);
	source = source_of(&server);
	source.follow = trap_now->follow;
	m->timing = &trap_timing;
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "the beginning");
	model_close(m);
	model_names_check(m, DIRECTORY_PEOPLE, "ana ben cem");
	assert_string_equal(FIRST, mu_buf_text(&s->cookie));

	server.play = trap_now;
	server.trickle_on = trap_now->trickle;
	server.bind_code = trap_now->bind_code;
	model_open(m, &source);
	model_run(m, trap_is_sprung, 5000, trap_now->name);
	model_names_check(m, DIRECTORY_PEOPLE, trap_now->people);
	assert_string_equal(trap_now->cookie, mu_buf_text(&s->cookie));
	assert_int_equal(trap_now->missing, s->missing_count);
	assert_int_equal(trap_now->removed, s->removed_count);
	assert_int_equal(trap_now->quarantined > 0, s->quarantined_count > 0);
	model_close(m);
	server_close(&server);
	model_free(m);
}

/* --- StartTLS, and a consumer that refuses ---------------------------------------------------------------- */

static bool
is_unreachable(struct model *m)
{
	return m->verdict == VERDICT_UNREACHABLE;
}

static void
a_refused_starttls_sends_nothing_more(void **state)
{
	struct model *m = model_new();
	struct directory_source source;
	struct server server;

	(void)state;
	server_open(&server, m->loop, search_answer);
	source = source_of(&server);
	source.starttls = true;
	source.insecure_plain = false;
	model_open(m, &source);
	model_run(m, is_unreachable, 5000, "StartTLS refused");
	assert_non_null(strstr(m->text, "StartTLS refused"));
	assert_true(server.extended > 0);
	assert_int_equal(0, server.binds);
	assert_int_equal(0, server.searches);
	model_close(m);
	server_close(&server);
	model_free(m);
}

/* Answers to what is read again in the meantime are no progress. */
static void
a_refresh_that_stands_still_is_noticed_whatever_is_read_again(void **state)
{
	static const struct trap still = { .resumed = { { NO_UID, "cem", NULL, 0 } }, .blind = true,
		.want = VERDICT_TRUNCATED, .people = "ana ben cem", .cookie = FIRST };
	struct directory_timing timing = trap_timing;
	struct model *m = model_new();
	struct directory_source source;
	struct server server;

	(void)state;
	timing.reread_min_ms = timing.reread_max_ms = 20;
	m->timing = &timing;
	server_open(&server, m->loop, search_answer);
	source = source_of(&server);
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "the beginning");
	model_close(m);
	server.play = trap_now = &still;
	model_open(m, &source);
	model_run(m, trap_is_sprung, 5000, "stands still");
	model_close(m);
	server_close(&server);
	model_free(m);
}

/* Searches that were to stay open end after their refresh, again and again. */
static bool
has_connected_thrice(struct model *m)
{
	return m->searches[DIRECTORY_PEOPLE].began_count >= 3 && !m->in_slice;
}

static void
a_server_that_ends_its_searches_is_read_again_and_told(void **state)
{
	static const struct trap ending = { .resumed = { END_FULL(COOKIE(2)), END_POLL(COOKIE(2)) } };
	struct model *m = model_new();
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];
	struct directory_source source;
	struct server server;

	(void)state;
	server_open(&server, m->loop, search_answer);
	source = source_of(&server);
	m->timing = &trap_timing;
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "the beginning");
	assert_string_equal("", m->text);
	model_close(m);
	server.play = &ending;
	model_open(m, &source);
	model_run(m, has_connected_thrice, 5000, "connected again and again");
	assert_int_equal(VERDICT_COMPLETE, m->verdict);
	assert_non_null(strstr(m->text, "follow: poll"));
	assert_true(m->verdict_count <= 2);	/* said once, not with every connection */
	assert_int_equal(0, s->missing_count + s->removed_count);
	assert_int_equal(0, s->full_count);
	assert_string_equal(COOKIE(2), mu_buf_text(&s->cookie));
	/* one that stays open again is told, too */
	server.play = NULL;
	model_close(m);
	mu_buf_reset(&s->cookie);
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "stays open");
	assert_string_equal("", m->text);
	model_close(m);
	server_close(&server);
	model_free(m);
}

static void
a_refused_slice_is_read_again(void **state)
{
	struct model *m = model_new();
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];
	struct directory_source source;
	struct server server;

	(void)state;
	server_open(&server, m->loop, search_answer);
	source = source_of(&server);
	m->refuse_slices = 2;
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "complete at last");
	assert_int_equal(3, server.connections);
	assert_int_equal(3, s->began_count);
	assert_int_equal(9, s->entry_count);
	assert_int_equal(1, m->verdict_count);	/* the directory was never at fault */
	assert_string_equal(FIRST, mu_buf_text(&s->cookie));
	model_close(m);
	server_close(&server);
	model_free(m);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(traps) + 4] = {
		cmocka_unit_test(a_refused_starttls_sends_nothing_more),
		cmocka_unit_test(a_refresh_that_stands_still_is_noticed_whatever_is_read_again),
		cmocka_unit_test(a_server_that_ends_its_searches_is_read_again_and_told),
		cmocka_unit_test(a_refused_slice_is_read_again),
	};

	for (size_t i = 0; i < MU_COUNT(traps); i++)
		tests[4 + i] = (struct CMUnitTest){ traps[i].name, trap_row, NULL, NULL, &traps[i] };
	return _cmocka_run_group_tests("directory/traps", tests, MU_COUNT(tests), NULL, NULL);
}
