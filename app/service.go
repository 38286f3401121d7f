package app

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/integration"
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
	// Grants returns the grants of an app.
	Grants(ctx context.Context, team, appID string) (secret.Grants, error)
	// Keys returns the keys that are set in the team, sorted.
	Keys(ctx context.Context, team string) ([]envvar.Key, error)
	// Connections returns the team's integrations.
	Connections(ctx context.Context, team string) ([]integration.Held, error)
}

// Tx is a transaction.
type Tx interface {
	Reader
	audit.Log
	// LockTeam waits for other writers of the same team.
	LockTeam(ctx context.Context, team string) (wrappedDEK []byte, err error)
	InsertApp(ctx context.Context, a App) error
	// SetApp stores the app's description, current and pending version.
	SetApp(ctx context.Context, a App) error
	InsertVersion(ctx context.Context, team, appID, createdByID string, v Version) error
	// SetGrant stores a grant of an app, a new one or another state of it.
	SetGrant(ctx context.Context, team string, g secret.Grant) error
	// DeleteApp removes the app with its versions and grants.
	DeleteApp(ctx context.Context, team, appID string) error
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
	return &Service{store: store, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
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
