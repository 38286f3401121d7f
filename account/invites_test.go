package account_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// invite makes an invite and returns its code.
func (w *world) invite(by team.Actor, email, role string) redact.Value {
	w.t.Helper()
	_, code, err := w.Invite(w.t.Context(), by, email, role)
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// accept is what a person does who has shown their password.
func (w *world) accept(who team.Actor, code redact.Value) error {
	_, err := w.AcceptInvite(w.t.Context(), who, code)
	return err
}

func TestInvites(t *testing.T) {
	from := account.Origin{RemoteAddr: "192.0.2.7"}
	t.Run("a person with an account joins by the link, once, and it is recorded", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, eve := w.person("ada@example.com", "acme"), w.person("Eve@example.com", "evil")
			made, code, err := w.Invite(t.Context(), ada, " eve@EXAMPLE.com ", "admin")
			if err != nil || made.Status != account.InvitePending || made.Role != team.Admin || made.ExpiresAt.Sub(made.CreatedAt) != account.InviteLifetime {
				t.Fatalf("%+v, %v", made, err)
			}
			offer, err := w.FindInvite(t.Context(), code)
			if err != nil || !offer.HasAccount || offer.TeamUsername != "acme" || offer.InvitedBy != "ada@example.com" || offer.Status != account.InvitePending {
				t.Fatalf("%+v, %v", offer, err)
			}
			joined, err := w.AcceptInvite(t.Context(), eve, code)
			if err != nil || joined != ada.TeamID() || roleOf(t, w, ada, eve.UserID()) != team.Admin {
				t.Fatalf("%s, %v", joined, err)
			}
			wantCode(t, w.accept(eve, code), problem.Conflict)
			if offer, err := w.FindInvite(t.Context(), code); err != nil || offer.Status != account.InviteAccepted {
				t.Errorf("%+v, %v", offer, err)
			}
			if list, err := w.Invites(t.Context(), ada); err != nil || len(list) != 0 {
				t.Errorf("%+v, %v", list, err)
			}
			for _, action := range []string{"invite.create", "invite.accept"} {
				if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = ? AND outcome = 'allowed'", ada.TeamID(), action); n != 1 {
					t.Errorf("%d entries of %s", n, action)
				}
			}
		})
	})

	t.Run("a new person makes an account by the link, and only its holder makes the server hash", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			code := w.invite(ada, "new@example.com", "member")
			before := w.hashes.Load()
			_, err := w.JoinByInvite(t.Context(), redact.NewValue("guessed"), redact.NewValue(goodPassword), from)
			wantCode(t, err, problem.NotFound)
			_, err = w.JoinByInvite(t.Context(), code, redact.NewValue("short"), from)
			wantCode(t, err, problem.InvalidField)
			if w.hashes.Load() != before {
				t.Error("a refused attempt made the server hash")
			}
			made, err := w.JoinByInvite(t.Context(), code, redact.NewValue(goodPassword), from)
			if err != nil || made.Email != "new@example.com" || made.Role != team.Member || made.TeamID != ada.TeamID() {
				t.Fatalf("%+v, %v", made, err)
			}
			if roleOf(t, w, ada, made.UserID) != team.Member {
				t.Error("the new person is not in the team")
			}
			_, err = w.JoinByInvite(t.Context(), code, redact.NewValue(goodPassword), from)
			wantCode(t, err, problem.Conflict)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'invite.accept' AND actor_name = 'new@example.com' AND remote_addr = '192.0.2.7'"); n != 1 {
				t.Errorf("%d entries", n)
			}
		})
	})

	t.Run("Z7 an invite is bound to its address: nobody else's account joins by it, and the attempt is recorded", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "evil")
			code := w.invite(ada, "bob@example.com", "owner")
			wantCode(t, w.accept(eve, code), problem.PermissionDenied)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = ? AND action = 'invite.accept' AND outcome = 'denied' AND actor_id = ?", ada.TeamID(), eve.UserID()); n != 1 {
				t.Errorf("%d denials are recorded", n)
			}
			if offer, err := w.FindInvite(t.Context(), code); err != nil || offer.Status != account.InvitePending || offer.HasAccount {
				t.Errorf("the invite is not as it was: %+v, %v", offer, err)
			}
			// An API key accepts nothing, whatever its scopes.
			key := team.NewActor(team.Identity{Kind: team.Key, UserID: eve.UserID(), TeamID: eve.TeamID(), TeamName: "evil", Role: team.Owner, Scopes: team.EveryScope()})
			wantCode(t, w.accept(key, code), problem.ScopeRequired)
		})
	})

	t.Run("A8 Z7 what is stored of an invite opens nothing, and no list has the code", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "beta")
			code := w.invite(ada, "bob@example.com", "member")
			stored := string(dbtest.Value(t, w.d, "SELECT code_hash FROM invites"))
			for _, bad := range []string{stored, "", code.Reveal() + " ", strings.ToLower(code.Reveal())} {
				wantCode(t, w.accept(bob, redact.NewValue(bad)), problem.NotFound)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM invites WHERE id = ? OR email = ?", code.Reveal(), code.Reveal()); n != 0 {
				t.Error("the code is stored")
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE target LIKE ?", "%"+code.Reveal()+"%"); n != 0 {
				t.Error("the code is in the audit log")
			}
		})
	})

	t.Run("an invite expires, is revoked, and is replaced by another to the same address", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob := w.person("ada@example.com", "acme"), w.person("bob@example.com", "beta")
			first := w.invite(ada, "bob@example.com", "admin")
			second := w.invite(ada, "BOB@example.com", "member")
			wantCode(t, w.accept(bob, first), problem.NotFound)
			list, err := w.Invites(t.Context(), ada)
			if err != nil || len(list) != 1 || list[0].Role != team.Member {
				t.Fatalf("%+v, %v", list, err)
			}
			dbtest.Exec(t, w.d, "UPDATE invites SET expires_at = 1 WHERE status = 'pending'")
			wantCode(t, w.accept(bob, second), problem.Conflict)
			if list, err := w.Invites(t.Context(), ada); err != nil || len(list) != 1 || list[0].Status != account.InviteExpired {
				t.Errorf("%+v, %v", list, err)
			}
			third := w.invite(ada, "bob@example.com", "member")
			list, err = w.Invites(t.Context(), ada)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			if err := w.RevokeInvite(t.Context(), ada, list[0].ID); err != nil {
				t.Fatal(err)
			}
			wantCode(t, w.accept(bob, third), problem.NotFound)
			wantCode(t, w.RevokeInvite(t.Context(), ada, list[0].ID), problem.NotFound)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM memberships WHERE team_id = ?", ada.TeamID()); n != 1 {
				t.Errorf("%d people are in the team", n)
			}
		})
	})

	t.Run("who invites whom: admins no owners, members nobody, and another team's invites are not there", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob, cleo, eve := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme"), w.person("cleo@example.com", "acme"), w.person("eve@example.com", "evil")
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "admin"); err != nil {
				t.Fatal(err)
			}
			admin := as(bob, team.Admin)
			owners := w.invite(ada, "boss@example.com", "owner")
			list, err := w.Invites(t.Context(), admin)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			invite := func(by team.Actor, email, role string) error {
				_, _, err := w.Invite(t.Context(), by, email, role)
				return err
			}
			for name, err := range map[string]error{
				"an admin invites an owner":            invite(admin, "new@example.com", "owner"),
				"an admin replaces an owner's invite":  invite(admin, "boss@example.com", "member"),
				"an admin revokes an owner's invite":   w.RevokeInvite(t.Context(), admin, list[0].ID),
				"a member invites":                     invite(cleo, "new@example.com", "member"),
				"a member revokes":                     w.RevokeInvite(t.Context(), cleo, list[0].ID),
				"a member lists":                       second(w.Invites(t.Context(), cleo)),
				"a former admin, who is a member now":  invite(as(cleo, team.Admin), "new@example.com", "member"),
				"an admin adds an owner":               second3(w.AddMember(t.Context(), admin, "eve@example.com", "owner")),
				"a member adds":                        second3(w.AddMember(t.Context(), cleo, "eve@example.com", "member")),
				"a former owner, who is an admin now":  invite(as(bob, team.Owner), "new@example.com", "owner"),
				"a former owner adds one":              second3(w.AddMember(t.Context(), as(bob, team.Owner), "eve@example.com", "owner")),
				"an admin hands the team to a friend":  second3(w.TransferTeam(t.Context(), admin, cleo.UserID())),
				"a former owner hands the team over":   second3(w.TransferTeam(t.Context(), as(bob, team.Owner), cleo.UserID())),
				"a former owner renames":               second4(w.RenameTeam(t.Context(), as(bob, team.Owner), nil, new("x"))),
				"an admin renames":                     second4(w.RenameTeam(t.Context(), admin, nil, new("x"))),
				"a former owner deletes the team":      w.DeleteTeam(t.Context(), as(bob, team.Owner)),
				"a former owner makes himself an heir": second3(w.SetRole(t.Context(), as(bob, team.Owner), bob.UserID(), "owner")),
			} {
				if problem.CodeOf(err) != problem.TeamRoleRequired {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE outcome = 'denied'"); n != 17 {
				t.Errorf("%d denials are recorded, want 17", n)
			}
			for _, id := range []string{list[0].ID, "", "%", "00000000-0000-4000-8000-000000000000"} {
				wantCode(t, w.RevokeInvite(t.Context(), eve, id), problem.NotFound)
			}
			if offer, err := w.FindInvite(t.Context(), owners); err != nil || offer.Status != account.InvitePending {
				t.Errorf("%+v, %v", offer, err)
			}
			wantCode(t, invite(admin, "cleo@example.com", "member"), problem.Conflict)
			for _, role := range []string{"", "Owner", "ROOT ", "root", "оwner"} {
				wantCode(t, invite(ada, "new@example.com", role), problem.InvalidField)
			}
		})
	})

	t.Run("what a person may not any more, their invites may not: being removed leaves no door open", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada, bob, eve := w.person("ada@example.com", "acme"), w.person("bob@example.com", "acme"), w.person("eve@example.com", "evil")
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "owner"); err != nil {
				t.Fatal(err)
			}
			code := w.invite(as(bob, team.Owner), "eve@example.com", "owner")
			if _, err := w.SetRole(t.Context(), ada, bob.UserID(), "admin"); err != nil {
				t.Fatal(err)
			}
			wantCode(t, w.accept(eve, code), problem.NotFound)
			if list, err := w.Invites(t.Context(), ada); err != nil || len(list) != 1 || list[0].Status != account.InviteRevoked {
				t.Errorf("%+v, %v", list, err)
			}
			code = w.invite(as(bob, team.Admin), "mia@example.com", "member")
			if err := w.RemoveMember(t.Context(), ada, bob.UserID()); err != nil {
				t.Fatal(err)
			}
			_, err := w.JoinByInvite(t.Context(), code, redact.NewValue(goodPassword), from)
			wantCode(t, err, problem.NotFound)
		})
	})

	t.Run("of many who use one link at once, one joins", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			ada := w.person("ada@example.com", "acme")
			code := w.invite(ada, "new@example.com", "member")
			var won atomic.Int32
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					if _, err := w.JoinByInvite(t.Context(), code, redact.NewValue(goodPassword), from); err == nil {
						won.Add(1)
					}
				})
			}
			wg.Wait()
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM memberships WHERE team_id = ?", ada.TeamID()); won.Load() != 1 || n != 2 {
				t.Errorf("%d won, %d are in the team", won.Load(), n)
			}
		})
	})
}

func second(_ []account.Invite, err error) error { return err }

func second4(_ account.Team, err error) error { return err }
