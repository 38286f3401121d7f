package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// Limits of the streams by which runners wait for changes.
const (
	// maxWatches is how many streams one credential, or one trust, has on this instance.
	maxWatches = 64
	// heartbeat is how often a stream that has nothing to say says that. Common
	// proxies end a silent one after 30 s or more.
	heartbeat = 15 * time.Second
	// watchWriteTimeout is how long one event may take to leave.
	watchWriteTimeout = 10 * time.Second
	// maxWatchSeconds bounds what a client may ask for.
	maxWatchSeconds = 24 * 60 * 60
)

// watchers counts the open streams by credential or trust.
type watchers struct {
	mu   sync.Mutex
	each map[string]int
}

func (w *watchers) enter(credential string) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.each[credential] >= maxWatches {
		return nil, &problem.Error{
			Code: problem.RateLimited, RetryAfter: heartbeat,
			Detail: fmt.Sprintf("This credential, or the trust that gave it, has %d open watches, and more are not allowed. End some of them, or use another key or trust.", maxWatches),
		}
	}
	if w.each == nil {
		w.each = map[string]int{}
	}
	w.each[credential]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.each[credential]--; w.each[credential] == 0 {
			delete(w.each, credential)
		}
	}, nil
}

// enterStream counts a stream of a credential or trust (see limited), which has
// been authenticated.
func (s *server) enterStream(r *http.Request, whose string) (leave func(), err error) {
	one, err := s.watches.enter(whose)
	if err != nil || s.config.Stream == nil {
		return one, err
	}
	end, ok := s.config.Stream(r.Context())
	if !ok {
		one()
		return nil, &problem.Error{
			Code: problem.Unavailable, RetryAfter: heartbeat,
			Detail: "This server has as many open watches as it takes. Try again later; another instance may have room.",
		}
	}
	return func() {
		end()
		one()
	}, nil
}

// watch tells a runner that what its app receives has changed, as a stream of
// server-sent events: "ready" with the present state, and "changed" with each
// other one. An event's id names the state. Who comes back with a Last-Event-ID
// of another state is told of the change at once. No event holds a value or a
// key: the runner resolves again.
//
// The stream ends with the credential's right to it, with the server, or after
// the seconds that the client asks for.
func (s *server) watch(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q := r.URL.Query()
	run := secret.Run{App: q.Get("app"), Version: q.Get("version")}
	lifetime, err := watchLifetime(q.Get("seconds"))
	if err != nil {
		return err
	}
	leave, err := s.enterStream(r, limited(actor))
	if err != nil {
		return err
	}
	defer leave()
	// Before the state is read, so that no change is missed in between.
	sub := s.Feed.Subscribe(actor.TeamID())
	defer sub.Close()
	state, err := s.Secrets.RunState(r.Context(), actor, run)
	if err != nil {
		return err
	}

	stream := newEventStream(w)
	event := "ready"
	if last := r.Header.Get("Last-Event-ID"); last != "" && last != state {
		event = "changed"
	}
	if stream.send(event, state) != nil || lifetime == 0 {
		return nil
	}
	end := time.NewTimer(lifetime)
	defer end.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		beats := false
		select {
		case <-r.Context().Done():
			return nil
		case <-end.C:
			return nil
		case _, ok := <-sub.Changed():
			if !ok {
				return nil // The server stops.
			}
		case <-beat.C:
			// It also looks for what the feed can't know: a key that has
			// expired, and changes by an instance of an earlier release.
			beats = true
		}
		now, err := s.watched(r, actor, run)
		switch {
		case endsWatch(err):
			return nil
		case err == nil && now != state:
			state = now
			err = stream.send("changed", state)
		case beats:
			err = stream.beat()
		default:
			err = nil // The database does not answer; the next notice tries again.
		}
		if err != nil {
			return nil // The client is gone.
		}
	}
}

// watched asks again whether the credential is good, and for the state. An app
// that was deleted has a state too: the runner's next request tells why.
func (s *server) watched(r *http.Request, was team.Actor, run secret.Run) (string, error) {
	actor, err := s.Authenticator.Bearer(r)
	if err != nil {
		return "", err
	}
	if actor.TeamID() != was.TeamID() {
		return "", problem.New(problem.WrongTeam, "The credential is of another team now.")
	}
	state, err := s.Secrets.RunState(r.Context(), actor, run)
	if errors.Is(err, problem.NotFound) {
		return "none", nil
	}
	return state, err
}

// endsWatch reports whether the credential may not watch any more.
func endsWatch(err error) bool {
	for _, code := range []problem.Code{problem.NotSignedIn, problem.WrongTeam, problem.PermissionDenied, problem.ScopeRequired, problem.TeamRoleRequired} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

func watchLifetime(seconds string) (time.Duration, error) {
	if seconds == "" {
		return maxWatchSeconds * time.Second, nil
	}
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 0 || n > maxWatchSeconds {
		return 0, problem.Invalid("seconds", "it must be a number from 0 to %d", maxWatchSeconds)
	}
	return time.Duration(n) * time.Second, nil
}

// eventStream writes server-sent events (HTML Standard, section 9.2).
type eventStream struct {
	w    http.ResponseWriter
	conn *http.ResponseController
}

func newEventStream(w http.ResponseWriter) *eventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	// nginx would collect the events otherwise.
	h.Set("X-Accel-Buffering", "no")
	s := &eventStream{w: w, conn: http.NewResponseController(w)}
	// The server's read timeout would end the request's context, and there is
	// nothing more to read. It can't be set where there is no connection, and
	// there no timeout is either.
	_ = s.conn.SetReadDeadline(time.Time{})
	return s
}

func (s *eventStream) send(event, id string) error {
	return s.write(fmt.Sprintf("event: %s\nid: %s\ndata: {}\n\n", event, id))
}

// beat is a comment, which clients skip.
func (s *eventStream) beat() error { return s.write(":\n\n") }

func (s *eventStream) write(text string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(watchWriteTimeout))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.conn.Flush()
}
