package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"infsh/auth"
	"infsh/federation"
	"infsh/problem"
	"infsh/team"
	"infsh/views"
)

const trustsHome = "/settings/runners"

func (s *server) trustsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	preset := federation.Preset(r.URL.Query().Get("preset"))
	if !slices.Contains(federation.Presets, preset) {
		preset = federation.GitHub
	}
	form := views.TrustForm{Preset: string(preset), Reuse: preset.DefaultReuse()}
	if preset == federation.GitLab {
		form.Issuer = preset.Issuer()
	}
	return s.showTrusts(w, r, session, http.StatusOK, form, nil)
}

func (s *server) showTrusts(w http.ResponseWriter, r *http.Request, session auth.Session, status int, form views.TrustForm, ticked []string) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	all, err := s.Trusts.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	apps, err := s.Apps.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	form.Site = s.Trusts.Site()
	for _, a := range apps {
		form.Apps = append(form.Apps, views.AppChoice{Name: a.FullName(), Ticked: slices.Contains(ticked, a.FullName())})
	}
	slices.SortFunc(form.Apps, func(a, b views.AppChoice) int { return strings.Compare(a.Name, b.Name) })
	model := views.Trusts{CanEdit: session.Actor.Can(team.CreateTrust), Form: form}
	members, err := s.Accounts.Members(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	makers := map[string]string{}
	for _, m := range members {
		makers[m.UserID] = m.Email
	}
	for _, t := range all {
		row := s.trustRow(t)
		row.By = makers[t.CreatedByID]
		model.Rows = append(model.Rows, row)
	}
	s.render(w, r, status, views.TrustsPage(p, model))
	return nil
}

func (s *server) trustRow(t federation.Trust) views.TrustRow {
	row := views.TrustRow{
		ID: t.ID, Name: t.Name, Issuer: t.Issuer, Audience: s.Trusts.Audience(t), GivenKeys: t.JWKS != "", Reuse: t.Reuse,
		LastUsed: views.Ago(t.LastUsedAt, s.now()), LastSubject: t.LastSubject, Created: views.Ago(t.CreatedAt, s.now()),
	}
	for _, c := range t.Conditions {
		sign := " = "
		if c.Type != federation.String {
			sign = " := "
		}
		row.Conditions = append(row.Conditions, c.Claim+sign+strings.Join(c.Values, " or "))
	}
	for _, a := range t.Apps {
		row.Apps = append(row.Apps, a.Name)
	}
	row.Snippet = s.trustSnippet(t)
	return row
}

// trustSnippet is what a pipeline or workload needs to exchange its token.
func (s *server) trustSnippet(t federation.Trust) string {
	app := "NAMESPACE/NAME"
	if len(t.Apps) > 0 {
		app = t.Apps[0].Name
	}
	site, audience := s.Trusts.Site(), s.Trusts.Audience(t)
	other := ""
	if audience != site {
		other = audience
	}
	switch t.Preset {
	case federation.GitHub:
		text := "permissions:\n  id-token: write\n  contents: read\nenv:\n  INFSH_URL: " + site + "\n"
		if other != "" {
			text += "  INFSH_ID_TOKEN_AUDIENCE: " + other + "\n"
		}
		return text + "steps:\n  - run: infsh run --app " + app + " -- ./command\n"
	case federation.GitLab:
		return "job:\n  id_tokens:\n    INFSH_ID_TOKEN:\n      aud: " + audience + "\n  variables:\n    INFSH_URL: " + site + "\n  script:\n    - infsh run --app " + app + " -- ./command\n"
	case federation.Kubernetes:
		return fmt.Sprintf("containers:\n  - name: app\n    command: [infsh, run, --app, %s, --, ./command]\n    env:\n      - {name: INFSH_URL, value: %q}\n    volumeMounts:\n      - {name: infsh-token, mountPath: /var/run/secrets/infsh, readOnly: true}\n"+
			"volumes:\n  - name: infsh-token\n    projected:\n      sources:\n        - serviceAccountToken: {path: token, audience: %q, expirationSeconds: 3600}\n", app, site, audience)
	}
	return "# The token's audience: " + audience + "\nexport INFSH_URL=" + site + "\nexport INFSH_ID_TOKEN_FILE=/path/of/the/token\ninfsh run --app " + app + " -- ./command\n"
}

func (s *server) createTrustForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	f := r.PostForm
	form := views.TrustForm{
		Preset: f.Get("preset"), Name: f.Get("name"), Issuer: f.Get("issuer"), Audience: f.Get("audience"), JWKS: f.Get("jwks"),
		Repository: f.Get("repository"), Branch: f.Get("branch"), Environment: f.Get("environment"), Project: f.Get("project"), Ref: f.Get("ref"),
		Protected: f.Get("protected") != "", Namespace: f.Get("namespace"), ServiceAccount: f.Get("service_account"), Conditions: f.Get("conditions"), Reuse: f.Get("reuse") != "",
	}
	conditions, err := federation.ParseConditions(form.Conditions)
	if err != nil {
		err = problem.Invalid("conditions", "%v", err)
	} else {
		_, err = s.Trusts.Create(r.Context(), session.Actor, federation.Draft{
			Name: form.Name, Preset: form.Preset, Issuer: form.Issuer, Audience: form.Audience, JWKS: form.JWKS, Conditions: conditions, Apps: f["apps"], Reuse: &form.Reuse,
			Fields: federation.Fields{
				Repository: form.Repository, Branch: form.Branch, Environment: form.Environment, Project: form.Project, Ref: form.Ref, Protected: form.Protected,
				Namespace: form.Namespace, ServiceAccount: form.ServiceAccount,
			},
		})
	}
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		if form.Errors = fields; form.Preset == "" {
			form.Preset = string(federation.GitHub)
		}
		return s.showTrusts(w, r, session, http.StatusUnprocessableEntity, form, f["apps"])
	}
	s.leaveFlash(w, flash{kind: flashTrusted, subject: strings.TrimSpace(form.Name)})
	redirect(w, r, trustsHome)
	return nil
}

func (s *server) deleteTrustForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Trusts.Delete(r.Context(), session.Actor, r.PathValue("id")); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashDistrusted})
	redirect(w, r, trustsHome)
	return nil
}
