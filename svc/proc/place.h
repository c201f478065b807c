/*
 * proc/place.h - what the supervisor prepares in the file system and on the network
 *
 *	STATE			0711 as root (its users pass through to what is theirs), else 0700
 *	STATE/lock		who holds it is the only musterd here
 *	STATE/keys		0700, the process keys'
 *	STATE/ca.crt		0644, published by keys
 *	STATE/receipt.jwk	0644, published by keys; so are checkpoint and checkpoint.vkey
 *	STATE/clients/X.crt	0644, published by admin
 *	RUN			as STATE
 *	RUN/store		the private PostgreSQL's socket
 *	RUN/console.sock	0600, the process admin's
 */
#ifndef PROC_PLACE_H
#define PROC_PLACE_H

#include "base/buf.h"
#include "base/err.h"
#include "config/settings.h"
#include "proc/crew.h"

/*
 * Makes the folders, hands each to its owner, takes the lock.
 * MU_ECONFIG  cannot be made, belongs to another, or another musterd holds the lock
 */
MU_CHECKED enum mu_rc place_open(const struct settings *s, const struct crew_users *users,
    int *out_lock_fd, struct mu_err *err);

/* "DIR/name", fresh. */
char *place_path(const char *dir, const char *name);

/*
 * Writes a file that a process publishes, at once or not at all.
 * MU_EDENIED  that process may not publish a file of that name
 * MU_EINPUT   not a certificate in PEM where it is to be one, not text, or too large
 */
MU_CHECKED enum mu_rc place_publish(const struct settings *s, enum process_kind by,
    const char *name, const void *bytes, size_t bytes_count, struct mu_err *err);

/* A listening TCP socket, close-on-exec; shared: another one may listen on the same address. */
MU_CHECKED enum mu_rc place_listen(const struct settings_listen *listen_at, bool shared,
    int *out_fd, struct mu_err *err);

/* The console's: a Unix socket of mode 0600 that belongs to owner. */
MU_CHECKED enum mu_rc place_console(const struct settings *s, struct crew_user owner, int *out_fd,
    struct mu_err *err);

/* An unnamed file with that text, which nobody can change any more; close-on-exec. */
MU_CHECKED enum mu_rc place_text(const char *name, const struct mu_buf *text, int *out_fd,
    struct mu_err *err);

#endif
