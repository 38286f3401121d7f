package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/account"
	"infsh/problem"
	"infsh/team"
)

type inviteRow struct {
	ID           string    `db:"id"`
	TeamID       string    `db:"team_id"`
	Email        string    `db:"email"`
	EmailFolded  string    `db:"email_folded"`
	Role         team.Role `db:"role"`
	Status       string    `db:"status"`
	InvitedByID  string    `db:"invited_by"`
	InvitedBy    string    `db:"invited_by_email"`
	InviterRole  team.Role `db:"inviter_role"`
	TeamUsername string    `db:"team_username"`
	TeamName     string    `db:"team_name"`
	CreatedAt    int64     `db:"created_at"`
	ExpiresAt    int64     `db:"expires_at"`
}

func (r inviteRow) invite() account.StoredInvite {
	return account.StoredInvite{
		Invite: account.Invite{
			ID: r.ID, TeamID: r.TeamID, Email: r.Email, Role: r.Role, Status: account.InviteStatus(r.Status),
			CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt), InvitedByID: r.InvitedByID, InvitedBy: r.InvitedBy,
		},
		EmailFolded: r.EmailFolded, InviterRole: r.InviterRole, TeamUsername: r.TeamUsername, TeamName: r.TeamName,
	}
}

const selectInvites = `SELECT i.id, i.team_id, i.email, i.email_folded, i.role, i.status, i.invited_by, i.created_at, i.expires_at,
		t.username AS team_username, t.name AS team_name, COALESCE(u.email, '') AS invited_by_email, COALESCE(m.role, '') AS inviter_role
	FROM invites i
	JOIN teams t ON t.id = i.team_id
	LEFT JOIN users u ON u.id = i.invited_by
	LEFT JOIN memberships m ON m.team_id = i.team_id AND m.user_id = i.invited_by`

func (t accountTx) OpenInvites(ctx context.Context, team string) ([]account.StoredInvite, error) {
	var rows []inviteRow
	if err := t.q.list(ctx, &rows, selectInvites+" WHERE i.team_id = ? AND i.status = 'pending' ORDER BY i.created_at DESC, i.id", team); err != nil {
		return nil, fmt.Errorf("list invites: %w", err)
	}
	out := make([]account.StoredInvite, len(rows))
	for i, r := range rows {
		out[i] = r.invite()
	}
	return out, nil
}

func (t accountTx) Invite(ctx context.Context, team, id string) (account.StoredInvite, error) {
	return t.invite(ctx, account.NoInvite(), " WHERE i.team_id = ? AND i.id = ?", team, id)
}

func (t accountTx) InviteByCode(ctx context.Context, hash []byte) (account.StoredInvite, error) {
	return t.invite(ctx, problem.New(problem.NotFound, "Not found: this invite is not valid. Ask for another one."), " WHERE i.code_hash = ?", hash)
}

func (t accountTx) invite(ctx context.Context, missing error, where string, args ...any) (account.StoredInvite, error) {
	var row inviteRow
	err := t.q.get(ctx, &row, selectInvites+where, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return account.StoredInvite{}, missing
	}
	return row.invite(), err
}

func (t accountTx) InsertInvite(ctx context.Context, i account.StoredInvite, codeHash []byte) error {
	_, err := t.q.exec(ctx, `INSERT INTO invites (id, team_id, email, email_folded, role, code_hash, status, invited_by, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.ID, i.TeamID, i.Email, i.EmailFolded, string(i.Role), codeHash, string(i.Status), i.InvitedByID, micros(i.CreatedAt), micros(i.ExpiresAt))
	return err
}

func (t accountTx) EndInvite(ctx context.Context, team, id string, status account.InviteStatus) (bool, error) {
	n, err := t.q.exec(ctx, "UPDATE invites SET status = ? WHERE team_id = ? AND id = ? AND status = 'pending'", string(status), team, id)
	return n > 0, err
}

func (t accountTx) RevokeInvitesTo(ctx context.Context, team, folded string) error {
	_, err := t.q.exec(ctx, "UPDATE invites SET status = 'revoked' WHERE team_id = ? AND email_folded = ? AND status = 'pending'", team, folded)
	return err
}

func (t accountTx) ForgetInvites(ctx context.Context, team string, before time.Time) error {
	_, err := t.q.exec(ctx, "DELETE FROM invites WHERE team_id = ? AND created_at < ?", team, micros(before))
	return err
}
