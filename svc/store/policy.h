/*
 * store/policy.h - the policy in force: its files as text, newest version first
 */
#ifndef STORE_POLICY_H
#define STORE_POLICY_H

#include "base/buf.h"
#include "store/store.h"

struct store_policy_file {
	char *name, *content;
};

struct store_policy {
	int64_t version;
	unsigned char digest[32], mac[32];
	char *applied_by;
	int64_t applied_at_s;
	struct store_policy_file *files;
	size_t file_count;
};
void store_policy_clear(struct store_policy *p);

/* MU_EABSENT while the store has none. */
MU_CHECKED enum mu_rc store_policy_current(struct store *s, struct store_policy *out_policy,
    struct mu_err *err);
void store_policy_write(struct store *s, const struct store_policy *p);

#define STORE_CHANNEL_POLICY "muster_policy"	/* hint: a newer version is in force */
/* The newest version's number, 0 while there is none: cheap, for whoever keeps a parsed one. */
MU_CHECKED enum mu_rc store_policy_version(struct store *s, int64_t *out_version, struct mu_err *err);
/* The newest version with which everyone has been decided on anew, 0: none yet. */
MU_CHECKED enum mu_rc store_policy_decided(struct store *s, int64_t *out_version, struct mu_err *err);
void store_policy_decided_write(struct store *s, int64_t version, int64_t now_s);

#endif
