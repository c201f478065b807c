#include "directory/reader_priv.h"

#include <time.h>

#include "base/clock.h"
#include "directory/key_priv.h"

#define SLICE_MAX_BYTES		(4 * 1024 * 1024)	/* it ends behind the message that passes it */
#define REREADS_AT_ONCE		8
#define AHEAD_ENTRIES		128	/* about twice what a nap brings from a slapd that is not waited for */

static const struct timeval at_once = { 0, 0 };

static bool
some_refreshing(const struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (d->searches[i].msgid != 0 && d->searches[i].refreshing)
			return true;
	return false;
}

/* --- Probing: does the source still show anybody to us? -------------------------------------- */

bool
directory_probe_send(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];
	char none[] = LDAP_NO_ATTRS, *attributes[] = { none, NULL };

	if (s->probe_msgid != 0)
		(void)ldap_abandon_ext(d->ld, s->probe_msgid, NULL, NULL);
	s->probe_saw = false;
	d->probed_ms = mu_tick_ms();
	if (ldap_search_ext(d->ld, directory_search_base(d->source, search), LDAP_SCOPE_SUBTREE,
	    directory_search_filter(d->source, search), attributes, 0, NULL, NULL, NULL, 1,
	    &s->probe_msgid) == LDAP_SUCCESS)
		return true;
	s->probe_msgid = 0;
	directory_lose(d, directory_failure_verdict(d), "the connection was lost");
	return false;
}

/* Probes the searches whose deletions the slice reports. */
static void
slice_hold(struct directory *d)
{
	bool removes[DIRECTORY_SEARCH_COUNT] = { false, false };

	for (size_t i = 0; i < d->slice_count; i++)
		removes[d->slice[i].search] |= d->slice[i].removes;
	d->holding = true;
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (removes[i] && !directory_probe_send(d, (enum directory_search)i))
			return;
}

/* A message that answers a probe. */
static void
probe_answer(struct directory *d, struct search *s, LDAPMessage *m)
{
	if (ldap_msgtype(m) == LDAP_RES_SEARCH_ENTRY)
		s->probe_saw = true;
	if (ldap_msgtype(m) != LDAP_RES_SEARCH_RESULT)
		return;
	s->probe_msgid = 0;
	s->probe_result = LDAP_OTHER;
	(void)ldap_parse_result(d->ld, m, &s->probe_result, NULL, NULL, NULL, NULL, 0);
}

/*
 * A probe has ended: false when it saw nobody, and the connection ended. The first lets us begin, also
 * when it was refused: the searches themselves say better why.
 */
static bool
probe_believed(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];

	if (d->due[DIRECTORY_GROUPS] && (s->probe_saw || s->probe_result != LDAP_SUCCESS))
		return directory_search_send(d, DIRECTORY_GROUPS);
	if (s->probe_saw)
		return true;
	if (s->probe_result != LDAP_SUCCESS && s->probe_result != LDAP_NO_SUCH_OBJECT &&
	    s->probe_result != LDAP_INSUFFICIENT_ACCESS) {
		directory_lose(d, directory_failure_verdict(d),
		    "the server no longer answers searches");
		return false;
	}
	mu_buf_reset(&s->kept);
	if (search == DIRECTORY_PEOPLE)
		directory_lose(d, VERDICT_EMPTY,
		    "nobody is visible any more: check the access rules and "
		    "the filter; deletions that came with it are not believed");
	else
		directory_lose(d, VERDICT_TRUNCATED,
		    "no group is visible any more: deletions of groups "
		    "are not believed, and everything is read anew");
	return false;
}

/* --- Reading --------------------------------------------------------------------------------- */

/* How large an entry is, its DN aside. */
static size_t
entry_bytes(struct directory *d, LDAPMessage *m)
{
	BerElement *ber = NULL;
	struct berval dn;
	ber_len_t bytes = 0;

	if (ldap_get_dn_ber(d->ld, m, &ber, &dn) != LDAP_SUCCESS)
		return 0;
	if (ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &bytes) != LBER_OPT_SUCCESS)
		bytes = 0;
	ber_free(ber, 0);
	return bytes;
}

/* Puts a message into the slice, or answers it on the spot; false when the connection ended. */
static bool
message_take(struct directory *d, LDAPMessage *m)
{
	struct item *item = &d->slice[d->slice_count];
	int msgid = ldap_msgid(m);

	*item = (struct item){ .m = m, .type = ldap_msgtype(m) };
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT && msgid > 0; i++) {
		struct search *s = &d->searches[i];

		item->search = (enum directory_search)i;
		if (s->msgid == msgid)
			goto keep;
		if (s->probe_msgid == msgid) {
			probe_answer(d, s, m);
			(void)ldap_msgfree(m);
			return s->probe_msgid != 0 || probe_believed(d, item->search);
		}
	}
	for (size_t i = 0; i < d->reread_count && msgid > 0; i++)
		if (d->rereads[i].msgid == msgid) {
			item->search = d->rereads[i].search;
			item->reread_msgid = msgid;
			goto keep;
		}
	/* of a re-read that no longer matters, or a notice of disconnection */
	(void)ldap_msgfree(m);
	return true;
keep:
	if (item->type == LDAP_RES_SEARCH_ENTRY)
		d->slice_bytes += entry_bytes(d, m);
	if (item->reread_msgid == 0)
		d->provider->decode(d, item);
	d->slice_removes |= item->removes;
	d->slice_count++;
	return true;
}

enum filling { FILLED, DRAINED, LOST, ENDED };

/* Reads until the slice is full or nothing is there. */
static enum filling
slice_fill(struct directory *d)
{
	while (d->slice_count < DIRECTORY_SLICE_ENTRIES && d->slice_bytes < SLICE_MAX_BYTES) {
		struct timeval now = at_once;
		LDAPMessage *m = NULL;
		int rc = ldap_result(d->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &now, &m);

		if (rc == 0)
			return DRAINED;
		if (rc < 0)
			return LOST;
		d->heard_ms = mu_tick_ms();
		if (!message_take(d, m))
			return ENDED;
	}
	return FILLED;
}

/* Waits for a held slice's probes, and leaves all else in libldap; true when they have answered. */
static bool
probes_wait(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &d->searches[i];
		bool running = s->probe_msgid != 0;

		while (s->probe_msgid != 0) {
			struct timeval now = at_once;
			LDAPMessage *m = NULL;
			int rc = ldap_result(d->ld, s->probe_msgid, LDAP_MSG_ONE, &now, &m);

			if (rc == 0)
				return false;
			if (rc < 0) {
				directory_lose(d, directory_failure_verdict(d),
				    "the connection was lost");
				return false;
			}
			d->heard_ms = mu_tick_ms();
			probe_answer(d, s, m);
			(void)ldap_msgfree(m);
		}
		if (running && !probe_believed(d, (enum directory_search)i))
			return false;
	}
	d->holding = false;
	return true;
}

/*
 * A reader that is always waiting costs slapd a wake-up and a packet with every entry; one that
 * naps between its reads gets up to 1.5 times the entries a second, for less of both sides' time.
 * Far shorter than what a timer of the loop can do, only within a refresh, and only for a reader that
 * is ahead: where much came at once, slapd waits for us.
 */
static void
nap(const struct directory *d)
{
	struct timespec nap_time = { 0, 1000 * d->timing->nap_us };

	(void)nanosleep(&nap_time, NULL);
}

void
directory_pump(void *ctx)
{
	struct directory *d = ctx;
	/* what libldap holds back during a probe makes no descriptor ready */
	enum filling filling = FILLED;
	size_t came;
	bool some;

	if (d->ld == NULL)
		return;
	if (d->holding) {
		if (!probes_wait(d))
			return;
	} else {
		filling = slice_fill(d);
		if (filling == ENDED)
			return;
		if (filling == LOST)
			directory_link_lost(d->link);
		if (d->slice_removes && filling != LOST) {
			slice_hold(d);
			return;
		}
		/* Deletions that can no longer be probed are left out, and all that came with them. */
		if (d->slice_removes)
			directory_slice_drop(d);
	}
	came = d->slice_count;
	some = came > 0;
	if (some && !directory_slice_deliver(d))
		return;
	if (filling == LOST) {
		directory_lose(d, directory_failure_verdict(d), "the connection was lost");
		return;
	}
	if (filling == DRAINED && some && came < AHEAD_ENTRIES && some_refreshing(d))
		nap(d);
	if (filling == FILLED || (some && some_refreshing(d)))
		mu_timer_set(d->pump_timer, 0);
}

/* --- The clock ------------------------------------------------------------------------------- */

static void
reread_send(struct directory *d, struct reread *r)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;

	mu_buf_format(&filter, "(&%s", directory_search_filter(d->source, r->search));
	directory_key_filter(d->source->key, &r->entry_uuid, &filter);
	mu_buf_char_add(&filter, ')');
	if (ldap_search_ext(d->ld, directory_search_base(d->source, r->search), LDAP_SCOPE_SUBTREE,
	    mu_buf_text(&filter), d->attributes[r->search], 0, NULL, NULL, NULL, 1, &r->msgid) !=
	    LDAP_SUCCESS)
		r->msgid = 0;
	r->pause_ms = 2 * r->pause_ms < d->timing->reread_max_ms ? 2 * r->pause_ms :
	    d->timing->reread_max_ms;
	r->due_ms = mu_tick_ms() + r->pause_ms;
}

void
directory_rereads_send(struct directory *d)
{
	int64_t now = mu_tick_ms();
	size_t asked = 0;

	for (size_t i = 0; i < d->reread_count && asked < REREADS_AT_ONCE; i++) {
		if (d->rereads[i].due_ms > now)
			continue;
		reread_send(d, &d->rereads[i]);
		asked++;
	}
}

bool
directory_rest_if_done(struct directory *d)
{
	bool overdue = mu_tick_ms() - d->heard_ms > d->timing->answer_ms;

	if (!d->provider->rests || !d->complete)
		return true;
	for (size_t i = 0; i < d->reread_count && !overdue; i++)
		if (d->rereads[i].msgid != 0)
			return true;
	directory_rest(d);
	return false;
}

void
directory_tick(void *ctx)
{
	struct directory *d = ctx;
	int64_t now = mu_tick_ms();
	bool probing = false;

	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		probing |= d->searches[i].probe_msgid != 0;
	if (probing && now - d->probed_ms > d->timing->answer_ms) {
		directory_lose(d, directory_failure_verdict(d), "the server no longer answers");
		return;
	}
	if (some_refreshing(d) && !d->holding && now - d->heard_ms > d->timing->silence_ms) {
		directory_lose(d, directory_failure_verdict(d), "the refresh stands still");
		return;
	}
	if (!directory_rest_if_done(d))
		return;
	if (!some_refreshing(d) && !probing && now - d->heard_ms > d->timing->heartbeat_ms) {
		if (d->ends && d->complete) {	/* this one stays open */
			d->ends = false;
			directory_complete_report(d);
		}
		if (!directory_probe_send(d, DIRECTORY_PEOPLE))
			return;
	}
	if (!d->holding && !some_refreshing(d))	/* their answers would pass for its progress */
		directory_rereads_send(d);
	mu_timer_set(d->tick_timer, d->timing->tick_ms);
}
