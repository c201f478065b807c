/* The attribute by which a server tells entries apart: its spellings, and the filter that finds one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "directory/key_priv.h"

#define BYTES	"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
#define UUID	"00112233-4455-6677-8899-aabbccddeeff"
#define NS_ID	"00112233-44556677-8899aabb-ccddeeff"

static struct row {
	const char *name;
	enum settings_key key;
	const char *value;
	size_t bytes;			/* 0: all of value */
	bool want;
} rows[] = {
	{ "entryUUID",				SETTINGS_KEY_ENTRY_UUID, UUID, 0, true },
	{ "entryUUID in capitals",		SETTINGS_KEY_ENTRY_UUID, "00112233-4455-6677-8899-AABBCCDDEEFF", 0, true },
	{ "entryUUID spelled as nsUniqueId",	SETTINGS_KEY_ENTRY_UUID, NS_ID, 0, false },
	{ "entryUUID cut short",		SETTINGS_KEY_ENTRY_UUID, UUID, 35, false },
	{ "entryUUID with more behind it",	SETTINGS_KEY_ENTRY_UUID, UUID "0", 0, false },
	{ "entryUUID with a NUL",		SETTINGS_KEY_ENTRY_UUID, "00112233-4455-6677-8899-aabbccddee\0f", 36, false },
	{ "entryUUID as bytes",			SETTINGS_KEY_ENTRY_UUID, BYTES, 16, false },
	{ "entryUUID that is empty",		SETTINGS_KEY_ENTRY_UUID, "", 0, false },
	{ "nsUniqueId",				SETTINGS_KEY_NS_UNIQUE_ID, NS_ID, 0, true },
	{ "nsUniqueId in capitals",		SETTINGS_KEY_NS_UNIQUE_ID, "00112233-44556677-8899AABB-CCDDEEFF", 0, true },
	{ "nsUniqueId spelled as entryUUID",	SETTINGS_KEY_NS_UNIQUE_ID, UUID, 0, false },
	{ "nsUniqueId with a letter",		SETTINGS_KEY_NS_UNIQUE_ID, "00112233-4455667g-8899aabb-ccddeeff", 0, false },
	{ "nsUniqueId with a digit for a dash",	SETTINGS_KEY_NS_UNIQUE_ID, "00112233044556677-8899aabb-ccddeeff", 0, false },
	{ "nsUniqueId with a dash for a digit",	SETTINGS_KEY_NS_UNIQUE_ID, "0011223--44556677-8899aabb-ccddeeff", 0, false },
	{ "nsUniqueId cut short",		SETTINGS_KEY_NS_UNIQUE_ID, NS_ID, 34, false },
	{ "objectGUID",				SETTINGS_KEY_OBJECT_GUID, BYTES, 16, true },
	{ "objectGUID cut short",		SETTINGS_KEY_OBJECT_GUID, BYTES, 15, false },
	{ "objectGUID as text",			SETTINGS_KEY_OBJECT_GUID, UUID, 0, false },
};

static void
row(void **state)
{
	struct row *r = *state;
	size_t bytes = r->bytes == 0 ? strlen(r->value) : r->bytes;
	struct mu_uuid uuid;

	assert_int_equal(r->want, directory_key_parse(r->key, r->value, bytes, &uuid));
	if (r->want)
		assert_memory_equal(BYTES, uuid.bytes, 16);
}

static void
a_filter_finds_the_entry_alone(void **state)
{
	static const char *const wants[] = {
		[SETTINGS_KEY_ENTRY_UUID] = "(entryUUID=" UUID ")",
		[SETTINGS_KEY_NS_UNIQUE_ID] = "(nsUniqueId=" NS_ID ")",
		[SETTINGS_KEY_OBJECT_GUID] =
		    "(objectGUID=\\00\\11\\22\\33\\44\\55\\66\\77\\88\\99\\aa\\bb\\cc\\dd\\ee\\ff)",
	};
	struct mu_uuid uuid;

	(void)state;
	(void)memcpy(uuid.bytes, BYTES, 16);
	for (size_t i = 0; i < MU_COUNT(wants); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;

		directory_key_filter((enum settings_key)i, &uuid, &filter);
		assert_string_equal(wants[i], mu_buf_text(&filter));
	}
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1] = { cmocka_unit_test(a_filter_finds_the_entry_alone) };

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[1 + i] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL, &rows[i] };
	return _cmocka_run_group_tests("directory/key", tests, MU_COUNT(tests), NULL, NULL);
}
