/* provision/record.h against a real store: what stands in it after each call, and after each that fails. */
#include "provision/record.h"

#include "unit/store/people.h"

#include "adapters/adapter.h"
#include "base/clock.h"
#include "store/queue.h"

static struct store *cycle, *provision;

/* A signature that shows what was signed; fails while keys_away. */
static bool keys_away;

static enum mu_rc
sign(void *ctx, const struct mu_buf *bytes, struct mu_buf *out_signature, struct mu_err *err)
{
	(void)ctx;
	if (keys_away)
		return mu_fail(err, MU_ERETRY, "keys is away");
	mu_buf_add(out_signature, bytes->data, bytes->size_bytes);
	return MU_OK;
}

/* A person with one account on a platform of this test's own, wanted enabled. */
struct subject {
	struct record record;
	struct store_person person;
	struct store_account account;
	struct store_works works;
};

static void
subject_init(struct subject *x, const char *platform)
{
	struct mu_err err = MU_ERR_INIT;

	*x = (struct subject){ .record = { provision, platform, "here", sign, NULL } };
	person_make(&x->person, platform);
	account_make(&x->account, &x->person, platform);
	MUST(store_begin(cycle, &err));
	store_person_write(cycle, &x->person);
	store_account_write(cycle, &x->account, false, mu_now_s());
	MUST(store_commit(cycle, &err));
	x->account.fresh = false;
}

static void
subject_want(struct subject *x, enum account_state state)
{
	struct mu_err err = MU_ERR_INIT;

	x->account.want.state = state;
	x->account.want.version++;
	MUST(store_begin(cycle, &err));
	store_account_write(cycle, &x->account, state != ACCOUNT_ENABLED, mu_now_s());
	MUST(store_commit(cycle, &err));
}

static struct store_work *
subject_take(struct subject *x)
{
	struct mu_err err = MU_ERR_INIT;

	store_works_clear(&x->works);
	MUST(record_take(&x->record, &x->works, &err));
	assert_int_equal(1, x->works.count);
	return &x->works.list[0];
}

static void
subject_clear(struct subject *x)
{
	store_works_clear(&x->works);
	account_want_clear(&x->account.want);
	store_person_clear(&x->person);
}

/* The question ends before the platform's name. */
static void
sql_is(const char *want, const char *question, const char *platform)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

	mu_buf_format(&sql, "%s'%s'", question, platform);
	rig_sql_is(want, sql.data);
}

static void
begin(struct subject *x, const struct store_work *w, enum mu_rc want)
{
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret sealed = MU_SECRET_INIT;
	struct mu_uuid id;
	struct work_begin b = { w, true, &w->want.entitlements, &id, &sealed };

	mu_uuid_new(&id);
	mu_secret_set(&sealed, "sealed", 6);
	assert_int_equal(want, record_begin(&x->record, &b, &err));
}

static enum mu_rc
end(struct subject *x, const struct store_work *w, enum work_outcome outcome, enum account_state seen,
    struct mu_err *err)
{
	char right[] = "all-staff", none[] = "";
	const struct work_receipt receipts[] = {
		{ STEP_CREATE, ADAPTER_DONE, 0, 0, 1790000001234, none },
		{ STEP_JOIN, ADAPTER_ALREADY, 0, 0, 1790000001235, right },
		{ STEP_KILL, ADAPTER_DONE, 2, 0, 1790000001236, none },
	};
	const struct observed o = { .state = seen };
	const struct work_end e = {
		.outcome = outcome, .work = w, .seen = &o, .owned = seen != ACCOUNT_ABSENT,
		.credential_set = outcome == WORK_SETTLED && seen == ACCOUNT_ENABLED,
		.receipts = receipts, .receipt_count = MU_COUNT(receipts),
		.next_attempt_s = mu_now_s() + 60, .answer = "retry", .text = "busy",
	};

	return record_end(&x->record, &e, err);
}

#define RECEIPTS "SELECT count(*) FROM receipt r JOIN account a USING (account_id) WHERE a.platform = "
#define RECORDS "SELECT count(*) FROM audit_record WHERE body::jsonb->>'platform' = "

static void
what_is_begun_is_remembered_before_the_platform_hears_of_it(void **state)
{
	struct subject x;
	struct store_work *w;

	(void)state;
	subject_init(&x, "begun");
	w = subject_take(&x);
	assert_false(w->create_begun);
	begin(&x, w, MU_OK);
	w = subject_take(&x);		/* our own lease: who comes back waits for nothing */
	assert_true(w->create_begun);
	assert_false(w->owned);
	assert_true(entitlements_equal(&w->want.entitlements, &w->seen.rights));
	assert_int_equal(CREDENTIAL_SEALED, w->credential);
	assert_string_equal("sealed", mu_secret_text(&w->sealed));
	subject_clear(&x);
}

static void
an_end_is_one_transaction_with_its_receipts(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "settled");
	w = subject_take(&x);
	begin(&x, w, MU_OK);
	w = subject_take(&x);
	MUST(end(&x, w, WORK_SETTLED, ACCOUNT_ENABLED, &err));
	sql_is("t", "SELECT settled_version = version AND owned AND observed_state = 'enabled' AND lease_holder IS NULL"
	    " FROM account WHERE platform = ", "settled");
	sql_is("t", "SELECT set_at IS NOT NULL FROM credential JOIN account USING (account_id)"
	    " WHERE platform = ", "settled");
	sql_is("3", RECEIPTS, "settled");
	sql_is("5", RECORDS, "settled");	/* each receipt's, the credential's, the settling's */
	sql_is("3", "SELECT count(*) FROM receipt r JOIN audit_record b ON b.record_id = r.receipt_id"
	    " WHERE r.signature = convert_to(b.body, 'UTF8') AND b.body::jsonb->>'step' = r.step"
	    " AND b.body::jsonb->>'platform' = ", "settled");
	sql_is("2", "SELECT sessions_ended FROM receipt r JOIN account a USING (account_id)"
	    " WHERE step = 'kill' AND a.platform = ", "settled");
	subject_clear(&x);
}

static void
without_its_signatures_nothing_of_an_end_stands(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "unsigned");
	w = subject_take(&x);
	keys_away = true;
	assert_int_equal(MU_ERETRY, end(&x, w, WORK_RETRY, ACCOUNT_ABSENT, &err));
	keys_away = false;
	sql_is("0", RECEIPTS, "unsigned");
	sql_is("0", RECORDS, "unsigned");
	sql_is("t", "SELECT lease_holder = 'here' FROM account WHERE platform = ", "unsigned");
	MUST(end(&x, w, WORK_RETRY, ACCOUNT_ABSENT, &err));
	sql_is("3", RECEIPTS, "unsigned");
	subject_clear(&x);
}

static void
who_lost_the_lease_writes_nothing(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "lost");
	w = subject_take(&x);
	free(rig_sql("UPDATE account SET lease_holder = 'there' WHERE platform = 'lost'"));
	assert_int_equal(MU_ECONFLICT, end(&x, w, WORK_SETTLED, ACCOUNT_DISABLED, &err));
	sql_is("0", RECEIPTS, "lost");
	sql_is("0", RECORDS, "lost");
	store_works_clear(&x.works);
	MUST(record_take(&x.record, &x.works, &err));
	assert_int_equal(0, x.works.count);
	subject_clear(&x);
}

static void
a_password_is_not_kept_for_who_is_no_longer_let_in(void **state)
{
	struct subject x;
	struct store_work *w;

	(void)state;
	subject_init(&x, "toolate");
	w = subject_take(&x);
	subject_want(&x, ACCOUNT_DISABLED);
	begin(&x, w, MU_ECONFLICT);
	sql_is("0", "SELECT count(*) FROM credential JOIN account USING (account_id) WHERE platform = ",
	    "toolate");
	sql_is("t", "SELECT create_begun_at IS NULL FROM account WHERE platform = ", "toolate");
	subject_clear(&x);
}

static void
what_has_moved_on_meanwhile_is_due_at_once(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "moved");
	w = subject_take(&x);
	subject_want(&x, ACCOUNT_ABSENT);
	MUST(end(&x, w, WORK_RETRY, ACCOUNT_ENABLED, &err));
	w = subject_take(&x);
	assert_int_equal(ACCOUNT_ABSENT, w->want.state);
	assert_int_equal(0, w->attempts);
	assert_true(w->urgent);
	subject_clear(&x);
}

static void
where_no_account_is_left_none_is_ours(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "gone");
	w = subject_take(&x);
	begin(&x, w, MU_OK);
	w = subject_take(&x);
	MUST(end(&x, w, WORK_SETTLED, ACCOUNT_ENABLED, &err));
	subject_want(&x, ACCOUNT_ABSENT);
	w = subject_take(&x);
	assert_true(w->owned);
	MUST(end(&x, w, WORK_SETTLED, ACCOUNT_ABSENT, &err));
	sql_is("t", "SELECT NOT owned AND create_begun_at IS NULL AND debt_since IS NULL AND NOT urgent"
	    " FROM account WHERE platform = ", "gone");
	subject_clear(&x);
}

static void
what_is_parked_waits_until_its_adapter_is_started_anew(void **state)
{
	struct subject x;
	struct mu_err err = MU_ERR_INIT;
	struct store_work *w;

	(void)state;
	subject_init(&x, "parked");
	w = subject_take(&x);
	MUST(end(&x, w, WORK_PARKED, ACCOUNT_ABSENT, &err));
	store_works_clear(&x.works);
	MUST(record_take(&x.record, &x.works, &err));
	assert_int_equal(0, x.works.count);
	MUST(record_unpark(&x.record, &err));
	(void)subject_take(&x);
	subject_clear(&x);
}

static int
stores_open(void **state)
{
	if (rig_up(state) != 0)
		return 1;
	cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	provision = rig_open(STORE_ROLE_PROVISION, STORE_QUEUE | STORE_CREDENTIAL | STORE_AUDIT);
	return 0;
}

static int
stores_close(void **state)
{
	store_close(cycle);
	store_close(provision);
	return rig_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_begun_is_remembered_before_the_platform_hears_of_it),
		cmocka_unit_test(an_end_is_one_transaction_with_its_receipts),
		cmocka_unit_test(without_its_signatures_nothing_of_an_end_stands),
		cmocka_unit_test(who_lost_the_lease_writes_nothing),
		cmocka_unit_test(a_password_is_not_kept_for_who_is_no_longer_let_in),
		cmocka_unit_test(what_has_moved_on_meanwhile_is_due_at_once),
		cmocka_unit_test(where_no_account_is_left_none_is_ours),
		cmocka_unit_test(what_is_parked_waits_until_its_adapter_is_started_anew),
	};

	return cmocka_run_group_tests(tests, stores_open, stores_close);
}
