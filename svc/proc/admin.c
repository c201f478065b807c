/*
 * proc/admin.c - the administrators' console and API, and the certificates of the platforms'
 * clients
 *
 * The console's Unix socket is always there; the API listens with mutual TLS when the configuration
 * gives
 * it an address. It holds its TLS key, asks keys for codes, MACs and certificates, and login for
 * passwords.
 */
#include "api/admin.h"
#include "api/client.h"
#include "api/console.h"
#include "base/clock.h"
#include "base/log.h"
#include "cycle/cycle.h"
#include "proc/listener.h"
#include "proc/process.h"
#include "proc/rules.h"

#include <string.h>

#define LOOK_EVERY_MS	((int64_t)86400 * 1000)
#define SWEEP_EVERY_MS	60000
#define AGAIN_MS	2000
#define KEYS_WAIT_MS	5000	/* once in the loop: others wait meanwhile */
#define MAIL_NAME	"mail"	/* the mapped attribute of mail addresses */

#define STORE_PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_AUDIT | \
	STORE_CLIENT | STORE_CREDENTIAL | STORE_STATUS | STORE_ADMIN | STORE_ACTION | \
	STORE_GRANT | STORE_LOOK)

struct admin_process {
	struct process *process;
	struct store *store;
	struct store *policy_store;	/* the policy is read amid the transactions of actions */
	struct policy *policy;		/* the last one read; NULL: none yet */
	struct cycle_rules rules;	/* of that policy */
	struct cycle_rules sources;	/* of the configuration alone */
	struct auth_host auth;
	struct action_host actions;
	struct listener listener;
	struct mu_buf server_url;
	struct api_console *console;
	struct api_admin *api;
	struct mu_timer *clients_timer, *sweep_timer;
	bool in_loop;
};

/* --- Channels -------------------------------------------------------------------------------- */

static struct ipc_channel *
supervisor_channel(void *ctx)
{
	const struct admin_process *own = ctx;

	return own->process->control;
}

static struct ipc_channel *
login_channel(void *ctx)
{
	const struct admin_process *own = ctx;
	const struct process_peer *login = process_peer_find(own->process, PROCESS_LOGIN, NULL);

	return login == NULL ? NULL : login->channel;
}

static bool
job_is_up(void *ctx)
{
	const struct admin_process *own = ctx;
	const struct process *p = own->process;

	for (size_t i = 0; i < p->peer_count; i++)
		if (process_is_job(p->peers[i].kind) && p->peers[i].channel != NULL)
			return true;
	return false;
}

static enum mu_rc
keys_ask(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out_body,
    struct mu_err *err)
{
	const struct admin_process *own = ctx;
	const struct process_peer *keys = process_peer_find(own->process, PROCESS_KEYS, NULL);

	if (!own->in_loop)
		return process_keys_ask(own->process, op, body, out_body, err);
	return ipc_ask(keys == NULL ? NULL : keys->channel, op, body, KEYS_WAIT_MS, out_body, err);
}

/* --- The clients of the configuration -------------------------------------------------------- */

static void
certificate_publish(void *ctx, const char *name, const char *certificate)
{
	MU_AUTO(mu_buf_clear) struct mu_buf file = MU_BUF_INIT;
	const struct admin_process *own = ctx;

	mu_buf_format(&file, "clients/%s.crt", name);
	process_publish(own->process, file.data, certificate);
}

/* Sees to all clients of the configuration; what is away now is tried again soon. */
static void
clients_ensure(void *ctx)
{
	struct admin_process *own = ctx;
	struct process *p = own->process;
	const struct api_client_host host = { own->store, keys_ask, certificate_publish, own };
	MU_AUTO(mu_freep) const char **names = mu_alloc_zero(p->settings->client_count,
	    sizeof(*names));
	int64_t again_ms = LOOK_EVERY_MS;
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < p->settings->client_count; i++)
		names[i] = p->settings->clients[i].name;
	if (api_client_retire(&host, names, p->settings->client_count, &err) != MU_OK) {
		mu_log_err(&err, "client.not_removed", NULL);
		again_ms = AGAIN_MS;
	}
	for (size_t i = 0; i < p->settings->client_count; i++) {
		const struct settings_client *c = &p->settings->clients[i];
		MU_AUTO(mu_buf_clear) struct mu_buf secret = MU_BUF_INIT;
		const struct mu_secret *csr;

		mu_buf_format(&secret, "csr/%s", c->name);
		csr = process_secret(p, secret.data);
		if (csr == NULL) {
			mu_log("client.no_request", "client", c->name, "file", c->csr, NULL);
			continue;
		}
		err = (struct mu_err)MU_ERR_INIT;
		if (api_client_ensure(&host, c->name, c->platform, csr, mu_now_s(),
		    &err) != MU_OK) {
			mu_log_err(&err, "client.not_issued", "client", c->name, NULL);
			if (err.rc == MU_ERETRY)
				again_ms = AGAIN_MS;
		}
	}
	if (api_client_expiry_log(&host, mu_now_s(), &err) != MU_OK)
		again_ms = AGAIN_MS;
	mu_timer_set(own->clients_timer, again_ms);
}

/* --- What actions need of the rooms above them ----------------------------------------------- */

/* Parsed anew when another version has come into force; until then it stays. */
static enum mu_rc
policy_in_force(void *ctx, const struct policy **out_policy, int64_t *out_version,
    struct mu_err *err)
{
	struct admin_process *own = ctx;
	const struct settings *s = own->process->settings;
	struct policy *fresh = NULL;
	int64_t version = 0;

	if (store_policy_version(own->policy_store, &version, err) != MU_OK)
		return err->rc;
	if (own->policy == NULL || version != own->rules.version) {
		if (cycle_policy_in_force(own->policy_store, NULL, 0, NULL, auth_mac_check, &own->auth,
		    rules_attr_known, s,
		    &fresh, &version, err) != MU_OK)
			return err->rc == MU_EABSENT ? mu_fail(err, MU_ERETRY,
			    "no policy is in force yet") : err->rc;
		policy_free(own->policy);
		rules_clear(&own->rules);
		own->policy = fresh;
		rules_init(&own->rules, s, fresh);
		own->rules.version = version;
	}
	*out_policy = own->policy;
	*out_version = version;
	return MU_OK;
}

/* The effects, handed over one by one. */
static void
effects_take(struct cycle_effects *from, struct action_effects *out)
{
	*out = (struct action_effects){ mu_alloc_zero(from->count + 1, sizeof(*out->list)),
	    from->count };
	for (size_t i = 0; i < from->count; i++) {
		struct cycle_effect *e = &from->list[i];

		out->list[i] = (struct action_effect){ .person_id = e->person_id,
		    .uid = MU_TAKE(e->uid),
			.display_name = MU_TAKE(e->display_name), .from = e->from, .to = e->to,
			.gained = e->gained, .lost = e->lost, .accounts = e->accounts,
			.refused = MU_TAKE(e->refused) };
		e->gained = e->lost = e->accounts = (struct strings)STRINGS_INIT;
	}
}

static enum mu_rc
decide(void *ctx, const struct mu_uuid *person_ids, size_t count, int64_t now_ms, bool earnest,
    struct action_effects *out_effects, struct mu_err *err)
{
	struct admin_process *own = ctx;
	const struct cycle_again_host host = { .store = own->store, .rules = &own->rules,
		.mac = auth_mac, .mac_check = auth_mac_check, .mac_ctx = &own->auth,
		.silent = !earnest };
	MU_AUTO(cycle_effects_clear) struct cycle_effects effects = { NULL, 0 };

	if (own->policy == NULL)
		return mu_fail(err, MU_ERETRY, "no policy is in force yet");
	if (cycle_again(&host, person_ids, count, now_ms, &effects, err) != MU_OK)
		return err->rc;
	effects_take(&effects, out_effects);
	return MU_OK;
}

/*
 * A policy that lacks what a source is given took it from that source's people by a slip of the
 * pen, and one that gives something where no platform is gives it nobody.
 */
static enum mu_rc
authority_check(const struct settings *s, const struct policy_file *files, size_t file_count,
    struct config_faults *faults, struct mu_err *err)
{
	struct policy *policy = NULL;

	enum mu_rc rc = policy_parse(files, file_count, rules_attr_known, s, faults, &policy, err);

	policy_platforms_check(files, file_count, rules_platform_known, s, faults);
	if (rc != MU_OK)
		return rc;
	rules_authority_check(s, policy, s->file, faults);
	policy_free(policy);
	return faults->count == 0 ? MU_OK : mu_fail(err, MU_EINPUT,
	    "the policy and the configuration do not agree");
}

static enum mu_rc
policy_apply(void *ctx, const struct policy_file *files, size_t file_count, int64_t base,
    const char *applied_by,
    int64_t *out_version, struct mu_buf *out_faults, struct mu_err *err)
{
	struct admin_process *own = ctx;
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	enum mu_rc rc;

	rc = authority_check(own->process->settings, files, file_count, &faults, err);
	if (rc == MU_OK)
		rc = cycle_policy_apply(own->store, files, file_count, base, applied_by, auth_mac,
		    &own->auth, rules_attr_known, own->process->settings, &faults, out_version,
		    err);
	if (rc != MU_EINPUT)
		return rc;
	config_faults_format(&faults, out_faults);
	if (out_faults->size_bytes > 0)
		(void)mu_fail(err, MU_EINPUT, "the policy has faults: %s", out_faults->data);
	return err->rc;
}

static enum mu_rc
policy_outcome(void *ctx, const struct policy_file *files, size_t file_count, int64_t base,
    const char *outcome, struct mu_buf *out_lines, struct mu_err *err)
{
	const struct admin_process *own = ctx;

	return api_console_outcome_check(own->console, files, file_count, base, outcome, out_lines,
	    err);
}

static bool
platform_exists(void *ctx, const char *name)
{
	const struct admin_process *own = ctx;

	return settings_platform_find(own->process->settings, name) != NULL;
}

static bool
source_exists(void *ctx, const char *name)
{
	const struct admin_process *own = ctx;

	return settings_source_find(own->process->settings, name) != NULL;
}

/* Of a source that is not configured any more nobody is given anything. */
static const struct authority *
authority(void *ctx, const char *source)
{
	static const struct authority none = { STRINGS_INIT, STRINGS_INIT };
	const struct admin_process *own = ctx;
	const struct cycle_source *found = cycle_source_find(&own->sources, source);

	if (found == NULL)
		return &none;
	return found->authority_all ? NULL : &found->authority;
}

static bool
administers(void *ctx, const char *source)
{
	const struct admin_process *own = ctx;
	const struct settings_source *found = settings_source_find(own->process->settings, source);

	return found != NULL && found->administrators;
}

/*
 * By the policy that was read last: whoever asks amid an action has borrowed it. Requests begin
 * with looking for a newer one.
 */
static const char *
conflict(void *ctx, const char *admin_role, const struct strings *held)
{
	struct admin_process *own = ctx;
	const struct policy *policy = own->policy;
	struct mu_err err = MU_ERR_INIT;
	int64_t version;

	if (policy == NULL && policy_in_force(own, &policy, &version, &err) != MU_OK)
		return NULL;
	return policy_admin_conflict(policy, admin_role, held);
}

/* For jobs: the only source there is when none is named. */
static const char *
source_name(void *ctx, const char *name)
{
	const struct admin_process *own = ctx;
	const struct settings *s = own->process->settings;
	const struct settings_source *found = name == NULL ?
	    (s->source_count == 1 ? &s->sources[0] : NULL) : settings_source_find(s, name);

	return found == NULL ? NULL : found->name;
}

static void
publish(void *ctx, const char *name, const char *content)
{
	const struct admin_process *own = ctx;

	process_publish(own->process, name, content);
}

/* --- The clock ------------------------------------------------------------------------------- */

/* Actions that nobody approved in time, and sessions that ran out. */
static void
sweep(void *ctx)
{
	struct admin_process *own = ctx;
	struct mu_err err = MU_ERR_INIT;

	if (action_lapse(&own->actions, mu_now_ms(), &err) == MU_OK && store_begin(own->store,
	    &err) == MU_OK) {
		store_session_sweep(own->store, mu_now_s());
		(void)!store_commit(own->store, &err);
	}
	if (err.rc != MU_OK) {
		mu_log_err(&err, "admin.not_swept", NULL);
		store_rollback(own->store);
	}
	mu_timer_set(own->sweep_timer, SWEEP_EVERY_MS);
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Where administrators reach the listener. */
static void
server_url_format(const struct settings_listen *at, struct mu_buf *b)
{
	const char *name = at->name_count > 0 ? at->names[0] : at->host;
	bool v6 = strchr(name, ':') != NULL;

	mu_buf_format(b, "https://%s%s%s", v6 ? "[" : "", name, v6 ? "]" : "");
	if (at->port != 0 && at->port != 443)
		mu_buf_format(b, ":%u", (unsigned int)at->port);
}

static void
hosts_init(struct admin_process *own)
{
	rules_init(&own->sources, own->process->settings, NULL);
	own->auth = (struct auth_host){ own->store, keys_ask, own, administers, conflict };
	own->actions = (struct action_host){ .store = own->store, .auth = &own->auth,
	    .policy = policy_in_force,
		.decide = decide, .policy_apply = policy_apply, .policy_outcome = policy_outcome,
		.platform_exists = platform_exists, .source_exists = source_exists,
		.authority = authority, .publish = publish,
		.mail = rules_attr_known(own->process->settings, MAIL_NAME) ? MAIL_NAME : "", .ctx =
		    own };
}

static enum mu_rc
console_open(struct admin_process *own, struct mu_err *err)
{
	struct process *p = own->process;
	bool has_listener = own->listener.ca_pem.size_bytes > 0;
	const struct api_console_host host = { .loop = p->loop, .store = own->store,
	    .actions = &own->actions,
		.ca_pem = has_listener ? mu_secret_text(&own->listener.ca_pem) : NULL,
		.server_url = has_listener ? mu_buf_text(&own->server_url) : NULL,
		.supervisor = supervisor_channel, .job_is_up = job_is_up, .source = source_name,
		.ctx = own, .listen_fd =
		    p->listen_fd };

	p->listen_fd = -1;
	return api_console_open(&host, &own->console, err);
}

static enum mu_rc
listener_open(struct admin_process *own, struct mu_err *err)
{
	struct process *p = own->process;
	const struct api_admin_host host = { .loop = p->loop, .settings = p->settings,
		.attr_known = rules_attr_known, .actions = &own->actions, .auth = &own->auth,
		.console = own->console, .login = login_channel, .ctx = own, .listen_fd =
		    p->admin_fd,
		.key_pem = &own->listener.key_pem, .chain_pem = &own->listener.chain_pem,
		.ca_pem = &own->listener.ca_pem };

	p->admin_fd = -1;
	if (api_admin_open(&host, &own->api, err) != MU_OK)
		return err->rc;
	mu_secret_clear(&own->listener.key_pem);
	return MU_OK;
}

static enum mu_rc
admin_open(struct process *p, struct mu_err *err)
{
	struct admin_process *own = mu_alloc_zero(1, sizeof(*own));

	own->process = p;
	p->own = own;
	if (p->listen_fd < 0)
		return mu_fail(err, MU_ECONFIG, "no console socket was handed over");
	if (store_open(p->conninfo, STORE_PARTS, &own->store, err) != MU_OK ||
	    store_open(p->conninfo, STORE_POLICY | STORE_AUDIT, &own->policy_store, err) != MU_OK)
		return err->rc;
	hosts_init(own);
	if (p->admin_fd >= 0) {
		if (listener_prepare(p, &p->settings->admin, &own->listener, err) != MU_OK)
			return err->rc;
		server_url_format(&p->settings->admin, &own->server_url);
	}
	if (console_open(own, err) != MU_OK || (p->admin_fd >= 0 && listener_open(own,
	    err) != MU_OK))
		return err->rc;
	own->clients_timer = mu_loop_timer(p->loop, clients_ensure, own);
	own->sweep_timer = mu_loop_timer(p->loop, sweep, own);
	mu_timer_set(own->sweep_timer, SWEEP_EVERY_MS);
	clients_ensure(own);
	own->in_loop = true;
	return MU_OK;
}

static void
admin_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	struct admin_process *own = p->own;

	if (!api_console_job_take(own->console, from->channel, m))
		ipc_refuse(from->channel, m->op);
}

static void
admin_peer_up(struct process *p, struct process_peer *peer)
{
	struct admin_process *own = p->own;

	if (process_is_job(peer->kind))
		api_console_job_up(own->console, peer->channel);
}

const struct process_row process_admin = {
	.kind = PROCESS_ADMIN,
	.open = admin_open,
	.request = admin_request,
	.peer_up = admin_peer_up,
};
