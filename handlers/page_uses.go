package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/secret"
	"infsh/views"
)

// usesOf is who has a secret, for its page and its dialogs.
func (s *server) usesOf(r *http.Request, session auth.Session, key string) (views.Uses, error) {
	uses, err := s.Secrets.Uses(r.Context(), session.Actor, key)
	if err != nil {
		return views.Uses{}, err
	}
	out := views.Uses{Version: int(uses.Version), OldLast: views.Ago(uses.OldLast(), s.now()), Unread: int(uses.Unread)}
	for _, u := range uses.HoldOld() {
		out.Old += len(u.Holders)
	}
	for _, u := range uses.Uses {
		out.Rows = append(out.Rows, s.useRow(u, uses))
	}
	return out, nil
}

func (s *server) useRow(u secret.Use, uses secret.Uses) views.UseRow {
	row := views.UseRow{
		AppRef: views.AppRef{Name: u.App, Optional: u.Optional}, Current: int(u.Current), Effect: string(u.Without), Because: u.Because,
		LastRun: views.Ago(u.LastRun.At, s.now()),
	}
	if u.As != uses.Key {
		row.As = string(u.As)
	}
	switch {
	case !u.Declared:
	case u.Optional:
		row.Needs = "optional"
	default:
		row.Needs = "required"
	}
	for _, h := range u.Holders {
		row.Holders = append(row.Holders, views.HolderRow{
			AppVersion: int(h.AppVersion), Version: int(h.Received.Version), At: views.Ago(h.Received.At, s.now()), RunID: h.Received.RunID,
			Old: h.Received.Version != uses.Version, NoMore: !h.Holds(), Before: int(h.Before.Version), BeforeAt: views.Ago(h.Before.At, s.now()),
		})
	}
	return row
}
