package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/team"
	"infsh/views"
)

const (
	// shownUnused is how many unused keys are named, and shownApps how many apps
	// that lack the same key.
	shownUnused = 10
	shownApps   = 3
)

func (s *server) suggestionsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Secrets.Suggest(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	model := views.Suggestions{CanEdit: session.Actor.Can(team.SetSecret), MoreUnused: max(0, len(found.Unused)-shownUnused)}
	for _, m := range found.Missing {
		key := views.MissingKey{Key: string(m.Key), Description: m.Description, Required: m.Required > 0, MoreApps: max(0, len(m.Apps)-shownApps)}
		for _, app := range m.Apps[:min(shownApps, len(m.Apps))] {
			key.Apps = append(key.Apps, views.AppRef{Name: app})
		}
		model.Missing = append(model.Missing, key)
	}
	for _, u := range found.Unused[:min(shownUnused, len(found.Unused))] {
		why := "No app declares it."
		if u.Declared {
			why = "It is declared, and no run has ever received it."
		}
		model.Unused = append(model.Unused, views.UnusedKey{Key: string(u.Key), Created: views.Ago(u.CreatedAt, s.now()), Why: why})
	}
	if wants(r, "suggestions") {
		s.render(w, r, http.StatusOK, views.SuggestionsView(model))
		return nil
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = settingsHome
	s.render(w, r, http.StatusOK, views.SuggestionsPage(p, model))
	return nil
}
