/*
 * store/role_priv.h - conninfo strings, put together
 */
#ifndef STORE_ROLE_PRIV_H
#define STORE_ROLE_PRIV_H

#include "base/buf.h"

/* Appends key='value', quoted. */
void store_conninfo_add(struct mu_buf *b, const char *key, const char *value);

#endif
