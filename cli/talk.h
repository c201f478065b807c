/*
 * cli/talk.h - one request to muster, and what its answer means for the exit status
 *
 * A refusal (RFC 9457) is told on err with its remedy and whom it could have meant; with --json it
 * stands on out, too. Functions return CLI_DONE, or the exit status after having told why.
 */
#ifndef CLI_TALK_H
#define CLI_TALK_H

#include "base/buf.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "json/read.h"

#include <stdbool.h>

#define TALK_MS		60000
#define TALK_JOB_MS	((int64_t)3700 * 1000)	/* a job may take an hour */

enum talk_to {
	TALK_SESSION,		/* as the administrator who is logged in */
	TALK_STRANGER,		/* without a certificate: login */
	TALK_CONSOLE,		/* the Unix socket */
};

/* c->home from now on. */
int talk_home(struct cli *c);

/*
 * c->client from now on; connects to nobody yet. CLI_FAILED: there is no session, or nothing
 * pinned.
 */
int talk_open(struct cli *c, enum talk_to to);

/* Is there a session that has not run out? */
bool talk_has_session(struct cli *c);

/*
 * Asks and reads the answer; body NULL: none, else JSON. *out_root stays NULL for an answer without
 * content. talk_try leaves it to the caller what it means that none came: *out_unanswered, and
 * nothing was told.
 */
int talk_ask(struct cli *c, const char *method, const char *target, const struct mu_buf *body,
    struct json_node **out_root);
int talk_try(struct cli *c, const char *method, const char *target, const struct mu_buf *body,
    int64_t wait_ms, struct json_node **out_root, bool *out_unanswered, struct mu_err *err);

/* The same with a form, answered in JSON: the claim page. */
int talk_form(struct cli *c, const char *target, const struct mu_buf *form,
    struct json_node **out_root);

/*
 * Fetches the authority that this server presents, and sees that it is the one of that fingerprint.
 * out_pem is its certificate.
 */
int talk_pin(const struct cli *c, const char *server, const char *fingerprint,
    struct mu_buf *out_pem);

/* Appends "/" and text as one segment of a path. */
void talk_segment_add(struct mu_buf *target, const char *text);

#endif
