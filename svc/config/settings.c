#include "config/settings.h"

#include <string.h>

#include "base/text.h"
#include "config/conninfo_priv.h"
#include "config/net_priv.h"
#include "config/yaml_priv.h"

#define PATH_BYTES	4000
#define URI_BYTES	1024
#define DN_BYTES	4096
#define FILTER_BYTES	16384
#define CONNINFO_BYTES	4096
#define ATTRIBUTE_BYTES	64
#define REASON_BYTES	400
#define REASON_MIN_BYTES 10
#define USERS_BYTES	20		/* a user name ends at 32 */
#define EVERY_MIN_S	5
#define EVERY_S		30
#define EVERY_MAX_S	86400
#define TIME_SUFFIX	"time"
#define SUFFIX_FIRST	".-_"
#define ROLE_BYTES	64

/* What the functions below share while one file is read. */
struct reading {
	struct config_faults *f;
	char *folder;
	settings_adapter_fn *adapters;
	struct settings *s;
};

/* --- Single values ---------------------------------------------------------------------------- */

static bool
text_set(struct reading *r, const struct config_node *map, const char *key, size_t max_bytes, char **out)
{
	const char *text;

	if (!config_read_text(r->f, config_map_find(map, key), max_bytes, &text))
		return false;
	mu_free(*out);
	*out = mu_strdup(text);
	return true;
}

static void
path_set(struct reading *r, const struct config_node *map, const char *key, char **out)
{
	const char *text;

	if (config_read_text(r->f, config_map_find(map, key), PATH_BYTES, &text)) {
		mu_free(*out);
		*out = config_path_join(r->folder, text);
	}
}

/* A text that is left out of the file when it is as usual. */
static void
text_default(char **text, const char *usual)
{
	if (*text == NULL)
		*text = mu_strdup(usual);
}

static bool
spelled(const char *text, const char *first, const char *rest, size_t max_bytes)
{
	size_t length = strlen(text);

	return length > 0 && length <= max_bytes && strchr(first, text[0]) != NULL &&
	    strspn(text, rest) == length;
}

#define LOWER	"abcdefghijklmnopqrstuvwxyz"
#define UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

static bool
name_set(struct reading *r, const struct config_node *map, char **out)
{
	const struct config_node *n = config_map_find(map, "name");

	if (!text_set(r, map, "name", PATH_BYTES, out))
		return false;
	if (spelled(*out, LOWER, LOWER DIGITS "-", SETTINGS_NAME_MAX_BYTES))
		return true;
	config_fault(r->f, n, "name: '%s' must be a lower-case word of at most %d letters, digits "
	    "and '-'",
	    *out, SETTINGS_NAME_MAX_BYTES);
	return false;
}

static void
twice_fault(struct reading *r, const struct config_node *map, const char *name)
{
	config_fault(r->f, config_map_find(map, "name"), "name: '%s' is taken by an entry "
	    "above", name);
}

/* A list of at most max_count maps under key; 0 if there is none. */
static size_t
list_count(struct reading *r, const struct config_node *map, const char *key, size_t max_count)
{
	const struct config_node *n = config_map_find(map, key);

	if (!config_read_list(r->f, n))
		return 0;
	if (config_list_count(n) <= max_count)
		return config_list_count(n);
	config_fault(r->f, n, "%s: %zu entries are the most", key, max_count);
	return 0;
}

static void
dn_check(struct reading *r, const struct config_node *map, const char *key, const char *dn)
{
	if (dn != NULL && strchr(dn, '=') == NULL)
		config_fault(r->f, config_map_find(map, key),
		    "%s: '%s' is not a distinguished name such as "
		    "ou=people,dc=example,dc=org", key, dn);
}

/* Whether it is a filter only the directory can say; brackets that do not close we see ourselves. */
static void
filter_check(struct reading *r, const struct config_node *map, const char *filter)
{
	int open = 0;
	const char *at = filter;

	for (; at != NULL && *at != '\0' && (at == filter || open > 0); at++)
		open += *at == '(' ? 1 : *at == ')' ? -1 : 0;
	if (at != NULL && (*at != '\0' || open != 0 || filter[0] != '('))
		config_fault(r->f, config_map_find(map, "filter"),
		    "filter: '%s' must stand in one pair of brackets, as in "
		    "(objectClass=inetOrgPerson)", filter);
}

static void
attribute_check(struct reading *r, const struct config_node *n, const char *attribute)
{
	if (attribute != NULL && !spelled(attribute, LOWER UPPER DIGITS, LOWER UPPER DIGITS ".-;",
	    ATTRIBUTE_BYTES))
		config_fault(r->f, n, "'%s' is not the name of a directory attribute", attribute);
}

/* --- Sources ---------------------------------------------------------------------------------- */

static void
transport_check(struct reading *r, const struct config_node *map, const struct settings_source *s)
{
	const struct config_node *n = config_map_find(map, "uri");
	bool plain = mu_text_starts(s->uri, "ldap://"), tls = mu_text_starts(s->uri, "ldaps://");
	MU_AUTO(mu_freep) char *host = NULL;
	uint16_t port;

	if (!plain && !tls && !mu_text_starts(s->uri, "ldapi://")) {
		config_fault(r->f, n, "uri: '%s' must begin with ldaps://, ldap:// or "
		    "ldapi://", s->uri);
		return;
	}
	if ((plain || tls) && !config_authority_parse(strstr(s->uri, "://") + 3, &host, &port))
		config_fault(r->f, n, "uri: '%s' must be a host and perhaps a port, as in "
		    "ldaps://ldap.example.org:636",
		    s->uri);
	if (!plain && !tls && strchr(strstr(s->uri, "://") + 3, '/') != NULL)
		config_fault(r->f, n, "uri: '%s' must spell the socket's path with %%2F for /, as "
		    "in ldapi://%%2Frun%%2Fldapi",
		    s->uri);
	if (s->starttls && !plain)
		config_fault(r->f, config_map_find(map, "starttls"),
		    "starttls is for ldap:// alone: leave it out, this connection is protected "
		    "without it");
	if (s->insecure_plain != NULL && (!plain || s->starttls))
		config_fault(r->f, config_map_find(map, "insecure_plain"),
		    "insecure_plain is for ldap:// without starttls: leave it out, this connection "
		    "is protected");
	if (plain && !s->starttls && config_map_find(map, "insecure_plain") == NULL)
		config_fault(r->f, n, "uri: %s would send passwords and people in the clear: add "
		    "starttls: true, or use ldaps://",
		    s->uri);
	if (s->insecure_plain != NULL && strlen(s->insecure_plain) < REASON_MIN_BYTES)
		config_fault(r->f, config_map_find(map, "insecure_plain"),
		    "insecure_plain: give the reason why this directory cannot do TLS, in a "
		    "sentence");
}

static void
bind_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	const struct config_node *dn = config_map_find(map, "bind_dn"),
	    *file = config_map_find(map, "bind_password_file");

	(void)text_set(r, map, "bind_dn", DN_BYTES, &s->bind_dn);
	dn_check(r, map, "bind_dn", s->bind_dn);
	path_set(r, map, "bind_password_file", &s->bind_password_file);
	if (dn != NULL && file == NULL)
		config_fault(r->f, dn, "bind_dn needs a password: add bind_password_file: FILE");
	if (dn == NULL && file != NULL)
		config_fault(r->f, file, "bind_password_file needs bind_dn: say who binds with it");
	if (dn == NULL && file == NULL && s->uri != NULL && !mu_text_starts(s->uri, "ldapi://"))
		config_fault(r->f, map, "add bind_dn and bind_password_file: without, only "
		    "ldapi:// can know us");
}

static bool
is_active_directory(const struct settings_source *s)
{
	return s->follow == SETTINGS_FOLLOW_DIRSYNC || s->follow == SETTINGS_FOLLOW_USN;
}

/* What a provider cannot use is a fault, so that nobody relies on it. */
static void
follow_check(struct reading *r, const struct config_node *map, const struct settings_source *s)
{
	const struct config_node *every = config_map_find(map, "every"),
	    *key = config_map_find(map, "key");

	if (every != NULL && s->follow == SETTINGS_FOLLOW_PERSIST)
		config_fault(r->f, every, "every is not for follow: persist: leave it out, changes "
		    "are followed as they happen");
	if (s->key == SETTINGS_KEY_OBJECT_GUID && (s->follow == SETTINGS_FOLLOW_PERSIST ||
	    s->follow == SETTINGS_FOLLOW_POLL))
		config_fault(r->f, key, "key: objectGUID needs follow: dirsync, usn or paged: "
		    "Active Directory has no RFC 4533");
	if (s->key != SETTINGS_KEY_OBJECT_GUID && is_active_directory(s))
		config_fault(r->f, key, "follow: dirsync and follow: usn are for Active Directory, "
		    "whose key is objectGUID: leave key out");
}

static void
follow_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	static const struct config_name follows[] = {
		{ "persist", SETTINGS_FOLLOW_PERSIST }, { "poll", SETTINGS_FOLLOW_POLL },
		{ "paged", SETTINGS_FOLLOW_PAGED }, { "dirsync", SETTINGS_FOLLOW_DIRSYNC },
		{ "usn", SETTINGS_FOLLOW_USN }, { NULL, 0 },
	};
	static const struct config_name keys[] = {
		{ "entryUUID", SETTINGS_KEY_ENTRY_UUID }, { "nsUniqueId", SETTINGS_KEY_NS_UNIQUE_ID },
		{ "objectGUID", SETTINGS_KEY_OBJECT_GUID }, { NULL, 0 },
	};
	const struct config_node *follow = config_map_find(map, "follow"),
	    *every = config_map_find(map, "every"), *key = config_map_find(map, "key");
	int value = SETTINGS_FOLLOW_PERSIST;
	bool known = follow == NULL || config_read_name(r->f, follow, follows, &value);

	s->follow = (enum settings_follow)value;
	s->every_s = s->follow == SETTINGS_FOLLOW_PERSIST ? 0 : EVERY_S;
	if (every != NULL)
		(void)config_read_duration(r->f, every, EVERY_MIN_S, EVERY_MAX_S, &s->every_s);
	value = is_active_directory(s) ? SETTINGS_KEY_OBJECT_GUID : SETTINGS_KEY_ENTRY_UUID;
	if (key != NULL)
		known = config_read_name(r->f, key, keys, &value) && known;
	s->key = (enum settings_key)value;
	if (known)
		follow_check(r, map, s);
}

static const struct settings_attribute *
attribute_find(const struct settings_source *s, const char *name)
{
	for (size_t i = 0; i < s->attribute_count; i++)
		if (mu_text_equal_fold(s->attributes[i].name, name))
			return &s->attributes[i];
	return NULL;
}

static void
attribute_name_check(struct reading *r, const struct config_node *key, const struct settings_source *s)
{
	const char *name = config_scalar_text(key);

	if (!spelled(name, LOWER, LOWER UPPER DIGITS, ATTRIBUTE_BYTES))
		config_fault(r->f, key, "'%s' must begin with a lower-case letter and go on with "
		    "letters and digits",
		    name);
	else if (mu_text_equal_fold(name, "group") || mu_text_equal_fold(name, "memberOf"))
		config_fault(r->f, key, "'%s' is taken by groups, which muster reads itself: use "
		    "another name", name);
	else if (mu_text_equal_fold(name, "source"))
		config_fault(r->f, key, "'%s' is taken by the name of the person's source: use "
		    "another name", name);
	else if (attribute_find(s, name) != NULL)
		config_fault(r->f, key, "'%s' is mapped above: names differ by more than "
		    "case", name);
}

/* "userAccountControl:2" without its end, and what that says. */
static void
attribute_take(struct reading *r, const struct config_node *n, struct settings_attribute *a)
{
	char *colon = strchr(a->attribute, ':');
	int64_t bits;

	if (colon != NULL) {
		*colon++ = '\0';
		if (strcmp(colon, TIME_SUFFIX) == 0) {
			a->value = SETTINGS_VALUE_TIME;
		} else if (mu_int_parse(colon, 1, UINT32_MAX, &bits)) {
			a->value = SETTINGS_VALUE_BITS;
			a->bits = (uint32_t)bits;
		} else {
			config_fault(r->f, n, "'%s:%s': behind the colon stands 'time', or the "
			    "number whose bits are tested, as in userAccountControl:2",
			    a->attribute, colon);
		}
	} else if (mu_text_equal_fold(a->attribute, "accountExpires")) {
		config_fault(r->f, n, "write accountExpires:time: its number says nothing to a "
		    "policy");
	}
	attribute_check(r, n, a->attribute);
}

static void
attributes_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	size_t count = config_map_count(map);

	if (!config_read_map(r->f, map))
		return;
	if (count == 0 || count > SETTINGS_ATTRIBUTES_MAX) {
		config_fault(r->f, map, "attributes: map from 1 to %d, as in {uid: uid, name: cn}",
		    SETTINGS_ATTRIBUTES_MAX);
		return;
	}
	s->attributes = mu_alloc_zero(count, sizeof(*s->attributes));
	for (size_t i = 0; i < count; i++) {
		const struct config_node *key = config_map_key_at(map, i);
		const char *attribute = NULL;
		struct settings_attribute *a = &s->attributes[s->attribute_count];

		attribute_name_check(r, key, s);
		(void)config_read_text(r->f, config_map_at(map, i), PATH_BYTES, &attribute);
		*a = (struct settings_attribute){ .name = mu_strdup(config_scalar_text(key)),
			.attribute = mu_strdup(attribute == NULL ? "" : attribute) };
		if (attribute != NULL)
			attribute_take(r, config_map_at(map, i), a);
		s->attribute_count++;
	}
}

static void
people_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	static const struct config_field fields[] = {
		{ "base", true }, { "filter", false }, { "attributes", true }, { NULL, false },
	};

	(void)config_map_keys(r->f, map, fields);
	(void)text_set(r, map, "base", DN_BYTES, &s->people_base);
	dn_check(r, map, "base", s->people_base);
	(void)text_set(r, map, "filter", FILTER_BYTES, &s->people_filter);
	filter_check(r, map, s->people_filter);
	text_default(&s->people_filter, is_active_directory(s) ?
	    "(&(objectCategory=person)(objectClass=user))" : "(objectClass=inetOrgPerson)");
	attributes_read(r, config_map_find(map, "attributes"), s);
}

static void
groups_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	static const struct config_field fields[] = {
		{ "base", true }, { "filter", false }, { "name", false }, { "member", false }, { NULL, false },
	};

	if (map == NULL)
		return;
	(void)config_map_keys(r->f, map, fields);
	(void)text_set(r, map, "base", DN_BYTES, &s->groups_base);
	dn_check(r, map, "base", s->groups_base);
	(void)text_set(r, map, "filter", FILTER_BYTES, &s->groups_filter);
	filter_check(r, map, s->groups_filter);
	text_default(&s->groups_filter, is_active_directory(s) ?
	    "(objectClass=group)" : "(objectClass=groupOfNames)");
	(void)text_set(r, map, "name", PATH_BYTES, &s->groups_name);
	attribute_check(r, config_map_find(map, "name"), s->groups_name);
	text_default(&s->groups_name, "cn");
	(void)text_set(r, map, "member", PATH_BYTES, &s->groups_member);
	attribute_check(r, config_map_find(map, "member"), s->groups_member);
	text_default(&s->groups_member, "member");
}

static void
suffix_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	const struct config_node *n = config_map_find(map, "name_suffix");

	if (text_set(r, map, "name_suffix", PATH_BYTES, &s->name_suffix) &&
	    !spelled(s->name_suffix, SUFFIX_FIRST, LOWER DIGITS SUFFIX_FIRST,
	    SETTINGS_SUFFIX_MAX_BYTES))
		config_fault(r->f, n, "name_suffix: '%s' must begin with one of . - _ and go on with "
		    "lower-case letters, digits and these, as in .partner; %d bytes at most",
		    s->name_suffix, SETTINGS_SUFFIX_MAX_BYTES);
	text_default(&s->name_suffix, "");
}

static void
names_read(struct reading *r, const struct config_node *map, const char *key,
    struct settings_names *out)
{
	const struct config_node *n = config_map_find(map, key);
	MU_AUTO(mu_freep) const char **list = NULL;
	size_t count = 0;

	if (n == NULL ||
	    !config_read_texts(r->f, n, SETTINGS_AUTHORITY_MAX, ROLE_BYTES, &list, &count))
		return;
	out->list = mu_alloc_zero(count, sizeof(*out->list));
	for (size_t i = 0; i < count; i++)
		out->list[out->count++] = mu_strdup(list[i]);
}

static void
authority_read(struct reading *r, const struct config_node *map, struct settings_source *s)
{
	static const struct config_field fields[] = {
		{ "roles", true }, { "levels", false }, { NULL, false },
	};
	const struct config_node *n = config_map_find(map, "authority"),
	    *administrators = config_map_find(map, "administrators");

	s->authority_all = n == NULL || config_node_kind(n) == CONFIG_SCALAR;
	s->administrators = s->authority_all;
	if (administrators != NULL)
		(void)config_read_bool(r->f, administrators, &s->administrators);
	if (n == NULL)
		return;
	if (config_node_kind(n) == CONFIG_SCALAR) {
		if (!mu_text_equal(config_scalar_text(n), "all"))
			config_fault(r->f, n, "authority: write all, or {roles: [...], levels: "
			    "[...]}: the roles its people may hold, and the levels of "
			    "identification its directory may vouch for");
		return;
	}
	(void)config_map_keys(r->f, n, fields);
	names_read(r, n, "roles", &s->roles);
	names_read(r, n, "levels", &s->levels);
}

static void
source_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "name", true }, { "name_suffix", false }, { "authority", false },
		{ "administrators", false }, { "uri", true }, { "starttls", false }, { "insecure_plain", false },
		{ "ca", false }, { "bind_dn", false }, { "bind_password_file", false }, { "follow", false },
		{ "every", false }, { "key", false }, { "people", true }, { "groups", false }, { NULL, false },
	};
	struct settings_source *s = &r->s->sources[r->s->source_count];

	(void)config_map_keys(r->f, map, fields);
	if (name_set(r, map, &s->name) && settings_source_find(r->s, s->name) != NULL)
		twice_fault(r, map, s->name);
	suffix_read(r, map, s);
	authority_read(r, map, s);
	(void)config_read_bool(r->f, config_map_find(map, "starttls"), &s->starttls);
	(void)text_set(r, map, "insecure_plain", REASON_BYTES, &s->insecure_plain);
	if (text_set(r, map, "uri", URI_BYTES, &s->uri))
		transport_check(r, map, s);
	path_set(r, map, "ca", &s->ca);
	bind_read(r, map, s);
	follow_read(r, map, s);
	people_read(r, config_map_find(map, "people"), s);
	groups_read(r, config_map_find(map, "groups"), s);
	r->s->source_count++;
}

static bool
ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* A name says whose it is: the longer suffix of two would make names that end in the shorter. */
static void
suffixes_check(struct reading *r, const struct config_node *map, size_t index)
{
	const struct settings_source *s = &r->s->sources[index];

	for (size_t i = 0; i < index; i++) {
		const struct settings_source *other = &r->s->sources[i];
		const char *name = other->name == NULL ? "above" : other->name;

		if (s->name_suffix[0] == '\0' && other->name_suffix[0] == '\0')
			config_fault(r->f, map, "of several sources one alone may be without "
			    "name_suffix, and source %s is: add name_suffix: .%s, so that its names "
			    "are not taken for those of %s", name,
			    s->name == NULL ? "partner" : s->name, name);
		else if (s->name_suffix[0] != '\0' && other->name_suffix[0] != '\0' &&
		    (ends_in(s->name_suffix, other->name_suffix) ||
		    ends_in(other->name_suffix, s->name_suffix)))
			config_fault(r->f, config_map_find(map, "name_suffix"), "name_suffix: '%s' "
			    "and '%s' of source %s: neither may end in the other", s->name_suffix,
			    other->name_suffix, name);
	}
}

/* Who may say everything of people is said, not left out. */
static void
authorities_check(struct reading *r, const struct config_node *list)
{
	size_t silent = 0;

	for (size_t i = 0; i < r->s->source_count; i++) {
		const struct config_node *map = config_list_at(list, i);

		if (config_map_find(map, "authority") != NULL || ++silent == 1)
			continue;
		config_fault(r->f, map, "of several sources one alone may be without authority: add "
		    "authority: {roles: [...], levels: [...]}, or authority: all if it may give "
		    "its people every role");
	}
}

static void
sources_read(struct reading *r, const struct config_node *root)
{
	const struct config_node *list = config_map_find(root, "sources");
	size_t count = list_count(r, root, "sources", SETTINGS_SOURCES_MAX);

	r->s->sources = mu_alloc_zero(count, sizeof(*r->s->sources));
	for (size_t i = 0; i < count; i++) {
		source_read(r, config_list_at(list, i));
		suffixes_check(r, config_list_at(list, i), i);
	}
	authorities_check(r, list);
}

/* --- Platforms and clients -------------------------------------------------------------------- */

static void
account_check(struct reading *r, const struct config_node *map, const struct settings_platform *p)
{
	MU_AUTO(mu_buf_clear) struct mu_buf known = MU_BUF_INIT, hint = MU_BUF_INIT;

	for (size_t i = 0; i < r->s->source_count; i++) {
		const struct settings_source *s = &r->s->sources[i];
		struct config_near near;

		/* A source without attributes has a fault of its own. */
		if (s->attribute_count == 0 || attribute_find(s, p->account) != NULL)
			continue;
		config_near_init(&near, p->account);
		for (size_t k = 0; k < s->attribute_count; k++) {
			config_near_offer(&near, s->attributes[k].name);
			config_names_add(&known, s->attributes[k].name);
		}
		config_near_format(&near, &known, &hint);
		config_fault(r->f, config_map_find(map, "account"),
		    "account: source %s does not map an attribute '%s'%s",
		    s->name == NULL ? "above" : s->name, p->account, mu_buf_text(&hint));
		return;
	}
}

/* The adapter's table of keys; NULL and a fault when there is no such adapter. */
static const struct config_key *
adapter_find(struct reading *r, const struct config_node *map, const char *adapter)
{
	MU_AUTO(mu_buf_clear) struct mu_buf known = MU_BUF_INIT, hint = MU_BUF_INIT;
	const struct config_key *keys;
	const char *name = NULL;
	struct config_near near;

	config_near_init(&near, adapter);
	for (size_t i = 0; (keys = r->adapters(i, &name)) != NULL; i++) {
		if (strcmp(name, adapter) == 0)
			return keys;
		config_near_offer(&near, name);
		config_names_add(&known, name);
	}
	config_near_format(&near, &known, &hint);
	config_fault(r->f, config_map_find(map, "adapter"), "adapter: there is no '%s'%s", adapter,
	    mu_buf_text(&hint));
	return NULL;
}

static void
platform_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "name", true }, { "adapter", true }, { "account", true }, { NULL, false },
	};
	struct settings_platform *p = &r->s->platforms[r->s->platform_count];
	const struct config_key *keys = NULL;

	if (!config_read_map(r->f, map))
		return;
	if (name_set(r, map, &p->name) && settings_platform_find(r->s, p->name) != NULL)
		twice_fault(r, map, p->name);
	if (text_set(r, map, "account", PATH_BYTES, &p->account))
		account_check(r, map, p);
	if (text_set(r, map, "adapter", PATH_BYTES, &p->adapter))
		keys = adapter_find(r, map, p->adapter);
	/* Without the adapter's table nothing can be said of the other keys. */
	if (keys != NULL)
		(void)!config_section_parse(r->f, map, keys, fields, r->folder, &p->section);
	else if (config_map_find(map, "adapter") == NULL)
		config_fault(r->f, map, "'adapter' is missing here");
	r->s->platform_count++;
}

static void
platforms_read(struct reading *r, const struct config_node *root)
{
	size_t count = list_count(r, root, "platforms", SETTINGS_PLATFORMS_MAX);

	r->s->platforms = mu_alloc_zero(count, sizeof(*r->s->platforms));
	for (size_t i = 0; i < count; i++)
		platform_read(r, config_list_at(config_map_find(root, "platforms"), i));
}

static void
client_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "name", true }, { "platform", true }, { "csr", true }, { NULL, false },
	};
	struct settings_client *c = &r->s->clients[r->s->client_count];

	(void)config_map_keys(r->f, map, fields);
	if (name_set(r, map, &c->name))
		for (size_t i = 0; i < r->s->client_count; i++)
			if (mu_text_equal(r->s->clients[i].name, c->name))
				twice_fault(r, map, c->name);
	if (text_set(r, map, "platform", PATH_BYTES, &c->platform) &&
	    settings_platform_find(r->s, c->platform) == NULL)
		config_fault(r->f, config_map_find(map, "platform"), "platform: there is no '%s' "
		    "under platforms",
		    c->platform);
	path_set(r, map, "csr", &c->csr);
	r->s->client_count++;
}

static void
clients_read(struct reading *r, const struct config_node *root)
{
	size_t count = list_count(r, root, "clients", SETTINGS_CLIENTS_MAX);

	r->s->clients = mu_alloc_zero(count, sizeof(*r->s->clients));
	for (size_t i = 0; i < count; i++)
		client_read(r, config_list_at(config_map_find(root, "clients"), i));
}

/* --- Listeners -------------------------------------------------------------------------------- */

static void
listen_name_add(struct settings_listen *l, const char *name)
{
	l->names = mu_alloc_again(l->names, l->name_count + 1, sizeof(*l->names));
	l->names[l->name_count++] = mu_strdup(name);
}

static void
listen_names_read(struct reading *r, const struct config_node *map, struct settings_listen *l)
{
	const struct config_node *n = config_map_find(map, "names");
	MU_AUTO(mu_freep) const char **names = NULL;
	size_t count = 0;

	if (!config_read_texts(r->f, n, SETTINGS_LISTEN_NAMES_MAX, PATH_BYTES, &names, &count))
		return;
	if (count == 0)
		config_fault(r->f, n, "names: the certificate needs one at least, or leave names "
		    "out");
	for (size_t i = 0; i < count; i++) {
		if (!config_host_valid(names[i]) && !config_address_valid(names[i]))
			config_fault(r->f, config_list_at(n, i), "names: '%s' is neither a domain "
			    "name nor an address",
			    names[i]);
		listen_name_add(l, names[i]);
	}
}

static void
listen_names_default(struct reading *r, const struct config_node *map, struct settings_listen *l)
{
	if (l->host == NULL)
		return;
	if (mu_text_equal(l->host, "0.0.0.0") || mu_text_equal(l->host, "::")) {
		config_fault(r->f, map, "add names: [...]: by which names or addresses do clients "
		    "reach %s?", l->host);
		return;
	}
	if (mu_text_equal(l->host, "127.0.0.1") || mu_text_equal(l->host, "::1"))
		listen_name_add(l, "localhost");
	listen_name_add(l, l->host);
}

static void
listen_read(struct reading *r, const struct config_node *map, struct settings_listen *l)
{
	const struct config_node *n = config_map_find(map, "listen");
	const char *text;

	if (config_read_text(r->f, n, URI_BYTES, &text)) {
		if (!config_authority_parse(text, &l->host, &l->port) || l->port == 0 ||
		    !config_address_valid(l->host))
			config_fault(r->f, n, "listen: '%s' must be an address and a port, as in "
			    "127.0.0.1:8443 or \"[::]:8443\"",
			    text);
	}
	if (config_map_find(map, "names") != NULL)
		listen_names_read(r, map, l);
	else
		listen_names_default(r, map, l);
}

static void
token_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "listen", true }, { "processes", false }, { "names", false }, { NULL, false },
	};
	int64_t processes = 2;

	if (map == NULL)
		return;
	(void)config_map_keys(r->f, map, fields);
	listen_read(r, map, &r->s->token);
	(void)config_read_int(r->f, config_map_find(map, "processes"), 1, SETTINGS_TOKEN_PROCESSES_MAX,
	    "processes", &processes);
	r->s->token_processes = (uint32_t)processes;
}

static void
elsewhere_check(struct reading *r, const struct config_node *map, const struct settings_listen *l,
    const struct settings_listen *other, const char *other_name)
{
	if (l->host != NULL && mu_text_equal(l->host, other->host) && l->port == other->port)
		config_fault(r->f, config_map_find(map, "listen"), "listen: %s:%u is taken by %s: "
		    "use another port", l->host, l->port, other_name);
}

static void
claim_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "listen", true }, { "names", false }, { NULL, false },
	};

	if (map == NULL)
		return;
	(void)config_map_keys(r->f, map, fields);
	listen_read(r, map, &r->s->claim);
	elsewhere_check(r, map, &r->s->claim, &r->s->token, "token");
}

static void
admin_read(struct reading *r, const struct config_node *map)
{
	static const struct config_field fields[] = {
		{ "listen", true }, { "names", false }, { NULL, false },
	};

	if (map == NULL)
		return;
	(void)config_map_keys(r->f, map, fields);
	listen_read(r, map, &r->s->admin);
	elsewhere_check(r, map, &r->s->admin, &r->s->token, "token");
	elsewhere_check(r, map, &r->s->admin, &r->s->claim, "claim");
}

/* --- The whole -------------------------------------------------------------------------------- */

static void
store_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "conninfo", true }, { "password_file", false }, { NULL, false },
	};
	const char *fault;

	if (n == NULL)
		return;
	if (config_node_kind(n) != CONFIG_MAP) {
		if (!mu_text_equal(config_scalar_text(n), "embedded"))
			config_fault(r->f, n, "store must be embedded, or {conninfo: \"...\", "
			    "password_file: FILE}");
		return;
	}
	(void)config_map_keys(r->f, n, fields);
	path_set(r, n, "password_file", &r->s->password_file);
	if (!text_set(r, n, "conninfo", CONNINFO_BYTES, &r->s->conninfo))
		return;
	fault = config_conninfo_fault(r->s->conninfo);
	if (fault != NULL)
		config_fault(r->f, config_map_find(n, "conninfo"), "conninfo %s", fault);
}

static void
folders_read(struct reading *r, const struct config_node *root)
{
	struct settings *s = r->s;
	const struct config_node *n = config_map_find(root, "run");

	path_set(r, root, "state", &s->state);
	path_set(r, root, "run", &s->run);
	path_set(r, root, "policies", &s->policies);
	if (s->run == NULL && n == NULL && s->state != NULL) {
		s->run = config_path_join(s->state, "run");
		n = config_map_find(root, "state");
	}
	if (s->run != NULL && strlen(s->run) > SETTINGS_RUN_MAX_BYTES)
		config_fault(r->f, n, "'%s' is too long for Unix sockets: set run: to a folder of "
		    "at most %d bytes",
		    s->run, SETTINGS_RUN_MAX_BYTES);
}

static void
users_read(struct reading *r, const struct config_node *root)
{
	if (text_set(r, root, "users", PATH_BYTES, &r->s->users) &&
	    !spelled(r->s->users, LOWER "_", LOWER DIGITS "_-", USERS_BYTES))
		config_fault(r->f, config_map_find(root, "users"),
		    "users: '%s' must be the lower-case beginning of system user names, as in "
		    "muster-", r->s->users);
	text_default(&r->s->users, "muster-");
}

static void
root_read(struct reading *r, const struct config_node *root)
{
	static const struct config_field fields[] = {
		{ "state", true }, { "run", false }, { "policies", true }, { "store", false },
		{ "users", false }, { "sources", false }, { "platforms", false }, { "clients", false },
		{ "token", false }, { "claim", false }, { "admin", false }, { NULL, false },
	};

	(void)config_map_keys(r->f, root, fields);
	folders_read(r, root);
	store_read(r, config_map_find(root, "store"));
	users_read(r, root);
	sources_read(r, root);
	platforms_read(r, root);
	clients_read(r, root);
	token_read(r, config_map_find(root, "token"));
	claim_read(r, config_map_find(root, "claim"));
	admin_read(r, config_map_find(root, "admin"));
}

bool
settings_parse(const char *text, size_t text_bytes, const char *file_name,
    settings_adapter_fn *adapters, struct config_faults *faults, struct settings **out_settings)
{
	MU_AUTO(settings_freep) struct settings *s = mu_alloc_zero(1, sizeof(*s));
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	const char *slash = strrchr(file_name, '/');
	size_t before = faults->count + faults->more_count;
	struct reading r = { faults, NULL, adapters, s };

	if (!config_doc_parse(text, text_bytes, file_name, faults, &doc))
		return false;
	s->file = mu_strdup(file_name);
	r.folder = slash == NULL ? mu_strdup(".") :
	    mu_strndup(file_name, slash == file_name ? 1 : (size_t)(slash - file_name));
	root_read(&r, config_doc_root(doc));
	mu_free(r.folder);
	if (faults->count + faults->more_count > before)
		return false;
	*out_settings = MU_TAKE(s);
	return true;
}

static void
names_clear(struct settings_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mu_free(names->list[i]);
	mu_free(names->list);
}

static void
source_clear(struct settings_source *s)
{
	for (size_t i = 0; i < s->attribute_count; i++) {
		mu_free(s->attributes[i].name);
		mu_free(s->attributes[i].attribute);
	}
	mu_free(s->attributes);
	names_clear(&s->roles);
	names_clear(&s->levels);
	mu_free(s->name);
	mu_free(s->name_suffix);
	mu_free(s->uri);
	mu_free(s->insecure_plain);
	mu_free(s->ca);
	mu_free(s->bind_dn);
	mu_free(s->bind_password_file);
	mu_free(s->people_base);
	mu_free(s->people_filter);
	mu_free(s->groups_base);
	mu_free(s->groups_filter);
	mu_free(s->groups_name);
	mu_free(s->groups_member);
}

static void
listen_clear(struct settings_listen *l)
{
	for (size_t i = 0; i < l->name_count; i++)
		mu_free(l->names[i]);
	mu_free(l->names);
	mu_free(l->host);
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->source_count; i++)
		source_clear(&s->sources[i]);
	for (size_t i = 0; i < s->platform_count; i++) {
		mu_free(s->platforms[i].name);
		mu_free(s->platforms[i].adapter);
		mu_free(s->platforms[i].account);
		config_section_clear(&s->platforms[i].section);
	}
	for (size_t i = 0; i < s->client_count; i++) {
		mu_free(s->clients[i].name);
		mu_free(s->clients[i].platform);
		mu_free(s->clients[i].csr);
	}
	listen_clear(&s->token);
	listen_clear(&s->claim);
	listen_clear(&s->admin);
	mu_free(s->sources);
	mu_free(s->platforms);
	mu_free(s->clients);
	mu_free(s->file);
	mu_free(s->state);
	mu_free(s->run);
	mu_free(s->policies);
	mu_free(s->conninfo);
	mu_free(s->password_file);
	mu_free(s->users);
	mu_free(s);
}

void
settings_freep(struct settings **s)
{
	settings_free(*s);
	*s = NULL;
}

const struct settings_source *
settings_source_find(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->source_count; i++)
		if (mu_text_equal(s->sources[i].name, name))
			return &s->sources[i];
	return NULL;
}

const struct settings_platform *
settings_platform_find(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->platform_count; i++)
		if (mu_text_equal(s->platforms[i].name, name))
			return &s->platforms[i];
	return NULL;
}
