/*
 * cli/login.h - how an administrator comes to a session, and to the first code
 */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "base/buf.h"
#include "cli/args.h"
#include "cli/cli.h"

int login_run(struct cli *c, const struct args *a);
int login_out_run(struct cli *c, const struct args *a);
int login_bootstrap_run(struct cli *c, const struct args *a);

/*
 * Asks for user (NULL: not given), password and code, and logs in: a fresh key, its certificate in
 * the home. Where the code is the one-time code of a new administrator, their seed is shown and the
 * first code asked for.
 */
int login_session(struct cli *c, const char *user, bool with_qr);

/*
 * Asks for the same; appends a login that does an action in the same request. The caller wipes it.
 */
int login_body_make(struct cli *c, const char *user, const char *action_json,
    struct mu_buf *out_body);

#endif
