/* ad_server.c - which domain controller answers, and what our cookie is worth with it */
#include "directory/ad_reader_priv.h"

#include <string.h>

#define SETTLE_S	(3 * 3600)	/* replInterval: how late another site may be, by default */

static const char no_deleted[] = "deleted entries are not shown to bind_dn, so every read lists "
    "everybody: let it read CN=Deleted Objects (dsacls ... /G ACCOUNT:LCRP)";
static const char other_server[] = "another domain controller answers than before, or its database "
    "was restored: who is missing there may not have reached it yet, so nobody is removed for it "
    "before everybody is listed again, in 3 h or by muster sync run; name one domain controller in "
    "uri";
static const char rolled_back[] = "the domain controller is older than what it has told us before "
    "(a USN rollback: was it restored from a snapshot?): nothing of it is believed until it has "
    "caught up; if what it holds is right, say so by muster sync run";

/* --- What our cookie is worth ---------------------------------------------------------------- */

/* Compares our cookie with the server; false: it does not say what changed since. */
static bool
cookie_weigh(struct directory *d)
{
	struct ad *ad = d->ad;
	int64_t now_s = mu_now_s();

	if (!mu_uuid_equal(&ad->from.invocation_id, &ad->invocation_id)) {
		ad->next.list_at_s = ad->next.trust_at_s = now_s + SETTLE_S;
		d->advice = other_server;
		return false;
	}
	ad->next.list_at_s = ad->from.list_at_s;
	if (now_s < ad->from.trust_at_s && ad->from.trust_at_s <= now_s + SETTLE_S) {
		ad->next.list_at_s = ad->next.trust_at_s = ad->from.trust_at_s;
		d->advice = other_server;
	}
	return now_s < ad->from.list_at_s && ad->from.list_at_s <= now_s + AD_LIST_EVERY_S &&
	    (ad->from.dirsync.size_bytes > 0 || !directory_ad_is_dirsync(d));
}

/* When everybody is to be listed, and who is missing then believed to be gone. */
static void
cookie_put(const struct ad_cookie *from, int64_t list_at_s, int64_t trust_at_s, struct mu_buf *out)
{
	struct ad_cookie cookie = *from;

	cookie.list_at_s = list_at_s;
	cookie.trust_at_s = trust_at_s;
	mu_buf_reset(out);
	directory_ad_cookie_encode(&cookie, out);
}

void
directory_ad_list_next(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct mu_buf *kept = &d->searches[i].kept;
		struct ad_cookie cookie = { .usn = 0 };

		if (!directory_ad_cookie_decode(kept->data, kept->size_bytes, &cookie))
			continue;
		cookie_put(&cookie, 0, cookie.trust_at_s, kept);
		mu_buf_clear(&cookie.dirsync);
	}
}

/*
 * Nothing is taken from a server that ran backwards: who was disabled since would get all of it
 * back. When it has caught up its USNs mean other changes than those we know, so everybody is
 * listed; and who joined in what it has lost is not gone for that. The cookies have to say so, in
 * the store, too: by then we may have been started anew.
 */
static enum mu_rc
rollback_end(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &d->searches[i];
		struct ad_cookie cookie = { .usn = 0 };

		if (!directory_ad_cookie_decode(s->kept.data, s->kept.size_bytes, &cookie))
			continue;
		s->has_next = cookie.list_at_s != 0 || cookie.trust_at_s == 0;
		cookie_put(&cookie, 0, mu_now_s() + SETTLE_S, &s->next);
		mu_buf_clear(&cookie.dirsync);
		d->reported |= s->has_next;
	}
	directory_doom(d, VERDICT_STALE, rolled_back, "");
	return MU_OK;
}

/*
 * Do changes say who is gone? With the right to replicate DirSync tells of deleted entries whether
 * searches show them or not; without it that right, too, may have been taken away.
 */
static bool
deletions_are_told(const struct directory *d)
{
	return d->ad->deleted_shown ||
	    (directory_ad_is_dirsync(d) && !d->ad->from.object_security);
}

void
directory_ad_no_deleted_advise(struct directory *d)
{
	if (d->advice == NULL)
		d->advice = no_deleted;
}

/* Which server this is, and what it shows, is known. */
enum mu_rc
directory_ad_search_begin(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];

	ad->next.invocation_id = ad->invocation_id;
	ad->next.usn = ad->usn;
	if (!ad->deleted_shown && !directory_ad_is_dirsync(d))
		directory_ad_no_deleted_advise(d);
	if (s->full || !directory_ad_cookie_decode(s->kept.data, s->kept.size_bytes, &ad->from))
		return directory_ad_full_begin(d, search);
	if (mu_uuid_equal(&ad->from.invocation_id, &ad->invocation_id) && ad->from.usn > ad->usn)
		return rollback_end(d);
	if (cookie_weigh(d) && deletions_are_told(d))
		return directory_ad_changes_begin(d, search);
	return directory_ad_full_begin(d, search);
}

/* --- ROOT, SERVICE, BIN: which server -------------------------------------------------------- */

/* Longer than those that hold it, too: the one whose name is the longest. */
static const char *
context_find(struct ad *ad, const char *base)
{
	MU_AUTO(mu_buf_clear) struct mu_buf dn = MU_BUF_INIT, end = MU_BUF_INIT;
	const char *at = mu_buf_text(&ad->contexts), *found = NULL;
	size_t found_bytes = 0;

	if (!directory_dn_normalise(base, strlen(base), &dn))
		return NULL;
	for (; at < mu_buf_text(&ad->contexts) + ad->contexts.size_bytes; at += strlen(at) + 1) {
		size_t before;

		mu_buf_reset(&end);
		if (!directory_dn_normalise(at, strlen(at), &end) ||
		    end.size_bytes > dn.size_bytes || end.size_bytes <= found_bytes)
			continue;
		before = dn.size_bytes - end.size_bytes;
		if (strcmp(dn.data + before, end.data) != 0 ||
		    (before > 0 && dn.data[before - 1] != ','))
			continue;
		found = at;
		found_bytes = end.size_bytes;
	}
	return found;
}

void
directory_ad_root_entry(struct directory *d, LDAPMessage *m)
{
	struct ad *ad = d->ad;
	struct berval **contexts = ldap_get_values_len(d->ld, m, "namingContexts");

	for (size_t i = 0; contexts != NULL && contexts[i] != NULL; i++) {
		if (memchr(contexts[i]->bv_val, '\0', contexts[i]->bv_len) != NULL)
			continue;
		mu_buf_add(&ad->contexts, contexts[i]->bv_val, contexts[i]->bv_len);
		mu_buf_char_add(&ad->contexts, '\0');
	}
	ldap_value_free_len(contexts);
	(void)directory_ad_text(d, m, "dsServiceName", &ad->service);
	if (!directory_ad_number(d, m, "highestCommittedUSN", &ad->usn))
		ad->usn = 0;
}

static enum mu_rc
context_begin(struct directory *d, enum directory_search search)
{
	const char *base = directory_search_base(d->source, search);

	d->ad->context = context_find(d->ad, base);
	if (d->ad->context == NULL) {
		directory_doom(d, VERDICT_UNREACHABLE, "the domain controller holds no naming "
		    "context with the base ", base);
		return MU_OK;
	}
	return directory_ad_sent(d, directory_ad_bin_ask(d, search));
}

enum mu_rc
directory_ad_identity_end(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;

	if (ad->step == AD_ROOT && ad->usn > 0 && ad->service.size_bytes > 0)
		return directory_ad_sent(d, directory_ad_service_ask(d, search));
	if (ad->step == AD_SERVICE && ad->identified)
		return context_begin(d, search);
	directory_doom(d, VERDICT_UNREACHABLE, ad->step == AD_ROOT ?
	    "this is no domain controller of Active Directory (its root DSE names no dsServiceName "
	    "and highestCommittedUSN): follow: paged reads any server" :
	    "the domain controller does not show its invocationId to bind_dn: let it read ",
	    ad->step == AD_ROOT ? "" : mu_buf_text(&ad->service));
	return MU_OK;
}
