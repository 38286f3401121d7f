package bench

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	gridTeams = 10
	gridKeys  = 1000
)

// BenchmarkGrid measures how long the server takes for the page of all teams, where
// ten teams have 1,000 keys each: by itself, with its values compared, for only what
// differs, and for a preview of 500 values that are set as text.
func BenchmarkGrid(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			v, ids := teamsOfMany(b, kind)
			in := url.Values{"in": ids}
			differ := url.Values{"in": ids, "show": {"differences"}}
			sheet := sheetOf(ids, 0, "another")
			sheet.Set("act", "preview")
			var plain, compared, only, preview series
			timed := func(s *series, f func()) {
				began := time.Now()
				f()
				s.add(float64(time.Since(began)) / float64(time.Millisecond))
			}
			for b.Loop() {
				timed(&plain, func() { v.get("/settings/environments?" + in.Encode()) })
				timed(&only, func() { v.get("/settings/environments?" + differ.Encode()) })
				timed(&compared, func() { v.form("/settings/environments/compare", in) })
				timed(&preview, func() { v.form("/settings/environments/edit", sheet) })
			}
			b.ReportMetric(plain.median(), "grid-ms")
			b.ReportMetric(only.median(), "differences-ms")
			b.ReportMetric(compared.median(), "compared-ms")
			b.ReportMetric(preview.median(), "preview-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// teamsOfMany is signed in to ten teams with so many keys each.
func teamsOfMany(tb testing.TB, kind string) (v visitor, ids []string) {
	tb.Helper()
	v, _ = signedInWithKey(tb, kind)
	for i := range gridTeams - 1 {
		v.form("/teams/new", url.Values{"username": {fmt.Sprintf("acme-%d", i)}})
	}
	_, page := v.page("/settings/environments")
	for _, box := range page.Find("input[name=in][type=checkbox]").EachIter() {
		ids = append(ids, box.AttrOr("value", ""))
	}
	if len(ids) != gridTeams {
		tb.Fatalf("there are %d teams", len(ids))
	}
	for first := 0; first < gridKeys; first += mostPerImport / gridTeams {
		sheet := sheetOf(ids, first, "value")
		for _, act := range []string{"preview", "apply"} {
			sheet.Set("act", act)
			v.form("/settings/environments/edit", sheet)
		}
	}
	return v, ids
}

// sheetOf sets 50 keys in each of ten teams.
func sheetOf(ids []string, first int, value string) url.Values {
	var b strings.Builder
	for i := first; i < first+mostPerImport/gridTeams; i++ {
		fmt.Fprintf(&b, "SERVICE_%05d_API_KEY=sk-%s-%d-0123456789abcdef\n", i, value, i)
	}
	return url.Values{"in": ids, "sheet": {b.String()}}
}

// form sends a form as a page does.
func (v visitor) form(path string, fields url.Values) {
	v.Helper()
	v.send("POST", path, strings.NewReader(fields.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Origin", v.url, "Accept-Encoding", "identity")
}
