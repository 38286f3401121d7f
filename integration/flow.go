package integration

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"golang.org/x/oauth2"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Begin is what an authorization is to be for.
type Begin struct {
	Provider string
	// Capabilities are by their keys, and Scopes what is asked for besides.
	Capabilities, Scopes []string
	// ConnectionID is a connection that gets more scopes, or is connected again.
	ConnectionID string
	// Fields are those of the form that OAuth does not tell.
	Fields map[string]redact.Value
	// Port is where a command line on the person's machine waits for the code.
	Port int
}

// Begun is an authorization that waits for its person.
type Begun struct {
	// URL is where the person goes, at the provider's Host.
	URL, Host string
	State     string
	Scopes    []string
	ExpiresAt time.Time
}

// Begin starts an authorization: by OAuth 2.0's code with PKCE. Who began it can
// alone complete it, once, within FlowLifetime. With a connection it asks for
// what that has already and for more (incremental authorization).
//
// Errors: problem.PreconditionFailed if the team has no client at the provider,
// problem.InvalidField, problem.NotFound, problem.RateLimited, and those of
// audit.Guard.
func (s *Service) Begin(ctx context.Context, actor team.Actor, in Begin) (Begun, error) {
	if err := audit.Guard(ctx, s.store, actor, team.BeginIntegration, s.known(in.Provider)); err != nil {
		return Begun{}, err
	}
	p, k, err := s.kind(in.Provider, OAuth)
	if err != nil {
		return Begun{}, err
	}
	fields := map[string]redact.Value{}
	if in.ConnectionID == "" || len(in.Fields) > 0 {
		if fields, err = k.check(in.Fields); err != nil {
			return Begun{}, err
		}
	}
	scopes, err := p.scopesOf(k, in)
	if err != nil {
		return Begun{}, err
	}
	if in.Port < 0 || in.Port > 65535 {
		return Begun{}, problem.Invalid("port", "it is a port of this machine")
	}
	state, verifier, now := rand.Text(), oauth2.GenerateVerifier(), s.now()
	hash := hashState(state)
	flow := Flow{
		StateHash: hash, ID: uuid.NewString(), TeamID: actor.TeamID(), UserID: actor.UserID(), Holder: holder(actor), Provider: p.ID, Type: k.Type,
		ConnectionID: in.ConnectionID, Redirect: s.redirect, Port: in.Port, CreatedAt: now, ExpiresAt: now.Add(FlowLifetime),
	}
	var out Begun
	err = s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor.TeamID())
		if err != nil {
			return err
		}
		waiting, err := tx.CountFlows(ctx, actor.TeamID(), now)
		if err != nil {
			return err
		}
		if waiting >= maxFlows {
			return &problem.Error{Code: problem.RateLimited, Detail: "Many integrations of this team are being connected. Finish those, or wait ten minutes.", RetryAfter: FlowLifetime}
		}
		asked := slices.Clone(scopes)
		if in.ConnectionID != "" {
			c, err := tx.Connection(ctx, actor.TeamID(), in.ConnectionID)
			if err != nil {
				return err
			}
			if c.Provider != p.ID || c.Type != k.Type {
				return noConnection()
			}
			asked = append(asked, c.Scopes...)
		}
		slices.Sort(asked)
		asked = slices.Compact(asked)
		client, secret, err := s.client(ctx, tx, dek, actor.TeamID(), p)
		if err != nil {
			return err
		}
		stored := flow
		stored.Scopes = asked
		m := Material{fields: fields, answers: map[string]redact.Value{verifierField: redact.NewValue(verifier)}}
		if stored.Verifier, err = m.seal(dek, actor.TeamID(), flow.ID, 1); err != nil {
			return err
		}
		if err := tx.InsertFlow(ctx, stored); err != nil {
			return err
		}
		config := k.config(client, secret, s.redirect)
		out = Begun{URL: k.authorization(config, state, verifier, asked), Host: k.Host(), State: state, Scopes: asked, ExpiresAt: flow.ExpiresAt}
		entry := audit.By(actor, team.BeginIntegration, p.ID, audit.Allowed)
		return tx.AppendAudit(ctx, entry)
	})
	return out, err
}

const verifierField = "verifier"

// scopesOf lists what an authorization asks for.
func (p *Provider) scopesOf(k *Kind, in Begin) ([]string, error) {
	scopes := slices.Clone(k.always)
	for _, key := range in.Capabilities {
		i := slices.IndexFunc(p.Capabilities, func(c *Capability) bool { return c.Key == key })
		if i < 0 || !p.Capabilities[i].ServedBy(k.Type) {
			return nil, problem.Invalid("capabilities", "%s has no such capability", p.Name)
		}
		scopes = append(scopes, p.Capabilities[i].Scopes...)
	}
	for _, scope := range in.Scopes {
		if !scopePattern().MatchString(scope) {
			return nil, problem.Invalid("scopes", "a scope has 1 to 256 printing ASCII characters, without spaces, quotes and backslashes")
		}
		scopes = append(scopes, scope)
	}
	if len(scopes) > maxScopes {
		return nil, problem.Invalid("scopes", "at most %d can be asked for at once", maxScopes)
	}
	return scopes, nil
}

// Answer is what a provider sent back with a person.
type Answer struct {
	State, Code redact.Value
	// Issuer is iss of RFC 9207, and Error and its code of RFC 6749, section
	// 4.1.2.1.
	Issuer, Error string
}

// Waiting is a flow as the page knows it that a person is led back to.
type Waiting struct {
	Provider *Provider
	// Session is that of the browser which began it; empty if a command line did,
	// which waits at Port of the person's machine, or for a pasted code.
	Session string
	Port    int
}

const sessionHolder = "session:"

// holder names the session or API key of an actor.
func holder(actor team.Actor) string {
	if actor.Kind() == team.Session {
		return sessionHolder + actor.CredentialID()
	}
	return "key:" + actor.CredentialID()
}

// Find tells where an answer belongs, and uses nothing up.
func (s *Service) Find(ctx context.Context, state redact.Value) (Waiting, error) {
	var out Waiting
	err := s.store.View(ctx, func(r Reader) error {
		flow, err := r.Flow(ctx, hashState(state.Reveal()))
		if err != nil {
			return err
		}
		p, ok := s.catalogue.Provider(flow.Provider)
		if !ok || !s.now().Before(flow.ExpiresAt) {
			return flowOver()
		}
		out = Waiting{Provider: p, Port: flow.Port}
		if session, ok := strings.CutPrefix(flow.Holder, sessionHolder); ok {
			out.Session = session
		}
		return nil
	})
	if errors.Is(err, problem.NotFound) {
		return Waiting{}, flowOver()
	}
	return out, err
}

// Complete ends an authorization: the code becomes tokens, which are stored. It
// is used once, by whoever began it.
//
// Errors: problem.NotFound for a state that is wrong, used, expired or
// another's, problem.RateLimited, problem.AccessDenied if the person or the
// provider said no,
// problem.Conflict if another account than the expected one was signed in,
// problem.Unavailable, and those of audit.Guard.
func (s *Service) Complete(ctx context.Context, actor team.Actor, in Answer) (Connection, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ConnectIntegration, ""); err != nil {
		return Connection{}, err
	}
	flow, m, config, err := s.take(ctx, actor, in)
	if errors.Is(err, problem.RateLimited) {
		return Connection{}, err // Nothing is used up.
	}
	if err != nil {
		return Connection{}, s.notConnected(ctx, actor, flow.Provider, err)
	}
	p, k, err := s.kind(flow.Provider, flow.Type)
	if err != nil {
		return Connection{}, err
	}
	c, got, err := s.trade(ctx, p, k, config, flow, m, in)
	if err != nil {
		return Connection{}, s.notConnected(ctx, actor, p.ID, err)
	}
	made, err := s.keep(ctx, actor, p, k, c, got, flow.ConnectionID)
	if errors.Is(err, problem.Conflict) || errors.Is(err, problem.NotFound) {
		s.giveBack(ctx, actor.TeamID(), p, k, config, c, got)
	}
	return made, err
}

// giveBack revokes tokens that are not kept, as best effort; but not where the
// team has connected that account already, since many providers end with one
// token all of an account.
func (s *Service) giveBack(ctx context.Context, team string, p *Provider, k *Kind, config *oauth2.Config, c Connection, m Material) {
	if k.revoke == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	var all []Held
	err := s.store.View(ctx, func(r Reader) (err error) {
		all, err = r.Connections(ctx, team)
		return err
	})
	if err != nil || slices.ContainsFunc(all, func(h Held) bool { return h.Provider == p.ID && h.Type == k.Type && h.AccountID == c.AccountID }) {
		return
	}
	token := m.refresh
	if token.IsZero() {
		token = m.access
	}
	if err := s.caller.revoke(ctx, p, k, Client{ClientID: config.ClientID}, redact.NewValue(config.ClientSecret), token); err != nil {
		s.log.Warn("a provider did not revoke a token", "provider", p.ID, "error", err)
	}
}

// notConnected puts it into the log that an authorization came to nothing, and
// returns why.
func (s *Service) notConnected(ctx context.Context, actor team.Actor, provider string, why error) error {
	entry := audit.By(actor, team.ConnectIntegration, provider, audit.Failed)
	entry.Reason = string(problem.CodeOf(why))
	if err := audit.Record(ctx, s.store, entry); err != nil {
		return err
	}
	return why
}

// take uses a flow up, and opens what it kept.
func (s *Service) take(ctx context.Context, actor team.Actor, in Answer) (flow Flow, m Material, config *oauth2.Config, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor.TeamID())
		if err != nil {
			return err
		}
		hash := hashState(in.State.Reveal())
		if flow, err = tx.Flow(ctx, hash); err != nil {
			return err
		}
		// Another's is not used up: who has the state alone can't end it for them.
		if flow.TeamID != actor.TeamID() || flow.UserID != actor.UserID() || flow.Holder != holder(actor) {
			flow = Flow{}
			return flowOver()
		}
		if err := s.countCall(ctx, tx, actor.TeamID()); err != nil {
			return err
		}
		if there, err := tx.DeleteFlow(ctx, hash); err != nil || !there {
			return errors.Join(err, flowOver())
		}
		if !s.now().Before(flow.ExpiresAt) {
			return flowOver()
		}
		if m, err = Open(dek, flow.TeamID, flow.ID, 1, flow.Verifier); err != nil {
			return flowOver() // The team's key was replaced meanwhile.
		}
		p, k, err := s.kind(flow.Provider, flow.Type)
		if err != nil {
			return err
		}
		client, secret, err := s.client(ctx, tx, dek, flow.TeamID, p)
		config = k.config(client, secret, flow.Redirect)
		return err
	})
	if errors.Is(err, problem.NotFound) {
		err = flowOver()
	}
	return flow, m, config, err
}

// trade checks what the provider sent, and asks it for tokens and for whose they
// are.
func (s *Service) trade(ctx context.Context, p *Provider, k *Kind, config *oauth2.Config, flow Flow, m Material, in Answer) (Connection, Material, error) {
	issuer := in.Issuer
	if k.issuer != "" && issuer != k.issuer && (issuer != "" || k.issuerRequired) {
		return Connection{}, Material{}, problem.New(problem.AccessDenied, "The answer is not from %s, so nothing was connected: it names another issuer. Connect again.", p.Name)
	}
	if in.Error != "" {
		if plainCode(in.Error) == "access_denied" {
			return Connection{}, Material{}, problem.New(problem.AccessDenied, "It was declined at %s, so nothing was connected.", p.Name)
		}
		return Connection{}, Material{}, problem.New(problem.AccessDenied, "%s did not agree, so nothing was connected (%s). Check the client and the redirect URL there, and connect again.", p.Name, orUnknown(plainCode(in.Error)))
	}
	if in.Code.Len() == 0 {
		return Connection{}, Material{}, problem.New(problem.AccessDenied, "%s sent no code, so nothing was connected. Connect again.", p.Name)
	}
	got, answer, err := s.caller.exchange(ctx, p, k, config, in.Code.Reveal(), m.answers[verifierField], flow.Scopes, s.now())
	if err != nil {
		return Connection{}, Material{}, notTraded(p, err)
	}
	got.fields = m.fields
	id, name, err := s.caller.identify(ctx, p, k, got.access, answer)
	if err != nil {
		return Connection{}, Material{}, notTraded(p, err)
	}
	return Connection{Provider: p.ID, Type: k.Type, AccountID: id, AccountName: name, Scopes: got.scopes}, got, nil
}

func orUnknown(code string) string {
	if code == "" {
		return "for an unknown reason"
	}
	return code
}

func notTraded(p *Provider, err error) error {
	var r *refusal
	if errors.As(err, &r) && r.status < 500 && r.status != 429 {
		hint := "Connect again."
		if r.code == "invalid_client" || r.code == "unauthorized_client" || r.status == 401 {
			hint = "The client ID or the client secret is not the one that is registered there: enter it anew, and connect again."
		}
		return problem.New(problem.AccessDenied, "%s gave no token, so nothing was connected: %v. %s", p.Name, err, hint)
	}
	return &problem.Error{Code: problem.Unavailable, Detail: fmt.Sprintf("%s gave no token, so nothing was connected: %v. Connect again.", p.Name, err), RetryAfter: 30 * time.Second}
}

func flowOver() error {
	return problem.New(problem.NotFound, "This connection was finished already, has expired, or was begun elsewhere. Connect again.")
}

func hashState(state string) []byte {
	sum := sha256.Sum256([]byte("infsh integration state v1\x00" + strings.TrimSpace(state)))
	return sum[:]
}
