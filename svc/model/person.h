/*
 * model/person.h - what is known of a person when something is decided about them
 */
#ifndef MODEL_PERSON_H
#define MODEL_PERSON_H

#include "model/attrs.h"
#include "model/strings.h"

/* The only roles, and levels of identification, that a person's source may give them. */
struct authority {
	struct strings roles, levels;
};

/*
 * What a filter sees: mapped attributes, "group" with the names of the person's groups, and "source"
 * with the name of the source they come from. All borrowed.
 */
struct facts {
	const struct attrs *attrs;
	const struct strings *groups;
	const char *source;			/* NULL: not said */
	const struct authority *authority;	/* NULL: every role and level */
};

#define FACTS_GROUP_ATTR "group"
#define FACTS_SOURCE_ATTR "source"

#endif
