package handlers

import (
	"net/http"
	"net/url"

	"infsh/api"
	"infsh/audit"
	"infsh/team"
)

func (s *server) listActivity(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q := r.URL.Query()
	wanted, err := auditFilter(filterOf(q))
	if err != nil {
		return err
	}
	before, err := entryNumber(q)
	if err != nil {
		return err
	}
	found, err := s.Audit.Search(r.Context(), actor, wanted, before)
	if err != nil {
		return err
	}
	out := api.Activity{Items: []api.ActivityEntry{}, NextBefore: found.Next, SearchedTo: optionalTime(found.SearchedTo)}
	for _, e := range found.Entries {
		out.Items = append(out.Items, activityJSON(e))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) exportActivity(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.ActivityExport
	if err := decode(r, &body); err != nil {
		return err
	}
	wanted, err := auditFilter(body.ActivityFilter)
	if err != nil {
		return err
	}
	return s.writeExport(w, r, actor, wanted, audit.Format(body.Format))
}

func filterOf(q url.Values) api.ActivityFilter {
	return api.ActivityFilter{
		Key: q.Get("key"), App: q.Get("app"), Person: q.Get("person"), Kind: q.Get("kind"), Outcome: q.Get("outcome"), From: q.Get("from"), Until: q.Get("until"),
	}
}

func activityJSON(e audit.Entry) api.ActivityEntry {
	out := api.ActivityEntry{
		Seq: e.Seq, ID: e.ID, At: e.At, ActorKind: e.ActorKind, ActorID: e.ActorID, ActorName: e.ActorName, CredentialID: e.CredentialID,
		Action: e.Action, Target: e.Target, Outcome: string(e.Outcome), Reason: e.Reason, Versions: []api.ActivityVersion{},
		RunID: e.RunID, RemoteAddr: e.RemoteAddr, RequestID: e.RequestID,
	}
	for _, v := range e.Versions {
		out.Versions = append(out.Versions, api.ActivityVersion{Key: v.Key, Version: v.Version})
	}
	return out
}
