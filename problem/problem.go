// Package problem is the vocabulary in which the domain says what went wrong.
// It knows neither HTTP nor SQL: handlers map a Code to a status for HTML and
// JSON alike, and the details are sentences made for the person who caused the
// error. A detail never holds a secret value, a query or a stack.
package problem

import (
	"errors"
	"fmt"
	"time"
)

// Code names a class of error. Codes stand in answers as the title of a
// problem document (RFC 9457), so they are stable.
type Code string

const (
	BadRequest       Code = "bad_request"
	InvalidField     Code = "invalid_field"
	NotSignedIn      Code = "not_signed_in"
	PermissionDenied Code = "permission_denied"
	TeamRoleRequired Code = "team_role_required"
	ScopeRequired    Code = "scope_required"
	WrongTeam        Code = "wrong_team"
	CrossOrigin      Code = "cross_origin"
	// ConfirmationNeeded asks a person who is signed in to prove again who they are.
	ConfirmationNeeded Code = "confirmation_needed"
	// SecondFactorNeeded says that a password was right and something else is asked for.
	SecondFactorNeeded Code = "second_factor_needed"
	NotFound           Code = "not_found"
	SecretNotFound     Code = "secret_not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	Conflict           Code = "conflict"
	// KeyReused is an Idempotency-Key that came with another request before.
	KeyReused          Code = "idempotency_key_reused"
	RequirementsNotMet Code = "requirements_not_met"
	PreconditionFailed Code = "precondition_failed"
	TooLarge           Code = "too_large"
	HeaderTooLarge     Code = "header_too_large"
	NotImplemented     Code = "not_implemented"
	UnsupportedMedia   Code = "unsupported_media_type"
	RateLimited        Code = "rate_limited"
	Unavailable        Code = "unavailable"
	Internal           Code = "internal"

	// The codes that a waiting device gets, after RFC 8628, section 3.5.
	AuthorizationPending Code = "authorization_pending"
	SlowDown             Code = "slow_down"
	AccessDenied         Code = "access_denied"
	ExpiredToken         Code = "expired_token"
)

// Error makes a Code usable with errors.Is.
func (c Code) Error() string { return string(c) }

// Field is an error at one field of a form or body; Name is the field's name
// as the client sent it.
type Field struct {
	Name    string
	Message string
}

// Error is an error for a person.
type Error struct {
	Code Code
	// Detail is one or two sentences: what is wrong, and what to do next.
	Detail string
	Fields []Field
	// RetryAfter is how long to wait, with RateLimited and Unavailable.
	RetryAfter time.Duration
	// Cause is logged and never shown.
	Cause error
}

func (e *Error) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	if len(e.Fields) > 0 {
		return e.Fields[0].Name + ": " + e.Fields[0].Message
	}
	return string(e.Code)
}

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of the given class.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Invalid makes an InvalidField error at one field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: InvalidField, Fields: []Field{{Name: field, Message: fmt.Sprintf(format, args...)}}}
}

// CodeOf returns the class of err, and Internal for an error that is not of
// this package.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
