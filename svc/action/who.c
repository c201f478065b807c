/*
 * action/who.c - from what was typed to the people meant, never guessing; and who may do what
 */
#include "action/action_priv.h"

#include "store/look.h"

#include <stdlib.h>
#include <string.h>

int
action_uuid_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mu_uuid));
}

size_t
action_uuids_unique(struct mu_uuid *list, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(list, count, sizeof(*list), action_uuid_order);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !mu_uuid_equal(&list[kept - 1], &list[i]))
			list[kept++] = list[i];
	return kept;
}

struct facts
action_facts(const struct action_host *h, const struct store_person *p)
{
	return (struct facts){ &p->attrs, &p->groups, p->source, h->authority(h->ctx, p->source) };
}

enum mu_rc
action_allow(const struct policy *p, const struct auth_who *who, const char *permission,
    const struct facts *facts, struct mu_err *err)
{
	if (!policy_admin_may(p, who->role, permission))
		return mu_fail(err, MU_EDENIED, "the role %s does not have the permission %s: ask"
		    " an administrator whose role has it", who->role, permission);
	if (facts != NULL && !policy_admin_reaches(p, who->role, facts))
		return mu_fail(err, MU_EDENIED, "the scope of the role %s does not reach everyone"
		    " this is about (%s): ask an administrator whose role does", who->role,
		    permission);
	return MU_OK;
}

enum mu_rc
action_who(const struct action_host *h, const char *text, struct mu_uuid *out_person_id,
    struct mu_err *err)
{
	struct mu_uuid ids[2];
	size_t count;

	if (store_look_who(h->store, text, h->mail, ids, MU_COUNT(ids), &count, err) != MU_OK)
		return err->rc;
	if (count == 0)
		return mu_fail(err, MU_EABSENT, "nobody is called that: give a login name, a mail"
		    " address or the id that muster person list shows");
	if (count > 1)
		return mu_fail(err, MU_ECONFLICT, "several people are called that: give the id of"
		    " one");
	*out_person_id = ids[0];
	return MU_OK;
}

struct resolving {
	struct action_job *job;
	const struct auth_who *who;
	struct json_writer w;
	size_t nobody, several;		/* of the texts */
};

/* One text that is not one person: its candidates, as far as the asker may see them. */
static enum mu_rc
candidates_write(struct resolving *r, const char *given, const struct mu_uuid *ids, size_t count,
    struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { .count = 0 };

	if (count > 0 && store_person_read_ids(r->job->host->store, ids, count, &people,
	    err) != MU_OK)
		return err->rc;
	json_object_begin(&r->w, NULL);
	json_list_begin(&r->w, "candidates");
	for (size_t i = 0; i < people.count; i++) {
		const struct facts facts = action_facts(r->job->host, &people.list[i]);

		if (policy_admin_reaches(r->job->policy, r->who->role, &facts))
			action_person_json(&r->w, NULL, &people.list[i]);
	}
	json_list_end(&r->w);
	json_text(&r->w, "given", given);
	json_object_end(&r->w);
	if (count == 0)
		r->nobody++;
	else
		r->several++;
	return MU_OK;
}

/* Sets targets to those that are one person; json gets the others. */
static enum mu_rc
resolve(struct resolving *r, const struct action_request *request, struct action_document *doc,
    struct mu_buf *json, struct mu_err *err)
{
	MU_AUTO(mu_freep) struct mu_uuid *ids =
	    mu_alloc_zero(request->target_count * ACTION_CANDIDATES_MAX, sizeof(*ids));
	MU_AUTO(mu_freep) size_t *counts = mu_alloc_zero(request->target_count, sizeof(*counts));

	if (store_look_who_many(r->job->host->store, (const char *const *)request->targets,
	    request->target_count, r->job->host->mail, ids, ACTION_CANDIDATES_MAX, counts,
	    err) != MU_OK)
		return err->rc;
	json_begin(&r->w, json);
	json_object_begin(&r->w, NULL);
	json_list_begin(&r->w, "targets");
	for (size_t i = 0; i < request->target_count; i++) {
		const struct mu_uuid *found = ids + i * ACTION_CANDIDATES_MAX;

		if (counts[i] == 1)
			doc->targets[doc->target_count++] = found[0];
		else if (candidates_write(r, request->targets[i], found, counts[i], err) != MU_OK)
			return err->rc;
	}
	json_list_end(&r->w);
	json_object_end(&r->w);
	json_end(&r->w);
	return MU_OK;
}

enum mu_rc
action_who_resolve(struct action_job *j, const struct auth_who *who,
    const struct action_request *request, struct action_document *doc, struct mu_buf *out_json,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf json = MU_BUF_INIT;
	struct resolving r = { .job = j, .who = who };

	doc->targets = mu_alloc_zero(request->target_count, sizeof(*doc->targets));
	if (resolve(&r, request, doc, &json, err) != MU_OK)
		return err->rc;
	if (r.nobody + r.several > 0) {
		mu_buf_reset(out_json);
		mu_buf_text_add(out_json, json.data);
		return mu_fail(err, MU_EINPUT, "targets: of %zu, %zu %s nobody and %zu %s several"
		    " people; nothing was done: name each as one person, by id if need be",
		    request->target_count, r.nobody, r.nobody == 1 ? "is" : "are", r.several,
		    r.several == 1 ? "is" : "are");
	}
	doc->target_count = action_uuids_unique(doc->targets, doc->target_count);
	return MU_OK;
}
