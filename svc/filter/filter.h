/*
 * filter/filter.h - RFC 4515 text, compiled once, then yes or no over a person
 *
 * The whole grammar but extensible match: & | ! = =* ~= >= <= and substrings, escapes \XX, and RFC
 * 4526's (&) true and (|) false. Blanks may stand between the parts, so that a filter can be
 * written over several lines. Names are mapped attribute names, FACTS_GROUP_ATTR for groups and
 * FACTS_SOURCE_ATTR for the name of the person's source.
 *
 * How values compare:
 *   =, *  as RFC 4517 caseIgnoreMatch, for ASCII: case does not count, nor do blanks at either end,
 *	   and a run of blanks is one. Other characters compare byte by byte. ~= is the same as =.
 *   >= <= as numbers if both sides are whole numbers, as times if both are GeneralizedTime, else by
 *	   bytes as folded above.
 * Any one value of an attribute is enough. An attribute that a person does not have makes an
 * assertion false, not undefined as in RFC 4511 4.5.1.7: (!(department=X)) holds for a person
 * without a department. There are two answers, never three.
 */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include "base/buf.h"
#include "base/err.h"
#include "model/person.h"

#include <stdbool.h>

#define FILTER_MAX_BYTES	65536
#define FILTER_DEPTH_MAX	64
#define FILTER_NODES_MAX	1000	/* assertions, substring parts and operators together */

struct filter;

/*
 * May a filter here mention this attribute? FACTS_GROUP_ATTR and FACTS_SOURCE_ATTR always may, and
 * are not asked about.
 */
typedef bool filter_attr_fn(void *ctx, const char *name);

/*
 * MU_EINPUT  not a filter, beyond a bound, or an attribute that allowed does not know: err names it
 *            and the byte (from 1) at which it stands. allowed NULL: any name will do.
 */
MU_CHECKED enum mu_rc filter_parse(const char *text, filter_attr_fn *allowed, void *ctx,
    struct filter **out_filter, struct mu_err *err);
void filter_free(struct filter *f);		/* NULL is fine */
void filter_freep(struct filter **f);		/* for MU_AUTO */

/* Never allocates. attrs and groups of facts may be NULL: none. */
bool filter_match(const struct filter *f, const struct facts *facts);

/*
 * Can these filters not hold together, whoever the person is? Said only where it is certain: they
 * ask for an assertion and against it, as (&(a=1)(!(a=1))). Two values of one attribute are no
 * contradiction.
 */
bool filter_never(const struct filter *const *filters, size_t count);

/* Appends it as text: same meaning, one spelling of escapes, no blanks between parts. */
void filter_format(const struct filter *f, struct mu_buf *b);

/* Calls back for each attribute it mentions, as often as it does, as it was written. */
typedef void filter_mention_fn(void *ctx, const char *name);
void filter_each_attr(const struct filter *f, filter_mention_fn *fn, void *ctx);

/* Does it ask for a group of this name? Membership in any other group changes no answer of it. */
bool filter_asks_group(const struct filter *f, const char *name);

#endif
