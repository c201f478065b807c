/*
 * store/migrate.h - brings the schema to this program's version
 *
 * sql/migrate/NNNN_what.sql in order, each in a transaction of its own, then sql/roles.sql, which
 * may be applied any number of times. The SQL is compiled in: the program needs no files.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/err.h"

/* The newest version this program knows. */
int64_t store_schema_version(void);

/*
 * Applies what is missing; out_applied is how many migrations that were. conninfo is the owner's,
 * never a process's. Two at once are harmless: one wins, the other is told MU_ERETRY.
 * MU_ECONFIG  the schema is newer than this program, a role does not exist or may not log in, the
 *             text encoding is not UTF-8, conninfo's user may not do it
 * MU_ERETRY   not reachable
 */
MU_CHECKED enum mu_rc store_migrate(const char *conninfo, int64_t *out_applied, struct mu_err *err);

#endif
