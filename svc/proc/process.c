#include "proc/process.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "sandbox/sandbox.h"

#define CONTROL_FD	3
#define SECRETS_MAX	600		/* a request per client, and the policy's files */
#define KEYS_WAIT_MS	30000
#define PEER_WAIT_MS	2000		/* then a peer that ended and is not back is missed */

static const struct process_row *const rows[PROCESS_KIND_COUNT] = {
	[PROCESS_KEYS] = &process_keys, [PROCESS_CYCLE] = &process_cycle,
	[PROCESS_LOGIN] = &process_login, [PROCESS_PROVISION] = &process_provision,
	[PROCESS_ADAPTER] = &process_adapter, [PROCESS_AUDIT] = &process_audit,
	[PROCESS_TOKEN] = &process_token, [PROCESS_ADMIN] = &process_admin,
	[PROCESS_CLAIM] = &process_claim, [PROCESS_WORK] = &process_work,
	[PROCESS_DRYRUN] = &process_dryrun,
};

static const struct {
	enum process_kind from, to;
	uint16_t ops[8];
} channels[] = {
	{ PROCESS_TOKEN,	PROCESS_KEYS,	{ OP_MINT, OP_JWKS, OP_SERVER_ISSUE } },
	{ PROCESS_CLAIM,	PROCESS_KEYS,	{ OP_UNSEAL, OP_SERVER_ISSUE } },
	{ PROCESS_CYCLE,	PROCESS_KEYS,	{ OP_MAC, OP_MAC_CHECK } },
	{ PROCESS_ADMIN,	PROCESS_KEYS,	{ OP_MAC, OP_MAC_CHECK, OP_SEED_NEW, OP_CODE_CHECK,
	    OP_ADMIN_ISSUE, OP_CLIENT_ISSUE, OP_SERVER_ISSUE } },
	{ PROCESS_PROVISION,	PROCESS_KEYS,	{ OP_SEAL_NEW, OP_UNSEAL, OP_RECEIPT_SIGN } },
	{ PROCESS_AUDIT,	PROCESS_KEYS,	{ OP_CHECKPOINT_SIGN } },
	{ PROCESS_CLAIM,	PROCESS_LOGIN,	{ OP_LOGIN } },
	{ PROCESS_ADMIN,	PROCESS_LOGIN,	{ OP_LOGIN } },
	{ PROCESS_PROVISION,	PROCESS_ADAPTER, { OP_STEP, OP_LIST, OP_ABOUT } },
	{ PROCESS_WORK,		PROCESS_ADMIN,	{ OP_JOB_OUTPUT, OP_JOB_RESULT, OP_JOB_END } },
	{ PROCESS_ADMIN,	PROCESS_WORK,	{ OP_JOB_FILE, OP_JOB_GO } },
	{ PROCESS_DRYRUN,	PROCESS_ADMIN,	{ OP_JOB_OUTPUT, OP_JOB_RESULT, OP_JOB_END } },
	{ PROCESS_ADMIN,	PROCESS_DRYRUN,	{ OP_JOB_GO } },
};

struct self;

/* What a peer's channel hands back to us. */
struct slot {
	struct self *self;
	struct process_peer *peer;
	int fd;				/* a new end that came before open(); -1 */
	struct mu_timer *missed;
	bool greeted;			/* peer_up has been called for this end */
};

struct self {
	struct process process;		/* first: the two are one */
	const struct process_row *row;
	struct settings *settings;
	struct msg_named secrets[SECRETS_MAX];
	size_t secret_count;
	struct slot slots[PROCESS_PEERS_MAX];
	struct mu_timer *greet;
	bool handed_over, opened, stopped;
};

const char *
process_kind_name(enum process_kind kind)
{
	static const char *const names[PROCESS_KIND_COUNT] = {
		[PROCESS_SUPERVISOR] = "supervisor", [PROCESS_KEYS] = "keys",
		[PROCESS_CYCLE] = "cycle", [PROCESS_LOGIN] = "login",
		[PROCESS_PROVISION] = "provision", [PROCESS_ADAPTER] = "adapter",
		[PROCESS_AUDIT] = "audit", [PROCESS_TOKEN] = "token", [PROCESS_ADMIN] = "admin",
		[PROCESS_CLAIM] = "claim", [PROCESS_WORK] = "work",
		[PROCESS_DRYRUN] = "dryrun",
	};

	return names[kind];
}

bool
process_kind_parse(const char *name, enum process_kind *out_kind)
{
	for (unsigned i = 0; i < PROCESS_KIND_COUNT; i++) {
		if (strcmp(process_kind_name((enum process_kind)i), name) != 0)
			continue;
		*out_kind = (enum process_kind)i;
		return true;
	}
	return false;
}

bool
process_is_job(enum process_kind kind)
{
	return kind == PROCESS_WORK || kind == PROCESS_DRYRUN;
}

void
process_label(enum process_kind kind, const char *instance, uint32_t index, struct mu_buf *b)
{
	mu_buf_text_add(b, process_kind_name(kind));
	if (instance != NULL && instance[0] != '\0')
		mu_buf_format(b, "/%s", instance);
	else if (kind == PROCESS_TOKEN)
		mu_buf_format(b, "/%u", index);
}

const uint16_t *
process_may_ask(enum process_kind from, enum process_kind to)
{
	static const uint16_t nothing[] = { 0 };

	for (size_t i = 0; i < MU_COUNT(channels); i++)
		if (channels[i].from == from && channels[i].to == to)
			return channels[i].ops;
	return nothing;
}

bool
process_are_peers(enum process_kind a, enum process_kind b)
{
	return process_may_ask(a, b)[0] != 0 || process_may_ask(b, a)[0] != 0;
}

const struct config_key *
process_adapter_keys(size_t index, const char **out_name)
{
	const struct adapter_ops *ops = adapter_at(index);

	if (ops == NULL)
		return NULL;
	*out_name = ops->name;
	return ops->keys;
}

const struct mu_secret *
process_secret(const struct process *p, const char *name)
{
	const struct self *self = (const struct self *)p;

	for (size_t i = 0; i < self->secret_count; i++)
		if (strcmp(self->secrets[i].name, name) == 0)
			return &self->secrets[i].bytes;
	return NULL;
}

void
process_secret_drop(struct process *p, const char *name)
{
	struct self *self = (struct self *)p;

	for (size_t i = 0; i < self->secret_count; i++) {
		if (strcmp(self->secrets[i].name, name) != 0)
			continue;
		msg_named_clear(&self->secrets[i]);
		self->secrets[i] = self->secrets[--self->secret_count];
		return;
	}
}

const struct mu_secret *
process_secret_at(const struct process *p, const char *prefix, size_t index, const char **out_name)
{
	const struct self *self = (const struct self *)p;

	for (size_t i = 0; i < self->secret_count; i++) {
		if (!mu_text_starts(self->secrets[i].name, prefix) || index-- > 0)
			continue;
		*out_name = self->secrets[i].name + strlen(prefix);
		return &self->secrets[i].bytes;
	}
	return NULL;
}

struct process_peer *
process_peer_find(struct process *p, enum process_kind kind, const char *instance)
{
	for (size_t i = 0; i < p->peer_count; i++) {
		struct process_peer *peer = &p->peers[i];

		if (peer->kind == kind &&
		    (instance == NULL || strcmp(peer->instance, instance) == 0))
			return peer;
	}
	return NULL;
}

enum mu_rc
process_keys_ask(struct process *p, uint16_t op, const struct mu_buf *body, struct mu_buf *out_body,
    struct mu_err *err)
{
	struct process_peer *keys = process_peer_find(p, PROCESS_KEYS, NULL);

	return ipc_ask(keys == NULL ? NULL : keys->channel, op, body, KEYS_WAIT_MS, out_body, err);
}

void
process_publish(struct process *p, const char *name, const char *content)
{
	MU_AUTO(mu_freep) char *name_copy = mu_strdup(name);
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct msg_named m = { .name = name_copy };

	mu_secret_set(&m.bytes, content, strlen(content));
	msg_named_encode(&m, &body);
	mu_secret_clear(&m.bytes);
	ipc_notify(p->control, OP_PUBLISH, &body, -1);
}

/* --- Peers -------------------------------------------------------------------------------- */

static void
peer_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct slot *slot = ctx;

	if (m->fd >= 0)		/* no request brings one: whoever sends it only wants ours used up */
		(void)close(m->fd);
	m->fd = -1;
	if (slot->self->row->request == NULL)
		ipc_refuse(ch, m->op);
	else
		slot->self->row->request(&slot->self->process, slot->peer, m);
}

static void
peer_end(void *ctx, struct ipc_channel *ch)
{
	struct slot *slot = ctx;

	ipc_close(ch);
	slot->peer->channel = NULL;
	if (!process_is_job(slot->peer->kind))
		mu_timer_set(slot->missed, PEER_WAIT_MS);
}

/* The channel ended for another reason than the peer's end: we ask for a new one. */
static void
peer_missed(void *ctx)
{
	struct slot *slot = ctx;
	const struct process_peer *peer = slot->peer;
	struct msg_peer m = { (uint8_t)peer->kind, peer->instance, peer->index };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	if (peer->channel != NULL)
		return;
	msg_peer_encode(&m, &body);
	ipc_notify(slot->self->process.control, OP_PEER_LOST, &body, -1);
	mu_timer_set(slot->missed, PEER_WAIT_MS);
}

/* Makes a channel of the end that lies in the slot. */
static void
peer_open(struct self *self, struct slot *slot)
{
	struct process_peer *peer = slot->peer;
	const struct process *p = &self->process;
	const uint16_t *may_ask = process_may_ask(peer->kind, p->kind);
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	struct ipc_channel *old = peer->channel;

	process_label(peer->kind, peer->instance, peer->index, &name);
	peer->channel =
	    ipc_open(p->loop, slot->fd, name.data, may_ask, peer_request, peer_end, slot);
	slot->fd = -1;
	slot->greeted = false;
	mu_timer_stop(slot->missed);
	ipc_close(old);
}

static void
peer_greet(struct self *self, struct slot *slot)
{
	if (slot->greeted || slot->peer->channel == NULL)
		return;
	slot->greeted = true;
	if (self->row->peer_up != NULL)
		self->row->peer_up(&self->process, slot->peer);
}

/* From the loop: the peers that came before open() had ended. */
static void
peers_greet(void *ctx)
{
	struct self *self = ctx;

	for (size_t i = 0; i < self->process.peer_count; i++)
		peer_greet(self, &self->slots[i]);
}

/*
 * The slot of a peer, known or new; NULL when there are too many. Jobs come and go: one takes the
 * place of the job with its number.
 */
static struct slot *
slot_find(struct self *self, struct msg_peer *m)
{
	struct process *p = &self->process;
	struct process_peer *peer;
	struct slot *slot;

	for (size_t i = 0; i < p->peer_count; i++) {
		peer = &p->peers[i];
		if (peer->kind != (enum process_kind)m->kind || peer->index != m->index)
			continue;
		if (process_is_job(peer->kind)) {
			mu_free(peer->instance);
			peer->instance = MU_TAKE(m->instance);
			return &self->slots[i];
		}
		if (strcmp(peer->instance, m->instance) == 0)
			return &self->slots[i];
	}
	if (p->peer_count == PROCESS_PEERS_MAX)
		return NULL;
	peer = &p->peers[p->peer_count];
	*peer = (struct process_peer){
		.kind = (enum process_kind)m->kind,
		.instance = MU_TAKE(m->instance),
		.index = m->index,
	};
	slot = &self->slots[p->peer_count++];
	*slot = (struct slot){ .self = self, .peer = peer, .fd = -1 };
	slot->missed = mu_loop_timer(p->loop, peer_missed, slot);
	return slot;
}

static bool
peer_take(struct self *self, struct ipc_message *m)
{
	MU_AUTO(msg_peer_clear) struct msg_peer peer = { .instance = NULL };
	struct slot *slot;

	if (m->fd < 0 || !msg_peer_decode(&m->body, &peer) || peer.kind >= PROCESS_KIND_COUNT ||
	    !process_are_peers((enum process_kind)peer.kind, self->process.kind))
		return false;
	slot = slot_find(self, &peer);
	if (slot == NULL)
		return false;
	if (slot->fd >= 0)
		(void)close(slot->fd);
	slot->fd = m->fd;
	m->fd = -1;
	if (self->opened) {
		peer_open(self, slot);
		peer_greet(self, slot);
	}
	return true;
}

/* --- What the supervisor hands over ------------------------------------------------------- */

/* The memfd is shared by all processes, and so is its offset: it is read by position. */
static bool
text_read(int fd, struct mu_buf *out)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > CONFIG_FILE_MAX_BYTES)
		return false;
	mu_buf_reserve(out, (size_t)st.st_size);
	while (out->size_bytes < (size_t)st.st_size) {
		ssize_t got = pread(fd, out->data + out->size_bytes,
		    (size_t)st.st_size - out->size_bytes, (off_t)out->size_bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		out->size_bytes += (size_t)got;
	}
	return true;
}

static bool
config_take(struct self *self, struct ipc_message *m)
{
	MU_AUTO(msg_config_clear) struct msg_config config = { .index = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	bool good;

	if (m->fd < 0 || self->settings != NULL || !msg_config_decode(&m->body, &config))
		return false;
	good = text_read(m->fd, &text) && settings_parse(mu_buf_text(&text), text.size_bytes,
	    config.file_name, process_adapter_keys, &faults, &self->settings);
	config_faults_clear(&faults);
	if (!good)
		return false;
	self->process.settings = self->settings;
	mu_free(self->process.instance);
	self->process.instance = MU_TAKE(config.instance);
	self->process.index = config.index;
	return true;
}

/* Is this the next piece of the file that came last? */
static bool
is_piece(const struct self *self, const struct msg_named *m)
{
	return mu_text_starts(m->name, PROCESS_SECRET_POLICY) && self->secret_count > 0 &&
	       strcmp(self->secrets[self->secret_count - 1].name, m->name) == 0;
}

static bool
secret_take(struct self *self, struct ipc_message *m)
{
	struct msg_named secret;
	struct mu_buf whole = MU_BUF_INIT;

	if (!msg_named_decode(&m->body, &secret))
		return false;
	if (is_piece(self, &secret)) {
		struct mu_secret *last = &self->secrets[self->secret_count - 1].bytes;

		mu_buf_add(&whole, mu_secret_text(last), last->size_bytes);
		mu_buf_add(&whole, mu_secret_text(&secret.bytes), secret.bytes.size_bytes);
		mu_secret_clear(last);
		mu_secret_set(last, whole.data, whole.size_bytes);
		mu_buf_wipe(&whole);
		msg_named_clear(&secret);
		return true;
	}
	if (self->secret_count == SECRETS_MAX) {
		msg_named_clear(&secret);
		return false;
	}
	self->secrets[self->secret_count++] = secret;
	return true;
}

static bool
store_take(struct self *self, struct ipc_message *m)
{
	struct process *p = &self->process;
	char *conninfo = ipc_get_text(&m->body);

	if (!ipc_get_end(&m->body)) {
		mu_free(conninfo);
		return false;
	}
	mu_free(p->conninfo);
	p->conninfo = conninfo;
	return true;
}

/* admin listens twice: "admin" is for the network, "console" its listen_fd as everybody's. */
static bool
listen_take(struct self *self, struct ipc_message *m)
{
	MU_AUTO(mu_freep) char *name = ipc_get_text(&m->body);
	struct process *p = &self->process;
	int *fd = p->kind == PROCESS_ADMIN && strcmp(name, "admin") == 0 ? &p->admin_fd : &p->listen_fd;

	if (!ipc_get_end(&m->body) || m->fd < 0 || *fd >= 0)
		return false;
	*fd = m->fd;
	m->fd = -1;
	return true;
}

static void
stop(struct self *self)
{
	self->stopped = true;
	if (self->opened && self->row->stop != NULL)
		self->row->stop(&self->process);
	else
		mu_loop_stop(self->process.loop, 0);
}

static void
control_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct self *self = ctx;
	bool good = true;

	switch ((enum ipc_op)m->op) {
	case OP_CONFIG:	good = config_take(self, m); break;
	case OP_SECRET:	good = secret_take(self, m); break;
	case OP_STORE:	good = store_take(self, m); break;
	case OP_LISTEN:	good = listen_take(self, m); break;
	case OP_PEER:	good = peer_take(self, m); break;
	case OP_STOP:	stop(self); break;
	case OP_START:
		good = self->settings != NULL;
		self->handed_over = good;
		if (good && !self->opened)
			mu_loop_stop(self->process.loop, 0);
		break;
	case OP_READY: case OP_PEER_LOST: case OP_PUBLISH: case OP_STATUS: case OP_JOB:
	case OP_MINT: case OP_JWKS: case OP_MAC: case OP_SEAL_NEW: case OP_UNSEAL:
	case OP_RECEIPT_SIGN: case OP_CHECKPOINT_SIGN:
	case OP_SERVER_ISSUE: case OP_CLIENT_ISSUE: case OP_LOGIN: case OP_STEP: case OP_LIST:
	case OP_ABOUT: case OP_JOB_OUTPUT: case OP_JOB_END: case OP_JOB_FILE: case OP_JOB_GO:
	case OP_JOB_RESULT:
	case OP_MAC_CHECK: case OP_SEED_NEW: case OP_CODE_CHECK: case OP_ADMIN_ISSUE:
		good = false;
		break;
	}
	if (m->fd >= 0)
		(void)close(m->fd);
	if (!good)
		ipc_refuse(ch, m->op);
}

/* Without its supervisor a process has no business. */
static void
control_end(void *ctx, struct ipc_channel *ch)
{
	struct self *self = ctx;

	ipc_close(ch);
	self->process.control = NULL;
	mu_loop_stop(self->process.loop, EXIT_FAILURE);
}

/* --- Life --------------------------------------------------------------------------------- */

/* Ctrl-C reaches every process of the terminal: the supervisor tells each when to stop. */
static void
identity_take(enum process_kind kind)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;

	mu_buf_format(&name, "mu-%s", process_kind_name(kind));
	(void)prctl(PR_SET_NAME, name.data);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
}

/* The file of sslrootcert in our conninfo, NULL when it names none. */
static char *
store_root_certificate(const struct process *p)
{
	static const char key[] = "sslrootcert=";
	const char *at = strstr(p->conninfo, key), *end;
	bool quoted;

	if (at == NULL)
		return NULL;
	at += strlen(key);
	quoted = *at == '\'';
	at += quoted;
	end = at + strcspn(at, quoted ? "'" : " &");
	return *at == '/' ? mu_strndup(at, (size_t)(end - at)) : NULL;
}

/* Certificates that are read again with each connection. The array is fresh, its texts are not. */
static const char **
files_read_later(const struct process *p, const char *store_root)
{
	const struct settings *s = p->settings;
	const struct settings_platform *platform = settings_platform_find(s, p->instance);
	size_t count = 0, most = 2 + s->source_count +
	    (platform == NULL ? 0 : platform->section.count);
	const char **files = mu_alloc_zero(most, sizeof(*files));

	if (store_root != NULL)
		files[count++] = store_root;
	for (size_t i = 0; i < s->source_count; i++) {
		bool ours = p->kind == PROCESS_LOGIN ||
		    ((p->kind == PROCESS_CYCLE || p->kind == PROCESS_DRYRUN) && strcmp(s->sources[i].name, p->instance) == 0);

		if (ours && s->sources[i].ca != NULL)
			files[count++] = s->sources[i].ca;
	}
	for (size_t i = 0;
	     p->kind == PROCESS_ADAPTER && platform != NULL && i < platform->section.count; i++) {
		const struct config_value *v = &platform->section.list[i];

		if (v->key->type == CONFIG_FILE && v->text != NULL)
			files[count++] = v->text;
	}
	return files;
}

static enum mu_rc
rooms_open(struct self *self, struct mu_err *err)
{
	struct process *p = &self->process;
	MU_AUTO(mu_freep) const char **files = NULL;
	MU_AUTO(mu_freep) char *root = NULL;
	struct sandbox_more more;

	for (size_t i = 0; i < p->peer_count; i++)
		if (self->slots[i].fd >= 0)
			peer_open(self, &self->slots[i]);
	self->opened = true;
	if (self->row->open(p, err) != MU_OK)
		return err->rc;
	root = store_root_certificate(p);
	files = files_read_later(p, root);
	more = (struct sandbox_more){
		.files = files, .network = p->settings->conninfo != NULL && p->conninfo[0] != '\0',
	};
	return sandbox_enter(process_kind_name(p->kind), &more, err);
}

static int
live(struct self *self)
{
	struct process *p = &self->process;
	struct mu_err err = MU_ERR_INIT;
	int status = mu_loop_run(p->loop);
	MU_AUTO(mu_buf_clear) struct mu_buf label = MU_BUF_INIT;

	if (!self->handed_over || self->stopped)
		return status;
	process_label(p->kind, p->instance, p->index, &label);
	mu_log_process(label.data);
	if (rooms_open(self, &err) != MU_OK) {
		mu_log_err(&err, "process.failed", NULL);
		mu_log_process("musterd");
		return err.rc == MU_ECONFIG ? PROCESS_EXIT_CONFIG : EXIT_FAILURE;
	}
	ipc_notify(p->control, OP_READY, NULL, -1);
	mu_timer_set(self->greet, 0);
	status = mu_loop_run(p->loop);
	mu_log_process("musterd");
	return status;
}

/*
 * The loop and what a process keeps for ever stay for the kernel to sweep; so does the control
 * channel, whose end tells the supervisor that we are gone.
 */
static void
leave(struct self *self)
{
	struct process *p = &self->process;

	for (size_t i = 0; i < p->peer_count; i++) {
		ipc_close(p->peers[i].channel);
		p->peers[i].channel = NULL;
	}
	for (size_t i = 0; i < self->secret_count; i++)
		msg_named_clear(&self->secrets[i]);
	self->secret_count = 0;
	if (p->conninfo != NULL)
		explicit_bzero(p->conninfo, strlen(p->conninfo));
}

int
process_main(enum process_kind kind)
{
	static const uint16_t supervisor_may_send[] = {
		OP_CONFIG, OP_SECRET, OP_STORE, OP_LISTEN, OP_PEER, OP_START, OP_STOP, 0,
	};
	static struct self *self; /* reachable to the end, so that only what was lost is a leak */
	struct process *p;
	struct stat st;
	int status;

	if (kind == PROCESS_SUPERVISOR || fstat(CONTROL_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		mu_log("process.refused", "reason", "only the supervisor starts processes", NULL);
		return 2;
	}
	identity_take(kind);
	self = mu_alloc_zero(1, sizeof(*self));
	self->row = rows[kind];
	p = &self->process;
	p->kind = kind;
	p->loop = mu_loop_new();
	p->listen_fd = -1;
	p->admin_fd = -1;
	p->instance = mu_strdup("");
	p->conninfo = mu_strdup("");
	self->greet = mu_loop_timer(p->loop, peers_greet, self);
	p->control = ipc_open(p->loop, CONTROL_FD, "supervisor", supervisor_may_send,
	    control_request, control_end, self);
	status = live(self);
	leave(self);
	return status;
}
