#include "cycle/report.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "cycle/batch_priv.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX	1000

/* Counts about one role or platform. */
struct tally {
	bool of_platform;
	char *name;
	int64_t counts[3];	/* role: gained, lost; platform: opened, closed, changed */
};
enum { GAINED, LOST };
enum { OPENED, CLOSED, CHANGED };

struct lines {
	struct mu_buf text;
	int64_t count, told;
};

struct report {
	bool as_json;
	struct lines people[REPORT_SEVERITY_COUNT], held, notes;
	struct tally *tallies;
	size_t tally_count;
	int64_t people_count;
	struct crypto_hash *digest;
	struct mu_buf worst[REPORT_SEVERITY_COUNT];	/* in words, whatever the form */
};

static const char *const severity_names[REPORT_SEVERITY_COUNT] = {
	[REPORT_SHUT_OUT] = "shut out", [REPORT_LOSES_POWER] = "loses power",
	[REPORT_LOSES] = "loses", [REPORT_CHANGES] = "changes",
	[REPORT_GAINS_POWER] = "gains power", [REPORT_GAINS] = "gains",
};

struct report *
report_new(bool as_json)
{
	struct report *r = mu_alloc_zero(1, sizeof(*r));

	r->as_json = as_json;
	r->digest = crypto_hash_new();
	return r;
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++) {
		mu_buf_clear(&r->people[i].text);
		mu_buf_clear(&r->worst[i]);
	}
	mu_buf_clear(&r->held.text);
	mu_buf_clear(&r->notes.text);
	for (size_t i = 0; i < r->tally_count; i++)
		mu_free(r->tallies[i].name);
	mu_free(r->tallies);
	crypto_hash_free(r->digest);
	mu_free(r);
}

/* --- Outcomes --------------------------------------------------------------------------------- */

void
outcome_drop(struct outcome *o)
{
	if (o == NULL || --o->uses > 0)
		return;
	strings_clear(&o->lost);
	strings_clear(&o->gained);
	strings_clear(&o->accounts);
	strings_clear(&o->fresh);
	for (size_t i = 0; i < BRAKE_KIND_COUNT; i++)
		strings_clear(&o->braked[i]);
	mu_buf_clear(&o->text);
	mu_free(o->tallies);
	mu_free(o->refused);
	mu_free(o->fault);
	mu_free(o);
}

static void
strings_copy(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->count; i++)
		strings_add(to, from->list[i]);
}

/* Is this a right over others, or over the platform itself? */
static bool
is_power(const struct entitlement *e)
{
	return e->kind == ENTITLEMENT_LEVEL ||
	    (e->kind == ENTITLEMENT_ROOM && strcmp(e->level, "member") != 0);
}

/* Has one of these a power that stands otherwise, or not at all, in the others? */
static bool
has_power_beyond(const struct entitlements *have, const struct entitlements *others)
{
	for (size_t i = 0; i < have->count; i++) {
		const struct entitlement *e = &have->list[i];
		const struct entitlement *other = entitlements_find(others, e->kind, e->name);

		if (is_power(e) && (other == NULL || strcmp(other->level, e->level) != 0))
			return true;
	}
	return false;
}

/* What the accounts that change come to. */
struct account_news {
	bool shut_out, loses_power, gains_power, urgent;
};

static struct account_news
account_news(const struct store_person *p, const struct cycle_change *ch)
{
	static const struct entitlements none = ENTITLEMENTS_INIT;
	struct account_news n = { false, false, false, false };

	for (size_t i = 0; i < ch->account_count; i++) {
		const struct cycle_account_change *c = &ch->accounts[i];
		const struct account_want *w = &p->accounts[c->index].want;
		const struct entitlements *was = c->was == ACCOUNT_ENABLED ? &c->was_rights : &none;
		const struct entitlements *is = w->state == ACCOUNT_ENABLED ? &w->entitlements :
		    &none;

		n.shut_out = n.shut_out || (c->was == ACCOUNT_ENABLED &&
		    w->state != ACCOUNT_ENABLED);
		n.loses_power = n.loses_power || has_power_beyond(was, is);
		n.gains_power = n.gains_power || has_power_beyond(is, was);
		n.urgent = n.urgent || c->urgent;
	}
	return n;
}

static enum report_severity
severity_of(const struct store_person *p, const struct cycle_change *ch)
{
	const struct account_news n = account_news(p, ch);

	if (n.shut_out)
		return REPORT_SHUT_OUT;
	if (n.loses_power)
		return REPORT_LOSES_POWER;
	if (n.gains_power)
		return REPORT_GAINS_POWER;
	if (ch->lost.count > 0 || n.urgent)
		return ch->gained.count == 0 ? REPORT_LOSES : REPORT_CHANGES;
	return REPORT_GAINS;
}

static size_t
tally_find(struct report *r, bool of_platform, const char *name)
{
	for (size_t i = 0; i < r->tally_count; i++)
		if (r->tallies[i].of_platform == of_platform &&
		    strcmp(r->tallies[i].name, name) == 0)
			return i;
	r->tallies = mu_alloc_again(r->tallies, r->tally_count + 1, sizeof(*r->tallies));
	r->tallies[r->tally_count] = (struct tally){ .of_platform = of_platform,
		.name = mu_strdup(name) };
	return r->tally_count++;
}

/* Counts are kept as the tally's place, times the counts of one, plus which. */
static void
outcome_tally(struct outcome *o, size_t tally, int which)
{
	o->tallies = mu_alloc_again(o->tallies, o->tally_count + 1, sizeof(*o->tallies));
	o->tallies[o->tally_count++] = tally * MU_COUNT(((struct tally *)NULL)->counts) +
	    (size_t)which;
}

static void
outcome_tallies(struct report *r, struct outcome *o, const struct store_person *p,
    const struct cycle_change *ch)
{
	for (size_t i = 0; i < o->gained.count; i++)
		outcome_tally(o, tally_find(r, false, o->gained.list[i]), GAINED);
	for (size_t i = 0; i < o->lost.count; i++)
		outcome_tally(o, tally_find(r, false, o->lost.list[i]), LOST);
	for (size_t i = 0; i < ch->account_count; i++) {
		const struct account_want *w = &p->accounts[ch->accounts[i].index].want;
		bool was = ch->accounts[i].was == ACCOUNT_ENABLED;
		bool is = w->state == ACCOUNT_ENABLED;

		outcome_tally(o, tally_find(r, true, w->platform),
		    is && !was ? OPENED : was && !is ? CLOSED : CHANGED);
	}
}

static void
words_add(struct mu_buf *out, const char *verb, const struct strings *words)
{
	if (words->count == 0)
		return;
	mu_buf_format(out, " %s", verb);
	for (size_t i = 0; i < words->count; i++)
		mu_buf_format(out, "%s%s", i == 0 ? " " : ",", words->list[i]);
}

static void
outcome_text(struct outcome *o)
{
	struct mu_buf *out = &o->text;

	mu_buf_text_add(out, person_state_name(o->from));
	if (o->to != o->from)
		mu_buf_format(out, " becomes %s", person_state_name(o->to));
	words_add(out, "loses", &o->lost);
	words_add(out, "gains", &o->gained);
	for (size_t i = 0; i < o->accounts.count; i++)
		mu_buf_format(out, "%s%s", i == 0 ? "; " : ", ", o->accounts.list[i]);
}

struct outcome *
report_outcome(struct report *r, const struct store_person *after, const struct cycle_change *ch)
{
	struct outcome *o = mu_alloc_zero(1, sizeof(*o));

	o->uses = 1;
	o->fault = mu_strdup(ch->fault);
	if (ch->refused_platform != NULL) {
		MU_AUTO(mu_buf_clear) struct mu_buf refused = MU_BUF_INIT;

		mu_buf_format(&refused, "gets no account on %s: %s", ch->refused_platform,
		    ch->refused_reason);
		o->refused = mu_strdup(refused.data);
	}
	if (ch->stays || (!ch->transition && ch->account_count == 0))
		return o;
	o->changes = true;
	o->brakes[BRAKE_REMOVAL] = ch->removal;
	o->brakes[BRAKE_POWER] = ch->power.count > 0;
	o->brakes[BRAKE_JOIN] = ch->joins;
	for (int i = 0; i < BRAKE_KIND_COUNT; i++)
		batch_platforms(after, ch, (enum brake_kind)i, &o->braked[i]);
	o->severity = severity_of(after, ch);
	o->from = ch->from;
	o->to = after->state;
	strings_copy(&o->lost, &ch->lost);
	strings_copy(&o->gained, &ch->gained);
	batch_accounts_tell(after, ch, &o->accounts);
	for (size_t i = 0; i < ch->account_count; i++)
		if (after->accounts[ch->accounts[i].index].fresh)
			strings_add(&o->fresh, after->accounts[ch->accounts[i].index].want.platform);
	outcome_tallies(r, o, after, ch);
	outcome_text(o);
	return o;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static bool
is_new(const struct report_who *who)
{
	static const struct mu_uuid none;

	return mu_uuid_equal(who->person_id, &none);
}

/* As they stand in logs: what the directory wrote there moves no terminal. */
static void
who_text(const struct report_who *who, struct mu_buf *out)
{
	char person[MU_UUID_TEXT_BYTES];

	mu_field_format(out, who->uid);
	mu_buf_char_add(out, ' ');
	mu_field_format(out, who->name);
	mu_buf_format(out, " %s ", is_new(who) ? "new" : mu_uuid_format(who->person_id, person));
}

static void
strings_json(struct json_writer *w, const char *name, const struct strings *s)
{
	json_list_begin(w, name);
	for (size_t i = 0; i < s->count; i++)
		json_text(w, NULL, s->list[i]);
	json_list_end(w);
}

static void
who_json(struct json_writer *w, const struct report_who *who)
{
	json_object_begin(w, "person");
	if (is_new(who))
		json_none(w, "id");
	else
		json_uuid(w, "id", who->person_id);
	json_text(w, "name", who->name);
	json_text(w, "uid", who->uid);
	json_object_end(w);
}

static void
line_json(const struct outcome *o, const struct report_who *who, bool held, struct mu_buf *out)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	strings_json(&w, "accounts", &o->accounts);
	json_text(&w, "from", person_state_name(o->from));
	strings_json(&w, "gained", &o->gained);
	json_bool(&w, "held", held);
	json_text(&w, "how", severity_names[o->severity]);
	strings_json(&w, "lost", &o->lost);
	who_json(&w, who);
	json_text(&w, "to", person_state_name(o->to));
	json_object_end(&w);
	json_end(&w);
}

static bool
line_begin(struct lines *l)
{
	l->count++;
	if (l->told == REPORT_LINES_MAX || l->text.size_bytes > REPORT_LINES_MAX_BYTES)
		return false;
	l->told++;
	return true;
}

static void
line_add(struct report *r, struct lines *l, const struct outcome *o, const struct report_who *who,
    bool held)
{
	if (!line_begin(l))
		return;
	if (r->as_json) {
		line_json(o, who, held, &l->text);
	} else {
		who_text(who, &l->text);
		mu_buf_add(&l->text, o->text.data, o->text.size_bytes);
	}
	mu_buf_char_add(&l->text, '\n');
}

void
report_add(struct report *r, const struct outcome *o, const struct report_who *who)
{
	struct lines *l = &r->people[o->severity];

	if (l->count < REPORT_WORST) {
		who_text(who, &r->worst[o->severity]);
		mu_buf_add(&r->worst[o->severity], o->text.data, o->text.size_bytes);
		mu_buf_char_add(&r->worst[o->severity], '\n');
	}
	line_add(r, l, o, who, false);
	for (size_t i = 0; i < o->tally_count; i++) {
		size_t each = MU_COUNT(r->tallies->counts);

		r->tallies[o->tallies[i] / each].counts[o->tallies[i] % each]++;
	}
	crypto_hash_add(r->digest, who->person_id, sizeof(*who->person_id));
	crypto_hash_add(r->digest, o->text.data, o->text.size_bytes + 1);
}

void
report_add_held(struct report *r, const struct outcome *o, const struct report_who *who)
{
	line_add(r, &r->held, o, who, true);
}

void
report_note(struct report *r, const struct report_who *who, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	if (!line_begin(&r->notes))
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (who != NULL)
		who_text(who, &r->notes.text);
	mu_buf_format(&r->notes.text, "%s\n", text == NULL ? "" : text);
	free(text);
}

void
report_people_count(struct report *r, int64_t count)
{
	r->people_count = count;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void
lines_out(struct mu_buf *out, const struct lines *l, const char *what, bool as_json)
{
	mu_buf_add(out, mu_buf_text(&l->text), l->text.size_bytes);
	if (l->count > l->told && !as_json)
		mu_buf_format(out, "and %lld more %s: they are counted below\n",
		    (long long)(l->count - l->told), what);
}

static int
by_name(const void *x, const void *y)
{
	const struct tally *a = x, *b = y;

	if (a->of_platform != b->of_platform)
		return a->of_platform ? 1 : -1;
	return strcmp(a->name, b->name);
}

static bool
is_nothing(const struct tally *t)
{
	return t->counts[0] == 0 && t->counts[1] == 0 && t->counts[2] == 0;
}

static void
tally_out(const struct tally *t, struct mu_buf *out)
{
	static const char *const words[2][3] = {
		{ "gained by", "lost by", "" },
		{ "opened for", "shut for", "other rights for" },
	};
	const char *between = "";

	if (is_nothing(t))
		return;
	mu_buf_format(out, "%s %s: ", t->of_platform ? "platform" : "role", t->name);
	for (size_t i = 0; i < MU_COUNT(t->counts); i++) {
		if (t->counts[i] == 0)
			continue;
		mu_buf_format(out, "%s%s %lld", between, words[t->of_platform][i],
		    (long long)t->counts[i]);
		between = ", ";
	}
	mu_buf_char_add(out, '\n');
}

static int64_t
changed_count(const struct report *r)
{
	int64_t count = 0;

	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++)
		count += r->people[i].count;
	return count;
}

static void
sum_out(const struct report *r, struct mu_buf *out)
{
	static const char *const words[REPORT_SEVERITY_COUNT] = { "shut out", "lose power",
		"lose", "lose and gain", "gain power", "gain" };
	const char *between = ": ";

	mu_buf_format(out, "%lld people, %lld would change", (long long)r->people_count,
	    (long long)changed_count(r));
	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++) {
		if (r->people[i].count == 0)
			continue;
		mu_buf_format(out, "%s%lld %s", between, (long long)r->people[i].count, words[i]);
		between = ", ";
	}
	if (r->held.count > 0)
		mu_buf_format(out, "; %lld held by the brake", (long long)r->held.count);
	mu_buf_char_add(out, '\n');
}

static void
tallies_json(const struct report *r, struct json_writer *w, bool of_platform)
{
	json_list_begin(w, of_platform ? "platforms" : "roles");
	for (size_t i = 0; i < r->tally_count; i++) {
		const struct tally *t = &r->tallies[i];

		if (t->of_platform != of_platform || is_nothing(t))
			continue;
		json_object_begin(w, NULL);
		if (of_platform) {
			json_int(w, "changed", t->counts[CHANGED]);
			json_int(w, "closed", t->counts[CLOSED]);
			json_int(w, "opened", t->counts[OPENED]);
			json_text(w, "platform", t->name);
		} else {
			json_int(w, "gained", t->counts[GAINED]);
			json_int(w, "lost", t->counts[LOST]);
			json_text(w, "role", t->name);
		}
		json_object_end(w);
	}
	json_list_end(w);
}

/* The first lines of text, at most so many. */
static size_t
lines_json(struct json_writer *w, const struct mu_buf *text, size_t most)
{
	const char *at = mu_buf_text(text);
	size_t count = 0;

	for (size_t length; *at != '\0' && count < most; at += length + 1, count++) {
		length = strcspn(at, "\n");
		json_text_bytes(w, NULL, at, length);
	}
	return count;
}

static void
worst_json(const struct report *r, struct json_writer *w)
{
	size_t left = REPORT_WORST;

	json_list_begin(w, "worst");
	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++)
		left -= lines_json(w, &r->worst[i], left);
	json_list_end(w);
}

static void
severities_json(const struct report *r, struct json_writer *w)
{
	static const enum report_severity by_word[] = { REPORT_CHANGES, REPORT_GAINS,
		REPORT_GAINS_POWER, REPORT_LOSES, REPORT_LOSES_POWER, REPORT_SHUT_OUT };

	json_object_begin(w, "severities");
	for (size_t i = 0; i < MU_COUNT(by_word); i++)
		json_int(w, severity_names[by_word[i]], r->people[by_word[i]].count);
	json_object_end(w);
}

static void
read_json(const struct report_read *read, struct json_writer *w)
{
	json_object_begin(w, "read");
	json_int(w, "groups", read->groups);
	json_int(w, "missing", read->missing);
	json_int(w, "people", read->people);
	json_text(w, "source", read->source);
	json_text(w, "text", read->text);
	json_text(w, "verdict", verdict_name(read->verdict));
	json_object_end(w);
}

static void
read_out(const struct report_read *read, struct mu_buf *out)
{
	mu_buf_format(out, "source %s: %s%s%s\n%lld people and %lld groups are listed, %lld people"
	    " are missing\n", read->source, verdict_name(read->verdict),
	    read->text[0] == '\0' ? "" : ", ", read->text, (long long)read->people,
	    (long long)read->groups, (long long)read->missing);
}

static void
result_json(const struct report *r, int64_t base, const struct report_read *read,
    const char *outcome, struct mu_buf *out)
{
	struct json_writer w;
	int64_t shown = 0;

	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++)
		shown += r->people[i].told;
	json_begin(&w, out);
	json_object_begin(&w, NULL);
	if (base >= 0)
		json_int(&w, "base", base);
	json_int(&w, "changed", changed_count(r));
	json_int(&w, "held", r->held.count);
	json_list_begin(&w, "notes");
	(void)lines_json(&w, &r->notes.text, NOTES_MAX);
	json_list_end(&w);
	if (base >= 0)
		json_text(&w, "outcome", outcome);
	json_int(&w, "people", r->people_count);
	tallies_json(r, &w, true);
	if (read != NULL)
		read_json(read, &w);
	tallies_json(r, &w, false);
	severities_json(r, &w);
	json_int(&w, "shown", shown);
	worst_json(r, &w);
	json_object_end(&w);
	json_end(&w);
}

void
report_end(struct report *r, int64_t base, const struct report_read *read,
    struct mu_buf *out_lines, struct mu_buf *out_json)
{
	MU_AUTO(mu_buf_clear) struct mu_buf outcome = MU_BUF_INIT;
	unsigned char digest[CRYPTO_SHA256_BYTES];

	crypto_hash_end(r->digest, digest);
	mu_hex_format(&outcome, digest, sizeof(digest));
	if (r->tally_count > 0)
		qsort(r->tallies, r->tally_count, sizeof(*r->tallies), by_name);
	if (base >= 0 && !r->as_json)
		mu_buf_format(out_lines, "base %lld\noutcome %s\n", (long long)base, outcome.data);
	if (read != NULL && !r->as_json)
		read_out(read, out_lines);
	for (int i = 0; i < REPORT_SEVERITY_COUNT; i++)
		lines_out(out_lines, &r->people[i], severity_names[i], r->as_json);
	if (r->held.count > 0 && !r->as_json)
		mu_buf_text_add(out_lines, "held by the brake, until two people release them:\n");
	lines_out(out_lines, &r->held, "are held", r->as_json);
	if (!r->as_json) {
		lines_out(out_lines, &r->notes, "notes", false);
		for (size_t i = 0; i < r->tally_count; i++)
			tally_out(&r->tallies[i], out_lines);
		sum_out(r, out_lines);
		if (read != NULL)
			mu_buf_text_add(out_lines, "nothing was changed\n");
	}
	result_json(r, base, read, outcome.data, out_json);
}
