#include "directory/sync_priv.h"

#include "directory/directory.h"

#include <string.h>

/* BER tags, RFC 4511 and RFC 4533 2.5 */
#define TAG_BOOLEAN		0x01
#define TAG_OCTETS		0x04
#define TAG_ENUMERATED		0x0a
#define TAG_SEQUENCE		0x30
#define TAG_SET			0x31
#define TAG_NEW_COOKIE		0x80
#define TAG_REFRESH_DELETE	0xa1
#define TAG_REFRESH_PRESENT	0xa2
#define TAG_ID_SET		0xa3

#define UUID_BYTES		16

struct ber {
	const unsigned char *at, *end;
};

static bool
ber_is(const struct ber *b, unsigned char tag)
{
	return b->at < b->end && *b->at == tag;
}

/* Takes the element at b, which must have this tag; out_body is what is inside. */
static bool
ber_take(struct ber *b, unsigned char tag, struct ber *out_body)
{
	const unsigned char *at = b->at;
	size_t length;

	if (b->end - at < 2 || *at != tag)
		return false;
	length = at[1];
	at += 2;
	if (length >= 0x80) {
		size_t count = length & 0x7f;

		if (count == 0 || count > 4 || (size_t)(b->end - at) < count)
			return false;
		for (length = 0; count > 0; count--)
			length = length << 8 | *at++;
	}
	if ((size_t)(b->end - at) < length)
		return false;
	*out_body = (struct ber){ at, at + length };
	b->at = at + length;
	return true;
}

/* An optional cookie: absent leaves none. */
static bool
cookie_take(struct ber *b, struct sync_cookie *out_cookie)
{
	struct ber body;

	if (!ber_is(b, TAG_OCTETS))
		return true;
	if (!ber_take(b, TAG_OCTETS, &body))
		return false;
	*out_cookie = (struct sync_cookie){ body.at, (size_t)(body.end - body.at) };
	return true;
}

/* An optional boolean: absent leaves the default. */
static bool
flag_take(struct ber *b, bool *flag)
{
	struct ber body;

	if (!ber_is(b, TAG_BOOLEAN))
		return true;
	if (!ber_take(b, TAG_BOOLEAN, &body) || body.end - body.at != 1)
		return false;
	*flag = *body.at != 0;
	return true;
}

static bool
uuid_take(struct ber *b, struct mu_uuid *out_uuid)
{
	struct ber body;

	if (!ber_take(b, TAG_OCTETS, &body) || body.end - body.at != UUID_BYTES)
		return false;
	(void)memcpy(out_uuid->bytes, body.at, UUID_BYTES);
	return true;
}

void
directory_sync_request(struct mu_buf *b, enum sync_mode mode, const struct mu_buf *cookie,
    bool reload_hint)
{
	struct mu_buf body = MU_BUF_INIT;
	const unsigned char number[] = { TAG_ENUMERATED, 1, (unsigned char)mode };
	unsigned char hint[] = { TAG_BOOLEAN, 1, reload_hint ? 0xff : 0 };
	size_t bytes = cookie->size_bytes;

	mu_buf_add(&body, number, sizeof(number));
	if (bytes > 0) {
		unsigned char head[] = { TAG_OCTETS, 0x83, (unsigned char)(bytes >> 16 & 0xff),
			(unsigned char)(bytes >> 8 & 0xff), (unsigned char)(bytes & 0xff) };

		mu_buf_add(&body, head, sizeof(head));
		mu_buf_add(&body, cookie->data, bytes);
	}
	if (reload_hint)	/* DER: a default is not encoded */
		mu_buf_add(&body, hint, sizeof(hint));
	bytes = body.size_bytes;
	mu_buf_add(b, (unsigned char[]){ TAG_SEQUENCE, 0x83, (unsigned char)(bytes >> 16 & 0xff),
	    (unsigned char)(bytes >> 8 & 0xff), (unsigned char)(bytes & 0xff) }, 5);
	mu_buf_add(b, body.data, bytes);
	mu_buf_clear(&body);
}

bool
directory_sync_state_decode(const void *bytes, size_t bytes_count, struct sync_state *out)
{
	struct ber whole = { bytes, (const unsigned char *)bytes + bytes_count }, in, kind;
	struct sync_state state = { .cookie = { NULL, 0 } };

	if (bytes_count == 0 || !ber_take(&whole, TAG_SEQUENCE, &in) || whole.at != whole.end)
		return false;
	if (!ber_take(&in, TAG_ENUMERATED, &kind) || kind.end - kind.at != 1 ||
	    *kind.at > SYNC_DELETE)
		return false;
	state.kind = (enum sync_state_kind)*kind.at;
	if (!uuid_take(&in, &state.entry_uuid) || !cookie_take(&in, &state.cookie) ||
	    in.at != in.end)
		return false;
	*out = state;
	return true;
}

bool
directory_sync_done_decode(const void *bytes, size_t bytes_count, struct sync_done *out)
{
	struct ber whole = { bytes, (const unsigned char *)bytes + bytes_count }, in;
	struct sync_done done = { .refresh_deletes = false };

	if (bytes_count == 0 || !ber_take(&whole, TAG_SEQUENCE, &in) || whole.at != whole.end)
		return false;
	if (!cookie_take(&in, &done.cookie) || !flag_take(&in, &done.refresh_deletes) ||
	    in.at != in.end)
		return false;
	*out = done;
	return true;
}

/* syncIdSet: looks at every element, so that directory_sync_uuid_next cannot fail. */
static bool
id_set_decode(struct ber *in, struct sync_info *info)
{
	struct ber set;
	struct mu_uuid uuid;

	if (!cookie_take(in, &info->cookie) || !flag_take(in, &info->refresh_deletes) ||
	    !ber_take(in, TAG_SET, &set))
		return false;
	info->uuids = set.at;
	info->uuids_end = set.end;
	while (set.at < set.end) {
		if (!uuid_take(&set, &uuid))
			return false;
		info->uuid_count++;
	}
	return in->at == in->end;
}

bool
directory_sync_info_decode(const void *bytes, size_t bytes_count, struct sync_info *out)
{
	struct ber whole = { bytes, (const unsigned char *)bytes + bytes_count }, in;
	struct sync_info info = { .refresh_done = true };

	if (bytes_count == 0)
		return false;
	if (ber_is(&whole, TAG_NEW_COOKIE)) {
		info.kind = SYNC_NEW_COOKIE;
		if (!ber_take(&whole, TAG_NEW_COOKIE, &in) || whole.at != whole.end)
			return false;
		info.cookie = (struct sync_cookie){ in.at, (size_t)(in.end - in.at) };
	} else if (ber_is(&whole, TAG_ID_SET)) {
		info.kind = SYNC_ID_SET;
		if (!ber_take(&whole, TAG_ID_SET, &in) || whole.at != whole.end ||
		    !id_set_decode(&in, &info))
			return false;
	} else {
		info.kind = ber_is(&whole, TAG_REFRESH_DELETE) ? SYNC_REFRESH_DELETE :
		    SYNC_REFRESH_PRESENT;
		if (!ber_take(&whole, info.kind == SYNC_REFRESH_DELETE ? TAG_REFRESH_DELETE :
		    TAG_REFRESH_PRESENT, &in) || whole.at != whole.end)
			return false;
		if (!cookie_take(&in, &info.cookie) || !flag_take(&in, &info.refresh_done) ||
		    in.at != in.end)
			return false;
	}
	*out = info;
	return true;
}

bool
directory_sync_uuid_next(struct sync_info *info, struct mu_uuid *out_uuid)
{
	struct ber set = { info->uuids, info->uuids_end };

	if (set.at == set.end || !uuid_take(&set, out_uuid))
		return false;
	info->uuids = set.at;
	return true;
}

/* One of slapd's change sequence numbers, in full: '0' stands for a digit, 'x' for a hex digit. */
static bool
csn_is_sound(const char *bytes, size_t bytes_count)
{
	static const char shape[] = "00000000000000.000000Z#xxxxxx#xxx#xxxxxx";

	if (bytes_count != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < bytes_count; i++) {
		bool digit = bytes[i] >= '0' && bytes[i] <= '9', hex = bytes[i] >= 'a' &&
		    bytes[i] <= 'f';

		if (shape[i] == '0' ? !digit : shape[i] == 'x' ? !digit && !hex :
		    bytes[i] != shape[i])
			return false;
	}
	return true;
}

/* "localhost:389#cn=muster,o=x:ou=people,o=x:(uid=*)#17"; slapd's end like that, too. */
static bool
is_of_389(const char *bytes, size_t bytes_count)
{
	size_t digits = 0;

	if (bytes_count > 4 && (memcmp(bytes, "rid=", 4) == 0 || memcmp(bytes, "csn=", 4) == 0))
		return false;
	while (digits < bytes_count && bytes[bytes_count - 1 - digits] >= '0' &&
	    bytes[bytes_count - 1 - digits] <= '9')
		digits++;
	return digits > 0 && digits < bytes_count && bytes[bytes_count - 1 - digits] == '#' &&
	    memchr(bytes, '#', bytes_count - 1 - digits) != NULL;
}

bool
directory_sync_cookie_usable(const void *bytes, size_t bytes_count)
{
	const char *at, *end;

	if (bytes == NULL || bytes_count == 0 || bytes_count > DIRECTORY_COOKIE_MAX_BYTES)
		return false;
	if (is_of_389(bytes, bytes_count))
		return false;
	at = memmem(bytes, bytes_count, "csn=", 4);
	if (at == NULL)
		return true;
	end = (const char *)bytes + bytes_count;
	if (memmem(bytes, bytes_count, "rid=", 4) == NULL)
		return false;
	for (at += 4;; at++) {
		const char *start = at;

		while (at < end && *at != ';' && *at != ',')
			at++;
		if (!csn_is_sound(start, (size_t)(at - start)))
			return false;
		if (at == end || *at == ',')
			return true;
	}
}
