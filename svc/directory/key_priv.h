/*
 * directory/key_priv.h - the attribute by which a server tells entries apart
 *
 * Read where no RFC 4533 control brings it, and asked for again when an entry was quarantined. Its
 * value becomes the entry_uuid of events: the same 16 bytes, whichever provider reads them.
 */
#ifndef DIRECTORY_KEY_PRIV_H
#define DIRECTORY_KEY_PRIV_H

#include "base/buf.h"
#include "base/uuid.h"
#include "config/settings.h"

const char *directory_key_attribute(enum settings_key key);

/* False if bytes are not in that key's own spelling. */
bool directory_key_parse(enum settings_key key, const void *bytes, size_t bytes_count,
    struct mu_uuid *out_uuid);

/* Appends the RFC 4515 filter that this entry alone matches. */
void directory_key_filter(enum settings_key key, const struct mu_uuid *uuid, struct mu_buf *b);

#endif
