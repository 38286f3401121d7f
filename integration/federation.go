package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Federation is a provider that trusts what this server signs, so that nothing of
// the provider's is stored (RFC 8693).
const Federation Type = "workload_identity"

// Issuer signs tokens by which a provider knows a team.
type Issuer interface {
	URL() string
	// Ensure makes the keys, whose public halves a provider may have to be given
	// by hand.
	Ensure(ctx context.Context) error
	// Sign says to an audience that the subject is who speaks.
	Sign(ctx context.Context, subject, audience string) (redact.Value, error)
}

// WithIssuer makes federation possible.
func (s *Service) WithIssuer(issuer Issuer) *Service {
	s.issuer = issuer
	return s
}

// Subject is what a team is called in what this server signs: by its id, which
// never changes and is never given to another, and not by its name.
func Subject(teamID string) string { return "team:" + teamID }

// Setup is what a person tells a provider, so that it trusts this server for the
// team.
type Setup struct {
	Issuer, Subject, Audience string
	// Steps are commands, with what was typed, and Upload is the one that gives the
	// provider the public keys where it can't fetch them.
	Steps  []Step
	Upload string
}

// Step is a command with what it is for.
type Step struct{ Label, Text string }

// Setup says what is to be set at a provider. Of what was typed it takes what fits
// into the form, and names in capital letters what is left to be filled in.
func (s *Service) Setup(ctx context.Context, actor team.Actor, k *Kind, typed map[string]redact.Value) (Setup, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListIntegrations, ""); err != nil {
		return Setup{}, err
	}
	if k.Type != Federation || s.issuer == nil {
		return Setup{}, nil
	}
	values := s.told(actor.TeamID())
	for _, f := range k.Fields {
		v, _ := trimmed(typed[f.Key])
		switch text := v.Reveal(); {
		case f.fits(text):
			values[f.Key] = text
		case text == "" && f.Default != "":
			values[f.Key] = f.Default
		case !f.Optional:
			values[f.Key] = strings.ToUpper(f.Key)
		}
	}
	out := Setup{Issuer: values["issuer"], Subject: values["subject"]}
	out.Audience, _ = fill(k.audience, values, noEscape)
	values["audience"] = out.Audience
	for _, step := range k.setup {
		if text, ok := fill(step.Text, values, noEscape); ok {
			out.Steps = append(out.Steps, Step{Label: step.Label, Text: text})
		}
	}
	out.Upload, _ = fill(k.upload, values, noEscape)
	return out, nil
}

// Check says of what was typed what Connect would refuse without asking the
// provider.
func (c *Catalogue) Check(provider string, t Type, typed map[string]redact.Value) error {
	p, ok := c.Provider(provider)
	if !ok {
		return unknownProvider()
	}
	k, ok := p.Kind(t)
	if !ok {
		return problem.Invalid("type", "%s is not connected by it", p.Name)
	}
	_, err := k.check(typed)
	return err
}

// told are what each text of the catalogue may name besides the form's fields.
func (s *Service) told(teamID string) map[string]string {
	return map[string]string{"issuer": s.issuer.URL(), "subject": Subject(teamID)}
}

// MakeKeys makes the keys of this server as an issuer, where a provider is to be
// given the public ones by hand before anything was connected.
func (s *Service) MakeKeys(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.store, actor, team.ConnectIntegration, ""); err != nil {
		return err
	}
	if s.issuer == nil {
		return errNoIssuer
	}
	return s.issuer.Ensure(ctx)
}

var errNoIssuer = errors.New("this server is no issuer")

// federate asks for a token of the provider's in exchange for one that this server
// signs, and, if the form names a service account, for that account's.
func (s *Service) federate(ctx context.Context, p *Provider, k *Kind, teamID string, fields map[string]redact.Value) (Material, error) {
	if s.issuer == nil {
		return Material{}, errNoIssuer
	}
	values := map[string]string{}
	for _, f := range k.Fields {
		text := fields[f.Key].Reveal()
		if text == "" {
			continue
		}
		if !f.fits(text) { // Nor is it left out, which would ask for another token.
			return Material{}, errNotAsked
		}
		values[f.Key] = text
	}
	audience, ok := fill(k.audience, values, noEscape)
	if !ok { // The operator's file asks for more than when it was connected.
		return Material{}, errNotAsked
	}
	subject, err := s.issuer.Sign(ctx, Subject(teamID), audience)
	if err != nil {
		s.log.Error("a token for a provider can't be signed", "provider", p.ID, "error", err)
		return Material{}, errNotAsked
	}
	m, err := s.caller.tokenExchange(ctx, p, k, subject, audience, s.now())
	if err != nil {
		return Material{}, err
	}
	if address, ok := fill(k.impersonate, values, url.PathEscape); ok && address != "" {
		if m, err = s.caller.impersonate(ctx, p, k, address, m, s.now()); err != nil {
			return Material{}, err
		}
	}
	m.scopes, m.refresh, m.fields = k.scopes, redact.Value{}, fields
	return m, nil
}

// tokenExchange is the one of RFC 8693. Of its library only the name says that it
// is for another grant: it sends what it is told.
func (c *caller) tokenExchange(ctx context.Context, p *Provider, k *Kind, subject redact.Value, audience string, now time.Time) (Material, error) {
	config := &clientcredentials.Config{
		TokenURL: k.token, Scopes: k.scopes, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"audience":             {audience},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:jwt"},
			"subject_token":        {subject.Reveal()},
		},
	}
	t, err := config.Token(c.context(ctx, p))
	if err != nil {
		return Material{}, failed(err)
	}
	m, _ := k.materialOf(t, k.scopes, now)
	return m, nil
}

// impersonated is where a refusal comes from: the second of the two requests.
const impersonated = "impersonate"

// impersonate asks with a federated token for that of a service account.
func (c *caller) impersonate(ctx context.Context, p *Provider, k *Kind, address string, by Material, now time.Time) (Material, error) {
	body, err := json.Marshal(map[string]any{"scope": k.scopes, "lifetime": fmt.Sprintf("%.0fs", k.lifetime.Seconds())})
	if err != nil {
		return Material{}, errNotAsked
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Material{}, errNotAsked
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+by.access.Reveal())
	resp, err := c.clients[p.network].Do(req)
	if err != nil {
		return Material{}, failed(err)
	}
	defer resp.Body.Close()
	answered, err := io.ReadAll(resp.Body)
	if err != nil {
		return Material{}, failed(err)
	}
	if resp.StatusCode != http.StatusOK {
		return Material{}, &refusal{status: resp.StatusCode, at: impersonated}
	}
	var answer struct {
		Token   string    `json:"accessToken"`
		Expires time.Time `json:"expireTime"`
	}
	if json.Unmarshal(answered, &answer) != nil || answer.Token == "" {
		return Material{}, errNonsense
	}
	lasts := k.lifetime
	if !answer.Expires.IsZero() {
		lasts = time.Until(answer.Expires)
	}
	return Material{access: redact.NewValue(answer.Token), tokenType: "Bearer", expires: now.Add(lasts).UTC().Truncate(time.Second)}, nil
}

// federated names what a federation connects: by its fields, which hold no secret.
func (k *Kind) federated(fields map[string]redact.Value) string {
	var parts []string
	for _, f := range k.Fields {
		if v := fields[f.Key]; v.Len() > 0 {
			parts = append(parts, v.Reveal())
		}
	}
	return plainAccount(strings.Join(parts, "/"))
}

// hint says what to do about a refusal, in the catalogue's words; empty where it
// has none.
func (s *Service) hint(k *Kind, teamID string, err error) string {
	var r *refusal
	if k.Type != Federation || s.issuer == nil || !errors.As(err, &r) {
		return ""
	}
	key := r.code
	if r.at == impersonated {
		key = fmt.Sprintf("%s_%d", impersonated, r.status)
	}
	text, _ := fill(k.refusals[key], s.told(teamID), noEscape)
	return text
}

// notFederated says that a provider does not trust this server, or did not answer.
func (s *Service) notFederated(p *Provider, k *Kind, teamID string, err error) error {
	var r *refusal
	if errors.As(err, &r) && r.status >= 400 && r.status < 500 && r.status != 429 {
		hint := s.hint(k, teamID, err)
		if hint == "" {
			hint = "Compare what is set there with what stands here."
		}
		said := fmt.Sprintf("%s does not let this team in, so nothing was connected: %v. %s", p.Name, err, hint)
		// It is of the form as a whole.
		return &problem.Error{Code: problem.InvalidField, Detail: said, Fields: []problem.Field{{Message: said}}}
	}
	return refused(p, "", err)
}
