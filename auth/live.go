package auth

import (
	"errors"
	"net/http"

	"infsh/problem"
)

// LiveHeader marks what a page asks for by itself, to show what has changed.
const LiveHeader = "X-Infsh-Live"

// byItself reports whether an open page sent the request, and not its person:
// the stream by which it waits for changes, or what it then asks for. That is
// no use of the session, which would never be idle otherwise. Who claims it
// falsely ends their own session the sooner.
func byItself(r *http.Request) bool {
	return r.Header.Get("Accept") == "text/event-stream" || r.Header.Get(LiveHeader) != ""
}

// Still asks anew whether a session that the request had before has not ended,
// and its user still belongs to the team that it is in.
//
// Errors: problem.NotSignedIn if it has ended, problem.WrongTeam if it goes on
// in another team.
func (a *Authenticator) Still(r *http.Request, was Session) error {
	hash, ok := a.sessions.presented(r, a.sessions.CookieName())
	if !ok {
		return problem.New(problem.NotSignedIn, "Not signed in. Sign in to go on.")
	}
	record, membership, err := a.sessions.find(r.Context(), hash)
	switch {
	case errors.Is(err, problem.NotFound):
		return problem.New(problem.NotSignedIn, "The session has ended. Sign in to go on.")
	case err != nil:
		return err
	case record.ID != was.ID:
		return problem.New(problem.NotSignedIn, "This is another session. Sign in to go on.")
	case membership.TeamID != was.Actor.TeamID():
		return problem.New(problem.WrongTeam, "The session is in another team now.")
	}
	return nil
}
