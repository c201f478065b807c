/*
 * proc/process.h - what every process of musterd is, and how it comes into being
 *
 * The supervisor executes /proc/self/exe anew as "musterd --process KIND", already as that
 * process's own user when it was started as root, with the control channel on descriptor 3. The
 * child takes its name (mu-keys, ...) and is handed configuration, secrets, conninfo, listener and
 * peers over that channel (ipc/message.h) until OP_START; then it opens its rooms, closes the
 * sandbox, sends OP_READY and lives in its loop. Peers come and go: whenever one is started anew,
 * OP_PEER brings the new end. Nothing is in its environment but PATH, LANG and TZ.
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
	PROCESS_DRYRUN,
};
#define PROCESS_KIND_COUNT (PROCESS_DRYRUN + 1)

const char *process_kind_name(enum process_kind kind);	/* "keys", ... */
bool process_kind_parse(const char *name, enum process_kind *out_kind);
bool process_is_job(enum process_kind kind);	/* started when asked for, ended with its job */

/* "keys", "adapter/xmpp", "token/1": as it stands in logs. */
void process_label(enum process_kind kind, const char *instance, uint32_t index, struct mu_buf *b);

#define PROCESS_PEERS_MAX 96		/* keys: all token processes, cycles, and four more */

/* How a child ends when only the operator can help; the first start is then given up. */
#define PROCESS_EXIT_CONFIG 78		/* sysexits.h EX_CONFIG */

struct process_peer {
	enum process_kind kind;
	char *instance;			/* platform, source or job name, "" */
	uint32_t index;
	struct ipc_channel *channel;	/* NULL while the peer is away */
};

/* One per process, made by process_main; what was handed over until OP_START. */
struct process {
	enum process_kind kind;
	struct mu_loop *loop;
	struct ipc_channel *control;
	const struct settings *settings;
	char *instance;			/* this process's source, platform or job name, "" */
	uint32_t index;			/* which token process; which cycle, 0 is the first source's */
	char *conninfo;			/* "" when it has no store; holds the role's password */
	struct process_peer peers[PROCESS_PEERS_MAX];
	size_t peer_count;
	int listen_fd;			/* -1 when it listens nowhere; whoever takes it leaves -1 */
	int admin_fd;			/* the same: admin's TLS listener, beside the console's listen_fd */
	void *own;			/* the process's own state, set by its open() */
};

/* A process: one file in proc/, one row in proc/process.c's table. */
struct process_row {
	enum process_kind kind;

	/*
	 * Opens its rooms: files, sockets, connections that the sandbox would forbid. MU_ECONFIG
	 * ends the process with PROCESS_EXIT_CONFIG; after any other failure it is started again.
	 */
	enum mu_rc (*open)(struct process *p, struct mu_err *err);
	/*
	 * Only what process_may_ask says, and never before open() has succeeded. A payload that
	 * is malformed: ipc_refuse(from->channel, m->op). NULL: nobody asks this process anything.
	 */
	void (*request)(struct process *p, struct process_peer *from, struct ipc_message *m);
	/* From the loop: for each peer there is after open(), then each new end. May be NULL. */
	void (*peer_up)(struct process *p, struct process_peer *peer);
	void (*stop)(struct process *p);	/* OP_STOP: NULL leaves the loop at once */
};

/*
 * Who may ask what of whom: the operations that from may send to to, ended by 0; none if the two
 * have no channel. The table in proc/process.c is also who has a channel to whom: nobody else.
 */
const uint16_t *process_may_ask(enum process_kind from, enum process_kind to);
bool process_are_peers(enum process_kind a, enum process_kind b);

/*
 * A secret handed over by name; NULL when there is none. Borrowed; wipe with process_secret_drop.
 *
 *	bind_password		cycle, dryrun: its source's
 *	platform_password	adapter: its platform's
 *	policy/NAME.yaml	cycle: the files of the policies folder, to seed an empty store; handed
 *				over in pieces, and put together again
 *	csr/NAME		admin: certificate request of the configured client NAME
 */
#define PROCESS_SECRET_POLICY	"policy/"
const struct mu_secret *process_secret(const struct process *p, const char *name);
void process_secret_drop(struct process *p, const char *name);

/* The index-th secret whose name begins with prefix; *out_name is the rest. NULL past the end. */
const struct mu_secret *process_secret_at(const struct process *p, const char *prefix, size_t index,
    const char **out_name);

/* The peer of that kind (and instance, NULL for any); NULL: has none. channel may be NULL. */
struct process_peer *process_peer_find(struct process *p, enum process_kind kind,
    const char *instance);

/*
 * For open(): asks keys and waits for it to be there, before the loop runs; at most 30 s. out_body
 * owns the answer. MU_ERETRY when keys is away.
 */
MU_CHECKED enum mu_rc process_keys_ask(struct process *p, uint16_t op, const struct mu_buf *body,
    struct mu_buf *out_body, struct mu_err *err);

/* OP_PUBLISH: hands a public file to the supervisor for the state directory. */
void process_publish(struct process *p, const char *name, const char *content);

/* The adapters' tables of settings, for settings_parse. */
const struct config_key *process_adapter_keys(size_t index, const char **out_name);

/* main() of a child; returns its exit status. */
int process_main(enum process_kind kind);

extern const struct process_row process_keys, process_cycle, process_login, process_provision,
    process_adapter, process_audit, process_token, process_admin, process_claim, process_work,
    process_dryrun;

#endif
