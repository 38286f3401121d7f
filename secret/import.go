package secret

import (
	"context"
	"fmt"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
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
		results, written = nil, false
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		w, err := weigh(ctx, tx, actor, dek, in)
		if err != nil {
			return err
		}
		results = w.results
		if in.DryRun || w.blocked {
			return recordLook(ctx, tx, actor, in)
		}
		written = true
		return s.writeWeighed(ctx, tx, actor, dek, w)
	})
	if err != nil {
		return nil, false, err
	}
	return results, written, nil
}

// weighed is what an import would do in a team: for each item its fate, its plan,
// and the secret that is there already, if one is.
type weighed struct {
	results  []ImportResult
	plans    []planned
	existing []*Record
	// blocked tells that an item stands in the way of all.
	blocked bool
}

// weigh looks at each item, in a team that the transaction has locked.
func weigh(ctx context.Context, tx Tx, actor team.Actor, dek *envelope.DEK, in Import) (weighed, error) {
	w := weighed{make([]ImportResult, len(in.Items)), make([]planned, len(in.Items)), make([]*Record, len(in.Items)), false}
	seen := map[string]bool{}
	for i, item := range in.Items {
		res := &w.results[i]
		res.Key = item.Key
		var err error
		w.plans[i], err = plan(Write{Key: item.Key, Value: &item.Value, Description: item.Description, AllowRiskyName: in.AllowRiskyName}, Create)
		if err == nil && seen[item.Key] {
			err = problem.New(problem.InvalidField, "this key stands twice in the import")
		}
		if err != nil {
			res.Key, res.Status, res.Detail = auditKey(item.Key), ImportRefused, err.Error()
			w.blocked = true
			continue
		}
		seen[item.Key] = true
	}
	held, staged, err := there(ctx, tx, actor, w.plans)
	if err != nil {
		return weighed{}, err
	}
	for i := range w.plans {
		res, key := &w.results[i], w.plans[i].key
		h, inUse := held[key]
		switch {
		case res.Status == ImportRefused:
		case inUse:
			w.existing[i] = &h.Record
			same, err := holds(dek, h.Record, h.Sealed, *w.plans[i].value)
			switch {
			case err != nil:
				return weighed{}, err
			case same:
				res.Status = ImportUnchanged
			case in.Overwrite:
				res.Status = ImportChanged
			default:
				res.Status, res.Detail = ImportExists, "it is set to another value; --overwrite makes a new version"
				w.blocked = true
			}
		default:
			// A key whose versions are all staged is not set yet.
			res.Status, w.existing[i] = ImportNew, staged[key]
		}
	}
	return w, nil
}

// there reads what a team has of the planned keys, in a few queries however many they
// are: those in use, and those with staged versions alone.
func there(ctx context.Context, r Reader, actor team.Actor, plans []planned) (held map[envvar.Key]Held, staged map[envvar.Key]*Record, err error) {
	var keys []envvar.Key
	for _, p := range plans {
		if p.key != "" {
			keys = append(keys, p.key)
		}
	}
	current, err := r.Current(ctx, actor.TeamID(), keys)
	if err != nil {
		return nil, nil, err
	}
	held, staged = map[envvar.Key]Held{}, map[envvar.Key]*Record{}
	for _, h := range current {
		held[h.Key] = h
	}
	only, err := r.OnlyStaged(ctx, actor.TeamID(), keys)
	for key := range only {
		if err != nil {
			break
		}
		var rec Record
		rec, err = r.Record(ctx, actor.TeamID(), key)
		staged[key] = &rec
	}
	return held, staged, err
}

// writeWeighed stores what is not there already.
func (s *Service) writeWeighed(ctx context.Context, tx Tx, actor team.Actor, dek *envelope.DEK, w weighed) error {
	for i := range w.plans {
		if w.results[i].Status == ImportUnchanged {
			continue
		}
		if _, err := s.write(ctx, tx, actor, dek, w.existing[i], w.plans[i]); err != nil {
			return err
		}
	}
	return nil
}

// recordLook leaves an entry where nothing is written, since it tells who may write which values are those
// in use.
func recordLook(ctx context.Context, tx Tx, actor team.Actor, in Import) error {
	entry := audit.By(actor, team.SetSecret, importTarget(in), audit.Unchanged)
	entry.Reason = "nothing_written"
	if in.DryRun {
		entry.Reason = "dry_run"
	}
	return tx.AppendAudit(ctx, entry)
}

func importTarget(in Import) string { return fmt.Sprintf("(import of %d)", len(in.Items)) }
