package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"infsh/api"
	"infsh/audit"
	"infsh/auth"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// actWords say what an entry's action is.
var actWords = map[string]string{
	string(team.SetSecret):             "Set a secret",
	string(team.DeleteSecret):          "Deleted a secret",
	string(team.RestoreSecret):         "Restored a deleted secret",
	string(team.RevealSecret):          "Revealed a secret",
	string(team.RollbackSecret):        "Rolled a secret back",
	string(team.ListSecrets):           "Listed secrets",
	string(team.SecretHistory):         "Looked at a secret's history",
	string(team.DeployApp):             "Deployed an app",
	string(team.ResolveApp):            "Received an app's secrets",
	string(team.ReportPrinted):         "An app printed a secret, which was masked",
	string(team.CheckApp):              "Checked an app",
	string(team.ListApps):              "Listed apps",
	string(team.UpdateApp):             "Changed an app",
	string(team.MoveCurrent):           "Moved an app's current version",
	string(team.DeleteApp):             "Deleted an app",
	string(team.AllowGrant):            "Granted a key to an app",
	string(team.RevokeGrant):           "Revoked a key of an app",
	string(team.DenyGrant):             "Denied a key to an app",
	string(team.AskGrant):              "Asked for a key for an app",
	string(team.CreateAPIKey):          "Made an API key",
	string(team.RevokeAPIKey):          "Revoked an API key",
	string(team.ListAPIKeys):           "Listed API keys",
	string(team.ListTrusts):            "Listed trusted issuers",
	string(team.CreateTrust):           "Trusted an issuer of tokens",
	string(team.UpdateTrust):           "Changed a trusted issuer",
	string(team.DeleteTrust):           "Deleted a trusted issuer",
	audit.ActExchange:                  "Exchanged a platform's token",
	string(team.CreateTeam):            "Made the team",
	string(team.DeleteTeam):            "Deleted the team",
	string(team.EditTeam):              "Changed the team's settings",
	string(team.ChangeRole):            "Changed a role",
	string(team.RemoveMember):          "Removed a member",
	string(team.AddMember):             "Added a member",
	string(team.LeaveTeam):             "Left the team",
	string(team.RenameTeam):            "Renamed the team",
	string(team.TransferTeam):          "Handed the team over",
	string(team.ListInvites):           "Listed the invites",
	string(team.InviteMember):          "Invited a person",
	string(team.RevokeInvite):          "Revoked an invite",
	audit.ActAcceptInvite:              "Accepted an invite",
	string(team.ReadAudit):             "Read the activity",
	string(team.ExportAudit):           "Exported the activity",
	audit.ActSetup:                     "Set up the server",
	audit.ActCreateUser:                "Made an account",
	audit.ActLogin:                     "Signed in",
	audit.ActLogout:                    "Signed out",
	audit.ActSignOutAll:                "Signed out everywhere",
	audit.ActEndSignIn:                 "Signed out elsewhere",
	audit.ActSwitchTeam:                "Switched team",
	audit.ActConfirm:                   "Confirmed who they are",
	audit.ActChangePassword:            "Changed the password",
	audit.ActAddFactor:                 "Added a second factor",
	audit.ActRemoveFactor:              "Removed a second factor",
	audit.ActRecoveryCodes:             "Made recovery codes",
	audit.ActResetFactors:              "Removed all second factors",
	audit.ActConnectSignOn:             "Connected single sign-on",
	audit.ActDisconnectSignOn:          "Disconnected single sign-on",
	audit.ActDeviceApprove:             "Approved a command line login",
	audit.ActDeviceDeny:                "Denied a command line login",
	audit.ActDeviceLogin:               "Signed in on a command line",
	audit.ActRewrapDEK:                 "Wrapped the team's key anew",
	audit.ActDEKRotationStart:          "Began to replace the team's key",
	audit.ActRotateDEK:                 "Replaced the team's key",
	string(team.ListIntegrations):      "Listed integrations",
	string(team.ConnectIntegration):    "Connected an integration",
	string(team.ConfigureIntegration):  "Set a client for integrations",
	string(team.BeginIntegration):      "Began to connect an integration",
	string(team.DisconnectIntegration): "Disconnected an integration",
	"integration.refresh":              "Renewed the token of an integration",
	"integration.expire":               "An integration has to be connected again",

	string(team.CreateWebhook):  "Added a webhook",
	string(team.UpdateWebhook):  "Changed a webhook",
	string(team.RotateWebhook):  "Replaced a webhook's signing secret",
	string(team.TestWebhook):    "Tested a webhook",
	string(team.DeleteWebhook):  "Deleted a webhook",
	string(team.ListWebhooks):   "Listed webhooks",
	"webhook.disable":           "Switched a failing webhook off",
	string(team.StageSecret):    "Stored a value without using it",
	string(team.ActivateSecret): "Activated a version of a secret",
	string(team.DuplicateTeam):  "Duplicated the team",
	string(team.ScanSecrets):    "Looked for secrets in files",
	string(team.CompareSecrets): "Compared with another team",
	string(team.DismissKey):     "Decided to do without a key",
	string(team.RemindSecret):   "Changed when a secret is due",
}

// actGroups are the kinds of acts, in the order of the form. Each act is of the
// group whose name stands before its dot.
var actGroups = []struct{ name, label string }{
	{"secret", "Secrets"}, {"app", "Apps and runs"}, {"grant", "Grants"}, {"apikey", "API keys"}, {"trust", "Trusted issuers"}, {"runner", "Runners without keys"}, {"member", "Members"}, {"invite", "Invites"},
	{"team", "Team"}, {"session", "Sessions"}, {"device", "Command lines"}, {"account", "Accounts"}, {"webhook", "Webhooks"},
	{"integration", "Integrations"}, {"dek", "The team's key"}, {"audit", "Activity"},
}

// actKinds are what a person can choose from.
var actKinds = sync.OnceValue(func() (out []views.ActKinds) {
	for _, g := range actGroups {
		kinds := views.ActKinds{Name: g.name, Label: g.label}
		for act, words := range actWords {
			if strings.HasPrefix(act, g.name+".") {
				kinds.Acts = append(kinds.Acts, views.ActKind{Name: act, Label: words})
			}
		}
		slices.SortFunc(kinds.Acts, func(a, b views.ActKind) int { return cmp.Compare(a.Label, b.Label) })
		out = append(out, kinds)
	}
	return out
})

// activityFilter reads a filter from an address or a form.
func activityFilter(q url.Values) (views.ActivityFilter, audit.Filter, error) {
	f := filterOf(q)
	f.Key, f.App, f.Person = searchTerm(f.Key), searchTerm(f.App), searchTerm(f.Person)
	wanted, err := auditFilter(f)
	return views.ActivityFilter{Key: f.Key, App: f.App, Person: f.Person, Kind: f.Kind, Outcome: f.Outcome, From: f.From, Until: f.Until}, wanted, err
}

// auditFilter reads the days of a filter.
func auditFilter(f api.ActivityFilter) (audit.Filter, error) {
	wanted := audit.Filter{Key: f.Key, App: f.App, Person: f.Person, Kind: f.Kind, Outcome: audit.Outcome(f.Outcome)}
	for _, day := range []struct {
		name, value string
		at          *time.Time
	}{{"from", f.From, &wanted.From}, {"until", f.Until, &wanted.Until}} {
		if day.value == "" {
			continue
		}
		var err error
		if *day.at, err = time.Parse(time.DateOnly, day.value); err != nil {
			return wanted, problem.Invalid(day.name, "it must be a day, such as 2026-03-01")
		}
	}
	if !wanted.Until.IsZero() {
		wanted.Until = wanted.Until.AddDate(0, 0, 1) // the whole day
	}
	return wanted, nil
}

// entryNumber is the number of the entry before which a page begins, 0 for the newest.
func entryNumber(q url.Values) (int64, error) {
	if q.Get("before") == "" {
		return 0, nil
	}
	before, err := strconv.ParseInt(q.Get("before"), 10, 64)
	if err != nil || before < 1 {
		return 0, problem.Invalid("before", "it must be the number of an entry")
	}
	return before, nil
}

func (s *server) activityPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	before, err := entryNumber(r.URL.Query())
	if err != nil {
		return err
	}
	filter, wanted, err := activityFilter(r.URL.Query())
	if err != nil {
		return err
	}
	found, err := s.Audit.Search(r.Context(), session.Actor, wanted, before)
	if err != nil {
		return err
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	model := views.Activity{Filter: filter, Kinds: actKinds()}
	if model.Rows, err = s.activityRows(r, session, found.Entries); err != nil {
		return err
	}
	switch {
	case !found.SearchedTo.IsZero():
		model.SearchedTo, model.ContinueURL = views.Ago(found.SearchedTo, s.now()), filter.URL(found.Next)
	case found.Next > 0:
		model.Pager.OlderURL = filter.URL(found.Next)
	}
	if before > 0 {
		model.Pager.NewerURL = filter.URL(0)
	}
	if wants(r, "activity-list") {
		w.Header().Set("HX-Push-Url", filter.URL(before))
		s.render(w, r, http.StatusOK, views.ActivityList(p, model))
		return nil
	}
	if before == 0 {
		if model.Chart, err = s.runChart(r, session); err != nil {
			return err
		}
	}
	if before == 0 && !filter.Any() && len(found.Entries) > 0 {
		p.Stream = streamOf(session.Actor.TeamID(), "entries", found.Entries[0].Seq)
	}
	s.render(w, r, http.StatusOK, views.ActivityPage(p, model))
	return nil
}

func (s *server) runChart(r *http.Request, session auth.Session) (*views.RunChart, error) {
	runs, err := s.Audit.RunsPerDay(r.Context(), session.Actor, s.now())
	if err != nil {
		return nil, err
	}
	chart := &views.RunChart{}
	if !runs.CountedTo.IsZero() {
		chart.CountedTo = views.Ago(runs.CountedTo, s.now())
	}
	for _, d := range runs.Days {
		chart.Days = append(chart.Days, views.RunDay{Day: d.Day, Allowed: int(d.Allowed), Refused: int(d.Refused)})
	}
	return chart, nil
}

// activityRows names the API keys and command lines as well, if there are any.
func (s *server) activityRows(r *http.Request, session auth.Session, entries []audit.Entry) ([]views.ActivityRow, error) {
	names := map[string]string{}
	if slices.ContainsFunc(entries, isCredential) {
		keys, err := s.Keys.List(r.Context(), session.Actor)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			names[k.ID] = k.Name
		}
	}
	rows := make([]views.ActivityRow, len(entries))
	for i, e := range entries {
		rows[i] = s.activityRow(e)
		if isCredential(e) {
			rows[i].Credential = credentialWords(e.ActorKind == string(team.Login), names[e.CredentialID])
		}
	}
	return rows, nil
}

// isCredential is false of a browser, which the address tells better.
func isCredential(e audit.Entry) bool {
	return e.CredentialID != "" && (e.ActorKind == string(team.Key) || e.ActorKind == string(team.Login))
}

// credentialWords say with what an act was done; one without a name is gone.
func credentialWords(commandLine bool, name string) string {
	switch {
	case commandLine && name == "":
		return "on a command line that is signed out"
	case commandLine:
		return "on the command line " + name
	case name == "":
		return "with a key that is gone"
	}
	return "with the key " + name
}

func (s *server) activityRow(e audit.Entry) views.ActivityRow {
	row := views.ActivityRow{
		ID: e.ID, At: views.Ago(e.At, s.now()), Who: e.ActorName, Action: actWords[e.Action], Target: e.Target,
		Allowed: e.Outcome == audit.Allowed, Unchanged: e.Outcome == audit.Unchanged, Failed: e.Outcome == audit.Failed, From: e.RemoteAddr, RunID: e.RunID,
	}
	if row.Action == "" {
		row.Action = e.Action
	}
	// That the report was accepted is not what there is to tell.
	row.Masked = row.Allowed && e.Action == string(team.ReportPrinted)
	if row.Masked || row.Allowed && slices.Contains([]string{string(team.RemindSecret), string(team.ResolveApp)}, e.Action) {
		row.Target += " " + e.Reason
	}
	if row.Allowed && e.Action == string(team.ResolveApp) {
		row.AppVersion = int(secret.RanVersion(e.Reason))
		for _, d := range secret.ReceivedIn(e) {
			key := views.ReceivedKey{Key: string(d.Source), Version: int(d.Version)}
			if d.Key != d.Source {
				key.As = string(d.Key)
			}
			row.Received = append(row.Received, key)
		}
	}
	if e.Action == audit.ActExchange || strings.HasPrefix(e.Action, "trust.") {
		row.Reason = e.Reason // which trust, issuer and subject, or why not
	} else if !row.Allowed && !row.Unchanged {
		row.Reason = strings.ReplaceAll(e.Reason, "_", " ")
	}
	return row
}

// exportWriteTimeout is how long a client may take for a part of an export.
const exportWriteTimeout = 30 * time.Second

// exportActivityForm answers with a file of what is filtered. It is a form and no
// link, since it leaves an entry.
func (s *server) exportActivityForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	_, wanted, err := activityFilter(r.PostForm)
	if err != nil {
		return err
	}
	return s.writeExport(w, r, session.Actor, wanted, audit.Format(r.PostForm.Get("format")))
}

func (s *server) writeExport(w http.ResponseWriter, r *http.Request, actor team.Actor, wanted audit.Filter, format audit.Format) error {
	export, err := s.Audit.Export(r.Context(), actor, wanted, format)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", map[audit.Format]string{audit.CSV: "text/csv; charset=utf-8", audit.JSONLines: "application/jsonl"}[format])
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="infsh-activity-%s-%s.%s"`, actor.TeamName(), s.now().UTC().Format(time.DateOnly), format))
	w.WriteHeader(http.StatusOK)
	if err := export.Write(r.Context(), &unhurriedWriter{w, http.NewResponseController(w)}); err != nil {
		s.log.ErrorContext(r.Context(), "export of the activity", "request_id", requestID(r), "error", err)
		// The file must not look whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// unhurriedWriter gives a client time for each part of an answer, instead of for
// the whole.
type unhurriedWriter struct {
	http.ResponseWriter
	conn *http.ResponseController
}

func (u *unhurriedWriter) Write(b []byte) (int, error) {
	// They can't be set where there is no connection, and there no timeout is.
	_ = u.conn.SetReadDeadline(time.Time{})
	_ = u.conn.SetWriteDeadline(time.Now().Add(exportWriteTimeout))
	return u.ResponseWriter.Write(b)
}
