package handlers

import (
	"context"
	"net/http"
	"time"

	"infsh/problem"
	"infsh/static"
)

// readyTimeout bounds how long the database may take to be called ready, so
// that the answer is there within two seconds.
const readyTimeout = 1500 * time.Millisecond

// healthz says that the process is up.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says that the database and the KEK answer, and that the database can
// be written.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.config.Ready(ctx); err != nil {
		s.log.ErrorContext(r.Context(), "not ready", "error", err)
		return writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": string(problem.Unavailable)})
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *server) static(w http.ResponseWriter, r *http.Request) error {
	static.Handler().ServeHTTP(w, r)
	return nil
}

// home leads to where one goes on.
func (s *server) home(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.Accounts.NeedsSetup(r.Context())
	if err != nil {
		return err
	}
	if needed {
		redirect(w, r, "/setup")
		return nil
	}
	redirect(w, r, settingsHome)
	return nil
}
