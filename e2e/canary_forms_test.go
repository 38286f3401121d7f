package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

const formType = "application/x-www-form-urlencoded"

// driveForms puts the values through the page of the secrets, on every path
// that ends in another answer.
func (h *hunt) driveForms(v *visitor) {
	const page = "/settings/secrets"
	dialog := []string{"HX-Request", "true", "HX-Target", "dialog"}

	// What succeeds.
	h.want(http.StatusSeeOther, v.post(page, form("key", "OPENAI_API_KEY", "value", plainValue, "description", "For GPT-4")))
	h.want(http.StatusSeeOther, v.post(page, form("key", "TLS_KEY", "value", strings.ReplaceAll(keyValue, "\n", "\r\n"))))
	h.want(http.StatusSeeOther, v.post(page, form("key", "GREETING_PHRASE", "value", phraseValue)))
	h.want(http.StatusOK, v.post(page, form("key", "DATABASE_PASSWORD", "value", quotedValue), dialog...))
	h.want(http.StatusSeeOther, v.post(page+"/OPENAI_API_KEY", form("_method", "PUT", "value", quotedValue)))
	h.want(http.StatusSeeOther, v.post(page+"/OPENAI_API_KEY/rollback", form("version", "1")))
	h.want(http.StatusSeeOther, v.post(page+"/OPENAI_API_KEY", form("_method", "PUT", "value", phraseValue, "stage", "on")))
	h.want(http.StatusSeeOther, v.post(page+"/OPENAI_API_KEY/activate", form("version", "2")))
	h.want(http.StatusSeeOther, v.post(page+"/OPENAI_API_KEY/activate", form("version", "3")))
	for _, path := range []string{page, page + "?q=OPENAI", page + "/OPENAI_API_KEY", page + "/OPENAI_API_KEY?edit", page + "/TLS_KEY?delete", "/settings/activity", "/settings/account"} {
		h.want(http.StatusOK, v.get(path))
	}

	// What fails at a field, as a page and as a dialog.
	refused := h.plantGuessable("value that was refused", `canary "refused" & välue 2mP7`)
	for _, header := range [][]string{nil, dialog} {
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "OPENAI_API_KEY", "value", refused), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "not a name", "value", refused), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "LD_PRELOAD", "value", refused), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "HTTPS_PROXY", "value", refused), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "NEW_KEY", "value", " "+refused), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "NEW_KEY", "value", refused+"\x00"), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "NEW_KEY", "value", refused+"\xff"), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "NEW_KEY", "value", refused+strings.Repeat("x", 65536)), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", "NEW_KEY", "value", refused, "description", strings.Repeat("x", 501)), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page+"/OPENAI_API_KEY", form("_method", "PUT", "value", refused+"\x00"), header...))
		h.want(http.StatusUnprocessableEntity, v.post(page, form("key", refused, "value", "OPENAI_API_KEY"), header...))
		h.meant("value that was refused") // The field of the name shows what was typed.
	}

	// What fails as a whole.
	h.want(http.StatusNotFound, v.post(page+"/NO_SUCH_KEY", form("_method", "PUT", "value", refused)))
	h.want(http.StatusBadRequest, v.post(page+"/OPENAI_API_KEY", form("_method", refused, "value", refused)))
	h.want(http.StatusBadRequest, v.post(page+"/OPENAI_API_KEY/rollback", form("version", refused)))
	h.want(http.StatusBadRequest, v.post(page+"/OPENAI_API_KEY/activate", form("version", refused)))
	h.want(http.StatusConflict, v.post(page, form("team", uuid.NewString(), "key", "NEW_KEY", "value", refused)))
	h.want(http.StatusForbidden, v.post(page, form("csrf", "wrong", "key", "NEW_KEY", "value", refused)))
	h.want(http.StatusForbidden, v.post(page, form("key", "NEW_KEY", "value", refused), "Origin", ""))
	h.want(http.StatusForbidden, v.post(page, form("key", "NEW_KEY", "value", refused), "Origin", "https://evil.example.com"))
	h.want(http.StatusForbidden, v.post(page, form("key", "NEW_KEY", "value", refused), "Origin", "", "Sec-Fetch-Site", "cross-site"))
	h.want(http.StatusRequestEntityTooLarge, v.post(page, form("key", "NEW_KEY", "value", refused+strings.Repeat("x", 600<<10)+refused)))
	h.want(http.StatusRequestEntityTooLarge, v.post(page, form("key", "NEW_KEY", "value", refused+strings.Repeat("x", 600<<10)), dialog...))
	h.want(http.StatusBadRequest, h.raw(v, "POST", page, formType, "key=NEW_KEY&value=%zz"+plainValue))
	h.want(http.StatusBadRequest, h.raw(v, "POST", page, formType, "key=NEW_KEY&value=a;"+plainValue))
	h.want(http.StatusUnsupportedMediaType, h.raw(v, "POST", page, "text/plain", "key=NEW_KEY&value="+refused))
	h.want(http.StatusUnsupportedMediaType, h.raw(v, "POST", page, "multipart/form-data; boundary=x",
		"--x\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\n"+refused+"\r\n--x--\r\n"))
	h.want(http.StatusMethodNotAllowed, h.raw(v, "PATCH", page, formType, "value="+plainValue))
	h.want(http.StatusSeeOther, h.browser().post(page, form("key", "NEW_KEY", "value", refused)))
	h.want(http.StatusOK, h.browser().post(page, form("key", "NEW_KEY", "value", refused), dialog...))

	// A file of several values, previewed, refused and imported.
	file := func(act, text string) answer {
		body := ""
		for _, field := range [][2]string{{"act", act}, {"file", text}} {
			body += "--x\r\nContent-Disposition: form-data; name=\"" + field[0] + "\"\r\n\r\n" + field[1] + "\r\n"
		}
		return h.raw(v, "POST", "/settings/import", "multipart/form-data; boundary=x", body+"--x--\r\n")
	}
	h.want(http.StatusOK, file("preview", "FAL_KEY='"+plainValue+"'\n"+refused+"\nOPENAI_API_KEY='"+plainValue+"'\n"))
	h.want(http.StatusUnprocessableEntity, file("import", "FAL_KEY='"+plainValue+"'\nOPENAI_API_KEY='"+plainValue+"'\nPATH="+plainValue+"\n"))
	h.want(http.StatusUnprocessableEntity, file("import", "FAL_KEY=\""+keyValue))
	h.want(http.StatusSeeOther, file("import", "FAL_KEY='"+plainValue+"'\n"))

	// A text for several teams, previewed, refused, not seen before, and saved.
	edit := func(act, text string) answer {
		return v.post("/settings/environments/edit", form("act", act, "sheet", "[acme]\n"+text))
	}
	h.want(http.StatusOK, edit("preview", "HF_TOKEN='"+plainValue+"'\n"+refused+"\n["+refused+"]\nA='"+plainValue+"'\n"))
	h.want(http.StatusUnprocessableEntity, edit("apply", "HF_TOKEN='"+plainValue+"'\nPATH="+plainValue+"\n"))
	h.want(http.StatusUnprocessableEntity, edit("apply", "HF_TOKEN='"+plainValue+"'\n"))
	h.want(http.StatusSeeOther, edit("apply", "HF_TOKEN='"+plainValue+"'\n"))

	// What connects other services, taken and refused, and an answer of a provider
	// for which nobody waits.
	const links = "/settings/integrations"
	h.want(http.StatusSeeOther, v.post(links+"/notion", form("do", "connect", "kind", "api_key", "field_token", plainValue)))
	h.want(http.StatusUnprocessableEntity, v.post(links+"/notion", form("do", "connect", "kind", "api_key", "field_token", refused)))
	h.want(http.StatusUnprocessableEntity, v.post(links+"/gcp", form("do", "connect", "kind", "service_account", "field_service_account_key", refused, "field_project_number", "12")))
	h.want(http.StatusSeeOther, v.post(links+"/google", form("do", "client", "client_id", "client-of-acme", "client_secret", plainValue)))
	h.want(http.StatusUnprocessableEntity, v.post(links+"/google", form("do", "client", "client_id", "client-of-acme", "client_secret", refused)))
	for _, path := range []string{links, links + "/notion", links + "/google"} {
		h.want(http.StatusOK, v.get(path))
	}
	h.want(http.StatusNotFound, v.get(links+"/callback?state="+plainValue+"&code="+plainValue))

	// A value in an address, where no form puts one.
	h.want(http.StatusNotFound, v.get(page+"/"+plainValue))
	h.want(http.StatusNotFound, v.get("/no-such-page/"+plainValue+"?value="+plainValue))
	h.want(http.StatusUnprocessableEntity, h.raw(v, "POST", page+"?value="+plainValue, formType, "key=NEW_KEY"))
	h.want(http.StatusNotFound, v.get("/settings/apps/acme/"+plainValue))
	h.want(http.StatusNotFound, v.get("/device?code="+plainValue))

	h.driveAccount(v)
}

// driveAccount changes the password, wrongly and rightly.
func (h *hunt) driveAccount(v *visitor) {
	const path = "/settings/account/password"
	first := "canary first passwörd 5tW8"
	second := h.plantGuessable("second password", `canary second "pässword" & 1vY6`)
	short := h.plantGuessable("password that is too short", "cnry+4&Zq")
	h.want(http.StatusUnprocessableEntity, v.post(path, form("current", short, "new", second)))
	h.want(http.StatusUnprocessableEntity, v.post(path, form("current", first, "new", short)))
	h.want(http.StatusUnprocessableEntity, v.post(path, form("current", first, "new", first)))
	h.want(http.StatusForbidden, v.post(path, form("csrf", "wrong", "current", first, "new", second)))
	h.want(http.StatusSeeOther, v.post(path, form("current", first, "new", second)))
	h.want(http.StatusOK, v.get("/settings/account"))
	h.want(http.StatusUnauthorized, h.browser().post("/login", form("email", "ada@example.com", "password", first)))
	h.want(http.StatusSeeOther, h.browser().post("/login", form("email", "ada@example.com", "password", second)))
	other := h.browser()
	h.want(http.StatusSeeOther, other.post("/login", form("email", "ada@example.com", "password", second)))
	h.want(http.StatusSeeOther, other.post("/logout", form()))
}

var inviteCode = regexp.MustCompile(`^[A-Z2-7]{26}`)

// driveKeys makes API keys on the page, by the API and by the operator's
// command, and returns the owner's.
func (h *hunt) driveKeys(v *visitor) (owner string) {
	made := h.want(http.StatusOK, v.post("/settings/apikeys", form("name", "laptop", "preset", "all")))
	owner = h.plant("API key from the page", tokenPattern.FindString(made.Body))
	h.meant("API key from the page")
	made = h.want(http.StatusOK, v.post("/settings/apikeys", form("name", "ci", "preset", "runner"), "HX-Request", "true", "HX-Target", "dialog"))
	h.plant("runner's key from the dialog", tokenPattern.FindString(made.Body))
	h.meant("runner's key from the dialog")
	h.want(http.StatusOK, v.get("/settings/apikeys"))

	// The code of an invite is shown in its link, and put into the cookie of who
	// opens that.
	made = h.want(http.StatusOK, v.post("/settings/members/invites", form("email", "ina@example.com", "role", "member")))
	_, rest, _ := strings.Cut(made.Body, "/invite?code=")
	invite := h.plant("code of an invite", inviteCode.FindString(rest))
	h.meant("code of an invite")
	h.want(http.StatusSeeOther, v.get("/invite?code="+invite))
	h.meant("code of an invite")
	for _, path := range []string{"/invite", "/settings/members", "/settings/activity"} {
		h.want(http.StatusOK, v.get(path))
	}
	h.want(http.StatusUnprocessableEntity, v.post("/settings/apikeys", form("name", "", "preset", "all")))
	h.want(http.StatusBadRequest, v.post("/settings/apikeys", form("name", "x", "preset", plainValue)))

	var answer struct{ Key string }
	h.want(http.StatusCreated, h.api(owner, "POST", "/api/apikeys", `{"name":"reader","scopes":["secrets:read"]}`)).json(h.t, &answer)
	h.plant("API key from the API", answer.Key)
	h.meant("API key from the API")
	h.want(http.StatusOK, h.api(owner, "POST", "/api/apikeys/list", "{}"))

	var printed user
	out := h.cli(command{}, "admin", "create-user", "--email", "bo@example.com", "--team", "acme", "--json", "--data-dir", h.Data)
	h.meant("API key of the member", "password that was generated")
	if err := json.Unmarshal([]byte(out), &printed); err != nil {
		h.t.Fatal(err)
	}
	h.plant("API key of the member", printed.APIKey)
	h.plantGuessable("password that was generated", printed.Password)
	piped := h.plantGuessable("password from standard input", `canary "piped" pässword 9dF4`)
	h.cli(command{stdin: piped + "\n"}, "admin", "create-user", "--email", "cy@example.com", "--team", "beta", "--password-stdin", "--data-dir", h.Data)
	h.plant("API key of another team", tokenPattern.FindString(string(h.places[len(h.places)-1].data)))
	h.meant("API key of another team")
	return owner
}

// text returns the text of a canary that was planted.
func (h *hunt) text(name string) string {
	h.t.Helper()
	for _, c := range h.canaries {
		if c.name == name {
			return c.text
		}
	}
	h.t.Fatalf("no canary is named %q", name)
	return ""
}
