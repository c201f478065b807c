/*
 * Any bytes as a request for an action, alone or spliced into one that is right. What is taken makes a
 * document that is read back as it was written, and holds nothing that a terminal would act on.
 */
#include "action/action_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const seeds[] = {
	"{\"action\":\"revoke\",\"reason\":\"left\",\"targets\":[\"ann\",\"bob@example.org\"]}",
	"{\"action\":\"suspend\",\"args\":{\"until\":\"2026-11-21T18:00:00+01:00\"},\"reason\":\"r\",\"targets\":[\"a\"]}",
	"{\"action\":\"grant\",\"args\":{\"role\":\"x\",\"until\":\"2026-11-21T18:00:00Z\"},\"reason\":\"r\","
	    "\"targets\":[\"a\"]}",
	"{\"action\":\"identify\",\"args\":{\"evidence\":\"e\",\"level\":\"l\",\"method\":\"m\"},\"reason\":\"r\","
	    "\"targets\":[\"a\"]}",
	"{\"action\":\"policy.apply\",\"args\":{\"base\":1,\"files\":{\"a.yaml\":\"x\",\"b.yaml\":\"\\n\"},\"outcome\":\"ab\"},"
	    "\"reason\":\"r\"}",
	"{\"action\":\"client.add\",\"args\":{\"csr\":\"-----BEGIN\\n\",\"name\":\"a\",\"platform\":\"p\"},\"reason\":\"r\"}",
};

static void
check(const char *text, size_t text_bytes, bool must)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(action_request_clear) struct action_request r = { .target_count = 0 };
	MU_AUTO(action_document_clear) struct action_document d = { .target_count = 0 }, again = { .target_count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf first = MU_BUF_INIT, second = MU_BUF_INIT;
	const struct mu_uuid asker = { { 1 } };
	struct mu_err err = MU_ERR_INIT;
	enum action_kind kind;
	bool known;

	if (json_parse(text, text_bytes, ACTION_DOCUMENT_MAX_BYTES, "fuzz", &root, &err) != MU_OK ||
	    action_request_parse(root, &kind, &known, &r, &err) != MU_OK) {
		if (must || err.rc != MU_EINPUT || err.text[0] == '\0')
			abort();
		return;
	}
	if (r.kind != kind || !known || strpbrk(r.reason, "\n\r\t\033\177") != NULL ||
	    r.target_count > ACTION_TARGETS_MAX)
		abort();
	action_document_begin(&r, &asker, &d);
	d.targets = mu_alloc_zero(r.target_count, sizeof(*d.targets));
	for (; d.target_count < r.target_count; d.target_count++)
		mu_uuid_new(&d.targets[d.target_count]);
	action_document_format(&d, &first);
	if (first.size_bytes > ACTION_DOCUMENT_MAX_BYTES)
		return;
	if (action_document_parse(first.data, &again, &err) != MU_OK)
		abort();
	action_document_format(&again, &second);
	if (strcmp(first.data, second.data) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;

	for (size_t i = 0; !begun && i < MU_COUNT(seeds); i++)
		check(seeds[i], strlen(seeds[i]), true);
	begun = true;
	if (size >= 3 && data[0] < MU_COUNT(seeds)) {
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
		const char *seed = seeds[data[0]];
		size_t at = data[1] % strlen(seed), gone = data[2] % (strlen(seed) - at);

		mu_buf_add(&text, seed, at);
		mu_buf_add(&text, data + 3, size - 3);
		mu_buf_text_add(&text, seed + at + gone);
		check(text.data, text.size_bytes, false);
	} else {
		check((const char *)data, size, false);
	}
	return 0;
}
