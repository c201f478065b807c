/*
 * auth/keys.h - what the process admin asks of keys, typed; and the MACs of the rows it writes
 *
 * Each call asks and waits. MU_ERETRY: keys is away.
 */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include "base/buf.h"
#include "base/secret.h"
#include "ipc/message.h"
#include "model/account.h"
#include "store/administrator.h"
#include "store/store.h"

/* Sends one operation to keys and waits for its answer. */
typedef enum mu_rc auth_ask_fn(void *ctx, uint16_t op, const struct mu_buf *body,
    struct mu_buf *out_body, struct mu_err *err);

struct auth_host {
	struct store *store;		/* STORE_ADMIN | STORE_AUDIT | STORE_PERSON */
	auth_ask_fn *ask;
	void *ctx;			/* for ask, administers and conflict */
	/* May people of this source be administrators? NULL: of all sources. */
	bool (*administers)(void *ctx, const char *source);
	/* Which of the roles held excludes this role of administrators? NULL: none. */
	const char *(*conflict)(void *ctx, const char *admin_role, const struct strings *held);
};

/* As host->administers says. */
bool auth_source_administers(const struct auth_host *h, const char *source);
/* As host->conflict, which may be NULL, says of what their person holds. P5-11 */
const char *auth_conflict(const struct auth_host *h, const struct store_administrator *a);
/* Do they work as an administrator now, if keys made their row? */
bool auth_stands(const struct auth_host *h, const struct store_administrator *a);
/* How many do, with the table locked as by store_administrator_count_lock. */
MU_CHECKED enum mu_rc auth_standing_count_lock(const struct auth_host *h, int64_t *out_count,
    struct mu_err *err);

/* The same types as cycle_mac_fn and cycle_mac_check_fn; ctx is a struct auth_host. */
MU_CHECKED enum mu_rc auth_mac(void *host, const struct mu_buf *bytes, size_t count,
    unsigned char (*out_macs)[MAC_BYTES], struct mu_err *err);
MU_CHECKED enum mu_rc auth_mac_check(void *host, const struct mu_buf *bytes,
    const unsigned char (*macs)[MAC_BYTES], size_t count, bool *out_right, struct mu_err *err);

/* A fresh seed: sealed for the store, and its base32 text for the person's authenticator. */
MU_CHECKED enum mu_rc auth_seed_new(const struct auth_host *h, const struct mu_uuid *person_id,
    struct store_seed *out_seed, struct mu_secret *out_base32, struct mu_err *err);

/* As struct msg_code says. */
MU_CHECKED enum mu_rc auth_code_check(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct store_seed *seed, const struct mu_secret *code, int64_t *out_step, struct mu_err *err);

/* Certifies a fresh key for one session; the CN is "admin." and the session's UUID. */
MU_CHECKED enum mu_rc auth_session_issue(const struct auth_host *h, const struct mu_uuid *session_id,
    const char *csr_pem, struct msg_issued *out_issued, struct mu_err *err);

/* Certifies a platform's request; name as the configuration would have it. MU_EINPUT: a bad request. */
MU_CHECKED enum mu_rc auth_client_issue(const struct auth_host *h, const char *name, const char *csr_pem,
    struct msg_issued *out_issued, struct mu_err *err);

#endif
