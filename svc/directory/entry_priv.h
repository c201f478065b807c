/*
 * directory/entry_priv.h - an LDAP entry as a person or a group, or the reason why it is not one
 *
 * Only mapped attributes are looked at. Attribute options ("cn;lang-de") are different attributes,
 * but for ranges ("member;range=0-1499"), which Active Directory makes of long ones: these must
 * come from the first to the last. Values are text: what is not UTF-8 puts its entry, and only
 * that, aside.
 */
#ifndef DIRECTORY_ENTRY_PRIV_H
#define DIRECTORY_ENTRY_PRIV_H

#include "base/buf.h"
#include "directory/directory.h"

#include <ldap.h>

/* Scratch that is used again for each entry; all zeros to begin with. */
struct directory_scratch {
	struct attrs attrs;
	struct mu_buf dn, name, value, reason;
	struct mu_buf members;		/* normalised DNs, each ended by NUL */
	size_t *offsets;		/* of each member in there */
	const char **list;
	size_t member_count, member_room;
	size_t range_next;		/* members before it have come in ranges */
	bool range_open;		/* and more are to come */
};

void directory_scratch_clear(struct directory_scratch *x);

/*
 * Decodes a search result entry. True: out_entry is good, and lies in x until its next use
 * (entry_uuid is the caller's). False: x->reason says why, and x->dn holds the DN if it was
 * readable, or "".
 */
bool directory_entry_decode(const struct directory_source *source, enum directory_search search,
    LDAP *ld, LDAPMessage *m, struct directory_scratch *x, struct directory_entry *out_entry);
/* The same of an entry whose members came in several messages, in their order; at least one. */
bool directory_entry_decode_parts(const struct directory_source *source,
    enum directory_search search, LDAP *ld, LDAPMessage *const *parts, size_t part_count,
    struct directory_scratch *x, struct directory_entry *out_entry);

/*
 * The attributes to ask for, ended by NULL and each once; "1.1" (none) if there are none. The array
 * is fresh (mu_free), its strings lie in source.
 */
char **directory_entry_attributes(const struct directory_source *source,
    enum directory_search search);

#endif
