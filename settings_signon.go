package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"infsh/account"
	"infsh/auth"
	"infsh/redact"
	"infsh/sso"
)

// signOnSettings are those of single sign-on, which is off without an issuer.
var signOnSettings = []setting{
	{flag: "oidc-issuer", env: "INFSH_OIDC_ISSUER", usage: "issuer of an OpenID Connect provider, which turns on single sign-on; see docs/operations.md"},
	{flag: "oidc-client-id", env: "INFSH_OIDC_CLIENT_ID", usage: "client id of this server at the provider"},
	{flag: "oidc-client-secret", env: "INFSH_OIDC_CLIENT_SECRET", secret: true, noFlag: true},
	{flag: "oidc-name", env: "INFSH_OIDC_NAME", usage: "what people call the provider, for \"Continue with …\" (default the issuer's host)"},
	{flag: "oidc-domains", env: "INFSH_OIDC_DOMAINS", usage: "domains whose people get an account at their first sign-in, such as example.com,example.org (default none: people are invited)"},
	{flag: "oidc-team", env: "INFSH_OIDC_TEAM", usage: "username of the team in which they become members"},
	{flag: "oidc-link-email", env: "INFSH_OIDC_LINK_EMAIL", usage: "true connects an account here that has the same verified address, without asking its owner", isBool: true},
	{flag: "oidc-trust-factors", env: "INFSH_OIDC_TRUST_FACTORS", usage: "true leaves second factors to the provider", isBool: true},
	{flag: "oidc-trust-session", env: "INFSH_OIDC_TRUST_SESSION", usage: "true takes a session at the provider, however old, for a fresh proof of who one is", isBool: true},
	{flag: "oidc-only", env: "INFSH_OIDC_ONLY", usage: "true lets nobody sign in by a password or a passkey", isBool: true},
}

// signOn is the configuration of single sign-on.
type signOn struct {
	provider sso.Config // without its RedirectURL
	who      account.SignOnRules
	rules    auth.SignOnRules
}

// on reports whether there is a provider.
func (s signOn) on() bool { return s.provider.Issuer != "" }

// readSignOn reads and checks the settings of single sign-on.
func readSignOn(values map[string]string) (signOn, error) {
	out := signOn{provider: sso.Config{Issuer: values["oidc-issuer"], ClientID: values["oidc-client-id"], Name: strings.TrimSpace(values["oidc-name"])}}
	if !out.on() {
		for _, s := range signOnSettings {
			if values[s.flag] != "" {
				return signOn{}, fmt.Errorf("%s is set, and --oidc-issuer is not: name the provider, or leave out both", s.env)
			}
		}
		return signOn{}, nil
	}
	issuer, err := sso.ParseIssuer(out.provider.Issuer)
	if err != nil {
		return signOn{}, fmt.Errorf("--oidc-issuer: %w", err)
	}
	if out.provider.ClientID == "" {
		return signOn{}, fmt.Errorf("--oidc-client-id: it is missing; the provider gave it when this server was registered there")
	}
	if v := values["oidc-client-secret"]; v != "" {
		out.provider.ClientSecret = redact.NewValue(v)
	}
	if out.provider.Name == "" {
		out.provider.Name = issuer.Hostname()
	}
	if len(out.provider.Name) > 60 {
		return signOn{}, fmt.Errorf("--oidc-name: it has at most 60 bytes, to fit a button")
	}
	for _, v := range strings.FieldsFunc(values["oidc-domains"], func(r rune) bool { return r == ',' || r == ' ' }) {
		domain, ok := account.ParseDomain(v)
		if !ok {
			return signOn{}, fmt.Errorf("--oidc-domains: %q is not a domain like example.com", v)
		}
		out.who.Domains = append(out.who.Domains, domain)
	}
	out.who.Team = values["oidc-team"]
	if (out.who.Team == "") != (len(out.who.Domains) == 0) {
		return signOn{}, fmt.Errorf("--oidc-domains and --oidc-team go together: the people of those domains become members of that team")
	}
	if out.who.Team != "" {
		if err := account.ParseUsername(out.who.Team); err != nil {
			return signOn{}, fmt.Errorf("--oidc-team: %w", err)
		}
	}
	for flag, into := range map[string]*bool{
		"oidc-link-email": &out.who.LinkEmail, "oidc-trust-factors": &out.rules.TrustFactors,
		"oidc-trust-session": &out.rules.TrustSession, "oidc-only": &out.rules.Only,
	} {
		if v := values[flag]; v != "" {
			if *into, err = strconv.ParseBool(v); err != nil {
				return signOn{}, fmt.Errorf("--%s: it must be true or false", flag)
			}
		}
	}
	out.who.Provider, out.who.Only = out.provider.Name, out.rules.Only
	return out, nil
}

// provide makes the way to sign in by the provider, for the site at publicURL.
func (s signOn) provide(sessions *auth.Sessions, accounts *account.Service, publicURL *url.URL) (*auth.SignOn, error) {
	if !s.on() {
		return nil, nil
	}
	config := s.provider
	config.RedirectURL = publicURL.JoinPath("login", "sso", "callback").String()
	provider, err := sso.New(config)
	if err != nil {
		return nil, fmt.Errorf("--oidc-issuer: %w", err)
	}
	accounts.UseSignOn(s.who)
	return auth.NewSignOn(sessions, accounts, provider, s.rules), nil
}
