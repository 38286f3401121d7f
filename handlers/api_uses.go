package handlers

import (
	"net/http"

	"infsh/api"
	"infsh/secret"
	"infsh/team"
)

func (s *server) secretUses(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	uses, err := s.Secrets.Uses(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	out := api.SecretUses{
		Key: string(uses.Key), Version: uses.Version, Items: []api.SecretUse{}, OldLastReceivedAt: optionalTime(uses.OldLast()), UnreadEntries: uses.Unread,
	}
	for _, u := range uses.Uses {
		out.Items = append(out.Items, useJSON(u))
	}
	return writeJSON(w, http.StatusOK, out)
}

func useJSON(u secret.Use) api.SecretUse {
	out := api.SecretUse{
		App: u.App, CurrentVersion: u.Current, Declared: u.Declared, Waits: u.Waits, DeclaredKey: string(u.As), Optional: u.Optional, Grant: string(u.Grant),
		Without: string(u.Without), Because: u.Because, Holders: []api.SecretHolder{},
	}
	if u.LastRun.Seq > 0 {
		out.LastRun = &api.SecretRun{AppVersion: u.LastRun.AppVersion, At: u.LastRun.At, RunID: u.LastRun.RunID}
	}
	for _, h := range u.Holders {
		out.Holders = append(out.Holders, api.SecretHolder{
			AppVersion: h.AppVersion, Version: h.Received.Version, ReceivedAt: h.Received.At, RunID: h.Received.RunID, LastRunReceived: h.Holds(),
			BeforeVersion: h.Before.Version, BeforeAt: optionalTime(h.Before.At),
		})
	}
	return out
}
