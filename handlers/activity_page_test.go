package handlers

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// The activity names the API key or command line of an act, also after it is
// gone, and nothing of the kind for what was done in a browser.
func TestActivityNamesCredentials(t *testing.T) {
	w := newWorld(t)
	ada := w.actor("ada@example.com", "acme")
	id, token := w.key(ada, "nightly", nil)
	browser := credentials{cookie: w.actors["owner"].cookie}
	send := func(c credentials, method, path, body string) {
		t.Helper()
		r := request(method, path, body)
		w.present(r, c)
		if res := w.do(r); res.Code >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %.300s", method, path, res.Code, res.Body)
		}
	}
	send(browser, "POST", "/settings/secrets", url.Values{"key": {"BY_BROWSER"}, "value": {"a value of a browser"}}.Encode())
	send(credentials{bearer: token}, "POST", "/api/secrets", `{"key":"BY_KEY","value":"a value of a program"}`)
	send(credentials{bearer: w.login(ada)}, "POST", "/api/secrets", `{"key":"BY_LOGIN","value":"a value of a person"}`)
	want := func(key, credential string) {
		t.Helper()
		r := request("GET", "/settings/activity?key="+key, "")
		w.present(r, browser)
		page, err := goquery.NewDocumentFromReader(w.do(r).Body)
		if err != nil {
			t.Fatal(err)
		}
		row := page.Find("[data-testid=activity-row]")
		if got := row.Find("[data-label=Who] .quiet").Text(); row.Length() != 1 || got != credential {
			t.Errorf("%s: %d rows, %q, want %q", key, row.Length(), got, credential)
		}
	}
	want("BY_BROWSER", "")
	want("BY_KEY", "with the key nightly")
	want("BY_LOGIN", "on the command line owner's laptop")
	if err := w.services.Keys.Revoke(t.Context(), ada, id); err != nil {
		t.Fatal(err)
	}
	want("BY_KEY", "with a key that is gone")
}
