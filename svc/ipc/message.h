/*
 * ipc/message.h - every operation between processes: its struct, its encode and its decode
 *
 * encode appends to a buffer; decode reads the body to its end and fills the struct (owning what it
 * points to: call its clear) or returns false and leaves nothing to clear. Who may send what is in
 * proc/process.c.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "base/secret.h"
#include "base/uuid.h"
#include "ipc/ipc.h"
#include "model/account.h"
#include "model/step.h"

enum ipc_op {
	/* supervisor to child, before OP_START, and OP_PEER again whenever a peer was started anew */
	OP_CONFIG = 1,		/* fd: the configuration file's text in a sealed memfd; body: struct msg_config */
	OP_SECRET,		/* struct msg_named: "bind_password", "platform_password", ... */
	OP_STORE,		/* body text: conninfo with the role's password */
	OP_LISTEN,		/* fd; body text: "token", "claim", "console" */
	OP_PEER,		/* fd: our end; body: struct msg_peer */
	OP_START,		/* everything has been handed over */
	OP_STOP,		/* finish what is in hand and exit 0 */
	/* child to supervisor */
	OP_READY,		/* notice */
	OP_PEER_LOST,		/* notice, struct msg_peer: its channel ended and no new end came */
	OP_PUBLISH,		/* notice, struct msg_named: a public file for the state directory: "ca.crt" */
	OP_STATUS,		/* call by admin; answer: struct msg_status */
	OP_JOB,			/* call by admin, body texts: kind, source or ""; answer empty: OP_PEER to the job's process follows */
	/* to keys */
	OP_MINT = 32,		/* token; struct msg_mint -> struct msg_minted, same order and count */
	OP_JWKS,		/* token; empty -> text */
	OP_MAC,			/* cycle, admin; list of bytes -> list of 32-byte MACs (msg_list) */
	OP_SEAL_NEW,		/* provision; struct msg_seal -> bytes: sealed new password */
	OP_UNSEAL,		/* provision, claim; struct msg_seal with sealed -> bytes: the password */
	OP_RECEIPT_SIGN,	/* provision; bytes -> bytes: signature */
	OP_CHECKPOINT_SIGN,	/* audit; text: checkpoint body -> text: the signed note */
	OP_SERVER_ISSUE,	/* token, claim; msg_list of names -> msg_list: key PEM, chain PEM, CA PEM */
	OP_CLIENT_ISSUE,	/* admin; struct msg_named (name, CSR PEM) -> struct msg_issued */
	OP_MAC_CHECK,		/* cycle, admin; msg_list: bytes, MAC, bytes, MAC, ... -> bytes: 1 right, 0 wrong, each */
	OP_SEED_NEW,		/* admin; struct msg_code (ids alone) -> msg_list: sealed seed, its base32 text */
	OP_CODE_CHECK,		/* admin; struct msg_code -> i64: the step of the code, above last_step */
	OP_ADMIN_ISSUE,		/* admin; struct msg_named (session's UUID, CSR PEM) -> struct msg_issued: 8 h */
	/* to login */
	OP_LOGIN = 64,		/* claim, admin; struct msg_login -> u8: 1 yes, 0 no; error: cannot say */
	/* to adapter */
	OP_STEP = 80,		/* provision; struct step -> struct receipt */
	OP_LIST,		/* provision; text cursor ("" first) -> struct msg_page */
	OP_ABOUT,		/* provision; empty -> struct msg_about */
	/* work to admin */
	OP_JOB_OUTPUT = 96,	/* notice, text */
	OP_JOB_END,		/* notice, u8 exit status */
	/* admin to work */
	OP_JOB_FILE,		/* notice, struct msg_named: a piece of a file, in order: same name, same file */
	OP_JOB_GO,		/* notice, text: "text" or "json"; all files have been sent */
	/* work to admin, before OP_JOB_END */
	OP_JOB_RESULT,		/* notice, text: a piece of what came of it, as JSON */
};

struct msg_config { char *file_name, *instance; uint32_t index; };	/* instance: source or platform name */
void msg_config_encode(const struct msg_config *m, struct mu_buf *b);
bool msg_config_decode(struct ipc_reader *r, struct msg_config *out);
void msg_config_clear(struct msg_config *m);

struct msg_named { char *name; struct mu_secret bytes; };
void msg_named_encode(const struct msg_named *m, struct mu_buf *b);
bool msg_named_decode(struct ipc_reader *r, struct msg_named *out);
void msg_named_clear(struct msg_named *m);

struct msg_peer { uint8_t kind; char *instance; uint32_t index; };	/* kind: enum process_kind of proc/process.h */
void msg_peer_encode(const struct msg_peer *m, struct mu_buf *b);
bool msg_peer_decode(struct ipc_reader *r, struct msg_peer *out);
void msg_peer_clear(struct msg_peer *m);

struct msg_process { char *name; int64_t pid, since_s; uint32_t restarts; bool ready; };
struct msg_status { struct msg_process *list; size_t count; };
void msg_status_encode(const struct msg_status *m, struct mu_buf *b);
bool msg_status_decode(struct ipc_reader *r, struct msg_status *out);
void msg_status_clear(struct msg_status *m);

/* A list of byte strings (each owned, wiped by clear: it may hold keys). */
struct msg_list { struct mu_secret *list; size_t count; };
void msg_list_add(struct msg_list *m, const void *bytes, size_t bytes_count);
void msg_list_encode(const struct msg_list *m, struct mu_buf *b);
bool msg_list_decode(struct ipc_reader *r, struct msg_list *out);
void msg_list_clear(struct msg_list *m);

#define MINT_BATCH_MAX 32
struct mint_one { struct account_want account; unsigned char mac[MAC_BYTES]; };
struct msg_mint { char *platform; uint32_t ttl_s; struct mint_one list[MINT_BATCH_MAX]; size_t count; };
void msg_mint_encode(const struct msg_mint *m, struct mu_buf *b);
bool msg_mint_decode(struct ipc_reader *r, struct msg_mint *out);
void msg_mint_clear(struct msg_mint *m);

struct minted_one { enum mu_rc rc; char *token; };	/* token "" unless MU_OK */
struct msg_minted { struct minted_one list[MINT_BATCH_MAX]; size_t count; };
void msg_minted_encode(const struct msg_minted *m, struct mu_buf *b);
bool msg_minted_decode(struct ipc_reader *r, struct msg_minted *out);
void msg_minted_clear(struct msg_minted *m);

struct msg_seal { struct mu_uuid account_id, credential_id; struct mu_secret sealed; };
void msg_seal_encode(const struct msg_seal *m, struct mu_buf *b);
bool msg_seal_decode(struct ipc_reader *r, struct msg_seal *out);
void msg_seal_clear(struct msg_seal *m);

/*
 * One code of one administrator. keys evaluates at most five failures of a seed in ten minutes: then
 * it answers MU_ERETRY with retry_after_ms. MU_EINPUT: not six digits. MU_EDENIED: wrong or used.
 */
struct msg_code {
	struct mu_uuid seed_id, person_id;
	struct mu_secret sealed, code;	/* the sealed seed */
	int64_t last_step;		/* of the last code accepted: only a later one will do */
};
void msg_code_encode(const struct msg_code *m, struct mu_buf *b);
bool msg_code_decode(struct ipc_reader *r, struct msg_code *out);
void msg_code_clear(struct msg_code *m);

struct msg_issued { char *certificate; unsigned char fingerprint[32]; int64_t not_after_s; };
void msg_issued_encode(const struct msg_issued *m, struct mu_buf *b);
bool msg_issued_decode(struct ipc_reader *r, struct msg_issued *out);
void msg_issued_clear(struct msg_issued *m);

struct msg_login { char *source, *dn; struct mu_secret password; };
void msg_login_encode(const struct msg_login *m, struct mu_buf *b);
bool msg_login_decode(struct ipc_reader *r, struct msg_login *out);
void msg_login_clear(struct msg_login *m);

void step_encode(const struct step *s, struct mu_buf *b);
bool step_decode(struct ipc_reader *r, struct step *out);
void receipt_encode(const struct receipt *x, struct mu_buf *b);
bool receipt_decode(struct ipc_reader *r, struct receipt *out);

struct msg_page_row { char *name; struct observed seen; };
struct msg_page { struct msg_page_row *list; size_t count; char *next; bool complete; uint8_t outcome; char *text; };
void msg_page_encode(const struct msg_page *m, struct mu_buf *b);
bool msg_page_decode(struct ipc_reader *r, struct msg_page *out);
void msg_page_clear(struct msg_page *m);

struct msg_about { char *adapter; uint32_t can, steps; };	/* can: ADAPTER_CAN_...; steps: bit per step_kind */
void msg_about_encode(const struct msg_about *m, struct mu_buf *b);
bool msg_about_decode(struct ipc_reader *r, struct msg_about *out);
void msg_about_clear(struct msg_about *m);

#endif
