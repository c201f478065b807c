/*
 * tests/unit/directory/model.h - a consumer as small as can be, and what it has to hold in the end
 *
 * It keeps people and groups by entryUUID, applies a slice when slice_end comes, removes who was not
 * listed when it may, and counts. Every callback checks the contract of directory/directory.h.
 */
#ifndef TESTS_DIRECTORY_MODEL_H
#define TESTS_DIRECTORY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/directory.h"
#include "directory/directory_priv.h"

#ifdef MUSTER_SANITIZED
/* libldap loses one gnutls_priority_t with each TLS context that is given priorities (2.5, 2.6). */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:gnutls_priority_init";
}
#endif

struct model_row {
	struct mu_uuid entry_uuid;
	char *uid, *dn, *text;		/* text: a person's attributes or a group's members */
	bool listed;			/* in the refresh under way */
};

struct model_rows {
	struct model_row *list;
	size_t count;
};

struct model_search {
	struct model_rows rows;
	struct mu_buf cookie;
	bool refreshing;
	size_t began_count, full_count, refreshed_count, entry_count, removed_count, missing_count,
	    quarantined_count, present_count;
	enum directory_how how;		/* of the last refresh */
	enum verdict worth;
	char reason[200];		/* of the last quarantined */
};

struct model {
	struct mu_loop *loop;
	struct directory *directory;
	const struct directory_timing *timing;
	struct model_search searches[DIRECTORY_SEARCH_COUNT];
	size_t people_early_count;	/* refreshes of people that began before their groups were known */
	size_t slice_count, slice_entries, slice_entries_max, verdict_count;
	bool in_slice;
	enum verdict verdict;
	unsigned int verdicts;		/* since whoever waits last looked: a bit for each */
	char text[400];
	size_t refuse_slices;		/* so many slice_ends are answered with an error */
	bool refuse_next_entry;
	bool refuse_empty_groups;
	bool (*until)(struct model *m);
	int64_t deadline_ms;
	bool late;
};

static const struct directory_timing model_timing = {
	.bind_ms = 5000, .again_min_ms = 20, .again_max_ms = 200, .silence_ms = 4000,
	.heartbeat_ms = 300, .answer_ms = 700, .reread_min_ms = 100, .reread_max_ms = 400,
	.tick_ms = 20, .nap_us = 300,
};

static inline struct model_row *
model_find(struct model_search *s, const struct mu_uuid *entry_uuid)
{
	for (size_t i = 0; i < s->rows.count; i++)
		if (mu_uuid_equal(&s->rows.list[i].entry_uuid, entry_uuid))
			return &s->rows.list[i];
	return NULL;
}

static inline void
model_row_clear(struct model_row *row)
{
	free(row->uid);
	free(row->dn);
	free(row->text);
}

static inline void
model_drop(struct model_search *s, struct model_row *row)
{
	model_row_clear(row);
	*row = s->rows.list[--s->rows.count];
}

static inline enum mu_rc
model_began(void *ctx, enum directory_search search, bool full, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_search *s = &m->searches[search];

	(void)err;
	m->in_slice = true;
	s->refreshing = true;
	s->began_count++;
	s->full_count += full;
	if (search == DIRECTORY_PEOPLE && (m->searches[DIRECTORY_GROUPS].refreshing ||
	    m->searches[DIRECTORY_GROUPS].began_count < s->began_count))
		m->people_early_count++;
	for (size_t i = 0; i < s->rows.count; i++)
		s->rows.list[i].listed = false;
	return MU_OK;
}

static inline enum mu_rc
model_entry(void *ctx, enum directory_search search, struct directory_entry *entry, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_search *s = &m->searches[search];
	struct model_row *row = model_find(s, &entry->entry_uuid);
	struct mu_buf text = MU_BUF_INIT;

	if (m->refuse_next_entry) {
		m->refuse_next_entry = false;
		m->in_slice = false;
		return mu_fail(err, MU_ERETRY, "the store is away");
	}
	m->in_slice = true;
	m->slice_entries++;
	s->entry_count++;
	assert_int_equal(search == DIRECTORY_PEOPLE, entry->attrs != NULL);
	assert_int_equal(search == DIRECTORY_GROUPS, entry->group_name != NULL);
	if (row == NULL) {
		if ((s->rows.count & (s->rows.count + 1)) == 0)
			s->rows.list = realloc(s->rows.list,
			    (2 * s->rows.count + 2) * sizeof(*s->rows.list));
		row = &s->rows.list[s->rows.count++];
	} else {
		model_row_clear(row);
	}
	if (entry->attrs != NULL) {
		attrs_encode(entry->attrs, &text);
		row->uid = mu_strdup(attrs_first(entry->attrs, "uid"));
	} else {
		for (size_t i = 0; i < entry->member_count; i++) {
			assert_true(i == 0 || strcmp(entry->members[i - 1], entry->members[i]) < 0);
			mu_buf_format(&text, "%s\n", entry->members[i]);
		}
		row->uid = mu_strdup(entry->group_name);
	}
	row->entry_uuid = entry->entry_uuid;
	row->dn = mu_strdup(entry->dn);
	row->text = mu_strdup(mu_buf_text(&text));
	row->listed = true;
	mu_buf_clear(&text);
	return MU_OK;
}

static inline enum mu_rc
model_present(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_row *row = model_find(&m->searches[search], entry_uuid);

	(void)err;
	m->in_slice = true;
	m->searches[search].present_count++;
	assert_true(m->searches[search].refreshing);
	if (row != NULL)
		row->listed = true;
	return MU_OK;
}

static inline enum mu_rc
model_removed(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_row *row = model_find(&m->searches[search], entry_uuid);

	(void)err;
	m->in_slice = true;
	m->searches[search].removed_count++;
	if (row != NULL)
		model_drop(&m->searches[search], row);
	return MU_OK;
}

static inline enum mu_rc
model_quarantined(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    const char *dn, const char *reason, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_search *s = &m->searches[search];
	struct model_row *row = entry_uuid == NULL ? NULL : model_find(s, entry_uuid);

	(void)err;
	m->in_slice = true;
	assert_non_null(dn);
	s->quarantined_count++;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
	if (row != NULL)
		row->listed = true;
	return MU_OK;
}

static inline enum mu_rc
model_refreshed(void *ctx, enum directory_search search, enum verdict verdict, enum directory_how how,
    size_t listed_count, struct mu_err *err)
{
	struct model *m = ctx;
	struct model_search *s = &m->searches[search];

	m->in_slice = true;
	assert_true(s->refreshing);
	assert_int_equal(verdict == VERDICT_EMPTY, how == DIRECTORY_FULL_LISTED && listed_count == 0);
	if (search == DIRECTORY_GROUPS && verdict == VERDICT_EMPTY && m->refuse_empty_groups &&
	    s->rows.count > 0) {
		m->in_slice = false;
		return mu_fail(err, MU_ERETRY, "there were groups before");
	}
	s->refreshing = false;
	s->refreshed_count++;
	s->how = how;
	s->worth = verdict;
	if (verdict != VERDICT_COMPLETE || how == DIRECTORY_DELTA)
		return MU_OK;
	for (size_t i = s->rows.count; i-- > 0;)
		if (!s->rows.list[i].listed) {
			s->missing_count++;
			model_drop(s, &s->rows.list[i]);
		}
	return MU_OK;
}

static inline enum mu_rc
model_cookie(void *ctx, enum directory_search search, const void *bytes, size_t bytes_count, struct mu_err *err)
{
	struct model *m = ctx;

	(void)err;
	assert_false(m->searches[search].refreshing);
	assert_true(bytes_count > 0);
	if (m->refuse_slices > 0)
		return MU_OK;
	mu_buf_reset(&m->searches[search].cookie);
	mu_buf_add(&m->searches[search].cookie, bytes, bytes_count);
	return MU_OK;
}

static inline enum mu_rc
model_slice_end(void *ctx, struct mu_err *err)
{
	struct model *m = ctx;

	m->in_slice = false;
	m->slice_count++;
	if (m->slice_entries > m->slice_entries_max)
		m->slice_entries_max = m->slice_entries;
	m->slice_entries = 0;
	if (m->refuse_slices > 0) {
		m->refuse_slices--;
		return mu_fail(err, MU_ERETRY, "the store is away");
	}
	return MU_OK;
}

static inline void
model_verdict(void *ctx, enum verdict verdict, const char *text)
{
	struct model *m = ctx;

	assert_false(m->in_slice);
	m->verdict = verdict;
	m->verdicts |= 1u << verdict;
	m->verdict_count++;
	(void)snprintf(m->text, sizeof(m->text), "%s", text);
	if (getenv("MODEL_TALKS") != NULL)
		fprintf(stderr, "%lld verdict %s: %s\n", (long long)mu_tick_ms(), verdict_name(verdict), text);
}

static const struct directory_events model_events = {
	.began = model_began, .entry = model_entry, .present = model_present, .removed = model_removed,
	.quarantined = model_quarantined, .refreshed = model_refreshed, .cookie = model_cookie,
	.slice_end = model_slice_end, .verdict = model_verdict,
};

static inline void
model_turn(void *ctx)
{
	struct model *m = ctx;

	if (m->until == NULL)
		return;
	if (m->until(m)) {
		mu_loop_stop(m->loop, 0);
	} else if (mu_tick_ms() > m->deadline_ms) {
		m->late = true;
		mu_loop_stop(m->loop, 1);
	}
}

static inline void
model_nudge(void *ctx)
{
	struct mu_timer **t = ctx;

	mu_timer_set(*t, 10);
}

static inline struct model *
model_new(void)
{
	static struct mu_timer *nudge;	/* the loop looks at the deadline even when nothing happens */
	struct model *m = calloc(1, sizeof(*m));

	m->timing = &model_timing;
	m->loop = mu_loop_new();
	mu_loop_each_turn(m->loop, model_turn, m);
	nudge = mu_loop_timer(m->loop, model_nudge, &nudge);
	mu_timer_set(nudge, 10);
	return m;
}

/* Runs the loop until the condition holds; the test fails when it does not within the time. */
static inline void
model_run(struct model *m, bool (*until)(struct model *m), int64_t wait_ms, const char *what)
{
	m->until = until;
	m->late = false;
	m->deadline_ms = mu_tick_ms() + wait_ms;
	(void)mu_loop_run(m->loop);
	m->until = NULL;
	if (m->late)
		fail_msg("%s: not within %lld ms; verdict %s: %s", what, (long long)wait_ms,
		    verdict_name(m->verdict), m->text);
}

static inline void
model_counts_reset(struct model *m)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct model_search *s = &m->searches[i];

		s->began_count = s->full_count = s->refreshed_count = s->entry_count = s->removed_count =
		    s->missing_count = s->quarantined_count = s->present_count = 0;
	}
	m->slice_count = m->verdict_count = 0;
	m->verdict = VERDICT_NONE;
}

/* Starts to read, from the cookies it has. */
static inline void
model_open(struct model *m, const struct directory_source *source)
{
	struct directory_resume resume;
	struct mu_err err = MU_ERR_INIT;

	model_counts_reset(m);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		resume.cookies[i].bytes = m->searches[i].cookie.data;
		resume.cookies[i].size_bytes = m->searches[i].cookie.size_bytes;
	}
	assert_int_equal(MU_OK, directory_open(m->loop, source, &resume, &model_events, m, &m->directory, &err));
	directory_timing_set(m->directory, m->timing);
}

static inline void
model_close(struct model *m)
{
	directory_close(m->directory);
	m->directory = NULL;
	m->in_slice = false;
	m->slice_entries = 0;
}

static inline void
model_free(struct model *m)
{
	model_close(m);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct model_search *s = &m->searches[i];

		for (size_t k = 0; k < s->rows.count; k++)
			model_row_clear(&s->rows.list[k]);
		free(s->rows.list);
		mu_buf_clear(&s->cookie);
	}
	mu_loop_free(m->loop);
	free(m);
}

static inline int
model_text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names it holds, sorted: "a b c". Fresh. */
static inline char *
model_names(struct model *m, enum directory_search search)
{
	struct model_rows *rows = &m->searches[search].rows;
	char **names = calloc(rows->count + 1, sizeof(*names)), *text;
	struct mu_buf b = MU_BUF_INIT;

	for (size_t i = 0; i < rows->count; i++)
		names[i] = rows->list[i].uid;
	qsort(names, rows->count, sizeof(*names), model_text_order);
	for (size_t i = 0; i < rows->count; i++)
		mu_buf_format(&b, "%s%s", i == 0 ? "" : " ", names[i]);
	text = mu_strdup(mu_buf_text(&b));
	mu_buf_clear(&b);
	free(names);
	return text;
}

static inline void
model_names_check(struct model *m, enum directory_search search, const char *want)
{
	char *names = model_names(m, search);

	assert_string_equal(want, names);
	mu_free(names);
}

static inline struct model_row *
model_by_name(struct model *m, enum directory_search search, const char *uid)
{
	struct model_rows *rows = &m->searches[search].rows;

	for (size_t i = 0; i < rows->count; i++)
		if (strcmp(rows->list[i].uid, uid) == 0)
			return &rows->list[i];
	return NULL;
}

static inline bool
model_is_complete(struct model *m)
{
	return m->verdict == VERDICT_COMPLETE;
}

#endif
