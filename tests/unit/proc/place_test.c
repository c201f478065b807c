/* What the supervisor prepares: folders and their modes, one lock, public files, listeners. */
#include "proc/place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"

static struct {
	char top[32];
	struct settings settings;
	struct settings_client client;
	struct crew_users users;
	int lock_fd;
} t;

static int
start(void **state)
{
	(void)state;
	(void)strcpy(t.top, "/tmp/place-test-XXXXXX");
	if (mkdtemp(t.top) == NULL)
		return 1;
	t.client.name = mu_strdup("xmpp-server");
	t.settings.state = place_path(t.top, "state");
	t.settings.run = place_path(t.settings.state, "run");
	t.settings.clients = &t.client;
	t.settings.client_count = 1;
	t.users.store = (struct crew_user){ geteuid(), getegid() };
	for (unsigned i = 0; i < PROCESS_KIND_COUNT; i++)
		t.users.kinds[i] = t.users.store;
	t.lock_fd = -1;
	return 0;
}

static int
end(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf command = MU_BUF_INIT;

	(void)state;
	if (t.lock_fd >= 0)
		(void)close(t.lock_fd);
	mu_buf_format(&command, "rm -rf %s", t.top);
	mu_free(t.settings.state);
	mu_free(t.settings.run);
	mu_free(t.client.name);
	return system(command.data);
}

static mode_t
mode_of(const char *dir, const char *name)
{
	MU_AUTO(mu_freep) char *path = place_path(dir, name);
	struct stat st;

	assert_int_equal(0, stat(path, &st));
	return st.st_mode & 07777;
}

static void
folders_are_shut_to_others(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	(void)umask(0);
	assert_int_equal(MU_OK, place_open(&t.settings, &t.users, &t.lock_fd, &err));
	assert_int_equal(0700, mode_of(t.settings.state, "."));
	assert_int_equal(0700, mode_of(t.settings.run, "."));
	assert_int_equal(0700, mode_of(t.settings.state, "keys"));
	assert_int_equal(0600, mode_of(t.settings.state, "lock"));
	t.users.separate = true;
	(void)close(t.lock_fd);
	assert_int_equal(MU_OK, place_open(&t.settings, &t.users, &t.lock_fd, &err));
	assert_int_equal(0711, mode_of(t.settings.state, "."));
	assert_int_equal(0700, mode_of(t.settings.state, "keys"));
	t.users.separate = false;
}

static void
a_second_musterd_is_refused(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int fd = -1;

	(void)state;
	assert_int_equal(MU_OK, place_open(&t.settings, &t.users, &t.lock_fd, &err));
	assert_int_equal(MU_ECONFIG, place_open(&t.settings, &t.users, &fd, &err));
	assert_non_null(strstr(err.text, "another musterd"));
	assert_int_equal(-1, fd);
}

static void
a_folder_behind_a_link_is_refused(void **state)
{
	MU_AUTO(mu_freep) char *keys = place_path(t.settings.state, "keys");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(0, mkdir(t.settings.state, 0700));
	assert_int_equal(0, symlink("/tmp", keys));
	assert_int_equal(MU_ECONFIG, place_open(&t.settings, &t.users, &t.lock_fd, &err));
}

static struct row {
	const char *name, *file, *content;
	enum process_kind by;
	enum mu_rc want;
} rows[] = {
	{ "keys publishes its authority", "ca.crt", CERTIFICATE, PROCESS_KEYS, MU_OK },
	{ "keys publishes checkpoints", "checkpoint", "muster\n1\nAAA=\n", PROCESS_KEYS, MU_OK },
	{ "admin publishes a client's", "clients/xmpp-server.crt", CERTIFICATE, PROCESS_ADMIN,
	    MU_OK },
	{ "of a client there is", "clients/other.crt", CERTIFICATE, PROCESS_ADMIN, MU_EDENIED },
	{ "and leaves its folder alone", "clients/../lock", CERTIFICATE, PROCESS_ADMIN,
	    MU_EDENIED },
	{ "admin has no authority", "ca.crt", CERTIFICATE, PROCESS_ADMIN, MU_EDENIED },
	{ "keys has no clients", "clients/xmpp-server.crt", CERTIFICATE, PROCESS_KEYS, MU_EDENIED },
	{ "token publishes nothing", "ca.crt", CERTIFICATE, PROCESS_TOKEN, MU_EDENIED },
	{ "no path, no surprise", "/etc/passwd", CERTIFICATE, PROCESS_KEYS, MU_EDENIED },
	{ "a certificate looks like one", "ca.crt", "hello\n", PROCESS_KEYS, MU_EINPUT },
	{ "and is not empty", "ca.crt", "", PROCESS_KEYS, MU_EINPUT },
};

static void
publish_row(void **state)
{
	const struct row *r = *state;
	MU_AUTO(mu_freep) char *path = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(0, start(NULL));
	assert_int_equal(MU_OK, place_open(&t.settings, &t.users, &t.lock_fd, &err));
	path = place_path(t.settings.state, r->file);
	for (int again = 0; again < 2; again++)
		assert_int_equal(r->want, place_publish(&t.settings, r->by, r->file, r->content,
					      strlen(r->content), &err));
	if (r->want == MU_OK)
		assert_int_equal(0644, mode_of(t.settings.state, r->file));
	else
		assert_true(strcmp(r->file, "/etc/passwd") == 0 ||
			    strstr(r->file, "lock") != NULL || access(path, F_OK) != 0);
	assert_int_equal(0, end(NULL));
}

static void
several_listen_on_one_port(void **state)
{
	struct settings_listen at = { .host = "127.0.0.1", .port = 0 };
	struct sockaddr_in bound;
	socklen_t size = sizeof(bound);
	struct mu_err err = MU_ERR_INIT;
	int first, second, third;

	(void)state;
	assert_int_equal(MU_OK, place_listen(&at, true, &first, &err));
	assert_int_equal(0, getsockname(first, (struct sockaddr *)&bound, &size));
	at.port = ntohs(bound.sin_port);
	assert_int_equal(MU_OK, place_listen(&at, true, &second, &err));
	assert_int_equal(MU_ECONFIG, place_listen(&at, false, &third, &err));
	assert_non_null(strstr(err.text, "Address already in use"));
	assert_int_equal(FD_CLOEXEC, fcntl(first, F_GETFD));
	(void)close(first);
	(void)close(second);
}

static void
the_console_is_its_owners(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int fd, again;

	(void)state;
	(void)umask(0);
	assert_int_equal(MU_OK, place_open(&t.settings, &t.users, &t.lock_fd, &err));
	assert_int_equal(MU_OK, place_console(&t.settings, t.users.store, &fd, &err));
	assert_int_equal(0600, mode_of(t.settings.run, "console.sock"));
	assert_int_equal(MU_OK, place_console(&t.settings, t.users.store, &again, &err));
	(void)close(fd);
	(void)close(again);
}

static void
the_configuration_handed_out_is_sealed(void **state)
{
	struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	char got[8] = "";
	int fd;

	(void)state;
	mu_buf_text_add(&text, "state:");
	assert_int_equal(MU_OK, place_text("test", &text, &fd, &err));
	assert_int_equal(6, pread(fd, got, sizeof(got), 0));
	assert_memory_equal("state:", got, 6);
	assert_int_equal(-1, pwrite(fd, "x", 1, 0));
	assert_int_equal(EPERM, errno);
	assert_int_equal(-1, ftruncate(fd, 0));
	(void)close(fd);
	mu_buf_clear(&text);
}

#define ROW(fn) { #fn, fn, start, end, NULL }

int
main(void)
{
	const struct CMUnitTest usual[] = {
		ROW(folders_are_shut_to_others),
		ROW(a_second_musterd_is_refused),
		ROW(a_folder_behind_a_link_is_refused),
		ROW(several_listen_on_one_port),
		ROW(the_console_is_its_owners),
		ROW(the_configuration_handed_out_is_sealed),
	};
	struct CMUnitTest publish[MU_COUNT(rows)];
	int failed;

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		publish[i] = (struct CMUnitTest){ rows[i].name, publish_row, NULL, NULL, &rows[i] };
	failed = cmocka_run_group_tests_name("place", usual, NULL, NULL);
	return failed + cmocka_run_group_tests_name("publish", publish, NULL, NULL);
}
