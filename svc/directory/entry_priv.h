/*
 * directory/entry_priv.h - an LDAP entry as a person or a group, or the reason why it is not one
 *
 * Only mapped attributes are looked at. Attribute options ("cn;lang-de") are different attributes.
 * Values are text: what is not UTF-8 puts its entry, and only that, aside.
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
};

void directory_scratch_clear(struct directory_scratch *x);

/*
 * Decodes a search result entry. True: out_entry is good, and lies in x until its next use
 * (entry_uuid is the caller's). False: x->reason says why, and x->dn holds the DN if it was
 * readable, or "".
 */
bool directory_entry_decode(const struct directory_source *source, enum directory_search search,
    LDAP *ld, LDAPMessage *m, struct directory_scratch *x, struct directory_entry *out_entry);

/*
 * The attributes to ask for, ended by NULL and each once; "1.1" (none) if there are none. The array
 * is fresh (mu_free), its strings lie in source.
 */
char **directory_entry_attributes(const struct directory_source *source,
    enum directory_search search);

#endif
