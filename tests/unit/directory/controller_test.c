/*
 * What domain controllers do that a real one does not do on demand: one in this process plays each
 * case to a reader that knows ana, ben and cem, and staff with ana and ben in it.
 */
#include "server.h"

#include <strings.h>

#include "directory/ad_priv.h"

#define CONTEXT		"dc=ad,dc=corp"
#define PEOPLE		"ou=people," CONTEXT
#define GROUPS		"ou=groups," CONTEXT
#define SERVICE		"cn=NTDS Settings"
#define USN		100		/* of the beginning */
#define OBJECTS_MAX	8
#define IN_TIME_MS	60000
#define DIRSYNC		"1.2.840.113556.1.4.841"

enum ask { ROOT, SERVICE_ASK, BIN, PRIME, LIST, CHANGES, THERE, REGROUP, WHOLE, MEMBERS };

enum {
	GONE = 1,		/* deleted: a tombstone */
	OUT = 2,		/* there, but not in the base */
	HIDDEN = 4,		/* named as changed, but shown to no search */
	RENAMED = 8,
	CHANGED = 16,
	NO_META = 32,		/* replPropertyMetaData is not shown, */
	BAD_META = 256,		/* or is none */
	NO_CLASS = 512,		/* nor is objectClass */
	NEW = 64,
	CONTAINER = 128,
};

struct object {
	const char *name, *dn;		/* the name's first letter is the objectGUID; dn NULL: the usual */
	unsigned int is;
	const char *members;		/* of a group: names */
};

struct play {
	const char *name;
	enum settings_follow follow;
	struct object objects[OBJECTS_MAX];
	int64_t usn;			/* highestCommittedUSN; 0: USN + 10 */
	unsigned int backwards;		/* so many times, then USN + 10; 0: for ever */
	bool again;			/* the reader is opened again meanwhile, */
	bool afterwards;		/* or when its read has ended, and reads as before */
	size_t reads;			/* of one reader; 0: one */
	char invocation;		/* 0: as in the beginning */
	enum ask at;			/* where something happens: */
	int code;			/* this result, */
	bool mute, closes;		/* no entries, or the connection ends */
	unsigned int times;		/* so often; 0: for ever */
	size_t after;			/* not before it has been asked more often than that */
	size_t range;			/* members at once; 0: all */
	unsigned int drifts;		/* so many ranges are read while the group changes */
	unsigned int rounds;		/* of DirSync, one object each */
	bool endless;			/* it has always more */
	size_t others;			/* that changed, too, and nobody ever hears of again */
	bool nameless;			/* one of them has no objectGUID */
	bool once;			/* changes are told once */
	bool hides_deleted, hides_prime, reference;
	bool bare;			/* the container of those deleted is shown by its name alone */
	bool blind;			/* once changes have been told nobody is visible any more */
	bool hides_usn, hides_service;	/* in the root DSE */
	bool gap;			/* the second range leaves one out, */
	bool lacks;			/* or has one less than it says; */
	bool repeats;			/* or it is the first again; */
	bool drips;			/* or each has one member, and there is always another */
	int64_t settles_s;		/* another server answered lately: not trusted for so long */
	bool no_right;			/* to replicate */
	bool searches_only;		/* DirSync showed only what searches do, */
	bool searches_only_then;	/* and does so in the end */
	int64_t list_at_s;		/* of the cookie to resume from; 0: in an hour */
	enum verdict want;
	const char *people, *staff;	/* what the reader holds in the end */
	size_t removed, missing, quarantined;
	size_t removed_groups;		/* who may have been one, too */
	bool full;			/* it has listed everybody */
	bool cut;			/* no read comes to its end */
	enum ask asked;			/* what is not asked more often */
	size_t asked_at_most;		/* than this; 0: however often, NONE: not at all */
	const char *text;		/* of the verdict, a part */
};

static const struct object beginning[] = {
	{ .name = "ana" }, { .name = "ben" }, { .name = "cem" }, { .name = "staff", .members = "ana ben" },
	{ .name = NULL },
};

static const struct play *play_now;
static unsigned int times, drifts, roots;
static const struct object *drifting;
static size_t asks[MEMBERS + 1];

/* --- Reading what is asked ----------------------------------------------------------------------- */

static bool
holds(const struct mu_buf *raw, const char *text)
{
	return memmem(raw->data, raw->size_bytes, text, strlen(text)) != NULL;
}

/* Which round of DirSync its cookie asks for. */
static unsigned int
round_of(const struct mu_buf *raw)
{
	const char *at = memmem(raw->data, raw->size_bytes, "round=", 6);

	return at == NULL ? 0 : (unsigned int)(at[6] - '0');
}

/* By its flags, as an integer of 32 bits: of values the changes alone, and object security. */
static bool
shows_what_searches_show(const struct mu_buf *raw)
{
	return memmem(raw->data, raw->size_bytes, "\x02\x04\x80\x00\x00\x01", 6) != NULL;
}

static void
guid_of(char letter, unsigned char guid[16])
{
	(void)memset(guid, letter, 16);
}

static bool
holds_guid(const struct mu_buf *raw, const struct object *o)
{
	unsigned char guid[16];

	guid_of(o->name[0], guid);
	return memmem(raw->data, raw->size_bytes, guid, sizeof(guid)) != NULL;
}

static enum ask
ask_of(const char *base, const struct mu_buf *raw)
{
	bool paged = holds(raw, LDAP_CONTROL_PAGEDRESULTS);

	if (base[0] == '\0')
		return ROOT;
	if (strcmp(base, SERVICE) == 0)
		return SERVICE_ASK;
	if (base[0] == '<')
		return BIN;
	if (holds(raw, DIRSYNC))
		return holds(raw, "Deleted Objects") ? PRIME : CHANGES;
	if (strcasecmp(base, CONTEXT) == 0)
		return paged ? CHANGES : THERE;
	if (paged)
		return holds(raw, "member\x04") ? REGROUP : LIST;
	return holds(raw, "uSNChanged") ? MEMBERS : WHOLE;
}

/* --- Entries ----------------------------------------------------------------------------------------- */

static bool
is_group(const struct object *o)
{
	return o->members != NULL;
}

static const char *
dn_of(const struct object *o, char dn[64])
{
	(void)snprintf(dn, 64, "cn=%s,%s", o->name, is_group(o) ? GROUPS : PEOPLE);
	return o->dn == NULL ? dn : o->dn;
}

static BerElement *
entry_begin(int msgid, const char *dn)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);

	assert_true(ber_printf(ber, "{it{s{", msgid, (ber_tag_t)LDAP_RES_SEARCH_ENTRY, dn) >= 0);
	return ber;
}

static void
text_add(BerElement *ber, const char *name, const char *value)
{
	assert_true(ber_printf(ber, "{s[s]}", name, value) >= 0);
}

static void
bytes_add(BerElement *ber, const char *name, const void *bytes, size_t bytes_count)
{
	assert_true(ber_printf(ber, "{s[o]}", name, bytes, (ber_len_t)bytes_count) >= 0);
}

static void
number_add(BerElement *ber, const char *name, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)number);
	text_add(ber, name, text);
}

static void
entry_end(struct server *s, BerElement *ber)
{
	assert_true(ber_printf(ber, "}}}") >= 0);
	message_send(s, ber);
}

static void
guid_add(BerElement *ber, const struct object *o)
{
	unsigned char guid[16];

	guid_of(o->name[0], guid);
	if (o->name[0] == '!')		/* others are told apart by a number */
		(void)memcpy(guid, &o->is, sizeof(o->is));
	bytes_add(ber, "objectGUID", guid, sizeof(guid));
}

/* Members from first on, as many as fit a range: "member;range=0-1" or the last "member;range=2-*". */
static void
members_add(BerElement *ber, const struct object *o, size_t first, size_t at_once, bool gap,
    bool lacks)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	char *copy = mu_strdup(o->members), *rest = NULL;
	const char *list[8];
	size_t count = 0, last, named = first + gap;

	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		list[count++] = word;
	last = at_once == 0 || first + at_once >= count ? count : first + at_once;
	if (last == count)
		mu_buf_format(&name, "member;range=%zu-*", named);
	else
		mu_buf_format(&name, "member;range=%zu-%zu", named, last - 1 + gap + lacks);
	if (first <= count && count > 0) {
		assert_true(ber_printf(ber, "{s[", mu_buf_text(&name)) >= 0);
		for (size_t i = first; i < last; i++) {
			char dn[64];

			(void)snprintf(dn, sizeof(dn), "cn=%s,%s", list[i], PEOPLE);
			assert_true(ber_printf(ber, "s", dn) >= 0);
		}
		assert_true(ber_printf(ber, "]}") >= 0);
	}
	mu_free(copy);
}

static void
drip_add(BerElement *ber, size_t first)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "member;range=%zu-%zu", first, first);
	text_add(ber, name, "cn=ana," PEOPLE);
}

static void
object_send(struct server *s, int msgid, const struct object *o, const struct play *play)
{
	char dn[64];
	BerElement *ber = entry_begin(msgid, dn_of(o, dn));

	guid_add(ber, o);
	text_add(ber, is_group(o) ? "cn" : "uid", o->name);
	if (is_group(o))
		members_add(ber, o, 0, play == NULL ? 0 : play->range, false, false);
	entry_end(s, ber);
}

static void
members_send(struct server *s, int msgid, const struct object *o, const struct play *play,
    const struct mu_buf *raw)
{
	const char *at = memmem(raw->data, raw->size_bytes, "member;range=", 13);
	size_t first = play->repeats ? 0 : strtoul(at + 13, NULL, 10);
	char dn[64];
	BerElement *ber = entry_begin(msgid, dn_of(o, dn));

	if (drifting != o)
		drifts = play->drifts;
	drifting = o;
	text_add(ber, "cn", o->name);
	if (play->drips)
		drip_add(ber, first);
	else
		members_add(ber, o, first, play->range, play->gap && first > 0, play->lacks);
	number_add(ber, "uSNChanged", USN + 5 + (int64_t)drifts);
	if (drifts > 0)
		drifts--;
	entry_end(s, ber);
}

/* Its name, cn and metadata: only the name's USN counts. */
static void
meta_add(BerElement *ber, const struct object *o)
{
	unsigned char meta[16 + 48] = { [0] = 1, [8] = 1, [16] = 0x01, [18] = 0x09 };

	meta[16 + 40] = (o->is & RENAMED) != 0 ? USN + 1 : USN;
	bytes_add(ber, "replPropertyMetaData", meta, (o->is & BAD_META) != 0 ? 20 : sizeof(meta));
}

static void
change_send(struct server *s, int msgid, const struct object *o, bool dirsync)
{
	char dn[64];
	BerElement *ber = entry_begin(msgid, dn_of(o, dn));

	if (o->name[0] != '?')
		guid_add(ber, o);
	if ((o->is & GONE) != 0)
		text_add(ber, "isDeleted", "TRUE");
	if (dirsync && (o->is & (RENAMED | NEW)) != 0)
		text_add(ber, "name", o->name);
	if (dirsync && (o->is & NEW) != 0)
		text_add(ber, "objectClass", "person");
	if (!dirsync) {
		number_add(ber, "uSNCreated", (o->is & NEW) != 0 ? USN + 1 : 1);
		if ((o->is & NO_META) == 0)
			meta_add(ber, o);
	}
	entry_end(s, ber);
}

static void
there_send(struct server *s, int msgid, const struct object *o)
{
	char dn[64];
	BerElement *ber = entry_begin(msgid, dn_of(o, dn));

	guid_add(ber, o);
	if ((o->is & NO_CLASS) == 0)
		text_add(ber, "objectClass", is_group(o) ? "group" : (o->is & CONTAINER) != 0 ? "container" :
		    "person");
	if ((o->is & GONE) != 0)
		text_add(ber, "isDeleted", "TRUE");
	entry_end(s, ber);
}

/* --- Answering ---------------------------------------------------------------------------------------- */

static void
control_make(struct mu_buf *b, const char *format, int number, const char *cookie)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval value;

	if (strcmp(format, "{is}") == 0)
		assert_true(ber_printf(ber, "{is}", 0, cookie) >= 0);
	else
		assert_true(ber_printf(ber, "{iis}", number, 0, cookie) >= 0);
	assert_int_equal(0, ber_flatten2(ber, &value, 0));
	mu_buf_add(b, value.bv_val, value.bv_len);
	ber_free(ber, 1);
}

static void
root_send(struct server *s, int msgid, const struct play *play)
{
	BerElement *ber = entry_begin(msgid, "");
	int64_t usn = play == NULL ? USN : play->usn == 0 ? USN + 10 : play->usn;

	if (play != NULL && play->backwards != 0 && roots++ >= play->backwards)
		usn = USN + 10;
	if (play == NULL || !play->hides_service)
		text_add(ber, "dsServiceName", SERVICE);
	if (play == NULL || !play->hides_usn)
		number_add(ber, "highestCommittedUSN", usn);
	/* the one is the longest that holds the base; no other ends where a name does */
	assert_true(ber_printf(ber, "{s[ssss]}", "namingContexts", "CN=Configuration,DC=ad,DC=corp",
	    "U=people,DC=ad,DC=corp", "DC=AD,DC=Corp", "DC=corp") >= 0);
	entry_end(s, ber);
}

static void
service_send(struct server *s, int msgid, const struct play *play)
{
	unsigned char id[16];
	BerElement *ber = entry_begin(msgid, SERVICE);

	(void)memset(id, play == NULL || play->invocation == '\0' ? 'I' : play->invocation, sizeof(id));
	bytes_add(ber, "invocationId", id, sizeof(id));
	entry_end(s, ber);
}

static void
deleted_send(struct server *s, int msgid, bool bare)
{
	static const struct object bin = { .name = "~" };
	BerElement *ber = entry_begin(msgid, "cn=Deleted Objects," CONTEXT);

	if (!bare) {
		guid_add(ber, &bin);
		text_add(ber, "isDeleted", "TRUE");
	}
	entry_end(s, ber);
}

static void
changes_send(struct server *s, int msgid, const struct object *o, unsigned int round, bool all, bool dirsync)
{
	for (unsigned int i = 0; o->name != NULL; o++)
		if ((o->is & CHANGED) != 0 && (i++ == round || all))
			change_send(s, msgid, o, dirsync);
}

static void
others_send(struct server *s, int msgid, const struct play *play, bool dirsync)
{
	static const struct object nameless = { .name = "?" };

	for (size_t i = 0; i < play->others; i++)
		change_send(s, msgid, &(struct object){ .name = "!", .is = (unsigned int)i << 16 }, dirsync);
	if (play->nameless)
		change_send(s, msgid, &nameless, dirsync);
}

static void
objects_send(struct server *s, int msgid, enum ask ask, const char *base, const struct play *play,
    const struct mu_buf *raw)
{
	const struct object *o = play == NULL ? beginning : play->objects;
	bool groups = strcmp(base, GROUPS) == 0;

	for (; o->name != NULL; o++) {
		bool shown = (o->is & HIDDEN) == 0;
		bool inside = shown && (o->is & (GONE | OUT | CONTAINER)) == 0 && is_group(o) == groups;

		if (ask == THERE && shown && holds_guid(raw, o))
			there_send(s, msgid, o);
		else if (inside && (ask == LIST || (ask == WHOLE && holds_guid(raw, o)) || ask == REGROUP))
			object_send(s, msgid, o, play);
		else if (inside && ask == MEMBERS && holds_guid(raw, o))
			members_send(s, msgid, o, play, raw);
	}
}

static void
entries_send(struct server *s, int msgid, enum ask ask, const char *base, const struct play *play,
    const struct mu_buf *raw)
{
	const struct object *o = play == NULL ? beginning : play->objects;
	BerElement *ber;

	if (ask == ROOT)
		root_send(s, msgid, play);
	else if (ask == SERVICE_ASK)
		service_send(s, msgid, play);
	else if ((ask == BIN || ask == PRIME) && play != NULL && (play->hides_deleted ||
	    (ask == PRIME && play->hides_prime)))
		return;
	else if (ask == BIN || ask == PRIME)
		deleted_send(s, msgid, play != NULL && play->bare);
	else if (ask != CHANGES)
		objects_send(s, msgid, ask, base, play, raw);
	else if (play != NULL && (!play->once || asks[CHANGES] <= DIRECTORY_SEARCH_COUNT)) {
		changes_send(s, msgid, o, round_of(raw), play->rounds == 0, holds(raw, DIRSYNC));
		others_send(s, msgid, play, holds(raw, DIRSYNC));
	}
	if (play != NULL && play->reference && (ask == LIST || ask == CHANGES)) {
		ber = ber_alloc_t(LBER_USE_DER);
		assert_true(ber_printf(ber, "{it{s}}", msgid, (ber_tag_t)LDAP_RES_SEARCH_REFERENCE,
		    "ldap://elsewhere.example/dc=corp") >= 0);
		message_send(s, ber);
	}
}

/* What each request has to say, whatever it is answered. */
static void
request_check(enum ask ask, const char *base, const struct mu_buf *raw)
{
	bool dirsync = holds(raw, DIRSYNC);

	assert_true(holds(raw, LDAP_CONTROL_X_DOMAIN_SCOPE));	/* no referrals */
	assert_int_equal(ask == BIN || ask == PRIME || ask == CHANGES || ask == THERE,
	    holds(raw, LDAP_CONTROL_X_SHOW_DELETED));
	if (ask == PRIME)			/* from nothing: what comes after it counts */
		assert_false(holds(raw, "whole"));
	if (ask == CHANGES && dirsync && holds(raw, "uid"))	/* it is silent about all else */
		assert_true(holds(raw, "employeeType"));
	if (ask == CHANGES && !dirsync && play_now->reads < 2)
		assert_true(holds(raw, "uSNChanged\x04\x03" "101"));
	if (ask == WHOLE)
		assert_string_equal(holds(raw, "member") ? GROUPS : PEOPLE, base);
}

static void
search_answer(struct server *s, int msgid, BerElement *ber, const struct mu_buf *raw)
{
	const struct play *play = s->play;
	MU_AUTO(mu_buf_clear) struct mu_buf control = MU_BUF_INIT;
	bool dirsync = holds(raw, DIRSYNC), paged = holds(raw, LDAP_CONTROL_PAGEDRESULTS), more;
	struct berval bytes;
	ber_int_t scope, deref, size_limit;
	char base[128], cookie[16];
	enum ask ask;
	bool here;

	assert_true(ber_scanf(ber, "{meei", &bytes, &scope, &deref, &size_limit) != LBER_ERROR);
	(void)snprintf(base, sizeof(base), "%.*s", (int)bytes.bv_len, bytes.bv_val);
	if (size_limit == 1 && (play == NULL || !play->blind || asks[CHANGES] == 0))
		object_send(s, msgid, &beginning[strcmp(base, GROUPS) == 0 ? 3 : 0], NULL);
	if (size_limit == 1) {
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, LDAP_SUCCESS, NULL, NULL);
		return;
	}
	ask = ask_of(base, raw);
	asks[ask]++;
	if (play_now->follow != SETTINGS_FOLLOW_PAGED)
		request_check(ask, base, raw);
	if (play != NULL && play->no_right && dirsync && !shows_what_searches_show(raw)) {
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, LDAP_INSUFFICIENT_ACCESS, NULL, NULL);
		return;
	}
	here = play != NULL && ask == play->at && (play->code != 0 || play->mute || play->closes) &&
	    asks[ask] > play->after && (play->times == 0 || times++ < play->times);
	if (!here || !play->mute)
		entries_send(s, msgid, ask, base, play, raw);
	if (here && play->closes) {
		out_flush(s);
		connection_drop(s);
		return;
	}
	more = ask == CHANGES && play != NULL && (play->endless || round_of(raw) + 1 < play->rounds);
	(void)snprintf(cookie, sizeof(cookie), "round=%u", round_of(raw) + 1);
	if (dirsync)
		control_make(&control, "{iis}", more, more ? cookie : "whole");
	else if (paged)
		control_make(&control, "{is}", 0, "");
	if (here)
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, play->code, NULL, NULL);
	else
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, 0,
		    dirsync ? DIRSYNC : paged ? LDAP_CONTROL_PAGEDRESULTS : NULL, &control);
}

/* --- The cases ------------------------------------------------------------------------------------------ */

#define DS	.follow = SETTINGS_FOLLOW_DIRSYNC
#define BY_USN	.follow = SETTINGS_FOLLOW_USN
#define ANA	{ .name = "ana" }
#define BEN	{ .name = "ben" }
#define CEM	{ .name = "cem" }
#define NONE	SIZE_MAX
#define STAFF	{ .name = "staff", .members = "ana ben" }
#define ALL	{ ANA, BEN, CEM, STAFF }
#define AS_WAS	.people = "ana ben cem", .staff = "ana ben"

static struct play plays[] = {
	{ "DirSync: nothing new", DS, ALL, .want = VERDICT_COMPLETE, AS_WAS },
	{ "uSNChanged: nothing new", BY_USN, ALL, .want = VERDICT_COMPLETE, AS_WAS },
	{ "DirSync: a joiner, a mover and a leaver", DS,
	    { ANA, { .name = "ben", .is = CHANGED }, { .name = "cem", .is = CHANGED | GONE },
	    { .name = "dora", .is = CHANGED | NEW }, STAFF },
	    .want = VERDICT_COMPLETE, .people = "ana ben dora", .staff = "ana ben", .removed = 1 },
	{ "uSNChanged: a joiner, a mover and a leaver", BY_USN,
	    { ANA, { .name = "ben", .is = CHANGED }, { .name = "cem", .is = CHANGED | GONE },
	    { .name = "dora", .is = CHANGED | NEW }, STAFF },
	    .want = VERDICT_COMPLETE, .people = "ana ben dora", .staff = "ana ben", .removed = 1 },
	{ "who is said to be deleted, and is shown nowhere, is removed", DS,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | GONE | HIDDEN }, STAFF },
	    .want = VERDICT_COMPLETE, .people = "ana ben", .staff = "ana ben", .removed = 1, .removed_groups = 1 },
	{ "uSNChanged: who is said to be deleted, and is shown nowhere, is removed", BY_USN,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | GONE | HIDDEN }, STAFF },
	    .want = VERDICT_COMPLETE, .people = "ana ben", .staff = "ana ben", .removed = 1, .removed_groups = 1 },
	{ "DirSync in rounds is one change", DS,
	    { ANA, { .name = "ben", .is = CHANGED }, { .name = "cem", .is = CHANGED | GONE },
	    { .name = "dora", .is = CHANGED | NEW }, STAFF }, .rounds = 3,
	    .want = VERDICT_COMPLETE, .people = "ana ben dora", .staff = "ana ben", .removed = 1 },
	{ "who is there, but no longer in the base, is removed", DS,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | OUT }, STAFF },
	    .want = VERDICT_COMPLETE, .people = "ana ben", .staff = "ana ben", .removed = 1 },
	{ "who is not shown at all is not removed for it", DS,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | HIDDEN }, STAFF },
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "uSNChanged: nor is one who is not shown", BY_USN,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | HIDDEN }, STAFF },
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "of a renamed person the groups are read again", DS,
	    { { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | RENAMED }, BEN, CEM,
	    { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "anna ben" },
	{ "uSNChanged: of a renamed person the groups are read again", BY_USN,
	    { { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | RENAMED }, BEN, CEM,
	    { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "anna ben" },
	{ "uSNChanged: who may have been renamed is taken to be", BY_USN,
	    { { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | NO_META }, BEN, CEM,
	    { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "anna ben" },
	{ "uSNChanged: so is one whose metadata cannot be read", BY_USN,
	    { { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | BAD_META }, BEN, CEM,
	    { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "anna ben" },
	{ "uSNChanged: but who has not is not", BY_USN,
	    { { .name = "ana", .is = CHANGED }, BEN, CEM, { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "a container that moved has everybody listed", DS,
	    { ANA, BEN, { .name = "cem", .is = OUT }, STAFF, { .name = "unit", .is = CHANGED | RENAMED | CONTAINER } },
	    .times = 1, .want = VERDICT_COMPLETE, .people = "ana ben", .staff = "ana ben", .missing = 1, .full = true },
	{ "R_AD so has one on a server that is not trusted yet, but nobody goes", DS,
	    { ANA, BEN, { .name = "cem", .is = OUT }, STAFF, { .name = "unit", .is = CHANGED | RENAMED | CONTAINER } },
	    .settles_s = 3600, .once = true, .want = VERDICT_STALE, AS_WAS, .full = true,
	    .text = "another domain controller" },
	{ "one that is new has not", DS,
	    { ANA, BEN, CEM, STAFF, { .name = "unit", .is = CHANGED | NEW | CONTAINER } },
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "uSNChanged: nor has one that is new", BY_USN,
	    { ANA, BEN, CEM, STAFF, { .name = "unit", .is = CHANGED | NEW | RENAMED | CONTAINER } },
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "one that was quarantined is asked for with the next changes", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .drifts = 6, .once = true, .reads = 2, .want = VERDICT_COMPLETE, .people = "ana ben cem",
	    .staff = "ana ben cem dora eva", .quarantined = 1 },
	{ "DirSync: more changes than are worth following have everybody listed", DS, { ANA, CEM, STAFF },
	    .others = 20001, .asked = WHOLE, .asked_at_most = 1,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "uSNChanged: more changes than are worth following have everybody listed", BY_USN, { ANA, CEM, STAFF },
	    .others = 20001, .asked = WHOLE, .asked_at_most = 1,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "DirSync: many changes are looked at in parts", DS,
	    { ANA, { .name = "ben", .is = CHANGED | OUT }, { .name = "cem", .is = CHANGED | GONE },
	    { .name = "dora", .is = CHANGED | NEW }, STAFF }, .others = 120, .asked = THERE, .asked_at_most = 6,
	    .want = VERDICT_COMPLETE, .people = "ana dora", .staff = "ana ben", .removed = 2 },
	{ "uSNChanged: many changes are looked at in parts", BY_USN,
	    { ANA, { .name = "ben", .is = CHANGED | OUT }, { .name = "cem", .is = CHANGED | GONE },
	    { .name = "dora", .is = CHANGED | NEW }, STAFF }, .others = 120, .asked = THERE, .asked_at_most = 6,
	    .want = VERDICT_COMPLETE, .people = "ana dora", .staff = "ana ben", .removed = 2 },
	{ "DirSync: who is named twice is what either says", DS,
	    { { .name = "cem", .is = CHANGED | GONE | HIDDEN }, { .name = "cem", .is = CHANGED | HIDDEN },
	    { .name = "ben", .is = CHANGED | HIDDEN }, { .name = "ben", .is = CHANGED | GONE | HIDDEN },
	    { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | RENAMED },
	    { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED }, { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana", .staff = "anna ben", .removed = 2, .removed_groups = 2 },
	{ "uSNChanged: who is named twice is what either says", BY_USN,
	    { { .name = "unit", .is = CHANGED | RENAMED | CONTAINER },
	    { .name = "unit", .is = CHANGED | NEW | CONTAINER }, { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED },
	    { .name = "ana", .dn = "cn=anna," PEOPLE, .is = CHANGED | RENAMED }, BEN, CEM,
	    { .name = "staff", .members = "anna ben" } },
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "anna ben" },
	{ "DirSync: a change that names nobody is nobody's", DS, ALL, .nameless = true, .asked = THERE,
	    .asked_at_most = NONE, .want = VERDICT_COMPLETE, AS_WAS },
	{ "uSNChanged: a change that names nobody is nobody's", BY_USN, ALL, .nameless = true, .asked = THERE,
	    .asked_at_most = NONE, .want = VERDICT_COMPLETE, AS_WAS },
	{ "a container that is deleted has nobody listed", DS,
	    { ANA, BEN, CEM, STAFF, { .name = "unit", .is = CHANGED | RENAMED | GONE | CONTAINER } },
	    .want = VERDICT_COMPLETE, AS_WAS, .removed = 1 },
	{ "what is renamed, and does not say what it is, may be a container", DS,
	    { ANA, BEN, { .name = "cem", .is = OUT }, STAFF,
	    { .name = "unit", .is = CHANGED | RENAMED | CONTAINER | NO_CLASS } },
	    .once = true, .want = VERDICT_COMPLETE, .people = "ana ben", .staff = "ana ben", .missing = 1, .full = true },
	{ "where nobody is visible any more nobody is removed", DS,
	    { { .name = "ana", .is = CHANGED | GONE }, { .name = "ben", .is = CHANGED | GONE },
	    { .name = "cem", .is = CHANGED | GONE }, STAFF }, .blind = true,
	    .want = VERDICT_EMPTY, .cut = true, AS_WAS, .text = "nobody is visible" },
	{ "uSNChanged: where nobody is visible any more nobody is removed", BY_USN,
	    { { .name = "ana", .is = CHANGED | GONE }, { .name = "ben", .is = CHANGED | GONE },
	    { .name = "cem", .is = CHANGED | GONE }, STAFF }, .blind = true,
	    .want = VERDICT_EMPTY, .cut = true, AS_WAS, .text = "nobody is visible" },
	{ "DirSync that always has more cuts short", DS, { ANA, BEN, CEM, STAFF }, .endless = true,
	    .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "does not come to an end" },

	{ "a cookie that is refused has everybody listed", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_UNWILLING_TO_PERFORM, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one that Samba cannot read", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_UNAVAILABLE_CRITICAL_EXTENSION, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one that it takes for a malformed request", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_PROTOCOL_ERROR, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one that it cannot decode", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_OPERATIONS_ERROR, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one that it says nothing of", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_OTHER, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one of a right that was taken away", DS, { ANA, CEM, STAFF }, .at = CHANGES,
	    .code = LDAP_INSUFFICIENT_ACCESS, .mute = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "without the right to replicate DirSync is to show what searches show", DS, { ANA, CEM, STAFF },
	    .no_right = true, .reads = 3, .list_at_s = 1, .asked = LIST, .asked_at_most = 2,
	    .searches_only_then = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .missing = 1, .full = true },
	{ "where not even that is allowed it says what helps", DS, { ANA, CEM, STAFF }, .at = PRIME,
	    .code = LDAP_INSUFFICIENT_ACCESS, .mute = true, .list_at_s = 1,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "Replicating Directory Changes" },
	{ "a server without DirSync says what helps", DS, { ANA, CEM, STAFF }, .at = PRIME,
	    .code = LDAP_UNAVAILABLE_CRITICAL_EXTENSION, .mute = true, .list_at_s = 1,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "no DirSync" },
	{ "a server that is busy has refused nothing", DS, { ANA, CEM, STAFF }, .at = CHANGES, .code = LDAP_BUSY,
	    .mute = true, .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "busy" },
	{ "a cookie of yesterday has everybody listed", BY_USN, { ANA, CEM, STAFF }, .list_at_s = 1,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "so has one from the future", BY_USN, { ANA, CEM, STAFF }, .list_at_s = 99999999999,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "R_AD another invocationId: everybody is listed, nobody goes", BY_USN, { ANA, CEM, STAFF, { .name = "dora" } },
	    .invocation = 'J', .want = VERDICT_STALE, .people = "ana ben cem dora", .staff = "ana ben", .full = true,
	    .text = "another domain controller" },
	{ "R_AD DirSync: another invocationId: everybody is listed, nobody goes", DS,
	    { ANA, CEM, STAFF, { .name = "dora" } },
	    .invocation = 'J', .want = VERDICT_STALE, .people = "ana ben cem dora", .staff = "ana ben", .full = true,
	    .text = "another domain controller" },
	{ "R_AD nor does it matter that its USNs are smaller", BY_USN, { ANA, CEM, STAFF, { .name = "dora" } },
	    .invocation = 'J', .usn = USN - 1, .want = VERDICT_STALE, .people = "ana ben cem dora",
	    .staff = "ana ben", .full = true, .text = "another domain controller" },
	{ "R_AD USNs that ran backwards: nothing is believed", BY_USN, { ANA, CEM, STAFF, { .name = "dora" } },
	    .usn = USN - 1, .want = VERDICT_STALE, .cut = true, AS_WAS, .text = "USN rollback" },
	{ "R_AD DirSync: USNs that ran backwards: nothing is believed", DS, { ANA, CEM, STAFF, { .name = "dora" } },
	    .usn = USN - 1, .want = VERDICT_STALE, .cut = true, AS_WAS, .text = "USN rollback" },
	{ "R_AD when they have caught up everybody is listed, nobody goes", BY_USN,
	    { ANA, CEM, STAFF, { .name = "dora" } }, .usn = USN - 1, .backwards = 3,
	    .want = VERDICT_STALE, .people = "ana ben cem dora", .staff = "ana ben", .full = true,
	    .text = "another domain controller" },
	{ "R_AD nor is that forgotten by a reader that is opened again", BY_USN, { ANA, CEM, STAFF, { .name = "dora" } },
	    .usn = USN - 1, .backwards = 1, .again = true,
	    .want = VERDICT_STALE, .people = "ana ben cem dora", .staff = "ana ben", .full = true,
	    .text = "another domain controller" },
	{ "R_AD DirSync: when they have caught up nobody goes", DS, { ANA, CEM, STAFF, { .name = "dora" } },
	    .usn = USN - 1, .backwards = 3,
	    .want = VERDICT_STALE, .people = "ana ben cem dora", .staff = "ana ben", .full = true,
	    .text = "another domain controller" },
	{ "R_AD nor does anybody until replication has had time", BY_USN, { ANA, CEM, STAFF }, .list_at_s = 1,
	    .settles_s = 3600, .want = VERDICT_STALE, AS_WAS, .full = true, .text = "another domain controller" },
	{ "R_AD but for no longer than that", BY_USN, { ANA, CEM, STAFF }, .list_at_s = 1, .settles_s = 1000000,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true },
	{ "DirSync, too, once deleted entries are no longer shown", DS, { ANA, CEM, STAFF }, .hides_deleted = true,
	    .searches_only = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1,
	    .full = true, .text = "CN=Deleted Objects" },
	{ "but not with the right to replicate", DS, { ANA, CEM, STAFF }, .hides_deleted = true,
	    .want = VERDICT_COMPLETE, AS_WAS },
	{ "DirSync: where they never are, each read lists everybody", DS, { ANA, CEM, STAFF }, .hides_deleted = true,
	    .list_at_s = 1, .afterwards = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .full = true, .text = "CN=Deleted Objects" },
	{ "DirSync: nor do they count as shown when searches alone show them", DS, { ANA, CEM, STAFF }, .hides_prime = true,
	    .list_at_s = 1, .afterwards = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .full = true, .text = "CN=Deleted Objects" },
	{ "DirSync: nor do they count as shown when only their container's name is", DS, { ANA, CEM, STAFF }, .bare = true,
	    .list_at_s = 1, .afterwards = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .full = true, .text = "CN=Deleted Objects" },
	{ "uSNChanged: nor do they count as shown when only their container's name is", BY_USN, { ANA, CEM, STAFF },
	    .bare = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true,
	    .text = "CN=Deleted Objects" },
	{ "nor where their container may not be read", BY_USN, { ANA, CEM, STAFF }, .at = BIN, .mute = true,
	    .code = LDAP_INSUFFICIENT_ACCESS, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .missing = 1, .full = true, .text = "CN=Deleted Objects" },
	{ "nor where it is said not to be there", BY_USN, { ANA, CEM, STAFF }, .at = BIN, .mute = true,
	    .code = LDAP_NO_SUCH_OBJECT, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben",
	    .missing = 1, .full = true, .text = "CN=Deleted Objects" },
	{ "where deleted entries are not shown everybody is listed", BY_USN, { ANA, CEM, STAFF }, .hides_deleted = true,
	    .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .missing = 1, .full = true,
	    .text = "CN=Deleted Objects" },

	{ "R_AD a group in ranges is one group", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "ana ben cem dora eva" },
	{ "R_AD a listed one, too", BY_USN,
	    { ANA, BEN, CEM, { .name = "staff", .members = "ana ben cem dora eva" } }, .range = 2, .list_at_s = 1,
	    .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "ana ben cem dora eva", .full = true },
	{ "R_AD each that changes between its ranges is read again", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" },
	    { .name = "team", .is = CHANGED, .members = "ana ben cem" } }, .range = 2,
	    .drifts = 4, .want = VERDICT_COMPLETE, .people = "ana ben cem", .staff = "ana ben cem dora eva" },
	{ "R_AD one that goes on changing is set aside", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .drifts = 10000, .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1 },
	{ "R_AD one with a gap between its ranges is set aside", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem" } }, .range = 2,
	    .gap = true, .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1 },
	{ "R_AD one with a range that is not full is set aside", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .lacks = true, .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1 },
	{ "R_AD one whose ranges repeat is set aside at once", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .repeats = true, .asked = MEMBERS, .asked_at_most = 2, .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1 },
	{ "R_AD one that has always another is set aside in the end", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .drips = true, .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1 },
	{ "R_AD one that is gone when its ranges are asked for is next time's change", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .at = MEMBERS, .mute = true, .want = VERDICT_COMPLETE, AS_WAS },
	{ "R_AD so is one that goes between them", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .at = MEMBERS, .mute = true, .after = 1, .want = VERDICT_COMPLETE, AS_WAS },
	{ "R_AD read by pages, without the other ranges, it is set aside", .follow = SETTINGS_FOLLOW_PAGED,
	    { ANA, BEN, CEM, { .name = "staff", .members = "ana ben cem dora eva" } }, .range = 2,
	    .want = VERDICT_COMPLETE, AS_WAS, .quarantined = 1, .full = true },
	{ "R_AD one whose ranges do not come cuts short", DS,
	    { ANA, BEN, CEM, { .name = "staff", .is = CHANGED, .members = "ana ben cem dora eva" } }, .range = 2,
	    .at = MEMBERS, .code = LDAP_ADMINLIMIT_EXCEEDED, .mute = true,
	    .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "limit" },

	{ "a server that is none of Active Directory", DS, ALL, .at = ROOT, .mute = true,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "no domain controller" },
	{ "one that hides its USNs", DS, ALL, .hides_usn = true,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "no domain controller" },
	{ "one that hides its settings", DS, ALL, .hides_service = true,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "no domain controller" },
	{ "one that hides its invocationId", BY_USN, ALL, .at = SERVICE_ASK, .mute = true,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "invocationId" },
	{ "one that refuses to show it", BY_USN, ALL, .at = SERVICE_ASK, .code = LDAP_INSUFFICIENT_ACCESS,
	    .mute = true, .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "invocationId" },
	{ "one that is busy when asked for it", BY_USN, ALL, .at = SERVICE_ASK, .code = LDAP_BUSY,
	    .mute = true, .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "busy" },
	{ "a page without a word of the next cuts short", BY_USN, { ANA, STAFF }, .list_at_s = 1, .at = LIST,
	    .mute = true, .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "whether that page was the last" },
	{ "DirSync without a cookie is no answer", DS, ALL, .at = CHANGES, .mute = true,
	    .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "without a cookie" },
	{ "a connection lost in a listing cuts short", BY_USN, { ANA, STAFF }, .list_at_s = 1, .at = LIST,
	    .closes = true, .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "lost" },
	{ "a connection lost among changes removes nobody", DS,
	    { ANA, BEN, { .name = "cem", .is = CHANGED | GONE }, STAFF }, .at = WHOLE, .closes = true,
	    .want = VERDICT_UNREACHABLE, .cut = true, AS_WAS, .text = "lost" },
	{ "a limit in a listing cuts short", BY_USN, { ANA, STAFF }, .list_at_s = 1, .at = LIST,
	    .code = LDAP_SIZELIMIT_EXCEEDED, .want = VERDICT_TRUNCATED, .cut = true, AS_WAS, .text = "limit" },
	{ "a reference elsewhere makes no listing whole", BY_USN, { ANA, STAFF }, .list_at_s = 1, .reference = true,
	    .want = VERDICT_TRUNCATED, AS_WAS, .full = true, .text = "references" },
	{ "among changes it says nothing", BY_USN, { ANA, { .name = "ben", .is = CHANGED | GONE }, CEM, STAFF },
	    .reference = true, .want = VERDICT_COMPLETE, .people = "ana cem", .staff = "ana ben", .removed = 1 },
};

static bool
play_is_over(struct model *m)
{
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];

	return m->verdict == play_now->want && !s->refreshing && !m->in_slice &&
	    s->refreshed_count >= (play_now->reads == 0 ? 1 : play_now->reads);
}

static bool
play_is_cut(struct model *m)
{
	return m->verdict == play_now->want;
}

/* The cookie that the reader has, but for when everybody is to be listed again, and what is shown. */
static void
cookie_set(struct model *m, int64_t list_at_s, int64_t trust_at_s, bool object_security)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct mu_buf *kept = &m->searches[i].cookie;
		struct ad_cookie cookie;

		assert_true(directory_ad_cookie_decode(kept->data, kept->size_bytes, &cookie));
		assert_int_equal(USN, cookie.usn);
		cookie.list_at_s = list_at_s;
		cookie.trust_at_s = trust_at_s;
		cookie.object_security = object_security;
		mu_buf_reset(kept);
		directory_ad_cookie_encode(&cookie, kept);
		mu_buf_clear(&cookie.dirsync);
	}
}

/* Who is not trusted yet is listed again when they are; and what DirSync shows is remembered. */
static void
cookie_check(struct model *m)
{
	struct mu_buf *kept = &m->searches[DIRECTORY_PEOPLE].cookie;
	struct ad_cookie cookie;

	assert_true(directory_ad_cookie_decode(kept->data, kept->size_bytes, &cookie));
	if (play_now->full && play_now->want == VERDICT_STALE)
		assert_int_equal(cookie.trust_at_s, cookie.list_at_s);
	else if (play_now->want == VERDICT_COMPLETE)
		assert_true(cookie.list_at_s > mu_now_s());
	if (!play_now->cut)
		assert_int_equal(play_now->searches_only_then, cookie.object_security);
	mu_buf_clear(&cookie.dirsync);
}

static void
staff_check(struct model *m, const char *want)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	char *copy = mu_strdup(want), *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		mu_buf_format(&text, "cn=%s,%s\n", word, PEOPLE);
	mu_free(copy);
	assert_string_equal(mu_buf_text(&text), model_by_name(m, DIRECTORY_GROUPS, "staff")->text);
}

static const struct directory_timing play_timing = {
	.bind_ms = 2000, .again_min_ms = 10, .again_max_ms = 40, .silence_ms = 5000,
	.heartbeat_ms = 150, .answer_ms = 5000, .reread_min_ms = 60000, .reread_max_ms = 60000,
	.tick_ms = 10, .nap_us = 300,
};

static void
play_row(void **state)
{
	static struct mu_secret password = { (unsigned char *)(uintptr_t)"secret", 6 };
	static struct directory_map map[] = { { .name = "uid", .attribute = "uid", .required = true } };
	struct model *m = model_new();
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE], *g = &m->searches[DIRECTORY_GROUPS];
	char uri[64];
	struct server server;
	struct directory_source source = { .name = "ad", .uri = uri, .insecure_plain = true,
		.bind_dn = "cn=muster", .bind_password = &password, .people_base = PEOPLE,
		.people_filter = "(&(objectClass=user)(employeeType=staff))", .map = map, .map_count = 1, .groups_base = GROUPS,
		.groups_filter = "(objectClass=group)", .group_name = "cn", .group_member = "member",
		.every_ms = 60000, .key = SETTINGS_KEY_OBJECT_GUID };

	play_now = *state;
	source.follow = play_now->follow;
	source.every_ms = play_now->reads > 1 ? 10 : 60000;
	times = roots = 0;
	drifting = NULL;
	(void)memset(asks, 0, sizeof(asks));
	server_open(&server, m->loop, search_answer);
	(void)snprintf(uri, sizeof(uri), "ldap://127.0.0.1:%u", server.port);
	m->timing = &play_timing;
	model_open(m, &source);
	model_run(m, model_is_complete, IN_TIME_MS, "the beginning");
	model_close(m);
	model_names_check(m, DIRECTORY_PEOPLE, "ana ben cem");
	staff_check(m, "ana ben");
	if (play_now->follow != SETTINGS_FOLLOW_PAGED)
		cookie_set(m, play_now->list_at_s == 0 ? mu_now_s() + 3600 : play_now->list_at_s,
		    play_now->settles_s == 0 ? 0 : mu_now_s() + play_now->settles_s, play_now->searches_only);

	server.play = play_now;
	(void)memset(asks, 0, sizeof(asks));
	model_open(m, &source);
	if (play_now->again) {
		model_run(m, play_is_cut, IN_TIME_MS, play_now->name);
		model_close(m);
		model_open(m, &source);
	}
	model_run(m, play_now->cut ? play_is_cut : play_is_over, IN_TIME_MS, play_now->name);
	if (play_now->afterwards) {
		model_close(m);
		(void)memset(asks, 0, sizeof(asks));
		model_open(m, &source);
		model_run(m, play_is_over, IN_TIME_MS, play_now->name);
	}
	if (play_now->follow != SETTINGS_FOLLOW_PAGED)
		cookie_check(m);
	model_names_check(m, DIRECTORY_PEOPLE, play_now->people);
	staff_check(m, play_now->staff);
	assert_int_equal(play_now->removed, s->removed_count);
	assert_int_equal(play_now->missing, s->missing_count);
	assert_int_equal(play_now->removed_groups, g->missing_count + g->removed_count);
	assert_int_equal(play_now->quarantined, s->quarantined_count + g->quarantined_count);
	if (play_now->want == VERDICT_COMPLETE || play_now->want == VERDICT_STALE)
		assert_int_equal(play_now->full, asks[LIST] > 0);
	if (play_now->asked_at_most == NONE)
		assert_int_equal(0, asks[play_now->asked]);
	else
		assert_true(play_now->asked_at_most == 0 || asks[play_now->asked] <= play_now->asked_at_most);
	if (play_now->text != NULL)
		assert_non_null(strstr(m->text, play_now->text));
	else
		assert_string_equal("", m->text);
	model_close(m);
	server_close(&server);
	model_free(m);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(plays)];

	for (size_t i = 0; i < MU_COUNT(plays); i++)
		tests[i] = (struct CMUnitTest){ plays[i].name, play_row, NULL, NULL, &plays[i] };
	return _cmocka_run_group_tests("directory/controller", tests, MU_COUNT(tests), NULL, NULL);
}
