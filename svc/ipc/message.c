#include "ipc/message.h"

#include "base/text.h"

#include <string.h>

static size_t
text_bytes(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

static void
secret_put(struct mu_buf *b, const struct mu_secret *s)
{
	ipc_put_bytes(b, s->bytes, s->size_bytes);
}

static void
secret_get(struct ipc_reader *r, struct mu_secret *out)
{
	size_t count;
	const unsigned char *bytes = ipc_get_bytes(r, &count);

	mu_secret_set(out, bytes, count);
}

static void
uuid_put(struct mu_buf *b, const struct mu_uuid *u)
{
	ipc_put_bytes(b, u->bytes, sizeof(u->bytes));
}

static void
uuid_get(struct ipc_reader *r, struct mu_uuid *out)
{
	ipc_get_exact(r, out->bytes, sizeof(out->bytes));
}

/* A byte that names one of count things. */
static uint8_t
choice_get(struct ipc_reader *r, unsigned count)
{
	uint8_t v = ipc_get_u8(r);

	if (v >= count)
		r->bad = true;
	return r->bad ? 0 : v;
}

/* How many follow: never more than max, nor than the bytes that are left could hold. */
static size_t
count_get(struct ipc_reader *r, size_t max, size_t each_min_bytes)
{
	size_t count = ipc_get_u32(r);

	if (count > max || count > (size_t)(r->end - r->at) / each_min_bytes)
		r->bad = true;
	return r->bad ? 0 : count;
}

static void
strings_put(struct mu_buf *b, const struct strings *s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	strings_format(s, &text);
	ipc_put_bytes(b, text.data, text.size_bytes);
}

static void
strings_get(struct ipc_reader *r, struct strings *out)
{
	MU_AUTO(mu_freep) char *text = ipc_get_text(r);

	if (!r->bad && !strings_parse(text, out))
		r->bad = true;
}

static void
entitlements_put(struct mu_buf *b, const struct entitlements *e)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	entitlements_format(e, &text);
	ipc_put_bytes(b, text.data, text.size_bytes);
}

static void
entitlements_get(struct ipc_reader *r, struct entitlements *out)
{
	MU_AUTO(mu_freep) char *text = ipc_get_text(r);

	if (!r->bad && !entitlements_parse(text, out))
		r->bad = true;
}

void
msg_config_encode(const struct msg_config *m, struct mu_buf *b)
{
	ipc_put_text(b, m->file_name);
	ipc_put_text(b, m->instance);
	ipc_put_u32(b, m->index);
}

bool
msg_config_decode(struct ipc_reader *r, struct msg_config *out)
{
	struct msg_config m = { .file_name = ipc_get_text(r) };

	m.instance = ipc_get_text(r);
	m.index = ipc_get_u32(r);
	if (!ipc_get_end(r)) {
		msg_config_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_config_clear(struct msg_config *m)
{
	mu_free(m->file_name);
	mu_free(m->instance);
	*m = (struct msg_config){ .index = 0 };
}

void
msg_named_encode(const struct msg_named *m, struct mu_buf *b)
{
	/* All room at once: bytes that grow leave copies behind. */
	mu_buf_reserve(b, 8 + text_bytes(m->name) + m->bytes.size_bytes);
	ipc_put_text(b, m->name);
	secret_put(b, &m->bytes);
}

bool
msg_named_decode(struct ipc_reader *r, struct msg_named *out)
{
	struct msg_named m = { .name = ipc_get_text(r) };

	secret_get(r, &m.bytes);
	if (!ipc_get_end(r)) {
		msg_named_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_named_clear(struct msg_named *m)
{
	mu_free(m->name);
	m->name = NULL;
	mu_secret_clear(&m->bytes);
}

void
msg_peer_encode(const struct msg_peer *m, struct mu_buf *b)
{
	ipc_put_u8(b, m->kind);
	ipc_put_text(b, m->instance);
	ipc_put_u32(b, m->index);
}

bool
msg_peer_decode(struct ipc_reader *r, struct msg_peer *out)
{
	struct msg_peer m = { .kind = ipc_get_u8(r) };

	m.instance = ipc_get_text(r);
	m.index = ipc_get_u32(r);
	if (!ipc_get_end(r)) {
		msg_peer_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_peer_clear(struct msg_peer *m)
{
	mu_free(m->instance);
	*m = (struct msg_peer){ .index = 0 };
}

void
msg_status_encode(const struct msg_status *m, struct mu_buf *b)
{
	ipc_put_u32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		const struct msg_process *p = &m->list[i];

		ipc_put_text(b, p->name);
		ipc_put_i64(b, p->pid);
		ipc_put_i64(b, p->since_s);
		ipc_put_u32(b, p->restarts);
		ipc_put_u8(b, p->ready);
	}
}

bool
msg_status_decode(struct ipc_reader *r, struct msg_status *out)
{
	struct msg_status m = { .count = count_get(r, IPC_MESSAGE_MAX_BYTES, 25) };

	m.list = mu_alloc_zero(m.count, sizeof(*m.list));
	for (size_t i = 0; i < m.count; i++) {
		struct msg_process *p = &m.list[i];

		p->name = ipc_get_text(r);
		p->pid = ipc_get_i64(r);
		p->since_s = ipc_get_i64(r);
		p->restarts = ipc_get_u32(r);
		p->ready = ipc_get_flag(r);
	}
	if (!ipc_get_end(r)) {
		msg_status_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_status_clear(struct msg_status *m)
{
	for (size_t i = 0; i < m->count; i++)
		mu_free(m->list[i].name);
	mu_free(m->list);
	*m = (struct msg_status){ .count = 0 };
}

void
msg_list_add(struct msg_list *m, const void *bytes, size_t bytes_count)
{
	m->list = mu_alloc_again(m->list, m->count + 1, sizeof(*m->list));
	m->list[m->count] = (struct mu_secret)MU_SECRET_INIT;
	mu_secret_set(&m->list[m->count], bytes, bytes_count);
	m->count++;
}

void
msg_list_encode(const struct msg_list *m, struct mu_buf *b)
{
	size_t room = 4;

	for (size_t i = 0; i < m->count; i++)
		room += 4 + m->list[i].size_bytes;
	mu_buf_reserve(b, room);
	ipc_put_u32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++)
		secret_put(b, &m->list[i]);
}

bool
msg_list_decode(struct ipc_reader *r, struct msg_list *out)
{
	struct msg_list m = { .count = count_get(r, IPC_MESSAGE_MAX_BYTES, 4) };

	m.list = mu_alloc_zero(m.count, sizeof(*m.list));
	for (size_t i = 0; i < m.count; i++)
		secret_get(r, &m.list[i]);
	if (!ipc_get_end(r)) {
		msg_list_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_list_clear(struct msg_list *m)
{
	for (size_t i = 0; i < m->count; i++)
		mu_secret_clear(&m->list[i]);
	mu_free(m->list);
	*m = (struct msg_list){ .count = 0 };
}

static void
account_put(struct mu_buf *b, const struct account_want *w)
{
	uuid_put(b, &w->account_id);
	uuid_put(b, &w->person_id);
	ipc_put_text(b, w->platform);
	ipc_put_text(b, w->name);
	ipc_put_bytes(b, w->subject, sizeof(w->subject));
	ipc_put_u8(b, (uint8_t)w->state);
	strings_put(b, &w->roles);
	entitlements_put(b, &w->entitlements);
	ipc_put_i64(b, w->version);
}

static void
account_get(struct ipc_reader *r, struct account_want *out)
{
	uuid_get(r, &out->account_id);
	uuid_get(r, &out->person_id);
	out->platform = ipc_get_text(r);
	out->name = ipc_get_text(r);
	ipc_get_exact(r, out->subject, sizeof(out->subject));
	out->state = (enum account_state)choice_get(r, ACCOUNT_ENABLED + 1);
	strings_get(r, &out->roles);
	entitlements_get(r, &out->entitlements);
	out->version = ipc_get_i64(r);
}

void
msg_mint_encode(const struct msg_mint *m, struct mu_buf *b)
{
	ipc_put_text(b, m->platform);
	ipc_put_u32(b, m->ttl_s);
	ipc_put_u32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		account_put(b, &m->list[i].account);
		ipc_put_bytes(b, m->list[i].mac, MAC_BYTES);
	}
}

bool
msg_mint_decode(struct ipc_reader *r, struct msg_mint *out)
{
	struct msg_mint m = { .platform = ipc_get_text(r) };

	m.ttl_s = ipc_get_u32(r);
	m.count = count_get(r, MINT_BATCH_MAX, 100);
	for (size_t i = 0; i < m.count; i++) {
		account_get(r, &m.list[i].account);
		ipc_get_exact(r, m.list[i].mac, MAC_BYTES);
	}
	if (!ipc_get_end(r)) {
		msg_mint_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_mint_clear(struct msg_mint *m)
{
	for (size_t i = 0; i < m->count; i++)
		account_want_clear(&m->list[i].account);
	mu_free(m->platform);
	m->platform = NULL;
	m->count = 0;
}

void
msg_minted_encode(const struct msg_minted *m, struct mu_buf *b)
{
	ipc_put_u32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		ipc_put_u8(b, (uint8_t)m->list[i].rc);
		ipc_put_text(b, m->list[i].token);
	}
}

bool
msg_minted_decode(struct ipc_reader *r, struct msg_minted *out)
{
	struct msg_minted m = { .count = count_get(r, MINT_BATCH_MAX, 5) };

	for (size_t i = 0; i < m.count; i++) {
		m.list[i].rc = (enum mu_rc)choice_get(r, MU_EBROKEN + 1);
		m.list[i].token = ipc_get_text(r);
		if ((m.list[i].rc == MU_OK) != (m.list[i].token[0] != '\0'))
			r->bad = true;
	}
	if (!ipc_get_end(r)) {
		msg_minted_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_minted_clear(struct msg_minted *m)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->list[i].token != NULL)
			explicit_bzero(m->list[i].token, strlen(m->list[i].token));
		mu_free(m->list[i].token);
		m->list[i].token = NULL;
	}
	m->count = 0;
}

void
msg_seal_encode(const struct msg_seal *m, struct mu_buf *b)
{
	mu_buf_reserve(b, 64 + m->sealed.size_bytes);
	uuid_put(b, &m->account_id);
	uuid_put(b, &m->credential_id);
	secret_put(b, &m->sealed);
}

bool
msg_seal_decode(struct ipc_reader *r, struct msg_seal *out)
{
	struct msg_seal m = { .sealed = MU_SECRET_INIT };

	uuid_get(r, &m.account_id);
	uuid_get(r, &m.credential_id);
	secret_get(r, &m.sealed);
	if (!ipc_get_end(r)) {
		msg_seal_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_seal_clear(struct msg_seal *m)
{
	mu_secret_clear(&m->sealed);
}

void
msg_code_encode(const struct msg_code *m, struct mu_buf *b)
{
	mu_buf_reserve(b, 64 + m->sealed.size_bytes + m->code.size_bytes);
	uuid_put(b, &m->seed_id);
	uuid_put(b, &m->person_id);
	secret_put(b, &m->sealed);
	secret_put(b, &m->code);
	ipc_put_i64(b, m->last_step);
}

bool
msg_code_decode(struct ipc_reader *r, struct msg_code *out)
{
	struct msg_code m = { .sealed = MU_SECRET_INIT, .code = MU_SECRET_INIT };

	uuid_get(r, &m.seed_id);
	uuid_get(r, &m.person_id);
	secret_get(r, &m.sealed);
	secret_get(r, &m.code);
	m.last_step = ipc_get_i64(r);
	if (m.last_step < 0)
		r->bad = true;
	if (!ipc_get_end(r)) {
		msg_code_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_code_clear(struct msg_code *m)
{
	mu_secret_clear(&m->sealed);
	mu_secret_clear(&m->code);
}

void
msg_issued_encode(const struct msg_issued *m, struct mu_buf *b)
{
	ipc_put_text(b, m->certificate);
	ipc_put_bytes(b, m->fingerprint, sizeof(m->fingerprint));
	ipc_put_i64(b, m->not_after_s);
}

bool
msg_issued_decode(struct ipc_reader *r, struct msg_issued *out)
{
	struct msg_issued m = { .certificate = ipc_get_text(r) };

	ipc_get_exact(r, m.fingerprint, sizeof(m.fingerprint));
	m.not_after_s = ipc_get_i64(r);
	if (!ipc_get_end(r)) {
		msg_issued_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_issued_clear(struct msg_issued *m)
{
	mu_free(m->certificate);
	m->certificate = NULL;
}

void
msg_login_encode(const struct msg_login *m, struct mu_buf *b)
{
	mu_buf_reserve(b, 12 + text_bytes(m->source) + text_bytes(m->dn) + m->password.size_bytes);
	ipc_put_text(b, m->source);
	ipc_put_text(b, m->dn);
	secret_put(b, &m->password);
}

bool
msg_login_decode(struct ipc_reader *r, struct msg_login *out)
{
	struct msg_login m = { .source = ipc_get_text(r) };

	m.dn = ipc_get_text(r);
	secret_get(r, &m.password);
	if (!ipc_get_end(r)) {
		msg_login_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_login_clear(struct msg_login *m)
{
	mu_free(m->source);
	mu_free(m->dn);
	m->source = NULL;
	m->dn = NULL;
	mu_secret_clear(&m->password);
}

static bool
step_has_right(enum step_kind kind)
{
	return kind == STEP_JOIN || kind == STEP_LEAVE || kind == STEP_MEMBERS;
}

void
step_encode(const struct step *s, struct mu_buf *b)
{
	entitlements_put(b, &s->rights);
	mu_buf_reserve(b, 64 + text_bytes(s->name) + text_bytes(s->display_name) +
	    text_bytes(s->right.name) + text_bytes(s->right.level) + s->secret.size_bytes);
	ipc_put_u8(b, (uint8_t)s->kind);
	uuid_put(b, &s->account_id);
	ipc_put_text(b, s->name);
	ipc_put_text(b, s->display_name);
	ipc_put_u8(b, (uint8_t)s->right.kind);
	ipc_put_text(b, s->right.name);
	ipc_put_text(b, s->right.level);
	secret_put(b, &s->secret);
	ipc_put_i64(b, s->patience_ms);
}

bool
step_decode(struct ipc_reader *r, struct step *out)
{
	struct step s = { .kind = STEP_PROBE };

	entitlements_get(r, &s.rights);
	s.kind = (enum step_kind)choice_get(r, STEP_KIND_COUNT);
	uuid_get(r, &s.account_id);
	s.name = ipc_get_text(r);
	s.display_name = ipc_get_text(r);
	s.right.kind = (enum entitlement_kind)choice_get(r, ENTITLEMENT_LEVEL + 1);
	s.right.name = ipc_get_text(r);
	s.right.level = ipc_get_text(r);
	secret_get(r, &s.secret);
	s.patience_ms = ipc_get_i64(r);
	if (step_has_right(s.kind) && !entitlement_name_valid(s.right.name))
		r->bad = true;
	if (!ipc_get_end(r)) {
		step_clear(&s);
		return false;
	}
	*out = s;
	return true;
}

static void
observed_put(struct mu_buf *b, const struct observed *o)
{
	ipc_put_u8(b, (uint8_t)o->state);
	entitlements_put(b, &o->rights);
	ipc_put_text(b, o->external_id);
}

static void
observed_get(struct ipc_reader *r, struct observed *out)
{
	out->state = (enum account_state)choice_get(r, ACCOUNT_ENABLED + 1);
	entitlements_get(r, &out->rights);
	out->external_id = ipc_get_text(r);
}

void
receipt_encode(const struct receipt *x, struct mu_buf *b)
{
	ipc_put_u8(b, x->outcome);
	observed_put(b, &x->seen);
	strings_put(b, &x->names);
	ipc_put_u32(b, x->sessions_ended);
	ipc_put_u32(b, x->sessions_left);
	ipc_put_i64(b, x->retry_after_ms);
	ipc_put_text(b, x->text);
}

bool
receipt_decode(struct ipc_reader *r, struct receipt *out)
{
	struct receipt x = { .outcome = ipc_get_u8(r) };

	observed_get(r, &x.seen);
	strings_get(r, &x.names);
	x.sessions_ended = ipc_get_u32(r);
	x.sessions_left = ipc_get_u32(r);
	x.retry_after_ms = ipc_get_i64(r);
	x.text = ipc_get_text(r);
	if (!ipc_get_end(r)) {
		receipt_clear(&x);
		return false;
	}
	*out = x;
	return true;
}

void
msg_page_encode(const struct msg_page *m, struct mu_buf *b)
{
	ipc_put_u32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		ipc_put_text(b, m->list[i].name);
		observed_put(b, &m->list[i].seen);
	}
	ipc_put_text(b, m->next);
	ipc_put_u8(b, m->complete);
	ipc_put_u8(b, m->outcome);
	ipc_put_text(b, m->text);
}

bool
msg_page_decode(struct ipc_reader *r, struct msg_page *out)
{
	struct msg_page m = { .count = count_get(r, IPC_MESSAGE_MAX_BYTES, 13) };

	m.list = mu_alloc_zero(m.count, sizeof(*m.list));
	for (size_t i = 0; i < m.count; i++) {
		m.list[i].name = ipc_get_text(r);
		observed_get(r, &m.list[i].seen);
	}
	m.next = ipc_get_text(r);
	m.complete = ipc_get_flag(r);
	m.outcome = ipc_get_u8(r);
	m.text = ipc_get_text(r);
	if (!ipc_get_end(r)) {
		msg_page_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_page_clear(struct msg_page *m)
{
	for (size_t i = 0; i < m->count; i++) {
		mu_free(m->list[i].name);
		observed_clear(&m->list[i].seen);
	}
	mu_free(m->list);
	mu_free(m->next);
	mu_free(m->text);
	*m = (struct msg_page){ .count = 0 };
}

void
msg_about_encode(const struct msg_about *m, struct mu_buf *b)
{
	ipc_put_text(b, m->adapter);
	ipc_put_u32(b, m->can);
	ipc_put_u32(b, m->steps);
}

bool
msg_about_decode(struct ipc_reader *r, struct msg_about *out)
{
	struct msg_about m = { .adapter = ipc_get_text(r) };

	m.can = ipc_get_u32(r);
	m.steps = ipc_get_u32(r);
	if (!ipc_get_end(r)) {
		msg_about_clear(&m);
		return false;
	}
	*out = m;
	return true;
}

void
msg_about_clear(struct msg_about *m)
{
	mu_free(m->adapter);
	m->adapter = NULL;
}
