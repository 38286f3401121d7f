package secret

import (
	"context"
	"errors"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Activate puts a kept version into use: a staged one for the first time, or
// one that was in use before. It makes no version, so it can be taken back by
// activating the other one again. Activating the version in use changes
// nothing, and the outcome says so.
//
// Errors: problem.SecretNotFound, problem.InvalidField (field version) if that
// version is not kept, ErrCorrupt if it does not open, and those of
// audit.Guard.
func (s *Service) Activate(ctx context.Context, actor team.Actor, key string, number int64) (Written, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ActivateSecret, auditKey(key)); err != nil {
		return Written{}, err
	}
	var out Written
	err := s.store.Update(ctx, func(tx Tx) error {
		out = Written{Stored: number}
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		r, err := record(ctx, tx, actor, key)
		if err != nil {
			return err
		}
		entry := audit.By(actor, team.ActivateSecret, string(r.Key), audit.Allowed)
		entry.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: number}}
		if number == r.Version {
			entry.Outcome, out.Unchanged = audit.Unchanged, true
		} else if r, err = s.use(ctx, tx, actor, dek, r, number); err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, entry); err != nil {
			return err
		}
		out.Secret, err = s.shown(dek, r)
		return err
	})
	if err != nil {
		return Written{}, err
	}
	return out, nil
}

// use makes a kept version the one in use, and returns the record as it is then.
func (s *Service) use(ctx context.Context, tx Tx, actor team.Actor, dek *envelope.DEK, r Record, number int64) (Record, error) {
	sealed, err := tx.Sealed(ctx, r.TeamID, r.ID, number)
	if errors.Is(err, problem.NotFound) {
		return Record{}, problem.Invalid("version", "version %d of %s is not kept; `infsh secrets history %s` lists those that are", number, r.Key, r.Key)
	}
	if err != nil {
		return Record{}, err
	}
	// What does not open would keep every app from starting.
	if _, err := open(dek, r, sealed); err != nil {
		return Record{}, err
	}
	r.Version, r.UpdatedAt, r.UpdatedByID = number, s.now(), actor.UserID()
	if err := tx.SetCurrent(ctx, r); err != nil {
		return Record{}, err
	}
	return tx.Record(ctx, r.TeamID, r.Key)
}

// holder returns the version that makes a new one with the given value
// needless, and 0 if there is none: the one in use, and for a value that is to
// be staged also the staged one that is the newest of all. A version that does
// not open holds nothing, so that it can be replaced.
func holder(ctx context.Context, tx Tx, dek *envelope.DEK, r Record, p planned) (int64, error) {
	candidates := []int64{r.Version}
	if p.stage {
		candidates = append(candidates, r.StagedVersion)
	}
	for _, number := range candidates {
		if number == 0 {
			continue
		}
		sealed, err := tx.Sealed(ctx, r.TeamID, r.ID, number)
		if err != nil {
			return 0, err
		}
		same, err := holds(dek, r, sealed, *p.value)
		if err != nil {
			return 0, err
		}
		if same {
			return number, nil
		}
	}
	return 0, nil
}

// holds reports whether a version is of the value. One that does not open is not.
func holds(dek *envelope.DEK, r Record, sealed Sealed, value redact.Value) (bool, error) {
	old, err := open(dek, r, sealed)
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	return err == nil && old.Equal(value), err
}

// prune leaves KeptVersions versions after one was made: the one in use, and
// the newest.
func prune(ctx context.Context, tx Tx, r Record, newest int64) error {
	upTo := newest - KeptVersions
	if r.Version > 0 && r.Version <= upTo {
		upTo++
	}
	return tx.Prune(ctx, r.TeamID, r.ID, upTo, r.Version)
}

// noneInUse is the error of who asks for the value of a secret that is staged
// alone.
func noneInUse(r Record) error {
	return problem.New(problem.SecretNotFound, "No version of %s is in use yet: version %d is staged. `infsh secrets activate %s --version %d` uses it.", r.Key, r.StagedVersion, r.Key, r.StagedVersion)
}
