#include "cli/groups.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/home.h"
#include "cli/secret.h"
#include "cli/show.h"
#include "cli/talk.h"
#include "http/client.h"
#include "http/percent.h"
#include "json/write.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CA_PATH_BYTES	32

static const struct show_column credential_columns[] = {
	{ "PLATFORM", "platform" }, { "ACCOUNT", "name" }, { "PASSWORD", "password" },
	{ NULL, NULL },
};

/* The authority of that fingerprint, as a file that goes with this process. */
static int
authority_make(const struct cli *c, const char *fingerprint, int *out_fd)
{
	MU_AUTO(mu_buf_clear) struct mu_buf hex = MU_BUF_INIT, pem = MU_BUF_INIT;
	int status;

	if (!home_fingerprint_parse(fingerprint, &hex))
		return cli_usage(c, "--ca-fingerprint is 64 hex digits");
	status = talk_pin(c, c->server, hex.data, &pem);
	if (status != CLI_DONE)
		return status;
	*out_fd = memfd_create("ca", MFD_CLOEXEC);
	if (*out_fd >= 0 && write(*out_fd, pem.data, pem.size_bytes) == (ssize_t)pem.size_bytes)
		return CLI_DONE;
	cli_say(c, "there is no room for the authority's certificate");
	return CLI_FAILED;
}

static int
listener_open(struct cli *c)
{
	struct http_client_settings settings = { .base_url = c->server };
	struct mu_err err = MU_ERR_INIT;
	char path[CA_PATH_BYTES];
	int fd = -1, status = CLI_DONE;

	if (c->ca_fingerprint != NULL)
		status = authority_make(c, c->ca_fingerprint, &fd);
	else
		status = talk_home(c);
	if (status == CLI_DONE && fd < 0 && c->home->ca_fingerprint == NULL)
		status = cli_usage(c, "say which authority to trust: --ca-fingerprint HEX");
	if (status == CLI_DONE) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		settings.ca_file = fd >= 0 ? path : c->home->ca_path;
		if (http_client_open(&settings, &c->client, &err) != MU_OK)
			status = cli_fail(c, &err);
	}
	if (fd >= 0)
		(void)close(fd);
	return status;
}

/*
 * All that waited is shown, since it will never be again; PLATFORM only says what had to be among
 * it.
 */
static int
credentials_show(struct cli *c, const struct json_node *answer, const char *platform)
{
	const struct json_node *list = json_find(answer, "credentials");
	bool is_there = platform == NULL;

	for (size_t i = 0; i < json_count(list); i++) {
		const char *name = json_find_text(json_at(list, i), "platform");

		is_there = is_there || mu_text_equal(name, platform);
	}
	if (c->json) {
		show_node(c->out, answer);
	} else {
		show_list(c->out, credential_columns, false, list);
		show_line(c->err, "They are shown once: put each into your password manager now.");
	}
	if (!is_there)
		cli_say(c, "nothing waited on %s", platform);
	return is_there && json_count(list) > 0 ? CLI_DONE : CLI_FAILED;
}

static void
form_make(const char *user, const struct mu_secret *password, struct mu_buf *out_form)
{
	mu_buf_reserve(out_form, 3 * (strlen(user) + password->size_bytes) + 64);
	mu_buf_text_add(out_form, "user=");
	http_percent_format(out_form, user);
	mu_buf_text_add(out_form, "&password=");
	http_percent_format(out_form, mu_secret_text(password));
}

int
claim_run(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT;
	MU_AUTO(mu_freep) char *user = NULL;
	MU_AUTO(mu_buf_wipe) struct mu_buf form = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct mu_err err = MU_ERR_INIT;
	int status;

	if (c->server == NULL)
		return cli_usage(c, "say where: --server URL of the claim page");
	status = listener_open(c);
	if (status != CLI_DONE)
		return status;
	if (secret_user_ask(c, args_get(a, "WHO"), &user, &err) != MU_OK ||
	    secret_ask(c, "Directory password: ", true, &password, &err) != MU_OK)
		return cli_fail(c, &err);
	form_make(user, &password, &form);
	status = talk_form(c, "/claim", &form, &answer);
	return status == CLI_DONE ? credentials_show(c, answer, args_get(a, "PLATFORM")) : status;
}
