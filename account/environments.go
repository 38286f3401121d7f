package account

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Environment says which of a group of teams a team is: staging of Acme. A team
// that stands alone has the zero Environment.
type Environment struct {
	// GroupID is what the teams of a group have in common. It is random, so a
	// team gets into a group by being made from one of its teams, and not by
	// calling itself so.
	GroupID, GroupName string
	Name               string
}

// IsZero reports a team that stands alone.
func (e Environment) IsZero() bool { return e.GroupID == "" }

const defaultEnvironment = "production"

// Duplicate is a team to be made from the actor's.
type Duplicate struct {
	// As is the new team's environment, such as staging.
	As string
	// This is the environment that the actor's team is, where it is in no group
	// yet; empty stands for production.
	This string
	// Username and Name are the new team's; empty ones are made from the
	// environment.
	Username, Name string
	// Members takes the people along, with their roles. Only an owner can.
	Members bool
}

// EnvironmentTx is the part of a transaction that is about environments.
type EnvironmentTx interface {
	// InsertEnvironment returns problem.Conflict if the group has the
	// environment.
	InsertEnvironment(ctx context.Context, team string, e Environment, now time.Time) error
	// ExpectKeys has the team expect each key that the other one has or expects,
	// with its description, and returns how many they are.
	ExpectKeys(ctx context.Context, team, like string, now time.Time) (int, error)
}

// DuplicateTeam makes a team that the actor's person owns, as another
// environment of the actor's. It expects the same keys, with their
// descriptions; no value goes from one to the other. It returns the new team
// and the number of those keys.
//
// Errors: problem.InvalidField (fields as, this, username, name),
// problem.Conflict (fields as, username), problem.TeamRoleRequired if Members
// is asked for by anybody but an owner, and those of audit.Guard.
func (s *Service) DuplicateTeam(ctx context.Context, actor team.Actor, d Duplicate) (Team, int, error) {
	for _, action := range []team.Action{team.DuplicateTeam, team.ListSecrets} {
		if err := audit.Guard(ctx, s.store, actor, action, auditUsername(d.As)); err != nil {
			return Team{}, 0, err
		}
	}
	var out Team
	var keys int
	err := s.locked(ctx, actor, team.DuplicateTeam, auditUsername(d.As), func(tx Tx, role team.Role) error {
		if !role.AtLeast(team.Admin) || d.Members && role != team.Owner {
			return problem.New(problem.TeamRoleRequired, "Permission denied: only an owner of %s takes its members along into another team.", actor.TeamName())
		}
		from, err := tx.Team(ctx, actor.TeamID(), actor.UserID())
		if err != nil {
			return err
		}
		now := s.now()
		grouped := from.Environment.IsZero()
		if out, err = planDuplicate(&from, d); err != nil {
			return err
		}
		if grouped {
			if err := tx.InsertEnvironment(ctx, from.ID, from.Environment, now); err != nil {
				return err
			}
		}
		made := newTeam(out.Username, out.Name, actor.UserID(), now)
		out.ID, out.Role, out.CreatedAt, out.UpdatedAt = made.ID, team.Owner, now, now
		if err := s.insertOwned(ctx, tx, made, actor.UserID()); err != nil {
			return err
		}
		if err := tx.SetMembersMayEdit(ctx, made.ID, out.MembersMayEdit, now); err != nil {
			return err
		}
		if err := tx.InsertEnvironment(ctx, made.ID, out.Environment, now); err != nil {
			return err
		}
		if keys, err = tx.ExpectKeys(ctx, made.ID, from.ID, now); err != nil {
			return err
		}
		entry := audit.By(actor, team.CreateTeam, made.Username, audit.Allowed)
		entry.TeamID = made.ID
		if err := tx.AppendAudit(ctx, entry); err != nil {
			return err
		}
		if d.Members {
			if err := s.takeAlong(ctx, tx, actor, made.ID); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.DuplicateTeam, made.Username, audit.Allowed))
	})
	if err != nil {
		return Team{}, 0, err
	}
	return out, keys, nil
}

// takeAlong gives the other people of the actor's team their roles in another.
func (s *Service) takeAlong(ctx context.Context, tx Tx, actor team.Actor, to string) error {
	members, err := tx.Members(ctx, actor.TeamID())
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.UserID == actor.UserID() {
			continue
		}
		if err := tx.InsertMember(ctx, to, m.UserID, m.Role, s.now()); err != nil {
			return err
		}
		entry := audit.By(actor, team.AddMember, m.UserID+" "+string(m.Role), audit.Allowed)
		entry.TeamID = to
		if err := tx.AppendAudit(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// planDuplicate applies the rules on names, fills in those that were left out,
// and gives the team that is duplicated its own environment if it has none. All
// errors are told at once.
func planDuplicate(from *Team, d Duplicate) (Team, error) {
	var fields []problem.Field
	fail := func(name, format string, args ...any) {
		fields = append(fields, problem.Field{Name: name, Message: fmt.Sprintf(format, args...)})
	}
	if !usernamePattern().MatchString(d.As) {
		fail("as", "an environment is named by 1 to 32 lower-case letters, digits and dashes, such as staging")
	}
	if from.Environment.IsZero() {
		this := d.This
		if this == "" {
			this = defaultEnvironment
		}
		if !usernamePattern().MatchString(this) {
			fail("this", "an environment is named by 1 to 32 lower-case letters, digits and dashes, such as production")
		}
		from.Environment = Environment{GroupID: uuid.NewString(), GroupName: from.Name, Name: this}
	} else if d.This != "" && d.This != from.Environment.Name {
		fail("this", "this team is %s already", from.Environment.Name)
	}
	if d.As == from.Environment.Name {
		fail("as", "this team is %s itself; name the new one otherwise", d.As)
	}
	to := Team{Username: d.Username, MembersMayEdit: from.MembersMayEdit, Environment: from.Environment}
	to.Environment.Name = d.As
	if to.Username == "" {
		to.Username = strings.TrimSuffix(from.Username, "-"+from.Environment.Name) + "-" + d.As
	}
	if err := ParseUsername(to.Username); err != nil && len(fields) == 0 {
		fail("username", "%v", err)
	}
	name := d.Name
	if full := from.Environment.GroupName + " " + d.As; name == "" && utf8.RuneCountInString(full) <= MaxTeamNameLength {
		name = full
	}
	name, err := parseTeamName(name, to.Username)
	if err != nil {
		fail("name", "%v", err)
	}
	to.Name = name
	if len(fields) > 0 {
		return Team{}, &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return to, nil
}
