/*
 * config/section.h - one adapter's settings, checked against its own table of keys
 *
 * An adapter exports a table of struct config_key, ended by one whose name is NULL; that table is
 * also its documentation. A section holds a value for each key that was written or has a default.
 */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include "config/yaml.h"

#include <stdbool.h>
#include <stdint.h>

enum config_type {
	CONFIG_TEXT,		/* min to max bytes; max 0 means 1024 */
	CONFIG_INT,		/* min to max */
	CONFIG_BOOL,
	CONFIG_DURATION,	/* "30s": min to max seconds */
	CONFIG_FILE,		/* a path; relative to the configuration file's folder */
	CONFIG_SECRET_FILE,	/* the file with the platform's credential: the supervisor reads it and
				 * hands its bytes over; at most one key of an adapter */
	CONFIG_URL,		/* https://host[:port][/path], no user, query or fragment, no '/' at its end */
	CONFIG_URL_PLAIN,	/* http:// too, where the platform offers nothing else */
	CONFIG_HOST,		/* a domain name, lower case */
};

struct config_key {
	const char *name;
	enum config_type type;
	bool required;
	const char *fallback;	/* the default, spelled as in the file; NULL: none */
	int64_t min, max;
	const char *unit;	/* for people: "connections"; or NULL */
	const char *help;	/* one line */
};

struct config_value {
	const struct config_key *key;	/* borrowed: tables live for ever */
	char *text;			/* as written; a path as resolved; NULL: not there, no default */
	int64_t number;			/* int, bool (0, 1), duration in seconds */
};

struct config_section {
	struct config_value *list;	/* one a key, in the table's order */
	size_t count;
};

#define CONFIG_SECTION_INIT { NULL, 0 }

/*
 * Checks map against keys. common: keys of the map that are not the adapter's, ended by { NULL },
 * or NULL; folder: where relative paths start. false: at least one fault was added, and section is
 * to be cleared all the same.
 */
MU_CHECKED bool config_section_parse(struct config_faults *f, const struct config_node *map,
    const struct config_key *keys, const struct config_field *common, const char *folder,
    struct config_section *out_section);
void config_section_clear(struct config_section *s);

/* By name; it is a mistake of ours to ask for a key that the table does not have with that type. */
bool config_section_has(const struct config_section *s, const char *name);
const char *config_section_text(const struct config_section *s, const char *name);	/* NULL: absent; any text type */
int64_t config_section_int(const struct config_section *s, const char *name);	/* int, duration; 0: absent */
bool config_section_bool(const struct config_section *s, const char *name);	/* false: absent */

/* The path of its CONFIG_SECRET_FILE, NULL when it has none. */
const char *config_section_secret_file(const struct config_section *s);

/* text from folder: as it is when absolute or folder is ".". Fresh. */
char *config_path_join(const char *folder, const char *text);

#endif
