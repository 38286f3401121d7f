package views

// Webhooks lists the team's webhooks.
type Webhooks struct {
	Rows    []WebhookRow
	CanEdit bool
	Form    WebhookForm
	Created *NewWebhook // the one that was just made
}

// WebhookRow is one endpoint.
type WebhookRow struct {
	ID           string
	URL          string
	Description  string
	Events       []string // empty means all
	Enabled      bool
	Reason       string // why the server switched it off, or empty
	FailingSince Stamp
	Created      Stamp
}

// WebhookForm adds an endpoint.
type WebhookForm struct {
	URL, Description string
	Choice           []EventChoice
	Errors           FieldErrors // url, description, events
}

// EventChoice is an event that an endpoint may ask for.
type EventChoice struct {
	Type, Words string
	Ticked      bool
}

// NewWebhook shows a signing secret, the only time that it is shown.
type NewWebhook struct{ ID, URL, Secret string }

// WebhookDetail is one endpoint with its latest messages.
type WebhookDetail struct {
	Row      WebhookRow
	CanEdit  bool
	Rotated  *NewWebhook
	Messages []WebhookMessage // newest first
}

// WebhookMessage is one message to an endpoint.
type WebhookMessage struct {
	ID       string
	Type     string
	State    string // pending, delivered or failed
	Attempts int
	Created  Stamp
	Next     Stamp // of one that failed and is tried again
	Error    string
}

func webhookURL(id string) string { return "/settings/webhooks/" + id }
