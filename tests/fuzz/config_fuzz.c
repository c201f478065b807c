/*
 * Any bytes as a configuration file: settings or faults, never neither and never both; and every
 * fault is one line that can be printed.
 */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_key *
adapters(size_t index, const char **out_name)
{
	static const struct config_key keys[] = {
		{ .name = "url", .type = CONFIG_URL },
		{ .name = "media", .type = CONFIG_URL_PLAIN },
		{ .name = "ca", .type = CONFIG_FILE },
		{ .name = "host", .type = CONFIG_HOST, .fallback = "chat.example.org" },
		{ .name = "user", .type = CONFIG_TEXT, .min = 3, .max = 20 },
		{ .name = "password_file", .type = CONFIG_SECRET_FILE },
		{ .name = "connections", .type = CONFIG_INT, .fallback = "4", .min = 1, .max = 16 },
		{ .name = "patience", .type = CONFIG_DURATION, .fallback = "10s", .min = 1, .max = 60 },
		{ .name = "quiet", .type = CONFIG_BOOL },
		{ .name = NULL },
	};

	*out_name = "chat";
	return index == 0 ? keys : NULL;
}

/* Asks each reader about each value: none may fault what is not there or crash over what is. */
static void
node_read(struct config_faults *f, const struct config_node *n)
{
	static const struct config_name names[] = { { "red", 1 }, { NULL, 0 } };
	MU_AUTO(mu_freep) const char **list = NULL;
	const char *text;
	int64_t number;
	size_t count;
	bool flag;
	int value;

	(void)config_read_text(f, n, 100, &text);
	(void)config_read_int(f, n, INT64_MIN, INT64_MAX, NULL, &number);
	(void)config_read_bool(f, n, &flag);
	(void)config_read_duration(f, n, 0, INT64_MAX, &number);
	(void)config_read_percent(f, n, &number);
	(void)config_read_name(f, n, names, &value);
	(void)config_read_texts(f, n, 10, 100, &list, &count);
	for (size_t i = 0; i < config_list_count(n); i++)
		node_read(f, config_list_at(n, i));
	for (size_t i = 0; i < config_map_count(n); i++)
		node_read(f, config_map_at(n, i));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf said = MU_BUF_INIT;
	MU_AUTO(settings_freep) struct settings *s = NULL;
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	bool good = settings_parse((const char *)data, size, "dir/f.yaml", adapters, &faults, &s);

	if (good != (s != NULL) || good != (faults.count == 0))
		abort();
	config_faults_format(&faults, &said);
	if (!mu_utf8_valid(mu_buf_text(&said), said.size_bytes))
		abort();
	for (size_t i = 0; i < said.size_bytes; i++)
		if (said.data[i] != '\n' && ((unsigned char)said.data[i] < ' ' || said.data[i] == 0x7f))
			abort();
	config_faults_clear(&faults);
	if (config_doc_parse((const char *)data, size, "f.yaml", &faults, &doc))
		node_read(&faults, config_doc_root(doc));
	config_faults_clear(&faults);
	return 0;
}
