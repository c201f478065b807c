#include "cli/commands.h"

#include "cli/groups.h"
#include "cli/login.h"
#include "cli/see.h"

const char cli_global_args[] = "[--json] [--secrets-stdin] [--server URL] [--ca-fingerprint HEX] "
    "[--console PATH] [--help] [--version]";

#define WHO_IS	"WHO is a login name, an address or an id, and one person alone; else the " \
		"candidates are listed.\n"
#define TIMES	"TIME is 8h, 30m or 7d from now, 17:00 (the next), or 2026-11-21T18:00:00Z.\n"

const struct command commands[] = {
	/* --- you ------------------------------------------------------------------------------ */
	{ "bootstrap", "WHO ROLE [--no-qr]",
	    "makes the first two administrators, on the console",
	    "Talks to musterd's own socket (--console PATH, else /run/muster/console.sock), as "
	    "root or as the user that musterd runs as. Shows what to log in with and the seed for "
	    "WHO's authenticator, and asks for its first code. Once two administrators are active "
	    "this door is closed; others come by muster admin enrol.\n"
	    WHO_IS
	    "\n"
	    "  sudo muster bootstrap mreid administrator\n",
	    login_bootstrap_run, NULL, NULL },
	{ "login", "[--user NAME] [--no-qr]",
	    "logs you in, with directory password and code",
	    "The first time with --server and --ca-fingerprint as muster bootstrap printed them: "
	    "from then on that server's own authority is trusted and no other. The session's key "
	    "is made here and stays here, 0600; the session ends after 8 hours at most. New "
	    "administrators give the one-time code they were handed, get the seed for their "
	    "authenticator and then give its first code.\n\n"
	    "  muster login --server https://muster.example.org:8445 --ca-fingerprint 3f0c...\n"
	    "  muster login\n",
	    login_run, NULL, NULL },
	{ "logout", "",
	    "ends your session",
	    "The session is forgotten here in any case; the exit status says whether the server "
	    "knows.\n\n"
	    "  muster logout\n",
	    login_out_run, NULL, NULL },
	{ "whoami", "",
	    "says as whom you are logged in, and until when",
	    "  muster whoami\n",
	    see_whoami_run, NULL, NULL },
	{ "status", "[--watch]",
	    "shows how everything stands",
	    "Processes, sources with their verdict and since when, brakes, platforms with their "
	    "oldest unconfirmed change. Without a session it is asked of the console. --watch "
	    "looks again every second: on a terminal it redraws, elsewhere it prints a line.\n\n"
	    "  muster status --watch\n",
	    see_status_run, NULL, NULL },

	/* --- people --------------------------------------------------------------------------- */
	{ "person list", "[--state STATE] [--match FILTER] [--limit N]",
	    "lists people",
	    "STATE is staged, active, suspended, leaver or erased; FILTER is an LDAP filter (RFC "
	    "4515) over mapped attributes and group.\n\n"
	    "  muster person list --match '(&(department=Sales)(group=duty-managers))'\n",
	    list_run, NULL, &list_people },
	{ "person show", "WHO",
	    "shows one person, with accounts and grants",
	    WHO_IS
	    "\n"
	    "  muster person show mreid\n",
	    see_person_run, NULL, NULL },
	{ "person explain", "WHO [ROLE]",
	    "says why a person has what they have",
	    "A line for each right; with ROLE, why or why not that role.\n\n"
	    "  muster person explain mreid ops-moderator\n",
	    see_explain_run, NULL, NULL },

	/* --- actions on people ---------------------------------------------------------------- */
	{ "revoke", "[WHO...] --reason TEXT [--file FILE] [--wait] [--login] [--user NAME]",
	    "takes everything away, everywhere, now",
	    "No directory change lifts it, only muster reinstate. FILE names people, one a line; "
	    "empty lines and those that begin with # do not count; at most 500. Without a "
	    "session, or with --login, password and code are asked for once and it is done in one "
	    "request. --wait prints the receipts of the platforms as they come, until each "
	    "account is as wanted.\n"
	    WHO_IS
	    "\n"
	    "  muster revoke mreid --reason 'phone stolen' --wait\n"
	    "  muster revoke --file leavers.txt --reason 'contract ended'\n",
	    act_revoke, "revoke", NULL },
	{ "suspend", "WHO... --reason TEXT [--until TIME]",
	    "takes everything away for a while",
	    TIMES
	    WHO_IS
	    "\n"
	    "  muster suspend mreid --until 7d --reason 'leave of absence'\n",
	    act_run, "suspend", NULL },
	{ "resume", "WHO... --reason TEXT",
	    "ends a suspension",
	    WHO_IS
	    "\n"
	    "  muster resume mreid --reason 'is back'\n",
	    act_run, "resume", NULL },
	{ "reinstate", "WHO... --reason TEXT",
	    "lifts a revocation",
	    "The person then has what the directory and the policy give them.\n"
	    WHO_IS
	    "\n"
	    "  muster reinstate mreid --reason 'phone found'\n",
	    act_run, "reinstate", NULL },
	{ "identify", "WHO --level LEVEL --method METHOD --evidence REF [--reason TEXT]",
	    "records that you have identified a person",
	    "LEVEL is one of identification.yaml, METHOD what you looked at, REF where that is on "
	    "file. Nobody identifies themselves.\n\n"
	    "  muster identify mreid --level in-person --method passport --evidence HR-2026-114\n",
	    act_run, "identify", NULL },
	{ "grant", "WHO ROLE --until TIME --reason TEXT",
	    "gives a person a role until an end",
	    TIMES
	    "\n"
	    "  muster grant mreid ops-moderator --until 8h --reason 'night shift'\n",
	    act_run, "grant", NULL },
	{ "ungrant", "WHO ROLE --reason TEXT",
	    "ends a granted role",
	    "  muster ungrant mreid ops-moderator --reason 'shift is over'\n",
	    act_run, "ungrant", NULL },

	/* --- four eyes ------------------------------------------------------------------------ */
	{ "pending", "",
	    "lists the actions that wait for approval",
	    "  muster pending\n",
	    list_run, NULL, &list_pending },
	{ "approve", "ID",
	    "approves an action of another administrator",
	    "ID is how its digest begins, four digits or more. What it would do is shown before "
	    "your code is asked for; the last approval executes it.\n\n"
	    "  muster approve 3fa90c\n",
	    pending_approve_run, NULL, NULL },
	{ "deny", "ID --reason TEXT",
	    "denies an action, or takes your own back",
	    "  muster deny 3fa90c --reason 'wrong person'\n",
	    pending_deny_run, NULL, NULL },
	{ "review list", "[--due] [--all] [--limit N]",
	    "lists granted roles that lapse unless somebody confirms them",
	    "The soonest due first: those that are due before they end. --due: those of the next "
	    "14 days alone. --all: every granted role, those last that are not reviewed. What is "
	    "held by birthright is the policy's and is not listed. BY says which administrators "
	    "may confirm.\n\n"
	    "  muster review list --due\n",
	    list_run, NULL, &list_reviews },
	{ "review confirm", "ID... --reason TEXT",
	    "confirms granted roles: they are held on until the next review",
	    "ID is as muster review list shows it. Nobody confirms what is their own, nor what "
	    "they asked for or approved as long as another administrator could.\n\n"
	    "  muster review confirm 0199e2a7-41c0-7aa2-9d5c-0c3f7b1f6a52 --reason 'still leads "
	    "the team'\n",
	    review_run, "review.confirm", NULL },
	{ "review drop", "ID... --reason TEXT",
	    "ends granted roles that are needed no more",
	    "  muster review drop 0199e2a7-41c0-7aa2-9d5c-0c3f7b1f6a52 --reason 'has moved on'\n",
	    review_run, "review.drop", NULL },
	{ "brake list", "",
	    "lists whom the brake holds",
	    "  muster brake list\n",
	    list_run, NULL, &list_brake },
	{ "brake release", "SOURCE --reason TEXT",
	    "lets go of those whom a source's brake holds now",
	    "Who was held is taken away, or let in, as the directory says. Where most people were "
	    "missing from it, it is believed after that to be as small as it is, once. muster "
	    "brake list shows whom, before.\n\n"
	    "  muster brake release main --reason 'the sales team was outsourced'\n",
	    act_run, "brake.release", NULL },

	/* --- credentials ---------------------------------------------------------------------- */
	{ "credential issue", "WHO PLATFORM [--reason TEXT]",
	    "makes a person a new credential to collect",
	    "  muster credential issue mreid xmpp --reason 'lost it'\n",
	    act_run, "credential.issue", NULL },
	{ "credential claim", "[WHO] [PLATFORM]",
	    "collects your own credentials, once",
	    "At the claim page, --server URL, with your directory password. All that waits is "
	    "shown, on whichever platform; with PLATFORM it fails unless there was one for it. "
	    "--ca-fingerprint says which authority to trust, unless you have logged in as an "
	    "administrator before.\n\n"
	    "  muster credential claim --server https://muster.example.org:8444 --ca-fingerprint "
	    "3f0c...\n",
	    claim_run, NULL, NULL },

	/* --- platforms, sources, policy ------------------------------------------------------- */
	{ "platform list", "",
	    "lists the platforms",
	    "  muster platform list\n",
	    list_run, NULL, &list_platforms },
	{ "platform show", "PLATFORM",
	    "shows one platform and its settings",
	    "  muster platform show xmpp\n",
	    see_platform_run, NULL, NULL },
	{ "sync status", "",
	    "lists the sources and what their last read was worth",
	    "  muster sync status\n",
	    list_run, NULL, &list_sources },
	{ "sync quarantine", "",
	    "lists entries that cannot be used, why, and since when",
	    "What was known of them stands. Each is read again with growing pauses, and leaves the "
	    "list when it is mended.\n\n"
	    "  muster sync quarantine\n",
	    list_run, NULL, &list_quarantine },
	{ "sync run", "[SOURCE] [--dry-run] [--reason TEXT]",
	    "reads a source anew, whole",
	    "SOURCE may be left out where there is one. --dry-run changes nothing: it reads the "
	    "directory by itself and prints what a real run would do now, down to accounts, whom "
	    "the brake would hold, and what the read was worth.\n\n"
	    "  muster sync run --dry-run\n",
	    sync_run, "sync.run", NULL },
	{ "policy check", "DIR",
	    "names every fault in a folder of policies, here",
	    "A line each, DIR/FILE:LINE:COLUMN. Which attributes the directory has is checked by "
	    "plan and apply.\n\n"
	    "  muster policy check policies/\n",
	    policy_check_run, NULL, NULL },
	{ "policy test", "DIR",
	    "runs the cases in DIR/cases, here",
	    "  muster policy test policies/\n",
	    policy_test_run, NULL, NULL },
	{ "policy plan", "DIR",
	    "says who would gain and lose what",
	    "Computed on all people by the server; changes nothing. The worst comes first: who is "
	    "shut out, loses power, loses, changes, gains power, gains; of each so many are shown, "
	    "and all are counted. base and outcome are what policy apply goes by.\n\n"
	    "  muster policy plan policies/\n",
	    policy_plan_run, NULL, NULL },
	{ "policy apply", "DIR [--base VERSION] [--outcome DIGEST] [--reason TEXT]",
	    "puts a folder of policies in force",
	    "It is planned anew first. VERSION and DIGEST are what the plan that you looked at "
	    "said: where another policy has been applied since, or other people would change "
	    "now, it is refused, also when it is approved. Refused as well is a policy under "
	    "which no two administrators could change the policy again.\n\n"
	    "  muster policy apply policies/ --base 4 --outcome 3f0c... --reason 'new office'\n",
	    policy_apply_run, "policy.apply", NULL },

	/* --- clients, administrators, audit --------------------------------------------------- */
	{ "client add", "NAME --platform PLATFORM (--csr FILE | --cert FILE) [--reason TEXT]",
	    "lets a platform's client at the token API",
	    "--csr: a certificate is issued for the request in FILE and printed. --cert: that "
	    "certificate is pinned.\n\n"
	    "  muster client add xmpp-server --platform xmpp --csr xmpp-server.csr "
	    ">xmpp-server.crt\n",
	    act_run, "client.add", NULL },
	{ "client list", "",
	    "lists the clients of the token API",
	    "  muster client list\n",
	    list_run, NULL, &list_clients },
	{ "client renew", "NAME --csr FILE [--reason TEXT]",
	    "issues a client's next certificate",
	    "  muster client renew xmpp-server --csr xmpp-server.csr >xmpp-server.crt\n",
	    act_run, "client.renew", NULL },
	{ "client remove", "NAME [--reason TEXT]",
	    "shuts a client out",
	    "  muster client remove xmpp-server\n",
	    act_run, "client.remove", NULL },
	{ "admin list", "",
	    "lists the administrators",
	    "  muster admin list\n",
	    list_run, NULL, &list_administrators },
	{ "admin enrol", "WHO ROLE [--reason TEXT]",
	    "makes a person an administrator",
	    "When it is executed a one-time code is shown, to whoever's approval executed it: "
	    "hand it over in person. With it and their directory password they log in and get a "
	    "seed. Who is one already starts afresh.\n\n"
	    "  muster admin enrol mreid administrator\n",
	    act_run, "admin.enrol", NULL },
	{ "admin unlock", "WHO [--reason TEXT]",
	    "unlocks an administrator after five wrong codes",
	    "  muster admin unlock mreid\n",
	    act_run, "admin.unlock", NULL },
	{ "admin remove", "WHO [--reason TEXT]",
	    "makes a person an administrator no more",
	    "  muster admin remove mreid\n",
	    act_run, "admin.remove", NULL },
	{ "audit list",
	    "--reason TEXT [--kind KIND] [--person WHO] [--since TIME] [--until TIME] [--limit N]",
	    "lists audit records, newest first",
	    "Reading is recorded with its reason before the first row is shown. TIME is 8h, 30m "
	    "or 7d ago, 17:00 (the last), or 2026-11-21T18:00:00Z.\n\n"
	    "  muster audit list --reason 'incident 12' --kind action.executed --since 7d\n",
	    list_run, NULL, &list_audit },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
