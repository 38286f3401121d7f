package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
	"infsh/integration"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// MaxDescriptionLength is in characters.
const MaxDescriptionLength = 500

// Service is the way to a team's secrets.
type Service struct {
	store Store
	kek   *envelope.KEK
	now   func() time.Time
	// lastPrints is the key of fingerprints that was opened last.
	lastPrints atomic.Pointer[openedPrints]
	// catalogue is what can be connected, and tokens keeps what is connected
	// fresh; nil where nobody does.
	catalogue *integration.Catalogue
	tokens    Tokens
}

// NewService makes a Service whose values are sealed under the teams' DEKs,
// which kek wraps.
func NewService(store Store, kek *envelope.KEK) *Service {
	return &Service{store: store, kek: kek, catalogue: integration.BuiltIn(), now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// Tokens keeps the tokens of integrations fresh.
type Tokens interface {
	// Catalogue is what can be connected.
	Catalogue() *integration.Catalogue
	// Fresh makes sure that a connection's token is not about to end;
	// problem.Unavailable if the provider does not answer.
	Fresh(ctx context.Context, ref integration.Ref) error
}

// WithTokens makes runs receive fresh tokens. It is called before the Service is
// used.
func (s *Service) WithTokens(tokens Tokens) *Service {
	s.tokens, s.catalogue = tokens, tokens.Catalogue()
	return s
}

// Mode says what a write expects to find.
type Mode int

const (
	// Create refuses a key that is set already, with problem.Conflict.
	Create Mode = iota
	// Change refuses a key that is not set, with problem.SecretNotFound.
	Change
)

// Write is one secret to be set.
type Write struct {
	Key string
	// Value is as it was typed; nil keeps the current one (Change only).
	Value *redact.Value
	// Description nil keeps the current one.
	Description *string
	// Verbatim keeps leading and trailing white space, which is refused else.
	Verbatim bool
	// AllowRiskyName acknowledges a name that redirects traffic or trust.
	AllowRiskyName bool
	// Stage stores the value without using it; see Activate.
	Stage bool
	// RotateEvery is after how many days the secret is to be rotated, 0 for no
	// reminder; nil keeps it.
	RotateEvery *int
	// ExpiresAt is when the value ends at its provider, the zero time for no
	// known end. It is of the value that is given, and otherwise of the one in
	// use; nil keeps that of the one in use, and is no end for a new value.
	ExpiresAt *time.Time
	// IfVersion, where it is not nil, are the versions that may be in use
	// (Change only): another one is problem.PreconditionFailed.
	IfVersion []int64
}

// Written is the outcome of a write.
type Written struct {
	Secret
	// Stored is the version that holds the value that was given, 0 if none was.
	Stored int64
	// Unchanged is true if that version held it already, so that none was made.
	Unchanged bool
	// Warnings are sentences for the person: advice on the name, a clash of case.
	Warnings []string
}

// Set stores a value as the key's next version, which is in use from then on
// unless it is to be staged. The earlier versions are kept, up to KeptVersions.
// The value that is in use already, or staged last, makes no new version.
//
// Errors: problem.InvalidField (fields key, value, description),
// problem.Conflict, problem.SecretNotFound, problem.PreconditionFailed, and
// those of audit.Guard.
func (s *Service) Set(ctx context.Context, actor team.Actor, mode Mode, w Write) (Written, error) {
	action := team.SetSecret
	if w.Stage {
		action = team.StageSecret
	}
	if err := audit.Guard(ctx, s.store, actor, action, auditKey(w.Key)); err != nil {
		return Written{}, err
	}
	p, err := plan(w, mode)
	if err != nil {
		return Written{}, err
	}
	var out Written
	err = s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		keys, err := tx.Keys(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		var existing *Record
		if slices.Contains(keys, p.key) {
			r, err := tx.Record(ctx, actor.TeamID(), p.key)
			if err != nil {
				return err
			}
			existing = &r
		}
		switch {
		case mode == Create && existing != nil:
			return conflict(p.key, actor)
		case mode == Change && existing == nil:
			return notFound(p.key, keys, actor)
		case w.IfVersion != nil && !slices.Contains(w.IfVersion, existing.Version):
			return problem.New(problem.PreconditionFailed, "%s has version %d by now, so nothing was changed. Look at what was changed meanwhile, and try again.", p.key, existing.Version)
		}
		write, same := p, int64(0)
		if existing != nil && p.value != nil {
			if same, err = holder(ctx, tx, dek, *existing, p); err != nil {
				return err
			}
			if same > 0 {
				write.value, write.about = nil, same
			}
		}
		if out, err = s.write(ctx, tx, actor, dek, existing, write); err != nil {
			return err
		}
		if same > 0 {
			out.Stored, out.Unchanged = same, true
		}
		out.Warnings = warnings(p.key, keys)
		return nil
	})
	if err != nil {
		return Written{}, err
	}
	return out, nil
}

// planned is a write whose parts have been checked.
type planned struct {
	key         envvar.Key
	value       *redact.Value
	description *string
	risky       bool
	stage       bool
	rotateEvery *int
	expiresAt   *time.Time
	// about is the version whose end is meant where there is no value, 0 for the
	// one in use; valueAt is when the value was first stored, if not now.
	about   int64
	valueAt time.Time
}

// action is what the write is called in the audit log.
func (p planned) action() team.Action {
	if p.stage {
		return team.StageSecret
	}
	return team.SetSecret
}

// plan applies the rules on names, values and descriptions. Each error stands
// at its field, and all of them are told at once.
func plan(w Write, mode Mode) (planned, error) {
	var fields []problem.Field
	fail := func(name, message string) { fields = append(fields, problem.Field{Name: name, Message: message}) }

	remindsOnly := mode == Change && w.Value == nil && w.Description == nil
	key, err := envvar.ParseKey(w.Key)
	if err == nil {
		// A reminder of a name that is in use adds no risk.
		err = key.Permit(w.AllowRiskyName || remindsOnly)
	}
	if err != nil {
		fail("key", err.Error())
	}
	p := planned{key: key, risky: err == nil && key.Risk() == envvar.Risky && !remindsOnly, stage: w.Stage}

	switch {
	case w.Value != nil:
		v, err := envvar.ParseValue(w.Value.Reveal(), w.Verbatim)
		if err != nil {
			fail("value", err.Error())
		}
		p.value = &v
	case mode == Create || w.Stage:
		fail("value", "a value is needed")
	}
	if w.Description != nil {
		d, err := parseDescription(*w.Description)
		if err != nil {
			fail("description", err.Error())
		}
		p.description = &d
	}
	checkReminder(w, fail)
	p.rotateEvery, p.expiresAt = w.RotateEvery, w.ExpiresAt
	if len(fields) > 0 {
		return planned{}, &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return p, nil
}

// write stores a checked write: a new version if there is a value, and the
// description if there is one.
func (s *Service) write(ctx context.Context, tx Tx, actor team.Actor, dek *envelope.DEK, existing *Record, p planned) (Written, error) {
	now := s.now()
	r := Record{ID: uuid.NewString(), TeamID: actor.TeamID(), Key: p.key, CreatedAt: now, CreatedByID: actor.UserID()}
	last := int64(0)
	if existing != nil {
		r = *existing
		var err error
		if last, err = tx.LastNumber(ctx, r.TeamID, r.ID); err != nil {
			return Written{}, err
		}
	}
	entry := audit.By(actor, p.action(), string(r.Key), audit.Allowed)
	if p.risky {
		entry.Reason = "risky_name_acknowledged"
	}
	described := p.description != nil && *p.description != r.Description
	if described {
		r.Description = *p.description
	}
	var out Written
	var sealed Sealed
	if p.value != nil {
		var err error
		if sealed, err = seal(dek, r, last+1, *p.value); err != nil {
			return Written{}, err
		}
		sealed.Staged, sealed.CreatedAt, sealed.CreatedByID, sealed.ValueAt = p.stage, now, actor.UserID(), now
		if !p.valueAt.IsZero() {
			sealed.ValueAt = p.valueAt
		}
		if p.expiresAt != nil {
			sealed.ExpiresAt = *p.expiresAt
		}
		out.Stored = sealed.Number
		if p.stage {
			r.StagedVersion = sealed.Number
		} else {
			r.Version = sealed.Number
		}
		if r.shown() == sealed.Number {
			r.Hint, r.ValueAt, r.ExpiresAt = sealed.Hint, sealed.ValueAt, sealed.ExpiresAt
		}
	}
	switch {
	case existing == nil:
		r.UpdatedAt, r.UpdatedByID, r.UpdatedBy = now, actor.UserID(), actor.Email()
		if err := tx.Insert(ctx, r); err != nil {
			return Written{}, err
		}
	case described || p.value != nil && !p.stage:
		r.UpdatedAt, r.UpdatedByID, r.UpdatedBy = now, actor.UserID(), actor.Email()
		if err := tx.SetCurrent(ctx, r); err != nil {
			return Written{}, err
		}
	case p.value == nil:
		entry.Outcome = audit.Unchanged
	}
	if p.value != nil {
		if err := tx.AddVersion(ctx, r.TeamID, r.ID, sealed); err != nil {
			return Written{}, err
		}
		if err := s.addPrint(ctx, tx, r, sealed.Number, *p.value); err != nil {
			return Written{}, err
		}
		if err := prune(ctx, tx, r, sealed.Number); err != nil {
			return Written{}, err
		}
	}
	number := r.shown()
	if out.Stored > 0 {
		number = out.Stored
	}
	reminded, err := s.remind(ctx, tx, actor, &r, p, sealed)
	if err != nil {
		return Written{}, err
	}
	if entry.Outcome != audit.Unchanged || !reminded {
		entry.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: number}}
		if err := tx.AppendAudit(ctx, entry); err != nil {
			return Written{}, err
		}
	}
	out.Secret, err = s.shown(dek, r)
	return out, err
}

// Rollback makes a new version that equals the given kept one, which was in
// use before. The history only grows by it; Activate goes back without a new
// version.
//
// Errors: problem.SecretNotFound, problem.InvalidField (field version) if that
// version is not kept, is the one in use or a staged one, and those of
// audit.Guard.
func (s *Service) Rollback(ctx context.Context, actor team.Actor, key string, to int64) (Secret, error) {
	if err := audit.Guard(ctx, s.store, actor, team.RollbackSecret, auditKey(key)); err != nil {
		return Secret{}, err
	}
	var out Secret
	err := s.store.Update(ctx, func(tx Tx) error {
		dek, err := s.lockTeam(ctx, tx, actor)
		if err != nil {
			return err
		}
		r, err := record(ctx, tx, actor, key)
		if err != nil {
			return err
		}
		if to == r.Version {
			return problem.Invalid("version", "version %d of %s is the current one already", to, r.Key)
		}
		old, err := tx.Sealed(ctx, r.TeamID, r.ID, to)
		if err != nil {
			return problem.Invalid("version", "version %d of %s is not kept; `infsh secrets history %s` lists those that are", to, r.Key, r.Key)
		}
		if old.Staged {
			return problem.Invalid("version", "version %d of %s is staged and was never in use, so there is no way back to it; `infsh secrets activate %s --version %d` uses it", to, r.Key, r.Key, to)
		}
		value, err := open(dek, r, old)
		if err != nil {
			return err
		}
		written, err := s.write(ctx, tx, actor, dek, &r, planned{key: r.Key, value: &value, valueAt: old.ValueAt, expiresAt: &old.ExpiresAt})
		if err != nil {
			return err
		}
		out = written.Secret
		entry := audit.By(actor, team.RollbackSecret, string(r.Key), audit.Allowed)
		entry.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: to}}
		return tx.AppendAudit(ctx, entry)
	})
	return out, err
}

// lockTeam makes the transaction the team's only writer and opens its DEK.
func (s *Service) lockTeam(ctx context.Context, tx Tx, actor team.Actor) (*envelope.DEK, error) {
	wrapped, err := tx.LockTeam(ctx, actor.TeamID())
	if err != nil {
		return nil, err
	}
	return s.openDEK(actor.TeamID(), wrapped)
}

func (s *Service) openDEK(teamID string, wrapped []byte) (*envelope.DEK, error) {
	dek, err := s.kek.OpenDEK(teamID, wrapped)
	if errors.Is(err, envelope.ErrKEKUnavailable) {
		return nil, &problem.Error{Code: problem.Unavailable, Detail: "The service that holds the key of this server does not answer, so nothing was done. Try again.", Cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the team's key: %w", err)
	}
	return dek, nil
}

// record finds the actor's secret by an untrusted name.
func record(ctx context.Context, r Reader, actor team.Actor, key string) (Record, error) {
	rec, err := r.Record(ctx, actor.TeamID(), envvar.Key(key))
	if !errors.Is(err, problem.SecretNotFound) {
		return rec, err
	}
	keys, err := r.Keys(ctx, actor.TeamID())
	if err != nil {
		return Record{}, err
	}
	return Record{}, notFound(envvar.Key(key), keys, actor)
}

func conflict(key envvar.Key, actor team.Actor) error {
	return &problem.Error{
		Code:   problem.Conflict,
		Detail: fmt.Sprintf("%s is set in team %s already. Edit it to store a new value.", key, actor.TeamName()),
		Fields: []problem.Field{{Name: "key", Message: fmt.Sprintf("%s is set already; edit it to store a new value", key)}},
	}
}

// notFound answers the seed's "Secret not found" with the checks that the
// program can make itself.
func notFound(key envvar.Key, have []envvar.Key, actor team.Actor) error {
	name, err := envvar.ParseKey(string(key))
	if err != nil {
		return problem.New(problem.SecretNotFound, "Secret not found: %v", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Secret not found: %s is not set in team %s.", name, actor.TeamName())
	if actor.Can(team.ListSecrets) {
		for _, near := range envvar.NearMisses(name, have) {
			fmt.Fprintf(&b, " %s is set (%s).", near.Key, near.Reason)
		}
	}
	b.WriteString(" Names are case-sensitive. Check that this is the right team.")
	return problem.New(problem.SecretNotFound, "%s", b.String())
}

// warnings are what a person should know of a name that was accepted.
func warnings(key envvar.Key, have []envvar.Key) []string {
	var out []string
	if advice := key.Advice(); advice != "" {
		out = append(out, advice)
	}
	for _, other := range have {
		if other != key && strings.EqualFold(string(other), string(key)) {
			out = append(out, fmt.Sprintf("%s differs from %s only in case; an app receives exactly the one it declares.", key, other))
		}
	}
	return out
}

func parseDescription(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len([]rune(s)) > MaxDescriptionLength {
		return "", fmt.Errorf("a description has at most %d characters", MaxDescriptionLength)
	}
	if !PlainText(s) {
		return "", fmt.Errorf("a description is plain text, without control characters")
	}
	return s, nil
}

// PlainText reports whether s is valid UTF-8 without the control characters of
// ASCII, line breaks and tabs aside. Whoever shows it makes it inert for its
// place: a page, a terminal, a log.
func PlainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f
	})
}

// auditKey bounds what an untrusted name can put into the audit log.
func auditKey(s string) string {
	if key, err := envvar.ParseKey(s); err == nil {
		return string(key)
	}
	return "(not a valid key)"
}
