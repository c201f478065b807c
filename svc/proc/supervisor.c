#include "proc/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/policy.h"
#include "proc/check.h"
#include "proc/crew.h"
#include "proc/place.h"
#include "proc/process.h"
#include "proc/spawn.h"
#include "sandbox/sandbox.h"
#include "store/migrate.h"
#include "store/private.h"

#define BACK_OFF_FIRST_MS	100
#define BACK_OFF_LAST_MS	10000
#define BACK_OFF_FORGET_MS	30000	/* who lived that long starts from the first again */
#define STOP_PATIENCE_MS	5000
#define END_PATIENCE_MS		1000	/* from a child's last word to its end */
#define LOST_WINDOW_MS		2000	/* in it a child may miss each of its peers once */
#define JOBS_MAX		4
#define DESCRIPTORS_WANTED	8192
#define SECRET_MAX_BYTES	4096
#define CSR_MAX_BYTES		16384

struct supervisor;

/* A process that is to run: its seat, and its present life if it has one. */
struct child {
	struct supervisor *sup;
	struct crew_seat seat;
	char *label, *job;		/* job: what a `work` process is to do; else NULL */
	pid_t pid;			/* 0: not running */
	struct ipc_channel *control;	/* NULL: it has said its last word */
	struct mu_timer *again, *kill;
	int64_t started_ms, started_s, delay_ms, lost_since_ms;
	uint32_t restarts, lost_count;	/* lost_count: peers missed since lost_since_ms */
	int listen_fd, admin_fd, exit_status;	/* admin_fd: its TLS listener, beside the console */
	bool ready, over;		/* over: a job that has ended, to be swept */
};

struct supervisor {
	struct mu_loop *loop;
	struct settings *settings;
	struct crew_users users;
	struct store_private *store;	/* NULL: a given one */
	struct store_logins logins;
	struct child **children;
	size_t child_count;
	struct mu_timer *kill, *store_again, *sweep, *jobs;
	int64_t store_delay_ms;
	char *notify_socket;
	int text_fd, lock_fd, signal_fd, status;
	bool ready_once, stopping;
};

/* What a child may tell us, by kind. */
static const uint16_t *
child_may_send(enum process_kind kind)
{
	static const uint16_t usual[] = { OP_READY, OP_PEER_LOST, 0 };
	static const uint16_t keys[] = { OP_READY, OP_PEER_LOST, OP_PUBLISH, 0 };
	static const uint16_t admin[] = { OP_READY, OP_PEER_LOST, OP_PUBLISH, OP_STATUS, OP_JOB,
		0 };

	return kind == PROCESS_KEYS ? keys : kind == PROCESS_ADMIN ? admin : usual;
}

/* --- systemd ------------------------------------------------------------------------------ */

/* sd_notify(3): one datagram; without systemd there is nobody to tell. */
static void
notify(const struct supervisor *sup, const char *state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t length = sup->notify_socket == NULL ? 0 : strlen(sup->notify_socket);
	int fd;

	if (length < 2 || length >= sizeof(at.sun_path))
		return;
	(void)memcpy(at.sun_path, sup->notify_socket, length);
	if (at.sun_path[0] == '@')
		at.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	(void)close(fd);
}

/* --- Handing over ------------------------------------------------------------------------- */

static void
secret_send(struct child *c, const char *name, const struct mu_secret *bytes)
{
	MU_AUTO(mu_freep) char *copy = mu_strdup(name);
	const struct msg_named m = { copy, *bytes };
	struct mu_buf body = MU_BUF_INIT;

	msg_named_encode(&m, &body);
	ipc_notify(c->control, OP_SECRET, &body, -1);
	mu_buf_wipe(&body);
}

static enum mu_rc
secret_file_send(struct child *c, const char *name, const char *path, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret bytes = MU_SECRET_INIT;

	if (path == NULL)
		return MU_OK;
	if (mu_secret_read(path, SECRET_MAX_BYTES, &bytes, err) != MU_OK)
		return err->rc;
	secret_send(c, name, &bytes);
	return MU_OK;
}

/* In pieces: who takes them puts those of one name together. */
static void
policy_send(struct child *c, const struct policy_file *file)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	const char *at = file->content;

	mu_buf_format(&name, PROCESS_SECRET_POLICY "%s", file->name);
	do {
		MU_AUTO(mu_secret_clear) struct mu_secret bytes = MU_SECRET_INIT;
		size_t size = strnlen(at, POLICY_PIECE_BYTES);

		mu_secret_set(&bytes, at, size);
		secret_send(c, name.data, &bytes);
		at += size;
	} while (*at != '\0');
}

/* The policies folder seeds an empty store: that it cannot be read matters to nobody else. */
static void
policies_send(struct child *c)
{
	struct policy_folder folder = { .file_count = 0 };
	struct mu_err err = MU_ERR_INIT;

	if (policy_folder_read(c->sup->settings->policies, &folder, &err) != MU_OK) {
		mu_log_err(&err, "policies.unread", "folder", c->sup->settings->policies, NULL);
		return;
	}
	for (size_t i = 0; i < folder.file_count; i++)
		policy_send(c, &folder.files[i]);
	policy_folder_clear(&folder);
}

/* A request that is gone has been answered long ago: the client's certificate is in the store. */
static void
requests_send(struct child *c)
{
	const struct settings *s = c->sup->settings;

	for (size_t i = 0; i < s->client_count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
		MU_AUTO(mu_secret_clear) struct mu_secret bytes = MU_SECRET_INIT;
		struct mu_err err = MU_ERR_INIT;
		int fd = open(s->clients[i].csr, O_RDONLY | O_CLOEXEC | O_NOCTTY);

		mu_buf_format(&name, "csr/%s", s->clients[i].name);
		if (fd < 0)
			(void)mu_fail_errno(&err, MU_ECONFIG, "cannot open %s", s->clients[i].csr);
		else if (mu_secret_read_fd(fd, s->clients[i].csr, CSR_MAX_BYTES, &bytes, &err) ==
			 MU_OK)
			secret_send(c, name.data, &bytes);
		if (err.rc != MU_OK)
			mu_log_err(&err, "client.unread", "client", s->clients[i].name, NULL);
		if (fd >= 0)
			(void)close(fd);
	}
}

static enum mu_rc
secrets_send(struct child *c, struct mu_err *err)
{
	const struct settings *s = c->sup->settings;
	const struct settings_source *source;
	const struct settings_platform *platform;

	switch (c->seat.kind) {
	case PROCESS_DRYRUN:
		source = settings_source_find(s, c->job);
		return secret_file_send(c, "bind_password", source->bind_password_file, err);
	case PROCESS_CYCLE:
		policies_send(c);
		source = settings_source_find(s, c->seat.instance);
		return secret_file_send(c, "bind_password", source->bind_password_file, err);
	case PROCESS_ADAPTER:
		platform = settings_platform_find(s, c->seat.instance);
		return secret_file_send(c, "platform_password",
		    config_section_secret_file(&platform->section), err);
	case PROCESS_ADMIN:
		requests_send(c);
		return MU_OK;
	case PROCESS_SUPERVISOR: case PROCESS_KEYS: case PROCESS_LOGIN: case PROCESS_PROVISION:
	case PROCESS_AUDIT: case PROCESS_TOKEN: case PROCESS_CLAIM: case PROCESS_WORK:
		return MU_OK;
	}
	return MU_OK;
}

/* A child gets a copy: the listener outlives it. fd -1: there is none. */
static void
listener_send(struct child *c, const char *name, int fd)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	if (fd < 0)
		return;
	ipc_put_text(&body, name);
	ipc_notify(c->control, OP_LISTEN, &body, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static void
config_send(struct child *c)
{
	const struct supervisor *sup = c->sup;
	MU_AUTO(mu_freep) char *instance = mu_strdup(c->job == NULL ? c->seat.instance : c->job);
	const struct msg_config m = { sup->settings->file, instance, c->seat.index };
	struct mu_buf body = MU_BUF_INIT;
	enum store_role role;

	msg_config_encode(&m, &body);
	ipc_notify(c->control, OP_CONFIG, &body, fcntl(sup->text_fd, F_DUPFD_CLOEXEC, 0));
	mu_buf_reset(&body);
	if (crew_store_role(c->seat.kind, &role)) {
		ipc_put_text(&body, sup->logins.conninfo[role]);
		ipc_notify(c->control, OP_STORE, &body, -1);
	}
	mu_buf_wipe(&body);
	listener_send(c, c->seat.kind == PROCESS_ADMIN ? "console" : process_kind_name(c->seat.kind),
	    c->listen_fd);
	listener_send(c, "admin", c->admin_fd);
}

static void
peer_send(struct child *to, const struct child *peer, int fd)
{
	const char *name = peer->job == NULL ? peer->seat.instance : peer->job;
	MU_AUTO(mu_freep) char *instance = mu_strdup(name);
	const struct msg_peer m = { (uint8_t)peer->seat.kind, instance, peer->seat.index };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	msg_peer_encode(&m, &body);
	ipc_notify(to->control, OP_PEER, &body, fd);
}

static void
peers_join(struct child *a, struct child *b)
{
	int ends[2];

	if (a == b || a->control == NULL || b->control == NULL ||
	    !process_are_peers(a->seat.kind, b->seat.kind))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		mu_log("peers.unjoined", "one", a->label, "other", b->label, "reason",
		    strerror(errno), NULL);
		return;
	}
	peer_send(a, b, ends[0]);
	peer_send(b, a, ends[1]);
}

/* --- The end ------------------------------------------------------------------------------ */

static void
stop_begin(struct supervisor *sup, int status)
{
	if (sup->stopping)
		return;
	sup->stopping = true;
	sup->status = status;
	mu_log("stopping", NULL);
	notify(sup, "STOPPING=1");
	for (size_t i = 0; i < sup->child_count; i++) {
		if (sup->children[i]->again != NULL)
			mu_timer_stop(sup->children[i]->again);
		ipc_notify(sup->children[i]->control, OP_STOP, NULL, -1);
	}
	mu_timer_stop(sup->store_again);
	mu_timer_set(sup->kill, STOP_PATIENCE_MS);
	mu_timer_set(sup->sweep, 0);
}

/* --- A child's life ----------------------------------------------------------------------- */

static void
ready_look(struct supervisor *sup)
{
	if (sup->ready_once || sup->stopping)
		return;
	for (size_t i = 0; i < sup->child_count; i++)
		if (sup->children[i]->job == NULL && !sup->children[i]->ready)
			return;
	sup->ready_once = true;
	mu_log("ready", NULL);
	notify(sup, "READY=1");
}

static void
again_later(struct child *c)
{
	MU_AUTO(mu_buf_clear) struct mu_buf delay = MU_BUF_INIT;

	if (mu_tick_ms() - c->started_ms >= BACK_OFF_FORGET_MS || c->delay_ms == 0)
		c->delay_ms = BACK_OFF_FIRST_MS;
	else
		c->delay_ms =
		    c->delay_ms * 2 > BACK_OFF_LAST_MS ? BACK_OFF_LAST_MS : c->delay_ms * 2;
	mu_buf_format(&delay, "%lld", (long long)c->delay_ms);
	mu_log("process.waits", "name", c->label, "ms", delay.data, NULL);
	mu_timer_set(c->again, c->delay_ms);
}

/* It is reaped and its last word is read: now it may come again. */
static void
child_ended(struct child *c)
{
	struct supervisor *sup = c->sup;

	if (c->pid != 0 || c->control != NULL)
		return;
	c->ready = false;
	if (c->job != NULL) {
		c->over = true;
		mu_timer_set(sup->sweep, 0);
	} else if (sup->stopping) {
		mu_timer_set(sup->sweep, 0);
	} else if (WIFEXITED(c->exit_status) &&
		   WEXITSTATUS(c->exit_status) == PROCESS_EXIT_CONFIG && !sup->ready_once) {
		mu_log("start.failed", "name", c->label, NULL);
		stop_begin(sup, EXIT_FAILURE);
	} else {
		again_later(c);
	}
}

static void
child_reaped(struct child *c, int status)
{
	MU_AUTO(mu_buf_clear) struct mu_buf how = MU_BUF_INIT;

	if (WIFSIGNALED(status))
		mu_buf_format(&how, "signal %d", WTERMSIG(status));
	else
		mu_buf_format(&how, "%d", WEXITSTATUS(status));
	mu_log("process.ended", "name", c->label, "status", how.data, NULL);
	c->pid = 0;
	c->exit_status = status;
	mu_timer_stop(c->kill);
	child_ended(c);
}

static void
control_end(void *ctx, struct ipc_channel *ch)
{
	struct child *c = ctx;

	ipc_close(ch);
	c->control = NULL;
	if (c->pid != 0)
		mu_timer_set(c->kill, END_PATIENCE_MS);
	child_ended(c);
}

/* It has said its last word and does not end. */
static void
child_kill(void *ctx)
{
	struct child *c = ctx;

	mu_log("process.killed", "name", c->label, NULL);
	(void)kill(c->pid, SIGKILL);
}

/* --- What children say -------------------------------------------------------------------- */

static bool
publish_take(struct child *c, struct ipc_message *m)
{
	MU_AUTO(msg_named_clear) struct msg_named file = { .name = NULL };
	struct mu_err err = MU_ERR_INIT;

	if (!msg_named_decode(&m->body, &file))
		return false;
	if (place_publish(c->sup->settings, c->seat.kind, file.name, file.bytes.bytes,
		file.bytes.size_bytes, &err) != MU_OK)
		mu_log_err(&err, "publish.failed", "by", c->label, "file", file.name, NULL);
	return true;
}

static bool
peer_lost_take(struct child *c, struct ipc_message *m)
{
	MU_AUTO(msg_peer_clear) struct msg_peer peer = { .instance = NULL };

	if (mu_tick_ms() - c->lost_since_ms >= LOST_WINDOW_MS) {
		c->lost_since_ms = mu_tick_ms();
		c->lost_count = 0;
	}
	if (++c->lost_count > PROCESS_PEERS_MAX || !msg_peer_decode(&m->body, &peer))
		return false;
	for (size_t i = 0; i < c->sup->child_count; i++) {
		struct child *other = c->sup->children[i];

		if (other->job == NULL && (uint8_t)other->seat.kind == peer.kind &&
		    other->seat.index == peer.index &&
		    strcmp(other->seat.instance, peer.instance) == 0) {
			if (other->control != NULL)
				mu_log(
				    "peers.joined", "one", c->label, "other", other->label, NULL);
			peers_join(c, other);
		}
	}
	return true;
}

static void
status_answer(struct child *c, uint32_t id)
{
	struct supervisor *sup = c->sup;
	struct msg_status status = { .count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	status.list = mu_alloc_zero(sup->child_count + 1, sizeof(*status.list));
	for (size_t i = 0; i < sup->child_count; i++) {
		const struct child *other = sup->children[i];

		status.list[status.count++] = (struct msg_process){
			.name = mu_strdup(other->label),
			.pid = other->pid,
			.since_s = other->started_s,
			.restarts = other->restarts,
			.ready = other->ready,
		};
	}
	msg_status_encode(&status, &body);
	ipc_reply(c->control, OP_STATUS, id, &body, -1);
	msg_status_clear(&status);
}

static struct child *
child_new(struct supervisor *sup, struct crew_seat seat, const char *job)
{
	struct child *c = mu_alloc_zero(1, sizeof(*c));
	MU_AUTO(mu_buf_clear) struct mu_buf label = MU_BUF_INIT;

	c->sup = sup;
	c->seat = seat;
	c->job = mu_strdup(job);
	process_label(seat.kind, job == NULL ? seat.instance : job, seat.index, &label);
	c->label = mu_strdup(label.data);
	c->listen_fd = -1;
	c->admin_fd = -1;
	c->kill = mu_loop_timer(sup->loop, child_kill, c);
	sup->children = mu_alloc_again(sup->children, sup->child_count + 1, sizeof(struct child *));
	sup->children[sup->child_count++] = c;
	return c;
}

static void
child_free(struct child *c)
{
	mu_timer_free(c->again);
	mu_timer_free(c->kill);
	ipc_close(c->control);
	if (c->listen_fd >= 0)
		(void)close(c->listen_fd);
	if (c->admin_fd >= 0)
		(void)close(c->admin_fd);
	mu_free(c->label);
	mu_free(c->job);
	mu_free(c);
}

/* A number that no job has, JOBS_MAX when all are taken. */
static uint32_t
job_number(const struct supervisor *sup)
{
	bool taken[JOBS_MAX] = { false };
	uint32_t number = 0;

	for (size_t i = 0; i < sup->child_count; i++)
		if (sup->children[i]->job != NULL)
			taken[sup->children[i]->seat.index] = true;
	while (number < JOBS_MAX && taken[number])
		number++;
	return number;
}

/*
 * What a job is by the words of who asks: its kind, and what its process is to know of it. A dry run
 * is told the source, whose password it gets; all else is the business of `work`.
 */
static bool
job_seat(const struct settings *s, const char *job, const char *source, enum process_kind *out_kind,
    const char **out_instance)
{
	const struct settings_source *of;

	if (strcmp(job, "plan") == 0 && source[0] == '\0') {
		*out_kind = PROCESS_WORK;
		*out_instance = job;
		return true;
	}
	of = settings_source_find(s, source);
	if (strcmp(job, "dry-run") != 0 || of == NULL)
		return false;
	*out_kind = PROCESS_DRYRUN;
	*out_instance = of->name;
	return true;
}

static bool
job_take(struct child *c, struct ipc_message *m)
{
	MU_AUTO(mu_freep) char *job = ipc_get_text(&m->body);
	MU_AUTO(mu_freep) char *source = ipc_get_text(&m->body);
	struct crew_seat seat = { PROCESS_WORK, "", job_number(c->sup) };
	struct mu_err err = MU_ERR_INIT;
	const char *instance;

	if (!ipc_get_end(&m->body) ||
	    !job_seat(c->sup->settings, job, source, &seat.kind, &instance))
		return false;
	if (seat.index == JOBS_MAX || c->sup->stopping) {
		err.retry_after_ms = 1000;
		(void)mu_fail(
		    &err, MU_ERETRY, "%d jobs run already: wait for one to end", JOBS_MAX);
		ipc_reply_error(c->control, m->id, &err);
		return true;
	}
	ipc_reply(c->control, OP_JOB, m->id, NULL, -1);
	(void)child_new(c->sup, seat, instance);
	mu_timer_set(c->sup->jobs, 0);
	return true;
}

static void
control_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct child *c = ctx;
	bool good = true;

	if (m->fd >= 0)
		(void)close(m->fd);
	if (m->op == OP_READY) {
		good = ipc_get_end(&m->body);
		c->ready = good;
		ready_look(c->sup);
	} else if (m->op == OP_PEER_LOST) {
		good = peer_lost_take(c, m);
	} else if (m->op == OP_PUBLISH) {
		good = publish_take(c, m);
	} else if (m->op == OP_STATUS) {
		status_answer(c, m->id);
	} else {
		good = job_take(c, m);
	}
	if (!good)
		ipc_refuse(ch, m->op);
}

/* --- Starting ----------------------------------------------------------------------------- */

static bool
child_spawn(struct child *c, struct mu_err *err)
{
	struct supervisor *sup = c->sup;
	MU_AUTO(mu_buf_clear) struct mu_buf pid = MU_BUF_INIT;
	int fd;

	c->started_ms = mu_tick_ms();
	c->started_s = mu_now_s();
	if (spawn(c->seat.kind, &sup->users.kinds[c->seat.kind], &c->pid, &fd, err) != MU_OK)
		return false;
	c->control = ipc_open(
	    sup->loop, fd, c->label, child_may_send(c->seat.kind), control_request, control_end, c);
	mu_buf_format(&pid, "%d", c->pid);
	mu_log(c->restarts == 0 ? "process.started" : "process.restarted", "name", c->label, "pid",
	    pid.data, NULL);
	config_send(c);
	return secrets_send(c, err) == MU_OK;
}

static void
child_go(struct child *c)
{
	ipc_notify(c->control, OP_START, NULL, -1);
}

/* Starts one process while the others run. */
static void
child_start(struct child *c)
{
	struct mu_err err = MU_ERR_INIT;

	if (!child_spawn(c, &err)) {
		mu_log_err(&err, "process.failed", "name", c->label, NULL);
		if (c->pid != 0)
			(void)kill(c->pid, SIGKILL);	/* reaped, it comes again */
		else if (c->job == NULL)
			again_later(c);
		else
			child_ended(c);
		return;
	}
	for (size_t i = 0; i < c->sup->child_count; i++)
		peers_join(c, c->sup->children[i]);
	child_go(c);
}

/* Starts the jobs that were asked for. */
static void
jobs_start(void *ctx)
{
	struct supervisor *sup = ctx;

	for (size_t i = 0; i < sup->child_count; i++)
		if (sup->children[i]->job != NULL && sup->children[i]->started_s == 0)
			child_start(sup->children[i]);
}

static void
child_again(void *ctx)
{
	struct child *c = ctx;

	c->restarts++;
	child_start(c);
}

/* The first start: all are there before any of them is told to go, so nobody misses a peer. */
static enum mu_rc
children_start(struct supervisor *sup, struct mu_err *err)
{
	for (size_t i = 0; i < sup->child_count; i++)
		if (!child_spawn(sup->children[i], err))
			return mu_wrap(err, "%s", sup->children[i]->label);
	for (size_t i = 0; i < sup->child_count; i++)
		for (size_t j = i + 1; j < sup->child_count; j++)
			peers_join(sup->children[i], sup->children[j]);
	for (size_t i = 0; i < sup->child_count; i++)
		child_go(sup->children[i]);
	return MU_OK;
}

static enum mu_rc
listener_open(struct supervisor *sup, struct child *c, struct mu_err *err)
{
	const struct settings *s = sup->settings;

	if (c->seat.kind == PROCESS_TOKEN)
		return place_listen(&s->token, true, &c->listen_fd, err);
	if (c->seat.kind == PROCESS_CLAIM)
		return place_listen(&s->claim, false, &c->listen_fd, err);
	if (c->seat.kind != PROCESS_ADMIN)
		return MU_OK;
	if (s->admin.host != NULL && place_listen(&s->admin, false, &c->admin_fd, err) != MU_OK)
		return err->rc;
	return place_console(s, sup->users.kinds[PROCESS_ADMIN], &c->listen_fd, err);
}

static enum mu_rc
children_make(struct supervisor *sup, struct mu_err *err)
{
	size_t count;
	MU_AUTO(mu_freep) struct crew_seat *seats = crew_list(sup->settings, &count);

	for (size_t i = 0; i < count; i++) {
		struct child *c = child_new(sup, seats[i], NULL);

		c->again = mu_loop_timer(sup->loop, child_again, c);
		if (listener_open(sup, c, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

/* --- The private PostgreSQL --------------------------------------------------------------- */

static void
store_again(void *ctx)
{
	struct supervisor *sup = ctx;
	struct mu_err err = MU_ERR_INIT;

	if (sup->stopping)
		return;
	if (store_private_start(sup->store, &err) == MU_OK) {
		mu_log("process.restarted", "name", "store", NULL);
		sup->store_delay_ms = 0;
		return;
	}
	mu_log_err(&err, "process.failed", "name", "store", NULL);
	sup->store_delay_ms =
	    sup->store_delay_ms == 0 ? BACK_OFF_FIRST_MS : sup->store_delay_ms * 2;
	if (sup->store_delay_ms > BACK_OFF_LAST_MS)
		sup->store_delay_ms = BACK_OFF_LAST_MS;
	mu_timer_set(sup->store_again, sup->store_delay_ms);
}

static enum mu_rc
store_open_private(struct supervisor *sup, const char *socket_dir, struct mu_err *err)
{
	const struct store_private_config config = {
		.state_dir = sup->settings->state,
		.socket_dir = socket_dir,
		.uid = sup->users.store.uid,
		.gid = sup->users.store.gid,
	};
	int64_t applied;

	if (store_private_open(&config, &sup->store, err) != MU_OK ||
	    store_private_start(sup->store, err) != MU_OK ||
	    store_private_passwords_set(sup->store, &sup->logins, err) != MU_OK ||
	    store_migrate(store_private_conninfo(sup->store), &applied, err) != MU_OK)
		return mu_wrap(err, "the embedded store");
	mu_log("process.started", "name", "store", NULL);
	return MU_OK;
}

static enum mu_rc
store_make_ready(struct supervisor *sup, struct mu_err *err)
{
	const struct settings *s = sup->settings;
	MU_AUTO(mu_freep) char *socket_dir = place_path(s->run, "store");

	if (s->conninfo == NULL)
		return store_open_private(sup, socket_dir, err);
	return store_logins_read(s->conninfo, s->password_file, &sup->logins, err);
}

/* --- Signals and sweep -------------------------------------------------------------------- */

static void
reap(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (sup->store != NULL && pid == store_private_pid(sup->store)) {
			mu_log("process.ended", "name", "store", NULL);
			store_private_ended(sup->store);
			mu_timer_set(sup->store_again, BACK_OFF_FIRST_MS);
			continue;
		}
		for (size_t i = 0; i < sup->child_count; i++) {
			if (sup->children[i]->pid != pid)
				continue;
			child_reaped(sup->children[i], status);
			break;
		}
	}
}

static void
signalled(void *ctx, uint32_t events)
{
	struct supervisor *sup = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(sup->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop_begin(sup, EXIT_SUCCESS);
	reap(sup);
}

static void
stop_by_force(void *ctx)
{
	struct supervisor *sup = ctx;

	for (size_t i = 0; i < sup->child_count; i++) {
		if (sup->children[i]->pid == 0)
			continue;
		mu_log("process.killed", "name", sup->children[i]->label, NULL);
		(void)kill(sup->children[i]->pid, SIGKILL);
	}
}

/* Frees jobs that are over; when we stop and nobody is left, leaves the loop. */
static void
sweep(void *ctx)
{
	struct supervisor *sup = ctx;
	size_t kept = 0, living = 0;

	for (size_t i = 0; i < sup->child_count; i++) {
		struct child *c = sup->children[i];

		if (c->over) {
			child_free(c);
			continue;
		}
		living += c->pid != 0 || c->control != NULL;
		sup->children[kept++] = c;
	}
	sup->child_count = kept;
	if (sup->stopping && living == 0)
		mu_loop_stop(sup->loop, sup->status);
}

static enum mu_rc
signals_take(struct supervisor *sup, struct mu_err *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (sup->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return mu_fail_errno(err, MU_EBROKEN, "cannot take signals");
	(void)mu_loop_watch(sup->loop, sup->signal_fd, EPOLLIN, signalled, sup);
	return MU_OK;
}

/* --- Beginning and end -------------------------------------------------------------------- */

/* What stands for all that is started from here. */
static enum mu_rc
ourselves_prepare(struct mu_err *err)
{
	struct rlimit files;
	int null;

	if (sandbox_prepare(err) != MU_OK)
		return err->rc;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS_WANTED) {
		files.rlim_cur =
		    files.rlim_max < DESCRIPTORS_WANTED ? files.rlim_max : DESCRIPTORS_WANTED;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) != STDIN_FILENO || chdir("/") != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
		return mu_fail_errno(err, MU_EBROKEN, "cannot prepare to start processes");
	(void)close(null);
	(void)umask(077);
	return MU_OK;
}

static enum mu_rc
supervisor_open(struct supervisor *sup, const struct mu_buf *text, struct mu_err *err)
{
	const struct settings *s = sup->settings;

	if (ourselves_prepare(err) != MU_OK ||
	    crew_users_find(s->users, &sup->users, err) != MU_OK ||
	    place_open(s, &sup->users, &sup->lock_fd, err) != MU_OK ||
	    place_text("musterd.yaml", text, &sup->text_fd, err) != MU_OK ||
	    children_make(sup, err) != MU_OK || store_make_ready(sup, err) != MU_OK ||
	    signals_take(sup, err) != MU_OK)
		return err->rc;
	return MU_OK;
}

static void
supervisor_init(struct supervisor *sup)
{
	*sup = (struct supervisor){ .text_fd = -1, .lock_fd = -1, .signal_fd = -1 };
	sup->loop = mu_loop_new();
	sup->kill = mu_loop_timer(sup->loop, stop_by_force, sup);
	sup->sweep = mu_loop_timer(sup->loop, sweep, sup);
	sup->jobs = mu_loop_timer(sup->loop, jobs_start, sup);
	sup->store_again = mu_loop_timer(sup->loop, store_again, sup);
	sup->notify_socket = mu_strdup(getenv("NOTIFY_SOCKET"));
}

static void
supervisor_clear(struct supervisor *sup)
{
	for (size_t i = 0; i < sup->child_count; i++)
		child_free(sup->children[i]);
	mu_free(sup->children);
	store_private_close(sup->store);
	store_logins_clear(&sup->logins);
	settings_free(sup->settings);
	mu_loop_free(sup->loop);
	mu_free(sup->notify_socket);
	if (sup->text_fd >= 0)
		(void)close(sup->text_fd);
	if (sup->signal_fd >= 0)
		(void)close(sup->signal_fd);
	if (sup->lock_fd >= 0)
		(void)close(sup->lock_fd);
}

int
supervisor_run(const char *config_path)
{
	struct supervisor sup;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int status = EXIT_FAILURE;

	supervisor_init(&sup);
	spawn_environment_clean();
	sup.settings = check_settings(config_path, &text);
	if (sup.settings != NULL && supervisor_open(&sup, &text, &err) == MU_OK) {
		if (children_start(&sup, &err) != MU_OK) {
			mu_log_err(&err, "start.failed", NULL);
			stop_begin(&sup, EXIT_FAILURE);
		}
		status = mu_loop_run(sup.loop);
	} else if (err.rc != MU_OK) {
		mu_log_err(&err, "start.failed", NULL);
	}
	supervisor_clear(&sup);
	mu_log("stopped", NULL);
	return status;
}

static enum mu_rc
migrate(struct supervisor *sup, int64_t *out_applied, struct mu_err *err)
{
	const struct settings *s = sup->settings;

	if (s->conninfo != NULL)
		return store_migrate(s->conninfo, out_applied, err);
	*out_applied = 0;
	if (ourselves_prepare(err) != MU_OK ||
	    crew_users_find(s->users, &sup->users, err) != MU_OK ||
	    place_open(s, &sup->users, &sup->lock_fd, err) != MU_OK)
		return err->rc;
	return store_make_ready(sup, err);
}

int
supervisor_migrate(const char *config_path)
{
	struct supervisor sup;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t applied;
	int status = EXIT_FAILURE;

	supervisor_init(&sup);
	spawn_environment_clean();
	sup.settings = check_settings(config_path, &text);
	if (sup.settings != NULL && migrate(&sup, &applied, &err) == MU_OK) {
		(void)printf("the store is at version %lld\n", (long long)store_schema_version());
		status = EXIT_SUCCESS;
	} else if (err.rc != MU_OK) {
		(void)fprintf(stderr, "musterd: %s\n", err.text);
	}
	supervisor_clear(&sup);
	return status;
}
