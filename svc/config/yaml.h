/*
 * config/yaml.h - files that people write: a strict subset of YAML, and every fault at its place
 *
 * The subset of YAML 1.1 (libyaml): one document of maps, lists and scalars in UTF-8. No anchors,
 * aliases, tags, directives or duplicate keys; a key is a scalar. Nothing is guessed from spelling:
 * a scalar is text until a reader below asks it to be a number, so `no` is never a bool.
 *
 * Readers collect all faults instead of stopping at the first. They take a node that may be NULL, a
 * key that is not there: then they return false, add no fault and leave the default in *out.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_MAX_BYTES	(4 * 1024 * 1024)
#define CONFIG_DEPTH_MAX	32
#define CONFIG_NODES_MAX	200000
#define CONFIG_TEXT_MAX_BYTES	65536		/* one scalar */
#define CONFIG_FAULTS_MAX	200		/* more are counted, not kept */

/* --- Faults --------------------------------------------------------------------------------- */

struct config_node;

struct config_fault_row {
	char *file, *text;
	uint32_t line, column;		/* from 1; 0: of the file as a whole */
};

struct config_faults {
	struct config_fault_row *list;
	size_t count;			/* kept in list */
	size_t more_count;		/* beyond CONFIG_FAULTS_MAX */
};

#define CONFIG_FAULTS_INIT { NULL, 0, 0 }

void config_faults_clear(struct config_faults *f);

/* Adds a fault at the place of a node: say what is wrong and what to write instead. */
void config_fault(struct config_faults *f, const struct config_node *at, const char *fmt, ...)
    MU_PRINTF(3, 4);

/* The same for what has no node: a file that cannot be read. */
void config_fault_file(struct config_faults *f, const char *file, const char *fmt, ...) MU_PRINTF(3, 4);

/* Appends "file:line:col: message\n" for each fault, by file and position. */
void config_faults_format(const struct config_faults *f, struct mu_buf *b);

/* MU_OK if there are none, else MU_ECONFIG with the first and how many more there are. */
MU_CHECKED enum mu_rc config_faults_fail(const struct config_faults *f, struct mu_err *err);

/* --- Documents ------------------------------------------------------------------------------ */

struct config_doc;

/*
 * Reads a file's text into a tree. file_name stands in faults; copied, and so is the text.
 * true: there is a tree, although it may have faults (a duplicate key, an anchor): go on and find
 * the rest, but do not act on it. false: nothing to go on with, and a fault says why.
 */
MU_CHECKED bool config_doc_parse(const char *text, size_t text_bytes, const char *file_name,
    struct config_faults *faults, struct config_doc **out_doc);

/* The same from a file on disk. */
MU_CHECKED bool config_doc_read(const char *path, struct config_faults *faults,
    struct config_doc **out_doc);

void config_doc_free(struct config_doc *doc);		/* NULL is fine */
void config_doc_freep(struct config_doc **doc);		/* for MU_AUTO */

/* Never NULL. Nodes and their text live as long as the document. */
const struct config_node *config_doc_root(const struct config_doc *doc);
const char *config_doc_name(const struct config_doc *doc);

enum config_kind { CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

enum config_kind config_node_kind(const struct config_node *n);
uint32_t config_node_line(const struct config_node *n);		/* from 1 */
uint32_t config_node_column(const struct config_node *n);	/* from 1, in characters */

/* Of a node of another kind, and of NULL, the count is 0 and nothing is found. */
size_t config_list_count(const struct config_node *list);
const struct config_node *config_list_at(const struct config_node *list, size_t index);
size_t config_map_count(const struct config_node *map);
const struct config_node *config_map_key_at(const struct config_node *map, size_t index);
const struct config_node *config_map_at(const struct config_node *map, size_t index);
const struct config_node *config_map_find(const struct config_node *map, const char *key);

const char *config_scalar_text(const struct config_node *n);	/* NULL unless a scalar */
bool config_scalar_quoted(const struct config_node *n);		/* 'x', "x" or a block */

/* --- Typed readers: false and a fault if it is not so ----------------------------------------- */

bool config_read_map(struct config_faults *f, const struct config_node *n);
bool config_read_list(struct config_faults *f, const struct config_node *n);

/* Not empty, no control characters, at most max_bytes. Borrowed from the document. */
bool config_read_text(struct config_faults *f, const struct config_node *n, size_t max_bytes,
    const char **out_text);

/* A whole number from min to max; unit ("processes", or NULL) only makes the fault readable. */
bool config_read_int(struct config_faults *f, const struct config_node *n, int64_t min, int64_t max,
    const char *unit, int64_t *out_value);

/* true or false, and no other spelling. */
bool config_read_bool(struct config_faults *f, const struct config_node *n, bool *out_value);

/* 30s, 5m, 8h, 30d: one number and one unit, from min_s to max_s. */
bool config_read_duration(struct config_faults *f, const struct config_node *n, int64_t min_s,
    int64_t max_s, int64_t *out_s);

/* 2% or 0.25%, from 0% to 100%: in hundredths of a percent, so 2% is 200. */
bool config_read_percent(struct config_faults *f, const struct config_node *n, int64_t *out_per_10000);

/* One name of a table that ends with { NULL, 0 }. */
struct config_name {
	const char *name;
	int value;
};
bool config_read_name(struct config_faults *f, const struct config_node *n,
    const struct config_name *names, int *out_value);

/*
 * A list of texts, each at most max_bytes and none twice. *out_list is a fresh array (mu_free) of
 * texts borrowed from the document; on false it is untouched.
 */
bool config_read_texts(struct config_faults *f, const struct config_node *n, size_t max_count,
    size_t max_bytes, const char ***out_list, size_t *out_count);

/* The keys that a map may have; a table ends with { NULL, false }. */
struct config_field {
	const char *name;
	bool required;
};

/*
 * Adds a fault for each key that is not in the table (naming the nearest that is) and each required
 * one that is missing; false if there was any, or if n is not a map at all.
 */
bool config_map_keys(struct config_faults *f, const struct config_node *n,
    const struct config_field *fields);

/* The candidate nearest to text, NULL if none is near: for "did you mean". */
struct config_near {
	const char *text, *best;
	size_t best_cost;
};
void config_near_init(struct config_near *near, const char *text);
void config_near_offer(struct config_near *near, const char *candidate);

#endif
