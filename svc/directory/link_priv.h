/*
 * directory/link_priv.h - one LDAP connection, from nothing to bound
 *
 * Transport first, and it is not negotiable: ldapi://, ldaps://, or ldap:// with StartTLS, where a
 * refusal ends the attempt (RFC 4513 3.1). TLS 1.3, the name in the certificate checked, asserted
 * after the handshake because libldap says yes to settings that it ignores. Referrals are never
 * followed. Neither the environment nor ldap.conf has a say.
 *
 * Opening a TCP connection and the handshake block, each for LINK_NETWORK_S at most; binding and
 * everything after is driven by the loop.
 */
#ifndef DIRECTORY_LINK_PRIV_H
#define DIRECTORY_LINK_PRIV_H

#include "base/loop.h"
#include "directory/directory.h"

#include <ldap.h>

#define LINK_NETWORK_S		5

enum link_outcome {
	LINK_BOUND,
	LINK_REFUSED,	/* the server has judged who we are, and said no */
	LINK_FAILED,
};

struct directory_link;

/* Once: bound, or not and why. text is "" when bound. */
typedef void directory_link_done_fn(void *ctx, enum link_outcome outcome, const char *text);
/* After it is bound: something may be there to read. */
typedef void directory_link_ready_fn(void *ctx);

/* MU_ECONFIG  the address or the transport cannot be right */
MU_CHECKED enum mu_rc directory_link_check(const struct directory_source *source,
    struct mu_err *err);

/*
 * The same, and reads the CA file, once for the life of the process: before its sandbox closes.
 * Sources without TLS need none of it.
 */
MU_CHECKED enum mu_rc directory_link_prepare(const struct directory_source *source,
    struct mu_err *err);

/*
 * Starts; done comes from the loop, never from here. dn "" binds by SASL EXTERNAL; password must
 * not be empty otherwise and is copied.
 */
struct directory_link *directory_link_open(struct mu_loop *loop,
    const struct directory_source *source,
    const char *dn, const struct mu_secret *password, int64_t deadline_ms,
    directory_link_done_fn *done, directory_link_ready_fn *ready, void *ctx);
void directory_link_close(struct directory_link *link);	/* also from its callbacks; NULL is fine */

/* The handle, non-blocking, once bound. */
LDAP *directory_link_ldap(struct directory_link *link);

/* ldap_result said that the connection is gone, and may have closed it: no more ready, at once. */
void directory_link_lost(struct directory_link *link);

/* "Can't contact LDAP server", with the server's own words behind it if it had any. */
void directory_ldap_text(LDAP *ld, int result, const char *diagnostic, struct mu_buf *out_text);

#endif
