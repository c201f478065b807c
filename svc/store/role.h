/*
 * store/role.h - PostgreSQL roles: one per process, least grants (sql/roles.sql)
 *
 * On the embedded store the supervisor sets fresh random passwords at every start
 * (store_private_passwords_set). On a given store the roles are made by whoever runs it:
 *
 *	CREATE ROLE muster_cycle LOGIN PASSWORD '...';		and so on for each name below
 *
 * and their passwords stand in a file (0600, the supervisor's), a line each:
 * "muster_cycle:password". Blank lines and lines that begin with # are skipped; a password runs to
 * the end of its line.
 */
#ifndef STORE_ROLE_H
#define STORE_ROLE_H

#include "base/err.h"

enum store_role {
	STORE_ROLE_CYCLE, STORE_ROLE_PROVISION, STORE_ROLE_AUDIT, STORE_ROLE_TOKEN,
	    STORE_ROLE_ADMIN,
	STORE_ROLE_CLAIM, STORE_ROLE_WORK,
};
#define STORE_ROLE_COUNT (STORE_ROLE_WORK + 1)

const char *store_role_name(enum store_role role);	/* "muster_cycle", ... */

/* A conninfo per role, each with its password: wiped by clear. */
struct store_logins {
	char *conninfo[STORE_ROLE_COUNT];
};
void store_logins_clear(struct store_logins *l);

/*
 * conninfo with each role's name and password from the file in place of its own.
 * MU_ECONFIG  conninfo malformed, or over the network without sslmode=verify-full; file unreadable,
 *             readable by others, malformed, or a role is missing from it
 */
MU_CHECKED enum mu_rc store_logins_read(const char *conninfo, const char *password_file,
    struct store_logins *out_logins, struct mu_err *err);

#endif
