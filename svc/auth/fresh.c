#include "auth/auth_priv.h"

#include "store/person.h"

#include <string.h>

#define ISSUER "muster"

static const struct mu_uuid console = { { 0 } };

enum mu_rc
auth_door_closed(int64_t active, struct mu_err *err)
{
	return mu_fail(err, MU_EDENIED, "The console's door is closed: %lld administrators are active; "
	    "have one of them enrol others (muster admin enrol).", (long long)active);
}

/* --- A new row ----------------------------------------------------------------------------------------- */

/* Who is no administrator yet, as the row that they will be. */
static enum mu_rc
person_read(const struct auth_host *h, const struct mu_uuid *person_id, struct store_administrator *out_a,
    struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	const struct store_person *p;

	if (store_person_read_ids(h->store, person_id, 1, &people, err) != MU_OK)
		return err->rc;
	if (people.count == 0)
		return mu_fail(err, MU_EABSENT, "There is no such person.");
	p = &people.list[0];
	*out_a = (struct store_administrator){ .person_id = *person_id, .source = mu_strdup(p->source),
		.dn = mu_strdup(p->dn), .uid = mu_strdup(p->uid), .display_name = mu_strdup(""),
		.state = p->state, .blocked = p->blocked };
	for (size_t i = 0; i < p->roles.count; i++)
		strings_add(&out_a->holds, p->roles.list[i]);
	return MU_OK;
}

/* The row there is, or what one would be made of: version 0. A row that was tampered with goes. */
static enum mu_rc
row_read(const struct auth_host *h, const struct mu_uuid *person_id, int64_t now_ms,
    struct store_administrator *out_a, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	struct auth_wrong tampered;
	enum mu_rc rc = store_administrator_get(h->store, person_id, true, &a, err);

	if (rc == MU_EABSENT)
		return person_read(h, person_id, out_a, err);
	if (rc != MU_OK || auth_rows_check(h, &a, NULL, &tampered, err) != MU_OK)
		return err->rc;
	if (tampered.table != NULL) {
		auth_wrong_record(h, &tampered, person_id, now_ms);
		store_administrator_remove(h->store, person_id);
		a.version = 0;
		a.active = false;
	}
	*out_a = a;
	a = (struct store_administrator){ .version = 0 };
	return MU_OK;
}

enum mu_rc
auth_fresh_make(const struct auth_host *h, const struct mu_uuid *person_id, const char *role,
    const struct mu_uuid *by, int64_t now_ms, struct store_administrator *out_fresh, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };

	if (row_read(h, person_id, now_ms, &a, err) != MU_OK)
		return err->rc;
	if (a.state != PERSON_ACTIVE || a.blocked)
		return mu_fail(err, MU_EDENIED, "%s is %s: only who is active becomes an "
		    "administrator.", a.uid, a.blocked ? "revoked" : person_state_name(a.state));
	if (!auth_source_administers(h, a.source))
		return mu_fail(err, MU_EDENIED, "%s comes from the source %s, whose people are no "
		    "administrators: the configuration says so (administrators).", a.uid, a.source);
	if (by == NULL && a.active)
		return mu_fail(err, MU_EDENIED, "%s is an active administrator already.", a.uid);
	if (a.version > 0) {
		store_session_drop_all(h->store, person_id);
		store_enrolment_drop(h->store, person_id);
		store_seed_drop(h->store, person_id);
	}
	mu_secret_clear(&a.seed.sealed);
	mu_free(a.seed.algorithm);
	a.seed = (struct store_seed){ .version = 0 };
	mu_free(a.role);
	a.role = mu_strdup(role);
	if (auth_conflict(h, &a) != NULL)
		return mu_fail(err, MU_EDENIED, "%s holds the role %s, which conflicts with the"
		    " role %s of administrators: nobody is both.", a.uid, auth_conflict(h, &a), role);
	a.enrolled_by = by == NULL ? console : *by;
	a.enrolled_at_s = now_ms / 1000;
	a.active = false;
	a.version++;
	*out_fresh = a;
	a = (struct store_administrator){ .version = 0 };
	return MU_OK;
}

enum mu_rc
auth_fresh_write(const struct auth_host *h, struct store_administrator *a, struct mu_err *err)
{
	if (auth_rows_mac(h, a, err) != MU_OK)
		return err->rc;
	store_administrator_write(h->store, a);
	if (auth_seed_exists(&a->seed))
		store_seed_write(h->store, &a->person_id, &a->seed);
	return MU_OK;
}

/* --- Seeds --------------------------------------------------------------------------------------- */

/* RFC 3986, 2.1: all but "unreserved" is escaped. */
static void
percent_add(struct mu_buf *b, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		if (strchr(unreserved, *at) != NULL)
			mu_buf_char_add(b, (char)*at);
		else
			mu_buf_format(b, "%%%02X", *at);
	}
}

enum mu_rc
auth_seed_make(const struct auth_host *h, struct store_administrator *a, struct mu_secret *out_uri,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret base32 = MU_SECRET_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf uri = MU_BUF_INIT;
	struct store_seed seed;

	if (auth_seed_new(h, &a->person_id, &seed, &base32, err) != MU_OK)
		return err->rc;
	mu_secret_clear(&a->seed.sealed);
	mu_free(a->seed.algorithm);
	a->seed = seed;
	/* All room at once: bytes that grow leave copies behind. */
	mu_buf_reserve(&uri, 128 + base32.size_bytes + 3 * strlen(a->uid));
	mu_buf_text_add(&uri, "otpauth://totp/" ISSUER ":");
	percent_add(&uri, a->uid);
	mu_buf_text_add(&uri, "?secret=");
	mu_buf_add(&uri, base32.bytes, base32.size_bytes);
	mu_buf_text_add(&uri, "&issuer=" ISSUER "&algorithm=SHA1&digits=6&period=30");
	mu_secret_set(out_uri, uri.data, uri.size_bytes);
	return MU_OK;
}

enum mu_rc
auth_activate(const struct auth_try *t, struct store_administrator *a, struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(&a->person_id, person)), AUDIT_TEXT("role", a->role),
	};
	const struct auth_host *h = t->host;
	int64_t active = 0;

	if (mu_uuid_equal(&a->enrolled_by, &console) &&
	    auth_standing_count_lock(h, &active, err) != MU_OK)
		goto undecided;
	if (active >= AUTH_BOOTSTRAP_COUNT) {
		(void)auth_door_closed(active, err);
		return auth_refuse_alone(t, "console's door closed", err);
	}
	a->active = true;
	a->version++;
	a->seed.confirmed = true;
	a->seed.version++;
	if (auth_fresh_write(h, a, err) != MU_OK)
		goto undecided;
	audit_record(h->store, AUDIT_ADMIN_ACTIVATED, t->now_ms, fields, MU_COUNT(fields), NULL);
	return MU_OK;
undecided:
	store_rollback(h->store);
	return err->rc;
}
