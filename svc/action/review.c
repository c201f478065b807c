/*
 * action/review.c - access reviews: a granted role is confirmed again, or dropped
 *
 * A grant of a role that is reviewed lapses unless an administrator confirms it in time
 * (cycle/decide.c). Nobody confirms what is their own. Whoever asked for a grant or approved it
 * confirms it only when nobody else could: an organisation with two administrators reviews, too,
 * and a larger one has it done by others.
 */
#include "action/action_priv.h"

#include "audit/record.h"
#include "base/clock.h"
#include "store/grant.h"

#include <string.h>

enum mu_rc
action_review_resolve(const struct action_host *h, struct action_document *doc, struct mu_err *err)
{
	const struct action_args *a = &doc->args;

	mu_free(doc->targets);
	doc->targets = mu_alloc_zero(a->grant_count, sizeof(*doc->targets));
	if (store_grant_holders(h->store, a->grants, a->grant_count, doc->targets,
	    &doc->target_count, err) != MU_OK)
		return err->rc;
	if (doc->target_count == 0)
		return mu_fail(err, MU_EABSENT, "none of these grants is there any more: muster"
		    " review list shows those that are");
	return MU_OK;
}

/* The index-th grant that is meant, and whose it is. */
static enum mu_rc
grant_get(const struct action_job *j, size_t index, const struct store_person **out_person,
    const struct grant **out_grant, struct mu_err *err)
{
	const struct mu_uuid *id = &j->doc->args.grants[index];
	char text[MU_UUID_TEXT_BYTES];

	for (size_t i = 0; i < j->people.count; i++)
		for (size_t k = 0; k < j->people.list[i].grant_count; k++)
			if (mu_uuid_equal(&j->people.list[i].grants[k].grant_id, id)) {
				*out_person = &j->people.list[i];
				*out_grant = &j->people.list[i].grants[k];
				return MU_OK;
			}
	return mu_fail(err, j->earnest ? MU_ECONFLICT : MU_EABSENT, "the grant %s is not there any"
	    " more: it ended, or was given anew; muster review list shows those that are",
	    mu_uuid_format(id, text));
}

/* --- Who may confirm -------------------------------------------------------------------------- */

/* All that is looked at once for many grants. */
struct reviewing {
	struct action_job *job;
	const char *role;			/* of the asker; borrowed from there */
	struct store_administrators there;	/* who work as administrators now */
	struct store_approvals approvals;	/* of the action that gave the last one seen */
};

static void
reviewing_clear(struct reviewing *r)
{
	store_administrators_clear(&r->there);
	store_approvals_clear(&r->approvals);
}

static enum mu_rc
reviewing_read(struct reviewing *r, struct mu_err *err)
{
	const struct action_job *j = r->job;

	if (store_administrator_list(j->host->store, &r->there, err) != MU_OK ||
	    action_standing_keep(j, &r->there, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < r->there.count; i++)
		if (mu_uuid_equal(&r->there.list[i].person_id, &j->doc->requester))
			r->role = r->there.list[i].role;
	return r->role != NULL ? MU_OK : mu_fail(err, MU_EDENIED, "no administrator any more");
}

/* Did they ask for the grant, or approve it? NULL: neither. */
static const char *
part_in(const struct reviewing *r, const struct grant *g, const struct mu_uuid *person_id)
{
	if (mu_uuid_equal(&g->granted_by, person_id))
		return "asked for";
	for (size_t i = 0; i < r->approvals.count; i++)
		if (r->approvals.list[i].approved && mu_uuid_equal(&r->approvals.list[i].person_id,
		    person_id))
			return "approved";
	return NULL;
}

static bool
other_could(const struct reviewing *r, const struct store_person *p, const struct grant *g,
    const struct policy_review *review)
{
	const struct policy *policy = r->job->policy;
	const struct facts facts = action_facts(r->job->host, p);

	for (size_t i = 0; i < r->there.count; i++) {
		const struct store_administrator *a = &r->there.list[i];

		if (!mu_uuid_equal(&a->person_id, &p->person_id) && part_in(r, g,
		    &a->person_id) == NULL && strings_has(review->by, a->role) &&
		    policy_admin_may(policy, a->role, action_kind_name(ACTION_REVIEW_CONFIRM)) &&
		    policy_admin_reaches(policy, a->role, &facts))
			return true;
	}
	return false;
}

static enum mu_rc
reviewer_refuse(const struct reviewing *r, const struct grant *g,
    const struct policy_review *review, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf by = MU_BUF_INIT;

	for (size_t i = 0; i < review->by->count; i++)
		mu_buf_format(&by, "%s%s", i == 0 ? "" : ", ", review->by->list[i]);
	return mu_fail(err, MU_EDENIED, "grants of %s are confirmed by administrators with one of"
	    " the roles %s, and yours is %s", g->role, mu_buf_text(&by), r->role);
}

static enum mu_rc
reviewer_check(struct reviewing *r, const struct store_person *p, const struct grant *g,
    struct mu_err *err)
{
	const struct action_job *j = r->job;
	int64_t due_s = policy_review_due(j->policy, g);
	struct policy_review review;
	const char *part;

	if (!policy_review_find(j->policy, g->role, &review))
		return mu_fail(err, MU_ECONFLICT, "grants of %s are not reviewed: this one ends by"
		    " itself", g->role);
	if (due_s <= j->now_ms / 1000)
		return mu_fail(err, MU_ECONFLICT, "the grant of %s has lapsed, for nobody confirmed"
		    " it in time: grant it anew", g->role);
	if (!strings_has(review.by, r->role))
		return reviewer_refuse(r, g, &review, err);
	store_approvals_clear(&r->approvals);
	if (store_approval_list(j->host->store, g->action_digest, &r->approvals, err) != MU_OK)
		return err->rc;
	part = part_in(r, g, &j->doc->requester);
	if (part != NULL && other_could(r, p, g, &review))
		return mu_fail(err, MU_EDENIED, "you %s this grant of %s: another administrator can"
		    " confirm it, so ask them", part, g->role);
	return MU_OK;
}

static enum mu_rc
row_check(const struct action_job *j, const struct grant *g, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	bool right;

	grant_encode(g, &bytes);
	if (action_mac_right(j, &bytes, g->mac, &right, err) != MU_OK)
		return err->rc;
	if (!right)
		return mu_fail(err, MU_ECONFLICT, "the row of this grant was changed past muster"
		    " and counts for nothing: drop it, and find out who did");
	return MU_OK;
}

static bool
is_of_person(enum mu_rc rc)
{
	return rc == MU_EDENIED || rc == MU_ECONFLICT;
}

enum mu_rc
action_review_confirm_check(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(reviewing_clear) struct reviewing r = { .job = j };

	if (reviewing_read(&r, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < j->doc->args.grant_count; i++) {
		const struct store_person *p;
		const struct grant *g;

		if (grant_get(j, i, &p, &g, err) != MU_OK)
			return err->rc;
		if (row_check(j, g, err) != MU_OK || reviewer_check(&r, p, g, err) != MU_OK)
			return is_of_person(err->rc) ? action_about_person(j, p, err) : err->rc;
	}
	return MU_OK;
}

enum mu_rc
action_review_drop_check(struct action_job *j, struct mu_err *err)
{
	const struct store_person *p;
	const struct grant *g;

	for (size_t i = 0; i < j->doc->args.grant_count; i++)
		if (grant_get(j, i, &p, &g, err) != MU_OK)
			return err->rc;
	return MU_OK;
}

/* --- What becomes of them --------------------------------------------------------------------- */

static enum mu_rc
confirm(struct action_job *j, const struct store_person *p, const struct grant *was,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT, due = MU_BUF_INIT;
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];
	struct grant g = *was;			/* borrowed */

	g.reviewed_at_s = j->now_ms / 1000;
	g.reviewed_by = j->doc->requester;
	grant_encode(&g, &bytes);
	if (action_mac_make(j, &bytes, g.mac, err) != MU_OK)
		return err->rc;
	store_grant_review(j->host->store, &g);
	mu_time_format(&due, policy_review_due(j->policy, &g));
	mu_buf_format(&j->lines, "%s: %s is held on; to be confirmed again by %s\n",
	    action_called(p), g.role, due.data);
	audit_record(j->host->store, AUDIT_GRANT_REVIEWED, j->now_ms, (const struct audit_field[]){
	    AUDIT_TEXT("person", mu_uuid_format(&p->person_id, person)), AUDIT_TEXT("role", g.role),
	    AUDIT_TEXT("due", due.data),
	    AUDIT_TEXT("actor", mu_uuid_format(&j->doc->requester, actor)) }, 4, NULL);
	return MU_OK;
}

enum mu_rc
action_review_confirm(struct action_job *j, struct mu_err *err)
{
	for (size_t i = 0; i < j->doc->args.grant_count; i++) {
		const struct store_person *p;
		const struct grant *g;

		if (grant_get(j, i, &p, &g, err) != MU_OK || confirm(j, p, g, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

enum mu_rc
action_review_drop(struct action_job *j, struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&j->doc->requester, actor);
	for (size_t i = 0; i < j->doc->args.grant_count; i++) {
		const struct store_person *p;
		const struct grant *g;
		struct audit_field fields[4];

		if (grant_get(j, i, &p, &g, err) != MU_OK)
			return err->rc;
		store_grant_drop(j->host->store, &g->grant_id);
		mu_buf_format(&j->lines, "%s: %s is held no more\n", action_called(p), g->role);
		fields[0] = (struct audit_field)AUDIT_TEXT("person",
		    mu_uuid_format(&p->person_id, person));
		fields[1] = (struct audit_field)AUDIT_TEXT("role", g->role);
		fields[2] = (struct audit_field)AUDIT_TEXT("reason", "dropped by review");
		fields[3] = (struct audit_field)AUDIT_TEXT("actor", actor);
		audit_record(j->host->store, AUDIT_GRANT_ENDED, j->now_ms, fields, 4, NULL);
	}
	return MU_OK;
}
