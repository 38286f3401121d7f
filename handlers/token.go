package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/federation"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// exchangeToken trades a platform's token for a credential (RFC 8693). Nobody is
// known yet; what the token proves is decided by package federation.
func (s *server) exchangeToken(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	form := r.PostForm
	for name, values := range form {
		// RFC 6749, section 3.2: parameters must not stand more than once.
		if len(values) > 1 {
			if !repeatable().MatchString(name) {
				name = "…"
			}
			return problem.Invalid(name, "it stands more than once")
		}
	}
	for _, p := range []struct{ name, message string }{
		{"actor_token", "a runner acts for nobody else: leave it out"},
		{"resource", "name the app in audience, and leave this out"},
	} {
		if form.Has(p.name) {
			return problem.Invalid(p.name, "%s", p.message)
		}
	}
	if form.Get("grant_type") != api.GrantTokenExchange {
		return problem.Invalid("grant_type", "it must be %s", api.GrantTokenExchange)
	}
	if t := form.Get("subject_token_type"); t != api.TokenTypeJWT && t != api.TokenTypeID {
		return problem.Invalid("subject_token_type", "it must be %s or %s", api.TokenTypeJWT, api.TokenTypeID)
	}
	if t := form.Get("requested_token_type"); t != "" && t != api.TokenTypeAccess {
		return problem.Invalid("requested_token_type", "it can only be %s", api.TokenTypeAccess)
	}
	if scope := form.Get("scope"); scope != "" && scope != string(team.ScopeAppsExecute) {
		return problem.Invalid("scope", "it can only be %s", team.ScopeAppsExecute)
	}
	issued, err := s.Trusts.Exchange(r.Context(), federation.Request{
		Token: redact.NewValue(form.Get("subject_token")), App: form.Get("audience"), Team: form.Get("team"), RunID: form.Get("run_id"),
	}, s.Authenticator.Origin(r))
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusOK, api.TokenResponse{
		AccessToken: api.NewPlaintext(issued.Credential), IssuedTokenType: api.TokenTypeAccess, TokenType: "Bearer",
		ExpiresIn: int(federation.Lifetime / time.Second), Scope: string(team.ScopeAppsExecute),
	})
}

// oauthError is what RFC 6749, section 5.2, and RFC 8693, section 2.2.2, call a
// problem of the exchange.
func oauthError(p *problem.Error) string {
	for _, f := range p.Fields {
		switch f.Name {
		case "grant_type":
			return "unsupported_grant_type"
		case "scope":
			return "invalid_scope"
		case "audience", "resource", "team":
			return "invalid_target"
		}
	}
	switch p.Code {
	case problem.RateLimited, problem.Unavailable:
		return "temporarily_unavailable"
	case problem.Internal:
		return "server_error"
	}
	return "invalid_request"
}
