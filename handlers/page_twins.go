package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"infsh/auth"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// comparedTeams is with how many other teams a secret is compared at once.
const comparedTeams = 20

// twinsForm compares a secret with those of the person's other teams. It is a
// form, and no part of the page, since a comparison stands in the logs of both.
func (s *server) twinsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Secrets.Get(r.Context(), session.Actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	twins, err := s.twins(r, session, string(found.Key))
	if err != nil {
		return err
	}
	if wants(r, "twins") {
		s.render(w, r, http.StatusOK, views.TwinsView(twinNames(twins)))
		return nil
	}
	f := flash{kind: flashNoTwins, subject: string(found.Key)}
	if len(twins) > 0 {
		f = flash{kind: flashTwins, subject: strings.Join(twinNames(twins), ", ")}
	}
	s.leaveFlash(w, f)
	redirect(w, r, "/settings/secrets/"+url.PathEscape(string(found.Key)))
	return nil
}

// twins asks as the same person in each team where that one may reveal.
func (s *server) twins(r *http.Request, session auth.Session, key string) ([]secret.Twin, error) {
	if !session.Actor.Can(team.RevealSecret) {
		return nil, nil
	}
	teams, err := s.Accounts.Teams(r.Context(), session.Actor)
	if err != nil {
		return nil, err
	}
	var others []team.Actor
	for _, t := range teams {
		if t.ID == session.Actor.TeamID() || !t.Role.AtLeast(team.Admin) || len(others) == comparedTeams {
			continue
		}
		other, err := s.Authenticator.InTeam(r.Context(), session.Actor, t.ID)
		if err != nil {
			return nil, err
		}
		others = append(others, other)
	}
	return s.Secrets.Twins(r.Context(), session.Actor, others, key)
}

func twinNames(twins []secret.Twin) (names []string) {
	for _, t := range twins {
		names = append(names, t.Team)
	}
	return names
}

// twinNote says of a value that was just stored which other teams hold it. That
// it can't be told spoils nothing of what was done.
func (s *server) twinNote(r *http.Request, session auth.Session, written secret.Written) string {
	if written.Stored == 0 || written.Stored != written.Version {
		return ""
	}
	twins, err := s.twins(r, session, string(written.Key))
	if err != nil || len(twins) == 0 {
		return ""
	}
	return views.SameValue(twinNames(twins))
}
