package api

import "time"

// App is a registered app with its current version.
type App struct {
	Owned
	Namespace   string     `json:"namespace"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	VersionID   string     `json:"version_id"`
	Version     AppVersion `json:"version"`
}

// AppVersion is what an app declared at one time. It never changes.
type AppVersion struct {
	ID      string `json:"id"`
	ShortID string `json:"short_id"`
	// Number counts an app's versions from 1.
	Number int64 `json:"number"`
	// Digest identifies the declared content.
	Digest               string                   `json:"digest"`
	CreatedAt            time.Time                `json:"created_at"`
	UpdatedAt            time.Time                `json:"updated_at"`
	RequiredSecrets      []SecretRequirement      `json:"required_secrets"`
	RequiredIntegrations []IntegrationRequirement `json:"required_integrations"`
}

// SecretRequirement is a secret that an app declares.
type SecretRequirement struct {
	Key         string `json:"key"`
	Description string `json:"description"`
	Optional    bool   `json:"optional"`
	// Delivery is how the value reaches the app: "env", which is the default.
	// "file" and "broker" are reserved.
	Delivery string `json:"delivery,omitempty"`
}

// IntegrationRequirement is an integration that an app declares.
type IntegrationRequirement struct {
	Key         string   `json:"key"`
	Description string   `json:"description"`
	Optional    bool     `json:"optional"`
	Secrets     []string `json:"secrets,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
}

// DeployedApp is the answer to POST /apps: the app with its current version,
// and what came of the deployment.
type DeployedApp struct {
	App
	Deployment Deployment `json:"deployment"`
}

// Deployment is what came of a deployment. Lists of keys are sorted as they are
// declared.
type Deployment struct {
	// Version is the deployed one. It is not current while it waits for keys
	// that it requires and an earlier version can run.
	Version AppVersion `json:"version"`
	Current bool       `json:"current"`
	// Granted are the keys that this deployment let the app have, and Regranted
	// those among them that had been revoked.
	Granted   []string `json:"granted"`
	Regranted []string `json:"regranted"`
	// Waiting are the version's keys that an owner or admin has to approve, and
	// Revoked those that one of them revoked.
	Waiting []string `json:"waiting"`
	Revoked []string `json:"revoked"`
}

// AppWrite is the body of POST /apps. It is answered with 201 where it made a
// version, and with 200 where the content was registered already. An empty
// Namespace is the team's username. KeepRevoked leaves a revoked key revoked,
// where deploying would ask for it anew.
type AppWrite struct {
	Namespace   string          `json:"namespace,omitempty"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Version     AppVersionWrite `json:"version"`
	KeepRevoked bool            `json:"keep_revoked,omitempty"`
}

// AppVersionWrite is what the new version declares.
type AppVersionWrite struct {
	RequiredSecrets      []SecretRequirement      `json:"required_secrets"`
	RequiredIntegrations []IntegrationRequirement `json:"required_integrations"`
}

// RequirementType is the kind of a [RequirementError].
type RequirementType string

// Kinds of requirement errors.
const (
	RequirementSecret      RequirementType = "secret"
	RequirementIntegration RequirementType = "integration"
	RequirementScope       RequirementType = "scope"
)

// RequirementError says what an app lacks, and what to do about it.
type RequirementError struct {
	Type    RequirementType `json:"type"`
	Key     string          `json:"key"`
	Message string          `json:"message"`
	Action  Action          `json:"action"`
	// StagedVersion is set where activating it is what there is to do.
	StagedVersion int64 `json:"staged_version,omitempty"`
	// State says more than Type: that of the check, such as waiting.
	State CheckState `json:"state,omitempty"`
}

// ActionType is what a person has to do.
type ActionType string

// Kinds of actions.
const (
	ActionAddSecret ActionType = "add_secret"
	ActionConnect   ActionType = "connect"
	ActionAddScopes ActionType = "add_scopes"
)

// Action is what to do about a requirement error. URL opens the page where it
// is done, filled in.
type Action struct {
	Type         ActionType `json:"type"`
	Provider     string     `json:"provider,omitempty"`
	ProviderName string     `json:"provider_name,omitempty"`
	Scopes       []string   `json:"scopes,omitempty"`
	// ScopeDescriptions say the scopes in words.
	ScopeDescriptions map[string]string `json:"scope_descriptions,omitempty"`
	URL               string            `json:"url,omitempty"`
}

// CheckRequest is the body of POST /apps/check. App, "namespace/name" or the
// name alone, is the app that the requirements are of: its grants count, and its
// earlier declarations don't. Without it the check is of what is set.
type CheckRequest struct {
	Secrets      []SecretRequirement      `json:"secrets"`
	Integrations []IntegrationRequirement `json:"integrations"`
	App          string                   `json:"app,omitempty"`
}

// CheckState is what a check found about one declared key.
type CheckState string

// States of a declared key.
const (
	StateSet             CheckState = "set"
	StateMissing         CheckState = "missing"
	StateMissingOptional CheckState = "missing_optional"
	// StateUnavailable is an integration that this server does not know.
	StateUnavailable CheckState = "unavailable"
	// StateNotConnected, StateNeedsScopes and StateLapsed are integrations that
	// somebody has to connect, to let do more, or to connect again.
	StateNotConnected CheckState = "not_connected"
	StateNeedsScopes  CheckState = "needs_scopes"
	StateLapsed       CheckState = "expired"
	// StateCollision is an integration that gives a name which the app receives
	// from elsewhere too.
	StateCollision CheckState = "collision"
	// StateWaiting, StateRevoked and StateNotGranted are keys that the team does
	// not let the app have: an owner or admin has to approve them.
	StateWaiting    CheckState = "waiting"
	StateRevoked    CheckState = "revoked"
	StateNotGranted CheckState = "not_granted"
	// StateRefused is a name that may not be in an environment.
	StateRefused CheckState = "refused"
)

// Kinds of [CheckItem].
const (
	CheckSecret      = "secret"
	CheckIntegration = "integration"
)

// CheckItem is what a check found about one declared key.
type CheckItem struct {
	Key      string     `json:"key"`
	Kind     string     `json:"kind"`
	Optional bool       `json:"optional"`
	State    CheckState `json:"state"`
	// Grant is the state of the grant: granted, waiting, revoked, on_deploy for
	// what the caller grants by deploying, or not_granted. It is absent where no
	// app was named.
	Grant string `json:"grant,omitempty"`
	// Source is the team's key whose value is given, if it has another name.
	Source string `json:"source,omitempty"`
	// Version is the current version of a secret that is set, else 0.
	Version int64 `json:"version,omitempty"`
	// StagedVersion is the newest version of a secret that is not set because
	// all of its versions are staged.
	StagedVersion int64      `json:"staged_version,omitempty"`
	Message       string     `json:"message,omitempty"`
	NearMisses    []NearMiss `json:"near_misses,omitempty"`
	// Propose is the team's key that the declared one may be bound to.
	Propose string `json:"propose,omitempty"`
	URL     string `json:"url,omitempty"`
	// Command connects what an integration lacks, on the command line.
	Command string `json:"command,omitempty"`
	// Account is the connected one that serves an integration, and Env what an app
	// receives of it.
	Account string   `json:"account,omitempty"`
	Env     []string `json:"env,omitempty"`
}

// NearMiss is a secret that is set and may be the one that was meant. Team is
// the username of another team of the caller's, if it is set there.
type NearMiss struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
	Team   string `json:"team,omitempty"`
}

// CheckResponse is the answer to POST /apps/check. Later versions only add
// names.
type CheckResponse struct {
	// App is namespace/name of the app whose grants counted, if one was named.
	App       string             `json:"app,omitempty"`
	Satisfied bool               `json:"satisfied"`
	Errors    []RequirementError `json:"errors"`
	Items     []CheckItem        `json:"items"`
	// Unused are the team's secrets that neither this manifest nor any
	// registered app declares.
	Unused []string `json:"unused"`
}

// IntegrationsCheckRequest is the body of POST /integrations/check.
type IntegrationsCheckRequest = CheckRequest

// IntegrationsCheckResponse is the answer to POST /integrations/check.
type IntegrationsCheckResponse = CheckResponse

// MaxRunIDLength is the longest run id that is accepted, in characters.
const MaxRunIDLength = 128

// ResolveRequest is the body of POST /internal/v1/resolve.
type ResolveRequest struct {
	// App is "namespace/name".
	App string `json:"app"`
	// Version is an id or a number; empty means the current version.
	Version string `json:"version,omitempty"`
	RunID   string `json:"run_id,omitempty"`
}

// ResolveResponse is its answer. The server encodes it with MarshalRevealed.
type ResolveResponse struct {
	App     string `json:"app"`
	Version string `json:"version"`
	RunID   string `json:"run_id"`
	// Env holds only keys that the version declares, the team grants, and that
	// are set.
	Env             map[string]*Plaintext `json:"env"`
	Secrets         []ResolvedSecret      `json:"secrets"`
	MissingOptional []string              `json:"missing_optional"`
	// Integrations are those that Env has values of.
	Integrations []ResolvedIntegration `json:"integrations,omitempty"`
}

// ResolvedIntegration says of which account values were given.
type ResolvedIntegration struct {
	Key      string `json:"key"`
	Provider string `json:"provider"`
	ID       string `json:"id"`
	// ExpiresAt is when the values end.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// FindingsReport is the body of POST /internal/v1/findings: what a runner masked in
// the output of one run.
type FindingsReport struct {
	App string `json:"app"`
	// Version is an id or a number; empty means the current version.
	Version  string    `json:"version,omitempty"`
	RunID    string    `json:"run_id,omitempty"`
	Findings []Finding `json:"findings"`
}

// Finding says how often the value of a key was printed in one form, such as raw
// or base64. Nothing of the value is in it.
type Finding struct {
	Key   string `json:"key"`
	Form  string `json:"form"`
	Count int64  `json:"count"`
}

// ResolvedSecret says which version of a secret was given.
type ResolvedSecret struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
}
