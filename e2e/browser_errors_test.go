package e2e

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A refused form comes back with an error at each field and the focus at the
// first one, and with what was typed: but the server does not send the value
// again (case W7). Names are those that a shell passes on (case V1), and ones
// that change how programs run need a word of consent.
func refusedForms(t *testing.T, browser context.Context) {
	s := newServer(t)
	p := open(t, browser, s)
	p.signIn(s.createUser("ada@example.com", "acme"))
	value := p.plant("sk-refused-3fT8pLw")
	p.click("#add-secret")
	p.focused("#secret-key")
	p.mark()
	p.fill("#secret-value", value)
	p.fill("#secret-description", "Kept through it all")

	for _, refused := range []struct{ name, why string }{
		{"a-b", "underscore instead"}, {"1X", "digit"}, {"LD_PRELOAD", "LD_PRELOAD is not allowed"}, {"INFSH_TOKEN", "belongs to infsh"},
	} {
		p.fill("#secret-key", refused.name)
		p.submitAdd()
		p.errorAt("#secret-key", refused.why)
		p.focused("#secret-key")
		p.keptAfterRefusal(refused.name, value, "Kept through it all")
	}

	// What the browser keeps for a second try is in no page source.
	if strings.Contains(p.html(), value) {
		t.Error("the value is in the page's source")
	}

	// White space at the ends is refused unless it is meant.
	p.fill("#secret-key", "OPENAI_API_KEY")
	p.fill("#secret-value", value+" ")
	p.submitAdd()
	p.errorAt("#secret-value", "space")
	p.focused("#secret-value")
	p.keptAfterRefusal("OPENAI_API_KEY", value+" ", "Kept through it all")
	p.see("label[for=secret-verbatim]", "Keep exactly as typed")
	p.click("#secret-verbatim")
	p.submitAdd()
	p.gone("#add-dialog")
	p.see(row("OPENAI_API_KEY"), "v1")
	p.sameDocument()

	// A name that is there already is a conflict at its field.
	p.click("#add-secret")
	p.fill("#secret-key", "OPENAI_API_KEY")
	p.see(testid("advice-exists"), "Rotate it instead")
	p.fill("#secret-value", value)
	p.submitAdd()
	p.errorAt("#secret-key", "already")

	// Names that change how programs run need the checkbox.
	p.fill("#secret-key", "HTTP_PROXY")
	p.see(testid("advice-risky"), "HTTP_PROXY")
	p.submitAdd()
	p.until("the name was refused", `document.querySelector("#secret-key").getAttribute("aria-invalid") === "true" || document.querySelector("[data-testid=form-error], #secret-risky")`)
	p.keptAfterRefusal("HTTP_PROXY", value, "")
	p.click("#secret-risky")
	p.submitAdd()
	p.gone("#add-dialog")
	p.see(row("HTTP_PROXY"), "v1")
}

// submitAdd sends the Add dialog, and waits until its answer is in place.
func (p *tab) submitAdd() {
	p.Helper()
	ask[chromedp.Void](p, `document.querySelector("#add-dialog form").dataset.sent = "yes"`)
	p.click(testid("add-dialog") + " " + testid("save"))
	p.gone("#add-dialog form[data-sent]")
}

// keptAfterRefusal waits until the form has what was typed in it, and looks
// into the server's answer for the value.
func (p *tab) keptAfterRefusal(key, value, description string) {
	p.Helper()
	p.until("the dialog is modal again", `document.querySelector("#add-dialog").matches(":modal")`)
	for _, field := range []struct{ id, want string }{{"secret-key", key}, {"secret-value", value}, {"secret-description", description}} {
		if got := ask[string](p, `document.getElementById("`+field.id+`").value`); got != field.want {
			p.Errorf("after the refusal %s holds %q, want %q", field.id, got, field.want)
		}
	}
	answer := p.last("POST /settings/secrets")
	if answer.status != http.StatusUnprocessableEntity {
		p.Errorf("the refusal answered %d", answer.status)
	}
	if strings.Contains(answer.body, strings.TrimSpace(value)) {
		p.Error("the server sent the value back")
	}
}

// A name is judged while it is typed, aloud for a screen reader too, and only
// the name goes to the server.
func nameAdvice(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	s.call(u.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-advice-77")})
	p.signIn(u)
	p.click("#add-secret")
	p.focused("#secret-key")
	p.fill("#secret-value", p.plant("sk-advice-half-typed"))
	for _, c := range []struct{ name, where, says string }{
		{"TOKEN", "advice", "TOKEN"},
		{"KEY1", "advice", "KEY1"},
		{"a-b", "advice-refused", "-"},
		{"LD_PRELOAD", "advice-refused", "LD_PRELOAD"},
		{"HTTP_PROXY", "advice-risky", "--allow-risky-name"},
		{"OPENAI_API_KEY", "advice-exists", "already"},
		{"openai_api_key", "advice-case", "differs only in case"},
	} {
		p.fill("#secret-key", c.name)
		p.see("#name-advice[aria-live=polite] "+testid(c.where), c.says)
	}
	// Without a risk there is no box, and with a good name nothing to say.
	p.fill("#secret-key", "STRIPE_SECRET_KEY")
	p.until("there is no advice", `document.querySelector("#name-advice").textContent.trim() === ""`)
	p.press(kb.Escape)
	p.gone("#add-dialog")
}

// A common secret is one click away: the click fills in key and description,
// and the focus waits where the value goes.
func suggestions(t *testing.T, browser context.Context) {
	s := newServer(t)
	p := open(t, browser, s)
	p.signIn(s.createUser("ada@example.com", "acme"))
	p.click("#known-OPENAI_API_KEY")
	p.focused("#secret-value")
	p.until("key and description are filled in", `document.querySelector("#secret-key").value === "OPENAI_API_KEY" && document.querySelector("#secret-description").value.includes("OpenAI")`)
	p.press(kb.Escape)
	p.gone("#add-dialog")
	p.focused("#known-OPENAI_API_KEY")
	p.click("#known-OPENAI_API_KEY")
	p.focused("#secret-value")
	p.fill("#secret-value", p.plant("sk-suggested-1"))
	p.submitAdd()
	p.see(row("OPENAI_API_KEY"), "OpenAI")
}

// The ends of lines are LF, as in the file that the text was copied from,
// although a browser's form sends CRLF, and its script LF. The last one belongs
// to a PEM key.
func severalLines(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIBVQIBADANBgkqhkiG9w0BAQEFAASC\n\tindented = \"quoted\" & <tagged>\n-----END PRIVATE KEY-----\n"
	for key, options := range map[string][]tabOption{"BY_SCRIPT": nil, "BY_FORM": {noScript}} {
		p := open(t, browser, s, options...)
		for _, line := range strings.Split(strings.TrimSpace(pem), "\n")[1:3] {
			p.plant(strings.TrimSpace(line))
		}
		p.signIn(u)
		p.visit("/settings/secrets?add=" + key)
		p.fill("#secret-value", pem)
		p.click(testid("add-form") + " " + testid("save"))
		p.see(row(key), "v1")

		reveal := exec.Command(infsh, "secrets", "get", key, "--reveal")
		reveal.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+u.APIKey)
		out, err := reveal.Output()
		if err != nil {
			t.Fatalf("infsh secrets get: %v", err)
		}
		if string(out) != pem {
			t.Errorf("infsh secrets get %s --reveal gives %q, want %q", key, out, pem)
		}
	}
}
