package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// bodiless are the routes that read no body, so that none can be too large.
var bodiless = map[string]bool{
	"POST /api/logout": true,
}

// Each route that reads a body refuses one that is too large, too deep, or has
// too many or too long names, in few words and before anything happens (D5).
func TestEachBodyIsBounded(t *testing.T) {
	w := newWorld(t)
	_, rows := parseMatrix(t)
	var names strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	// The largest body that any route reads, and one more.
	large := strings.Repeat("x", maxImportBody+1)
	documents := map[string]struct {
		body string
		want []int
	}{
		"too large":         {`{"key":"` + large + `"}`, []int{413}},
		"10^6 levels":       {strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000), []int{400, 413}},
		"10^6 lists":        {`{"a":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + "}", []int{400, 413}},
		"levels that fit":   {strings.Repeat(`{"a":`, 1500) + "1" + strings.Repeat("}", 1500), []int{400}},
		"10^5 names":        {"{" + strings.TrimSuffix(names.String(), ",") + "}", []int{400, 413}},
		"a name of 1 MB":    {`{"` + strings.Repeat("n", 1_000_000) + `":1}`, []int{400, 413}},
		"a name that fits":  {`{"` + strings.Repeat("n", 10_000) + `":1}`, []int{400}},
		"no end of a value": {`{"a":"` + strings.Repeat(`\u0000`, 1000), []int{400}},
	}
	forms := map[string]struct {
		body string
		want []int
	}{
		"too large":  {"value=" + large, []int{413}},
		"10^5 names": {strings.Repeat("a=&", 100_000) + "b=", []int{400, 413}},
	}
	for turn, row := range rows {
		if row.method == http.MethodGet || row.method == http.MethodDelete || bodiless[row.route()] {
			continue
		}
		actor, bodies := "login", documents
		if row.isPage() {
			actor, bodies = "owner", forms
		}
		for i, name := range slices.Sorted(maps.Keys(bodies)) {
			// All are read by the same code. So each route is sent one that is too
			// large and another one in turn, and all of them in the long form.
			if name != "too large" && turn%len(bodies) != i && os.Getenv("INFSH_TORTURE") == "" {
				continue
			}
			b, call := bodies[name], calls[row.route()]
			path := call.path
			if path == "" {
				path = row.pattern
			}
			r := request(row.method, w.ids.Replace(path), b.body)
			c := w.actors[actor]
			if row.isPage() {
				c.bearer = ""
			}
			w.present(r, c)
			got := w.do(r)
			if !slices.Contains(b.want, got.Code) || !row.isPage() && got.Body.Len() > 1000 {
				t.Errorf("%s, %s: %d in %d bytes, want %v: %.200s", row.route(), name, got.Code, got.Body.Len(), b.want, got.Body)
			}
			if w.committed() {
				if tables := w.changed(""); len(tables) > 0 {
					t.Errorf("%s, %s: changed %s", row.route(), name, tables)
				}
				w.restore()
			}
		}
	}
}
