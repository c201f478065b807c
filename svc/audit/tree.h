/*
 * audit/tree.h - the Merkle tree over audit records, as far as growing it goes
 *
 * RFC 6962 section 2.1. Only the right edge is kept: one hash for each bit set in the size, so a tree
 * of any size costs at most 64 hashes and its root is known after each leaf.
 */
#ifndef AUDIT_TREE_H
#define AUDIT_TREE_H

#include "base/buf.h"
#include "crypto/digest.h"

#include <stdbool.h>

struct audit_tree {
	int64_t size;
	unsigned char edge[64][CRYPTO_SHA256_BYTES];	/* edge[i]: root of the full subtree of 2^i leaves, if bit i is set */
};

void audit_tree_add(struct audit_tree *t, const unsigned char leaf_hash[CRYPTO_SHA256_BYTES]);

/* The root; of no leaves: SHA-256 of nothing. */
void audit_tree_root(const struct audit_tree *t, unsigned char out[CRYPTO_SHA256_BYTES]);

/* Appends the body of a checkpoint (C2SP tlog-checkpoint): origin, size, base64 root, a line each. */
void audit_checkpoint_format(const struct audit_tree *t, const char *origin, struct mu_buf *b);

#endif
