package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// ChallengeLifetime is how long a passkey may take to sign.
	ChallengeLifetime = 5 * time.Minute
	// maxPasskeys is how many one person has.
	maxPasskeys = 20
	// maxChallenges of one site wait at a time, so that nobody fills the table.
	maxChallenges = 100
)

// Passkey is a WebAuthn credential of a person. It is discoverable and verifies
// its user, so that it may stand for the password too. There is no secret in it.
type Passkey struct {
	ID, UserID, Name string
	CredentialID     []byte
	PublicKey        []byte
	AAGUID           []byte
	Transports       []string
	// Flags are those of the authenticator data, as they were last seen.
	Flags byte
	// SignCount is 0 for one that does not count, as those that are synced.
	SignCount             uint32
	CreatedAt, LastUsedAt time.Time
}

// Synced reports whether the passkey is on more than the device it was made on.
func (p Passkey) Synced() bool { return protocol.AuthenticatorFlags(p.Flags).HasBackupState() }

// Challenge is what a passkey is asked to sign, and by whom.
type Challenge struct {
	Holder    string
	Network   string
	Ceremony  []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Holders of challenges: what is asked for in one place is not shown in another.
func ofSession(kind, sessionID string) string  { return kind + ":" + sessionID }
func ofCookie(kind string, hash []byte) string { return fmt.Sprintf("%s:%x", kind, hash) }

const (
	toRegister = "register"
	toConfirm  = "confirm"
	toVerify   = "verify"
	toLogin    = "login"
)

// newRelyingParty makes what checks passkeys for the site of a public URL: its
// host and its origin alone. It is nil for a site that can have none: WebAuthn
// needs a host name, and https but for localhost.
func newRelyingParty(site *url.URL) *webauthn.WebAuthn {
	if site == nil || site.Scheme != "https" && site.Hostname() != "localhost" {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: site.Hostname(), RPDisplayName: issuer, RPOrigins: []string{site.Scheme + "://" + site.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		// Password managers answer extensions that nobody asked for; none is used.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil
	}
	return w
}

// OffersPasskeys reports whether the site can have passkeys.
func (s *Sessions) OffersPasskeys() bool { return s.relying != nil }

// holder is a person as the library sees one. The user handle, which the
// authenticator keeps, is the person's id and not the address.
type holder struct {
	userID, email string
	passkeys      []Passkey
}

func (h holder) WebAuthnID() []byte {
	id, err := uuid.Parse(h.userID)
	if err != nil {
		return nil
	}
	return id[:]
}
func (h holder) WebAuthnName() string        { return h.email }
func (h holder) WebAuthnDisplayName() string { return h.email }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(h.passkeys))
	for i, p := range h.passkeys {
		out[i] = p.credential()
	}
	return out
}

func (p Passkey) credential() webauthn.Credential {
	c := webauthn.Credential{
		ID: p.CredentialID, PublicKey: p.PublicKey, Flags: webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(p.Flags)),
		Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: p.SignCount},
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// BeginPasskey returns what a browser needs to make a passkey for the session's
// person: the options of navigator.credentials.create, as JSON.
func (s *Sessions) BeginPasskey(ctx context.Context, cur Session) (json.RawMessage, error) {
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActAddFactor); err != nil {
		return nil, err
	}
	if s.relying == nil {
		return nil, noPasskeysHere()
	}
	have, err := s.store.Factors(ctx, actor.UserID())
	if err != nil {
		return nil, err
	}
	if len(have.Passkeys) >= maxPasskeys {
		return nil, problem.New(problem.Conflict, "You have %d passkeys, which is the most there can be. Remove one that is not used any more.", len(have.Passkeys))
	}
	h := holder{actor.UserID(), actor.Email(), have.Passkeys}
	options, ceremony, err := s.relying.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, fmt.Errorf("begin a passkey: %w", err)
	}
	return s.challenge(ctx, ofSession(toRegister, cur.ID), actor.RemoteAddr(), options.Response, ceremony)
}

// AddPasskey stores the passkey that a browser made, as JSON of
// PublicKeyCredential. It returns recovery codes if there were none.
//
// Errors: problem.InvalidField (fields name, credential), problem.Conflict.
func (s *Sessions) AddPasskey(ctx context.Context, cur Session, name string, credential []byte) (codes []redact.Value, err error) {
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActAddFactor); err != nil {
		return nil, err
	}
	if name, err = parseKeyName(name); err != nil {
		return nil, problem.Invalid("name", "a passkey needs a name of one line and at most %d characters, such as the device it is on", MaxKeyNameLength)
	}
	ceremony, err := s.ceremony(ctx, ofSession(toRegister, cur.ID))
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(credential)
	if err != nil {
		return nil, badPasskey()
	}
	made, err := s.relying.CreateCredential(holder{userID: actor.UserID(), email: actor.Email()}, ceremony, parsed)
	if err != nil {
		return nil, badPasskey()
	}
	p := Passkey{
		ID: uuid.NewString(), UserID: actor.UserID(), Name: name, CredentialID: made.ID, PublicKey: made.PublicKey, AAGUID: made.Authenticator.AAGUID,
		Flags: byte(made.Flags.ProtocolValue()), SignCount: made.Authenticator.SignCount, CreatedAt: s.now(),
	}
	for _, t := range made.Transport {
		p.Transports = append(p.Transports, plainText(string(t), maxTransport))
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		have, err := tx.Factors(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if len(have.Passkeys) >= maxPasskeys {
			return problem.New(problem.Conflict, "You have %d passkeys, which is the most there can be.", len(have.Passkeys))
		}
		if err := tx.InsertPasskey(ctx, p); err != nil {
			return err
		}
		codes, err = added(ctx, tx, actor, byPasskey+" "+p.Name)
		return err
	})
	return codes, err
}

// maxTransport is in bytes; the known ones are short.
const maxTransport = 32

// BeginConfirm returns what a browser needs to prove by a passkey that the
// session is its person's: the options of navigator.credentials.get, as JSON.
func (s *Sessions) BeginConfirm(ctx context.Context, cur Session) (json.RawMessage, error) {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActConfirm); err != nil {
		return nil, err
	}
	return s.beginFor(ctx, ofSession(toConfirm, cur.ID), cur.Actor.UserID(), cur.Actor.Email(), cur.Actor.RemoteAddr())
}

// BeginVerify does so for a login that waits for its second factor.
//
// Errors: problem.NotSignedIn if none waits.
func (s *Sessions) BeginVerify(r *http.Request, from account.Origin) (json.RawMessage, error) {
	p, err := s.pending(r)
	if err != nil {
		return nil, err
	}
	return s.beginFor(r.Context(), ofCookie(toVerify, p.TokenHash), p.UserID, p.Email, from.RemoteAddr)
}

func (s *Sessions) beginFor(ctx context.Context, of, userID, email, addr string) (json.RawMessage, error) {
	if s.relying == nil {
		return nil, noPasskeysHere()
	}
	have, err := s.store.Factors(ctx, userID)
	if err != nil {
		return nil, err
	}
	if len(have.Passkeys) == 0 {
		return nil, noPasskey()
	}
	options, ceremony, err := s.relying.BeginLogin(holder{userID, email, have.Passkeys})
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return s.challenge(ctx, of, addr, options.Response, ceremony)
}

// BeginPasskeyLogin returns what a browser needs to sign in by a passkey alone,
// and binds it to this browser by a cookie.
func (s *Sessions) BeginPasskeyLogin(w http.ResponseWriter, r *http.Request, from account.Origin) (json.RawMessage, error) {
	if s.relying == nil {
		return nil, noPasskeysHere()
	}
	if err := s.onlyProvider(); err != nil {
		return nil, err
	}
	options, ceremony, err := s.relying.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	token := random256()
	out, err := s.challenge(r.Context(), ofCookie(toLogin, hashToken(token)), from.RemoteAddr, options.Response, ceremony)
	if err != nil {
		return nil, err
	}
	s.setShortCookie(w, s.passkeyCookie(), token, ChallengeLifetime)
	return out, nil
}

// LoginByPasskey signs in who holds a passkey, which has verified its user and
// so stands for password and second factor.
//
// Errors: problem.NotSignedIn, with one sentence for whatever is wrong with the
// passkey; problem.PermissionDenied for one who belongs to no team.
func (s *Sessions) LoginByPasskey(w http.ResponseWriter, r *http.Request, credential []byte, from account.Origin) (team.Actor, error) {
	ctx := r.Context()
	if err := s.onlyProvider(); err != nil {
		return team.Actor{}, err
	}
	hash, ok := s.presented(r, s.passkeyCookie())
	if !ok || s.relying == nil {
		return team.Actor{}, staleLogin()
	}
	s.setShortCookie(w, s.passkeyCookie(), "", 0)
	ceremony, err := s.ceremony(ctx, ofCookie(toLogin, hash))
	if err != nil {
		return team.Actor{}, staleLogin()
	}
	var person Person
	proof, err := s.assert(ctx, ceremony, credential, "")
	if err == nil {
		err = s.store.Update(ctx, func(tx Tx) (err error) {
			person, err = tx.PersonByID(ctx, proof.passkey.UserID)
			return err
		})
	}
	if errors.Is(err, problem.InvalidField) || errors.Is(err, problem.NotFound) {
		reason := reasonPasskey
		if proof.copied {
			reason = reasonSignCount
		}
		if err := s.store.AppendAudit(ctx, failedLogin(person, from, reason)); err != nil {
			return team.Actor{}, unrecorded(err)
		}
		return team.Actor{}, problem.New(problem.NotSignedIn, "This passkey opens no account here. Sign in with your password, and look at your passkeys in Settings → Account.")
	}
	if err != nil {
		return team.Actor{}, err
	}
	return s.begin(w, r, person, person.First, from, proof.shown)
}

// assertion is a passkey's proof.
type assertion struct {
	shown
	passkey Passkey
	// copied says that its counter went back, with problem.InvalidField.
	copied bool
}

// assert checks what a passkey has signed: one of the person's, or of anybody's
// if userID is empty.
//
// Errors: problem.InvalidField (field credential).
func (s *Sessions) assert(ctx context.Context, ceremony webauthn.SessionData, credential []byte, userID string) (assertion, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return assertion{}, badPasskey()
	}
	var of holder
	var failed error
	find := func(_, handle []byte) (webauthn.User, error) {
		id, err := uuid.FromBytes(handle)
		if err != nil {
			return nil, badPasskey()
		}
		have, err := s.store.Factors(ctx, id.String())
		if err != nil {
			failed = err
			return nil, err
		}
		of = holder{userID: id.String(), passkeys: have.Passkeys}
		return of, nil
	}
	var used *webauthn.Credential
	if userID == "" {
		_, used, err = s.relying.ValidatePasskeyLogin(find, ceremony, parsed)
	} else {
		have, ferr := s.store.Factors(ctx, userID)
		if ferr != nil {
			return assertion{}, ferr
		}
		of = holder{userID: userID, passkeys: have.Passkeys}
		used, err = s.relying.ValidateLogin(of, ceremony, parsed)
	}
	if failed != nil {
		return assertion{}, failed
	}
	if err != nil {
		return assertion{}, badPasskey()
	}
	for _, p := range of.passkeys {
		if !bytes.Equal(p.CredentialID, used.ID) {
			continue
		}
		if used.Authenticator.CloneWarning {
			return assertion{copied: true}, problem.Invalid("credential", "this passkey seems to have been copied, since its counter went back. Remove it, and use another")
		}
		before := p.SignCount
		p.SignCount, p.Flags, p.LastUsedAt = used.Authenticator.SignCount, byte(parsed.Response.AuthenticatorData.Flags), s.now()
		return assertion{passkey: p, shown: shown{by: byPasskey, use: func(ctx context.Context, tx Tx) error {
			if ok, err := tx.UsedPasskey(ctx, p, before); err != nil || !ok {
				return errors.Join(err, badPasskey())
			}
			return nil
		}}}, nil
	}
	return assertion{}, badPasskey()
}

// challenge stores what a passkey is asked, and returns it for the browser.
func (s *Sessions) challenge(ctx context.Context, of, addr string, options any, ceremony *webauthn.SessionData) (json.RawMessage, error) {
	stored, err := json.Marshal(ceremony)
	if err != nil {
		return nil, fmt.Errorf("keep a challenge: %w", err)
	}
	out, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("show a challenge: %w", err)
	}
	now := s.now()
	c := Challenge{Holder: of, Network: siteOf(addr), Ceremony: stored, CreatedAt: now, ExpiresAt: now.Add(ChallengeLifetime)}
	return out, s.store.Update(ctx, func(tx Tx) error {
		if err := tx.PutChallenge(ctx, c); err != nil {
			return err
		}
		return tx.KeepChallenges(ctx, c.Network, maxChallenges)
	})
}

// ceremony takes what a passkey was asked, which is then used, whatever comes
// of it.
func (s *Sessions) ceremony(ctx context.Context, of string) (out webauthn.SessionData, err error) {
	var stored []byte
	err = s.store.Update(ctx, func(tx Tx) error {
		stored, err = tx.TakeChallenge(ctx, of, s.now())
		return err
	})
	if errors.Is(err, problem.NotFound) {
		return out, problem.Invalid("credential", "this took too long, or was used already; try again")
	}
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(stored, &out); err != nil {
		return out, fmt.Errorf("read a challenge: %w", err)
	}
	return out, nil
}

func badPasskey() error {
	return problem.Invalid("credential", "this passkey was not accepted; try again, or use another way")
}

func noPasskeysHere() error {
	return problem.New(problem.Conflict, "Passkeys need a host name with https, or localhost. The operator sets it with --public-url.")
}

func staleLogin() error {
	return problem.New(problem.NotSignedIn, "This sign-in took too long, or was used already. Try again.")
}
