#include "crypto/fault.h"

#include <openssl/err.h>

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum mu_rc
crypto_fail(struct mu_err *err, enum mu_rc rc, const char *fmt, ...)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	char text[MU_ERR_TEXT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return mu_fail(err, rc, "%.400s%s%.80s", text, reason == NULL ? "" : ": ",
	    reason == NULL ? "" : reason);
}

void
crypto_must(int worked, const char *what)
{
	if (worked == 1)
		return;
	mu_log("crypto.broken", "what", what, NULL);
	abort();
}
