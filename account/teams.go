package account

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// CreateTeam makes a team that the actor owns. An empty name stands for the
// username.
//
// Errors: problem.InvalidField (fields username, name), problem.Conflict, and
// those of audit.Guard.
func (s *Service) CreateTeam(ctx context.Context, actor team.Actor, username, name string) (Team, error) {
	if err := audit.Guard(ctx, s.store, actor, team.CreateTeam, auditUsername(username)); err != nil {
		return Team{}, err
	}
	var fields []problem.Field
	if err := ParseUsername(username); err != nil {
		fields = append(fields, problem.Field{Name: "username", Message: err.Error()})
	}
	name, err := parseTeamName(name, username)
	if err != nil {
		fields = append(fields, problem.Field{Name: "name", Message: err.Error()})
	}
	if len(fields) > 0 {
		return Team{}, &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	made := newTeam(username, name, actor.UserID(), s.now())
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := s.insertOwned(ctx, tx, made, actor.UserID()); err != nil {
			return err
		}
		entry := audit.By(actor, team.CreateTeam, username, audit.Allowed)
		entry.TeamID = made.ID
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return Team{}, err
	}
	return Team{ID: made.ID, Username: username, Name: name, Role: team.Owner, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt}, nil
}

// Self returns the actor's user, and the team that it acts in.
func (s *Service) Self(ctx context.Context, actor team.Actor) (user User, in Team, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewSelf, ""); err != nil {
		return User{}, Team{}, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		if user, err = r.UserByID(ctx, actor.UserID()); err != nil {
			return err
		}
		in, err = r.Team(ctx, actor.TeamID(), actor.UserID())
		return err
	})
	return user, in, err
}

// Teams returns the teams of the actor's user, sorted by username. A key that
// acts in one team learns of no other.
func (s *Service) Teams(ctx context.Context, actor team.Actor) ([]Team, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewTeam, ""); err != nil {
		return nil, err
	}
	if actor.Kind() == team.Key {
		own, err := s.team(ctx, actor.TeamID(), actor.UserID())
		if err != nil {
			return nil, err
		}
		return []Team{own}, nil
	}
	var teams []Team
	err := s.store.View(ctx, func(r Reader) (err error) {
		teams, err = r.TeamsOf(ctx, actor.UserID())
		return err
	})
	return teams, err
}

// Team returns one team of the actor's user. Another team, and for a key that
// acts in one team also the user's other teams, is problem.NotFound, as one
// that does not exist.
func (s *Service) Team(ctx context.Context, actor team.Actor, id string) (Team, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewTeam, ""); err != nil {
		return Team{}, err
	}
	if uuid.Validate(id) != nil || actor.Kind() == team.Key && id != actor.TeamID() {
		return Team{}, NoTeam()
	}
	return s.team(ctx, id, actor.UserID())
}

func (s *Service) team(ctx context.Context, id, user string) (t Team, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		t, err = r.Team(ctx, id, user)
		return err
	})
	return t, err
}

// NoTeam is the one answer for a team that does not exist and for one that the
// asker does not belong to.
func NoTeam() error {
	return problem.New(problem.NotFound, "Not found: you belong to no such team. `infsh teams list` shows yours.")
}

// CheckUsername reports whether a team may be made with that username, and why
// not.
func (s *Service) CheckUsername(ctx context.Context, actor team.Actor, username string) (available bool, reason string, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewTeam, ""); err != nil {
		return false, "", err
	}
	if err := ParseUsername(username); err != nil {
		return false, err.Error(), nil
	}
	err = s.store.View(ctx, func(r Reader) error {
		_, err := r.TeamID(ctx, username)
		return err
	})
	switch {
	case errors.Is(err, problem.NotFound):
		return true, "", nil
	case err != nil:
		return false, "", err
	}
	return false, username + " is taken; choose another name", nil
}

// SetMembersMayEdit stores whether members of the actor's team may write its
// secrets.
func (s *Service) SetMembersMayEdit(ctx context.Context, actor team.Actor, on bool) error {
	target := "members_may_edit=false"
	if on {
		target = "members_may_edit=true"
	}
	if err := audit.Guard(ctx, s.store, actor, team.EditTeam, target); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		if err := tx.SetMembersMayEdit(ctx, actor.TeamID(), on, s.now()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.EditTeam, target, audit.Allowed))
	})
}

// auditUsername bounds what an untrusted name can put into the audit log.
func auditUsername(s string) string {
	if usernamePattern.MatchString(s) {
		return s
	}
	return "(not a valid team name)"
}
