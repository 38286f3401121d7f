package account

import (
	"context"

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

// RenameTeam gives the actor's team another username, another name, or both;
// nil keeps what there is, and an empty name stands for the username. Nothing
// leads on from the old username, and for a while no other team gets it: what
// still names it fails, and does not end up in somebody else's team.
//
// Errors: problem.InvalidField (fields username, name), problem.Conflict, and
// those of audit.Guard.
func (s *Service) RenameTeam(ctx context.Context, actor team.Actor, username, name *string) (Team, error) {
	target := actor.TeamName()
	if username != nil {
		target += " → " + auditUsername(*username)
	}
	if err := audit.Guard(ctx, s.store, actor, team.RenameTeam, target); err != nil {
		return Team{}, err
	}
	var out Team
	err := s.locked(ctx, actor, team.RenameTeam, target, func(tx Tx, role team.Role) error {
		if role != team.Owner {
			return problem.New(problem.TeamRoleRequired, "Permission denied: only an owner renames team %s.", actor.TeamName())
		}
		before, err := tx.Team(ctx, actor.TeamID(), actor.UserID())
		if err != nil {
			return err
		}
		out = before
		if err := rename(&out, username, name); err != nil {
			return err
		}
		if out.Username == before.Username && out.Name == before.Name {
			return nil
		}
		out.UpdatedAt = s.now()
		if err := tx.RenameTeam(ctx, out.ID, before.Username, out.Username, out.Name, out.UpdatedAt); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.RenameTeam, before.Username+" → "+out.Username, audit.Allowed))
	})
	if err != nil {
		return Team{}, err
	}
	return out, nil
}

// rename applies the rules on names, and tells all errors at once.
func rename(t *Team, username, name *string) error {
	var fields []problem.Field
	if username != nil && *username != t.Username {
		if err := ParseUsername(*username); err != nil {
			fields = append(fields, problem.Field{Name: "username", Message: err.Error()})
		}
		if name == nil && t.Name == t.Username {
			t.Name = *username
		}
		t.Username = *username
	}
	if name != nil {
		parsed, err := parseTeamName(*name, t.Username)
		if err != nil {
			fields = append(fields, problem.Field{Name: "name", Message: err.Error()})
		}
		t.Name = parsed
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return nil
}

// Self returns the actor's user, and the team that it acts in.
func (s *Service) Self(ctx context.Context, actor team.Actor) (user User, in Team, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewSelf, ""); err != nil {
		return User{}, Team{}, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		if in, err = ownTeam(ctx, r, actor); err != nil || actor.IsService() {
			// A service key is nobody.
			user = User{ID: actor.UserID(), Name: actor.CredentialName()}
			return err
		}
		user, err = r.UserByID(ctx, actor.UserID())
		return err
	})
	return user, in, err
}

// ownTeam reads the team that the actor acts in. A service key has no
// membership, and a role of its own.
func ownTeam(ctx context.Context, r Reader, actor team.Actor) (Team, error) {
	if !actor.IsService() {
		return r.Team(ctx, actor.TeamID(), actor.UserID())
	}
	t, err := r.TeamByID(ctx, actor.TeamID())
	t.Role = actor.Role()
	return t, err
}

// Teams returns the teams of the actor's user, sorted by username. A key that
// acts in one team learns of no other.
func (s *Service) Teams(ctx context.Context, actor team.Actor) ([]Team, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewTeam, ""); err != nil {
		return nil, err
	}
	if actor.Kind() == team.Key {
		own, err := s.team(ctx, actor, actor.TeamID())
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
	return s.team(ctx, actor, id)
}

func (s *Service) team(ctx context.Context, actor team.Actor, id string) (t Team, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		if id == actor.TeamID() {
			t, err = ownTeam(ctx, r, actor)
		} else {
			t, err = r.Team(ctx, id, actor.UserID())
		}
		return err
	})
	return t, err
}

// NoTeam is the one answer for a team that does not exist and for one that the
// asker does not belong to.
func NoTeam() error {
	return problem.New(problem.NotFound, "Not found: you belong to no such team. `infsh teams list` shows yours.")
}

// Availability is whether a team may be made with a username.
type Availability string

const (
	Available Availability = "available"
	Taken     Availability = "taken"
	// Unusable is a name that no team can have.
	Unusable Availability = "reserved"
)

// CheckUsername reports whether a team may be made with that username, and in
// words why not.
func (s *Service) CheckUsername(ctx context.Context, actor team.Actor, username string) (is Availability, why string, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ViewTeam, ""); err != nil {
		return "", "", err
	}
	if err := ParseUsername(username); err != nil {
		return Unusable, err.Error(), nil
	}
	var taken bool
	err = s.store.View(ctx, func(r Reader) error {
		taken, err = r.UsernameTaken(ctx, username)
		return err
	})
	if err != nil {
		return "", "", err
	}
	if taken {
		return Taken, username + " is taken; choose another name", nil
	}
	return Available, "", nil
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
	if usernamePattern().MatchString(s) {
		return s
	}
	return "(not a valid team name)"
}
