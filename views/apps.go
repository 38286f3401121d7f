package views

// Apps lists the team's registered apps.
type Apps struct {
	Rows  []AppRow
	Pager Pager
}

// AppRow is one app with the state of what its current version declares.
type AppRow struct {
	AppRef
	Description string
	Version     int // number of the current version
	Keys        []AppKey
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
	Check       AppCheck
	Versions    []AppVersion
}

// AppCheck answers "why did my app not receive it?", key by key.
type AppCheck struct {
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
	Secrets int // how many secrets it declares
}
