package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Single sign-on is off until it is configured, and a configuration that would
// let in others than it says is refused, by the name of the setting.
func TestSignOnSettings(t *testing.T) {
	const issuer = "https://login.example.com"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(t *testing.T, args ...string) (signOn, error) {
		t.Helper()
		cmd := serveCommand()
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		s, err := readSettings(cmd, serveSettings)
		return s.signOn, err
	}
	off, err := read(t)
	if err != nil || off.on() {
		t.Errorf("without settings: %+v, %v", off, err)
	}
	t.Setenv("INFSH_OIDC_CLIENT_SECRET_FILE", secret)
	if _, err := read(t); err == nil || !strings.Contains(err.Error(), "INFSH_OIDC_CLIENT_SECRET") {
		t.Errorf("a secret without a provider: %v", err)
	}
	got, err := read(t, "--oidc-issuer="+issuer, "--oidc-client-id=infsh", "--oidc-domains=Example.com, @bücher.example", "--oidc-team=acme", "--oidc-only")
	if err != nil {
		t.Fatal(err)
	}
	if got.provider.ClientSecret.Reveal() != "from-the-file" || got.provider.Name != "login.example.com" ||
		!slices.Equal(got.who.Domains, []string{"example.com", "xn--bcher-kva.example"}) || !got.rules.Only || !got.who.Only || got.who.LinkEmail {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct{ setting, arg string }{
		{"--oidc-issuer", "--oidc-issuer=http://login.example.com"},
		{"--oidc-client-id", "--oidc-client-id="},
		{"--oidc-domains", "--oidc-domains=example"},
		{"--oidc-domains", "--oidc-domains=example.com"},
		{"--oidc-team", "--oidc-team=acme"},
		{"--oidc-name", "--oidc-name=" + strings.Repeat("x", 61)},
		{"--oidc-link-email", "--oidc-link-email=perhaps"},
	} {
		if _, err := read(t, "--oidc-issuer="+issuer, "--oidc-client-id=infsh", c.arg); err == nil || !strings.Contains(err.Error(), c.setting) {
			t.Errorf("%s: %v", c.arg, err)
		}
	}
	if serveCommand().Flags().Lookup("oidc-client-secret") != nil {
		t.Error("the secret may stand in a command line")
	}
}
