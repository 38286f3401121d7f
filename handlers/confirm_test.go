package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"infsh/db/dbtest"
)

// confirming are the routes that ask for a fresh proof. A route that gives
// power, hands out a credential or can't be undone belongs here.
var confirming = []string{
	"POST /device", "POST /settings/account/app", "POST /settings/account/app/confirm", "POST /settings/account/app/remove", "POST /settings/account/passkeys",
	"POST /settings/account/passkeys/{id}/remove", "POST /settings/account/recovery", "POST /settings/account/sso", "POST /settings/account/sso/disconnect", "POST /settings/apikeys", "POST /settings/apikeys/{id}", "POST /settings/integrations/{provider}/disconnect", "POST /settings/members/invites", "POST /settings/members/policy",
	"POST /settings/members/transfer", "POST /settings/members/{id}/role", "POST /settings/runners", "POST /settings/runners/{id}/delete", "POST /settings/secrets/{key}/reveal", "POST /settings/team/delete",
}

// age makes the sign-ins of all sessions older than a proof counts.
func (w *world) age() {
	dbtest.Exec(w.t, w.d, "UPDATE sessions SET confirmed_at = confirmed_at - ?", 10*60*1000*1000)
}

// A session that is in somebody else's hands can neither take power nor hand it
// on: each of these routes asks who sends it, plainly and over HTMX, and does
// nothing. Sent again with the password, it does what was begun.
func TestWhatAsksForAFreshProof(t *testing.T) {
	w := newWorld(t)
	_, rows := parseMatrix(t)
	var asks []string
	for _, r := range (&server{}).routes() {
		if r.confirm == "" {
			continue
		}
		asks = append(asks, r.method+" "+r.path)
		if r.method != "POST" || r.access != page {
			t.Errorf("%s %s asks and takes no form", r.method, r.path)
		}
	}
	slices.Sort(asks)
	if !slices.Equal(asks, confirming) {
		t.Errorf("a fresh proof is asked for by\n%s", strings.Join(asks, "\n"))
	}
	for _, row := range rows {
		if !slices.Contains(confirming, row.route()) {
			continue
		}
		for _, htmx := range []string{"", "true"} {
			w.age()
			w.committed()
			got := w.try(row, "owner", "HX-Request", htmx, "HX-Target", "secrets-table", "Referer", origin+"/settings/members?role=x", "HX-Current-URL", origin+"/settings/members?role=x")
			doc, err := goquery.NewDocumentFromReader(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			form := doc.Find("form[data-testid=confirm-form]")
			if got.Code != http.StatusForbidden || form.Length() != 1 {
				t.Fatalf("%s: %d, and the question is there %d times", row.route(), got.Code, form.Length())
			}
			if htmx != "" && (got.Header().Get("HX-Retarget") != "#dialog" || form.AttrOr("hx-target", "") != "#secrets-table") {
				t.Errorf("%s: the question goes to %q, and its answer to %q", row.route(), got.Header().Get("HX-Retarget"), form.AttrOr("hx-target", ""))
			}
			if back := doc.Find("main a.btn, dialog a.btn").Last().AttrOr("href", ""); back != "/settings/members?role=x" {
				t.Errorf("%s: one goes back to %q", row.route(), back)
			}
			if w.committed() {
				t.Errorf("%s was done without a proof", row.route())
			}
			if row.want["owner"] != "ok" {
				w.restore() // There is nothing here to be done to.
				continue
			}
			sent := url.Values{}
			form.Find("input[type=hidden]").Each(func(_ int, in *goquery.Selection) {
				sent.Add(in.AttrOr("name", ""), in.AttrOr("value", ""))
			})
			for _, c := range []struct {
				password string
				status   int
			}{{"not the password", http.StatusUnprocessableEntity}, {password, http.StatusOK}} {
				sent.Set("confirm_password", c.password)
				cookie := w.actors["owner"].cookie
				send := func() *httptest.ResponseRecorder {
					r := request("POST", form.AttrOr("action", ""), sent.Encode(), "HX-Request", htmx)
					w.present(r, credentials{cookie: cookie})
					return w.do(r)
				}
				res := send()
				if res.Code == http.StatusTemporaryRedirect {
					// The browser sends the same once more, with its new cookie.
					if res.Header().Get("Location") != form.AttrOr("action", "") || len(res.Result().Cookies()) != 1 || res.Result().Cookies()[0].Value == cookie {
						t.Errorf("%s: leads to %s with %v", row.route(), res.Header().Get("Location"), res.Result().Cookies())
					}
					cookie = res.Result().Cookies()[0].Value
					res = send()
				}
				if done := outcome(res) == "ok"; done != (c.status == http.StatusOK) || !done && res.Code != c.status {
					t.Errorf("%s with %q: %d %.300s", row.route(), c.password, res.Code, res.Body)
				}
				if strings.Contains(res.Body.String(), c.password) {
					t.Errorf("%s: the answer has what was typed", row.route())
				}
				w.searchCanaries(row.route(), row, res) // A value is in the answer where it was done.
				if slices.Contains(disclosing, row.route()) {
					continue
				}
				if done := len(w.changed("")) > 1; done != (c.status == http.StatusOK) { // The sessions were aged.
					t.Errorf("%s with %q changed %s", row.route(), c.password, w.changed(""))
				}
			}
			w.restore()
		}
	}
}
