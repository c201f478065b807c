/*
 * proc/process.h - what every process of musterd is, and how it comes into being
 *
 * The supervisor executes /proc/self/exe anew as "musterd --process KIND" with its control channel
 * on descriptor 3. The child gives up root for its own user, takes its name (mu-keys, ...), and is
 * handed configuration, secrets, conninfo, listeners and peers over that channel (ipc/message.h)
 * until OP_START; then it opens its rooms, closes the sandbox, sends OP_READY and lives in its loop.
 * Peers come and go: whenever one is started anew, OP_PEER brings the new end.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include "base/err.h"
#include "base/loop.h"
#include "base/secret.h"
#include "config/settings.h"
#include "ipc/message.h"

enum process_kind {
	PROCESS_SUPERVISOR, PROCESS_KEYS, PROCESS_CYCLE, PROCESS_LOGIN, PROCESS_PROVISION,
	PROCESS_ADAPTER, PROCESS_AUDIT, PROCESS_TOKEN, PROCESS_ADMIN, PROCESS_CLAIM, PROCESS_WORK,
};
#define PROCESS_KIND_COUNT (PROCESS_WORK + 1)

const char *process_kind_name(enum process_kind kind);	/* "keys", ... */

#define PROCESS_PEERS_MAX 64

struct process_peer {
	enum process_kind kind;
	char *instance;			/* platform or source name, "" */
	uint32_t index;
	struct ipc_channel *channel;	/* NULL while the peer is away */
};

/* One per process, made by process_main; what was handed over until OP_START. */
struct process {
	enum process_kind kind;
	struct mu_loop *loop;
	struct ipc_channel *control;
	const struct settings *settings;
	char *instance;			/* this process's source or platform name, "" */
	uint32_t index;			/* which token process */
	char *conninfo;			/* "" when it has no store; holds the role's password */
	struct process_peer peers[PROCESS_PEERS_MAX];
	size_t peer_count;
	int listen_fd;			/* -1 when it listens nowhere */
	void *own;			/* the process's own state, set by its open() */
};

/* A process: one file in proc/, one row in proc/process.c's table. */
struct process_row {
	enum process_kind kind;
	const uint16_t *peer_may_send;	/* operations its peers may send it, ended by 0 */

	/* Opens its rooms: files, sockets, connections that the sandbox would forbid. */
	enum mu_rc (*open)(struct process *p, struct mu_err *err);
	void (*request)(struct process *p, struct process_peer *from, struct ipc_message *m);
	void (*peer_up)(struct process *p, struct process_peer *peer);	/* NULL: nothing to do */
	void (*stop)(struct process *p);	/* OP_STOP: NULL leaves the loop at once */
};

/* A secret handed over by name; NULL when there is none. Borrowed; wipe with process_secret_drop. */
const struct mu_secret *process_secret(const struct process *p, const char *name);
void process_secret_drop(struct process *p, const char *name);

/* The peer of that kind (and instance, NULL for any); NULL when it has none. channel may be NULL. */
struct process_peer *process_peer_find(struct process *p, enum process_kind kind, const char *instance);

/* For open(): ask keys and wait, before the loop runs. MU_ERETRY when keys is away. */
MU_CHECKED enum mu_rc process_keys_ask(struct process *p, uint16_t op, const struct mu_buf *body,
    struct mu_buf *out_body, struct mu_err *err);

/* main() of a child; returns its exit status. */
int process_main(enum process_kind kind);

extern const struct process_row process_keys, process_cycle, process_login, process_provision,
    process_adapter, process_audit, process_token, process_admin, process_claim, process_work;

#endif
