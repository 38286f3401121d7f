package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Classes of errors that a caller tells apart with errors.Is.
var (
	ErrNotFound     = errors.New("not found")
	ErrDenied       = errors.New("permission denied")
	ErrConflict     = errors.New("conflict")
	ErrRequirements = errors.New("requirements not met")
	// ErrUnavailable is a server that can't be reached, or that asks to come
	// back later.
	ErrUnavailable = errors.New("server not available")
)

// Error is an error that the server answered with.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Title is a code that a program may rely on, such as "team_role_required".
	// It is empty where the answer was no problem document.
	Title string
	// Detail is for a person.
	Detail       string
	Errors       []FieldError
	Requirements []RequirementError
	// RetryAfter is how long the server asks to wait, or 0.
	RetryAfter time.Duration
}

// Error gives the server's own words, or failing those the status.
func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case len(e.Errors) > 0:
		messages := make([]string, len(e.Errors))
		for i, field := range e.Errors {
			messages[i] = field.Field + ": " + field.Message
		}
		return strings.Join(messages, "; ")
	case e.Title != "":
		return fmt.Sprintf("the server answered %d %s", e.Status, e.Title)
	}
	return strings.TrimSpace(fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status)))
}

// Is makes errors.Is find the class of the error.
func (e *Error) Is(target error) bool {
	switch e.Status {
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == ErrDenied
	case http.StatusConflict:
		return target == ErrConflict
	case http.StatusPreconditionFailed:
		if e.Title == TitlePreconditionFailed {
			return target == ErrConflict
		}
		return target == ErrRequirements
	case http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return target == ErrUnavailable
	}
	return false
}

// UnreachableError is a server that gave no answer.
type UnreachableError struct {
	// URL is the server's, as it was configured.
	URL string
	Err error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no answer from %s: %v", e.URL, e.Err)
}

// Unwrap returns what the network said.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Is makes an unreachable server an unavailable one.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnavailable }

// ProtocolError is an answer that is not this API's: another kind of server,
// something between, or a server of another age.
type ProtocolError struct {
	URL    string
	Reason string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("unexpected answer from %s: %s", e.URL, e.Reason)
}
