package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Accounts implements account.Store.
type Accounts struct{ db *DB }

// Accounts returns the store of users, teams and memberships.
func (d *DB) Accounts() *Accounts { return &Accounts{db: d} }

func (s *Accounts) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Accounts) View(ctx context.Context, fn func(account.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(accountTx{q}) })
}

func (s *Accounts) Update(ctx context.Context, fn func(account.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(accountTx{q}) })
}

type accountTx struct{ q querier }

func (t accountTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t accountTx) HasUsers(ctx context.Context) (bool, error) {
	var n int
	err := t.q.get(ctx, &n, "SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1) AS first")
	return n > 0, err
}

func (t accountTx) HasSetupCode(ctx context.Context, hash []byte) (bool, error) {
	var n int
	err := t.q.get(ctx, &n, "SELECT count(*) FROM setup_codes WHERE code_hash = ?", hash)
	return n > 0, err
}

func (t accountTx) UserByEmail(ctx context.Context, folded string) (account.User, error) {
	return t.user(ctx, "email_folded = ?", folded)
}

func (t accountTx) UserByID(ctx context.Context, id string) (account.User, error) {
	return t.user(ctx, "id = ?", id)
}

func (t accountTx) user(ctx context.Context, where string, arg any) (account.User, error) {
	var row struct {
		ID        string `db:"id"`
		Email     string `db:"email"`
		CreatedAt int64  `db:"created_at"`
	}
	err := t.q.get(ctx, &row, "SELECT id, email, created_at FROM users WHERE "+where, arg)
	if errors.Is(err, sql.ErrNoRows) {
		return account.User{}, problem.New(problem.NotFound, "Not found: there is no such person.")
	}
	return account.User{ID: row.ID, Email: row.Email, CreatedAt: fromMicros(row.CreatedAt)}, err
}

func (t accountTx) TeamID(ctx context.Context, username string) (id string, err error) {
	err = t.q.get(ctx, &id, "SELECT id FROM teams WHERE username = ?", username)
	if errors.Is(err, sql.ErrNoRows) {
		return "", account.NoTeam()
	}
	return id, err
}

type teamRow struct {
	ID             string    `db:"id"`
	Username       string    `db:"username"`
	Name           string    `db:"name"`
	Role           team.Role `db:"role"`
	MembersMayEdit bool      `db:"members_may_edit"`
	GroupID        string    `db:"group_id"`
	GroupName      string    `db:"group_name"`
	Environment    string    `db:"environment"`
	CreatedAt      int64     `db:"created_at"`
	UpdatedAt      int64     `db:"updated_at"`
}

func (r teamRow) team() account.Team {
	return account.Team{
		ID: r.ID, Username: r.Username, Name: r.Name, Role: r.Role, MembersMayEdit: r.MembersMayEdit,
		Environment: account.Environment{GroupID: r.GroupID, GroupName: r.GroupName, Name: r.Environment},
		CreatedAt:   fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// selectTeams reads teams as a member sees them.
const selectTeams = `SELECT t.id, t.username, t.name, m.role, t.members_may_edit, t.created_at, t.updated_at,
		COALESCE(e.group_id, '') AS group_id, COALESCE(e.group_name, '') AS group_name, COALESCE(e.name, '') AS environment
	FROM memberships m JOIN teams t ON t.id = m.team_id LEFT JOIN environments e ON e.team_id = t.id`

func (t accountTx) TeamsOf(ctx context.Context, user string) ([]account.Team, error) {
	var rows []teamRow
	if err := t.q.list(ctx, &rows, selectTeams+" WHERE m.user_id = ? ORDER BY t.username", user); err != nil {
		return nil, fmt.Errorf("list teams: %w", err)
	}
	teams := make([]account.Team, len(rows))
	for i, r := range rows {
		teams[i] = r.team()
	}
	return teams, nil
}

func (t accountTx) Team(ctx context.Context, team, user string) (account.Team, error) {
	var row teamRow
	err := t.q.get(ctx, &row, selectTeams+" WHERE m.team_id = ? AND m.user_id = ?", team, user)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Team{}, account.NoTeam()
	}
	return row.team(), err
}

func (t accountTx) TeamByID(ctx context.Context, team string) (account.Team, error) {
	var row teamRow
	err := t.q.get(ctx, &row, "SELECT id, username, name, '' AS role, members_may_edit, created_at, updated_at FROM teams WHERE id = ?", team)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Team{}, account.NoTeam()
	}
	return row.team(), err
}

type memberRow struct {
	UserID   string    `db:"user_id"`
	Email    string    `db:"email"`
	Role     team.Role `db:"role"`
	JoinedAt int64     `db:"created_at"`
}

func (r memberRow) member() account.Member {
	return account.Member{UserID: r.UserID, Email: r.Email, Role: r.Role, JoinedAt: fromMicros(r.JoinedAt)}
}

const selectMembers = `SELECT m.user_id, u.email, m.role, m.created_at
	FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.team_id = ?`

func (t accountTx) Members(ctx context.Context, team string) ([]account.Member, error) {
	var rows []memberRow
	if err := t.q.list(ctx, &rows, selectMembers+" ORDER BY u.email_folded", team); err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	members := make([]account.Member, len(rows))
	for i, r := range rows {
		members[i] = r.member()
	}
	return members, nil
}

func (t accountTx) Member(ctx context.Context, team, user string) (account.Member, error) {
	var row memberRow
	err := t.q.get(ctx, &row, selectMembers+" AND m.user_id = ?", team, user)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Member{}, account.NoMember()
	}
	return row.member(), err
}

func (t accountTx) AddSetupCode(ctx context.Context, hash []byte, now time.Time, keep int) error {
	if _, err := t.q.exec(ctx, "INSERT INTO setup_codes (code_hash, created_at) VALUES (?, ?)", hash, micros(now)); err != nil {
		return err
	}
	_, err := t.q.exec(ctx, `DELETE FROM setup_codes WHERE code_hash NOT IN
		(SELECT code_hash FROM setup_codes ORDER BY created_at DESC, code_hash LIMIT ?)`, keep)
	return err
}

func (t accountTx) UseSetupCode(ctx context.Context, hash []byte) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM setup_codes WHERE code_hash = ?", hash)
	return n > 0, err
}

func (t accountTx) ClearSetupCodes(ctx context.Context) error {
	_, err := t.q.exec(ctx, "DELETE FROM setup_codes")
	return err
}

func (t accountTx) InsertUser(ctx context.Context, u account.NewUser) error {
	_, err := t.q.exec(ctx, "INSERT INTO users (id, email, email_folded, password_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
		u.ID, u.Email, u.EmailFolded, u.PasswordHash, micros(u.CreatedAt), micros(u.CreatedAt))
	if isUnique(err) {
		return problem.New(problem.Conflict, "%s has an account already.", u.Email)
	}
	return err
}

func (t accountTx) KEKInUse(ctx context.Context) (storeID string, check []byte, err error) {
	keks, err := shareKEKs(ctx, t.q)
	return keks.StoreID, keks.Check, err
}

func (t accountTx) InsertTeam(ctx context.Context, n account.NewTeam) error {
	_, err := t.q.exec(ctx, "INSERT INTO teams (id, username, name, wrapped_dek, kek_id, dek_rotated_at, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n.ID, n.Username, n.Name, n.WrappedDEK, n.KEKID, micros(n.CreatedAt), n.CreatedBy, micros(n.CreatedAt), micros(n.CreatedAt))
	if isUnique(err) {
		return usernameTaken(n.Username)
	}
	if err != nil {
		return err
	}
	return t.refuseFormer(ctx, n.ID, n.Username)
}

// refuseFormer refuses a username that another team has given up. It is asked
// after the name was taken: whoever gives it up at the same time has then
// committed, or waits.
func (t accountTx) refuseFormer(ctx context.Context, team, username string) error {
	var n int
	err := t.q.get(ctx, &n, "SELECT count(*) FROM former_usernames WHERE username = ? AND team_id <> ?", username, team)
	if err == nil && n > 0 {
		return usernameTaken(username)
	}
	return err
}

func usernameTaken(username string) error {
	return &problem.Error{
		Code: problem.Conflict, Detail: "The team name " + username + " is taken. Choose another.",
		Fields: []problem.Field{{Name: "username", Message: username + " is taken; choose another name"}},
	}
}

func (t accountTx) UsernameTaken(ctx context.Context, username string) (bool, error) {
	var n int
	err := t.q.get(ctx, &n, `SELECT count(*) FROM (SELECT username FROM teams UNION ALL SELECT username FROM former_usernames) AS taken
		WHERE username = ?`, username)
	return n > 0, err
}

// keptUsernames is how many of its former usernames a team keeps from others.
const keptUsernames = 5

func (t accountTx) RenameTeam(ctx context.Context, team, from, to, name string, now time.Time) error {
	_, err := t.q.exec(ctx, "UPDATE teams SET username = ?, name = ?, updated_at = ? WHERE id = ?", to, name, micros(now), team)
	if isUnique(err) {
		return usernameTaken(to)
	}
	if err != nil || from == to {
		return err
	}
	if err := t.refuseFormer(ctx, team, to); err != nil {
		return err
	}
	for _, s := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM former_usernames WHERE team_id = ? AND username = ?", []any{team, to}},
		{"INSERT INTO former_usernames (username, team_id, created_at) VALUES (?, ?, ?)", []any{from, team, micros(now)}},
		{`DELETE FROM former_usernames WHERE team_id = ? AND username NOT IN
			(SELECT username FROM former_usernames WHERE team_id = ? ORDER BY created_at DESC, username LIMIT ?)`, []any{team, team, keptUsernames}},
	} {
		if _, err := t.q.exec(ctx, s.query, s.args...); err != nil {
			return fmt.Errorf("keep the former username: %w", err)
		}
	}
	return nil
}

func (t accountTx) InsertMember(ctx context.Context, teamID, user string, role team.Role, now time.Time) error {
	_, err := t.q.exec(ctx, "INSERT INTO memberships (team_id, user_id, role, created_at) VALUES (?, ?, ?, ?)", teamID, user, string(role), micros(now))
	if isUnique(err) {
		return problem.New(problem.Conflict, "This person belongs to the team already.")
	}
	return err
}

func (t accountTx) LockMembers(ctx context.Context, team string) error {
	var id string
	err := t.q.get(ctx, &id, "SELECT id FROM teams WHERE id = ?"+t.q.forUpdate(), team)
	if errors.Is(err, sql.ErrNoRows) {
		return account.NoTeam()
	}
	return err
}

func (t accountTx) CountOwners(ctx context.Context, team string) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT count(*) FROM memberships WHERE team_id = ? AND role = 'owner'", team)
	return n, err
}

func (t accountTx) SetRole(ctx context.Context, teamID, user string, role team.Role) error {
	_, err := t.q.exec(ctx, "UPDATE memberships SET role = ? WHERE team_id = ? AND user_id = ?", string(role), teamID, user)
	return err
}

func (t accountTx) RemoveMember(ctx context.Context, team, user string) error {
	const keys = "team_id = ? AND user_id = ? AND service_role = ''"
	if err := rememberRevoked(ctx, t.q, time.Now(), keys, team, user); err != nil {
		return err
	}
	if _, err := t.q.exec(ctx, "DELETE FROM api_keys WHERE "+keys, team, user); err != nil {
		return fmt.Errorf("remove the member's API keys: %w", err)
	}
	_, err := t.q.exec(ctx, "DELETE FROM memberships WHERE team_id = ? AND user_id = ?", team, user)
	return err
}

func (t accountTx) DeleteTeam(ctx context.Context, team string) error {
	*t.q.scrub = true
	// A command line's login is its person's, and only began here.
	_, err := t.q.exec(ctx, `UPDATE api_keys SET team_id =
			(SELECT m.team_id FROM memberships m WHERE m.user_id = api_keys.user_id AND m.team_id <> ? ORDER BY m.created_at, m.team_id LIMIT 1)
		WHERE team_id = ? AND kind = 'login' AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = api_keys.user_id AND m.team_id <> ?)`, team, team, team)
	if err != nil {
		return fmt.Errorf("keep the logins of its people: %w", err)
	}
	// Everything that belongs to the team refers to it, and goes with it.
	_, err = t.q.exec(ctx, "DELETE FROM teams WHERE id = ?", team)
	return err
}

func (t accountTx) SetMembersMayEdit(ctx context.Context, team string, on bool, now time.Time) error {
	value := 0
	if on {
		value = 1
	}
	_, err := t.q.exec(ctx, "UPDATE teams SET members_may_edit = ?, updated_at = ? WHERE id = ?", value, micros(now), team)
	return err
}
