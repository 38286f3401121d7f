package secret

import (
	"context"
	"slices"

	"infsh/audit"
	"infsh/envvar"
	"infsh/team"
)

// Report says how a team meets an app's requirements.
type Report struct {
	TeamName string
	Items    []Item
}

// Satisfied reports whether the app may run.
func (r Report) Satisfied() bool { return len(blocking(r.Items)) == 0 }

// Blocking returns the items that keep the app from running.
func (r Report) Blocking() []Item { return blocking(r.Items) }

// Check makes the resolver's decision for the given requirements without
// opening or handing out anything, and explains it.
func (s *Service) Check(ctx context.Context, actor team.Actor, reqs []Requirement) (Report, error) {
	if err := audit.Guard(ctx, s.store, actor, team.CheckApp, ""); err != nil {
		return Report{}, err
	}
	if err := ParseRequirements(reqs); err != nil {
		return Report{}, err
	}
	report := Report{TeamName: actor.TeamName()}
	err := s.store.View(ctx, func(r Reader) error {
		held, err := s.held(ctx, r, actor, reqs)
		if err != nil {
			return err
		}
		report.Items = evaluate(reqs, held)
		return s.explain(ctx, r, actor, report.Items)
	})
	return report, err
}

// Unused returns the keys that are set in the team and that neither the given
// requirements nor any registered app declares. If app is not empty, it is the
// namespace/name of the app that the requirements are of, and what its
// registered version declares counts no more. An actor who may not list secrets
// is told none.
func (s *Service) Unused(ctx context.Context, actor team.Actor, app string, reqs []Requirement) ([]envvar.Key, error) {
	target := ""
	if app != "" {
		target = auditApp(app)
	}
	if err := audit.Guard(ctx, s.store, actor, team.CheckApp, target); err != nil {
		return nil, err
	}
	if !actor.Can(team.ListSecrets) {
		return nil, nil
	}
	var unused []envvar.Key
	err := s.store.View(ctx, func(r Reader) error {
		have, err := r.KeysInUse(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		declared, err := r.DeclaredKeys(ctx, actor.TeamID(), app)
		if err != nil {
			return err
		}
		declared = append(declared, secretKeys(reqs)...)
		unused = slices.DeleteFunc(have, func(k envvar.Key) bool { return slices.Contains(declared, k) })
		return nil
	})
	return unused, err
}
