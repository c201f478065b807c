/*
 * unit/api/admin_rig.h - the administrators' API and the console as their process has them: a real
 * store, real
 * actions and a real vault. The directory's passwords and the supervisor are played by another
 * process.
 *
 * Each administrator has a code for now; who needs a second one is another administrator.
 */
#ifndef UNIT_API_ADMIN_RIG_H
#define UNIT_API_ADMIN_RIG_H

#include "unit/api/http_rig.h"
#include "unit/auth/rig.h"

#include "api/admin.h"
#include "auth/auth_priv.h"
#include "cycle/cycle.h"
#include "ipc/message.h"
#include "json/read.h"
#include "json/write.h"

#include <sys/mman.h>

#define PASSWORD	"r\xc3\xafght 1+1"
#define ALL_PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_AUDIT | \
	STORE_CLIENT | STORE_CREDENTIAL | STORE_STATUS | STORE_ADMIN | STORE_ACTION | \
	STORE_GRANT | STORE_LOOK)

/* Seen by all processes of the test. */
static struct seen {
	int logins;			/* how often the directory was asked */
	char last_dn[256];
	bool directory_is_away;
	bool supervisor_is_mute;	/* it does not say which processes are its own */
	int64_t ours;			/* the process that it calls its own */
} *seen;

static const char roles_yaml[] =
    "- role: staff-chat\n"
    "  gives: [{platform: mem, account: true}]\n"
    "  birthright: (department=*)\n"
    "- role: helper\n"
    "  gives: [{platform: mem, groups: [help]}]\n"
    "  requestable: (department=Sales)\n"
    "  longest: 8h\n";
static const char gates_yaml[] =
    "- {actions: [revoke, suspend, resume, grant], code: required}\n"
    "- {actions: [reinstate], code: required, approvals: 1}\n";
static const char administrators_yaml[] =
    "- role: security\n"
    "  may: [revoke, suspend, resume, reinstate, grant, approve, job, read.accounts,\n"
    "    read.administrators, read.audit, read.clients, read.people, read.status]\n"
    "- role: sales-desk\n"
    "  may: [revoke, job, read.accounts, read.audit, read.people]\n"
    "  scope: (department=Sales)\n"
    "- role: mute\n"
    "  may: [suspend]\n";

/* --- What is played: login and the supervisor ------------------------------------------------ */

#define PLAYED_RESULT	"{\"base\":1,\"changed\":0,\"outcome\":\"ab\",\"people\":3}"

static inline void
played_login(struct ipc_channel *ch, struct ipc_message *m)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct msg_login login;

	assert(msg_login_decode(&m->body, &login));
	seen->logins++;
	(void)snprintf(seen->last_dn, sizeof(seen->last_dn), "%s", login.dn);
	if (seen->directory_is_away) {
		(void)mu_fail(&err, MU_ERETRY, "directory is away");
		ipc_reply_error(ch, m->id, &err);
	} else {
		/* nobody's DN is given a yes, too: it must not be believed */
		ipc_put_u8(&body, strcmp(mu_secret_text(&login.password), PASSWORD) == 0);
		ipc_reply(ch, OP_LOGIN, m->id, &body, -1);
	}
	msg_login_clear(&login);
}

static inline void
played_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	static char name[] = "cycle/corp";
	struct msg_process one = { name, seen->ours, NOW_S, 0, true };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	(void)ctx;
	if (m->op == OP_LOGIN) {
		played_login(ch, m);
		return;
	}
	if (m->op == OP_STATUS && seen->supervisor_is_mute) {
		ipc_reply_error(ch, m->id, &(struct mu_err){ MU_ERETRY, 0, "later" });
		return;
	}
	if (m->op == OP_JOB_FILE || m->op == OP_JOB_GO)
		return;
	if (m->op == OP_STATUS)
		msg_status_encode(&(struct msg_status){ &one, 1 }, &body);
	ipc_reply(ch, m->op, m->id, &body, -1);
	if (m->op != OP_JOB)
		return;
	ipc_put_text(&body, "ann gains nothing\n");
	ipc_notify(ch, OP_JOB_OUTPUT, &body, -1);
	mu_buf_reset(&body);
	ipc_put_text(&body, PLAYED_RESULT);
	ipc_notify(ch, OP_JOB_RESULT, &body, -1);
	mu_buf_reset(&body);
	ipc_put_u8(&body, 0);
	ipc_notify(ch, OP_JOB_END, &body, -1);
}

static inline void
played_end(void *ctx, struct ipc_channel *ch)
{
	(void)ch;
	mu_loop_stop(ctx, 0);
}

static inline int
played_run(int fd)
{
	static const uint16_t allowed[] = { OP_LOGIN, OP_STATUS, OP_JOB, OP_JOB_FILE, OP_JOB_GO,
	    0 };
	struct mu_loop *loop = mu_loop_new();
	struct ipc_channel *ch = ipc_open(loop, fd, "admin", allowed, played_request, played_end,
	    loop);

	(void)mu_loop_run(loop);
	ipc_close(ch);
	mu_loop_free(loop);
	return 0;
}

/* --- The process under test ------------------------------------------------------------------ */

static struct settings_platform platforms[1];
static struct settings_source sources[1];
static struct settings settings;

static struct admin_house {
	struct store *store, *policy_store;
	struct policy *policy;
	struct cycle_rules rules;
	struct auth_host auth;
	struct action_host actions;
	struct ipc_channel *played;
	struct api_console *console;
	struct api_admin *api;
} own;

static inline bool
any_attr(const void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "shoeSize") != 0;
}

/* The clock of codes is the machine's here: the API has no other. */
static inline enum mu_rc
ask_now(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out, struct mu_err *err)
{
	clock_s = mu_now_s();
	return ask(ctx, op, body, out, err);
}

static inline enum mu_rc
policy_now(void *ctx, const struct policy **out_policy, int64_t *out_version, struct mu_err *err)
{
	struct policy *fresh = NULL;

	(void)ctx;
	if (cycle_policy_in_force(own.policy_store, NULL, 0, NULL, auth_mac_check, &own.auth, any_attr, NULL,
	    &fresh,
	    out_version, err) != MU_OK)
		return err->rc;
	policy_free(own.policy);
	own.policy = fresh;
	own.rules = (struct cycle_rules){ .policy = fresh, .version = *out_version };
	*out_policy = fresh;
	return MU_OK;
}

static inline enum mu_rc
decide_now(void *ctx, const struct mu_uuid *ids, size_t count, int64_t at_ms, bool earnest,
    struct action_effects *out,
    struct mu_err *err)
{
	const struct cycle_again_host again = { own.store, &own.rules, auth_mac, auth_mac_check,
	    &own.auth, !earnest };
	MU_AUTO(cycle_effects_clear) struct cycle_effects effects = { NULL, 0 };

	(void)ctx;
	if (cycle_again(&again, ids, count, at_ms, &effects, err) != MU_OK)
		return err->rc;
	*out = (struct action_effects){ mu_alloc_zero(effects.count + 1, sizeof(*out->list)),
	    effects.count };
	for (size_t i = 0; i < effects.count; i++)
		out->list[i] = (struct action_effect){ .person_id = effects.list[i].person_id,
			.uid = mu_strdup(effects.list[i].uid), .display_name = mu_strdup(""),
			.from = effects.list[i].from, .to = effects.list[i].to };
	return MU_OK;
}

static inline bool
any_name(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

static inline const struct authority *
all_authority(void *ctx, const char *source)
{
	(void)ctx;
	(void)source;
	return NULL;
}

static inline void
publish_nothing(void *ctx, const char *name, const char *content)
{
	(void)ctx;
	(void)name;
	(void)content;
}

static inline struct ipc_channel *
played_channel(void *ctx)
{
	(void)ctx;
	return own.played;
}

static inline const char *
the_source(void *ctx, const char *name)
{
	(void)ctx;
	return name == NULL || strcmp(name, "corp") == 0 ? "corp" : NULL;
}

static inline bool
no_job(void *ctx)
{
	(void)ctx;
	return false;
}

static inline void
on_played(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	if (m->op == OP_JOB_OUTPUT)	/* the channel of supervisor and login is the job's, too */
		api_console_job_up(own.console, ch);
	if (!api_console_job_take(own.console, ch, m))
		ipc_refuse(ch, m->op);
}

static inline void
on_played_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	(void)ch;
}

static inline void
server_pair(struct mu_secret *key, struct mu_secret *chain)
{
	static const char *const names[] = { "localhost" };
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT;

	MUST(vault_server_issue(vault, names, 1, mu_now_s(), key, &pem, &err));
	mu_secret_set(chain, pem.data, pem.size_bytes);
}

static inline void
listeners_open(struct mu_loop *loop, int console_fd, int tls_fd)
{
	MU_AUTO(mu_secret_clear) struct mu_secret key = MU_SECRET_INIT, chain = MU_SECRET_INIT, ca =
	    MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct api_console_host console = { .loop = loop, .store = own.store,
	    .actions = &own.actions,
		.ca_pem = vault_ca_pem(vault), .server_url = "https://muster.example.org:8446",
		.supervisor = played_channel, .job_is_up = no_job, .source = the_source,
		.listen_fd = console_fd };
	struct api_admin_host api = { .loop = loop, .settings = &settings, .attr_known = any_attr,
		.actions = &own.actions, .auth = &own.auth, .login = played_channel, .listen_fd =
		    tls_fd,
		.key_pem = &key, .chain_pem = &chain, .ca_pem = &ca };

	server_pair(&key, &chain);
	mu_secret_set(&ca, vault_ca_pem(vault), strlen(vault_ca_pem(vault)));
	MUST(api_console_open(&console, &own.console, &err));
	api.console = own.console;
	MUST(api_admin_open(&api, &own.api, &err));
}

static inline void
serve_down(struct mu_loop *loop)
{
	ipc_close(own.played);
	api_admin_close(own.api);
	api_console_close(own.console);
	store_close(own.store);
	store_close(own.policy_store);
	policy_free(own.policy);
	mu_loop_free(loop);
}

/* A process between it and the test, as the supervisor is: no parent of it may bootstrap. */
static inline int
stand_between(pid_t child)
{
	int status = 1;

	(void)waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* ctx: the TLS listener's descriptor */
static inline int
serve(int console_fd, int stop_fd, void *ctx)
{
	static const uint16_t allowed[] = { OP_JOB_OUTPUT, OP_JOB_RESULT, OP_JOB_END, 0 };
	const int *tls_fd = ctx;
	struct mu_loop *loop;
	struct mu_watch *stop;
	int fds[2], status;
	pid_t played, child = fork();

	if (child != 0)
		return stand_between(child);
	loop = mu_loop_new();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
		return 1;
	played = fork();
	if (played == 0) {
		(void)close(fds[0]);
		(void)close(console_fd);
		(void)close(*tls_fd);
		mu_loop_free(loop);
		exit(played_run(fds[1]));
	}
	(void)close(fds[1]);
	own.played = ipc_open(loop, fds[0], "played", allowed, on_played, on_played_end, NULL);
	own.store = rig_open(STORE_ROLE_ADMIN, ALL_PARTS);
	own.policy_store = rig_open(STORE_ROLE_ADMIN, STORE_POLICY | STORE_AUDIT);
	own.auth = (struct auth_host){ own.store, ask_now, NULL, NULL, NULL };
	own.actions = (struct action_host){ .store = own.store, .auth = &own.auth,
	    .policy = policy_now,
		.decide = decide_now, .platform_exists = any_name, .source_exists = any_name,
		.authority = all_authority,
		.publish = publish_nothing, .mail = "mail" };
	listeners_open(loop, console_fd, *tls_fd);
	stop = mu_loop_watch(loop, stop_fd, EPOLLIN, rig_on_stop, loop);
	status = mu_loop_run(loop);
	mu_watch_remove(stop);
	serve_down(loop);
	(void)close(stop_fd);
	(void)waitpid(played, NULL, 0);
	return status;
}

/* --- The house ------------------------------------------------------------------------------- */

static struct http_rig http;
static struct crypto_key *session_key;
static struct mu_secret session_key_pem;
static struct http_reply reply = HTTP_REPLY_INIT;
static struct mu_buf console_answer;

static inline void
settings_make(void)
{
	static char corp[] = "corp", people[] = "ou=people,dc=example", mem[] = "mem", memory[] =
	    "memory";

	sources[0] = (struct settings_source){ .name = corp, .people_base = people };
	platforms[0] = (struct settings_platform){ .name = mem, .adapter = memory };
	settings = (struct settings){ .sources = sources, .source_count = 1, .platforms = platforms,
		.platform_count = 1 };
}

static inline void
policy_seed(void)
{
	static const struct {
		const char *name, *content;
	} texts[] = {
		{ "administrators.yaml", administrators_yaml }, { "gates.yaml", gates_yaml },
		{ "identification.yaml", "- {level: in-person}\n" }, { "roles.yaml", roles_yaml },
	};
	struct policy_file files[MU_COUNT(texts)];
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct policy *p = NULL;
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < MU_COUNT(texts); i++)
		files[i] = (struct policy_file){ mu_strdup(texts[i].name),
		    mu_strdup(texts[i].content) };
	MUST(cycle_policy_in_force(s, files, MU_COUNT(texts), auth_mac, auth_mac_check, &host, any_attr,
	    NULL, &p, NULL, &err));
	for (size_t i = 0; i < MU_COUNT(texts); i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	policy_free(p);
	store_close(s);
}

static inline int
api_up(void **state)
{
	static int tls_fd;

	(void)signal(SIGPIPE, SIG_IGN);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	clock_s = mu_now_s();
	if (seen == MAP_FAILED || house_up(state) != 0)
		return 1;
	settings_make();
	policy_seed();
	session_key = crypto_key_new(CRYPTO_ES256);
	crypto_key_format(session_key, &session_key_pem);
	tls_fd = rig_tcp(&http);
	rig_start(&http, serve, &tls_fd);
	(void)close(tls_fd);
	return 0;
}

static inline int
api_down(void **state)
{
	int status = rig_stop(&http);

	http_reply_clear(&reply);
	mu_buf_clear(&console_answer);
	mu_secret_clear(&session_key_pem);
	crypto_key_free(session_key);
	return house_down(state) | status;
}

/* --- People, administrators, sessions -------------------------------------------------------- */

/* Somebody of that department, with an account on mem. */
static inline struct someone
person(const char *uid, const char *department)
{
	static const char *const mem[] = { "mem", NULL };
	MU_AUTO(store_person_clear) struct store_person p;
	struct store_account account;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct someone one = { .seed_bytes = 0 };

	person_make(&p, uid);
	attrs_add(&p.attrs, "department", department);
	attrs_add(&p.attrs, "mail", "shared@example.org");
	person_store(s, &p, &account, mem);
	account_want_clear(&account.want);
	store_close(s);
	one.id = p.person_id;
	(void)snprintf(one.uid, sizeof(one.uid), "%s", uid);
	return one;
}

/* An administrator of that role, active from the start. */
static inline struct someone
admin_of(const char *uid, const char *role)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct someone one = person(uid, "Security");
	struct mu_err err = MU_ERR_INIT;

	clock_s = mu_now_s();
	MUST(store_begin(host.store, &err));
	MUST(auth_fresh_make(&host, &one.id, role, &one.id, now_ms(), &a, &err));
	MUST(auth_seed_make(&host, &a, &uri, &err));
	a.active = a.seed.confirmed = true;
	MUST(auth_fresh_write(&host, &a, &err));
	MUST(store_commit(host.store, &err));
	scan(&one, &uri);
	return one;
}

/* What their authenticator shows now. */
static inline const char *
code_now(const struct someone *one)
{
	static char text[8];
	struct mu_secret code = code_of(one, mu_now_s());

	(void)snprintf(text, sizeof(text), "%s", mu_secret_text(&code));
	mu_secret_clear(&code);
	return text;
}

/* A client with a session's certificate; lasts_s below 0: the session is over, not the other. */
static inline struct http_client *
session_lasting(const struct someone *one, int64_t lasts_s)
{
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT, bytes = MU_BUF_INIT;
	static char address[] = ADDRESS;
	struct store_session x = { .person_id = one->id, .issued_at_s = mu_now_s() - 60,
		.expires_at_s = mu_now_s() + lasts_s, .address = address };
	struct mu_err err = MU_ERR_INIT;

	mu_uuid_new(&x.session_id);
	MUST(crypto_csr_make(session_key, "any name", &request, &err));
	MUST(vault_admin_issue(vault, &x.session_id, request.data, request.size_bytes, mu_now_s(),
	    &c, &err));
	(void)memcpy(x.fingerprint, c.fingerprint, sizeof(x.fingerprint));
	auth_session_encode(&x, &bytes);
	vault_mac(vault, bytes.data, bytes.size_bytes, x.mac);
	MUST(store_begin(host.store, &err));
	store_session_write(host.store, &x);
	MUST(store_commit(host.store, &err));
	return rig_client(&http, vault_ca_pem(vault), c.certificate, &session_key_pem);
}

static inline struct http_client *
session(const struct someone *one)
{
	return session_lasting(one, 3600);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static inline int
get(struct http_client *c, const char *path)
{
	return rig_call(c, "GET", path, NULL, &reply);
}

static inline int
post(struct http_client *c, const char *path, const char *body)
{
	return rig_call(c, "POST", path, body, &reply);
}

static inline int
console_post(const char *path, const char *body)
{
	return rig_post(&http, path, "application/json", body, &console_answer);
}

static inline void
says(const char *text)
{
	if (strstr(mu_buf_text(&reply.body), text) == NULL)
		fail_msg("%d %s has no %s", reply.status, mu_buf_text(&reply.body), text);
}

static inline void
says_not(const char *text)
{
	if (strstr(mu_buf_text(&reply.body), text) != NULL)
		fail_msg("%d %s has %s", reply.status, mu_buf_text(&reply.body), text);
}

/* A member of the answer's root; fresh. */
static inline char *
told(const char *name)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	MUST(json_parse(mu_buf_text(&reply.body), reply.body.size_bytes, 1 << 22, "answer", &root,
	    &err));
	if (json_find_text(root, name) == NULL)
		fail_msg("%s has no %s", reply.body.data, name);
	return mu_strdup(json_find_text(root, name));
}

/* How many records there are of a kind. */
static inline int
records(const char *kind)
{
	char sql[200];
	char *text;
	int count;

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit_record WHERE kind LIKE '%s'",
	    kind);
	text = rig_sql(sql);
	count = atoi(text);
	free(text);
	return count;
}

#endif
