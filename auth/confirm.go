package auth

import (
	"context"
	"net/http"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// ConfirmWindow is how long a proof of who one is counts for what matters most.
// It is long enough to finish what one came for, such as the keys of several
// machines, and shorter than the time after which an unattended browser is
// somebody else's: ten minutes is also how long a command line's login waits.
const ConfirmWindow = 10 * time.Minute

// Confirmed returns nil if the session's person has proved who they are within
// ConfirmWindow, by signing in or by Confirm, and else
// problem.ConfirmationNeeded. Which routes ask is one column of their table.
func (s *Sessions) Confirmed(cur Session) error {
	if s.now().Sub(cur.ConfirmedAt) < ConfirmWindow {
		return nil
	}
	return problem.New(problem.ConfirmationNeeded, "Confirm that it is you. It is more than %d minutes ago that you last did.", int(ConfirmWindow.Minutes()))
}

// Proof is what a person shows to prove who they are.
type Proof struct {
	Password redact.Value
}

// Confirm proves anew that the session is its person's. It counts as a sign-in
// does, against guesses too, and changes the session's cookie, so that a copy
// of the old one is worth nothing afterwards (OWASP ASVS 5.0, 7.2.4). The
// session that it returns is the same one, confirmed.
//
// Errors: problem.InvalidField (field password), problem.RateLimited and
// problem.Unavailable with RetryAfter, and those of audit.Guard.
func (s *Sessions) Confirm(w http.ResponseWriter, r *http.Request, cur Session, proof Proof) (Session, error) {
	ctx, actor := r.Context(), cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActConfirm); err != nil {
		return Session{}, err
	}
	person, try, err := s.identify(ctx, actor.Email(), account.Origin{RemoteAddr: actor.RemoteAddr()})
	if err != nil {
		return Session{}, err
	}
	match, err := s.passwords.Verify(ctx, person.PasswordHash, proof.Password)
	if err != nil {
		return Session{}, s.untried(ctx, try, err)
	}
	wrong := problem.Invalid("password", "this is not your password")
	if !match {
		entry := audit.By(actor, audit.ActConfirm, provedByPassword, audit.Failed)
		entry.Reason = reasonPassword
		if err := s.store.AppendAudit(ctx, entry); err != nil {
			return Session{}, unrecorded(err)
		}
		return Session{}, wrong
	}
	cookie, now := random256(), s.now()
	gs := s.fresh(r, &state{token: cookie, record: SessionRecord{ExpiresAt: cur.ExpiresAt}, change: func(ctx context.Context, tx Tx) error {
		// A password that was changed while it was being verified is wrong.
		hash, err := tx.PasswordHash(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if hash != person.PasswordHash {
			return wrong
		}
		if err := tx.RotateSession(ctx, cur.ID, hashToken(cookie), now); err != nil {
			return err
		}
		if err := try.succeed(ctx, tx); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, audit.ActConfirm, provedByPassword, audit.Allowed))
	}})
	if err := s.Save(r, w, gs); err != nil {
		return Session{}, err
	}
	cur.ConfirmedAt = now
	return cur, nil
}

// How a person has proved who they are, as the audit log has it.
const provedByPassword = "password"
