package app

import (
	"context"
	"fmt"
	"strings"

	"infsh/audit"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// Versions returns an app's versions, the newest first.
func (s *Service) Versions(ctx context.Context, actor team.Actor, appID string) ([]Version, error) {
	return read(ctx, s, actor, auditID(appID), func(r Reader) ([]Version, error) {
		if _, err := r.AppByID(ctx, actor.TeamID(), appID); err != nil {
			return nil, err
		}
		return r.Versions(ctx, actor.TeamID(), appID)
	})
}

// Version returns one version of an app, or problem.NotFound.
func (s *Service) Version(ctx context.Context, actor team.Actor, appID, versionID string) (Version, error) {
	versions, err := s.Versions(ctx, actor, appID)
	if err != nil {
		return Version{}, err
	}
	v, ok := withID(versions, versionID)
	if !ok {
		return Version{}, noSuchVersion()
	}
	return v, nil
}

// MakeCurrent makes a version the one that runs use which name none. It is
// refused (problem.Conflict) where a key that the version requires is not
// granted, since every run would be.
func (s *Service) MakeCurrent(ctx context.Context, actor team.Actor, appID, versionID string) (App, error) {
	return s.change(ctx, actor, team.MoveCurrent, appID, func(tx Tx, a App) (App, error) {
		versions, err := tx.Versions(ctx, actor.TeamID(), appID)
		if err != nil {
			return App{}, err
		}
		v, ok := withID(versions, versionID)
		if !ok {
			return App{}, noSuchVersion()
		}
		if v.ID == a.Current.ID && a.PendingID == "" {
			return a, nil
		}
		grants, err := tx.Grants(ctx, actor.TeamID(), appID)
		if err != nil {
			return App{}, err
		}
		if stops := grants.Stops(v.Requirements); len(stops) > 0 && v.ID != a.Current.ID {
			names := make([]string, len(stops))
			for i, key := range stops {
				names[i] = string(key)
			}
			return App{}, problem.New(problem.Conflict, "Version %d of %s can't be the current one: it requires %s, which an owner or admin has to approve first, on the app's page or with `infsh app approve`.",
				v.Number, a.FullName(), strings.Join(names, ", "))
		}
		return s.move(ctx, tx, actor, a, v, "")
	})
}

// Change is what Update changes; nil stays as it is.
type Change struct{ Description *string }

// Update changes what is said of an app. Its versions never change.
func (s *Service) Update(ctx context.Context, actor team.Actor, appID string, c Change) (App, error) {
	return s.change(ctx, actor, team.UpdateApp, appID, func(tx Tx, a App) (App, error) {
		if c.Description == nil || *c.Description == a.Description {
			return a, nil
		}
		if err := checkDescription(*c.Description); err != nil {
			return App{}, problem.Invalid("description", "%v", err)
		}
		a.Description, a.UpdatedAt = *c.Description, s.now()
		if err := tx.SetApp(ctx, a); err != nil {
			return App{}, err
		}
		return a, tx.AppendAudit(ctx, audit.By(actor, team.UpdateApp, a.FullName(), audit.Allowed))
	})
}

// Delete removes an app with its versions and grants. An app of the same name
// that is deployed later starts anew.
func (s *Service) Delete(ctx context.Context, actor team.Actor, appID string) error {
	_, err := s.change(ctx, actor, team.DeleteApp, appID, func(tx Tx, a App) (App, error) {
		if err := tx.DeleteApp(ctx, actor.TeamID(), a.ID); err != nil {
			return App{}, err
		}
		return a, tx.AppendAudit(ctx, audit.By(actor, team.DeleteApp, a.FullName(), audit.Allowed))
	})
	return err
}

// change runs fn on an app, in a transaction.
func (s *Service) change(ctx context.Context, actor team.Actor, action team.Action, appID string, fn func(Tx, App) (App, error)) (App, error) {
	if err := audit.Guard(ctx, s.store, actor, action, auditID(appID)); err != nil {
		return App{}, err
	}
	var out App
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		a, err := tx.AppByID(ctx, actor.TeamID(), appID)
		if err != nil {
			return err
		}
		out, err = fn(tx, a)
		return err
	})
	if err != nil {
		return App{}, err
	}
	return out, nil
}

// move makes v the current version; none is pending then.
func (s *Service) move(ctx context.Context, tx Tx, actor team.Actor, a App, v Version, why string) (App, error) {
	a.Current, a.PendingID, a.UpdatedAt = v, "", s.now()
	if err := tx.SetApp(ctx, a); err != nil {
		return App{}, err
	}
	entry := audit.By(actor, team.MoveCurrent, a.FullName(), audit.Allowed)
	entry.Reason = strings.TrimSuffix(fmt.Sprintf("version %d, %s", v.Number, why), ", ")
	return a, tx.AppendAudit(ctx, entry)
}

func withID(versions []Version, id string) (Version, bool) {
	for _, v := range versions {
		if v.ID == id {
			return v, true
		}
	}
	return Version{}, false
}

func noSuchVersion() error {
	return problem.New(problem.NotFound, "Not found: the app has no such version.")
}

func checkDescription(s string) error {
	if len([]rune(s)) > MaxDescriptionLength || !secret.PlainText(s) {
		return fmt.Errorf("a description is plain text of at most %d characters", MaxDescriptionLength)
	}
	return nil
}
