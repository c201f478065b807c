/*
 * proc/cycle.c - the process that follows one directory source: directory, lifecycle, policy, plan
 *
 * Holds the source's bind password. Speaks to the directory, to PostgreSQL as muster_cycle, and to keys
 * for MACs. The first cycle seeds an empty store with the configured policies and runs the clock.
 */
#include "cycle/cycle.h"

#include "base/log.h"
#include "proc/process.h"
#include "proc/rules.h"

#include <string.h>

#define UID_NAME	"uid"	/* the mapped attribute that people log in by */
#define MAC_WAIT_MS	5000
#define MAC_BATCH_MAX	100	/* byte strings in one message: far below IPC_MESSAGE_MAX_BYTES */

struct own {
	struct store *store;
	struct policy *policy;
	int64_t policy_version;
	struct cycle_rules rules;
	struct directory_source source;
	struct mu_buf holder;
	struct cycle *cycle;
	bool in_loop;			/* before: keys is asked by process_keys_ask */
};

/* One message's worth of MACs. */
static enum mu_rc
mac_some(struct process *p, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list ask = { NULL, 0 }, answer = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	const struct own *own = p->own;
	struct process_peer *keys = process_peer_find(p, PROCESS_KEYS, NULL);
	struct ipc_reader r;
	enum mu_rc rc;

	for (size_t i = 0; i < count; i++)
		msg_list_add(&ask, bytes[i].data, bytes[i].size_bytes);
	msg_list_encode(&ask, &body);
	if (!own->in_loop)
		rc = process_keys_ask(p, OP_MAC, &body, &got, err);
	else if (keys == NULL || !ipc_is_open(keys->channel))
		rc = mu_fail(err, MU_ERETRY, "keys is away");
	else
		rc = ipc_ask(keys->channel, OP_MAC, &body, MAC_WAIT_MS, &got, err);
	if (rc != MU_OK)
		return rc;
	ipc_reader_init(&r, &got);
	if (!msg_list_decode(&r, &answer) || answer.count != count)
		return mu_fail(err, MU_ERETRY, "keys answered with other MACs than asked for");
	for (size_t i = 0; i < count; i++) {
		if (answer.list[i].size_bytes != MAC_BYTES)
			return mu_fail(err, MU_ERETRY, "keys answered with a MAC of another size");
		(void)memcpy(out_macs[i], answer.list[i].bytes, MAC_BYTES);
	}
	return MU_OK;
}

static enum mu_rc
mac(void *ctx, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err)
{
	for (size_t at = 0; at < count;) {
		size_t some = 0, total_bytes = 0;

		while (at + some < count && some < MAC_BATCH_MAX &&
		    (some == 0 || total_bytes + bytes[at + some].size_bytes < IPC_MESSAGE_MAX_BYTES / 2))
			total_bytes += bytes[at + some++].size_bytes;
		if (mac_some(ctx, bytes + at, some, out_macs + at, err) != MU_OK)
			return err->rc;
		at += some;
	}
	return MU_OK;
}

static enum mu_rc
policy_open(struct own *own, struct process *p, struct mu_err *err)
{
	struct policy_file files[32];
	const struct mu_secret *content;
	const char *name;
	size_t count = 0;
	enum mu_rc rc;

	while (p->index == 0 && count < MU_COUNT(files) &&
	    (content = process_secret_at(p, "policy/", count, &name)) != NULL)
		files[count++] = (struct policy_file){ mu_strdup(name), mu_strdup(mu_secret_text(content)) };
	rc = cycle_policy_in_force(own->store, files, count, mac, p, rules_attr_known, p->settings,
	    &own->policy, &own->policy_version, err);
	for (size_t i = 0; i < count; i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	return rc;
}

static enum mu_rc
cycle_process_open(struct process *p, struct mu_err *err)
{
	const struct settings_source *source = settings_source_find(p->settings, p->instance);
	struct own *own = mu_alloc_zero(1, sizeof(*own));
	struct cycle_host host;

	p->own = own;
	if (source == NULL)
		return mu_fail(err, MU_ECONFIG, "no source %s in the configuration", p->instance);
	if (store_open(p->conninfo, STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_AUDIT,
	    &own->store, err) != MU_OK || policy_open(own, p, err) != MU_OK)
		return err->rc;
	directory_source_init(&own->source, source, process_secret(p, "bind_password"));
	rules_init(&own->rules, p->settings, own->policy);
	own->rules.version = own->policy_version;
	rules_holder_format(p->settings, &own->holder);
	host = (struct cycle_host){ .loop = p->loop, .store = own->store, .source = &own->source,
		.uid_name = UID_NAME, .rules = own->rules, .holder = own->holder.data,
		.has_clock = p->index == 0, .mac = mac, .mac_ctx = p };
	own->in_loop = true;
	own->cycle = cycle_open(&host);
	return MU_OK;
}

const struct process_row process_cycle = {
	.kind = PROCESS_CYCLE,
	.open = cycle_process_open,
};
