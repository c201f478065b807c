/*
 * audit_test.c - records are canonical, and the tree's root is RFC 6962's at every size
 */
#include "audit/record.h"
#include "audit/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void
record_is_sorted_and_clean(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	struct mu_uuid id = { { 0 } };
	struct audit_field fields[] = {
		AUDIT_TEXT("person", "p\"1\n"), AUDIT_NUMBER("held", 7), AUDIT_TEXT("zone", "a\xff z"),
	};

	(void)state;
	audit_record_format(&b, &id, AUDIT_PERSON_LEFT, 1000, fields, MU_COUNT(fields));
	assert_string_equal("{\"at\":\"1970-01-01T00:00:01Z\",\"held\":7,\"kind\":\"person.left\","
	    "\"person\":\"p\\\"1\\n\",\"record\":\"00000000-0000-0000-0000-000000000000\","
	    "\"zone\":\"a\xef\xbf\xbd z\"}", b.data);
}

static void
every_kind_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < AUDIT_KIND_COUNT; i++) {
		assert_non_null(audit_kind_name((enum audit_kind)i));
		assert_non_null(strchr(audit_kind_name((enum audit_kind)i), '.'));
	}
}

/* RFC 6962 2.1 as it is written there: split at the largest power of two below n. */
static void
root_by_definition(const unsigned char (*leaves)[32], size_t count, unsigned char out[32])
{
	unsigned char left[32], right[32];
	size_t k = 1;

	if (count == 0) {
		crypto_sha256("", 0, out);
		return;
	}
	if (count == 1) {
		(void)memcpy(out, leaves[0], 32);
		return;
	}
	while (2 * k < count)
		k *= 2;
	root_by_definition(leaves, k, left);
	root_by_definition(leaves + k, count - k, right);
	crypto_node_hash(left, right, out);
}

static void
the_edge_gives_the_root_of_the_definition(void **state)
{
	unsigned char leaves[130][32], want[32], got[32];
	struct audit_tree t = { .size = 0 };

	(void)state;
	for (size_t i = 0; i < 130; i++) {
		root_by_definition((const unsigned char (*)[32])leaves, i, want);
		audit_tree_root(&t, got);
		assert_memory_equal(want, got, 32);
		crypto_leaf_hash(&i, sizeof(i), leaves[i]);
		audit_tree_add(&t, leaves[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_is_sorted_and_clean),
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(the_edge_gives_the_root_of_the_definition),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
