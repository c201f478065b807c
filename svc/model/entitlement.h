/*
 * model/entitlement.h - rights on one platform: groups, rooms with a level, power
 *
 * A sorted set. Canonical text, one a line: "group all-staff", "room ops moderator", "level admin";
 * it is what stands in the store, travels between processes and is MACed. Names hold no blank and
 * no control character. A room stands once: where two roles give it, the policy room keeps the
 * level that stands higher before it adds it here.
 */
#ifndef MODEL_ENTITLEMENT_H
#define MODEL_ENTITLEMENT_H

#include "base/buf.h"

#include <stdbool.h>

#define ENTITLEMENT_NAME_MAX_BYTES 255

enum entitlement_kind {
	ENTITLEMENT_GROUP,	/* name */
	ENTITLEMENT_ROOM,	/* name, level: "member", "moderator", "admin", "owner" */
	ENTITLEMENT_LEVEL,	/* power over the platform itself: name is "admin", ... */
};

struct entitlement {
	enum entitlement_kind kind;
	char *name;
	char *level;		/* "" but for rooms */
};

struct entitlements {
	struct entitlement *list;
	size_t count;
};

#define ENTITLEMENTS_INIT { NULL, 0 }

void entitlements_clear(struct entitlements *e);

/* A second add of the same kind and name replaces the level. */
void entitlements_add(struct entitlements *e, enum entitlement_kind kind, const char *name,
    const char *level);
const struct entitlement *entitlements_find(const struct entitlements *e, enum entitlement_kind kind,
    const char *name);
bool entitlements_equal(const struct entitlements *a, const struct entitlements *b);
void entitlements_format(const struct entitlements *e, struct mu_buf *b);

/* false (out untouched) unless it is canonical text. */
bool entitlements_parse(const char *text, struct entitlements *out_entitlements);

/* May this be the name of a group or room: 1 to 255 bytes of UTF-8, no blank, no control. */
bool entitlement_name_valid(const char *name);

#endif
