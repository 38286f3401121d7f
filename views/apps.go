package views

// Apps lists the team's registered apps.
type Apps struct {
	Rows []AppRow
	// Waiting is how many keys wait for an approval that the reader may give.
	Waiting int
	Pager   Pager
}

// AppRow is one app with the state of what its current version declares.
type AppRow struct {
	AppRef
	Description string
	Version     int // number of the current version
	Keys        []AppKey
	// Waiting is how many of its keys wait for approval.
	Waiting     int
	LastResolve Stamp
}

// KeyState is what the check says of one declared key.
type KeyState string

// The states of a declared key, as the API's check names them.
const (
	KeySet             KeyState = "set"
	KeyMissing         KeyState = "missing"
	KeyMissingOptional KeyState = "missing_optional"
	KeyUnavailable     KeyState = "unavailable"
	KeyWaiting         KeyState = "waiting"
	KeyRevoked         KeyState = "revoked"
	KeyNotGranted      KeyState = "not_granted"
	KeyRefused         KeyState = "refused"
	KeyNotConnected    KeyState = "not_connected"
	KeyNeedsScopes     KeyState = "needs_scopes"
	KeyLapsed          KeyState = "expired"
	KeyCollision       KeyState = "collision"
)

// AppKey is one declared key with its state.
type AppKey struct {
	Key   string
	State KeyState
}

// AppDetail is one app: the check, and its versions.
type AppDetail struct {
	AppRef
	Description string
	Version     int
	VersionID   string
	Deployed    Stamp
	DeployedBy  string
	LastResolve Stamp
	CanEdit     bool // the actor may set what is missing
	CanMove     bool // the actor may choose the current version
	CanDelete   bool
	Check       AppCheck
	// Pending is the check of the version that waits for approval, nil if none.
	Pending  *AppCheck
	Versions []AppVersion
	// TeamKeys are the team's keys to which a declared one can be bound.
	TeamKeys []string
	// Delete and MakeCurrent are the questions that are open.
	Delete      bool
	MakeCurrent *MakeCurrent
}

// MakeCurrent asks whether a version becomes the current one, and what the
// check says of it.
type MakeCurrent struct {
	ID    string
	Check AppCheck
}

// Ungranted are the required keys of the version that somebody has to approve
// before it can be the current one.
func (m MakeCurrent) Ungranted() []string {
	var keys []string
	for _, item := range m.Check.Items {
		if !item.Optional && item.ungranted() {
			keys = append(keys, item.Key)
		}
	}
	return keys
}

// AppCheck answers "why did my app not receive it?", key by key.
type AppCheck struct {
	Version    int
	Items      []CheckItem
	Undeclared []string // set in the team, not declared by the app: never injected
	Checked    Stamp
}

// Missing counts the required keys that stop a run.
func (c AppCheck) Missing() int {
	n := 0
	for _, item := range c.Items {
		if item.Blocks() {
			n++
		}
	}
	return n
}

// CheckItem is one declared key, what the check found, and what to do.
type CheckItem struct {
	Key         string
	Description string
	Integration bool // an integration, not a secret
	Optional    bool
	State       KeyState
	Version     int    // of the secret, where it is set
	Staged      int    // the newest version of a secret that is only staged
	Message     string // the sentence that the API's check gives
	NearMisses  []NearMiss
	FixURL      string // opens the Add dialog, filled in, with the way back; empty where there is nothing to do
	Source      string // the team's key whose value it receives, where that has another name
	Propose     string // the team's key that may be bound to it
	Grant       string // granted, waiting, revoked; empty where nobody asked
	Steps       []CheckStep
	Place       string // tells the checks of one page apart
	Whole       string // of an integration, what an app that has it can do
	ProviderURL string // where a further account of an integration is connected
	Accounts    []AccountChoice
}

// AccountChoice is an account that an app may be given of an integration.
type AccountChoice struct {
	Source string // an integration's own key stands for the primary account
	Name   string
	Chosen bool
}

// CheckStep is one step of the decision about a key.
type CheckStep struct {
	OK         bool
	Text, Todo string
}

// Blocks says whether the item stops a run.
func (i CheckItem) Blocks() bool {
	return !i.Optional && i.State != KeySet
}

// NearMiss is a key that is set and was perhaps meant.
type NearMiss struct {
	Key    string
	Reason string
	Team   string // username of another team of the user that has it; empty for this team
}

// AppVersion is one registered version.
type AppVersion struct {
	Number  int
	ID      string
	Created Stamp
	By      string
	Digest  string
	Current bool
	// Waits: it becomes current when its keys are approved.
	Waits   bool
	Secrets int // how many secrets it declares
}
