package api

import "time"

// Grant says whether an app may have a key that it declares.
type Grant struct {
	AppID string `json:"app_id"`
	// Key is the declared one, and SourceKey the team's key whose value the app
	// receives: the same unless bound.
	Key       string `json:"key"`
	SourceKey string `json:"source_key"`
	// State is granted, waiting or revoked.
	State string `json:"state"`
	// Who deployed the version that asked for it, by user id and address.
	RequestedByID      string    `json:"requested_by_id"`
	RequestedBy        string    `json:"requested_by"`
	RequestedVersionID string    `json:"requested_version_id"`
	RequestedVersion   int64     `json:"requested_version"`
	RequestedAt        time.Time `json:"requested_at"`
	// Who granted or revoked it; absent while it waits.
	DecidedByID string     `json:"decided_by_id,omitempty"`
	DecidedBy   string     `json:"decided_by,omitempty"`
	DecidedAt   *time.Time `json:"decided_at,omitempty"`
	// Whole says of an integration that was just granted what the app can do with
	// it, which is more than what it declares.
	Whole string `json:"whole,omitempty"`
}

// States of a [Grant].
const (
	GrantGranted = "granted"
	GrantWaiting = "waiting"
	GrantRevoked = "revoked"
	// In a check only: the caller would grant it by deploying, or would have to
	// wait for an approval.
	GrantOnDeploy      = "on_deploy"
	GrantNeedsApproval = "not_granted"
)

// Grants is the answer to POST /apps/{id}/grants/list, sorted by key.
type Grants struct {
	Items []Grant `json:"items"`
}

// GrantApproval is the body of POST /apps/{id}/grants/approve: declared keys,
// and for some of them the team's key that they are bound to. A key that stands
// in Bind needs not stand in Keys.
type GrantApproval struct {
	Keys []string          `json:"keys,omitempty"`
	Bind map[string]string `json:"bind,omitempty"`
}

// GrantRevocation is the body of POST /apps/{id}/grants/revoke. A key that
// waits is denied.
type GrantRevocation struct {
	Keys []string `json:"keys"`
}

// GrantDecision is the answer to both: the app, the grants that changed, and
// whether a version that waited became current by it.
type GrantDecision struct {
	App      App     `json:"app"`
	Items    []Grant `json:"items"`
	Promoted bool    `json:"promoted"`
}

// WhyResponse is the answer to GET /apps/{namespace}/{name}/why/{key}: the
// resolver's decision about one key, step by step.
type WhyResponse struct {
	App       string `json:"app"`
	VersionID string `json:"version_id"`
	Version   int64  `json:"version"`
	Current   bool   `json:"current"`
	Key       string `json:"key"`
	// Injected tells whether a run would receive the key: whether all steps
	// are OK.
	Injected bool      `json:"injected"`
	Steps    []WhyStep `json:"steps"`
}

// WhyStep is one step of the decision. Name is declared, allowed, granted,
// bound, set or run; Todo says what to do where it is not OK.
type WhyStep struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
	Todo string `json:"todo,omitempty"`
}
