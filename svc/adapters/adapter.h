/*
 * adapters/adapter.h - what the provisioner asks of a platform
 *
 * Every call may be repeated: after a crash the same step is sent again, and twice must leave what
 * once leaves. An adapter remembers nothing but its connection; the truth is what get() and list()
 * report. Calls block until step->patience_ms at most. The platform's credential is kept in a
 * struct mu_secret until close(); a fresh account secret comes in the step and is wiped when the
 * step returns. An adapter process runs one module for one platform, with no database.
 */
#ifndef ADAPTERS_ADAPTER_H
#define ADAPTERS_ADAPTER_H

#include "base/buf.h"
#include "base/err.h"
#include "config/section.h"
#include "model/step.h"

#define ADAPTER_ABI 1u		/* raise when a struct below changes its layout */

enum adapter_outcome {		/* from a table per adapter: transport, status, code, text */
	ADAPTER_DONE, ADAPTER_ALREADY,
	ADAPTER_RETRY,		/* nothing was changed; wait receipt->retry_after_ms */
	ADAPTER_UNKNOWN,	/* sent, no answer: get() before asking again */
	ADAPTER_OWN_CREDENTIAL,	/* ours was refused: stop this platform, blame no person */
	ADAPTER_ABSENT, ADAPTER_CONFLICT, ADAPTER_REFUSED,
};
const char *adapter_outcome_name(enum adapter_outcome outcome);

enum adapter_can {		/* the differences between platforms that the worker minds */
	ADAPTER_CAN_DISABLE	= 1 << 0,	/* disable keeps the password */
	ADAPTER_CAN_DISABLE_LOSSY = 1 << 1,	/* enable needs a fresh credential */
	ADAPTER_CAN_KILL	= 1 << 2,
	ADAPTER_CAN_COUNT_SESSIONS = 1 << 3,
	ADAPTER_CAN_GROUPS	= 1 << 4,
	ADAPTER_CAN_ROOMS	= 1 << 5,
	ADAPTER_CAN_EXTERNAL_ID	= 1 << 6,	/* an account says whose it is */
	ADAPTER_CAN_CREDENTIAL	= 1 << 7,	/* takes a password of ours */
	ADAPTER_CAN_MINT	= 1 << 8,	/* no accounts: short-lived credentials instead */
	ADAPTER_CAN_LIST	= 1 << 9,
	ADAPTER_CAN_EPHEMERAL	= 1 << 10,	/* forgets on restart: reconcile then */
	ADAPTER_CAN_REUSE_IDS	= 1 << 11,
	ADAPTER_CAN_REMOVE_CLEANS = 1 << 12,	/* remove takes the memberships along */
};

struct adapter;

/* What an adapter is given for its whole life. */
struct adapter_host {
	const char *platform;			/* its name in the configuration */
	const struct mu_secret *credential;	/* the platform's password or token; borrowed until close() */
};

typedef enum adapter_outcome adapter_do_fn(struct adapter *a, const struct step *s,
    struct receipt *out_receipt, struct mu_err *err);
typedef void adapter_each_fn(void *ctx, const char *name, const struct observed *seen);

struct adapter_ops {
	uint32_t abi;
	const char *name;			/* "ejabberd": folder, config, audit subject */
	uint32_t can;				/* enum adapter_can */
	const struct config_key *keys;		/* settings with unit, bounds, default, help */

	/* Borrows host until close(). */
	enum mu_rc (*open)(const struct adapter_host *host, const struct config_section *cfg,
	    struct adapter **out_adapter, struct mu_err *err);
	void (*close)(struct adapter *a);

	/* Folds case and checks characters as the platform will, before anything is sent. */
	enum mu_rc (*normalise)(const char *name, struct mu_buf *out_name, struct mu_err *err);

	/*
	 * Reports a page of accounts from cursor ("" first) and sets out_next ("" at the end);
	 * out_complete only if provably nothing is missing.
	 */
	enum adapter_outcome (*list)(struct adapter *a, const char *cursor, adapter_each_fn *each, void *ctx,
	    struct mu_buf *out_next, bool *out_complete, struct mu_err *err);

	/* By enum step_kind; NULL: the platform has no such notion, and no plan will ask for it. */
	adapter_do_fn *steps[STEP_KIND_COUNT];
};

/* The module by name; NULL when there is none. adapter_each walks the registry in order. */
const struct adapter_ops *adapter_find(const char *name);
const struct adapter_ops *adapter_at(size_t index);	/* NULL past the end */

#endif
