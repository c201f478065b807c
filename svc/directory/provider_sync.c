/* provider_sync.c - RFC 4533: changes as they happen, or polled, from a cookie */
#include "directory/reader_priv.h"

#include "base/text.h"

static bool
persists(const struct directory *d)
{
	return d->provider == &directory_provider_persist;
}

/* --- Asking, and looking into what comes ----------------------------------------------------- */

static int
sync_begin(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];
	MU_AUTO(mu_buf_clear) struct mu_buf value = MU_BUF_INIT;
	LDAPControl *control = NULL;
	struct berval bytes;
	int rc;

	directory_sync_request(&value, persists(d) ? SYNC_REFRESH_AND_PERSIST : SYNC_REFRESH_ONLY,
	    &s->kept, !s->full);
	bytes = (struct berval){ value.size_bytes, value.data };
	rc = ldap_control_create(LDAP_CONTROL_SYNC, 1, &bytes, 1, &control);
	if (rc == LDAP_SUCCESS)
		rc = directory_search_ask(d, search, control);
	ldap_control_free(control);
	return rc;
}

static void
entry_decode(struct directory *d, struct item *item)
{
	LDAPControl *control = NULL;

	if (ldap_get_entry_controls(d->ld, item->m, &item->controls) == LDAP_SUCCESS)
		control = ldap_control_find(LDAP_CONTROL_SYNC_STATE, item->controls, NULL);
	item->sound = control != NULL &&
	    directory_sync_state_decode(control->ldctl_value.bv_val,
	    control->ldctl_value.bv_len, &item->state);
	if (!item->sound)
		return;
	item->entry_uuid = item->state.entry_uuid;
	item->removes = item->state.kind == SYNC_DELETE;
}

static void
info_decode(struct directory *d, struct item *item)
{
	char *oid = NULL;

	if (ldap_parse_intermediate(d->ld, item->m, &oid, &item->data, NULL, 0) == LDAP_SUCCESS &&
	    mu_text_equal(oid, LDAP_SYNC_INFO) && item->data != NULL)
		item->sound = directory_sync_info_decode(item->data->bv_val, item->data->bv_len,
		    &item->info);
	ldap_memfree(oid);
	item->removes = item->sound && item->info.kind == SYNC_ID_SET &&
	    item->info.refresh_deletes;
}

static void
sync_decode(struct directory *d, struct item *item)
{
	if (item->type == LDAP_RES_SEARCH_ENTRY)
		entry_decode(d, item);
	else if (item->type == LDAP_RES_INTERMEDIATE)
		info_decode(d, item);
}

/* --- From messages to events ----------------------------------------------------------------- */

/* What we resumed from proved worthless: the next connection reads everything. */
static void
distrust(struct directory *d, struct search *s, const char *why)
{
	mu_buf_reset(&s->kept);
	directory_doom(d, VERDICT_TRUNCATED, why, ": everything is read anew");
}

static void
cookie_note(struct search *s, const struct sync_cookie *cookie)
{
	struct mu_buf *b = s->refreshing ? &s->held : &s->next;

	if (s->cookies_muted || !directory_sync_cookie_usable(cookie->bytes, cookie->size_bytes))
		return;
	mu_buf_reset(b);
	mu_buf_add(b, cookie->bytes, cookie->size_bytes);
	if (!s->refreshing)
		s->has_next = true;
}

static enum mu_rc
present(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];

	s->present_phase = true;
	s->present_named = true;
	s->listed_count++;
	return d->events->present(d->ctx, search, entry_uuid, err);
}

static enum mu_rc
entry_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	enum mu_rc rc;

	if (item->sound && item->state.kind == SYNC_DELETE)
		rc = directory_removed_deliver(d, item->search, &item->entry_uuid, err);
	else if (item->sound && item->state.kind == SYNC_PRESENT)
		rc = present(d, item->search, &item->entry_uuid, err);
	else
		rc = directory_entry_deliver(d, item, err);
	if (rc == MU_OK && item->sound)
		cookie_note(&d->searches[item->search], &item->state.cookie);
	return rc;
}

static enum mu_rc
id_set_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct sync_info info = item->info;
	struct mu_uuid entry_uuid;
	enum mu_rc rc = MU_OK;

	if (!info.refresh_deletes)
		d->searches[item->search].present_phase = true;
	while (rc == MU_OK && directory_sync_uuid_next(&info, &entry_uuid))
		rc = info.refresh_deletes ?
		    directory_removed_deliver(d, item->search, &entry_uuid, err) :
		    present(d, item->search, &entry_uuid, err);
	if (rc == MU_OK)
		cookie_note(&d->searches[item->search], &item->info.cookie);
	return rc;
}

/* The refresh of one search is over: what was it worth? */
static enum mu_rc
listing_end(struct directory *d, enum directory_search search, bool deletes,
    const struct sync_cookie *cookie, struct mu_err *err)
{
	struct search *s = &d->searches[search];
	enum directory_how how = s->full ? DIRECTORY_FULL_LISTED :
	    s->present_phase || !deletes ? DIRECTORY_PRESENT_LISTED : DIRECTORY_DELTA;

	cookie_note(s, cookie);
	if (how == DIRECTORY_PRESENT_LISTED && !s->present_named) {
		distrust(d, s, "the refresh named nobody as present");
		return MU_OK;
	}
	if (!s->full && s->held.size_bytes == 0 && !s->cookies_muted &&
	    (s->changed || how == DIRECTORY_PRESENT_LISTED)) {
		distrust(d, s, "the server answered our cookie without one of its own");
		return MU_OK;
	}
	return directory_refresh_end(d, search, how, err);
}

static enum mu_rc
info_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];

	if (!item->sound) {
		directory_doom(d, directory_failure_verdict(d),
		    "a malformed RFC 4533 message came", "");
		return MU_OK;
	}
	switch (item->info.kind) {
	case SYNC_NEW_COOKIE:
		cookie_note(s, &item->info.cookie);
		return MU_OK;
	case SYNC_ID_SET:
		return id_set_handle(d, item, err);
	case SYNC_REFRESH_PRESENT:
	case SYNC_REFRESH_DELETE:
		if (!s->refreshing)
			break;
		if (item->info.refresh_done && persists(d))	/* polled: the result says so */
			return listing_end(d, item->search, item->info.kind == SYNC_REFRESH_DELETE,
			    &item->info.cookie, err);
		s->present_phase |= item->info.kind == SYNC_REFRESH_PRESENT;
		cookie_note(s, &item->info.cookie);
		break;
	}
	return MU_OK;
}

/* The end of what was polled; or the server has ended a search that was to stay open. */
static enum mu_rc
done_handle(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];
	LDAPControl *control = ldap_control_find(LDAP_CONTROL_SYNC_DONE, controls, NULL);
	struct sync_done done = { .refresh_deletes = false };
	bool sound = control != NULL && directory_sync_done_decode(control->ldctl_value.bv_val,
	    control->ldctl_value.bv_len, &done);
	enum mu_rc rc = MU_OK;

	if (s->refreshing && !sound) {
		directory_doom(d, VERDICT_TRUNCATED,
		    "the search ended without an RFC 4533 result", "");
		return MU_OK;
	}
	if (s->refreshing)
		rc = listing_end(d, search, done.refresh_deletes, &done.cookie, err);
	else if (sound)
		cookie_note(s, &done.cookie);
	s->msgid = 0;
	if (persists(d))
		d->ended = d->ends = true;
	return rc;
}

static void
result_failed(struct directory *d, struct search *s, int result, const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	directory_ldap_text(NULL, result, diagnostic, &text);
	switch (result) {
	case LDAP_SYNC_REFRESH_REQUIRED:
	case LDAP_X_SYNC_REFRESH_REQUIRED:
		if (s->full)
			directory_doom(d, VERDICT_TRUNCATED,
			    "the server asks for a full read in a full read", "");
		else
			distrust(d, s, "the cookie is too old for the server");
		return;
	case LDAP_UNWILLING_TO_PERFORM:
		if (s->full)
			break;
		directory_doom(d, VERDICT_STALE,
		    "the server is older than what it has told us before "
		    "(was it restored from a backup?): ", mu_buf_text(&text));
		return;
	case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
		directory_doom(d, VERDICT_UNREACHABLE,
		    "the server has no RFC 4533 for this base (slapd: overlay syncprov; without "
		    "it follow: paged): ", mu_buf_text(&text));
		return;
	default:
		break;
	}
	directory_search_failed(d, result, diagnostic);
}

static enum mu_rc
result_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	LDAPControl **controls = NULL;
	char *diagnostic = NULL;
	int result = LDAP_OTHER;
	enum mu_rc rc = MU_OK;

	if (ldap_parse_result(d->ld, item->m, &result, NULL, &diagnostic, NULL, &controls, 0) !=
	    LDAP_SUCCESS)
		directory_doom(d, directory_failure_verdict(d), "a malformed result came", "");
	else if (result == LDAP_SUCCESS)
		rc = done_handle(d, item->search, controls, err);
	else
		result_failed(d, &d->searches[item->search], result, diagnostic);
	ldap_controls_free(controls);
	ldap_memfree(diagnostic);
	return rc;
}

static enum mu_rc
sync_message(struct directory *d, struct item *item, struct mu_err *err)
{
	if (item->type == LDAP_RES_SEARCH_ENTRY)
		return entry_handle(d, item, err);
	if (item->type == LDAP_RES_SEARCH_RESULT)
		return result_handle(d, item, err);
	d->searches[item->search].changed |= item->sound && item->info.kind == SYNC_ID_SET;
	return info_handle(d, item, err);
}

const struct directory_provider directory_provider_persist = {
	.name = "rfc4533-persist",
	.cookie_usable = directory_sync_cookie_usable,
	.begin = sync_begin,
	.decode = sync_decode,
	.message = sync_message,
};

const struct directory_provider directory_provider_poll = {
	.name = "rfc4533-poll",
	.rests = true,
	.cookie_usable = directory_sync_cookie_usable,
	.begin = sync_begin,
	.decode = sync_decode,
	.message = sync_message,
};
