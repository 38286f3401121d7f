package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
)

// addApp gives the session's person an authenticator app.
func (w *world) addApp(s auth.Session) (secret string, codes []redact.Value) {
	w.t.Helper()
	app, err := w.sessions.BeginApp(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	secret = app.Secret.Reveal()
	if codes, err = w.sessions.ConfirmApp(w.t.Context(), s, redact.NewValue(w.code(secret))); err != nil {
		w.t.Fatal(err)
	}
	w.pass(time.Minute)
	return secret, codes
}

func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.clock())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// addPasskey gives the session's person a passkey.
func (w *world) addPasskey(s auth.Session, name string) *device {
	w.t.Helper()
	d := newDevice(w.t)
	options, err := w.sessions.BeginPasskey(w.t.Context(), s)
	if err == nil {
		_, err = w.sessions.AddPasskey(w.t.Context(), s, name, d.create(options))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (b *browser) verify(p auth.Proof) error {
	return b.do(func(w http.ResponseWriter, r *http.Request) error {
		_, err := b.w.sessions.Verify(w, r, p, b.w.authn.Origin(r), nil)
		return err
	})
}

func (b *browser) verifyCode(code string) error {
	return b.verify(auth.Proof{Code: redact.NewValue(code)})
}

// half signs in as far as a password does.
func (b *browser) half(email string) {
	b.w.t.Helper()
	wantCode(b.w.t, b.login(email, password), problem.SecondFactorNeeded)
	if _, err := b.session(); err == nil {
		b.w.t.Fatal("there is a session before the second factor")
	}
}

// The password of one who has an authenticator app opens nothing; a code of the
// app, once, does.
func TestAuthenticatorApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		s := ada.mustLogin("ada@example.com")
		app, err := w.sessions.BeginApp(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		secret := app.Secret.Reveal()
		if want := "secret=" + secret; !strings.Contains(app.URL.Reveal(), want) || !strings.HasPrefix(app.URL.Reveal(), "otpauth://totp/infsh:ada@example.com?") {
			t.Errorf("the URL is %s", app.URL.Reveal())
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM totp_factors WHERE confirmed_at = 0"); n != 1 {
			t.Fatalf("%d apps wait", n)
		}
		// It counts for nothing before its first code.
		w.browser(home).mustLogin("ada@example.com")
		if _, err := w.sessions.ConfirmApp(t.Context(), s, redact.NewValue("000000")); problem.CodeOf(err) != problem.InvalidField {
			t.Errorf("a wrong code: %v", err)
		}
		code := w.code(secret)
		codes, err := w.sessions.ConfirmApp(t.Context(), s, redact.NewValue(code[:3]+" "+code[3:]))
		if err != nil || len(codes) != auth.RecoveryCodes {
			t.Fatalf("%d recovery codes: %v", len(codes), err)
		}
		if _, err := w.sessions.BeginApp(t.Context(), s); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("a second app: %v", err)
		}

		ada = w.browser(home)
		ada.half("ada@example.com")
		wantCode(t, ada.verifyCode(code), problem.InvalidField) // It was used.
		w.pass(time.Minute)
		if err := ada.verifyCode(w.code(secret)); err != nil {
			t.Fatalf("the code of now: %v", err)
		}
		ada.mustSession()
		wantCode(t, ada.verifyCode(w.code(secret)), problem.NotSignedIn) // Nothing waits any more.
		other := w.browser(home)
		other.half("ada@example.com")
		wantCode(t, other.verifyCode(w.code(secret)), problem.InvalidField) // Another browser in the same half minute.

		// A clock may be half a minute off, and not a whole one.
		for off, ok := range map[time.Duration]bool{-30 * time.Second: true, 30 * time.Second: true, -60 * time.Second: false, 60 * time.Second: false} {
			w.pass(2 * time.Minute)
			b := w.browser(home)
			b.half("ada@example.com")
			code, err := totp.GenerateCode(secret, w.clock().Add(off))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.verifyCode(code); (err == nil) != ok {
				t.Errorf("a clock that is %s off: %v", off, err)
			}
		}
		wantEntries(t, w, audit.ActAddFactor+" allowed authenticator app", audit.ActLogin+" allowed authenticator app", audit.ActLogin+" failed wrong_code")
	})
}

// wantEntries fails unless the log has each: action, outcome, and target or reason.
func wantEntries(t *testing.T, w *world, want ...string) {
	t.Helper()
	for _, e := range want {
		parts := strings.SplitN(e, " ", 3)
		if dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND outcome = ? AND (target = ? OR reason = ?) AND actor_name = 'ada@example.com'", parts[0], parts[1], parts[2], parts[2]) == 0 {
			t.Errorf("the log has no %s", e)
		}
	}
}

// What is stored of a seed opens for its own person alone, and is nowhere in
// the clear.
func TestASeedIsSealedForItsPerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, eve := w.person("ada@example.com", "acme"), w.person("eve@example.com", "beta")
		secret, _ := w.addApp(w.browser(home).mustLogin("ada@example.com"))
		w.addApp(w.browser(attacker).mustLogin("eve@example.com"))
		sealed := dbtest.Value(t, w.d, "SELECT seed FROM totp_factors WHERE user_id = ?", ada.UserID)
		for _, hidden := range []string{secret, w.code(secret)} {
			if bytes.Contains(sealed, []byte(hidden)) {
				t.Error("the seed is stored in the clear")
			}
		}
		// Eve writes her own row over Ada's, as who can write the database could.
		dbtest.Exec(t, w.d, "UPDATE totp_factors SET seed = (SELECT seed FROM totp_factors WHERE user_id = ?), wrapped_dek = (SELECT wrapped_dek FROM totp_factors WHERE user_id = ?) WHERE user_id = ?", eve.UserID, eve.UserID, ada.UserID)
		b := w.browser(attacker)
		b.half("ada@example.com")
		if err := b.verifyCode(w.code(secret)); err == nil || problem.CodeOf(err) != problem.Internal {
			t.Errorf("a row that was moved: %v", err)
		}
	})
}

// A recovery code works once, is stored as a hash, and none is left without a
// factor.
func TestRecoveryCodes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		s := w.browser(home).mustLogin("ada@example.com")
		if _, err := w.sessions.NewRecoveryCodes(t.Context(), s); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("codes without a factor: %v", err)
		}
		_, codes := w.addApp(s)
		seen := map[string]bool{}
		for _, c := range codes {
			seen[c.Reveal()] = true
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM recovery_codes WHERE code_hash = ?", []byte(c.Reveal())); n != 0 {
				t.Error("a code is stored as it is")
			}
		}
		if len(seen) != auth.RecoveryCodes {
			t.Fatalf("%d different codes", len(seen))
		}
		first := codes[0].Reveal()
		b := w.browser(home)
		b.half("ada@example.com")
		if err := b.verifyCode(" " + strings.ToLower(strings.ReplaceAll(first, "-", "")) + " "); err != nil {
			t.Fatalf("a recovery code: %v", err)
		}
		b = w.browser(home)
		b.half("ada@example.com")
		wantCode(t, b.verifyCode(first), problem.InvalidField)
		have, err := w.sessions.Factors(t.Context(), s)
		if err != nil || have.RecoveryCodes != auth.RecoveryCodes-1 {
			t.Errorf("%d codes are left: %v", have.RecoveryCodes, err)
		}
		again, err := w.sessions.NewRecoveryCodes(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.verifyCode(codes[1].Reveal()), problem.InvalidField)
		if err := b.verifyCode(again[0].Reveal()); err != nil {
			t.Errorf("a new code: %v", err)
		}
		if err := w.sessions.RemoveApp(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM recovery_codes"); n != 0 {
			t.Errorf("%d codes are left without a factor", n)
		}
		w.browser(home).mustLogin("ada@example.com")
		wantEntries(t, w, audit.ActRecoveryCodes+" allowed ", audit.ActRemoveFactor+" allowed authenticator app", audit.ActLogin+" allowed recovery code")
	})
}

// Guessing codes asks for the password again and again, and waits longer and
// longer, from wherever it comes; recovery codes are not held up, nor sessions.
func TestGuessingCodes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		secret, codes := w.addApp(ada.mustLogin("ada@example.com"))
		wrong := func(b *browser) error { return b.verifyCode("000000") }
		b := w.browser(attacker)
		b.half("ada@example.com")
		for range 4 {
			wantCode(t, wrong(b), problem.InvalidField)
		}
		wantCode(t, wrong(b), problem.NotSignedIn)
		wantCode(t, b.verifyCode(w.code(secret)), problem.NotSignedIn) // The right one is late.
		limited := false
		for i := range 60 {
			b := w.browser(fmt.Sprintf("203.0.113.%d", i))
			b.half("ada@example.com")
			if limited = errors.Is(wrong(b), problem.RateLimited); limited {
				break
			}
		}
		if !limited {
			t.Error("sixty addresses guessed at the codes of one person, and none had to wait")
		}
		ada.mustSession()
		back := w.browser(home)
		back.half("ada@example.com")
		wantCode(t, back.verifyCode(w.code(secret)), problem.RateLimited)
		if err := back.verifyCode(codes[0].Reveal()); err != nil {
			t.Errorf("a recovery code meanwhile: %v", err)
		}
		w.pass(5 * time.Minute)
		late := w.browser(home)
		late.half("ada@example.com")
		if err := late.verifyCode(w.code(secret)); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// What waits for a second factor ends by itself, by a change of the password,
// and is no session.
func TestASignInThatWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		first := w.browser(home)
		secret, _ := w.addApp(first.mustLogin("ada@example.com"))
		b := w.browser(home)
		b.half("ada@example.com")
		for _, c := range b.cookies {
			if c.Name != "__Host-infsh-login" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("the cookie is %v", c)
			}
			// Neither is it a session's, under its name.
			forged := w.browser(home)
			forged.cookies["__Host-infsh"] = &http.Cookie{Name: "__Host-infsh", Value: c.Value}
			if _, err := forged.session(); err == nil {
				t.Error("the cookie of a login that waits is a session's")
			}
		}
		w.pass(auth.PendingLifetime)
		wantCode(t, b.verifyCode(w.code(secret)), problem.NotSignedIn)
		b.half("ada@example.com")
		s := first.mustSession()
		err := first.do(func(rw http.ResponseWriter, r *http.Request) error {
			return w.sessions.ChangePassword(rw, r, s, redact.NewValue(password), redact.NewValue("another long password"))
		})
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.verifyCode(w.code(secret)), problem.NotSignedIn)
		if err := w.sessions.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A passkey signs in alone, is a second factor, and confirms.
func TestPasskeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		s := ada.mustLogin("ada@example.com")
		phone := w.addPasskey(s, "phone")
		w.pass(time.Second)
		laptop := w.addPasskey(s, "laptop")
		have, err := w.sessions.Factors(t.Context(), s)
		if err != nil || len(have.Passkeys) != 2 || have.Passkeys[0].Name != "phone" || !have.Passkeys[0].Synced() || have.RecoveryCodes != auth.RecoveryCodes {
			t.Fatalf("%+v, %v", have, err)
		}
		alone := func(b *browser, d *device) error {
			var options []byte
			if err := b.do(func(rw http.ResponseWriter, r *http.Request) (err error) {
				options, err = w.sessions.BeginPasskeyLogin(rw, r, w.authn.Origin(r))
				return err
			}); err != nil {
				return err
			}
			return b.do(func(rw http.ResponseWriter, r *http.Request) error {
				_, err := w.sessions.LoginByPasskey(rw, r, d.get(options), w.authn.Origin(r))
				return err
			})
		}
		b := w.browser(home)
		if err := alone(b, phone); err != nil {
			t.Fatalf("a passkey alone: %v", err)
		}
		if fresh := b.mustSession(); fresh.ID == s.ID || w.sessions.Confirmed(fresh) != nil {
			t.Errorf("the session is %+v", fresh)
		}

		// As a second factor.
		b = w.browser(home)
		b.half("ada@example.com")
		options, err := w.sessions.BeginVerify(b.request(), w.authn.Origin(b.request()))
		if err != nil {
			t.Fatal(err)
		}
		answer := laptop.get(options)
		if err := b.verify(auth.Proof{Credential: answer}); err != nil {
			t.Fatalf("a passkey as the second factor: %v", err)
		}
		// Each answer counts once, and only where it was asked for.
		c := w.browser(home)
		c.half("ada@example.com")
		wantCode(t, c.verify(auth.Proof{Credential: answer}), problem.InvalidField)
		if _, err := w.sessions.BeginVerify(c.request(), w.authn.Origin(c.request())); err != nil {
			t.Fatal(err)
		}
		wantCode(t, c.verify(auth.Proof{Credential: answer}), problem.InvalidField)

		// To confirm.
		w.pass(auth.ConfirmWindow)
		cur := b.mustSession()
		asked, err := w.sessions.BeginConfirm(t.Context(), cur)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.do(func(rw http.ResponseWriter, r *http.Request) error {
			return w.sessions.Confirm(rw, r, cur, auth.Proof{Credential: phone.get(asked)})
		}); err != nil || w.sessions.Confirmed(b.mustSession()) != nil {
			t.Errorf("confirmed by a passkey: %v", err)
		}

		// Too late; without a look at its user; from another site; of nobody.
		for name, spoil := range map[string]func(d *device){
			"too late":              func(*device) { w.pass(auth.ChallengeLifetime) },
			"without verification":  func(d *device) { d.flags &^= userVerified },
			"of another site":       func(d *device) { d.origin = "https://evil.example" },
			"of plain http":         func(d *device) { d.origin = "http://infsh.example" },
			"with another key":      func(d *device) { d.key = newDevice(t).key },
			"of nobody":             func(d *device) { d.handle = make([]byte, 16) },
			"of one without a name": func(d *device) { d.handle = nil },
		} {
			d := *phone
			b := w.browser(home)
			var options []byte
			if err := b.do(func(rw http.ResponseWriter, r *http.Request) (err error) {
				options, err = w.sessions.BeginPasskeyLogin(rw, r, w.authn.Origin(r))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			spoil(&d)
			err := b.do(func(rw http.ResponseWriter, r *http.Request) error {
				_, err := w.sessions.LoginByPasskey(rw, r, d.get(options), w.authn.Origin(r))
				return err
			})
			if !errors.Is(err, problem.NotSignedIn) {
				t.Errorf("%s: %v", name, err)
			}
		}

		// A counter that goes back is that of a copy.
		counting := w.addPasskey(b.mustSession(), "key with a counter")
		counting.count = 5
		if err := alone(w.browser(home), counting); err != nil {
			t.Fatal(err)
		}
		counting.count = 4
		wantCode(t, alone(w.browser(home), counting), problem.NotSignedIn)
		wantEntries(t, w, audit.ActAddFactor+" allowed passkey phone", audit.ActLogin+" allowed passkey", audit.ActConfirm+" allowed passkey")
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE reason = 'passkey_was_copied'"); n != 1 {
			t.Errorf("%d entries of a copy", n)
		}

		// Removed, it opens nothing.
		if err := w.sessions.RemovePasskey(t.Context(), s, have.Passkeys[0].ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.sessions.RemovePasskey(t.Context(), s, have.Passkeys[0].ID), problem.NotFound)
		wantCode(t, alone(w.browser(home), phone), problem.NotSignedIn)
	})
}

// Nobody removes or confirms by what belongs to another.
func TestFactorsOfOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.person("eve@example.com", "acme")
		ada, eve := w.browser(home), w.browser(attacker)
		s := ada.mustLogin("ada@example.com")
		phone := w.addPasskey(s, "phone")
		have, err := w.sessions.Factors(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		es := eve.mustLogin("eve@example.com")
		wantCode(t, w.sessions.RemovePasskey(t.Context(), es, have.Passkeys[0].ID), problem.NotFound)
		evesOwn := w.addPasskey(es, "eve's")
		// Ada's login that waits takes no passkey of Eve's.
		b := w.browser(attacker)
		b.half("ada@example.com")
		options, err := w.sessions.BeginVerify(b.request(), w.authn.Origin(b.request()))
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.verify(auth.Proof{Credential: evesOwn.get(options)}), problem.InvalidField)
		// The same credential is nobody else's.
		options, err = w.sessions.BeginPasskey(t.Context(), es)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.sessions.AddPasskey(t.Context(), es, "stolen id", phone.create(options)); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("a credential that is somebody else's: %v", err)
		}
	})
}

// An operator helps one who has lost everything, and nobody else does.
func TestResetFactors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		s := ada.mustLogin("ada@example.com")
		w.addApp(s)
		w.addPasskey(s, "phone")
		if _, err := w.sessions.ResetFactors(t.Context(), s.Actor, "ada@example.com"); problem.CodeOf(err) != problem.PermissionDenied {
			t.Errorf("a person resets: %v", err)
		}
		had, err := w.sessions.ResetFactors(t.Context(), auth.Operator("root"), "Ada@example.com")
		if err != nil || had.App.IsZero() || len(had.Passkeys) != 1 {
			t.Fatalf("%+v, %v", had, err)
		}
		if _, err := ada.session(); err == nil {
			t.Error("a session is left")
		}
		w.browser(home).mustLogin("ada@example.com")
		if _, err := w.sessions.ResetFactors(t.Context(), auth.Operator("root"), "nobody@example.com"); problem.CodeOf(err) != problem.NotFound {
			t.Errorf("nobody: %v", err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND actor_kind = 'operator' AND target = 'ada@example.com'", audit.ActResetFactors); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

// Who joins a team by signing in joins it with the second factor, not before.
func TestJoiningWaitsForTheSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		secret, _ := w.addApp(w.browser(home).mustLogin("ada@example.com"))
		target := w.person("bob@example.com", "beta")
		b := w.browser(home)
		var joins []string
		join := func(_ context.Context, userID string) (string, error) {
			joins = append(joins, userID)
			dbtest.Exec(t, w.d, "INSERT INTO memberships (team_id, user_id, role, created_at) VALUES (?, ?, 'member', 1)", target.TeamID, userID)
			return target.TeamID, nil
		}
		wantCode(t, b.do(func(rw http.ResponseWriter, r *http.Request) error {
			_, err := w.sessions.LoginToJoin(rw, r, "ada@example.com", redact.NewValue(password), w.authn.Origin(r), join)
			return err
		}), problem.SecondFactorNeeded)
		if len(joins) > 0 {
			t.Error("joined by the password alone")
		}
		asked, err := w.sessions.SecondFactor(b.request())
		if err != nil || !asked.Joining || !asked.App || asked.Passkey || asked.Email != "ada@example.com" {
			t.Errorf("%+v, %v", asked, err)
		}
		if err := b.do(func(rw http.ResponseWriter, r *http.Request) error {
			_, err := w.sessions.Verify(rw, r, auth.Proof{Code: redact.NewValue(w.code(secret))}, w.authn.Origin(r), join)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if s := b.mustSession(); s.Actor.TeamName() != "beta" || !slices.Equal(joins, []string{s.Actor.UserID()}) {
			t.Errorf("the session is in %s, joined %s", s.Actor.TeamName(), joins)
		}
	})
}
