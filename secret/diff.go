package secret

import (
	"cmp"
	"context"
	"slices"

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
	actors := [2]team.Actor{first, second}
	for i, a := range actors {
		if err := audit.Guard(ctx, s.store, a, team.CompareSecrets, actors[1-i].TeamName()); err != nil {
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
	opened := map[envvar.Key][2]int64{}
	err := s.store.View(ctx, func(r Reader) (err error) {
		out.Keys, err = keysOfBoth(ctx, r, actors)
		if err != nil || !out.Compared {
			return err
		}
		opened, err = s.compareValues(ctx, r, actors, out.Keys)
		return err
	})
	if err != nil {
		return Difference{}, err
	}
	for i, a := range actors {
		entry := audit.By(a, team.CompareSecrets, actors[1-i].TeamName(), audit.Allowed)
		for _, k := range out.Keys {
			if versions, ok := opened[k.Key]; ok {
				entry.Versions = append(entry.Versions, audit.KeyVersion{Key: string(k.Key), Version: versions[i]})
			}
		}
		// Nothing is told before this is durable.
		if err := audit.Record(ctx, s.store, entry); err != nil {
			return Difference{}, err
		}
	}
	return out, nil
}

// keysOfBoth returns every key that either team has in use.
func keysOfBoth(ctx context.Context, r Reader, actors [2]team.Actor) ([]KeyDifference, error) {
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

// compareValues fills in which of the shared keys have equal values, and returns
// the versions that it opened for it.
func (s *Service) compareValues(ctx context.Context, r Reader, actors [2]team.Actor, keys []KeyDifference) (map[envvar.Key][2]int64, error) {
	var shared []envvar.Key
	for _, k := range keys {
		if k.Likeness == NotCompared {
			shared = append(shared, k.Key)
		}
	}
	var deks [2]*envelope.DEK
	var held [2]map[envvar.Key]Held
	for i, a := range actors {
		var err error
		if deks[i], err = s.readDEK(ctx, r, a); err != nil {
			return nil, err
		}
		rows, err := r.Current(ctx, a.TeamID(), shared)
		if err != nil {
			return nil, err
		}
		held[i] = map[envvar.Key]Held{}
		for _, row := range rows {
			held[i][row.Key] = row
		}
	}
	opened := map[envvar.Key][2]int64{}
	for n, k := range keys {
		if k.Likeness != NotCompared {
			continue
		}
		var values [2]redact.Value
		var versions [2]int64
		for i := range actors {
			row := held[i][k.Key]
			var err error
			if values[i], err = open(deks[i], row.Record, row.Sealed); err != nil {
				return nil, err
			}
			versions[i] = row.Sealed.Number
		}
		keys[n].Likeness = Different
		if values[0].Equal(values[1]) {
			keys[n].Likeness = Equal
		}
		opened[k.Key] = versions
	}
	return opened, nil
}
