package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"infsh/auth"
	"infsh/problem"
	"infsh/team"
	"infsh/views"
)

// scopeWords say in plain words what each scope lets a key do.
var scopeWords = map[team.Scope]string{
	team.ScopeSecretsRead:       "List secrets, and reveal them where its owner may",
	team.ScopeSecretsWrite:      "Set and delete secrets",
	team.ScopeAppsRead:          "List and check apps",
	team.ScopeAppsWrite:         "Deploy apps",
	team.ScopeAppsExecute:       "Receive an app's secrets, to run it",
	team.ScopeIntegrationsRead:  "List integrations",
	team.ScopeIntegrationsWrite: "Connect integrations",
	team.ScopeTeamsRead:         "See the team and its members",
	team.ScopeTeamsWrite:        "Change the team and its members",
	team.ScopeAPIKeysRead:       "List API keys",
	team.ScopeAPIKeysWrite:      "Make and revoke API keys",
	team.ScopeUserRead:          "See whose key it is",
}

// The presets of the form.
const (
	presetAll    = "all"
	presetRunner = "runner"
	presetRead   = "read"
	presetCustom = "custom"
)

var presetScopes = map[string][]string{
	presetRunner: {string(team.ScopeAppsExecute)},
	presetRead:   {string(team.ScopeAppsRead), string(team.ScopeSecretsRead), string(team.ScopeTeamsRead), string(team.ScopeUserRead)},
}

func (s *server) apiKeysPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	q := r.URL.Query()
	p, model, err := s.apiKeys(w, r, session)
	if err != nil {
		return err
	}
	if q.Has("add") {
		form, err := s.newAPIKeyForm(r, session)
		if err != nil {
			return err
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.APIKeyDialog(p, form))
			return nil
		}
		model.Add = &form
	}
	if id := q.Get("revoke"); id != "" {
		i := slices.IndexFunc(model.Rows, func(row views.APIKeyRow) bool { return row.ID == id && row.CanRevoke })
		if i < 0 {
			return problem.New(problem.NotFound, "Not found: there is no such API key in this team.")
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.RevokeAPIKeyDialog(p, model.Rows[i]))
			return nil
		}
		model.Revoke = &model.Rows[i]
	}
	if id := q.Get("takeover"); id != "" {
		i := slices.IndexFunc(model.Rows, func(row views.APIKeyRow) bool { return row.ID == id && row.CanTakeOver })
		if i < 0 {
			return problem.New(problem.NotFound, "Not found: there is no such API key in this team.")
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.TakeOverAPIKeyDialog(p, model.Rows[i]))
			return nil
		}
		model.TakeOver = &model.Rows[i]
	}
	s.render(w, r, http.StatusOK, views.APIKeysPage(p, model))
	return nil
}

// newAPIKeyForm offers what the person can give a key.
func (s *server) newAPIKeyForm(r *http.Request, session auth.Session) (views.APIKeyForm, error) {
	form := views.APIKeyForm{Preset: presetAll, CanService: session.Actor.Can(team.ServiceAPIKey)}
	apps, err := s.Apps.List(r.Context(), session.Actor)
	if err != nil {
		return form, err
	}
	for _, a := range apps {
		form.Apps = append(form.Apps, a.FullName())
	}
	slices.Sort(form.Apps)
	for _, scope := range team.EveryScope() {
		if len(team.Backed(team.Scopes{scope}, session.Actor.Role(), session.Actor.MembersMayEdit(), false)) > 0 {
			form.Choice = append(form.Choice, views.ScopeChoice{Scope: string(scope), Words: scopeWords[scope]})
		}
	}
	return form, nil
}

func (s *server) apiKeys(w http.ResponseWriter, r *http.Request, session auth.Session) (views.Page, views.APIKeys, error) {
	model := views.APIKeys{CanCreate: session.Actor.Can(team.CreateAPIKey)}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return p, model, err
	}
	keys, err := s.Keys.List(r.Context(), session.Actor)
	if err != nil {
		return p, model, err
	}
	for _, k := range keys {
		model.Rows = append(model.Rows, s.apiKeyRow(k, session.Actor))
	}
	return p, model, nil
}

func (s *server) apiKeyRow(k auth.Key, actor team.Actor) views.APIKeyRow {
	row := views.APIKeyRow{
		ID: k.ID, Name: k.Name, Masked: k.Masked(), Kind: "API key", Scopes: k.EffectiveScopes().Strings(), Words: scopesInWords(k.Scopes),
		CreatedBy: k.Email, Created: views.Ago(k.CreatedAt, s.now()), LastUsed: views.Ago(k.LastUsedAt, s.now()),
		CanRevoke: actor.Can(team.RevokeAPIKey) && (k.UserID == actor.UserID() || actor.Role().AtLeast(team.Admin)),
		App:       k.App.Name, Service: string(k.Service), Proposed: string(team.Member),
		CanTakeOver: k.Kind == team.Key && !k.IsService() && actor.Can(team.ServiceAPIKey),
	}
	if k.Role.AtLeast(team.Admin) {
		row.Proposed = string(team.Admin)
	}
	if !k.App.IsZero() && k.App.Name == "" {
		row.App = "an app that was deleted"
	}
	if !k.ExpiresAt.IsZero() {
		row.Expires = views.Stamp{At: k.ExpiresAt}
	}
	switch {
	case k.Kind == team.Login:
		row.Kind = "Command line login"
	case isRunner(k.Scopes):
		row.Kind = "Runner key"
	}
	return row
}

func isRunner(s team.Scopes) bool { return len(s) == 1 && s[0] == team.ScopeAppsExecute }

func scopesInWords(s team.Scopes) string {
	switch {
	case len(s) == 0:
		return "Nothing"
	case s.Cover(team.EveryScope()):
		return "Everything its owner may do"
	case isRunner(s):
		return "Runs apps, nothing else"
	}
	var words []string
	for _, scope := range team.EveryScope() {
		if s.Allow(scope) {
			words = append(words, scopeWords[scope])
		}
	}
	return strings.Join(words, ". ")
}

func (s *server) createAPIKeyForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form, err := s.newAPIKeyForm(r, session)
	if err != nil {
		return err
	}
	form.Expires, form.App, form.Service = r.PostForm.Get("expires"), r.PostForm.Get("app"), r.PostForm.Get("service_role")
	form.Name, form.Preset, form.Scopes = r.PostForm.Get("name"), r.PostForm.Get("preset"), r.PostForm["scopes"]
	var scopes *[]string
	switch preset := presetScopes[form.Preset]; {
	case preset != nil:
		scopes = &preset
	case form.Preset == presetCustom:
		scopes = &form.Scopes
	case form.Preset != presetAll && form.Preset != "":
		return problem.Invalid("preset", "it must be all, runner, read or custom")
	}
	if form.Preset != presetRunner {
		form.App = "" // The page shows that choice to runners' keys alone.
	}
	expires, err := inDays(form.Expires, s.now())
	if err != nil {
		return err
	}
	key, token, err := s.Keys.Create(r.Context(), session.Actor, auth.NewKey{
		Name: form.Name, Scopes: scopes, ExpiresAt: expires, App: form.App, ServiceRole: form.Service,
	})
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		p, model, err := s.apiKeys(w, r, session)
		if err != nil {
			return err
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusUnprocessableEntity, views.APIKeyDialog(p, form))
			return nil
		}
		model.Add = &form
		s.render(w, r, http.StatusUnprocessableEntity, views.APIKeysPage(p, model))
		return nil
	}
	p, model, err := s.apiKeys(w, r, session)
	if err != nil {
		return err
	}
	// The only page that ever shows a credential, and only this once.
	model.Created = &views.NewAPIKey{Name: key.Name, Token: token.Reveal(), Runner: isRunner(key.Scopes)}
	if isPartial(r) {
		s.render(w, r, http.StatusOK, views.APIKeyCreated(p, model))
		return nil
	}
	s.render(w, r, http.StatusOK, views.APIKeysPage(p, model))
	return nil
}

// inDays reads one of the form's choices; empty is never.
func inDays(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 3660 {
		return time.Time{}, problem.Invalid("expires", "it is a number of days from now")
	}
	return now.UTC().AddDate(0, 0, n), nil
}

// changeAPIKeyForm revokes a key or makes it the team's own.
func (s *server) changeAPIKeyForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	switch r.PostForm.Get(methodField) {
	case http.MethodDelete:
		return s.revokeAPIKeyForm(w, r, session)
	case takeOverMethod:
		key, err := s.Keys.TakeOver(r.Context(), session.Actor, r.PathValue("id"), r.PostForm.Get("service_role"))
		if err != nil {
			return err
		}
		return s.apiKeyChanged(w, r, session, flash{kind: flashService, subject: key.Name})
	}
	return problem.Invalid(methodField, "it must be DELETE or %s", takeOverMethod)
}

// takeOverMethod stands in the form that makes a key the team's own.
const takeOverMethod = "SERVICE"

func (s *server) revokeAPIKeyForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id := r.PathValue("id")
	_, before, err := s.apiKeys(w, r, session)
	if err != nil {
		return err
	}
	name := "you chose"
	for _, row := range before.Rows {
		if row.ID == id {
			name = row.Name
		}
	}
	if err := s.Keys.Revoke(r.Context(), session.Actor, id); err != nil {
		return err
	}
	return s.apiKeyChanged(w, r, session, flash{kind: flashRevoked, subject: name})
}

// apiKeyChanged shows the list as it is now, and says what was done.
func (s *server) apiKeyChanged(w http.ResponseWriter, r *http.Request, session auth.Session, f flash) error {
	if !isPartial(r) {
		s.leaveFlash(w, f)
		redirect(w, r, "/settings/apikeys")
		return nil
	}
	p, model, err := s.apiKeys(w, r, session)
	if err != nil {
		return err
	}
	toast(w, f)
	s.render(w, r, http.StatusOK, views.APIKeysSaved(p, model))
	return nil
}
