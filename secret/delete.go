package secret

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

const (
	// UndoWindow is how long a deletion can be undone. A page offers it for ten
	// seconds of attention; who reads slowly, has no script or is far away needs
	// longer. Erase removes for good what is older.
	UndoWindow = 30 * time.Second
	// MaxDelete is how many secrets are deleted together.
	MaxDelete = 200
)

// Deletion is what was deleted together.
type Deletion struct {
	// ID is for Restore.
	ID   string
	Keys []envvar.Key
	// Until is the end of the time in which it can be undone.
	Until time.Time
}

// Aside is a secret that was deleted and is not erased yet.
type Aside struct {
	Key     envvar.Key
	Version int64 // that was in use
	At      time.Time
}

// Delete removes secrets with all their versions, all of them or none. From its
// commit on no run receives them, and nothing but Restore finds them; their
// ciphertexts are erased after UndoWindow.
//
// Errors: problem.InvalidField (field key), problem.SecretNotFound, and those of
// audit.Guard.
func (s *Service) Delete(ctx context.Context, actor team.Actor, keys ...string) (Deletion, error) {
	if err := audit.Guard(ctx, s.store, actor, team.DeleteSecret, auditKeys("deletion", keys)); err != nil {
		return Deletion{}, err
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	switch {
	case len(keys) == 0:
		return Deletion{}, problem.Invalid("key", "choose the secrets that are to be deleted")
	case len(keys) > MaxDelete:
		return Deletion{}, problem.Invalid("key", "at most %d secrets are deleted at once", MaxDelete)
	}
	var out Deletion
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		now := s.now()
		out = Deletion{ID: uuid.NewString(), Until: now.Add(UndoWindow)}
		for _, key := range keys {
			r, err := record(ctx, tx, actor, key)
			if err != nil {
				return err
			}
			if err := tx.SetAside(ctx, r.TeamID, out.ID, r, now); err != nil {
				return err
			}
			if _, err := tx.DeleteExpected(ctx, r.TeamID, r.Key); err != nil {
				return err
			}
			entry := audit.By(actor, team.DeleteSecret, string(r.Key), audit.Allowed)
			entry.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: r.Version}}
			if err := tx.AppendAudit(ctx, entry); err != nil {
				return err
			}
			out.Keys = append(out.Keys, r.Key)
		}
		return nil
	})
	if err != nil {
		return Deletion{}, err
	}
	return out, nil
}

// Restore undoes a deletion: each secret of it is as it was, with its versions
// and who made them.
//
// Errors: problem.NotFound if it can't be undone any more, problem.Conflict if a
// key of it was set again meanwhile, and those of audit.Guard.
func (s *Service) Restore(ctx context.Context, actor team.Actor, deletion string) ([]envvar.Key, error) {
	if err := audit.Guard(ctx, s.store, actor, team.RestoreSecret, "(deletion)"); err != nil {
		return nil, err
	}
	over := problem.New(problem.NotFound, "This can't be undone any more: what was deleted is erased after %d seconds, or was restored already.", int(UndoWindow.Seconds()))
	if uuid.Validate(deletion) != nil {
		return nil, over
	}
	var out []envvar.Key
	err := s.store.Update(ctx, func(tx Tx) error {
		out = nil
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		aside, err := tx.Aside(ctx, actor.TeamID(), deletion)
		if err != nil {
			return err
		}
		if len(aside) == 0 || !s.now().Before(aside[0].At.Add(UndoWindow)) {
			return over
		}
		keys, err := tx.Keys(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		var again []string
		for _, one := range aside {
			out = append(out, one.Key)
			if slices.Contains(keys, one.Key) {
				again = append(again, string(one.Key))
			}
		}
		if len(again) > 0 {
			return problem.New(problem.Conflict, "Nothing was restored, since this would replace what was set meanwhile: %s.", strings.Join(again, ", "))
		}
		if err := tx.PutBack(ctx, actor.TeamID(), deletion); err != nil {
			return err
		}
		for _, one := range aside {
			// What does not open would keep apps from starting. The team's key may
			// have been replaced meanwhile, which seals anew what is not deleted.
			r, err := tx.Record(ctx, actor.TeamID(), one.Key)
			if err != nil {
				return err
			}
			versions, err := tx.Versions(ctx, r.TeamID, r.ID)
			if err != nil {
				return err
			}
			for _, v := range versions {
				if _, err := open(dek, r, v); err != nil {
					return &problem.Error{Code: problem.NotFound, Detail: over.Detail, Cause: err}
				}
			}
			entry := audit.By(actor, team.RestoreSecret, string(one.Key), audit.Allowed)
			entry.Versions = []audit.KeyVersion{{Key: string(one.Key), Version: one.Version}}
			if err := tx.AppendAudit(ctx, entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Erase removes for good what was deleted longer than UndoWindow ago, in all
// teams, and tells how many secrets that were.
func (s *Service) Erase(ctx context.Context) (int64, error) {
	return s.store.Erase(ctx, s.now().Add(-UndoWindow))
}

// auditKeys is the target of an act on keys of which none may be valid.
func auditKeys(what string, keys []string) string {
	if len(keys) == 1 {
		return auditKey(keys[0])
	}
	return fmt.Sprintf("(%s of %d)", what, len(keys))
}
