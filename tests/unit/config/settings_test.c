/*
 * settings_test.c - the configuration file: what a good one says, and what is wrong with others
 */
#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* An adapter with a key of each type. */
static const struct config_key chat_keys[] = {
	{ .name = "url", .type = CONFIG_URL, .required = true, .help = "where it is" },
	{ .name = "media", .type = CONFIG_URL_PLAIN, .help = "where pictures are" },
	{ .name = "ca", .type = CONFIG_FILE, .help = "who vouches for it" },
	{ .name = "host", .type = CONFIG_HOST, .fallback = "chat.example.org", .help = "whose accounts" },
	{ .name = "user", .type = CONFIG_TEXT, .required = true, .min = 3, .max = 20, .help = "who we are" },
	{ .name = "password_file", .type = CONFIG_SECRET_FILE, .required = true, .help = "our password" },
	{ .name = "connections", .type = CONFIG_INT, .fallback = "4", .min = 1, .max = 16,
	    .unit = "connections", .help = "how many at once" },
	{ .name = "patience", .type = CONFIG_DURATION, .fallback = "10s", .min = 1, .max = 60,
	    .help = "for one answer" },
	{ .name = "quiet", .type = CONFIG_BOOL, .help = "no notices" },
	{ .name = NULL },
};

static const struct config_key bare_keys[] = { { .name = NULL } };

static const struct config_key *
adapters(size_t index, const char **out_name)
{
	static const char *const names[] = { "chat", "bare" };

	if (index >= MU_COUNT(names))
		return NULL;
	*out_name = names[index];
	return index == 0 ? chat_keys : bare_keys;
}

static const char good[] =
    "state: /var/lib/muster\n"					/* line 1 */
    "policies: policies\n"
    "store: embedded\n"
    "sources:\n"
    "  - name: main\n"
    "    uri: ldap://ldap.example.org:389\n"
    "    starttls: true\n"
    "    ca: ../ca.crt\n"
    "    bind_dn: cn=muster,dc=example,dc=org\n"
    "    bind_password_file: /etc/muster/bind\n"			/* line 10 */
    "    people:\n"
    "      base: ou=people,dc=example,dc=org\n"
    "      filter: (objectClass=person)\n"
    "      attributes: {uid: uid, name: cn, department: departmentNumber}\n"
    "    groups: {base: \"ou=groups,dc=example,dc=org\"}\n"
    "platforms:\n"
    "  - name: xmpp\n"
    "    adapter: chat\n"
    "    account: uid\n"
    "    url: https://chat.example.org:5443/api/\n"		/* line 20 */
    "    user: muster\n"
    "    password_file: chat-password\n"
    "clients:\n"
    "  - {name: xmpp-server, platform: xmpp, csr: client.csr}\n"
    "token: {listen: \"127.0.0.1:8443\"}\n"
    "claim: {listen: \"[::1]:8444\", names: [claim.example.org, 192.0.2.1]}\n"
    "admin: {listen: \"127.0.0.1:8445\"}\n";

/* A line of the good file, and more sources behind it. */
#define GROUPS	"    groups: {base: \"ou=groups,dc=example,dc=org\"}\n"
#define MORE(name, keys) "  - {name: " name ", " keys "uri: \"ldapi://%2Fp\", people: {base: \"o=x\", " \
	"attributes: {uid: uid}}}\n"
#define BOUNDED	"authority: {roles: [chat], levels: [known]}, "

static struct settings *
settings_of(const char *text, const char *file_name)
{
	MU_AUTO(mu_buf_clear) struct mu_buf said = MU_BUF_INIT;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct settings *s = NULL;

	if (!settings_parse(text, strlen(text), file_name, adapters, &faults, &s)) {
		config_faults_format(&faults, &said);
		config_faults_clear(&faults);
		fail_msg("%s", mu_buf_text(&said));
	}
	assert_int_equal(0, faults.count);
	return s;
}

static void
a_good_file_says_it_all(void **state)
{
	MU_AUTO(settings_freep) struct settings *s = settings_of(good, "/etc/muster/musterd.yaml");
	const struct settings_source *source = settings_source_find(s, "main");
	const struct settings_platform *platform = settings_platform_find(s, "xmpp");
	const struct config_section *section = &platform->section;

	(void)state;
	assert_string_equal("/var/lib/muster", s->state);
	assert_string_equal("/var/lib/muster/run", s->run);
	assert_string_equal("/etc/muster/policies", s->policies);
	assert_null(s->conninfo);
	assert_string_equal("muster-", s->users);
	assert_string_equal("ldap://ldap.example.org:389", source->uri);
	assert_true(source->starttls);
	assert_null(source->insecure_plain);
	assert_string_equal("/etc/muster/../ca.crt", source->ca);
	assert_string_equal("/etc/muster/bind", source->bind_password_file);
	assert_string_equal("(objectClass=person)", source->people_filter);
	assert_int_equal(3, source->attribute_count);
	assert_string_equal("department", source->attributes[2].name);
	assert_string_equal("departmentNumber", source->attributes[2].attribute);
	assert_string_equal("(objectClass=groupOfNames)", source->groups_filter);
	assert_string_equal("cn", source->groups_name);
	assert_string_equal("member", source->groups_member);
	assert_string_equal("uid", platform->account);
	assert_string_equal("https://chat.example.org:5443/api", config_section_text(section, "url"));
	assert_string_equal("chat.example.org", config_section_text(section, "host"));
	assert_string_equal("/etc/muster/chat-password", config_section_secret_file(section));
	assert_null(config_section_text(section, "ca"));
	assert_false(config_section_has(section, "ca"));
	assert_int_equal(4, config_section_int(section, "connections"));
	assert_int_equal(10, config_section_int(section, "patience"));
	assert_false(config_section_bool(section, "quiet"));
	assert_string_equal("/etc/muster/client.csr", s->clients[0].csr);
	assert_string_equal("127.0.0.1", s->token.host);
	assert_int_equal(8443, s->token.port);
	assert_int_equal(2, s->token_processes);
	assert_int_equal(2, s->token.name_count);
	assert_string_equal("localhost", s->token.names[0]);
	assert_string_equal("127.0.0.1", s->token.names[1]);
	assert_string_equal("::1", s->claim.host);
	assert_string_equal("192.0.2.1", s->claim.names[1]);
	assert_string_equal("127.0.0.1", s->admin.host);
	assert_int_equal(8445, s->admin.port);
	assert_int_equal(2, s->admin.name_count);
	assert_string_equal("localhost", s->admin.names[0]);
	assert_null(settings_source_find(s, "mainly"));
	assert_null(settings_platform_find(s, "chat"));
}

static void
a_source_is_followed_as_it_says(void **state)
{
	static const struct {
		const char *lines;
		enum settings_follow follow;
		int64_t every_s;
		enum settings_key key;
	} says[] = {
		{ "", SETTINGS_FOLLOW_PERSIST, 0, SETTINGS_KEY_ENTRY_UUID },
		{ ", follow: persist, key: nsUniqueId", SETTINGS_FOLLOW_PERSIST, 0, SETTINGS_KEY_NS_UNIQUE_ID },
		{ ", follow: poll", SETTINGS_FOLLOW_POLL, 30, SETTINGS_KEY_ENTRY_UUID },
		{ ", follow: paged, every: 2h, key: objectGUID", SETTINGS_FOLLOW_PAGED, 7200,
		    SETTINGS_KEY_OBJECT_GUID },
		{ ", follow: dirsync, key: objectGUID", SETTINGS_FOLLOW_DIRSYNC, 30,
		    SETTINGS_KEY_OBJECT_GUID },
		{ ", follow: usn, every: 5s", SETTINGS_FOLLOW_USN, 5, SETTINGS_KEY_OBJECT_GUID },
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(says); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
		MU_AUTO(settings_freep) struct settings *s = NULL;

		mu_buf_format(&text, "state: s\npolicies: /p\nsources:\n  - {name: main, uri: \"ldapi://%%2Fs\", "
		    "people: {base: \"o=x\", attributes: {uid: uid}}%s}\n", says[i].lines);
		s = settings_of(mu_buf_text(&text), "musterd.yaml");
		assert_int_equal(says[i].follow, s->sources[0].follow);
		assert_int_equal(says[i].every_s, s->sources[0].every_s);
		assert_int_equal(says[i].key, s->sources[0].key);
	}
}

static void
a_source_may_what_it_says(void **state)
{
	MU_AUTO(settings_freep) struct settings *s = settings_of("state: s\npolicies: /p\nsources:\n"
	    MORE("home", "") MORE("partner", "name_suffix: .partner, " BOUNDED)
	    MORE("twin", "name_suffix: -t, authority: all, administrators: false, ")
	    MORE("guests", "name_suffix: -g, authority: {roles: []}, administrators: true, "),
	    "musterd.yaml");
	const struct settings_source *home = &s->sources[0], *partner = &s->sources[1];

	(void)state;
	assert_string_equal("", home->name_suffix);
	assert_true(home->authority_all && home->administrators);
	assert_string_equal(".partner", partner->name_suffix);
	assert_false(partner->authority_all || partner->administrators);
	assert_int_equal(1, partner->roles.count);
	assert_string_equal("chat", partner->roles.list[0]);
	assert_string_equal("known", partner->levels.list[0]);
	assert_true(s->sources[2].authority_all && !s->sources[2].administrators);
	assert_false(s->sources[3].authority_all);
	assert_int_equal(0, s->sources[3].roles.count + s->sources[3].levels.count);
	assert_true(s->sources[3].administrators);
}

static void
the_least_file_listens_nowhere_and_gives_nothing(void **state)
{
	MU_AUTO(settings_freep) struct settings *s = settings_of("state: s\npolicies: /p\n", "musterd.yaml");

	(void)state;
	assert_string_equal("s", s->state);
	assert_string_equal("s/run", s->run);
	assert_int_equal(0, s->source_count + s->platform_count + s->client_count);
	assert_null(s->token.host);
	assert_null(s->claim.host);
	assert_null(s->admin.host);
	assert_int_equal(0, s->token_processes);
}

static void
a_store_of_ones_own(void **state)
{
	MU_AUTO(settings_freep) struct settings *s = settings_of("state: /s\npolicies: /p\nrun: /run/muster\n"
	    "store: {conninfo: \"host=db.example.org sslmode=verify-full dbname=muster\", password_file: pw}\n",
	    "/musterd.yaml");

	(void)state;
	assert_string_equal("host=db.example.org sslmode=verify-full dbname=muster", s->conninfo);
	assert_string_equal("/pw", s->password_file);
	assert_string_equal("/run/muster", s->run);
}

/* --- One change to the good file, and the fault that it makes ---------------------------------- */

static struct row {
	const char *name, *old, *fresh;
	const char *fault;	/* how the first fault begins; NULL: there is none */
} rows[] = {
	{ "nothing changed", "", "", NULL },
	{ "a misspelled key", "policies:", "polices:", "c:1:1: 'policies' is missing here" },
	{ "a missing key", "state: /var/lib/muster\n", "", "c:1:1: 'state' is missing here" },
	{ "a run folder too deep for sockets", "policies: policies", "policies: p\nrun: /0123456789012345678901234567890123456789012345678901234567890123456789012345678901",
	    "c:3:6: '/01234567890123456789" },
	{ "a store of another kind", "store: embedded", "store: sqlite", "c:3:8: store must be embedded, or" },
	{ "a store across the network without TLS", "store: embedded", "store: {conninfo: host=db}",
	    "c:3:19: conninfo crosses a network: add sslmode=verify-full" },
	{ "a store behind weaker TLS", "store: embedded", "store: {conninfo: host=db sslmode=require}",
	    "c:3:19: conninfo crosses" },
	{ "a store by address alone", "store: embedded", "store: {conninfo: hostaddr=192.0.2.1}",
	    "c:3:19: conninfo crosses" },
	{ "one of several hosts elsewhere", "store: embedded", "store: {conninfo: \"host=/run/pg,db\"}",
	    "c:3:19: conninfo crosses" },
	{ "several sockets", "store: embedded", "store: {conninfo: \"host=/run/pg,/run/pg2 port = 5433\"}", NULL },
	{ "a conninfo with a quoted value", "store: embedded", "store: {conninfo: \"host='/run/a b' dbname='x\\\\'y'\"}",
	    NULL },
	{ "a conninfo with an open quote", "store: embedded", "store: {conninfo: \"host='/run\"}",
	    "c:3:19: conninfo has a quote that is not closed" },
	{ "a conninfo with a password", "store: embedded", "store: {conninfo: \"host=/run password=x\"}",
	    "c:3:19: conninfo holds a password" },
	{ "a conninfo that is a URI", "store: embedded", "store: {conninfo: \"postgresql://db/muster\"}",
	    "c:3:19: conninfo is a URI" },
	{ "a conninfo that hides a URI", "store: embedded", "store: {conninfo: \"dbname=postgresql://db/muster\"}",
	    "c:3:19: conninfo has a dbname that is a URI" },
	{ "a name with a capital", "name: main", "name: Main", "c:5:11: name: 'Main' must be a lower-case word" },
	{ "plain LDAP", "    starttls: true\n", "", "c:6:10: uri: ldap://ldap.example.org:389 would send" },
	{ "plain LDAP with a reason", "starttls: true", "insecure_plain: the appliance cannot do TLS", NULL },
	{ "plain LDAP without a reason", "starttls: true", "insecure_plain: true",
	    "c:7:21: insecure_plain: give the reason" },
	{ "a reason for nothing", "starttls: true", "starttls: true\n    insecure_plain: the appliance cannot",
	    "c:8:21: insecure_plain is for ldap:// without starttls" },
	{ "STARTTLS inside TLS", "ldap://", "ldaps://", "c:7:15: starttls is for ldap:// alone" },
	{ "LDAPS", "uri: ldap://ldap.example.org:389\n    starttls: true", "uri: ldaps://[2001:db8::1]", NULL },
	{ "a socket needs no password", "uri: ldap://ldap.example.org:389\n    starttls: true\n    ca: ../ca.crt\n"
	    "    bind_dn: cn=muster,dc=example,dc=org\n    bind_password_file: /etc/muster/bind\n",
	    "uri: ldapi://%2Frun%2Fldapi\n", NULL },
	{ "a socket whose path is not spelled", "ldap://ldap.example.org:389\n    starttls: true", "ldapi:///run/ldapi",
	    "c:6:10: uri: 'ldapi:///run/ldapi' must spell" },
	{ "a source that is polled", "starttls: true", "starttls: true\n    follow: poll", NULL },
	{ "a source that is read by pages", "starttls: true",
	    "starttls: true\n    follow: paged\n    every: 1d\n    key: objectGUID", NULL },
	{ "389 DS as it changes", "starttls: true", "starttls: true\n    follow: persist\n    key: nsUniqueId", NULL },
	{ "a way to follow that is none", "starttls: true", "starttls: true\n    follow: pol",
	    "c:8:13: 'pol' is not known here: did you mean 'poll'?" },
	{ "several ways to follow", "starttls: true", "starttls: true\n    follow: [poll]", "c:8:13: " },
	{ "a pause where nothing is polled", "starttls: true", "starttls: true\n    every: 30s",
	    "c:8:12: every is not for follow: persist: leave it out" },
	{ "a pause that is too short", "starttls: true", "starttls: true\n    follow: poll\n    every: 4s",
	    "c:9:12: '4s' must be from 5s to 1d" },
	{ "a pause that is too long", "starttls: true", "starttls: true\n    follow: paged\n    every: 2d",
	    "c:9:12: '2d' must be from 5s to 1d" },
	{ "a key that is none", "starttls: true", "starttls: true\n    key: entryuuid",
	    "c:8:10: 'entryuuid' is not known here: did you mean 'entryUUID'?" },
	{ "Active Directory as it changes", "starttls: true", "starttls: true\n    key: objectGUID",
	    "c:8:10: key: objectGUID needs follow: dirsync, usn or paged" },
	{ "Active Directory polled", "starttls: true", "starttls: true\n    key: objectGUID\n    follow: poll",
	    "c:8:10: key: objectGUID needs follow: dirsync, usn or paged" },
	{ "Active Directory by uSNChanged", "starttls: true", "starttls: true\n    follow: usn\n    every: 1m",
	    NULL },
	{ "Active Directory by another key", "starttls: true",
	    "starttls: true\n    follow: dirsync\n    key: entryUUID",
	    "c:9:10: follow: dirsync and follow: usn are for Active Directory" },
	{ "a bit of a number", "{uid: uid", "{disabled: userAccountControl:2, uid: uid", NULL },
	{ "a FILETIME", "{uid: uid", "{endDate: accountExpires:time, uid: uid", NULL },
	{ "no bit at all", "{uid: uid", "{disabled: userAccountControl:0, uid: uid",
	    "c:14:30: 'userAccountControl:0': behind the colon" },
	{ "more bits than a number has", "{uid: uid", "{disabled: userAccountControl:4294967296, uid: uid",
	    "c:14:30: 'userAccountControl:4294967296': behind the colon" },
	{ "a bit by its name", "{uid: uid", "{disabled: userAccountControl:ACCOUNTDISABLE, uid: uid",
	    "c:14:30: 'userAccountControl:ACCOUNTDISABLE': behind the colon" },
	{ "a bit of nothing", "{uid: uid", "{disabled: ':2', uid: uid",
	    "c:14:30: '' is not the name of a directory attribute" },
	{ "a FILETIME as it is", "{uid: uid", "{endDate: accountexpires, uid: uid",
	    "c:14:29: write accountExpires:time" },
	{ "another scheme", "uri: ldap://", "uri: http://", "c:6:10: uri: 'http://ldap.example.org:389' must begin" },
	{ "a URI with a path", ":389", ":389/dc=org", "c:6:10: uri: 'ldap://ldap.example.org:389/dc=org' must be" },
	{ "a port that is none", ":389", ":70000", "c:6:10: uri:" },
	{ "a bind without password", "    bind_password_file: /etc/muster/bind\n", "",
	    "c:9:14: bind_dn needs a password" },
	{ "a password without bind", "    bind_dn: cn=muster,dc=example,dc=org\n", "",
	    "c:9:25: bind_password_file needs bind_dn" },
	{ "a DN that is none", "ou=people,dc=example,dc=org", "people", "c:12:13: base: 'people' is not a dist" },
	{ "a filter whose bracket is open", "(objectClass=person)", "(objectClass=person", "c:13:15: filter:" },
	{ "a filter without brackets", "(objectClass=person)", "objectClass=person", "c:13:15: filter:" },
	{ "two filters", "(objectClass=person)", "(a=b)(c=d)", "c:13:15: filter:" },
	{ "an attribute name of ours in capitals", "{uid: uid", "{Uid: uid",
	    "c:14:20: 'Uid' must begin with a lower-case letter" },
	{ "a reserved name", "name: cn,", "group: cn,", "c:14:30: 'group' is taken by groups" },
	{ "a reserved name in other case", "name: cn,", "memberof: cn,", "c:14:30: 'memberof' is taken" },
	{ "a name that differs by case alone", "name: cn,", "uiD: cn,", "c:14:30: 'uiD' is mapped above" },
	{ "a directory attribute that is none", "name: cn,", "name: c n,", "c:14:36: 'c n' is not the name of" },
	{ "a source of ours in an attribute's place", "name: cn,", "source: cn,",
	    "c:14:30: 'source' is taken by the name" },
	{ "two sources that say what they may", GROUPS, GROUPS MORE("partner", "name_suffix: .partner, " BOUNDED),
	    NULL },
	{ "two sources that may everything, and one says so", GROUPS,
	    GROUPS MORE("partner", "name_suffix: .partner, authority: all, "), NULL },
	{ "a single source may be bounded", "    starttls: true", "    starttls: true\n    authority: {roles: []}",
	    NULL },
	{ "two sources that leave out what they may", GROUPS, GROUPS MORE("partner", "name_suffix: .partner, "),
	    "c:16:5: of several sources one alone may be without authority" },
	{ "two sources without a suffix", GROUPS, GROUPS MORE("partner", BOUNDED),
	    "c:16:5: of several sources one alone may be without name_suffix, and source main is: add name_suffix:" },
	{ "two sources with one suffix", GROUPS, GROUPS MORE("partner", "name_suffix: .p, " BOUNDED)
	    MORE("other", "name_suffix: .p, " BOUNDED), "c:17:32: name_suffix: '.p' and '.p' of source partner" },
	{ "a suffix that ends in another", GROUPS, GROUPS MORE("partner", "name_suffix: .p, " BOUNDED)
	    MORE("other", "name_suffix: .o.p, " BOUNDED),
	    "c:17:32: name_suffix: '.o.p' and '.p' of source partner: neither may end" },
	{ "a suffix in which another ends", GROUPS, GROUPS MORE("partner", "name_suffix: -o-p, " BOUNDED)
	    MORE("other", "name_suffix: -p, " BOUNDED), "c:17:32: name_suffix: '-p' and '-o-p' of source partner" },
	{ "a suffix that begins like a name", GROUPS, GROUPS MORE("partner", "name_suffix: partner, " BOUNDED),
	    "c:16:34: name_suffix: 'partner' must begin with" },
	{ "a suffix in capitals", GROUPS, GROUPS MORE("partner", "name_suffix: .P, " BOUNDED),
	    "c:16:34: name_suffix: '.P' must begin with" },
	{ "an authority that is no word of ours", GROUPS,
	    GROUPS MORE("partner", "name_suffix: .p, authority: some, "), "c:16:49: authority: write all, or" },
	{ "an authority without roles", GROUPS,
	    GROUPS MORE("partner", "name_suffix: .p, authority: {levels: [known]}, "),
	    "c:16:49: 'roles' is missing here" },
	{ "an authority with something else", GROUPS,
	    GROUPS MORE("partner", "name_suffix: .p, authority: {roles: [], rooms: []}, "),
	    "c:16:61: unknown key 'rooms': " },
	{ "an adapter that is near", "adapter: chat", "adapter: caht",
	    "c:18:14: adapter: there is no 'caht': did you mean 'chat'?" },
	{ "an adapter that is far", "adapter: chat", "adapter: telegraph",
	    "c:18:14: adapter: there is no 'telegraph': it can be chat, bare" },
	{ "another adapter has other keys", "adapter: chat", "adapter: bare", "c:20:5: unknown key 'url'" },
	{ "an account attribute that is not mapped", "account: uid", "account: uuid",
	    "c:19:14: account: source main does not map an attribute 'uuid': did you mean 'uid'?" },
	{ "a plain URL", "url: https:", "url: http:", "c:20:10: url: 'http://chat.example.org:5443/api/' must begin with https://" },
	{ "a plain URL where the key allows it", "user: muster", "user: muster\n    media: http://192.0.2.1/", NULL },
	{ "a URL with a password", "chat.example.org:5443", "me:pw@chat.example.org:5443", "c:20:10: url:" },
	{ "a URL with a query", "/api/", "/api?x=1", "c:20:10: url:" },
	{ "a URL without a host", "https://chat.example.org:5443/api/", "https:///api", "c:20:10: url:" },
	{ "a host that is none", "user: muster", "user: muster\n    host: a_b.example", "c:22:11: host:" },
	{ "a text too short", "user: muster", "user: me", "c:21:11: this text is too short: 3 bytes" },
	{ "a text too long", "user: muster", "user: m012345678901234567890", "c:21:11: this text is too long: 20" },
	{ "a number out of bounds", "user: muster", "user: muster\n    connections: 17",
	    "c:22:18: '17' must be a whole number from 1 to 16 connections" },
	{ "a time out of bounds", "user: muster", "user: muster\n    patience: 2m", "c:22:15: '2m' must be from 1s to 1m" },
	{ "an adapter's key that is missing", "    password_file: chat-password\n", "",
	    "c:17:5: 'password_file' is missing here" },
	{ "a client of no platform", "platform: xmpp,", "platform: smtp,", "c:24:35: platform: there is no 'smtp'" },
	{ "a client's name twice", "csr: client.csr}\n", "csr: client.csr}\n  - {name: xmpp-server, platform: xmpp, csr: x}\n",
	    "c:25:12: name: 'xmpp-server' is taken" },
	{ "a listener by name", "127.0.0.1:8443", "localhost:8443", "c:25:17: listen: 'localhost:8443' must be an address" },
	{ "a listener without a port", "127.0.0.1:8443", "127.0.0.1", "c:25:17: listen:" },
	{ "a listener at port 0", "127.0.0.1:8443", "127.0.0.1:0", "c:25:17: listen:" },
	{ "a listener that many names reach", "127.0.0.1:8443", "0.0.0.0:8443", "c:25:8: add names" },
	{ "two listeners at one place", "[::1]:8444", "127.0.0.1:8443", "c:26:17: listen: 127.0.0.1:8443 is taken" },
	{ "the administrators' listener at token's place", "127.0.0.1:8445", "127.0.0.1:8443",
	    "c:27:17: listen: 127.0.0.1:8443 is taken by token: use another port" },
	{ "the administrators' listener at claim's place", "127.0.0.1:8445", "[::1]:8444",
	    "c:27:17: listen: ::1:8444 is taken by claim: use another port" },
	{ "the administrators' listener by name", "127.0.0.1:8445", "localhost:8445",
	    "c:27:17: listen: 'localhost:8445' must be an address" },
	{ "the administrators' listener for everybody", "127.0.0.1:8445", "0.0.0.0:8445", "c:27:8: add names" },
	{ "the administrators have one process", "8445\"}", "8445\", processes: 2}",
	    "c:27:35: unknown key 'processes'" },
	{ "no process at all", "8443\"}", "8443\", processes: 0}",
	    "c:25:46: '0' must be a whole number from 1 to 64 processes" },
	{ "a certificate for a name that is none", "[claim.example.org,", "[claim_example,",
	    "c:26:39: names: 'claim_example' is neither" },
	{ "the whole file is a list", good, "- x\n", "c:1:1: this must be a map, not a list" },
};

static void
row(void **state)
{
	struct row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, said = MU_BUF_INIT;
	MU_AUTO(settings_freep) struct settings *s = NULL;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	const char *at = strstr(good, r->old);
	bool taken;

	assert_non_null(at);
	mu_buf_add(&text, good, (size_t)(at - good));
	mu_buf_text_add(&text, r->fresh);
	mu_buf_text_add(&text, at + strlen(r->old));
	taken = settings_parse(text.data, text.size_bytes, "c", adapters, &faults, &s);
	config_faults_format(&faults, &said);
	config_faults_clear(&faults);
	assert_int_equal(taken, r->fault == NULL);
	if (r->fault == NULL)
		assert_string_equal("", mu_buf_text(&said));
	else if (!mu_text_starts(mu_buf_text(&said), r->fault))
		fail_msg("'%s' is not how this begins: %s", r->fault, mu_buf_text(&said));
}

static void
all_faults_come_at_once(void **state)
{
	static const char text[] = "stat: /s\npolicies: [p]\nsources: [{name: a, uri: x}, {name: a}]\n"
	    "platforms: [{adapter: chat, url: x}]\ntoken: {listen: here, processes: lots}\nstat: 2\n";
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct settings *s = NULL;

	(void)state;
	assert_false(settings_parse(text, strlen(text), "c", adapters, &faults, &s));
	assert_null(s);
	/*
	 * 1: state missing, stat unknown; 2: a list; 3: people twice missing, one URI wrong, one missing,
	 * one bind missing, one name twice, two without name_suffix, two without authority; 4: name, account, user, password_file missing, URL wrong;
	 * 5: no address, no number; 6: stat again, and unknown again
	 */
	assert_int_equal(2 + 1 + 8 + 5 + 2 + 2, faults.count);
	config_faults_clear(&faults);
}

int
main(void)
{
	struct CMUnitTest changes[MU_COUNT(rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(a_good_file_says_it_all),
		cmocka_unit_test(a_source_is_followed_as_it_says),
		cmocka_unit_test(a_source_may_what_it_says),
		cmocka_unit_test(the_least_file_listens_nowhere_and_gives_nothing),
		cmocka_unit_test(a_store_of_ones_own),
		cmocka_unit_test(all_faults_come_at_once),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		changes[i] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("settings", rest, NULL, NULL) +
	    cmocka_run_group_tests_name("changes", changes, NULL, NULL);
}
