/*
 * proc/listener.h - key and certificate of a TLS listener, fresh from the private CA at each start
 */
#ifndef PROC_LISTENER_H
#define PROC_LISTENER_H

#include "proc/process.h"

/* A process ends after so long, to be started anew with a fresh certificate (they last 90 days). */
#define LISTENER_RENEW_MS ((int64_t)30 * 86400 * 1000)

struct listener {
	struct mu_secret key_pem, chain_pem, ca_pem;
};

/*
 * For open(): has keys issue for the names of at, and sets the timer that ends the process in time.
 * MU_ERETRY when keys is away; MU_ECONFIG when the names or the socket are not there.
 */
MU_CHECKED enum mu_rc listener_prepare(struct process *p, const struct settings_listen *at,
    struct listener *out_listener, struct mu_err *err);
void listener_clear(struct listener *l);

#endif
