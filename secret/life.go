package secret

import (
	"context"
	"fmt"
	"strings"
	"time"

	"infsh/audit"
	"infsh/listing"
	"infsh/problem"
	"infsh/team"
)

// MaxRotateEvery is the longest interval of a reminder, in days.
const MaxRotateEvery = 3650

const (
	// overdueAfter is how long a rotation may be due before it is overdue.
	overdueAfter = 7 * day
	// ExpiresSoon is how long before its end a value is said to expire soon.
	ExpiresSoon = 14 * day
	day         = 24 * time.Hour
)

// Need says what a secret asks of people. It never stops a run: a value that was
// to be replaced yesterday is still the one that the apps have.
type Need string

const (
	RotationDue     Need = "due"
	RotationOverdue Need = "overdue"
	ExpirySoon      Need = "soon"
	Expired         Need = "expired"
	// NoNeed is that of a secret without a reminder, or before its day.
	NoNeed Need = ""
)

// Life is what is known of the age of a value, and when it is to end.
type Life struct {
	// RotateEvery is after how many days the value is to be replaced, 0 for no
	// reminder.
	RotateEvery int
	// ValueAt is when the value in use was first stored, and ExpiresAt when it
	// ends at its provider. They are zero while no version is in use, and
	// ExpiresAt where the end is not known.
	ValueAt, ExpiresAt time.Time
}

// RotateAt is when the value is to be replaced; the zero time if never.
func (l Life) RotateAt() time.Time {
	if l.RotateEvery == 0 || l.ValueAt.IsZero() {
		return time.Time{}
	}
	return l.ValueAt.Add(time.Duration(l.RotateEvery) * day)
}

// AttentionAt is from when on the secret asks for something; the zero time if
// never. The database computes the same (db/secrets.go), to find those that do.
func (l Life) AttentionAt() time.Time {
	at := l.RotateAt()
	if l.ExpiresAt.IsZero() {
		return at
	}
	if soon := l.ExpiresAt.Add(-ExpiresSoon); at.IsZero() || soon.Before(at) {
		return soon
	}
	return at
}

// Rotation is RotationDue, RotationOverdue or NoNeed.
func (l Life) Rotation(now time.Time) Need {
	switch at := l.RotateAt(); {
	case at.IsZero() || now.Before(at):
		return NoNeed
	case now.Before(at.Add(overdueAfter)):
		return RotationDue
	}
	return RotationOverdue
}

// Expiry is ExpirySoon, Expired or NoNeed.
func (l Life) Expiry(now time.Time) Need {
	switch {
	case l.ExpiresAt.IsZero() || now.Before(l.ExpiresAt.Add(-ExpiresSoon)):
		return NoNeed
	case now.Before(l.ExpiresAt):
		return ExpirySoon
	}
	return Expired
}

// checkReminder applies the rules on reminders and ends.
func checkReminder(w Write, fail func(name, message string)) {
	if n := w.RotateEvery; n != nil && (*n < 0 || *n > MaxRotateEvery) {
		fail("rotate_every_days", fmt.Sprintf("a reminder comes after 1 to %d days; 0 is none", MaxRotateEvery))
	}
	if at := w.ExpiresAt; at != nil && !at.IsZero() && (at.Year() < 2000 || at.Year() > 9999) {
		fail("expires_at", "the end of a value is a date from the year 2000 on")
	}
}

// ParseEnd reads the day on which a value ends, which it does as that day begins
// in UTC, or a moment. Empty is no end.
func ParseEnd(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, problem.Invalid("expires_at", "an end is a date such as 2027-01-31, or a time in RFC 3339")
}

// reminder is what a write changes of a secret's reminder and the end of one of
// its values.
type reminder struct {
	every, end bool
	number     int64
	expiresAt  time.Time
}

// remind stores in r, and in the database, what a write changes of its reminder
// and of the end of a value: that of the new version, or of the one that the
// write is about.
func (s *Service) remind(ctx context.Context, tx Tx, actor team.Actor, r *Record, p planned, added Sealed) (changed bool, err error) {
	c := reminder{number: r.shown()}
	if c.every = p.rotateEvery != nil && *p.rotateEvery != r.RotateEvery; c.every {
		r.RotateEvery = *p.rotateEvery
	}
	before := r.ExpiresAt
	switch {
	case added.Number > 0:
		c.number, c.expiresAt, before = added.Number, added.ExpiresAt, time.Time{}
	case p.expiresAt == nil:
		c.expiresAt = before
	default:
		c.expiresAt = *p.expiresAt
		if p.about > 0 && p.about != c.number {
			other, err := tx.Sealed(ctx, r.TeamID, r.ID, p.about)
			if err != nil {
				return false, err
			}
			c.number, before = other.Number, other.ExpiresAt
		}
	}
	if c.end = !c.expiresAt.Equal(before); !c.every && !c.end {
		return false, nil
	}
	if c.number == r.shown() {
		r.ExpiresAt = c.expiresAt
	}
	if err := tx.SetReminder(ctx, *r, c.number, c.expiresAt); err != nil {
		return false, err
	}
	entry := audit.By(actor, team.RemindSecret, string(r.Key), audit.Allowed)
	entry.Reason = c.words(r.RotateEvery)
	entry.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: c.number}}
	return true, tx.AppendAudit(ctx, entry)
}

// words stand in the audit log.
func (c reminder) words(rotateEvery int) string {
	var words []string
	switch {
	case c.every && rotateEvery > 0:
		words = append(words, fmt.Sprintf("rotate every %d days", rotateEvery))
	case c.every:
		words = append(words, "no reminder to rotate")
	}
	switch {
	case c.end && c.expiresAt.IsZero():
		words = append(words, "no end is known")
	case c.end:
		words = append(words, "ends "+c.expiresAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return strings.Join(words, ", ")
}

// NeedsAttention are the filters of a list that keep what asks for something.
func NeedsAttention(now time.Time) []listing.FilterRequest {
	return []listing.FilterRequest{
		{Field: "attention_at", Operator: string(listing.IsNotEmpty)},
		{Field: "attention_at", Operator: string(listing.LessEqual), Value: now.UTC().Format(time.RFC3339)},
	}
}

// CountDue counts the team's secrets that ask for something.
func (s *Service) CountDue(ctx context.Context, actor team.Actor, now time.Time) (n int, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return 0, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		n, err = r.CountDue(ctx, actor.TeamID(), now)
		return err
	})
	return n, err
}
