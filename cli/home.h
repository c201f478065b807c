/*
 * cli/home.h - what muster keeps between two calls, and where
 *
 *	$MUSTER_HOME, else $XDG_STATE_HOME/muster, else ~/.local/state/muster	0700
 *	server.json	{"ca_fingerprint": HEX, "server": URL}: pinned at the first login
 *	ca.crt		the authority of that fingerprint; nothing else is trusted
 *	session.pem	0600: certificate and key of the session; written anew at each login
 *
 * Files are written whole or not at all.
 */
#ifndef CLI_HOME_H
#define CLI_HOME_H

#include "base/buf.h"
#include "base/secret.h"

#include <stdbool.h>

struct home {
	char *path, *ca_path;
	char *server, *ca_fingerprint;	/* NULL: nothing is pinned yet */
};

/*
 * Finds it and reads server.json. MU_ECONFIG: not ours, open to others, or a file in it is not as
 * written.
 */
MU_CHECKED enum mu_rc home_open(struct home **out_home, struct mu_err *err);
void home_close(struct home *h);		/* NULL is fine */

/* Keeps these from now on; the session there was is forgotten. ca_pem NULL: the authority stays. */
MU_CHECKED enum mu_rc home_pin(struct home *h, const char *server, const char *ca_fingerprint,
    const char *ca_pem, struct mu_err *err);

struct home_session {
	char *cert_pem;
	struct mu_secret key_pem;
	int64_t expires_at_s;
};
void home_session_clear(struct home_session *s);

/* MU_EABSENT: there is none, or it has run out */
MU_CHECKED enum mu_rc home_session_read(const struct home *h, int64_t now_s,
    struct home_session *out_session, struct mu_err *err);
MU_CHECKED enum mu_rc home_session_write(const struct home *h, const char *cert_pem,
    const struct mu_secret *key_pem, struct mu_err *err);
MU_CHECKED enum mu_rc home_session_remove(const struct home *h, struct mu_err *err);

/* 64 hex digits, in either case, with or without colons; appends lower case. */
bool home_fingerprint_parse(const char *text, struct mu_buf *b);

#endif
