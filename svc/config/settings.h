/*
 * config/settings.h - musterd's configuration file as one const struct
 *
 * Each process parses the file itself, from a sealed copy that the supervisor hands over: reading
 * it opens no file and depends on nothing but the text. All strings are owned by the settings;
 * paths are resolved against the configuration file's folder.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/section.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_NAME_MAX_BYTES		31	/* [a-z][a-z0-9-]*: sources, platforms, clients */
#define SETTINGS_SOURCES_MAX		16
#define SETTINGS_PLATFORMS_MAX		32
#define SETTINGS_CLIENTS_MAX		256
#define SETTINGS_ATTRIBUTES_MAX		64
#define SETTINGS_LISTEN_NAMES_MAX	32
#define SETTINGS_TOKEN_PROCESSES_MAX	64
#define SETTINGS_SUFFIX_MAX_BYTES	31
#define SETTINGS_AUTHORITY_MAX		1000	/* roles, levels that a source is given */
#define SETTINGS_RUN_MAX_BYTES		80	/* the paths of Unix sockets below it end at 107 */

/*
 * What is made of an attribute's values, so that filters can test them. "userAccountControl:2" is
 * TRUE or FALSE: whether all bits of the number behind the colon are set. "accountExpires:time" is a
 * GeneralizedTime made of a FILETIME (100 ns since 1601); never (0 and 2^63-1) is no value.
 */
enum settings_value {
	SETTINGS_VALUE_TEXT,		/* "title": as it is */
	SETTINGS_VALUE_BITS,
	SETTINGS_VALUE_TIME,
};

struct settings_attribute {
	char *name;			/* muster's: [a-z][A-Za-z0-9]* */
	char *attribute;		/* the directory's, without what stands behind its colon */
	enum settings_value value;
	uint32_t bits;
};

/* How muster gets to know what changes in a source. */
enum settings_follow {
	SETTINGS_FOLLOW_PERSIST,	/* "persist": RFC 4533 refreshAndPersist, as it happens */
	SETTINGS_FOLLOW_POLL,		/* "poll": RFC 4533 refreshOnly, from a cookie */
	SETTINGS_FOLLOW_PAGED,		/* "paged": everybody, by RFC 2696 */
	SETTINGS_FOLLOW_DIRSYNC,	/* "dirsync": Active Directory, by the control DirSync */
	SETTINGS_FOLLOW_USN,		/* "usn": Active Directory, by uSNChanged of one server */
};

/* The operational attribute that says who an entry is, whatever it is called. */
enum settings_key {
	SETTINGS_KEY_ENTRY_UUID,	/* "entryUUID", RFC 4530 */
	SETTINGS_KEY_NS_UNIQUE_ID,	/* "nsUniqueId", 389 DS: 8-8-8-8 hex digits */
	SETTINGS_KEY_OBJECT_GUID,	/* "objectGUID", Active Directory: 16 bytes */
};

struct settings_names {
	char **list;
	size_t count;
};

struct settings_source {
	char *name;
	/*
	 * The namespace: login and account names of the source's people are made of theirs and
	 * this, ".partner". "": none. At most one source has none, and none ends in another.
	 */
	char *name_suffix;
	/*
	 * What its people may hold: every role and level (the home), or these alone. Of several
	 * sources at most one has all without saying so.
	 */
	bool authority_all;
	struct settings_names roles, levels;	/* authority_all: none */
	bool administrators;		/* its people may become administrators */
	char *uri;			/* ldaps://, ldapi://, or ldap:// with starttls or insecure_plain */
	bool starttls;
	char *insecure_plain;		/* the reason given for ldap:// without TLS; NULL: not asked for */
	char *ca;			/* NULL: the system's */
	char *bind_dn;			/* NULL: SASL EXTERNAL over ldapi:// */
	char *bind_password_file;	/* NULL exactly when bind_dn is */
	enum settings_follow follow;
	int64_t every_s;		/* the pause between reads; 0: follow is persist */
	enum settings_key key;
	char *people_base, *people_filter;
	struct settings_attribute *attributes;
	size_t attribute_count;
	char *groups_base;		/* NULL: no groups are read, and the next three are NULL too */
	char *groups_filter, *groups_name, *groups_member;
};

struct settings_platform {
	char *name;
	char *adapter;
	char *account;			/* the mapped attribute that names accounts there */
	struct config_section section;	/* the adapter's own keys */
};

struct settings_client {
	char *name;
	char *platform;
	char *csr;			/* path */
};

struct settings_listen {
	char *host;			/* an IP address; NULL: this listener is not wanted */
	uint16_t port;
	char **names;			/* what its certificate stands for: DNS names and IP addresses */
	size_t name_count;
};

struct settings {
	char *file;			/* the configuration file's name */
	char *state, *run, *policies;	/* folders */
	char *conninfo;			/* NULL: the embedded store */
	char *password_file;		/* of conninfo; NULL: none */
	char *users;			/* prefix of the system users that processes become: "muster-" */
	struct settings_source *sources;
	size_t source_count;
	struct settings_platform *platforms;
	size_t platform_count;
	struct settings_client *clients;
	size_t client_count;
	struct settings_listen token, claim, admin;
	uint32_t token_processes;
};

/*
 * The adapters there are: the table of the index-th, and its name in *out_name; NULL past the end.
 * config/ may not look into adapters/, so whoever may hands this in.
 */
typedef const struct config_key *settings_adapter_fn(size_t index, const char **out_name);

/*
 * Reads the whole configuration. false: faults says what is wrong, all of it, with the remedy.
 * file_name stands in faults and its folder is where relative paths start.
 */
MU_CHECKED bool settings_parse(const char *text, size_t text_bytes, const char *file_name,
    settings_adapter_fn *adapters, struct config_faults *faults, struct settings **out_settings);
void settings_free(struct settings *s);			/* NULL is fine */
void settings_freep(struct settings **s);		/* for MU_AUTO */

/* NULL when there is none of that name. */
const struct settings_source *settings_source_find(const struct settings *s, const char *name);
const struct settings_platform *settings_platform_find(const struct settings *s, const char *name);

#endif
