/*
 * filter/filter_priv.h - a compiled filter: its nodes in the order in which they are written
 */
#ifndef FILTER_FILTER_PRIV_H
#define FILTER_FILTER_PRIV_H

#include <stdint.h>

#include "filter/filter.h"

enum filter_kind {
	FILTER_AND, FILTER_OR, FILTER_NOT,	/* followed by their operands */
	FILTER_PRESENT, FILTER_EQUAL, FILTER_APPROX, FILTER_LEAST, FILTER_MOST,
	FILTER_SUBSTRINGS,			/* followed by its parts */
	FILTER_INITIAL, FILTER_ANY, FILTER_FINAL,
};

struct filter_node {
	enum filter_kind kind;
	size_t next;		/* index behind this node and what belongs to it */
	char *attr;		/* as written; NULL for operators and parts */
	bool group;		/* attr is FACTS_GROUP_ATTR */
	bool source;		/* attr is FACTS_SOURCE_ATTR */
	char *value;		/* without escapes; NULL where there is none */
	char *folded;		/* value as it is compared */
	size_t folded_bytes;
	bool is_number, is_time;	/* LEAST and MOST: what value is, besides text */
	int64_t number, time_s;
};

struct filter {
	struct filter_node *nodes;
	size_t count;
};

/* RFC 4518 2.6.1 for ASCII: what counts as a space. */
static inline bool
filter_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char
filter_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
