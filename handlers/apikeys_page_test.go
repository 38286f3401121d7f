package handlers

import (
	"net/url"
	"strings"
	"testing"

	"infsh/auth"
	"infsh/team"
)

// The page makes a key of one app that ends and is the team's, and takes a key
// over, by plain forms too; the list says what each is.
func TestAPIKeysPageMakesServiceKeys(t *testing.T) {
	w := newWorld(t)
	post := func(path string, form url.Values, header ...string) string {
		t.Helper()
		r := request("POST", path, form.Encode(), header...)
		w.present(r, credentials{cookie: w.actors["owner"].cookie})
		res := w.do(r)
		if res.Code != 200 && res.Code != 303 {
			t.Fatalf("%s: %d %.300s", path, res.Code, res.Body)
		}
		return res.Body.String()
	}
	post("/settings/apikeys", url.Values{"name": {"nightly"}, "preset": {"runner"}, "app": {"acme/summarizer"}, "expires": {"30"}, "service_role": {"member"}})
	ada := w.actor("ada@example.com", "acme")
	find := func(name string) auth.Key {
		t.Helper()
		keys, err := w.services.Keys.List(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.Name == name {
				return k
			}
		}
		t.Fatalf("there is no key %s", name)
		return auth.Key{}
	}
	if k := find("nightly"); k.App.Name != "acme/summarizer" || k.Service != team.Member || k.ExpiresAt.IsZero() {
		t.Errorf("made %+v", k)
	}
	member := find("member")
	get := func(path string) string {
		t.Helper()
		r := request("GET", path, "")
		w.present(r, credentials{cookie: w.actors["owner"].cookie})
		return w.do(r).Body.String()
	}
	if page := get("/settings/apikeys?takeover=" + member.ID); !strings.Contains(page, "take-over-dialog") || !strings.Contains(page, "Only <code") {
		t.Error("the dialog does not open, or the list does not name the app")
	}
	post("/settings/apikeys/"+member.ID, url.Values{"_method": {"SERVICE"}, "service_role": {"member"}})
	if k := find("member"); k.Service != team.Member {
		t.Errorf("%+v", k)
	}
	if page := get("/settings/apikeys"); strings.Count(page, "Service, member") != 2 {
		t.Error("the list does not tell service keys")
	}
}
