package handlers

import (
	"net/http"
	"net/url"
	"slices"

	"infsh/app"
	"infsh/auth"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

func (s *server) appsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	apps, err := s.Apps.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	var model views.Apps
	for _, a := range apps {
		_, report, err := s.Secrets.CheckVersion(r.Context(), session.Actor, a.FullName(), "")
		if err != nil {
			return err
		}
		lastRun, err := s.Audit.LastRun(r.Context(), session.Actor, a.FullName())
		if err != nil {
			return err
		}
		row := views.AppRow{AppRef: views.AppRef{Name: a.FullName()}, Description: a.Description, Version: int(a.Current.Number), LastResolve: views.Ago(lastRun, s.now())}
		for _, item := range report.Items {
			row.Keys = append(row.Keys, views.AppKey{Key: item.Key, State: views.KeyState(item.State)})
		}
		model.Rows = append(model.Rows, row)
	}
	s.render(w, r, http.StatusOK, views.AppsPage(p, model))
	return nil
}

// appPage answers "why did my app not receive it?" by making the resolver's
// decision, now.
func (s *server) appPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Apps.ByName(r.Context(), session.Actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	_, report, err := s.Secrets.CheckVersion(r.Context(), session.Actor, found.FullName(), "")
	if err != nil {
		return err
	}
	lastRun, err := s.Audit.LastRun(r.Context(), session.Actor, found.FullName())
	if err != nil {
		return err
	}
	versions, err := s.Apps.Versions(r.Context(), session.Actor, found.ID)
	if err != nil {
		return err
	}
	model := views.AppDetail{
		AppRef: views.AppRef{Name: found.FullName()}, Description: found.Description, Version: int(found.Current.Number), VersionID: found.Current.ID,
		Deployed: views.Ago(found.Current.CreatedAt, s.now()), DeployedBy: found.Current.CreatedBy, LastResolve: views.Ago(lastRun, s.now()),
		CanEdit: session.Actor.Can(team.SetSecret),
		Check:   s.appCheck(report, found),
	}
	undeclared, err := s.undeclared(r, session, found)
	if err != nil {
		return err
	}
	model.Check.Undeclared = undeclared
	for _, v := range versions {
		model.Versions = append(model.Versions, views.AppVersion{
			Number: int(v.Number), ID: v.ID, Created: views.Ago(v.CreatedAt, s.now()), By: v.CreatedBy, Digest: v.Digest,
			Current: v.ID == found.Current.ID, Secrets: countSecrets(v),
		})
	}
	if wants(r, "app-check") {
		s.render(w, r, http.StatusOK, views.AppCheckView(p, model))
		return nil
	}
	s.render(w, r, http.StatusOK, views.AppPage(p, model))
	return nil
}

func (s *server) appCheck(report secret.Report, a app.App) views.AppCheck {
	check := views.AppCheck{Checked: views.Ago(s.now(), s.now())}
	for _, item := range report.Items {
		shown := views.CheckItem{
			Key: item.Key, Description: item.Description, Integration: item.Kind == secret.KindIntegration, Optional: item.Optional,
			State: views.KeyState(item.State), Version: int(item.Version),
		}
		if item.State != secret.Set {
			shown.Message = item.Message(report.TeamName)
		}
		if item.State == secret.Missing || item.State == secret.MissingOptional {
			shown.FixURL = item.ActionURL()
			if item.StagedVersion == 0 {
				shown.FixURL += "&return=" + url.QueryEscape("/settings/apps/"+a.FullName())
			}
			shown.Staged = int(item.StagedVersion)
		}
		for _, near := range item.NearMisses {
			shown.NearMisses = append(shown.NearMisses, views.NearMiss{Key: string(near.Key), Reason: near.Reason, Team: near.Team})
		}
		check.Items = append(check.Items, shown)
	}
	return check
}

// undeclared are the team's keys that this app does not declare, and so never
// receives.
func (s *server) undeclared(r *http.Request, session auth.Session, a app.App) ([]string, error) {
	all, err := s.Secrets.List(r.Context(), session.Actor)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, one := range all {
		declared := slices.ContainsFunc(a.Current.Requirements, func(req secret.Requirement) bool {
			return req.Kind == secret.KindSecret && req.Key == string(one.Key)
		})
		if !declared {
			out = append(out, string(one.Key))
		}
	}
	return out, nil
}

func countSecrets(v app.Version) int {
	n := 0
	for _, req := range v.Requirements {
		if req.Kind == secret.KindSecret {
			n++
		}
	}
	return n
}

func (s *server) integrationsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	apps, err := s.Apps.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	var model views.Integrations
	for _, a := range apps {
		for _, req := range a.Current.Requirements {
			if req.Kind != secret.KindIntegration {
				continue
			}
			i := slices.IndexFunc(model.Declared, func(n views.IntegrationNeed) bool { return n.Key == req.Key })
			if i < 0 {
				model.Declared = append(model.Declared, views.IntegrationNeed{Key: req.Key})
				i = len(model.Declared) - 1
			}
			model.Declared[i].Apps = append(model.Declared[i].Apps, views.AppRef{Name: a.FullName(), Optional: req.Optional})
		}
	}
	s.render(w, r, http.StatusOK, views.IntegrationsPage(p, model))
	return nil
}
