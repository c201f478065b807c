/* RFC 4533 control values, DNs and settings: tables of sentences. */
#include "model.h"

#include "directory/sync_priv.h"

#define UUID_HEX "00112233445566778899aabbccddeeff"
#define UUID_ELEMENT "0410" UUID_HEX

/* Hex of a test as bytes in a block of exactly that size, so that ASan sees every step too far. */
static unsigned char *
bytes_of(const char *hex, size_t *out_bytes_count)
{
	size_t bytes_count = strlen(hex) / 2;
	unsigned char *bytes = malloc(bytes_count == 0 ? 1 : bytes_count);

	assert_non_null(bytes);
	assert_true(mu_hex_parse(hex, bytes, bytes_count));
	*out_bytes_count = bytes_count;
	return bytes;
}

/* --- Sync State ------------------------------------------------------------------------------------ */

static struct state_row {
	const char *name, *hex;
	bool want;
	enum sync_state_kind kind;
	const char *cookie;		/* NULL: none */
} state_rows[] = {
	{ "state: added, no cookie",	"30150a0101" UUID_ELEMENT, true, SYNC_ADD, NULL },
	{ "state: deleted, with a cookie", "30180a0103" UUID_ELEMENT "040161", true, SYNC_DELETE, "a" },
	{ "state: an empty cookie is there", "30170a0100" UUID_ELEMENT "0400", true, SYNC_PRESENT, "" },
	{ "state: lengths may be long",	"3084000000150a0102" UUID_ELEMENT, true, SYNC_MODIFY, NULL },
	{ "state: 4 is none of them",	"30150a0104" UUID_ELEMENT, false, SYNC_ADD, NULL },
	{ "state: a UUID has 16 bytes",	"30140a0101040f00112233445566778899aabbccddee", false, SYNC_ADD, NULL },
	{ "state: no UUID",		"30030a0101", false, SYNC_ADD, NULL },
	{ "state: cut short",		"30150a0101041000112233", false, SYNC_ADD, NULL },
	{ "state: bytes behind it",	"30150a0101" UUID_ELEMENT "00", false, SYNC_ADD, NULL },
	{ "state: bytes inside behind it", "30170a0101" UUID_ELEMENT "0500", false, SYNC_ADD, NULL },
	{ "state: length beyond the end", "307f0a0101" UUID_ELEMENT, false, SYNC_ADD, NULL },
	{ "state: indefinite length",	"30800a0101" UUID_ELEMENT "0000", false, SYNC_ADD, NULL },
	{ "state: nothing",		"", false, SYNC_ADD, NULL },
};

static void
cookie_check(const char *want, const struct sync_cookie *cookie)
{
	if (want == NULL) {
		assert_null(cookie->bytes);
		return;
	}
	assert_non_null(cookie->bytes);
	assert_int_equal(strlen(want), cookie->size_bytes);
	assert_memory_equal(want, cookie->bytes, cookie->size_bytes);
}

static void
state_row(void **state)
{
	struct state_row *r = *state;
	struct sync_state out;
	struct mu_uuid uuid;
	size_t bytes_count;
	unsigned char *bytes = bytes_of(r->hex, &bytes_count);

	assert_int_equal(r->want, directory_sync_state_decode(bytes, bytes_count, &out));
	if (r->want) {
		assert_true(mu_hex_parse(UUID_HEX, uuid.bytes, sizeof(uuid.bytes)));
		assert_true(mu_uuid_equal(&uuid, &out.entry_uuid));
		assert_int_equal(r->kind, out.kind);
		cookie_check(r->cookie, &out.cookie);
	}
	free(bytes);
}

/* --- Sync Info ------------------------------------------------------------------------------------- */

static struct info_row {
	const char *name, *hex;
	bool want;
	enum sync_info_kind kind;
	const char *cookie;
	bool flag;			/* refresh_done, or refresh_deletes of an id set */
	size_t uuid_count;
} info_rows[] = {
	{ "info: a new cookie",		"80026162", true, SYNC_NEW_COOKIE, "ab", true, 0 },
	{ "info: refreshDelete, done by default", "a1030401" "63", true, SYNC_REFRESH_DELETE, "c", true, 0 },
	{ "info: refreshDelete of nothing", "a100", true, SYNC_REFRESH_DELETE, NULL, true, 0 },
	{ "info: refreshPresent, not done", "a203010100", true, SYNC_REFRESH_PRESENT, NULL, false, 0 },
	{ "info: id set, present by default", "a3143112" UUID_ELEMENT, true, SYNC_ID_SET, NULL, false, 1 },
	{ "info: id set of deleted",	"a3290101ff3124" UUID_ELEMENT UUID_ELEMENT, true, SYNC_ID_SET, NULL, true, 2 },
	{ "info: id set with a cookie",	"a31704016431" "12" UUID_ELEMENT, true, SYNC_ID_SET, "d", false, 1 },
	{ "info: an empty id set",	"a3023100", true, SYNC_ID_SET, NULL, false, 0 },
	{ "info: an id set needs its set", "a3030101ff", false, SYNC_ID_SET, NULL, false, 0 },
	{ "info: a short UUID spoils the set", "a30531030401aa", false, SYNC_ID_SET, NULL, false, 0 },
	{ "info: a boolean has one byte", "a20401020000", false, SYNC_REFRESH_PRESENT, NULL, false, 0 },
	{ "info: an unknown choice",	"a400", false, SYNC_ID_SET, NULL, false, 0 },
	{ "info: bytes behind it",	"a10000", false, SYNC_REFRESH_DELETE, NULL, false, 0 },
	{ "info: nothing",		"", false, SYNC_ID_SET, NULL, false, 0 },
};

static void
info_row(void **state)
{
	struct info_row *r = *state;
	struct sync_info out;
	struct mu_uuid uuid;
	size_t bytes_count, uuid_count = 0;
	unsigned char *bytes = bytes_of(r->hex, &bytes_count);

	assert_int_equal(r->want, directory_sync_info_decode(bytes, bytes_count, &out));
	if (r->want) {
		assert_int_equal(r->kind, out.kind);
		assert_int_equal(r->flag, out.kind == SYNC_ID_SET ? out.refresh_deletes : out.refresh_done);
		assert_int_equal(r->uuid_count, out.uuid_count);
		cookie_check(r->cookie, &out.cookie);
		while (directory_sync_uuid_next(&out, &uuid))
			uuid_count++;
		assert_int_equal(r->uuid_count, uuid_count);
	}
	free(bytes);
}

/* --- Sync Done ------------------------------------------------------------------------------------- */

static struct done_row {
	const char *name, *hex;
	bool want, deletes;
	const char *cookie;
} done_rows[] = {
	{ "done: nothing is present phase, no cookie", "3000", true, false, NULL },
	{ "done: cookie and deletes",	"3006040165" "0101ff", true, true, "e" },
	{ "done: the other order is wrong", "30060101ff040165", false, false, NULL },
	{ "done: cut short",		"3006040165", false, false, NULL },
};

static void
done_row(void **state)
{
	struct done_row *r = *state;
	struct sync_done out;
	size_t bytes_count;
	unsigned char *bytes = bytes_of(r->hex, &bytes_count);

	assert_int_equal(r->want, directory_sync_done_decode(bytes, bytes_count, &out));
	if (r->want) {
		assert_int_equal(r->deletes, out.refresh_deletes);
		cookie_check(r->cookie, &out.cookie);
	}
	free(bytes);
}

/* --- Sync Request, cookies -------------------------------------------------------------------------- */

static void
request_says_mode_cookie_and_hint(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf cookie = MU_BUF_INIT, value = MU_BUF_INIT, hex = MU_BUF_INIT;

	(void)state;
	directory_sync_request(&value, SYNC_REFRESH_AND_PERSIST, &cookie, false);
	mu_hex_format(&hex, value.data, value.size_bytes);
	assert_string_equal("30830000030a0103", mu_buf_text(&hex));
	mu_buf_reset(&value);
	mu_buf_reset(&hex);
	directory_sync_request(&value, SYNC_REFRESH_ONLY, &cookie, false);
	mu_hex_format(&hex, value.data, value.size_bytes);
	assert_string_equal("30830000030a0101", mu_buf_text(&hex));
	mu_buf_reset(&value);
	mu_buf_reset(&hex);
	mu_buf_text_add(&cookie, "xy");
	directory_sync_request(&value, SYNC_REFRESH_AND_PERSIST, &cookie, true);
	mu_hex_format(&hex, value.data, value.size_bytes);
	assert_string_equal("308300000d0a010304830000027879" "0101ff", mu_buf_text(&hex));
}

static struct cookie_row {
	const char *name, *cookie;
	bool want;
} cookie_rows[] = {
	{ "cookie: slapd's own",	"rid=000,csn=20261121112000.000000Z#000000#000#000000", true },
	{ "cookie: several servers",	"rid=000,sid=001,csn=20261121112000.000000Z#000000#001#000000;"
	    "20261121112000.000001Z#000000#00a#000000", true },
	{ "cookie: 389 DS's",		"localhost:389#cn=muster,o=x:ou=people,o=x:(uid=*)#17", false },
	{ "cookie: 389 DS's, a filter like slapd's", "localhost:389#cn=m,o=x:o=x:(rid=csn=)#0", false },
	{ "cookie: another server's",	"state-17#4", true },
	{ "cookie: a csn that is none",	"rid=000,csn=yesterday", false },
	{ "cookie: a csn too many",	"rid=000,csn=20261121112000.000000Z#000000#000#000000;", false },
	{ "cookie: a csn too short",	"rid=000,csn=20261121112000.000000Z#000000#000#00000", false },
	{ "cookie: without rid is none", "csn=20261121112000.000000Z#000000#000#000000", false },
	{ "cookie: empty is none",	"", false },
};

static void
cookie_row(void **state)
{
	struct cookie_row *r = *state;

	assert_int_equal(r->want, directory_sync_cookie_usable(r->cookie, strlen(r->cookie)));
	assert_false(directory_sync_cookie_usable(NULL, 0));
}

/* --- DNs --------------------------------------------------------------------------------------------- */

static struct dn_row {
	const char *name, *dn, *want;	/* want NULL: not a DN */
} dn_rows[] = {
	{ "dn: plain is lowered",	"UID=Ana.Rossi,OU=People,DC=example,DC=org",
	    "uid=ana.rossi,ou=people,dc=example,dc=org" },
	{ "dn: blanks around separators go", "uid=ana , ou = People,dc=org", "uid=ana,ou=people,dc=org" },
	{ "dn: blanks inside stay",	"cn=Ana Rossi,dc=org", "cn=ana rossi,dc=org" },
	{ "dn: semicolons are not commas", "cn=a;dc=org", NULL },
	{ "dn: an escaped comma, one way", "cn=Rossi\\, Ana,dc=org", "cn=rossi\\2c ana,dc=org" },
	{ "dn: an escaped comma, other way", "cn=Rossi\\2C Ana,dc=org", "cn=rossi\\2c ana,dc=org" },
	{ "dn: quotes are not escapes",	"cn=\"Rossi, Ana\",dc=org", NULL },
	{ "dn: several in one, any order", "sn=B+cn=A,dc=org", "cn=a+sn=b,dc=org" },
	{ "dn: several in one, sorted",	"cn=A+sn=B,dc=org", "cn=a+sn=b,dc=org" },
	{ "dn: escapes of letters go",	"cn=\\41na,dc=org", "cn=ana,dc=org" },
	{ "dn: no type",		"=a,dc=org", NULL },
	{ "dn: no value sign",		"just words", NULL },
	{ "dn: nothing",		"", NULL },
	{ "dn: a comma at the end",	"cn=a,", NULL },
	{ "dn: not UTF-8",		"cn=\xff,dc=org", NULL },
};

static void
dn_row(void **state)
{
	struct dn_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT, again = MU_BUF_INIT;

	mu_buf_text_add(&b, "|");
	assert_int_equal(r->want != NULL, directory_dn_normalise(r->dn, strlen(r->dn), &b));
	assert_string_equal(r->want == NULL ? "" : r->want, mu_buf_text(&b) + 1);
	if (r->want == NULL)
		return;
	assert_true(directory_dn_normalise(r->want, strlen(r->want), &again));
	assert_string_equal(r->want, mu_buf_text(&again));
}

/* Two spellings of a name beyond ASCII are one; that it is escaped inside is nobody's business. */
static void
dn_beyond_ascii_has_one_form(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	const char *raw = "cn=Zo\xc3\xab \xc5\x8ctene,dc=org", *escaped = "CN=zo\\C3\\AB \\C5\\8Ctene , dc=org";

	(void)state;
	assert_true(directory_dn_normalise(raw, strlen(raw), &a));
	assert_true(directory_dn_normalise(escaped, strlen(escaped), &b));
	assert_string_equal(mu_buf_text(&a), mu_buf_text(&b));
}

/* --- What a source may be ------------------------------------------------------------------------------ */

static struct mu_secret password = { (unsigned char *)(uintptr_t)"secret", 6 }, no_password;
static struct directory_map map[] = { { .name = "uid", .attribute = "uid", .required = true } };

static struct source_row {
	const char *name, *uri;
	bool starttls, insecure;
	const char *dn;
	const struct mu_secret *password;
	const char *base;
	enum mu_rc want;
} source_rows[] = {
	{ "source: ldaps",		"ldaps://ldap.example.org", false, false, "cn=m", &password, "dc=a", MU_OK },
	{ "source: StartTLS",		"ldap://ldap.example.org", true, false, "cn=m", &password, "dc=a", MU_OK },
	{ "source: a Unix socket by EXTERNAL", "ldapi://%2frun%2fldapi", false, false, NULL, NULL, "dc=a", MU_OK },
	{ "source: plain is refused",	"ldap://ldap.example.org", false, false, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: plain by setting",	"ldap://ldap.example.org", false, true, "cn=m", &password, "dc=a", MU_OK },
	{ "source: StartTLS in TLS",	"ldaps://ldap.example.org", true, false, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: the localhost trap",	"ldaps://localhost", false, false, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: the trap in capitals", "ldap://LOCALHOST:389", true, false, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: no address",		"example.org", false, false, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: another scheme",	"https://example.org", false, true, "cn=m", &password, "dc=a", MU_ECONFIG },
	{ "source: nobody binds",	"ldaps://ldap.example.org", false, false, NULL, NULL, "dc=a", MU_ECONFIG },
	{ "source: an empty password",	"ldaps://ldap.example.org", false, false, "cn=m", &no_password, "dc=a", MU_ECONFIG },
	{ "source: no base",		"ldaps://ldap.example.org", false, false, "cn=m", &password, "", MU_ECONFIG },
};

static void
source_row(void **state)
{
	struct source_row *r = *state;
	struct directory_source source = { .name = "s", .uri = r->uri, .starttls = r->starttls,
		.insecure_plain = r->insecure, .bind_dn = r->dn, .bind_password = r->password,
		.people_base = r->base, .map = map, .map_count = 1 };
	struct directory_events none = { .verdict = NULL };
	struct directory *d = NULL;
	struct mu_err err = MU_ERR_INIT;
	struct mu_loop *loop = mu_loop_new();

	assert_int_equal(r->want, directory_open(loop, &source, NULL, &none, NULL, &d, &err));
	assert_int_equal(r->want == MU_OK, d != NULL);
	directory_close(d);
	mu_loop_free(loop);
}

/* Whatever decides what a cookie stands for changes the shape; where the server is does not. */
static void
shape_knows_what_a_cookie_stands_for(void **state)
{
	struct directory_map other_map[] = {
	    { .name = "uid", .attribute = "cn", .required = true }, { .name = "mail", .attribute = "mail" } };
	struct directory_source base = { .uri = "ldaps://a", .people_base = "dc=a", .people_filter = "(a=b)",
		.map = map, .map_count = 1, .groups_base = "ou=g", .group_name = "cn", .group_member = "member" };
	struct directory_map disabled[] = { { .name = "uid", .attribute = "uid", .required = true,
	    .value = SETTINGS_VALUE_BITS, .bits = 2 } };
	struct directory_map locked[] = { { .name = "uid", .attribute = "uid", .required = true,
	    .value = SETTINGS_VALUE_BITS, .bits = 16 } };
	struct directory_source changed[10];
	MU_AUTO(mu_buf_clear) struct mu_buf bits = MU_BUF_INIT, more = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf want = MU_BUF_INIT, groups = MU_BUF_INIT;

	(void)state;
	directory_shape(&base, DIRECTORY_PEOPLE, &want);
	directory_shape(&base, DIRECTORY_GROUPS, &groups);
	assert_string_not_equal(mu_buf_text(&want), mu_buf_text(&groups));
	for (size_t i = 0; i < MU_COUNT(changed); i++)
		changed[i] = base;
	changed[0].uri = "ldaps://b";
	changed[1].people_base = "dc=b";
	changed[2].people_filter = "(a=c)";
	changed[3].map = other_map;
	changed[4].map = other_map;
	changed[4].map_count = 2;
	changed[5].group_member = "uniqueMember";
	changed[6].follow = SETTINGS_FOLLOW_DIRSYNC;
	changed[7].key = SETTINGS_KEY_OBJECT_GUID;
	changed[8].map = disabled;
	changed[9].map = locked;
	for (size_t i = 0; i < MU_COUNT(changed); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
		bool same = i == 0 || i == 5;

		directory_shape(&changed[i], DIRECTORY_PEOPLE, &b);
		assert_int_equal(same, strcmp(mu_buf_text(&want), mu_buf_text(&b)) == 0);
	}
	directory_shape(&changed[8], DIRECTORY_PEOPLE, &bits);
	directory_shape(&changed[9], DIRECTORY_PEOPLE, &more);
	assert_string_not_equal(mu_buf_text(&bits), mu_buf_text(&more));
}

#define ROWS(rows, fn) \
	for (size_t i = 0; i < MU_COUNT(rows); i++) \
		tests[count++] = (struct CMUnitTest){ rows[i].name, fn, NULL, NULL, &rows[i] }

int
main(void)
{
	struct CMUnitTest tests[100] = {
		cmocka_unit_test(request_says_mode_cookie_and_hint),
		cmocka_unit_test(dn_beyond_ascii_has_one_form),
		cmocka_unit_test(shape_knows_what_a_cookie_stands_for),
	};
	size_t count = 3;

	ROWS(state_rows, state_row);
	ROWS(info_rows, info_row);
	ROWS(done_rows, done_row);
	ROWS(cookie_rows, cookie_row);
	ROWS(dn_rows, dn_row);
	ROWS(source_rows, source_row);
	return _cmocka_run_group_tests("directory/sync", tests, count, NULL, NULL);
}
