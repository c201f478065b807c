/*
 * store/private.h - the embedded store: a PostgreSQL of our own, on a Unix socket alone
 *
 * Lives in STATE_DIR: store/data (the cluster), store.lock, store.password (the superuser's, 0600,
 * the caller's), store.log (begun anew when it is large). The supervisor is its direct parent and
 * reaps it; as root it gives the server to another user, because PostgreSQL refuses root, and then
 * any user may reach the socket whom STATE_DIR lets through. Everybody logs in by SCRAM, also the
 * superuser. The calls block: initdb takes about a second, a start 50 ms, after a crash as
 * long as recovery needs.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "base/err.h"
#include "store/role.h"

#include <stdbool.h>
#include <sys/types.h>

struct store_private;

struct store_private_config {
	const char *state_dir;		/* exists */
	/* where the socket stands; NULL: state_dir/store. Exists, the server may write it */
	const char *socket_dir;
	const char *bin_dir;		/* PostgreSQL's programs; NULL: found */
	uid_t uid;			/* the server's user and group; ours unless we are root */
	gid_t gid;
};

/*
 * Takes the lock of the state directory, finds the programs, makes the cluster if there is none.
 * MU_ECONFIG  another musterd holds it; no PostgreSQL; a major version other than the cluster's;
 * the             socket's path would be longer than 107 bytes; root without another user
 */
MU_CHECKED enum mu_rc store_private_open(const struct store_private_config *config,
    struct store_private **out_private, struct mu_err *err);

/* Stops it if it runs, and gives up the lock. */
void store_private_close(struct store_private *p);

/*
 * Starts the server and waits until it answers. A server that a killed predecessor left behind is
 * stopped first. It gets SIGINT when the calling thread ends.
 * MU_ERETRY  it ended again; the last line of store.log is in the text
 */
MU_CHECKED enum mu_rc store_private_start(struct store_private *p, struct mu_err *err);

/* The server's process, 0 when it does not run. */
pid_t store_private_pid(const struct store_private *p);

/* Whoever reaps children says so of store_private_pid: start may be called again. */
void store_private_ended(struct store_private *p);

/* Fast, after 30 s at once; waits for its end. Nothing to stop is fine. */
void store_private_stop(struct store_private *p);

/* The superuser's, for store_migrate. Borrowed; holds the password. */
const char *store_private_conninfo(const struct store_private *p);

/* Makes roles that are missing and gives each a fresh random password; the server must run. */
MU_CHECKED enum mu_rc store_private_passwords_set(struct store_private *p,
    struct store_logins *out_logins, struct mu_err *err);

#endif
