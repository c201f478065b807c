/*
 * tests/unit/vault/rig.h - a vault in a folder of its own, and an account to mint for
 */
#ifndef TESTS_UNIT_VAULT_RIG_H
#define TESTS_UNIT_VAULT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vault/vault.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_S 1795000000	/* 2026-11-18 */

struct rig {
	char top[64], dir[80];
	struct vault *vault;
};

static inline enum mu_rc
rig_vault_open(struct rig *r, struct mu_err *err)
{
	struct vault_config config = { r->dir, "https://muster.example.org:8443" };

	return vault_open(&config, NOW_S, &r->vault, err);
}

static inline void
rig_vault_close(struct rig *r)
{
	vault_closep(&r->vault);
}

/* The folder is fresh; the vault in it is not open yet. */
static inline void
rig_start(struct rig *r)
{
	*r = (struct rig){ "/tmp/muster-vault-XXXXXX", "", NULL };
	assert_non_null(mkdtemp(r->top));
	(void)snprintf(r->dir, sizeof(r->dir), "%s/keys", r->top);
}

static inline void
rig_open(struct rig *r)
{
	struct mu_err err = MU_ERR_INIT;

	rig_start(r);
	assert_int_equal(MU_OK, rig_vault_open(r, &err));
}

static inline void
rig_end(struct rig *r)
{
	char path[400];
	DIR *d;

	rig_vault_close(r);
	(void)chmod(r->dir, 0700);
	d = opendir(r->dir);
	for (struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
		(void)snprintf(path, sizeof(path), "%s/%s", r->dir, e->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(r->dir);
	(void)rmdir(r->top);
}

static inline void
account_make(struct account_want *w)
{
	*w = (struct account_want){ .state = ACCOUNT_ENABLED, .version = 7 };
	(void)memset(w->account_id.bytes, 1, 16);
	(void)memset(w->person_id.bytes, 2, 16);
	(void)memset(w->subject, 3, sizeof(w->subject));
	w->platform = strdup("xmpp");
	w->name = strdup("ann");
	strings_add(&w->roles, "staff-chat");
	strings_add(&w->roles, "ops \"night\" shift");
	entitlements_add(&w->entitlements, ENTITLEMENT_GROUP, "all-staff", "");
	entitlements_add(&w->entitlements, ENTITLEMENT_ROOM, "ops", "moderator");
}

static inline void
account_mac(const struct vault *v, const struct account_want *w, unsigned char mac[MAC_BYTES])
{
	MU_AUTO(mu_buf_clear) struct mu_buf row = MU_BUF_INIT;

	account_want_encode(w, &row);
	vault_mac(v, row.data, row.size_bytes, mac);
}

#endif
