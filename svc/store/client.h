/*
 * store/client.h - who may call the token API: one row per platform's client certificate
 * (STORE_CLIENT)
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "base/uuid.h"
#include "model/account.h"
#include "store/store.h"

#include <stdbool.h>

#define FINGERPRINT_BYTES 32	/* SHA-256 of the certificate's DER */

struct store_client {
	struct mu_uuid client_id;
	char *name;			/* unique */
	char *platform;
	bool configured;		/* by the configuration file; else by a client.add action */
	unsigned char fingerprint[FINGERPRINT_BYTES];
	unsigned char csr_digest[32];	/* SHA-256 of the CSR, zeros for a pinned certificate */
	char *certificate;		/* PEM, public */
	int64_t not_after_s;
	int64_t version;
	unsigned char mac[MAC_BYTES];
};
void store_client_clear(struct store_client *c);

struct store_clients {
	struct store_client *list;
	size_t count;
};
void store_clients_clear(struct store_clients *c);

/* By name. */
MU_CHECKED enum mu_rc store_client_list(struct store *s, struct store_clients *out_clients,
    struct mu_err *err);

/* MU_EABSENT when no client has it. */
MU_CHECKED enum mu_rc store_client_find(struct store *s,
    const unsigned char fingerprint[FINGERPRINT_BYTES], struct store_client *out_client,
    struct mu_err *err);

/*
 * Version 1 inserts; a higher one replaces the row of this client_id whose version is one less.
 * Inside a transaction.
 */
void store_client_write(struct store *s, const struct store_client *c);

/* The row is gone at commit, and with it the access. Inside a transaction. */
void store_client_remove(struct store *s, const struct mu_uuid *client_id);

#endif
