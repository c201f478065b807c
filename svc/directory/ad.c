#include "directory/ad_priv.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "directory/directory.h"

#define RANGE_OPTION		";range="
#define RANGE_NUMBER_MAX	1000000000000
#define FILETIME_PER_S		10000000
#define FILETIME_1970_S		11644473600	/* from 1601 to 1970 */
#define YEAR_10000_S		253402300800
#define ATTID_NAME		0x00090001	/* MS-ADTS 3.1.1.2.6: RDN, 1.2.840.113556.1.4.1 */
#define META_HEAD_BYTES		16
#define META_BYTES		48		/* attid, version, time, invocationId, two USNs */
#define META_LOCAL_USN		40
#define DIRSYNC_MAX_BYTES	(DIRECTORY_COOKIE_MAX_BYTES / 2)
#define COOKIE_MAGIC		"ad1"
#define COOKIE_PARTS		7

/* --- DirSync --------------------------------------------------------------------------------- */

/* libldap 2.5 reads from nowhere when the value is empty. */
bool
directory_ad_dirsync_decode(LDAP *ld, LDAPControl *control, bool *out_more,
    struct mu_buf *out_cookie)
{
	struct berval cookie = { 0, NULL };
	int more = 0;
	bool good;

	if (control->ldctl_value.bv_len == 0 ||
	    ldap_parse_dirsync_control(ld, control, &more, &cookie) != LDAP_SUCCESS)
		return false;
	good = cookie.bv_len > 0 && cookie.bv_len <= DIRSYNC_MAX_BYTES;
	mu_buf_reset(out_cookie);
	if (good)
		mu_buf_add(out_cookie, cookie.bv_val, cookie.bv_len);
	ldap_memfree(cookie.bv_val);
	*out_more = more != 0;
	return good;
}

/* --- Ranges ---------------------------------------------------------------------------------- */

/* Digits up to end, which must not be reached. */
static bool
number_take(const char **at, const char *end, size_t *out_number)
{
	const char *start = *at;
	size_t number = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		number = 10 * number + (size_t)(**at - '0');
		if (number > RANGE_NUMBER_MAX)
			return false;
	}
	*out_number = number;
	return *at > start;
}

bool
directory_ad_range_parse(const char *name, size_t name_bytes, const char *attribute,
    size_t *out_first, size_t *out_last)
{
	const char *at = name, *end = name + name_bytes;
	size_t first, last = AD_RANGE_END, length;

	if (memchr(name, ';', name_bytes) == NULL)	/* nearly all have no option */
		return false;
	length = strlen(attribute);
	if (name_bytes < length + sizeof(RANGE_OPTION) || strncasecmp(at, attribute, length) != 0)
		return false;
	at += length;
	if (strncasecmp(at, RANGE_OPTION, sizeof(RANGE_OPTION) - 1) != 0)
		return false;
	at += sizeof(RANGE_OPTION) - 1;
	if (!number_take(&at, end, &first) || at == end || *at++ != '-' || at == end)
		return false;
	if (*at == '*')
		at++;
	else if (!number_take(&at, end, &last) || last < first)
		return false;
	if (at != end)
		return false;
	*out_first = first;
	*out_last = last;
	return true;
}

/* --- Numbers --------------------------------------------------------------------------------- */

bool
directory_ad_bits_test(const char *text, uint32_t bits, bool *out_set)
{
	int64_t number;

	if (!mu_int_parse(text, INT32_MIN, UINT32_MAX, &number))
		return false;
	*out_set = ((uint32_t)number & bits) == bits;
	return true;
}

enum ad_time
directory_ad_time_format(const char *text, struct mu_buf *b)
{
	char generalized[32];
	int64_t ticks;
	struct tm tm;
	time_t at_s;

	if (!mu_int_parse(text, 0, INT64_MAX, &ticks))
		return AD_TIME_MALFORMED;
	at_s = (time_t)(ticks / FILETIME_PER_S - FILETIME_1970_S);
	if (ticks == 0 || at_s >= YEAR_10000_S)
		return AD_NEVER;
	if (at_s < 0)
		at_s = 0;
	if (gmtime_r(&at_s, &tm) == NULL ||
	    strftime(generalized, sizeof(generalized), "%Y%m%d%H%M%SZ", &tm) == 0)
		return AD_TIME_MALFORMED;
	mu_buf_text_add(b, generalized);
	return AD_TIME;
}

/* --- replPropertyMetaData -------------------------------------------------------------------- */

static uint64_t
little_endian(const unsigned char *bytes, size_t bytes_count)
{
	uint64_t number = 0;

	while (bytes_count-- > 0)
		number = number << 8 | bytes[bytes_count];
	return number;
}

bool
directory_ad_renamed(const void *bytes, size_t bytes_count, int64_t after_usn, bool *out_renamed)
{
	const unsigned char *at = bytes;
	bool renamed = false;
	uint64_t count;

	if (bytes_count < META_HEAD_BYTES || little_endian(at, 4) != 1)
		return false;
	count = little_endian(at + 8, 4);
	if (count > (bytes_count - META_HEAD_BYTES) / META_BYTES)
		return false;
	at += META_HEAD_BYTES;
	for (; count > 0; count--, at += META_BYTES)
		if (little_endian(at, 4) == ATTID_NAME)
			renamed |= little_endian(at + META_LOCAL_USN, 8) > (uint64_t)after_usn;
	*out_renamed = renamed;
	return true;
}

/* --- Filters --------------------------------------------------------------------------------- */

static bool
names_hold(const struct mu_buf *b, const char *name)
{
	const char *at = mu_buf_text(b), *end = at + b->size_bytes;

	for (; at < end; at += strlen(at) + 1)
		if (strcasecmp(at, name) == 0)
			return true;
	return false;
}

void
directory_ad_filter_attributes(const char *filter, struct mu_buf *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;

	/* A bracket within a value is written "\28" (RFC 4515 3). */
	for (const char *at = strchr(filter, '('); at != NULL; at = strchr(at, '(')) {
		size_t length = strcspn(++at, "()=~<>:&|! ");

		mu_buf_reset(&name);
		mu_buf_add(&name, at, length);
		if (length > 0 && !names_hold(b, mu_buf_text(&name)))
			mu_buf_add(b, mu_buf_text(&name), length + 1);
	}
}

void
directory_ad_filter_value(const char *text, size_t text_bytes, struct mu_buf *b)
{
	for (size_t i = 0; i < text_bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c >= 0x7f || strchr("*()\\", c) != NULL)
			mu_buf_format(b, "\\%02x", c);
		else
			mu_buf_char_add(b, (char)c);
	}
}

/* --- Our cookie: text, so that a person can read where a source stands ----------------------- */

void
directory_ad_cookie_encode(const struct ad_cookie *cookie, struct mu_buf *b)
{
	mu_buf_text_add(b, COOKIE_MAGIC ";");
	mu_hex_format(b, cookie->invocation_id.bytes, sizeof(cookie->invocation_id.bytes));
	mu_buf_format(b, ";%lld;%lld;%lld;%d;", (long long)cookie->usn,
	    (long long)cookie->list_at_s, (long long)cookie->trust_at_s,
	    cookie->object_security);
	mu_base64url_format(b, cookie->dirsync.data, cookie->dirsync.size_bytes);
}

bool
directory_ad_cookie_decode(const void *bytes, size_t bytes_count, struct ad_cookie *out_cookie)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, dirsync = MU_BUF_INIT;
	struct ad_cookie cookie = { .usn = 0 };
	char *parts[COOKIE_PARTS], *rest;
	int64_t object_security;
	size_t count = 0;

	if (bytes == NULL || bytes_count > DIRECTORY_COOKIE_MAX_BYTES ||
	    memchr(bytes, '\0', bytes_count) != NULL)
		return false;
	mu_buf_add(&text, bytes, bytes_count);
	rest = text.data;
	while (rest != NULL && count < COOKIE_PARTS)
		parts[count++] = strsep(&rest, ";");
	if (rest != NULL || count != COOKIE_PARTS || strcmp(parts[0], COOKIE_MAGIC) != 0 ||
	    !mu_hex_parse(parts[1], cookie.invocation_id.bytes,
	    sizeof(cookie.invocation_id.bytes)) ||
	    !mu_int_parse(parts[2], 1, INT64_MAX, &cookie.usn) ||
	    !mu_int_parse(parts[3], 0, INT64_MAX, &cookie.list_at_s) ||
	    !mu_int_parse(parts[4], 0, INT64_MAX, &cookie.trust_at_s) ||
	    !mu_int_parse(parts[5], 0, 1, &object_security) ||
	    !mu_base64url_parse(parts[6], strlen(parts[6]), &dirsync))
		return false;
	cookie.object_security = object_security != 0;
	cookie.dirsync = dirsync;
	dirsync = (struct mu_buf)MU_BUF_INIT;
	*out_cookie = cookie;
	return true;
}

bool
directory_ad_cookie_usable(const void *bytes, size_t bytes_count)
{
	struct ad_cookie cookie = { .usn = 0 };

	if (!directory_ad_cookie_decode(bytes, bytes_count, &cookie))
		return false;
	mu_buf_clear(&cookie.dirsync);
	return true;
}
