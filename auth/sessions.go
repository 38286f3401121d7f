package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/gorilla/sessions"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

const (
	// SessionIdle ends a session that nobody uses.
	SessionIdle = 12 * time.Hour
	// SessionLifetime ends a session however much it is used. No renewal
	// moves that end.
	SessionLifetime = 14 * 24 * time.Hour
	// touchEvery is how exactly the last use is known, so that not every
	// request writes. It is part of SessionIdle.
	touchEvery = time.Minute
	// maxSessions is how many browsers of one user are signed in; a further
	// one signs out the one that has been idle the longest.
	maxSessions = 20

	sweepEvery      = 10 * time.Minute
	maxUserAgent    = 256
	secureCookie    = "__Host-infsh"
	plainCookie     = "infsh_session"
	maxCookieLength = 128
)

// SessionRecord is a session's row. Of the cookie it has only the SHA-256.
type SessionRecord struct {
	// ID names the session in the audit log and stays when the cookie changes.
	// It opens nothing.
	ID            string
	TokenHash     []byte
	UserID, Email string
	TeamID        string
	// CSRF is the token that the session's forms carry.
	CSRF                  string
	RemoteAddr, UserAgent string
	CreatedAt, LastSeenAt time.Time
	// ExpiresAt is the absolute end.
	ExpiresAt time.Time
	// ConfirmedAt is when the person last proved who they are.
	ConfirmedAt time.Time
}

// SessionTx is the part of a transaction that is about sessions.
type SessionTx interface {
	InsertSession(ctx context.Context, s SessionRecord) error
	// DeleteSession removes the session of a cookie, if there is one.
	DeleteSession(ctx context.Context, tokenHash []byte) error
	// DeleteSessions removes all sessions of a user, but for the one named.
	DeleteSessions(ctx context.Context, user, exceptID string) error
	// DeleteSessionOf removes a user's session by its id, and reports whether
	// there was one.
	DeleteSessionOf(ctx context.Context, user, id string) (bool, error)
	// KeepSessions removes all but the user's most recently seen sessions.
	KeepSessions(ctx context.Context, user string, keep int) error
	// SetSessionTeam changes the current team and reports whether that was
	// possible: the session lives, and its user belongs to the team.
	SetSessionTeam(ctx context.Context, id, team string) (bool, error)
	// RotateSession changes the cookie of a session whose person has proved who
	// they are; problem.NotFound if it has ended.
	RotateSession(ctx context.Context, id string, tokenHash []byte, confirmed time.Time) error
	// DeleteExpired removes sessions, device logins and keys that have ended.
	DeleteExpired(ctx context.Context, now, idleSince time.Time) error
}

// Session is a signed-in browser in one request. The zero Session is signed
// out.
type Session struct {
	Actor team.Actor
	// ID names the session; it is no secret, and is the actor's CredentialID.
	ID string
	// CSRF goes into each form; SameCSRF checks what comes back.
	CSRF                 string
	CreatedAt, ExpiresAt time.Time
	// ConfirmedAt is when its person last proved who they are; see Confirmed.
	ConfirmedAt time.Time
}

// SameCSRF reports, in constant time, whether a form came from this session.
func (s Session) SameCSRF(token string) bool {
	return s.CSRF != "" && subtle.ConstantTimeCompare([]byte(s.CSRF), []byte(token)) == 1
}

// Sessions keeps browser sessions in the database. It implements gorilla's
// sessions.Store: the cookie holds a random 256-bit id and nothing else, the
// table holds the id's SHA-256.
//
// Save makes, rotates or ends a session as this package's own methods have
// prepared it. Values that others put into a gorilla session are not kept.
type Sessions struct {
	store     Store
	passwords *Passwords
	// keys seal what belongs to a person.
	keys   Sealer
	secure bool
	// onlyBy is the provider by which alone people sign in; empty if there is none.
	onlyBy string
	// relying checks passkeys; nil where the site can have none.
	relying *webauthn.WebAuthn
	now     func() time.Time

	mu      sync.Mutex
	sweptAt time.Time
}

var _ sessions.Store = (*Sessions)(nil)

// NewSessions makes a Sessions for the site under which people reach the
// server; nil for a command of the operator. With https the cookie is named
// __Host-infsh and travels over https alone.
func NewSessions(store Store, passwords *Passwords, keys Sealer, site *url.URL) *Sessions {
	return &Sessions{store: store, passwords: passwords, keys: keys, secure: site != nil && site.Scheme == "https", relying: newRelyingParty(site), now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// CookieName is the name of the session's cookie.
func (s *Sessions) CookieName() string {
	if s.secure {
		return secureCookie
	}
	return plainCookie
}

type stateKey struct{}

// state is what a gorilla session of this store carries.
type state struct {
	record     SessionRecord
	membership Membership
	// token is the cookie's new content; empty leaves the browser's alone.
	token string
	// change is done in one transaction when the session is saved.
	change func(context.Context, Tx) error
}

// Get returns the request's session, loading it once a request.
func (s *Sessions) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New loads the session that the request's cookie names. Without a live one,
// the session returned is new and empty.
func (s *Sessions) New(r *http.Request, name string) (*sessions.Session, error) {
	gs := sessions.NewSession(s, name)
	gs.IsNew = true
	gs.Options = &sessions.Options{Path: "/", MaxAge: int(SessionLifetime.Seconds()), Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	hash, ok := s.presented(r, name)
	if !ok {
		return gs, nil
	}
	st, err := s.load(r.Context(), hash, !byItself(r))
	switch {
	case errors.Is(err, problem.NotFound):
		return gs, nil
	case err != nil:
		return gs, err
	}
	gs.ID, gs.IsNew = st.record.ID, false
	gs.Values[stateKey{}] = st
	return gs, nil
}

// Save carries out the session's prepared change and then sets the cookie, or
// removes it if the session's MaxAge is negative.
func (s *Sessions) Save(r *http.Request, w http.ResponseWriter, gs *sessions.Session) error {
	st, _ := gs.Values[stateKey{}].(*state)
	if st != nil && st.change != nil {
		if err := s.store.Update(r.Context(), func(tx Tx) error { return st.change(r.Context(), tx) }); err != nil {
			return err
		}
		st.change = nil
	}
	switch {
	case gs.Options.MaxAge < 0:
		http.SetCookie(w, sessions.NewCookie(gs.Name(), "", gs.Options))
	case st != nil && st.token != "":
		gs.Options.MaxAge = max(1, int(st.record.ExpiresAt.Sub(s.now()).Seconds()))
		http.SetCookie(w, sessions.NewCookie(gs.Name(), st.token, gs.Options))
	}
	return nil
}

// presented returns the hash of the cookie that came with the request.
func (s *Sessions) presented(r *http.Request, name string) (hash []byte, ok bool) {
	cookie, err := r.Cookie(name)
	if err != nil || cookie.Value == "" || len(cookie.Value) > maxCookieLength {
		return nil, false
	}
	return hashToken(cookie.Value), true
}

// find returns a session that has not ended.
func (s *Sessions) find(ctx context.Context, hash []byte) (SessionRecord, Membership, error) {
	record, membership, err := s.store.Session(ctx, hash)
	if err != nil {
		return record, membership, err
	}
	now := s.now()
	if !now.Before(record.ExpiresAt) || now.Sub(record.LastSeenAt) >= SessionIdle {
		return record, membership, problem.New(problem.NotFound, "the session has ended")
	}
	return record, membership, nil
}

// load finds a live session, and notes that it is in use. One whose user was
// removed from its team goes on in another team of the user's, and ends if
// there is none.
func (s *Sessions) load(ctx context.Context, hash []byte, used bool) (*state, error) {
	record, membership, err := s.find(ctx, hash)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if membership.IsZero() {
		if membership, err = s.fallBack(ctx, record); err != nil {
			return nil, err
		}
	}
	if used && now.Sub(record.LastSeenAt) >= touchEvery {
		if err := s.store.TouchSession(ctx, hash, now, now.Add(-touchEvery)); err != nil {
			return nil, err
		}
	}
	return &state{record: record, membership: membership}, nil
}

func (s *Sessions) fallBack(ctx context.Context, record SessionRecord) (m Membership, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		if m, err = tx.FirstMembership(ctx, record.UserID); err != nil {
			return err
		}
		if m.IsZero() {
			return tx.DeleteSession(ctx, record.TokenHash)
		}
		_, err := tx.SetSessionTeam(ctx, record.ID, m.TeamID)
		return err
	})
	if err == nil && m.IsZero() {
		err = problem.New(problem.NotFound, "the session's user belongs to no team")
	}
	return m, err
}

// Logout ends the session and removes its cookie.
func (s *Sessions) Logout(w http.ResponseWriter, r *http.Request, cur Session) error {
	return s.end(w, r, func(ctx context.Context, tx Tx, hash []byte) error {
		if cur.ID == "" {
			return nil
		}
		if err := tx.DeleteSession(ctx, hash); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActLogout, "", audit.Allowed))
	})
}

// SignOutEverywhere ends all sessions and command line logins of the session's
// user, this one included. API keys stay.
func (s *Sessions) SignOutEverywhere(w http.ResponseWriter, r *http.Request, cur Session) error {
	if err := audit.Guard(r.Context(), s.store, cur.Actor, team.ChangeSelf, audit.ActSignOutAll); err != nil {
		return err
	}
	return s.end(w, r, func(ctx context.Context, tx Tx, _ []byte) error {
		if err := revokeLogins(ctx, tx, cur.Actor.UserID(), ""); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActSignOutAll, "", audit.Allowed))
	})
}

// revokeLogins ends what a password has opened: sessions, command line logins,
// device logins that were approved and not fetched yet, and sign-ins that wait
// for a second factor.
func revokeLogins(ctx context.Context, tx Tx, user, exceptSession string) error {
	return errors.Join(
		tx.DeleteSessions(ctx, user, exceptSession),
		tx.DeleteLogins(ctx, user),
		tx.DeleteDevicesOf(ctx, user),
		tx.DeletePendingOf(ctx, user),
	)
}

func (s *Sessions) end(w http.ResponseWriter, r *http.Request, change func(context.Context, Tx, []byte) error) error {
	gs := s.fresh(r, &state{})
	hash, ok := s.presented(r, s.CookieName())
	if ok {
		gs.Values[stateKey{}] = &state{change: func(ctx context.Context, tx Tx) error { return change(ctx, tx, hash) }}
	}
	gs.Options.MaxAge = -1
	return s.Save(r, w, gs)
}

// fresh makes a gorilla session with a prepared change, whatever cookie came.
func (s *Sessions) fresh(r *http.Request, st *state) *sessions.Session {
	gs := sessions.NewSession(s, s.CookieName())
	gs.Options = &sessions.Options{Path: "/", MaxAge: int(SessionLifetime.Seconds()), Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	gs.Values[stateKey{}] = st
	return gs
}

// SwitchTeam makes another team of the user the session's current one, from
// the next request on. It is the one place where a team comes from a form, so
// it asks for the membership; a team that does not exist and one that the user
// is not in are problem.NotFound alike.
func (s *Sessions) SwitchTeam(ctx context.Context, cur Session, teamID string) error {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ViewSelf, audit.ActSwitchTeam); err != nil {
		return err
	}
	if uuid.Validate(teamID) != nil {
		return noTeam()
	}
	return s.store.Update(ctx, func(tx Tx) error {
		switched, err := tx.SetSessionTeam(ctx, cur.ID, teamID)
		if err != nil {
			return err
		}
		if !switched {
			return noTeam()
		}
		entry := audit.By(cur.Actor, audit.ActSwitchTeam, "", audit.Allowed)
		entry.TeamID = teamID
		return tx.AppendAudit(ctx, entry)
	})
}

// Sweep removes what has ended: sessions, keys, device logins, throttles. It
// runs by itself after sign-ins, at most every ten minutes an instance.
// Nothing depends on it: what has ended is refused whether it was removed or
// not.
func (s *Sessions) Sweep(ctx context.Context) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteExpired(ctx, now, now.Add(-SessionIdle)); err != nil {
			return err
		}
		if err := tx.ForgetCalls(ctx, now.Add(-RememberCalls)); err != nil {
			return err
		}
		if err := tx.ForgetRevoked(ctx, now.Add(-rememberRevoked)); err != nil {
			return err
		}
		return tx.DeleteThrottles(ctx, now.Add(-forgetFailures))
	})
}

func (s *Sessions) sweepSometimes(ctx context.Context) error {
	s.mu.Lock()
	due := s.now().Sub(s.sweptAt) >= sweepEvery
	if due {
		s.sweptAt = s.now()
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.Sweep(ctx)
}

// newRecord makes a session of a person in a team, and the cookie for it.
func newRecord(p Person, teamID, remoteAddr, userAgent string, now time.Time) (record SessionRecord, cookie string) {
	cookie = random256()
	return SessionRecord{
		ID: uuid.NewString(), TokenHash: hashToken(cookie), UserID: p.UserID, Email: p.Email, TeamID: teamID, CSRF: random256(),
		RemoteAddr: remoteAddr, UserAgent: plainText(userAgent, maxUserAgent),
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(SessionLifetime), ConfirmedAt: now,
	}, cookie
}

// plainText makes a client's own words fit for a database and a page: valid
// UTF-8 without control characters, cut to a number of bytes.
func plainText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
