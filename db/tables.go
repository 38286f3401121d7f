package db

import (
	"context"
	"fmt"
	"slices"

	"infsh/backup"
)

// table is what a backup knows of a table of the schema.
type table struct {
	name string
	// order sorts the rows, by the primary key, so that equal stores give
	// equal backups.
	order   string
	columns []backup.Column
	// leftOut says why no row of the table is in a backup. Its columns aren't
	// listed then.
	leftOut string
}

// tables are all tables of the newest schema, a table after those that it
// refers to. A migration that adds a table or a column adds it here; a test
// compares the two. A store of an older schema has some of it, and never more.
var tables = []table{
	{name: "stores", order: "singleton", columns: columns(
		integer("singleton"), text("id"), text("kek_id"), bytes("kek_check"),
		text("old_kek_id"), bytes("old_kek_check"), integer("dek_rotation_at"))},
	{name: "issuer_keys", order: "id", columns: columns(
		text("id"), bytes("wrapped_dek"), text("kek_id"), bytes("private_key"), integer("created_at", "signs_from"))},
	{name: "users", order: "id", columns: columns(
		text("id", "email", "email_folded", "password_hash"), integer("created_at", "updated_at"))},
	{name: "totp_factors", order: "user_id", columns: columns(
		text("user_id"), bytes("wrapped_dek"), text("kek_id"), bytes("seed"), integer("last_step", "created_at", "confirmed_at"))},
	{name: "passkeys", order: "id", columns: columns(
		text("id", "user_id", "name"), bytes("credential_id", "public_key", "aaguid"), text("transports"),
		integer("flags", "sign_count", "created_at", "last_used_at"))},
	{name: "identities", order: "user_id, issuer", columns: columns(
		text("user_id", "issuer", "subject", "email"), integer("created_at", "last_used_at"))},
	{name: "teams", order: "id", columns: columns(
		text("id", "username", "name"), integer("members_may_edit"), bytes("wrapped_dek"),
		text("kek_id"), integer("dek_rotated_at"), text("created_by"), integer("created_at", "updated_at"))},
	{name: "memberships", order: "team_id, user_id", columns: columns(
		text("team_id", "user_id", "role"), integer("created_at"))},
	{name: "api_keys", order: "id", columns: columns(
		text("id", "kind", "team_id", "user_id", "name"), bytes("token_hash"), text("last_four", "scopes"),
		integer("created_at", "last_used_at", "expires_at"), text("service_role", "app_id"))},
	{name: "former_usernames", order: "username", columns: columns(text("username", "team_id"), integer("created_at"))},
	{name: "environments", order: "team_id", columns: columns(
		text("team_id", "group_id", "group_name", "name"), integer("created_at"))},
	{name: "expected_keys", order: "team_id, key", columns: columns(
		text("team_id", "key", "description"), integer("created_at"))},
	{name: "secrets", order: "id", columns: columns(
		text("id", "team_id", "key", "description"), integer("version"), text("created_by", "updated_by"),
		integer("created_at", "updated_at", "rotate_every_days"))},
	{name: "secret_versions", order: "team_id, secret_id, version", columns: columns(
		text("team_id", "secret_id"), integer("version"), bytes("value", "hint"), text("created_by"), integer("created_at", "staged", "expires_at", "value_from"))},
	{name: "apps", order: "id", columns: columns(
		text("id", "team_id", "namespace", "name", "description", "version_id", "pending_version_id", "created_by"), integer("created_at", "updated_at"))},
	{name: "app_versions", order: "id", columns: columns(
		text("id", "team_id", "app_id"), integer("number"), text("digest", "requirements", "created_by"), integer("created_at"))},
	{name: "app_grants", order: "team_id, app_id, key", columns: columns(
		text("team_id", "app_id", "key", "source_key", "state", "requested_by", "requested_version"), integer("requested_at"),
		text("decided_by"), integer("decided_at"))},
	{name: "trusts", order: "id", columns: columns(
		text("id", "team_id", "name", "preset", "issuer", "audience", "jwks", "conditions"), integer("reuse"),
		text("created_by"), integer("created_at", "updated_at", "last_used_at"), text("last_subject"))},
	{name: "trust_apps", order: "trust_id, app_id", columns: columns(text("trust_id", "app_id", "team_id"))},
	{name: "webhooks", order: "id", columns: columns(
		text("id", "team_id", "url", "description", "events"), integer("enabled"), text("disabled_reason"), integer("failing_since"),
		text("created_by"), integer("created_at", "updated_at"))},
	{name: "webhook_secrets", order: "team_id, webhook_id, version", columns: columns(
		text("team_id", "webhook_id"), integer("version"), bytes("value"), integer("expires_at"))},
	{name: "integration_clients", order: "id", columns: columns(
		text("id", "team_id", "provider", "type", "client_id"), integer("version"), text("created_by"), integer("created_at", "updated_at"))},
	{name: "integrations", order: "id", columns: columns(
		text("id", "team_id", "provider", "type", "account_id", "account_name", "scopes", "status", "problem"),
		integer("is_primary", "version", "expires_at", "refresh_at", "refreshed_at", "failures", "leased_until"),
		text("created_by"), integer("created_at", "updated_at"))},
	{name: "integration_values", order: "team_id, owner_id, version", columns: columns(
		text("team_id", "owner_id"), integer("version"), bytes("value"))},
	{name: "audit_chains", order: "team_id", columns: columns(text("team_id"), integer("seq"), bytes("hash"))},
	{name: "audit_entries", order: "team_id, seq", columns: columns(
		text("team_id"), integer("seq"), text("id"), integer("at"),
		text("actor_kind", "actor_id", "actor_name", "credential_id", "action", "target", "outcome", "reason",
			"remote_addr", "request_id", "run_id", "versions"), bytes("hash"))},

	{name: "runner_credentials", leftOut: "they last for a quarter of an hour; a run exchanges its platform's token again"},
	{name: "used_tokens", leftOut: "a token lasts for minutes or hours; docs/workload-identity.md says what that means for a store that is restored sooner"},
	{name: "deleted_secrets", leftOut: "they wait for nothing but to be erased, and a restored store must not bring them back"},
	{name: "fingerprint_keys", leftOut: "a store without it makes a new one"},
	{name: "secret_fingerprints", leftOut: "they are made anew, and a backup has nothing that could tell which values are equal"},
	{name: "key_deliveries", leftOut: "they are read from the audit log, which is in it"},
	{name: "delivery_positions", leftOut: "they say how far key_deliveries has read the log"},
	{name: "integration_flows", leftOut: "an authorization waits for its person for at most ten minutes; whoever waited starts again"},
	{name: "webhook_messages", leftOut: "what was delivered after the backup would be delivered again, days later and as news"},
	{name: "team_changes", leftOut: "the numbers say only that something has changed since somebody looked; nobody waits for a store that is restored"},
	{name: "team_revisions", leftOut: "the database makes the numbers itself, and what was read under the old ones is of another store"},
	{name: "sessions", leftOut: "a session that was ended after the backup would be signed in again; people sign in once more instead"},
	{name: "setup_codes", leftOut: "a code is for a store in which nobody has an account; the server makes a new one at its start"},
	{name: "invites", leftOut: "an invite that was used or revoked after the backup would be good again; people are invited anew"},
	{name: "recovery_codes", leftOut: "a code that was used after the backup would be good again; people make new ones"},
	{name: "pending_logins", leftOut: "a sign-in waits for its second factor for at most ten minutes; whoever waited starts again"},
	{name: "passkey_challenges", leftOut: "a passkey signs within five minutes, or is asked again"},
	{name: "sign_ons", leftOut: "a browser is at the provider for at most ten minutes; whoever was there starts again"},
	{name: "device_logins", leftOut: "a login of a command line waits for at most ten minutes; whoever waited starts again"},
	{name: "revoked_keys", leftOut: "they only say who still tries a key that is refused either way"},
	{name: "idempotent_calls", leftOut: "an answer is repeated for a day, to who lost it on the way"},
	{name: "throttles", leftOut: "what is counted is over within minutes, and an old count would block people who did nothing since"},
}

func columns(parts ...[]backup.Column) []backup.Column { return slices.Concat(parts...) }

func text(names ...string) []backup.Column    { return ofType(backup.Text, names) }
func integer(names ...string) []backup.Column { return ofType(backup.Integer, names) }
func bytes(names ...string) []backup.Column   { return ofType(backup.Bytes, names) }

func ofType(t backup.Type, names []string) []backup.Column {
	out := make([]backup.Column, len(names))
	for i, name := range names {
		out[i] = backup.Column{Name: name, Type: t}
	}
	return out
}

// present returns the tables that the store has, with those of their columns
// that it has: all of them, unless its schema is an older one. A column that
// is not known is an error, as it would be missing from a backup.
func present(ctx context.Context, q querier) ([]table, error) {
	var out []table
	for _, t := range tables {
		have, err := columnsOf(ctx, q, t.name)
		if err != nil {
			return nil, err
		}
		if len(have) == 0 {
			continue
		}
		if t.leftOut == "" {
			var some []backup.Column
			for _, c := range t.columns {
				if _, ok := have[c.Name]; ok {
					some = append(some, c)
				}
			}
			if len(some) != len(have) {
				return nil, fmt.Errorf("table %s has columns that this version of infsh does not know", t.name)
			}
			t.columns = some
		}
		out = append(out, t)
	}
	return out, nil
}

// columnsOf returns the columns of a table and the types that the database
// gives them; none if there is no such table.
func columnsOf(ctx context.Context, q querier, table string) (map[string]string, error) {
	query := "SELECT name, type FROM pragma_table_info(?)"
	if q.dialect == postgresDialect {
		query = "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?"
	}
	var rows []struct {
		Name string `db:"name"`
		Type string `db:"type"`
	}
	if err := q.list(ctx, &rows, query, table); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[r.Name] = r.Type
	}
	return out, nil
}
