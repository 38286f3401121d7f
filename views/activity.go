package views

// Activity is a page of the team's audit entries, newest first.
type Activity struct {
	Rows  []ActivityRow
	Pager Pager
}

// ActivityRow is one audit entry in words.
type ActivityRow struct {
	ID        string
	At        Stamp
	Who       string // email, or the name of an API key
	Action    string // "Set a secret", "Resolved secrets for a run"
	Target    string // such as OPENAI_API_KEY or acme/summariser
	Allowed   bool
	Unchanged bool   // it was allowed, and there was nothing to change
	Masked    bool   // what it reports was found in an app's output and masked
	Reason    string // why it was denied, or empty
	From      string // address
	RunID     string
}
