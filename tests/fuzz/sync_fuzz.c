/* RFC 4533 values from a hostile server: decoded in place, never past the end; and DNs. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "directory/sync_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
cookie_check(const struct sync_cookie *cookie, const uint8_t *data, size_t size)
{
	assert(cookie->bytes == NULL ||
	    (cookie->bytes >= data && cookie->bytes + cookie->size_bytes <= data + size));
	(void)directory_sync_cookie_usable(cookie->bytes, cookie->size_bytes);
}

/* What is normal stays as it is. */
static void
dn_check(const uint8_t *data, size_t size)
{
	struct mu_buf once = MU_BUF_INIT, twice = MU_BUF_INIT;

	if (directory_dn_normalise((const char *)data, size, &once)) {
		assert(directory_dn_normalise(once.data, once.size_bytes, &twice));
		assert(once.size_bytes == twice.size_bytes);
		assert(memcmp(once.data, twice.data, once.size_bytes) == 0);
	}
	mu_buf_clear(&once);
	mu_buf_clear(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sync_state state;
	struct sync_done done;
	struct sync_info info;
	struct mu_uuid uuid;

	if (size < 1)
		return 0;
	switch (*data++) {
	case 0:
		if (directory_sync_state_decode(data, size - 1, &state))
			cookie_check(&state.cookie, data, size - 1);
		break;
	case 1:
		if (directory_sync_done_decode(data, size - 1, &done))
			cookie_check(&done.cookie, data, size - 1);
		break;
	case 2:
		dn_check(data, size - 1);
		break;
	default:
		if (directory_sync_info_decode(data, size - 1, &info)) {
			size_t count = info.uuid_count;

			cookie_check(&info.cookie, data, size - 1);
			while (directory_sync_uuid_next(&info, &uuid))
				count--;
			assert(info.kind != SYNC_ID_SET || count == 0);
		}
		break;
	}
	return 0;
}
