#include "audit/tree.h"

#include <string.h>

void
audit_tree_add(struct audit_tree *t, const unsigned char leaf_hash[CRYPTO_SHA256_BYTES])
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	int bit = 0;

	(void)memcpy(hash, leaf_hash, sizeof(hash));
	for (; (t->size >> bit & 1) != 0; bit++)
		crypto_node_hash(t->edge[bit], hash, hash);
	(void)memcpy(t->edge[bit], hash, sizeof(hash));
	t->size++;
}

void
audit_tree_root(const struct audit_tree *t, unsigned char out[CRYPTO_SHA256_BYTES])
{
	bool any = false;

	crypto_sha256("", 0, out);
	for (int bit = 0; bit < 63; bit++) {
		if ((t->size >> bit & 1) == 0)
			continue;
		if (any)
			crypto_node_hash(t->edge[bit], out, out);
		else
			(void)memcpy(out, t->edge[bit], CRYPTO_SHA256_BYTES);
		any = true;
	}
}

/* RFC 4648 section 4, with padding: what signed notes use. */
static void
base64_format(struct mu_buf *b, const unsigned char *bytes, size_t bytes_count)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < bytes_count; i += 3) {
		size_t left = bytes_count - i;
		unsigned int v = (unsigned int)bytes[i] << 16;

		if (left > 1)
			v |= (unsigned int)bytes[i + 1] << 8;
		if (left > 2)
			v |= bytes[i + 2];
		mu_buf_char_add(b, digits[v >> 18]);
		mu_buf_char_add(b, digits[v >> 12 & 63]);
		mu_buf_char_add(b, left > 1 ? digits[v >> 6 & 63] : '=');
		mu_buf_char_add(b, left > 2 ? digits[v & 63] : '=');
	}
}

void
audit_checkpoint_format(const struct audit_tree *t, const char *origin, struct mu_buf *b)
{
	unsigned char root[CRYPTO_SHA256_BYTES];

	audit_tree_root(t, root);
	mu_buf_format(b, "%s\n%lld\n", origin, (long long)t->size);
	base64_format(b, root, sizeof(root));
	mu_buf_char_add(b, '\n');
}
