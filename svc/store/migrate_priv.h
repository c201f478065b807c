/*
 * store/migrate_priv.h - sql/ as svc/store/embed.cmake compiles it in
 */
#ifndef STORE_MIGRATE_PRIV_H
#define STORE_MIGRATE_PRIV_H

#include <stddef.h>

struct store_migration {
	const char *name;		/* "0001_people" */
	const char *text;
};

/* in order, gapless from 1, ended by NULL */
extern const struct store_migration store_migrations[];
extern const char store_roles_text[];

#endif
