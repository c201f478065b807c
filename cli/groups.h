/*
 * cli/groups.h - the commands that are more than a row of the table, a file a group
 */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

#include "cli/args.h"
#include "cli/cli.h"
#include "json/read.h"

/* pending.c */
int pending_approve_run(struct cli *c, const struct args *a);
int pending_deny_run(struct cli *c, const struct args *a);

/* review.c */
int review_run(struct cli *c, const struct args *a);

/* sync.c */
int sync_run(struct cli *c, const struct args *a);

/* policy.c */
int policy_check_run(struct cli *c, const struct args *a);
int policy_test_run(struct cli *c, const struct args *a);
int policy_plan_run(struct cli *c, const struct args *a);
int policy_apply_run(struct cli *c, const struct args *a);
/* Has what a pending action would bring into force planned anew: the server goes by that. */
int policy_pending_plan(struct cli *c, const char *digest);
/* What differs between two versions' files, with '-' and '+' before the lines of each. */
void policy_difference_show(FILE *to, const struct json_node *before,
    const struct json_node *after);

/* claim.c */
int claim_run(struct cli *c, const struct args *a);

#endif
