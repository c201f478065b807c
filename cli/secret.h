/*
 * cli/secret.h - passwords and codes: from the terminal, or a line each of standard input
 *
 * Never from arguments or the environment. With --secrets-stdin lines are read byte by byte, so
 * that nothing behind a line is taken, in the order in which commands ask: password first, then
 * codes.
 */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include "base/secret.h"
#include "cli/cli.h"

#define SECRET_LINE_MAX_BYTES 1024

/*
 * Asks for one. hidden: the terminal does not show what is typed; it is put right again whatever
 * happens.
 * MU_EINPUT   an empty line, none, or one that is too long
 * MU_ECONFIG  there is no terminal: names --secrets-stdin
 */
MU_CHECKED enum mu_rc secret_ask(const struct cli *c, const char *prompt, bool hidden,
    struct mu_secret *out_secret, struct mu_err *err);

/* A code: blanks within, as authenticators show them, do not count. */
MU_CHECKED enum mu_rc secret_code_ask(const struct cli *c, const char *prompt,
    struct mu_secret *out_code, struct mu_err *err);

/*
 * Who logs in: as given, else asked for with the name of the Unix user as what Enter means; not
 * asked for with --secrets-stdin. Fresh text.
 */
MU_CHECKED enum mu_rc secret_user_ask(const struct cli *c, const char *given, char **out_user,
    struct mu_err *err);

/*
 * A line without its end. MU_EINPUT: the input has ended, or the line is too long (and is passed
 * over)
 */
MU_CHECKED enum mu_rc secret_line_read(int fd, struct mu_secret *out_line, struct mu_err *err);

#endif
