package handlers

import (
	"fmt"
	"net/http"
	"slices"

	"infsh/auth"
	"infsh/envvar"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// deleteSecretsForm deletes the secrets that were ticked in the list. It asks
// first, by their names.
func (s *server) deleteSecretsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	keys := r.PostForm["key"]
	if !ticked(r, "confirmed") && session.Actor.Can(team.DeleteSecret) && len(keys) > 0 && len(keys) <= secret.MaxDelete {
		return s.askToDelete(w, r, session, keys)
	}
	deletion, err := s.Secrets.Delete(r.Context(), session.Actor, keys...)
	if err != nil {
		return err
	}
	return s.secretsDeleted(w, r, session, deletion)
}

func (s *server) askToDelete(w http.ResponseWriter, r *http.Request, session auth.Session, keys []string) error {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	ask := views.DeleteSecrets{List: currentList(r)}
	declaring, err := s.Secrets.Declaring(r.Context(), session.Actor, keys)
	if err != nil {
		return err
	}
	// What no app declares needs no closer look.
	declared := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return len(declaring[envvar.Key(key)]) == 0 })
	uses, err := s.Secrets.UsesOfAll(r.Context(), session.Actor, declared...)
	if err != nil {
		return err
	}
	for _, key := range keys {
		one := views.DeleteKey{Key: key}
		if i := slices.Index(declared, key); i >= 0 {
			for _, u := range uses[i].Uses {
				one.UsedBy = append(one.UsedBy, s.useRow(u, uses[i]))
			}
		}
		ask.Keys = append(ask.Keys, one)
	}
	if wants(r, "dialog") {
		p, err := s.chrome(w, r, session)
		if err != nil {
			return err
		}
		s.render(w, r, http.StatusOK, views.DeleteSecretsDialog(p, ask))
		return nil
	}
	p, model, err := s.secrets(w, r, session, ask.List)
	if err != nil {
		return err
	}
	p.Path, model.DeleteMany = settingsHome, &ask
	s.render(w, r, http.StatusOK, views.SecretsPage(p, model))
	return nil
}

// secretsDeleted shows the list, and offers to undo the deletion.
func (s *server) secretsDeleted(w http.ResponseWriter, r *http.Request, session auth.Session, deletion secret.Deletion) error {
	f := flash{kind: flashDeleted, subject: subjectOf(deletion.Keys), undo: deletion.ID}
	if len(deletion.Keys) > 1 {
		f.kind = flashDeletedAll
	}
	return s.secretsSaved(w, r, session, f, "")
}

func (s *server) restoreSecretsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id := r.PathValue("id")
	keys, err := s.Secrets.Restore(r.Context(), session.Actor, id)
	if err != nil {
		return err
	}
	f := flash{kind: flashRestored, subject: subjectOf(keys), undone: id}
	if len(keys) > 1 {
		f.kind = flashRestoredAll
	}
	return s.secretsSaved(w, r, session, f, "")
}

// subjectOf names one key, and counts several.
func subjectOf(keys []envvar.Key) string {
	if len(keys) == 1 {
		return string(keys[0])
	}
	return fmt.Sprintf("%d secrets", len(keys))
}
