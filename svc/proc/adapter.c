/*
 * proc/adapter.c - the process that speaks to one platform: one module, that platform's credential,
 * no database
 *
 * provision asks, it answers, one step after the other; a step may block for as long as it was given.
 */
#include "adapters/adapter.h"
#include "base/log.h"
#include "proc/process.h"

struct adapter_process {
	const struct adapter_ops *ops;
	struct adapter_host host;
	struct adapter *adapter;
};

static void
step_reply(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	const struct adapter_process *own = p->own;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct receipt receipt = { .outcome = ADAPTER_REFUSED };
	struct mu_err err = MU_ERR_INIT;
	struct step s;

	if (!step_decode(&m->body, &s)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	if (own->ops->steps[s.kind] == NULL)
		(void)mu_fail(&err, MU_EINPUT, "the platform has no %s", step_kind_name(s.kind));
	else
		receipt.outcome = (uint8_t)own->ops->steps[s.kind](own->adapter, &s, &receipt, &err);
	if (receipt.text == NULL && err.rc != MU_OK)
		receipt.text = mu_strdup(err.text);
	if (receipt.retry_after_ms == 0)
		receipt.retry_after_ms = err.retry_after_ms;
	receipt_encode(&receipt, &body);
	ipc_reply(from->channel, OP_STEP, m->id, &body, -1);
	receipt_clear(&receipt);
	step_clear(&s);
}

static void
page_add(void *ctx, const char *name, const struct observed *seen)
{
	struct msg_page *page = ctx;
	struct msg_page_row *row;

	page->list = mu_alloc_again(page->list, page->count + 1, sizeof(*page->list));
	row = &page->list[page->count++];
	*row = (struct msg_page_row){ .name = mu_strdup(name), .seen = { .state = seen->state,
	    .external_id = mu_strdup(seen->external_id != NULL ? seen->external_id : "") } };
	for (size_t i = 0; i < seen->rights.count; i++)
		entitlements_add(&row->seen.rights, seen->rights.list[i].kind,
		    seen->rights.list[i].name, seen->rights.list[i].level);
}

static void
list_reply(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	const struct adapter_process *own = p->own;
	MU_AUTO(mu_freep) char *cursor = ipc_get_text(&m->body);
	MU_AUTO(mu_buf_clear) struct mu_buf next = MU_BUF_INIT, body = MU_BUF_INIT;
	MU_AUTO(msg_page_clear) struct msg_page page = { .outcome = ADAPTER_REFUSED };
	struct mu_err err = MU_ERR_INIT;

	if (!ipc_get_end(&m->body)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	if (own->ops->list != NULL)
		page.outcome = (uint8_t)own->ops->list(own->adapter, cursor, page_add, &page, &next,
		    &page.complete, &err);
	page.next = mu_strdup(mu_buf_text(&next));
	page.text = mu_strdup(err.text);
	msg_page_encode(&page, &body);
	ipc_reply(from->channel, OP_LIST, m->id, &body, -1);
}

static void
about_reply(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	const struct adapter_process *own = p->own;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(msg_about_clear) struct msg_about about = {
		.adapter = mu_strdup(own->ops->name), .can = own->ops->can,
	};

	if (!ipc_get_end(&m->body)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	for (int kind = 0; kind < STEP_KIND_COUNT; kind++)
		if (own->ops->steps[kind] != NULL)
			about.steps |= 1u << kind;
	msg_about_encode(&about, &body);
	ipc_reply(from->channel, OP_ABOUT, m->id, &body, -1);
}

static void
adapter_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	if (m->op == OP_STEP)
		step_reply(p, from, m);
	else if (m->op == OP_LIST)
		list_reply(p, from, m);
	else
		about_reply(p, from, m);
}

static enum mu_rc
adapter_open(struct process *p, struct mu_err *err)
{
	const struct settings_platform *platform = settings_platform_find(p->settings, p->instance);
	struct adapter_process *own = mu_alloc_zero(1, sizeof(*own));

	p->own = own;
	if (platform == NULL)
		return mu_fail(err, MU_ECONFIG, "no platform %s in the configuration", p->instance);
	own->ops = adapter_find(platform->adapter);
	if (own->ops == NULL)
		return mu_fail(err, MU_ECONFIG, "platform %s: no adapter is called %s", platform->name,
		    platform->adapter);
	own->host = (struct adapter_host){ platform->name, process_secret(p, "platform_password") };
	return own->ops->open(&own->host, &platform->section, &own->adapter, err);
}

static void
adapter_stop(struct process *p)
{
	struct adapter_process *own = p->own;

	own->ops->close(own->adapter);
	own->adapter = NULL;
	mu_loop_stop(p->loop, 0);
}

const struct process_row process_adapter = {
	.kind = PROCESS_ADAPTER,
	.open = adapter_open,
	.request = adapter_request,
	.stop = adapter_stop,
};
