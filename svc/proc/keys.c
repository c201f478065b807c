/*
 * proc/keys.c - the process that holds every key: answers typed requests on its channels, reads
 * nothing else, writes no file and knows no network
 *
 * Who may ask for what is process_may_ask's table; what is asked is the vault's to grant. A malformed
 * payload ends that peer's channel.
 */
#include "proc/process.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/vault.h"

#include <stdio.h>
#include <string.h>

#define COUNT_EVERY_MS	60000
#define MINTED_MAX_BYTES (IPC_MESSAGE_MAX_BYTES - 1024)	/* of tokens in one answer */
#define MINTED_EACH_BYTES 16				/* around each of them */

struct keys {
	enum process_kind asker;	/* of the request at hand */
	struct process *process;
	struct vault *vault;
	struct mu_timer *count_timer;
	uint64_t served[PROCESS_KIND_COUNT][OP_ADMIN_ISSUE + 1 - OP_MINT];
};

/*
 * Answers one operation. false: the payload is not what the operation says. Otherwise err tells
 * whether it was refused, and the answer is in reply.
 */
typedef bool answer_fn(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err);

/* One grant of a batch. What one account is refused says nothing about its neighbours. */
static void
grant_mint(struct keys *k, const struct msg_mint *m, const struct mint_one *one, size_t *used_bytes,
    struct minted_one *out)
{
	MU_AUTO(mu_buf_clear) struct mu_buf jws = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	char id[MU_UUID_TEXT_BYTES];

	out->rc = vault_mint(k->vault, &one->account, one->mac, m->platform, m->ttl_s, mu_now_s(), &jws, &err);
	if (out->rc != MU_OK) {
		mu_log_err(&err, "keys.mint_refused", "account",
		    mu_uuid_format(&one->account.account_id, id), "platform", m->platform, NULL);
	} else if (*used_bytes + jws.size_bytes + MINTED_EACH_BYTES > MINTED_MAX_BYTES) {
		out->rc = *used_bytes == 0 ? MU_EBROKEN : MU_ERETRY;	/* no room: ask for it alone */
	} else {
		*used_bytes += jws.size_bytes + MINTED_EACH_BYTES;
		out->token = mu_strdup(jws.data);
		return;
	}
	out->token = mu_strdup("");
}

static bool
mint(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(msg_minted_clear) struct msg_minted out = { .count = 0 };
	size_t used_bytes = 0;
	struct msg_mint m;

	(void)err;
	if (!msg_mint_decode(body, &m))
		return false;
	for (out.count = 0; out.count < m.count; out.count++)
		grant_mint(k, &m, &m.list[out.count], &used_bytes, &out.list[out.count]);
	msg_minted_encode(&out, reply);
	msg_mint_clear(&m);
	return true;
}

static bool
jwks(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	(void)err;
	if (!ipc_get_end(body))
		return false;
	vault_jwks(k->vault, &text);
	ipc_put_text(reply, text.data);
	return true;
}

/* A process has only the rows MACed that it writes: they begin with the name of their table. */
static bool
row_is_of(enum process_kind asker, const struct mu_secret *row)
{
	static const struct { enum process_kind asker; const char *table; } tables[] = {
		{ PROCESS_CYCLE, "account:" },
		{ PROCESS_CYCLE, "policy:1:" },		/* the seed of an empty store; later ones are applied */
		{ PROCESS_ADMIN, "account:" }, { PROCESS_ADMIN, "policy:" }, { PROCESS_ADMIN, "token_client:" },
		{ PROCESS_ADMIN, "administrator:" }, { PROCESS_ADMIN, "totp_seed:" }, { PROCESS_ADMIN, "session:" },
		{ PROCESS_ADMIN, "grant:" }, { PROCESS_ADMIN, "identification:" }, { PROCESS_ADMIN, "action:" },
		{ PROCESS_ADMIN, "approval:" }, { PROCESS_ADMIN, "enrolment:" },
	};

	for (size_t i = 0; i < MU_COUNT(tables); i++) {
		size_t length = strlen(tables[i].table);

		if (tables[i].asker == asker && row->size_bytes > length &&
		    memcmp(row->bytes, tables[i].table, length) == 0)
			return true;
	}
	return false;
}

static bool
mac(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list rows = { NULL, 0 }, macs = { NULL, 0 };
	unsigned char one[MAC_BYTES];

	if (!msg_list_decode(body, &rows))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (!row_is_of(k->asker, &rows.list[i])) {
			(void)mu_fail(err, MU_EDENIED, "that row is not this process's to write");
			return true;
		}
		vault_mac(k->vault, rows.list[i].bytes, rows.list[i].size_bytes, one);
		msg_list_add(&macs, one, sizeof(one));
	}
	msg_list_encode(&macs, reply);
	return true;
}

/* Whoever has a channel may ask: an answer gives nothing away that the question did not hold. */
static bool
mac_check(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list m = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf right = MU_BUF_INIT;

	(void)err;
	if (!msg_list_decode(body, &m) || m.count % 2 != 0)
		return false;
	for (size_t i = 0; i < m.count; i += 2) {
		const struct mu_secret *row = &m.list[i], *one = &m.list[i + 1];

		mu_buf_char_add(&right, one->size_bytes == MAC_BYTES &&
		    vault_mac_verify(k->vault, row->bytes, row->size_bytes, one->bytes) ? 1 : 0);
	}
	ipc_put_bytes(reply, right.data, right.size_bytes);
	return true;
}

static bool
seed_new(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sealed = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret base32 = MU_SECRET_INIT;
	MU_AUTO(msg_code_clear) struct msg_code m = { .last_step = 0 };
	MU_AUTO(msg_list_clear) struct msg_list out = { NULL, 0 };

	if (!msg_code_decode(body, &m))
		return false;
	if (vault_seed_new(k->vault, &m.seed_id, &m.person_id, &sealed, &base32, err) != MU_OK)
		return true;
	msg_list_add(&out, sealed.data, sealed.size_bytes);
	msg_list_add(&out, base32.bytes, base32.size_bytes);
	msg_list_encode(&out, reply);
	return true;
}

static bool
code_check(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(msg_code_clear) struct msg_code m = { .last_step = 0 };
	int64_t step;

	if (!msg_code_decode(body, &m))
		return false;
	if (vault_code_check(k->vault, &m.seed_id, &m.person_id, &m.sealed, &m.code, m.last_step, mu_now_s(),
	    &step, err) == MU_OK)
		ipc_put_i64(reply, step);
	return true;
}

static bool
seal_new(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sealed = MU_BUF_INIT;
	struct msg_seal m;

	(void)err;
	if (!msg_seal_decode(body, &m))
		return false;
	vault_seal_new(k->vault, &m.account_id, &m.credential_id, &sealed);
	ipc_put_bytes(reply, sealed.data, sealed.size_bytes);
	msg_seal_clear(&m);
	return true;
}

static bool
unseal(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT;
	struct msg_seal m;

	if (!msg_seal_decode(body, &m))
		return false;
	if (vault_unseal(k->vault, &m.account_id, &m.credential_id, &m.sealed, &password, err) == MU_OK)
		ipc_put_bytes(reply, password.bytes, password.size_bytes);
	msg_seal_clear(&m);
	return true;
}

static bool
receipt_sign(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf jws = MU_BUF_INIT;
	size_t bytes_count;
	const unsigned char *bytes = ipc_get_bytes(body, &bytes_count);

	if (!ipc_get_end(body))
		return false;
	if (vault_receipt_sign(k->vault, bytes, bytes_count, &jws, err) == MU_OK)
		ipc_put_bytes(reply, jws.data, jws.size_bytes);
	return true;
}

/* The checkpoint goes outside of the store as well: who sets the store back cannot set that back. */
static bool
checkpoint_sign(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf note = MU_BUF_INIT, verifier = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *text = ipc_get_text(body);

	if (!ipc_get_end(body))
		return false;
	if (vault_checkpoint_sign(k->vault, text, &note, err) != MU_OK)
		return true;
	vault_checkpoint_verifier(k->vault, &verifier);
	process_publish(k->process, "checkpoint", note.data);
	process_publish(k->process, "checkpoint.vkey", verifier.data);
	ipc_put_text(reply, note.data);
	return true;
}

/* A listener is certified under the names that the configuration gives it, and no others. */
static bool
name_is_of(const struct keys *k, const char *name)
{
	const struct settings *s = k->process->settings;
	const struct settings_listen *at = k->asker == PROCESS_CLAIM ? &s->claim :
	    k->asker == PROCESS_ADMIN ? &s->admin : &s->token;

	for (size_t i = 0; i < at->name_count; i++)
		if (strcmp(at->names[i], name) == 0)
			return true;
	return false;
}

static bool
server_issue(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list m = { NULL, 0 }, out = { NULL, 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret key = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf chain = MU_BUF_INIT;
	const char *names[VAULT_NAMES_MAX], *ca = vault_ca_pem(k->vault);

	if (!msg_list_decode(body, &m) || m.count > VAULT_NAMES_MAX)
		return false;
	for (size_t i = 0; i < m.count; i++) {
		names[i] = mu_secret_text(&m.list[i]);
		if (strlen(names[i]) != m.list[i].size_bytes)
			return false;
		if (!name_is_of(k, names[i])) {
			(void)mu_fail(err, MU_EDENIED, "the configuration gives this listener no such name");
			return true;
		}
	}
	if (vault_server_issue(k->vault, names, m.count, mu_now_s(), &key, &chain, err) != MU_OK)
		return true;
	msg_list_add(&out, key.bytes, key.size_bytes);
	msg_list_add(&out, chain.data, chain.size_bytes);
	msg_list_add(&out, ca, strlen(ca));
	msg_list_encode(&out, reply);
	return true;
}

static void
issued_encode(const struct vault_client *client, struct mu_buf *b)
{
	struct msg_issued m = { .certificate = client->certificate, .not_after_s = client->not_after_s };

	(void)memcpy(m.fingerprint, client->fingerprint, sizeof(m.fingerprint));
	msg_issued_encode(&m, b);
}

static bool
client_issue(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(vault_client_clear) struct vault_client client = { .certificate = NULL };
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };

	if (!msg_named_decode(body, &m))
		return false;
	if (vault_client_issue(k->vault, m.name, mu_secret_text(&m.bytes), m.bytes.size_bytes, mu_now_s(), &client,
	    err) == MU_OK)
		issued_encode(&client, reply);
	return true;
}

static bool
admin_issue(struct keys *k, struct ipc_reader *body, struct mu_buf *reply, struct mu_err *err)
{
	MU_AUTO(vault_client_clear) struct vault_client client = { .certificate = NULL };
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };
	struct mu_uuid session_id;

	if (!msg_named_decode(body, &m) || !mu_uuid_parse(m.name, &session_id))
		return false;
	if (vault_admin_issue(k->vault, &session_id, mu_secret_text(&m.bytes), m.bytes.size_bytes, mu_now_s(),
	    &client, err) == MU_OK)
		issued_encode(&client, reply);
	return true;
}

static const struct answer {
	uint16_t op;
	const char *name;
	answer_fn *fn;
} answers[] = {
	{ OP_MINT,		"mint",			mint },
	{ OP_JWKS,		"jwks",			jwks },
	{ OP_MAC,		"mac",			mac },
	{ OP_SEAL_NEW,		"seal_new",		seal_new },
	{ OP_UNSEAL,		"unseal",		unseal },
	{ OP_RECEIPT_SIGN,	"receipt_sign",		receipt_sign },
	{ OP_CHECKPOINT_SIGN,	"checkpoint_sign",	checkpoint_sign },
	{ OP_SERVER_ISSUE,	"server_issue",		server_issue },
	{ OP_CLIENT_ISSUE,	"client_issue",		client_issue },
	{ OP_MAC_CHECK,		"mac_check",		mac_check },
	{ OP_SEED_NEW,		"seed_new",		seed_new },
	{ OP_CODE_CHECK,	"code_check",		code_check },
	{ OP_ADMIN_ISSUE,	"admin_issue",		admin_issue },
};

static const struct answer *
answer_find(uint16_t op)
{
	for (size_t i = 0; i < MU_COUNT(answers); i++)
		if (answers[i].op == op)
			return &answers[i];
	return NULL;
}

static void
keys_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf reply = MU_BUF_INIT;
	const struct answer *a = answer_find(m->op);
	struct mu_err err = MU_ERR_INIT;
	struct keys *k = p->own;

	if (k == NULL)		/* stopped in this very turn: the keys are gone */
		return;
	k->asker = from->kind;
	if (a == NULL || !a->fn(k, &m->body, &reply, &err)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	k->served[from->kind][m->op - OP_MINT]++;
	if (err.rc == MU_OK) {
		ipc_reply(from->channel, m->op, m->id, &reply, -1);
		return;
	}
	mu_log_err(&err, "keys.refused", "op", a->name, "peer", process_kind_name(from->kind), NULL);
	ipc_reply_error(from->channel, m->id, &err);
}

/* A line a minute for each kind of peer and operation: who asks for more than usual shows. */
static void
counts_log(void *ctx)
{
	struct keys *k = ctx;
	char count[24];

	for (int kind = 0; kind < PROCESS_KIND_COUNT; kind++)
		for (size_t i = 0; i < MU_COUNT(answers); i++) {
			uint64_t *served = &k->served[kind][answers[i].op - OP_MINT];

			if (*served == 0)
				continue;
			(void)snprintf(count, sizeof(count), "%llu", (unsigned long long)*served);
			mu_log("keys.served", "peer", process_kind_name((enum process_kind)kind), "op",
			    answers[i].name, "count", count, NULL);
			*served = 0;
		}
	mu_timer_set(k->count_timer, COUNT_EVERY_MS);
}

/* Whose grants these are: where the token listener answers. */
static void
issuer_format(const struct settings_listen *at, struct mu_buf *b)
{
	const char *name = at->name_count > 0 ? at->names[0] : at->host != NULL ? at->host : "localhost";
	bool v6 = strchr(name, ':') != NULL;

	mu_buf_format(b, "https://%s%s%s", v6 ? "[" : "", name, v6 ? "]" : "");
	if (at->port != 0 && at->port != 443)
		mu_buf_format(b, ":%u", (unsigned int)at->port);
}

static enum mu_rc
keys_open(struct process *p, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf dir = MU_BUF_INIT, issuer = MU_BUF_INIT, receipt = MU_BUF_INIT;
	struct keys *k = mu_alloc_zero(1, sizeof(*k));
	struct vault_config config;

	mu_buf_format(&dir, "%s/keys", p->settings->state);
	issuer_format(&p->settings->token, &issuer);
	config = (struct vault_config){ dir.data, issuer.data };
	if (vault_open(&config, mu_now_s(), &k->vault, err) != MU_OK) {
		mu_free(k);
		return err->rc;
	}
	k->process = p;
	k->count_timer = mu_loop_timer(p->loop, counts_log, k);
	mu_timer_set(k->count_timer, COUNT_EVERY_MS);
	p->own = k;
	vault_receipt_jwk(k->vault, &receipt);
	process_publish(p, "ca.crt", vault_ca_pem(k->vault));
	process_publish(p, "receipt.jwk", receipt.data);
	return MU_OK;
}

static void
keys_stop(struct process *p)
{
	struct keys *k = p->own;

	mu_timer_free(k->count_timer);
	vault_close(k->vault);
	mu_free(k);
	p->own = NULL;
	mu_loop_stop(p->loop, 0);
}

const struct process_row process_keys = {
	.kind = PROCESS_KEYS,
	.open = keys_open,
	.request = keys_request,
	.stop = keys_stop,
};
