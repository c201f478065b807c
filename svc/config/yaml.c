#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/text.h"
#include "config/yaml_priv.h"

#define MAP_KEYS_MAX 1000	/* each is compared with all before it */

struct config_doc {
	char *name;
	struct config_node *root;
};

/*
 * A tree in the making. We build it from libyaml's events and not from its document, for only events
 * still tell an anchor, an alias or a tag from the text that they stand for.
 */
struct builder {
	struct config_doc *doc;
	struct config_faults *faults;
	yaml_parser_t parser;
	struct config_node *open[CONFIG_DEPTH_MAX];	/* lists and maps not yet ended, outermost first */
	size_t depth, node_count;
};

static void
node_free(struct config_node *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->count; i++)
		node_free(n->list[i]);
	mu_free(n->list);
	mu_free(n->text);
	mu_free(n);
}

void
config_doc_free(struct config_doc *doc)
{
	if (doc == NULL)
		return;
	node_free(doc->root);
	mu_free(doc->name);
	mu_free(doc);
}

void
config_doc_freep(struct config_doc **doc)
{
	config_doc_free(*doc);
	*doc = NULL;
}

/* A fault at a mark, where there is no node yet. */
static void
fault_at(struct builder *b, const yaml_mark_t *mark, const char *text, const char *detail)
{
	const struct config_node here = { .doc = b->doc, .line = (uint32_t)mark->line + 1,
		.column = (uint32_t)mark->column + 1 };

	config_fault(b->faults, &here, "%s%s", text, detail);
}

static void
syntax_fault(struct builder *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	mu_buf_text_add(&text, b->parser.problem == NULL ? "cannot be read" : b->parser.problem);
	if (b->parser.context != NULL)
		mu_buf_format(&text, " %s", b->parser.context);
	if (b->parser.error == YAML_READER_ERROR) {
		config_fault_file(b->faults, b->doc->name, "byte %zu: %s", b->parser.problem_offset + 1,
		    mu_buf_text(&text));
		return;
	}
	mu_buf_text_add(&text, ": check the indentation, and quote text that has one of : # { } [ "
	    "] & * ! in it");
	fault_at(b, &b->parser.problem_mark, "not YAML: ", mu_buf_text(&text));
}

/* Is the innermost open map waiting for a key? */
static bool
at_key(const struct builder *b)
{
	const struct config_node *n = b->depth == 0 ? NULL : b->open[b->depth - 1];

	return n != NULL && n->kind == CONFIG_MAP && n->count % 2 == 0;
}

/* key is the last of map: is it the first of its name? false: there are too many to go on. */
static bool
key_check(struct builder *b, const struct config_node *map, const struct config_node *key)
{
	if (map->count / 2 >= MAP_KEYS_MAX) {
		config_fault(b->faults, key, "a map may have %d keys at most: make it a "
		    "list", MAP_KEYS_MAX);
		return false;
	}
	for (size_t i = 0; i + 1 < map->count; i += 2)
		if (strcmp(map->list[i]->text, key->text) == 0) {
			config_fault(b->faults, key, "'%s' stands here a second time: the first is "
			    "in line %u",
			    key->text, map->list[i]->line);
			break;
		}
	return true;
}

/* Hangs a fresh node into the tree; NULL and a fault if there is no place for it. */
static struct config_node *
node_add(struct builder *b, enum config_kind kind, const yaml_mark_t *mark)
{
	struct config_node *n, *parent = b->depth == 0 ? NULL : b->open[b->depth - 1];

	if (++b->node_count > CONFIG_NODES_MAX) {
		fault_at(b, mark, "the file has too many values: split it", "");
		return NULL;
	}
	if (kind != CONFIG_SCALAR && at_key(b)) {
		fault_at(b, mark, "a key is a word, not a list or a map", "");
		return NULL;
	}
	if (kind != CONFIG_SCALAR && b->depth == CONFIG_DEPTH_MAX) {
		fault_at(b, mark, "lists and maps are nested too deeply", "");
		return NULL;
	}
	n = mu_alloc_zero(1, sizeof(*n));
	n->doc = b->doc;
	n->kind = kind;
	n->line = (uint32_t)mark->line + 1;
	n->column = (uint32_t)mark->column + 1;
	if (parent == NULL) {
		b->doc->root = n;
	} else {
		if ((parent->count & (parent->count - 1)) == 0)
			parent->list = mu_alloc_again(parent->list, parent->count == 0 ? 1 : 2 * parent->count,
			    sizeof(*parent->list));
		parent->list[parent->count++] = n;
	}
	if (kind != CONFIG_SCALAR)
		b->open[b->depth++] = n;
	return n;
}

static void
decoration_check(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor,
    const yaml_char_t *tag)
{
	if (anchor != NULL)
		fault_at(b, &e->start_mark, "anchors (&) are not read here: write the value "
		    "out", "");
	if (tag != NULL)
		fault_at(b, &e->start_mark, "tags (!) are not read here: quote the text if it "
		    "begins with !", "");
}

static bool
scalar_add(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t text_bytes = e->data.scalar.length;
	bool key = at_key(b), broken = false;
	struct config_node *n;

	decoration_check(b, e, e->data.scalar.anchor, e->data.scalar.tag);
	if (strlen(text) != text_bytes) {
		fault_at(b, &e->start_mark, "text cannot hold NUL (\\0)", "");
		broken = true;
	}
	if (text_bytes > CONFIG_TEXT_MAX_BYTES) {
		fault_at(b, &e->start_mark, "this text is too long: 65536 bytes are the most", "");
		broken = true;
	}
	n = node_add(b, CONFIG_SCALAR, &e->start_mark);
	if (n == NULL)
		return false;
	n->text = mu_strdup(broken ? "" : text);
	n->broken = broken;
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return !key || key_check(b, b->open[b->depth - 1], n);
}

static bool
alias_add(struct builder *b, const yaml_event_t *e)
{
	struct config_node *n;

	fault_at(b, &e->start_mark, "aliases (*) are not read here: quote the text if it begins "
	    "with *", "");
	n = node_add(b, CONFIG_SCALAR, &e->start_mark);
	if (n == NULL)
		return false;
	n->text = mu_strdup("");
	n->broken = true;
	return true;
}

/* Takes one event; false: a fault says why there is no going on. */
static bool
event_take(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->doc->root != NULL) {
			fault_at(b, &e->start_mark, "a second document: a file has one", "");
			return false;
		}
		if (e->data.document_start.version_directive != NULL ||
		    e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
			fault_at(b, &e->start_mark, "directives (%) are not read here", "");
		return true;
	case YAML_ALIAS_EVENT:
		return alias_add(b, e);
	case YAML_SCALAR_EVENT:
		return scalar_add(b, e);
	case YAML_SEQUENCE_START_EVENT:
		decoration_check(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		return node_add(b, CONFIG_LIST, &e->start_mark) != NULL;
	case YAML_MAPPING_START_EVENT:
		decoration_check(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		return node_add(b, CONFIG_MAP, &e->start_mark) != NULL;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	}
	return true;
}

static bool
tree_build(struct builder *b)
{
	yaml_event_type_t type;

	do {
		yaml_event_t event;
		bool taken;

		if (yaml_parser_parse(&b->parser, &event) == 0) {
			syntax_fault(b);
			return false;
		}
		type = event.type;
		taken = event_take(b, &event);
		yaml_event_delete(&event);
		if (!taken)
			return false;
	} while (type != YAML_STREAM_END_EVENT);
	if (b->doc->root == NULL) {
		config_fault_file(b->faults, b->doc->name, "the file is empty");
		return false;
	}
	return true;
}

bool
config_doc_parse(const char *text, size_t text_bytes, const char *file_name,
    struct config_faults *faults, struct config_doc **out_doc)
{
	MU_AUTO(config_doc_freep) struct config_doc *doc = mu_alloc_zero(1, sizeof(*doc));
	struct builder b = { .doc = doc, .faults = faults };
	bool built;

	doc->name = mu_strdup(file_name);
	if (text_bytes > CONFIG_FILE_MAX_BYTES) {
		config_fault_file(faults, file_name, "larger than %d bytes: split "
		    "it", CONFIG_FILE_MAX_BYTES);
		return false;
	}
	if (!mu_utf8_valid(text, text_bytes)) {
		config_fault_file(faults, file_name, "not UTF-8 text: save it as UTF-8");
		return false;
	}
	if (text_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		config_fault_file(faults, file_name, "begins with a byte order mark: save it "
		    "without");
		return false;
	}
	if (yaml_parser_initialize(&b.parser) == 0) {
		config_fault_file(faults, file_name, "out of memory");
		return false;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text == NULL ? "" : text),
	    text_bytes);
	built = tree_build(&b);
	yaml_parser_delete(&b.parser);
	if (built)
		*out_doc = MU_TAKE(doc);
	return built;
}

bool
config_doc_read(const char *path, struct config_faults *faults, struct config_doc **out_doc)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && text.size_bytes <= CONFIG_FILE_MAX_BYTES) {
		mu_buf_reserve(&text, 65536);
		got = read(fd, text.data + text.size_bytes, 65536);
		if (got > 0)
			text.size_bytes += (size_t)got;
	}
	if (got < 0)
		config_fault_file(faults, path, "cannot be read: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return got >= 0 && config_doc_parse(text.data, text.size_bytes, path, faults, out_doc);
}

/* --- Nodes ------------------------------------------------------------------------------------ */

const struct config_node *
config_doc_root(const struct config_doc *doc)
{
	return doc->root;
}

const char *
config_doc_name(const struct config_doc *doc)
{
	return doc->name;
}

enum config_kind
config_node_kind(const struct config_node *n)
{
	return n->kind;
}

uint32_t
config_node_line(const struct config_node *n)
{
	return n->line;
}

uint32_t
config_node_column(const struct config_node *n)
{
	return n->column;
}

size_t
config_list_count(const struct config_node *list)
{
	return list == NULL || list->kind != CONFIG_LIST ? 0 : list->count;
}

const struct config_node *
config_list_at(const struct config_node *list, size_t index)
{
	return index < config_list_count(list) ? list->list[index] : NULL;
}

size_t
config_map_count(const struct config_node *map)
{
	return map == NULL || map->kind != CONFIG_MAP ? 0 : map->count / 2;
}

const struct config_node *
config_map_key_at(const struct config_node *map, size_t index)
{
	return index < config_map_count(map) ? map->list[2 * index] : NULL;
}

const struct config_node *
config_map_at(const struct config_node *map, size_t index)
{
	return index < config_map_count(map) ? map->list[2 * index + 1] : NULL;
}

const struct config_node *
config_map_find(const struct config_node *map, const char *key)
{
	for (size_t i = 0; i < config_map_count(map); i++)
		if (strcmp(map->list[2 * i]->text, key) == 0)
			return map->list[2 * i + 1];
	return NULL;
}

const char *
config_scalar_text(const struct config_node *n)
{
	return n == NULL || n->kind != CONFIG_SCALAR ? NULL : n->text;
}

bool
config_scalar_quoted(const struct config_node *n)
{
	return n != NULL && n->quoted;
}
