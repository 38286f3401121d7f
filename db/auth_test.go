package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"infsh/account"
	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/team"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// update runs a transaction that must succeed.
func update(t *testing.T, d *dbtest.Database, fn func(ctx context.Context, tx auth.Tx) error) {
	t.Helper()
	if err := d.Auth().Update(t.Context(), func(tx auth.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// person makes a user in a team of their own.
func person(t *testing.T, d *dbtest.Database, email, teamName string) (userID, teamID string) {
	t.Helper()
	userID, teamID = uuid.NewString(), uuid.NewString()
	err := d.Accounts().Update(t.Context(), func(tx account.Tx) error {
		return errors.Join(
			tx.InsertUser(t.Context(), account.NewUser{ID: userID, Email: email, EmailFolded: email, PasswordHash: "hash", CreatedAt: noon}),
			tx.InsertTeam(t.Context(), account.NewTeam{ID: teamID, Username: teamName, Name: teamName, WrappedDEK: []byte{1}, CreatedBy: userID, CreatedAt: noon}),
			tx.InsertMember(t.Context(), teamID, userID, team.Owner, noon),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	return userID, teamID
}

func TestSessionStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		_, foreign := person(t, d, "eve@example.com", "evil")
		store := d.Auth()
		record := auth.SessionRecord{
			ID: "s1", TokenHash: []byte{0, 1, 0xff}, UserID: user, Email: "ada@example.com", TeamID: teamID, CSRF: "csrf", RemoteAddr: "192.0.2.1", UserAgent: "Test/1.0 é",
			CreatedAt: noon, LastSeenAt: noon, ExpiresAt: noon.Add(time.Hour),
		}
		update(t, d, func(ctx context.Context, tx auth.Tx) error { return tx.InsertSession(ctx, record) })

		t.Run("what was stored comes back, with the membership of now", func(t *testing.T) {
			got, m, err := store.Session(t.Context(), record.TokenHash)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(record) {
				t.Errorf("got  %+v\nwant %+v, %v", got, record, err)
			}
			if want := (auth.Membership{TeamID: teamID, TeamName: "acme", Role: team.Owner}); m != want {
				t.Errorf("membership %+v", m)
			}
			if _, _, err := store.Session(t.Context(), []byte{0, 1}); !errors.Is(err, problem.NotFound) {
				t.Errorf("a prefix of the hash: %v", err)
			}
		})
		t.Run("it is touched only if it was not just now", func(t *testing.T) {
			for _, step := range []struct{ now, before, want time.Time }{
				{noon.Add(30 * time.Second), noon.Add(-30 * time.Second), noon},
				{noon.Add(time.Minute), noon, noon.Add(time.Minute)},
			} {
				if err := store.TouchSession(t.Context(), record.TokenHash, step.now, step.before); err != nil {
					t.Fatal(err)
				}
				if got, _, _ := store.Session(t.Context(), record.TokenHash); !got.LastSeenAt.Equal(step.want) {
					t.Errorf("seen at %s, want %s", got.LastSeenAt, step.want)
				}
			}
		})
		t.Run("its team changes only to one of its user's", func(t *testing.T) {
			update(t, d, func(ctx context.Context, tx auth.Tx) error {
				for _, other := range []string{foreign, "", "missing"} {
					if ok, err := tx.SetSessionTeam(ctx, "s1", other); ok || err != nil {
						t.Errorf("switched to %q: %v", other, err)
					}
				}
				return nil
			})
		})
		t.Run("without a membership it is there, and has none", func(t *testing.T) {
			dbtest.Exec(t, d, "DELETE FROM memberships WHERE user_id = ?", user)
			if got, m, err := store.Session(t.Context(), record.TokenHash); err != nil || got.ID != "s1" || !m.IsZero() {
				t.Errorf("%+v, %+v, %v", got, m, err)
			}
		})
		t.Run("of several, those seen last are kept; another user's stay", func(t *testing.T) {
			update(t, d, func(ctx context.Context, tx auth.Tx) error {
				for i := range 5 {
					r := record
					r.ID, r.TokenHash, r.LastSeenAt = fmt.Sprint("n", i), []byte{9, byte(i)}, noon.Add(time.Duration(i)*time.Hour)
					if err := tx.InsertSession(ctx, r); err != nil {
						return err
					}
				}
				return tx.KeepSessions(ctx, user, 2)
			})
			if n := dbtest.Count(t, d, "SELECT count(*) FROM sessions WHERE id IN ('n3', 'n4')"); n != 2 || dbtest.Count(t, d, "SELECT count(*) FROM sessions") != 2 {
				t.Error("not the last two were kept")
			}
			update(t, d, func(ctx context.Context, tx auth.Tx) error { return tx.DeleteExpired(ctx, noon, noon.Add(3*time.Hour)) })
			if dbtest.Count(t, d, "SELECT count(*) FROM sessions WHERE id = 'n4'") != 1 || dbtest.Count(t, d, "SELECT count(*) FROM sessions") != 1 {
				t.Error("not exactly the idle one was removed")
			}
		})
		t.Run("its cookie changes while it lives", func(t *testing.T) {
			update(t, d, func(ctx context.Context, tx auth.Tx) error {
				if err := tx.RotateSession(ctx, "gone", []byte{7}, time.Now()); !errors.Is(err, problem.NotFound) {
					t.Errorf("a session that has ended: %v", err)
				}
				return tx.RotateSession(ctx, "n4", []byte{7}, time.Now())
			})
			if got, _, err := store.Session(t.Context(), []byte{7}); err != nil || got.ID != "n4" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	})
}

func TestKeyStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		_, foreign := person(t, d, "eve@example.com", "evil")
		store := d.Auth()
		key := auth.Key{ID: uuid.NewString(), TeamID: teamID, UserID: user, Email: "ada@example.com", Kind: team.Key, Name: "ci", LastFour: "wxyz", Scopes: team.Scopes{team.ScopeAppsExecute, team.ScopeSecretsRead}, CreatedAt: noon}
		update(t, d, func(ctx context.Context, tx auth.Tx) error { return tx.InsertKey(ctx, key, []byte("hash")) })

		got, m, err := store.Key(t.Context(), []byte("hash"), "")
		key.Role = team.Owner
		if err != nil || fmt.Sprint(got) != fmt.Sprint(key) || m.TeamName != "acme" {
			t.Errorf("got  %+v\nwant %+v, %+v, %v", got, key, m, err)
		}
		for _, name := range []string{"evil", "missing"} {
			if got, m, err := store.Key(t.Context(), []byte("hash"), name); err != nil || got.ID != key.ID || !m.IsZero() {
				t.Errorf("in %s: %+v, %v", name, m, err)
			}
		}
		if _, _, err := store.Key(t.Context(), []byte("other"), ""); !errors.Is(err, problem.NotFound) {
			t.Error(err)
		}
		update(t, d, func(ctx context.Context, tx auth.Tx) error {
			if _, err := tx.TeamKey(ctx, foreign, key.ID); !errors.Is(err, problem.NotFound) {
				t.Errorf("read through another team: %v", err)
			}
			if ok, err := tx.DeleteKey(ctx, foreign, key.ID, noon); ok || err != nil {
				t.Errorf("deleted through another team: %v", err)
			}
			if ok, err := tx.DeleteLogin(ctx, user, key.ID); ok || err != nil {
				t.Errorf("a key was deleted as a login: %v", err)
			}
			return tx.DeleteLogins(ctx, user)
		})
		if err := store.TouchKey(t.Context(), foreign, key.ID, noon, noon, noon); err != nil {
			t.Fatal(err)
		}
		if err := store.TouchKey(t.Context(), teamID, key.ID, noon, noon, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := store.Key(t.Context(), []byte("hash"), ""); err != nil || !got.LastUsedAt.Equal(noon) || !got.ExpiresAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		later := noon.Add(time.Hour)
		var uses sync.WaitGroup
		for range 8 {
			uses.Go(func() {
				err := errors.Join(store.TouchKey(t.Context(), teamID, key.ID, later, noon, later.Add(time.Hour)), store.TouchKey(t.Context(), foreign, key.ID, later, noon, noon))
				if err != nil {
					t.Error(err)
				}
			})
		}
		uses.Wait()
		// One that used it a moment ago changes nothing.
		if err := store.TouchKey(t.Context(), teamID, key.ID, later.Add(time.Hour), noon, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := store.Key(t.Context(), []byte("hash"), ""); err != nil || !got.LastUsedAt.Equal(later) || !got.ExpiresAt.Equal(later.Add(time.Hour)) {
			t.Errorf("after many uses at once: %+v, %v", got, err)
		}
		dbtest.Exec(t, d, "UPDATE api_keys SET scopes = 'secrets:read from:tomorrow'")
		if got, _, _ := store.Key(t.Context(), []byte("hash"), ""); len(got.Scopes) != 1 || got.Scopes[0] != team.ScopeSecretsRead {
			t.Errorf("a scope of a later release became %v", got.Scopes)
		}
	})
}

func TestDeviceStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		record := auth.DeviceRecord{DeviceHash: []byte{1}, UserCode: "BCDFGHJK", ClientName: "laptop", RemoteAddr: "2001:db8::1", Network: "2001:db8::/64", State: auth.DevicePending, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute)}
		update(t, d, func(ctx context.Context, tx auth.Tx) error {
			if err := tx.InsertDevice(ctx, record); err != nil {
				return err
			}
			got, err := tx.DeviceByCode(ctx, "BCDFGHJK", noon)
			if fmt.Sprint(got) != fmt.Sprint(record) {
				t.Errorf("got  %+v\nwant %+v", got, record)
			}
			return err
		})
		decide := func(state auth.DeviceState, now time.Time, want bool) {
			t.Helper()
			update(t, d, func(ctx context.Context, tx auth.Tx) error {
				got, err := tx.DecideDevice(ctx, "BCDFGHJK", state, user, teamID, now)
				if got != want {
					t.Errorf("%s at %s: %v", state, now, got)
				}
				return err
			})
		}
		decide(auth.DeviceApproved, noon.Add(time.Minute), false) // it has expired
		decide(auth.DeviceDenied, noon, true)
		decide(auth.DeviceApproved, noon, false) // it was decided
		update(t, d, func(ctx context.Context, tx auth.Tx) error {
			got, err := tx.Device(ctx, []byte{1})
			if got.State != auth.DeviceDenied || got.UserID != user || got.TeamID != teamID {
				t.Errorf("%+v", got)
			}
			if ofNetwork, all, err := tx.CountDevices(ctx, "192.0.2.1", noon); ofNetwork != 0 || all != 1 || err != nil {
				t.Errorf("%d of the network, %d in all, %v", ofNetwork, all, err)
			}
			for _, want := range []bool{true, false} {
				if gone, err := tx.DeleteDevice(ctx, []byte{1}); gone != want || err != nil {
					t.Errorf("deleted: %v, %v", gone, err)
				}
			}
			return err
		})
	})
}

func TestThrottleStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		t.Run("no count is lost when many count at once, also the first", func(t *testing.T) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					err := d.Auth().Update(t.Context(), func(tx auth.Tx) error {
						th, err := tx.Throttle(t.Context(), "bucket")
						if err != nil {
							return err
						}
						th.Failures++
						th.LastAt = noon
						return tx.SetThrottle(t.Context(), th)
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := dbtest.Count(t, d, "SELECT failures FROM throttles WHERE bucket = 'bucket'"); n != 20 {
				t.Errorf("%d failures", n)
			}
		})
		t.Run("what is released ends its own block and no other", func(t *testing.T) {
			update(t, d, func(ctx context.Context, tx auth.Tx) error {
				th, err := tx.Throttle(ctx, "block")
				if err != nil {
					return err
				}
				th.Failures, th.LastAt, th.BlockedUntil = 2, noon, noon.Add(time.Minute)
				if err := tx.SetThrottle(ctx, th); err != nil {
					return err
				}
				for _, step := range []struct{ ours, want time.Time }{{noon.Add(time.Second), noon.Add(time.Minute)}, {noon.Add(time.Minute), time.Time{}}} {
					if err := tx.ReleaseThrottle(ctx, "block", step.ours); err != nil {
						return err
					}
					if th, err = tx.Throttle(ctx, "block"); err != nil || !th.BlockedUntil.Equal(step.want) {
						t.Errorf("blocked until %s, want %s, %v", th.BlockedUntil, step.want, err)
					}
				}
				if err := tx.ReleaseThrottle(ctx, "block", time.Time{}); err != nil {
					return err
				}
				if th, err = tx.Throttle(ctx, "block"); th.Failures != 0 {
					t.Errorf("%d failures", th.Failures)
				}
				return err
			})
		})
	})
}

func TestEffectAndEntryAreOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		boom := errors.New("after the entry")
		err := d.Accounts().Update(t.Context(), func(tx account.Tx) error {
			return errors.Join(tx.RemoveMember(t.Context(), teamID, user), tx.AppendAudit(t.Context(), audit.Entry{TeamID: teamID, Action: "member.remove"}), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if dbtest.Count(t, d, "SELECT count(*) FROM memberships") != 1 || dbtest.Count(t, d, "SELECT count(*) FROM audit_entries") != 0 {
			t.Error("a part of a failed transaction stayed")
		}
	})
}

func TestAccountStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		for name, fn := range map[string]func(account.Tx) error{
			"an address twice": func(tx account.Tx) error {
				return tx.InsertUser(t.Context(), account.NewUser{ID: "x", EmailFolded: "ada@example.com"})
			},
			"a username twice": func(tx account.Tx) error {
				return tx.InsertTeam(t.Context(), account.NewTeam{ID: "x", Username: "acme", WrappedDEK: []byte{1}})
			},
			"a member twice": func(tx account.Tx) error { return tx.InsertMember(t.Context(), teamID, user, team.Member, noon) },
		} {
			if err := d.Accounts().Update(t.Context(), fn); !errors.Is(err, problem.Conflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		err := d.Accounts().Update(t.Context(), func(tx account.Tx) error {
			for i := range 5 {
				if err := tx.AddSetupCode(t.Context(), []byte{byte(i)}, noon.Add(time.Duration(i)*time.Second), 3); err != nil {
					return err
				}
			}
			for i, want := range []bool{false, false, true, true, true} {
				if got, err := tx.UseSetupCode(t.Context(), []byte{byte(i)}); got != want || err != nil {
					t.Errorf("code %d: %v, %v", i, got, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
