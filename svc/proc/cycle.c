/*
 * proc/cycle.c - the process that follows one directory source: directory, lifecycle, policy, plan
 *
 * Holds the source's bind password. Speaks to the directory, to PostgreSQL as muster_cycle, and to
 * keys for MACs. The first cycle seeds an empty store with the configured policies. Each has a
 * clock, one at a time runs it.
 */
#include "cycle/cycle.h"

#include "auth/keys.h"
#include "base/log.h"
#include "proc/process.h"
#include "proc/rules.h"

#define UID_NAME	"uid"	/* the mapped attribute that people log in by */
#define MAC_WAIT_MS	5000

struct own {
	struct store *store;
	struct auth_host auth;		/* how keys is asked for MACs */
	struct policy *policy;
	struct cycle_rules rules;
	struct directory_source source;
	struct mu_buf holder;
	struct cycle *cycle;
	bool in_loop;			/* before: keys is asked by process_keys_ask */
};

static enum mu_rc
keys_ask(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out_body,
    struct mu_err *err)
{
	struct process *p = ctx;
	const struct own *own = p->own;
	struct process_peer *keys = process_peer_find(p, PROCESS_KEYS, NULL);

	if (!own->in_loop)
		return process_keys_ask(p, op, body, out_body, err);
	if (keys == NULL || !ipc_is_open(keys->channel))
		return mu_fail(err, MU_ERETRY, "keys is away");
	return ipc_ask(keys->channel, op, body, MAC_WAIT_MS, out_body, err);
}

static enum mu_rc
policy_open(struct own *own, struct process *p, int64_t *out_version, struct mu_err *err)
{
	struct policy_file files[POLICY_FILES_MAX];
	const struct mu_secret *content;
	const char *name;
	size_t count = 0;
	enum mu_rc rc;

	while (p->index == 0 && count < MU_COUNT(files) &&
	    (content = process_secret_at(p, PROCESS_SECRET_POLICY, count, &name)) != NULL)
		files[count++] = (struct policy_file){ mu_strdup(name),
		    mu_strdup(mu_secret_text(content)) };
	rc = cycle_policy_in_force(own->store, files, count, auth_mac, auth_mac_check, &own->auth,
	    rules_attr_known, p->settings, &own->policy, out_version, err);
	for (size_t i = 0; i < count; i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	return rc;
}

/* What a source is given and the policy in force lacks gives nothing: no reason not to start. */
static void
authority_warn(const struct process *p, const struct policy *policy)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;

	if (p->index == 0)
		rules_authority_check(p->settings, policy, p->settings->file, &faults);
	for (size_t i = 0; i < faults.count; i++)
		mu_log("authority.unknown", "text", faults.list[i].text, "remedy",
		    "mend the configuration, or apply a policy that has it", NULL);
}

static enum mu_rc
cycle_process_open(struct process *p, struct mu_err *err)
{
	const struct settings_source *source = settings_source_find(p->settings, p->instance);
	struct own *own = mu_alloc_zero(1, sizeof(*own));
	struct cycle_host host;
	int64_t version;

	p->own = own;
	own->auth = (struct auth_host){ .ask = keys_ask, .ctx = p };
	if (source == NULL)
		return mu_fail(err, MU_ECONFIG, "no source %s in the configuration", p->instance);
	if (store_open(p->conninfo,
	    STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_GRANT | STORE_AUDIT,
	    &own->store, err) != MU_OK || policy_open(own, p, &version, err) != MU_OK)
		return err->rc;
	authority_warn(p, own->policy);
	directory_source_init(&own->source, source, process_secret(p, "bind_password"));
	rules_init(&own->rules, p->settings, own->policy);
	own->rules.version = version;
	rules_holder_format(p->settings, &own->holder);
	host = (struct cycle_host){ .loop = p->loop, .store = own->store, .source = &own->source,
		.uid_name = UID_NAME, .rules = own->rules, .holder = own->holder.data,
		.attr_known = rules_attr_known, .attr_ctx = p->settings,
		.is_first = p->index == 0, .hint = store_hint_open(p->loop, p->conninfo),
		.mac = auth_mac, .mac_check = auth_mac_check, .mac_ctx = &own->auth };
	own->in_loop = true;
	own->cycle = cycle_open(&host);
	return MU_OK;
}

const struct process_row process_cycle = {
	.kind = PROCESS_CYCLE,
	.open = cycle_process_open,
};
