package dbtest

import (
	"testing"

	"github.com/google/uuid"

	"infsh/envelope"
	"infsh/team"
)

// TeamRow names a team made for a test.
type TeamRow struct{ ID, Username string }

// Team makes a team with its DEK.
func Team(tb testing.TB, d *Database, kek *envelope.KEK, username string) TeamRow {
	tb.Helper()
	id := uuid.NewString()
	wrapped, err := kek.WrapNewDEK(id)
	if err != nil {
		tb.Fatal(err)
	}
	Exec(tb, d, "INSERT INTO teams (id, username, name, wrapped_dek, kek_id, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, '', 1, 1)", id, username, username, wrapped, kek.ID())
	return TeamRow{ID: id, Username: username}
}

// Actor makes a user who belongs to the team, and an actor signed in as them.
func Actor(tb testing.TB, d *Database, t TeamRow, email string, role team.Role) team.Actor {
	tb.Helper()
	id := uuid.NewString()
	Exec(tb, d, "INSERT INTO users (id, email, email_folded, password_hash, created_at, updated_at) VALUES (?, ?, ?, '', 1, 1)", id, email, email)
	Join(tb, d, t.ID, id, role)
	return team.NewActor(team.Identity{Kind: team.Session, UserID: id, Email: email, TeamID: t.ID, TeamName: t.Username, Role: role, RemoteAddr: "192.0.2.1", RequestID: "test"})
}

// Join makes a user a member of a team.
func Join(tb testing.TB, d *Database, teamID, userID string, role team.Role) {
	tb.Helper()
	Exec(tb, d, "INSERT INTO memberships (team_id, user_id, role, created_at) VALUES (?, ?, ?, 1)", teamID, userID, string(role))
}

// Exec runs a statement that no store has, as someone with the database would.
func Exec(tb testing.TB, d *Database, query string, args ...any) {
	tb.Helper()
	if err := second(d.Raw.ExecContext(tb.Context(), d.Raw.Rebind(query), args...)); err != nil {
		tb.Fatal(err)
	}
}

// Value reads one column of one row as bytes.
func Value(tb testing.TB, d *Database, query string, args ...any) []byte {
	tb.Helper()
	var out []byte
	if err := d.Raw.GetContext(tb.Context(), &out, d.Raw.Rebind(query), args...); err != nil {
		tb.Fatal(err)
	}
	return out
}

// Count reads one number.
func Count(tb testing.TB, d *Database, query string, args ...any) int {
	tb.Helper()
	var out int
	if err := d.Raw.GetContext(tb.Context(), &out, d.Raw.Rebind(query), args...); err != nil {
		tb.Fatal(err)
	}
	return out
}

func second(_ any, err error) error { return err }

// Path returns the file of a SQLite database.
func Path(tb testing.TB, d *Database) string {
	tb.Helper()
	var path string
	if err := d.Raw.GetContext(tb.Context(), &path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
		tb.Fatal(err)
	}
	return path
}
