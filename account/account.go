// Package account holds people and their teams: the first user, further users,
// teams, members and their roles. Signing in is package auth's.
package account

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Origin is where a request came from, for the audit log.
type Origin struct {
	// RemoteAddr is the peer's address without its port.
	RemoteAddr string
	RequestID  string
}

// User is a person.
type User struct {
	ID    string
	Email string
	// Name is set for a service key, which has no address.
	Name      string
	CreatedAt time.Time
}

// Team is a team as one of its members sees it.
type Team struct {
	ID       string
	Username string
	Name     string
	// Role is that of the asking user.
	Role           team.Role
	MembersMayEdit bool
	Environment    Environment
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Member is a person in a team.
type Member struct {
	UserID   string
	Email    string
	Role     team.Role
	JoinedAt time.Time
}

// Created is the outcome of Setup and CreateUser.
type Created struct {
	UserID, Email        string
	TeamID, TeamUsername string
	Role                 team.Role
	NewUser, NewTeam     bool
	// Password is set only where it was generated.
	Password redact.Value
}

// Hasher makes what is stored of a password. It may return
// problem.Unavailable when too many hashes are being made.
type Hasher interface {
	Hash(ctx context.Context, password redact.Value) (string, error)
}

// DEKWrapper makes the wrapped data key of a new team.
type DEKWrapper interface {
	// WrapDEKFor wraps it by the key encryption key that the store with that
	// id and check uses, which kekID names.
	WrapDEKFor(storeID string, check []byte, team string) (wrapped []byte, kekID string, err error)
}

// Service is the way to accounts and teams.
type Service struct {
	store  Store
	keys   DEKWrapper
	hasher Hasher
	signOn SignOnRules
	now    func() time.Time
}

// NewService makes a Service whose new teams get data keys of keys, and whose
// passwords are hashed by hasher.
func NewService(store Store, keys DEKWrapper, hasher Hasher) *Service {
	return &Service{store: store, keys: keys, hasher: hasher, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// deny records a refusal that depends on more than the policy's table, and
// returns it. A denial that can't be recorded is problem.Unavailable.
func (s *Service) deny(ctx context.Context, actor team.Actor, action team.Action, target string, denial error) error {
	e := audit.By(actor, action, target, audit.Denied)
	e.Reason = string(problem.CodeOf(denial))
	if err := s.store.AppendAudit(ctx, e); err != nil {
		return &problem.Error{Code: problem.Unavailable, Detail: "The audit log can't be written, so nothing was done. Try again.", Cause: err}
	}
	return denial
}
