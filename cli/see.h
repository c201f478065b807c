/*
 * cli/see.h - the commands that look at one thing, and at how everything stands
 */
#ifndef CLI_SEE_H
#define CLI_SEE_H

#include "cli/args.h"
#include "cli/cli.h"

int see_whoami_run(struct cli *c, const struct args *a);
int see_person_run(struct cli *c, const struct args *a);
int see_explain_run(struct cli *c, const struct args *a);
int see_platform_run(struct cli *c, const struct args *a);
int see_status_run(struct cli *c, const struct args *a);

#endif
