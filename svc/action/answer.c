/*
 * action/answer.c - what administrators are answered: the shapes of api/admin.h, always canonical
 *
 * What is kept names people by id alone; names are looked up when something is answered, so that
 * who is erased has no name left in an old action.
 */
#include "action/action_priv.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void
action_effects_clear(struct action_effects *e)
{
	for (size_t i = 0; i < e->count; i++) {
		struct action_effect *x = &e->list[i];

		mu_free(x->uid);
		mu_free(x->display_name);
		strings_clear(&x->gained);
		strings_clear(&x->lost);
		strings_clear(&x->accounts);
		mu_free(x->refused);
	}
	mu_free(e->list);
	*e = (struct action_effects){ NULL, 0 };
}

void
action_answer_clear(struct action_answer *a)
{
	mu_buf_wipe(&a->json);		/* it may show a one-time code */
	a->state = ACTION_PREPARED;
}

void
action_file_clear(struct action_file *f)
{
	store_action_clear(&f->action);
	store_approvals_clear(&f->approvals);
	action_document_clear(&f->doc);
	store_people_clear(&f->people);
}

int64_t
action_lapses_at_s(const struct store_action *a)
{
	return a->state == ACTION_PREPARED ? a->requested_at_s + ACTION_PREPARED_S : a->lapses_at_s;
}

/* --- People ----------------------------------------------------------------------------------- */

const struct store_person *
action_person_find(const struct store_people *people, const struct mu_uuid *id)
{
	for (size_t from = 0, to = people->count; from < to;) {
		size_t at = from + (to - from) / 2;
		int order = action_uuid_order(id, &people->list[at].person_id);

		if (order == 0)
			return &people->list[at];
		if (order < 0)
			to = at;
		else
			from = at + 1;
	}
	return NULL;
}

static void
person_json(struct json_writer *w, const char *name, const struct mu_uuid *id, const char *shown,
    const char *uid)
{
	json_object_begin(w, name);
	json_uuid(w, "id", id);
	json_text(w, "name", shown);
	json_text(w, "uid", uid);
	json_object_end(w);
}

void
action_person_json(struct json_writer *w, const char *name, const struct store_person *p)
{
	person_json(w, name, &p->person_id, store_person_name(p), p->uid);
}

static void
ref_json(struct json_writer *w, const char *name, const struct store_people *people,
    const struct mu_uuid *id)
{
	const struct store_person *p = action_person_find(people, id);

	if (p != NULL)
		action_person_json(w, name, p);
	else
		person_json(w, name, id, "", "");
}

/* The people of a result as it is kept; NULL: it is about nobody. root is to be freed. */
static const struct json_node *
result_people(const struct store_action *a, struct json_node **out_root)
{
	struct mu_err err = MU_ERR_INIT;

	*out_root = NULL;
	if (a->result[0] == '\0' || json_parse(a->result, strlen(a->result), SIZE_MAX, "result",
	    out_root, &err) != MU_OK)
		return NULL;
	return json_find(*out_root, "people");
}

static bool
result_person(const struct json_node *effect, struct mu_uuid *out_id)
{
	const char *text = json_find_text(effect, "person");

	return text != NULL && mu_uuid_parse(text, out_id);
}

enum mu_rc
action_file_people(const struct action_host *h, struct action_file *f, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *effects = result_people(&f->action, &root);
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(1 + f->approvals.count +
	    f->doc.target_count + json_count(effects), sizeof(*ids));
	size_t count = 0;

	ids[count++] = f->action.requester;
	for (size_t i = 0; i < f->approvals.count; i++)
		ids[count++] = f->approvals.list[i].person_id;
	for (size_t i = 0; i < f->doc.target_count; i++)
		ids[count++] = f->doc.targets[i];
	for (size_t i = 0; i < json_count(effects); i++)
		if (result_person(json_at(effects, i), &ids[count]))
			count++;
	count = action_uuids_unique(ids, count);
	store_people_clear(&f->people);
	return store_person_read_ids(h->store, ids, count, &f->people, err);
}

/* --- Effects ---------------------------------------------------------------------------------- */

static void
strings_json(struct json_writer *w, const char *name, const struct strings *s)
{
	json_list_begin(w, name);
	for (size_t i = 0; i < s->count; i++)
		json_text(w, NULL, s->list[i]);
	json_list_end(w);
}

/* EFFECT; kept: with the id in place of the person. */
static void
effect_json(struct json_writer *w, const struct action_effect *x, bool kept)
{
	json_object_begin(w, NULL);
	strings_json(w, "accounts", &x->accounts);
	json_text(w, "from", person_state_name(x->from));
	strings_json(w, "gained", &x->gained);
	strings_json(w, "lost", &x->lost);
	if (kept)
		json_uuid(w, "person", &x->person_id);
	else
		person_json(w, "person", &x->person_id,
		    x->display_name == NULL ? "" : x->display_name, x->uid == NULL ? "" : x->uid);
	json_text(w, "refused", x->refused);
	json_text(w, "to", person_state_name(x->to));
	json_object_end(w);
}

void
action_result_json(const struct action_job *j, struct mu_buf *b)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	if (j->certificate != NULL) {
		json_text(&w, "certificate", j->certificate);
		json_time(&w, "not_after", j->not_after_s);
	}
	if (action_row(j->doc->kind)->decides) {
		json_list_begin(&w, "people");
		for (size_t i = 0; i < j->effects.count; i++)
			effect_json(&w, &j->effects.list[i], true);
		json_list_end(&w);
	}
	if (j->version != 0)
		json_int(&w, "version", j->version);
	json_object_end(&w);
	json_end(&w);
}

static void
value_json(struct json_writer *w, const char *name, const struct json_node *n)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (n == NULL || json_canonical(n, &text, &err) != MU_OK)
		json_none(w, name);
	else
		json_value(w, name, text.data);
}

/* The result as it is kept, with names where ids are. */
static void
result_json(struct json_writer *w, const struct action_file *f)
{
	static const char *const members[] = { "accounts", "from", "gained", "lost", "person",
	    "refused", "to" };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *effects = result_people(&f->action, &root);

	if (effects == NULL) {
		json_value(w, "result", f->action.result[0] == '\0' ? "null" : f->action.result);
		return;
	}
	json_object_begin(w, "result");
	json_list_begin(w, "people");
	for (size_t i = 0; i < json_count(effects); i++) {
		const struct json_node *effect = json_at(effects, i);
		struct mu_uuid id;

		json_object_begin(w, NULL);
		for (size_t k = 0; k < MU_COUNT(members); k++) {
			if (strcmp(members[k], "person") == 0 && result_person(effect, &id))
				ref_json(w, members[k], &f->people, &id);
			else
				value_json(w, members[k], json_find(effect, members[k]));
		}
		json_object_end(w);
	}
	json_list_end(w);
	json_object_end(w);
}

/* --- Actions ---------------------------------------------------------------------------------- */

static void
approvals_json(struct json_writer *w, const struct action_file *f)
{
	json_list_begin(w, "approvals");
	for (size_t i = 0; i < f->approvals.count; i++) {
		const struct store_approval *a = &f->approvals.list[i];

		json_object_begin(w, NULL);
		json_bool(w, "approved", a->approved);
		json_time(w, "at", a->made_at_s);
		ref_json(w, "person", &f->people, &a->person_id);
		json_text(w, "reason", a->reason);
		json_object_end(w);
	}
	json_list_end(w);
}

static void
digest_json(struct json_writer *w, const struct store_action *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf hex = MU_BUF_INIT;

	mu_hex_format(&hex, a->digest, sizeof(a->digest));
	json_text(w, "digest", hex.data);
}

static void
needs_json(struct json_writer *w, int64_t approvals)
{
	json_object_begin(w, "needs");
	json_int(w, "approvals", approvals);
	json_bool(w, "code", true);		/* there is no action without one: action_floor */
	json_object_end(w);
}

static void
lines_json(struct json_writer *w, const char *name, const struct mu_buf *lines)
{
	const char *at = mu_buf_text(lines);

	json_list_begin(w, name);
	for (size_t length; *at != '\0'; at += length + (at[length] == '\n' ? 1 : 0)) {
		length = strcspn(at, "\n");
		json_text_bytes(w, NULL, at, length);
	}
	json_list_end(w);
}

static void
summary_json(struct json_writer *w, const struct action_document *d)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	if (action_row(d->kind)->about == ABOUT_NOBODY)
		mu_buf_text_add(&text, action_row(d->kind)->says);
	else
		mu_buf_format(&text, "%zu %s: %s", d->target_count,
		    d->target_count == 1 ? "person" : "people", action_row(d->kind)->says);
	json_text(w, "summary", text.data);
}

/* What the execution came to that was rolled back. */
static void
preview_json(struct json_writer *w, const struct action_document *d, const struct action_job *j)
{
	json_object_begin(w, "preview");
	lines_json(w, "lines", &j->lines);
	json_list_begin(w, "people");
	for (size_t i = 0; i < j->effects.count; i++)
		effect_json(w, &j->effects.list[i], false);
	json_list_end(w);
	summary_json(w, d);
	json_object_end(w);
}

void
action_file_json(const struct action_file *f, const struct action_job *preview,
    const struct mu_secret *shown, struct json_writer *w)
{
	const struct store_action *a = &f->action;

	json_object_begin(w, NULL);
	json_text(w, "action", action_kind_name(a->kind));
	approvals_json(w, f);
	digest_json(w, a);
	json_value(w, "document", a->document);
	if (a->ended_at_s == 0)
		json_none(w, "ended_at");
	else
		json_time(w, "ended_at", a->ended_at_s);
	json_time(w, "lapses_at", action_lapses_at_s(a));
	needs_json(w, a->approvals_needed);
	if (preview != NULL)
		preview_json(w, &f->doc, preview);
	json_text(w, "reason", f->doc.reason);
	json_time(w, "requested_at", a->requested_at_s);
	ref_json(w, "requester", &f->people, &a->requester);
	result_json(w, f);
	if (shown == NULL || shown->size_bytes == 0) {
		json_none(w, "shown");
	} else {
		json_object_begin(w, "shown");
		json_text(w, "enrolment_code", mu_secret_text(shown));
		json_object_end(w);
	}
	json_text(w, "state", action_state_name(a->state));
	json_list_begin(w, "targets");
	for (size_t i = 0; i < f->doc.target_count; i++)
		ref_json(w, NULL, &f->people, &f->doc.targets[i]);
	json_list_end(w);
	json_object_end(w);
}

void
action_proposal_json(const struct action_file *f, const struct action_job *j, struct mu_buf *b)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_text(&w, "action", action_kind_name(f->action.kind));
	digest_json(&w, &f->action);
	json_value(&w, "document", f->action.document);
	json_time(&w, "lapses_at", action_lapses_at_s(&f->action));
	needs_json(&w, f->action.approvals_needed);
	preview_json(&w, &f->doc, j);
	json_object_end(&w);
	json_end(&w);
}

void
action_faults_json(const struct action_job *j, struct mu_buf *b)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	lines_json(&w, "faults", &j->faults);
	json_object_end(&w);
	json_end(&w);
}
