package handlers

import (
	"bytes"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"infsh/audit"
	"infsh/team"
	"infsh/views"
)

// What an app printed is not "allowed", though the report of it was.
func TestAFindingHasItsOwnTone(t *testing.T) {
	s := &server{now: time.Now}
	for _, c := range []struct {
		action     team.Action
		outcome    audit.Outcome
		kind, says string
	}{
		{team.ReportPrinted, audit.Allowed, "warning", "masked"},
		{team.ReportPrinted, audit.Denied, "error", "denied"},
		{team.ResolveApp, audit.Allowed, "ok", "allowed"},
	} {
		row := s.activityRow(audit.Entry{Action: string(c.action), Outcome: c.outcome, Target: "acme/app", Reason: "version 3 printed K 3 times"})
		var page bytes.Buffer
		if err := views.ActivityPage(views.Page{}, views.Activity{Rows: []views.ActivityRow{row}}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		doc, err := goquery.NewDocumentFromReader(&page)
		if err != nil {
			t.Fatal(err)
		}
		badge := doc.Find(`[data-testid="activity-row"] .badge`)
		if kind := badge.AttrOr("data-kind", ""); kind != c.kind || badge.Text() != c.says {
			t.Errorf("%s, %s: the badge is %q in the tone %q", c.action, c.outcome, badge.Text(), kind)
		}
	}
}
