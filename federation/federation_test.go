package federation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"infsh/account"
	"infsh/app"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/federation"
	"infsh/federation/issuertest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

const site = "https://infsh.example"

// world is a team with two apps, and an issuer that it may trust.
type world struct {
	t       *testing.T
	d       *dbtest.Database
	kek     *envelope.KEK
	row     dbtest.TeamRow
	owner   team.Actor
	apps    *app.Service
	trusts  *federation.Service
	authn   *auth.Authenticator
	secrets *secret.Service
	keys    *auth.Keys
	issuer  *issuertest.Issuer

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, d *dbtest.Database) *world {
	t.Helper()
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, d: d, kek: kek, now: time.Now().UTC().Truncate(time.Second), issuer: issuertest.New(t)}
	w.issuer.Clock(w.clock)
	w.row = dbtest.Team(t, d, kek, "acme")
	w.owner = dbtest.Actor(t, d, w.row, "ada@example.com", team.Owner)
	w.apps, w.secrets, w.keys = app.NewService(d.Apps()), secret.NewService(d.Secrets(), kek), auth.NewKeys(d.Auth())
	w.trusts = federation.NewService(d.Trusts(), public, federation.Guard{AllowPrivate: true})
	w.trusts.SetClock(w.clock)
	sessions := auth.NewSessions(d.Auth(), auth.NewPasswords(), kek, public)
	w.authn = auth.NewAuthenticator(d.Auth(), sessions, nil)
	w.deploy(w.owner, "app")
	w.deploy(w.owner, "other")
	return w
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) { test(t, newWorld(t, d)) })
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) deploy(actor team.Actor, name string) string {
	w.t.Helper()
	made, err := w.apps.Deploy(w.t.Context(), actor, app.Registration{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.App.ID
}

// draft trusts the repository acme/app for the app.
func (w *world) draft() federation.Draft {
	return federation.Draft{Name: "deploy", Preset: "github", Issuer: w.issuer.URL, Fields: federation.Fields{Repository: "acme/app"}, Apps: []string{"app"}}
}

func (w *world) trust(d federation.Draft) federation.Trust {
	w.t.Helper()
	made, err := w.trusts.Create(w.t.Context(), w.owner, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func (w *world) good(with map[string]any) map[string]any {
	claims := map[string]any{"aud": site, "sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app"}
	for name, v := range with {
		claims[name] = v
	}
	return claims
}

func (w *world) exchange(token, app string) (federation.Issued, error) {
	return w.trusts.Exchange(w.t.Context(), federation.Request{Token: redact.NewValue(token), App: app, RunID: "run-7"}, account.Origin{RemoteAddr: "192.0.2.7"})
}

func (w *world) mustExchange(with map[string]any) string {
	w.t.Helper()
	got, err := w.exchange(w.issuer.Token(w.good(with)), "acme/app")
	if err != nil {
		w.t.Fatal(err, w.reasons())
	}
	return got.Credential.Reveal()
}

// actor is who presents a credential.
func (w *world) actor(credential string) (team.Actor, error) {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/internal/v1/resolve", nil)
	r.Header.Set("Authorization", "Bearer "+credential)
	return w.authn.Bearer(r)
}

func (w *world) run(credential, app string) error {
	actor, err := w.actor(credential)
	if err != nil {
		return err
	}
	_, err = w.secrets.Resolve(w.t.Context(), actor, secret.Run{App: app})
	return err
}

// reasons are those of the exchanges in the log, the latest first.
func (w *world) reasons() []string {
	w.t.Helper()
	var out []string
	if err := w.d.Raw.SelectContext(w.t.Context(), &out, "SELECT outcome || ': ' || reason FROM audit_entries WHERE action = 'runner.exchange' ORDER BY seq DESC"); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func wantCode(t *testing.T, err error, code problem.Code) {
	t.Helper()
	if problem.CodeOf(err) != code || err == nil {
		t.Fatalf("error is %v, want %s", err, code)
	}
}

// A token that fulfils the conditions becomes a credential that runs the one app,
// for a quarter of an hour, and is in no list.
func TestExchange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.trust(w.draft())
		credential := w.mustExchange(nil)
		if err := w.run(credential, "acme/app"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.run(credential, "acme/other"), problem.ScopeRequired)
		wantCode(t, w.run(credential, "acme/none"), problem.ScopeRequired)
		actor, err := w.actor(credential)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.secrets.Set(t.Context(), actor, secret.Create, secret.Write{Key: "STOLEN"})
		wantCode(t, err, problem.TeamRoleRequired)
		_, err = w.apps.Deploy(t.Context(), actor, app.Registration{Name: "mine"})
		wantCode(t, err, problem.ScopeRequired)
		_, err = w.trusts.List(t.Context(), actor)
		wantCode(t, err, problem.TeamRoleRequired)
		if all, err := w.keys.List(t.Context(), w.owner); err != nil || len(all) != 0 {
			t.Errorf("the keys are %v, %v", all, err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'app.resolve' AND outcome = 'allowed' AND actor_kind = 'runner' AND actor_name = 'deploy (trusted runner)' AND actor_id = ? AND credential_id = ?", made.ID, actor.CredentialID()); n != 1 {
			t.Errorf("%d entries of the run name the trust", n)
		}
		if got := w.reasons(); len(got) != 1 || got[0] != "allowed: trust deploy, issuer "+w.issuer.URL+", subject repo:acme/app:ref:refs/heads/main" {
			t.Errorf("the log says %q", got)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'runner.exchange' AND run_id = 'run-7' AND target = 'acme/app' AND remote_addr = '192.0.2.7'"); n != 1 {
			t.Errorf("%d entries of the exchange", n)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM runner_credentials WHERE token_hash = ?", []byte(credential)); n != 0 {
			t.Error("the credential is stored as it is")
		}
		if n := dbtest.Count(t, w.d, "SELECT (expires_at - created_at) / 60000000 FROM runner_credentials"); n != 15 {
			t.Errorf("the credential lasts for %d minutes", n)
		}
		w.end("runner_credentials")
		wantCode(t, w.run(credential, "acme/app"), problem.NotSignedIn)
		found, err := w.trusts.Get(t.Context(), w.owner, made.ID)
		if err != nil || found.LastSubject != "repo:acme/app:ref:refs/heads/main" || found.LastUsedAt.IsZero() || len(found.Apps) != 1 || found.Apps[0].Name != "acme/app" {
			t.Errorf("the trust is %+v, %v", found, err)
		}
	})
}

// Whatever is wrong with a token, a stranger is told one thing, and the team the
// reason.
func TestRefusedTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.draft()
		d.Fields.Branch = "main"
		d.Conditions = []federation.Condition{
			{Claim: "sub", Type: federation.String, Values: []string{"repo:acme/*"}}, {Claim: "run_attempt", Type: federation.Number, Values: []string{"1"}},
			{Claim: "protected", Type: federation.Boolean, Values: []string{"true"}}, {Claim: "/runner/pool", Type: federation.String, Values: []string{"prod"}},
		}
		w.trust(d)
		right := map[string]any{"ref": "refs/heads/main", "run_attempt": 1, "protected": true, "runner": map[string]any{"pool": "prod"}}
		with := func(changes map[string]any) string {
			claims := w.good(right)
			for name, v := range changes {
				claims[name] = v
			}
			return w.issuer.Token(claims)
		}
		refused := func(name, token, reason string) {
			t.Helper()
			before := len(w.reasons())
			_, err := w.exchange(token, "acme/app")
			wantCode(t, err, problem.AccessDenied)
			if strings.Contains(err.Error(), "condition repository") || strings.Contains(err.Error(), "deploy") {
				t.Errorf("%s: the answer tells why: %v", name, err)
			}
			if got := w.reasons(); len(got) != before+1 || !strings.Contains(got[0], reason) || !strings.HasPrefix(got[0], "denied: trust deploy: ") {
				t.Errorf("%s: the log says %q, want %q", name, got[:min(1, len(got))], reason)
			}
		}
		for name, c := range map[string]struct {
			changes map[string]any
			reason  string
		}{
			"another audience":         {map[string]any{"aud": "https://other.example"}, "the claim aud is not https://infsh.example alone"},
			"a slash more":             {map[string]any{"aud": site + "/"}, "aud"},
			"several audiences":        {map[string]any{"aud": []string{site, "https://other.example"}}, "aud"},
			"the same audience twice":  {map[string]any{"aud": []string{site, site}}, "aud"},
			"no audience":              {map[string]any{"aud": nil}, "aud"},
			"another owner":            {map[string]any{"repository": "acme-evil/app"}, "the claim repository is not acme/app"},
			"a name that goes on":      {map[string]any{"repository": "acme/app-evil"}, "repository"},
			"another case":             {map[string]any{"repository": "Acme/app"}, "repository"},
			"a space":                  {map[string]any{"repository": "acme/app "}, "repository"},
			"a look-alike letter":      {map[string]any{"repository": "аcme/app"}, "repository"},
			"a list of the value":      {map[string]any{"repository": []string{"acme/app"}}, "repository"},
			"no repository":            {map[string]any{"repository": nil}, "repository"},
			"a prefix of the owner":    {map[string]any{"sub": "repo:acme-evil/app:ref:refs/heads/main"}, "the claim sub is not repo:acme/*"},
			"nothing after the prefix": {map[string]any{"sub": "repo:acme/"}, "sub"},
			"a branch that goes on":    {map[string]any{"ref": "refs/heads/main2"}, "ref"},
			"a text for a number":      {map[string]any{"run_attempt": "1"}, "run_attempt"},
			"a number of another form": {map[string]any{"run_attempt": json.RawMessage("1.0")}, "run_attempt"},
			"a text for a boolean":     {map[string]any{"protected": "true"}, "protected"},
			"a name with the pointer":  {map[string]any{"runner": nil, "/runner/pool": "prod"}, "/runner/pool"},
			"a text for an object":     {map[string]any{"runner": "pool"}, "/runner/pool"},
		} {
			refused(name, with(c.changes), c.reason)
			dbtest.Exec(t, w.d, "DELETE FROM throttles")
		}

		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		claims := w.issuer.Claims(w.good(right))
		signature := "the signature is by no key that the issuer has now"
		refused("a stranger's key", w.issuer.Sign(jose.JSONWebKey{Key: stranger, KeyID: "rsa-0", Algorithm: "RS256"}, claims), signature)
		refused("a key of no name", w.issuer.Sign(jose.JSONWebKey{Key: stranger, Algorithm: "RS256"}, claims), signature)
		ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		refused("a key of another type", w.issuer.Sign(jose.JSONWebKey{Key: ec, KeyID: "rsa-0", Algorithm: "ES256"}, claims), signature)
		refused("the key's padding of another algorithm", w.issuer.Sign(jose.JSONWebKey{Key: w.issuer.Key().Key, KeyID: "rsa-0", Algorithm: "PS256"}, claims), signature)
		embedding, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true})
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := embedding.Sign(body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		refused("a key of the token's own", text, signature)
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM runner_credentials"); n != 0 {
			t.Errorf("%d credentials were made", n)
		}
		// The same, but right.
		if _, err := w.exchange(with(nil), "acme/app"); err != nil {
			t.Fatal(err, w.reasons()[0])
		}
	})
}

// What no team could accept is refused before anything is looked up, and leaves
// nothing in a log: algorithms without a key pair, times, forms.
func TestAlgorithmConfusionTimesAndForms(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	w.trust(w.draft())
	signing := w.issuer.Key()
	public, err := x509.MarshalPKIXPublicKey(signing.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	claims := w.issuer.Claims(w.good(nil))
	header := func(with map[string]any) map[string]any {
		h := map[string]any{"alg": "RS256", "kid": "rsa-0"}
		for name, v := range with {
			h[name] = v
		}
		return h
	}
	hmac := func(key []byte) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: key, KeyID: "rsa-0"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := w.issuer.Token(w.good(nil))
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	now := w.clock()
	times := func(with map[string]any) string { return w.issuer.Token(w.good(with)) }
	for name, token := range map[string]string{
		"none":                                part(header(map[string]any{"alg": "none"})) + "." + part(claims) + ".",
		"None":                                part(header(map[string]any{"alg": "None"})) + "." + part(claims) + ".",
		"no algorithm":                        part(map[string]any{"kid": "rsa-0"}) + "." + part(claims) + "." + sig,
		"HMAC with the public key in PEM":     hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"HMAC with the public key in DER":     hmac(public),
		"HMAC with the published set":         hmac(w.issuer.Keys()),
		"crit":                                part(header(map[string]any{"crit": []string{"b64"}, "b64": false})) + "." + part(claims) + "." + sig,
		"an algorithm twice":                  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","alg":"none","kid":"rsa-0"}`)) + "." + body + "." + sig,
		"a claim twice":                       head + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"repository":"acme/app","repository":"x"}`)) + "." + sig,
		"four parts":                          good + ".x",
		"JSON serialization":                  `{"payload":"` + body + `","protected":"` + head + `","signature":"` + sig + `"}`,
		"padding":                             head + "=." + body + "." + sig,
		"a line break":                        head + "." + body + "\n." + sig,
		"a line break in the header":          head[:8] + "\r\n" + head[8:] + "." + body + "." + sig,
		"bits that nobody reads":              head + "." + body + "." + sig[:len(sig)-1] + "_",
		"nothing":                             "",
		"too long":                            head + "." + strings.Repeat("A", 9000) + "." + sig,
		"expired":                             times(map[string]any{"exp": now.Add(-31 * time.Second).Unix(), "iat": now.Add(-time.Hour).Unix()}),
		"no end":                              times(map[string]any{"exp": nil}),
		"an end that is a text":               times(map[string]any{"exp": fmt.Sprint(now.Add(time.Minute).Unix())}),
		"not yet":                             times(map[string]any{"nbf": now.Add(31 * time.Second).Unix()}),
		"issued in the future":                times(map[string]any{"iat": now.Add(31 * time.Second).Unix()}),
		"for more than a day":                 times(map[string]any{"exp": now.Add(25 * time.Hour).Unix()}),
		"for more than a day, issued earlier": times(map[string]any{"exp": now.Add(time.Hour).Unix(), "iat": now.Add(-24 * time.Hour).Unix()}),
		"no issuer":                           times(map[string]any{"iss": nil}),
		"an issuer with a NUL":                times(map[string]any{"iss": w.issuer.URL + "\x00"}),
		"an issuer without an end":            times(map[string]any{"iss": "https://" + strings.Repeat("a", 600)}),
	} {
		_, err := w.exchange(token, "acme/app")
		if problem.CodeOf(err) != problem.InvalidField {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && len(token) > 20 && strings.Contains(err.Error(), token[:20]) {
			t.Errorf("%s: the error repeats the token", name)
		}
	}
	if got := w.reasons(); len(got) != 0 {
		t.Errorf("the log says %q", got)
	}
	// An issuer that differs by a letter is another one.
	for _, iss := range []string{w.issuer.URL + "/", strings.ToUpper(w.issuer.URL), w.issuer.URL + "/x"} {
		_, err := w.exchange(times(map[string]any{"iss": iss}), "acme/app")
		wantCode(t, err, problem.AccessDenied)
	}
	if asked := w.issuer.Asked(); asked != 0 {
		t.Errorf("the issuer was asked %d times for tokens that nobody trusts", asked)
	}
	// Clocks differ by a little.
	w.mustExchange(map[string]any{"exp": now.Add(-29 * time.Second).Unix(), "iat": now.Add(-time.Minute).Unix()})
}

// A token counts once, on all instances and in every way to write it, unless the
// trust says otherwise.
func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.trust(w.draft())
		w.issuer.Rotate() // to an elliptic curve
		token := w.issuer.Token(w.good(nil))
		again := federation.NewService(w.d.Again(t).Trusts(), &url.URL{Scheme: "https", Host: "infsh.example"}, federation.Guard{AllowPrivate: true})
		again.SetClock(w.clock)
		var wg sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wg.Go(func() {
				service := w.trusts
				if i%2 == 1 {
					service = again
				}
				_, results[i] = service.Exchange(t.Context(), federation.Request{Token: redact.NewValue(token), App: "acme/app"}, account.Origin{})
			})
		}
		wg.Wait()
		first := 0
		for _, err := range results {
			if err == nil {
				first++
			} else if problem.CodeOf(err) != problem.AccessDenied {
				t.Error(err)
			}
		}
		if first != 1 {
			t.Errorf("%d of eight at once were the first", first)
		}
		if got := w.reasons(); !strings.Contains(strings.Join(got, "\n"), "the token was used already") {
			t.Errorf("the log says %q", got)
		}
		// A file's last line break makes no other token of it.
		if _, err := w.exchange(token+"\n", "acme/app"); problem.CodeOf(err) != problem.AccessDenied {
			t.Errorf("once more, as from a file: %v", err)
		}
		if _, err := w.exchange(w.issuer.Token(w.good(nil))+"\r\n", "acme/app"); err != nil {
			t.Errorf("a token from a file: %v", err)
		}
		// A signature (r, s) is as good as (r, -s).
		cut := strings.LastIndex(token, ".")
		sig, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
		s.FillBytes(sig[32:])
		_, err = w.exchange(token[:cut+1]+base64.RawURLEncoding.EncodeToString(sig), "acme/app")
		wantCode(t, err, problem.AccessDenied)

		d := w.draft()
		yes := true
		d.Reuse = &yes
		if _, err := w.trusts.Update(t.Context(), w.owner, made.ID, d); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.exchange(token, "acme/app"); err != nil {
				t.Fatal(err)
			}
		}
		w.pass(6 * time.Minute)
		_, err = w.exchange(token, "acme/app")
		wantCode(t, err, problem.InvalidField)
		for _, table := range []string{"used_tokens", "runner_credentials"} {
			if err := w.sweep(); err != nil || dbtest.Count(t, w.d, "SELECT count(*) FROM "+table) == 0 {
				t.Errorf("%s lost what has not ended, %v", table, err)
			}
			w.end(table)
			if err := w.sweep(); err != nil || dbtest.Count(t, w.d, "SELECT count(*) FROM "+table) != 0 {
				t.Errorf("%s keeps what has ended, %v", table, err)
			}
		}
	})
}

// end makes what is in a table end now.
func (w *world) end(table string) {
	w.t.Helper()
	dbtest.Exec(w.t, w.d, "UPDATE "+table+" SET expires_at = ?", time.Now().UnixMicro())
}

func (w *world) sweep() error {
	sessions := auth.NewSessions(w.d.Auth(), auth.NewPasswords(), w.kek, &url.URL{Scheme: "https", Host: "infsh.example"})
	return sessions.Sweep(w.t.Context())
}

// A new key counts at once, and one that was withdrawn no longer than five minutes.
func TestRotatedKeys(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	w.trust(w.draft())
	old := w.issuer.Key()
	w.mustExchange(nil)
	w.pass(11 * time.Second)
	w.issuer.Rotate()
	w.mustExchange(nil)
	if asked := w.issuer.Asked(); asked != 2 {
		t.Errorf("the issuer was asked %d times", asked)
	}
	w.issuer.Withdraw()
	sign := func() string { return w.issuer.Sign(old, w.issuer.Claims(w.good(nil))) }
	w.pass(4 * time.Minute)
	if _, err := w.exchange(sign(), "acme/app"); err != nil {
		t.Fatal(err) // It is in memory still.
	}
	w.pass(time.Minute)
	_, err := w.exchange(sign(), "acme/app")
	wantCode(t, err, problem.AccessDenied)
	// Invented keys don't become requests.
	before := w.issuer.Asked()
	for i := range 20 {
		k := old
		k.KeyID = fmt.Sprint("invented-", i)
		_, err := w.exchange(w.issuer.Sign(k, w.issuer.Claims(w.good(nil))), "acme/app")
		wantCode(t, err, problem.AccessDenied)
	}
	if asked := w.issuer.Asked() - before; asked > 1 {
		t.Errorf("the issuer was asked %d times for invented keys", asked)
	}
}

// An issuer that can't be asked gives nobody a credential, and is not asked for
// each token.
func TestUnreachableIssuer(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	w.trust(w.draft())
	for name, c := range map[string]struct {
		break_ func()
		mend   func()
		reason string
	}{
		"failing":                  {func() { w.issuer.Fail(503) }, func() { w.issuer.Fail(0) }, "it answered 503"},
		"another's document":       {func() { w.issuer.Say("issuer", "https://evil.example") }, func() { w.issuer.Say("issuer", w.issuer.URL) }, "another issuer's"},
		"keys that lead elsewhere": {func() { w.issuer.Say("jwks_uri", w.issuer.URL+"/elsewhere") }, func() { w.issuer.Say("jwks_uri", w.issuer.URL+"/jwks") }, "it answered 302"},
		"keys over plain http":     {func() { w.issuer.Say("jwks_uri", "http://keys.example/jwks") }, func() { w.issuer.Say("jwks_uri", w.issuer.URL+"/jwks") }, "https"},
		"keys at a file":           {func() { w.issuer.Say("jwks_uri", "file:///etc/passwd") }, func() { w.issuer.Say("jwks_uri", w.issuer.URL+"/jwks") }, "it must be"},
	} {
		c.break_()
		w.pass(6 * time.Minute)
		before := w.issuer.Asked()
		for range 3 {
			_, err := w.exchange(w.issuer.Token(w.good(nil)), "acme/app")
			wantCode(t, err, problem.Unavailable)
		}
		if asked := w.issuer.Asked() - before; asked != 1 {
			t.Errorf("%s: asked %d times", name, asked)
		}
		if got := w.reasons()[0]; !strings.Contains(got, "the issuer's keys can't be had") || !strings.Contains(got, c.reason) {
			t.Errorf("%s: the log says %q", name, got)
		}
		c.mend()
		w.pass(11 * time.Second)
		w.mustExchange(nil)
	}
	// Who was given the keys need not ask.
	w.issuer.Fail(503)
	w.pass(6 * time.Minute)
	d := w.draft()
	d.Name, d.JWKS = "given", string(w.issuer.Keys())
	w.trust(d)
	w.mustExchange(nil)
}

// The server asks no address of its own network for a team.
func TestPrivateAddressesAreNotAsked(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	strict := federation.NewService(w.d.Trusts(), &url.URL{Scheme: "https", Host: "infsh.example"}, federation.Guard{})
	strict.SetClock(w.clock)
	for _, issuer := range []string{
		"http://issuer.example", "https://127.0.0.1", "https://[::1]:8443", "https://169.254.169.254/latest", "https://10.0.0.1", "https://localhost", "https://a.localhost/",
		"https://user:pw@issuer.example", "https://issuer.example?x=1", "https://issuer.example/#a", "ftp://issuer.example", "https://", "issuer.example", "https://[::ffff:127.0.0.1]",
	} {
		d := w.draft()
		d.Issuer = issuer
		_, err := strict.Create(t.Context(), w.owner, d)
		wantCode(t, err, problem.InvalidField)
	}
	// A name may lead to such an address only later: here the trust is older.
	w.trust(w.draft())
	_, err := strict.Exchange(t.Context(), federation.Request{Token: redact.NewValue(w.issuer.Token(w.good(nil))), App: "acme/app"}, account.Origin{})
	wantCode(t, err, problem.Unavailable)
	if asked := w.issuer.Asked(); asked != 0 {
		t.Errorf("it was asked %d times", asked)
	}
	if got := w.reasons(); len(got) != 1 || !strings.Contains(got[0], "private") {
		t.Errorf("the log says %q", got)
	}
}

// What is taken from a trust, and a trust or an app that is gone, ends credentials
// at the next request.
func TestRevocationEndsCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.trust(w.draft())
		credential := w.mustExchange(nil)
		if _, err := w.trusts.Update(t.Context(), w.owner, made.ID, w.draft()); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.run(credential, "acme/app"), problem.NotSignedIn)
		credential = w.mustExchange(nil)
		if err := w.trusts.Delete(t.Context(), w.owner, made.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.run(credential, "acme/app"), problem.NotSignedIn)
		_, err := w.exchange(w.issuer.Token(w.good(nil)), "acme/app")
		wantCode(t, err, problem.AccessDenied)

		w.trust(w.draft())
		credential = w.mustExchange(nil)
		dbtest.Exec(t, w.d, "DELETE FROM apps WHERE name = 'app'")
		wantCode(t, w.run(credential, "acme/app"), problem.NotSignedIn)
		w.deploy(w.owner, "app")
		wantCode(t, w.run(credential, "acme/app"), problem.NotSignedIn)
		// The app that came in its place is another one.
		_, err = w.exchange(w.issuer.Token(w.good(nil)), "acme/app")
		wantCode(t, err, problem.AccessDenied)
		for action, want := range map[string]int{"trust.create": 2, "trust.update": 1, "trust.delete": 1} {
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND outcome = 'allowed' AND target = 'deploy'", action); n != want {
				t.Errorf("%d entries of %s, want %d", n, action, want)
			}
		}
	})
}

// What one team trusts is nothing to another, and a stranger can't tell which
// teams, apps and trusts there are.
func TestTeamsAreApart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.trust(w.draft())
		row := dbtest.Team(t, w.d, w.kek, "mallory")
		mallory := dbtest.Actor(t, w.d, row, "mallory@example.com", team.Owner)
		// The same name in a team of one's own.
		if _, err := w.apps.Deploy(t.Context(), mallory, app.Registration{Namespace: "acme", Name: "app"}); err != nil {
			t.Fatal(err)
		}
		_, err := w.trusts.Get(t.Context(), mallory, made.ID)
		wantCode(t, err, problem.NotFound)
		wantCode(t, w.trusts.Delete(t.Context(), mallory, made.ID), problem.NotFound)
		_, err = w.trusts.Update(t.Context(), mallory, made.ID, w.draft())
		wantCode(t, err, problem.NotFound)
		d := w.draft()
		d.Fields.Repository, d.Apps = "mallory/app", []string{"acme/app"}
		if _, err := w.trusts.Create(t.Context(), mallory, d); err != nil {
			t.Fatal(err)
		}
		ask := func(with map[string]any, teamName, app string) error {
			_, err := w.trusts.Exchange(t.Context(), federation.Request{Token: redact.NewValue(w.issuer.Token(w.good(with))), App: app, Team: teamName}, account.Origin{})
			return err
		}
		theirs := map[string]any{"repository": "mallory/app"}
		var answers []string
		for _, err := range []error{
			ask(theirs, "", "acme/app"), ask(theirs, "acme", "acme/app"), ask(nil, "mallory", "acme/app"), ask(theirs, "", "acme/other"), ask(theirs, "", "acme/none"),
			ask(theirs, "umbrella", "acme/app"), ask(theirs, "", "umbrella/app"),
		} {
			wantCode(t, err, problem.AccessDenied)
			answers = append(answers, err.Error())
		}
		for _, a := range answers {
			if a != answers[0] {
				t.Errorf("strangers are told different things: %q and %q", answers[0], a)
			}
		}
		if err := ask(theirs, "mallory", "acme/app"); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM runner_credentials WHERE team_id = ?", w.row.ID); n != 0 {
			t.Errorf("%d credentials of acme were made", n)
		}
		// A credential names no other team.
		credential := w.mustExchange(nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/internal/v1/resolve", nil)
		r.Header.Set("Authorization", "Bearer "+credential)
		r.Header.Set(auth.TeamHeader, "mallory")
		_, err = w.authn.Bearer(r)
		wantCode(t, err, problem.WrongTeam)
	})
}

// Who knows the name of an app can't fill its team's log.
func TestRefusalsInTheLogAreBounded(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	w.trust(w.draft())
	for range 35 {
		_, err := w.exchange(w.issuer.Token(w.good(map[string]any{"repository": "x/y"})), "acme/app")
		wantCode(t, err, problem.AccessDenied)
	}
	got := w.reasons()
	if len(got) != 30 || !strings.Contains(got[0], "not recorded") {
		t.Errorf("%d entries, the last %q", len(got), got[0])
	}
	w.pass(10 * time.Minute)
	_, err := w.exchange(w.issuer.Token(w.good(map[string]any{"repository": "x/y", "sub": "repo:x/y\x1b[31m\n" + strings.Repeat("é", 400)})), "acme/app")
	wantCode(t, err, problem.AccessDenied)
	if got := w.reasons(); len(got) != 31 {
		t.Errorf("%d entries after ten minutes", len(got))
	}
	w.mustExchange(map[string]any{"sub": "repo:acme/app\x1b[31m\n" + strings.Repeat("é", 400)})
	if got := w.reasons()[0]; strings.ContainsAny(got, "\x1b\n") || len(got) > 600 {
		t.Errorf("the log says %q", got)
	}
}

// A trust that would admit strangers, or that makes no sense, is not made.
func TestTrustsThatAreRefused(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	privateKey, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{w.issuer.Key()}})
	if err != nil {
		t.Fatal(err)
	}
	condition := func(claim string, values ...string) []federation.Condition {
		return []federation.Condition{{Claim: claim, Type: federation.String, Values: values}}
	}
	for name, change := range map[string]func(*federation.Draft){
		"no name":                  func(d *federation.Draft) { d.Name = " " },
		"a name of two lines":      func(d *federation.Draft) { d.Name = "a\nb" },
		"an unknown preset":        func(d *federation.Draft) { d.Preset = "jenkins" },
		"no repository":            func(d *federation.Draft) { d.Fields.Repository = "" },
		"a repository's address":   func(d *federation.Draft) { d.Fields.Repository = "https://github.com/acme/app" },
		"a repository's last name": func(d *federation.Draft) { d.Fields.Repository = "app" },
		"a project's address": func(d *federation.Draft) {
			d.Preset, d.Fields = "gitlab", federation.Fields{Project: "https://gitlab.com/acme/app"}
		},
		"a group":                  func(d *federation.Draft) { d.Preset, d.Fields = "gitlab", federation.Fields{Project: "acme"} },
		"no apps":                  func(d *federation.Draft) { d.Apps = nil },
		"an app that is not there": func(d *federation.Draft) { d.Apps = []string{"none"} },
		"no condition":             func(d *federation.Draft) { d.Preset, d.Fields = "other", federation.Fields{} },
		"GitHub without an owner": func(d *federation.Draft) {
			d.Preset, d.Issuer, d.Conditions = "other", "https://token.actions.githubusercontent.com", condition("ref", "refs/heads/main")
		},
		"GitHub with a star for the owner": func(d *federation.Draft) {
			d.Preset, d.Issuer, d.Conditions = "other", "https://token.actions.githubusercontent.com", condition("sub", "repo:*")
		},
		"an owner or anybody": func(d *federation.Draft) {
			d.Preset, d.Issuer, d.Conditions = "other", "https://token.actions.githubusercontent.com", condition("sub", "repo:acme/*", "repo:*")
		},
		"GitHub in capitals": func(d *federation.Draft) {
			d.Preset, d.Issuer, d.Conditions = "other", "https://TOKEN.actions.githubusercontent.com", condition("ref", "refs/heads/main")
		},
		"gitlab.com without an owner": func(d *federation.Draft) {
			d.Preset, d.Issuer, d.Conditions = "other", "https://gitlab.com", condition("ref_protected", "true")
		},
		"a star for a part of a name": func(d *federation.Draft) { d.Conditions = condition("sub", "repo:acme*") },
		"a star in the middle":        func(d *federation.Draft) { d.Conditions = condition("sub", "repo:*/app") },
		"a star alone":                func(d *federation.Draft) { d.Conditions = condition("sub", "*") },
		"a separator and a star":      func(d *federation.Draft) { d.Conditions = condition("sub", "/*") },
		"no value":                    func(d *federation.Draft) { d.Conditions = condition("sub") },
		"a value with a space":        func(d *federation.Draft) { d.Conditions = condition("sub", "x ") },
		"a bad pointer":               func(d *federation.Draft) { d.Conditions = condition("/a/~2", "x") },
		"a pointer to nothing":        func(d *federation.Draft) { d.Conditions = condition("/", "x") },
		"a number that is none": func(d *federation.Draft) {
			d.Conditions = []federation.Condition{{Claim: "n", Type: federation.Number, Values: []string{"1.0"}}}
		},
		"keys that are none":       func(d *federation.Draft) { d.JWKS = "{}" },
		"private keys":             func(d *federation.Draft) { d.JWKS = string(privateKey) },
		"a symmetric key":          func(d *federation.Draft) { d.JWKS = `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}` },
		"an audience of two lines": func(d *federation.Draft) { d.Audience = "a\nb" },
	} {
		d := w.draft()
		change(&d)
		if _, err := w.trusts.Create(t.Context(), w.owner, d); problem.CodeOf(err) != problem.InvalidField {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error repeats a key", name)
		}
	}
	w.trust(w.draft())
	_, err = w.trusts.Create(t.Context(), w.owner, w.draft())
	wantCode(t, err, problem.Conflict)
	member := dbtest.Actor(t, w.d, w.row, "mia@example.com", team.Member)
	_, err = w.trusts.Create(t.Context(), member, w.draft())
	wantCode(t, err, problem.TeamRoleRequired)
	_, err = w.trusts.List(t.Context(), member)
	wantCode(t, err, problem.TeamRoleRequired)
	// An API key gives nothing that it has not, and nothing for longer.
	for name, key := range map[string]auth.NewKey{
		"no apps": {Name: "a", Scopes: &[]string{"apikeys:write"}}, "an end": {Name: "b", ExpiresAt: time.Now().Add(time.Hour)},
		"the team's own": {Name: "c", ServiceRole: "admin"},
	} {
		_, token, err := w.keys.Create(t.Context(), w.owner, key)
		if err != nil {
			t.Fatal(err)
		}
		actor, err := w.actor(token.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		d := w.draft()
		d.Name = name
		_, err = w.trusts.Create(t.Context(), actor, d)
		wantCode(t, err, problem.ScopeRequired)
	}
}

// The presets make conditions of what a person knows, for keys that were given,
// without asking an issuer that is not there.
func TestPresetsAndGivenKeys(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	cluster := "https://kubernetes.default.svc.cluster.local"
	w.trust(federation.Draft{
		Name: "cluster", Preset: "kubernetes", Issuer: cluster, JWKS: string(w.issuer.Keys()), Audience: "infsh", Apps: []string{"app"},
		Fields: federation.Fields{Namespace: "prod", ServiceAccount: "summarizer"},
	})
	claims := func(account string) map[string]any {
		return w.issuer.Claims(map[string]any{"iss": cluster, "aud": []string{"infsh"}, "sub": "system:serviceaccount:prod:" + account, "kubernetes.io": map[string]any{"namespace": "prod", "serviceaccount": map[string]any{"name": account}}})
	}
	token := w.issuer.Sign(w.issuer.Key(), claims("summarizer"))
	for range 2 { // A container that starts again has the same one.
		if _, err := w.exchange(token, "acme/app"); err != nil {
			t.Fatal(err, w.reasons())
		}
	}
	_, err := w.exchange(w.issuer.Sign(w.issuer.Key(), claims("other")), "acme/app")
	wantCode(t, err, problem.AccessDenied)
	if got := w.reasons()[0]; !strings.Contains(got, "/kubernetes.io/serviceaccount/name is not summarizer") {
		t.Errorf("the log says %q", got)
	}
	if asked := w.issuer.Asked(); asked != 0 {
		t.Errorf("the issuer was asked %d times", asked)
	}
	made := w.trust(federation.Draft{Name: "lab", Preset: "gitlab", Apps: []string{"app", "acme/app", "other"}, Fields: federation.Fields{Project: "acme/app", Ref: "main", Protected: true}})
	got, err := json.Marshal(made.Conditions)
	if want := `[{"claim":"project_path","type":"string","values":["acme/app"]},{"claim":"ref_path","type":"string","values":["refs/heads/main"]},{"claim":"ref_protected","type":"string","values":["true"]}]`; err != nil || string(got) != want || made.Issuer != "https://gitlab.com" || made.Reuse || len(made.Apps) != 2 {
		t.Errorf("the trust is %+v, %s", made, got)
	}
	if made := w.trust(federation.Draft{Name: "hub", Preset: "github", Apps: []string{"app"}, Fields: federation.Fields{Repository: "123456", Environment: "prod"}}); made.Conditions[0].Claim != "repository_id" || made.Conditions[1].Claim != "environment" {
		t.Errorf("the trust is %+v", made)
	}
}
