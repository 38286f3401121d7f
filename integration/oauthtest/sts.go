package oauthtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// What the security token service knows of itself.
const (
	ProjectNumber = "123456789012"
	Pool          = "infsh-pool"
	PoolProvider  = "infsh"
	// Account is the service account that it lets others act as.
	Account = "apps@my-project.iam.gserviceaccount.com"
)

// audience is the provider of the pool, as tokens and requests must name it.
const audience = "//iam.test/projects/" + ProjectNumber + "/locations/global/workloadIdentityPools/" + Pool + "/providers/" + PoolProvider

// sts is a security token service: it trusts one issuer, for one subject.
type sts struct {
	issuer, subject string
	keys            *oidc.Provider
	// once are the ids of tokens that it has seen.
	once     map[string]bool
	subjects []string
	denied   bool // the service account lets nobody act as it
}

// Trust makes the security token service trust an issuer for a subject alone; the
// issuer's keys are read from it, and kept. Empty trusts none.
func (s *Server) Trust(issuer, subject string) {
	s.set(func() {
		s.sts = sts{issuer: issuer, subject: subject, once: map[string]bool{}, subjects: s.sts.subjects}
	})
}

// DenyAccount lets nobody act as the service account any more.
func (s *Server) DenyAccount(denied bool) { s.set(func() { s.sts.denied = denied }) }

// SubjectTokens are all that were sent to it, which nobody else may see.
func (s *Server) SubjectTokens() (out []string) {
	s.set(func() { out = slices.Clone(s.sts.subjects) })
	return out
}

func (s *Server) exchangeSubject(w http.ResponseWriter, r *http.Request) {
	var gate chan struct{}
	s.set(func() { gate = s.gate })
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
		refuseSubject(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	f := r.PostForm
	token := f.Get("subject_token")
	s.sts.subjects = append(s.sts.subjects, token)
	if s.status != 0 {
		s.log = append(s.log, "failed")
		http.Error(w, "out of order "+token, s.status)
		return
	}
	switch {
	case f.Get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange", f.Get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token",
		f.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt", f.Get("scope") == "":
		refuseSubject(w, http.StatusBadRequest, "invalid_request", token)
		return
	case f.Get("audience") != audience:
		refuseSubject(w, http.StatusBadRequest, "invalid_target", token)
		return
	}
	claims, err := s.verified(token)
	switch {
	case err != nil:
		refuseSubject(w, http.StatusBadRequest, "invalid_grant", err.Error()+token)
	case claims.Subject != s.sts.subject:
		refuseSubject(w, http.StatusBadRequest, "unauthorized_client", token)
	default:
		s.log = append(s.log, "federated")
		access := s.random("federated")
		s.access[access] = grant{f.Get("scope"), claims.Subject}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": access, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": s.lifetime,
		})
	}
}

// verified is as strict as a cloud is, and refuses a token that comes twice.
func (s *Server) verified(token string) (*oidc.IDToken, error) {
	if s.sts.issuer == "" {
		return nil, fmt.Errorf("no issuer is trusted")
	}
	if s.sts.keys == nil {
		keys, err := oidc.NewProvider(context.Background(), s.sts.issuer)
		if err != nil {
			return nil, err
		}
		s.sts.keys = keys
	}
	verified, err := s.sts.keys.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256}}).Verify(context.Background(), token)
	if err != nil {
		return nil, err
	}
	var more struct {
		ID        string `json:"jti"`
		NotBefore int64  `json:"nbf"`
	}
	if err := verified.Claims(&more); err != nil {
		return nil, err
	}
	switch now := time.Now(); {
	case more.ID == "" || s.sts.once[more.ID]:
		return nil, fmt.Errorf("it has no id, or comes a second time")
	case verified.IssuedAt.After(now), more.NotBefore == 0 || time.Unix(more.NotBefore, 0).After(now), verified.Expiry.Sub(verified.IssuedAt) > 10*time.Minute:
		return nil, fmt.Errorf("it is not of now, or lasts for long")
	}
	s.sts.once[more.ID] = true
	return verified, nil
}

func refuseSubject(w http.ResponseWriter, status int, code, quoted string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "refused: " + quoted})
}

// actAs gives a token of the service account.
func (s *Server) actAs(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, asks := strings.CutSuffix(r.PathValue("account"), ":generateAccessToken")
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	var body struct {
		Scope    []string `json:"scope"`
		Lifetime string   `json:"lifetime"`
	}
	_, known := s.access[token]
	switch {
	case !asks || account != Account:
		http.Error(w, `{"error":{"code":404,"message":"`+url.PathEscape(account)+token+`"}}`, http.StatusNotFound)
	case !known || !strings.HasPrefix(token, "federated-") || s.sts.denied:
		http.Error(w, `{"error":{"code":403,"message":"denied to `+token+`"}}`, http.StatusForbidden)
	case json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Scope) == 0 || body.Lifetime != "3600s":
		http.Error(w, `{"error":{"code":400}}`, http.StatusBadRequest)
	default:
		s.log = append(s.log, "impersonated")
		access := s.random("account")
		s.access[access] = grant{strings.Join(body.Scope, " "), account}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"accessToken": access, "expireTime": time.Now().Add(time.Duration(s.lifetime) * time.Second).UTC().Format(time.RFC3339)})
	}
}

// federationKind is the part of the catalogue for it.
func (s *Server) federationKind() string {
	return fmt.Sprintf(`    - type: workload_identity
      name: Test federation
      steps: [Trust this server there.]
      named: true
      token: %[1]s/sts
      audience: //iam.test/projects/{project_number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}
      impersonate: %[1]s/accounts/{service_account}:generateAccessToken
      scopes: [cloud]
      fields:
        - {key: project_number, label: Project number, pattern: "[0-9]{6,20}"}
        - {key: pool, label: Pool, default: infsh-pool, pattern: "[a-z0-9-]{4,32}"}
        - {key: provider, label: Provider, default: infsh, pattern: "[a-z0-9-]{4,32}"}
        - {key: service_account, label: Service account, pattern: "[a-z0-9@.-]+", optional: true}
      setup:
        - {label: Make a provider, text: "cloud trust {pool}/{provider} --issuer={issuer} --subject={subject} --audience={audience}"}
        - {label: Let it act, text: "cloud bind {service_account} {subject}"}
      upload: cloud upload {pool}/{provider} jwks.json
      refusals:
        invalid_target: Compare the names.
        unauthorized_client: The condition is to be {subject}.
        invalid_grant: The issuer is to be {issuer}.
        impersonate_403: Let it act as the account.
      env: {GCP_ACCESS_TOKEN: access_token, GCP_PROJECT_NUMBER: "field:project_number"}
`, s.URL)
}
