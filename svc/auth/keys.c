#include "auth/keys.h"

#include <string.h>

/* One question holds as many rows as fit with room to spare, in it and in its answer. */
#define BATCH_MAX	500
#define BATCH_MAX_BYTES	(IPC_MESSAGE_MAX_BYTES - 4096)

static enum mu_rc
malformed(struct mu_err *err, const char *what)
{
	return mu_fail(err, MU_EBROKEN, "keys answered with %s that cannot be read", what);
}

/* How many rows from bytes on go into one question. */
static size_t
batch_count(const struct mu_buf *bytes, size_t count)
{
	size_t some = 0, total_bytes = 0;

	while (some < count && some < BATCH_MAX) {
		total_bytes += bytes[some].size_bytes + MAC_BYTES + 8;
		if (some > 0 && total_bytes > BATCH_MAX_BYTES)
			break;
		some++;
	}
	return some;
}

/* Asks op about some rows, each followed by its MAC where macs are given. */
static enum mu_rc
rows_ask(const struct auth_host *h, uint16_t op, const struct mu_buf *bytes,
    const unsigned char (*macs)[MAC_BYTES], size_t count, struct mu_buf *out_answer, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list list = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		msg_list_add(&list, bytes[i].data, bytes[i].size_bytes);
		if (macs != NULL)
			msg_list_add(&list, macs[i], MAC_BYTES);
	}
	msg_list_encode(&list, &body);
	return h->ask(h->ctx, op, &body, out_answer, err);
}

static enum mu_rc
mac_some(const struct auth_host *h, const struct mu_buf *bytes, size_t count,
    unsigned char (*out_macs)[MAC_BYTES], struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list macs = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf answer = MU_BUF_INIT;
	struct ipc_reader r;

	if (rows_ask(h, OP_MAC, bytes, NULL, count, &answer, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &answer);
	if (!msg_list_decode(&r, &macs) || macs.count != count)
		return malformed(err, "MACs");
	for (size_t i = 0; i < count; i++) {
		if (macs.list[i].size_bytes != MAC_BYTES)
			return malformed(err, "a MAC");
		(void)memcpy(out_macs[i], macs.list[i].bytes, MAC_BYTES);
	}
	return MU_OK;
}

static enum mu_rc
mac_check_some(const struct auth_host *h, const struct mu_buf *bytes,
    const unsigned char (*macs)[MAC_BYTES], size_t count, bool *out_right, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf answer = MU_BUF_INIT;
	const unsigned char *right;
	struct ipc_reader r;
	size_t right_count;

	if (rows_ask(h, OP_MAC_CHECK, bytes, macs, count, &answer, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &answer);
	right = ipc_get_bytes(&r, &right_count);
	if (!ipc_get_end(&r) || right_count != count)
		return malformed(err, "a check of MACs");
	for (size_t i = 0; i < count; i++)
		out_right[i] = right[i] == 1;
	return MU_OK;
}

/* The answer of keys to OP_CLIENT_ISSUE and OP_ADMIN_ISSUE. */
static enum mu_rc
issue(const struct auth_host *h, uint16_t op, const char *name, const char *csr_pem,
    struct msg_issued *out_issued, struct mu_err *err)
{
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = mu_strdup(name) };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, answer = MU_BUF_INIT;
	struct ipc_reader r;

	mu_secret_set(&m.bytes, csr_pem, strlen(csr_pem));
	msg_named_encode(&m, &body);
	if (h->ask(h->ctx, op, &body, &answer, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &answer);
	return msg_issued_decode(&r, out_issued) ? MU_OK : malformed(err, "a certificate");
}

bool
auth_source_administers(const struct auth_host *h, const char *source)
{
	return h->administers == NULL || h->administers(h->ctx, source);
}

enum mu_rc
auth_mac(void *host, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err)
{
	for (size_t at = 0, some; at < count; at += some) {
		some = batch_count(bytes + at, count - at);
		if (mac_some(host, bytes + at, some, out_macs + at, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

enum mu_rc
auth_mac_check(void *host, const struct mu_buf *bytes, const unsigned char (*macs)[MAC_BYTES], size_t count,
    bool *out_right, struct mu_err *err)
{
	for (size_t at = 0, some; at < count; at += some) {
		some = batch_count(bytes + at, count - at);
		if (mac_check_some(host, bytes + at, macs + at, some, out_right + at, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

enum mu_rc
auth_seed_new(const struct auth_host *h, const struct mu_uuid *person_id, struct store_seed *out_seed,
    struct mu_secret *out_base32, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list made = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf answer = MU_BUF_INIT;
	struct msg_code m = { .person_id = *person_id };
	struct ipc_reader r;

	mu_uuid_new(&m.seed_id);
	msg_code_encode(&m, &body);
	if (h->ask(h->ctx, OP_SEED_NEW, &body, &answer, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &answer);
	if (!msg_list_decode(&r, &made) || made.count != 2)
		return malformed(err, "a seed");
	*out_seed = (struct store_seed){ .seed_id = m.seed_id, .algorithm = mu_strdup("SHA1"), .version = 1 };
	mu_secret_move(&out_seed->sealed, &made.list[0]);
	mu_secret_move(out_base32, &made.list[1]);
	return MU_OK;
}

enum mu_rc
auth_code_check(const struct auth_host *h, const struct mu_uuid *person_id, const struct store_seed *seed,
    const struct mu_secret *code, int64_t *out_step, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf answer = MU_BUF_INIT;
	const struct msg_code m = { .seed_id = seed->seed_id, .person_id = *person_id, .sealed = seed->sealed,
		.code = *code, .last_step = seed->last_step };	/* borrowed */
	struct ipc_reader r;
	int64_t step;

	msg_code_encode(&m, &body);
	if (h->ask(h->ctx, OP_CODE_CHECK, &body, &answer, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &answer);
	step = ipc_get_i64(&r);
	if (!ipc_get_end(&r) || step <= seed->last_step)
		return malformed(err, "a step");
	*out_step = step;
	return MU_OK;
}

enum mu_rc
auth_session_issue(const struct auth_host *h, const struct mu_uuid *session_id, const char *csr_pem,
    struct msg_issued *out_issued, struct mu_err *err)
{
	char name[MU_UUID_TEXT_BYTES];

	return issue(h, OP_ADMIN_ISSUE, mu_uuid_format(session_id, name), csr_pem, out_issued, err);
}

enum mu_rc
auth_client_issue(const struct auth_host *h, const char *name, const char *csr_pem,
    struct msg_issued *out_issued, struct mu_err *err)
{
	return issue(h, OP_CLIENT_ISSUE, name, csr_pem, out_issued, err);
}

const char *
auth_conflict(const struct auth_host *h, const struct store_administrator *a)
{
	return h->conflict == NULL ? NULL : h->conflict(h->ctx, a->role, &a->holds);
}

bool
auth_stands(const struct auth_host *h, const struct store_administrator *a)
{
	return a->active && a->state == PERSON_ACTIVE && !a->blocked &&
	    auth_source_administers(h, a->source) && auth_conflict(h, a) == NULL;
}

enum mu_rc
auth_standing_count_lock(const struct auth_host *h, int64_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators all = { NULL, 0 };
	int64_t count;

	if (store_administrator_count_lock(h->store, &count, err) != MU_OK ||
	    store_administrator_list(h->store, &all, err) != MU_OK)
		return err->rc;
	count = 0;
	for (size_t i = 0; i < all.count; i++)
		count += auth_stands(h, &all.list[i]);
	*out_count = count;
	return MU_OK;
}
