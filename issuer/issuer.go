// Package issuer makes this server an issuer of OpenID Connect: others, such as a
// cloud in which a team trusts it, verify what it signs by its public keys, so
// that neither side stores a secret of the other.
//
// There are always two keys or more: one signs, and the next one is published
// already, a whole period before it signs. So nobody who keeps the public keys
// for a while, or was given them by hand, ever meets a key that is not known.
package issuer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// Period is how long a key signs, and how long before that it is published.
	Period = 90 * 24 * time.Hour
	// Lead is how long a key is published at least before it signs, also where an
	// operator wants another one soon: longer than anybody keeps public keys.
	Lead = 48 * time.Hour
	// Keep is how long a key that signs no more stays published: longer than what
	// it signed lasts, and than clocks differ.
	Keep = 24 * time.Hour
	// Lifetime is that of a token, which is used at once.
	Lifetime = 5 * time.Minute
	// allowance is for clocks that are behind this one.
	allowance = 30 * time.Second

	keyBits = 2048
	// Algorithm is the one that every verifier of OpenID Connect knows.
	Algorithm = jose.RS256

	// DiscoveryPath and KeysPath are where verifiers look.
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/.well-known/jwks.json"

	checkEvery = time.Hour
)

// Key is a key as it is stored.
type Key struct {
	// ID names it in tokens, and is never used again.
	ID string
	// WrappedDEK is the keyset that seals it, KEKID names what wraps that, and
	// Sealed is the private key (PKCS #8).
	WrappedDEK []byte
	KEKID      string
	Sealed     []byte
	CreatedAt  time.Time
	// SignsFrom is when it begins to sign; it ends when the next one begins.
	SignsFrom time.Time
}

// Locked is what the store has, and what a new key is wrapped for.
type Locked struct {
	StoreID  string
	KEKCheck []byte
	Keys     []Key
}

// Tx is a transaction.
type Tx interface {
	audit.Log
	// Lock lets nobody else change the keys, or the KEK, until the transaction
	// ends. The keys are sorted by when they sign.
	Lock(ctx context.Context) (Locked, error)
	Insert(ctx context.Context, k Key) error
	SetSignsFrom(ctx context.Context, id string, at time.Time) error
	Delete(ctx context.Context, id string) error
}

// Store keeps the keys; see secret.Store for Update.
type Store interface {
	// Keys returns all, sorted by when they sign.
	Keys(ctx context.Context) ([]Key, error)
	Update(ctx context.Context, fn func(Tx) error) error
}

// Service signs, and says how that is verified.
type Service struct {
	store Store
	kek   *envelope.KEK
	url   string
	log   *slog.Logger
	now   func() time.Time

	mu sync.Mutex
	// public are the public keys of those that were opened, by the hash of what is
	// stored of them.
	public map[[sha256.Size]byte]*rsa.PublicKey
}

// NewService makes a Service for the site under which the server is reached; nil
// for a command of the operator, which signs nothing.
func NewService(store Store, kek *envelope.KEK, site *url.URL, log *slog.Logger) *Service {
	s := &Service{
		store: store, kek: kek, log: log, public: map[[sha256.Size]byte]*rsa.PublicKey{},
		now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}
	if site != nil {
		s.url = site.String()
	}
	return s
}

// URL is the issuer, as tokens name it.
func (s *Service) URL() string { return s.url }

// Metadata is what the issuer says of itself (OpenID Connect Discovery 1.0). There
// is no endpoint at which somebody signs in: it only makes tokens of its own.
type Metadata struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Scopes        []string `json:"scopes_supported"`
	Claims        []string `json:"claims_supported"`
}

// Metadata says where the public keys are.
func (s *Service) Metadata() Metadata {
	return Metadata{
		Issuer: s.url, JWKSURI: s.url + KeysPath, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		Algorithms: []string{string(Algorithm)}, Scopes: []string{"openid"}, Claims: []string{"aud", "exp", "iat", "iss", "jti", "nbf", "sub"},
	}
}

// claims are all that a token says. There is no name among them: somebody could
// ask for one, and names are given to others when they are free.
type claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  string           `json:"aud"`
	ID        string           `json:"jti"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	Expires   *jwt.NumericDate `json:"exp"`
}

// Sign makes a token that says to an audience that the subject is the one who
// speaks. It makes the first keys where there are none.
//
// Errors: problem.Unavailable if the KEK does not answer.
func (s *Service) Sign(ctx context.Context, subject, audience string) (redact.Value, error) {
	if s.url == "" || subject == "" || audience == "" {
		return redact.Value{}, errors.New("sign a token: the issuer, the subject or the audience is missing")
	}
	keys, err := s.keep(ctx, true)
	if err != nil {
		return redact.Value{}, err
	}
	now := s.now()
	key := keys[signing(keys, now)]
	private, err := s.open(key)
	if err != nil {
		return redact.Value{}, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: Algorithm, Key: jose.JSONWebKey{Key: private, KeyID: key.ID}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return redact.Value{}, fmt.Errorf("sign a token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims{
		Issuer: s.url, Subject: subject, Audience: audience, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now.Add(-allowance)), NotBefore: jwt.NewNumericDate(now.Add(-allowance)), Expires: jwt.NewNumericDate(now.Add(Lifetime)),
	}).Serialize()
	if err != nil {
		return redact.Value{}, fmt.Errorf("sign a token: %w", err)
	}
	return redact.NewValue(token), nil
}

// Published are the public keys, and until when nothing is signed but by one of
// them, unless an operator replaces them by hand; empty while there are none. It
// writes nothing, since anybody may ask.
//
// Errors: problem.Unavailable if the KEK does not answer.
func (s *Service) Published(ctx context.Context) (set jose.JSONWebKeySet, until time.Time, err error) {
	set.Keys = []jose.JSONWebKey{}
	keys, err := s.store.Keys(ctx)
	if err != nil {
		return set, time.Time{}, err
	}
	for _, k := range keys {
		public, err := s.publicOf(k)
		if errors.Is(err, problem.Unavailable) {
			return set, time.Time{}, err
		}
		if err != nil {
			s.log.Error("a key of the issuer is not published", "error", err)
			continue
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: k.ID, Algorithm: string(Algorithm), Use: "sig"})
		until = k.SignsFrom.Add(Period)
	}
	return set, until, nil
}

// Ensure makes the first keys, where somebody is to be given the public ones
// before anything was signed.
func (s *Service) Ensure(ctx context.Context) error {
	_, err := s.keep(ctx, true)
	return err
}

// Run replaces keys when their time has come, until ctx is done. Several
// instances share the work.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		if _, err := s.keep(ctx, false); err != nil && ctx.Err() == nil {
			s.log.Error("the keys of the issuer can't be replaced; it goes on trying", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Rotation is what replacing the key that signs came to.
type Rotation struct {
	// From signed until now, and To signs from At on.
	From, To string
	At       time.Time
}

// Rotate replaces the key that signs: by the next one, as soon as that has been
// published for long enough. With compromised no key is trusted any more: all are
// dropped at once, and new ones sign.
//
// Errors: problem.PermissionDenied for who is no operator.
func (s *Service) Rotate(ctx context.Context, operator team.Actor, compromised bool) (Rotation, error) {
	if operator.Kind() != team.Operator {
		return Rotation{}, problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself rotates keys.")
	}
	var out Rotation
	err := s.change(ctx, func(keys []Key, now time.Time) plan {
		out = Rotation{At: now}
		if len(keys) == 0 {
			return plan{add: []time.Time{now, now.Add(Period)}}
		}
		at := signing(keys, now)
		out.From = keys[at].ID
		if compromised {
			p := plan{add: []time.Time{now, now.Add(Period)}}
			for _, k := range keys {
				p.drop = append(p.drop, k.ID)
			}
			return p
		}
		if at == len(keys)-1 {
			out.At = now.Add(Lead)
			return plan{add: []time.Time{out.At}}
		}
		next := keys[at+1]
		out.To, out.At = next.ID, latest(now, next.CreatedAt.Add(Lead))
		if !out.At.Before(next.SignsFrom) {
			out.At = next.SignsFrom
			return plan{}
		}
		p := plan{move: next.ID, to: out.At}
		if !out.At.After(now) {
			p.add = []time.Time{out.At.Add(Period)}
		}
		return p
	}, func(made []Key) audit.Entry {
		if out.To == "" && len(made) > 0 {
			out.To = made[0].ID
		}
		target := out.To
		if out.From != "" {
			target = out.From + " → " + out.To
		}
		entry := audit.By(operator, team.Action(audit.ActRotateIssuerKey), target, audit.Allowed)
		if compromised {
			entry.Reason = "compromised"
		}
		return entry
	})
	return out, err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// signing is the index of the key that signs at a time. Where none does yet, since
// a clock is behind, it is the first: that is published.
func signing(keys []Key, now time.Time) int {
	at := 0
	for i, k := range keys {
		if !k.SignsFrom.After(now) {
			at = i
		}
	}
	return at
}

// plan is what is to be done with the keys: some dropped, one that signs from
// another time on, and new ones that sign from these times on.
type plan struct {
	drop []string
	move string
	to   time.Time
	add  []time.Time
}

func (p plan) empty() bool { return len(p.drop) == 0 && p.move == "" && len(p.add) == 0 }

// due is what the time asks for: a next key, and none of those that have signed
// nothing for long.
func due(keys []Key, now time.Time) (p plan) {
	if len(keys) == 0 {
		return p
	}
	at := signing(keys, now)
	for i := range at {
		if !keys[i+1].SignsFrom.Add(Keep).After(now) {
			p.drop = append(p.drop, keys[i].ID)
		}
	}
	if at == len(keys)-1 {
		p.add = append(p.add, latest(keys[at].SignsFrom.Add(Period), now.Add(Lead)))
	}
	return p
}

// keep does what is due, makes the first keys if that is wanted, and returns what
// there is.
func (s *Service) keep(ctx context.Context, first bool) ([]Key, error) {
	keys, err := s.store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	wanted := func(keys []Key, now time.Time) plan {
		if len(keys) == 0 && first {
			return plan{add: []time.Time{now, now.Add(Period)}}
		}
		return due(keys, now)
	}
	if wanted(keys, s.now()).empty() {
		return keys, nil
	}
	if err := s.change(ctx, wanted, nil); err != nil {
		return nil, err
	}
	return s.store.Keys(ctx)
}

// errMore says that more new keys are needed than were made.
var errMore = errors.New("more keys are needed")

// change does what decide says of the keys, in one transaction with the entries
// of the log; entry, if there is one, is what an operator did.
func (s *Service) change(ctx context.Context, decide func([]Key, time.Time) plan, entry func(made []Key) audit.Entry) error {
	keys, err := s.store.Keys(ctx)
	if err != nil {
		return err
	}
	var fresh []*rsa.PrivateKey
	need := len(decide(keys, s.now()).add)
	for {
		for len(fresh) < need { // It takes too long for a transaction.
			private, err := rsa.GenerateKey(rand.Reader, keyBits)
			if err != nil {
				return fmt.Errorf("make a key: %w", err)
			}
			fresh = append(fresh, private)
		}
		err := s.store.Update(ctx, func(tx Tx) error {
			locked, err := tx.Lock(ctx)
			if err != nil {
				return err
			}
			now := s.now()
			p := decide(locked.Keys, now)
			if need = len(p.add); need > len(fresh) {
				return errMore
			}
			var made []Key
			for i, at := range p.add {
				k, err := s.seal(locked, fresh[i], now, at)
				if err != nil {
					return err
				}
				if err := tx.Insert(ctx, k); err != nil {
					return err
				}
				made = append(made, k)
			}
			if p.move != "" {
				if err := tx.SetSignsFrom(ctx, p.move, p.to); err != nil {
					return err
				}
			}
			for _, id := range p.drop {
				if err := tx.Delete(ctx, id); err != nil {
					return err
				}
				if err := tx.AppendAudit(ctx, system(audit.ActDropIssuerKey, id, now)); err != nil {
					return err
				}
			}
			for _, k := range made {
				if err := tx.AppendAudit(ctx, system(audit.ActMakeIssuerKey, k.ID, now)); err != nil {
					return err
				}
			}
			if entry == nil {
				return nil
			}
			return tx.AppendAudit(ctx, entry(made))
		})
		if !errors.Is(err, errMore) {
			return err
		}
	}
}

func system(action, target string, now time.Time) audit.Entry {
	return audit.Entry{ID: uuid.NewString(), At: now, ActorKind: "system", ActorName: "infsh", Action: action, Target: target, Outcome: audit.Allowed}
}

// place binds a private key to its row.
func place(id string) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: envelope.IssuerKey, Team: id, Key: "private-key", Version: 1}
}

func (s *Service) seal(locked Locked, private *rsa.PrivateKey, now, at time.Time) (k Key, err error) {
	k = Key{ID: uuid.NewString(), CreatedAt: now, SignsFrom: at}
	if k.WrappedDEK, k.KEKID, err = s.kek.WrapDEKFor(locked.StoreID, locked.KEKCheck, k.ID); err != nil {
		return k, kekAnswer(err)
	}
	dek, err := s.kek.OpenDEK(k.ID, k.WrappedDEK)
	if err != nil {
		return k, kekAnswer(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return k, fmt.Errorf("make a key: %w", err)
	}
	defer clear(der)
	k.Sealed, err = dek.Seal(place(k.ID), der)
	return k, err
}

func (s *Service) open(k Key) (*rsa.PrivateKey, error) {
	dek, err := s.kek.OpenDEK(k.ID, k.WrappedDEK)
	if err != nil {
		return nil, damaged(k, kekAnswer(err))
	}
	der, err := dek.Open(place(k.ID), k.Sealed)
	if err != nil {
		return nil, damaged(k, err)
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, damaged(k, errors.New("it is no RSA key"))
	}
	return private, nil
}

// damaged says what to do about a key that does not open.
func damaged(k Key, err error) error {
	if errors.Is(err, problem.Unavailable) {
		return err
	}
	return fmt.Errorf("open the issuer's key %s: %w; infsh admin rotate-issuer-key --compromised makes new ones", k.ID, err)
}

// publicOf is the public half of what opens, and of nothing else.
func (s *Service) publicOf(k Key) (*rsa.PublicKey, error) {
	hash := sha256.Sum256(slices.Concat([]byte(k.ID+"\x00"), k.WrappedDEK, k.Sealed))
	s.mu.Lock()
	public := s.public[hash]
	s.mu.Unlock()
	if public != nil {
		return public, nil
	}
	private, err := s.open(k)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.public) > 16 {
		clear(s.public)
	}
	s.public[hash] = &private.PublicKey
	return &private.PublicKey, nil
}

func kekAnswer(err error) error {
	if errors.Is(err, envelope.ErrKEKUnavailable) {
		return &problem.Error{Code: problem.Unavailable, Detail: "The service that holds the key of this server does not answer, so nothing was signed. Try again.", Cause: err}
	}
	return err
}
