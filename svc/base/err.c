#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum mu_rc
mu_fail(struct mu_err *err, enum mu_rc rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->rc = rc;
	return rc;
}

enum mu_rc
mu_fail_errno(struct mu_err *err, enum mu_rc rc, const char *fmt, ...)
{
	char place[MU_ERR_TEXT_BYTES];
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(place, sizeof(place), fmt, ap);
	va_end(ap);
	return mu_fail(err, rc, "%.300s: %s", place, strerror(saved));
}

enum mu_rc
mu_wrap(struct mu_err *err, const char *fmt, ...)
{
	char place[MU_ERR_TEXT_BYTES], text[MU_ERR_TEXT_BYTES];
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(place, sizeof(place), fmt, ap);
	va_end(ap);
	(void)memcpy(text, err->text, sizeof(text));
	(void)snprintf(err->text, sizeof(err->text), "%.250s: ", place);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, "%s", text);
	return err->rc;
}

const char *
mu_rc_name(enum mu_rc rc)
{
	switch (rc) {
	case MU_OK:		return "ok";
	case MU_EINPUT:		return "input";
	case MU_EDENIED:	return "denied";
	case MU_EABSENT:	return "absent";
	case MU_ECONFLICT:	return "conflict";
	case MU_ERETRY:		return "retry";
	case MU_ECONFIG:	return "config";
	case MU_EBROKEN:	return "broken";
	}
	return "unknown";
}
