package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

var (
	seedOnPage  = regexp.MustCompile(`<code>([A-Z2-7]{32})</code>`)
	codesOnPage = regexp.MustCompile(`[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}`)
)

// driveFactors sets up an authenticator app, wrongly and rightly, and signs in
// by a recovery code: each is shown once, where it is meant to be.
func (h *hunt) driveFactors(v *visitor) {
	page := h.want(http.StatusOK, v.post("/settings/account/app", form()))
	seed := seedOnPage.FindStringSubmatch(page.Body)
	if seed == nil {
		h.t.Fatalf("no seed on the page: %.500s", page.Body)
	}
	h.plant("seed", seed[1])
	h.meant("seed")
	h.want(http.StatusUnprocessableEntity, v.post("/settings/account/app/confirm", form("code", "000000")))
	h.meant("seed") // It is shown until its first code.
	code, err := totp.GenerateCode(seed[1], time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	done := h.want(http.StatusOK, v.post("/settings/account/app/confirm", form("code", code)))
	codes := codesOnPage.FindAllString(done.Body, -1)
	if len(codes) < 10 {
		h.t.Fatalf("%d recovery codes on the page", len(codes))
	}
	h.plant("recovery code", codes[0])
	h.plant("recovery code that is used", codes[1])
	h.meant("recovery code")
	h.meant("recovery code that is used")
	wrong := h.plant("wrong recovery code", "CANA-RYWR-ONGC-ODE7")
	half := h.browser()
	h.want(http.StatusSeeOther, half.post("/login", form("email", "ada@example.com", "password", `canary second "pässword" & 1vY6`)))
	h.want(http.StatusOK, half.get("/login/verify"))
	h.want(http.StatusUnauthorized, half.post("/login/verify", form("code", wrong)))
	h.want(http.StatusUnauthorized, half.post("/login/verify", form("credential", `{"id":"`+wrong+`"}`)))
	h.want(http.StatusSeeOther, half.post("/login/verify", form("code", strings.ToLower(codes[1]))))
	h.want(http.StatusOK, half.get("/settings/account"))
	h.want(http.StatusSeeOther, v.post("/settings/account/app/remove", form()))
}
