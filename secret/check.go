package secret

import (
	"context"
	"errors"
	"slices"
	"strings"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

// Report says how a team meets an app's requirements.
type Report struct {
	TeamName string
	// App is namespace/name; empty where no app was named.
	App   string
	Items []Item
}

// Satisfied reports whether the app may run.
func (r Report) Satisfied() bool { return len(blocking(r.Items)) == 0 }

// Blocking returns the items that keep the app from running.
func (r Report) Blocking() []Item { return blocking(r.Items) }

// Checked is what is to be checked: what a manifest declares.
type Checked struct {
	// App is namespace/name, or the name alone, of the app that the manifest
	// is of, whose grants count then. Without it nobody's do: the check tells
	// what is set.
	App          string
	Requirements []Requirement
}

// Check makes the resolver's decision for a manifest, which need not be
// deployed, without opening or handing out anything, and explains it. A key
// that nobody has asked for yet counts as granted if the actor would grant it
// by deploying.
func (s *Service) Check(ctx context.Context, actor team.Actor, c Checked) (Report, error) {
	if c.App != "" {
		c.App = qualified(c.App, actor)
	}
	if err := audit.Guard(ctx, s.store, actor, team.CheckApp, checkTarget(c.App)); err != nil {
		return Report{}, err
	}
	var namespace, name string
	if c.App != "" {
		var err error
		if namespace, name, err = ParseApp(c.App); err != nil {
			return Report{}, err
		}
	}
	if err := ParseRequirements(c.Requirements); err != nil {
		return Report{}, err
	}
	var items []Item
	err := s.store.View(ctx, func(r Reader) error {
		var grants Grants
		if c.App != "" {
			v, err := r.AppVersion(ctx, actor.TeamID(), namespace, name, "")
			if err != nil && !errors.Is(err, problem.NotFound) {
				return err
			}
			grants = v.Grants
		}
		var err error
		items, err = s.examine(ctx, r, actor, c.App, c.Requirements, expected(grants, actor, c))
		return err
	})
	return Report{TeamName: actor.TeamName(), App: c.App, Items: items}, err
}

// expected adds to an app's grants those that a deployment would bring.
func expected(grants Grants, actor team.Actor, c Checked) Grants {
	out := Grants{}
	for _, r := range c.Requirements {
		key := r.GrantKey()
		g, asked := grants[key]
		switch {
		case c.App == "":
			g.State = notGoverned
		case !asked && actor.Can(team.AllowGrant) && actor.Can(team.DeployApp):
			g.State = GrantOnDeploy
		}
		out[key] = g
	}
	return out
}

// CheckVersion makes the resolver's decision for a registered version, the
// current one if versionID is empty, and explains it.
func (s *Service) CheckVersion(ctx context.Context, actor team.Actor, app, versionID string) (AppVersion, Report, error) {
	app = qualified(app, actor)
	if err := audit.Guard(ctx, s.store, actor, team.CheckApp, auditApp(app)); err != nil {
		return AppVersion{}, Report{}, err
	}
	namespace, name, err := ParseApp(app)
	if err != nil {
		return AppVersion{}, Report{}, err
	}
	var v AppVersion
	var items []Item
	err = s.store.View(ctx, func(r Reader) (err error) {
		v, err = r.AppVersion(ctx, actor.TeamID(), namespace, name, versionID)
		if errors.Is(err, problem.NotFound) {
			return unknownApp(Run{App: app, Version: versionID}, actor)
		}
		if err == nil {
			items, err = s.examine(ctx, r, actor, v.App, v.Requirements, v.Grants)
		}
		return err
	})
	return v, Report{TeamName: actor.TeamName(), App: app, Items: items}, err
}

// examine evaluates requirements and explains what is missing.
func (s *Service) examine(ctx context.Context, r Reader, actor team.Actor, app string, reqs []Requirement, grants Grants) ([]Item, error) {
	held, err := s.held(ctx, r, actor, reqs, grants)
	if err != nil {
		return nil, err
	}
	links, err := s.links(ctx, r, actor, reqs)
	if err != nil {
		return nil, err
	}
	items := evaluate(app, reqs, grants, held, links)
	links.whole(items)
	for i := range items {
		items[i].looked = true
	}
	return items, s.explain(ctx, r, actor, items)
}

// held reads the secrets that are the declared keys' sources, granted or not,
// in one query.
func (s *Service) held(ctx context.Context, r Reader, actor team.Actor, reqs []Requirement, grants Grants) (map[envvar.Key]Held, error) {
	declared := secretKeys(reqs)
	sources := make([]envvar.Key, len(declared))
	for i, key := range declared {
		sources[i] = grants[key].source(key)
	}
	rows, err := r.Current(ctx, actor.TeamID(), sources)
	if err != nil {
		return nil, err
	}
	held := make(map[envvar.Key]Held, len(rows))
	for _, h := range rows {
		for i, source := range sources {
			if source == h.Key {
				held[declared[i]] = h
			}
		}
	}
	return held, nil
}

// Unused returns the keys that are set in the team and that neither the given
// manifest nor any registered app declares, nor is bound to. If an app is
// named, what its registered versions declare counts no more. An actor who may
// not list secrets is told none.
func (s *Service) Unused(ctx context.Context, actor team.Actor, c Checked) ([]envvar.Key, error) {
	if c.App != "" {
		c.App = qualified(c.App, actor)
	}
	if err := audit.Guard(ctx, s.store, actor, team.CheckApp, checkTarget(c.App)); err != nil {
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
		declared, err := r.DeclaredKeys(ctx, actor.TeamID(), c.App)
		if err != nil {
			return err
		}
		var grants Grants
		if namespace, name, err := ParseApp(c.App); err == nil {
			v, err := r.AppVersion(ctx, actor.TeamID(), namespace, name, "")
			if err != nil && !errors.Is(err, problem.NotFound) {
				return err
			}
			grants = v.Grants
		}
		for _, key := range secretKeys(c.Requirements) {
			declared = append(declared, grants[key].source(key))
		}
		unused = slices.DeleteFunc(have, func(k envvar.Key) bool { return slices.Contains(declared, k) })
		return nil
	})
	return unused, err
}

// qualified puts the team's own namespace before a name without one.
func qualified(app string, actor team.Actor) string {
	if app == "" || strings.Contains(app, "/") {
		return app
	}
	return actor.TeamName() + "/" + app
}

func checkTarget(app string) string {
	if app == "" {
		return ""
	}
	return auditApp(app)
}
