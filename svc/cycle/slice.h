/*
 * cycle/slice.h - what came from a directory and is to be committed together
 */
#ifndef CYCLE_SLICE_H
#define CYCLE_SLICE_H

#include "crypto/digest.h"
#include "directory/directory.h"

/* A person's entry, kept until the slice ends. */
struct slice_person {
	struct mu_uuid entry_uuid;
	char *dn;
	struct attrs attrs;
	unsigned char content_hash[CRYPTO_SHA256_BYTES];
	bool fresh;			/* had no row when the refresh began; only a hint */
};

struct slice_group {
	struct mu_uuid entry_uuid;
	char *name;
	char **members;
	size_t member_count;
	unsigned char content_hash[CRYPTO_SHA256_BYTES];
	bool fresh;			/* as above, and nobody had one */
};

struct slice_bad {			/* quarantined, or mended (reason NULL) */
	char *entry, *reason;
};

/* UUIDs in order of arrival; uuid_set_sort makes them a set that can be searched. */
struct uuids {
	struct mu_uuid *list;
	size_t count, room;
};
void uuids_add(struct uuids *u, const struct mu_uuid *uuid);
void uuids_sort(struct uuids *u);			/* and drops repeats */
bool uuids_has(const struct uuids *u, const struct mu_uuid *uuid);	/* sorted ones only */
void uuids_clear(struct uuids *u);

struct slice {
	struct slice_person *people;
	size_t people_count, people_room;
	struct slice_group *groups;
	size_t group_count, group_room;
	struct uuids removed_people, removed_groups;
	struct slice_bad *bad;
	size_t bad_count;
	struct uuids redecide;		/* person_ids whose row alone is decided on again */
};

/* What decides whether an entry is as it was: dn and attributes, or name and members. */
void slice_content_hash(const struct directory_entry *e, struct mu_buf *scratch,
    struct crypto_hash *h, unsigned char out[CRYPTO_SHA256_BYTES]);

/* Takes the attributes of e. */
void slice_person_add(struct slice *s, struct directory_entry *e,
    const unsigned char content_hash[CRYPTO_SHA256_BYTES], bool fresh);
void slice_person_clear(struct slice_person *p);
void slice_person_copy(struct slice *s, const struct slice_person *p);
void slice_person_move(struct slice *s, struct slice_person *p);	/* leaves one to be dropped */
void slice_people_clear(struct slice *s);
void slice_group_add(struct slice *s, const struct directory_entry *e,
    const unsigned char content_hash[CRYPTO_SHA256_BYTES], bool fresh);
void slice_group_move(struct slice *s, struct slice_group *g);	/* the same */
void slice_group_clear(struct slice_group *g);
void slice_bad_add(struct slice *s, const char *entry, const char *reason);
bool slice_is_empty(const struct slice *s);
void slice_clear(struct slice *s);

#endif
