package handlers

import (
	"encoding/json"
	"testing"
)

// What was made says the same of its time at once and ever after: the answer to
// a creating call is no more exact than the database.
func TestTimesStayAsTheyWereAnswered(t *testing.T) {
	w := newWorld(t)
	type object struct {
		ID        string `json:"id"`
		CreatedAt string `json:"created_at"`
		UpdatedAt string `json:"updated_at"`
	}
	ask := func(method, path, body string, into any) {
		t.Helper()
		r := request(method, w.ids.Replace(path), body)
		w.present(r, credentials{bearer: w.actors["owner"].bearer})
		res := w.do(r)
		if res.Code >= 300 {
			t.Fatalf("%s %s answers %d: %s", method, path, res.Code, res.Body)
		}
		if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ create, body, list, method, search string }{
		{"/api/secrets", `{"key":"FAL_KEY","value":"fal-CANARY-submitted"}`, "/api/secrets/list", "POST", `{}`},
		{"/api/apps", `{"name":"painter","version":{"required_secrets":[]}}`, "/api/apps/list", "POST", `{}`},
		{"/api/apikeys", `{"name":"laptop"}`, "/api/apikeys/list", "POST", `{}`},
		{"/api/webhooks", `{"url":"https://hooks.example.com/more"}`, "/api/webhooks/list", "POST", `{}`},
		{"/api/teams/$team/invites", `{"email":"new@example.com","role":"member"}`, "/api/teams/$team/invites", "GET", ""},
	} {
		var made object
		ask("POST", c.create, c.body, &made)
		var found []object
		if c.method == "POST" {
			var page struct{ Items []object }
			ask(c.method, c.list, c.search, &page)
			found = page.Items
		} else {
			ask(c.method, c.list, c.search, &found)
		}
		seen := false
		for _, o := range found {
			if o.ID != made.ID {
				continue
			}
			seen = true
			if o != made || made.CreatedAt == "" {
				t.Errorf("POST %s answered %+v, and afterwards it is %+v", c.create, made, o)
			}
		}
		if !seen {
			t.Errorf("%s does not list %s", c.list, made.ID)
		}
	}
}
