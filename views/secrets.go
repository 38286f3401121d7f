package views

import "net/url"

// Secrets is the list of a team's secrets.
type Secrets struct {
	List    ListState
	Rows    []SecretRow
	Total   int  // matches in all, more than Rows where there are several pages
	Before  int  // matches on the pages before
	Any     bool // the team has at least one secret, whatever was searched for
	CanEdit bool // the actor may add, change and delete
	// CanReveal tells that the actor may see values.
	CanReveal bool
	// The cursors of the neighbouring pages, empty where there is none.
	Previous, Next string
	// Due is how many of the team's secrets are due.
	Due int
	// Expected are keys that the team means to have and has not set, whatever
	// was searched for.
	Expected []ExpectedKey

	// Dialog is the state of the page: at most one of these is set.
	Add        *AddSecret
	Edit       *EditSecret
	Delete     *DeleteSecret
	DeleteMany *DeleteSecrets

	// Undo offers to take back a deletion, of which Undone was taken back.
	Undo   *Undo
	Undone string

	Known []KnownSecret // common secrets, for the empty state and suggestions
}

// SecretRow is one secret as the list shows it.
type SecretRow struct {
	Key         string
	Description string
	Masked      string
	Version     int // in use; 0 while there are only staged ones
	Staged      int // the newest version that was never in use, or 0
	UpdatedBy   string
	Updated     Stamp
	Life        Life
	UsedBy      int    // apps that receive it
	Warning     string // such as another key that differs only in case, or empty
}

// ExpectedKey is a key that waits for its value.
type ExpectedKey struct {
	Key         string
	Description string
}

// URL opens the form that sets it, filled in.
func (k ExpectedKey) URL() string {
	return "/settings/secrets?" + url.Values{"add": {k.Key}, "description": {k.Description}}.Encode()
}

// KnownSecret is a secret that many apps use.
type KnownSecret struct {
	Key         string
	Service     string
	Description string
}

// AddSecret is the form that adds a secret. It has no field for the value:
// what was typed never comes back from the server.
type AddSecret struct {
	Key         string
	Description string
	Return      string    // path of the check that led here, validated by the server
	ReturnName  string    // name of the app that is checked there
	List        ListState // the list below it
	Advice      NameAdvice
	AllowRisky  bool // the box was ticked
	Verbatim    bool // the box was ticked
	Stage       bool // the box was ticked
	Ends        EndFields
	Errors      FieldErrors // key, value, description, allow_risky_name
	Known       []KnownSecret
}

// NameAdvice is what the server says about a name while it is typed.
type NameAdvice struct {
	Advice     string // proposes a better name
	Refused    string // why this name can't be used
	Risky      string // why this name needs the checkbox
	Exists     string // the key is set already; EditURL leads to it
	EditURL    string
	CaseTwin   string // the team's key that differs only in case
	AllowRisky bool
}

// EditSecret is the form that rotates a value or changes the description.
type EditSecret struct {
	Key         string
	Description string
	Masked      string
	Version     int
	Staged      int
	Risky       string // why this name needs the checkbox, or empty
	AllowRisky  bool
	Verbatim    bool
	Stage       bool
	List        ListState // the list below it
	Ends        EndFields
	Receivers   []UseRow    // the apps that receive a new value at their next run
	Errors      FieldErrors // value, description, allow_risky_name
}

// DeleteSecret asks whether to delete, and says who would miss it.
type DeleteSecret struct {
	Key    string
	UsedBy []UseRow
	List   ListState
	Errors FieldErrors
}

// AppRef names an app and leads to its page.
type AppRef struct {
	Name     string // namespace/name
	Optional bool   // the app declares the key as optional
}

// URL is the app's page.
func (a AppRef) URL() string { return "/settings/apps/" + a.Name }

// SecretDetail is one secret with its history.
type SecretDetail struct {
	CanReveal bool      // the actor may see the value, and there is one in use
	Reveal    *Revealed // the value is shown
	Row       SecretRow
	CanEdit   bool
	Edit      EditSecret // the form in the page
	Uses      Uses
	History   []SecretVersion // newest first
	Delete    *DeleteSecret   // the dialog is open
	LifeForm  LifeForm
	// Compare: the person may reveal here and in another team.
	Compare bool
}

// VersionState is what a version is for now, as the API names it.
type VersionState string

// The states of a version.
const (
	VersionActive     VersionState = "active"
	VersionStaged     VersionState = "staged"
	VersionSuperseded VersionState = "superseded"
)

// SecretVersion is one entry of a secret's history.
type SecretVersion struct {
	Version int
	Masked  string
	Created Stamp
	By      string
	State   VersionState
	Ends    Stamp // at its provider
}

func secretURL(key string) string { return "/settings/secrets/" + url.PathEscape(key) }

func addURL(k KnownSecret) string {
	return "/settings/secrets?" + url.Values{
		"add":         {k.Key},
		"description": {k.Service + ": " + k.Description},
	}.Encode()
}
