/*
 * cycle/report.h - what decisions would change for whom: counted, digested, told with the worst first
 *
 * Plans and dry runs make an outcome of each decision (what of it is the same for everyone who is
 * decided on alike) and add it for a person. Of each severity so many are told line by line; all are
 * counted. The digest names the set of (person, what changes), not people's names or logins.
 */
#ifndef CYCLE_REPORT_H
#define CYCLE_REPORT_H

#include "cycle/decide.h"

#define REPORT_LINES_MAX	10000		/* told of each severity */
#define REPORT_LINES_MAX_BYTES	(3u << 20)
#define REPORT_WORST		20		/* of the worst lines in the result */

enum report_severity {
	REPORT_SHUT_OUT,		/* gets in nowhere where they did on some platform */
	REPORT_LOSES_POWER,		/* a level over others: moderator, admin, ... */
	REPORT_LOSES, REPORT_CHANGES,	/* CHANGES: loses and gains */
	REPORT_GAINS_POWER, REPORT_GAINS,
};
#define REPORT_SEVERITY_COUNT (REPORT_GAINS + 1)

/* What one decision comes to; shared by counting. */
struct outcome {
	size_t uses;
	bool changes;			/* else there is nothing to add */
	/* as the brake counts it, and the platforms where it does */
	bool brakes[BRAKE_KIND_COUNT];
	struct strings braked[BRAKE_KIND_COUNT];
	enum report_severity severity;
	enum person_state from, to;
	struct strings lost, gained;	/* roles */
	struct strings accounts;	/* "xmpp: enabled -> disabled" */
	struct strings fresh;		/* platforms on which an account is added */
	struct mu_buf text;		/* all that changes, in one form: told and digested */
	size_t *tallies;		/* in report: what they count for */
	size_t tally_count;
	char *refused, *fault;		/* for the notes; NULL: none */
};
void outcome_drop(struct outcome *o);		/* ends one use; NULL is fine */

struct report;
struct report_who {
	const struct mu_uuid *person_id;	/* zeros: not in the store yet */
	const char *uid, *name;
};

/* as_json: people are told as objects, one a line. */
struct report *report_new(bool as_json);
void report_free(struct report *r);

/* after is the person as cycle_decide left it. */
struct outcome *report_outcome(struct report *r, const struct store_person *after,
    const struct cycle_change *ch);
/* People come in order of person_id if the digest is to be the same for the same changes. */
void report_add(struct report *r, const struct outcome *o, const struct report_who *who);
/* The same for one whose change the brake holds: it is told, and changes nothing. */
void report_add_held(struct report *r, const struct outcome *o, const struct report_who *who);
/* A line of its own, behind the people; who NULL: about nobody. */
void report_note(struct report *r, const struct report_who *who, const char *fmt, ...)
    MU_PRINTF(3, 4);
void report_people_count(struct report *r, int64_t count);	/* how many were decided on */

/* What a read of a source was worth. */
struct report_read {
	const char *source;
	enum verdict verdict;		/* VERDICT_NONE: text says why there is none */
	const char *text;
	int64_t people, groups, missing;	/* listed, and known but not listed */
};

/*
 * Appends the lines, then the counts.
 *
 * base      told first, with the digest; -1: neither is
 * read      what all this was decided on; told first. NULL: the rows of the store
 * out_json  the same counts as JSON: {"base"?, "changed", "held", "notes": [TEXT], "outcome"?, "people",
 *           "platforms": [{"changed", "closed", "opened", "platform"}], "read"?: {"groups", "missing",
 *           "people", "source", "text", "verdict"}, "roles": [{"gained", "lost", "role"}], "severities":
 *           {"changes", "gains", "gains power", "loses", "loses power", "shut out"}, "shown",
 *           "worst": [TEXT]}
 */
void report_end(struct report *r, int64_t base, const struct report_read *read,
    struct mu_buf *out_lines, struct mu_buf *out_json);

#endif
