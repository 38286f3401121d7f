package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/team"
)

// KEKReport says what a rotation of the KEK did.
type KEKReport struct {
	From, To string
	// Teams is how many DEKs were wrapped anew by this run.
	Teams int
	// Resumed tells that an earlier run had begun it.
	Resumed bool
}

// KEK makes to the store's KEK and wraps every team's DEK by it.
//
//  1. One transaction makes to the KEK in use and keeps the one before as the
//     old one. It also seals the key of the store's fingerprints by to. From here on new teams get to, and a server that hasn't got both
//     keys does not start and is not ready.
//  2. Each team's DEK is wrapped anew, a transaction each.
//  3. When none is left, one transaction forgets the old KEK.
//
// A run that was interrupted is continued by another with the same to. One
// with the old KEK as to turns the rotation around.
//
// Errors: envelope.ErrKEKWrong if a key is missing, and
// envelope.ErrKEKUnavailable if a key service does not answer; *Stuck;
// problem.Conflict while a rotation to another key is under way.
func (s *Service) KEK(ctx context.Context, operator team.Actor, to *envelope.KEK, progress Progress) (KEKReport, error) {
	if err := s.authorize(operator); err != nil {
		return KEKReport{}, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	keys := to.And(s.have)
	keks, report, err := s.beginKEK(ctx, operator, keys, to)
	if err != nil {
		return report, err
	}
	stuck, err := s.rewrapAll(ctx, operator, keys, to, keks, &report, progress)
	if err != nil {
		return report, err
	}
	if len(stuck) > 0 {
		return report, &Stuck{What: stuck}
	}
	return report, s.endKEK(ctx, operator, to, keks)
}

func (s *Service) beginKEK(ctx context.Context, operator team.Actor, keys, to *envelope.KEK) (KEKs, KEKReport, error) {
	for range maxTurns {
		seen, err := s.keks(ctx)
		if err != nil {
			return KEKs{}, KEKReport{}, err
		}
		if err := usable(keys, seen); err != nil {
			return KEKs{}, KEKReport{}, err
		}
		report := KEKReport{From: seen.ID, To: to.ID()}
		if seen.ID == to.ID() {
			report.Resumed = len(seen.OldCheck) > 0
			if report.Resumed {
				report.From = seen.OldID
			}
			return seen, report, nil
		}
		if len(seen.OldCheck) > 0 && to.VerifyCheck(seen.StoreID, seen.OldCheck) != nil {
			return KEKs{}, KEKReport{}, problem.New(problem.Conflict,
				"A rotation from %s to %s is under way. Finish it first, or turn it around with the old key as --to.", seen.OldID, seen.ID)
		}
		check, err := to.SealCheck(seen.StoreID)
		if err != nil {
			return KEKs{}, KEKReport{}, err
		}
		prints, newPrints, err := s.fingerprintKey(ctx, keys, to, seen)
		if err != nil {
			return KEKs{}, KEKReport{}, err
		}
		begun := KEKs{StoreID: seen.StoreID, ID: to.ID(), Check: check, OldID: seen.ID, OldCheck: seen.Check}
		err = s.store.Update(ctx, func(tx Tx) error {
			locked, err := tx.LockKEKs(ctx)
			if err != nil {
				return err
			}
			if !locked.equal(seen) {
				return errMoved
			}
			now, err := tx.FingerprintKey(ctx)
			if err != nil {
				return err
			}
			if !bytes.Equal(now, prints) {
				return errMoved
			}
			if newPrints != nil {
				if err := tx.SetFingerprintKey(ctx, newPrints); err != nil {
					return err
				}
			}
			if err := tx.SetKEKs(ctx, begun); err != nil {
				return err
			}
			return tx.AppendAudit(ctx, s.entry(operator, "", audit.ActKEKRotationStart, begun.OldID, begun.ID))
		})
		if errors.Is(err, errMoved) {
			continue
		}
		return begun, report, err
	}
	return KEKs{}, KEKReport{}, errMoved
}

// fingerprintKey reads the key of the store's fingerprints, and seals it by to.
// One that does not open is of no use: servers make a new one.
func (s *Service) fingerprintKey(ctx context.Context, keys, to *envelope.KEK, keks KEKs) (old, rewrapped []byte, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		old, err = r.FingerprintKey(ctx)
		return err
	})
	if err != nil || old == nil {
		return nil, nil, err
	}
	rewrapped, err = keys.RewrapFingerprintKey(keks.StoreID, old, to)
	if errors.Is(err, envelope.ErrOpen) {
		return old, nil, nil
	}
	return old, rewrapped, err
}

// rewrapAll visits the teams whose DEK another KEK wraps. There are passes,
// since a team that is visited may be one whose row somebody is changing.
func (s *Service) rewrapAll(ctx context.Context, operator team.Actor, keys, to *envelope.KEK, keks KEKs, report *KEKReport, progress Progress) (stuck []string, err error) {
	for {
		left := 0
		err := s.store.View(ctx, func(r Reader) (err error) {
			left, err = r.CountTeamsNotWrappedBy(ctx, to.ID())
			return err
		})
		if err != nil || left == 0 {
			return nil, err
		}
		before := report.Teams
		stuck = nil
		for after := ""; ; {
			var teams []TeamKey
			err := s.store.View(ctx, func(r Reader) (err error) {
				teams, err = r.TeamsNotWrappedBy(ctx, to.ID(), after, s.batch)
				return err
			})
			if err != nil {
				return nil, err
			}
			if len(teams) == 0 {
				break
			}
			for _, t := range teams {
				after = t.TeamID
				started := time.Now()
				err := s.rewrap(ctx, operator, keys, to, keks, t)
				switch {
				case errors.Is(err, envelope.ErrOpen):
					stuck = append(stuck, t.what())
				case err != nil:
					return nil, err
				default:
					report.Teams++
					progress(report.Teams-before, max(left, report.Teams-before))
				}
				if err := pause(ctx, time.Since(started)); err != nil {
					return nil, err
				}
			}
		}
		if report.Teams == before {
			return stuck, nil
		}
	}
}

// what names the key in a message.
func (t TeamKey) what() string {
	switch {
	case t.Person:
		return "the second factor of " + t.Username
	case t.Issuer:
		return "the issuer's key " + t.TeamID
	}
	return "the key of team " + t.Username
}

// chain is the team in whose audit log it is told.
func (t TeamKey) chain() string {
	if t.Person || t.Issuer {
		return ""
	}
	return t.TeamID
}

// rewrap wraps one team's DEK. A team that was deleted needs it no more.
func (s *Service) rewrap(ctx context.Context, operator team.Actor, keys, to *envelope.KEK, keks KEKs, t TeamKey) error {
	for range maxTurns {
		wrapped, err := keys.Rewrap(t.TeamID, t.WrappedDEK, to)
		if err != nil {
			return err
		}
		// What was wrapped is read back before it takes the place of what is
		// known to open.
		if _, err := to.OpenDEK(t.TeamID, wrapped); err != nil {
			return fmt.Errorf("the new key does not open what it wrapped for team %s, so it was not stored: %w", t.Username, err)
		}
		replacement := t
		replacement.WrappedDEK, replacement.KEKID = wrapped, to.IDOf(wrapped)
		if replacement.KEKID != to.ID() {
			return fmt.Errorf("the key service made a new version of its key during the rotation, %s; run the same command again", replacement.KEKID)
		}
		err = s.replace(ctx, keks, t, replacement, s.entry(operator, t.chain(), audit.ActRewrapDEK, t.KEKID, replacement.KEKID))
		if !errors.Is(err, errMoved) {
			return err
		}
		now, err := s.keks(ctx)
		if err != nil {
			return err
		}
		if !now.equal(keks) {
			return problem.New(problem.Conflict, "Another rotation of the KEK began meanwhile. Run one at a time.")
		}
		if t.Person || t.Issuer {
			return nil // It was removed or made anew; the next pass finds it if it must.
		}
		if t, err = s.teamKey(ctx, t.TeamID); errors.Is(err, problem.NotFound) {
			return nil
		}
		if err != nil || t.KEKID == to.ID() {
			return err
		}
	}
	return errMoved
}

func (s *Service) endKEK(ctx context.Context, operator team.Actor, to *envelope.KEK, keks KEKs) error {
	if len(keks.OldCheck) == 0 {
		return nil
	}
	return s.store.Update(ctx, func(tx Tx) error {
		locked, err := tx.LockKEKs(ctx)
		if err != nil {
			return err
		}
		if !locked.equal(keks) {
			return problem.New(problem.Conflict, "Another rotation of the KEK began or ended meanwhile. Run the same command again.")
		}
		left, err := tx.CountTeamsNotWrappedBy(ctx, to.ID())
		if err != nil {
			return err
		}
		if left > 0 {
			return problem.New(problem.Conflict, "%d teams were changed meanwhile. Run the same command again.", left)
		}
		ended := keks
		ended.OldID, ended.OldCheck = "", nil
		if err := tx.SetKEKs(ctx, ended); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, s.entry(operator, "", audit.ActRotateKEK, keks.OldID, keks.ID))
	})
}

// replace stores a team's DEK with its audit entry, or returns errMoved.
func (s *Service) replace(ctx context.Context, keks KEKs, old, replacement TeamKey, e audit.Entry) error {
	return s.store.Update(ctx, func(tx Tx) error {
		ok, err := tx.ReplaceDEK(ctx, keks.Check, old, replacement)
		if err != nil {
			return err
		}
		if !ok {
			return errMoved
		}
		return tx.AppendAudit(ctx, e)
	})
}

func (s *Service) teamKey(ctx context.Context, id string) (t TeamKey, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		t, err = r.TeamKey(ctx, id)
		return err
	})
	return t, err
}
