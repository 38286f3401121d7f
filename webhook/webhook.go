// Package webhook tells other services of a team's changes, as the Standard
// Webhooks specification 1.0.0 (standardwebhooks.com) writes it: which events a
// team's endpoints receive, how messages are signed, and how they are delivered
// from the outbox, which a change fills in its own transaction. A message has
// names and numbers, and never a secret's value.
package webhook

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"infsh/problem"
)

const (
	// MaxWebhooks is how many endpoints a team has.
	MaxWebhooks = 20
	// maxURL and maxDescription are in bytes and characters.
	maxURL         = 2048
	maxDescription = 200
	// Overlap is how long a replaced signing secret still signs.
	Overlap = 24 * time.Hour
	// ShownMessages is how many of an endpoint's latest messages are listed.
	ShownMessages = 50
	// keepMessages is how long a message that was delivered or given up is kept.
	keepMessages = 7 * 24 * time.Hour
)

// Webhook is an endpoint of a team.
type Webhook struct {
	ID, TeamID  string
	URL         string
	Description string
	// Events are the types that it receives; empty means all.
	Events  []Type
	Enabled bool
	// DisabledReason says why the server, and no person, switched it off.
	DisabledReason string
	// FailingSince is when the first of the latest deliveries failed; zero
	// after a success.
	FailingSince         time.Time
	CreatedByID          string
	CreatedAt, UpdatedAt time.Time
}

// Host names the endpoint where its whole address must not stand, since there
// may be a token in it.
func (w Webhook) Host() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Wants reports whether the endpoint receives events of that type. The test is
// sent to whoever asks for it.
func (w Webhook) Wants(t Type) bool {
	return t == TypeTest || len(w.Events) == 0 || slices.Contains(w.Events, t)
}

// State is how far the delivery of a message is.
type State string

const (
	Pending   State = "pending"
	Delivered State = "delivered"
	// GivenUp is a message whose last try failed.
	GivenUp State = "failed"
)

// Message is one message to one endpoint. ID is the same at each try.
type Message struct {
	ID, TeamID, WebhookID string
	Type                  Type
	Payload               []byte
	State                 State
	Attempts              int
	CreatedAt             time.Time
	// NextAt is when a pending one is tried again.
	NextAt time.Time
	// LastAt, LastStatus and LastError are of the last try. LastStatus is 0
	// where no answer came.
	LastAt     time.Time
	LastStatus int
	LastError  string
}

// checkURL refuses what can never be called. Which address a name leads to is
// only known when it is called.
func (s *Service) checkURL(raw string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	fail := func(text string) (string, error) { return "", problem.Invalid("url", "%s", text) }
	switch {
	case err != nil || u.Hostname() == "" || len(raw) > maxURL:
		return fail("it must be an address such as https://example.com/hooks, of at most 2048 bytes")
	case u.Scheme != "https" && (u.Scheme != "http" || !s.guard.AllowPrivate):
		return fail("it must begin with https://")
	case u.User != nil:
		return fail("leave user name and password out of it; messages are signed")
	case u.Fragment != "":
		return fail("leave out what follows the #")
	}
	if err := s.guard.checkHost(u.Hostname()); err != nil {
		return fail(err.Error())
	}
	return u.String(), nil
}

func checkDescription(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len([]rune(text)) > maxDescription || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", problem.Invalid("description", "it is plain text of at most %d characters", maxDescription)
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

func checkEvents(names []string) ([]Type, error) {
	var out []Type
	for _, n := range names {
		t := Type(strings.TrimSpace(n))
		if !slices.Contains(Types, t) {
			return nil, problem.Invalid("events", "the events are secret.updated, secret.deleted, grant.pending and apikey.created")
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}
