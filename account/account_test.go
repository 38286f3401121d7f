package account_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"infsh/account"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const goodPassword = "correct horse battery"

// fakeHasher keeps the tests quick; package auth tests the real one.
type fakeHasher struct{ hashes atomic.Int32 }

func (f *fakeHasher) Hash(_ context.Context, p redact.Value) (string, error) {
	f.hashes.Add(1)
	return "hash of " + strings.Repeat("*", p.Len()), nil
}

type world struct {
	*account.Service
	*fakeHasher
	t   *testing.T
	d   *dbtest.Database
	kek *envelope.KEK
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
		if err != nil {
			t.Fatal(err)
		}
		hasher := &fakeHasher{}
		test(t, &world{Service: account.NewService(d.Accounts(), kek, hasher), fakeHasher: hasher, t: t, d: d, kek: kek})
	})
}

func operator() team.Actor { return team.NewActor(team.Identity{Kind: team.Operator, Email: "root"}) }

// person makes a user in a team and signs them in.
func (w *world) person(email, teamName string) team.Actor {
	w.t.Helper()
	made, err := w.CreateUser(w.t.Context(), operator(), email, teamName, redact.NewValue(goodPassword))
	if err != nil {
		w.t.Fatal(err)
	}
	return actor(made, team.Session)
}

func actor(c account.Created, kind team.Kind) team.Actor {
	return team.NewActor(team.Identity{Kind: kind, UserID: c.UserID, Email: c.Email, TeamID: c.TeamID, TeamName: c.TeamUsername, Role: c.Role, Scopes: team.EveryScope()})
}

func wantCode(t *testing.T, err error, code problem.Code) *problem.Error {
	t.Helper()
	var e *problem.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error is %v (%v), want %s", err, problem.CodeOf(err), code)
	}
	return e
}

func TestSetup(t *testing.T) {
	newAccount := func(code redact.Value) account.NewAccount {
		return account.NewAccount{Code: code, Email: "ada@example.com", Password: redact.NewValue(goodPassword), Team: "acme"}
	}
	codeOf := func(t *testing.T, w *world) redact.Value {
		t.Helper()
		code, ok, err := w.NewSetupCode(t.Context())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return code
	}

	t.Run("the first user owns a team whose data key opens", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			code := codeOf(t, w)
			made, err := w.Setup(t.Context(), newAccount(code), account.Origin{RemoteAddr: "192.0.2.1"})
			if err != nil || made.Role != team.Owner || !made.NewUser || !made.NewTeam || !made.Password.IsZero() {
				t.Fatalf("%+v, %v", made, err)
			}
			if _, err := w.kek.OpenDEK(made.TeamID, dbtest.Value(t, w.d, "SELECT wrapped_dek FROM teams WHERE id = ?", made.TeamID)); err != nil {
				t.Error(err)
			}
			if dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'account.setup' AND remote_addr = '192.0.2.1'") != 1 {
				t.Error("the setup is not recorded")
			}
		})
	})

	t.Run("a code is used once, and all others end with it", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			first, second := codeOf(t, w), codeOf(t, w)
			if _, err := w.Setup(t.Context(), newAccount(first), account.Origin{}); err != nil {
				t.Fatal(err)
			}
			for _, code := range []redact.Value{first, second} {
				_, err := w.Setup(t.Context(), newAccount(code), account.Origin{})
				wantCode(t, err, problem.Conflict)
			}
			if _, ok, err := w.NewSetupCode(t.Context()); ok || err != nil {
				t.Errorf("another code was made: %v", err)
			}
		})
	})

	t.Run("of many at once, with different codes, one wins", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			var won atomic.Int32
			var wg sync.WaitGroup
			var codes []redact.Value
			for range 8 {
				codes = append(codes, codeOf(t, w))
			}
			for _, code := range codes {
				wg.Go(func() {
					if _, err := w.Setup(t.Context(), newAccount(code), account.Origin{}); err == nil {
						won.Add(1)
					}
				})
			}
			wg.Wait()
			if users := dbtest.Count(t, w.d, "SELECT count(*) FROM users"); won.Load() != 1 || users != 1 {
				t.Errorf("%d won, and there are %d users", won.Load(), users)
			}
		})
	})

	t.Run("without a valid code nothing is made", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			code := codeOf(t, w)
			stored := dbtest.Value(t, w.d, "SELECT code_hash FROM setup_codes")
			for _, bad := range []string{"", "x", code.Reveal() + " ", strings.ToLower(code.Reveal()), string(stored)} {
				_, err := w.Setup(t.Context(), newAccount(redact.NewValue(bad)), account.Origin{})
				wantCode(t, err, problem.PermissionDenied)
			}
			if w.hashes.Load() != 0 {
				t.Error("somebody without a code made the server hash")
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM users") + dbtest.Count(t, w.d, "SELECT count(*) FROM teams"); n != 0 {
				t.Errorf("%d rows were made", n)
			}
		})
	})

	t.Run("a code that outlived the setup opens nothing", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			code := codeOf(t, w)
			hash := dbtest.Value(t, w.d, "SELECT code_hash FROM setup_codes")
			if _, err := w.Setup(t.Context(), newAccount(code), account.Origin{}); err != nil {
				t.Fatal(err)
			}
			dbtest.Exec(t, w.d, "INSERT INTO setup_codes (code_hash, created_at) VALUES (?, 1)", hash)
			again := newAccount(code)
			again.Email, again.Team = "eve@example.com", "evil"
			_, err := w.Setup(t.Context(), again, account.Origin{})
			wantCode(t, err, problem.Conflict)
		})
	})

	t.Run("all errors of the form are told at once, at their fields", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			_, err := w.Setup(t.Context(), account.NewAccount{Code: codeOf(t, w), Email: "ada", Password: redact.NewValue("short-secret")}, account.Origin{})
			e := wantCode(t, err, problem.InvalidField)
			if len(e.Fields) != 2 || e.Fields[0].Name != "email" || e.Fields[1].Name != "team" {
				t.Errorf("fields: %v", e.Fields)
			}
		})
	})
}

func TestCreateUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, ok, err := w.NewSetupCode(t.Context()); !ok || err != nil {
			t.Fatal(err)
		}
		first, err := w.CreateUser(t.Context(), operator(), " Ada@example.com ", "acme", redact.Value{})
		if err != nil || first.Role != team.Owner || !first.NewTeam || first.Password.Len() < 20 || first.Email != "Ada@example.com" {
			t.Fatalf("%+v, %v", first, err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM setup_codes"); n != 0 {
			t.Error("the setup link still works")
		}
		second, err := w.CreateUser(t.Context(), operator(), "bob@example.com", "acme", redact.NewValue(goodPassword))
		if err != nil || second.Role != team.Member || second.NewTeam || !second.Password.IsZero() || second.TeamID != first.TeamID {
			t.Fatalf("%+v, %v", second, err)
		}
		before := dbtest.Value(t, w.d, "SELECT password_hash FROM users WHERE id = ?", first.UserID)
		joined, err := w.CreateUser(t.Context(), operator(), "ADA@EXAMPLE.COM", "beta", redact.Value{})
		if err != nil || joined.NewUser || joined.UserID != first.UserID || !joined.Password.IsZero() || joined.Role != team.Owner {
			t.Fatalf("%+v, %v", joined, err)
		}
		if string(before) != string(dbtest.Value(t, w.d, "SELECT password_hash FROM users WHERE id = ?", first.UserID)) {
			t.Error("the password of an existing account was changed")
		}
		for name, err := range map[string]error{
			"a password for an existing account": second2(w.CreateUser(t.Context(), operator(), "ada@example.com", "gamma", redact.NewValue(goodPassword))),
			"into a team twice":                  second2(w.CreateUser(t.Context(), operator(), "ada@example.com", "acme", redact.Value{})),
		} {
			if problem.CodeOf(err) != problem.Conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM teams WHERE username = 'gamma'"); n != 0 {
			t.Error("a refused command made a team")
		}
		for name, who := range map[string]team.Actor{"an owner": actor(first, team.Session), "an owner's key": actor(first, team.Key), "nobody": {}} {
			_, err := w.CreateUser(t.Context(), who, "eve@example.com", "acme", redact.Value{})
			if problem.CodeOf(err) != problem.PermissionDenied {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func second2(_ account.Created, err error) error { return err }
