package account_test

import (
	"sync"
	"testing"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

func TestAddMember(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "evil")
		code := w.invite(ada, "eve@example.com", "admin")
		added, err := w.AddMember(t.Context(), ada, " EVE@example.com", "member")
		if err != nil || added.UserID != eve.UserID() || added.Role != team.Member || added.Email != "eve@example.com" {
			t.Fatalf("%+v, %v", added, err)
		}
		// The invite to the same address ends: it would make an admin of a member.
		wantCode(t, w.accept(eve, code), problem.NotFound)
		_, err = w.AddMember(t.Context(), ada, "eve@example.com", "admin")
		wantCode(t, err, problem.Conflict)
		_, err = w.AddMember(t.Context(), ada, "nobody@example.com", "member")
		if e := wantCode(t, err, problem.InvalidField); e.Fields[0].Name != "email" {
			t.Errorf("%v", e.Fields)
		}
		_, err = w.AddMember(t.Context(), ada, "eve", "Owner")
		if e := wantCode(t, err, problem.InvalidField); len(e.Fields) != 2 {
			t.Errorf("%v", e.Fields)
		}
	})
}

func TestLeaveTeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme")
		// Everybody has a team.
		wantCode(t, w.LeaveTeam(t.Context(), bob), problem.Conflict)
		beta, err := w.CreateTeam(t.Context(), bob, "beta", "")
		if err != nil {
			t.Fatal(err)
		}
		dbtest.Exec(t, w.d, "INSERT INTO api_keys (id, kind, team_id, user_id, name, token_hash, last_four, scopes, created_at) VALUES ('k', 'key', ?, ?, '', ?, '', '', 1)", ada.TeamID(), bob.UserID(), []byte{1})
		// Removing oneself is leaving, which a member may.
		if err := w.RemoveMember(t.Context(), bob, bob.UserID()); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys"); n != 0 {
			t.Error("the key of one who left is there")
		}
		wantCode(t, w.LeaveTeam(t.Context(), bob), problem.NotFound)
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'member.leave' AND outcome = 'allowed'"); n != 1 {
			t.Errorf("%d entries", n)
		}
		// The last owner stays, though they have another team.
		if _, err := w.AddMember(t.Context(), in(bob, beta.ID, "beta"), "ada@example.com", "member"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.LeaveTeam(t.Context(), ada), problem.Conflict)
	})
}

func TestTransferTeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme"), w.person("eve@example.com", "evil")
		_, err := w.TransferTeam(t.Context(), ada, eve.UserID())
		wantCode(t, err, problem.NotFound)
		_, err = w.TransferTeam(t.Context(), ada, ada.UserID())
		wantCode(t, err, problem.Conflict)
		owner, err := w.TransferTeam(t.Context(), ada, bob.UserID())
		if err != nil || owner.Role != team.Owner {
			t.Fatalf("%+v, %v", owner, err)
		}
		if roleOf(t, w, ada, ada.UserID()) != team.Admin || roleOf(t, w, ada, bob.UserID()) != team.Owner {
			t.Error("the roles have not changed places")
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'team.transfer' AND outcome = 'allowed'"); n != 1 {
			t.Errorf("%d entries", n)
		}
		// Two owners who hand the team to each other at once leave an owner.
		for range 10 {
			dbtest.Exec(t, w.d, "UPDATE memberships SET role = 'owner' WHERE team_id = ?", ada.TeamID())
			var wg sync.WaitGroup
			for _, pair := range [][2]team.Actor{{ada, bob}, {as(bob, team.Owner), ada}} {
				wg.Go(func() { _, _ = w.SetRole(t.Context(), pair[0], pair[1].UserID(), "member") })
			}
			wg.Wait()
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM memberships WHERE team_id = ? AND role = 'owner'", ada.TeamID()); n != 1 {
				t.Fatalf("%d owners are left", n)
			}
		}
	})
}

// A renamed team is the same team, and its old name leads nowhere.
func TestRenameTeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "evil")
		rename := func(who team.Actor, username, name *string) error {
			return second4(w.RenameTeam(t.Context(), who, username, name))
		}
		got, err := w.RenameTeam(t.Context(), ada, new("acme-two"), nil)
		if err != nil || got.Username != "acme-two" || got.Name != "acme-two" || got.ID != ada.TeamID() {
			t.Fatalf("%+v, %v", got, err)
		}
		if got, err = w.RenameTeam(t.Context(), ada, nil, new("Acme & Co")); err != nil || got.Username != "acme-two" || got.Name != "Acme & Co" {
			t.Fatalf("%+v, %v", got, err)
		}
		wantCode(t, rename(eve, new("acme-two"), nil), problem.Conflict)
		for _, bad := range []string{"", "root", "ROOT ", "Owner", "internal", "..", "new", "%", "aсme", "a b"} {
			wantCode(t, rename(ada, new(bad), nil), problem.InvalidField)
		}

		// Nobody else gets the old name, by any way; the team itself does.
		wantCode(t, rename(eve, new("acme"), nil), problem.Conflict)
		_, err = w.CreateTeam(t.Context(), eve, "acme", "")
		wantCode(t, err, problem.Conflict)
		if is, _, err := w.CheckUsername(t.Context(), eve, "acme"); is != account.Taken || err != nil {
			t.Errorf("acme is %s, %v", is, err)
		}
		if err := rename(ada, new("acme"), nil); err != nil {
			t.Fatal(err)
		}
		wantCode(t, rename(eve, new("acme-two"), nil), problem.Conflict)

		// A team keeps its last five names, and not all that it ever had.
		for _, name := range []string{"n1", "n2", "n3", "n4", "n5", "n6"} {
			if err := rename(ada, new(name), nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM former_usernames"); n != 5 {
			t.Errorf("%d names are kept", n)
		}
		if err := rename(eve, new("acme-two"), nil); err != nil {
			t.Errorf("a name that was given up long ago: %v", err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'team.rename' AND target = 'acme-two → acme'", ada.TeamID()); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

// A team that is made with the name of a deleted one starts from nothing: no
// invite, no key, no former name and no entry of the log is in it (Z10).
func TestARecreatedTeamRevivesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "beta")
		if _, err := w.CreateTeam(t.Context(), ada, "other", ""); err != nil {
			t.Fatal(err)
		}
		code := w.invite(ada, "bob@example.com", "owner")
		dbtest.Exec(t, w.d, "INSERT INTO api_keys (id, kind, team_id, user_id, name, token_hash, last_four, scopes, created_at) VALUES ('k', 'key', ?, ?, '', ?, '', '*', 1)", ada.TeamID(), ada.UserID(), []byte{1})
		for _, insert := range []string{
			"INSERT INTO former_usernames (username, team_id, created_at) VALUES ('acme-old', ?, 1)",
			"INSERT INTO environments (team_id, group_id, group_name, name, created_at) VALUES (?, 'g', 'Acme', 'production', 1)",
			"INSERT INTO expected_keys (team_id, key, description, created_at) VALUES (?, 'NOT_YET', '', 1)",
		} {
			dbtest.Exec(t, w.d, insert, ada.TeamID())
		}
		if err := w.DeleteTeam(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		again, err := w.CreateTeam(t.Context(), bob, "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"invites", "api_keys", "former_usernames", "environments", "expected_keys", "secrets"} {
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM "+table+" WHERE team_id IN (?, ?)", ada.TeamID(), again.ID); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		wantCode(t, w.accept(bob, code), problem.NotFound)
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ?", again.ID); n != 1 {
			t.Errorf("the new team's log has %d entries, want that of its making", n)
		}
		if _, err := secret.NewService(w.d.Secrets(), w.kek).List(t.Context(), in(bob, ada.TeamID(), "acme")); err == nil {
			t.Error("an actor of the old team's id reads something")
		}
	})
}
