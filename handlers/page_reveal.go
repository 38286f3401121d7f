package handlers

import (
	"fmt"
	"net/http"
	"net/url"

	"infsh/auth"
	"infsh/views"
)

// revealSeconds is how long a page shows a value.
const revealSeconds = 30

// revealSecretForm shows a value, for a short while. The route asks for a fresh
// proof of who the person is.
func (s *server) revealSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key := r.PathValue("key")
	found, value, err := s.Secrets.Reveal(r.Context(), session.Actor, key)
	if err != nil {
		return err
	}
	home := "/settings/secrets/" + url.PathEscape(string(found.Key))
	shown := views.Revealed{Key: string(found.Key), Version: int(found.Version), Value: value.Reveal(), Seconds: revealSeconds, Home: home}
	if wants(r, "dialog") {
		if fromList(r) {
			shown.Home = currentList(r).URL()
		}
		s.render(w, r, http.StatusOK, views.RevealDialog(shown))
		return nil
	}
	p, model, err := s.secretDetail(w, r, session, key)
	if err != nil {
		return err
	}
	// Without a script the browser itself leaves the page. The cookie that the
	// next one takes away keeps it from coming back out of the browser's memory.
	s.leaveFlash(w, flash{kind: flashHidden, subject: string(found.Key)})
	w.Header().Set("Refresh", fmt.Sprintf("%d; url=%s", revealSeconds, home))
	p.Path, model.Reveal = home, &shown
	s.render(w, r, http.StatusOK, views.SecretPage(p, model))
	return nil
}
