// Package federation lets runs begin without a stored key: a team trusts an issuer
// of OIDC tokens under conditions on their claims, and a token that fulfils them is
// exchanged (RFC 8693) for a credential that runs one of the named apps for a
// quarter of an hour, and does nothing else.
package federation

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

const (
	// MaxTrusts is how many a team has.
	MaxTrusts = 50
	maxApps   = 50
	// maxName is in characters, the others in bytes.
	maxName         = 64
	maxIssuerLength = 512
	maxAudience     = 512
	maxJWKS         = 64 << 10
)

// Trust is an issuer that a team trusts, and for what.
type Trust struct {
	ID, TeamID string
	Name       string
	Preset     Preset
	// Issuer is compared with a token's iss to the letter.
	Issuer string
	// Audience is whom a token must be for; empty for this server's public URL.
	Audience string
	// JWKS are the issuer's keys where the issuer can't be asked for them.
	JWKS       string
	Conditions []Condition
	// Apps are those that a run may be of, by id and name.
	Apps []team.AppBinding
	// Reuse lets a token be exchanged again until it ends.
	Reuse                bool
	CreatedByID          string
	CreatedAt, UpdatedAt time.Time
	// LastUsedAt is when a token was last exchanged, LastSubject whose.
	LastUsedAt  time.Time
	LastSubject string
}

// Draft is what a person says of a trust.
type Draft struct {
	Name   string
	Preset string
	// Issuer may be empty where the preset knows it.
	Issuer, Audience, JWKS string
	Fields                 Fields
	// Conditions come beside those that Fields make.
	Conditions []Condition
	// Apps are namespace/name, or the name alone.
	Apps []string
	// Reuse is the preset's if it is nil.
	Reuse *bool
}

// DefaultReuse reports whether tokens of the platform come again by themselves:
// what Kubernetes projects into a pod is the same after a container has restarted.
func (p Preset) DefaultReuse() bool { return p == Kubernetes }

// apply puts a draft into a trust, but for its apps, as far as it makes sense.
func (s *Service) apply(d Draft, t *Trust) error {
	var fields []problem.Field
	bad := func(name string, err error) {
		fields = append(fields, problem.Field{Name: name, Message: err.Error()})
	}
	t.Name = strings.TrimSpace(d.Name)
	if utf8.RuneCountInString(t.Name) > maxName || !plain(t.Name, 4*maxName) {
		bad("name", fmt.Errorf("a name is one line of at most %d characters, such as deploy", maxName))
	}
	if t.Preset = Preset(d.Preset); d.Preset == "" {
		t.Preset = Other
	}
	if !slices.Contains(Presets, t.Preset) {
		return problem.Invalid("preset", "it is github, gitlab, kubernetes or other")
	}
	if t.Issuer = strings.TrimSpace(d.Issuer); t.Issuer == "" {
		t.Issuer = t.Preset.Issuer()
	}
	t.JWKS = strings.TrimSpace(d.JWKS)
	if err := s.issuers.guard.checkIssuer(t.Issuer, t.JWKS != ""); err != nil {
		bad("issuer", err)
	} else if s.site != "" && strings.EqualFold(strings.TrimRight(t.Issuer, "/"), s.site) {
		bad("issuer", errors.New("this is the server itself, whose tokens are for clouds that trust it; name the platform's issuer"))
	}
	if t.Audience = strings.TrimSpace(d.Audience); t.Audience != "" && !plain(t.Audience, maxAudience) {
		bad("audience", fmt.Errorf("an audience is one line of at most %d bytes", maxAudience))
	}
	if t.JWKS != "" {
		if err := checkJWKS(t.JWKS); err != nil {
			bad("jwks", err)
		}
	}
	made, err := t.Preset.conditions(d.Fields)
	if err != nil && len(d.Conditions) == 0 {
		return err
	}
	t.Conditions = append(made, d.Conditions...)
	if err := checkConditions(t); err != nil {
		bad("conditions", err)
	}
	if t.Reuse = t.Preset.DefaultReuse(); d.Reuse != nil {
		t.Reuse = *d.Reuse
	}
	if len(d.Apps) == 0 || len(d.Apps) > maxApps {
		bad("apps", fmt.Errorf("name between 1 and %d apps that may be run", maxApps))
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return nil
}

// checkIssuer refuses an issuer that can't be asked. One whose keys are given is
// never asked, and may be anywhere.
func (g Guard) checkIssuer(issuer string, given bool) error {
	if !given {
		return g.checkURL(issuer, false)
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || !plain(issuer, maxIssuerLength) {
		return fmt.Errorf("it must be the address that the tokens name, such as https://kubernetes.default.svc.cluster.local")
	}
	return nil
}

// checkJWKS takes public keys alone: a private one has no business here.
func checkJWKS(text string) error {
	if len(text) > maxJWKS || !utf8.ValidString(text) {
		return fmt.Errorf("the keys are text in UTF-8 of at most %d bytes", maxJWKS)
	}
	if hasPrivateKey(text) {
		return fmt.Errorf("this has private keys; paste what the issuer publishes, and replace these keys, since they were sent here")
	}
	_, err := parseKeys([]byte(text))
	if errors.Is(err, errAmbiguous) {
		return fmt.Errorf("several keys have the same kid, or more than %d have none: a token must tell which key signed it", maxNameless)
	}
	if errors.Is(err, errManyKeys) {
		return fmt.Errorf("a set has at most %d keys; paste those that sign tokens", maxKeys)
	}
	if err != nil {
		return fmt.Errorf("it must be a JSON Web Key Set with at least one public key for signatures, as the issuer's jwks_uri answers")
	}
	return nil
}

func checkConditions(t *Trust) error {
	if len(t.Conditions) == 0 || len(t.Conditions) > maxConditions {
		return fmt.Errorf("between 1 and %d conditions are needed: without one, whoever has a token of this issuer could run the apps", maxConditions)
	}
	for _, c := range t.Conditions {
		if err := c.check(); err != nil {
			return err
		}
	}
	if claims, ok := namesOwner(t.Issuer, t.Conditions); !ok {
		return fmt.Errorf("a condition has to name the owner, by one of the claims %s: %s gives tokens to everybody", strings.Join(claims, ", "), t.Issuer)
	}
	return nil
}

// describe tells the team's log what a trust admits.
func (s *Service) describe(t Trust) string {
	var apps, conditions []string
	for _, a := range t.Apps {
		apps = append(apps, a.Name)
	}
	for _, c := range t.Conditions {
		conditions = append(conditions, c.Claim+" is "+strings.Join(c.Values, " or "))
	}
	uses, keys := "each token once", "keys asked of the issuer"
	if t.Reuse {
		uses = "tokens again until they end"
	}
	if t.JWKS != "" {
		keys = "keys given"
	}
	return fmt.Sprintf("issuer %s; audience %s; %s; %s; apps %s; conditions: %s", told(t.Issuer), told(s.Audience(t)), uses, keys,
		toldAtMost(strings.Join(apps, ", "), 2*maxTold), toldAtMost(strings.Join(conditions, ", "), 4*maxTold))
}

// Audience is whom a token must be for.
func (s *Service) Audience(t Trust) string {
	if t.Audience != "" {
		return t.Audience
	}
	return s.site
}

// parseApp reads namespace/name, or the name alone for the team's own namespace.
func parseApp(text, teamName string) (namespace, name string, err error) {
	if text != "" && !strings.Contains(text, "/") {
		text = teamName + "/" + text
	}
	return secret.ParseApp(text)
}
