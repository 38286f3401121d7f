package auth

import (
	"context"

	"infsh/problem"
	"infsh/team"
)

// Operator returns the actor of a person at the machine itself, who has the
// database and its key in hand anyway. It has no team, so that every team's
// data is denied to it; account.CreateUser takes it.
func Operator(name string) team.Actor {
	return team.NewActor(team.Identity{Kind: team.Operator, Email: name})
}

// OperatorAs returns an operator who acts for a user in a team, with the
// user's rights there. The audit log tells the two apart by the actor's kind.
//
// Errors: problem.PermissionDenied for anybody but an operator,
// problem.NotFound if the user is not in the team.
func (a *Authenticator) OperatorAs(ctx context.Context, operator team.Actor, userID, teamID string) (team.Actor, error) {
	if operator.Kind() != team.Operator {
		return team.Actor{}, problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself acts for others.")
	}
	m, err := a.store.Membership(ctx, teamID, userID)
	if err != nil {
		return team.Actor{}, err
	}
	return newActor(m, team.Identity{Kind: team.Operator, UserID: userID, Email: operator.Email()}), nil
}
