/*
 * config/yaml_priv.h - what a node is, for the files of this room that build and read trees
 */
#ifndef CONFIG_YAML_PRIV_H
#define CONFIG_YAML_PRIV_H

#include "config/yaml.h"

struct config_node {
	const struct config_doc *doc;
	enum config_kind kind;
	bool quoted;
	bool broken;		/* stands for what was refused: readers stay silent about it */
	uint32_t line, column;
	char *text;		/* scalars */
	struct config_node **list;	/* list: items; map: key, value, key, value */
	size_t count;		/* of pointers in list */
};

/* "'a', 'b' or 'c'": appends one name of such a list; at the end close says so. */
void config_names_add(struct mu_buf *b, const char *name);

/* Appends ": did you mean 'x'?", or ": known are ..." from what names has. */
void config_near_format(const struct config_near *near, const struct mu_buf *names, struct mu_buf *b);

#endif
