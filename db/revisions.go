package db

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxKept bounds the answers of one kind that are kept, at some kilobytes each.
const maxKept = 16_384

// kept holds answers that were read before. Each is of a team, and came with the
// team's revision, a number that the database itself changes with each row that
// such an answer is made of. An answer is used only where the revision, read
// anew for each question, is still the same: then it is what would be read.
type kept[Q comparable, A any] struct {
	answers *lru.Cache[Q, keptAnswer[A]]
}

type keptAnswer[A any] struct {
	teamID   string
	revision int64
	value    A
}

func newKept[Q comparable, A any]() kept[Q, A] {
	answers, err := lru.New[Q, keptAnswer[A]](maxKept)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return kept[Q, A]{answers}
}

// get returns an answer, not to be changed, with which revisions must agree.
func (k kept[Q, A]) get(question Q, revisions map[string]int64) (value A, ok bool) {
	a, ok := k.answers.Get(question)
	if !ok {
		return value, false
	}
	if now, known := revisions[a.teamID]; !known || now != a.revision {
		return value, false
	}
	return a.value, true
}

// team is whose answer is kept; empty for none.
func (k kept[Q, A]) team(question Q) string {
	a, _ := k.answers.Peek(question)
	return a.teamID
}

// put keeps an answer that was read together with the revision, or after it.
func (k kept[Q, A]) put(question Q, teamID string, revision int64, value A) {
	k.answers.Add(question, keptAnswer[A]{teamID, revision, value})
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
