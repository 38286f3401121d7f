package listing

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"infsh/problem"
)

type thing struct {
	id, name string
	size     int64
	at       time.Time
}

var things = List[thing]{
	Name: "things",
	Fields: []Field[thing]{
		Searched(TextField("name", func(t thing) string { return t.name })),
		NumberField("size", func(t thing) int64 { return t.size }),
		TimeField("at", func(t thing) time.Time { return t.at }),
		IDField(func(t thing) string { return t.id }),
	},
	SortedBy: Order{Field: "name"},
}

func some() (out []thing) {
	for i := range 10 {
		out = append(out, thing{id: fmt.Sprint("id", i), name: []string{"Ada", "ada", "Bob", ""}[i%4], size: int64(i % 3)})
		if i%2 == 0 {
			out[i].at = time.Unix(int64(i), 0)
		}
	}
	return out
}

// A cursor is refused if it is not exactly one that this list gives out.
func TestCursorsAreExact(t *testing.T) {
	q, err := things.Parse(Request{Limit: new(3), Sort: []SortRequest{{Field: "size"}}})
	if err != nil {
		t.Fatal(err)
	}
	next, _ := things.Cursors(things.Cut(some(), q), q)
	raw, err := base64.RawURLEncoding.DecodeString(next)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(raw string) error {
		_, err := things.Parse(Request{Cursor: base64.RawURLEncoding.EncodeToString([]byte(raw)), Sort: []SortRequest{{Field: "size"}}})
		return err
	}
	if err := parse(string(raw)); err != nil {
		t.Fatalf("its own: %v", err)
	}
	have := string(raw)
	for what, changed := range map[string]string{
		"text for a number":     strings.Replace(have, `"v":[0,`, `"v":["0",`, 1),
		"a fraction":            strings.Replace(have, `"v":[0,`, `"v":[0.5,`, 1),
		"a number for text":     strings.Replace(have, `,"id`, `,7,"id`, 1),
		"an object":             strings.Replace(have, `"v":[0,`, `"v":[{},`, 1),
		"a value too many":      strings.Replace(have, `"v":[0,`, `"v":[0,0,`, 1),
		"a value less":          strings.Replace(have, `"v":[0,`, `"v":[`, 1),
		"NUL":                   strings.Replace(have, `"id`, `"\u0000id`, 1),
		"invalid UTF-8":         strings.Replace(have, `"id`, "\"\xffid", 1),
		"another order":         strings.Replace(have, `{"o":"`, `{"o":"x`, 1),
		"no order":              `{"v":[0,"id0"]}`,
		"a field that it lacks": strings.Replace(have, `{`, `{"team":"x",`, 1),
		"more after it":         have + "{}",
	} {
		if changed == have {
			t.Errorf("%s: nothing was changed in %s", what, have)
		}
		if err := parse(changed); !errors.Is(err, problem.InvalidField) {
			t.Errorf("%s: %v", what, err)
		}
	}
	others := things
	others.Name = "others"
	if _, err := others.Parse(Request{Cursor: next, Sort: []SortRequest{{Field: "size"}}}); !errors.Is(err, problem.InvalidField) {
		t.Errorf("in another list: %v", err)
	}
}

// FuzzRequest asks a list anything. What it accepts it can answer, and the
// cursors that it gives lead to its other pages; what it refuses it does not
// repeat.
func FuzzRequest(f *testing.F) {
	q, err := things.Parse(Request{Limit: new(2)})
	if err != nil {
		f.Fatal(err)
	}
	next, _ := things.Cursors(things.Cut(some(), q), q)
	for _, seed := range []struct {
		cursor, term, field, dir, operator, value string
		limit                                     int
	}{
		{"", "", "name", "asc", "eq", `"ada"`, 2},
		{next, "A", "name", "", "contains", `"A"`, 3},
		{"e30", "CANARY", "size", "desc", "in", `[1,2]`, 200},
		{"", "a", "at", "desc", "gt", `"1970-01-01T00:00:05Z"`, 1},
		{"CANARY", "\x00", "colour", "up", "like", `{"CANARY":1}`, 0},
		{"", "", "id", "asc", "is_null", `null`, 5},
		{"bnVsbA", "", "size", "asc", "eq", `1e300`, 5},
		{"", strings.Repeat("CANARY", 1000), "name", "asc", "not_in", `["` + strings.Repeat("CANARY", 1000) + `"]`, 9},
	} {
		f.Add(seed.cursor, seed.term, seed.field, seed.dir, seed.operator, seed.value, seed.limit)
	}
	f.Fuzz(func(t *testing.T, cursor, term, field, dir, operator, value string, limit int) {
		r := Request{Cursor: cursor, Limit: &limit, Search: &Search{Term: term}, Sort: []SortRequest{{Field: field, Dir: dir}}}
		var v any
		if json.Unmarshal([]byte(value), &v) == nil {
			r.Filters = []FilterRequest{{Field: field, Operator: operator, Value: v}}
		}
		q, err := things.Parse(r)
		if err != nil {
			if !errors.Is(err, problem.InvalidField) || strings.Contains(err.Error(), "CANARY") {
				t.Fatalf("%+v: %v", r, err)
			}
			return
		}
		page := things.Cut(some(), q)
		if len(page.Items) > limit || page.Before+len(page.Items) > page.Total {
			t.Fatalf("%+v: %+v", r, page)
		}
		after, before := things.Cursors(page, q)
		for _, c := range []string{after, before} {
			r.Cursor = c
			if _, err := things.Parse(r); err != nil {
				t.Fatalf("%+v: its own cursor: %v", r, err)
			}
		}
	})
}
