package secret_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"infsh/db/dbtest"
	"infsh/envvar"
	"infsh/listing"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// filled makes secrets that share descriptions, versions and words, so that
// ties and searches have something to decide.
func filled(t testing.TB, w *world, n int) []secret.Secret {
	t.Helper()
	descriptions := []string{"", "For GPT-4", "for gpt-4", "100 % of it_", "Ärger", "ärger", `back\slash`, "zeta"}
	for i := range n {
		v, d := redact.NewValue(fmt.Sprintf("value-of-%d-for-the-list", i)), descriptions[i%len(descriptions)]
		key := fmt.Sprintf("%s_%03d", []string{"OPENAI", "openai", "Zed", "_x"}[i%4], (i*37)%n)
		if _, err := w.secrets.Set(t.Context(), []team.Actor{w.owner, w.admin}[i%2], secret.Create, secret.Write{Key: key, Value: &v, Description: &d}); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			w.set(t, w.admin, key, fmt.Sprintf("another-value-of-%d", i))
		}
		if i%5 < 3 {
			every, end := (i%3)*30, time.Time{}
			if i%2 == 0 {
				end = time.Now().Add(time.Duration(i) * 24 * time.Hour).Truncate(time.Second).UTC()
			}
			if _, err := w.secrets.Set(t.Context(), w.owner, secret.Change, secret.Write{Key: key, RotateEvery: &every, ExpiresAt: &end}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.set(t, w.stranger, "OPENAI_OF_BETA", "value-of-another-team")
	all, err := w.secrets.List(t.Context(), w.owner)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != n {
		t.Fatalf("%d secrets, want %d", len(all), n)
	}
	return all
}

// The page that the database cuts is the one that is cut in memory, whatever is
// asked, on both databases; and its cursors lead to the pages beside it.
func TestPageIsThatOfAllSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all := filled(t, w, 24)
		random := rand.New(rand.NewPCG(4, 2))
		pick := func(s []string) string { return s[random.IntN(len(s))] }
		fields := []string{"key", "description", "version", "user_id", "updated_by", "created_at", "updated_at", "value_at", "rotate_at", "expires_at", "attention_at", "id"}
		texts := []string{"key", "description", "user_id", "updated_by", "id"}
		terms := []string{"", "gpt", "GPT-4", "OPENAI", "_", "%", `\`, "ä", "Ä", "admin@", "'", "nothing", all[3].ID, string(all[7].Key)}
		pages := 0
		for range 200 {
			r := listing.Request{Limit: new(1 + random.IntN(12))}
			if random.IntN(2) == 0 {
				r.Search = &listing.Search{Term: pick(terms), Exact: random.IntN(4) == 0}
				for range random.IntN(3) {
					r.Search.Fields = append(r.Search.Fields, pick(texts))
				}
			}
			for range random.IntN(4) {
				r.Sort = append(r.Sort, listing.SortRequest{Field: pick(fields), Dir: pick([]string{"", "asc", "desc"})})
			}
			for range random.IntN(3) {
				r.Filters = append(r.Filters, randomFilter(random, all, pick))
			}
			for range 6 {
				q, err := secret.Listing.Parse(r)
				if err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				want := secret.Listing.Cut(all, q)
				got, err := w.secrets.Page(t.Context(), w.owner, q)
				if err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				if !slices.Equal(got.Items, want.Items) || got.Total != want.Total || got.Before != want.Before {
					t.Fatalf("%+v: the database gives\n%d of %d, %d before: %v\nand memory\n%d of %d, %d before: %v", r,
						len(got.Items), got.Total, got.Before, keys(got.Items), len(want.Items), want.Total, want.Before, keys(want.Items))
				}
				pages++
				next, prev := secret.Listing.Cursors(got, q)
				if r.Cursor = next; random.IntN(3) == 0 {
					r.Cursor = prev
				}
				if r.Cursor == "" {
					break
				}
			}
		}
		if pages < 300 {
			t.Errorf("only %d pages were compared", pages)
		}
	})
}

func randomFilter(random *rand.Rand, all []secret.Secret, pick func([]string) string) listing.FilterRequest {
	of := all[random.IntN(len(all))]
	at := []time.Time{of.UpdatedAt, of.AttentionAt()}[random.IntN(2)].Format("2006-01-02T15:04:05.999999Z07:00")
	switch random.IntN(4) {
	case 0:
		return listing.FilterRequest{Field: "version", Operator: pick([]string{"eq", "neq", "gt", "gte", "lt", "lte", "is_empty", "is_not_null"}), Value: float64(1 + random.IntN(2))}
	case 1:
		return listing.FilterRequest{Field: pick([]string{"updated_at", "value_at", "attention_at"}), Operator: pick([]string{"eq", "neq", "gt", "gte", "lt", "lte"}), Value: at}
	case 2:
		return listing.FilterRequest{Field: "description", Operator: pick([]string{"in", "not_in"}), Value: []any{of.Description, "zeta"}[:random.IntN(3)]}
	}
	return listing.FilterRequest{
		Field: pick([]string{"key", "description"}), Operator: pick([]string{"", "eq", "neq", "gt", "lte", "contains", "not_contains", "is_empty", "is_not_empty"}),
		Value: pick([]string{string(of.Key), of.Description, "GPT", "_0"}),
	}
}

func keys(items []secret.Secret) (out []string) {
	for _, s := range items {
		out = append(out, string(s.Key))
	}
	return out
}

// A walk through a list shows each secret that is there all the time exactly
// once, to the end and back, while others come in between and go.
func TestPagesStayRightWhileSecretsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all := filled(t, w, 16)
		r := listing.Request{Limit: new(5), Sort: []listing.SortRequest{{Field: "description", Dir: "desc"}, {Field: "key"}}}
		step := 0
		// turn reads a page, and lets a secret come at each end of the list.
		turn := func() (items []string, next, prev string) {
			q, err := secret.Listing.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			page, err := w.secrets.Page(t.Context(), w.member, q)
			if err != nil {
				t.Fatal(err)
			}
			step++
			for _, d := range []string{"", "zzz"} {
				v, key := redact.NewValue("made-while-walking-the-list"), fmt.Sprintf("WHILE_%d_%s", step, d)
				if _, err := w.secrets.Set(t.Context(), w.owner, secret.Create, secret.Write{Key: key, Value: &v, Description: &d}); err != nil {
					t.Fatal(err)
				}
			}
			next, prev = secret.Listing.Cursors(page, q)
			return keys(page.Items), next, prev
		}
		var there, back []string
		items, next, prev := turn()
		for there = items; next != ""; there = append(there, items...) {
			r.Cursor = next
			items, next, prev = turn()
		}
		last := items
		for prev != "" {
			r.Cursor = prev
			items, _, prev = turn()
			back = append(back, items...)
		}
		for _, s := range all {
			if n := count(there, string(s.Key)); n != 1 {
				t.Errorf("%s was shown %d times on the way to the end", s.Key, n)
			}
			if n := count(append(slices.Clone(back), last...), string(s.Key)); n != 1 {
				t.Errorf("%s was shown %d times on the way back", s.Key, n)
			}
		}
		// All behind the position goes, and what was at it: the way back remains.
		r.Cursor, r.Sort = "", nil
		_, next, _ = turn()
		dbtest.Exec(t, w.db, "DELETE FROM secrets WHERE key NOT IN (?, ?)", string(all[0].Key), string(all[1].Key))
		r.Cursor = next
		items, next, prev = turn()
		if len(items) != 0 || next != "" || prev == "" {
			t.Fatalf("after the end is gone: %v, next %q, prev %q", items, next, prev)
		}
		r.Cursor = prev
		if items, _, _ = turn(); !slices.Contains(items, string(all[1].Key)) {
			t.Errorf("back from an empty page: %v", items)
		}
	})
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

// A page opens the masks that are on it, and no others: a row that does not open
// spoils its own page alone.
func TestPageOpensOnlyItself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all := filled(t, w, 8)
		dbtest.Exec(t, w.db, "UPDATE secret_versions SET hint = ? WHERE secret_id = ?", []byte("not a sealed mask"), all[7].ID)
		page := func(cursor string) (string, error) {
			q, err := secret.Listing.Parse(listing.Request{Limit: new(4), Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.secrets.Page(t.Context(), w.owner, q)
			next, _ := secret.Listing.Cursors(got, q)
			return next, err
		}
		next, err := page("")
		if err != nil || next == "" {
			t.Fatalf("the first page: %q, %v", next, err)
		}
		if _, err := page(next); err == nil {
			t.Error("the page with the spoilt row was given")
		}
	})
}

// Of keys that differ only in case each names another, of no other team.
func TestCaseTwins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, key := range []string{"FAL_KEY", "fal_key", "Fal_Key", "HF_TOKEN", "_x"} {
			w.set(t, w.owner, key, "value-of-"+key)
		}
		w.set(t, w.stranger, "hf_token", "value-of-another-team")
		got, err := w.secrets.CaseTwins(t.Context(), w.owner, []envvar.Key{"FAL_KEY", "HF_TOKEN", "_x"})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got["FAL_KEY"] != "fal_key" && got["FAL_KEY"] != "Fal_Key" {
			t.Errorf("the twins are %v", got)
		}
	})
}
