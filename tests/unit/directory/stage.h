/*
 * tests/unit/directory/stage.h - a slapd, a source that is read from it, and the model that reads
 */
#ifndef TESTS_DIRECTORY_STAGE_H
#define TESTS_DIRECTORY_STAGE_H

#include "slapd.h"

static struct mu_secret password = { (unsigned char *)(uintptr_t)PASSWORD, sizeof(PASSWORD) - 1 };
static struct directory_map map[] = {
	{ .name = "uid", .attribute = "uid", .required = true }, { .name = "name", .attribute = "cn" },
	{ .name = "mail", .attribute = "mail" },
	{ .name = "department", .attribute = "departmentNumber" }, { .name = "note", .attribute = "description" },
	{ .name = "photo", .attribute = "jpegPhoto" },
};

struct stage {
	struct slapd slapd;
	struct model *model;
	struct directory_source source;
};

static inline struct model_search *
people(struct stage *x)
{
	return &x->model->searches[DIRECTORY_PEOPLE];
}

/* How the server's people and groups are read. */
static inline void
stage_source(struct stage *x, enum settings_follow follow)
{
	x->source = (struct directory_source){ .name = "hr", .uri = x->slapd.uri, .insecure_plain = true,
		.bind_dn = READER, .bind_password = &password, .people_base = PEOPLE,
		.people_filter = "(&(objectClass=inetOrgPerson)(!(employeeType=robot)))", .map = map,
		.map_count = MU_COUNT(map), .groups_base = GROUPS, .groups_filter = "(objectClass=groupOfNames)",
		.group_name = "cn", .group_member = "member", .follow = follow, .every_ms = 50 };
}

/* Fills a slapd and begins to read it. */
static inline void
stage_follow(struct stage *x, enum settings_follow follow, const char *names, const char *groups)
{
	slapd_conf_write(&x->slapd);
	slapd_load(&x->slapd, names, groups);
	slapd_start(&x->slapd);
	x->model = model_new();
	stage_source(x, follow);
	model_open(x->model, &x->source);
}

static inline void
stage_open(struct stage *x, const char *names, const char *groups)
{
	stage_follow(x, SETTINGS_FOLLOW_PERSIST, names, groups);
}

/* Of the running server; NULL: none any more. */
static inline void
limit_set(struct stage *x, const char *limit)
{
	LDAP *ld = slapd_bind(&x->slapd, "cn=config");

	assert_non_null(ld);
	attribute_set_on(&x->slapd, ld, "olcDatabase={1}mdb,cn=config", "olcLimits", limit, LDAP_MOD_REPLACE);
	(void)ldap_unbind_ext(ld, NULL, NULL);
}

static inline void
stage_close(struct stage *x)
{
	model_free(x->model);
	slapd_clear(&x->slapd);
}

static inline void
complete(struct stage *x, const char *what)
{
	model_run(x->model, model_is_complete, 20000, what);
}

/* The verdict is that one, if only until the next attempt to connect. */
static enum verdict want_verdict;

static inline bool
verdict_is_there(struct model *m)
{
	return (m->verdicts & 1u << want_verdict) != 0;
}

static inline void
verdict_wait(struct stage *x, enum verdict verdict, const char *what)
{
	want_verdict = verdict;
	x->model->verdicts = 1u << x->model->verdict;
	model_run(x->model, verdict_is_there, 20000, what);
}

/* The people are those. */
static const char *want_names;

static inline bool
names_are_there(struct model *m)
{
	char *names = model_names(m, DIRECTORY_PEOPLE);
	bool same = strcmp(names, want_names) == 0;

	mu_free(names);
	return same && !m->in_slice;
}

static inline void
names_wait(struct stage *x, const char *names)
{
	want_names = names;
	model_run(x->model, names_are_there, 20000, names);
}

/* The text of one entry holds that. */
static struct {
	enum directory_search search;
	const char *name, *text;
} want_text;

static inline bool
text_is_there(struct model *m)
{
	struct model_row *row = model_by_name(m, want_text.search, want_text.name);

	return row != NULL && strstr(row->text, want_text.text) != NULL;
}

static inline void
text_wait(struct stage *x, enum directory_search search, const char *name, const char *text)
{
	want_text.search = search;
	want_text.name = name;
	want_text.text = text;
	model_run(x->model, text_is_there, 20000, text);
}

static inline bool
quarantined_is_there(struct model *m)
{
	return m->searches[DIRECTORY_PEOPLE].quarantined_count > 0 && !m->in_slice;
}

/* A read has ended that began after this was called. */
static size_t want_reads;

static inline bool
reads_are_there(struct model *m)
{
	return m->searches[DIRECTORY_PEOPLE].refreshed_count >= want_reads && !m->in_slice;
}

static inline void
read_wait(struct stage *x, const char *what)
{
	want_reads = people(x)->refreshed_count + 2;
	model_run(x->model, reads_are_there, 20000, what);
}

/* Closes the reader, and opens it again from its cookies. */
static inline void
reader_again(struct stage *x)
{
	model_close(x->model);
	model_open(x->model, &x->source);
}

/* Fills an empty database with p000000, p000001, ... and a group of all; slapd must not run. */
static inline void
many_ldif(struct slapd *s, size_t count, int note_bytes)
{
	FILE *f = slapd_file(s, "base.ldif");
	char uid[32];

	base_ldif(f);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(uid, sizeof(uid), "p%06zu", i);
		fprintf(f, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: Person %s\nsn: %s\n"
		    "mail: %s@example.org\ndepartmentNumber: Sales\ndescription: %0*d\n\n", uid, PEOPLE, uid,
		    uid, uid, uid, note_bytes, 0);
	}
	fprintf(f, "dn: cn=all,%s\nobjectClass: groupOfNames\ncn: all\n", GROUPS);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "member: uid=p%06zu,%s\n", i, PEOPLE);
	fprintf(f, "\n");
	(void)fclose(f);
	shell(s, "rm -rf %s/db && mkdir %s/db && /usr/sbin/slapadd -q -w -f %s/slapd.conf -b %s -l %s/base.ldif 2>>%s/log",
	    s->folder, s->folder, s->folder, SUFFIX, s->folder, s->folder);
}

/* --- The reader's own time ------------------------------------------------------------------------ */

/* A consumer that only counts, so that the reader's own time shows. */
struct counter {
	size_t entries, members;
	bool done;
};

static inline enum mu_rc
count_began(void *ctx, enum directory_search search, bool full, struct mu_err *err)
{
	(void)ctx, (void)search, (void)full, (void)err;
	return MU_OK;
}

static inline enum mu_rc
count_entry(void *ctx, enum directory_search search, struct directory_entry *entry, struct mu_err *err)
{
	struct counter *c = ctx;

	(void)search, (void)err;
	c->entries++;
	c->members += entry->member_count;
	return MU_OK;
}

static inline enum mu_rc
count_uuid(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	(void)ctx, (void)search, (void)entry_uuid, (void)err;
	return MU_OK;
}

static inline enum mu_rc
count_quarantined(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, const char *dn,
    const char *reason, struct mu_err *err)
{
	(void)ctx, (void)search, (void)entry_uuid, (void)dn, (void)reason, (void)err;
	return MU_OK;
}

static inline enum mu_rc
count_refreshed(void *ctx, enum directory_search search, enum verdict verdict, enum directory_how how,
    size_t listed_count, struct mu_err *err)
{
	(void)ctx, (void)search, (void)verdict, (void)how, (void)listed_count, (void)err;
	return MU_OK;
}

static inline enum mu_rc
count_cookie(void *ctx, enum directory_search search, const void *bytes, size_t bytes_count, struct mu_err *err)
{
	(void)ctx, (void)search, (void)bytes, (void)bytes_count, (void)err;
	return MU_OK;
}

static inline enum mu_rc
count_slice_end(void *ctx, struct mu_err *err)
{
	(void)ctx, (void)err;
	return MU_OK;
}

static inline void
count_verdict(void *ctx, enum verdict verdict, const char *text)
{
	struct counter *c = ctx;

	(void)text;
	c->done = verdict == VERDICT_COMPLETE;
}

static struct counter counter;

static inline bool
counter_is_done(struct model *m)
{
	(void)m;
	return counter.done;
}

/* A full read of that many people, and a group of all of them, misses nobody. */
static inline void
full_read(enum settings_follow follow, size_t count)
{
	static const struct directory_events events = { .began = count_began, .entry = count_entry,
		.present = count_uuid, .removed = count_uuid, .quarantined = count_quarantined,
		.refreshed = count_refreshed, .cookie = count_cookie, .slice_end = count_slice_end,
		.verdict = count_verdict };
	struct mu_err err = MU_ERR_INIT;
	struct directory *d = NULL;
	struct stage x;

	slapd_make(&x.slapd);
	stage_follow(&x, follow, "ana", "staff");
	model_close(x.model);
	slapd_end(&x.slapd, SIGTERM);
	many_ldif(&x.slapd, count, 20);
	slapd_start(&x.slapd);
	counter = (struct counter){ .done = false };
	assert_int_equal(MU_OK, directory_open(x.model->loop, &x.source, NULL, &events, &counter,
	    &d, &err));
	model_run(x.model, counter_is_done, 60000, "full read");
	assert_int_equal(count + 1, counter.entries);
	assert_int_equal(count, counter.members);
	directory_close(d);
	stage_close(&x);
}

#endif
