package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"infsh/api"
	"infsh/app"
	"infsh/redact"
	"infsh/secret"
)

// lists are the routes of lists, with the field that names an item and those
// that a request may name.
var lists = map[string]struct {
	name   string
	fields []string
}{
	"/api/secrets/list": {"key", []string{"key", "description", "version", "user_id", "updated_by", "created_at", "updated_at", "id"}},
	"/api/apps/list":    {"name", []string{"namespace", "name", "description", "user_id", "version_id", "created_at", "updated_at", "id"}},
	"/api/apikeys/list": {"name", []string{"name", "user_id", "created_at", "last_used_at", "expires_at", "id"}},
}

// items makes nine of each thing that is listed.
func (w *world) items() {
	owner, err := w.services.Authenticator.Bearer(w.bearer("owner"))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range 9 {
		v := redact.NewValue(fmt.Sprintf("CANARY-value-%d", i))
		description := fmt.Sprintf("number %d", i%3)
		must(w.t)(w.services.Secrets.Set(w.t.Context(), owner, secret.Create, secret.Write{Key: fmt.Sprintf("LISTED_%d", i), Value: &v, Description: &description}))
		_, err := w.services.Apps.Deploy(w.t.Context(), owner, app.Registration{Name: fmt.Sprintf("listed-%d", i), Description: description})
		if err != nil {
			w.t.Fatal(err)
		}
		w.key(owner, fmt.Sprintf("listed-%d", i), nil)
	}
}

func (w *world) bearer(actor string) *http.Request {
	r := request("POST", "/api/me", "")
	w.present(r, w.actors[actor])
	return r
}

func (w *world) list(path, body string) (api.List[map[string]any], problemJSON, int) {
	w.t.Helper()
	r := request("POST", path, body)
	w.present(r, w.actors["owner"])
	res := w.do(r)
	var list api.List[map[string]any]
	var p problemJSON
	var into any = &list
	if res.Code != http.StatusOK {
		into = &p
	}
	if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
		w.t.Fatalf("%s %s: %v: %s", path, body, err, res.Body)
	}
	return list, p, res.Code
}

type problemJSON struct {
	Title, Detail string
	Errors        []struct{ Field, Message string }
}

func names(list api.List[map[string]any], field string) (out []string) {
	for _, item := range list.Items {
		s, _ := item[field].(string)
		out = append(out, s)
	}
	return out
}

// Each list has pages that lead to the next and back, with what a client needs
// to know of them.
func TestListsHavePages(t *testing.T) {
	w := newWorld(t)
	w.items()
	for path, l := range lists {
		whole, _, _ := w.list(path, `{"limit":200}`)
		all := names(whole, l.name)
		if len(all) < 9 || whole.TotalItems != len(all) || whole.HasNext || whole.HasPrevious || whole.NextCursor != "" || whole.PrevCursor != "" || whole.ItemsPerPage != 200 {
			t.Fatalf("%s: %+v", path, whole)
		}
		if byDefault, _, _ := w.list(path, ""); byDefault.ItemsPerPage != 50 || !slices.Equal(names(byDefault, l.name), all) {
			t.Errorf("%s without a body: %v", path, byDefault)
		}
		for limit := 1; limit <= 5; limit += 2 {
			var there, back []string
			page, _, _ := w.list(path, fmt.Sprintf(`{"limit":%d}`, limit))
			var last api.List[map[string]any]
			for {
				there = append(there, names(page, l.name)...)
				if page.TotalItems != len(all) || page.ItemsPerPage != limit || len(page.Items) > limit || page.HasNext != (page.NextCursor != "") {
					t.Fatalf("%s: %+v", path, page)
				}
				if last = page; !page.HasNext {
					break
				}
				page, _, _ = w.list(path, fmt.Sprintf(`{"limit":%d,"cursor":%q}`, limit, page.NextCursor))
			}
			for page = last; page.HasPrevious; {
				page, _, _ = w.list(path, fmt.Sprintf(`{"limit":%d,"cursor":%q}`, limit, page.PrevCursor))
				back = append(names(page, l.name), back...)
			}
			if !slices.Equal(there, all) || !slices.Equal(append(back, names(last, l.name)...), all) {
				t.Errorf("%s by %d:\nthere %v\nback  %v\nall   %v", path, limit, there, back, all)
			}
		}
	}
}

// A list can be searched in, sorted by and filtered by its fields, and no other.
func TestListsAreAskedByTheirFields(t *testing.T) {
	w := newWorld(t)
	w.items()
	for path, l := range lists {
		for _, field := range l.fields {
			up, p, code := w.list(path, fmt.Sprintf(`{"limit":200,"sort":[{"field":%q,"dir":"asc"},{"field":"id"}]}`, field))
			down, _, _ := w.list(path, fmt.Sprintf(`{"limit":200,"sort":[{"field":%q,"dir":"desc"},{"field":"id","dir":"desc"}]}`, field))
			slices.Reverse(down.Items)
			if code != http.StatusOK || len(up.Items) < 9 || !slices.Equal(names(up, "id"), names(down, "id")) {
				t.Errorf("%s sorted by %s: %d %v", path, field, code, p)
			}
			if _, p, code := w.list(path, fmt.Sprintf(`{"filters":[{"field":%q,"operator":"is_not_empty"}]}`, field)); code != http.StatusOK {
				t.Errorf("%s filtered by %s: %d %v", path, field, code, p)
			}
		}
		some, _, _ := w.list(path, `{"search":{"term":"LiStEd","exact":false}}`)
		one, _, _ := w.list(path, fmt.Sprintf(`{"search":{"term":%q,"exact":true,"fields":[%q]}}`, names(some, l.name)[4], l.name))
		if some.TotalItems != 9 || one.TotalItems != 1 {
			t.Errorf("%s: a search finds %d, an exact one %d", path, some.TotalItems, one.TotalItems)
		}
		two, _, _ := w.list(path, fmt.Sprintf(`{"filters":[{"field":%q,"operator":"in","value":[%q,%q]}]}`, l.name, names(some, l.name)[1], names(some, l.name)[2]))
		if two.TotalItems != 2 {
			t.Errorf("%s: a filter for two finds %d", path, two.TotalItems)
		}
	}
	sorted, _, _ := w.list("/api/secrets/list", `{"search":{"term":"number","fields":["description"]},"sort":[{"field":"description","dir":"desc"},{"field":"key","dir":"asc"}]}`)
	want := "LISTED_2 LISTED_5 LISTED_8 LISTED_1 LISTED_4 LISTED_7 LISTED_0 LISTED_3 LISTED_6"
	if got := strings.Join(names(sorted, "key"), " "); got != want {
		t.Errorf("sorted by two fields: %s", got)
	}
}

// What a list can't answer is refused at the field that asks it, and the answer
// repeats no value.
func TestListsRefuseWhatTheyCannotAnswer(t *testing.T) {
	w := newWorld(t)
	w.items()
	cursorOf := func(path, body string) string {
		page, _, _ := w.list(path, body)
		return page.NextCursor
	}
	for path := range lists {
		other := "/api/apps/list"
		if path == other {
			other = "/api/apikeys/list"
		}
		own := cursorOf(path, `{"limit":1,"sort":[{"field":"created_at"}]}`)
		refused := map[string]string{
			`{"limit":0}`: "limit", `{"limit":201}`: "limit", `{"limit":-1}`: "limit", `{"limit":1.5}`: "limit", `{"limit":"10"}`: "limit", `{"limit":1e400}`: "limit",
			`{"page":2}`:                       "page",
			`{"search":{"fields":["colour"]}}`: "search.fields[0]", `{"search":{"fields":["created_at"],"term":"x"}}`: "search.fields[0]", `{"search":{"term":"x\u0000"}}`: "search.term",
			`{"sort":[{"field":"id"},{"field":"colour"}]}`: "sort[1].field", `{"sort":[{"field":"id","dir":"up"}]}`: "sort[0].dir", `{"sort":[{"field":"masked_value"}]}`: "sort[0].field",
			`{"sort":[{"field":"id"},{"field":"id"},{"field":"id"},{"field":"id"},{"field":"id"}]}`: "sort",
			`{"filters":[{"field":"colour","operator":"eq","value":"CANARY"}]}`:                     "filters[0].field",
			`{"filters":[{"field":"value","operator":"contains","value":"CANARY"}]}`:                "filters[0].field",
			`{"filters":[{"field":"id","operator":"like","value":"CANARY"}]}`:                       "filters[0].operator",
			`{"filters":[{"field":"id","operator":"eq","value":{"CANARY":1}}]}`:                     "filters[0].value",
			`{"filters":[{"field":"id","operator":"eq","value":"CANARY\u0000"}]}`:                   "filters[0].value",
			`{"filters":[{"field":"id","operator":"in","value":"CANARY"}]}`:                         "filters[0].value",
			`{"filters":[{"field":"created_at","operator":"gt","value":"CANARY"}]}`:                 "filters[0].value",
			`{"filters":[{"field":"created_at","operator":"contains","value":"2026"}]}`:             "filters[0].operator",
			`{"cursor":"CANARY"}`: "cursor", `{"cursor":"e30"}`: "cursor", `{"cursor":"bnVsbA"}`: "cursor",
			`{"cursor":"` + cursorOf(other, `{"limit":1,"sort":[{"field":"created_at"}]}`) + `","sort":[{"field":"created_at"}]}`: "cursor",
			`{"cursor":"` + own + `"}`: "cursor",
			`{"cursor":"` + own + `","sort":[{"field":"created_at","dir":"desc"}]}`: "cursor",
			`{"cursor":"` + own + `A","sort":[{"field":"created_at"}]}`:             "cursor",
			`{"cursor":"` + own[1:] + `","sort":[{"field":"created_at"}]}`:          "cursor",
		}
		if path == "/api/apikeys/list" {
			delete(refused, `{"cursor":"`+own+`"}`) // That is its order by default.
		}
		for body, field := range refused {
			_, p, code := w.list(path, body)
			at := ""
			if len(p.Errors) == 1 {
				at = p.Errors[0].Field
			}
			if code != http.StatusBadRequest || at != field {
				t.Errorf("%s %s: %d %+v, want it at %s", path, body, code, p, field)
			}
			if strings.Contains(fmt.Sprint(p), "CANARY") {
				t.Errorf("%s %s: the answer repeats the value", path, body)
			}
		}
		if _, p, code := w.list(path, `{"cursor":"`+own+`","sort":[{"field":"created_at"}]}`); code != http.StatusOK {
			t.Errorf("%s: its own cursor: %d %v", path, code, p)
		}
	}
}
