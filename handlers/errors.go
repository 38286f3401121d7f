package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"infsh/api"
	"infsh/problem"
	"infsh/secret"
	"infsh/views"
)

// statuses maps each class of error to its HTTP status, for HTML and JSON alike.
var statuses = map[problem.Code]int{
	problem.BadRequest:           http.StatusBadRequest,
	problem.InvalidField:         http.StatusBadRequest,
	problem.NotSignedIn:          http.StatusUnauthorized,
	problem.PermissionDenied:     http.StatusForbidden,
	problem.TeamRoleRequired:     http.StatusForbidden,
	problem.ScopeRequired:        http.StatusForbidden,
	problem.WrongTeam:            http.StatusForbidden,
	problem.CrossOrigin:          http.StatusForbidden,
	problem.ConfirmationNeeded:   http.StatusForbidden,
	problem.SecondFactorNeeded:   http.StatusUnauthorized,
	problem.NotFound:             http.StatusNotFound,
	problem.SecretNotFound:       http.StatusNotFound,
	problem.MethodNotAllowed:     http.StatusMethodNotAllowed,
	problem.Conflict:             http.StatusConflict,
	problem.KeyReused:            http.StatusUnprocessableEntity,
	problem.RequirementsNotMet:   http.StatusPreconditionFailed,
	problem.PreconditionFailed:   http.StatusPreconditionFailed,
	problem.TooLarge:             http.StatusRequestEntityTooLarge,
	problem.HeaderTooLarge:       http.StatusRequestHeaderFieldsTooLarge,
	problem.NotImplemented:       http.StatusNotImplemented,
	problem.UnsupportedMedia:     http.StatusUnsupportedMediaType,
	problem.RateLimited:          http.StatusTooManyRequests,
	problem.Unavailable:          http.StatusServiceUnavailable,
	problem.Internal:             http.StatusInternalServerError,
	problem.AuthorizationPending: http.StatusBadRequest,
	problem.SlowDown:             http.StatusBadRequest,
	problem.AccessDenied:         http.StatusBadRequest,
	problem.ExpiredToken:         http.StatusBadRequest,
}

// headlines title an error page.
var headlines = map[int]string{
	http.StatusBadRequest:            "That did not work",
	http.StatusUnauthorized:          "Please sign in",
	http.StatusForbidden:             "Permission denied",
	http.StatusNotFound:              "Not found",
	http.StatusMethodNotAllowed:      "Not possible here",
	http.StatusConflict:              "Not changed",
	http.StatusPreconditionFailed:    "Not changed",
	http.StatusRequestEntityTooLarge: "Too large",
	http.StatusUnsupportedMediaType:  "Unknown kind of content",
	http.StatusNotImplemented:        "Not possible yet",

	http.StatusRequestHeaderFieldsTooLarge: "Too large",
	http.StatusTooManyRequests:             "Too many attempts",
	http.StatusServiceUnavailable:          "Not available just now",
	http.StatusInternalServerError:         "Something went wrong",
}

// describe turns any error into one for a person. What the domain did not make
// for people becomes Internal, without its words.
func describe(err error) *problem.Error {
	var p *problem.Error
	var tooLarge *http.MaxBytesError
	var unmet *secret.Unmet
	switch {
	case errors.As(err, &unmet):
		return &problem.Error{Code: problem.RequirementsNotMet, Detail: unmet.Error()}
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "The request is larger than %d bytes.", tooLarge.Limit)
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &problem.Error{Code: problem.Unavailable, Detail: "The server took too long. Nothing was done; try again.", Cause: err}
	}
	return &problem.Error{Code: problem.Internal, Detail: "Something went wrong on the server. Nothing was shown or handed out; try again, and give the request id to the operator if it stays.", Cause: err}
}

// logFailure logs an error once, at the edge. Expected errors of clients are
// debug noise; the cause is logged, which holds no value because no function
// that has one puts it into an error.
func (s *server) logFailure(r *http.Request, p *problem.Error, status int) {
	s.metrics.refused(p.Code)
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("request_id", requestID(r)), slog.String("route", r.Pattern), slog.Int("status", status), slog.String("code", string(p.Code))}
	if p.Cause != nil {
		attrs = append(attrs, slog.String("cause", p.Cause.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request failed", attrs...)
}

func setRetryAfter(w http.ResponseWriter, p *problem.Error) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
}

// hurry makes the rest of a request's body come soon or not at all: net/http reads
// it before it answers, and the body of somebody unknown may not take as long as
// that of others.
func hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	const soon = 2 * time.Second
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(soon))
}

// failJSON answers with problem+json (RFC 9457).
func (s *server) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	p := describe(err)
	status := statuses[p.Code]
	s.logFailure(r, p, status)
	setRetryAfter(w, p)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="infsh"`)
		hurry(w, r)
	}
	out := api.Problem{Type: "about:blank", Title: string(p.Code), Status: status, Detail: p.Detail, Instance: "urn:request:" + requestID(r)}
	for _, f := range p.Fields {
		out.Fields = append(out.Fields, api.FieldError{Field: f.Name, Message: f.Message})
	}
	if out.Detail == "" {
		out.Detail = fieldSentence(p.Fields)
	}
	var unmet *secret.Unmet
	if errors.As(err, &unmet) {
		out.Requirements = requirementErrors(unmet.Items, unmet.TeamName)
	}
	media := api.ProblemMediaType
	if r.URL.Path == api.TokenPath {
		// Clients of OAuth look for these members, in this type.
		out.Error, media = oauthError(p), "application/json"
	}
	body, merr := json.Marshal(out)
	if merr != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func fieldSentence(fields []problem.Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

// failPage answers with an error page, or over HTMX with a dialog that says
// the same. Someone who is not signed in is sent to the login page as a whole
// page, so that no login form lands inside a fragment.
func (s *server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	p := describe(err)
	status := statuses[p.Code]
	if p.Code == problem.NotSignedIn {
		s.toLogin(w, r)
		return
	}
	s.logFailure(r, p, status)
	setRetryAfter(w, p)
	detail := p.Detail
	if detail == "" {
		detail = fieldSentence(p.Fields)
	}
	model := views.ErrorPageModel{Status: status, Title: headlines[status], Detail: detail, RequestID: requestID(r)}
	if isPartial(r) {
		w.Header().Set("HX-Retarget", "#dialog")
		w.Header().Set("HX-Reswap", "innerHTML")
		s.render(w, r, status, views.ErrorDialog(model))
		return
	}
	s.render(w, r, status, views.ErrorPage(views.Public{Theme: s.themeOf(r)}, model))
}

// fieldErrors returns the fields of an error that a form can show at its
// fields, and false for any other error. Conflicts at a field are among them.
func fieldErrors(err error) (views.FieldErrors, bool) {
	var p *problem.Error
	if !errors.As(err, &p) || len(p.Fields) == 0 || (p.Code != problem.InvalidField && p.Code != problem.Conflict) {
		return nil, false
	}
	out := views.FieldErrors{}
	for _, f := range p.Fields {
		out[f.Name] = sentence(f.Message)
	}
	return out, true
}

// sentence makes an error string, lower case by Go's custom, a sentence. A name or
// an address that it begins with stays as it is.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "_/@=") {
		first, n := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[n:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func methodNotAllowed(allow string) error {
	return problem.New(problem.MethodNotAllowed, "This address answers %s only.", allow)
}

func notFound() error {
	return problem.New(problem.NotFound, "There is nothing at this address.")
}

func badRequest(format string, args ...any) error {
	return problem.New(problem.BadRequest, "%s", fmt.Sprintf(format, args...))
}
