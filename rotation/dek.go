package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/team"
)

// DEKReport says what a rotation of DEKs did.
type DEKReport struct {
	// Teams is how many DEKs this run finished, and Versions how many versions
	// of secrets it sealed anew.
	Teams, Versions int
	// Resumed tells that an earlier run had begun it.
	Resumed bool
}

// DEK rotates the DEK of the team with that username, or of every team if it
// is empty. For each:
//
//  1. One transaction adds a key to the team's keyset, which seals from then
//     on. It waits for those who write in the team, so that afterwards nobody
//     seals with the older key.
//  2. Values and hints that the older key sealed are sealed anew, in batches.
//     A row that changed meanwhile is left alone: it is sealed by the new key,
//     or gone.
//  3. When the older key sealed nothing that is left, one transaction drops it.
//
// A keyset of two keys is therefore one whose rotation is to be continued, and
// each version opens with the keyset of any snapshot in which it is read.
//
// Errors: as those of KEK, and problem.NotFound for the team.
func (s *Service) DEK(ctx context.Context, operator team.Actor, username string, progress Progress) (DEKReport, error) {
	if err := s.authorize(operator); err != nil {
		return DEKReport{}, err
	}
	keks, err := s.keks(ctx)
	if err != nil {
		return DEKReport{}, err
	}
	if err := usable(s.have, keks); err != nil {
		return DEKReport{}, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	run := &dekRun{Service: s, operator: operator, progress: progress}
	if username == "" {
		err = run.every(ctx)
	} else {
		err = run.one(ctx, username)
	}
	if err == nil && len(run.stuck) > 0 {
		err = &Stuck{What: run.stuck}
	}
	return run.report, err
}

// dekRun is one call of DEK.
type dekRun struct {
	*Service
	operator team.Actor
	progress Progress
	total    int
	report   DEKReport
	stuck    []string
	// stuckTeam is the last one that was given up.
	stuckTeam string
	// due is the time before which a rotation has to have ended to be due again.
	due time.Time
}

func (run *dekRun) one(ctx context.Context, username string) error {
	var t TeamKey
	err := run.store.View(ctx, func(r Reader) (err error) {
		t, err = r.TeamKeyByName(ctx, username)
		return err
	})
	if errors.Is(err, problem.NotFound) {
		return problem.New(problem.NotFound, "There is no team with the username %s.", username)
	}
	if err != nil {
		return err
	}
	return run.rotate(ctx, t, t.RotatedAt.Add(time.Microsecond))
}

// every rotates the DEKs that were not rotated since the rotation of all began.
// The store remembers when that was, so that a run which continues another does
// not begin with the first team again.
func (run *dekRun) every(ctx context.Context) error {
	now := run.now()
	var since time.Time
	err := run.store.Update(ctx, func(tx Tx) (err error) {
		since, err = tx.BeginDEKRotation(ctx, now)
		return err
	})
	if err != nil {
		return err
	}
	run.report.Resumed = since.UnixMicro() != now.UnixMicro()
	err = run.store.View(ctx, func(r Reader) (err error) {
		run.total, err = r.CountVersionsRotatedBefore(ctx, since)
		return err
	})
	if err != nil {
		return err
	}
	for after := ""; ; {
		var teams []TeamKey
		err := run.store.View(ctx, func(r Reader) (err error) {
			teams, err = r.TeamsRotatedBefore(ctx, since, after, run.batch)
			return err
		})
		if err != nil {
			return err
		}
		if len(teams) == 0 {
			break
		}
		for _, t := range teams {
			after = t.TeamID
			if err := run.rotate(ctx, t, since); err != nil {
				return err
			}
		}
	}
	return run.store.Update(ctx, func(tx Tx) error { return tx.EndDEKRotation(ctx) })
}

// rotate does or continues the rotation of a team whose last one ended before
// a time.
func (run *dekRun) rotate(ctx context.Context, team TeamKey, before time.Time) error {
	run.due = before
	for range maxTurns {
		keks, t, err := run.read(ctx, team.TeamID)
		if errors.Is(err, problem.NotFound) {
			return nil // It was deleted, and its records with it.
		}
		if err != nil {
			return err
		}
		if !t.RotatedAt.Before(before) {
			return nil // Another run finished it meanwhile.
		}
		if err := run.step(ctx, keks, t); err != nil && !errors.Is(err, errMoved) {
			return err
		} else if err == nil && len(run.stuck) > 0 && run.stuckTeam == t.TeamID {
			return nil
		}
	}
	return errMoved
}

// step adds a key to a keyset of one, and finishes the rotation of any other.
// errMoved says that the keyset was changed meanwhile.
func (run *dekRun) step(ctx context.Context, keks KEKs, t TeamKey) error {
	kek, err := run.have.InUse(keks.StoreID, keks.Check)
	if errors.Is(err, envelope.ErrKEKWrong) {
		err = usable(run.have, keks)
	}
	if err != nil {
		return err
	}
	dek, err := kek.OpenDEK(t.TeamID, t.WrappedDEK)
	if errors.Is(err, envelope.ErrOpen) {
		run.leave(t, "the key of team "+t.Username)
		return nil
	}
	if err != nil {
		return err
	}
	if len(dek.KeyIDs()) == 1 {
		return run.add(ctx, kek, keks, t, dek)
	}
	stuck, err := run.reseal(ctx, t, dek)
	if err != nil {
		return err
	}
	if len(stuck) > 0 {
		// The older key stays, since what does not open may need it.
		run.leave(t, stuck...)
		return nil
	}
	if err := run.drop(ctx, kek, keks, t, dek); err != nil {
		return err
	}
	run.report.Teams++
	return nil
}

// leave gives a team up.
func (run *dekRun) leave(t TeamKey, what ...string) {
	run.stuckTeam = t.TeamID
	run.stuck = append(run.stuck, what...)
}

// read reads a team's keyset and the store's KEKs at one moment.
func (run *dekRun) read(ctx context.Context, teamID string) (keks KEKs, t TeamKey, err error) {
	err = run.store.View(ctx, func(r Reader) error {
		if keks, err = r.KEKs(ctx); err != nil {
			return err
		}
		t, err = r.TeamKey(ctx, teamID)
		return err
	})
	return keks, t, err
}

// add is step 1.
func (run *dekRun) add(ctx context.Context, kek *envelope.KEK, keks KEKs, t TeamKey, dek *envelope.DEK) error {
	wrapped, err := kek.AddDEKKey(t.TeamID, t.WrappedDEK)
	if err != nil {
		return err
	}
	replacement, added, err := readBack(kek, t, wrapped)
	if err != nil {
		return err
	}
	from, to := dek.KeyIDs()[0], added.KeyIDs()[0]
	return run.replace(ctx, keks, t, replacement, run.entry(run.operator, t.TeamID, audit.ActDEKRotationStart, keyName(from), keyName(to)))
}

// drop is step 3.
func (run *dekRun) drop(ctx context.Context, kek *envelope.KEK, keks KEKs, t TeamKey, dek *envelope.DEK) error {
	wrapped, err := kek.DropOldDEKKeys(t.TeamID, t.WrappedDEK)
	if err != nil {
		return err
	}
	replacement, _, err := readBack(kek, t, wrapped)
	if err != nil {
		return err
	}
	// Never before the time that makes it due, even if this machine's clock is
	// behind that of the one which began: it would be due again for ever.
	replacement.RotatedAt = run.now()
	if replacement.RotatedAt.Before(run.due) {
		replacement.RotatedAt = run.due
	}
	ids := dek.KeyIDs()
	entry := run.entry(run.operator, t.TeamID, audit.ActRotateDEK, keyName(ids[len(ids)-1]), keyName(ids[0]))
	return run.store.Update(ctx, func(tx Tx) error {
		// First, since it waits for those who write in the team.
		ok, err := tx.ReplaceDEK(ctx, keks.Check, t, replacement)
		if err != nil {
			return err
		}
		left, err := tx.CountVersionsNotSealedBy(ctx, t.TeamID, dek.Prefix())
		if err != nil {
			return err
		}
		if !ok || left > 0 {
			return errMoved
		}
		return tx.AppendAudit(ctx, entry)
	})
}

// readBack opens a keyset before it takes the place of one that is known to
// open.
func readBack(kek *envelope.KEK, t TeamKey, wrapped []byte) (TeamKey, *envelope.DEK, error) {
	dek, err := kek.OpenDEK(t.TeamID, wrapped)
	if err != nil {
		return TeamKey{}, nil, fmt.Errorf("the new keyset of team %s does not open, so it was not stored: %w", t.Username, err)
	}
	t.WrappedDEK, t.KEKID = wrapped, kek.IDOf(wrapped)
	return t, dek, nil
}

// reseal is step 2. It returns the versions that do not open.
func (run *dekRun) reseal(ctx context.Context, t TeamKey, dek *envelope.DEK) (stuck []string, err error) {
	left := 0
	err = run.store.View(ctx, func(r Reader) (err error) {
		left, err = r.CountVersionsNotSealedBy(ctx, t.TeamID, dek.Prefix())
		return err
	})
	if err != nil {
		return nil, err
	}
	run.total = max(run.total, run.report.Versions+left)
	for after := (Version{}); ; {
		var versions []Version
		err := run.store.View(ctx, func(r Reader) (err error) {
			versions, err = r.VersionsNotSealedBy(ctx, t.TeamID, dek.Prefix(), after, run.batch)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(versions) == 0 {
			break
		}
		after = versions[len(versions)-1]
		sealed := make([]Version, len(versions))
		for i, v := range versions {
			if sealed[i], err = reseal(dek, t.TeamID, v); err != nil {
				stuck = append(stuck, fmt.Sprintf("version %d of %s of team %s", v.Number, v.Key, t.Username))
			}
		}
		started := time.Now()
		done := 0
		err = run.store.Update(ctx, func(tx Tx) error {
			done = 0
			for i, v := range versions {
				if sealed[i].Value == nil {
					continue
				}
				ok, err := tx.Reseal(ctx, t.TeamID, v, sealed[i].Value, sealed[i].Hint)
				if err != nil {
					return err
				}
				if ok {
					done++
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		run.report.Versions += done
		run.progress(run.report.Versions, max(run.total, run.report.Versions))
		if err := pause(ctx, time.Since(started)); err != nil {
			return nil, err
		}
	}
	return stuck, nil
}

// reseal opens a version and seals it in the same place with the newest key.
func reseal(dek *envelope.DEK, teamID string, v Version) (Version, error) {
	if v.Of != OfSecret {
		value, err := again(dek, v.Of, teamID, v, v.Value)
		v.Value = value
		return v, err
	}
	value, err := again(dek, envelope.SecretValue, teamID, v, v.Value)
	if err != nil {
		return Version{}, err
	}
	hint, err := again(dek, envelope.SecretHint, teamID, v, v.Hint)
	if err != nil {
		return Version{}, err
	}
	v.Value, v.Hint = value, hint
	return v, nil
}

func again(dek *envelope.DEK, purpose envelope.Purpose, teamID string, v Version, sealed []byte) ([]byte, error) {
	place := envelope.AssociatedData{Purpose: purpose, Team: teamID, Key: string(v.Key), Version: v.Number}
	plaintext, err := dek.Open(place, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	return dek.Seal(place, plaintext)
}

// keyName is how the audit log names a key of a keyset.
func keyName(id uint32) string { return fmt.Sprintf("key %d", id) }
