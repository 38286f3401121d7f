package secret_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"infsh/audit"
	"infsh/problem"
	"infsh/scan"
	"infsh/secret"
	"infsh/team"
)

// Who may write secrets can search files for the team's values; what is told of a
// value is the same each time, so asking again tells no more, and nothing is told of
// what could be guessed. Each question is recorded.
func TestASearchTellsNoMoreThanItMust(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const value = "sk-proj-4fK9aQ2mZx81LbTr"
		w.set(t, w.owner, "OPENAI_API_KEY", value)
		w.set(t, w.owner, "PIN", "1234")
		w.set(t, w.owner, "PHRASE", "correct horse battery staple 1")
		first, err := w.secrets.Fingerprints(t.Context(), w.owner)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.secrets.Fingerprints(t.Context(), w.owner)
		if err != nil || !slices.Equal(first.Shorts, again.Shorts) || first.Key != again.Key {
			t.Errorf("the second answer differs: %v, %v, %v", first, again, err)
		}
		if len(first.Shorts) != 1 || len(first.Skipped) != 2 || first.Shorts[0] >= 1<<scan.Bits {
			t.Errorf("told %v, and skipped %v", first.Shorts, first.Skipped)
		}

		window, _ := scan.Choose(value)
		right, wrong := first.Key.HashOf(window), first.Key.HashOf([]byte("another window 9"))
		found, err := w.secrets.FindCandidates(t.Context(), w.owner, []scan.Hash{wrong, right})
		if err != nil || len(found) != 1 || len(found[right]) != 1 || found[right][0] != "OPENAI_API_KEY" {
			t.Errorf("found %v, %v", found, err)
		}
		// The hash of the same window is another one for each team.
		if elsewhere := scan.KeyOf("another").HashOf(window); elsewhere == right {
			t.Error("two teams have the same hash")
		}
		log, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := log.Entries
		if err != nil || entries[0].Action != string(team.ScanSecrets) || entries[0].Target != "OPENAI_API_KEY" || entries[0].Reason != "1 of 2 windows found" || entries[1].Reason != "fingerprints of 1 secrets" {
			t.Errorf("the entries are %+v, %+v, %v", entries[0], entries[1], err)
		}

		for _, candidates := range [][]scan.Hash{nil, make([]scan.Hash, secret.MaxCandidates+1)} {
			if _, err := w.secrets.FindCandidates(t.Context(), w.owner, candidates); !errors.Is(err, problem.InvalidField) {
				t.Errorf("%d candidates: %v", len(candidates), err)
			}
		}
		// A member who may not write could not find out whether a value is the one in
		// use, and does not by this.
		if _, err := w.secrets.Fingerprints(t.Context(), w.member); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member: %v", err)
		}
		if _, err := w.secrets.FindCandidates(t.Context(), w.member, []scan.Hash{right}); !errors.Is(err, problem.TeamRoleRequired) || strings.Contains(err.Error(), "OPENAI") {
			t.Errorf("a member: %v", err)
		}
	})
}
