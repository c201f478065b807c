/*
 * adapters/scim/scim.h - any platform that speaks SCIM 2.0 (RFC 7643, RFC 7644)
 *
 * What the server needs: a bearer token that may read and change users and groups, filters, PATCH,
 * and externalId on users. It keeps our account id there, and that alone says whose an account is:
 * one that carries another id is never touched, one of the right name that carries none is taken
 * for what the caller believes it to be.
 *
 * Rights are groups, by displayName; they are made when first needed. SCIM has no sessions: a
 * server ends them by itself when an account is no longer active, and cannot be asked to.
 */
#ifndef ADAPTERS_SCIM_SCIM_H
#define ADAPTERS_SCIM_SCIM_H

#include "adapters/adapter.h"

extern const struct adapter_ops scim_adapter;

#endif
