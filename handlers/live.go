package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"infsh/auth"
	"infsh/feed"
	"infsh/problem"
)

// sessionCheck is how often an open page's stream asks whether its session goes
// on, so that it ends within a few seconds after that.
const sessionCheck = 4 * time.Second

// maxLiveSeconds is how long one of them lasts; the page then opens another.
const maxLiveSeconds = 60 * 60

// streamOf is the address by which a page of the team's waits for changes that
// came after the number.
func streamOf(teamID, since string, number int64) string {
	return "/settings/live?" + url.Values{"team": {teamID}, since: {strconv.FormatInt(number, 10)}}.Encode()
}

// live tells an open page that something of its team has changed, as a stream
// of server-sent events: "ready", and "changed" with the number of the change.
// That is all that an event says: the page asks for itself anew, by the address
// that it has, and with what its person may see then.
//
// With entries, it tells of new entries in the activity instead, which those of
// runs are among, and only who may read them.
//
// The stream ends with the session, with the membership, with the server, or
// after an hour. A page of another team than the session is in gets 204, by
// which a browser does not ask again.
func (s *server) live(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	q := r.URL.Query()
	lifetime, err := watchLifetime(q.Get("seconds"))
	if err != nil {
		return err
	}
	if q.Get("team") != session.Actor.TeamID() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	changes, since := s.Feed, "since"
	if q.Has("entries") {
		changes, since = s.Entries, "entries"
		if _, err := s.Audit.Latest(r.Context(), session.Actor); err != nil {
			return err
		}
	}
	seen, err := strconv.ParseInt(q.Get(since), 10, 64)
	if err != nil {
		return problem.Invalid(since, "it must be a number")
	}
	leave, err := s.enterStream(r, session.ID)
	if err != nil {
		return err
	}
	defer leave()
	sub := changes.Subscribe(session.Actor.TeamID())
	defer sub.Close()
	stream := newEventStream(w)
	if stream.send("ready", strconv.FormatInt(seen, 10)) != nil || lifetime == 0 {
		return nil
	}
	return s.tell(r, session, stream, sub, seen, min(lifetime, maxLiveSeconds*time.Second))
}

func (s *server) tell(r *http.Request, session auth.Session, stream *eventStream, sub *feed.Subscription, seen int64, lifetime time.Duration) error {
	end := time.NewTimer(lifetime)
	defer end.Stop()
	check := time.NewTicker(sessionCheck)
	defer check.Stop()
	beats := time.Now()
	for {
		if number, ok := sub.Number(); ok && number > seen {
			seen = number
			if stream.send("changed", strconv.FormatInt(seen, 10)) != nil {
				return nil // The browser is gone.
			}
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-end.C:
			return nil
		case _, ok := <-sub.Changed():
			if !ok {
				return nil // The server stops.
			}
		case <-check.C:
			// A database that does not answer ends nothing: no event tells anything.
			if endsWatch(s.Authenticator.Still(r, session)) {
				return nil
			}
			if time.Since(beats) >= heartbeat {
				beats = time.Now()
				if stream.beat() != nil {
					return nil
				}
			}
		}
	}
}
