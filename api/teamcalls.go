package api

import (
	"context"
	"encoding/json"
	"net/http"
)

// teamPath is an address below a team. Ids come from the server, but from a
// server all the same.
func teamPath(id string, more ...string) (string, error) {
	path := "/teams"
	for _, part := range append([]string{id}, more...) {
		escaped, err := segment(part)
		if err != nil {
			return "", err
		}
		path += "/" + escaped
	}
	return path, nil
}

func (c *Client) teamCall(ctx context.Context, method string, in, out any, id string, more ...string) error {
	path, err := teamPath(id, more...)
	if err != nil {
		return err
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	_, err = c.write(ctx, method, path, body, nil, out)
	return err
}

func teamGet[T any](ctx context.Context, c *Client, id, what string) (T, error) {
	path, err := teamPath(id, what)
	if err != nil {
		var none T
		return none, err
	}
	return get[T](ctx, c, path)
}

// ChangeTeam renames a team.
func (c *Client) ChangeTeam(ctx context.Context, id string, in TeamChange) (Team, error) {
	var out Team
	err := c.teamCall(ctx, http.MethodPost, in, &out, id)
	return out, err
}

// DeleteTeam deletes a team with everything in it.
func (c *Client) DeleteTeam(ctx context.Context, id string) error {
	return c.teamCall(ctx, http.MethodDelete, nil, nil, id)
}

// DuplicateTeam makes a team for another environment.
func (c *Client) DuplicateTeam(ctx context.Context, id string, in TeamDuplicate) (TeamDuplicated, error) {
	var out TeamDuplicated
	err := c.teamCall(ctx, http.MethodPost, in, &out, id, "duplicate")
	return out, err
}

// ExpectedKeys returns the keys that a team means to have and has not set.
func (c *Client) ExpectedKeys(ctx context.Context, id string) ([]ExpectedKey, error) {
	return teamGet[[]ExpectedKey](ctx, c, id, "expected-keys")
}

// DiffTeams tells two teams' secrets apart. It changes nothing but the audit log.
func (c *Client) DiffTeams(ctx context.Context, first, second string) (TeamDiff, error) {
	path, err := teamPath(first, "diff")
	if err != nil {
		return TeamDiff{}, err
	}
	return ask[TeamDiff](ctx, c, c.base, BasePath+path, TeamDiffRequest{With: second})
}

// TransferTeam makes a member owner, and the caller admin.
func (c *Client) TransferTeam(ctx context.Context, id, user string) (Member, error) {
	var out Member
	err := c.teamCall(ctx, http.MethodPost, TeamTransfer{UserID: user}, &out, id, "transfer")
	return out, err
}

// Members returns a team's people.
func (c *Client) Members(ctx context.Context, id string) ([]Member, error) {
	return teamGet[[]Member](ctx, c, id, "members")
}

// AddMember puts a person who has an account into a team.
func (c *Client) AddMember(ctx context.Context, id string, in MemberAdd) (Member, error) {
	var out Member
	err := c.teamCall(ctx, http.MethodPost, in, &out, id, "members")
	return out, err
}

// SetMemberRole gives a member another role.
func (c *Client) SetMemberRole(ctx context.Context, id, user, role string) (Member, error) {
	var out Member
	err := c.teamCall(ctx, http.MethodPost, MemberRole{Role: role}, &out, id, "members", user, "role")
	return out, err
}

// RemoveMember takes a person out of a team.
func (c *Client) RemoveMember(ctx context.Context, id, user string) error {
	return c.teamCall(ctx, http.MethodDelete, nil, nil, id, "members", user)
}

// Invites returns a team's open invites.
func (c *Client) Invites(ctx context.Context, id string) ([]Invite, error) {
	return teamGet[[]Invite](ctx, c, id, "invites")
}

// Invite offers a person to join a team. The answer holds the link.
func (c *Client) Invite(ctx context.Context, id string, in MemberAdd) (InviteCreated, error) {
	var out InviteCreated
	if err := c.teamCall(ctx, http.MethodPost, in, &out, id, "invites"); err != nil {
		return InviteCreated{}, err
	}
	if out.Link == nil {
		return InviteCreated{}, &ProtocolError{URL: c.base, Reason: "the new invite has no link"}
	}
	return out, nil
}

// RevokeInvite ends an invite.
func (c *Client) RevokeInvite(ctx context.Context, id, invite string) error {
	return c.teamCall(ctx, http.MethodDelete, nil, nil, id, "invites", invite)
}
