/*
 * config/conninfo_priv.h - is this libpq conninfo one that muster may use?
 */
#ifndef CONFIG_CONNINFO_PRIV_H
#define CONFIG_CONNINFO_PRIV_H

/*
 * NULL if it is: "keyword=value ..." as PostgreSQL 34.1.1.1 has it, to local sockets alone or with
 * sslmode=verify-full, and without a password. Else what is wrong with it.
 */
const char *config_conninfo_fault(const char *text);

#endif
