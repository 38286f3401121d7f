package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ActivityFilter says which entries of a team's activity are wanted. What is empty
// asks for nothing.
type ActivityFilter struct {
	// Key is the name of a secret: what was done to it, who received it, and what
	// printed it.
	Key string `json:"key,omitempty"`
	// App is namespace/name.
	App string `json:"app,omitempty"`
	// Person is a part of an email address.
	Person string `json:"person,omitempty"`
	// Kind is an act, such as secret.reveal, or what stands before the dot.
	Kind string `json:"kind,omitempty"`
	// Outcome is allowed, unchanged, denied or failed.
	Outcome string `json:"outcome,omitempty"`
	// From and Until are the first and the last day, in UTC, such as 2026-03-01.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
}

// ActivityExport is the body of POST /activity/export.
type ActivityExport struct {
	ActivityFilter
	// Format is csv or jsonl.
	Format string `json:"format"`
}

// The formats of an export.
const (
	ExportCSV       = "csv"
	ExportJSONLines = "jsonl"
)

// ActivityEntry is one entry of a team's audit log. Seq is its number, dense from 1.
type ActivityEntry struct {
	Seq          int64     `json:"seq"`
	ID           string    `json:"id"`
	At           time.Time `json:"at"`
	ActorKind    string    `json:"actor_kind"`
	ActorID      string    `json:"actor_id"`
	ActorName    string    `json:"actor_name"`
	CredentialID string    `json:"credential_id"`
	Action       string    `json:"action"`
	Target       string    `json:"target"`
	Outcome      string    `json:"outcome"`
	Reason       string    `json:"reason"`
	// Versions are the keys that it is about, and in which version.
	Versions   []ActivityVersion `json:"versions"`
	RunID      string            `json:"run_id"`
	RemoteAddr string            `json:"remote_addr"`
	RequestID  string            `json:"request_id"`
}

// ActivityVersion is one version of a secret.
type ActivityVersion struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
}

// Activity is the answer to GET /activity, the newest entry first.
type Activity struct {
	Items []ActivityEntry `json:"items"`
	// NextBefore is the number to go on before; it is left out at the end.
	NextBefore int64 `json:"next_before,omitempty"`
	// SearchedTo is how far a search came that did not fill its page. It goes on with
	// NextBefore.
	SearchedTo *time.Time `json:"searched_to,omitempty"`
}

// Activity returns a page of the team's activity: the newest entries that the filter
// wants, or with before those before that number.
func (c *Client) Activity(ctx context.Context, f ActivityFilter, before int64) (Activity, error) {
	q := url.Values{}
	for name, value := range map[string]string{"key": f.Key, "app": f.App, "person": f.Person, "kind": f.Kind, "outcome": f.Outcome, "from": f.From, "until": f.Until} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	return get[Activity](ctx, c, "/activity?"+q.Encode())
}

// ExportActivity writes what the filter wants to w as it comes. The team's activity
// has an entry of it.
func (c *Client) ExportActivity(ctx context.Context, in ActivityExport, w io.Writer) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	mediaType := map[string]string{ExportCSV: "text/csv", ExportJSONLines: "application/jsonl"}[in.Format]
	answer, err := c.stream(ctx, http.MethodPost, c.base, BasePath+"/activity/export", body, nil, mediaType)
	if err != nil {
		return err
	}
	defer answer.Close()
	if _, err := io.Copy(w, answer); err != nil {
		return &UnreachableError{URL: c.base, Err: fmt.Errorf("the export is not complete: %w", err)}
	}
	return nil
}
