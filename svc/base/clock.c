#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
mu_now_s(void)
{
	return read_ms(CLOCK_REALTIME) / 1000;
}

int64_t
mu_now_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t
mu_tick_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

/* By hand: each audit record and each line of the log has one. */
static void
two_add(struct mu_buf *b, const char *before, int number)
{
	mu_buf_text_add(b, before);
	mu_buf_char_add(b, (char)('0' + number / 10));
	mu_buf_char_add(b, (char)('0' + number % 10));
}

void
mu_time_format(struct mu_buf *b, int64_t at_s)
{
	time_t t = (time_t)at_s;
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm);
	if (tm.tm_year < -900 || tm.tm_year > 8099) {
		mu_buf_format(b, "%04d", tm.tm_year + 1900);
	} else {
		two_add(b, "", (tm.tm_year + 1900) / 100);
		two_add(b, "", (tm.tm_year + 1900) % 100);
	}
	two_add(b, "-", tm.tm_mon + 1);
	two_add(b, "-", tm.tm_mday);
	two_add(b, "T", tm.tm_hour);
	two_add(b, ":", tm.tm_min);
	two_add(b, ":", tm.tm_sec);
	mu_buf_char_add(b, 'Z');
}

/* Reads count digits at *at and moves past them. */
static bool
digits(const char **at, int count, int min, int max, int *out_value)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*out_value = value;
	return value >= min && value <= max;
}

static bool
skip(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool
to_unix(const struct tm *given, int zone_minutes, int64_t *out_at_s)
{
	struct tm tm = *given;
	int mday = tm.tm_mday;
	time_t t;

	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm);
	if (tm.tm_mday != mday)		/* 31 April and its like */
		return false;
	*out_at_s = (int64_t)t - (int64_t)zone_minutes * 60;
	return true;
}

bool
mu_time_parse(const char *text, int64_t *out_at_s)
{
	const char *at = text;
	struct tm tm = { 0 };
	int sign = 0, hours = 0, minutes = 0;

	if (!digits(&at, 4, 1970, 9999, &tm.tm_year) || !skip(&at, '-') ||
	    !digits(&at, 2, 1, 12, &tm.tm_mon) || !skip(&at, '-') || !digits(&at, 2, 1, 31, &tm.tm_mday) ||
	    !(skip(&at, 'T') || skip(&at, 't')) || !digits(&at, 2, 0, 23, &tm.tm_hour) || !skip(&at, ':') ||
	    !digits(&at, 2, 0, 59, &tm.tm_min) || !skip(&at, ':') || !digits(&at, 2, 0, 59, &tm.tm_sec))
		return false;
	if (!skip(&at, 'Z') && !skip(&at, 'z')) {
		sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
		if (sign == 0)
			return false;
		at++;
		if (!digits(&at, 2, 0, 23, &hours) || !skip(&at, ':') || !digits(&at, 2, 0, 59, &minutes))
			return false;
	}
	return *at == '\0' && to_unix(&tm, sign * (hours * 60 + minutes), out_at_s);
}

/* ".25" or ",25" of a unit at *at, in whole seconds; moves past it. 0 when there is none. */
static bool
fraction(const char **at, int unit_s, int *out_s)
{
	int64_t part = 0, whole = 1;
	const char *s = *at;

	*out_s = 0;
	if (*s != '.' && *s != ',')
		return true;
	if (*++s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (whole < 1000000000) {
			part = part * 10 + (*s - '0');
			whole *= 10;
		}
	*out_s = (int)(part * unit_s / whole);
	*at = s;
	return true;
}

/*
 * RFC 4517 3.3.13: seconds, or minutes and seconds, may be left out; the last may have a fraction. A leap
 * second is the one after it, as it is in Unix time.
 */
bool
mu_generalized_time_parse(const char *text, int64_t *out_at_s)
{
	const char *at = text;
	struct tm tm = { 0 };
	int sign = 0, hours = 0, minutes = 0, unit_s = 3600, more_s;

	if (!digits(&at, 4, 1970, 9999, &tm.tm_year) || !digits(&at, 2, 1, 12, &tm.tm_mon) ||
	    !digits(&at, 2, 1, 31, &tm.tm_mday) || !digits(&at, 2, 0, 23, &tm.tm_hour))
		return false;
	for (int i = 0; i < 2 && *at >= '0' && *at <= '9'; i++, unit_s /= 60)
		if (!digits(&at, 2, 0, i == 0 ? 59 : 60, i == 0 ? &tm.tm_min : &tm.tm_sec))
			return false;
	if (!fraction(&at, unit_s, &more_s))
		return false;
	if (tm.tm_sec == 60) {
		tm.tm_sec--;
		more_s++;
	}
	if (!skip(&at, 'Z')) {
		sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
		if (sign == 0)
			return false;
		at++;
		if (!digits(&at, 2, 0, 23, &hours))
			return false;
		if (*at != '\0' && !digits(&at, 2, 0, 59, &minutes))
			return false;
	}
	if (*at != '\0' || !to_unix(&tm, sign * (hours * 60 + minutes), out_at_s))
		return false;
	*out_at_s += more_s;
	return true;
}
