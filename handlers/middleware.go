package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"infsh/api"
	"infsh/auth"
	"infsh/problem"
)

type contextKey int

const requestIDKey contextKey = iota

// requestID is the server's own name for a request. A client can't choose it,
// so it can't forge or break a line of the log.
func requestID(r *http.Request) string { return RequestID(r) }

// RequestID returns the id that New's handlers gave the request.
func RequestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey).(string)
	return id
}

// wrap puts around all routes what each answer needs, errors included.
func (s *server) wrap(next http.Handler) http.Handler {
	return s.behindProxies(s.observe(s.recoverPanics(s.secureHeaders(s.limitHeader(s.limitBody(s.refuseCrossOrigin(next)))))))
}

// observe gives the request its id, and logs one line when it is done: the
// route's pattern and never its path or query, which hold what people typed.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		id := uuid.NewString()
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey, id))
		w.Header().Set("X-Request-Id", id)
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		// Deferred, because an answer that is cut off ends in a panic.
		defer func() {
			s.metrics.observed(r, rec.status, time.Since(start))
			s.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("request_id", id), slog.String("method", knownMethod(r.Method)), slog.String("route", r.Pattern),
				slog.Int("status", rec.status), slog.Duration("took", time.Since(start)), slog.String("remote", auth.RemoteAddr(r)))
		}()
		next.ServeHTTP(rec, r)
	})
}

// knownMethod keeps a client's invention out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

type statusRecorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// recoverPanics logs where a panic happened, and not its message, which may
// have been made of anything.
func (s *server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			s.log.ErrorContext(r.Context(), "panic", "request_id", requestID(r), "route", r.Pattern, "stack", stackWithoutValues(debug.Stack()))
			if rec, ok := unwrapRecorder(w); ok && rec.wrote {
				panic(http.ErrAbortHandler)
			}
			s.fail(w, r, problem.New(problem.Internal, "Something went wrong on the server. Nothing was changed."))
		}()
		next.ServeHTTP(w, r)
	})
}

func unwrapRecorder(w http.ResponseWriter) (*statusRecorder, bool) {
	rec, ok := w.(*statusRecorder)
	return rec, ok
}

// stackWithoutValues keeps the file lines of a stack trace. The lines of the
// calls hold arguments, and the first one may hold the panic's message.
func stackWithoutValues(stack []byte) []string {
	var out []string
	for _, line := range strings.Split(string(stack), "\n") {
		if strings.HasPrefix(line, "\t") {
			file, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			out = append(out, file)
		}
	}
	return out
}

// contentSecurityPolicy allows this server's own files and nothing inline.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

func (s *server) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// With no-referrer a browser would send Origin: null with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if !isMachine(r) {
			// What a page, an error or a redirect looks like depends on these.
			h.Set("Vary", "Cookie, HX-Request, HX-Target, HX-History-Restore-Request, Accept-Encoding, Sec-Fetch-Site")
		}
		if s.secure() {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

// maxHeader is in bytes. The HTTP server's own limit is wider, because it answers
// in plain text.
const maxHeader = 32 << 10

func (s *server) limitHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := len(r.RequestURI)
		for name, values := range r.Header {
			for _, v := range values {
				size += len(name) + len(v) + len(": \r\n")
			}
		}
		if size > maxHeader {
			w.Header().Set("Connection", "close")
			s.fail(w, r, problem.New(problem.HeaderTooLarge, "The address and headers of the request are larger than %d bytes.", maxHeader))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r.URL.Path))
		next.ServeHTTP(w, r)
	})
}

// bodyLimit is small for what anybody may send: a body is read whole, and who
// sends many at once must not fill the memory with them.
func bodyLimit(path string) int64 {
	switch path {
	case "/login", "/login/verify", "/login/options", "/login/passkey", "/login/sso", "/setup", "/invite", "/api/device/code", "/api/device/token", api.TokenPath:
		return maxPublicBody
	case "/api/secrets/import", "/settings/import", "/settings/environments/edit":
		return maxImportBody
	}
	return maxBody
}

// refuseCrossOrigin refuses what another site makes a browser send. It looks at
// Sec-Fetch-Site and Origin; a request with a session's cookie and neither of
// them must show the session's token, which the session wrapper asks for.
//
// The library compares an Origin's host alone. Behind https, a page of the same
// host over http is another site too: whoever is on the way can write it.
func (s *server) refuseCrossOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	// Behind a proxy that changes Host, the public URL is the origin of our
	// own pages.
	if err := protection.AddTrustedOrigin(s.config.PublicURL.Scheme + "://" + s.config.PublicURL.Host); err != nil {
		s.log.Error("the public URL is not an origin", "error", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := s.secure() && r.Header.Get("Origin") != "" && !strings.HasPrefix(r.Header.Get("Origin"), "https:")
		if err := protection.Check(r); err != nil || plain && !isSafe(r.Method) {
			s.fail(w, r, problem.New(problem.CrossOrigin, "This request came from another site, so it was refused. Open the page here and try again."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// saysWhereFrom reports whether the browser told the origin of the request,
// which refuseCrossOrigin then has checked.
func saysWhereFrom(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
