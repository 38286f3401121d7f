package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"infsh/audit"
	"infsh/auth"
	"infsh/problem"
	"infsh/team"
	"infsh/views"
)

// actWords say what an entry's action is.
var actWords = map[string]string{
	string(team.SetSecret):          "Set a secret",
	string(team.DeleteSecret):       "Deleted a secret",
	string(team.RestoreSecret):      "Restored a deleted secret",
	string(team.RevealSecret):       "Revealed a secret",
	string(team.RollbackSecret):     "Rolled a secret back",
	string(team.ListSecrets):        "Listed secrets",
	string(team.SecretHistory):      "Looked at a secret's history",
	string(team.DeployApp):          "Deployed an app",
	string(team.ResolveApp):         "Received an app's secrets",
	string(team.ReportPrinted):      "An app printed a secret, which was masked",
	string(team.CheckApp):           "Checked an app",
	string(team.ListApps):           "Listed apps",
	string(team.UpdateApp):          "Changed an app",
	string(team.MoveCurrent):        "Moved an app's current version",
	string(team.DeleteApp):          "Deleted an app",
	string(team.AllowGrant):         "Granted a key to an app",
	string(team.RevokeGrant):        "Revoked a key of an app",
	string(team.DenyGrant):          "Denied a key to an app",
	string(team.AskGrant):           "Asked for a key for an app",
	string(team.CreateAPIKey):       "Made an API key",
	string(team.RevokeAPIKey):       "Revoked an API key",
	string(team.ListAPIKeys):        "Listed API keys",
	string(team.CreateTeam):         "Made the team",
	string(team.DeleteTeam):         "Deleted the team",
	string(team.EditTeam):           "Changed the team's settings",
	string(team.ChangeRole):         "Changed a role",
	string(team.RemoveMember):       "Removed a member",
	string(team.AddMember):          "Added a member",
	string(team.LeaveTeam):          "Left the team",
	string(team.RenameTeam):         "Renamed the team",
	string(team.TransferTeam):       "Handed the team over",
	string(team.ListInvites):        "Listed the invites",
	string(team.InviteMember):       "Invited a person",
	string(team.RevokeInvite):       "Revoked an invite",
	audit.ActAcceptInvite:           "Accepted an invite",
	string(team.ReadAudit):          "Read the activity",
	audit.ActSetup:                  "Set up the server",
	audit.ActCreateUser:             "Made an account",
	audit.ActLogin:                  "Signed in",
	audit.ActLogout:                 "Signed out",
	audit.ActSignOutAll:             "Signed out everywhere",
	audit.ActEndSignIn:              "Signed out elsewhere",
	audit.ActSwitchTeam:             "Switched team",
	audit.ActConfirm:                "Confirmed who they are",
	audit.ActChangePassword:         "Changed the password",
	audit.ActAddFactor:              "Added a second factor",
	audit.ActRemoveFactor:           "Removed a second factor",
	audit.ActRecoveryCodes:          "Made recovery codes",
	audit.ActResetFactors:           "Removed all second factors",
	audit.ActDeviceApprove:          "Approved a command line login",
	audit.ActDeviceDeny:             "Denied a command line login",
	audit.ActDeviceLogin:            "Signed in on a command line",
	audit.ActRewrapDEK:              "Wrapped the team's key anew",
	audit.ActDEKRotationStart:       "Began to replace the team's key",
	audit.ActRotateDEK:              "Replaced the team's key",
	string(team.ListIntegrations):   "Listed integrations",
	string(team.ConnectIntegration): "Connected an integration",

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

func (s *server) activityPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	var before int64
	if q := r.URL.Query().Get("before"); q != "" {
		var err error
		if before, err = strconv.ParseInt(q, 10, 64); err != nil || before < 1 {
			return problem.Invalid("before", "it must be the number of an entry")
		}
	}
	entries, next, err := s.Audit.Activity(r.Context(), session.Actor, before)
	if err != nil {
		return err
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	var model views.Activity
	for _, e := range entries {
		model.Rows = append(model.Rows, s.activityRow(e))
	}
	if next > 0 {
		model.Pager.OlderURL = "/settings/activity?before=" + strconv.FormatInt(next, 10)
	}
	if before > 0 {
		model.Pager.NewerURL = "/settings/activity"
	}
	if before == 0 && len(entries) > 0 {
		p.Stream = streamOf(session.Actor.TeamID(), "entries", entries[0].Seq)
	}
	s.render(w, r, http.StatusOK, views.ActivityPage(p, model))
	return nil
}

func (s *server) activityRow(e audit.Entry) views.ActivityRow {
	row := views.ActivityRow{
		ID: e.ID, At: views.Ago(e.At, s.now()), Who: e.ActorName, Action: actWords[e.Action], Target: e.Target,
		Allowed: e.Outcome == audit.Allowed, Unchanged: e.Outcome == audit.Unchanged, From: e.RemoteAddr, RunID: e.RunID,
	}
	if row.Action == "" {
		row.Action = e.Action
	}
	// That the report was accepted is not what there is to tell.
	row.Masked = row.Allowed && e.Action == string(team.ReportPrinted)
	if row.Masked || row.Allowed && slices.Contains([]string{string(team.RemindSecret), string(team.ResolveApp)}, e.Action) {
		row.Target += " " + e.Reason
	}
	if !row.Allowed && !row.Unchanged {
		row.Reason = strings.ReplaceAll(e.Reason, "_", " ")
	}
	return row
}
