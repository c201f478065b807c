-- roles: what each process may do, and nothing else; applied after every migration, any number of times
-- The roles themselves exist already (svc/store/role.h). Nobody that runs may UPDATE or DELETE an audit record.
BEGIN;
REVOKE ALL ON ALL TABLES IN SCHEMA public
	FROM PUBLIC, muster_cycle, muster_provision, muster_audit, muster_token, muster_admin, muster_claim, muster_work;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public
	TO muster_cycle, muster_provision, muster_audit, muster_token, muster_admin, muster_claim, muster_work;
GRANT SELECT ON schema_version
	TO muster_cycle, muster_provision, muster_audit, muster_token, muster_admin, muster_claim, muster_work;

-- cycle: people, sources and the wanted part of accounts
GRANT SELECT, INSERT, UPDATE ON person TO muster_cycle;
GRANT SELECT, INSERT, UPDATE, DELETE ON directory_group, directory_member TO muster_cycle;
GRANT SELECT, INSERT, UPDATE ON source_search, source_verdict TO muster_cycle;
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantine TO muster_cycle;
GRANT SELECT, INSERT, DELETE ON brake_effect, brake_hold TO muster_cycle;
GRANT SELECT, INSERT, UPDATE, DELETE ON brake_people TO muster_cycle;
GRANT SELECT, UPDATE ON brake_turn TO muster_cycle;
GRANT SELECT (account_id, person_id, platform, name, subject, wanted_state, roles, entitlements, version, mac,
	settled_version, urgent, debt_since), INSERT,
	UPDATE (name, wanted_state, roles, entitlements, version, mac, urgent, debt_since, next_attempt_at, attempts, parked)
	ON account TO muster_cycle;
GRANT SELECT (account_id), DELETE ON credential TO muster_cycle;
GRANT SELECT, DELETE ON requested_grant TO muster_cycle;	-- it ends them, and gives none
GRANT SELECT ON identification, sync_request TO muster_cycle;
GRANT SELECT, INSERT ON policy_version, policy_file TO muster_cycle;
GRANT SELECT, INSERT, UPDATE ON policy_decided TO muster_cycle;
GRANT SELECT, INSERT, UPDATE ON lease TO muster_cycle;

-- provision: the other part of accounts, credentials until they are collected, receipts
GRANT SELECT, UPDATE (settled_version, urgent, debt_since, next_attempt_at, attempts, parked, lease_holder, lease_until,
	create_begun_at, owned, observed_state, observed_rights, observed_id, observed_at, last_outcome, last_text)
	ON account TO muster_provision;
GRANT SELECT (person_id, display_name) ON person TO muster_provision;
GRANT SELECT, INSERT, UPDATE, DELETE ON credential TO muster_provision;
GRANT INSERT ON receipt TO muster_provision;
GRANT SELECT, INSERT, UPDATE ON lease TO muster_provision;

-- audit: numbers records
GRANT SELECT ON audit_record TO muster_audit;
GRANT SELECT, DELETE ON audit_pending TO muster_audit;
GRANT SELECT, INSERT ON audit_leaf, audit_checkpoint TO muster_audit;
GRANT SELECT, INSERT, UPDATE ON lease TO muster_audit;

-- token: reads what a grant says, counts pulls
GRANT SELECT (client_id, name, platform, fingerprint, not_after, version, mac) ON token_client TO muster_token;
GRANT SELECT (account_id, person_id, platform, name, subject, wanted_state, roles, entitlements, version, mac)
	ON account TO muster_token;
GRANT SELECT, INSERT, UPDATE ON pull_count TO muster_token;
GRANT SELECT (record_id) ON audit_record TO muster_token;	-- a record sent again stands once

-- claim: finds the person, takes the credential once
GRANT SELECT (person_id, source, dn, uid, state, blocked, identified) ON person TO muster_claim;
GRANT SELECT (account_id, person_id, platform, name, wanted_state, claimed_at), UPDATE (claimed_at)
	ON account TO muster_claim;
GRANT SELECT, DELETE ON credential TO muster_claim;

-- admin: looks at all but sealed credentials, knows administrators, and executes actions: people are decided anew as by
-- cycle, but nobody is made
GRANT SELECT ON person, directory_group, directory_member, source_search, source_verdict, quarantine, brake_effect,
	brake_hold, brake_people, lease, account, receipt, audit_record, audit_pending, audit_leaf, audit_checkpoint, pull_count,
	policy_version, policy_file TO muster_admin;
GRANT SELECT (account_id, set_at), DELETE ON credential TO muster_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON token_client TO muster_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON administrator, totp_seed, enrolment TO muster_admin;
GRANT SELECT, INSERT, DELETE ON admin_session TO muster_admin;
GRANT SELECT, INSERT, UPDATE (state, approvals_needed, ended_at, result), DELETE ON action TO muster_admin;
GRANT SELECT, INSERT ON action_approval TO muster_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON requested_grant TO muster_admin;
GRANT SELECT, INSERT, UPDATE ON identification, sync_request TO muster_admin;
GRANT UPDATE ON person TO muster_admin;
GRANT INSERT, UPDATE (name, wanted_state, roles, entitlements, version, mac, settled_version, urgent, debt_since,
	next_attempt_at, attempts, parked, claimed_at) ON account TO muster_admin;
GRANT INSERT, UPDATE (people) ON brake_people TO muster_admin;
GRANT UPDATE (released), DELETE ON brake_hold TO muster_admin;
GRANT INSERT ON policy_version, policy_file TO muster_admin;

-- work: computes, changes nothing
GRANT SELECT ON person, directory_group, directory_member, source_search, source_verdict, quarantine, brake_effect,
	brake_hold, brake_people, account, receipt, policy_version, policy_file, requested_grant, identification TO muster_work;

-- Everyone who causes something records it, in the same transaction.
GRANT INSERT ON audit_record, audit_pending
	TO muster_cycle, muster_provision, muster_audit, muster_token, muster_admin, muster_claim;
COMMIT;
