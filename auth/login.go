package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Reasons of failed sign-ins in the audit log.
const (
	reasonPassword = "wrong_password"
	reasonAccount  = "unknown_account"
	reasonNoTeam   = "no_team"
)

// Login signs a person in: it sets a new session's cookie and ends the session
// that the browser had, so that nobody can choose the id of another's session.
//
// Errors: problem.NotSignedIn with one and the same sentence for an unknown
// address and a wrong password, problem.RateLimited and problem.Unavailable
// with RetryAfter, problem.PermissionDenied for one who belongs to no team;
// problem.SecondFactorNeeded if the password was right and Verify goes on. Where
// only a provider signs in it is problem.PermissionDenied.
func (s *Sessions) Login(w http.ResponseWriter, r *http.Request, email string, password redact.Value, from account.Origin) (team.Actor, error) {
	if err := s.onlyProvider(); err != nil {
		return team.Actor{}, err
	}
	return s.login(w, r, email, password, from, nil)
}

// LoginFirst signs in whoever has just set the server up, whatever signs in
// otherwise.
func (s *Sessions) LoginFirst(w http.ResponseWriter, r *http.Request, email string, password redact.Value, from account.Origin) (team.Actor, error) {
	return s.login(w, r, email, password, from, nil)
}

// LoginToJoin signs in a person who joins a team by it, and who may belong to
// none. Once the password has been found right it calls join, which returns the
// team that the person has joined; there the session begins.
//
// Errors: those of Login, and of join.
func (s *Sessions) LoginToJoin(w http.ResponseWriter, r *http.Request, email string, password redact.Value, from account.Origin, join func(ctx context.Context, userID string) (teamID string, err error)) (team.Actor, error) {
	if err := s.onlyProvider(); err != nil {
		return team.Actor{}, err
	}
	return s.login(w, r, email, password, from, join)
}

func (s *Sessions) login(w http.ResponseWriter, r *http.Request, email string, password redact.Value, from account.Origin, join func(ctx context.Context, userID string) (teamID string, err error)) (team.Actor, error) {
	ctx := r.Context()
	person, try, err := s.identify(ctx, email, from)
	if err != nil {
		return team.Actor{}, err
	}
	match, err := s.passwords.Verify(ctx, person.PasswordHash, password)
	if err != nil {
		return team.Actor{}, s.untried(ctx, try, err)
	}
	if !match {
		reason := reasonPassword
		if person.UserID == "" {
			reason = reasonAccount
		}
		if err := s.store.AppendAudit(ctx, failedLogin(person, from, reason)); err != nil {
			return team.Actor{}, unrecorded(err)
		}
		return team.Actor{}, wrongCredentials()
	}
	if person.HasFactors {
		return team.Actor{}, s.wait(w, r, person, try, join != nil)
	}
	in := person.First
	if join != nil {
		teamID, err := join(ctx, person.UserID)
		if err != nil {
			// The password was right, so this was no guess.
			return team.Actor{}, errors.Join(err, s.store.Update(ctx, func(tx Tx) error { return try.release(ctx, tx) }))
		}
		if in, err = s.store.Membership(ctx, teamID, person.UserID); err != nil {
			return team.Actor{}, err
		}
	}
	return s.begin(w, r, person, in, from, shown{by: byPassword, use: func(ctx context.Context, tx Tx) error {
		// A password that was changed while it was being verified is wrong, and a
		// second factor that was added meanwhile is asked for.
		now, err := tx.PersonByID(ctx, person.UserID)
		if err != nil && !errors.Is(err, problem.NotFound) {
			return err
		}
		if now.PasswordHash != person.PasswordHash || now.HasFactors {
			return wrongCredentials()
		}
		return try.succeed(ctx, tx)
	}})
}

// sweepAfter removes what has ended, now and then.
func (s *Sessions) sweepAfter(ctx context.Context) {
	if err := s.sweepSometimes(ctx); err != nil {
		slog.WarnContext(ctx, "expired sessions were not removed", "error", err)
	}
}

// identify admits the attempt and finds the person. An address that is not one
// is an account that does not exist.
func (s *Sessions) identify(ctx context.Context, email string, from account.Origin) (person Person, try attempt, err error) {
	folded := account.FoldEmail(email)
	_, _, malformed := account.ParseEmail(email)
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		person = Person{}
		if try, err = admitLogin(ctx, tx, s.now(), folded, from.RemoteAddr); err != nil || malformed != nil {
			return err
		}
		person, err = tx.PersonByEmail(ctx, folded)
		return err
	})
	return person, try, err
}

// untried takes back an attempt for which the server had no time, and returns
// why.
func (s *Sessions) untried(ctx context.Context, try attempt, cause error) error {
	if !errors.Is(cause, problem.Unavailable) {
		return cause
	}
	return errors.Join(cause, s.store.Update(ctx, func(tx Tx) error { return try.release(ctx, tx) }))
}

// ChangePassword stores a new password for the session's user. All other
// sessions, all command line logins and approved device logins end; this
// browser stays signed in, with a new cookie. API keys stay.
//
// Errors: problem.InvalidField (fields current, new), problem.RateLimited and
// problem.Unavailable with RetryAfter, and those of audit.Guard.
func (s *Sessions) ChangePassword(w http.ResponseWriter, r *http.Request, cur Session, current, next redact.Value) error {
	ctx := r.Context()
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActChangePassword); err != nil {
		return err
	}
	if err := checkNewPassword(next, current, actor.Email()); err != nil {
		return err
	}
	person, try, err := s.identify(ctx, actor.Email(), account.Origin{RemoteAddr: actor.RemoteAddr()})
	if err != nil {
		return err
	}
	match, err := s.passwords.Verify(ctx, person.PasswordHash, current)
	if err != nil {
		return s.untried(ctx, try, err)
	}
	if !match {
		entry := audit.By(actor, audit.ActChangePassword, "", audit.Failed)
		entry.Reason = reasonPassword
		if err := s.store.AppendAudit(ctx, entry); err != nil {
			return unrecorded(err)
		}
		return problem.Invalid("current", "this is not your current password")
	}
	hash, err := s.passwords.Hash(ctx, next)
	if err != nil {
		return s.untried(ctx, try, err)
	}
	cookie := random256()
	gs := s.fresh(r, &state{token: cookie, record: SessionRecord{ExpiresAt: cur.ExpiresAt}, change: func(ctx context.Context, tx Tx) error {
		stored, err := tx.PasswordHash(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if stored != person.PasswordHash {
			return problem.New(problem.Conflict, "The password was changed elsewhere at the same moment. Sign in with the new one.")
		}
		if err := tx.SetPasswordHash(ctx, actor.UserID(), hash, s.now()); err != nil {
			return err
		}
		if err := revokeLogins(ctx, tx, actor.UserID(), cur.ID); err != nil {
			return err
		}
		if err := tx.RotateSession(ctx, cur.ID, hashToken(cookie), s.now()); err != nil {
			return err
		}
		if err := try.succeed(ctx, tx); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, audit.ActChangePassword, "", audit.Allowed))
	}})
	return s.Save(r, w, gs)
}

// checkNewPassword applies account's rules, at this form's field.
func checkNewPassword(next, current redact.Value, email string) error {
	err := account.CheckPassword(next, email)
	var e *problem.Error
	if errors.As(err, &e) {
		for i := range e.Fields {
			e.Fields[i].Name = "new"
		}
		return e
	}
	if err == nil && next.Equal(current) {
		return problem.Invalid("new", "the new password is the current one; choose another")
	}
	return err
}

// failedLogin is the entry of a failed sign-in. It says who was meant only if
// there is such a person, in the first of that person's teams, and never what
// was typed.
func failedLogin(p Person, from account.Origin, reason string) audit.Entry {
	return audit.Entry{
		TeamID: p.First.TeamID, ActorKind: string(team.Session), ActorID: p.UserID, ActorName: p.Email,
		Action: audit.ActLogin, Outcome: audit.Failed, Reason: reason,
		RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}
}

func wrongCredentials() error {
	return problem.New(problem.NotSignedIn, "The email address or the password is wrong.")
}

func unrecorded(err error) error {
	return &problem.Error{Code: problem.Unavailable, Detail: "The audit log can't be written, so nothing was done. Try again.", Cause: fmt.Errorf("record a sign-in: %w", err)}
}
