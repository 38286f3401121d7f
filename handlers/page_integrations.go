package handlers

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"infsh/auth"
	"infsh/integration"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

const integrationsHome = "/settings/integrations"

func (s *server) integrationsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	all, err := s.Integrations.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	wanted, err := s.wanted(r, session)
	if err != nil {
		return err
	}
	model := views.Integrations{}
	for _, one := range wanted {
		if one.item.State == secret.Set {
			continue
		}
		i := slices.IndexFunc(model.Needs, func(n views.IntegrationNeed) bool { return n.Key == one.item.Key })
		if i < 0 {
			model.Needs = append(model.Needs, views.IntegrationNeed{Key: one.item.Key, Message: one.item.Message(session.Actor.TeamName()), URL: one.item.ActionURL()})
			i = len(model.Needs) - 1
		}
		model.Needs[i].Apps = append(model.Needs[i].Apps, one.app)
	}
	for _, c := range all {
		model.Accounts = append(model.Accounts, s.linkedAccount(c, all, wanted))
	}
	for _, provider := range s.Integrations.Catalogue().Providers() {
		card := views.ProviderCard{ID: provider.ID, Name: provider.Name, About: provider.About}
		for _, c := range all {
			if c.Provider == provider.ID {
				card.Accounts++
			}
		}
		model.Providers = append(model.Providers, card)
	}
	s.render(w, r, http.StatusOK, views.IntegrationsPage(p, model))
	return nil
}

// wantedItem is a declared integration with the decision about it.
type wantedItem struct {
	app  views.AppRef
	item secret.Item
}

// wanted lists what the team's apps declare in their current version.
func (s *server) wanted(r *http.Request, session auth.Session) ([]wantedItem, error) {
	apps, err := s.Apps.List(r.Context(), session.Actor)
	if err != nil {
		return nil, err
	}
	var out []wantedItem
	for _, a := range apps {
		if !slices.ContainsFunc(a.Current.Requirements, func(q secret.Requirement) bool { return q.Kind == secret.KindIntegration }) {
			continue
		}
		_, report, err := s.Secrets.CheckVersion(r.Context(), session.Actor, a.FullName(), "")
		if errors.Is(err, problem.NotFound) {
			continue // It was deleted since.
		}
		if err != nil {
			return nil, err
		}
		for _, item := range report.Items {
			if item.Kind == secret.KindIntegration {
				out = append(out, wantedItem{app: views.AppRef{Name: a.FullName(), Optional: item.Optional}, item: item})
			}
		}
	}
	return out, nil
}

func (s *server) linkedAccount(c integration.Connection, all []integration.Connection, wanted []wantedItem) views.LinkedAccount {
	now := s.now()
	out := views.LinkedAccount{
		ID: c.ID, Provider: c.Provider, ProviderName: c.Provider, Name: c.Name(), Kind: string(c.Type), Status: string(c.Status), Problem: c.Problem, Primary: c.Primary,
		Connected: views.Ago(c.CreatedAt, now), Refreshed: views.Ago(c.RefreshedAt, now), Renews: !c.RefreshAt.IsZero() || c.Failures > 0, OAuth: c.Type == integration.OAuth,
	}
	for _, other := range all {
		if other.ID != c.ID && other.Provider == c.Provider && other.Type == c.Type {
			out.Several = true
		}
	}
	for _, one := range wanted {
		if one.item.Link.Connection.ID != c.ID || one.item.State != secret.Set {
			continue
		}
		if !slices.Contains(out.Uses, one.app) {
			out.Uses = append(out.Uses, one.app)
		}
		if !one.item.Optional && !slices.Contains(out.Stops, one.app) {
			out.Stops = append(out.Stops, one.app)
		}
	}
	p, ok := s.Integrations.Catalogue().Provider(c.Provider)
	if !ok {
		return out
	}
	out.ProviderName = p.Name
	k, ok := p.Kind(c.Type)
	if !ok {
		return out
	}
	out.Kind, out.Env = k.Name, k.Names()
	if k.Scoped() {
		out.Can, out.Other = p.InWords(k, c.Scopes)
		for _, capability := range p.Capabilities {
			if capability.ServedBy(c.Type) && len(c.Lacking(p, capability.Scopes)) > 0 {
				out.Adds = append(out.Adds, views.CapabilityChoice{Key: capability.Key, Words: capability.Words})
			}
		}
	}
	return out
}

func (s *server) integrationPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showIntegration(w, r, session, http.StatusOK, shownForm{})
}

// shownForm is what the last attempt came to.
type shownForm struct {
	kind   string
	client bool
	errors views.FieldErrors
}

func (s *server) showIntegration(w http.ResponseWriter, r *http.Request, session auth.Session, status int, shown shownForm) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	provider, ok := s.Integrations.Catalogue().Provider(r.PathValue("provider"))
	if !ok {
		return problem.New(problem.NotFound, "There is no such provider.")
	}
	all, err := s.Integrations.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	clients, err := s.Integrations.Clients(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	wanted, err := s.wanted(r, session)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	model := views.IntegrationDetail{
		ID: provider.ID, Name: provider.Name, About: provider.About, CanEdit: session.Actor.Can(team.ConnectIntegration), RedirectURL: s.Integrations.RedirectURL(),
	}
	need := map[string]bool{}
	for _, key := range q["need"] {
		if capability, ok := s.Integrations.Catalogue().Find(key); ok && capability.Provider.ID == provider.ID {
			need[key] = true
			model.Need = "An app declares " + key + ": " + capability.Words + "."
		}
	}
	for _, key := range r.PostForm["capability"] {
		need[key] = true // a refused form comes back as it was sent
	}
	for _, one := range wanted {
		if one.item.Link.Provider == provider.ID && len(q["need"]) == 0 && one.item.State != secret.Set {
			need[one.item.Key] = true
		}
	}
	tick := func(choices []views.CapabilityChoice) []views.CapabilityChoice {
		for i := range choices {
			choices[i].Ticked = need[choices[i].Key]
		}
		return choices
	}
	for _, c := range all {
		if c.Provider == provider.ID {
			account := s.linkedAccount(c, all, wanted)
			account.Adds = tick(account.Adds)
			model.Accounts = append(model.Accounts, account)
		}
	}
	for _, k := range provider.Kinds {
		form := views.KindForm{Type: string(k.Type), Name: k.Name, Docs: cmp.Or(k.Docs, provider.Docs), Steps: k.Steps, OAuth: k.Type == integration.OAuth, Host: k.Host()}
		for _, c := range clients {
			if c.Provider == provider.ID && form.OAuth {
				form.ClientID = c.ClientID
			}
		}
		for _, f := range k.Fields {
			field := views.KindField{Key: f.Key, Label: f.Label, Placeholder: f.Placeholder, Sensitive: f.Sensitive, Long: f.Long, Optional: f.Optional}
			field.Value = f.Default
			if !f.Sensitive && shown.kind == form.Type {
				field.Value = r.PostForm.Get("field_" + f.Key)
			}
			form.Fields = append(form.Fields, field)
		}
		if form.OAuth {
			for _, capability := range provider.Capabilities {
				if capability.ServedBy(k.Type) && len(capability.Scopes) > 0 {
					form.Choices = append(form.Choices, views.CapabilityChoice{Key: capability.Key, Words: capability.Words})
				}
			}
			form.Choices = tick(form.Choices)
			form.Scopes = append(q["scope"], r.PostForm["scope"]...)
		}
		if k.Type == integration.Federation {
			if form.Setup, err = s.setupView(r, session, k, shown.kind == form.Type); err != nil {
				return err
			}
		}
		switch {
		case shown.client && form.OAuth:
			form.ClientErrors = shown.errors
			form.ClientID = r.PostForm.Get("client_id")
		case shown.kind == form.Type:
			form.Errors = shown.errors
		}
		model.Kinds = append(model.Kinds, form)
	}
	s.render(w, r, status, views.IntegrationPage(p, model))
	return nil
}

// integrationForm is what the forms and buttons of a provider's page do.
func (s *server) integrationForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id, ctx, form := r.PathValue("provider"), r.Context(), r.PostForm
	to, kind, account := integrationsHome+"/"+url.PathEscape(id), form.Get("kind"), form.Get("account")
	fields := map[string]redact.Value{}
	for name := range form {
		if key, ok := strings.CutPrefix(name, "field_"); ok {
			fields[key] = secretField(r, name)
		}
	}
	var f flash
	shown := shownForm{kind: kind}
	var err error
	switch form.Get("do") {
	case "client":
		shown.client = true
		if _, err = s.Integrations.SetClient(ctx, session.Actor, id, form.Get("client_id"), secretField(r, "client_secret")); err == nil {
			f.kind = flashClient
		}
	case "begin":
		var begun integration.Begun
		begun, err = s.Integrations.Begin(ctx, session.Actor, integration.Begin{Provider: id, Capabilities: form["capability"], Scopes: form["scope"], ConnectionID: account, Fields: fields})
		if err == nil {
			return s.showAuthorize(w, r, session, id, begun)
		}
	case "connect":
		var made integration.Connection
		if made, err = s.Integrations.Connect(ctx, session.Actor, integration.Typed{Provider: id, Type: integration.Type(kind), Fields: fields, ConnectionID: account}); err == nil {
			f = flash{kind: flashLinked, subject: made.Name()}
		}
	case "commands":
		if err = s.Integrations.Catalogue().Check(id, integration.Type(kind), fields); err == nil {
			return s.showIntegration(w, r, session, http.StatusOK, shown)
		}
	case "keys":
		if err = s.Integrations.MakeKeys(ctx, session.Actor); err == nil {
			return s.showIntegration(w, r, session, http.StatusOK, shown)
		}
	case "primary":
		var made integration.Connection
		if made, err = s.Integrations.MakePrimary(ctx, session.Actor, account); err == nil {
			f = flash{kind: flashPrimary, subject: made.Name()}
		}
	default:
		return problem.Invalid("do", "it must be client, begin, connect, commands, keys or primary")
	}
	if err != nil {
		status := http.StatusUnprocessableEntity
		wrong, ok := fieldErrors(err)
		var later *problem.Error
		if !ok && slices.Contains([]string{"client", "begin", "connect"}, form.Get("do")) && errors.As(err, &later) && later.Code == problem.Unavailable {
			// What says to try again leaves the form to do it with.
			status, wrong, ok = statuses[later.Code], views.FieldErrors{"": later.Detail}, true
			s.logFailure(r, later, status)
			setRetryAfter(w, later)
		}
		if !ok {
			return err
		}
		shown.errors = wrong
		return s.showIntegration(w, r, session, status, shown)
	}
	s.leaveFlash(w, f)
	redirect(w, r, to)
	return nil
}

// disconnectAccountForm can't be undone: the tokens are gone here, and at the
// provider.
func (s *server) disconnectAccountForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	gone, revoked, err := s.Integrations.Disconnect(r.Context(), session.Actor, r.PostForm.Get("account"))
	if err != nil {
		return err
	}
	f := flash{kind: flashKept, subject: gone.Name()}
	if revoked {
		f.kind = flashUnlinked
	}
	s.leaveFlash(w, f)
	redirect(w, r, integrationsHome+"/"+url.PathEscape(r.PathValue("provider")))
	return nil
}

// showAuthorize leads a person to the provider by a link: the content security
// policy keeps forms from leading elsewhere, by a redirect too.
func (s *server) showAuthorize(w http.ResponseWriter, r *http.Request, session auth.Session, id string, begun integration.Begun) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	provider, ok := s.Integrations.Catalogue().Provider(id)
	if !ok {
		return problem.New(problem.NotFound, "There is no such provider.")
	}
	model := views.Authorize{Provider: provider.Name, ProviderID: id, Host: begun.Host, URL: begun.URL}
	if k, ok := provider.Kind(integration.OAuth); ok {
		model.Can, model.Other = provider.InWords(k, begun.Scopes)
	}
	s.render(w, r, http.StatusOK, views.AuthorizePage(p, model))
	return nil
}

// integrationCallback is where providers lead people back to. What it receives
// is used up by whoever began it: the same session of a browser, or a command
// line, to which it is handed on. Nothing that the page leads to is told of the
// code in its address.
func (s *server) integrationCallback(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	q := r.URL.Query()
	in := integration.Answer{State: redact.NewValue(q.Get("state")), Code: redact.NewValue(q.Get("code")), Issuer: q.Get("iss"), Error: q.Get("error")}
	waiting, err := s.Integrations.Find(r.Context(), in.State)
	if err != nil {
		return err
	}
	if waiting.Session == "" {
		return s.handOn(w, r, waiting, in)
	}
	session, err := s.Authenticator.Session(r)
	if err != nil && !errors.Is(err, problem.NotSignedIn) {
		return err
	}
	if err != nil || session.ID != waiting.Session {
		return problem.New(problem.NotFound, "This connection was begun in another browser or session, or that has ended. Sign in, and connect again.")
	}
	made, err := s.Integrations.Complete(r.Context(), session.Actor, in)
	if err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashLinked, subject: made.Name()})
	redirect(w, r, integrationsHome+"/"+url.PathEscape(made.Provider))
	return nil
}

// handOn gives an answer to the command line that began it: on the person's own
// machine where it waits there, and else as text to be copied.
func (s *server) handOn(w http.ResponseWriter, r *http.Request, waiting integration.Waiting, in integration.Answer) error {
	answer := url.Values{}
	for name, value := range map[string]string{"code": in.Code.Reveal(), "iss": in.Issuer, "error": in.Error} {
		if value != "" {
			answer.Set(name, value)
		}
	}
	if waiting.Port > 0 {
		answer.Set("state", in.State.Reveal())
		http.Redirect(w, r, "http://127.0.0.1:"+strconv.Itoa(waiting.Port)+"/?"+answer.Encode(), http.StatusSeeOther)
		return nil
	}
	s.render(w, r, http.StatusOK, views.PastedCodePage(s.publicChrome(r), views.PastedCode{Provider: waiting.Provider.Name, Code: answer.Encode()}))
	return nil
}
