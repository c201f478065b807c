/*
 * Any bytes as JSON. What is taken has canonical bytes, which are taken too and are their own.
 */
#include "json/read.h"
#include "json/write.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must: text of our own, which is to be taken; NULL only for what is not. */
static struct json_node *
parse(const char *text, size_t text_bytes, size_t max_bytes, bool must)
{
	struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (json_parse(text, text_bytes, max_bytes, "fuzz", &root, &err) == MU_OK)
		return root;
	/* The double 1e20 is written as a whole number, and read as one it is beyond 64 bits. */
	if (err.rc != MU_EINPUT || root != NULL || (must && strstr(err.text, "too big") == NULL))
		abort();
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf first = MU_BUF_INIT, second = MU_BUF_INIT, text = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL, *again = NULL;
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	/* Whatever they are, they can be written as a text. */
	json_begin(&w, &text);
	json_list_begin(&w, NULL);
	json_text_bytes(&w, NULL, (const char *)data, size);
	json_list_end(&w);
	json_end(&w);
	if (memchr(data, '\0', size) == NULL) {
		MU_AUTO(json_freep) struct json_node *list = parse(text.data, text.size_bytes, SIZE_MAX, true);

		if (json_node_text(json_at(list, 0)) == NULL)
			abort();
	}
	root = parse((const char *)data, size, 65536, false);
	if (root == NULL || json_canonical(root, &first, &err) != MU_OK)
		return 0;
	again = parse(first.data, first.size_bytes, SIZE_MAX, true);
	if (again == NULL)
		return 0;
	if (json_canonical(again, &second, &err) == MU_OK && strcmp(first.data, second.data) != 0)
		abort();
	return 0;
}
