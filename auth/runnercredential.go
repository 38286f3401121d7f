package auth

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// RunnerKind is the kind of actor that a RunnerCredential makes.
const RunnerKind = string(team.Runner)

// RunnerCredential is what a platform's token was exchanged for. It may run one
// app, is nobody's, and is in no list; it ends by itself after a few minutes, and
// with its trust or its app.
type RunnerCredential struct {
	ID, TeamID string
	// TrustID is what the team trusts that gave it.
	TrustID, AppID       string
	TokenHash            []byte
	CreatedAt, ExpiresAt time.Time
}

// RunnerRecord is one that was presented, with what it acts as now.
type RunnerRecord struct {
	RunnerCredential
	TeamName, TrustName string
	// App is the app's present name.
	App team.AppBinding
}

// NewRunnerCredential makes one for an app of a team, and its value, which is
// never shown again.
func NewRunnerCredential(teamID, trustID, appID string, now, ends time.Time) (RunnerCredential, redact.Value) {
	t := newRunnerToken()
	return RunnerCredential{
		ID: uuid.NewString(), TeamID: teamID, TrustID: trustID, AppID: appID, TokenHash: t.hash(), CreatedAt: now, ExpiresAt: ends,
	}, t.value
}

// RunnerName is who a run by a trust is in the audit log.
func RunnerName(trust string) string { return trust + " (trusted runner)" }

// runner returns the actor of a RunnerCredential: of its own team and of no
// other, with the one scope that runs apps, and for one app.
func (a *Authenticator) runner(r *http.Request, token Token, teamName string) (team.Actor, error) {
	c, err := a.store.RunnerCredential(r.Context(), token.hash())
	if errors.Is(err, problem.NotFound) || err == nil && !a.sessions.now().Before(c.ExpiresAt) {
		return team.Actor{}, problem.New(problem.NotSignedIn, "Not signed in: this credential has ended, or what the team trusts was changed. Exchange another token for a new one.")
	}
	if err != nil {
		return team.Actor{}, err
	}
	if teamName != "" && teamName != c.TeamName {
		return team.Actor{}, wrongTeam(teamName)
	}
	from := a.Origin(r)
	return newActor(Membership{TeamID: c.TeamID, TeamName: c.TeamName, Role: team.Member}, team.Identity{
		Kind: team.Runner, UserID: c.TrustID, Email: RunnerName(c.TrustName), CredentialID: c.ID, CredentialName: c.TrustName,
		Scopes: team.Scopes{team.ScopeAppsExecute}, Service: true, App: c.App, RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}), nil
}
