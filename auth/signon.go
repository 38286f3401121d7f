package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/sso"
	"infsh/team"
)

const (
	// SignOnLifetime is how long a person may take at the provider.
	SignOnLifetime = 10 * time.Minute
	// maxSignOns of one site wait at a time, so that nobody fills the table; a
	// whole company may come from one.
	maxSignOns = 1000
	// maxNext is how long, in bytes, the path may be to which a sign-on leads.
	maxNext = 2000
	// randomText is how long 256 random bits are as text.
	randomText = 43
)

// SignOnPurpose is what a browser was sent to the provider for.
type SignOnPurpose string

const (
	ToSignIn  SignOnPurpose = "sign-in"
	ToConnect SignOnPurpose = "connect"
	ToProve   SignOnPurpose = "prove"
)

// WaitingSignOn is a browser that was sent to the provider. Nothing in it is a
// secret of the protocol: those are made of the browser's cookie and the state,
// of both of which this has the SHA-256.
type WaitingSignOn struct {
	StateHash, BrowserHash []byte
	Network                string
	Purpose                SignOnPurpose
	// SessionID is whose session it was begun in; empty for ToSignIn.
	SessionID string
	// Next is the path to which it leads in the end.
	Next                 string
	CreatedAt, ExpiresAt time.Time
}

// SignOnTx is the part of a transaction that is about single sign-on.
type SignOnTx interface {
	InsertSignOn(ctx context.Context, s WaitingSignOn) error
	// TakeSignOn finds one that has not expired, and removes it;
	// problem.NotFound if there is none.
	TakeSignOn(ctx context.Context, stateHash []byte, now time.Time) (WaitingSignOn, error)
	// KeepSignOns removes all but the newest of a network.
	KeepSignOns(ctx context.Context, network string, keep int) error

	// InsertIdentity is as account.IdentityTx has it.
	InsertIdentity(ctx context.Context, i account.Identity) error
	// UseIdentity stores that it was used, and reports whether it is the user's.
	UseIdentity(ctx context.Context, user, issuer, subject string, now time.Time) (bool, error)
	// DeleteIdentities removes those of a user, of one issuer unless that is
	// empty, and returns how many there were.
	DeleteIdentities(ctx context.Context, user, issuer string) (int, error)
}

// SignOnRules are the operator's, beside those on whom to let in.
type SignOnRules struct {
	// TrustFactors takes a sign-in at the provider for both steps.
	TrustFactors bool
	// TrustSession takes it for a fresh proof of who one is, however old it is
	// there.
	TrustSession bool
	// Only says that nothing but the provider signs in.
	Only bool
}

// SignOn signs people in by way of a provider.
type SignOn struct {
	sessions *Sessions
	accounts *account.Service
	provider *sso.Provider
	rules    SignOnRules
}

// NewSignOn makes a SignOn. Where the rules say so, nothing else signs in to
// sessions any more.
func NewSignOn(sessions *Sessions, accounts *account.Service, provider *sso.Provider, rules SignOnRules) *SignOn {
	if rules.Only {
		sessions.onlyBy = provider.Name()
	}
	return &SignOn{sessions: sessions, accounts: accounts, provider: provider, rules: rules}
}

// Name is what people call the provider.
func (o *SignOn) Name() string { return o.provider.Name() }

// Only reports whether nothing but the provider signs in.
func (o *SignOn) Only() bool { return o.rules.Only }

// onlyProvider refuses what does not go by the provider, where only that signs in.
func (s *Sessions) onlyProvider() error {
	if s.onlyBy == "" {
		return nil
	}
	return problem.New(problem.PermissionDenied, "Only %s signs in here. Continue with it.", s.onlyBy)
}

// Reasons of failed sign-ons in the audit log, beside those of account and sso.
const (
	reasonAtProvider  = "sso_refused_there"
	reasonNotFresh    = "sso_not_signed_in_anew"
	reasonOtherPerson = "sso_other_person"
)

// bySignOn is what was proved by the provider, as the audit log names it.
const bySignOn = "single sign-on"

func (s *Sessions) signOnCookie() string { return s.named("sso") }

// Begin sends the browser to the provider: it returns the address, and keeps
// for SignOnLifetime what for and where to lead in the end. cur is the session
// in which it is begun, unless the purpose is ToSignIn.
//
// Errors: problem.Unavailable if the provider does not answer, problem.Conflict
// for one who can't prove anything by it, and those of audit.Guard.
func (o *SignOn) Begin(w http.ResponseWriter, r *http.Request, purpose SignOnPurpose, next string, cur Session, from account.Origin) (to string, err error) {
	ctx, s, now := r.Context(), o.sessions, o.sessions.now()
	state := random256()
	if len(next) > maxNext {
		next = ""
	}
	waiting := WaitingSignOn{
		StateHash: hashToken(state), Network: siteOf(from.RemoteAddr), Purpose: purpose, Next: next, CreatedAt: now, ExpiresAt: now.Add(SignOnLifetime),
	}
	if purpose != ToSignIn {
		act := map[SignOnPurpose]string{ToConnect: audit.ActConnectSignOn, ToProve: audit.ActConfirm}[purpose]
		if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, act); err != nil {
			return "", err
		}
		waiting.SessionID = cur.ID
		if purpose == ToProve {
			if have, err := o.Connection(ctx, cur); err != nil || !have.Connected() {
				return "", errors.Join(err, o.notConnected())
			}
		}
	}
	browser := random256()
	if c, err := r.Cookie(s.signOnCookie()); err == nil && len(c.Value) == randomText {
		browser = c.Value // Another tab may be on its way too.
	}
	waiting.BrowserHash = hashToken(browser)
	to, err = o.provider.AuthURL(ctx, sso.Request{
		State: state, Nonce: derived(browser, state, "nonce"), Verifier: derived(browser, state, "verifier"), Anew: purpose == ToProve,
	})
	if err != nil {
		return "", o.failed(err)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.InsertSignOn(ctx, waiting); err != nil {
			return err
		}
		return tx.KeepSignOns(ctx, waiting.Network, maxSignOns)
	})
	if err != nil {
		return "", err
	}
	// Lax, since the provider's site leads back here.
	s.setCookie(w, s.signOnCookie(), browser, SignOnLifetime, http.SameSiteLaxMode)
	return to, nil
}

// derived is a secret of the protocol that only the browser's cookie and the
// state make together.
func derived(browser, state, what string) string {
	h := hmac.New(sha256.New, []byte(browser))
	h.Write([]byte(what + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// SignOnAnswer is what the browser brings back, as the address has it.
type SignOnAnswer struct{ State, Code, Issuer, Error string }

// SignedOn is what a sign-on came to.
type SignedOn struct {
	Purpose SignOnPurpose
	Next    string
	// Actor is who has signed in.
	Actor team.Actor
}

// Finish does what the browser was sent to the provider for, once. Of an error
// it returns how far it came.
//
// Errors: problem.BadRequest for what this browser did not begin, or not lately;
// problem.SecondFactorNeeded if Verify goes on; problem.PermissionDenied,
// problem.Conflict, problem.RateLimited and problem.Unavailable in words for the
// person.
func (o *SignOn) Finish(w http.ResponseWriter, r *http.Request, a SignOnAnswer, cur Session, from account.Origin) (out SignedOn, err error) {
	ctx, s := r.Context(), o.sessions
	hash, ok := s.presented(r, s.signOnCookie())
	if !ok || a.State == "" {
		return out, staleSignOn()
	}
	var waiting WaitingSignOn
	var try attempt
	err = s.store.Update(ctx, func(tx Tx) error {
		if waiting, err = tx.TakeSignOn(ctx, hashToken(a.State), s.now()); err != nil {
			return err
		}
		try, err = admitOne(ctx, tx, s.now(), "failed sign-ins", addressRule, "sso", NetworkOf(from.RemoteAddr))
		return err
	})
	if errors.Is(err, problem.NotFound) || err == nil && subtle.ConstantTimeCompare(waiting.BrowserHash, hash) != 1 {
		return out, staleSignOn()
	}
	out = SignedOn{Purpose: waiting.Purpose, Next: waiting.Next}
	if err != nil {
		return out, err
	}
	if waiting.Purpose != ToSignIn && (waiting.SessionID != cur.ID || cur.ID == "") {
		return out, problem.New(problem.BadRequest, "This was begun in a session that has ended. Sign in, and begin again.")
	}
	who, reason, err := o.identify(r, waiting, a)
	if err != nil {
		return out, errors.Join(o.record(ctx, waiting.Purpose, cur, from, reason), err)
	}
	switch waiting.Purpose {
	case ToConnect:
		err = o.connect(ctx, cur, who, try)
	case ToProve:
		err = o.prove(w, r, cur, who, try)
	default:
		out.Actor, err = o.signIn(w, r, who, from, try)
	}
	return out, err
}

// identify asks the provider who came back, with the reason for the audit log
// if nobody did.
func (o *SignOn) identify(r *http.Request, waiting WaitingSignOn, a SignOnAnswer) (sso.Identity, string, error) {
	browser, err := r.Cookie(o.sessions.signOnCookie())
	if err != nil {
		return sso.Identity{}, "", staleSignOn()
	}
	if a.Error != "" || a.Code == "" {
		return sso.Identity{}, reasonAtProvider, problem.New(problem.PermissionDenied, "%s did not sign you in. Try again; if it refuses you, ask whoever runs it for access to infsh.", o.Name())
	}
	who, err := o.provider.Identify(r.Context(), sso.Answer{
		Code: a.Code, Issuer: a.Issuer, Begun: waiting.CreatedAt,
		Nonce: derived(browser.Value, a.State, "nonce"), Verifier: derived(browser.Value, a.State, "verifier"),
	})
	var f *sso.Failure
	if errors.As(err, &f) {
		return who, string(f.Reason), o.failed(err)
	}
	return who, "", err
}

// failed says what to do about a provider that did not do its part.
func (o *SignOn) failed(err error) error {
	var f *sso.Failure
	if !errors.As(err, &f) {
		return err
	}
	out := &problem.Error{Code: problem.Unavailable, Cause: err}
	switch f.Reason {
	case sso.Unregistered:
		out.Detail = o.Name() + " does not accept this server. Whoever runs it has to look at the client id and secret of single sign-on."
	case sso.Unproved:
		out.Code = problem.PermissionDenied
		out.Detail = "What " + o.Name() + " answered does not prove who you are. Try again; if it stays, give the request id to whoever runs this server, whose log has the reason."
	default:
		out.Detail = o.Name() + " does not answer as it should just now. Try again in a minute, or sign in another way; if it stays, give the request id to whoever runs this server."
	}
	return out
}

// record writes down a sign-on that came to nothing.
func (o *SignOn) record(ctx context.Context, purpose SignOnPurpose, cur Session, from account.Origin, reason string) error {
	entry := failedLogin(Person{}, from, reason)
	entry.Target = bySignOn
	switch purpose {
	case ToConnect:
		entry = audit.By(cur.Actor, audit.ActConnectSignOn, o.Name(), audit.Failed)
	case ToProve:
		entry = audit.By(cur.Actor, audit.ActConfirm, bySignOn, audit.Failed)
	}
	entry.Reason = reason
	return audit.Record(ctx, o.sessions.store, entry)
}

// signIn begins a session of whom the provider has signed in, or asks for the
// second factor that this person has here.
func (o *SignOn) signIn(w http.ResponseWriter, r *http.Request, who sso.Identity, from account.Origin, try attempt) (team.Actor, error) {
	ctx, s := r.Context(), o.sessions
	userID, err := o.accounts.SignOn(ctx, account.Claim{Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, EmailVerified: who.EmailVerified}, from)
	if err != nil {
		return team.Actor{}, err
	}
	var person Person
	err = s.store.Update(ctx, func(tx Tx) error {
		person, err = tx.PersonByID(ctx, userID)
		return err
	})
	if err != nil {
		return team.Actor{}, err
	}
	use := func(ctx context.Context, tx Tx) error {
		// One that was disconnected meanwhile opens nothing.
		if ok, err := tx.UseIdentity(ctx, userID, who.Issuer, who.Subject, s.now()); err != nil || !ok {
			return errors.Join(err, staleSignOn())
		}
		return try.succeed(ctx, tx)
	}
	if person.HasFactors && !o.rules.TrustFactors {
		return team.Actor{}, s.waitFor(w, r, PendingLogin{UserID: userID}, http.SameSiteLaxMode, use)
	}
	return s.begin(w, r, person, person.First, from, shown{by: bySignOn, old: !who.Fresh && !o.rules.TrustSession, use: use})
}

// connect lets the session's person sign in by the provider from now on.
func (o *SignOn) connect(ctx context.Context, cur Session, who sso.Identity, try attempt) error {
	s := o.sessions
	return s.store.Update(ctx, func(tx Tx) error {
		now := account.Identity{UserID: cur.Actor.UserID(), Issuer: who.Issuer, Subject: who.Subject, Email: plainText(who.Email, account.MaxEmailLength), CreatedAt: s.now()}
		if err := tx.InsertIdentity(ctx, now); err != nil {
			return err
		}
		if err := try.succeed(ctx, tx); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActConnectSignOn, o.Name(), audit.Allowed))
	})
}

// prove confirms the session, if its person has just signed in at the provider.
func (o *SignOn) prove(w http.ResponseWriter, r *http.Request, cur Session, who sso.Identity, try attempt) error {
	ctx := r.Context()
	refuse := func(reason, format string, args ...any) error {
		return errors.Join(o.record(ctx, ToProve, cur, account.Origin{}, reason), problem.New(problem.PermissionDenied, format, args...))
	}
	if !who.Fresh && !o.rules.TrustSession {
		return refuse(reasonNotFresh, "%s did not ask you to sign in again, so it does not prove that it is you now. Confirm in another way, or sign out there first.", o.Name())
	}
	other := problem.New(problem.PermissionDenied, "This is another account at %s than the one that yours is connected with.", o.Name())
	err := o.sessions.confirmBy(w, r, cur, shown{by: bySignOn, use: func(ctx context.Context, tx Tx) error {
		if ok, err := tx.UseIdentity(ctx, cur.Actor.UserID(), who.Issuer, who.Subject, o.sessions.now()); err != nil || !ok {
			return errors.Join(err, other)
		}
		return try.succeed(ctx, tx)
	}})
	if errors.Is(err, problem.PermissionDenied) {
		return refuse(reasonOtherPerson, "%s", other.Detail)
	}
	return err
}

// Connection is what a person has to do with the provider.
type Connection struct {
	account.Identity
	// Needed says that nothing else signs the person in.
	Needed bool
}

// Connected reports whether the provider signs the person in.
func (c Connection) Connected() bool { return c.Subject != "" }

// Connection returns whether the provider signs in the session's person.
func (o *SignOn) Connection(ctx context.Context, cur Session) (out Connection, err error) {
	if err := audit.Guard(ctx, o.sessions.store, cur.Actor, team.ViewSelf, ""); err != nil {
		return out, err
	}
	out.Identity, err = o.sessions.store.IdentityOf(ctx, cur.Actor.UserID(), o.provider.Issuer())
	if errors.Is(err, problem.NotFound) {
		return Connection{}, nil
	}
	if err != nil {
		return out, err
	}
	have, err := o.sessions.store.Factors(ctx, cur.Actor.UserID())
	out.Needed = o.needed(have.NoPassword)
	return out, err
}

// needed reports whether a person could not sign in without the provider. A
// passkey alone does not count: it is lost with its device.
func (o *SignOn) needed(noPassword bool) bool { return o.rules.Only || noPassword }

// Disconnect ends that the provider signs in the session's person.
//
// Errors: problem.NotFound if it does not, problem.Conflict if nothing else does.
func (o *SignOn) Disconnect(ctx context.Context, cur Session) error {
	s, user := o.sessions, cur.Actor.UserID()
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActDisconnectSignOn); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		// Which keeps others from taking the password away meanwhile.
		hash, err := tx.PasswordHash(ctx, user)
		if err != nil {
			return err
		}
		n, err := tx.DeleteIdentities(ctx, user, o.provider.Issuer())
		switch {
		case err != nil:
			return err
		case n == 0:
			return problem.New(problem.NotFound, "Not found: your account is not connected with %s. It may have been disconnected already.", o.Name())
		case o.rules.Only:
			return problem.New(problem.Conflict, "Only %s signs in here, so it stays connected.", o.Name())
		case o.needed(hash == ""):
			return problem.New(problem.Conflict, "%s is the only way in which you can sign in, so it stays connected. Whoever runs the server can set a password for you with `infsh admin set-password`.", o.Name())
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActDisconnectSignOn, o.Name(), audit.Allowed))
	})
}

func (o *SignOn) notConnected() error {
	return problem.New(problem.Conflict, "Your account is not connected with %s, so it can't prove who you are. Confirm in another way.", o.Name())
}

func staleSignOn() error {
	return problem.New(problem.BadRequest, "This sign-in was begun in another browser, took too long, or was used already. Begin again.")
}

// UnlinkSignOn disconnects an account from all providers, for an operator at the
// machine. All sessions and command line logins of the account end; a password
// and API keys stay.
//
// Errors: problem.PermissionDenied for anybody but an operator,
// problem.NotFound for an address without an account.
func (s *Sessions) UnlinkSignOn(ctx context.Context, operator team.Actor, email string) (n int, err error) {
	if operator.Kind() != team.Operator {
		return 0, problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself disconnects another's account.")
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		person, err := operatorFinds(ctx, tx, email)
		if err != nil {
			return err
		}
		if n, err = tx.DeleteIdentities(ctx, person.UserID, ""); err != nil || n == 0 {
			return err
		}
		if err := revokeLogins(ctx, tx, person.UserID, ""); err != nil {
			return err
		}
		entry := audit.By(operator, audit.ActDisconnectSignOn, person.Email, audit.Allowed)
		entry.TeamID = person.First.TeamID
		return tx.AppendAudit(ctx, entry)
	})
	return n, err
}
