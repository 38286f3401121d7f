package handlers

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"infsh/auth"
	"infsh/problem"
	"infsh/team"
)

// once answers a creating call that has an Idempotency-Key: the handler runs
// within a transaction together with the record of its answer, or not at all
// if there is one. A run without a stored key has no right to any such call, and
// no row that the record could belong to.
func (s *server) once(rt route, w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if actor.Kind() == team.Runner {
		return problem.New(problem.ScopeRequired, "Permission denied: what a platform's token was exchanged for runs an app, and makes nothing.")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	answer, repeated, err := s.Calls.Once(r, actor, body, func(ctx context.Context) (auth.Answer, error) {
		again := r.WithContext(ctx)
		again.Body = io.NopCloser(bytes.NewReader(body))
		kept := &keptAnswer{header: http.Header{}, status: http.StatusOK}
		if err := rt.api(kept, again, actor); err != nil {
			return auth.Answer{}, err
		}
		return auth.Answer{Status: kept.status, Body: kept.body.Bytes()}, nil
	})
	if err != nil {
		return err
	}
	if repeated {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return writeBody(w, answer.Status, answer.Body)
}

// keptAnswer takes what a handler writes until that is committed.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header         { return k.header }
func (k *keptAnswer) WriteHeader(status int)      { k.status = status }
func (k *keptAnswer) Write(b []byte) (int, error) { return k.body.Write(b) }
