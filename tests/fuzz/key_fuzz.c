/* The values by which a strange server tells entries apart: whatever is taken is found again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "directory/key_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	struct mu_uuid uuid, again;
	enum settings_key key;
	const char *value;

	if (size < 1)
		return 0;
	key = (enum settings_key)(data[0] % 3);
	if (!directory_key_parse(key, data + 1, size - 1, &uuid))
		return 0;
	directory_key_filter(key, &uuid, &filter);
	value = strchr(mu_buf_text(&filter), '=') + 1;
	assert(mu_buf_text(&filter)[0] == '(' && filter.data[filter.size_bytes - 1] == ')');
	if (key == SETTINGS_KEY_OBJECT_GUID) {
		assert(strlen(value) == 3 * sizeof(uuid.bytes) + 1);
		return 0;
	}
	assert(directory_key_parse(key, value, strlen(value) - 1, &again));
	assert(mu_uuid_equal(&uuid, &again));
	return 0;
}
