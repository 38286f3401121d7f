package db

import (
	"context"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Bounds of what is kept, in bytes. A disclosure of five keys takes about 1.5 KiB,
// so these are some 100,000 apps and keys, whichever were used last.
const (
	maxDisclosures = 160 << 20
	maxKeptKeys    = 80 << 20
	// keptKeySize is about what an API key takes.
	keptKeySize = 768
)

// kept holds answers that were read before. Each is of a team, and came with the
// team's revision, a number that the database itself changes with each row that
// such an answer is made of. An answer is used only where the revision, read
// anew for each question, is still the same: then it is what would be read.
type kept[Q comparable, A any] struct {
	answers *lru.Cache[Q, keptAnswer[A]]
	// size is that of all answers together, and most its bound, in bytes.
	size atomic.Int64
	most int64
}

type keptAnswer[A any] struct {
	teamID   string
	revision int64
	value    A
	size     int64
}

// keptOverhead is about what each answer takes beside what it holds.
const keptOverhead = 320

func newKept[Q comparable, A any](most int64) *kept[Q, A] {
	k := &kept[Q, A]{most: most}
	answers, err := lru.NewWithEvict(int(most/keptOverhead), func(_ Q, a keptAnswer[A]) { k.size.Add(-a.size) })
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	k.answers = answers
	return k
}

// get returns an answer, not to be changed, with which revisions must agree.
func (k *kept[Q, A]) get(question Q, revisions map[string]int64) (value A, ok bool) {
	a, ok := k.answers.Get(question)
	if !ok {
		return value, false
	}
	if now, known := revisions[a.teamID]; !known || now != a.revision {
		return value, false
	}
	return a.value, true
}

// last is the answer that is kept, with the revision that it is true of.
func (k *kept[Q, A]) last(question Q) (value A, revision int64, ok bool) {
	a, ok := k.answers.Get(question)
	return a.value, a.revision, ok
}

// team is whose answer is kept; empty for none.
func (k *kept[Q, A]) team(question Q) string {
	a, _ := k.answers.Peek(question)
	return a.teamID
}

// put keeps an answer of so many bytes that was read together with the revision,
// or after it.
func (k *kept[Q, A]) put(question Q, teamID string, revision int64, value A, size int) {
	a := keptAnswer[A]{teamID, revision, value, int64(size) + keptOverhead}
	k.answers.Remove(question)
	k.size.Add(a.size)
	k.answers.Add(question, a)
	for k.size.Load() > k.most {
		if _, _, ok := k.answers.RemoveOldest(); !ok {
			return
		}
	}
}

// revisions reads those of teams. A team that is not there has none.
func (q querier) revisions(ctx context.Context, teams []string) (map[string]int64, error) {
	out := make(map[string]int64, len(teams))
	if len(teams) == 0 {
		return out, nil
	}
	return out, q.each(ctx, `SELECT r.team_id, r.revision FROM `+q.wanted("team_id")+` CROSS JOIN team_revisions r WHERE r.team_id = w.team_id`,
		q.lists([][]string{teams}), func(scan func(...any) error) error {
			var team string
			var revision int64
			if err := scan(&team, &revision); err != nil {
				return err
			}
			out[team] = revision
			return nil
		})
}
