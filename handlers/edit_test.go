package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// What a text would do in several teams is shown by lines and without values. It is
// done once it was seen, which another tab's form tells by a cookie, and not after a
// change by somebody else.
func TestTeamsAreEditedAsText(t *testing.T) {
	w := newWorld(t)
	w.committed()
	const text = "FAL_KEY=fal-CANARY-both\n[acme]\nOPENAI_API_KEY=other-CANARY-value\nHF_TOKEN=\n[zeta]\nOPENAI_API_KEY=sk-CANARY-zeta\n"
	send := func(text, cookie string, fields ...string) *httptest.ResponseRecorder {
		t.Helper()
		form := url.Values{"sheet": {text}, "in": {w.ids.Replace("$team"), w.ids.Replace("$zeta")}}
		for i := 0; i+1 < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		r := request("POST", "/settings/environments/edit", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		w.present(r, credentials{cookie: w.actors["owner"].cookie})
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "__Host-infsh-preview", Value: cookie})
		}
		return w.do(r)
	}
	seenIn := func(got *httptest.ResponseRecorder) string {
		for _, c := range got.Result().Cookies() {
			if c.Name == "__Host-infsh-preview" {
				return c.Value
			}
		}
		return ""
	}
	has := func(got *httptest.ResponseRecorder, status int, wants ...string) {
		t.Helper()
		page := strings.Join(strings.Fields(got.Body.String()), " ")
		if got.Code != status {
			t.Errorf("answered %d, want %d: %.300s", got.Code, status, page)
		}
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %s", want)
			}
		}
		if strings.Contains(page, "CANARY") {
			t.Error("the page has a part of the text")
		}
	}

	preview := send(text, "")
	has(preview, http.StatusOK, "3 new, 1 changed, 1 line without a value", `data-status="changed"`)
	has(send("nonsense CANARY\nA=1\n[nowhere-CANARY]\nB=CANARY\n[acme]\nPATH=CANARY\n", ""), http.StatusOK, "2 new, 3 refused", "names no team of yours")
	has(send("A=CANARY\n", "", "in", ""), http.StatusOK, "No team is ticked")
	has(send(text, "", "act", "apply"), http.StatusUnprocessableEntity, `data-testid="stale"`)
	has(send(text+"nonsense CANARY\n", seenIn(preview), "act", "apply"), http.StatusUnprocessableEntity, "1 refused")
	has(send("# nothing\n", "", "act", "apply"), http.StatusUnprocessableEntity, "There is nothing to set")
	has(send("", ""), http.StatusOK)
	if tables := w.changed(""); len(tables) > 0 {
		t.Errorf("what was not applied has changed %s", tables)
	}

	// Somebody else is quicker.
	r := request("PUT", "/api/secrets/OPENAI_API_KEY", `{"value":"sk-CANARY-quicker"}`, "Content-Type", "application/json")
	w.present(r, credentials{bearer: w.actors["full"].bearer})
	if got := w.do(r); got.Code != http.StatusOK {
		t.Fatalf("the change answered %d: %s", got.Code, got.Body)
	}
	stale := send(text, seenIn(preview), "act", "apply")
	has(stale, http.StatusUnprocessableEntity, `data-testid="stale"`)
	if got := send(text, seenIn(stale), "act", "apply"); got.Code != http.StatusSeeOther || !strings.HasPrefix(got.Header().Get("Location"), "/settings/environments?in=") {
		t.Errorf("an edit that was looked at answered %d, %s", got.Code, got.Header().Get("Location"))
	}
	has(send(text, ""), http.StatusOK, "4 equal, 1 line without a value")
}

// The text begins with the chosen keys of the teams in which one may write, and has
// no value.
func TestSheetHasNamesAlone(t *testing.T) {
	w := newWorld(t)
	r := request("GET", "/settings/environments/edit?"+w.ids.Replace("in=$team&in=$zeta&key=OPENAI_API_KEY&key=NOT_THERE"), "")
	w.present(r, credentials{cookie: w.actors["owner"].cookie})
	got := w.do(r)
	if want := "[acme]\nOPENAI_API_KEY=\n\n[zeta]\n# Not set yet:\nOPENAI_API_KEY=\n"; !strings.Contains(got.Body.String(), want) {
		t.Errorf("the text is not %q: %d %.6000s", want, got.Code, got.Body)
	}
	if strings.Contains(got.Body.String(), "CANARY") || strings.Contains(got.Body.String(), "NOT_THERE") {
		t.Error("the page has a value, or a key that is nowhere")
	}
}
