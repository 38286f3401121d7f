package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// MaxDescriptionLength is in characters.
const MaxDescriptionLength = 4000

// Reader reads a team's apps. Each method takes the team first.
type Reader interface {
	// Apps returns all apps with their current versions, sorted by name.
	Apps(ctx context.Context, team string) ([]App, error)
	// AppByID and AppByName return problem.NotFound if there is none.
	AppByID(ctx context.Context, team, id string) (App, error)
	AppByName(ctx context.Context, team, namespace, name string) (App, error)
	// Versions returns an app's versions, the newest first.
	Versions(ctx context.Context, team, appID string) ([]Version, error)
}

// Tx is a transaction.
type Tx interface {
	Reader
	audit.Log
	// LockTeam waits for other writers of the same team.
	LockTeam(ctx context.Context, team string) (wrappedDEK []byte, err error)
	InsertApp(ctx context.Context, a App) error
	// SetCurrent stores the app's description and current version.
	SetCurrent(ctx context.Context, a App) error
	InsertVersion(ctx context.Context, team, appID, createdByID string, v Version) error
}

// Store keeps apps; see secret.Store for Update.
type Store interface {
	audit.Log
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Service is the way to a team's apps.
type Service struct {
	store Store
	now   func() time.Time
}

// NewService makes a Service.
func NewService(store Store) *Service {
	return &Service{store: store, now: func() time.Time { return time.Now().UTC() }}
}

// Registration is what a manifest says.
type Registration struct {
	// Namespace is the team's username if empty.
	Namespace    string
	Name         string
	Description  string
	Requirements []secret.Requirement
}

// Deploy registers a manifest as the app's next version and makes it current.
// The same content as an earlier version makes that one current; made tells
// whether there is a new version.
func (s *Service) Deploy(ctx context.Context, actor team.Actor, reg Registration) (deployed App, made bool, err error) {
	if reg.Namespace == "" {
		reg.Namespace = actor.TeamName()
	}
	target := auditName(reg)
	if err := audit.Guard(ctx, s.store, actor, team.DeployApp, target); err != nil {
		return App{}, false, err
	}
	if err := check(reg); err != nil {
		return App{}, false, err
	}
	digest, err := digestOf(reg)
	if err != nil {
		return App{}, false, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		// The transaction may run again, so its outcome starts anew.
		deployed, made = App{}, false
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		existing, err := tx.AppByName(ctx, actor.TeamID(), reg.Namespace, reg.Name)
		if err != nil && !errors.Is(err, problem.NotFound) {
			return err
		}
		isNew := err != nil
		if !isNew && existing.Current.Digest == digest {
			deployed = existing
			return nil
		}
		now := s.now()
		a := existing
		if isNew {
			a = App{ID: uuid.NewString(), TeamID: actor.TeamID(), Namespace: reg.Namespace, Name: reg.Name, CreatedByID: actor.UserID(), CreatedAt: now}
		}
		a.Description, a.UpdatedAt = reg.Description, now

		versions, err := tx.Versions(ctx, actor.TeamID(), a.ID)
		if err != nil {
			return err
		}
		version, known := withDigest(versions, digest)
		if !known {
			version = Version{
				ID: uuid.NewString(), Number: int64(len(versions)) + 1, Digest: digest,
				Requirements: reg.Requirements, CreatedBy: actor.Email(), CreatedAt: now,
			}
		}
		a.Current = version
		if isNew {
			err = tx.InsertApp(ctx, a)
		} else {
			err = tx.SetCurrent(ctx, a)
		}
		if err != nil {
			return err
		}
		if !known {
			if err := tx.InsertVersion(ctx, actor.TeamID(), a.ID, actor.UserID(), version); err != nil {
				return err
			}
		}
		deployed, made = a, !known
		entry := audit.By(actor, team.DeployApp, a.FullName(), audit.Allowed)
		entry.Reason = fmt.Sprintf("version %d", version.Number)
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return App{}, false, err
	}
	return deployed, made, nil
}

// List returns the team's apps, sorted by name.
func (s *Service) List(ctx context.Context, actor team.Actor) ([]App, error) {
	return read(ctx, s, actor, "", func(r Reader) ([]App, error) { return r.Apps(ctx, actor.TeamID()) })
}

// ByID returns problem.NotFound for another team's app too.
func (s *Service) ByID(ctx context.Context, actor team.Actor, id string) (App, error) {
	return read(ctx, s, actor, "", func(r Reader) (App, error) { return r.AppByID(ctx, actor.TeamID(), id) })
}

// ByName returns problem.NotFound for another team's app too.
func (s *Service) ByName(ctx context.Context, actor team.Actor, namespace, name string) (App, error) {
	return read(ctx, s, actor, "", func(r Reader) (App, error) {
		return r.AppByName(ctx, actor.TeamID(), namespace, name)
	})
}

// Versions returns an app's versions, the newest first.
func (s *Service) Versions(ctx context.Context, actor team.Actor, appID string) ([]Version, error) {
	return read(ctx, s, actor, "", func(r Reader) ([]Version, error) {
		if _, err := r.AppByID(ctx, actor.TeamID(), appID); err != nil {
			return nil, err
		}
		return r.Versions(ctx, actor.TeamID(), appID)
	})
}

func read[T any](ctx context.Context, s *Service, actor team.Actor, target string, fn func(Reader) (T, error)) (out T, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListApps, target); err != nil {
		return out, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		out, err = fn(r)
		return err
	})
	return out, err
}

func check(reg Registration) error {
	var fields []problem.Field
	if err := secret.CheckSlug(reg.Namespace); err != nil {
		fields = append(fields, problem.Field{Name: "namespace", Message: err.Error()})
	}
	if err := secret.CheckSlug(reg.Name); err != nil {
		fields = append(fields, problem.Field{Name: "name", Message: err.Error()})
	}
	if len([]rune(reg.Description)) > MaxDescriptionLength || !secret.PlainText(reg.Description) {
		fields = append(fields, problem.Field{Name: "description", Message: fmt.Sprintf("a description is plain text of at most %d characters", MaxDescriptionLength)})
	}
	err := secret.ParseRequirements(reg.Requirements)
	var invalid *problem.Error
	if errors.As(err, &invalid) {
		for _, f := range invalid.Fields {
			fields = append(fields, problem.Field{Name: "version.required_" + f.Name, Message: f.Message})
		}
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return err
}

// digestOf pins what a version declares: name, description and requirements,
// in their order, as JSON.
func digestOf(reg Registration) (string, error) {
	b, err := json.Marshal(reg)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func withDigest(versions []Version, digest string) (Version, bool) {
	for _, v := range versions {
		if v.Digest == digest {
			return v, true
		}
	}
	return Version{}, false
}

func auditName(reg Registration) string {
	name := reg.Namespace + "/" + reg.Name
	if _, _, err := secret.ParseApp(name); err != nil {
		return "(not a valid app name)"
	}
	return name
}
