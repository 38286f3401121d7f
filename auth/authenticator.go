package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// TeamHeader chooses the team that a login credential acts in, by username.
const TeamHeader = "X-Infsh-Team"

// keyTouchEvery is how exactly the last use of an API key is known.
const keyTouchEvery = 5 * time.Minute

// Authenticator finds out who sends a request. It asks the database each time,
// so that what was revoked, or removed, or given another role, is so at the
// next request on every instance.
type Authenticator struct {
	store     Store
	sessions  *Sessions
	requestID func(*http.Request) string
}

// NewAuthenticator makes an Authenticator. requestID names a request for the
// audit log; it may be nil.
func NewAuthenticator(store Store, s *Sessions, requestID func(*http.Request) string) *Authenticator {
	if requestID == nil {
		requestID = func(*http.Request) string { return "" }
	}
	return &Authenticator{store: store, sessions: s, requestID: requestID}
}

// Origin says where the request came from.
func (a *Authenticator) Origin(r *http.Request) account.Origin {
	return account.Origin{RemoteAddr: RemoteAddr(r), RequestID: a.requestID(r)}
}

// RemoteAddr returns the address of the peer that holds the connection,
// without its port. What a client claims in X-Forwarded-For is not asked.
func RemoteAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Session returns the browser session of the request, with its user's present
// role in its current team.
//
// Errors: problem.NotSignedIn without a cookie or with one that opens nothing.
func (a *Authenticator) Session(r *http.Request) (Session, error) {
	gs, err := a.sessions.Get(r, a.sessions.CookieName())
	if err != nil {
		return Session{}, err
	}
	st, ok := gs.Values[stateKey{}].(*state)
	if !ok {
		return Session{}, problem.New(problem.NotSignedIn, "Not signed in. Sign in to go on.")
	}
	return Session{
		Actor: sessionActor(st.record, st.membership, a.Origin(r)),
		ID:    st.record.ID, CSRF: st.record.CSRF, CreatedAt: st.record.CreatedAt, ExpiresAt: st.record.ExpiresAt,
		ConfirmedAt: st.record.ConfirmedAt,
	}, nil
}

func sessionActor(s SessionRecord, m Membership, from account.Origin) team.Actor {
	return newActor(m, team.Identity{
		Kind: team.Session, UserID: s.UserID, Email: s.Email, CredentialID: s.ID,
		RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	})
}

// newActor completes an identity with what its user is in a team. It is the
// only caller of team.NewActor but for the operator.
func newActor(m Membership, id team.Identity) team.Actor {
	id.TeamID, id.TeamName, id.Role, id.MembersMayEdit = m.TeamID, m.TeamName, m.Role, m.MembersMayEdit
	return team.NewActor(id)
}

// Bearer returns the actor of the API key in the request's Authorization
// header. A key in the URL or in a cookie is not looked for.
//
// Errors: problem.NotSignedIn without a key or with one that is not valid,
// problem.WrongTeam if TeamHeader names a team that the key can't act in.
func (a *Authenticator) Bearer(r *http.Request) (team.Actor, error) {
	token, err := bearerToken(r.Header)
	if err != nil {
		return team.Actor{}, err
	}
	teamName, err := namedTeam(r.Header)
	if err != nil {
		return team.Actor{}, err
	}
	if token.ofRunner {
		return a.runner(r, token, teamName)
	}
	key, m, err := a.store.Key(r.Context(), token.hash(), teamName)
	if errors.Is(err, problem.NotFound) {
		return team.Actor{}, a.unknown(r, token)
	}
	if err != nil {
		return team.Actor{}, err
	}
	now := a.sessions.now()
	if err := usable(key, m, teamName, now); err != nil {
		return team.Actor{}, err
	}
	if now.Sub(key.LastUsedAt) >= keyTouchEvery {
		var expires time.Time
		if key.Kind == team.Login {
			expires = now.Add(LoginIdle)
		}
		if err := a.store.TouchKey(r.Context(), key.TeamID, key.ID, now, now.Add(-keyTouchEvery), expires); err != nil {
			return team.Actor{}, err
		}
	}
	return newActor(m, a.identity(r, key)), nil
}

// Presumed returns the actor that the request's API key was when it was last
// read, without asking the database, for what compares the team's revision
// itself. ok is false where Bearer has to be asked: the key is not known here, or
// can't be used, or its use is to be noted.
func (a *Authenticator) Presumed(r *http.Request) (p team.Presumed, ok bool) {
	token, err := bearerToken(r.Header)
	if err != nil || token.ofRunner || len(r.Header.Values(TeamHeader)) > 0 {
		return p, false
	}
	key, m, revision, ok := a.store.LastKey(token.hash())
	now := a.sessions.now()
	if !ok || usable(key, m, "", now) != nil || now.Sub(key.LastUsedAt) >= keyTouchEvery {
		return p, false
	}
	return team.Presume(newActor(m, a.identity(r, key)), revision), true
}

// usable says what keeps a key from being used in a team, empty for its own.
func usable(key Key, m Membership, teamName string, now time.Time) error {
	switch {
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return badKey("has expired")
	case key.Kind == team.Key && !m.IsZero() && m.TeamID != key.TeamID, m.IsZero() && teamName != "":
		return wrongTeam(teamName)
	case m.IsZero():
		return badKey("belongs to somebody who is not in its team any more")
	}
	return nil
}

func (a *Authenticator) identity(r *http.Request, key Key) team.Identity {
	from := a.Origin(r)
	id := team.Identity{
		Kind: key.Kind, UserID: key.UserID, Email: key.Email, CredentialID: key.ID, CredentialName: key.Name, Scopes: key.Scopes,
		Service: key.IsService(), App: key.App, RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}
	if id.Service {
		// It acts for nobody, and least of all for whoever made it.
		id.UserID, id.Email = key.ID, key.Name+" (service key)"
	}
	return id
}

// unknown answers a token that is no key's. One that was a key's until it was
// revoked is still used by somebody, and the team learns of it: an entry of
// the audit log at most every few minutes.
func (a *Authenticator) unknown(r *http.Request, token Token) error {
	now := a.sessions.now()
	revoked, err := a.store.RevokedKey(r.Context(), token.hash())
	if errors.Is(err, problem.NotFound) {
		return badKey("is not valid, or was revoked")
	}
	if err != nil {
		return err
	}
	if now.Sub(revoked.TriedAt) >= keyTouchEvery {
		from := a.Origin(r)
		err := a.store.Update(r.Context(), func(tx Tx) error {
			first, err := tx.TriedRevoked(r.Context(), token.hash(), now, now.Add(-keyTouchEvery))
			if err != nil || !first {
				return err
			}
			return tx.AppendAudit(r.Context(), audit.Entry{
				TeamID: revoked.TeamID, ActorKind: string(team.Key), ActorID: revoked.UserID, CredentialID: revoked.KeyID, Action: audit.ActRevokedKey,
				Target: revoked.Name, Outcome: audit.Failed, Reason: string(problem.NotSignedIn), RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
			})
		})
		if err != nil {
			return unrecorded(err)
		}
	}
	return badKey("was revoked")
}

// bearerToken reads the header of RFC 6750, section 2.1, and checks the
// token's form, so that a mistyped key costs no query.
func bearerToken(h http.Header) (Token, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return Token{}, problem.New(problem.NotSignedIn, "Not signed in. Run `infsh login`, or set INFSH_API_KEY.")
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	token, err := ParseToken(text)
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || err != nil {
		return Token{}, badKey("is not valid: it is written Authorization: Bearer infsh_…, complete and without quotes")
	}
	return token, nil
}

// namedTeam returns the team that the request asks for, empty if none.
func namedTeam(h http.Header) (string, error) {
	values := h.Values(TeamHeader)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || account.ParseUsername(values[0]) != nil {
		return "", wrongTeam("")
	}
	return values[0], nil
}

// InTeam returns the actor in another team of the same person. A team that
// does not exist and one that the person is not in are problem.NotFound alike;
// so is, for a key that acts in one team, every other team.
func (a *Authenticator) InTeam(ctx context.Context, actor team.Actor, teamID string) (team.Actor, error) {
	if !actor.IsZero() && teamID == actor.TeamID() {
		return actor, nil
	}
	if actor.Kind() != team.Session && actor.Kind() != team.Login || uuid.Validate(teamID) != nil {
		return team.Actor{}, noTeam()
	}
	m, err := a.store.Membership(ctx, teamID, actor.UserID())
	if err != nil {
		return team.Actor{}, err
	}
	return newActor(m, team.Identity{
		Kind: actor.Kind(), UserID: actor.UserID(), Email: actor.Email(), CredentialID: actor.CredentialID(), CredentialName: actor.CredentialName(),
		Scopes: actor.Scopes(), RemoteAddr: actor.RemoteAddr(), RequestID: actor.RequestID(),
	}), nil
}

func noTeam() error { return account.NoTeam() }

func badKey(why string) error {
	return problem.New(problem.NotSignedIn, "Not signed in: this API key %s. Run `infsh login`, or set INFSH_API_KEY to another.", why)
}

// wrongTeam answers alike for another's team and for one that does not exist.
func wrongTeam(name string) error {
	if name == "" {
		return problem.New(problem.WrongTeam, "Permission denied: %s does not name a team. `infsh teams list` shows yours.", TeamHeader)
	}
	return problem.New(problem.WrongTeam, "Permission denied: this API key can't act in team %s. A key acts in the team that it was made in, and a login in the teams of its user; `infsh teams list` shows them.", name)
}
