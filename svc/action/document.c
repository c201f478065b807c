/*
 * action/document.c - requests read strictly, and the canonical document whose digest is signed for
 */
#include "action/action_priv.h"

#include "base/clock.h"
#include "base/text.h"
#include "config/yaml.h"
#include "crypto/cert.h"

#include <stdio.h>
#include <string.h>

#define ARG_TEXT_MAX_BYTES	200
#define ARG_NAME_MAX_BYTES	64

enum arg_type { TYPE_TEXT, TYPE_PEM, TYPE_INT, TYPE_TIME, TYPE_FILES, TYPE_IDS };

static const struct {
	const char *name;
	enum arg_type type;
	size_t max_bytes;
} args_known[ARG_COUNT] = {
	[ARG_BASE] = { "base", TYPE_INT, 0 },
	[ARG_CERTIFICATE] = { "certificate", TYPE_PEM, CRYPTO_CERT_MAX_BYTES },
	[ARG_CSR] = { "csr", TYPE_PEM, CRYPTO_CERT_MAX_BYTES },
	[ARG_EVIDENCE] = { "evidence", TYPE_TEXT, ARG_TEXT_MAX_BYTES },
	[ARG_FILES] = { "files", TYPE_FILES, POLICY_FILES_MAX_BYTES },
	[ARG_GRANTS] = { "grants", TYPE_IDS, 0 },
	[ARG_LEVEL] = { "level", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_METHOD] = { "method", TYPE_TEXT, ARG_TEXT_MAX_BYTES },
	[ARG_NAME] = { "name", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_OUTCOME] = { "outcome", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_PLATFORM] = { "platform", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_ROLE] = { "role", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_SOURCE] = { "source", TYPE_TEXT, ARG_NAME_MAX_BYTES },
	[ARG_UNTIL] = { "until", TYPE_TIME, 0 },
};

static void
args_clear(struct action_args *a)
{
	for (size_t i = 0; i < ARG_COUNT; i++)
		mu_free(a->text[i]);
	for (size_t i = 0; i < a->file_count; i++) {
		mu_free(a->files[i].name);
		mu_free(a->files[i].content);
	}
	mu_free(a->files);
	mu_free(a->grants);
	*a = (struct action_args){ .given = 0 };
}

void
action_request_clear(struct action_request *r)
{
	args_clear(&r->args);
	mu_free(r->reason);
	for (size_t i = 0; i < r->target_count; i++)
		mu_free(r->targets[i]);
	mu_free(r->targets);
	*r = (struct action_request){ .target_count = 0 };
}

void
action_document_clear(struct action_document *d)
{
	args_clear(&d->args);
	mu_free(d->reason);
	mu_free(d->targets);
	*d = (struct action_document){ .target_count = 0 };
}

/* --- Text ------------------------------------------------------------------------------------- */

/*
 * Does what begins here (well-formed UTF-8) show as itself? Control characters do not, nor do the
 * marks that turn the direction of what follows: an approver is to read what the asker wrote.
 */
static bool
shows(const unsigned char *at)
{
	if (at[0] < 0x20 || at[0] == 0x7f)
		return false;
	if (at[0] == 0xc2 && at[1] < 0xa0)			/* U+0080 to U+009F */
		return false;
	if (at[0] == 0xe2 && at[1] == 0x80 && ((at[2] >= 0x8e && at[2] <= 0x8f) ||
	    (at[2] >= 0xa8 && at[2] <= 0xae)))	/* U+200E, U+200F, U+2028 to U+202E */
		return false;
	/* U+2066 to U+2069 */
	return !(at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
}

enum mu_rc
action_text_check(const char *text, const char *name, size_t max_bytes, struct mu_err *err)
{
	size_t bytes = strlen(text);

	if (bytes > max_bytes)
		return mu_fail(err, MU_EINPUT, "%s: %zu bytes, at most %zu", name, bytes,
		    max_bytes);
	if (!mu_utf8_valid(text, bytes))
		return mu_fail(err, MU_EINPUT, "%s: not UTF-8", name);
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 &&
		    !shows((const unsigned char *)text + i))
			return mu_fail(err, MU_EINPUT, "%s: a control character at byte %zu", name,
			    i + 1);
	if (strspn(text, " ") == bytes)
		return mu_fail(err, MU_EINPUT, "%s: empty", name);
	return MU_OK;
}

static enum mu_rc
pem_check(const char *text, const char *name, size_t max_bytes, struct mu_err *err)
{
	if (text[0] == '\0' || strlen(text) > max_bytes)
		return mu_fail(err, MU_EINPUT, "%s: PEM text of 1 to %zu bytes is wanted", name,
		    max_bytes);
	for (const char *at = text; *at != '\0'; at++)
		if ((*at < 0x20 && strchr("\t\r\n", *at) == NULL) || *at >= 0x7f)
			return mu_fail(err, MU_EINPUT, "%s: not PEM text", name);
	if (strstr(text, "PRIVATE KEY") != NULL)
		return mu_fail(err, MU_EINPUT, "%s: this holds a private key, which is nobody"
		    " else's business: send the request or the certificate alone, and make a new"
		    " key", name);
	return MU_OK;
}

/* --- Arguments -------------------------------------------------------------------------------- */

static bool
file_name_valid(const char *name)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789._-";
	size_t bytes = strlen(name);

	return bytes > 5 && bytes <= ARG_NAME_MAX_BYTES && strspn(name, all) == bytes &&
	    name[0] != '.' && strcmp(name + bytes - 5, ".yaml") == 0;
}

struct files_reading {
	struct action_args *args;
	struct mu_err *err;
	size_t bytes;
};

/* Keeps them by name. */
static bool
file_take(void *ctx, const char *name, const struct json_node *value)
{
	struct files_reading *r = ctx;
	struct action_args *a = r->args;
	const char *content = json_node_text(value);
	size_t at = a->file_count;

	if (!file_name_valid(name)) {
		(void)mu_fail(r->err, MU_EINPUT, "args.files: \"%.64s\" is no name of a policy's"
		    " file: letters, digits, '.', '_' and '-', ended by .yaml", name);
		return false;
	}
	if (content == NULL || r->bytes + strlen(content) > POLICY_FILES_MAX_BYTES) {
		(void)mu_fail(r->err, MU_EINPUT, "args.files: %s: text is wanted, of at most %u"
		    " bytes with the others", name, POLICY_FILES_MAX_BYTES);
		return false;
	}
	for (; at > 0 && strcmp(a->files[at - 1].name, name) > 0; at--)
		a->files[at] = a->files[at - 1];
	a->files[at] = (struct policy_file){ mu_strdup(name), mu_strdup(content) };
	a->file_count++;
	r->bytes += strlen(content);
	return true;
}

static enum mu_rc
files_read(const struct json_node *n, struct action_args *a, struct mu_err *err)
{
	struct files_reading reading = { a, err, 0 };

	if (json_kind(n) != JSON_KIND_OBJECT || json_count(n) == 0 ||
	    json_count(n) > POLICY_FILES_MAX)
		return mu_fail(err, MU_EINPUT, "args.files: an object of 1 to %d files is wanted",
		    POLICY_FILES_MAX);
	a->files = mu_alloc_zero(json_count(n), sizeof(*a->files));
	json_each(n, file_take, &reading);
	return a->file_count == json_count(n) ? MU_OK : err->rc;
}

/* In order and each once, so that the same grants are the same document. */
static enum mu_rc
ids_read(const struct json_node *n, struct action_args *a, struct mu_err *err)
{
	size_t count = json_count(n);

	if (json_kind(n) != JSON_KIND_LIST || count == 0 || count > ACTION_TARGETS_MAX)
		return mu_fail(err, MU_EINPUT, "args.grants: a list of 1 to %d ids is wanted",
		    ACTION_TARGETS_MAX);
	a->grants = mu_alloc_zero(count, sizeof(*a->grants));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_node_text(json_at(n, i));

		if (text == NULL || !mu_uuid_parse(text, &a->grants[i]))
			return mu_fail(err, MU_EINPUT, "args.grants[%zu]: an id is wanted, as"
			    " muster review list shows it", i);
	}
	a->grant_count = action_uuids_unique(a->grants, count);
	return MU_OK;
}

static enum mu_rc
arg_read(const struct json_node *n, enum action_arg arg, struct action_args *a, struct mu_err *err)
{
	const char *name = args_known[arg].name, *text = json_node_text(n);
	char place[32];

	(void)snprintf(place, sizeof(place), "args.%s", name);
	switch (args_known[arg].type) {
	case TYPE_INT:
		if (!json_node_int(n, &a->base) || a->base < 0 || a->base > JSON_INT_MAX)
			return mu_fail(err, MU_EINPUT, "%s: a whole number from 0 is wanted",
			    place);
		return MU_OK;
	case TYPE_FILES:
		return files_read(n, a, err);
	case TYPE_IDS:
		return ids_read(n, a, err);
	case TYPE_TIME:
		if (text == NULL || !mu_time_parse(text, &a->until_s) || a->until_s <= 0)
			return mu_fail(err, MU_EINPUT, "%s: a time with its zone is wanted:"
			    " \"2026-11-21T18:00:00Z\"", place);
		return MU_OK;
	case TYPE_TEXT: case TYPE_PEM:
		if (text == NULL)
			return mu_fail(err, MU_EINPUT, "%s: a text is wanted", place);
		if ((args_known[arg].type == TYPE_TEXT ?
		    action_text_check(text, place, args_known[arg].max_bytes, err) :
		    pem_check(text, place, args_known[arg].max_bytes, err)) != MU_OK)
			return err->rc;
		mu_free(a->text[arg]);
		a->text[arg] = mu_strdup(text);
		return MU_OK;
	}
	return MU_OK;
}

/* n may be NULL: no arguments were given. */
static enum mu_rc
args_read(const struct json_node *n, enum action_kind kind, struct action_args *a,
    struct mu_err *err)
{
	const struct action_row *row = action_row(kind);
	const char *names[ARG_COUNT + 1] = { NULL };
	size_t count = 0;

	for (size_t i = 0; i < ARG_COUNT; i++) {
		a->text[i] = mu_strdup("");
		if (((row->needs | row->may) & ARG(i)) != 0)
			names[count++] = args_known[i].name;
	}
	if (n != NULL && json_kind(n) != JSON_KIND_OBJECT)
		return mu_fail(err, MU_EINPUT, "args: an object is wanted");
	if (n != NULL && json_only(n, names, err) != MU_OK)
		return mu_wrap(err, "args of %s", action_kind_name(kind));
	for (unsigned int i = 0; i < ARG_COUNT; i++) {
		const struct json_node *value = json_find(n, args_known[i].name);

		if (value == NULL && (row->needs & ARG(i)) != 0)
			return mu_fail(err, MU_EINPUT, "args.%s is missing: %s needs it",
			    args_known[i].name, action_kind_name(kind));
		if (value == NULL)
			continue;
		if (arg_read(value, (enum action_arg)i, a, err) != MU_OK)
			return err->rc;
		a->given |= ARG(i);
	}
	return MU_OK;
}

static void
args_write(const struct action_args *a, struct json_writer *w)
{
	json_object_begin(w, "args");
	for (size_t i = 0; i < ARG_COUNT; i++) {
		const char *name = args_known[i].name;

		if ((a->given & ARG(i)) == 0)
			continue;
		switch (args_known[i].type) {
		case TYPE_INT:
			json_int(w, name, a->base);
			break;
		case TYPE_TIME:
			json_time(w, name, a->until_s);
			break;
		case TYPE_FILES:
			json_object_begin(w, name);
			for (size_t k = 0; k < a->file_count; k++)
				json_text(w, a->files[k].name, a->files[k].content);
			json_object_end(w);
			break;
		case TYPE_IDS:
			json_list_begin(w, name);
			for (size_t k = 0; k < a->grant_count; k++)
				json_uuid(w, NULL, &a->grants[k]);
			json_list_end(w);
			break;
		case TYPE_TEXT: case TYPE_PEM:
			json_text(w, name, a->text[i]);
			break;
		}
	}
	json_object_end(w);
}

static void
args_copy(struct action_args *to, const struct action_args *from)
{
	*to = (struct action_args){ .given = from->given, .base = from->base,
	    .until_s = from->until_s, .file_count = from->file_count,
	    .grant_count = from->grant_count };
	for (size_t i = 0; i < ARG_COUNT; i++)
		to->text[i] = mu_strdup(from->text[i]);
	to->files = mu_alloc_zero(from->file_count, sizeof(*to->files));
	for (size_t i = 0; i < from->file_count; i++)
		to->files[i] = (struct policy_file){ mu_strdup(from->files[i].name),
		    mu_strdup(from->files[i].content) };
	to->grants = mu_alloc_zero(from->grant_count, sizeof(*to->grants));
	for (size_t i = 0; i < from->grant_count; i++)
		to->grants[i] = from->grants[i];
}

/* --- Requests --------------------------------------------------------------------------------- */

static enum mu_rc
kind_read(const struct json_node *n, enum action_kind *out_kind, struct mu_err *err)
{
	const char *name;
	struct config_near near;

	if (json_get_text(n, "action", ARG_NAME_MAX_BYTES, &name, err) != MU_OK)
		return err->rc;
	if (action_kind_parse(name, out_kind))
		return MU_OK;
	config_near_init(&near, name);
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++)
		config_near_offer(&near, action_kind_name((enum action_kind)i));
	if (near.best != NULL)
		return mu_fail(err, MU_EINPUT, "action: unknown; did you mean %s?", near.best);
	return mu_fail(err, MU_EINPUT, "action: unknown");
}

static enum mu_rc
targets_read(const struct json_node *n, struct action_request *r, struct mu_err *err)
{
	const struct json_node *list = json_find(n, "targets");
	enum action_about about = action_row(r->kind)->about;
	const char *name = action_kind_name(r->kind);
	size_t count = json_count(list);

	if (list != NULL && json_kind(list) != JSON_KIND_LIST)
		return mu_fail(err, MU_EINPUT, "targets: a list is wanted");
	if (about != ABOUT_ONE && about != ABOUT_PEOPLE && count > 0)
		return mu_fail(err, MU_EINPUT, "targets: %s takes none", name);
	if ((about == ABOUT_ONE || about == ABOUT_PEOPLE) && count == 0)
		return mu_fail(err, MU_EINPUT, "targets: %s needs to know for whom", name);
	if (about == ABOUT_ONE && count > 1)
		return mu_fail(err, MU_EINPUT, "targets: %s is for one person at a time", name);
	if (count > ACTION_TARGETS_MAX)
		return mu_fail(err, MU_EINPUT, "targets: %zu, at most %d in one action", count,
		    ACTION_TARGETS_MAX);
	r->targets = mu_alloc_zero(count, sizeof(*r->targets));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_node_text(json_at(list, i));
		char place[40];

		(void)snprintf(place, sizeof(place), "targets[%zu]", i);
		if (text == NULL)
			return mu_fail(err, MU_EINPUT, "%s: a text is wanted", place);
		if (action_text_check(text, place, ACTION_GIVEN_MAX_BYTES, err) != MU_OK)
			return err->rc;
		r->targets[r->target_count++] = mu_strdup(text);
	}
	return MU_OK;
}

static enum mu_rc
request_read(const struct json_node *n, struct action_request *r, struct mu_err *err)
{
	static const char *const names[] = { "action", "args", "reason", "targets", NULL };
	const char *reason;

	if (json_only(n, names, err) != MU_OK ||
	    json_get_text(n, "reason", ACTION_REASON_MAX_BYTES, &reason, err) != MU_OK ||
	    action_text_check(reason, "reason", ACTION_REASON_MAX_BYTES, err) != MU_OK ||
	    args_read(json_find(n, "args"), r->kind, &r->args, err) != MU_OK ||
	    targets_read(n, r, err) != MU_OK)
		return err->rc;
	r->reason = mu_strdup(reason);
	return MU_OK;
}

enum mu_rc
action_request_parse(const struct json_node *n, enum action_kind *out_kind, bool *out_known,
    struct action_request *out_request, struct mu_err *err)
{
	struct action_request r = { .target_count = 0 };

	*out_known = false;
	if (json_kind(n) != JSON_KIND_OBJECT)
		return mu_fail(err, MU_EINPUT, "request: an object is wanted");
	if (kind_read(n, &r.kind, err) != MU_OK)
		return err->rc;
	*out_kind = r.kind;
	*out_known = true;
	if (request_read(n, &r, err) != MU_OK) {
		action_request_clear(&r);
		return err->rc;
	}
	*out_request = r;
	return MU_OK;
}

/* --- Documents -------------------------------------------------------------------------------- */

void
action_document_begin(const struct action_request *r, const struct mu_uuid *requester,
    struct action_document *out)
{
	*out = (struct action_document){ .kind = r->kind, .requester = *requester };
	args_copy(&out->args, &r->args);
	mu_uuid_new(&out->id);
	out->reason = mu_strdup(r->reason);
}

void
action_document_format(const struct action_document *d, struct mu_buf *b)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_text(&w, "action", action_kind_name(d->kind));
	args_write(&d->args, &w);
	json_uuid(&w, "id", &d->id);
	json_text(&w, "reason", d->reason);
	json_uuid(&w, "requester", &d->requester);
	json_list_begin(&w, "targets");
	for (size_t i = 0; i < d->target_count; i++)
		json_uuid(&w, NULL, &d->targets[i]);
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
}

static enum mu_rc
document_read(const struct json_node *n, struct action_document *d, struct mu_err *err)
{
	static const char *const names[] = { "action", "args", "id", "reason", "requester",
	    "targets", NULL };
	const struct json_node *list;
	const char *reason, *id, *requester;

	if (json_only(n, names, err) != MU_OK || kind_read(n, &d->kind, err) != MU_OK ||
	    json_get_text(n, "reason", ACTION_REASON_MAX_BYTES, &reason, err) != MU_OK ||
	    json_get_text(n, "id", MU_UUID_TEXT_BYTES, &id, err) != MU_OK ||
	    json_get_text(n, "requester", MU_UUID_TEXT_BYTES, &requester, err) != MU_OK ||
	    json_get_list(n, "targets", &list, err) != MU_OK ||
	    args_read(json_find(n, "args"), d->kind, &d->args, err) != MU_OK)
		return err->rc;
	if (!mu_uuid_parse(id, &d->id) || !mu_uuid_parse(requester, &d->requester) ||
	    json_count(list) > ACTION_HELD_MAX)
		return mu_fail(err, MU_EINPUT, "id, requester or targets");
	d->reason = mu_strdup(reason);
	d->targets = mu_alloc_zero(json_count(list), sizeof(*d->targets));
	for (; d->target_count < json_count(list); d->target_count++) {
		const char *text = json_node_text(json_at(list, d->target_count));

		if (text == NULL || !mu_uuid_parse(text, &d->targets[d->target_count]))
			return mu_fail(err, MU_EINPUT, "targets[%zu]", d->target_count);
	}
	return MU_OK;
}

enum mu_rc
action_document_parse(const char *text, struct action_document *out_document, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct action_document d = { .target_count = 0 };

	if (json_parse(text, strlen(text), ACTION_DOCUMENT_MAX_BYTES, "document", &root,
	    err) != MU_OK || document_read(root, &d, err) != MU_OK) {
		action_document_clear(&d);
		err->rc = MU_EBROKEN;
		return mu_wrap(err, "an action's document in the store");
	}
	*out_document = d;
	return MU_OK;
}
