package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"infsh/account"
	"infsh/app"
	"infsh/audit"
	"infsh/auth"
	"infsh/cli"
	"infsh/conns"
	"infsh/federation"
	"infsh/feed"
	"infsh/handlers"
	"infsh/integration"
	"infsh/issuer"
	"infsh/runner"
	"infsh/secret"
	"infsh/webhook"
)

// Limits of connections. A slow client holds a connection no longer than
// these; handlers themselves are quick.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 20 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	// The handlers' own limit is narrower, and answers in words.
	maxHeaderBytes = 48 << 10
	// maxConnections bounds the memory that connections take: at some 45 KiB
	// each while their headers come slowly, that is 45 MiB, and as much again
	// until it is collected.
	maxConnections = 1024
	minConnections = 16
	// maxStreams bounds the streams by which runners and open pages wait for
	// changes, beside those.
	maxStreams = 4096
	// shutdownTimeout leaves room within the 10 s that a supervisor is promised.
	shutdownTimeout = 9 * time.Second
	// sweepInterval is how often expired sessions are removed.
	sweepInterval = time.Hour
	// eraseInterval is how often it is looked whether a deletion can't be undone
	// any more, whose ciphertexts then are erased.
	eraseInterval = 5 * time.Second
	// readRunsInterval is how often the log is read for who received what. Pages
	// read by themselves what is newer.
	readRunsInterval = time.Minute
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: web pages, JSON API and the runners' endpoint",
		Long: `Run the server. Its first start makes the data dir with a SQLite database and
a key file, and prints a link with which the first account is made.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings(cmd, serveSettings)
			if err != nil {
				return err
			}
			if _, given := os.LookupEnv("GOGC"); !given {
				// The heap is small, so twice of it costs little memory, and half
				// of the collector's time.
				debug.SetGCPercent(200)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, s, cmd.ErrOrStderr())
		},
	}
	addSettings(cmd, serveSettings)
	return cmd
}

// serve runs until ctx is done, then finishes the accepted requests.
func serve(ctx context.Context, s settings, stderr io.Writer) error {
	private()
	if err := runner.Harden(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: s.logLevel}))
	st, err := openStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if err := st.db.Close(); err != nil {
			log.Error("close the database", "error", err)
		}
	}()

	main, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	publicURL := s.publicURL
	if publicURL == nil {
		publicURL = urlOf(main.Addr())
	}
	limit := conns.New(mostConnections(maxDescriptors()))
	catalogue, err := readCatalogue(s.integrations)
	if err != nil {
		return fmt.Errorf("--integrations: %w", err)
	}
	services := newServices(st, publicURL)
	services.Integrations = integration.NewService(st.db.Integrations(), st.kek, catalogue, publicURL, log)
	services.Issuer = issuer.NewService(st.db.Issuer(), st.kek, publicURL, log)
	services.Trusts = federation.NewService(st.db.Trusts(), publicURL, federation.Guard{AllowPrivate: s.issuersPrivate})
	services.Integrations.WithIssuer(services.Issuer)
	services.Secrets.WithTokens(services.Integrations)
	services.Feed, services.Entries = feed.New(st.db, log), feed.New(st.db.Heads(), log)
	if services.SignOn, err = s.signOn.provide(services.Sessions, services.Accounts, publicURL); err != nil {
		return errors.Join(err, main.Close())
	}
	guard := webhook.Guard{AllowPrivate: s.webhookPrivate}
	services.Webhooks = webhook.NewService(st.db.Webhooks(), st.kek, guard)
	sender := webhook.NewSender(st.db.Outbox(), st.kek, guard, log)
	faces := handlers.New(handlers.Config{
		PublicURL: publicURL, TrustedProxies: s.trustedProxies, Limits: s.limits, PartMetrics: partMetrics(st, limit), Stream: limit.Stream, InternalApart: s.internalListen != "", Ready: st.ready, Log: log,
	}, services)

	servers := []*http.Server{newServer(faces.Main, limit, log)}
	listeners := []net.Listener{limit.Listener(main)}
	if s.internalListen != "" {
		internal, err := net.Listen("tcp", s.internalListen)
		if err != nil {
			return errors.Join(fmt.Errorf("--internal-listen: %w", err), main.Close())
		}
		servers = append(servers, newServer(faces.Internal, limit, log))
		listeners = append(listeners, limit.Listener(internal))
		fmt.Fprintf(stderr, "runners are served on %s\n", urlOf(internal.Addr()))
	}
	if err := printSetupLink(ctx, services.Accounts, publicURL, stderr); err != nil {
		return err
	}
	st.db.OnChange(func() {
		services.Feed.Wake()
		sender.Wake()
	})
	delivering := make(chan struct{})
	go func() {
		sender.Run(ctx)
		close(delivering)
	}()
	go services.Feed.Run(ctx)
	go services.Entries.Run(ctx)
	go sweep(ctx, services.Sessions, log)
	go erase(ctx, services.Secrets, log)
	go readRuns(ctx, services.Secrets, log)
	go services.Issuer.Run(ctx)
	renewing := make(chan struct{})
	go func() {
		services.Integrations.Run(ctx)
		close(renewing)
	}()

	failed := make(chan error, len(servers))
	for i := range servers {
		go func() { failed <- servers[i].Serve(listeners[i]) }()
	}
	fmt.Fprintf(stderr, "listening on %s\n", urlOf(main.Addr()))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = shutDown(servers, log)
	for _, done := range []<-chan struct{}{delivering, renewing} {
		select {
		case <-done:
		case <-stopping.Done(): // What is on its way then is sent again after its lease.
		}
	}
	services.Integrations.Finish(stopping)
	return err
}

// readCatalogue reads the operator's providers, if there are any.
func readCatalogue(path string) (*integration.Catalogue, error) {
	catalogue := integration.BuiltIn()
	if path == "" {
		return catalogue, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return catalogue.With(path, data)
}

// newServices makes the domain over an open store, for the site of the public
// URL; nil for a command of the operator.
func newServices(st *store, site *url.URL) handlers.Services {
	passwords := auth.NewPasswords()
	sessions := auth.NewSessions(st.db.Auth(), passwords, st.kek, site)
	return handlers.Services{
		Accounts:      account.NewService(st.db.Accounts(), st.kek, passwords),
		Sessions:      sessions,
		Keys:          auth.NewKeys(st.db.Auth()),
		Calls:         auth.NewCalls(st.db.Auth()),
		Devices:       auth.NewDevices(st.db.Auth()),
		Secrets:       secret.NewService(st.db.Secrets(), st.kek),
		Apps:          app.NewService(st.db.Apps()),
		Audit:         audit.NewService(st.db),
		Authenticator: auth.NewAuthenticator(st.db.Auth(), sessions, handlers.RequestID),
	}
}

// mostConnections is how many connections may be open, and how many streams
// beside them: fewer than there are descriptors, so that the database always
// finds one.
func mostConnections(descriptors int) (connections, streams int) {
	all := descriptors - min(max(descriptors/4, 32), 256)
	streams = min(maxStreams, max(all/4, all-maxConnections))
	return max(min(maxConnections, all-streams), minConnections), max(streams, 1)
}

func newServer(h http.Handler, limit *conns.Limit, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           limit.Handler(h),
		ConnContext:       limit.ConnContext,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// printSetupLink prints the link of the very first user, while there is none.
func printSetupLink(ctx context.Context, accounts *account.Service, publicURL *url.URL, stderr io.Writer) error {
	code, needed, err := accounts.NewSetupCode(ctx)
	if err != nil || !needed {
		return err
	}
	link := publicURL.JoinPath("setup")
	link.RawQuery = url.Values{"code": {code.Reveal()}}.Encode()
	fmt.Fprintf(stderr, "\nNobody has an account yet. Open this link once to make the first one:\n\n  %s\n\n", link)
	return nil
}

func sweep(ctx context.Context, sessions *auth.Sessions, log *slog.Logger) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := sessions.Sweep(ctx); err != nil {
				log.Error("remove expired sessions", "error", err)
			}
		}
	}
}

// readRuns keeps up with logs that grow by many runs.
func readRuns(ctx context.Context, secrets *secret.Service, log *slog.Logger) {
	tick := time.NewTicker(readRunsInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := secrets.ReadRuns(ctx); err != nil && ctx.Err() == nil {
				log.Error("read the runs of the audit log", "error", err)
			}
		}
	}
}

// erase begins with what was deleted before the server last stopped.
func erase(ctx context.Context, secrets *secret.Service, log *slog.Logger) {
	tick := time.NewTicker(eraseInterval)
	defer tick.Stop()
	for {
		if _, err := secrets.Erase(ctx); err != nil && ctx.Err() == nil {
			log.Error("erase what was deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func shutDown(servers []*http.Server, log *slog.Logger) error {
	log.Info("stopping; accepted requests are finished first")
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, err, s.Close())
		}
	}
	return errors.Join(errs...)
}
