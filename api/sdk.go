package api

// The official SDK sends fields that this server has no use for. Its requests
// name them here, so that they are ignored, and everything else that is unknown
// is refused: a misspelt field must not look as if it had worked.

// Ignored takes any JSON value and keeps nothing of it.
type Ignored struct{}

// UnmarshalJSON never fails.
func (*Ignored) UnmarshalJSON([]byte) error { return nil }

// ListBody is a [ListRequest] as the SDK sends it. A cursor knows its direction,
// and a list shows whatever its caller may see, whole.
type ListBody struct {
	ListRequest
	// Page is 0 or 1, which ask for nothing: pages have no numbers.
	Page           *int    `json:"page"`
	Direction      Ignored `json:"direction"`
	Preloads       Ignored `json:"preloads"`
	Fields         Ignored `json:"fields"`
	Permissions    Ignored `json:"permissions"`
	IncludeOthers  Ignored `json:"include_others"`
	IncludePrivate Ignored `json:"include_private"`
}

// sdkObject is what a whole object of the SDK holds beside what can be written
// of it. Clients send one back that they have changed in a field or two.
type sdkObject struct {
	ID         Ignored `json:"id"`
	ShortID    Ignored `json:"short_id"`
	CreatedAt  Ignored `json:"created_at"`
	UpdatedAt  Ignored `json:"updated_at"`
	DeletedAt  Ignored `json:"deleted_at"`
	UserID     Ignored `json:"user_id"`
	User       Ignored `json:"user"`
	TeamID     Ignored `json:"team_id"`
	Team       Ignored `json:"team"`
	OrgID      Ignored `json:"org_id"`
	Visibility Ignored `json:"visibility"`
}

// SecretBody is a [SecretWrite] as the SDK sends it. What it says of a provider
// would make an integration of the secret, which this server does not.
type SecretBody struct {
	SecretWrite
	sdkObject
	MaskedValue     Ignored `json:"masked_value"`
	Scope           Ignored `json:"scope"`
	Version         Ignored `json:"version"`
	UpdatedBy       Ignored `json:"updated_by"`
	ValueAt         Ignored `json:"value_at"`
	RotateAt        Ignored `json:"rotate_at"`
	Rotation        Ignored `json:"rotation"`
	Expiry          Ignored `json:"expiry"`
	StagedVersion   Ignored `json:"staged_version"`
	StoredVersion   Ignored `json:"stored_version"`
	Unchanged       Ignored `json:"unchanged"`
	Warnings        Ignored `json:"warnings"`
	CredentialID    Ignored `json:"credential_id"`
	Provider        Ignored `json:"provider"`
	ProviderName    Ignored `json:"provider_name"`
	ProviderWebsite Ignored `json:"provider_website"`
	ConnectionScope Ignored `json:"connection_scope"`
}

// AppBody is an [AppWrite] as the SDK sends it. This server keeps of an app what
// it needs to decide which secrets the app receives.
type AppBody struct {
	Namespace   string         `json:"namespace"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Version     AppVersionBody `json:"version"`
	KeepRevoked bool           `json:"keep_revoked"`
	// PreserveCurrentVersion can't be true: what is deployed is current.
	PreserveCurrentVersion bool `json:"preserve_current_version"`
	sdkApp
}

// sdkApp is what a whole app of the SDK holds beside what can be written of it.
type sdkApp struct {
	sdkObject
	Title            Ignored `json:"title"`
	AgentDescription Ignored `json:"agent_description"`
	Category         Ignored `json:"category"`
	Images           Ignored `json:"images"`
	VersionID        Ignored `json:"version_id"`
	Status           Ignored `json:"status"`
	StatusMessage    Ignored `json:"status_message"`
	StatusChangedAt  Ignored `json:"status_changed_at"`
	Deployment       Ignored `json:"deployment"`
}

// AppChangeBody is the body of POST /apps/{id}: null keeps what there is. A name
// is taken if it is the app's own. A version never changes, so it is ignored;
// POST /apps makes the next one.
type AppChangeBody struct {
	Namespace   *string `json:"namespace"`
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Version     Ignored `json:"version"`
	sdkApp
}

// NotOfferedBody is what the SDK sends to the calls on an app that this server
// does not do.
type NotOfferedBody struct {
	TeamID     Ignored `json:"team_id"`
	Visibility Ignored `json:"visibility"`
	Status     Ignored `json:"status"`
	Message    Ignored `json:"message"`
	License    Ignored `json:"license"`
}

// RunBody is the body of POST /apps/run, which runs nothing.
type RunBody struct {
	// App is namespace/name.
	App            string  `json:"app"`
	AppID          Ignored `json:"app_id"`
	VersionID      Ignored `json:"version_id"`
	Infra          Ignored `json:"infra"`
	Workers        Ignored `json:"workers"`
	Webhook        Ignored `json:"webhook"`
	Setup          Ignored `json:"setup"`
	Input          Ignored `json:"input"`
	Stream         Ignored `json:"stream"`
	Wait           Ignored `json:"wait"`
	Function       Ignored `json:"function"`
	Session        Ignored `json:"session"`
	SessionTimeout Ignored `json:"session_timeout"`
	RunAt          Ignored `json:"run_at"`
	Metadata       Ignored `json:"metadata"`
}

// AppVersionBody is an [AppVersionWrite] as the SDK sends it.
type AppVersionBody struct {
	AppVersionWrite
	// ID says that this is the content of that version. Other content is a
	// conflict, since a version never changes.
	ID string `json:"id"`
	sdkObject
	Number          Ignored `json:"number"`
	Digest          Ignored `json:"digest"`
	Metadata        Ignored `json:"metadata"`
	Repository      Ignored `json:"repository"`
	FlowVersionID   Ignored `json:"flow_version_id"`
	FlowVersion     Ignored `json:"flow_version"`
	SetupSchema     Ignored `json:"setup_schema"`
	InputSchema     Ignored `json:"input_schema"`
	OutputSchema    Ignored `json:"output_schema"`
	Functions       Ignored `json:"functions"`
	DefaultFunction Ignored `json:"default_function"`
	Variants        Ignored `json:"variants"`
	Env             Ignored `json:"env"`
	Kernel          Ignored `json:"kernel"`
	Resources       Ignored `json:"resources"`
	Checksum        Ignored `json:"checksum"`
}

// sdkTeam is what a whole team of the SDK holds beside what can be written of it.
type sdkTeam struct {
	sdkObject
	Type           Ignored `json:"type"`
	AvatarURL      Ignored `json:"avatar_url"`
	SetupCompleted Ignored `json:"setup_completed"`
	Role           Ignored `json:"role"`
	MembersMayEdit Ignored `json:"members_may_edit"`
	Environment    Ignored `json:"environment"`
}

// TeamBody is a [TeamCreate] as the SDK sends it.
type TeamBody struct {
	TeamCreate
	sdkTeam
}

// TeamChangeBody is a [TeamChange] as the SDK sends it.
type TeamChangeBody struct {
	TeamChange
	sdkTeam
}
