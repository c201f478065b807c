/*
 * json/read.h - JSON from outside, read strictly (RFC 8259, RFC 7493)
 *
 * A text is one object or array in UTF-8, without NUL (nor \u0000), duplicate members, lone
 * surrogates or anything behind it, of bounded size and depth. Values are struct json_node, borrowed
 * from the root that json_parse made. A number is a whole one of 64 bits, or a double.
 *
 * json_find_... give NULL or false for what is not there or of another kind; json_get_... say what is
 * wrong. An object that is NULL has no members.
 */
#ifndef JSON_READ_H
#define JSON_READ_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64

struct json_node;

enum json_kind {
	JSON_KIND_NULL, JSON_KIND_BOOL, JSON_KIND_INT, JSON_KIND_DOUBLE, JSON_KIND_TEXT,
	JSON_KIND_LIST, JSON_KIND_OBJECT,
};

/*
 * what: names the text in errors: "request", "answer of xmpp".
 * MU_EINPUT  larger than max_bytes, or not such a text: err has line and column
 */
MU_CHECKED enum mu_rc json_parse(const char *text, size_t text_bytes, size_t max_bytes,
    const char *what, struct json_node **out_root, struct mu_err *err);
void json_free(struct json_node *root);			/* NULL is fine */
void json_freep(struct json_node **root);		/* for MU_AUTO */

enum json_kind json_kind(const struct json_node *n);
const char *json_kind_name(enum json_kind kind);	/* "text", "list", ... for errors */

size_t json_count(const struct json_node *n);		/* elements or members; else 0 */
const struct json_node *json_at(const struct json_node *list, size_t index);	/* NULL past the end */
const struct json_node *json_find(const struct json_node *object, const char *name);

/* Calls back for each member, in the order written, until fn returns false. */
typedef bool json_member_fn(void *ctx, const char *name, const struct json_node *value);
void json_each(const struct json_node *object, json_member_fn *fn, void *ctx);

/* The value itself: NULL or false if it is of another kind. */
const char *json_node_text(const struct json_node *n);
bool json_node_int(const struct json_node *n, int64_t *out_value);
bool json_node_bool(const struct json_node *n, bool *out_value);
bool json_node_double(const struct json_node *n, double *out_value);	/* JSON_KIND_DOUBLE alone */

const char *json_find_text(const struct json_node *object, const char *name);
bool json_find_int(const struct json_node *object, const char *name, int64_t *out_value);
bool json_find_bool(const struct json_node *object, const char *name, bool *out_value);

/* MU_EINPUT: the member is missing, of another kind, or out of bounds; err names it. */
MU_CHECKED enum mu_rc json_get_text(const struct json_node *object, const char *name, size_t max_bytes,
    const char **out_text, struct mu_err *err);
MU_CHECKED enum mu_rc json_get_int(const struct json_node *object, const char *name, int64_t min,
    int64_t max, int64_t *out_value, struct mu_err *err);
MU_CHECKED enum mu_rc json_get_bool(const struct json_node *object, const char *name, bool *out_value,
    struct mu_err *err);
MU_CHECKED enum mu_rc json_get_list(const struct json_node *object, const char *name,
    const struct json_node **out_list, struct mu_err *err);
MU_CHECKED enum mu_rc json_get_object(const struct json_node *object, const char *name,
    const struct json_node **out_object, struct mu_err *err);

/* MU_EINPUT: a member that names (ended by NULL) does not have; err names it. */
MU_CHECKED enum mu_rc json_only(const struct json_node *object, const char *const *names,
    struct mu_err *err);

#endif
