package secret

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Likeness is how a key of two teams compares.
type Likeness string

const (
	OnlyFirst  Likeness = "only_first"
	OnlySecond Likeness = "only_second"
	// Equal and Different are said of values, to who may read both.
	Equal     Likeness = "equal"
	Different Likeness = "different"
	// NotCompared is a key of both teams, for one who may not.
	NotCompared Likeness = "not_compared"
)

// KeyDifference is one key that at least one of two teams has.
type KeyDifference struct {
	Key      envvar.Key
	Likeness Likeness
}

// Difference is what distinguishes the secrets of two teams: every key of
// either, sorted, and no value.
type Difference struct {
	Keys []KeyDifference
	// Compared reports whether the values were compared.
	Compared bool
}

// Same reports that both teams are known to have the same keys with the same
// values.
func (d Difference) Same() bool {
	return !slices.ContainsFunc(d.Keys, func(k KeyDifference) bool { return k.Likeness != Equal })
}

// Compare tells the difference between the secrets of two teams of one person,
// each as an actor of its own. Whoever may reveal in both is also told which
// values are equal: to anybody else that would be a way to try guesses of a
// value that they can't read. Values are opened in this function and compared
// here; both teams' logs have an entry, which names the versions that were
// opened, before it returns.
//
// Errors: problem.InvalidField (field with) for one team twice, and those of
// audit.Guard.
func (s *Service) Compare(ctx context.Context, first, second team.Actor) (Difference, error) {
	actors := []team.Actor{first, second}
	for i, a := range actors {
		if err := audit.Guard(ctx, s.store, a, team.CompareSecrets, othersOf(actors, i)); err != nil {
			return Difference{}, err
		}
	}
	switch {
	case first.TeamID() == second.TeamID():
		return Difference{}, problem.Invalid("with", "a team is compared with another one")
	case first.UserID() != second.UserID():
		return Difference{}, problem.New(problem.PermissionDenied, "Permission denied: two people's teams are not compared.")
	}
	out := Difference{Compared: first.Can(team.RevealSecret) && second.Can(team.RevealSecret)}
	opened := make([][]audit.KeyVersion, len(actors))
	err := s.store.View(ctx, func(r Reader) (err error) {
		out.Keys, err = keysOfBoth(ctx, r, actors)
		if err != nil || !out.Compared {
			return err
		}
		var shared []envvar.Key
		for _, k := range out.Keys {
			if k.Likeness == NotCompared {
				shared = append(shared, k.Key)
			}
		}
		var numbers map[envvar.Key][]int
		if numbers, opened, err = s.compareValues(ctx, r, actors, shared); err != nil {
			return err
		}
		for i, k := range out.Keys {
			if n, ok := numbers[k.Key]; ok && n[0] == n[1] {
				out.Keys[i].Likeness = Equal
			} else if ok {
				out.Keys[i].Likeness = Different
			}
		}
		return nil
	})
	if err == nil {
		err = s.recordCompared(ctx, actors, opened)
	}
	if err != nil {
		return Difference{}, err
	}
	return out, nil
}

// keysOfBoth returns every key that either team has in use.
func keysOfBoth(ctx context.Context, r Reader, actors []team.Actor) ([]KeyDifference, error) {
	likeness := map[envvar.Key]Likeness{}
	for i, alone := range []Likeness{OnlyFirst, OnlySecond} {
		have, err := r.KeysInUse(ctx, actors[i].TeamID())
		if err != nil {
			return nil, err
		}
		for _, key := range have {
			if likeness[key] == "" {
				likeness[key] = alone
			} else {
				likeness[key] = NotCompared
			}
		}
	}
	var out []KeyDifference
	for key, l := range likeness {
		out = append(out, KeyDifference{key, l})
	}
	slices.SortFunc(out, func(a, b KeyDifference) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// compareValues opens the values that teams have under the given keys, sorted,
// and numbers the different ones of a key from 1, in the order of the teams: those
// with the same number are equal, and 0 is of a team that has none. It also returns
// for each team the versions that it opened. Who may know of it is the caller's to
// ask, and recordCompared's to record.
func (s *Service) compareValues(ctx context.Context, r Reader, actors []team.Actor, keys []envvar.Key) (numbers map[envvar.Key][]int, opened [][]audit.KeyVersion, err error) {
	numbers, opened = make(map[envvar.Key][]int, len(keys)), make([][]audit.KeyVersion, len(actors))
	if len(keys) == 0 {
		return numbers, opened, nil
	}
	deks, held := make([]*envelope.DEK, len(actors)), make([]map[envvar.Key]Held, len(actors))
	for i, a := range actors {
		if deks[i], err = s.readDEK(ctx, r, a); err != nil {
			return nil, nil, err
		}
		current, err := r.Current(ctx, a.TeamID(), keys)
		if err != nil {
			return nil, nil, err
		}
		held[i] = make(map[envvar.Key]Held, len(current))
		for _, h := range current {
			held[i][h.Key] = h
		}
	}
	for _, key := range keys {
		numbers[key] = make([]int, len(actors))
		var different []redact.Value
		for i := range actors {
			h, ok := held[i][key]
			if !ok {
				continue
			}
			value, err := open(deks[i], h.Record, h.Sealed)
			if err != nil {
				return nil, nil, err
			}
			at := slices.IndexFunc(different, value.Equal)
			if at < 0 {
				at, different = len(different), append(different, value)
			}
			numbers[key][i] = at + 1
			opened[i] = append(opened[i], audit.KeyVersion{Key: string(key), Version: h.Sealed.Number})
		}
	}
	return numbers, opened, nil
}

// recordCompared leaves an entry in the log of each of the teams, all of them in one
// transaction. Nothing is told before that is durable.
func (s *Service) recordCompared(ctx context.Context, actors []team.Actor, opened [][]audit.KeyVersion) error {
	if len(actors) == 0 {
		return nil
	}
	return s.store.Update(ctx, func(tx Tx) error {
		for i, a := range actors {
			entry := audit.By(a, team.CompareSecrets, othersOf(actors, i), audit.Allowed)
			entry.Versions = opened[i]
			if err := audit.Record(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// othersOf names the teams but for one.
func othersOf(actors []team.Actor, but int) string {
	var names []string
	for i, a := range actors {
		if i != but {
			names = append(names, a.TeamName())
		}
	}
	return strings.Join(names, ", ")
}
