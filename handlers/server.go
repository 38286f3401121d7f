// Package handlers speaks HTTP: the pages, the JSON API and the runners'
// endpoint. Handlers are thin: they parse a request, call one domain function
// with the actor, and render what it returns. They return their errors, which
// errors.go alone turns into answers.
package handlers

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	pathpkg "path"
	"strings"
	"time"
	"unicode/utf8"

	"infsh/account"
	"infsh/app"
	"infsh/audit"
	"infsh/auth"
	"infsh/federation"
	"infsh/feed"
	"infsh/integration"
	"infsh/issuer"
	"infsh/secret"
	"infsh/webhook"
)

// Services are the domain.
type Services struct {
	Accounts *account.Service
	Sessions *auth.Sessions
	Keys     *auth.Keys
	Calls    *auth.Calls
	Devices  *auth.Devices
	// SignOn signs in by a provider; nil if there is none.
	SignOn  *auth.SignOn
	Secrets *secret.Service
	Apps    *app.Service
	Audit   *audit.Service
	// Integrations are connections to outside services.
	Integrations *integration.Service
	// Issuer says how others verify what this server signs.
	Issuer   *issuer.Service
	Webhooks *webhook.Service
	// Trusts are issuers whose tokens are exchanged for credentials of runners.
	Trusts *federation.Service
	// Feed tells of changes, and Entries of new entries in the audit log.
	Feed, Entries *feed.Feed
	// Authenticator turns requests into actors.
	Authenticator *auth.Authenticator
}

// Config is what the handlers need to know of the configuration.
type Config struct {
	// PublicURL is the address under which people reach the server.
	PublicURL *url.URL
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// InternalApart serves /internal/ and /metrics from Internal alone.
	InternalApart bool
	// Limits are how much one client may ask.
	Limits RateLimits
	// PartMetrics writes the metrics of other parts in Prometheus' text format, for
	// /metrics. Nil has none.
	PartMetrics func(io.Writer)
	// Stream counts a request whose answer goes on for long, until end is called; ok
	// is false if there are too many. nil counts none.
	Stream func(context.Context) (end func(), ok bool)
	// Ready says whether the database and the KEK answer, within its context.
	Ready func(context.Context) error
	Log   *slog.Logger
}

type server struct {
	Services
	config  Config
	log     *slog.Logger
	metrics *metrics
	watches watchers
	now     func() time.Time

	perCredential, perRunner, perAddress *limiter
}

// Handlers are the two faces of the server.
type Handlers struct {
	// Main serves people and the JSON API, and the runners too unless they
	// are kept apart.
	Main http.Handler
	// Internal serves the runners' endpoint, and nothing else.
	Internal http.Handler
}

// New makes the handlers.
func New(config Config, services Services) Handlers {
	s := &server{Services: services, config: config, log: config.Log, metrics: newMetrics(config.PartMetrics), now: time.Now}
	s.perCredential, s.perRunner, s.perAddress = newLimiter(config.Limits.Credential), newLimiter(config.Limits.Resolve), newLimiter(config.Limits.Address)
	return Handlers{
		Main:     s.wrap(s.mux(func(r route) bool { return !r.internal() || !config.InternalApart })),
		Internal: s.wrap(s.mux(func(r route) bool { return r.internal() || r.access == health })),
	}
}

// mux mounts the routes that are wanted. What no route takes is answered in
// the same words and headers as everything else.
func (s *server) mux(want func(route) bool) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		if want(r) && (!r.signOn || s.SignOn != nil) {
			mux.Handle(r.method+" "+r.path, s.mount(r))
		}
	}
	mux.HandleFunc(elsewhere, func(w http.ResponseWriter, r *http.Request) {
		if allowed := allowedMethods(mux, r); allowed != "" {
			w.Header().Set("Allow", allowed)
			s.fail(w, r, methodNotAllowed(allowed))
			return
		}
		s.fail(w, r, notFound())
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No name has a NUL, and a database may refuse to be asked for one. The
		// mux would lead a program to another address, in HTML.
		path := r.URL.EscapedPath()
		if strings.ContainsRune(r.URL.Path, 0) || !utf8.ValidString(r.URL.Path) || isMachine(r) && path != pathpkg.Clean(path) {
			s.fail(w, r, notFound())
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// elsewhere is the pattern of what no route takes.
const elsewhere = "/"

// allowedMethods lists the methods by which the request's path has a route.
func allowedMethods(mux *http.ServeMux, r *http.Request) string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != elsewhere {
			allowed = append(allowed, method)
		}
	}
	return strings.Join(allowed, ", ")
}

// fail answers in the language of the address.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if isMachine(r) {
		s.failJSON(w, r, err)
		return
	}
	s.failPage(w, r, err)
}

func isMachine(r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(r.URL.Path, "/"), "/")
	return first == "api" || first == "internal"
}

func (s *server) secure() bool { return s.config.PublicURL.Scheme == "https" }
