package api

import (
	"context"
	"time"
)

// SecretUses is the answer to GET /secrets/uses/{key}: which apps have the key,
// what they do without it, and which version of it their runs received.
type SecretUses struct {
	Key string `json:"key"`
	// Version is the one in use, 0 while there is none.
	Version int64       `json:"version"`
	Items   []SecretUse `json:"items"`
	// OldLastReceivedAt is when a run last received another version than the one
	// in use. Once the runs that started until then have ended, nobody has it.
	OldLastReceivedAt *time.Time `json:"old_last_received_at,omitempty"`
	// UnreadEntries is how many older entries of the audit log are not in this
	// yet: more than none only for a minute after very many runs.
	UnreadEntries int64 `json:"unread_entries,omitempty"`
}

// SecretUse is an app that declares a key, or whose runs have received it.
type SecretUse struct {
	// App is namespace/name, and CurrentVersion the number of the version that
	// runs; none of an app that was deleted.
	App            string `json:"app"`
	CurrentVersion int64  `json:"current_version,omitempty"`
	// Declared tells whether the version that runs declares the key, or one that
	// waits for approval, which Waits says; and DeclaredKey under which name.
	Declared    bool   `json:"declared"`
	Waits       bool   `json:"waits,omitempty"`
	DeclaredKey string `json:"declared_key,omitempty"`
	Optional    bool   `json:"optional"`
	// Grant is granted, waiting or revoked; empty where nobody has asked.
	Grant string `json:"grant,omitempty"`
	// Without says what the next run does without the key: fails, goes_on, or
	// same for what is the same without it, and Because why it is.
	Without string     `json:"without"`
	Because string     `json:"because,omitempty"`
	LastRun *SecretRun `json:"last_run,omitempty"`
	// Holders are the app's versions whose runs have received the key.
	Holders []SecretHolder `json:"holders"`
}

// SecretRun is a run of an app.
type SecretRun struct {
	// AppVersion is 0 where a release before this one recorded the run.
	AppVersion int64     `json:"app_version"`
	At         time.Time `json:"at"`
	RunID      string    `json:"run_id,omitempty"`
}

// SecretHolder is an app's version whose runs have received a key.
type SecretHolder struct {
	AppVersion int64 `json:"app_version"`
	// Version of the key is the last one that a run received, and ReceivedAt when.
	Version    int64     `json:"version"`
	ReceivedAt time.Time `json:"received_at"`
	RunID      string    `json:"run_id,omitempty"`
	// LastRunReceived is false where a later run received the key in no version.
	LastRunReceived bool `json:"last_run_received"`
	// BeforeVersion is the version that runs had received before, until BeforeAt.
	BeforeVersion int64      `json:"before_version,omitempty"`
	BeforeAt      *time.Time `json:"before_at,omitempty"`
}

// SecretUses tells who has a key.
func (c *Client) SecretUses(ctx context.Context, key string) (SecretUses, error) {
	path, err := c.secretPath(key, "/uses", "")
	if err != nil {
		return SecretUses{}, err
	}
	return get[SecretUses](ctx, c, path)
}
