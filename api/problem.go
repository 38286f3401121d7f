package api

import (
	"encoding/json"
	"fmt"
)

// ProblemMediaType is the media type of an error's body (RFC 9457, section 3).
const ProblemMediaType = "application/problem+json"

// Titles of problems: codes that a program may rely on.
const (
	TitleBadRequest         = "bad_request"
	TitleInvalidField       = "invalid_field"
	TitleNotSignedIn        = "not_signed_in"
	TitlePermissionDenied   = "permission_denied"
	TitleTeamRoleRequired   = "team_role_required"
	TitleScopeRequired      = "scope_required"
	TitleWrongTeam          = "wrong_team"
	TitleConfirmationNeeded = "confirmation_needed"
	TitleSecondFactorNeeded = "second_factor_needed"
	TitleNotFound           = "not_found"
	TitleSecretNotFound     = "secret_not_found"
	TitleConflict           = "conflict"
	TitleRequirementsNotMet = "requirements_not_met"
	TitlePreconditionFailed = "precondition_failed"
	TitleKeyReused          = "idempotency_key_reused"
	TitleMethodNotAllowed   = "method_not_allowed"
	TitleCrossOrigin        = "cross_origin"
	TitleTooLarge           = "too_large"
	TitleHeaderTooLarge     = "header_too_large"
	TitleNotImplemented     = "not_implemented"
	TitleUnsupportedMedia   = "unsupported_media_type"
	TitleRateLimited        = "rate_limited"
	TitleUnavailable        = "unavailable"
	TitleInternal           = "internal"

	// The answers of a pending device login (RFC 8628, section 3.5).
	TitleAuthorizationPending = "authorization_pending"
	TitleSlowDown             = "slow_down"
	TitleAccessDenied         = "access_denied"
	TitleExpiredToken         = "expired_token"
)

// Problem is the body of an error (RFC 9457). Its member "errors" holds either
// Fields or Requirements, by the problem's title.
type Problem struct {
	Type         string
	Title        string
	Status       int
	Detail       string
	Instance     string
	Fields       []FieldError
	Requirements []RequirementError
	// Error is the code of RFC 6749, section 5.2, where a token is exchanged.
	Error string
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

type problemJSON struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Instance string          `json:"instance,omitempty"`
	Errors   json.RawMessage `json:"errors,omitempty"`
	// What clients of OAuth look for.
	Error            string `json:"error,omitempty"`
	ErrorDescription string `json:"error_description,omitempty"`
}

// MarshalJSON writes Requirements as "errors" if there are any, else Fields.
// An empty Type is written as "about:blank", as RFC 9457 section 4.2.1 has it.
func (p Problem) MarshalJSON() ([]byte, error) {
	out := problemJSON{Type: p.Type, Title: p.Title, Status: p.Status, Detail: p.Detail, Instance: p.Instance}
	if out.Type == "" {
		out.Type = "about:blank"
	}
	if p.Error != "" {
		out.Error, out.ErrorDescription = p.Error, p.Detail
	}
	var err error
	switch {
	case len(p.Requirements) > 0:
		out.Errors, err = json.Marshal(p.Requirements)
	case len(p.Fields) > 0:
		out.Errors, err = json.Marshal(p.Fields)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a problem: %w", err)
	}
	return json.Marshal(out)
}

// UnmarshalJSON is MarshalJSON's inverse. A member "errors" of another shape
// is left out: the rest still says what happened.
func (p *Problem) UnmarshalJSON(data []byte) error {
	var in problemJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*p = Problem{Type: in.Type, Title: in.Title, Status: in.Status, Detail: in.Detail, Instance: in.Instance, Error: in.Error}
	if len(in.Errors) == 0 {
		return nil
	}
	if in.Title == TitleRequirementsNotMet || in.Status == 412 {
		_ = json.Unmarshal(in.Errors, &p.Requirements)
		return nil
	}
	_ = json.Unmarshal(in.Errors, &p.Fields)
	return nil
}
