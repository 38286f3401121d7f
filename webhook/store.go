package webhook

import (
	"context"
	"time"

	"infsh/audit"
)

// Sealed is a signing secret's row. ExpiresAt is zero for the one in use.
type Sealed struct {
	Version   int64
	Value     []byte
	ExpiresAt time.Time
}

// Reader reads one consistent snapshot. Each method takes the team first, and
// finds nothing outside it.
type Reader interface {
	Webhooks(ctx context.Context, team string) ([]Webhook, error)
	// Webhook returns problem.NotFound if there is none.
	Webhook(ctx context.Context, team, id string) (Webhook, error)
	// Messages returns an endpoint's latest messages, the newest first.
	Messages(ctx context.Context, team, webhookID string, limit int) ([]Message, error)
}

// Tx is a transaction: all or nothing, with its audit entries and the messages
// that follow from them.
type Tx interface {
	Reader
	audit.Log
	// LockTeam waits for other writers of the same team, a rotation of its DEK
	// among them, and returns its wrapped keyset.
	LockTeam(ctx context.Context, team string) (wrappedDEK []byte, err error)
	Insert(ctx context.Context, w Webhook) error
	// Save stores everything but the id, team, maker and creation time.
	Save(ctx context.Context, w Webhook) error
	// Delete removes the endpoint with its secrets and messages.
	Delete(ctx context.Context, team, id string) error
	// Secrets returns the signing secrets, the newest first.
	Secrets(ctx context.Context, team, webhookID string) ([]Sealed, error)
	AddSecret(ctx context.Context, team, webhookID string, s Sealed) error
	// ExpireSecrets gives all secrets up to a version an end, if they have none,
	// and removes those that ended before now.
	ExpireSecrets(ctx context.Context, team, webhookID string, upTo int64, end, now time.Time) error
	Enqueue(ctx context.Context, m Message) error
}

// Store keeps endpoints. Update runs fn in a transaction and may run it again
// after a serialization failure, so fn has no effect but through its Tx.
type Store interface {
	audit.Log
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Job is a message that this instance has leased, with what it takes to send it.
type Job struct {
	Message
	Webhook    Webhook
	WrappedDEK []byte
	Secrets    []Sealed
	// HoldUntil is until when the endpoint asked to be left alone, or zero.
	HoldUntil time.Time
}

// Room is for how many messages there is room: at once, of those for endpoints
// whose last message failed, and of one team's, where what all instances have
// on its way takes room.
type Room struct{ All, Failing, Team, TeamFailing int }

// Outbox hands out messages, of all teams.
type Outbox interface {
	// Due returns ids of messages that are due and that nobody has leased, one
	// of each endpoint at most and as many as there is room for, so that neither
	// an endpoint that hangs nor a team of many holds up others.
	Due(ctx context.Context, now time.Time, room Room) ([]string, error)
	// Lease counts an attempt and takes the message until a time; ok is false if
	// another instance was first, or the endpoint is gone or switched off.
	Lease(ctx context.Context, id string, now, until time.Time) (job Job, ok bool, err error)
	// Finish stores what became of the attempt, and of the endpoint: enabled,
	// its reason and since when it fails. An entry with an action is appended.
	// While a job's message is held, no message of its endpoint is due.
	Finish(ctx context.Context, job Job, entry audit.Entry) error
	// Forget removes messages that were delivered or given up before a time,
	// and those older than that whose endpoint is switched off.
	Forget(ctx context.Context, before time.Time) error
}
