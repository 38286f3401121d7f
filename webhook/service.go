package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

var errDamagedSecret = errors.New("the signing secret does not open, or is not one")

// Service is the way to a team's endpoints.
type Service struct {
	store Store
	kek   *envelope.KEK
	guard Guard
	now   func() time.Time
}

// NewService makes a Service whose signing secrets are sealed under the teams'
// DEKs, which kek wraps.
func NewService(store Store, kek *envelope.KEK, guard Guard) *Service {
	return &Service{store: store, kek: kek, guard: guard, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// List returns the team's endpoints, the oldest first.
func (s *Service) List(ctx context.Context, actor team.Actor) (out []Webhook, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListWebhooks, ""); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		out, err = r.Webhooks(ctx, actor.TeamID())
		return err
	})
	return out, err
}

// Get returns one with its latest messages, the newest first.
func (s *Service) Get(ctx context.Context, actor team.Actor, id string) (w Webhook, messages []Message, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListWebhooks, ""); err != nil {
		return Webhook{}, nil, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		if w, err = find(ctx, r, actor, id); err != nil {
			return err
		}
		messages, err = r.Messages(ctx, actor.TeamID(), id, ShownMessages)
		return err
	})
	return w, messages, err
}

// New is what an endpoint is made of.
type New struct {
	URL, Description string
	// Events are types; none means all.
	Events []string
}

// Create adds an endpoint, and returns its signing secret, which is never shown
// again.
//
// Errors: problem.InvalidField, problem.Conflict if the team has MaxWebhooks,
// and those of audit.Guard.
func (s *Service) Create(ctx context.Context, actor team.Actor, in New) (Webhook, redact.Value, error) {
	if err := audit.Guard(ctx, s.store, actor, team.CreateWebhook, ""); err != nil {
		return Webhook{}, redact.Value{}, err
	}
	now := s.now()
	w := Webhook{ID: uuid.NewString(), TeamID: actor.TeamID(), Enabled: true, CreatedByID: actor.UserID(), CreatedAt: now, UpdatedAt: now}
	if err := s.apply(&w, Change{URL: &in.URL, Description: &in.Description, Events: &in.Events}); err != nil {
		return Webhook{}, redact.Value{}, err
	}
	secret := newSecret()
	err := s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor)
		if err != nil {
			return err
		}
		have, err := tx.Webhooks(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		if len(have) >= MaxWebhooks {
			return problem.New(problem.Conflict, "Team %s has %d webhooks, and more are not allowed. Delete one first.", actor.TeamName(), MaxWebhooks)
		}
		if err := tx.Insert(ctx, w); err != nil {
			return err
		}
		if err := s.addSecret(ctx, tx, dek, w, 1, secret); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.CreateWebhook, w.Host(), audit.Allowed))
	})
	if err != nil {
		return Webhook{}, redact.Value{}, err
	}
	return w, secret, nil
}

// Change is what is to be another way; nil keeps what there is.
type Change struct {
	URL, Description *string
	Events           *[]string
	Enabled          *bool
}

func (s *Service) apply(w *Webhook, c Change) (err error) {
	if c.URL != nil {
		if w.URL, err = s.checkURL(*c.URL); err != nil {
			return err
		}
	}
	if c.Description != nil {
		if w.Description, err = checkDescription(*c.Description); err != nil {
			return err
		}
	}
	if c.Events != nil {
		if w.Events, err = checkEvents(*c.Events); err != nil {
			return err
		}
	}
	if c.Enabled != nil {
		w.Enabled, w.DisabledReason, w.FailingSince = *c.Enabled, "", time.Time{}
	}
	return nil
}

// Update changes an endpoint. Switching one on again sends what still waits.
func (s *Service) Update(ctx context.Context, actor team.Actor, id string, c Change) (w Webhook, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.UpdateWebhook, ""); err != nil {
		return Webhook{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if w, err = find(ctx, tx, actor, id); err != nil {
			return err
		}
		if err := s.apply(&w, c); err != nil {
			return err
		}
		w.UpdatedAt = s.now()
		if err := tx.Save(ctx, w); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.UpdateWebhook, w.Host(), audit.Allowed))
	})
	return w, err
}

// Delete removes an endpoint with what waits for it.
func (s *Service) Delete(ctx context.Context, actor team.Actor, id string) error {
	if err := audit.Guard(ctx, s.store, actor, team.DeleteWebhook, ""); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		w, err := find(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		if err := tx.Delete(ctx, actor.TeamID(), id); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.DeleteWebhook, w.Host(), audit.Allowed))
	})
}

// RotateSecret makes a new signing secret and returns it. The one before signs
// each message too for the time of Overlap.
func (s *Service) RotateSecret(ctx context.Context, actor team.Actor, id string) (w Webhook, secret redact.Value, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.RotateWebhook, ""); err != nil {
		return Webhook{}, redact.Value{}, err
	}
	secret = newSecret()
	err = s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lock(ctx, tx, actor)
		if err != nil {
			return err
		}
		if w, err = find(ctx, tx, actor, id); err != nil {
			return err
		}
		have, err := tx.Secrets(ctx, actor.TeamID(), id)
		if err != nil || len(have) == 0 {
			return errors.Join(err, errDamagedSecret)
		}
		now := s.now()
		if err := tx.ExpireSecrets(ctx, actor.TeamID(), id, have[0].Version, now.Add(Overlap), now); err != nil {
			return err
		}
		if err := s.addSecret(ctx, tx, dek, w, have[0].Version+1, secret); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.RotateWebhook, w.Host(), audit.Allowed))
	})
	if err != nil {
		return Webhook{}, redact.Value{}, err
	}
	return w, secret, nil
}

// Test puts a message of TypeTest into the outbox.
//
// Errors: problem.NotFound, problem.Conflict if the endpoint is switched off,
// and those of audit.Guard.
func (s *Service) Test(ctx context.Context, actor team.Actor, id string) (m Message, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.TestWebhook, ""); err != nil {
		return Message{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		w, err := find(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		if !w.Enabled {
			return problem.New(problem.Conflict, "This webhook is switched off. Switch it on first.")
		}
		now := s.now()
		body, err := testPayload(actor, now)
		if err != nil {
			return err
		}
		m = NewMessage(w, TypeTest, body, now)
		if err := tx.Enqueue(ctx, m); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.TestWebhook, w.Host(), audit.Allowed))
	})
	return m, err
}

// NewMessage makes a message that is due at once.
func NewMessage(w Webhook, t Type, body []byte, now time.Time) Message {
	return Message{ID: "msg_" + uuid.NewString(), TeamID: w.TeamID, WebhookID: w.ID, Type: t, Payload: body, State: Pending, CreatedAt: now, NextAt: now}
}

func find(ctx context.Context, r Reader, actor team.Actor, id string) (Webhook, error) {
	if uuid.Validate(id) != nil {
		return Webhook{}, problem.New(problem.NotFound, "Not found: there is no such webhook in this team.")
	}
	return r.Webhook(ctx, actor.TeamID(), id)
}

func (s *Service) lock(ctx context.Context, tx Tx, actor team.Actor) (*envelope.DEK, error) {
	wrapped, err := tx.LockTeam(ctx, actor.TeamID())
	if err != nil {
		return nil, err
	}
	dek, err := s.kek.OpenDEK(actor.TeamID(), wrapped)
	if errors.Is(err, envelope.ErrKEKUnavailable) {
		return nil, &problem.Error{Code: problem.Unavailable, Detail: "The service that holds the key of this server does not answer, so nothing was done. Try again.", Cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the team's key: %w", err)
	}
	return dek, nil
}

func (s *Service) addSecret(ctx context.Context, tx Tx, dek *envelope.DEK, w Webhook, version int64, secret redact.Value) error {
	sealed, err := dek.Seal(place(w.TeamID, w.ID, version), []byte(secret.Reveal()))
	if err != nil {
		return fmt.Errorf("seal the signing secret: %w", err)
	}
	return tx.AddSecret(ctx, w.TeamID, w.ID, Sealed{Version: version, Value: sealed})
}
