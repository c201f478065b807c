/* The key directory: made once, read again, guarded, and never silently mended. */
#include "unit/vault/rig.h"

#include <fcntl.h>

enum harm { NONE, DIR_OPEN, FILE_OPEN, FILE_GONE, FILE_GARBLED, FILE_LINK, FIRST_START_CUT };

static struct row {
	const char *name;
	enum harm harm;
	const char *file;
	enum mu_rc want;
	const char *says;	/* part of the error's text */
} rows[] = {
	{ "a second start reads the same keys",			NONE, "", MU_OK, "" },
	{ "others may look into the directory",			DIR_OPEN, "", MU_ECONFIG, "chmod 700" },
	{ "others may read a key",				FILE_OPEN, "mac.key", MU_ECONFIG, "chmod 600" },
	{ "others may read a PEM",				FILE_OPEN, "grant.pem", MU_ECONFIG, "chmod 600" },
	{ "a lost MAC key is not made anew",			FILE_GONE, "mac.key", MU_ECONFIG, "backup" },
	{ "a lost seal key is not made anew",			FILE_GONE, "seal.key", MU_ECONFIG, "backup" },
	{ "a lost grant key is not made anew",			FILE_GONE, "grant.pem", MU_ECONFIG, "backup" },
	{ "a lost CA is not made anew",				FILE_GONE, "ca.pem", MU_ECONFIG, "backup" },
	{ "a lost CA certificate is not made anew",		FILE_GONE, "ca.crt", MU_ECONFIG, "backup" },
	{ "a garbled key names its file",			FILE_GARBLED, "audit.key", MU_ECONFIG, "audit.key" },
	{ "a garbled PEM names its file",			FILE_GARBLED, "receipt.pem", MU_ECONFIG,
	    "receipt.pem" },
	{ "a garbled certificate names its file",		FILE_GARBLED, "ca.crt", MU_ECONFIG, "ca.crt" },
	{ "a link instead of a key",				FILE_LINK, "seal.key", MU_ECONFIG, "seal.key" },
	{ "a first start that was cut short is finished",	FIRST_START_CUT, "ca.crt", MU_OK, "" },
};

static void
harm_do(const struct rig *r, const struct row *row)
{
	char path[200], other[200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", r->dir, row->file);
	(void)snprintf(other, sizeof(other), "%s/complete", r->dir);
	switch (row->harm) {
	case NONE:
		break;
	case DIR_OPEN:
		assert_int_equal(0, chmod(r->dir, 0750));
		break;
	case FILE_OPEN:
		assert_int_equal(0, chmod(path, 0640));
		break;
	case FIRST_START_CUT:
		assert_int_equal(0, unlink(other));
		assert_int_equal(0, unlink(path));
		break;
	case FILE_GONE:
		assert_int_equal(0, unlink(path));
		break;
	case FILE_LINK:
		assert_int_equal(0, unlink(path));
		assert_int_equal(0, symlink("mac.key", path));
		break;
	case FILE_GARBLED:
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(7, write(fd, "garbled", 7));
		assert_int_equal(0, close(fd));
		break;
	}
}

static void
keydir_row(void **state)
{
	const struct row *row = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf jwks = MU_BUF_INIT, again = MU_BUF_INIT;
	unsigned char mac[MAC_BYTES];
	struct mu_err err = MU_ERR_INIT;
	struct rig r;

	rig_open(&r);
	vault_jwks(r.vault, &jwks);
	vault_mac(r.vault, "row", 3, mac);
	rig_vault_close(&r);
	harm_do(&r, row);
	assert_int_equal(row->want, rig_vault_open(&r, &err));
	assert_non_null(strstr(err.text, row->says));
	if (row->want == MU_OK) {
		vault_jwks(r.vault, &again);
		assert_string_equal(jwks.data, again.data);
		assert_true(vault_mac_verify(r.vault, "row", 3, mac));
		assert_false(vault_mac_verify(r.vault, "rov", 3, mac));
	}
	rig_end(&r);
}

static void
everything_is_private(void **state)
{
	char path[400];
	size_t files = 0;
	struct stat st;
	struct rig r;
	DIR *d;

	(void)state;
	rig_open(&r);
	assert_int_equal(0, stat(r.dir, &st));
	assert_int_equal(0700, st.st_mode & 07777);
	d = opendir(r.dir);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		(void)snprintf(path, sizeof(path), "%s/%s", r.dir, e->d_name);
		assert_int_equal(0, stat(path, &st));
		if (!S_ISREG(st.st_mode))
			continue;
		files++;
		assert_int_equal(0600, st.st_mode & 07777);
		assert_null(strstr(e->d_name, ".new"));
	}
	(void)closedir(d);
	assert_int_equal(10, files);
	rig_end(&r);
}

static void
two_installations_share_no_key(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	unsigned char mac[MAC_BYTES];
	struct rig one, two;

	(void)state;
	rig_open(&one);
	rig_open(&two);
	vault_jwks(one.vault, &a);
	vault_jwks(two.vault, &b);
	assert_string_not_equal(a.data, b.data);
	vault_mac(one.vault, "row", 3, mac);
	assert_false(vault_mac_verify(two.vault, "row", 3, mac));
	assert_string_not_equal(vault_ca_pem(one.vault), vault_ca_pem(two.vault));
	rig_end(&one);
	rig_end(&two);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(everything_is_private),
		cmocka_unit_test(two_installations_share_no_key),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, keydir_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("keydir", tests, NULL, NULL);
}
