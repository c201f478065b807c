/*
 * model/person.h - what is known of a person when something is decided about them
 */
#ifndef MODEL_PERSON_H
#define MODEL_PERSON_H

#include "model/attrs.h"
#include "model/strings.h"

/* What a filter sees: mapped attributes, and "group" with the names of the person's groups. */
struct facts {
	const struct attrs *attrs;
	const struct strings *groups;
};

#define FACTS_GROUP_ATTR "group"

#endif
