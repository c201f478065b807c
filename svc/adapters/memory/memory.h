/*
 * adapters/memory/memory.h - a platform that lives in this process: for tests and for trying out
 *
 * It keeps the whole contract and can be told to fail, by settings or by the name of an account, as
 * the step comes in:
 *
 *	retry.NAME	the first of each kind of change does nothing and answers RETRY
 *	unknown.NAME	the first of each kind of change is made and answers UNKNOWN
 *	refused.NAME	is refused for good
 *	foreign.NAME	was there before, enabled, and is nobody's of ours
 *	clinging.NAME	has a session that the first KILL does not end
 *
 * An account that is enabled has one live session from its credential on. A credential of the host
 * that is "wrong" is our own being refused.
 */
#ifndef ADAPTERS_MEMORY_MEMORY_H
#define ADAPTERS_MEMORY_MEMORY_H

#include "adapters/adapter.h"

extern const struct adapter_ops memory_adapter;

/* For tests, which see a platform from outside: may this account log in with that password? */
bool memory_login(const struct adapter *a, const char *name, const char *password);

/* Its live sessions now. */
uint32_t memory_sessions(const struct adapter *a, const char *name);

#endif
