package api

import "time"

// ScopeTeam is the only scope of a secret.
const ScopeTeam = "team"

// Secret is a secret as the API shows it: masked.
type Secret struct {
	Owned
	Key         string `json:"key"`
	MaskedValue string `json:"masked_value"`
	Description string `json:"description"`
	Scope       string `json:"scope"`
	// Version is the one in use, 0 while all versions are staged.
	Version int64 `json:"version"`
	// StagedVersion is the newest version that was never in use. MaskedValue is
	// of it where none is in use.
	StagedVersion int64 `json:"staged_version,omitempty"`
	// UpdatedBy is the email of who made the current version.
	UpdatedBy string `json:"updated_by"`
	// ValueAt is when the value in use was first stored.
	ValueAt *time.Time `json:"value_at,omitempty"`
	// RotateEveryDays is after how many days the value is to be replaced; none
	// is no reminder. RotateAt is when that is, and Rotation is "due", or
	// "overdue" a week later. A reminder never stops a run.
	RotateEveryDays int        `json:"rotate_every_days,omitempty"`
	RotateAt        *time.Time `json:"rotate_at,omitempty"`
	Rotation        string     `json:"rotation,omitempty"`
	// ExpiresAt is when the value in use ends at its provider, if that is known.
	// Expiry is "soon", from 14 days before, or "expired". Neither stops a run.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Expiry    string     `json:"expiry,omitempty"`
	// StoredVersion, in the answer to a write, is the version that holds the
	// value that was sent; Unchanged says that it held it before.
	StoredVersion int64 `json:"stored_version,omitempty"`
	Unchanged     bool  `json:"unchanged,omitempty"`
	// Warnings are sentences for the person who has just written the secret.
	Warnings []string `json:"warnings,omitempty"`
	// Value is set in the answer of GET /secrets/reveal/{key} alone. The server
	// encodes that answer with MarshalRevealed.
	Value *Plaintext `json:"value,omitempty"`
}

// SecretWrite is the body of POST /secrets and PUT /secrets/{key}. Key is not
// read by PUT. In a PUT a nil Value or Description keeps what is there.
type SecretWrite struct {
	Key            string     `json:"key,omitempty"`
	Value          *Plaintext `json:"value,omitempty"`
	Description    *string    `json:"description,omitempty"`
	AllowRiskyName bool       `json:"allow_risky_name,omitempty"`
	Verbatim       bool       `json:"verbatim,omitempty"`
	// Stage stores the value without using it, until it is activated.
	Stage bool `json:"stage,omitempty"`
	// RotateEveryDays reminds of the next rotation after that many days, 0 for no
	// reminder; none keeps what is set.
	RotateEveryDays *int `json:"rotate_every_days,omitempty"`
	// ExpiresAt is when the value ends at its provider, as a date (2027-01-31) or
	// a time; "" is no known end. It is of the value that is sent, and otherwise
	// of the one in use, whose end stays where there is none.
	ExpiresAt *string `json:"expires_at,omitempty"`
}

// VersionState is what a version is for now.
type VersionState string

// The states of a version.
const (
	// VersionActive is the version in use.
	VersionActive VersionState = "active"
	// VersionStaged was never in use.
	VersionStaged VersionState = "staged"
	// VersionSuperseded was in use once.
	VersionSuperseded VersionState = "superseded"
)

// SecretVersion is one entry of a secret's history.
type SecretVersion struct {
	Version     int64     `json:"version"`
	MaskedValue string    `json:"masked_value"`
	CreatedAt   time.Time `json:"created_at"`
	// CreatedBy is an email.
	CreatedBy string       `json:"created_by"`
	State     VersionState `json:"state"`
	// Current is true of the active version.
	Current bool `json:"current"`
	// ExpiresAt is when the value ends at its provider, if that is known.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// SecretVersions is the answer to GET /secrets/versions/{key}, newest first.
type SecretVersions struct {
	Items []SecretVersion `json:"items"`
}

// RollbackRequest is the body of POST /secrets/rollback/{key}.
type RollbackRequest struct {
	Version int64 `json:"version"`
}

// ActivateRequest is the body of POST /secrets/activate/{key}. Version is any
// kept one.
type ActivateRequest struct {
	Version int64 `json:"version"`
}

// ImportRequest is the body of POST /secrets/import. All of its items are
// written or none is.
type ImportRequest struct {
	Items          []ImportItem `json:"items"`
	Overwrite      bool         `json:"overwrite"`
	DryRun         bool         `json:"dry_run"`
	AllowRiskyName bool         `json:"allow_risky_name,omitempty"`
}

// ImportItem is one secret to import.
type ImportItem struct {
	Key         string     `json:"key"`
	Value       *Plaintext `json:"value"`
	Description *string    `json:"description,omitempty"`
}

// ImportStatus says what an import does, or would do, with a key.
type ImportStatus string

// The states of an imported key.
const (
	ImportNew       ImportStatus = "new"
	ImportChanged   ImportStatus = "changed"
	ImportUnchanged ImportStatus = "unchanged"
	// ImportExists is a key that is set and differs, without leave to overwrite.
	ImportExists  ImportStatus = "exists"
	ImportRefused ImportStatus = "refused"
)

// ImportResult is one line of an import's answer.
type ImportResult struct {
	Key    string       `json:"key"`
	Status ImportStatus `json:"status"`
	// Detail is a sentence that says why a key is refused.
	Detail string `json:"detail,omitempty"`
}

// ImportResponse is the answer to POST /secrets/import.
type ImportResponse struct {
	Items   []ImportResult `json:"items"`
	Written bool           `json:"written"`
}
