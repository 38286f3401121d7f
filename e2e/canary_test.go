package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The values of the secrets. Their encodings all differ, and so a log that
// escapes or encodes what it writes hides none of them.
const (
	plainValue  = "sk-canary-plain-9fQ2xL7vT4"
	keyValue    = "-----BEGIN CANARY KEY-----\ncanaryFirstLine7hG3kD9sW2\ncanarySecondLineQ8zX1mN5\n-----END CANARY KEY-----\n"
	phraseValue = "canary-žluťoučký-ключ-🔑-4jR8"
	quotedValue = `canary"quoted'&x=1+2 /p?%41<tag>\end-6sB3`
)

// Secrets, passwords and credentials are never logged: whatever is done with
// them, right or wrong, at the most verbose level of logging, they stand in no
// log, answer, file or list of processes but the one that is meant for them.
func TestCanariesStayInside(t *testing.T) {
	h := newHunt(t)
	h.plantGuessable("plain value", plainValue)
	h.plantGuessable("key of several lines", keyValue)
	h.plantGuessable("phrase in unicode", phraseValue)
	h.plantGuessable("quoted value", quotedValue)

	owner := h.setUp()
	h.signInWrongly()
	h.driveForms(owner)
	h.driveFactors(owner)
	key := h.driveKeys(owner)
	h.driveAPI(key)
	h.driveMistakes(key)
	h.driveCommandLine(key)
	h.driveLogin(owner)
	h.driveRun()

	files := h.sawFolder("data while running", h.Data)
	for _, want := range []string{"infsh.db", "infsh.db-wal", "infsh.db-shm"} {
		if !slices.Contains(files, want) {
			t.Errorf("there is no %s in the data dir, so it was not searched: %v", want, files)
		}
	}
	h.stop()
	h.sawFolder("data after the stop", h.Data)
	database, err := os.ReadFile(filepath.Join(h.Data, "infsh.db"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(database, []byte("$argon2id$")) {
		t.Error("the database has no argon2id hash, so the passwords are somewhere else")
	}
	h.sawFolder("temporary files", h.tmp)
	h.sawFolder("home", h.work)
	h.sawFolder("config", h.config)
	h.meantIn("config: credentials.json", "credential of the login")
	h.sawLog()
	h.search()
}

// A program that dies dumps its stacks, and those hold no secret either.
func TestCanariesStayInsideACrash(t *testing.T) {
	h := newHunt(t)
	h.plantGuessable("plain value", plainValue)
	u := h.createUser("ada@example.com", "acme")
	h.plant("password", u.Password)
	h.plant("API key", u.APIKey)
	h.want(http.StatusSeeOther, h.browser().post("/login", form("email", u.Email, "password", u.Password)))
	h.want(http.StatusCreated, h.api(u.APIKey, "POST", "/api/secrets", `{"key":"OPENAI_API_KEY","value":`+quote(plainValue)+`}`))
	h.want(http.StatusOK, h.api(u.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", ""))
	h.meant("plain value")
	h.crash()
	dump := h.stderr.String()
	if !strings.Contains(dump, "goroutine ") {
		t.Fatalf("the server did not dump its stacks:\n%s", dump)
	}
	h.saw("the dump of a crash", []byte(dump))
	h.sawFolder("data after a crash", h.Data)
	h.sawFolder("temporary files", h.tmp)
	h.search()
}

// setUp uses the setup link wrongly and rightly, and returns the first user's
// browser.
func (h *hunt) setUp() *visitor {
	code := h.plant("setup code", strings.TrimPrefix(h.Setup, h.URL+"/setup?code="))
	password := h.plantGuessable("first password", "canary first passwörd 5tW8")
	v := h.browser()
	h.want(http.StatusOK, v.get("/setup?code="+code))
	h.meant("setup code") // It goes back in the form.

	h.plant("wrong setup code", "CANARYWRONGSETUPCODE4K7Q")
	h.want(http.StatusForbidden, v.post("/setup", form("code", "CANARYWRONGSETUPCODE4K7Q", "email", "ada@example.com", "team", "acme", "password", password)))
	h.want(http.StatusUnprocessableEntity, v.post("/setup", form("code", code, "email", "nobody", "team", "acme", "password", password)))
	h.meant("setup code")
	h.want(http.StatusSeeOther, v.post("/setup", form("code", code, "email", "ada@example.com", "team", "acme", "password", password)))
	h.want(http.StatusConflict, h.browser().post("/setup", form("code", code, "email", "eve@example.com", "team", "beta", "password", password)))
	h.want(http.StatusSeeOther, h.browser().get("/setup?code="+code))
	return v
}

// signInWrongly types passwords where they are wrong, and in the wrong field.
func (h *hunt) signInWrongly() {
	wrong := h.plantGuessable("wrong password", `canary wrong "pässword" 8hK2`)
	misplaced := h.plantGuessable("password in the field of the address", "canary-misplaced-pw-3nC9")
	v := h.browser()
	h.want(http.StatusUnauthorized, v.post("/login", form("email", "ada@example.com", "password", wrong)))
	h.want(http.StatusUnauthorized, v.post("/login", form("email", "nobody@example.com", "password", wrong)))
	h.want(http.StatusUnauthorized, v.post("/login", form("email", misplaced, "password", "")))
	h.meant("password in the field of the address") // The form shows what was typed.
	h.want(http.StatusForbidden, v.post("/login", form("email", "ada@example.com", "password", wrong), "Origin", "https://evil.example.com"))
	h.want(http.StatusBadRequest, h.raw(v, "POST", "/login", formType, "email=ada@example.com&password=%zz"+plainValue))
	h.want(http.StatusUnsupportedMediaType, h.raw(v, "POST", "/login", "application/json", `{"password":`+quote(wrong)+`}`))
	// Each wait is longer than the one before, until a try falls into one.
	for range 12 {
		if v.post("/login", form("email", "mallory@example.com", "password", wrong)).StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	h.t.Error("none of many wrong passwords was answered with 429")
}

// sawLog keeps what the server printed, without the line that hands out the
// setup link.
func (h *hunt) sawLog() {
	h.t.Helper()
	log := h.stderr.String()
	if n := strings.Count(log, "msg=request "); n < 100 {
		h.t.Errorf("the log has %d requests, so it is not the log of what was done", n)
	}
	if !strings.Contains(log, "level=DEBUG") {
		h.t.Error("the log was not kept at the most verbose level")
	}
	log = setupLine.ReplaceAllLiteralString(log, "")
	h.saw("the server's output", []byte(log))
}
