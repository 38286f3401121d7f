package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// A7, a session's idle and absolute end, needs a clock: auth/sessions_test.go
// has it. So has it that what the tables hold opens nothing (A8).

// A1: behind https, each cookie is for this host alone, over https alone, and
// out of scripts' reach.
func TestCookiesBehindHTTPS(t *testing.T) {
	const public = "https://infsh.example"
	s := start(t, t.TempDir(), "--public-url", public)
	ada := s.createUser("ada@example.com", "acme")
	v := s.visitor()
	seen := map[string]bool{}
	inspect := func(a answer) (cookie string) {
		t.Helper()
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s %s: %d %.300s", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.Body)
		}
		for _, header := range a.Header.Values("Set-Cookie") {
			c, err := http.ParseSetCookie(header)
			if err != nil {
				t.Fatal(err)
			}
			seen[c.Name] = true
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || len(header) >= 4096 {
				t.Errorf("A1: %s", header)
			}
			if c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode {
				t.Errorf("A1: %s is not SameSite", header)
			}
			if c.Name == "__Host-infsh" {
				cookie = c.Name + "=" + c.Value
			}
		}
		return cookie
	}
	session := inspect(v.post("/login", form("email", ada.Email, "password", ada.Password), "Origin", public))
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/theme", form("theme", "dark")},
		{"/settings/secrets", form("key", "OPENAI_API_KEY", "value", "sk-some-value")},
		{"/settings/account/password", form("current", ada.Password, "new", "a wholly new password")},
	} {
		if renewed := inspect(v.post(step.path, step.form, "Origin", public, "Cookie", session)); renewed != "" {
			session = renewed
		}
	}
	inspect(v.post("/logout", nil, "Origin", public, "Cookie", session))
	for _, name := range []string{"__Host-infsh", "__Host-infsh-theme", "__Host-infsh-flash"} {
		if !seen[name] {
			t.Errorf("%s was not set, so it was not inspected: %v", name, seen)
		}
	}
}

func TestSessions(t *testing.T) {
	s := newServer(t)
	ada := s.createUser("ada@example.com", "acme")

	t.Run("A2 a copied cookie opens nothing after the logout, on another instance neither", func(t *testing.T) {
		second := start(t, s.Data)
		v := s.signIn(ada)
		stolen := v.cookie()
		for _, instance := range []*server{s, second} {
			if a := instance.visitor().get("/settings/secrets", "Cookie", stolen); a.StatusCode != http.StatusOK {
				t.Fatalf("the copied cookie does not work before the logout: %d", a.StatusCode)
			}
		}
		v.post("/logout", nil)
		for _, instance := range []*server{s, second} {
			signedOut(t, instance.visitor(), stolen)
		}
		second.stop()
	})

	t.Run("A2 a login makes a new id, also in the same browser and over a planted one", func(t *testing.T) {
		v := s.visitor()
		credentials := form("email", ada.Email, "password", ada.Password)
		a := v.post("/login", credentials, "Cookie", "infsh_session=planted-by-an-attacker")
		first := v.cookie()
		if a.StatusCode != http.StatusSeeOther || strings.Contains(first, "planted") {
			t.Fatalf("%d, cookie %s", a.StatusCode, first)
		}
		signedOut(t, s.visitor(), "infsh_session=planted-by-an-attacker")
		v.post("/login", credentials)
		if second := v.cookie(); second == first {
			t.Error("a second login kept the id")
		}
		signedOut(t, s.visitor(), first)
		if a := v.get("/settings/secrets"); a.StatusCode != http.StatusOK {
			t.Errorf("the second login does not work: %d", a.StatusCode)
		}
	})

	t.Run("A5 one who is attacked stays signed in, and can sign in from elsewhere", func(t *testing.T) {
		eve := s.createUser("eve@example.com", "beta")
		live := s.signIn(eve)
		refused := map[int]int{}
		for i := range 12 {
			attacker := s.visitor().from(t, "127.0.0.66")
			// Other spellings are the same account.
			a := attacker.post("/login", form("email", []string{"eve@example.com", " EVE@example.com "}[i%2], "password", "a wrong guess "+strconv.Itoa(i)))
			refused[a.StatusCode]++
			if a.StatusCode == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Error("429 does not say when to try again")
			}
		}
		if refused[http.StatusUnauthorized] != 6 || refused[http.StatusTooManyRequests] != 6 {
			t.Errorf("twelve guesses were answered with %v; want six of 401, then 429", refused)
		}
		if a := live.get("/settings/secrets"); a.StatusCode != http.StatusOK {
			t.Errorf("the live session was ended: %d", a.StatusCode)
		}
		a := s.visitor().from(t, "127.0.0.77").post("/login", form("email", eve.Email, "password", eve.Password))
		if a.StatusCode != http.StatusSeeOther {
			t.Errorf("the owner can't sign in from another address: %d", a.StatusCode)
		}
		// The right password does not get through from where the guesses come.
		a = s.visitor().from(t, "127.0.0.66").post("/login", form("email", eve.Email, "password", eve.Password), "X-Forwarded-For", "198.51.100.1")
		if a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a claimed address gets past the throttle: %d", a.StatusCode)
		}
	})

	t.Run("A6 every byte of a password counts, and none is changed", func(t *testing.T) {
		shared := strings.Repeat("x1", 36) // 72 bytes, where bcrypt stops
		for i, c := range []struct{ name, password, other string }{
			{"beyond 72 bytes", shared + strings.Repeat("a", 28), shared + strings.Repeat("b", 28)},
			{"with a NUL", "before\x00after the NUL", "before\x00AFTER the NUL"},
			{"with outer spaces", "  spaces around  ", "spaces around"},
			{"more than 64 long", strings.Repeat("long and longer ", 8), strings.Repeat("long and longer ", 8)[:64]},
			{"composed characters", "pässwörd pässwörd", "pa\u0308sswo\u0308rd pa\u0308sswo\u0308rd"},
		} {
			email := fmt.Sprintf("person%d@example.com", i)
			s.createUserWith(email, "acme", c.password)
			if a := s.visitor().post("/login", form("email", email, "password", c.other)); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: another password signs in: %d", c.name, a.StatusCode)
			}
			if a := s.visitor().post("/login", form("email", email, "password", c.password)); a.StatusCode != http.StatusSeeOther {
				t.Errorf("%s: the password does not sign in: %d", c.name, a.StatusCode)
			}
		}
	})

	t.Run("A8 a new password ends the other sessions and the command lines' logins", func(t *testing.T) {
		u := s.createUser("kay@example.com", "kappa")
		here, elsewhere := s.signIn(u), s.signIn(u)
		login := s.cliToken(elsewhere)
		old := here.cookie()
		if a := s.call(login, "GET", "/api/me", nil); a.StatusCode != http.StatusOK {
			t.Fatalf("the login does not work: %d", a.StatusCode)
		}
		if a := here.post("/settings/account/password", form("current", "not the password", "new", "a brand new password")); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the password was changed without the old one: %d", a.StatusCode)
		}
		if a := here.post("/settings/account/password", form("current", u.Password, "new", "a brand new password")); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("change: %d %.300s", a.StatusCode, a.Body)
		}
		if a := here.get("/settings/secrets"); a.StatusCode != http.StatusOK {
			t.Errorf("this browser was signed out: %d", a.StatusCode)
		}
		signedOut(t, elsewhere, "")
		signedOut(t, s.visitor(), old)
		if a := s.call(login, "GET", "/api/me", nil); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("the command line is still logged in: %d", a.StatusCode)
		}
		if a := s.call(u.APIKey, "GET", "/api/me", nil); a.StatusCode != http.StatusOK {
			t.Errorf("an API key, which no password opened, ended: %d", a.StatusCode)
		}
		if a := s.visitor().post("/login", form("email", u.Email, "password", u.Password)); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("the old password signs in: %d", a.StatusCode)
		}
	})
}

// A9: a command line's login by way of a browser, after RFC 8628. Its expiry
// after ten minutes is in auth/device_test.go, and the page itself in the
// browser's tests.
func TestDeviceLogin(t *testing.T) {
	s := newServer(t)
	adaUser := s.createUser("ada@example.com", "acme")
	ada := s.signIn(adaUser)
	eveUser := s.createUser("eve@example.com", "beta")
	eve := s.signIn(eveUser)

	t.Run("A9 opening the link shows a code to compare and who asks, and grants nothing", func(t *testing.T) {
		d := s.startDevice("laptop of ada")
		if d.ExpiresIn > 600 || d.ExpiresIn <= 0 || d.DeviceCode == "" || strings.Contains(d.Complete, d.DeviceCode) {
			t.Errorf("%+v", d)
		}
		link := strings.TrimPrefix(d.Complete, s.URL)
		signedOut(t, s.visitor(), "", link)
		a := ada.get(link)
		page, err := goquery.NewDocumentFromReader(strings.NewReader(a.Body))
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{"device-code": d.UserCode, "device-client": "laptop of ada", "device-address": "127.0.0.1"} {
			if got := strings.TrimSpace(page.Find("[data-testid=" + id + "]").Text()); got != want {
				t.Errorf("%s says %q, want %q", id, got, want)
			}
		}
		if title := s.poll(d.DeviceCode).title(t); title != "authorization_pending" {
			t.Errorf("after a look at the page: %s", title)
		}
		if title := s.poll(d.DeviceCode).title(t); title != "slow_down" {
			t.Errorf("two polls at once: %s", title)
		}
	})

	t.Run("A9 a link of another site's does not approve", func(t *testing.T) {
		d := s.startDevice("laptop of mallory")
		approval := form("code", d.UserCode, "decision", "approve")
		for name, header := range map[string][]string{
			"another site":      {"Origin", "https://evil.example"},
			"a subdomain":       {"Sec-Fetch-Site", "same-site", "Origin", "https://x.evil.example"},
			"no word on origin": {"Origin", ""},
		} {
			if a := ada.post("/device", approval, header...); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
		if a := s.call(eveUser.APIKey, "POST", "/device", approval.Encode()); a.Request.URL.Path != "/login" && a.StatusCode < 400 {
			t.Errorf("an API key approves: %d at %s", a.StatusCode, a.Request.URL)
		}
		if title := s.poll(d.DeviceCode).title(t); title != "authorization_pending" {
			t.Errorf("it was approved all the same: %s", title)
		}
	})

	t.Run("A9 a code is used once, in whatever spelling", func(t *testing.T) {
		d := s.startDevice("laptop of ada")
		spelled := " " + strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " ")) + " "
		if a := ada.post("/device", form("code", spelled, "decision", "approve")); a.StatusCode != http.StatusOK {
			t.Fatalf("approve: %d %.200s", a.StatusCode, a.Body)
		}
		for _, again := range []string{d.UserCode, spelled, strings.ReplaceAll(d.UserCode, "-", "")} {
			for _, path := range []string{"/device", "/device/deny"} {
				if a := eve.post(path, form("code", again, "decision", "approve")); a.StatusCode != http.StatusNotFound {
					t.Errorf("%s of the used code %q: %d", path, again, a.StatusCode)
				}
			}
		}
		// What the person sees opens nothing: the credential is the starter's.
		for _, guess := range []string{d.UserCode, d.DeviceCode + " ", " " + d.DeviceCode, strings.ToLower(d.DeviceCode), ""} {
			if title := s.poll(guess).title(t); title != "expired_token" {
				t.Errorf("polled with %q: %s", guess, title)
			}
		}
		var got struct {
			APIKey string `json:"api_key"`
			User   struct{ Email string }
			Team   struct{ Username string }
		}
		s.poll(d.DeviceCode).json(t, &got)
		if got.User.Email != "ada@example.com" || got.Team.Username != "acme" {
			t.Errorf("the login is %+v, want of ada, who approved", got)
		}
		if title := s.poll(d.DeviceCode).title(t); title != "expired_token" {
			t.Errorf("a second use of the device code: %s", title)
		}
		if a := s.call(got.APIKey, "POST", "/api/secrets/list", nil); a.StatusCode != http.StatusOK {
			t.Errorf("the credential does not work: %d", a.StatusCode)
		}
	})

	t.Run("A9 nobody approves in a team that is not theirs", func(t *testing.T) {
		d := s.startDevice("laptop of eve")
		for _, team := range []string{adaUser.TeamID, "00000000-0000-4000-8000-000000000000", "acme", "' OR 1=1 --"} {
			if a := eve.post("/device", form("code", d.UserCode, "decision", "approve", "team_id", team)); a.StatusCode < 400 {
				t.Errorf("in %q: %d", team, a.StatusCode)
			}
		}
		if title := s.poll(d.DeviceCode).title(t); title != "authorization_pending" {
			t.Errorf("it was approved all the same: %s", title)
		}
	})

	t.Run("A9 who denies ends that login alone", func(t *testing.T) {
		one, two := s.startDevice("one"), s.startDevice("two")
		if a := ada.post("/device/deny", form("code", one.UserCode)); a.StatusCode != http.StatusOK {
			t.Fatalf("deny: %d", a.StatusCode)
		}
		if title := s.poll(one.DeviceCode).title(t); title != "access_denied" {
			t.Errorf("the denied one: %s", title)
		}
		if title := s.poll(two.DeviceCode).title(t); title != "authorization_pending" {
			t.Errorf("the other one: %s", title)
		}
	})
}

// cookie is the browser's session cookie, as a header has it.
func (v *visitor) cookie() string {
	v.t.Helper()
	u, err := url.Parse(v.URL)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == "infsh_session" {
			return c.Name + "=" + c.Value
		}
	}
	v.t.Fatal("the browser has no session")
	return ""
}

// from sends the browser's requests from another address of this machine.
func (v *visitor) from(t *testing.T, address string) *visitor {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	v.client.Transport = transport
	return v
}

// signedOut fails unless the browser, with the given cookie if any, is sent to
// the login page, with and without HTMX.
func signedOut(t *testing.T, v *visitor, cookie string, paths ...string) {
	t.Helper()
	for _, path := range append(paths, "/settings/secrets") {
		for _, htmx := range []string{"", "true"} {
			header := []string{"HX-Request", htmx}
			if cookie != "" {
				header = append(header, "Cookie", cookie)
			}
			a := v.get(path, header...)
			to := a.Header.Get("Location") + a.Header.Get("HX-Redirect")
			if !strings.HasPrefix(to, "/login") || strings.Contains(a.Body, "<form") {
				t.Errorf("%s, HX-Request %q: %d to %q, want to the login page: %.200s", path, htmx, a.StatusCode, to, a.Body)
			}
		}
	}
}

// createUserWith makes an account with a password of one's own.
func (s *server) createUserWith(email, team, password string) {
	s.t.Helper()
	cmd := exec.Command(infsh, append([]string{"admin", "create-user", "--email", email, "--team", team, "--password-stdin"}, s.flags...)...)
	cmd.Env = cleanEnv()
	cmd.Stdin = strings.NewReader(password + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("create-user: %v\n%s", err, &stderr)
	}
}

type deviceStart struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"`
}

func (s *server) startDevice(client string) (d deviceStart) {
	s.t.Helper()
	s.call("", "POST", "/api/device/code", map[string]any{"client_name": client}).json(s.t, &d)
	return d
}

func (s *server) poll(deviceCode string) answer {
	s.t.Helper()
	return s.call("", "POST", "/api/device/token", map[string]any{"device_code": deviceCode})
}

// cliToken logs a command line in, which the browser's person approves.
func (s *server) cliToken(v *visitor) string {
	s.t.Helper()
	d := s.startDevice("a laptop")
	if a := v.post("/device", form("code", d.UserCode, "decision", "approve")); a.StatusCode != http.StatusOK {
		s.t.Fatalf("approve: %d %.300s", a.StatusCode, a.Body)
	}
	var got struct {
		APIKey string `json:"api_key"`
	}
	s.poll(d.DeviceCode).json(s.t, &got)
	if got.APIKey == "" {
		s.t.Fatal("the device got no credential")
	}
	return got.APIKey
}

// title is the code of a problem document.
func (a answer) title(t testing.TB) string {
	t.Helper()
	var p struct {
		Title  string
		Status int
	}
	a.json(t, &p)
	if p.Status != a.StatusCode || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the answer %d is no problem document: %s %.300s", a.StatusCode, a.Header.Get("Content-Type"), a.Body)
	}
	return p.Title
}
