#include "cli/when.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

#define DURATION_MAX_DAYS	3660

/* "8h": in seconds. */
static bool
duration_parse(const char *text, int64_t *out_s)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', MU_DAY_S } };
	size_t length = strlen(text);
	char digits[12];
	int64_t count;

	if (length < 2 || length > sizeof(digits))
		return false;
	(void)memcpy(digits, text, length - 1);
	digits[length - 1] = '\0';
	for (size_t i = 0; i < MU_COUNT(units); i++) {
		if (units[i].unit != text[length - 1])
			continue;
		if (!mu_int_parse(digits, 1, DURATION_MAX_DAYS * MU_DAY_S / units[i].seconds,
		    &count))
			return false;
		*out_s = count * units[i].seconds;
		return true;
	}
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * "17:00": the next or last time that the local clock shows it, whatever it is set to on the way.
 */
static bool
clock_parse(const char *text, int64_t now_s, bool is_past, int64_t *out_at_s)
{
	time_t now = (time_t)now_s;
	int hour, minute;

	if (strlen(text) != 5 || text[2] != ':' || !is_digit(text[0]) || !is_digit(text[1]) ||
	    !is_digit(text[3]) || !is_digit(text[4]))
		return false;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	if (hour > 23 || minute > 59)
		return false;
	for (int day = 0; day >= -2 && day <= 2; day += is_past ? -1 : 1) {
		struct tm local;
		time_t at;

		if (localtime_r(&now, &local) == NULL)
			return false;
		local.tm_mday += day;
		local.tm_hour = hour;
		local.tm_min = minute;
		local.tm_sec = 0;
		local.tm_isdst = -1;
		at = mktime(&local);
		if (at != (time_t)-1 && (is_past ? at <= now : at > now)) {
			*out_at_s = at;
			return true;
		}
	}
	return false;
}

enum mu_rc
when_parse(const char *text, int64_t now_s, bool is_past, int64_t *out_at_s, struct mu_err *err)
{
	int64_t at_s, duration_s;

	if (duration_parse(text, &duration_s))
		at_s = is_past ? now_s - duration_s : now_s + duration_s;
	else if (!mu_time_parse(text, &at_s) && !clock_parse(text, now_s, is_past, &at_s))
		return mu_fail(err, MU_EINPUT, "\"%s\" is no time: write 8h, 30m or 7d, 17:00, or "
		    "2026-11-21T18:00:00Z", text);
	if (!is_past && at_s <= now_s)
		return mu_fail(err, MU_EINPUT, "%s has passed", text);
	if (is_past && at_s > now_s)
		return mu_fail(err, MU_EINPUT, "%s has not come yet", text);
	*out_at_s = at_s;
	return MU_OK;
}
