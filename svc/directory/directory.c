#include "directory/directory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/key_priv.h"
#include "directory/reader_priv.h"

const struct directory_timing directory_timing_usual = {
	.bind_ms = 10000, .again_min_ms = 1000, .again_max_ms = 30000, .silence_ms = 120000,
	.heartbeat_ms = 60000, .answer_ms = 30000, .reread_min_ms = 30000, .reread_max_ms = 3600000,
	.tick_ms = 2000, .nap_us = 300,
};

static const struct directory_provider *
provider_of(const struct directory_source *source)
{
	switch (source->follow) {
	case SETTINGS_FOLLOW_PERSIST:
		return &directory_provider_persist;
	case SETTINGS_FOLLOW_POLL:
		return &directory_provider_poll;
	case SETTINGS_FOLLOW_PAGED:
		return &directory_provider_paged;
	case SETTINGS_FOLLOW_DIRSYNC:
		return &directory_provider_dirsync;
	case SETTINGS_FOLLOW_USN:
		return &directory_provider_usn;
	}
	return NULL;
}

const char *
directory_search_base(const struct directory_source *source, enum directory_search search)
{
	return search == DIRECTORY_PEOPLE ? source->people_base : source->groups_base;
}

const char *
directory_search_filter(const struct directory_source *source, enum directory_search search)
{
	const char *filter = search == DIRECTORY_PEOPLE ?
	    source->people_filter : source->groups_filter;

	return filter == NULL || filter[0] == '\0' ? "(objectClass=*)" : filter;
}

static bool
search_wanted(const struct directory_source *source, enum directory_search search)
{
	const char *base = directory_search_base(source, search);

	return base != NULL && base[0] != '\0';
}

/* --- Verdicts, and the end of a connection --------------------------------------------------- */

void
directory_verdict_report(struct directory *d, enum verdict verdict, const char *text)
{
	if (verdict == d->verdict && mu_text_equal(text, mu_buf_text(&d->verdict_text)))
		return;
	d->verdict = verdict;
	mu_buf_reset(&d->verdict_text);
	mu_buf_text_add(&d->verdict_text, text);
	d->events->verdict(d->ctx, verdict, text);
}

void
directory_slice_drop(struct directory *d)
{
	for (size_t i = 0; i < d->slice_count; i++) {
		struct item *item = &d->slice[i];

		ldap_controls_free(item->controls);
		ber_bvfree(item->data);
		(void)ldap_msgfree(item->m);
	}
	d->slice_count = 0;
	d->slice_bytes = 0;
	d->slice_removes = false;
	d->holding = false;
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		d->searches[i].has_next = false;
}

static void
connection_end(struct directory *d)
{
	directory_slice_drop(d);
	directory_link_close(d->link);
	d->link = NULL;
	d->ld = NULL;
	mu_timer_stop(d->pump_timer);
	mu_timer_stop(d->tick_timer);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		d->searches[i].msgid = 0;
		d->searches[i].probe_msgid = 0;
	}
	for (size_t i = 0; i < d->reread_count; i++) {
		d->rereads[i].msgid = 0;
		d->rereads[i].mended = false;
	}
}

void
directory_lose(struct directory *d, enum verdict verdict, const char *text)
{
	int64_t pause_ms = d->timing->again_min_ms;
	uint32_t dice;

	connection_end(d);
	for (unsigned int i = 0; i < d->failure_count && pause_ms < d->timing->again_max_ms; i++)
		pause_ms *= 2;
	if (pause_ms > d->timing->again_max_ms)
		pause_ms = d->timing->again_max_ms;
	d->failure_count++;
	mu_random(&dice, sizeof(dice));
	mu_timer_set(d->again_timer, pause_ms / 2 + (int64_t)dice % (pause_ms / 2 + 1));
	if (verdict != VERDICT_NONE)
		directory_verdict_report(d, verdict, text);
}

void
directory_rest(struct directory *d)
{
	connection_end(d);
	mu_timer_set(d->again_timer, d->source->every_ms);
}

enum verdict
directory_failure_verdict(const struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (d->searches[i].msgid != 0 && d->searches[i].refreshing &&
		    d->searches[i].changed)
			return VERDICT_TRUNCATED;
	return VERDICT_UNREACHABLE;
}

/* --- Connecting ------------------------------------------------------------------------------ */

int
directory_search_ask(struct directory *d, enum directory_search search, LDAPControl *control)
{
	LDAPControl *controls[2] = { control, NULL };
	struct search *s = &d->searches[search];
	int rc = ldap_search_ext(d->ld, directory_search_base(d->source, search),
	    LDAP_SCOPE_SUBTREE, directory_search_filter(d->source, search),
	    d->attributes[search], 0, controls, NULL, NULL, LDAP_NO_LIMIT, &s->msgid);

	if (rc != LDAP_SUCCESS)
		s->msgid = 0;
	return rc;
}

static int
search_begin(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];

	*s = (struct search){ .kept = s->kept, .held = s->held, .next = s->next, .page = s->page,
	    .refreshing = true, .full = s->kept.size_bytes == 0 };
	mu_buf_reset(&s->held);
	mu_buf_reset(&s->page);
	if (s->full)
		directory_rereads_forget(d, search);
	return d->provider->begin(d, search);
}

bool
directory_search_send(struct directory *d, enum directory_search search)
{
	MU_AUTO(mu_buf_clear) struct mu_buf why = MU_BUF_INIT;
	int rc = search_begin(d, search);

	d->due[search] = false;
	if (rc == LDAP_SUCCESS)
		return true;
	mu_buf_format(&why, "search for %s: ", search == DIRECTORY_PEOPLE ? "people" : "groups");
	directory_ldap_text(d->ld, rc, NULL, &why);
	directory_lose(d, VERDICT_UNREACHABLE, mu_buf_text(&why));
	return false;
}

static void
linked(void *ctx, enum link_outcome outcome, const char *text)
{
	struct directory *d = ctx;

	if (outcome != LINK_BOUND) {
		directory_lose(d, VERDICT_UNREACHABLE, text);
		return;
	}
	d->ld = directory_link_ldap(d->link);
	d->doomed = false;
	d->complete = false;
	d->ended = false;
	d->advice = NULL;
	d->heard_ms = mu_tick_ms();
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		d->due[i] = search_wanted(d->source, (enum directory_search)i);
	if (d->due[DIRECTORY_GROUPS] ? directory_probe_send(d, DIRECTORY_PEOPLE) :
	    directory_search_send(d, DIRECTORY_PEOPLE))
		mu_timer_set(d->tick_timer, d->timing->tick_ms);
}

static void
connect_again(void *ctx)
{
	struct directory *d = ctx;
	const char *dn = d->source->bind_dn == NULL ? "" : d->source->bind_dn;

	d->link = directory_link_open(d->loop, d->source, dn, d->source->bind_password,
	    d->timing->bind_ms, linked, directory_pump, d);
}

/* --- The face -------------------------------------------------------------------------------- */

static void
shape_part(struct mu_buf *b, const char *text)
{
	const char *given = text == NULL ? "" : text;

	mu_buf_format(b, "%zu:%s", strlen(given), given);
}

void
directory_shape(const struct directory_source *source, enum directory_search search,
    struct mu_buf *b)
{
	shape_part(b, provider_of(source)->name);
	shape_part(b, search == DIRECTORY_PEOPLE ? "people" : "groups");
	shape_part(b, directory_search_base(source, search));
	shape_part(b, "subtree");
	shape_part(b, directory_search_filter(source, search));
	if (source->key != SETTINGS_KEY_ENTRY_UUID)
		shape_part(b, directory_key_attribute(source->key));
	if (search == DIRECTORY_GROUPS) {
		shape_part(b, source->group_name);
		shape_part(b, source->group_member);
		return;
	}
	for (size_t i = 0; i < source->map_count; i++) {
		shape_part(b, source->map[i].name);
		shape_part(b, source->map[i].attribute);
		shape_part(b, source->map[i].required ? "required" : "optional");
		if (source->map[i].value != SETTINGS_VALUE_TEXT)
			mu_buf_format(b, "%d/%lu", (int)source->map[i].value,
			    (unsigned long)source->map[i].bits);
	}
}

static bool
text_missing(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static enum mu_rc
source_check(const struct directory_source *source, struct mu_err *err)
{
	if (directory_link_prepare(source, err) != MU_OK)
		return err->rc;
	if (text_missing(source->bind_dn) && strncasecmp(source->uri, "ldapi://", 8) != 0)
		return mu_fail(err, MU_ECONFIG, "source %s: bind_dn is missing", source->name);
	if (!text_missing(source->bind_dn) &&
	    (source->bind_password == NULL || source->bind_password->size_bytes == 0))
		return mu_fail(err, MU_ECONFIG, "source %s: the bind password is empty",
		    source->name);
	if (!search_wanted(source, DIRECTORY_PEOPLE))
		return mu_fail(err, MU_ECONFIG, "source %s: the people's base is missing",
		    source->name);
	if (search_wanted(source, DIRECTORY_GROUPS) &&
	    (text_missing(source->group_name) || text_missing(source->group_member)))
		return mu_fail(err, MU_ECONFIG, "source %s: groups need name and member",
		    source->name);
	for (size_t i = 0; i < source->map_count; i++)
		if (text_missing(source->map[i].name) || text_missing(source->map[i].attribute))
			return mu_fail(err, MU_ECONFIG, "source %s: the map has an empty name",
			    source->name);
	return MU_OK;
}

enum mu_rc
directory_open(struct mu_loop *loop, const struct directory_source *source,
    const struct directory_resume *resume, const struct directory_events *events, void *ctx,
    struct directory **out_directory, struct mu_err *err)
{
	struct directory *d;

	if (source_check(source, err) != MU_OK)
		return err->rc;
	d = mu_alloc_zero(1, sizeof(*d));
	d->loop = loop;
	d->source = source;
	d->provider = provider_of(source);
	d->events = events;
	d->ctx = ctx;
	d->timing = &directory_timing_usual;
	d->again_timer = mu_loop_timer(loop, connect_again, d);
	d->pump_timer = mu_loop_timer(loop, directory_pump, d);
	d->tick_timer = mu_loop_timer(loop, directory_tick, d);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		if (search_wanted(source, (enum directory_search)i))
			d->attributes[i] = directory_entry_attributes(source,
			    (enum directory_search)i);
		if (resume != NULL && d->provider->cookie_usable != NULL &&
		    d->provider->cookie_usable(resume->cookies[i].bytes,
		    resume->cookies[i].size_bytes))
			mu_buf_add(&d->searches[i].kept, resume->cookies[i].bytes,
			    resume->cookies[i].size_bytes);
	}
	mu_timer_set(d->again_timer, 0);
	*out_directory = d;
	return MU_OK;
}

void
directory_close(struct directory *d)
{
	if (d == NULL)
		return;
	directory_slice_drop(d);
	if (d->provider->end != NULL)
		d->provider->end(d);
	directory_link_close(d->link);
	mu_timer_free(d->again_timer);
	mu_timer_free(d->pump_timer);
	mu_timer_free(d->tick_timer);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		mu_buf_clear(&d->searches[i].kept);
		mu_buf_clear(&d->searches[i].held);
		mu_buf_clear(&d->searches[i].next);
		mu_buf_clear(&d->searches[i].page);
		mu_free(d->attributes[i]);
	}
	directory_scratch_clear(&d->scratch);
	mu_buf_clear(&d->doom_text);
	mu_buf_clear(&d->verdict_text);
	mu_free(d);
}

void
directory_timing_set(struct directory *d, const struct directory_timing *timing)
{
	d->timing = timing;
}
