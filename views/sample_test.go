package views

import (
	"time"

	"github.com/a-h/templ"

	"infsh/openapi"
)

// hostile is a description that would run, fetch or mislead if it were not
// only text.
const hostile = `<script>alert(1)</script><img src=x onerror=alert(1)> " hx-get="/settings/secrets" hx-trigger="load" ` + "\u202eevil\u2066"

const masked16 = "••••••••9f3K"

var (
	now     = time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)
	minutes = func(n int) Stamp { return Ago(now.Add(-time.Duration(n)*time.Minute), now) }
)

var sampleKnown = []KnownSecret{
	{"OPENAI_API_KEY", "OpenAI", "GPT-4, DALL-E, Whisper"},
	{"ANTHROPIC_API_KEY", "Anthropic", "Claude models"},
	{"REPLICATE_API_TOKEN", "Replicate", "ML model hosting"},
	{"HUGGINGFACE_TOKEN", "Hugging Face", "Model downloads"},
	{"AWS_ACCESS_KEY_ID", "AWS", "S3, Lambda, etc."},
	{"AWS_SECRET_ACCESS_KEY", "AWS", "(paired with above)"},
	{"STRIPE_SECRET_KEY", "Stripe", "Payment processing"},
	{"SENDGRID_API_KEY", "SendGrid", "Email delivery"},
	{"TWILIO_AUTH_TOKEN", "Twilio", "SMS, voice"},
}

// samplePage is a signed-in owner of one team and member of two others.
func samplePage(path string, theme Theme) Page {
	acme := Team{ID: "team-acme", Username: "acme", Name: "Acme", Role: "owner"}
	return Page{
		CSRF:  "csrf-token",
		Theme: theme,
		Path:  path,
		Email: "ada@acme.example",
		Team:  acme,
		Teams: []Team{acme, {ID: "team-staging", Username: "acme-staging", Name: "Acme staging", Role: "admin"}, {ID: "team-lab", Username: "lab", Role: "member"}},
	}
}

func sampleFind(p Page, query string) Find {
	return Find{Query: query, Groups: []FoundGroup{
		{Label: "Keys", Items: []Found{FoundKey("OPENAI_API_KEY", hostile)}, More: "/settings/secrets?q=a"},
		{Label: "Apps", Items: []Found{FoundApp("acme/summarizer", "Summaries")}},
		FoundPages(query, Doing{AddSecret: true, CreateAPIKey: true, Invite: true}),
		p.FoundTeams(query),
	}}
}

func sampleSecrets(canEdit bool) Secrets {
	rows := []SecretRow{
		{Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls", Masked: masked16, Version: 3, UpdatedBy: "ada@acme.example", Updated: minutes(4)},
		{Key: "ANTHROPIC_API_KEY", Description: "Claude models", Masked: "••••••••x0Qa", Version: 1, UpdatedBy: "grace@acme.example", Updated: minutes(190)},
		{Key: "DATABASE_URL", Description: "PostgreSQL connection string", Masked: "••••••••prod", Version: 12, UpdatedBy: "grace@acme.example", Updated: minutes(3 * 24 * 60)},
		{Key: "openai_api_key", Description: "", Masked: "••••••••", Version: 1, UpdatedBy: "ada@acme.example", Updated: minutes(90 * 24 * 60), Warning: "Differs from OPENAI_API_KEY only in case."},
		{Key: "STRIPE_SECRET_KEY", Description: hostile, Masked: "••••••••live", Version: 2, UpdatedBy: "a-very-long-address-of-a-person@subsidiary.acme.example", Updated: minutes(60 * 24 * 60)},
		{Key: "AWS_SECRET_ACCESS_KEY", Description: "Paired with AWS_ACCESS_KEY_ID", Masked: "••••••••EXAM", Version: 1, UpdatedBy: "ada@acme.example", Updated: minutes(61)},
	}
	for i := range rows {
		rows[i].Life, rows[i].UsedBy = sampleLives[i%len(sampleLives)], 3-i
	}
	return Secrets{Rows: rows, Total: len(rows), Any: true, CanEdit: canEdit, CanReveal: canEdit, Known: sampleKnown, Due: 4}
}

var sampleLives = []Life{
	{Age: Old(now.AddDate(0, 0, -12), now), RotateEvery: 90, RotateAt: Day(now.AddDate(0, 0, 78)), ExpiresAt: Day(now.AddDate(0, 0, 9)), Needs: []Need{{"warning", "Ends 2 Dec 2026", Day(now.AddDate(0, 0, 9))}}},
	{Age: Old(now.AddDate(0, -5, 0), now), RotateEvery: 90, Needs: []Need{{"error", "Rotation overdue", Day(now.AddDate(0, -2, 0))}, {"error", "Ended 1 Nov 2026", Day(now.AddDate(0, 0, -22))}}},
	{Age: Old(now, now)},
}

var sampleUses = Uses{
	Version: 3, Old: 1, OldLast: minutes(200),
	Rows: []UseRow{
		{
			AppRef: AppRef{Name: "acme/summariser"}, Current: 7, Needs: "required", Effect: EffectFails, LastRun: minutes(3),
			Holders: []HolderRow{{AppVersion: 7, Version: 3, At: minutes(3), RunID: "nightly-2026-11-23", Before: 2, BeforeAt: minutes(200)}, {AppVersion: 6, Version: 2, At: minutes(9000), RunID: "host-b/1", Old: true}},
		},
		{AppRef: AppRef{Name: "acme/nightly-report", Optional: true}, Current: 1, Needs: "optional", Effect: EffectGoesOn},
		{AppRef: AppRef{Name: "acme/asking"}, Current: 2, As: "MODEL_KEY", Needs: "required", Effect: EffectSame, Because: "it is not granted the key"},
		{AppRef: AppRef{Name: "acme/gone"}, Effect: EffectSame, Because: "it does not declare the key any more", Holders: []HolderRow{{AppVersion: 2, Version: 1, At: minutes(90000), NoMore: true}}},
	},
}

var sampleUsedBy = []AppRef{{Name: "acme/summariser"}, {Name: "acme/nightly-report", Optional: true}}

// sampleAPI is the API's own description.
func sampleAPI() APIDocs {
	outline, err := openapi.ReadOutline()
	if err != nil {
		panic(err)
	}
	return outline
}

func sampleAppDetail() AppDetail {
	return AppDetail{
		AppRef:      AppRef{Name: "acme/summariser"},
		Description: "Sums up long documents",
		Version:     4, VersionID: "v-4", Deployed: minutes(50), DeployedBy: "ada@acme.example", LastResolve: minutes(3),
		CanEdit: true, CanMove: true, CanDelete: true,
		Check: AppCheck{
			Items: []CheckItem{
				{
					Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls", State: KeySet, Version: 3, Grant: "granted", Place: "check",
					Steps: []CheckStep{{OK: true, Text: "declared in version 4"}, {OK: true, Text: "granted by ada@acme.example"}, {OK: true, Text: "OPENAI_API_KEY is set in team acme, at version 3"}},
				},
				{Key: "STRIPE_SECRET_KEY", State: KeyWaiting, Grant: "waiting", Place: "check", Message: "STRIPE_SECRET_KEY is required and waits for approval.", Steps: []CheckStep{{Text: hostile, Todo: hostile}}},
				{Key: "FAL_KEY", State: KeyRevoked, Grant: "revoked", Place: "check", Source: "FAL_API_KEY"},
				{
					Grant: "granted", Propose: "HUGGINGFACE_TOKEN", Place: "check",
					Key: "HF_TOKEN", Description: hostile, State: KeyMissing, Message: "Secret not found: HF_TOKEN is not set in acme.",
					NearMisses: []NearMiss{{Key: "HUGGINGFACE_TOKEN", Reason: "another name for the same credential"}, {Key: "HF_TOKEN", Team: "acme-staging"}},
					FixURL:     "/settings/secrets?add=HF_TOKEN&description=Model+downloads&return=%2Fsettings%2Fapps%2Facme%2Fsummariser",
				},
				{Key: "SENTRY_DSN", Description: "Error reports", Optional: true, State: KeyMissingOptional, FixURL: "/settings/secrets?add=SENTRY_DSN"},
				{Key: "google.sheets", Description: "Writes the result to a sheet", Integration: true, State: KeyUnavailable, Message: "Integrations are not available yet."},
			},
			Undeclared: []string{"STRIPE_SECRET_KEY", "DATABASE_URL"},
			Checked:    minutes(0),
		},
		Pending:  &AppCheck{Version: 5, Items: []CheckItem{{Key: "SLACK_BOT_TOKEN", State: KeyWaiting, Grant: "waiting", Place: "pending"}}},
		TeamKeys: []string{"DATABASE_URL", "HUGGINGFACE_TOKEN", "OPENAI_API_KEY"},
		Versions: []AppVersion{
			{Number: 5, ID: "v-5", Created: minutes(5), By: "mia@acme.example", Digest: "aa86d081884c7d659a2feaa0c55ad015", Waits: true, Secrets: 4},
			{Number: 4, ID: "v-4", Created: minutes(50), By: "ada@acme.example", Digest: "9f86d081884c7d659a2feaa0c55ad015", Current: true, Secrets: 3},
			{Number: 3, ID: "v-3", Created: minutes(2880), By: "grace@acme.example", Digest: "60303ae22b998861bce3b28f33eec1be", Secrets: 2},
		},
	}
}

func sampleWebhooks() Webhooks {
	return Webhooks{
		CanEdit: true,
		Form: WebhookForm{Choice: []EventChoice{
			{Type: "secret.updated", Words: "A secret was set, staged or activated", Ticked: true}, {Type: "grant.pending", Words: "An app waits for the team to grant it a key"},
		}},
		Rows: []WebhookRow{
			{ID: "w1", URL: "https://hooks.example.com/services/T0000000000/B0000000000/a-very-long-address-without-a-place-to-break", Description: hostile, Events: []string{"secret.updated", "grant.pending"}, Enabled: true, Created: minutes(90)},
			{ID: "w2", URL: "https://ci.example.com/", Enabled: true, FailingSince: minutes(30), Created: minutes(4000)},
			{ID: "w3", URL: "https://old.example.com/", Reason: "nothing could be delivered for days", Created: minutes(40000)},
		},
	}
}

func sampleMessages() []WebhookMessage {
	return []WebhookMessage{
		{ID: "msg_3", Type: "secret.updated", State: "pending", Attempts: 2, Created: minutes(9), Next: minutes(-5), Error: "it answered 503"},
		{ID: "msg_2", Type: "grant.pending", State: "delivered", Attempts: 1, Created: minutes(60)},
		{ID: "msg_1", Type: "webhook.test", State: "failed", Attempts: 10, Created: minutes(9000), Error: hostile},
	}
}

func sampleAPIKeys() APIKeys {
	return APIKeys{
		CanCreate: true,
		Rows: []APIKeyRow{
			{ID: "k1", Name: "production runner", Masked: "infsh_…4Tq2", Kind: "Runner key", Scopes: []string{"apps:execute"}, Words: "Runs apps, nothing else", CreatedBy: "ada@acme.example", Created: minutes(43200), LastUsed: minutes(1), CanRevoke: true},
			{ID: "k2", Name: "ada’s laptop", Masked: "infsh_…Zz81", Kind: "Command line login", Scopes: []string{"secrets:read", "secrets:write", "apps:read", "apps:write", "apps:execute"}, Words: "Everything its maker may do", CreatedBy: "ada@acme.example", Created: minutes(600), LastUsed: minutes(30), Expires: Stamp{At: now.Add(720 * time.Hour), Relative: "in 30 days"}, CanRevoke: true},
			{ID: "k4", Name: "nightly build", Masked: "infsh_…Qm4x", Kind: "Runner key", Scopes: []string{"apps:execute"}, Words: "Runs apps, nothing else", App: "acme/summarize", Service: "member", CreatedBy: "ada@acme.example", Created: minutes(900), CanRevoke: true},
			{ID: "k3", Name: hostile, Masked: "infsh_…0aB9", Kind: "API key", Words: "Reads the masked list", Scopes: []string{"secrets:read"}, CreatedBy: "grace@acme.example", Created: minutes(100), CanTakeOver: true, Proposed: "member"},
		},
	}
}

func sampleAPIKeyForm() APIKeyForm {
	return APIKeyForm{Preset: "custom", CanService: true, Apps: []string{"acme/summarize"}, Scopes: []string{"secrets:read"}, Choice: []ScopeChoice{
		{"secrets:read", "See the masked list; reveal, if the role allows"},
		{"secrets:write", "Add, change and delete secrets"},
		{"apps:read", "See apps"},
		{"apps:write", "Deploy apps"},
		{"apps:execute", "Run apps with their secrets"},
		{"teams:read", "See teams and members"},
	}}
}

func sampleMembers(canManage bool) Members {
	var invites []InviteRow
	if canManage {
		invites = []InviteRow{
			{ID: "i1", Email: "lin@acme.example", Role: "member", Status: "pending", Created: minutes(60), Expires: Stamp{At: now.Add(24 * time.Hour)}, InvitedBy: "ada@acme.example", CanRevoke: true},
			{ID: "i2", Email: "old@acme.example", Role: "owner", Status: "expired", Created: minutes(9 * 24 * 60), Expires: minutes(60), InvitedBy: "ada@acme.example", CanRevoke: true},
			{ID: "i3", Email: "x@acme.example", Role: "admin", Status: "revoked", Created: minutes(90), Expires: minutes(60), InvitedBy: "rex@acme.example", CanRevoke: true},
		}
	}
	return Members{CanManage: canManage, CanTransfer: canManage, Invites: invites, Rows: []MemberRow{
		{ID: "u1", Email: "ada@acme.example", Role: "owner", Joined: minutes(90 * 24 * 60), Self: true},
		{ID: "u2", Email: "grace@acme.example", Role: "admin", Joined: minutes(20 * 24 * 60), CanChange: canManage, CanRemove: canManage},
		{ID: "u3", Email: "a-very-long-address-of-a-person@subsidiary.acme.example", Role: "member", Joined: minutes(60), CanChange: canManage, CanRemove: canManage},
	}}
}

func sampleActivity() Activity {
	chart := &RunChart{CountedTo: minutes(9000)}
	for i := range 30 {
		chart.Days = append(chart.Days, RunDay{Day: now.AddDate(0, 0, i-29), Allowed: i * i % 37, Refused: i % 4})
	}
	return Activity{
		Chart: chart,
		Kinds: []ActKinds{{Name: "secret", Label: "Secrets", Acts: []ActKind{{"secret.set", "Set a secret"}}}},
		Pager: Pager{NewerURL: "/settings/activity?after=b", OlderURL: "/settings/activity?before=a"},
		Rows: []ActivityRow{
			{ID: "1", At: minutes(3), Who: "production runner", Action: "Resolved secrets for", Target: "acme/summariser", Allowed: true, From: "10.0.3.7", RunID: "run-7f3a0c", Credential: "with the key " + hostile,
				AppVersion: 3, Received: []ReceivedKey{{Key: "OPENAI_API_KEY", Version: 4}, {Key: "HUGGINGFACE_TOKEN", As: "HF_TOKEN", Version: 1}}},
			{ID: "2", At: minutes(4), Who: "ada@acme.example", Action: "Set a new version of", Target: "OPENAI_API_KEY", Allowed: true, From: "192.0.2.10"},
			{ID: "3", At: minutes(9), Who: "lin@acme.example", Action: "Tried to delete", Target: "DATABASE_URL", Reason: "needs owner or admin", From: "2001:db8:85a3::8a2e:370:7334"},
			{ID: "6", At: minutes(30), Who: "production runner", Action: "An app printed a secret, which was masked", Target: "acme/summariser version 3 printed OPENAI_API_KEY 3 times", Allowed: true, Masked: true, From: "10.0.3.7", RunID: "run-7f3a0c", Credential: "with the key " + hostile,
				AppVersion: 3, Received: []ReceivedKey{{Key: "OPENAI_API_KEY", Version: 4}, {Key: "HUGGINGFACE_TOKEN", As: "HF_TOKEN", Version: 1}}},
			{ID: "4", At: minutes(70), Who: "grace@acme.example", Action: "Signed in", Allowed: true, From: "192.0.2.44"},
			{ID: "5", At: minutes(2000), Who: hostile, Action: "Set", Target: "ANTHROPIC_API_KEY", Allowed: true, From: "192.0.2.44"},
		},
	}
}

func sampleGrid(compared bool) TeamsGrid {
	v := TeamsGrid{
		List: GridState{In: []string{"t1", "t2", "t3"}, From: "A_KEY"}, CanCompare: true, Compared: compared, Total: 240, Before: 100, Keys: 300, Next: "ZZZ",
		Teams: []GridTeam{
			{ID: "t1", Label: "Acme", Username: "acme", Role: "owner", Current: true, CanEdit: true, Compared: compared},
			{ID: "t2", Label: "Acme staging", Username: "acme-staging", Role: "admin", CanEdit: true, Compared: compared},
			{ID: "t3", Label: hostile, Username: "hostile", Role: "member"},
		},
	}
	for _, t := range v.Teams {
		v.Choices = append(v.Choices, GridChoice{ID: t.ID, Label: t.Label, Username: t.Username, Chosen: true})
	}
	for i, key := range []string{"ANTHROPIC_API_KEY", "DATABASE_URL", "OPENAI_API_KEY", "A_VERY_LONG_NAME_OF_A_KEY_THAT_SOMEBODY_HAS_CHOSEN_FOR_A_SERVICE_IN_PRODUCTION"} {
		row := GridRow{Key: key, Cells: []GridCell{{Version: 3, Since: minutes(4000)}, {}, {Staged: i == 2}}}
		if i%2 == 0 {
			row.Cells[1] = GridCell{Version: 12, Since: minutes(90)}
		}
		if compared && i == 0 {
			row.Cells[1].Same = "Acme"
		}
		row.Cells[1].Other = compared && i == 2
		v.Rows = append(v.Rows, row)
	}
	return v
}

// sample is one page or partial in one state.
type sample struct {
	name string
	view templ.Component
}

// samplePages are all full pages in the states that a person can meet.
func samplePages(theme Theme) []sample {
	page := func(path string) Page { return samplePage(path, theme) }
	member := func(path string) Page {
		p := page(path)
		p.Team.Role = "member"
		return p
	}
	public := Public{CSRF: "csrf-token", Theme: theme}
	secrets := page("/settings/secrets")

	add := sampleSecrets(true)
	add.Add = &AddSecret{Key: "HF_TOKEN", Description: hostile, Return: "/settings/apps/acme/summariser", ReturnName: "acme/summariser", Known: sampleKnown}
	addNew := sampleSecrets(true)
	addNew.Add = &AddSecret{Known: sampleKnown}
	addWrong := sampleSecrets(true)
	addWrong.Add = &AddSecret{
		Key: "HTTPS_PROXY", Description: "Company proxy", Known: sampleKnown,
		Advice: NameAdvice{Risky: "HTTPS_PROXY sends the app’s traffic through another host.", CaseTwin: "https_proxy"},
		Errors: FieldErrors{"": "Not saved yet.", "value": "The value ends with a space. Remove it, or keep it with the option below.", "allow_risky_name": "Tick the box to use this name."},
	}
	edit := sampleSecrets(true)
	edit.Edit = &EditSecret{Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls", Masked: masked16, Version: 3}
	del := sampleSecrets(true)
	del.Delete = &DeleteSecret{Key: "OPENAI_API_KEY", UsedBy: sampleUses.Rows}
	none := sampleSecrets(true)
	delMany := sampleSecrets(true)
	delMany.DeleteMany = sampleDeletions()
	undo := page("/settings/secrets")
	undo.Flash = &Flash{Kind: FlashSuccess, Message: "2 secrets were deleted, with all their versions.", Undo: &Undo{ID: "0", CSRF: "csrf-token", Team: "team-acme"}}
	none.List.Query, none.Rows, none.Total = `zebra"><script>`, nil, 0

	flashed := page("/settings/secrets")
	flashed.Flash = &Flash{Kind: FlashSuccess, Message: "Saved HF_TOKEN.", LinkURL: "/settings/apps/acme/summariser", Link: "Back to the check of acme/summariser"}

	detail := SecretDetail{
		Row: add.Rows[0], CanEdit: true, Uses: sampleUses,
		Edit:     EditSecret{Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls", Masked: masked16, Version: 3},
		LifeForm: LifeForm{Key: "OPENAI_API_KEY", Every: "90", Ends: "2026-12-02"},
		History: []SecretVersion{
			{Version: 4, Masked: masked16, Created: minutes(2), By: "ada@acme.example", State: VersionStaged},
			{Version: 3, Masked: masked16, Created: minutes(4), By: "ada@acme.example", State: VersionActive, Ends: Day(now.AddDate(0, 0, 9))},
			{Version: 2, Masked: masked16, Created: minutes(4000), By: "grace@acme.example", State: VersionSuperseded},
			{Version: 1, Masked: masked16, Created: minutes(90000), By: "ada@acme.example", State: VersionSuperseded},
		},
	}
	detailDelete := detail
	detailDelete.Delete = &DeleteSecret{Key: "OPENAI_API_KEY"}
	detailMember := detail
	detailMember.CanEdit = false

	app := sampleAppDetail()
	healthy := app
	healthy.Check = AppCheck{Items: app.Check.Items[:1]}

	appDelete, appMove, appCannotMove := app, app, app
	appDelete.Delete = true
	appMove.MakeCurrent = &MakeCurrent{ID: "v-3", Check: AppCheck{Version: 3, Items: app.Check.Items[:1]}}
	appCannotMove.MakeCurrent = &MakeCurrent{ID: "v-3", Check: AppCheck{Version: 3, Items: app.Check.Items}}
	appMember := app
	appMember.CanEdit, appMember.CanMove, appMember.CanDelete = false, false, false

	hooks, hooksNew, hooksWrong := sampleWebhooks(), sampleWebhooks(), sampleWebhooks()
	hooksNew.Created = &NewWebhook{ID: "w1", URL: hooks.Rows[0].URL, Secret: "whsec_C2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxl"}
	hooksWrong.Form.URL, hooksWrong.Form.Description = "http://10.0.0.1/", hostile
	hooksWrong.Form.Errors = FieldErrors{"url": "It must begin with https://.", "description": "It is plain text.", "events": "There is no such event."}
	hooksMember := hooks
	hooksMember.CanEdit = false
	hook := WebhookDetail{Row: hooks.Rows[0], CanEdit: true, Messages: sampleMessages()}
	hookOff, hookRotated, hookMember := hook, hook, hook
	hookOff.Row, hookOff.Messages = hooks.Rows[2], nil
	hookRotated.Rotated = hooksNew.Created
	hookMember.CanEdit = false

	keys, keysAdd, keysNew, keysRevoke := sampleAPIKeys(), sampleAPIKeys(), sampleAPIKeys(), sampleAPIKeys()
	form := sampleAPIKeyForm()
	keysAdd.Add = &form
	keysNew.Created = &NewAPIKey{Name: "production runner", Token: "infsh_8sJ2kQ4mN7pR1tV5xZ9bD3fH6jL0nP2rT4vX8yA1cE5gI7k", Runner: true}
	keysRevoke.Revoke = &keys.Rows[0]
	keysTake := sampleAPIKeys()
	keysTake.TakeOver = &keys.Rows[3]

	members, membersRole, membersRemove := sampleMembers(true), sampleMembers(true), sampleMembers(true)
	members.MembersMayEdit = true
	membersRole.Role = &MemberRole{Member: members.Rows[1], Choice: []string{"owner", "admin", "member"}}
	membersRemove.Remove = &members.Rows[1]

	membersInvite, membersInvited, membersTransfer := sampleMembers(true), sampleMembers(true), sampleMembers(true)
	membersInvite.Invite = &InviteForm{Email: "lin", Role: "member", Choice: []string{"owner", "admin", "member"}, Errors: FieldErrors{"email": "This is not an email address; it looks like name@example.com."}}
	membersInvited.Invited = &NewInvite{Email: "lin@acme.example", Link: "https://infsh.example/invite?code=ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
	membersTransfer.Transfer = &TransferForm{Choice: members.Rows[1:]}
	invite := func(state InviteState) Invite {
		return Invite{State: state, Team: "Acme", Email: "lin@acme.example", Role: "admin", InvitedBy: "ada@acme.example", Expires: Stamp{At: now.Add(time.Hour)}, SignedInAs: "eve@acme.example"}
	}
	inviteWrong := invite(InviteNewAccount)
	inviteWrong.Errors = FieldErrors{"password": "A password has at least 10 characters."}

	group := []Team{
		{ID: "team-acme", Username: "acme", Name: "Acme", Role: "owner", Environment: "production", GroupID: "g", GroupName: "Acme"},
		{ID: "team-staging", Username: "acme-staging", Name: "Acme staging", Role: "admin", Environment: "staging", GroupID: "g", GroupName: "Acme"},
	}
	grouped := page("/settings/team")
	grouped.Team, grouped.Teams = group[0], append(group[:2:2], Team{ID: "team-lab", Username: "lab", Role: "member"})
	settings := TeamSettings{CanRename: true, CanDuplicate: true, CanDelete: true, Rename: RenameTeam{Username: "acme", Name: "Acme"}, Duplicate: DuplicateTeam{As: "staging", This: "production"}}
	settingsGrouped, settingsWrong, duplicateWrong, deleteWrong := settings, settings, settings, settings
	settingsGrouped.Group = group
	settingsWrong.Rename.Errors = FieldErrors{"username": "Beta is taken; choose another name.", "name": "A name is one line of plain text."}
	duplicateWrong.Duplicate.Errors = FieldErrors{"as": "Acme has this environment already.", "username": "Acme-staging is taken; choose another name."}
	deleteWrong.DeleteErrors = FieldErrors{"username": "Type acme to delete the team."}
	expected := []ExpectedKey{{Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls"}, {Key: "A_KEY_WITH_A_VERY_LONG_NAME_THAT_SOMEBODY_CHOSE_ON_A_LONG_DAY", Description: hostile}}
	waiting, fresh := sampleSecrets(true), Secrets{CanEdit: true, Known: sampleKnown, Expected: expected}
	waiting.Expected = expected
	waitingMember := sampleSecrets(false)
	waitingMember.Expected = expected

	return []sample{
		{"team", TeamPage(page("/settings/team"), settings)},
		{"team-grouped", TeamPage(grouped, settingsGrouped)},
		{"team-rename-errors", TeamPage(page("/settings/team"), settingsWrong)},
		{"team-duplicate-errors", TeamPage(page("/settings/team"), duplicateWrong)},
		{"team-delete-errors", TeamPage(page("/settings/team"), deleteWrong)},
		{"team-member", TeamPage(member("/settings/team"), TeamSettings{})},
		{"secrets-expected", SecretsPage(secrets, waiting)},
		{"secrets-expected-member", SecretsPage(member("/settings/secrets"), waitingMember)},
		{"secrets-expected-only", SecretsPage(secrets, fresh)},
		{"invite-join", InvitePage(public, invite(InviteJoin))},
		{"invite-sign-in", InvitePage(public, invite(InviteSignIn))},
		{"invite-new-account", InvitePage(public, invite(InviteNewAccount))},
		{"invite-new-account-errors", InvitePage(public, inviteWrong)},
		{"invite-other-account", InvitePage(public, invite(InviteOtherAccount))},
		{"invite-used", InvitePage(public, invite(InviteUsed))},
		{"invite-expired", InvitePage(public, invite(InviteExpired))},
		{"invite-none", InvitePage(public, invite(InviteNone))},
		{"invite-invalid", InvitePage(public, invite(InviteInvalid))},
		{"members-invite", MembersPage(page("/settings/members"), membersInvite)},
		{"members-invited", MembersPage(page("/settings/members"), membersInvited)},
		{"members-transfer", MembersPage(page("/settings/members"), membersTransfer)},
		{"setup", SetupPage(public, SetupForm{Code: "setup-code"})},
		{"setup-errors", SetupPage(public, SetupForm{Email: "ada", Team: "Acme!", Errors: FieldErrors{"code": "This code is not the one that the server printed.", "email": "Enter an email address, such as name@example.com.", "password": "Use 10 characters or more.", "team": "Use lower-case letters, digits and dashes."}})},
		{"login", LoginPage(public, LoginForm{Next: "/settings/secrets"})},
		{"login-sso", LoginPage(public, LoginForm{Next: "/settings/secrets", SignOn: "Okta " + hostile, Passkeys: true})},
		{"login-sso-only", LoginPage(public, LoginForm{SignOn: "Okta", SignOnOnly: true, Errors: FieldErrors{"": "Only Okta signs in here."}})},
		{"sso-go-on", GoOnPage(public, "Okta "+hostile, "https://login.example.com/authorize?state=1&nonce=2")},
		{"login-throttled", LoginPage(public, LoginForm{Email: "ada@acme.example", Throttled: "Too many tries. Wait 40 seconds, then try again.", Errors: FieldErrors{"": "Email and password do not match."}})},
		{"api", APIDocsPage(public, sampleAPI())},
		{"error", ErrorPage(public, ErrorPageModel{Status: 404, Title: "There is nothing here", Detail: "The address may be mistyped, or belong to a team that you are not in.", RequestID: "01HV8-7f3a0c"})},
		{"find", FindPage(page("/settings/find"), sampleFind(page("/settings/find"), "a"))},
		{"find-nothing", FindPage(page("/settings/find"), Find{Query: "\" onfocus=x"})},
		{"secrets", SecretsPage(secrets, sampleSecrets(true))},
		{"secrets-flash", SecretsPage(flashed, sampleSecrets(true))},
		{"secrets-member", SecretsPage(member("/settings/secrets"), sampleSecrets(false))},
		{"secrets-empty", SecretsPage(secrets, Secrets{CanEdit: true, Known: sampleKnown})},
		{"secrets-none", SecretsPage(secrets, none)},
		{"secrets-add", SecretsPage(secrets, addNew)},
		{"secrets-add-check", SecretsPage(secrets, add)},
		{"secrets-add-errors", SecretsPage(secrets, addWrong)},
		{"secrets-edit", SecretsPage(secrets, edit)},
		{"secrets-delete", SecretsPage(secrets, del)},
		{"import", ImportPage(secrets, ImportForm{CanEdit: true, MaxKeys: 500})},
		{"import-preview", ImportPage(secrets, sampleImport())},
		{"edit-preview", TeamsEditPage(secrets, sampleEdit())},
		{"import-member", ImportPage(member("/settings/secrets"), ImportForm{})},
		{"secrets-delete-many", SecretsPage(secrets, delMany)},
		{"secrets-undo", SecretsPage(undo, sampleSecrets(true))},
		{"secret", SecretPage(page("/settings/secrets/OPENAI_API_KEY"), detail)},
		{"secret-delete", SecretPage(page("/settings/secrets/OPENAI_API_KEY"), detailDelete)},
		{"secret-member", SecretPage(member("/settings/secrets/OPENAI_API_KEY"), detailMember)},
		{"apps", AppsPage(page("/settings/apps"), Apps{Rows: []AppRow{
			{AppRef: AppRef{Name: "acme/summariser"}, Description: "Sums up long documents", Version: 4, LastResolve: minutes(3), Keys: []AppKey{{"OPENAI_API_KEY", KeySet}, {"HF_TOKEN", KeyMissing}, {"SENTRY_DSN", KeyMissingOptional}, {"google.sheets", KeyUnavailable}}},
			{AppRef: AppRef{Name: "acme/nightly-report"}, Description: hostile, Version: 1, Keys: []AppKey{{"DATABASE_URL", KeySet}}},
			{AppRef: AppRef{Name: "acme/hello"}, Version: 2, LastResolve: minutes(6000)},
		}})},
		{"apps-empty", AppsPage(page("/settings/apps"), Apps{})},
		{"app", AppPage(page("/settings/apps/acme/summariser"), app)},
		{"app-healthy", AppPage(page("/settings/apps/acme/summariser"), healthy)},
		{"app-delete", AppPage(page("/settings/apps/acme/summariser"), appDelete)},
		{"app-make-current", AppPage(page("/settings/apps/acme/summariser"), appMove)},
		{"app-make-current-refused", AppPage(page("/settings/apps/acme/summariser"), appCannotMove)},
		{"app-member", AppPage(member("/settings/apps/acme/summariser"), appMember)},
		{"trusts", TrustsPage(page("/settings/runners"), sampleTrusts("github"))},
		{"trusts-gitlab", TrustsPage(page("/settings/runners"), sampleTrusts("gitlab"))},
		{"trusts-kubernetes", TrustsPage(page("/settings/runners"), sampleTrusts("kubernetes"))},
		{"trusts-errors", TrustsPage(page("/settings/runners"), sampleTrusts("other"))},
		{"trusts-empty", TrustsPage(page("/settings/runners"), Trusts{CanEdit: true, Form: TrustForm{Preset: "github", Site: "https://infsh.example"}})},
		{"webhooks", WebhooksPage(page("/settings/webhooks"), hooks)},
		{"webhooks-empty", WebhooksPage(page("/settings/webhooks"), Webhooks{CanEdit: true, Form: hooks.Form})},
		{"webhooks-created", WebhooksPage(page("/settings/webhooks"), hooksNew)},
		{"webhooks-errors", WebhooksPage(page("/settings/webhooks"), hooksWrong)},
		{"webhooks-reader", WebhooksPage(page("/settings/webhooks"), hooksMember)},
		{"webhook", WebhookPage(page("/settings/webhooks/w1"), hook)},
		{"webhook-off", WebhookPage(page("/settings/webhooks/w3"), hookOff)},
		{"webhook-rotated", WebhookPage(page("/settings/webhooks/w1"), hookRotated)},
		{"webhook-reader", WebhookPage(page("/settings/webhooks/w1"), hookMember)},
		{"apikeys", APIKeysPage(page("/settings/apikeys"), keys)},
		{"apikeys-empty", APIKeysPage(page("/settings/apikeys"), APIKeys{})},
		{"apikeys-add", APIKeysPage(page("/settings/apikeys"), keysAdd)},
		{"apikeys-created", APIKeysPage(page("/settings/apikeys"), keysNew)},
		{"apikeys-revoke", APIKeysPage(page("/settings/apikeys"), keysRevoke)},
		{"apikeys-take-over", APIKeysPage(page("/settings/apikeys"), keysTake)},
		{"members", MembersPage(page("/settings/members"), members)},
		{"members-member", MembersPage(member("/settings/members"), sampleMembers(false))},
		{"members-role", MembersPage(page("/settings/members"), membersRole)},
		{"members-remove", MembersPage(page("/settings/members"), membersRemove)},
		{"environments", EnvironmentsPage(page("/settings/environments"), sampleGrid(false))},
		{"environments-compared", EnvironmentsPage(page("/settings/environments"), sampleGrid(true))},
		{"environments-empty", EnvironmentsPage(page("/settings/environments"), TeamsGrid{Error: "Choose at most 10 teams."})},
		{"activity", ActivityPage(page("/settings/activity"), sampleActivity())},
		{"activity-empty", ActivityPage(page("/settings/activity"), Activity{})},
		{"activity-none", ActivityPage(page("/settings/activity"), Activity{
			Filter: ActivityFilter{Key: hostile, Kind: "secret", From: "2026-03-01"}, SearchedTo: minutes(90000), ContinueURL: "/settings/activity?before=7",
		})},
		{"suggestions", SuggestionsPage(page("/settings/secrets"), Suggestions{
			CanEdit: true, MoreUnused: 12,
			Missing: []MissingKey{{Key: "FAL_KEY", Description: hostile, Apps: sampleUsedBy, MoreApps: 2, Required: true}, {Key: "SENTRY_DSN", Description: "Error reports", Apps: sampleUsedBy[:1]}},
			Unused:  []UnusedKey{{"OLD_KEY", minutes(90000), "No app declares it."}, {"IDLE_KEY", minutes(80000), "It is declared, and no run has ever received it."}},
		})},
		{"suggestions-none", SuggestionsPage(page("/settings/secrets"), Suggestions{})},
		{"integrations", IntegrationsPage(page("/settings/integrations"), sampleIntegrations())},
		{"integrations-empty", IntegrationsPage(page("/settings/integrations"), Integrations{Providers: sampleIntegrations().Providers})},
		{"integration", IntegrationPage(page("/settings/integrations/google"), sampleIntegration(true))},
		{"integration-errors", IntegrationPage(page("/settings/integrations/gcp"), IntegrationDetail{ID: "gcp", Name: "Google Cloud", CanEdit: true, Kinds: []KindForm{{
			Type: "service_account", Name: "Service account", Steps: []string{"Make a key."}, Fields: []KindField{{Key: "service_account_key", Label: "Key file (JSON)", Sensitive: true, Long: true}, {Key: "project_number", Label: "Project number", Value: hostile}},
			Errors: FieldErrors{"service_account_key": "It is no JSON.", "project_number": "It does not look like one."},
		}}})},
		{"integration-federation", IntegrationPage(page("/settings/integrations/gcp"), sampleFederation(ProviderSetup{Insecure: true, Issuer: "http://" + hostile}))},
		{"integration-federation-keys", IntegrationPage(page("/settings/integrations/gcp"), sampleFederation(ProviderSetup{
			Issuer: "https://infsh.example.com", Subject: "team:0d4c9f3e-6f0e-4b0c-9a53-6d5d1c7f3e10", Audience: "//iam.googleapis.com/projects/PROJECT_NUMBER", OpenKeys: true,
			Steps: []SetupStep{{"Make a pool", "gcloud iam workload-identity-pools create infsh --location=global"}, {hostile, hostile}}, Keys: "{\n  \"keys\": []\n}", KeysUntil: Stamp{At: now}, Upload: "gcloud upload",
		}))},
		{"integration-member", IntegrationPage(member("/settings/integrations/google"), sampleIntegration(false))},
		{"integration-authorize", AuthorizePage(page("/settings/integrations/google"), Authorize{Provider: "Google", ProviderID: "google", Host: "accounts.google.com", URL: "https://accounts.google.com/o/oauth2/v2/auth?client_id=x", Can: []string{"See and change your spreadsheets"}, Other: []string{hostile}})},
		{"integration-code", PastedCodePage(Public{Theme: theme, CSRF: "csrf-token"}, PastedCode{Provider: "Google", Code: "code=" + hostile})},
		{"account", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 2, Logins: 1})},
		{"account-errors", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 1, Errors: FieldErrors{"current": "This is not your current password.", "new": "Use 10 characters or more."}})},
		{"confirm", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Fields: []HiddenField{{"role", hostile}}, Back: "/settings/members", Minutes: 10})},
		{"confirm-sso", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Back: "/settings/members", Minutes: 10, SignOn: "Okta " + hostile})},
		{"confirm-sso-alone", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Back: "/settings/members", Minutes: 10, SignOn: "Okta", NoPassword: true})},
		{"confirm-sso-app", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Back: "/settings/members", Minutes: 10, SignOn: "Okta", NoPassword: true, App: true})},
		{"account-sso", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 1, SignOn: SignOn{Name: "Okta " + hostile}})},
		{"account-sso-connected", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 1, SignOn: SignOn{Name: "Okta", Connected: true, Email: hostile, Since: minutes(90), Used: minutes(3)}})},
		{"account-sso-alone", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 1, NoPassword: true, Factors: Factors{NoPassword: true}, SignOn: SignOn{Name: "Okta", Connected: true, Needed: true, Since: minutes(90)}})},
		{"confirm-refused", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Back: "/settings/members", Minutes: 10, Errors: FieldErrors{"": "Too many failed sign-ins. Try again in 4s.", "password": "This is not your password."}})},
		{"confirm-factors", ConfirmPage(page("/settings/members"), Confirm{To: "change a role", Action: "/settings/members/1/role", Target: "dialog", Back: "/settings/members", Minutes: 10, App: true, Passkey: true, Errors: FieldErrors{"code": "This code is wrong.", "credential": "This passkey was not accepted."}})},
		{"app-setup", AppSetupPage(page("/settings/account"), AppSetup{Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", QR: QR{Path: "M4 4h7v1h-7z", Size: 41}, Errors: FieldErrors{"code": "This code is wrong."}})},
		{"recovery-codes", RecoveryCodesPage(page("/settings/account"), RecoveryCodes{Codes: []string{"ABCD-EFGH-IJKL-MNOP", "QRST-UVWX-YZ23-4567"}, What: "The authenticator app is on."})},
		{"second-step", SecondStepPage(Public{Theme: theme, CSRF: "csrf-token"}, SecondStep{Email: "ada@acme.example", Next: "/settings/apps", App: true, Passkey: true, RecoveryCodes: 9, Throttled: "Too many wrong codes. Try again in 4s.", Errors: FieldErrors{"code": "This code is wrong.", "credential": "This passkey was not accepted."}})},
		{"second-step-passkey", SecondStepPage(Public{Theme: theme, CSRF: "csrf-token"}, SecondStep{Email: "ada@acme.example", Passkey: true})},
		{"account-factors", AccountPage(page("/settings/account"), Account{Email: "ada@acme.example", Sessions: 2, Logins: 1, SignIns: []SignInRow{{ID: "1", Name: "Firefox on Linux", From: "192.0.2.10", Since: minutes(90), Used: minutes(0), This: true}, {ID: "2", Name: "Safari on iPhone", From: "2001:db8::1", Since: minutes(9000), Used: minutes(70)}, {ID: "3", Name: "laptop " + hostile, CommandLine: true, Since: minutes(50), Used: minutes(4)}}, Factors: Factors{On: true, HasApp: true, App: minutes(90), Offers: true, RecoveryCodes: 7, Passkeys: []PasskeyRow{{ID: "1", Name: "phone " + hostile, Added: minutes(9000), Used: minutes(3), Synced: true}, {ID: "2", Name: "work laptop", Added: minutes(20)}}, Errors: FieldErrors{"credential": "This passkey was not accepted."}}})},
		{"device-enter", DevicePage(page("/device"), DeviceForm{})},
		{"device", DevicePage(page("/device"), DeviceForm{Code: "WDJB-MJHT", Client: "infsh on build-7 " + hostile, Address: "192.0.2.10", Started: minutes(0), Expires: "in 10 minutes"})},
		{"device-approved", DeviceResultPage(page("/device"), DeviceResult{Approved: true, Client: "infsh on build-7", Team: "Acme"})},
		{"device-denied", DeviceResultPage(page("/device"), DeviceResult{})},
		{"team-new", NewTeamPage(page("/teams/new"), NewTeam{})},
		{"team-new-errors", NewTeamPage(page("/teams/new"), NewTeam{Username: "Acme Lab", Errors: FieldErrors{"username": "Use lower-case letters, digits and dashes."}})},
	}
}

// samplePartials are what htmx receives.
func samplePartials() []sample {
	p := samplePage("/settings/secrets", ThemeSystem)
	v := sampleSecrets(true)
	keys, members := sampleAPIKeys(), sampleMembers(true)
	keys.Created = &NewAPIKey{Name: "ci", Token: "infsh_token"}
	moving := sampleAppDetail()
	moving.MakeCurrent = &MakeCurrent{ID: "v-3", Check: AppCheck{Version: 3, Items: moving.Check.Items[:1]}}
	return []sample{
		{"SecretsTable", SecretsTable(p, v)},
		{"SecretsSaved", SecretsSaved(p, v)},
		{"AddSecretDialog", AddSecretDialog(p, AddSecret{Known: sampleKnown, List: ListState{Query: hostile}})},
		{"NameAdviceView", NameAdviceView(NameAdvice{Advice: hostile, Refused: hostile, Risky: hostile, Exists: hostile, EditURL: "/settings/secrets/A", CaseTwin: "a"})},
		{"EditSecretDialog", EditSecretDialog(p, EditSecret{Key: "A", Masked: masked16, Version: 1, Risky: "It is.", List: ListState{Query: "a"}, Errors: FieldErrors{"value": "The value is empty."}})},
		{"RevealDialog", RevealDialog(Revealed{Key: "OPENAI_API_KEY", Version: 3, Value: hostile, Seconds: 30, Home: "/settings/secrets"})},
		{"ImportPreviewView", ImportPreviewView(sampleImport())},
		{"EditPreviewView", EditPreviewView(sampleEdit())},
		{"DeleteSecretsDialog", DeleteSecretsDialog(p, *sampleDeletions())},
		{"undoToast", undoToast(Undo{ID: "0", CSRF: "csrf-token", Team: "team-acme", Message: "FAL_KEY was deleted."})},
		{"DeleteSecretDialog", DeleteSecretDialog(p, DeleteSecret{Key: "A", List: ListState{Query: "a"}})},
		{"AppCheckView", AppCheckView(p, sampleAppDetail())},
		{"DeleteAppDialog", DeleteAppDialog(p, sampleAppDetail())},
		{"MakeCurrentDialog", MakeCurrentDialog(p, moving)},
		{"APIKeyDialog", APIKeyDialog(p, sampleAPIKeyForm())},
		{"APIKeyCreated", APIKeyCreated(p, keys)},
		{"RevokeAPIKeyDialog", RevokeAPIKeyDialog(p, keys.Rows[0])},
		{"TakeOverAPIKeyDialog", TakeOverAPIKeyDialog(p, keys.Rows[3])},
		{"APIKeysSaved", APIKeysSaved(p, keys)},
		{"MemberRoleDialog", MemberRoleDialog(p, MemberRole{Member: members.Rows[1], Choice: []string{"admin", "member"}})},
		{"RemoveMemberDialog", RemoveMemberDialog(p, members.Rows[1])},
		{"MembersSaved", MembersSaved(p, members)},
		{"ErrorDialog", ErrorDialog(ErrorPageModel{Status: 403, Title: "You may not do this", Detail: hostile})},
		{"Notice", Notice(&Flash{Message: hostile}, true)},
	}
}

func sampleDeletions() *DeleteSecrets {
	return &DeleteSecrets{Keys: []DeleteKey{{Key: "DATABASE_URL"}, {Key: "OPENAI_API_KEY", UsedBy: sampleUses.Rows}}}
}

func sampleEdit() TeamsEditForm {
	preview := &EditPreview{
		Teams: []EditedTeam{{Label: hostile, Lines: sampleImport().Preview.Lines}}, Wrong: []ImportLine{{Line: 9, Key: hostile, Status: ImportRefused, Detail: hostile}},
		Left: 2, Stale: true, Seen: hostile,
	}
	preview.Count()
	return TeamsEditForm{
		Choices: []GridChoice{{ID: "t1", Label: hostile, Username: "acme", Chosen: true}}, Text: "[acme]\nOPENAI_API_KEY=\n# Not set yet:\nFAL_KEY=\n\n", MaxValues: 500, Errors: FieldErrors{"": hostile}, Preview: preview,
	}
}

func sampleImport() ImportForm {
	preview := &ImportPreview{Tried: true, Lines: []ImportLine{
		{Line: 1, Key: "OPENAI_API_KEY", Status: ImportUnchanged},
		{Line: 3, Key: "FAL_KEY", Status: ImportNew},
		{Line: 4, Key: "DATABASE_URL", Status: ImportExists},
		{Line: 5, Key: "HF_TOKEN", Status: ImportChanged},
		{Line: 7, Status: ImportRefused, Detail: "The line has no \"=\"; write KEY=value, and put a value of several lines in quotes."},
	}}
	preview.Count()
	return ImportForm{CanEdit: true, MaxKeys: 500, Errors: FieldErrors{"": "There is a file and a text. Remove one of them."}, Preview: preview}
}

func sampleAccounts() []LinkedAccount {
	return []LinkedAccount{
		{
			ID: "1", Provider: "google", ProviderName: "Google", Name: "ada@acme.example " + hostile, Kind: "Google account", Status: "connected", Primary: true, Several: true,
			Can: []string{"See and change your spreadsheets"}, Other: []string{"https://www.googleapis.com/auth/tasks"}, Env: []string{"GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_OAUTH_CREDENTIALS"},
			Connected: minutes(90000), Refreshed: minutes(12), Renews: true, OAuth: true, Uses: sampleUsedBy, Stops: sampleUsedBy[:1],
			Adds: []CapabilityChoice{{Key: "google.drive", Words: "See, change, add and delete all your files in Drive", Ticked: true}},
		},
		{ID: "2", Provider: "google", ProviderName: "Google", Name: "bob@acme.example", Kind: "Google account", Status: "expired", Problem: "Google does not renew it any more (it answered invalid_grant). Connect it again.", Several: true, OAuth: true, Connected: minutes(9000)},
		{ID: "3", Provider: "discord", ProviderName: "Discord", Name: "robot", Kind: "Bot token", Status: "error", Problem: hostile, Env: []string{"DISCORD_BOT_TOKEN"}, Connected: minutes(3)},
	}
}

func sampleIntegrations() Integrations {
	return Integrations{
		Accounts:  sampleAccounts(),
		Needs:     []IntegrationNeed{{Key: "x.tweet.write", Message: "x.tweet.write is required, and X is not connected in team acme.", URL: "/settings/integrations/x?need=x.tweet.write", Apps: sampleUsedBy[:1]}},
		Providers: []ProviderCard{{ID: "google", Name: "Google", About: "Gmail, Calendar, Drive, Docs, Sheets and Slides of one Google account.", Accounts: 2}, {ID: "x", Name: "X", About: hostile}},
	}
}

func sampleIntegration(canEdit bool) IntegrationDetail {
	return IntegrationDetail{
		ID: "google", Name: "Google", About: "Gmail, Calendar and Drive.", CanEdit: canEdit,
		RedirectURL: "https://infsh.example.com/settings/integrations/callback", Need: "An app declares google.drive.", Accounts: sampleAccounts()[:2],
		Kinds: []KindForm{
			{
				Type: "oauth", Name: "Google account", Docs: "https://console.cloud.google.com/apis/credentials", Steps: []string{"Make a client.", hostile}, OAuth: true, ClientID: "123.apps.googleusercontent.com", Host: "accounts.google.com",
				Fields: []KindField{{Key: "project_number", Label: "Project number", Placeholder: "123456789012", Value: hostile}}, Scopes: []string{hostile},
				Choices: []CapabilityChoice{{Key: "google.sheets", Words: "See and change your spreadsheets"}}, ClientErrors: FieldErrors{"client_secret": "Copy it again."},
			},
			{Type: "service_account", Name: "Service account", Steps: []string{"Make a key."}, Fields: []KindField{{Key: "service_account_key", Label: "Key file (JSON)", Sensitive: true, Long: true}}},
		},
	}
}

func sampleFederation(setup ProviderSetup) IntegrationDetail {
	return IntegrationDetail{ID: "gcp", Name: "Google Cloud", About: "Vertex AI.", CanEdit: true, Kinds: []KindForm{{
		Type: "workload_identity", Name: "Workload identity federation", Steps: []string{"Fill in the form."}, Setup: &setup, Errors: FieldErrors{"": "It does not let this team in."},
		Fields: []KindField{{Key: "project_number", Label: "Project number"}, {Key: "pool", Label: "Pool", Value: "infsh"}, {Key: "service_account", Label: "Service account", Optional: true}},
	}}}
}

func sampleTrusts(preset string) Trusts {
	v := Trusts{CanEdit: true, Form: TrustForm{Preset: preset, Site: "https://infsh.example", Apps: []AppChoice{{"acme/summariser", true}, {"acme/hello", false}}}, Rows: []TrustRow{
		{
			ID: "t1", Name: "deploy", Issuer: "https://token.actions.githubusercontent.com", Audience: "https://infsh.example", Conditions: []string{"repository = acme/summariser", "ref = refs/heads/main"},
			Apps: []string{"acme/summariser"}, LastUsed: minutes(3), LastSubject: "repo:acme/summariser:ref:refs/heads/main", Created: minutes(6000), Snippet: "permissions:\n  id-token: write\n",
		},
		{ID: "t2", Name: hostile, Issuer: "https://kubernetes.default.svc", Audience: hostile, GivenKeys: true, Reuse: true, Conditions: []string{hostile}, LastSubject: hostile, Snippet: hostile},
	}}
	if preset == "other" {
		v.Form.Conditions, v.Form.Name, v.Form.JWKS = hostile, hostile, hostile
		v.Form.Errors = FieldErrors{"name": "A name is needed.", "issuer": "It must begin with https://.", "conditions": "Write a condition on each line.", "jwks": "It must be a JSON Web Key Set.", "apps": "Name an app.", "audience": "One line."}
	}
	return v
}
