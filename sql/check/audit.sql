-- audit: leaves without a gap, and every record has a number or waits for one
SELECT 'gap in the tree before leaf' AS fault, leaf_index::text AS what
	FROM (SELECT leaf_index, lag(leaf_index, 1, -1::bigint) OVER (ORDER BY leaf_index) AS before FROM audit_leaf) l
	WHERE leaf_index <> before + 1
UNION ALL
SELECT 'checkpoint of more leaves than there are', tree_size::text
	FROM audit_checkpoint WHERE tree_size > (SELECT count(*) FROM audit_leaf)
UNION ALL
SELECT 'record without number that does not wait for one', r.record_id::text
	FROM audit_record r
	WHERE NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.record_id = r.record_id)
	AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.record_id = r.record_id)
UNION ALL
SELECT 'number of no record', l.record_id::text
	FROM audit_leaf l WHERE NOT EXISTS (SELECT 1 FROM audit_record r WHERE r.record_id = l.record_id)
UNION ALL
SELECT 'numbered record that still waits', p.record_id::text
	FROM audit_pending p JOIN audit_leaf l ON l.record_id = p.record_id;
