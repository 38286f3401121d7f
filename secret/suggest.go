package secret

import (
	"cmp"
	"context"
	"slices"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/team"
)

// unusedAfter is how long a secret may be there before it is said that nothing
// uses it.
const unusedAfter = 30 * day

// Declaration is a key that an app declares.
type Declaration struct {
	App string // namespace/name
	// Key is the team's, whose value is given for the declared one.
	Key         envvar.Key
	Description string
	Optional    bool
}

// MissingKey is a key that apps declare and the team has not set.
type MissingKey struct {
	Key         envvar.Key
	Description string
	// Apps declare it, those that require it first; Required is how many do.
	Apps     []string
	Required int
}

// UnusedKey is a secret that nothing seems to need.
type UnusedKey struct {
	Key       envvar.Key
	CreatedAt time.Time
	// Declared tells whether an app declares it; then no run has ever received it.
	Declared bool
}

// Suggestions are what a team may want to set, or to do without.
type Suggestions struct {
	Missing []MissingKey
	Unused  []UnusedKey
}

// Suggest compares what is set with what apps declare, in the version that runs
// or waits for approval, and with what runs have received.
func (s *Service) Suggest(ctx context.Context, actor team.Actor) (Suggestions, error) {
	for _, action := range []team.Action{team.ListSecrets, team.ListApps} {
		if err := audit.Guard(ctx, s.store, actor, action, ""); err != nil {
			return Suggestions{}, err
		}
	}
	var out Suggestions
	err := s.store.View(ctx, func(r Reader) error {
		declared, err := r.Declarations(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		set, err := r.Keys(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		out.Missing = missing(declared, set)
		old, err := r.KeysBefore(ctx, actor.TeamID(), s.now().Add(-unusedAfter))
		if err != nil || len(old) == 0 {
			return err
		}
		received, err := r.ReceivedKeys(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		wanted := map[envvar.Key]bool{}
		for _, d := range declared {
			wanted[d.Key] = true
		}
		for _, one := range old {
			if one.Declared = wanted[one.Key]; !one.Declared || !received[one.Key] {
				out.Unused = append(out.Unused, one)
			}
		}
		return nil
	})
	return out, err
}

// Declaring tells of secrets which apps declare them, under their own name or another
// that is bound to it, in the version that runs or waits for approval.
//
// Errors: problem.SecretNotFound, and those of audit.Guard.
func (s *Service) Declaring(ctx context.Context, actor team.Actor, keys []string) (map[envvar.Key][]Declaration, error) {
	for _, action := range []team.Action{team.ListSecrets, team.ListApps} {
		if err := audit.Guard(ctx, s.store, actor, action, auditKeys("uses", keys)); err != nil {
			return nil, err
		}
	}
	out := make(map[envvar.Key][]Declaration, len(keys))
	err := s.store.View(ctx, func(r Reader) error {
		set, err := r.Keys(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, is := slices.BinarySearch(set, envvar.Key(key)); !is {
				return notFound(envvar.Key(key), set, actor)
			}
			out[envvar.Key(key)] = nil
		}
		declared, err := r.Declarations(ctx, actor.TeamID())
		for _, d := range declared {
			same := func(o Declaration) bool { return o.App == d.App }
			if apps, wanted := out[d.Key]; wanted && !slices.ContainsFunc(apps, same) {
				out[d.Key] = append(apps, d)
			}
		}
		return err
	})
	return out, err
}

// missing are the declared keys that are not set, those that are required first.
func missing(declared []Declaration, set []envvar.Key) []MissingKey {
	found := map[envvar.Key]*MissingKey{}
	slices.SortStableFunc(declared, func(a, b Declaration) int { return boolean(a.Optional, b.Optional) })
	for _, d := range declared {
		if _, is := slices.BinarySearch(set, d.Key); is {
			continue
		}
		m, ok := found[d.Key]
		if !ok {
			m = &MissingKey{Key: d.Key}
			found[d.Key] = m
		}
		m.Description = cmp.Or(m.Description, d.Description)
		if slices.Contains(m.Apps, d.App) {
			continue
		}
		m.Apps = append(m.Apps, d.App)
		if !d.Optional {
			m.Required++
		}
	}
	out := make([]MissingKey, 0, len(found))
	for _, m := range found {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b MissingKey) int {
		return cmp.Or(boolean(b.Required > 0, a.Required > 0), cmp.Compare(a.Key, b.Key))
	})
	return out
}
