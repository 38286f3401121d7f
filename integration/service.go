package integration

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Service is the way to a team's integrations.
type Service struct {
	store     Store
	kek       *envelope.KEK
	catalogue *Catalogue
	caller    *caller
	breakers  *breakers
	redirect  string
	issuer    Issuer
	log       *slog.Logger
	now       func() time.Time
	// refreshing joins those of this instance who want the same token.
	refreshing flights
}

// NewService makes a Service for the site under which people reach the server;
// nil for a command of the operator.
func NewService(store Store, kek *envelope.KEK, catalogue *Catalogue, site *url.URL, log *slog.Logger) *Service {
	s := &Service{
		store: store, kek: kek, catalogue: catalogue, caller: newCaller(), breakers: newBreakers(), log: log,
		now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}
	if site != nil {
		s.redirect = site.JoinPath(CallbackPath).String()
	}
	return s
}

// CallbackPath is where providers lead people back to.
const CallbackPath = "/settings/integrations/callback"

// Catalogue is what can be connected.
func (s *Service) Catalogue() *Catalogue { return s.catalogue }

// RedirectURL is what an operator registers at a provider.
func (s *Service) RedirectURL() string { return s.redirect }

// List returns the team's connections.
func (s *Service) List(ctx context.Context, actor team.Actor) ([]Connection, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListIntegrations, ""); err != nil {
		return nil, err
	}
	var out []Connection
	err := s.store.View(ctx, func(r Reader) error {
		all, err := r.Connections(ctx, actor.TeamID())
		out = nil
		for _, c := range all {
			out = append(out, c.Connection)
		}
		return err
	})
	return out, err
}

// Clients returns the team's clients of OAuth.
func (s *Service) Clients(ctx context.Context, actor team.Actor) (out []Client, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListIntegrations, ""); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		out, err = r.Clients(ctx, actor.TeamID())
		return err
	})
	return out, err
}

// Get finds a connection by its id, or the primary one of a provider by the
// provider's.
//
// Errors: problem.NotFound, and those of audit.Guard.
func (s *Service) Get(ctx context.Context, actor team.Actor, name string) (Connection, error) {
	all, err := s.List(ctx, actor)
	if err != nil {
		return Connection{}, err
	}
	var found Connection
	for _, c := range all {
		if c.ID == name {
			return c, nil
		}
		if c.Provider == name && c.Primary && (found.ID == "" || !found.Usable() && c.Usable()) {
			found = c
		}
	}
	if found.ID == "" {
		return Connection{}, noConnection()
	}
	return found, nil
}

// Only finds the connection to be disconnected, by its id, or by a provider of
// which the team has one.
func (s *Service) Only(ctx context.Context, actor team.Actor, name string) (string, error) {
	if err := audit.Guard(ctx, s.store, actor, team.DisconnectIntegration, ""); err != nil {
		return "", err
	}
	var found []string
	err := s.store.View(ctx, func(r Reader) error {
		found = nil
		all, err := r.Connections(ctx, actor.TeamID())
		for _, c := range all {
			if c.ID == name || c.Provider == name {
				found = append(found, c.ID)
			}
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", noConnection()
	case len(found) > 1:
		return "", problem.New(problem.Conflict, "The team has %d accounts there. Name one by its id; `infsh integrations list` shows them.", len(found))
	}
	return found[0], nil
}

// SetClient stores the team's client of OAuth at a provider, in the place of the
// one that was there. What was connected with another client id has to be
// connected again; a new secret of the same id changes nothing else, but that what
// failed is tried at once.
//
// Errors: problem.InvalidField (fields client_id, client_secret),
// problem.NotFound, and those of audit.Guard.
func (s *Service) SetClient(ctx context.Context, actor team.Actor, provider, clientID string, secret redact.Value) (Client, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ConfigureIntegration, s.known(provider)); err != nil {
		return Client{}, err
	}
	p, ok := s.catalogue.Provider(provider)
	if !ok {
		return Client{}, unknownProvider()
	}
	if _, ok := p.Kind(OAuth); !ok {
		return Client{}, problem.New(problem.Conflict, "%s is connected without a client of OAuth.", p.Name)
	}
	clientID = strings.TrimSpace(clientID)
	if clientID == "" || len(clientID) > maxClientID || !printable(clientID) {
		return Client{}, problem.Invalid("client_id", "copy the client ID of your app at %s; it has no spaces", p.Name)
	}
	secret, ok = trimmed(secret)
	if !ok || secret.Len() == 0 || secret.Len() > maxClientID {
		return Client{}, problem.Invalid("client_secret", "copy the client secret of your app at %s; it has no spaces", p.Name)
	}
	now := s.now()
	var out Client
	err := s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor.TeamID())
		if err != nil {
			return err
		}
		all, err := tx.Clients(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		out = Client{ID: uuid.NewString(), TeamID: actor.TeamID(), Provider: provider, Type: OAuth, ClientID: clientID, Version: 1, CreatedByID: actor.UserID(), CreatedAt: now, UpdatedAt: now}
		i := slices.IndexFunc(all, func(c Client) bool { return c.Provider == provider })
		if i >= 0 {
			out.ID, out.Version, out.CreatedByID, out.CreatedAt = all[i].ID, all[i].Version+1, all[i].CreatedByID, all[i].CreatedAt
			err = tx.SaveClient(ctx, out)
		} else {
			err = tx.InsertClient(ctx, out)
		}
		if err != nil {
			return err
		}
		m := Material{fields: map[string]redact.Value{clientSecretField: secret}}
		sealed, err := m.seal(dek, actor.TeamID(), out.ID, out.Version)
		if err != nil {
			return err
		}
		if err := tx.SetValue(ctx, actor.TeamID(), out.ID, out.Version, sealed); err != nil {
			return err
		}
		held, err := tx.Connections(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		for _, c := range held {
			// What failed may be well with the new secret: it is tried at once.
			if c.Provider == provider && c.Type == OAuth && c.Status == Failing {
				if err := tx.SetRefreshAt(ctx, c.TeamID, c.ID, now); err != nil {
					return err
				}
			}
		}
		entry := audit.By(actor, team.ConfigureIntegration, provider, audit.Allowed)
		return tx.AppendAudit(ctx, entry)
	})
	return out, err
}

const clientSecretField = "client_secret"

// client reads the team's client at a provider with its secret.
func (s *Service) client(ctx context.Context, r Reader, dek *envelope.DEK, teamID string, p *Provider) (Client, redact.Value, error) {
	all, err := r.Clients(ctx, teamID)
	if err != nil {
		return Client{}, redact.Value{}, err
	}
	i := slices.IndexFunc(all, func(c Client) bool { return c.Provider == p.ID })
	if i < 0 {
		return Client{}, redact.Value{}, noClient(p)
	}
	sealed, err := r.Value(ctx, teamID, all[i].ID, all[i].Version)
	if err != nil {
		return Client{}, redact.Value{}, err
	}
	m, err := Open(dek, teamID, all[i].ID, all[i].Version, sealed)
	return all[i], m.fields[clientSecretField], err
}

func noClient(p *Provider) error {
	return problem.New(problem.PreconditionFailed, "The team has no client at %s yet. Make one there, and enter its client ID and secret in Settings → Integrations → %s, or with: infsh integrations client %s --id CLIENT_ID", p.Name, p.Name, p.ID)
}

// Typed is what a person typed into the form of a kind without a redirect.
type Typed struct {
	Provider string
	Type     Type
	Fields   map[string]redact.Value
	// ConnectionID is the connection whose key is replaced; empty makes one.
	ConnectionID string
}

// Connect stores a key or a service account, once the provider has accepted it.
//
// Errors: problem.InvalidField (the form's fields), problem.NotFound,
// problem.Conflict, problem.RateLimited, problem.Unavailable if the provider does
// not answer, and those of audit.Guard.
func (s *Service) Connect(ctx context.Context, actor team.Actor, in Typed) (Connection, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ConnectIntegration, s.known(in.Provider)); err != nil {
		return Connection{}, err
	}
	p, k, err := s.kind(in.Provider, in.Type)
	if err != nil {
		return Connection{}, err
	}
	if k.Type == OAuth {
		return Connection{}, problem.Invalid("type", "an account is connected at %s itself", p.Name)
	}
	fields, err := k.check(in.Fields)
	if err != nil {
		return Connection{}, err
	}
	m := Material{fields: fields}
	c := Connection{Provider: p.ID, Type: k.Type}
	first := k.Fields[0]
	switch k.Type {
	case ServiceAccount:
		account, err := readServiceAccount(fields[serviceAccountField])
		if err != nil {
			return Connection{}, problem.Invalid(serviceAccountField, "%v", err)
		}
		if err := s.mayCall(ctx, actor); err != nil {
			return Connection{}, err
		}
		c.AccountID, c.AccountName = plainAccount(account.Email), plainAccount(account.Email)
		if m, err = s.caller.assert(ctx, p, k, account, fields, s.now()); err != nil {
			return Connection{}, s.notConnected(ctx, actor, p.ID, refused(p, serviceAccountField, err))
		}
	case Federation:
		if err := s.mayCall(ctx, actor); err != nil {
			return Connection{}, err
		}
		c.AccountID, c.AccountName = k.federated(fields), k.federated(fields)
		if m, err = s.federate(ctx, p, k, actor.TeamID(), fields); err != nil {
			return Connection{}, s.notConnected(ctx, actor, p.ID, s.notFederated(p, k, actor.TeamID(), err))
		}
	case APIKey:
		if k.account.url != "" {
			if err := s.mayCall(ctx, actor); err != nil {
				return Connection{}, err
			}
			if c.AccountID, c.AccountName, err = s.caller.identify(ctx, p, k, fields[first.Key], nil); err != nil {
				return Connection{}, s.notConnected(ctx, actor, p.ID, refused(p, first.Key, err))
			}
		}
	}
	c.Scopes = m.scopes
	return s.keep(ctx, actor, p, k, c, m, in.ConnectionID)
}

// mayCall counts a call to a provider.
func (s *Service) mayCall(ctx context.Context, actor team.Actor) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		return s.countCall(ctx, tx, actor.TeamID())
	})
}

// refused says that a provider did not accept what was typed, or did not answer.
func refused(p *Provider, field string, err error) error {
	var r *refusal
	if errors.As(err, &r) && r.status >= 400 && r.status < 500 && r.status != 429 {
		return problem.Invalid(field, "%s does not accept it (%v)", p.Name, err)
	}
	return &problem.Error{Code: problem.Unavailable, Detail: fmt.Sprintf("%s could not be asked whether it accepts this: %v. Nothing was stored; try again.", p.Name, err), RetryAfter: 30 * time.Second}
}

// keep stores a connection with its material: a new one, or in the place of the
// named one or of that of the same account. The first of a provider and type is
// the primary one.
func (s *Service) keep(ctx context.Context, actor team.Actor, p *Provider, k *Kind, c Connection, m Material, replaces string) (Connection, error) {
	now := s.now()
	var out Connection
	err := s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor.TeamID())
		if err != nil {
			return err
		}
		all, err := tx.Connections(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		alike := slices.DeleteFunc(slices.Clone(all), func(h Held) bool { return h.Provider != p.ID || h.Type != k.Type })
		i := slices.IndexFunc(alike, func(h Held) bool {
			return h.ID == replaces || replaces == "" && c.AccountID != "" && h.AccountID == c.AccountID
		})
		if replaces != "" && i < 0 {
			return noConnection()
		}
		keep := m
		out = c
		out.TeamID, out.Status, out.Problem, out.UpdatedAt, out.RefreshedAt = actor.TeamID(), Connected, "", now, now
		if i >= 0 {
			old := alike[i]
			if old.AccountID != "" && c.AccountID != "" && old.AccountID != c.AccountID {
				return problem.New(problem.Conflict, "That was %s at %s, and %s was to be connected again. Nothing was changed. Sign in there as %s, or connect %s as a further account.",
					out.Name(), p.Name, old.Name(), old.Name(), out.Name())
			}
			out.ID, out.Version, out.Primary, out.CreatedByID, out.CreatedAt = old.ID, old.Version+1, old.Primary, old.CreatedByID, old.CreatedAt
			if before, err := Open(dek, actor.TeamID(), old.ID, old.Version, old.Sealed); err == nil && k.Type == OAuth {
				if keep.refresh.IsZero() {
					// Some providers give a refresh token only the first time.
					keep.refresh = before.refresh
				}
				if len(keep.fields) == 0 {
					keep.fields = before.fields
				}
			}
		} else {
			if len(all) >= MaxConnections {
				return problem.New(problem.Conflict, "Team %s has %d integrations, and more are not allowed. Disconnect one first.", actor.TeamName(), MaxConnections)
			}
			out.ID, out.Version, out.Primary, out.CreatedByID, out.CreatedAt = uuid.NewString(), 1, len(alike) == 0, actor.UserID(), now
		}
		out.ExpiresAt, out.RefreshAt = keep.expires, k.refreshAt(keep, now)
		if i >= 0 {
			err = tx.SaveConnection(ctx, out)
		} else {
			err = tx.InsertConnection(ctx, out)
		}
		if err != nil {
			return err
		}
		sealed, err := keep.seal(dek, actor.TeamID(), out.ID, out.Version)
		if err != nil {
			return err
		}
		if err := tx.SetValue(ctx, actor.TeamID(), out.ID, out.Version, sealed); err != nil {
			return err
		}
		entry := audit.By(actor, team.ConnectIntegration, out.target(), audit.Allowed)
		if i >= 0 {
			entry.Reason = "again"
		}
		return tx.AppendAudit(ctx, entry)
	})
	return out, err
}

// MakePrimary makes a connection the one that apps receive of its provider and
// type.
func (s *Service) MakePrimary(ctx context.Context, actor team.Actor, id string) (Connection, error) {
	var out Connection
	err := s.change(ctx, actor, team.ConnectIntegration, id, func(tx Tx, _ *envelope.DEK, c Held) error {
		out = c.Connection
		if c.Primary {
			return nil
		}
		all, err := tx.Connections(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Provider == c.Provider && other.Type == c.Type && other.Primary {
				if err := tx.SetPrimary(ctx, other.TeamID, other.ID, false); err != nil {
					return err
				}
			}
		}
		out.Primary = true
		if err := tx.SetPrimary(ctx, out.TeamID, out.ID, true); err != nil {
			return err
		}
		entry := audit.By(actor, team.ConnectIntegration, out.target(), audit.Allowed)
		entry.Reason = "primary"
		return tx.AppendAudit(ctx, entry)
	})
	return out, err
}

// revokeTimeout bounds the whole of telling a provider that it is over.
const revokeTimeout = 5 * time.Second

// Disconnect removes a connection with its tokens, and then asks the provider to
// revoke them. Revoked is false where that did not succeed or can't be asked.
func (s *Service) Disconnect(ctx context.Context, actor team.Actor, id string) (gone Connection, revoked bool, err error) {
	var m Material
	var client Client
	var secret redact.Value
	err = s.change(ctx, actor, team.DisconnectIntegration, id, func(tx Tx, dek *envelope.DEK, c Held) error {
		gone = c.Connection
		// What does not open any more is removed all the same.
		m, _ = Open(dek, c.TeamID, c.ID, c.Version, c.Sealed)
		if p, ok := s.catalogue.Provider(c.Provider); ok && c.Type == OAuth {
			client, secret, _ = s.client(ctx, tx, dek, c.TeamID, p)
		}
		if err := errors.Join(tx.DeleteValues(ctx, c.TeamID, c.ID), tx.DeleteConnection(ctx, c.TeamID, c.ID)); err != nil {
			return err
		}
		if c.Primary {
			if err := s.promote(ctx, tx, c.Connection); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.DisconnectIntegration, c.target(), audit.Allowed))
	})
	if err != nil {
		return Connection{}, false, err
	}
	p, k, unknown := s.kind(gone.Provider, gone.Type)
	token := m.refresh
	if token.IsZero() {
		token = m.access
	}
	if unknown != nil || k.revoke == "" || token.IsZero() {
		return gone, false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := s.caller.revoke(ctx, p, k, client, secret, token); err != nil {
		s.log.Warn("a provider did not revoke a token", "provider", p.ID, "error", err)
		return gone, false, nil
	}
	return gone, true, nil
}

// promote makes the oldest other connection of the same kind the primary one.
func (s *Service) promote(ctx context.Context, tx Tx, gone Connection) error {
	all, err := tx.Connections(ctx, gone.TeamID)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID != gone.ID && other.Provider == gone.Provider && other.Type == gone.Type {
			return tx.SetPrimary(ctx, other.TeamID, other.ID, true)
		}
	}
	return nil
}

// change runs fn on a connection, in a transaction that has locked the team.
func (s *Service) change(ctx context.Context, actor team.Actor, action team.Action, id string, fn func(Tx, *envelope.DEK, Held) error) error {
	if err := audit.Guard(ctx, s.store, actor, action, auditID(id)); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor.TeamID())
		if err != nil {
			return err
		}
		c, err := tx.Connection(ctx, actor.TeamID(), id)
		if err != nil {
			return err
		}
		return fn(tx, dek, c)
	})
}

func (s *Service) kind(provider string, t Type) (*Provider, *Kind, error) {
	p, ok := s.catalogue.Provider(provider)
	if !ok {
		return nil, nil, unknownProvider()
	}
	if t == "" {
		t = p.Kinds[0].Type
	}
	k, ok := p.Kind(t)
	if !ok {
		var names []string
		for _, k := range p.Kinds {
			names = append(names, string(k.Type))
		}
		return nil, nil, problem.Invalid("type", "%s is connected by %s", p.Name, strings.Join(names, " or "))
	}
	return p, k, nil
}

// lock makes the transaction the team's only writer and opens its DEK.
func (s *Service) lock(ctx context.Context, tx Tx, teamID string) (*envelope.DEK, error) {
	wrapped, err := tx.LockTeam(ctx, teamID)
	if err != nil {
		return nil, err
	}
	return s.openDEK(teamID, wrapped)
}

func (s *Service) openDEK(teamID string, wrapped []byte) (*envelope.DEK, error) {
	dek, err := s.kek.OpenDEK(teamID, wrapped)
	if errors.Is(err, envelope.ErrKEKUnavailable) {
		return nil, &problem.Error{Code: problem.Unavailable, Detail: "The service that holds the key of this server does not answer, so nothing was done. Try again.", Cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the team's key: %w", err)
	}
	return dek, nil
}

// known bounds what an untrusted name can put into the audit log.
func (s *Service) known(provider string) string {
	if _, ok := s.catalogue.Provider(provider); ok {
		return provider
	}
	return "(no provider)"
}

func auditID(id string) string {
	if uuid.Validate(id) != nil {
		return "(no integration)"
	}
	return id
}

// check holds what was typed against the form's fields.
func (k *Kind) check(typed map[string]redact.Value) (map[string]redact.Value, error) {
	out := map[string]redact.Value{}
	wrong := k.unknown(typed)
	for _, f := range k.Fields {
		v, ok := trimmed(typed[f.Key])
		if v.Len() == 0 && f.Default != "" {
			v = redact.NewValue(f.Default)
		}
		if f.Long {
			v, ok = typed[f.Key], true
		}
		switch {
		case v.Len() == 0 && !f.Optional:
			wrong = append(wrong, problem.Field{Name: f.Key, Message: "it is needed"})
		case v.Len() == 0:
		case !ok || v.Len() > maxField:
			wrong = append(wrong, problem.Field{Name: f.Key, Message: "it has a character that none of its kind has; copy it again"})
		case f.pattern != nil && !f.pattern.MatchString(v.Reveal()), k.Type == Federation && !f.fits(v.Reveal()):
			wrong = append(wrong, problem.Field{Name: f.Key, Message: "it does not look like one"})
		default:
			out[f.Key] = v
		}
	}
	if len(wrong) > 0 {
		return nil, &problem.Error{Code: problem.InvalidField, Fields: wrong}
	}
	return out, nil
}

// CheckTyped says what is wrong with what was typed so far.
func (k *Kind) CheckTyped(typed map[string]redact.Value) error {
	_, err := k.check(typed)
	var wrong *problem.Error
	if !errors.As(err, &wrong) {
		return err
	}
	fields := slices.DeleteFunc(slices.Clone(wrong.Fields), func(f problem.Field) bool {
		v, given := typed[f.Name]
		return k.has(f.Name) && (!given || v.Len() == 0)
	})
	if len(fields) == 0 {
		return nil
	}
	return &problem.Error{Code: problem.InvalidField, Fields: fields}
}

func (k *Kind) has(field string) bool {
	return slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Key == field })
}

// unknown says which fields the form does not have.
func (k *Kind) unknown(typed map[string]redact.Value) (wrong []problem.Field) {
	var have []string
	for _, f := range k.Fields {
		have = append(have, f.Key)
	}
	said := "it has no fields"
	if len(have) > 0 {
		said = "its fields are " + strings.Join(have, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(typed)) {
		if k.has(name) {
			continue
		}
		if !fieldPattern().MatchString(name) { // It may be a value in the wrong place.
			name = "metadata"
		}
		wrong = append(wrong, problem.Field{Name: name, Message: "there is no such field; " + said})
	}
	return wrong
}

// trimmed drops the spaces that copying leaves at the ends, and reports whether
// the rest is printable ASCII.
func trimmed(v redact.Value) (redact.Value, bool) {
	s := strings.TrimSpace(v.Reveal())
	return redact.NewValue(s), printable(s)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// A service account's key is used at each refresh, so it is bounded: what a
// signature costs grows with the cube of its length.
const (
	maxKey                 = 6 << 10 // bytes, of DER
	minKeyBits, maxKeyBits = 2048, 8192
)

// readServiceAccount reads Google's JSON key. Its errors quote nothing of it.
func readServiceAccount(v redact.Value) (serviceAccount, error) {
	var a serviceAccount
	if err := json.Unmarshal([]byte(v.Reveal()), &a); err != nil {
		return a, errors.New("it is no JSON; paste the whole file as it was downloaded")
	}
	block, _ := pem.Decode([]byte(a.Key))
	switch {
	case a.Type != "service_account":
		return a, errors.New("it is not the key of a service account; its “type” must be service_account")
	case a.Email == "" || block == nil:
		return a, errors.New("client_email or private_key is missing; paste the whole file as it was downloaded")
	}
	if len(block.Bytes) > maxKey {
		return a, errors.New("its private_key is longer than any of the provider’s; paste the file as it was downloaded")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return a, errors.New("its private_key can't be read; paste the whole file as it was downloaded")
		}
	}
	if of, ok := key.(*rsa.PrivateKey); !ok || of.N.BitLen() < minKeyBits || of.N.BitLen() > maxKeyBits {
		return a, fmt.Errorf("its private_key is no RSA key of %d to %d bits; make a new key at the provider", minKeyBits, maxKeyBits)
	}
	return a, nil
}
