package e2e

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// code is what the app shows now, or will show in the next half minute.
func (p *tab) code(secret string, next bool) string {
	p.Helper()
	at := time.Now()
	if next {
		at = at.Add(30 * time.Second)
	}
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		p.Fatal(err)
	}
	return code
}

// signInHalf signs in as far as the password does.
func (p *tab) signInHalf(u user) {
	p.Helper()
	p.visit("/login?next=/settings/account")
	p.fill("#login-email", u.Email)
	p.fill("#login-password", u.Password)
	p.follow(testid("login"))
	p.at("/login/verify?next=%2Fsettings%2Faccount")
	p.see("h1", "One more step")
}

// An authenticator app is set up by plain forms, and then asked for; a recovery
// code stands in for it, once.
func authenticatorApp(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s, noScript)
	p.signIn(u)
	p.visit("/settings/account")
	p.follow(testid("add-app"))
	p.see("h1", "Set up an authenticator app")
	p.until("the QR code is drawn", `document.querySelector("svg.qr").getBBox().width > 100 || document.querySelector("svg.qr").getBoundingClientRect().width > 100`)
	secret := ask[string](p, `document.querySelector("details pre code").textContent`)
	p.fill("#app-code", "000000")
	if status := p.follow(testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code answered %d", status)
	}
	p.errorAt("#app-code", "wrong")
	p.fill("#app-code", p.code(secret, false))
	p.follow(testid("save"))
	p.see("h1", "Keep these recovery codes")
	codes := strings.Fields(ask[string](p, `document.querySelector("[data-testid=recovery-codes]").textContent`))
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	// Neither is shown again.
	p.plant(secret)
	p.plant(codes[0])
	p.forget()
	p.follow(testid("kept"))
	p.see(testid("two-step"), "On")
	p.see(testid("codes-left"), "10 codes")

	p.signOut()
	p.signInHalf(u)
	p.visit("/settings/secrets")
	p.at("/login?next=" + "%2Fsettings%2Fsecrets") // There is no session yet.
	p.signInHalf(u)
	p.fill("#verify-code", "000 000")
	if status := p.follow(testid("verify")); status != http.StatusUnauthorized {
		t.Errorf("a wrong code answered %d", status)
	}
	p.errorAt("#verify-code", "wrong")
	p.fill("#verify-code", p.code(secret, true))
	p.follow(testid("verify"))
	p.at("/settings/account")

	p.signOut()
	p.signInHalf(u)
	p.fill("#verify-code", strings.ToLower(codes[0]))
	p.follow(testid("verify"))
	p.see(testid("codes-left"), "9 codes")
	s.stale()
	p.follow(testid("remove-app"))
	p.see("h1", "Is it you?")
	p.fill("#confirm-password", u.Password)
	p.follow(testid("confirm"))
	p.see(testid("flash"), "was removed")
	p.see(testid("two-step"), "Off")
	p.signOut()
	p.signIn(u)
}

// forget drops what was read along so far, for what was shown on purpose.
func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

// authenticator gives the tab a device that holds passkeys and verifies its
// user.
func authenticator(options *webauthn.VirtualAuthenticatorOptions) tabOption {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: options})
		return err
	})
}

// A passkey is added, signs in alone and as a second step, and confirms.
func passkeys(t *testing.T, browser context.Context) {
	ln := listenLocally(t)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://localhost:" + port
	s := start(t, t.TempDir(), "--public-url", origin)
	u := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	w := wireOn(t, s, ln)
	w.URL = origin
	p := newTab(t, browser, w, []chromedp.ContextOption{chromedp.WithNewBrowserContext()}, authenticator(&webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, AutomaticPresenceSimulation: true, IsUserVerified: true, DefaultBackupEligibility: true, DefaultBackupState: true,
	}))
	p.signIn(u)
	p.visit("/settings/account")
	p.fill("#passkey-name", "work laptop")
	p.click(testid("passkey-register"))
	p.see("h1", "Keep these recovery codes")
	p.load("go on", chromedp.Click(chromedp.CSS(testid("kept")), chromedp.NodeVisible))
	p.see(testid("passkey-row"), "work laptop")
	p.see(testid("passkey-row"), "synced")

	// The same device twice makes no sense, and it says so.
	p.fill("#passkey-name", "again")
	p.click(testid("passkey-register"))
	p.hears("This device has a passkey for you already.")

	p.signOut()
	p.click(testid("passkey-login"))
	p.at("/settings/secrets")
	s.stale()
	p.visit("/settings/members?role=" + member.UserID)
	p.click("#role-admin")
	p.click(testid("role-form") + " " + testid("save"))
	p.see("#confirm-dialog-title", "Is it you?")
	p.click(testid("passkey-confirm"))
	p.gone("#dialog dialog")
	p.hears("The role of bo@example.com was changed.")

	p.signOut()
	p.signInHalf(u)
	p.click(testid("passkey-verify"))
	p.at("/settings/account")
	p.click(testid("remove-passkey"))
	p.see(testid("flash"), "The passkey was removed.")
	p.signOut()
	p.click(testid("passkey-login"))
	p.see(testid("form-error"), "opens no account here")
}

// A person sees in words where they are signed in, and ends one of it.
func signInsList(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	other := s.signIn(u)
	p := open(t, browser, s, noScript)
	p.signIn(u)
	p.visit("/settings/account")
	p.see(testid("sessions"), "2 browsers and 0 command lines")
	p.see(testid("sign-in-row"), "Chrome on Linux this one")
	p.see(testid("sign-in-row"), "127.0.0.1")
	p.follow(testid("end-sign-in"))
	p.see(testid("flash"), "You are signed out there.")
	p.see(testid("sessions"), "1 browser and 0 command lines")
	if a := other.get("/settings/account"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the other browser goes on: %d", a.StatusCode)
	}
	p.visit("/settings/activity")
	p.see(testid("activity-row"), "Signed out elsewhere")
}
