package account

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/team"
)

// NewUser is a user's row to be made.
type NewUser struct {
	ID, Email, EmailFolded string
	PasswordHash           string
	CreatedAt              time.Time
}

// NewTeam is a team's row to be made.
type NewTeam struct {
	ID, Username, Name string
	WrappedDEK         []byte
	// KEKID names the key encryption key that wraps it.
	KEKID     string
	CreatedBy string
	CreatedAt time.Time
}

// Reader reads one consistent snapshot.
type Reader interface {
	// HasUsers reports whether anybody has an account.
	HasUsers(ctx context.Context) (bool, error)
	// HasSetupCode reports whether there is a code with that hash.
	HasSetupCode(ctx context.Context, hash []byte) (bool, error)
	// UserByEmail finds a user by folded address; problem.NotFound if there is
	// none.
	UserByEmail(ctx context.Context, folded string) (User, error)
	// UserByID returns problem.NotFound if there is none.
	UserByID(ctx context.Context, id string) (User, error)
	// TeamID finds a team by its username; problem.NotFound if there is none.
	TeamID(ctx context.Context, username string) (string, error)
	// UsernameTaken reports whether a team has the username, or has given it up
	// not long ago.
	UsernameTaken(ctx context.Context, username string) (bool, error)
	// TeamsOf returns the teams of a user, sorted by username.
	TeamsOf(ctx context.Context, user string) ([]Team, error)
	// Team returns a team to one of its members. To anybody else it is
	// problem.NotFound, as a team that does not exist.
	Team(ctx context.Context, team, user string) (Team, error)
	// TeamByID returns a team to a service key of its own, without a role;
	// problem.NotFound if it is there no more.
	TeamByID(ctx context.Context, team string) (Team, error)
	// Members returns the members of a team, sorted by address.
	Members(ctx context.Context, team string) ([]Member, error)
	InviteReader
	IdentityReader
	// Member returns problem.NotFound for one who is not in the team.
	Member(ctx context.Context, team, user string) (Member, error)
}

// Tx is a transaction: all or nothing, with its audit entries.
type Tx interface {
	Reader
	audit.Log
	InviteTx
	IdentityTx
	EnvironmentTx
	// AddSetupCode stores the hash of a code, and keeps at most keep codes,
	// the newest.
	AddSetupCode(ctx context.Context, hash []byte, now time.Time, keep int) error
	// UseSetupCode removes the code and reports whether it was there. Of two
	// transactions that use codes at once, one waits for the other.
	UseSetupCode(ctx context.Context, hash []byte) (bool, error)
	// ClearSetupCodes removes all codes.
	ClearSetupCodes(ctx context.Context) error
	// InsertUser returns problem.Conflict if the address is in use.
	InsertUser(ctx context.Context, u NewUser) error
	// KEKInUse returns the check that tells which key encryption key the
	// store uses, and keeps it from being replaced until the transaction ends.
	KEKInUse(ctx context.Context) (storeID string, check []byte, err error)
	// InsertTeam returns problem.Conflict if the username is taken.
	InsertTeam(ctx context.Context, t NewTeam) error
	// RenameTeam returns problem.Conflict if the new username is taken by
	// another team. The old one, if it is another, is kept from others.
	RenameTeam(ctx context.Context, team, from, to, name string, now time.Time) error
	// InsertMember returns problem.Conflict if the user is in the team.
	InsertMember(ctx context.Context, team, user string, role team.Role, now time.Time) error
	// LockMembers makes the transaction the only one that changes who belongs
	// to the team; problem.NotFound if the team does not exist.
	LockMembers(ctx context.Context, team string) error
	// CountOwners counts the team's owners.
	CountOwners(ctx context.Context, team string) (int, error)
	// SetRole stores a member's role.
	SetRole(ctx context.Context, team, user string, role team.Role) error
	// RemoveMember removes the membership and all API keys and logins that
	// the person has in the team. Service keys are the team's, and stay.
	RemoveMember(ctx context.Context, team, user string) error
	// DeleteTeam removes the team with all that is its own but the audit log.
	DeleteTeam(ctx context.Context, team string) error
	// SetMembersMayEdit stores the team's setting.
	SetMembersMayEdit(ctx context.Context, team string, on bool, now time.Time) error
}

// Store keeps accounts and teams. Update runs fn in a transaction and may run
// it again after a serialization failure, so fn has no effect but through its
// Tx.
type Store interface {
	audit.Log
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}
