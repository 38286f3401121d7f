package handlers

import (
	"net/http"
	"net/url"

	"infsh/auth"
	"infsh/listing"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// mostFound is how many of one kind a search over everything shows.
const mostFound = 6

// findPage finds pages, keys, apps and teams by their names: for the palette, or
// as a page of its own.
func (s *server) findPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	term := listState(r.URL.Query()).Query
	model := views.Find{Query: term, Groups: []views.FoundGroup{views.FoundPages(term, views.Doing{
		AddSecret: session.Actor.Can(team.SetSecret), CreateAPIKey: session.Actor.Can(team.CreateAPIKey), Invite: session.Actor.Can(team.InviteMember),
	})}}
	if term != "" {
		keys, err := s.foundKeys(r, session, term)
		if err != nil {
			return err
		}
		apps, err := s.foundApps(r, session, term)
		if err != nil {
			return err
		}
		// A name that somebody knows comes before the pages.
		model.Groups = append([]views.FoundGroup{keys, apps}, model.Groups...)
	}
	teams := p.FoundTeams(term)
	teams.Items = teams.Items[:min(len(teams.Items), 2*mostFound)]
	model.Groups = append(model.Groups, teams)
	if wants(r, "find-results") {
		s.render(w, r, http.StatusOK, views.FindResults(model))
		return nil
	}
	s.render(w, r, http.StatusOK, views.FindPage(p, model))
	return nil
}

func (s *server) foundKeys(r *http.Request, session auth.Session, term string) (views.FoundGroup, error) {
	group, limit := views.FoundGroup{Label: "Keys"}, mostFound
	query, err := secret.Listing.Parse(listing.Request{Search: &listing.Search{Fields: []string{"key"}, Term: term}, Limit: &limit})
	if err != nil {
		return group, err
	}
	page, err := s.Secrets.Page(r.Context(), session.Actor, query)
	for _, found := range page.Items {
		group.Items = append(group.Items, views.FoundKey(string(found.Key), found.Description))
	}
	if page.Total > len(page.Items) {
		group.More = settingsHome + "?" + url.Values{"q": {term}}.Encode()
	}
	return group, err
}

func (s *server) foundApps(r *http.Request, session auth.Session, term string) (views.FoundGroup, error) {
	group := views.FoundGroup{Label: "Apps"}
	apps, err := s.Apps.List(r.Context(), session.Actor)
	for _, found := range apps {
		if views.Matches(found.FullName(), term) && len(group.Items) < mostFound {
			group.Items = append(group.Items, views.FoundApp(found.FullName(), found.Description))
		}
	}
	return group, err
}
