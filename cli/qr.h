/*
 * cli/qr.h - the seed of an authenticator, for its camera and as text
 */
#ifndef CLI_QR_H
#define CLI_QR_H

#include "base/buf.h"
#include "cli/cli.h"

/*
 * Appends a QR code (ISO/IEC 18004, level M) in half blocks, two modules a character, black on
 * white whatever the terminal's colours, with the margin of four modules that the standard asks
 * for.
 * MU_EINPUT  the text is too long for one
 */
MU_CHECKED enum mu_rc qr_format(const char *text, struct mu_buf *b, struct mu_err *err);

/* On out: the code, if out is a terminal and wanted, and the URI as text below. */
void qr_show(const struct cli *c, const char *uri, bool wanted);

#endif
