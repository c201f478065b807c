/*
 * adapters/ejabberd/ejabberd.h - ejabberd through mod_http_api
 *
 * What the server needs: mod_http_api over HTTPS, mod_admin_extra, mod_muc_admin, mod_shared_roster,
 * an account of ours that api_permissions let use them, and a rule of its own that refuses members
 * of the shared group "muster-disabled" (acl shared_group, c2s access: deny). Its log level has to
 * be warning or higher: at info ejabberd 23.01 logs passwords in clear.
 *
 * With /oauth: ejabberd_oauth beside it, oauth_access for that account and an oauth clause in
 * api_permissions, a token takes the place of the password, and a call costs a fraction. Without
 * them the password is used; no setting of ours says which.
 *
 * Groups are shared roster groups that their members see; rooms are persistent, members-only MUC
 * rooms, where a moderator is an admin. Both are made when first needed. ban_account is never used:
 * it makes the account when there is none.
 */
#ifndef ADAPTERS_EJABBERD_EJABBERD_H
#define ADAPTERS_EJABBERD_EJABBERD_H

#include "adapters/adapter.h"

extern const struct adapter_ops ejabberd_adapter;

#endif
