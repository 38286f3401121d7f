package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
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

// Confirm proves anew that the session is its person's. It counts as a sign-in
// does, against guesses too, and changes the session's cookie, so that a copy
// of the old one is worth nothing afterwards (OWASP ASVS 5.0, 7.2.4). The
// session stays the same one, and is confirmed from its next request on.
//
// Errors: problem.InvalidField (fields password, code, credential), problem.RateLimited and
// problem.Unavailable with RetryAfter, and those of audit.Guard.
func (s *Sessions) Confirm(w http.ResponseWriter, r *http.Request, cur Session, proof Proof) error {
	ctx, actor := r.Context(), cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActConfirm); err != nil {
		return err
	}
	proved, err := s.proof(ctx, cur, proof)
	if err == nil {
		if err = s.confirmBy(w, r, cur, proved); err == nil {
			return nil
		}
	}
	if errors.Is(err, problem.InvalidField) {
		entry := audit.By(actor, audit.ActConfirm, proof.kind(), audit.Failed)
		entry.Reason = map[string]string{byPassword: reasonPassword, byApp: reasonCode, byPasskey: reasonPasskey}[proof.kind()]
		if err := s.store.AppendAudit(ctx, entry); err != nil {
			return unrecorded(err)
		}
	}
	return err
}

// confirmBy makes the session a confirmed one, with another cookie.
func (s *Sessions) confirmBy(w http.ResponseWriter, r *http.Request, cur Session, proved shown) error {
	now, cookie := s.now(), random256()
	return s.Save(r, w, s.fresh(r, &state{token: cookie, record: SessionRecord{ExpiresAt: cur.ExpiresAt}, change: func(ctx context.Context, tx Tx) error {
		if err := proved.use(ctx, tx); err != nil {
			return err
		}
		if err := tx.RotateSession(ctx, cur.ID, hashToken(cookie), now); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActConfirm, proved.by, audit.Allowed))
	}}))
}

// proof checks what the session's person shows.
func (s *Sessions) proof(ctx context.Context, cur Session, proof Proof) (shown, error) {
	actor := cur.Actor
	from := account.Origin{RemoteAddr: actor.RemoteAddr()}
	if proof.kind() != byPassword {
		return s.second(ctx, ofSession(toConfirm, cur.ID), actor.UserID(), proof, from)
	}
	person, try, err := s.identify(ctx, actor.Email(), from)
	if err != nil {
		return shown{}, err
	}
	match, err := s.passwords.Verify(ctx, person.PasswordHash, proof.Password)
	if err != nil {
		return shown{}, s.untried(ctx, try, err)
	}
	wrong := problem.Invalid("password", "this is not your password")
	if !match {
		return shown{}, wrong
	}
	return shown{by: byPassword, use: func(ctx context.Context, tx Tx) error {
		// A password that was changed while it was being verified is wrong.
		hash, err := tx.PasswordHash(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if hash != person.PasswordHash {
			return wrong
		}
		return try.succeed(ctx, tx)
	}}, nil
}

// kind is what the proof is taken for.
func (p Proof) kind() string {
	switch {
	case len(p.Credential) > 0:
		return byPasskey
	case p.Code.Len() > 0:
		return byApp
	}
	return byPassword
}
