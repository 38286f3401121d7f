package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/idna"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Identity is who a person is at an OpenID Connect provider. The provider tells
// people apart by subject; the address is only shown.
type Identity struct {
	UserID, Issuer, Subject string
	Email                   string
	CreatedAt, LastUsedAt   time.Time
}

// Claim is what a provider says of somebody who signs in.
type Claim struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
}

// SignOnRules are the operator's, on whom single sign-on lets in.
type SignOnRules struct {
	// Provider is what people call it.
	Provider string
	// LinkEmail connects a provider's account with the one here that has the same
	// verified address.
	LinkEmail bool
	// Domains are those whose verified addresses get an account, in Team.
	Domains []string
	// Team is the username of a team.
	Team string
	// Only says that nobody signs in, or makes an account, by a password.
	Only bool
}

// ParseDomain checks a domain of addresses, and returns it as it is compared.
func ParseDomain(s string) (string, bool) {
	host, err := idna.Lookup.ToASCII(strings.TrimPrefix(strings.TrimSpace(s), "@"))
	return strings.ToLower(host), err == nil && strings.Contains(host, ".")
}

// allows reports whether an address is of one of the domains: of exactly that
// one, and of none below it.
func (r SignOnRules) allows(folded string) bool {
	host, err := idna.Lookup.ToASCII(folded[strings.LastIndexByte(folded, '@')+1:])
	return err == nil && slices.Contains(r.Domains, strings.ToLower(host))
}

// Reasons of refused sign-ons in the audit log.
const (
	reasonNotVerified  = "sso_email_not_verified"
	reasonNotConnected = "sso_not_connected"
	reasonNotInvited   = "sso_not_invited"
	reasonNoSuchTeam   = "sso_team_missing"
)

// IdentityReader is the part of a snapshot that is about identities.
type IdentityReader interface {
	// Identity finds somebody by issuer and subject; problem.NotFound if nobody
	// here is connected with that.
	Identity(ctx context.Context, issuer, subject string) (Identity, error)
	// IdentityOf finds with whom of an issuer a user is connected;
	// problem.NotFound if with nobody.
	IdentityOf(ctx context.Context, user, issuer string) (Identity, error)
	// SignsInAlone reports whether a user has a way to sign in that needs no
	// provider: a password or a passkey.
	SignsInAlone(ctx context.Context, user string) (bool, error)
	// InvitesTo returns the pending invites of all teams to an address, the
	// newest first.
	InvitesTo(ctx context.Context, folded string) ([]StoredInvite, error)
}

// IdentityTx is the part of a transaction that is about identities.
type IdentityTx interface {
	// InsertIdentity is problem.Conflict if the subject, or the user with that
	// issuer, is connected already.
	InsertIdentity(ctx context.Context, i Identity) error
}

// UseSignOn sets the operator's rules. It comes before the service is used.
func (s *Service) UseSignOn(rules SignOnRules) { s.signOn = rules }

// SignOn returns the user whom a provider has signed in: who is connected with
// the subject; else, by a verified address alone, who has it here and may be
// connected by it, or somebody new who was invited or whose domain is allowed.
//
// Errors: problem.PermissionDenied for anybody else, in words on whom to ask.
func (s *Service) SignOn(ctx context.Context, c Claim, from Origin) (userID string, err error) {
	for range 2 {
		var refused *audit.Entry
		err = s.store.Update(ctx, func(tx Tx) error {
			userID, refused, err = s.signedOn(ctx, tx, c, from)
			return err
		})
		if refused != nil {
			if err := audit.Record(ctx, s.store, *refused); err != nil {
				return "", err
			}
		}
		// Of two at once, the other has made the account.
		if !errors.Is(err, problem.Conflict) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	return userID, nil
}

func (s *Service) signedOn(ctx context.Context, tx Tx, c Claim, from Origin) (userID string, refused *audit.Entry, err error) {
	deny := func(user User, reason, format string, args ...any) (string, *audit.Entry, error) {
		e := signOnEntry(audit.ActLogin, user, s.signOn.Provider, from, audit.Denied)
		if e.TeamID, err = firstTeam(ctx, tx, user.ID); err != nil {
			return "", nil, err
		}
		e.Reason = reason
		return "", &e, problem.New(problem.PermissionDenied, format, args...)
	}
	name := s.signOn.Provider
	email, folded, malformed := ParseEmail(c.Email)
	verified := c.EmailVerified && malformed == nil
	known, err := tx.Identity(ctx, c.Issuer, c.Subject)
	switch {
	case err == nil:
		user, err := tx.UserByID(ctx, known.UserID)
		if err != nil {
			return "", nil, err
		}
		return user.ID, nil, s.acceptWaiting(ctx, tx, user, folded, verified, from)
	case !errors.Is(err, problem.NotFound):
		return "", nil, err
	case !verified:
		return deny(User{}, reasonNotVerified, "%s does not say that your address is verified, so you can't be recognised by it. If you have an account here, sign in as before, and connect %s in Settings → Account. Otherwise ask an owner of your team, or whoever runs this server, to add you.", name, name)
	}
	connect := Identity{Issuer: c.Issuer, Subject: c.Subject, Email: email, CreatedAt: s.now()}
	user, err := tx.UserByEmail(ctx, folded)
	if err == nil {
		// An address may have been given to somebody else since.
		if _, err := tx.IdentityOf(ctx, user.ID, c.Issuer); !errors.Is(err, problem.NotFound) {
			if err != nil {
				return "", nil, err
			}
			return deny(user, reasonNotConnected, "%s has an account here that is connected with another account at %s than this one. If it is yours, ask whoever runs this server to disconnect it.", user.Email, name)
		}
		// Who could not sign in at all was made for this, by the operator.
		alone, err := tx.SignsInAlone(ctx, user.ID)
		if err != nil {
			return "", nil, err
		}
		if alone && !s.signOn.LinkEmail {
			return deny(user, reasonNotConnected, "%s has an account here that is not connected with %s. Sign in as before, and connect it in Settings → Account. If you can't, ask whoever runs this server.", user.Email, name)
		}
		connect.UserID = user.ID
		if err := s.connectAs(ctx, tx, connect, user, from); err != nil {
			return "", nil, err
		}
		return user.ID, nil, s.acceptWaiting(ctx, tx, user, folded, verified, from)
	}
	if !errors.Is(err, problem.NotFound) {
		return "", nil, err
	}
	made := NewUser{ID: uuid.NewString(), Email: email, EmailFolded: folded, CreatedAt: s.now()}
	user, connect.UserID = User{ID: made.ID, Email: made.Email}, made.ID
	join, err := s.waitingInvite(ctx, tx, folded)
	if err != nil {
		return "", nil, err
	}
	var teamID string
	if join == nil {
		if !s.signOn.allows(folded) {
			return deny(User{}, reasonNotInvited, "Nobody here is called %s. Ask an owner of your team to invite this address, then continue with %s again.", email, name)
		}
		if teamID, err = tx.TeamID(ctx, s.signOn.Team); errors.Is(err, problem.NotFound) {
			return deny(User{}, reasonNoSuchTeam, "Your domain is welcome here, but its team %s does not exist. Ask whoever runs this server to make it, or to name another.", s.signOn.Team)
		} else if err != nil {
			return "", nil, err
		}
	}
	if err := tx.InsertUser(ctx, made); err != nil {
		return "", nil, err
	}
	if join != nil {
		err = s.accept(ctx, tx, *join, user, from)
	} else {
		e := signOnEntry(audit.ActCreateUser, user, user.ID, from, audit.Allowed)
		e.TeamID = teamID
		err = errors.Join(tx.InsertMember(ctx, teamID, user.ID, team.Member, s.now()), tx.AppendAudit(ctx, e))
	}
	if err != nil {
		return "", nil, err
	}
	return user.ID, nil, s.connectAs(ctx, tx, connect, user, from)
}

// connectAs connects a person who has no actor yet.
func (s *Service) connectAs(ctx context.Context, tx Tx, i Identity, user User, from Origin) error {
	if err := tx.InsertIdentity(ctx, i); err != nil {
		return err
	}
	e := signOnEntry(audit.ActConnectSignOn, user, s.signOn.Provider, from, audit.Allowed)
	var err error
	if e.TeamID, err = firstTeam(ctx, tx, user.ID); err != nil {
		return err
	}
	e.Reason = "verified_email"
	return tx.AppendAudit(ctx, e)
}

// acceptWaiting lets somebody who belongs to no team any more join again, if
// they were invited. Anybody else accepts an invite on its own page.
func (s *Service) acceptWaiting(ctx context.Context, tx Tx, user User, folded string, verified bool, from Origin) error {
	if !verified {
		return nil
	}
	teams, err := tx.TeamsOf(ctx, user.ID)
	if err != nil || len(teams) > 0 {
		return err
	}
	invite, err := s.waitingInvite(ctx, tx, folded)
	if err != nil || invite == nil {
		return err
	}
	return s.accept(ctx, tx, *invite, user, from)
}

// waitingInvite finds the newest invite to an address that can be used, and
// keeps it from others; nil if there is none.
func (s *Service) waitingInvite(ctx context.Context, tx Tx, folded string) (*StoredInvite, error) {
	waiting, err := tx.InvitesTo(ctx, folded)
	if err != nil {
		return nil, err
	}
	for _, i := range waiting {
		if usable(s.judged(i)) != nil {
			continue
		}
		if err := tx.LockMembers(ctx, i.TeamID); err != nil {
			continue // The team is gone.
		}
		found, err := tx.Invite(ctx, i.TeamID, i.ID)
		if err != nil && !errors.Is(err, problem.NotFound) {
			return nil, err
		}
		if err == nil && usable(s.judged(found)) == nil {
			return &found, nil
		}
	}
	return nil, nil
}

// firstTeam is where an entry on a person stands; empty for nobody.
func firstTeam(ctx context.Context, tx Tx, user string) (string, error) {
	if user == "" {
		return "", nil
	}
	teams, err := tx.TeamsOf(ctx, user)
	if err != nil || len(teams) == 0 {
		return "", err
	}
	return teams[0].ID, nil
}

// signOnEntry is one of a person who has no actor yet.
func signOnEntry(action string, user User, target string, from Origin, outcome audit.Outcome) audit.Entry {
	return audit.Entry{
		ActorKind: string(team.Session), ActorID: user.ID, ActorName: user.Email,
		Action: action, Target: target, Outcome: outcome, RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}
}
