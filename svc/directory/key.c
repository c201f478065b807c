#include "directory/key_priv.h"

#include "base/text.h"

#include <string.h>

#define NS_GROUPS	4	/* 389 DS: "d0c6b581-1dd211b2-a3a9ab2c-2f0c0000" */
#define NS_DIGITS	8
#define NS_BYTES	(NS_GROUPS * NS_DIGITS + NS_GROUPS - 1)

const char *
directory_key_attribute(enum settings_key key)
{
	switch (key) {
	case SETTINGS_KEY_ENTRY_UUID:
		return "entryUUID";
	case SETTINGS_KEY_NS_UNIQUE_ID:
		return "nsUniqueId";
	case SETTINGS_KEY_OBJECT_GUID:
		return "objectGUID";
	}
	return NULL;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
ns_unique_id_parse(const char *text, size_t bytes_count, struct mu_uuid *out_uuid)
{
	struct mu_uuid uuid;
	size_t digits = 0;

	if (bytes_count != NS_BYTES)
		return false;
	for (size_t i = 0; i < bytes_count; i++) {
		int digit = hex_digit(text[i]);

		if (i % (NS_DIGITS + 1) == NS_DIGITS) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (digit < 0)
			return false;
		uuid.bytes[digits / 2] = (unsigned char)(digits % 2 == 0 ? digit << 4 :
		    uuid.bytes[digits / 2] | digit);
		digits++;
	}
	*out_uuid = uuid;
	return true;
}

bool
directory_key_parse(enum settings_key key, const void *bytes, size_t bytes_count,
    struct mu_uuid *out_uuid)
{
	char text[MU_UUID_TEXT_BYTES];

	switch (key) {
	case SETTINGS_KEY_ENTRY_UUID:
		if (bytes_count != sizeof(text) - 1 || memchr(bytes, '\0', bytes_count) != NULL)
			return false;
		(void)memcpy(text, bytes, bytes_count);
		text[bytes_count] = '\0';
		return mu_uuid_parse(text, out_uuid);
	case SETTINGS_KEY_NS_UNIQUE_ID:
		return ns_unique_id_parse(bytes, bytes_count, out_uuid);
	case SETTINGS_KEY_OBJECT_GUID:
		if (bytes_count != sizeof(out_uuid->bytes))
			return false;
		(void)memcpy(out_uuid->bytes, bytes, bytes_count);
		return true;
	}
	return false;
}

void
directory_key_filter(enum settings_key key, const struct mu_uuid *uuid, struct mu_buf *b)
{
	char text[MU_UUID_TEXT_BYTES];

	mu_buf_char_add(b, '(');
	mu_buf_text_add(b, directory_key_attribute(key));
	mu_buf_char_add(b, '=');
	if (key == SETTINGS_KEY_ENTRY_UUID)
		mu_buf_text_add(b, mu_uuid_format(uuid, text));
	for (size_t i = 0; key != SETTINGS_KEY_ENTRY_UUID && i < sizeof(uuid->bytes); i++) {
		bool dash = key == SETTINGS_KEY_NS_UNIQUE_ID && i > 0 && i % (NS_DIGITS / 2) == 0;

		mu_buf_format(b, "%s%s%02x", dash ? "-" : "",
		    key == SETTINGS_KEY_OBJECT_GUID ? "\\" : "", uuid->bytes[i]);
	}
	mu_buf_char_add(b, ')');
}
