/* What Active Directory sends: DirSync's answer, ranges, metadata, numbers; and our own cookie from a store. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ldap.h>

#include "directory/ad_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libldap decodes it: what comes out must lie within what went in. */
static void
dirsync_check(const uint8_t *data, size_t size)
{
	LDAPControl control = { (char *)(uintptr_t)LDAP_CONTROL_X_DIRSYNC,
		{ size, (char *)(uintptr_t)data }, 0 };
	struct mu_buf cookie = MU_BUF_INIT;
	LDAP *ld = NULL;
	bool more;

	assert(ldap_create(&ld) == LDAP_SUCCESS);
	if (directory_ad_dirsync_decode(ld, &control, &more, &cookie))
		assert(cookie.size_bytes > 0 && cookie.size_bytes <= size);
	mu_buf_clear(&cookie);
	assert(ldap_unbind_ext(ld, NULL, NULL) == LDAP_SUCCESS);
}

static void
range_check(const uint8_t *data, size_t size)
{
	size_t first, last;

	if (directory_ad_range_parse((const char *)data, size, "member", &first, &last))
		assert(first <= last);
}

static void
text_check(const uint8_t *data, size_t size)
{
	struct mu_buf text = MU_BUF_INIT, out = MU_BUF_INIT;
	bool set;

	mu_buf_add(&text, data, size);
	directory_ad_filter_attributes(mu_buf_text(&text), &out);
	assert(out.size_bytes <= size + 1);
	mu_buf_reset(&out);
	(void)directory_ad_bits_test(mu_buf_text(&text), 2, &set);
	if (directory_ad_time_format(mu_buf_text(&text), &out) == AD_TIME)
		assert(out.size_bytes == strlen("20261121153725Z"));
	mu_buf_reset(&out);
	directory_ad_filter_value(mu_buf_text(&text), text.size_bytes, &out);
	assert(strpbrk(mu_buf_text(&out), "*()") == NULL);
	mu_buf_clear(&text);
	mu_buf_clear(&out);
}

/* What is read is written as it was. */
static void
cookie_check(const uint8_t *data, size_t size)
{
	struct mu_buf again = MU_BUF_INIT;
	struct ad_cookie cookie, twice;

	if (!directory_ad_cookie_decode(data, size, &cookie))
		return;
	directory_ad_cookie_encode(&cookie, &again);
	assert(directory_ad_cookie_decode(again.data, again.size_bytes, &twice));
	assert(cookie.usn == twice.usn && cookie.dirsync.size_bytes == twice.dirsync.size_bytes);
	mu_buf_clear(&cookie.dirsync);
	mu_buf_clear(&twice.dirsync);
	mu_buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool renamed;

	if (size < 1)
		return 0;
	switch (*data++) {
	case 0:
		dirsync_check(data, size - 1);
		break;
	case 1:
		range_check(data, size - 1);
		break;
	case 2:
		(void)directory_ad_renamed(data, size - 1, 100, &renamed);
		break;
	case 3:
		cookie_check(data, size - 1);
		break;
	default:
		text_check(data, size - 1);
		break;
	}
	return 0;
}
