package secret

import (
	"context"
	"fmt"
	"strings"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/scan"
	"infsh/team"
)

// MaxCandidates is how many windows one call asks about.
const MaxCandidates = 1024

// Fingerprints are what a search of files for a team's values needs.
type Fingerprints struct {
	Key scan.Key
	// Shorts are in the order of the keys, whose names are not told with them.
	Shorts []uint32
	// Skipped are the keys whose values can't be told of safely, being short or
	// guessable.
	Skipped []envvar.Key
}

// Fingerprints tells what a search of files for the values in use needs to know, and
// no value. See package scan. Errors: those of audit.Guard.
func (s *Service) Fingerprints(ctx context.Context, actor team.Actor) (Fingerprints, error) {
	out := Fingerprints{Key: scan.KeyOf(actor.TeamID())}
	if err := audit.Guard(ctx, s.store, actor, team.ScanSecrets, ""); err != nil {
		return out, err
	}
	err := s.windows(ctx, actor, func(key envvar.Key, window []byte, ok bool) {
		if !ok {
			out.Skipped = append(out.Skipped, key)
			return
		}
		out.Shorts = append(out.Shorts, out.Key.HashOf(window).Short())
	})
	if err != nil {
		return Fingerprints{}, err
	}
	entry := audit.By(actor, team.ScanSecrets, "", audit.Allowed)
	entry.Reason = fmt.Sprintf("fingerprints of %d secrets", len(out.Shorts))
	if err := audit.Record(ctx, s.store, entry); err != nil {
		return Fingerprints{}, err
	}
	return out, nil
}

// FindCandidates tells which windows of files are of which secrets in use. What was
// asked and found is in the audit log before it returns. Errors:
// problem.InvalidField, and those of audit.Guard.
func (s *Service) FindCandidates(ctx context.Context, actor team.Actor, candidates []scan.Hash) (map[scan.Hash][]envvar.Key, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ScanSecrets, ""); err != nil {
		return nil, err
	}
	if len(candidates) == 0 || len(candidates) > MaxCandidates {
		return nil, problem.Invalid("candidates", "between 1 and %d at a time", MaxCandidates)
	}
	asked := make(map[scan.Hash]bool, len(candidates))
	for _, c := range candidates {
		asked[c] = true
	}
	found := map[scan.Hash][]envvar.Key{}
	var keys []string
	teamKey := scan.KeyOf(actor.TeamID())
	err := s.windows(ctx, actor, func(key envvar.Key, window []byte, ok bool) {
		if !ok {
			return
		}
		if h := teamKey.HashOf(window); asked[h] {
			found[h] = append(found[h], key)
			keys = append(keys, string(key))
		}
	})
	if err != nil {
		return nil, err
	}
	entry := audit.By(actor, team.ScanSecrets, strings.Join(keys, ", "), audit.Allowed)
	entry.Reason = fmt.Sprintf("%d of %d windows found", len(found), len(asked))
	if err := audit.Record(ctx, s.store, entry); err != nil {
		return nil, err
	}
	return found, nil
}

// windows visits the window of each secret in use, sorted by key; ok is false where
// there is none.
func (s *Service) windows(ctx context.Context, actor team.Actor, visit func(key envvar.Key, window []byte, ok bool)) error {
	var held []Held
	var keys []envvar.Key
	return s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		if keys, err = r.KeysInUse(ctx, actor.TeamID()); err != nil || len(keys) == 0 {
			return err
		}
		if held, err = r.Current(ctx, actor.TeamID(), keys); err != nil {
			return err
		}
		for _, h := range held {
			value, err := open(dek, h.Record, h.Sealed)
			if err != nil {
				return err
			}
			window, ok := scan.Choose(value.Reveal())
			visit(h.Key, window, ok)
		}
		return nil
	})
}
