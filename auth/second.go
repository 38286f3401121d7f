package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// PendingLifetime is how long a sign-in waits for its second factor.
	PendingLifetime = 10 * time.Minute
	// maxPendingFailures wrong codes ask for the password again.
	maxPendingFailures = 5
)

// PendingLogin is who has shown the right password and not yet the second
// factor. It opens nothing but the question for that, and is no session: its
// cookie is another one, and ends with it.
type PendingLogin struct {
	TokenHash     []byte
	UserID, Email string
	// Joining says that the person joins a team by signing in.
	Joining              bool
	Failures             int
	CreatedAt, ExpiresAt time.Time
}

// SecondFactor says what a login that waits asks for.
type SecondFactor struct {
	Email                 string
	App, Passkey, Joining bool
	RecoveryCodes         int
}

func (s *Sessions) pendingCookie() string { return s.named("login") }
func (s *Sessions) passkeyCookie() string { return s.named("passkey") }

// named is a cookie of this package by a name of its own; behind https, no
// other host of the domain can set it.
func (s *Sessions) named(name string) string {
	if s.secure {
		return secureCookie + "-" + name
	}
	return "infsh_" + name
}

// setShortCookie sets a cookie that no other site's page makes a browser send;
// the zero duration removes it.
func (s *Sessions) setShortCookie(w http.ResponseWriter, name, value string, kept time.Duration) {
	s.setCookie(w, name, value, kept, http.SameSiteStrictMode)
}

func (s *Sessions) setCookie(w http.ResponseWriter, name, value string, kept time.Duration, sameSite http.SameSite) {
	age := int(kept.Seconds())
	if age == 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: s.secure, HttpOnly: true, SameSite: sameSite})
}

// wait keeps a sign-in whose password was right until its second factor comes.
// It returns problem.SecondFactorNeeded.
func (s *Sessions) wait(w http.ResponseWriter, r *http.Request, person Person, try attempt, joining bool) error {
	return s.waitFor(w, r, PendingLogin{UserID: person.UserID, Joining: joining}, http.SameSiteStrictMode, func(ctx context.Context, tx Tx) error {
		hash, err := tx.PasswordHash(ctx, person.UserID)
		if err != nil && !errors.Is(err, problem.NotFound) {
			return err
		}
		if hash != person.PasswordHash {
			return wrongCredentials()
		}
		return try.succeed(ctx, tx)
	})
}

// waitFor keeps a sign-in until its second factor comes, once first has found
// what was shown before that still right. It returns problem.SecondFactorNeeded.
func (s *Sessions) waitFor(w http.ResponseWriter, r *http.Request, p PendingLogin, sameSite http.SameSite, first func(context.Context, Tx) error) error {
	ctx, token, now := r.Context(), random256(), s.now()
	p.TokenHash, p.CreatedAt, p.ExpiresAt = hashToken(token), now, now.Add(PendingLifetime)
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		return tx.InsertPending(ctx, p)
	})
	if err != nil {
		return err
	}
	s.setCookie(w, s.pendingCookie(), token, PendingLifetime, sameSite)
	return problem.New(problem.SecondFactorNeeded, "Now show your second factor.")
}

// pending finds the login that the request's browser waits with.
func (s *Sessions) pending(r *http.Request) (p PendingLogin, err error) {
	hash, ok := s.presented(r, s.pendingCookie())
	if !ok {
		return p, staleLogin()
	}
	err = s.store.Update(r.Context(), func(tx Tx) error {
		p, err = tx.Pending(r.Context(), hash, s.now())
		return err
	})
	if errors.Is(err, problem.NotFound) {
		err = staleLogin()
	}
	return p, err
}

// SecondFactor says what the login that waits in this browser asks for.
//
// Errors: problem.NotSignedIn if none waits.
func (s *Sessions) SecondFactor(r *http.Request) (SecondFactor, error) {
	p, err := s.pending(r)
	if err != nil {
		return SecondFactor{}, err
	}
	have, err := s.store.Factors(r.Context(), p.UserID)
	if err != nil {
		return SecondFactor{}, err
	}
	return SecondFactor{
		Email: p.Email, App: !have.App.IsZero(), Passkey: len(have.Passkeys) > 0 && s.relying != nil, Joining: p.Joining, RecoveryCodes: have.RecoveryCodes,
	}, nil
}

// Verify completes the login that waits in this browser, by a code or a
// passkey; only now there is a session. join is as LoginToJoin has it, for one
// who joins.
//
// Errors: problem.InvalidField (fields code, credential), problem.NotSignedIn if
// no login waits or after too many wrong codes, problem.RateLimited, and those
// of join.
func (s *Sessions) Verify(w http.ResponseWriter, r *http.Request, proof Proof, from account.Origin, join func(ctx context.Context, userID string) (teamID string, err error)) (team.Actor, error) {
	ctx := r.Context()
	p, err := s.pending(r)
	if err != nil {
		return team.Actor{}, err
	}
	var person Person
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		person, err = tx.PersonByID(ctx, p.UserID)
		return err
	})
	if err != nil {
		return team.Actor{}, err
	}
	found, err := s.second(ctx, ofCookie(toVerify, p.TokenHash), p.UserID, proof, from)
	if errors.Is(err, problem.InvalidField) {
		return team.Actor{}, s.refused(w, r, p, person, from, proof, err)
	}
	if err != nil {
		return team.Actor{}, err
	}
	in := person.First
	if p.Joining && join != nil {
		teamID, err := join(ctx, person.UserID)
		if err != nil {
			return team.Actor{}, err
		}
		if in, err = s.store.Membership(ctx, teamID, person.UserID); err != nil {
			return team.Actor{}, err
		}
	}
	actor, err := s.begin(w, r, person, in, from, shown{by: found.by, use: func(ctx context.Context, tx Tx) error {
		if ok, err := tx.DeletePending(ctx, p.TokenHash); err != nil || !ok {
			return errors.Join(err, staleLogin())
		}
		return found.use(ctx, tx)
	}})
	if errors.Is(err, problem.InvalidField) {
		return team.Actor{}, s.refused(w, r, p, person, from, proof, err)
	}
	if err == nil {
		s.setShortCookie(w, s.pendingCookie(), "", 0)
	}
	return actor, err
}

// refused records a wrong second factor, and ends the login after too many.
func (s *Sessions) refused(w http.ResponseWriter, r *http.Request, p PendingLogin, person Person, from account.Origin, proof Proof, why error) error {
	ctx, reason := r.Context(), reasonCode
	if len(proof.Credential) > 0 {
		reason = reasonPasskey
	}
	over := false
	err := s.store.Update(ctx, func(tx Tx) error {
		n, err := tx.FailPending(ctx, p.TokenHash)
		if err != nil {
			return err
		}
		if over = n >= maxPendingFailures; over {
			if _, err := tx.DeletePending(ctx, p.TokenHash); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, failedLogin(person, from, reason))
	})
	if err != nil {
		return unrecorded(err)
	}
	if over {
		s.setShortCookie(w, s.pendingCookie(), "", 0)
		return problem.New(problem.NotSignedIn, "Too many wrong codes. Sign in anew, from the beginning.")
	}
	return why
}

// second checks a proof that is no password.
func (s *Sessions) second(ctx context.Context, of, userID string, proof Proof, from account.Origin) (shown, error) {
	if len(proof.Credential) == 0 {
		return s.tryCode(ctx, userID, proof.Code, from)
	}
	if s.relying == nil {
		return shown{}, badPasskey()
	}
	ceremony, err := s.ceremony(ctx, of)
	if err != nil {
		return shown{}, err
	}
	found, err := s.assert(ctx, ceremony, proof.Credential, userID)
	return found.shown, err
}

// Proof is what a person shows to prove who they are: one of these.
type Proof struct {
	Password redact.Value
	// Code is one of an authenticator app, or a recovery code.
	Code redact.Value
	// Credential is what a passkey has signed, as JSON of PublicKeyCredential.
	Credential []byte
}

// begin makes the session of a person whose proof was right, and uses that up
// in the same transaction. The session that the browser had ends.
func (s *Sessions) begin(w http.ResponseWriter, r *http.Request, person Person, in Membership, from account.Origin, proof shown) (team.Actor, error) {
	ctx := r.Context()
	if in.IsZero() {
		if err := s.store.AppendAudit(ctx, failedLogin(person, from, reasonNoTeam)); err != nil {
			return team.Actor{}, unrecorded(err)
		}
		return team.Actor{}, problem.New(problem.PermissionDenied, "Permission denied: you belong to no team any more. Ask an owner of your team, or the operator of this server, to add you.")
	}
	record, cookie := newRecord(person, in.TeamID, from.RemoteAddr, r.UserAgent(), s.now())
	if proof.old {
		record.ConfirmedAt = time.Time{}
	}
	actor := sessionActor(record, in, from)
	previous, hadPrevious := s.presented(r, s.CookieName())
	by := proof.by
	if by == byPassword {
		by = "" // As it was before there was anything else.
	}
	gs := s.fresh(r, &state{record: record, membership: in, token: cookie, change: func(ctx context.Context, tx Tx) error {
		if err := proof.use(ctx, tx); err != nil {
			return err
		}
		if hadPrevious {
			if err := tx.DeleteSession(ctx, previous); err != nil {
				return err
			}
		}
		if err := tx.InsertSession(ctx, record); err != nil {
			return err
		}
		if err := tx.KeepSessions(ctx, person.UserID, maxSessions); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, audit.ActLogin, by, audit.Allowed))
	}})
	if err := s.Save(r, w, gs); err != nil {
		return team.Actor{}, err
	}
	s.sweepAfter(ctx)
	return actor, nil
}
