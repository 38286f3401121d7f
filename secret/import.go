package secret

import (
	"context"
	"errors"
	"fmt"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// MaxImport is how many secrets one import may hold.
const MaxImport = 500

// Import is many secrets, to be set together or not at all.
type Import struct {
	Items []ImportItem
	// Overwrite allows new versions of keys that are set already.
	Overwrite bool
	// DryRun only says what would happen.
	DryRun         bool
	AllowRiskyName bool
}

// ImportItem is one line of an import.
type ImportItem struct {
	Key         string
	Value       redact.Value
	Description *string
}

// ImportStatus is what happens, or would happen, with an item.
type ImportStatus string

const (
	ImportNew       ImportStatus = "new"
	ImportChanged   ImportStatus = "changed"
	ImportUnchanged ImportStatus = "unchanged"
	// ImportExists is a key that is set to another value, without Overwrite.
	ImportExists  ImportStatus = "exists"
	ImportRefused ImportStatus = "refused"
)

// ImportResult is the fate of one item; Detail is a sentence without the value.
type ImportResult struct {
	Key    string
	Status ImportStatus
	Detail string
}

// Import sets all items in one transaction. If any is refused, or exists
// without Overwrite, nothing is written and written is false.
func (s *Service) Import(ctx context.Context, actor team.Actor, in Import) (results []ImportResult, written bool, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.SetSecret, importTarget(in)); err != nil {
		return nil, false, err
	}
	switch {
	case len(in.Items) == 0:
		return nil, false, problem.Invalid("items", "there is nothing to import")
	case len(in.Items) > MaxImport:
		return nil, false, problem.Invalid("items", "an import has at most %d secrets; split the file", MaxImport)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		// The transaction may run again, so its outcome starts anew each time.
		results, written = make([]ImportResult, len(in.Items)), false
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		plans := make([]planned, len(in.Items))
		existing := make([]*Record, len(in.Items))
		blocked := in.DryRun
		seen := map[string]bool{}
		for i, item := range in.Items {
			res := &results[i]
			res.Key = item.Key
			plans[i], err = plan(Write{Key: item.Key, Value: &item.Value, Description: item.Description, AllowRiskyName: in.AllowRiskyName}, Create)
			if err == nil && seen[item.Key] {
				err = problem.New(problem.InvalidField, "this key stands twice in the import")
			}
			if err != nil {
				res.Key, res.Status, res.Detail = auditKey(item.Key), ImportRefused, err.Error()
				blocked = true
				continue
			}
			seen[item.Key] = true
			found, err := tx.Record(ctx, actor.TeamID(), plans[i].key)
			if err == nil {
				existing[i] = &found
			} else if !errors.Is(err, problem.SecretNotFound) {
				return err
			}
			// A key whose versions are all staged is not set yet.
			if existing[i] == nil || found.Version == 0 {
				res.Status = ImportNew
				continue
			}
			same, err := holder(ctx, tx, dek, found, plans[i])
			if err != nil {
				return err
			}
			switch {
			case same > 0:
				res.Status = ImportUnchanged
			case in.Overwrite:
				res.Status = ImportChanged
			default:
				res.Status, res.Detail = ImportExists, "it is set to another value; --overwrite makes a new version"
				blocked = true
			}
		}
		if in.DryRun {
			// It tells who may write which values are those in use.
			entry := audit.By(actor, team.SetSecret, importTarget(in), audit.Unchanged)
			entry.Reason = "dry_run"
			return tx.AppendAudit(ctx, entry)
		}
		if blocked {
			return nil
		}
		for i := range plans {
			if results[i].Status == ImportUnchanged {
				continue
			}
			if _, err := s.write(ctx, tx, actor, dek, existing[i], plans[i]); err != nil {
				return err
			}
		}
		written = true
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return results, written, nil
}

func importTarget(in Import) string { return fmt.Sprintf("(import of %d)", len(in.Items)) }
