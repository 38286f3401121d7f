package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"infsh/app"
	"infsh/auth"
	"infsh/integration"
	"infsh/problem"
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
		grants, err := s.Apps.Grants(r.Context(), session.Actor, a.ID)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.State == secret.GrantWaiting {
				row.Waiting++
			}
		}
		if session.Actor.Can(team.AllowGrant) {
			model.Waiting += row.Waiting
		}
		model.Rows = append(model.Rows, row)
	}
	s.render(w, r, http.StatusOK, views.AppsPage(p, model))
	return nil
}

// appPage answers "why did my app not receive it?" by making the resolver's
// decision, now.
func (s *server) appPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	found, err := s.Apps.ByName(r.Context(), session.Actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	current, report, err := s.Secrets.CheckVersion(r.Context(), session.Actor, found.FullName(), "")
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
	accounts, err := s.Integrations.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	model := views.AppDetail{
		AppRef: views.AppRef{Name: found.FullName()}, Description: found.Description, Version: int(found.Current.Number), VersionID: found.Current.ID,
		Deployed: views.Ago(found.Current.CreatedAt, s.now()), DeployedBy: found.Current.CreatedBy, LastResolve: views.Ago(lastRun, s.now()),
		CanEdit: session.Actor.Can(team.SetSecret), CanMove: session.Actor.Can(team.MoveCurrent), CanDelete: session.Actor.Can(team.DeleteApp),
		Check: s.appCheck(report, current, accounts, "check"),
	}
	if found.PendingID != "" {
		pending, waiting, err := s.Secrets.CheckVersion(r.Context(), session.Actor, found.FullName(), found.PendingID)
		if err != nil {
			return err
		}
		check := s.appCheck(waiting, pending, accounts, "pending")
		model.Pending = &check
	}
	if model.TeamKeys, model.Check.Undeclared, err = s.teamKeys(r, session, report); err != nil {
		return err
	}
	for _, v := range versions {
		model.Versions = append(model.Versions, views.AppVersion{
			Number: int(v.Number), ID: v.ID, Created: views.Ago(v.CreatedAt, s.now()), By: v.CreatedBy, Digest: v.Digest,
			Current: v.ID == found.Current.ID, Waits: v.ID == found.PendingID, Secrets: countSecrets(v),
		})
	}
	if done, err := s.appDialog(w, r, session, p, found, &model); done || err != nil {
		return err
	}
	if wants(r, "app-check") {
		s.render(w, r, http.StatusOK, views.AppCheckView(p, model))
		return nil
	}
	s.render(w, r, http.StatusOK, views.AppPage(p, model))
	return nil
}

// appCheck shows a report on a version. Accounts are what the team has connected,
// and place tells the page's checks apart.
func (s *server) appCheck(report secret.Report, v secret.AppVersion, accounts []integration.Connection, place string) views.AppCheck {
	check := views.AppCheck{Version: int(v.Number), Checked: views.Ago(s.now(), s.now())}
	for _, item := range report.Items {
		shown := views.CheckItem{
			Key: item.Key, Description: item.Description, Integration: item.Kind == secret.KindIntegration, Optional: item.Optional,
			State: views.KeyState(item.State), Version: int(item.Version), Place: place,
		}
		shown.Whole, shown.ProviderURL = item.Link.Whole, integrationsHome+"/"+url.PathEscape(item.Link.Provider)
		shown.Grant, shown.Propose = cmp.Or(string(item.Grant.State), string(secret.NotGranted)), string(item.Binding())
		for _, step := range item.Steps(v, report.TeamName) {
			shown.Steps = append(shown.Steps, views.CheckStep{OK: step.OK, Text: step.Text, Todo: step.Todo})
		}
		switch {
		case item.Kind == secret.KindIntegration && item.Link.Connection.ID != "":
			shown.Source, shown.Version = item.Link.Connection.Name(), 0
		case item.Kind == secret.KindSecret && item.Grant.Bound():
			shown.Source = string(item.Source())
		}
		if item.Kind == secret.KindIntegration && item.State != secret.Set && item.Grant.State == secret.Granted {
			shown.FixURL = item.ActionURL()
		}
		if item.State != secret.Set {
			// The page has a line of its own for each near miss.
			told := item
			told.NearMisses = nil
			shown.Message = told.Message(report.TeamName)
		}
		if item.State == secret.Missing || item.State == secret.MissingOptional {
			shown.FixURL = item.ActionURL()
			if item.StagedVersion == 0 {
				shown.FixURL += "&return=" + url.QueryEscape(secret.AppURL(report.App))
			}
			shown.Staged = int(item.StagedVersion)
		}
		shown.Accounts = accountChoices(item, accounts)
		for _, near := range item.NearMisses {
			shown.NearMisses = append(shown.NearMisses, views.NearMiss{Key: string(near.Key), Reason: near.Reason, Team: near.Team})
		}
		check.Items = append(check.Items, shown)
	}
	return check
}

// accountChoices are the accounts that the app may be given of an integration;
// none where the primary one is all there is.
func accountChoices(item secret.Item, accounts []integration.Connection) []views.AccountChoice {
	if item.Kind != secret.KindIntegration {
		return nil
	}
	choices := []views.AccountChoice{{Source: item.Key, Name: "the primary account", Chosen: !item.Grant.Bound()}}
	for _, c := range accounts {
		if c.Provider == item.Link.Provider {
			choices = append(choices, views.AccountChoice{Source: c.ID, Name: c.Name(), Chosen: item.Grant.Bound() && string(item.Grant.SourceKey) == c.ID})
		}
	}
	if len(choices) <= 2 && !item.Grant.Bound() {
		return nil
	}
	return choices
}

// teamKeys are the team's keys, and those of them that the app does not declare
// and that are bound to none of its keys: it never receives them.
func (s *server) teamKeys(r *http.Request, session auth.Session, report secret.Report) (all, undeclared []string, err error) {
	keys, err := s.Secrets.Keys(r.Context(), session.Actor)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		all = append(all, string(key))
		declared := slices.ContainsFunc(report.Items, func(item secret.Item) bool {
			return item.Kind == secret.KindSecret && (item.Key == string(key) || item.Source() == key)
		})
		if !declared {
			undeclared = append(undeclared, string(key))
		}
	}
	return all, undeclared, nil
}

// grantsForm decides about a key that an app declares.
func (s *server) grantsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Apps.ByName(r.Context(), session.Actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	key := r.PostForm.Get("key")
	var f flash
	switch r.PostForm.Get("act") {
	case "approve":
		f.kind = flashGranted
		_, err = s.Apps.Approve(r.Context(), session.Actor, found.ID, []app.Approval{{Key: key}})
	case "bind":
		f.kind = flashBound
		_, err = s.Apps.Approve(r.Context(), session.Actor, found.ID, []app.Approval{{Key: key, SourceKey: r.PostForm.Get("source_key")}})
	case "revoke":
		f.kind = flashUngranted
		_, err = s.Apps.Revoke(r.Context(), session.Actor, found.ID, []string{key})
	case "deny":
		f.kind = flashDenied
		_, err = s.Apps.Revoke(r.Context(), session.Actor, found.ID, []string{key})
	default:
		return problem.Invalid("act", "it is approve, bind, revoke or deny")
	}
	if err != nil {
		return err
	}
	f.subject = key
	s.leaveFlash(w, f)
	redirect(w, r, secret.AppURL(found.FullName()))
	return nil
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
