/*
 * store/administrator.h - who administers, with which seed, in which sessions (STORE_ADMIN)
 *
 * An administrator is a person with a row here. Administrator, seed and session carry MACs (the
 * bytes are auth/administrator.h's); what a code moves (last_step, failures, locked_at) does not.
 * Writes belong inside a transaction.
 */
#ifndef STORE_ADMINISTRATOR_H
#define STORE_ADMINISTRATOR_H

#include "base/secret.h"
#include "model/account.h"
#include "model/names.h"
#include "model/strings.h"
#include "store/store.h"

struct store_seed {
	struct mu_uuid seed_id;		/* all zeros: there is none */
	struct mu_secret sealed;	/* only keys can open it */
	char *algorithm;		/* "SHA1" */
	bool confirmed;			/* a first code has been verified */
	int64_t version;
	unsigned char mac[MAC_BYTES];
	/* not MACed */
	int64_t last_step;		/* of the last code accepted, 0: none */
	int64_t failures;		/* in a row */
	int64_t locked_at_s;		/* 0: not locked */
};

struct store_administrator {
	struct mu_uuid person_id;
	char *role;			/* of administrators.yaml */
	struct mu_uuid enrolled_by;	/* all zeros: on the console */
	int64_t enrolled_at_s;
	bool active;			/* works: the first code has been verified */
	int64_t version;
	unsigned char mac[MAC_BYTES];
	struct store_seed seed;
	/* of the person, as of now */
	char *source, *dn, *uid, *display_name;
	enum person_state state;
	bool blocked;
	struct strings holds;		/* roles of roles.yaml */
};
void store_administrator_clear(struct store_administrator *a);

struct store_administrators {
	struct store_administrator *list;
	size_t count;
};
void store_administrators_clear(struct store_administrators *l);

/* MU_EABSENT when the person is no administrator. lock: rows of administrator and seed, until the
 * end of the transaction; the person's is not locked. */
MU_CHECKED enum mu_rc store_administrator_get(struct store *s, const struct mu_uuid *person_id,
    bool lock, struct store_administrator *out_administrator, struct mu_err *err);

/* Administrators whose person has this login name, without case: nobody and several are MU_OK. */
MU_CHECKED enum mu_rc store_administrator_find(struct store *s, const char *uid,
    struct store_administrators *out_list, struct mu_err *err);

MU_CHECKED enum mu_rc store_administrator_list(struct store *s,
    struct store_administrators *out_list, struct mu_err *err);	/* by uid */

/* Locks the table of administrators against all who write it (a second bootstrap), until the end of
 * the transaction; then counts the active ones whose person is active and not blocked. */
MU_CHECKED enum mu_rc store_administrator_count_lock(struct store *s, int64_t *out_active,
    struct mu_err *err);

/* Version 1 inserts; a higher one replaces the row whose version is one less. Without the seed. */
void store_administrator_write(struct store *s, const struct store_administrator *a);
/* With seed, enrolment and sessions. */
void store_administrator_remove(struct store *s, const struct mu_uuid *person_id);

/* In place of the seed the administrator has; all columns. */
void store_seed_write(struct store *s, const struct mu_uuid *person_id, const struct store_seed *seed);
/* None from now on; nothing to drop is fine. */
void store_seed_drop(struct store *s, const struct mu_uuid *person_id);
/* The three that a code moves. MU_ECONFLICT at commit: another seed by now, or last_step would go
 * back. */
void store_seed_moved(struct store *s, const struct mu_uuid *person_id, const struct store_seed *seed);

/* --- The one-time code with which a new administrator collects their seed --------------------- */

struct store_enrolment {
	unsigned char code_digest[MAC_BYTES];	/* keyed by keys: auth/administrator.h */
	int64_t expires_at_s;
	int64_t failures;
};
void store_enrolment_write(struct store *s, const struct mu_uuid *person_id,
    const struct store_enrolment *e);	/* in place of what there is */
/* Locked until the end of the transaction. MU_EABSENT: none. */
MU_CHECKED enum mu_rc store_enrolment_get(struct store *s, const struct mu_uuid *person_id,
    struct store_enrolment *out_enrolment, struct mu_err *err);
void store_enrolment_drop(struct store *s, const struct mu_uuid *person_id);

/* --- Sessions: a certificate each -------------------------------------------------------------- */

struct store_session {
	struct mu_uuid session_id, person_id;
	unsigned char fingerprint[32];	/* SHA-256 of the certificate's DER */
	int64_t issued_at_s, expires_at_s;
	char *address;			/* where the login came from */
	unsigned char mac[MAC_BYTES];
};
void store_session_clear(struct store_session *x);

void store_session_write(struct store *s, const struct store_session *x);	/* inserts */
MU_CHECKED enum mu_rc store_session_find(struct store *s, const unsigned char fingerprint[32],
    struct store_session *out_session, struct mu_err *err);	/* MU_EABSENT */
void store_session_drop(struct store *s, const struct mu_uuid *session_id);
void store_session_drop_all(struct store *s, const struct mu_uuid *person_id);
/* Sessions and enrolments that ran out before now_s. */
void store_session_sweep(struct store *s, int64_t now_s);

#endif
